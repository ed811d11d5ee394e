//! The messages that wait, for all event loops.

use core::time::Duration;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sip::Instant;

use crate::common::Pieces;

/// How often a message is offered to a user's devices that refuse it.
const TRIES: u32 = 10;

/// How long one delivery keeps others back: longer than any transaction (RFC 3261 §17.1.2.2: 32 s).
pub(super) const DELIVERY: Duration = Duration::from_secs(40);

/// The messages that wait for their users.
#[derive(Debug, Default)]
pub(crate) struct WaitingMessages {
    count: AtomicUsize,
    octets: AtomicUsize,
    users: Pieces<Vec<u8>, Inbox>,
    /// How many each sender has left.
    by_sender: Pieces<Vec<u8>, usize>,
}

/// How many messages may wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// For one user.
    pub(super) each: usize,
    /// From one sender, for whomever.
    pub(super) sender: usize,
    /// In all.
    pub(super) all: usize,
    /// All together, in octets.
    pub(super) octets: usize,
}

impl Bounds {
    /// None: for what was accepted before.
    pub(super) const NONE: Self =
        Self { each: usize::MAX, sender: usize::MAX, all: usize::MAX, octets: usize::MAX };
}

/// Those of one user, in the order in which they came.
#[derive(Debug, Default)]
struct Inbox {
    messages: Vec<WaitingMessage>,
    /// Until when a delivery is under way, on some event loop.
    busy: Option<Instant>,
}

/// One message.
#[derive(Clone, Debug)]
pub(super) struct WaitingMessage {
    /// Its name in the store. Names of later messages are greater.
    pub(super) name: Vec<u8>,
    /// Who has left it, as a fingerprint.
    pub(super) sender: Vec<u8>,
    /// The request, without what belonged to its way here.
    pub(super) request: Arc<[u8]>,
    pub(super) until: Instant,
    /// Whether the store has it.
    pub(super) stored: bool,
    pub(super) tries: u32,
    /// Whether the devices that are there have refused it.
    pub(super) refused: bool,
}

impl WaitingMessages {
    /// Whether no message waits for anybody.
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// How many wait for a user.
    pub(crate) fn count(&self, now: Instant, aor: &[u8]) -> usize {
        if self.is_empty() {
            return 0;
        }
        let users = self.users.read(aor);
        let messages = users.get(aor).map(|inbox| inbox.messages.as_slice()).unwrap_or_default();
        messages.iter().filter(|message| message.stored && message.until > now).count()
    }

    /// Takes a message in; false if there is no room for it.
    pub(super) fn add(&self, aor: &[u8], message: WaitingMessage, bounds: Bounds) -> bool {
        let mut users = self.users.write(aor);
        let waiting = users.get(aor).map_or(0, |inbox| inbox.messages.len());
        let octets = self.octets.load(Ordering::Relaxed).saturating_add(message.request.len());
        if waiting >= bounds.each
            || self.count.load(Ordering::Relaxed) >= bounds.all
            || octets > bounds.octets
        {
            return false;
        }
        let mut senders = self.by_sender.write(&message.sender);
        let left = senders.get(&message.sender).copied().unwrap_or(0);
        if left >= bounds.sender {
            return false;
        }
        senders.insert(message.sender.clone(), left + 1);
        drop(senders);
        self.count.fetch_add(1, Ordering::Relaxed);
        self.octets.fetch_add(message.request.len(), Ordering::Relaxed);
        let inbox = users.entry(aor.to_vec()).or_default();
        let place = inbox.messages.partition_point(|other| other.name < message.name);
        inbox.messages.insert(place, message);
        true
    }

    /// The store has it.
    pub(super) fn stored(&self, aor: &[u8], name: &[u8]) {
        let mut users = self.users.write(aor);
        let messages = users.get_mut(aor).map(|inbox| inbox.messages.as_mut_slice()).unwrap_or_default();
        if let Some(message) = messages.iter_mut().find(|message| message.name == name) {
            message.stored = true;
        }
    }

    /// A device has come that may take what others refused.
    pub(super) fn offer_again(&self, aor: &[u8]) {
        let mut users = self.users.write(aor);
        let messages = users.get_mut(aor).map(|inbox| inbox.messages.as_mut_slice()).unwrap_or_default();
        messages.iter_mut().for_each(|message| message.refused = false);
    }

    /// The oldest message that was not refused, to be delivered by the caller alone until [`finish`](Self::finish) or
    /// [`put_off`](Self::put_off). None while somebody else delivers.
    pub(super) fn claim(&self, now: Instant, aor: &[u8]) -> Option<WaitingMessage> {
        let mut users = self.users.write(aor);
        let inbox = users.get_mut(aor).filter(|inbox| inbox.busy.is_none_or(|until| until <= now))?;
        let is_next = |it: &&WaitingMessage| it.stored && it.until > now && !it.refused;
        let next = inbox.messages.iter().find(is_next)?.clone();
        inbox.busy = Some(now + DELIVERY);
        Some(next)
    }

