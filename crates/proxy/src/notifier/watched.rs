//! What is known of the users whom somebody watches, whichever event loop learned it.

use core::time::Duration;
use std::sync::atomic::{AtomicUsize, Ordering};

use sip::Instant;

use crate::common::Pieces;

/// How many calls of one user are told of.
const CALLS: usize = 32;

/// How long a user is followed whom nobody watches any more: a page that is loaded anew asks again.
pub(super) const LINGER: Duration = Duration::from_secs(3600);

/// Where more users than that are followed, those whom nobody watches are forgotten at once.
const FOLLOWED: usize = 65_536;

/// The watched users, and how many subscriptions there are.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// How many users are followed, to be asked before anything else.
    count: AtomicUsize,
    users: Pieces<Vec<u8>, Followed>,
    subscriptions: AtomicUsize,
    /// How many subscriptions each user has.
    by_subscriber: Pieces<Vec<u8>, usize>,
}

/// What is known of one user.
#[derive(Debug, Default)]
struct Followed {
    watchers: usize,
    /// Until when it is followed without any watcher.
    lingers: Option<Instant>,
    /// An event loop has noted when to look whether it lingers still.
    noted: bool,
    calls: Vec<Call>,
}

/// A call of a watched user, as the proxy saw it pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// Its Call-ID and the tag of who began it, as a mark.
    pub(super) id: [u8; crate::keyed_hash::MARK],
    /// Whether the user began it.
    pub(super) initiator: bool,
    pub(super) state: CallState,
    /// When it counts as over, if nothing more is heard of it.
    pub(super) until: Instant,
}

/// How far a call is (RFC 4235 §3.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CallState {
    Trying,
    Early,
    Confirmed,
}

impl Watched {
    /// Whether nobody is followed. This is all that is looked at for most servers' calls.
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// Whether a user is followed.
    pub(crate) fn follows(&self, aor: &[u8]) -> bool {
        !self.is_empty() && self.users.read(aor).contains_key(aor)
    }

    /// How many subscriptions there are.
    pub(crate) fn subscriptions(&self) -> usize {
        self.subscriptions.load(Ordering::Relaxed)
    }

    /// How many of them a user has.
    pub(super) fn subscriptions_of(&self, subscriber: &[u8]) -> usize {
        self.by_subscriber.read(subscriber).get(subscriber).copied().unwrap_or(0)
    }

    /// A subscription begins, or a look.
    pub(super) fn count_in(&self, subscriber: &[u8]) {
        self.subscriptions.fetch_add(1, Ordering::Relaxed);
        *self.by_subscriber.write(subscriber).entry(subscriber.to_vec()).or_default() += 1;
    }

    /// It has ended.
    pub(super) fn count_out(&self, subscriber: &[u8]) {
        self.subscriptions.fetch_sub(1, Ordering::Relaxed);
        let mut subscribers = self.by_subscriber.write(subscriber);
        if let Some(count) = subscribers.get_mut(subscriber) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                subscribers.remove(subscriber);
            }
        }
    }

    /// Somebody watches a user from now on.
    pub(super) fn watch(&self, aor: &[u8]) {
        let mut users = self.users.write(aor);
        let followed = users.entry(aor.to_vec()).or_insert_with(|| {
            self.count.fetch_add(1, Ordering::Relaxed);
            Followed::default()
        });
        followed.watchers += 1;
        followed.lingers = None;
    }

    /// Somebody watches a user no more. If he was the last, the user is followed for a while: when to
    /// [review](Self::review) that, unless somebody does.
    pub(super) fn leave(&self, now: Instant, aor: &[u8]) -> Option<Instant> {
        let mut users = self.users.write(aor);
        let followed = users.get_mut(aor)?;
        followed.watchers = followed.watchers.saturating_sub(1);
        if followed.watchers > 0 {
            return None;
        }
        if self.count.load(Ordering::Relaxed) > FOLLOWED {
            users.remove(aor);
            self.count.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        followed.lingers = Some(now + LINGER);
        followed.lingers.filter(|_| !std::mem::replace(&mut followed.noted, true))
    }

    /// Forgets a user whom nobody has watched for long; when to look again, if it is to be.
    pub(super) fn review(&self, now: Instant, aor: &[u8]) -> Option<Instant> {
        let mut users = self.users.write(aor);
        let followed = users.get_mut(aor)?;
        match followed.lingers {
            None => followed.noted = false,
            Some(until) if until > now => return Some(until),
            Some(_) => {
                users.remove(aor);
                self.count.fetch_sub(1, Ordering::Relaxed);
            }
        }
        None
    }

    /// The calls of a user.
    pub(super) fn calls(&self, now: Instant, aor: &[u8]) -> Vec<Call> {
        let users = self.users.read(aor);
        let calls = users.get(aor).map(|followed| followed.calls.as_slice()).unwrap_or_default();
        calls.iter().filter(|call| call.until > now).cloned().collect()
    }

    /// A call of a followed user begins; whether there is room for it.
    pub(super) fn begin_call(&self, aor: &[u8], call: Call) -> bool {
        let mut users = self.users.write(aor);
        let Some(followed) = users.get_mut(aor) else { return false };
        followed.calls.retain(|known| known.id != call.id);
        let has_room = followed.calls.len() < CALLS;
        if has_room {
            followed.calls.push(call);
        }
        has_room
    }

    /// A call moves on, or goes on for longer; whether that is news for watchers.
    pub(super) fn move_call(&self, aor: &[u8], call: &Call) -> bool {
        let mut users = self.users.write(aor);
        let calls = users.get_mut(aor).map(|followed| followed.calls.as_mut_slice()).unwrap_or_default();
        let Some(known) = calls.iter_mut().find(|known| known.id == call.id) else { return false };
        let changed = known.state != call.state;
        *known = call.clone();
        changed
    }

    /// A call is over; whether it was known.
    pub(super) fn end_call(&self, aor: &[u8], id: &[u8; crate::keyed_hash::MARK]) -> bool {
        let mut users = self.users.write(aor);
        let Some(followed) = users.get_mut(aor) else { return false };
        let before = followed.calls.len();
        followed.calls.retain(|call| call.id != *id);
        followed.calls.len() < before
    }

    /// All calls of a user are over; whether there were any.
    pub(super) fn end_calls(&self, aor: &[u8]) -> bool {
        let mut users = self.users.write(aor);
        users.get_mut(aor).is_some_and(|followed| !std::mem::take(&mut followed.calls).is_empty())
    }
}
