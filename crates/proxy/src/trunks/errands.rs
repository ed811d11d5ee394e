//! Requests of the server's own: OPTIONS that ask whether a server works, REGISTER at a provider.
//!
//! One event loop does each: the first one asks, and the one that owns the user of an account registers it, for their
//! answers come there (`ownership`).

use core::time::Duration;
use std::sync::Arc;

use sip::header::HeaderName;
use sip::transaction::ClientKey;
use sip::{Builder, Hop, Instant, Message, Method};

use crate::forward::via;
use crate::listeners::is_sendable;
use crate::output::{Question, ResolveError};
use crate::proxy::{Proxy, Waiting};
use crate::response_context::Sent;

use super::servers::Member;
use super::settings::Server;

/// How often the addresses of named servers are asked for again.
const LOOK_AGAIN: Duration = Duration::from_secs(300);

/// What a request of our own is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errand {
    /// Of which configuration its group is.
    pub(super) generation: u32,
    /// The group, by its place.
    pub(super) group: usize,
    pub(super) aim: Aim,
}

/// What it is to bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    /// Whether this server of the group works.
    Probe(usize),
    /// A registration.
    Registration,
    /// The end of one: whatever is answered.
    Farewell,
}

/// What became of it.
pub(super) enum Brought<'m> {
    /// A final response.
    Response(&'m Message),
    /// This status says why there is none.
    Nothing(u16),
}

/// The parts of such a request that differ.
pub(super) struct Draft<'a> {
    pub(super) method: Method<'a>,
    pub(super) uri: &'a str,
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) call_id: &'a str,
    pub(super) cseq: u32,
    pub(super) fields: &'a [(HeaderName, Vec<u8>)],
}

impl Proxy {
    /// Says which of the server's event loops this is, counted from 0. A proxy that is alone is the first.
    #[must_use]
    pub fn at_place(mut self, place: usize) -> Self {
        self.trunks.place = place;
        self.trunks.due = Instant::ZERO;
        self
    }

    /// A Call-ID whose answers come to this event loop.
    pub(crate) fn own_call_id(&mut self) -> String {
        let mut call_id = self.entropy.token(22);
        // Each try fits with one chance in as many as there are loops.
        for _ in 0..64 * self.common.loops() {
            let message = format!("OPTIONS sip:x SIP/2.0\r\nCall-ID: {call_id}\r\n\r\n");
            if self.common.owner_of_message(message.as_bytes()) == self.trunks.place {
                break;
            }
            call_id = self.entropy.token(22);
        }
        call_id
    }

    /// Does what is due for the groups.
    pub(crate) fn tend_trunks(&mut self, now: Instant) {
        if self.trunks.due > now {
            return;
        }
        if self.trunks.look_again <= now {
            if self.trunks.look_again != Instant::ZERO {
                self.look_for_servers();
            }
            let named =
                |known: &super::Known| known.group.servers.iter().any(|server| server.literal().is_none());
            let any = self.trunks.groups.iter().any(named);
            self.trunks.look_again = if any { now + LOOK_AGAIN } else { Instant::NEVER };
        }
        let next = self.tend_probes(now).min(self.tend_registrations(now));
        self.trunks.due = next.min(self.trunks.look_again);
    }

    /// The group's timers are to be looked at by then.
    pub(super) fn due_at(&mut self, at: Instant) {
        self.trunks.due = self.trunks.due.min(at);
    }

    /// Looks for the way to a server, and goes it.
    pub(super) fn set_out(&mut self, now: Instant, errand: Errand, server: &Server) {
        if let Some(hop) = Hop::literal(&server.host, server.port, server.transport, false) {
            return self.way_found(now, errand, Ok(vec![hop]));
        }
        let id = self.outbox.ask(Question::Resolve {
            host: server.host.clone(),
            port: server.port,
            transport: server.transport,
            secure: false,
        });
        self.waiting.insert(id, Waiting::Errand(errand));
    }

    /// The addresses of the server are known, or not.
    pub(crate) fn way_found(&mut self, now: Instant, errand: Errand, hops: Result<Vec<Hop>, ResolveError>) {
        // The groups are others by now: in its place another one stands, which is asked for by itself.
        if errand.generation != self.trunks.generation {
            return;
        }
        let hops = hops.unwrap_or_default();
        if let (Aim::Probe(place), Some(known)) = (errand.aim, self.trunks.groups.get(errand.group)) {
            self.server_found(&Member { group: Arc::clone(&known.group), place }, &hops);
        }
        let hop = hops.into_iter().find(|hop| is_sendable(hop.address()));
        match hop.map(|hop| self.listeners.pin(hop)) {
            Some(hop) => match errand.aim {
                Aim::Probe(place) => self.send_probe(now, errand, place, hop),
                Aim::Registration => self.send_registration(now, errand, hop),
                Aim::Farewell => {}
            },
            None => self.returned(now, errand, &Brought::Nothing(404)),
        }
    }

    /// Sends a request of our own.
    pub(super) fn send_own(
        &mut self,
        now: Instant,
        errand: Errand,
        hop: Hop,
        draft: &Draft<'_>,
    ) -> Option<ClientKey> {
        let branch = self.entropy.token(20);
        let (via, _) = via(&self.listeners.side_of_hop(&hop), b";rport", branch.as_bytes());
        let mut builder = Builder::request(draft.method, draft.uri.as_bytes())
            .header(HeaderName::Via, &via)
            .header(HeaderName::MaxForwards, b"70")
            .header(HeaderName::From, draft.from.as_bytes())
            .header(HeaderName::To, draft.to.as_bytes())
            .header(HeaderName::CallId, draft.call_id.as_bytes());
        let method = String::from_utf8_lossy(draft.method.as_bytes()).into_owned();
        builder = builder.header(HeaderName::CSeq, format!("{} {method}", draft.cseq).as_bytes());
        for (name, value) in draft.fields {
            builder = builder.header(*name, value);
        }
        if !self.config.server_name.is_empty() {
            builder = builder.header(HeaderName::UserAgent, self.config.server_name.as_bytes());
        }
        let mut message = Message::parse(&builder.finish().ok()?).ok()?;
        message.admit().ok()?;
        let key = self.transactions.request(now, hop, message);
        self.by_client.insert(key, Sent::Own(errand));
        Some(key)
    }

    /// An answer to a request of our own.
    pub(crate) fn own_answered(&mut self, now: Instant, key: ClientKey, errand: Errand, response: &Message) {
        if response.status().is_some_and(|status| status >= 200) {
            self.by_client.remove(key);
            self.returned(now, errand, &Brought::Response(response));
        }
    }

    /// No answer has come, or it could not be sent.
    pub(crate) fn own_failed(&mut self, now: Instant, key: ClientKey, errand: Errand, status: u16) {
        self.by_client.remove(key);
        self.returned(now, errand, &Brought::Nothing(status));
    }

    fn returned(&mut self, now: Instant, errand: Errand, brought: &Brought<'_>) {
        if errand.generation != self.trunks.generation {
            return;
        }
        match errand.aim {
            Aim::Probe(place) => self.probed(now, errand, place, brought),
            Aim::Registration => self.registration_returned(now, errand, brought),
            Aim::Farewell => {}
        }
    }
}
