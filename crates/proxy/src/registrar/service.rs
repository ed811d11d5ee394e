//! The registrar at work: a REGISTER is planned, stored, and only then visible and answered (RFC 3261 §10.3).

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use sip::header::HeaderName;
use sip::text::{decimal, write_decimal};
use sip::{Flow, Instant};

use super::address_of_record::key;
use super::binding::{Binding, decode, encode};
use super::location::Ended;
use super::register::{Arrival, Gruus, Plan, address_uri, plan, public_gruu, write_contact};
use super::temporary_gruu;
use crate::authorization::Sender;
use crate::event::{Event, Unregistration};
use crate::inbound::Job;
use crate::messages::is_message;
use crate::news::{News, Told};
use crate::output::{Question, StoreError};
use crate::proxy::{Proxy, Waiting};
use crate::reply::Refusal;
use crate::target::Target;

/// How many REGISTERs may wait for the store behind another of the same user.
const QUEUE: usize = 16;

/// A binding of an earlier run ends by then, or with the longest expiry that is granted, if that is longer. One that would
/// last on was written, or is read, by a clock that is wrong: its phone would be called for years. The longest expiry may
/// have been longer before.
const LONGEST_KEPT: Duration = Duration::from_secs(7 * 86_400);

impl Proxy {
    /// A REGISTER that may pass.
    pub(crate) fn register(&mut self, now: Instant, job: Job) {
        match self.registration(&job) {
            // §10.3: in the order that they are received, one after another.
            Ok(aor) => match self.registering.get_mut(&aor) {
                Some(queue) if queue.len() >= QUEUE => {
                    self.refuse(now, &job, &self.overloaded("too many registrations of one user at once"));
                }
                Some(queue) => queue.push_back(job),
                None => self.register_now(now, job, aor),
            },
            Err(refusal) => self.refuse(now, &job, &refusal),
        }
    }

    /// §10.3 items 2 to 5: what the registrar verifies; gives the address-of-record.
    fn registration(&self, job: &Job) -> Result<Vec<u8>, Refusal> {
        let request = &job.received;
        let unsupported: Vec<&[u8]> = request
            .values(HeaderName::Require)
            .filter(|option| {
                !["path", "outbound", "gruu"]
                    .iter()
                    .any(|known| option.eq_ignore_ascii_case(known.as_bytes()))
            })
            .collect();
        if !unsupported.is_empty() {
            let value = crate::validation::join(unsupported.into_iter());
            return Err(Refusal::new(
                420,
                "the REGISTER needs an extension that the registrar does not have",
            )
            .header(HeaderName::Unsupported, value));
        }
        // It has proved to be the user in its To.
        if let Sender::Account(account) = &job.sender {
            return Ok(account.clone());
        }
        let to = request.to().map_err(|_| Refusal::new(400, "the To is malformed"))?;
        let uri = to.uri().map_err(|_| Refusal::new(400, "the To is no URI"))?;
        if !uri.is_sip() {
            return Err(Refusal::new(400, "the To is no sip or sips URI"));
        }
        let aor = self.own.domain_of(&uri).zip(uri.user()).map(|(domain, user)| key(user, domain));
        // In the store, where messages are named so, his bindings would be taken for one.
        let aor = aor.filter(|aor| !is_message(aor));
        aor.ok_or(Refusal::new(404, "the To is no user of this domain"))
    }

    fn register_now(&mut self, now: Instant, job: Job, aor: Vec<u8>) {
        // The hop may add Path if it is a peer; the client itself may not.
        let trusted = self.is_trusted_peer(&job.flow);
        let arrival =
            Arrival { request: &job.received, flow: job.flow, now, until: job.proven_until, trusted };
        let current = self.location.get(&aor);
        let plan = match plan(&arrival, &current, &self.config.registrar) {
            Ok(plan) => plan,
            Err(refusal) => return self.refuse(now, &job, &refusal),
        };
        let grows = plan.bindings.len() > current.len();
        drop(current);
        if grows && self.location.len() >= self.config.limits.bindings {
            return self.refuse(now, &job, &self.overloaded("the registrar is full"));
        }
        if !plan.changes() {
            return self.registered(now, &job, &aor, &plan);
        }
        let record = (!plan.bindings.is_empty()).then(|| encode(&plan.bindings, |at| self.common.date(at)));
        let id = self.outbox.ask(Question::Store { aor: aor.clone(), record });
        self.registering.insert(aor.clone(), VecDeque::new());
        self.waiting.insert(id, Waiting::Store { job: Box::new(job), aor, plan: Box::new(plan) });
    }

