//! What users have published of themselves (RFC 3903), whichever event loop took it.

use std::sync::atomic::{AtomicUsize, Ordering};

use sip::Instant;

use crate::common::Pieces;

/// How many publications one user may have: one for each device.
const EACH: usize = 20;

/// The publications of all users.
#[derive(Debug, Default)]
pub(crate) struct Publications {
    count: AtomicUsize,
    users: Pieces<Vec<u8>, Published>,
}

/// Those of one user, the newest last.
#[derive(Debug, Default)]
struct Published {
    list: Vec<Publication>,
    /// When an event loop looks at them again.
    review: Option<Instant>,
}

#[derive(Debug)]
struct Publication {
    tag: Vec<u8>,
    document: Vec<u8>,
    until: Instant,
}

/// Why nothing was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unpublished {
    /// The tag names nothing that there is (§6, item 3).
    NoSuchTag,
    /// There are as many as there may be.
    Full,
}

/// What a PUBLISH wants.
pub(super) struct Wanted<'a> {
    /// The tag of what it changes.
    pub(super) replaces: Option<&'a [u8]>,
    /// The tag that it has from now on.
    pub(super) tag: &'a [u8],
    /// What it says; empty: what it said before.
    pub(super) document: &'a [u8],
    pub(super) until: Instant,
}

impl Publications {
    /// What a user says of himself at present.
    pub(super) fn latest(&self, now: Instant, aor: &[u8]) -> Option<Vec<u8>> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let users = self.users.read(aor);
        let mut list = users.get(aor)?.list.iter().rev();
        list.find(|publication| publication.until > now).map(|publication| publication.document.clone())
    }

    /// Publishes, changes, refreshes, or takes back what ends `now`; when to [review](Self::review) it, unless that is
    /// noted already.
    pub(super) fn publish(
        &self,
        now: Instant,
        aor: &[u8],
        wanted: &Wanted<'_>,
        most: usize,
    ) -> Result<Option<Instant>, Unpublished> {
        let mut users = self.users.write(aor);
        let published = users.entry(aor.to_vec()).or_default();
        let outcome = self.change(now, published, wanted, most);
        let noted = outcome.map(|()| {
            let sooner = published.review.is_none_or(|review| wanted.until < review);
            (sooner && wanted.until > now).then(|| *published.review.insert(wanted.until))
        });
        if published.list.is_empty() {
            users.remove(aor);
        }
        noted
    }

    fn change(
        &self,
        now: Instant,
        published: &mut Published,
        wanted: &Wanted<'_>,
        most: usize,
    ) -> Result<(), Unpublished> {
        let before = match wanted.replaces {
            Some(tag) => {
                let is_it = |it: &Publication| it.tag == tag && it.until > now;
                let place = published.list.iter().position(is_it).ok_or(Unpublished::NoSuchTag)?;
                self.count.fetch_sub(1, Ordering::Relaxed);
                Some(published.list.remove(place))
            }
            None => None,
        };
        if wanted.until <= now {
            return Ok(());
        }
        // What stays in its place was let in before, however many may be there by now.
        let is_full = published.list.len() >= EACH || self.count.load(Ordering::Relaxed) >= most;
        if before.is_none() && is_full {
            return Err(Unpublished::Full);
        }
        let document = match before {
            Some(before) if wanted.document.is_empty() => before.document,
            _ => wanted.document.to_vec(),
        };
        self.count.fetch_add(1, Ordering::Relaxed);
        published.list.push(Publication { tag: wanted.tag.to_vec(), document, until: wanted.until });
        Ok(())
    }

    /// Takes out what is over: whether something was, and when to look again.
    pub(super) fn review(&self, now: Instant, aor: &[u8]) -> (bool, Option<Instant>) {
        let mut users = self.users.write(aor);
        let Some(published) = users.get_mut(aor) else { return (false, None) };
        let before = published.list.len();
        published.list.retain(|publication| publication.until > now);
        let ended = before - published.list.len();
        self.count.fetch_sub(ended, Ordering::Relaxed);
        published.review = published.list.iter().map(|publication| publication.until).min();
        let next = published.review;
        if next.is_none() {
            users.remove(aor);
        }
        (ended > 0, next)
    }
}
