//! Many datagrams with one system call: `recvmmsg` and `sendmmsg`.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV6};
use std::os::fd::RawFd;

use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};

/// The most datagrams of one call.
pub(crate) const BATCH: usize = 32;

/// As many are asked for when few come.
const FEW: usize = 4;

/// The largest datagram that UDP carries.
const DATAGRAM: usize = 65_535;

/// Room for the datagrams of one call, used again with each. The system gives memory only to what was written once.
pub(crate) struct Inlet {
    /// Of sockets for IPv4, and of those for IPv6: the system writes into them how long an address was, and of a longer one
    /// it would tell no more the next time.
    four: MultiHeaders<SockaddrStorage>,
    six: MultiHeaders<SockaddrStorage>,
    buffers: Vec<Vec<u8>>,
    /// How many the next call asks for: room that stays empty costs, too.
    expected: usize,
}

/// What one call has taken.
pub(crate) struct Received {
    pub(crate) datagrams: usize,
    /// There were no more, at that moment.
    pub(crate) was_all: bool,
}

impl Inlet {
    pub(crate) fn new() -> Self {
        Self {
            four: MultiHeaders::preallocate(BATCH, None),
            six: MultiHeaders::preallocate(BATCH, None),
            buffers: (0..BATCH).map(|_| vec![0; DATAGRAM]).collect(),
            expected: FEW,
        }
    }

    /// Takes datagrams that have come to the socket at `local`, [`BATCH`] at most.
    ///
    /// # Errors
    /// `WouldBlock` if there was none; else often one that an earlier datagram came back with.
    pub(crate) fn receive(
        &mut self,
        socket: RawFd,
        local: SocketAddr,
        mut take: impl FnMut(SocketAddr, &[u8]),
    ) -> io::Result<Received> {
        let asked = self.expected;
        let headers = if local.is_ipv4() { &mut self.four } else { &mut self.six };
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            self.buffers.iter_mut().take(asked).map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let messages = recvmmsg(socket, headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None)?;
        let mut datagrams: usize = 0;
        for message in messages {
            datagrams = datagrams.saturating_add(1);
            if let Some((remote, bytes)) = message.address.and_then(address).zip(message.iovs().next()) {
                take(remote, bytes);
            }
        }
        self.expected = datagrams.saturating_mul(2).clamp(FEW, BATCH);
        Ok(Received { datagrams, was_all: datagrams < asked })
    }
}

/// What the system reads about datagrams that leave together.
pub(crate) struct Outlet {
    /// Never used for reading: it keeps the addresses of others.
    headers: MultiHeaders<SockaddrStorage>,
    remotes: Vec<Option<SockaddrStorage>>,
}

impl Outlet {
    pub(crate) fn new() -> Self {
        Self { headers: MultiHeaders::preallocate(BATCH, None), remotes: Vec::with_capacity(BATCH) }
    }

    /// Sends the first of these, up to [`BATCH`], and returns how many left.
    ///
    /// # Errors
    /// That of the first one, `WouldBlock` if the socket is full. What is wrong with a later one is told when that is the
    /// first.
    pub(crate) fn send<'d>(
        &mut self,
        socket: RawFd,
        datagrams: impl Iterator<Item = (SocketAddr, &'d [u8])>,
    ) -> io::Result<usize> {
        let Self { headers, remotes } = self;
        remotes.clear();
        let slices: Vec<[IoSlice<'_>; 1]> = datagrams
            .take(BATCH)
            .map(|(remote, bytes)| {
                remotes.push(Some(remote.into()));
                [IoSlice::new(bytes)]
            })
            .collect();
        Ok(sendmmsg(socket, headers, &slices, &*remotes, [], MsgFlags::MSG_DONTWAIT)?.count())
    }
}

/// An address as the system tells it. A link-local one is told with its link, without which nothing gets there (RFC 4007 §6).
pub(crate) fn address(address: SockaddrStorage) -> Option<SocketAddr> {
    let four = address.as_sockaddr_in().map(|four| SocketAddr::from((four.ip(), four.port())));
    four.or_else(|| {
        let six = address.as_sockaddr_in6()?;
        Some(SocketAddrV6::new(six.ip(), six.port(), six.flowinfo(), six.scope_id()).into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_at_a_link_local_address_is_known_with_its_link() {
        let peer = SocketAddr::from(SocketAddrV6::new("fe80::7".parse().unwrap(), 5060, 0, 3));
        assert_eq!(address(peer.into()), Some(peer));
    }
}
