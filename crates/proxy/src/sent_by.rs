//! Where a response goes that cannot go back the way its request came (RFC 3261 §18.2.2, RFC 3263 §5).
//!
//! | what fails | then |
//! |---|---|
//! | the connection of the request is closed | a new one, to the address it came from, at the port of its Via |
//! | nothing gets there, or a datagram is refused | the host of the Via, by SRV, if that is a name; its addresses, one by one |
//!
//! The second is done for those who may send through us anywhere anyway: users, peers, groups. A stranger could else point
//! our answers at others.

use core::mem;
use std::collections::VecDeque;
use std::net::SocketAddr;

use sip::uri::Host;
use sip::{Flow, Hop, Instant};

use crate::authorization::Sender;
use crate::listeners::is_sendable;
use crate::output::{Question, ResolveError};
use crate::proxy::{Proxy, Waiting};
use crate::refused::Places;
use crate::registrar::address_of_record::host_text;
use crate::response_context::{ContextId, ResponseContext};

/// What is known of the host that a request's Via names.
#[derive(Debug, Default)]
pub(crate) enum SentBy {
    /// Nobody has asked for it.
    #[default]
    NotAsked,
    /// It is being looked up, or leads nowhere.
    Asked,
    /// Its addresses that have not been tried.
    Known(VecDeque<Hop>),
}

impl Proxy {
    /// A connection is closed. A page cannot be called; it comes back by itself.
    pub(crate) fn respond_elsewhere(&mut self, flow: &Flow) {
        if flow.transport.is_websocket() {
            return;
        }
        for (_, context) in self.contexts.iter().filter(|(_, context)| context.flow == *flow) {
            let Ok(via) = context.received.top_via() else { continue };
            let port = via.port().unwrap_or_else(|| flow.transport.default_port());
            let address = SocketAddr::new(flow.remote.ip(), port);
            let hop = Hop::Address { transport: flow.transport, address, server_name: None };
            self.transactions.redirect_responses(context.server, hop);
        }
    }

    /// Nothing gets to `places`: responses that were meant for them take another way.
    pub(crate) fn respond_to_sent_by(&mut self, now: Instant, places: &Places) {
        let is_lost = |hop: &Hop| !hop.transport().is_websocket() && places.has_peer(hop);
        let concerned: Vec<ContextId> = self
            .contexts
            .iter()
            .filter(|(_, context)| self.transactions.hop_of(context.server).is_some_and(is_lost))
            .map(|(id, _)| ContextId(id))
            .collect();
        for id in concerned {
            self.next_sent_by(now, id);
        }
    }

    /// The next address of the host that the Via names.
    fn next_sent_by(&mut self, now: Instant, id: ContextId) {
        let Some(context) = self.contexts.get(id.0) else { return };
        let question = match context.sent_by {
            SentBy::NotAsked => self.sent_by_question(context),
            SentBy::Asked | SentBy::Known(_) => None,
        };
        let Some(context) = self.contexts.get_mut(id.0) else { return };
        match (&mut context.sent_by, question) {
            (sent_by @ SentBy::NotAsked, Some(question)) => {
                *sent_by = SentBy::Asked;
                let ask = self.outbox.ask(question);
                self.waiting.insert(ask, Waiting::SentBy { context: id });
            }
            (SentBy::Known(hops), _) => {
                if let Some(hop) = hops.pop_front() {
                    self.transactions.redirect_responses(context.server, hop);
                    self.transactions.repeat_response(now, context.server);
                }
            }
            _ => {}
        }
    }

    /// The addresses of the host that the Via of a request names are known.
    pub(crate) fn sent_by_found(
        &mut self,
        now: Instant,
        id: ContextId,
        result: Result<Vec<Hop>, ResolveError>,
    ) {
        let Some(context) = self.contexts.get_mut(id.0) else { return };
        let transport = context.flow.transport;
        let hops = result.unwrap_or_default().into_iter();
        let hops = hops.filter(|hop| hop.transport() == transport && is_sendable(hop.address()));
        if matches!(mem::take(&mut context.sent_by), SentBy::Asked) {
            context.sent_by = SentBy::Known(hops.collect());
            self.next_sent_by(now, id);
        }
    }

    /// What is to be looked up, if it is a name, and of somebody who may make us send anywhere.
    fn sent_by_question(&self, context: &ResponseContext) -> Option<Question> {
        let may = match &context.sender {
            Sender::Peer | Sender::Upstream | Sender::Group(_) => true,
            Sender::Account(aor) => !self.config.guests.has(aor),
            Sender::Stranger => false,
        };
        let via = context.received.top_via().ok().filter(|_| may)?;
        let host @ Host::Name(_) = via.host() else { return None };
        Some(Question::Resolve {
            host: String::from_utf8(host_text(host)).ok()?,
            port: via.port(),
            transport: Some(context.flow.transport),
            secure: context.flow.transport.is_secure(),
        })
    }

    /// Whether what is left of a finished request may still be of use: its response can be lost on the way.
    pub(crate) fn may_need_sent_by(&self, context: &ResponseContext) -> bool {
        !context.flow.transport.is_websocket()
            && matches!(context.sent_by, SentBy::NotAsked)
            && self.sent_by_question(context).is_some()
    }
}
