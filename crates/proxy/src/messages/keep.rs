//! A message is kept: first stored, then accepted (RFC 3428 §7).

use core::time::Duration;

use sip::header::HeaderName;
use sip::{Instant, Message, Method};

use super::waiting::{Bounds, WaitingMessage};
use crate::authorization::Sender;
use crate::event::Event;
use crate::hang_up::NOBODY;
use crate::inbound::Job;
use crate::notifier::Package;
use crate::output::{Question, StoreError};
use crate::proxy::{Proxy, Waiting};
use crate::registrar::address_of_record::{host_text, key};
use crate::reply::Refusal;

/// How the names of messages in the store begin. No address-of-record does.
const PREFIX: &[u8] = b"\0message\0";

/// What stands between that and the address-of-record: the time, and what tells apart those of one time.
const ORDER: usize = 24;

/// The largest message that is kept, in octets. RFC 3428 §8 allows 1300 where the way is not known.
const LARGEST: usize = 16 * 1024;

/// How many messages of one sender wait, for whomever: one account fills nobody's store.
const PER_SENDER: usize = 20;

/// How many octets wait in all: they are kept in memory as well.
const OCTETS: usize = 64 * 1024 * 1024;

/// A message of an earlier run waits so long at most, or as long as messages are kept, if that is longer: they may have been
/// kept longer before.
const LONGEST_KEPT: Duration = Duration::from_secs(30 * 86_400);

/// Looked at once an hour: when messages are over.
const HOUR: u64 = 3600;

/// Whether a record of the store, by its name, is a message that waits for its user, and no binding.
#[must_use]
pub fn is_message(name: &[u8]) -> bool {
    name.starts_with(PREFIX)
}

/// How the branch of a kept request's Via begins. Whose allowance it counts against stands behind it.
const BRANCH: &[u8] = b"z9hG4bKkept.";

/// A message that is to be stored.
fn waiting(name: Vec<u8>, sender: Vec<u8>, request: &[u8], until: Instant) -> WaitingMessage {
    WaitingMessage { name, sender, request: request.into(), until, stored: false, tries: 0, refused: false }
}

impl Proxy {
    /// Whether that is a message which may be left for a user of ours.
    pub(crate) fn may_leave_message(&self, job: &Job) -> bool {
        let may = matches!(job.received.method(), Some(Method::Message))
            && !self.config.messages.keep.is_zero()
            && !job.is_in_dialog()
            && matches!(job.sender, Sender::Account(_) | Sender::Peer);
        may && job.request().target().is_ok_and(|uri| uri.parameter("gr").is_none())
    }

    /// Keeps a message for a user whose devices are not connected at present; refuses anything else.
    pub(crate) fn keep_or_refuse(&mut self, now: Instant, job: Job, aor: Vec<u8>) {
        if self.may_leave_message(&job) {
            self.keep_message(now, job, aor);
        } else {
            self.refuse(now, &job, &Refusal::new(480, "the user's phone is not connected at present"));
        }
    }

    /// Keeps a message for a user who is there, but signed in nowhere.
    pub(crate) fn keep_message(&mut self, now: Instant, job: Job, aor: Vec<u8>) {
        let settings = &self.config.messages;
        // RFC 3428 §4: the sender may say for how long it is worth anything.
        let wanted = job.received.number(HeaderName::Expires).ok().flatten();
        let wanted = wanted.map_or(settings.keep, |seconds| Duration::from_secs(seconds.into()));
        let until = now + settings.keep.min(wanted);
        let bounds =
            Bounds { each: settings.per_user, sender: PER_SENDER, all: settings.total, octets: OCTETS };
        let sender = self.left_by(&job.sender, &job.received);
        let Some(request) = self.to_keep(now, &job.received, &sender).filter(|it| it.len() <= LARGEST) else {
            return self.refuse(now, &job, &Refusal::new(413, "the message is too large to be kept"));
        };
        let order = format!("{:016x}{}", self.common.date(now).as_micros(), self.entropy.token(ORDER - 16));
        let name = [PREFIX, order.as_bytes(), &aor].concat();
        let record = [self.common.date(until).as_micros().to_be_bytes().as_slice(), &request].concat();
        let message = waiting(name.clone(), sender, &request, until);
        if until <= now || !self.common.0.messages.add(&aor, message, bounds) {
            let why = "the user is not signed in anywhere, and no more messages are kept";
            return self.refuse(now, &job, &Refusal::new(480, why));
        }
        let id = self.outbox.ask(Question::Store { aor: name.clone(), record: Some(record) });
        self.waiting.insert(id, Waiting::Message { job: Box::new(job), aor, name, until });
    }

