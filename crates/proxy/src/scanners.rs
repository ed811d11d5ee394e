//! Who looks for users and passwords is not heard for a while.
//!
//! What counts, for each subscriber's address ([`subscriber`]):
//!
//! - a *try*: a wrong password, whoever it was for; a stranger's request to a user who is not there, known or not;
//! - a challenge that nobody answered. Phones answer theirs at once, so these count a few seconds later, and many are
//!   needed: a whole office may come back in one moment.
//!
//! A right password makes an address *proven*: ten times as many tries are taken from it, for many people may share
//! it, and one of them mistypes. Tries are forgotten with time, so a phone with an old password is never banned for
//! trying once in a while. Nothing here says which user exists: known and unknown names count alike.
//!
//! Who has proved who they are, a configured peer and the dialogs that go through us are heard from a banned address,
//! too: only requests of strangers are not answered any more, neither with yes nor with no.

use core::time::Duration;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use sip::Instant;

use crate::common::Pieces;
use crate::config::Strangers;
use crate::sources::subscriber;

/// One try is forgotten in this time.
const FORGOTTEN: Duration = Duration::from_secs(30);
/// How long a challenge may be unanswered before it counts.
const ANSWER: Duration = Duration::from_secs(5);
/// How many unanswered challenges make up for one try.
const CHALLENGES: u32 = 5;
/// How many times as much is taken from an address that somebody has proved himself from.
const PROVEN: u32 = 10;
/// How long an address stays proven.
const PROVEN_FOR: Duration = Duration::from_secs(3600);
/// How often room is made, at the most, when there are too many.
const SWEEP: Duration = Duration::from_secs(5);
/// How many addresses are remembered.
const PLACES: usize = 65_536;

/// The memory of tries, and who is banned, for all event loops: who is unheard by one is unheard by all.
#[derive(Debug, Default)]
pub(crate) struct Scanners {
    sources: Pieces<IpAddr, Source>,
    /// How many sources are remembered.
    count: AtomicUsize,
    /// When room was made last, in microseconds.
    swept: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
struct Source {
    /// Tries, in fifths: unanswered challenges are one each.
    points: u32,
    /// Up to when the points have been forgotten.
    forgotten: Instant,
    /// Challenges since `challenged` that may still be answered.
    pending: u32,
    challenged: Instant,
    proven: Instant,
    banned: Instant,
    /// How many requests may come at once, in thousandths, and since when that is so.
    tokens: u64,
    filled: Instant,
}

impl Source {
    const fn new(now: Instant, burst: u64) -> Self {
        Self {
            points: 0,
            forgotten: now,
            pending: 0,
            challenged: now,
            proven: Instant::ZERO,
            banned: Instant::ZERO,
            tokens: burst,
            filled: now,
        }
    }

    /// Lets time pass: tries are forgotten, challenges become unanswered ones.
    fn pass(&mut self, now: Instant) {
        if now.saturating_since(self.challenged) >= ANSWER {
            self.points = self.points.saturating_add(core::mem::take(&mut self.pending));
        }
        let spans = now.saturating_since(self.forgotten).as_secs() / FORGOTTEN.as_secs();
        if spans > 0 {
            let points = u32::try_from(spans).unwrap_or(u32::MAX).saturating_mul(CHALLENGES);
            self.points = self.points.saturating_sub(points);
            self.forgotten = now;
        }
    }

    /// Whether nothing about it is worth remembering.
    fn is_over(&self, now: Instant) -> bool {
        !self.is_suspect(now) && self.proven <= now
    }

    /// Whether anything speaks against it.
    fn is_suspect(&self, now: Instant) -> bool {
        self.points > 0 || self.pending > 0 || self.banned > now
    }
}

impl Scanners {
    /// A try. Says whether the address is banned from now on.
    pub(crate) fn tried(&self, limits: &Strangers, now: Instant, address: IpAddr) -> bool {
        self.add(limits, now, address, CHALLENGES, |_| {})
    }

    /// A challenge went out. Says whether the address is banned from now on. The machine's own programs are not
    /// counted: they collect challenges to no end but a measurement's.
    pub(crate) fn challenged(&self, limits: &Strangers, now: Instant, address: IpAddr) -> bool {
        if address.is_loopback() {
            return false;
        }
        self.add(limits, now, address, 0, |source| {
            if source.pending == 0 {
                source.challenged = now;
            }
            source.pending = source.pending.saturating_add(1);
        })
    }

    /// The credentials that answered a challenge were wrong: that counts by itself.
    pub(crate) fn answered(&self, address: IpAddr) {
        self.with_known(address, |source| source.pending = source.pending.saturating_sub(1));
    }