    /// The store has answered: commit and 200, or nothing and 500 (§10.3 item 7).
    pub(crate) fn registration_stored(
        &mut self,
        now: Instant,
        job: &Job,
        aor: Vec<u8>,
        mut plan: Plan,
        result: Result<(), StoreError>,
    ) {
        if result.is_ok() {
            self.unstored.remove(&aor);
            self.mark_lost(now, &mut plan.bindings);
            self.tell(now, &job.flow, &aor, &plan);
            self.registered(now, job, &aor, &plan);
            let moved = !plan.replaced.is_empty();
            let new = plan.kept.iter().filter(|(_, refresh)| moved || !refresh);
            let new: Vec<Vec<u8>> = new.map(|(kept, _)| kept.contact.clone()).collect();
            self.commit(now, &aor, plan);
            for contact in new {
                self.join_ringing(now, &aor, &contact);
                // The call may be on any event loop.
                if self.config.forking.late && self.common.loops() > 1 {
                    self.outbox.share(News(Told::Joined { aor: aor.clone(), contact }));
                }
            }
        } else {
            self.outbox.event(Event::StoreFailed { aor: aor.clone() });
            let refusal = Refusal { status: 500, ..self.overloaded("the registration could not be stored") };
            self.refuse(now, job, &refusal);
        }
        for next in self.registering.remove(&aor).unwrap_or_default() {
            self.register(now, next);
        }
    }

    /// A connection may have closed while the store was at work, or while the record was planned.
    fn mark_lost(&self, now: Instant, bindings: &mut [Binding]) {
        for binding in bindings {
            let flow = &binding.flow;
            if flow.transport.is_reliable() && !self.common.0.connections.contains(flow.connection) {
                binding.lost.get_or_insert(now);
            }
        }
    }

    /// Makes a plan visible. The flow speaks for the user from now on, and responses that the client waits for on
    /// a connection that broke go to its new one.
    pub(crate) fn commit(&mut self, now: Instant, aor: &[u8], mut plan: Plan) {
        self.mark_lost(now, &mut plan.bindings);
        for binding in &plan.bindings {
            if plan.kept.iter().any(|(kept, _)| Arc::ptr_eq(kept, &binding.registered)) {
                if plan.direct {
                    self.common.0.connections.let_speak(&binding.flow, aor);
                }
                self.follow(aor, &binding.registered);
                self.share_move(aor, binding);
            }
        }
        self.location.replace(aor, plan.bindings);
        self.bindings_changed(now, aor);
        self.subscribers_back(now, aor);
        self.deliver_messages(now, aor);
    }

    /// Tells who registered over this flow, and whose contacts are gone.
    pub(crate) fn tell(&mut self, now: Instant, flow: &Flow, aor: &[u8], plan: &Plan) {
        for (kept, refresh) in &plan.kept {
            let is_it = |binding: &&Binding| Arc::ptr_eq(kept, &binding.registered);
            let Some(binding) = plan.bindings.iter().find(is_it) else {
                continue;
            };
            let left = super::register::seconds_left(binding, now);
            self.outbox.event(Event::Registered {
                aor: aor.to_vec(),
                contact: kept.contact.clone(),
                transport: flow.transport,
                source: flow.remote,
                user_agent: binding.user_agent.clone(),
                expires: u32::try_from(left).unwrap_or(u32::MAX),
                refresh: *refresh,
            });
        }
        let gone = plan.removed.iter().map(|contact| (contact, Unregistration::Asked));
        let replaced = plan.replaced.iter().map(|contact| (contact, Unregistration::Replaced));
        for (contact, why) in gone.chain(replaced) {
            self.outbox.event(Event::Unregistered { aor: aor.to_vec(), contact: contact.clone(), why });
        }
    }

