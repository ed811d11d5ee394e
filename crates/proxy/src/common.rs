//! What the proxies of one server have in common, where it runs several event loops with one each.
//!
//! A call stays with one loop: its transactions, timers and order of messages are nobody else's. What every loop must
//! see is here: where users are, which connections are open and for whom they speak, and whatever is bounded or
//! remembered for the server as a whole. Everything is in pieces with a lock each, which is held for one look-up.

use core::hash::{Hash, Hasher};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use sip::{Entropy, Instant};

use crate::authentication::Replays;
use crate::connections::Connections;
use crate::failures::Failures;
use crate::messages::WaitingMessages;
use crate::next_hop::Avoided;
use crate::notifier::{Publications, Watched};
use crate::ownership::Ownership;
use crate::registrar::location::Records;
use crate::scanners::Scanners;
use crate::sources::Sources;
use crate::spending::Spending;
use crate::trunks::Health;

/// What the proxies of one server have in common. Clones are handles to the same.
#[derive(Clone)]
pub struct Common(pub(crate) Arc<Parts>);

pub(crate) struct Parts {
    /// Names this run of the process in flow tokens.
    pub(crate) boot: [u8; 8],
    pub(crate) ownership: Ownership,
    pub(crate) connections: Connections,
    pub(crate) records: Records,
    pub(crate) sources: Sources,
    pub(crate) failures: Failures,
    pub(crate) scanners: Scanners,
    pub(crate) spending: Spending,
    pub(crate) avoided: Avoided,
    pub(crate) health: Health,
    pub(crate) replays: Replays,
    pub(crate) addresses: Addresses,
    pub(crate) watched: Watched,
    pub(crate) messages: WaitingMessages,
    pub(crate) publications: Publications,
    /// How much later it is by the calendar than by the proxies' clock, in microseconds.
    calendar: AtomicI64,
}

impl Common {
    /// For a server of so many event loops, one at least.
    #[must_use]
    pub fn new(loops: usize, entropy: &mut dyn Entropy) -> Self {
        let mut boot = [0; 8];
        entropy.fill(&mut boot);
        Self(Arc::new(Parts {
            boot,
            ownership: Ownership::new(loops),
            connections: Connections::default(),
            records: Records::default(),
            sources: Sources::default(),
            failures: Failures::default(),
            scanners: Scanners::default(),
            spending: Spending::default(),
            avoided: Avoided::default(),
            health: Health::default(),
            replays: Replays::default(),
            addresses: Addresses::default(),
            watched: Watched::default(),
            messages: WaitingMessages::default(),
            publications: Publications::default(),
            calendar: AtomicI64::new(0),
        }))
    }

    /// The machine's clock was set, or the machine slept, and it is so many microseconds later by the calendar than by the clock
    /// that the proxies are handed; below zero: earlier. That clock runs on, for so do transactions, calls and registrations;
    /// what is told to others as a date, and what is stored, is of the calendar.
    pub fn set_calendar(&self, microseconds: i64) {
        self.0.calendar.store(microseconds, Ordering::Relaxed);
    }

    /// When that is by the calendar.
    #[must_use]
    pub fn date(&self, at: Instant) -> Instant {
        match self.0.calendar.load(Ordering::Relaxed) {
            0 => at,
            _ if at == Instant::NEVER => at,
            later => Instant::from_micros(at.as_micros().saturating_add_signed(later)),
        }
    }

    /// How many event loops there are.
    #[must_use]
    pub fn loops(&self) -> usize {
        self.0.ownership.loops()
    }

    /// The event loop that a message belongs to, counted from 0: the messages of one call, and those by which one user
    /// registers, all belong to the same. What cannot be read belongs to the first one.
    #[must_use]
    pub fn owner_of_message(&self, message: &[u8]) -> usize {
        self.0.ownership.of_message(message)
    }

    /// The event loop that keeps the bindings of an address-of-record, as [`Question::Store`](crate::Question::Store)
    /// names it.
    #[must_use]
    pub fn owner_of_record(&self, aor: &[u8]) -> usize {
        self.0.ownership.of_record(aor)
    }
}

impl core::fmt::Debug for Common {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Common").field("loops", &self.loops()).finish_non_exhaustive()
    }
}

/// A map in pieces with a lock each, so that those who look up do not wait for each other.
pub(crate) struct Pieces<K, V> {
    pieces: [RwLock<HashMap<K, V>>; PIECES],
}

const PIECES: usize = 64;

impl<K, V> Default for Pieces<K, V> {
    fn default() -> Self {
        Self { pieces: core::array::from_fn(|_| RwLock::default()) }
    }
}

impl<K: Hash + Eq, V> Pieces<K, V> {
    fn piece<Q: Hash + ?Sized>(&self, key: &Q) -> &RwLock<HashMap<K, V>> {
        let mut hasher = Spread::default();
        key.hash(&mut hasher);
        // Of a product the highest bits depend on all others.
        let place = usize::try_from((hasher.finish() >> 56) % PIECES as u64).unwrap_or(0);
        // There are as many pieces as places; the first stands for one that cannot be.
        let [first, ..] = &self.pieces;
        self.pieces.get(place).unwrap_or(first)
    }

    /// The piece of `key`, to look into. A panic of another loop leaves no piece half changed that would matter more
    /// than the server going on.
    pub(crate) fn read<Q: Hash + ?Sized>(&self, key: &Q) -> RwLockReadGuard<'_, HashMap<K, V>> {
        self.piece(key).read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The piece of `key`, to change it.
    pub(crate) fn write<Q: Hash + ?Sized>(&self, key: &Q) -> RwLockWriteGuard<'_, HashMap<K, V>> {
        self.piece(key).write().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.pieces.iter().map(|piece| piece.read().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    /// Leaves only the entries that `stays` is true for.
    pub(crate) fn retain(&self, mut stays: impl FnMut(&K, &mut V) -> bool) {
        for piece in &self.pieces {
            piece.write().unwrap_or_else(PoisonError::into_inner).retain(&mut stays);
        }
    }

    /// Whether there is no entry.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K, V> core::fmt::Debug for Pieces<K, V> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Pieces")
    }
}

/// Spreads keys, quickly. It chooses the piece of a key: peers choose keys, so somebody may see to it that many stand in one
/// piece; they are found there by a hash that nobody can foresee. Alone it serves only for numbers of our own.
#[derive(Default)]
pub(crate) struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.write_u8(*byte);
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// So many are learned at the most: a machine may take whole networks for its own.
const MOST_ADDRESSES: usize = 256;

/// Addresses of the machine that connections and datagrams came in on, where a socket is bound to all of them.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    count: AtomicUsize,
    list: RwLock<Vec<IpAddr>>,
}

impl Addresses {
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        // Most servers learn none.
        self.count.load(Ordering::Relaxed) != 0
            && self.list.read().unwrap_or_else(PoisonError::into_inner).contains(&address)
    }

    pub(crate) fn learn(&self, address: IpAddr) {
        if self.contains(address) {
            return;
        }
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        if !list.contains(&address) && list.len() < MOST_ADDRESSES {
            list.push(address);
            self.count.store(list.len(), Ordering::Relaxed);
        }
    }
}
