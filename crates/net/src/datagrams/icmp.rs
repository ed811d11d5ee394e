//! Datagrams that came back: RFC 3261 §18.4 wants the sender of a request told when ICMP says that nobody is
//! there, instead of 32 seconds later.
//!
//! A socket that serves many peers learns this only from the kernel's error queue (`IP_RECVERR`), which names
//! the peer. Systems without one report nothing, and the transaction's own timers decide.

use std::net::SocketAddr;

#[cfg(target_os = "linux")]
pub(super) use linux::{ask_for_errors, returned};

/// A peer that a datagram did not reach.
pub(super) struct Unreached {
    /// From which address of ours it was sent, where the system tells it: at a socket that has them all.
    pub(super) local: Option<SocketAddr>,
    pub(super) remote: SocketAddr,
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::{self, IoSliceMut};
    use std::os::fd::RawFd;

    use nix::cmsg_space;
    use nix::errno::Errno;
    use nix::libc;
    use nix::sys::socket::{
        ControlMessageOwned, MsgFlags, SockaddrIn6, SockaddrStorage, recvmsg, setsockopt, sockopt,
    };

    use crate::batches::{address, own_address};
    use crate::datagrams::icmp::Unreached;
    use crate::datagrams::port::Port;

    /// Asks the kernel to keep errors for us.
    pub(in crate::datagrams) fn ask_for_errors(port: &Port, is_ipv4: bool) {
        // Without it we only learn less.
        let _ = if is_ipv4 {
            setsockopt(port.socket(), sockopt::Ipv4RecvErr, &true)
        } else {
            setsockopt(port.socket(), sockopt::Ipv6RecvErr, &true)
        };
    }

    /// Waits for errors, and gives the peers that a datagram did not reach.
    pub(in crate::datagrams) async fn returned(port: &Port) -> Vec<Unreached> {
        let mut peers = Vec::new();
        while peers.is_empty() {
            if port.errors().await.is_err() {
                std::future::pending::<()>().await;
            }
            while let Ok(peer) = port.next_error(|socket| next(socket, port.local().port())) {
                peers.extend(peer);
            }
        }
        peers
    }

    /// The next error: its peer, unless it says something else than that nobody is there.
    fn next(socket: RawFd, port: u16) -> io::Result<Option<Unreached>> {
        let mut returned = [0; 64];
        let mut parts = [IoSliceMut::new(&mut returned)];
        let mut control = cmsg_space!(libc::sock_extended_err, SockaddrIn6, libc::in6_pktinfo);
        let message = recvmsg::<SockaddrStorage>(
            socket,
            &mut parts,
            Some(&mut control),
            MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT,
        )?;
        let is_unreachable = message.cmsgs()?.any(|control| match control {
            ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _) => {
                [Errno::ECONNREFUSED, Errno::EHOSTUNREACH, Errno::ENETUNREACH, Errno::EHOSTDOWN]
                    .iter()
                    .any(|errno| u32::try_from(*errno as i32) == Ok(error.ee_errno))
            }
            _ => false,
        });
        let local = message.cmsgs()?.find_map(|control| own_address(&control, port));
        let remote = message.address.and_then(address).filter(|_| is_unreachable);
        Ok(remote.map(|remote| Unreached { local, remote }))
    }
}

#[cfg(not(target_os = "linux"))]
pub(in crate::datagrams) fn ask_for_errors(_: &super::port::Port, _: bool) {}

#[cfg(not(target_os = "linux"))]
pub(in crate::datagrams) async fn returned(_: &super::port::Port) -> Vec<Unreached> {
    std::future::pending().await
}
