//! Datagrams that came back: RFC 3261 §18.4 wants the sender of a request told when ICMP says that nobody is
//! there, instead of 32 seconds later.
//!
//! A socket that serves many peers learns this only from the kernel's error queue (`IP_RECVERR`), which names
//! the peer. Systems without one report nothing, and the transaction's own timers decide.

#[cfg(target_os = "linux")]
pub(crate) use linux::{ask_for_errors, returned};

#[cfg(target_os = "linux")]
mod linux {
    use std::io::{self, IoSliceMut};
    use std::net::SocketAddr;
    use std::os::fd::AsRawFd as _;

    use nix::cmsg_space;
    use nix::errno::Errno;
    use nix::libc;
    use nix::sys::socket::{
        ControlMessageOwned, MsgFlags, SockaddrIn6, SockaddrStorage, recvmsg, setsockopt, sockopt,
    };
    use tokio::io::Interest;
    use tokio::net::UdpSocket;

    /// Asks the kernel to keep errors for us.
    pub(crate) fn ask_for_errors(socket: &UdpSocket, is_ipv4: bool) {
        // Without it we only learn less.
        let _ = if is_ipv4 {
            setsockopt(socket, sockopt::Ipv4RecvErr, &true)
        } else {
            setsockopt(socket, sockopt::Ipv6RecvErr, &true)
        };
    }

    /// Waits for errors, and gives the peers that a datagram did not reach.
    pub(crate) async fn returned(socket: &UdpSocket) -> Vec<SocketAddr> {
        let mut peers = Vec::new();
        while peers.is_empty() {
            if socket.ready(Interest::ERROR).await.is_err() {
                std::future::pending::<()>().await;
            }
            while let Ok(peer) = socket.try_io(Interest::ERROR, || next(socket)) {
                peers.extend(peer);
            }
        }
        peers
    }

    /// The next error: its peer, unless it says something else than that nobody is there.
    fn next(socket: &UdpSocket) -> io::Result<Option<SocketAddr>> {
        let mut returned = [0; 64];
        let mut parts = [IoSliceMut::new(&mut returned)];
        let mut control = cmsg_space!(libc::sock_extended_err, SockaddrIn6);
        let message = recvmsg::<SockaddrStorage>(
            socket.as_raw_fd(),
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
        let peer = message.address.and_then(|address| {
            let four = address.as_sockaddr_in().map(|four| SocketAddr::from((four.ip(), four.port())));
            four.or_else(|| address.as_sockaddr_in6().map(|six| SocketAddr::from((six.ip(), six.port()))))
        });
        Ok(peer.filter(|_| is_unreachable))
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn ask_for_errors(_: &tokio::net::UdpSocket, _: bool) {}

#[cfg(not(target_os = "linux"))]
pub(crate) async fn returned(_: &tokio::net::UdpSocket) -> Vec<std::net::SocketAddr> {
    std::future::pending().await
}
