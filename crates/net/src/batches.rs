//! Many datagrams with one system call: `recvmmsg` and `sendmmsg`.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::RawFd;

use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrStorage, recvmmsg,
    sendmmsg, sendmsg, setsockopt, sockopt,
};
use nix::{cmsg_space, libc};

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

    /// Takes datagrams that have come to the socket at `local`, [`BATCH`] at most: the address of ours to which each came,
    /// its sender and its octets.
    ///
    /// # Errors
    /// `WouldBlock` if there was none; else often one that an earlier datagram came back with.
    pub(crate) fn receive(
        &mut self,
        socket: RawFd,
        local: SocketAddr,
        mut take: impl FnMut(SocketAddr, SocketAddr, &[u8]),
    ) -> io::Result<Received> {
        let asked = self.expected;
        let is_everywhere = local.ip().is_unspecified();
        let mut anew;
        let headers = if is_everywhere {
            // Of what it tells besides the address, the system writes into them how much that was, too.
            anew = MultiHeaders::preallocate(asked, Some(cmsg_space!(libc::in6_pktinfo)));
            &mut anew
        } else if local.is_ipv4() {
            &mut self.four
        } else {
            &mut self.six
        };
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            self.buffers.iter_mut().take(asked).map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let messages = recvmmsg(socket, headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None)?;
        let mut datagrams: usize = 0;
        for message in messages {
            datagrams = datagrams.saturating_add(1);
            if let Some((remote, bytes)) = message.address.and_then(address).zip(message.iovs().next()) {
                let told = if is_everywhere { where_it_came(&message, local.port()) } else { None };
                take(told.unwrap_or(local), remote, bytes);
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
    /// The same with room for the address of ours that datagrams leave from. The system refuses such room when it is empty.
    with_source: Option<MultiHeaders<SockaddrStorage>>,
    remotes: Vec<Option<SockaddrStorage>>,
}

impl Outlet {
    pub(crate) fn new() -> Self {
        Self {
            headers: MultiHeaders::preallocate(BATCH, None),
            with_source: None,
            remotes: Vec::with_capacity(BATCH),
        }
    }

    /// Sends the first of these, up to [`BATCH`], and returns how many left: from the address of ours that is named, or else
    /// from the socket's.
    ///
    /// # Errors
    /// That of the first one, `WouldBlock` if the socket is full. What is wrong with a later one is told when that is the
    /// first.
    pub(crate) fn send<'d>(
        &mut self,
        socket: RawFd,
        source: Option<SocketAddr>,
        datagrams: impl Iterator<Item = (SocketAddr, &'d [u8])>,
    ) -> io::Result<usize> {
        let Self { headers, with_source, remotes } = self;
        let source = source.map(Source::new);
        let told = source.as_ref().map(Source::told);
        let headers = match told {
            Some(_) => with_source.get_or_insert_with(|| {
                MultiHeaders::preallocate(BATCH, Some(cmsg_space!(libc::in6_pktinfo)))
            }),
            None => headers,
        };
        remotes.clear();
        let slices: Vec<[IoSlice<'_>; 1]> = datagrams
            .take(BATCH)
            .map(|(remote, bytes)| {
                remotes.push(Some(remote.into()));
                [IoSlice::new(bytes)]
            })
            .collect();
        let flags = MsgFlags::MSG_DONTWAIT;
        Ok(sendmmsg(socket, headers, &slices, &*remotes, told.as_slice(), flags)?.count())
    }
}

/// Sends one datagram from this address of ours.
pub(crate) fn send_from(
    socket: RawFd,
    source: SocketAddr,
    remote: SocketAddr,
    bytes: &[u8],
) -> io::Result<()> {
    let (source, remote) = (Source::new(source), SockaddrStorage::from(remote));
    sendmsg(socket, &[IoSlice::new(bytes)], &[source.told()], MsgFlags::MSG_DONTWAIT, Some(&remote))?;
    Ok(())
}

/// The address of ours that datagrams leave from, as the system reads it.
enum Source {
    Four(libc::in_pktinfo),
    Six(libc::in6_pktinfo),
}

impl Source {
    fn new(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(four) => Self::Four(libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes(four.ip().octets()) },
                ipi_addr: libc::in_addr { s_addr: 0 },
            }),
            SocketAddr::V6(six) => Self::Six(libc::in6_pktinfo {
                ipi6_addr: libc::in6_addr { s6_addr: six.ip().octets() },
                ipi6_ifindex: six.scope_id(),
            }),
        }
    }

    const fn told(&self) -> ControlMessage<'_> {
        match self {
            Self::Four(info) => ControlMessage::Ipv4PacketInfo(info),
            Self::Six(info) => ControlMessage::Ipv6PacketInfo(info),
        }
    }
}

/// Has the system tell to which of our addresses each datagram came. Where it does not, we know less.
pub(crate) fn ask_where_they_come(socket: &UdpSocket, is_ipv4: bool) {
    let _ = if is_ipv4 {
        setsockopt(socket, sockopt::Ipv4PacketInfo, &true)
    } else {
        setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)
    };
}

fn where_it_came(message: &RecvMsg<'_, '_, SockaddrStorage>, port: u16) -> Option<SocketAddr> {
    message.cmsgs().ok()?.find_map(|told| own_address(&told, port))
}

/// The address of ours to which something came, at this port, if that is what the system tells here: one to answer from.
pub(crate) fn own_address(told: &ControlMessageOwned, port: u16) -> Option<SocketAddr> {
    match told {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            let [ours, named] = [info.ipi_spec_dst, info.ipi_addr]
                .map(|address| Ipv4Addr::from(address.s_addr.to_ne_bytes()));
            // They differ where a datagram was for many hosts. With an error that came back only the second one is told.
            let address = if ours.is_unspecified() { named } else { ours };
            let is_one = !(address.is_unspecified() || address.is_broadcast() || address.is_multicast());
            is_one.then(|| SocketAddr::new(IpAddr::V4(address), port))
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            let address = Ipv6Addr::from(info.ipi6_addr.s6_addr);
            let link = if address.is_unicast_link_local() { info.ipi6_ifindex } else { 0 };
            let is_one = !(address.is_unspecified() || address.is_multicast());
            is_one.then(|| SocketAddrV6::new(address, port, 0, link).into())
        }
        _ => None,
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
