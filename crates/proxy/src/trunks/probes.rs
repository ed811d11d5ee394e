//! OPTIONS that ask the servers of groups whether they work (RFC 3261 §11).
//!
//! Any answer shows that there is somebody; 503 says that he does not work. One that is silent is asked after the
//! others from then on until it answers again. What a server says of itself to a call (503 with Retry-After) counts for
//! as long as it says, whatever it answers here.

use core::time::Duration;
use std::sync::Arc;

use sip::header::HeaderName;
use sip::transaction::ClientKey;
use sip::{Hop, Instant, Method};

use crate::proxy::Proxy;

use super::errands::{Aim, Brought, Draft, Errand};
use super::servers::Member;

/// How long a server may be silent: three retransmissions are sent meanwhile.
const PATIENCE: Duration = Duration::from_secs(4);

/// The asking of one server.
#[derive(Debug)]
pub(super) struct Probe {
    /// When it is asked, or counts as silent.
    at: Instant,
    state: State,
}

#[derive(Debug)]
enum State {
    Idle,
    /// It is on its way, perhaps without a transaction yet.
    Asked(Option<ClientKey>),
}

impl Probe {
    pub(super) const fn new() -> Self {
        Self { at: Instant::ZERO, state: State::Idle }
    }
}

impl Proxy {
    /// Asks those whose turn it is. Says when the next one has its turn.
    pub(super) fn tend_probes(&mut self, now: Instant) -> Instant {
        if self.trunks.place != 0 {
            return Instant::NEVER;
        }
        let mut due = Vec::new();
        for (group, known) in self.trunks.groups.iter_mut().enumerate() {
            let Some(interval) = known.group.probe else { continue };
            for (place, probe) in known.probes.iter_mut().enumerate() {
                if probe.at > now {
                    continue;
                }
                let state = core::mem::replace(&mut probe.state, State::Asked(None));
                let silent = matches!(state, State::Asked(_));
                probe.at = now + if silent { interval } else { PATIENCE };
                if silent {
                    probe.state = State::Idle;
                }
                due.push((group, place, state));
            }
        }
        for (group, place, state) in due {
            let errand = Errand { generation: self.trunks.generation, group, aim: Aim::Probe(place) };
            match state {
                State::Idle => {
                    let known = self.trunks.groups.get(group);
                    let server = known.and_then(|known| known.group.servers.get(place)).cloned();
                    if let Some(server) = server {
                        self.set_out(now, errand, &server);
                    }
                }
                State::Asked(key) => {
                    if let Some(key) = key {
                        self.transactions.forget(key);
                        self.by_client.remove(key);
                    }
                    self.probe_fails(now, group, place);
                }
            }
        }
        let probing = self.trunks.groups.iter().filter(|known| known.group.probe.is_some());
        probing.flat_map(|known| &known.probes).map(|probe| probe.at).min().unwrap_or(Instant::NEVER)
    }

    pub(super) fn send_probe(&mut self, now: Instant, errand: Errand, place: usize, hop: Hop) {
        let Some(known) = self.trunks.groups.get(errand.group) else { return };
        let Some(server) = known.group.servers.get(place) else { return };
        let uri = format!("sip:{}", server.place());
        let domain = String::from_utf8_lossy(self.own.main_domain()).into_owned();
        let from = format!("<sip:{domain}>;tag={}", self.entropy.token(10));
        let draft = Draft {
            method: Method::Options,
            uri: &uri,
            from: &from,
            to: &format!("<{uri}>"),
            call_id: &self.own_call_id(),
            cseq: 1,
            fields: &[(HeaderName::Accept, b"application/sdp".to_vec())],
        };
        let key = self.send_own(now, errand, hop, &draft);
        let known = self.trunks.groups.get_mut(errand.group);
        if let Some(probe) = known.and_then(|known| known.probes.get_mut(place))
            && let State::Asked(asked) = &mut probe.state
        {
            *asked = key;
        }
    }

    /// What asking has brought.
    pub(super) fn probed(&mut self, now: Instant, errand: Errand, place: usize, brought: &Brought<'_>) {
        let Some(known) = self.trunks.groups.get_mut(errand.group) else { return };
        let Some(interval) = known.group.probe else { return };
        let Some(probe) = known.probes.get_mut(place) else { return };
        if matches!(probe.state, State::Idle) {
            return;
        }
        probe.state = State::Idle;
        probe.at = now + interval;
        self.due_at(now + interval);
        match brought {
            Brought::Response(response) if response.status() != Some(503) => {
                if let Some(member) = self.member(errand.group, place) {
                    self.server_shows_itself(now, &member);
                }
            }
            _ => self.probe_fails(now, errand.group, place),
        }
    }

    fn probe_fails(&mut self, now: Instant, group: usize, place: usize) {
        let Some(member) = self.member(group, place) else { return };
        // Until it is asked the next time, and that has failed, too.
        let span = member.group.probe.unwrap_or_default().saturating_mul(2) + PATIENCE * 2;
        self.server_fails(now, &member, span, false);
    }

    fn member(&self, group: usize, place: usize) -> Option<Member> {
        let known = self.trunks.groups.get(group)?;
        Some(Member { group: Arc::clone(&known.group), place })
    }
}
