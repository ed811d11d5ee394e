//! When to look again at what is known of a user: a publication or a kept message that ends, a watch that nobody has any more.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use sip::Instant;

/// When to look again at what is known of users: of each once, at the earliest time that was asked for. Who looks is told
/// when to do so again.
#[derive(Debug, Default)]
pub(super) struct Reviews {
    by_time: BTreeSet<(Instant, Arc<[u8]>)>,
    by_user: HashMap<Arc<[u8]>, Instant>,
}

impl Reviews {
    pub(super) fn note(&mut self, at: Instant, aor: &[u8]) {
        let user = match self.by_user.get_key_value(aor) {
            Some((_, noted)) if *noted <= at => return,
            Some((user, noted)) => {
                let user = Arc::clone(user);
                self.by_time.remove(&(*noted, Arc::clone(&user)));
                user
            }
            None => aor.into(),
        };
        self.by_time.insert((at, Arc::clone(&user)));
        self.by_user.insert(user, at);
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// A user who is to be looked at now.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Arc<[u8]>> {
        self.next().filter(|at| *at <= now)?;
        let (_, user) = self.by_time.pop_first()?;
        self.by_user.remove(&user);
        Some(user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_noted_once_however_often_he_publishes_and_takes_back() {
        let mut reviews = Reviews::default();
        for second in (1000..2000).rev().chain(1000..2000) {
            reviews.note(Instant::from_secs(second), b"alice@example.com");
        }
        reviews.note(Instant::from_secs(1500), b"bob@example.com");
        assert_eq!((reviews.by_time.len(), reviews.by_user.len()), (2, 2));
        assert_eq!(reviews.pop(Instant::from_secs(999)), None);
        let due = Instant::from_secs(1500);
        assert_eq!(reviews.pop(due).as_deref(), Some(b"alice@example.com".as_slice()));
        assert_eq!(reviews.pop(due).as_deref(), Some(b"bob@example.com".as_slice()));
        assert_eq!(reviews.pop(Instant::NEVER), None);
        assert!(reviews.by_user.is_empty());
    }
}