    /// Whose allowance a message counts against: that of the account that proved itself, by whichever name of ours its From
    /// calls it. A peer is believed who has sent it, but what it brings is not taken from a user's own allowance.
    fn left_by(&self, sender: &Sender, received: &Message) -> Vec<u8> {
        let account = match sender {
            Sender::Account(aor) => Some(aor.as_slice()),
            _ => None,
        };
        let said = || {
            let uri = received.from().ok().and_then(|from| from.uri().ok())?;
            Some(key(uri.user().unwrap_or_default(), &host_text(uri.host())))
        };
        let kind: &[u8] = if account.is_some() { b"account" } else { b"peer" };
        let name = account.map_or_else(|| said().unwrap_or_default(), <[u8]>::to_vec);
        self.key.text(b"left by", &[kind, &name], 16)
    }

    /// The same of a message that was kept before.
    fn was_left_by(&self, kept: &Message) -> Vec<u8> {
        let via = kept.top_via().ok();
        let noted = via.and_then(|via| via.branch()?.strip_prefix(BRANCH).map(<[u8]>::to_vec));
        // An earlier version noted nothing.
        let user = || self.user_in_from(kept).map_or(Sender::Peer, Sender::Account);
        noted.unwrap_or_else(|| self.left_by(&user(), kept))
    }

    /// The request as it is kept: without its way here and its credentials, with the time of its sending (RFC 3428 §4).
    fn to_keep(&self, now: Instant, received: &Message, sender: &[u8]) -> Option<Vec<u8>> {
        let mut edit = received.edit();
        for name in [
            HeaderName::Route,
            HeaderName::RecordRoute,
            HeaderName::Authorization,
            HeaderName::ProxyAuthorization,
            HeaderName::PAssertedIdentity,
            HeaderName::Expires,
        ] {
            edit.remove(name);
        }
        let via = [b"SIP/2.0/TCP ", NOBODY.as_bytes(), b";branch=", BRANCH, sender].concat();
        edit.replace(HeaderName::Via, &via);
        edit.replace(HeaderName::MaxForwards, b"70");
        if received.header(HeaderName::Date).is_none() {
            edit.append(HeaderName::Date, &self.replies.date(self.common.date(now)));
        }
        edit.ensure_content_length();
        edit.finish().ok()
    }

    /// The store has answered: 202, or nothing is kept.
    pub(crate) fn message_stored(
        &mut self,
        now: Instant,
        job: &Job,
        kept: (Vec<u8>, Vec<u8>, Instant),
        result: Result<(), StoreError>,
    ) {
        let (aor, name, until) = kept;
        if result.is_err() {
            self.common.0.messages.forget(&aor, &name);
            self.outbox.event(Event::StoreFailed { aor });
            let refusal = Refusal { status: 500, ..self.overloaded("the message could not be stored") };
            return self.refuse(now, job, &refusal);
        }
        self.common.0.messages.stored(&aor, &name);
        self.respond(now, job, 202, &[]);
        self.review_messages(until, &aor);
        self.tell_watchers(now, &aor, Package::MessageSummary);
        // He may have come while the store was at work.
        self.deliver_next(now, &aor);
    }

    fn review_messages(&mut self, until: Instant, aor: &[u8]) {
        self.notifier.review_at(at_the_hour(until), aor);
    }

    /// A message of an earlier run of the process; false if it cannot be read.
    ///
    /// One that would wait longer than messages do was written, or is read, by a clock that is wrong.
    pub(crate) fn restore_message(&mut self, now: Instant, name: &[u8], record: &[u8]) -> bool {
        let latest = now + self.config.messages.keep.max(LONGEST_KEPT);
        let parts = || {
            let aor = name.strip_prefix(PREFIX)?.get(ORDER..)?;
            let (until, request) = record.split_first_chunk::<8>()?;
            let until = Instant::from_micros(u64::from_be_bytes(*until)).min(latest);
            let sender = self.was_left_by(&Message::parse(request).ok()?);
            let message = waiting(name.to_vec(), sender, request, until);
            Some((aor.to_vec(), until, WaitingMessage { stored: true, ..message }))
        };
        let Some((aor, until, message)) = parts() else { return false };
        self.common.0.messages.add(&aor, message, Bounds::NONE);
        self.review_messages(until, &aor);
        true
    }

    /// Messages whose time is over are forgotten. Returns when to look again, if some are left.
    pub(crate) fn expire_messages(&mut self, now: Instant, aor: &[u8]) -> Option<Instant> {
        if self.common.0.messages.is_empty() {
            return None;
        }
        let (over, next) = self.common.0.messages.expire(now, aor);
        let some = !over.is_empty();
        over.into_iter().for_each(|name| self.forget_message(name));
        if some {
            self.tell_watchers(now, aor, Package::MessageSummary);
        }
        next.map(at_the_hour)
    }

    /// Nothing is left of its record. Where the store refuses to forget it, it is asked again, as it is for bindings.
    pub(super) fn forget_message(&mut self, name: Vec<u8>) {
        self.store_remainder(name);
    }
}

/// The next look at messages that end then.
fn at_the_hour(until: Instant) -> Instant {
    Instant::from_secs((until.as_secs() / HOUR + 1) * HOUR)
}