    /// Somebody has proved who he is.
    pub(crate) fn proved(&self, limits: &Strangers, now: Instant, address: IpAddr) {
        self.with(limits, now, address, |source| {
            source.proven = now + PROVEN_FOR;
            // His challenge, and those of before that he has not seen.
            source.pending = source.pending.saturating_sub(1);
            source.points = source.points.saturating_sub(1);
        });
    }

    /// A stranger's request found somebody: such a source is of use.
    pub(crate) fn found(&self, address: IpAddr) {
        self.with_known(address, |source| source.points = source.points.saturating_sub(CHALLENGES));
    }

    /// Whether strangers at this address are heard at all at present.
    pub(crate) fn is_banned(&self, now: Instant, address: IpAddr) -> bool {
        let key = subscriber(address);
        self.count.load(Ordering::Relaxed) != 0
            && self.sources.read(&key).get(&key).is_some_and(|source| source.banned > now)
    }

    /// Whether a stranger's request may come now: as many in a second as configured, ten times as many at once.
    /// The machine's own programs are not counted.
    pub(crate) fn may_ask(&self, limits: &Strangers, now: Instant, address: IpAddr) -> bool {
        let rate = u64::from(limits.requests_per_second);
        if rate == 0 || address.is_loopback() {
            return true;
        }
        let burst = rate * 10_000;
        let taken = self.with(limits, now, address, |source| {
            let passed = u64::try_from(now.saturating_since(source.filled).as_millis()).unwrap_or(u64::MAX);
            source.tokens = source.tokens.saturating_add(passed.saturating_mul(rate)).min(burst);
            // What is less than a millisecond counts the next time.
            source.filled += Duration::from_millis(passed);
            let left = source.tokens.checked_sub(1000);
            source.tokens = left.unwrap_or(source.tokens);
            left.is_some()
        });
        taken.unwrap_or(true)
    }

    /// Forgets everybody: all are heard again.
    pub(crate) fn forget_all(&self) {
        self.leave(|_| false);
    }

    /// Counts `points` against an address, then does `then`.
    fn add(
        &self,
        limits: &Strangers,
        now: Instant,
        address: IpAddr,
        points: u32,
        then: impl FnOnce(&mut Source),
    ) -> bool {
        if limits.tries == 0 {
            return false;
        }
        let banned = self.with(limits, now, address, |source| {
            source.pass(now);
            source.points = source.points.saturating_add(points);
            let times = if source.proven > now { PROVEN } else { 1 };
            let limit = limits.tries.saturating_mul(CHALLENGES).saturating_mul(times);
            let is_new = source.points >= limit && source.banned <= now;
            if is_new {
                source.banned = now + limits.ban;
                source.points = 0;
            }
            then(source);
            is_new
        });
        banned.unwrap_or(false)
    }

    /// Changes what is remembered of an address, if anything is.
    fn with_known(&self, address: IpAddr, change: impl FnOnce(&mut Source)) {
        let key = subscriber(address);
        if self.count.load(Ordering::Relaxed) != 0
            && let Some(source) = self.sources.write(&key).get_mut(&key)
        {
            change(source);
        }
    }

    /// Changes what is remembered of an address; `None` if there are too many: who is not remembered is heard as ever.
    fn with<T>(
        &self,
        limits: &Strangers,
        now: Instant,
        address: IpAddr,
        change: impl FnOnce(&mut Source) -> T,
    ) -> Option<T> {
        let key = subscriber(address);
        self.make_room(now);
        let mut sources = self.sources.write(&key);
        if let Some(source) = sources.get_mut(&key) {
            return Some(change(source));
        }
        if self.count.load(Ordering::Relaxed) >= PLACES {
            return None;
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        let burst = u64::from(limits.requests_per_second) * 10_000;
        Some(change(sources.entry(key).or_insert_with(|| Source::new(now, burst))))
    }

    /// Forgets those of whom nothing is worth remembering, where there are too many.
    fn make_room(&self, now: Instant) {
        if self.count.load(Ordering::Relaxed) < PLACES {
            return;
        }
        let swept = self.swept.load(Ordering::Relaxed);
        if now.saturating_since(Instant::from_micros(swept)) < SWEEP {
            return;
        }
        // One loop does it.
        let (relaxed, own) = (Ordering::Relaxed, now.as_micros());
        if self.swept.compare_exchange(swept, own, relaxed, relaxed).is_err() {
            return;
        }
        self.leave(|source| {
            source.pass(now);
            !source.is_over(now)
        });
        // As many may have proved themselves from as many addresses: they do so again, and who tries passwords meanwhile
        // is to be counted.
        if self.count.load(Ordering::Relaxed) >= PLACES {
            self.leave(|source| source.is_suspect(now));
        }
    }

    /// Leaves only those that `stays` is true for. The others may come and go meanwhile.
    fn leave(&self, mut stays: impl FnMut(&mut Source) -> bool) {
        let mut gone = 0;
        self.sources.retain(|_, source| {
            let stays = stays(source);
            gone += usize::from(!stays);
            stays
        });
        self.count.fetch_sub(gone, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_secs(1_000_000 + seconds)
    }

    /// Under the usual limits.
    #[derive(Default)]
    struct Usual {
        scanners: Scanners,
        limits: Strangers,
    }

    impl Usual {
        fn tried(&self, now: Instant, address: IpAddr) -> bool {
            self.scanners.tried(&self.limits, now, address)
        }

        fn challenged(&self, now: Instant, address: IpAddr) -> bool {
            self.scanners.challenged(&self.limits, now, address)
        }

        fn proved(&self, now: Instant, address: IpAddr) {
            self.scanners.proved(&self.limits, now, address);
        }

        fn may_ask(&self, now: Instant, address: IpAddr) -> bool {
            self.scanners.may_ask(&self.limits, now, address)
        }

        fn is_banned(&self, now: Instant, address: IpAddr) -> bool {
            self.scanners.is_banned(now, address)
        }
    }

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 8));

