//! What must hold after every run, whatever the network did.

use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::Arc;

use sip::{Message, Method};

use crate::conditions::Conditions;
use crate::phone::Act;
use crate::simulation::{NodeId, Simulation};

/// Longer than any transaction and any session timer of the agents (90 s): after it both sides of a call know
/// whether it stands.
const AGREEMENT: Duration = Duration::from_secs(240);

/// Longer than any binding, tombstone or back-off lives.
const QUIET: Duration = Duration::from_secs(4 * 3600);

impl Simulation {
    /// Ends the run: the network heals; both sides of each call must come to agree whether it stands; then
    /// everybody hangs up and signs off, all timers must end, and nothing may be left in any table.
    ///
    /// # Panics
    /// When an invariant is broken.
    pub fn wind_up(&mut self) {
        self.set_conditions(Conditions::PERFECT);
        self.run_for(AGREEMENT);
        self.assert_agreement();
        self.assert_bindings_are_stored();
        let phones: Vec<NodeId> = self.phones().map(|(id, _)| id).collect();
        for phone in &phones {
            self.act(*phone, Act::HangUpAll);
            self.act(*phone, Act::Unregister);
        }
        self.assert_quiet();
        for phone in &phones {
            self.act(*phone, Act::Disconnect);
        }
        self.assert_quiet();
        self.assert_outcomes();
        self.assert_answers_are_acknowledged();
        self.assert_tables_are_empty();
    }

    /// Every timer ends.
    ///
    /// # Panics
    /// When something still happens after hours.
    pub fn assert_quiet(&mut self) {
        let quiet = self.run_until_quiet(QUIET);
        assert!(quiet, "something still happens after {QUIET:?}");
    }

    /// The dialogs that stand at one side are those that stand at the other.
    ///
    /// # Panics
    /// When a call stands at one side only.
    pub fn assert_agreement(&self) {
        let standing: Vec<_> = self
            .phones()
            .flat_map(|(id, phone)| phone.standing().into_iter().map(move |dialog| (id, dialog)))
            .collect();
        for (id, (call_id, local_tag, remote_tag)) in &standing {
            let agrees = standing.iter().any(|(other, (call, local, remote))| {
                other != id && call == call_id && local == remote_tag && remote == local_tag
            });
            assert!(
                agrees,
                "a call stands for {} only: {}",
                self.name(*id),
                String::from_utf8_lossy(call_id)
            );
        }
    }

    /// A registrar that knows contacts has records, and one that knows none has none.
    ///
    /// # Panics
    /// When that is not so.
    pub fn assert_bindings_are_stored(&self) {
        for (id, server) in self.servers().filter(|(_, server)| server.is_registrar()) {
            let known = server.proxy.bindings() > 0;
            assert_eq!(
                known,
                server.stored.keys().any(|name| !proxy::is_message(name)),
                "the records of {}: {:?}",
                self.name(id),
                server.proxy
            );
        }
    }

    /// Every call ended once, every request had one outcome.
    ///
    /// # Panics
    /// When one had none or more.
    pub fn assert_outcomes(&self) {
        for (id, phone) in self.phones() {
            for call in &phone.calls {
                assert_eq!(call.ends.len(), 1, "the ends of a call of {}: {call:?}", self.name(id));
            }
            for (number, outcomes) in &phone.requests {
                assert_eq!(
                    outcomes.len(),
                    1,
                    "the outcomes of {number:?} of {}: {outcomes:?}",
                    self.name(id)
                );
            }
        }
    }

    /// For every 2xx to an INVITE that a phone gave, an ACK was sent to it, or its call was ended by either side.
    ///
    /// # Panics
    /// When neither was.
    pub fn assert_answers_are_acknowledged(&self) {
        let phones: BTreeSet<Arc<str>> =
            self.phones().map(|(id, _)| Arc::clone(&self.nodes[id.0].name)).collect();
        let (mut answered, mut acknowledged, mut ended) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for rung in self.ladder.rungs() {
            let Ok(message) = Message::parse(&rung.bytes) else { continue };
            let (Ok(call_id), Ok(cseq)) = (message.call_id(), message.cseq()) else { continue };
            let call_id = call_id.to_vec();
            match (message.status(), cseq.method) {
                (Some(200..=299), Method::Invite) if phones.contains(&rung.from) => {
                    answered.insert((Arc::clone(&rung.from), call_id, cseq.number));
                }
                (None, Method::Ack) => {
                    acknowledged.insert((Arc::clone(&rung.to), call_id, cseq.number));
                }
                (None, Method::Bye) => {
                    ended.insert((Arc::clone(&rung.from), call_id.clone()));
                    ended.insert((Arc::clone(&rung.to), call_id));
                }
                _ => {}
            }
        }
        for (name, call_id, number) in answered.difference(&acknowledged) {
            assert!(
                ended.contains(&(Arc::clone(name), call_id.clone())),
                "the 2xx of {name} to INVITE {number} of call {} is neither acknowledged nor ended",
                String::from_utf8_lossy(call_id)
            );
        }
    }

    /// No phone keeps a call, a request or a transaction; no server keeps a transaction, a binding or a record.
    ///
    /// # Panics
    /// When one does.
    pub fn assert_tables_are_empty(&self) {
        for (id, server) in self.servers() {
            let name = self.name(id);
            assert!(server.proxy.is_idle(), "{name} keeps something: {:?}", server.proxy);
            assert_eq!(server.proxy.bindings(), 0, "bindings of {name}");
            assert!(server.proxy.connections() <= self.connections.of(id), "connections of {name}");
            assert!(server.stored.is_empty(), "records of {name}: {:?}", server.stored.keys());
        }
        for (id, phone) in self.phones() {
            assert!(phone.agent.is_idle(), "{} keeps something", self.name(id));
            assert_eq!(self.connections.opened_by(id), 0, "connections of {}", self.name(id));
        }
    }
}