    /// A message could not be stored: it does not wait. What is being delivered goes on.
    pub(super) fn forget(&self, aor: &[u8], name: &[u8]) {
        self.retain(&mut self.users.write(aor), aor, |message| message.name != name);
    }

    /// A message was delivered.
    pub(super) fn finish(&self, aor: &[u8], name: &[u8]) {
        let mut users = self.users.write(aor);
        let Some(inbox) = users.get_mut(aor) else { return };
        inbox.busy = None;
        self.retain(&mut users, aor, |message| message.name != name);
    }

    /// A delivery failed: it is tried again another time. Whether that was the last one: of messages that are `refused`
    /// there is one.
    pub(super) fn put_off(&self, aor: &[u8], name: &[u8], refused: bool) -> bool {
        let mut users = self.users.write(aor);
        let Some(inbox) = users.get_mut(aor) else { return false };
        inbox.busy = None;
        let Some(message) = inbox.messages.iter_mut().find(|message| message.name == name) else {
            return false;
        };
        message.tries += u32::from(refused);
        message.refused = refused;
        let given_up = message.tries >= TRIES;
        if given_up {
            self.retain(&mut users, aor, |message| message.name != name);
        }
        given_up
    }

    /// The names of those whose time is over: they wait no longer. And when the next one's is.
    pub(super) fn expire(&self, now: Instant, aor: &[u8]) -> (Vec<Vec<u8>>, Option<Instant>) {
        let mut users = self.users.write(aor);
        let Some(inbox) = users.get(aor) else { return (Vec::new(), None) };
        let next = inbox.messages.iter().map(|message| message.until).filter(|until| *until > now).min();
        let over = inbox.messages.iter().filter(|message| message.stored && message.until <= now);
        let names = over.map(|message| message.name.clone()).collect();
        self.retain(&mut users, aor, |message| !message.stored || message.until > now);
        (names, next)
    }

    fn retain(
        &self,
        users: &mut HashMap<Vec<u8>, Inbox>,
        aor: &[u8],
        stays: impl Fn(&WaitingMessage) -> bool,
    ) {
        let Some(inbox) = users.get_mut(aor) else { return };
        for gone in inbox.messages.extract_if(.., |message| !stays(message)) {
            self.count.fetch_sub(1, Ordering::Relaxed);
            self.octets.fetch_sub(gone.request.len(), Ordering::Relaxed);
            let mut senders = self.by_sender.write(&gone.sender);
            match senders.get_mut(&gone.sender) {
                Some(left) if *left > 1 => *left -= 1,
                _ => drop(senders.remove(&gone.sender)),
            }
        }
        if inbox.messages.is_empty() {
            users.remove(aor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(name: &str, sender: &str, octets: usize) -> WaitingMessage {
        WaitingMessage {
            name: name.as_bytes().to_vec(),
            sender: sender.as_bytes().to_vec(),
            request: vec![b'x'; octets].into(),
            until: Instant::NEVER,
            stored: true,
            tries: 0,
            refused: false,
        }
    }

    #[test]
    fn what_waits_is_bounded_in_octets_and_what_is_gone_makes_room() {
        let waiting = WaitingMessages::default();
        let bounds = Bounds { octets: 1000, ..Bounds::NONE };
        let add = |name, octets| waiting.add(name, message("1", "alice@x", octets), bounds);
        assert!(add(b"bob@x", 600));
        assert!(!add(b"carol@x", 500));
        assert!(add(b"carol@x", 400));
        waiting.finish(b"bob@x", b"1");
        assert!(add(b"dave@x", 600));
        for user in [b"carol@x".as_slice(), b"dave@x"] {
            waiting.finish(user, b"1");
        }
        assert!(waiting.is_empty());
        assert_eq!(waiting.octets.load(Ordering::Relaxed), 0);
        assert_eq!(waiting.by_sender.len(), 0, "nothing is remembered of senders");
    }

    #[test]
    fn a_message_that_cannot_be_stored_leaves_another_one_to_who_delivers_it() {
        let waiting = WaitingMessages::default();
        let now = Instant::from_secs(1_000);
        assert!(waiting.add(b"bob@x", message("1", "alice@x", 10), Bounds::NONE));
        assert!(waiting.claim(now, b"bob@x").is_some());
        assert!(waiting.add(b"bob@x", message("2", "alice@x", 10), Bounds::NONE));
        waiting.forget(b"bob@x", b"2");
        assert!(waiting.claim(now, b"bob@x").is_none(), "it is on its way");
    }
}
