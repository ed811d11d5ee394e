//! What one account may spend: how many calls to elsewhere it begins in a minute.
//!
//! A stolen password is worth money: whoever has it calls numbers that pay him. So calls that leave for other servers are
//! counted for each account, whatever address they come from; those to users of ours cost nothing and are not.

use core::time::Duration;

use sip::{Instant, Method};

use crate::authorization::{Reach, Sender};
use crate::common::Pieces;
use crate::config::Role;
use crate::inbound::Job;
use crate::proxy::Proxy;
use crate::reply::Refusal;

const MINUTE: Duration = Duration::from_secs(60);
/// How many accounts are remembered before room is made: those that have their whole minute again are as new ones.
const PLACES: usize = 65_536;

/// How many calls each account has begun of late.
#[derive(Debug, Default)]
pub(crate) struct Spending(Pieces<Vec<u8>, Spent>);

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
        if !self.0.read(aor).contains_key(aor) && self.0.len() >= PLACES {
            self.0.retain(|_, spent| spent.left(now) > 0);
        }
        let mut piece = self.0.write(aor);
        let left = piece.get(aor).map_or(0, |spent| spent.left(now));
        if left.saturating_add(price) > minute {
            return false;
        }
        piece.insert(aor.to_vec(), Spent { micros: left.saturating_add(price), since: now });
        true
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
}
