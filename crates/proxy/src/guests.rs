//! Guests: accounts whose password stands in a public page, so that its visitors can call. They may call whom the
//! configuration names, and nothing else.
//!
//! A guest is nobody's phone: it is not registered, so that no visitor gets another's calls. What its password is good for
//! is bounded for each visitor's address.

use sip::header::HeaderName;
use sip::{Instant, Method};

use crate::authorization::{Reach, Sender};
use crate::config::Guests;
use crate::inbound::Job;
use crate::proxy::Proxy;
use crate::registrar::address_of_record::is_user;
use crate::reply::Refusal;
use crate::sources::subscriber;

impl Guests {
    /// Whether this user is one.
    pub(crate) fn has(&self, aor: &[u8]) -> bool {
        let user = aor.iter().rposition(|octet| *octet == b'@').and_then(|at| aor.get(..at));
        user.is_some_and(|user| self.users.iter().any(|guest| guest.as_bytes() == user))
    }
}

impl Proxy {
    /// The refusal of what a guest may not do; `None` for what is no guest's, or may be done. What belongs to a dialog that
    /// went through us, as its Routes show, was let through when that began; a To tag alone shows nothing.
    pub(crate) fn guest_refusal(&self, now: Instant, job: &Job, reach: Reach) -> Option<Refusal> {
        let guests = &self.config.guests;
        let Sender::Account(aor) = &job.sender else { return None };
        if guests.users.is_empty() || !guests.has(aor) || reach == Reach::Dialog {
            return None;
        }
        let why = match job.received.method() {
            // What belongs to a call that was let through.
            Some(Method::Ack | Method::Cancel) => return None,
            Some(Method::Register) => "guests call, and are not called",
            Some(Method::Invite) if !self.is_for_guests(job) => "guests may not call there",
            Some(Method::Invite) if self.begins_too_many(now, job) => {
                "there are too many calls of guests from this address; try again in a minute"
            }
            Some(Method::Invite) => return None,
            _ => "guests may call, and nothing else",
        };
        Some(Refusal::new(403, why))
    }

    /// Whether a call goes straight to one of those whom guests may call: by no Route, and to no device of its own choice.
    fn is_for_guests(&self, job: &Job) -> bool {
        let request = job.request();
        if job.onward.destination.is_some() || request.first_value(HeaderName::Route).is_some() {
            return false;
        }
        let Ok(uri) = request.target() else { return false };
        let (Some(user), Some(_)) = (uri.user(), self.own.domain_of(&uri)) else { return false };
        self.config.guests.may_call.iter().any(|name| is_user(user, name.as_bytes()))
    }

    fn begins_too_many(&self, now: Instant, job: &Job) -> bool {
        let calls = self.config.guests.calls_per_minute;
        if calls == 0 || job.key.is_none() {
            return false;
        }
        let visitor = format!("guests at {}", subscriber(job.flow.remote.ip()));
        !self.common.0.spending.begin(now, visitor.as_bytes(), calls)
    }
}