    /// §10.3 item 8: 200 with every binding.
    fn registered(&mut self, now: Instant, job: &Job, aor: &[u8], plan: &Plan) {
        let request = &job.received;
        let wants_gruu = request.lists(HeaderName::Supported, "gruu");
        let gruus: Vec<Option<Gruus>> = if wants_gruu {
            plan.bindings.iter().map(|binding| self.gruus(aor, binding)).collect()
        } else {
            Vec::new()
        };
        let registrar = &self.config.registrar;
        let bytes = self.replies.write(request, 200, |mut builder| {
            let mut value = Vec::with_capacity(128);
            for (place, binding) in plan.bindings.iter().enumerate() {
                value.clear();
                write_contact(&mut value, binding, now, gruus.get(place).and_then(Option::as_ref));
                builder = builder.header(HeaderName::Contact, &value);
            }
            if plan.outbound {
                builder = builder.header(HeaderName::Require, b"outbound");
                let timer = registrar.flow_timer.as_secs();
                if timer > 0 {
                    builder = builder.header(HeaderName::FlowTimer, decimal(timer).as_bytes());
                }
            }
            builder = builder.header(HeaderName::Supported, b"path, outbound, gruu");
            // RFC 3327 §5.3: the Path back to the client.
            for value in request.headers(HeaderName::Path) {
                builder = builder.header(HeaderName::Path, value);
            }
            for route in &registrar.service_route {
                builder = builder.header(HeaderName::ServiceRoute, route.as_bytes());
            }
            builder.header(HeaderName::Date, &self.replies.date(self.common.date(now)))
        });
        if let (Some(key), Some(bytes)) = (job.key, bytes) {
            self.transactions.respond(now, key, bytes);
        }
    }

    /// The addresses of the device that a binding is of, if it says which one.
    fn gruus(&mut self, aor: &[u8], binding: &Binding) -> Option<Gruus> {
        let instance = binding.instance.as_deref()?;
        Some(Gruus {
            public: public_gruu(aor, instance),
            temporary: self.temporary_gruu(aor, instance, &binding.call_id),
        })
    }

    /// A temporary GRUU of an instance: one more each time it registers (RFC 5627 §5.4).
    fn temporary_gruu(&mut self, aor: &[u8], instance: &[u8], call_id: &[u8]) -> Vec<u8> {
        let user = temporary_gruu::write(&self.key, aor, instance, call_id, &mut *self.entropy);
        let domain = aor.rsplit(|octet| *octet == b'@').next().unwrap_or_default();
        let mut gruu = address_uri(&[&user, b"@".as_slice(), domain].concat());
        gruu.extend_from_slice(b";gr");
        gruu
    }

    /// The contacts that a temporary GRUU leads to: those of its instance, if it still is of their registration.
    pub(crate) fn temporary_targets(
        &self,
        now: Instant,
        user: &[u8],
        whose: impl Fn(&[u8]) -> bool,
    ) -> Vec<Target> {
        let meant = temporary_gruu::read(&self.key, user).filter(|meant| whose(&meant.aor));
        let Some(meant) = meant else { return Vec::new() };
        let bindings = self.location.get(&meant.aor);
        let mut bindings: Vec<&Binding> = bindings
            .iter()
            .filter(|binding| {
                binding.instance.as_deref() == Some(&meant.instance)
                    && meant.is_of(&self.key, &binding.call_id)
            })
            .collect();
        bindings.sort_by_key(|binding| core::cmp::Reverse(binding.expires));
        bindings.into_iter().filter_map(|binding| Target::binding(now, binding).ok()).collect()
    }

