//! What the networks of one server have in common, where it runs several event loops: how many connections there are,
//! and which loop has those that peers have opened.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use sip::ConnectionId;

use crate::config::Limits;
use crate::shared::Target;

/// The bits of a connection's number that count it; those above are the number of its event loop.
const COUNTING: u32 = 56;

/// The most event loops that the numbers of connections can tell apart.
pub const MOST_LOOPS: usize = 128;

/// What the networks of one server have in common.
#[derive(Debug, Default)]
pub(crate) struct Joint {
    admitted: Mutex<Admitted>,
    /// The loops of the connections that peers have opened, where another loop may want to send over them.
    accepted: RwLock<HashMap<Target, usize>>,
}

/// The connections that peers have opened.
#[derive(Debug, Default)]
struct Admitted {
    total: usize,
    sources: HashMap<IpAddr, usize>,
}

/// Whether one more connection may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Granted,
    /// There are too many; from that source, or in all.
    Refused {
        from_one_source: bool,
    },
}

impl Joint {
    /// Admits one more connection from `remote`, or says that there are too many.
    pub(crate) fn admit(&self, remote: SocketAddr, limits: &Limits) -> Admission {
        // A source that is refused leaves no entry: there are more of them than we want to remember.
        let mut admitted = self.admitted();
        let count = admitted.sources.get(&source(remote)).copied().unwrap_or(0);
        let from_one_source = count >= limits.connections_per_source;
        if from_one_source || admitted.total >= limits.connections {
            return Admission::Refused { from_one_source };
        }
        admitted.sources.insert(source(remote), count.saturating_add(1));
        admitted.total = admitted.total.saturating_add(1);
        Admission::Granted
    }

    /// Admits a connection whose client is not named yet; `None` if there are too many. It counts until the value is gone.
    pub(crate) fn admit_unnamed(self: &Arc<Self>, limits: &Limits) -> Option<Unnamed> {
        let mut admitted = self.admitted();
        if admitted.total >= limits.connections {
            return None;
        }
        admitted.total += 1;
        Some(Unnamed(Arc::clone(self)))
    }

    /// A connection of an admitted peer is gone.
    pub(crate) fn dismiss(&self, remote: SocketAddr) {
        let mut admitted = self.admitted();
        admitted.total = admitted.total.saturating_sub(1);
        if let Some(count) = admitted.sources.get_mut(&source(remote)) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                admitted.sources.remove(&source(remote));
            }
        }
    }

    fn admitted(&self) -> MutexGuard<'_, Admitted> {
        self.admitted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A peer has opened a connection to the loop at `place`.
    pub(crate) fn accepted(&self, target: &Target, place: usize) {
        let mut accepted = self.accepted.write().unwrap_or_else(PoisonError::into_inner);
        accepted.entry(target.clone()).or_insert(place);
    }

    /// A connection of the loop at `place` is closed.
    pub(crate) fn closed(&self, target: &Target, place: usize) {
        let mut accepted = self.accepted.write().unwrap_or_else(PoisonError::into_inner);
        if accepted.get(target) == Some(&place) {
            accepted.remove(target);
        }
    }

    /// The loop that has a connection which the peer opened.
    pub(crate) fn place_of(&self, target: &Target) -> Option<usize> {
        self.accepted.read().unwrap_or_else(PoisonError::into_inner).get(target).copied()
    }
}

/// A connection whose client is not named yet. It counts for the server, and for no source.
pub(crate) struct Unnamed(Arc<Joint>);

impl Drop for Unnamed {
    fn drop(&mut self) {
        let mut admitted = self.0.admitted();
        admitted.total = admitted.total.saturating_sub(1);
    }
}

/// The number of the connection that is the `count`th of the loop at `place`.
pub(crate) fn connection_id(place: usize, count: u64) -> ConnectionId {
    ConnectionId((place as u64) << COUNTING | (count & ((1 << COUNTING) - 1)))
}

/// The event loop that has this connection, or had it.
pub(crate) fn place_of_connection(id: ConnectionId) -> usize {
    usize::try_from(id.0 >> COUNTING).unwrap_or(usize::MAX)
}

/// Whom a connection counts against: an IPv4 address, or the /64 that an IPv6 subscriber has to himself.
fn source(remote: SocketAddr) -> IpAddr {
    match remote.ip() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_are_refused_are_not_remembered() {
        let limits = Limits { connections: 1, ..Limits::default() };
        let joint = Joint::default();
        let from = |last: u8| SocketAddr::from(([192, 0, 2, last], 40_000));
        assert_eq!(joint.admit(from(0), &limits), Admission::Granted);
        for last in 1..=255 {
            assert_eq!(joint.admit(from(last), &limits), Admission::Refused { from_one_source: false });
        }
        assert_eq!(joint.admitted().sources.len(), 1);
        joint.dismiss(from(0));
        assert!(joint.admitted().sources.is_empty());
        assert_eq!(joint.admit(from(1), &limits), Admission::Granted);
    }

    #[test]
    fn a_connection_says_whose_it_is() {
        for place in [0, 1, MOST_LOOPS - 1] {
            assert_eq!(place_of_connection(connection_id(place, 77)), place);
        }
        assert_eq!(connection_id(0, 77), ConnectionId(77));
    }
}
