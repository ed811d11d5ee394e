//! The post between the event loops of one server.
//!
//! A message belongs to the loop that `proxy::Common` says, a connection to the loop that has it. Whoever gets what
//! belongs to another puts it into that one's box; whatever concerns all goes into every box.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use net::{LoadedTls, Mailbox, Network};
use proxy::{Common, News};
use sip::{Flow, Hop};
use tokio::sync::Notify;

use crate::configuration::Origins;
use crate::ice_servers::IceServers;
use crate::stir::Stir;
use crate::tokens::Tokens;

/// The most letters that wait for one loop. Messages beyond are lost, as datagrams are lost where nobody can follow.
const MOST: usize = 65_536;

/// What one event loop leaves for another.
#[derive(Clone)]
pub(crate) enum Letter {
    /// A message of a call, or of a user, of yours.
    Arrived { flow: Flow, bytes: Box<[u8]> },
    /// To be sent over a connection of yours.
    Send { hop: Hop, bytes: Box<[u8]> },
    /// A connection is closed.
    Closed(Flow),
    /// Nothing gets there.
    Unreachable(Hop),
    /// The proxies have something to tell each other.
    News(News),
    /// The configuration and the certificates were read again.
    Reconfiguration(Arc<Reconfiguration>),
    /// The certificates were read again.
    Certificates(LoadedTls),
    /// The server stops.
    Stop,
}

/// What of a configuration can change while the server runs.
#[derive(Debug)]
pub(crate) struct Reconfiguration {
    pub(crate) proxy: proxy::Config,
    pub(crate) origins: Origins,
    pub(crate) tokens: Option<Arc<Tokens>>,
    pub(crate) ice: Option<Arc<IceServers>>,
    pub(crate) stir: Arc<Stir>,
    pub(crate) tls: LoadedTls,
}

/// What the loops of one server share of it.
pub(crate) struct Office {
    boxes: Vec<Mailbox<Letter>>,
    /// Whether each has nothing in progress, while the server stops.
    quiet: Vec<AtomicBool>,
    /// How many have ended.
    ended: AtomicUsize,
    one_ended: Notify,
}

/// One event loop, and its way to the others.
#[derive(Clone)]
pub(crate) struct Post {
    place: usize,
    common: Common,
    office: Arc<Office>,
}

impl Post {
    /// For each of the loops.
    pub(crate) fn all(common: &Common) -> Vec<Self> {
        let loops = common.loops();
        let office = Arc::new(Office {
            boxes: (0..loops).map(|_| Mailbox::default()).collect(),
            quiet: (0..loops).map(|_| AtomicBool::new(false)).collect(),
            ended: AtomicUsize::new(0),
            one_ended: Notify::new(),
        });
        (0..loops).map(|place| Self { place, common: common.clone(), office: Arc::clone(&office) }).collect()
    }

    /// Which loop this is, counted from 0.
    pub(crate) const fn place(&self) -> usize {
        self.place
    }

    pub(crate) const fn common(&self) -> &Common {
        &self.common
    }

    /// How many loops there are.
    pub(crate) fn loops(&self) -> usize {
        self.office.boxes.len()
    }

    /// The loop that a message belongs to, if it is another one.
    pub(crate) fn owner_elsewhere(&self, message: &[u8]) -> Option<usize> {
        if self.loops() == 1 {
            return None;
        }
        Some(self.common.owner_of_message(message)).filter(|owner| *owner != self.place)
    }

    /// The loop that has the connection to `hop`, if it is another one.
    pub(crate) fn connection_elsewhere(&self, network: &Network, hop: &Hop) -> Option<usize> {
        if self.loops() == 1 { None } else { network.elsewhere(hop) }
    }

    /// Hands a message over; false if its loop has too much to do already.
    pub(crate) fn hand_over(&self, to: usize, letter: Letter) -> bool {
        self.office.boxes.get(to).is_some_and(|mailbox| mailbox.offer(letter, MOST))
    }

    /// Tells all others.
    pub(crate) fn tell(&self, letter: &Letter) {
        for (place, mailbox) in self.office.boxes.iter().enumerate() {
            if place != self.place {
                mailbox.put(letter.clone());
            }
        }
    }

    /// Waits for letters.
    pub(crate) async fn take(&self, letters: &mut Vec<Letter>) {
        match self.office.boxes.get(self.place) {
            Some(mailbox) => mailbox.take(letters).await,
            None => std::future::pending().await,
        }
    }

    /// Says whether this loop has nothing in progress; whether all have nothing.
    pub(crate) fn all_quiet(&self, quiet: bool) -> bool {
        if let Some(own) = self.office.quiet.get(self.place) {
            own.store(quiet, Ordering::Relaxed);
        }
        quiet && self.office.quiet.iter().all(|quiet| quiet.load(Ordering::Relaxed))
    }

    /// This loop ends.
    pub(crate) fn end(&self) {
        self.office.ended.fetch_add(1, Ordering::Release);
        self.office.one_ended.notify_one();
    }

    /// Waits until all others have ended.
    pub(crate) async fn others_end(&self) {
        while self.office.ended.load(Ordering::Acquire) + 1 < self.loops() {
            self.office.one_ended.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip::SeededEntropy;

    fn posts(loops: usize) -> Vec<Post> {
        Post::all(&Common::new(loops, &mut SeededEntropy::new(1)))
    }

    #[test]
    fn one_loop_alone_hands_nothing_over() {
        let posts = posts(1);
        assert_eq!(posts[0].owner_elsewhere(b"OPTIONS sip:x SIP/2.0\r\nCall-ID: a\r\n\r\n"), None);
    }

    #[test]
    fn a_message_has_one_owner_whoever_gets_it() {
        let posts = posts(3);
        for number in 0..30 {
            let message = format!("OPTIONS sip:x SIP/2.0\r\nCall-ID: {number}\r\n\r\n");
            let elsewhere: Vec<_> =
                posts.iter().map(|post| post.owner_elsewhere(message.as_bytes())).collect();
            assert_eq!(elsewhere.iter().filter(|owner| owner.is_none()).count(), 1, "{elsewhere:?}");
        }
    }

    #[test]
    fn the_server_is_quiet_when_every_loop_is() {
        let posts = posts(2);
        assert!(!posts[0].all_quiet(true));
        assert!(posts[1].all_quiet(true));
        assert!(posts[0].all_quiet(true));
        assert!(!posts[1].all_quiet(false));
        assert!(!posts[0].all_quiet(true));
    }
}