    #[test]
    fn who_asks_steadily_and_less_than_he_may_is_always_heard() {
        let limits = Strangers { requests_per_second: 550, ..Strangers::default() };
        let usual = Usual { limits, ..Usual::default() };
        let mut now = at(0);
        // 526 in a second; of whole milliseconds there would be room for every second one.
        for request in 0..20_000 {
            now += Duration::from_micros(1_900);
            assert!(usual.may_ask(now, HERE), "request {request}");
        }
    }

    #[test]
    fn twenty_tries_are_enough_and_the_ban_ends() {
        let scanners = Usual::default();
        let banned: Vec<bool> = (0..20).map(|_| scanners.tried(at(0), HERE)).collect();
        assert_eq!(banned.iter().position(|banned| *banned), Some(19));
        assert!(scanners.is_banned(at(599), HERE));
        assert!(!scanners.is_banned(at(600), HERE));
        assert!(!scanners.is_banned(at(0), THERE), "others are heard");
    }

    #[test]
    fn a_phone_with_an_old_password_is_not_banned() {
        let scanners = Usual::default();
        assert!((0..2000).all(|minute| !scanners.tried(at(minute * 60), HERE)));
    }

    #[test]
    fn an_office_that_comes_back_at_once_is_not_banned() {
        let scanners = Usual::default();
        for _ in 0..1000 {
            assert!(!scanners.challenged(at(0), HERE));
        }
        for _ in 0..1000 {
            scanners.proved(at(1), HERE);
        }
        assert!(!scanners.challenged(at(60), HERE));
    }

    #[test]
    fn who_only_collects_challenges_is_banned() {
        let scanners = Usual::default();
        let banned = (0..300).any(|number| scanners.challenged(at(number / 10), HERE));
        assert!(banned);
    }

    #[test]
    fn many_people_at_one_address_may_mistype() {
        let scanners = Usual::default();
        scanners.proved(at(0), HERE);
        assert!((0..199).all(|_| !scanners.tried(at(1), HERE)));
        assert!(scanners.tried(at(1), HERE));
    }

    #[test]
    fn requests_are_taken_at_a_rate() {
        let scanners = Usual::default();
        let taken = |now| (0..100_000).filter(|_| scanners.may_ask(now, HERE)).count();
        assert_eq!(taken(at(0)), 5000);
        assert_eq!(taken(at(2)), 1000);
        assert!(scanners.may_ask(at(2), THERE));
    }

    #[test]
    fn the_memory_is_bounded() {
        let scanners = Usual::default();
        for number in 0..70_000u32 {
            scanners.tried(at(0), IpAddr::from((0x0a00_0000 + number).to_be_bytes()));
        }
        assert_eq!(scanners.scanners.sources.len(), PLACES);
        scanners.tried(at(10_000), HERE);
        assert_eq!(scanners.scanners.sources.len(), 1, "what is over makes room");
    }

    #[test]
    fn a_scanner_is_banned_however_many_phones_have_proved_themselves() {
        let scanners = Usual::default();
        for number in 0..70_000u32 {
            scanners.proved(at(0), IpAddr::from((0x0a00_0000 + number).to_be_bytes()));
        }
        assert!((0..20).any(|_| scanners.tried(at(10), HERE)));
    }

    #[test]
    fn it_can_be_switched_off() {
        let limits = Strangers { tries: 0, requests_per_second: 0, ..Strangers::default() };
        let scanners = Usual { limits, ..Usual::default() };
        assert!((0..1000).all(|_| !scanners.tried(at(0), HERE) && !scanners.challenged(at(9), HERE)));
        assert!((0..10_000).all(|_| scanners.may_ask(at(0), HERE)));
    }
}
