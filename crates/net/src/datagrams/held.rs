//! Datagrams that wait for the end of a turn, to leave together.

use std::net::SocketAddr;

/// Octets that are kept for the next turn; a turn that had more gives the rest back.
const ROOM: usize = 64 * 1024;

/// Datagrams, their octets one behind the other.
#[derive(Default)]
pub(super) struct Held {
    octets: Vec<u8>,
    /// From which address of ours, to whom, and where its octets end.
    datagrams: Vec<(SocketAddr, SocketAddr, usize)>,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Datagram<'h> {
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) bytes: &'h [u8],
}

impl Held {
    pub(super) fn push(&mut self, local: SocketAddr, remote: SocketAddr, bytes: &[u8]) {
        self.octets.extend_from_slice(bytes);
        self.datagrams.push((local, remote, self.octets.len()));
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.datagrams.len()
    }

    pub(super) fn get(&self, place: usize) -> Option<Datagram<'_>> {
        let (local, remote, end) = *self.datagrams.get(place)?;
        let before = place.checked_sub(1).and_then(|before| self.datagrams.get(before));
        let bytes = self.octets.get(before.map_or(0, |before| before.2)..end)?;
        Some(Datagram { local, remote, bytes })
    }

    /// Those from `first` on that leave from the same address of ours, up to one that does not.
    pub(super) fn from(&self, first: usize) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        let local = self.get(first).map(|datagram| datagram.local);
        (first..self.len())
            .map_while(|place| self.get(place))
            .take_while(move |datagram| Some(datagram.local) == local)
            .map(|datagram| (datagram.remote, datagram.bytes))
    }

    pub(super) fn clear(&mut self) {
        self.octets.clear();
        self.octets.shrink_to(ROOM);
        self.datagrams.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_come_out_as_they_were_put_in() {
        let (one, other) = (SocketAddr::from(([127, 0, 0, 1], 1)), SocketAddr::from(([127, 0, 0, 1], 2)));
        let mut held = Held::default();
        for (remote, bytes) in [(one, b"first".as_slice()), (other, b""), (one, b"last")] {
            held.push(other, remote, bytes);
        }
        let all: Vec<_> = held.from(0).collect();
        assert_eq!(all, [(one, b"first".as_slice()), (other, b""), (one, b"last")]);
        assert_eq!(held.from(2).count(), 1);
        assert_eq!(held.from(3).count(), 0);
        held.clear();
        assert_eq!(held.get(0), None);
    }

    #[test]
    fn those_leave_together_that_leave_from_one_address() {
        let [peer, one, other] = [1, 2, 3].map(|last| SocketAddr::from(([127, 0, 0, last], 5060)));
        let mut held = Held::default();
        for local in [one, one, other, one] {
            held.push(local, peer, b"x");
        }
        assert_eq!([0, 1, 2, 3].map(|first| held.from(first).count()), [2, 1, 1, 1]);
    }
}
