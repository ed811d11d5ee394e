//! What one account may spend: how many calls to elsewhere it begins in a minute.
//!
//! A stolen password is worth money: whoever has it calls numbers that pay him. So calls that leave for other servers are
//! counted for each account, whatever address they come from; those to users of ours cost nothing and are not.
//!
//! A contact is no device of its user if it names another host than the one that its REGISTER came from: it may as well be a
//! costly number. A call that goes there is one of the account that registered it, whoever calls, and whenever it gets
//! there: at once, after others have not answered, because it registered meanwhile, or by a 3xx.

use core::time::Duration;
use std::sync::atomic::{AtomicU64, Ordering};

use sip::uri::Uri;
use sip::{Instant, Method};

use crate::authorization::{Reach, Sender};
use crate::common::Pieces;
use crate::config::Role;
use crate::inbound::Job;
use crate::proxy::Proxy;
use crate::reply::Refusal;
use crate::response_context::ContextId;

const MINUTE: Duration = Duration::from_secs(60);
/// How many accounts are remembered before room is made: those that have their whole minute again are as new ones.
const PLACES: usize = 65_536;
/// How often room is made, at the most.
const SWEEP: Duration = Duration::from_secs(5);

/// How many calls each account has begun of late.
#[derive(Debug, Default)]
pub(crate) struct Spending {
    places: Pieces<Vec<u8>, Spent>,
    /// When room was made last, in microseconds.
    swept: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
struct Spent {
    /// What has been spent and not come back yet, in microseconds: each call costs its share of a minute.
    micros: u64,
    since: Instant,
}

impl Spending {
    /// Begins a call of an account, or of whoever else has this name here, that may begin so many in a minute; whether it may.
    pub(crate) fn begin(&self, now: Instant, aor: &[u8], calls: u32) -> bool {
        let minute = u64::try_from(MINUTE.as_micros()).unwrap_or(u64::MAX);
        let price = minute / u64::from(calls.max(1));
        if let Some(spent) = self.places.write(aor).get_mut(aor) {
            let micros = spent.left(now).saturating_add(price);
            if micros > minute {
                return false;
            }
            *spent = Spent { micros, since: now };
            return true;
        }
        // Full of fresh ones: who is not remembered is not counted.
        if self.has_room(now) {
            self.places.write(aor).insert(aor.to_vec(), Spent { micros: price, since: now });
        }
        true
    }

    fn has_room(&self, now: Instant) -> bool {
        if self.places.len() < PLACES {
            return true;
        }
        let swept = self.swept.load(Ordering::Relaxed);
        if now.saturating_since(Instant::from_micros(swept)) < SWEEP {
            return false;
        }
        self.swept.store(now.as_micros(), Ordering::Relaxed);
        self.places.retain(|_, spent| spent.left(now) > 0);
        self.places.len() < PLACES
    }
}

impl Spent {
    fn left(&self, now: Instant) -> u64 {
        let passed = u64::try_from(now.saturating_since(self.since).as_micros()).unwrap_or(u64::MAX);
        self.micros.saturating_sub(passed)
    }
}

impl Proxy {
    /// The refusal of a call to elsewhere, if its account has begun too many.
    pub(crate) fn spent(&self, now: Instant, job: &Job, reach: Reach) -> Option<Refusal> {
        let calls = self.config.limits.calls_elsewhere;
        let Sender::Account(aor) = &job.sender else { return None };
        // What belongs to a dialog has another reach, and a tag in To alone makes none.
        let is_call = matches!(job.received.method(), Some(Method::Invite));
        // An edge leaves it to its upstream, to which everything goes.
        let is_edge = matches!(self.config.role, Role::Edge { .. });
        if is_edge || calls == 0 || reach != Reach::World || !is_call || job.key.is_none() {
            return None;
        }
        (!self.common.0.spending.begin(now, aor, calls)).then(|| {
            Refusal::new(403, "the account begins too many calls to elsewhere; try again in a minute")
        })
    }

    /// Whether a branch may go to its target: if that is a contact elsewhere, its account may have begun too many calls.
    pub(crate) fn may_go_elsewhere(&self, now: Instant, id: ContextId, branch: usize) -> bool {
        let calls = self.config.limits.calls_elsewhere;
        let Some(context) = self.contexts.get(id.0) else { return true };
        let Some(place) = context.branches.get(branch) else { return true };
        // As above, a tag in To alone proves nothing.
        if !place.target.is_elsewhere || calls == 0 || !context.is_invite || !context.to_own_user {
            return true;
        }
        let uri = place.target.uri.as_deref().unwrap_or_else(|| context.request.request_uri());
        let Ok(uri) = Uri::parse(uri) else { return true };
        if self.own.domain_of(&uri).is_some() {
            return true;
        }
        let owner = self.location.find_contact(now, &uri);
        owner.is_none_or(|owner| self.common.0.spending.begin(now, &owner.aor, calls))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_so_many_calls_and_they_come_back_one_by_one() {
        let spending = Spending::default();
        let at = |seconds| Instant::from_secs(1000 + seconds);
        let begun = |seconds: u64, tries: usize| {
            (0..tries).filter(|_| spending.begin(at(seconds), b"alice@example.com", 6)).count()
        };
        assert_eq!(begun(0, 10), 6);
        assert_eq!(begun(9, 10), 0);
        assert_eq!(begun(10, 10), 1);
        assert_eq!(begun(60, 10), 5);
        assert_eq!(begun(300, 10), 6);
        assert!(spending.begin(at(300), b"bob@example.com", 6), "another account is another matter");
    }

    #[test]
    fn many_names_take_bounded_room_and_it_comes_back() {
        let spending = Spending::default();
        let at = |seconds: u64| Instant::from_secs(1000 + seconds);
        for name in 0..PLACES + 100 {
            assert!(spending.begin(at(0), format!("guests at {name}").as_bytes(), 6));
        }
        assert_eq!(spending.places.len(), PLACES);
        assert!(spending.begin(at(60), b"alice@example.com", 6));
        assert_eq!(spending.places.len(), 1);
    }
}