    /// Takes the records of an earlier run. Their connections are gone; their datagram flows are not.
    ///
    /// To be called before the first message is handed in. Records that cannot be read are told and left out.
    pub fn restore(&mut self, now: Instant, records: Vec<(Vec<u8>, Vec<u8>)>) {
        let latest = now + self.config.registrar.maximum_expiry.max(LONGEST_KEPT);
        for (aor, record) in records {
            if is_message(&aor) {
                if !self.restore_message(now, &aor, &record) {
                    self.outbox.event(Event::UnreadableBinding { aor });
                }
                continue;
            }
            match decode(&record, now) {
                Some(mut bindings) => {
                    for binding in &mut bindings {
                        binding.expires = binding.expires.min(latest);
                    }
                    self.location.replace(&aor, bindings);
                }
                None => self.outbox.event(Event::UnreadableBinding { aor }),
            }
        }
        self.expire_bindings(now);
    }

    /// Takes out what has expired, or was lost and did not come back.
    pub(crate) fn expire_bindings(&mut self, now: Instant) {
        while let Some(Ended { aor, gone }) = self.location.expire(now) {
            for binding in gone {
                let why =
                    if binding.expires <= now { Unregistration::Expired } else { Unregistration::FlowClosed };
                self.outbox.event(Event::Unregistered {
                    aor: aor.clone(),
                    contact: binding.contact.clone(),
                    why,
                });
            }
            self.bindings_changed(now, &aor);
            let keeps = matches!(self.config.role, crate::config::Role::AllInOne) || self.writes_stand_ins();
            if !keeps {
                continue;
            }
            if self.registering.contains_key(&aor) {
                // Its REGISTER in progress writes the record itself, with what is left; if the store takes it.
                self.store_later(now, aor);
            } else {
                self.store_remainder(aor);
            }
        }
    }

    /// Has the store keep what is left of a record; where it refuses, it is asked again later.
    pub(crate) fn store_remainder(&mut self, aor: Vec<u8>) {
        let left = self.location.get(&aor);
        let record = (!left.is_empty()).then(|| encode(&left, |at| self.common.date(at)));
        let id = self.outbox.ask(Question::Store { aor: aor.clone(), record });
        self.waiting.insert(id, Waiting::Remainder { aor });
    }

    /// A record that the store refuses would stay there for ever: it is offered again, after the time that
    /// clients are told to wait.
    pub(crate) fn remainder_stored(&mut self, now: Instant, aor: Vec<u8>, result: Result<(), StoreError>) {
        if result.is_err() {
            self.outbox.event(Event::StoreFailed { aor: aor.clone() });
            self.store_later(now, aor);
        }
    }

    /// The record of `aor` may not say what is so.
    fn store_later(&mut self, now: Instant, aor: Vec<u8>) {
        self.unstored.insert(aor);
        let wait = Duration::from_secs(u64::from(self.config.limits.retry_after.max(1)));
        self.store_again = self.store_again.min(now + wait);
    }

    /// Offers the store again what it refused.
    pub(crate) fn store_remainders_again(&mut self, now: Instant) {
        if self.store_again > now {
            return;
        }
        self.store_again = Instant::NEVER;
        for aor in core::mem::take(&mut self.unstored) {
            if self.registering.contains_key(&aor) {
                // Its answer may be a refusal too: look again later.
                self.store_later(now, aor);
            } else {
                self.store_remainder(aor);
            }
        }
    }

    /// 503 with a time to come back.
    pub(crate) fn overloaded(&self, why: &'static str) -> Refusal {
        let mut value = Vec::new();
        write_decimal(&mut value, u64::from(self.config.limits.retry_after));
        Refusal::new(503, why).header(HeaderName::RetryAfter, value)
    }

    /// Whether a user authenticated on this connection, and is still registered over it: who has signed out, was
    /// removed or has another password by now proves anew who it is.
    pub(crate) fn flow_speaks_for(&self, flow: &Flow, aor: &[u8]) -> bool {
        self.common.0.connections.speaks(flow, aor)
            && self.location.get(aor).iter().any(|binding| {
                binding.flow.connection == flow.connection
                    && binding.flow.transport == flow.transport
                    && binding.expires > self.now
            })
    }
}
