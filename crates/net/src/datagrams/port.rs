//! The socket itself, as the event loop watches it.

#[cfg(target_os = "linux")]
pub(crate) use linux::{Inlet, Outlet, Port};
#[cfg(not(target_os = "linux"))]
pub(crate) use portable::{Inlet, Outlet, Port};

#[cfg(target_os = "linux")]
mod linux {
    use std::cell::RefCell;
    use std::io;
    use std::net::{SocketAddr, UdpSocket};
    use std::os::fd::{AsRawFd as _, RawFd};
    use std::task::{Context, Poll, ready};

    use tokio::io::Interest;
    use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

    use crate::batches;
    pub(crate) use crate::batches::{Inlet, Outlet};

    /// A socket of which the event loop hears when something arrives. Of room it hears only while something waits for
    /// room: else each datagram that the system is done with would wake the loop.
    pub(crate) struct Port {
        socket: AsyncFd<UdpSocket>,
        local: SocketAddr,
        room: RefCell<Option<AsyncFd<UdpSocket>>>,
    }

    /// There may be something to receive.
    pub(crate) struct Ready<'p>(io::Result<AsyncFdReadyGuard<'p, UdpSocket>>);

    impl Port {
        /// That of a socket that does not block.
        pub(crate) fn new(socket: UdpSocket) -> io::Result<Self> {
            let local = socket.local_addr()?;
            if local.ip().is_unspecified() {
                batches::ask_where_they_come(&socket, local.is_ipv4());
            }
            Ok(Self { socket: watched(socket, Interest::READABLE)?, local, room: RefCell::default() })
        }

        pub(crate) fn socket(&self) -> &UdpSocket {
            self.socket.get_ref()
        }

        /// Where it is bound.
        pub(crate) const fn local(&self) -> SocketAddr {
            self.local
        }

        fn descriptor(&self) -> RawFd {
            self.socket().as_raw_fd()
        }

        /// Waits until there may be something to receive.
        pub(crate) fn poll_receive_ready(&self, cx: &mut Context<'_>) -> Poll<Ready<'_>> {
            self.socket.poll_read_ready(cx).map(Ready)
        }

        /// Takes what has come, as [`Inlet::receive`] does.
        pub(crate) fn receive(
            &self,
            ready: Ready<'_>,
            inlet: &mut Inlet,
            take: impl FnMut(SocketAddr, SocketAddr, &[u8]),
        ) -> io::Result<usize> {
            let mut ready = ready.0?;
            let outcome = inlet.receive(self.descriptor(), self.local, take);
            let blocks = outcome.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
            // Where the system gave less than was asked for there was no more. Of what comes later it tells anew, and of an
            // error that cut the answer short, too: so there is no need to ask once more.
            if blocks || outcome.as_ref().is_ok_and(|received| received.was_all) {
                ready.clear_ready();
            }
            outcome.map(|received| received.datagrams)
        }

        /// Waits until there may be room again.
        pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
            let mut room = self.room.borrow_mut();
            if room.is_none() {
                // Without a watch, whoever sends next tries again.
                let Ok(another) = self.socket().try_clone() else { return Poll::Pending };
                *room = watched(another, Interest::WRITABLE).ok();
            }
            let Some(room) = room.as_ref() else { return Poll::Pending };
            if let Ok(mut ready) = ready!(room.poll_write_ready(cx)) {
                // Whoever finds no room asks again, and then hears only what is new.
                ready.clear_ready();
            }
            Poll::Ready(())
        }

        /// Nothing waits for room any more.
        pub(crate) fn forget_room(&self) {
            self.room.take();
        }

        /// Sends from an address of ours that is not the socket's, if one is named.
        pub(crate) fn send(
            &self,
            source: Option<SocketAddr>,
            remote: SocketAddr,
            bytes: &[u8],
        ) -> io::Result<()> {
            match source {
                None => self.socket().send_to(bytes, remote).map(drop),
                Some(source) => batches::send_from(self.descriptor(), source, remote, bytes),
            }
        }

        /// Sends what it can of the first of these, as [`Outlet::send`] does.
        pub(crate) fn send_together<'d>(
            &self,
            outlet: &mut Outlet,
            source: Option<SocketAddr>,
            datagrams: impl Iterator<Item = (SocketAddr, &'d [u8])>,
        ) -> io::Result<usize> {
            outlet.send(self.descriptor(), source, datagrams)
        }

        /// Waits until there is an error in the system's queue for errors.
        pub(crate) async fn errors(&self) -> io::Result<()> {
            self.socket.ready(Interest::ERROR).await.map(drop)
        }

        /// Takes one with `next`; `WouldBlock` says that it was the last.
        pub(crate) fn next_error<R>(&self, next: impl FnOnce(RawFd) -> io::Result<R>) -> io::Result<R> {
            self.socket.try_io(Interest::ERROR, |socket| next(socket.as_raw_fd()))
        }
    }

    #[expect(
        deprecated,
        reason = "its successor is unsafe, for others: a socket of ours holds its descriptor open"
    )]
    fn watched(socket: UdpSocket, interest: Interest) -> io::Result<AsyncFd<UdpSocket>> {
        AsyncFd::with_interest(socket, interest)
    }
}

#[cfg(not(target_os = "linux"))]
mod portable {
    use std::io;
    use std::net::SocketAddr;
    use std::task::{Context, Poll};

    use tokio::net::UdpSocket;

    /// Room for one datagram.
    pub(crate) struct Inlet(Vec<u8>);

    impl Inlet {
        pub(crate) fn new() -> Self {
            Self(vec![0; 65_535])
        }
    }

    /// Here each datagram leaves alone.
    pub(crate) struct Outlet;

    impl Outlet {
        pub(crate) const fn new() -> Self {
            Self
        }
    }

    /// A socket, and where it is bound. Which of several addresses a datagram came to is not known here.
    pub(crate) struct Port(UdpSocket, SocketAddr);

    /// There may be something to receive.
    pub(crate) struct Ready;

    impl Port {
        pub(crate) fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
            let local = socket.local_addr()?;
            UdpSocket::from_std(socket).map(|socket| Self(socket, local))
        }

        pub(crate) const fn local(&self) -> SocketAddr {
            self.1
        }

        pub(crate) fn poll_receive_ready(&self, cx: &mut Context<'_>) -> Poll<Ready> {
            self.0.poll_recv_ready(cx).map(|_| Ready)
        }

        pub(crate) fn receive(
            &self,
            _: Ready,
            inlet: &mut Inlet,
            mut take: impl FnMut(SocketAddr, SocketAddr, &[u8]),
        ) -> io::Result<usize> {
            let (length, remote) = self.0.try_recv_from(&mut inlet.0)?;
            take(self.1, remote, inlet.0.get(..length).unwrap_or_default());
            Ok(1)
        }

        pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
            self.0.poll_send_ready(cx).map(drop)
        }

        pub(crate) const fn forget_room(&self) {}

        pub(crate) fn send(&self, _: Option<SocketAddr>, remote: SocketAddr, bytes: &[u8]) -> io::Result<()> {
            self.0.try_send_to(bytes, remote).map(drop)
        }

        pub(crate) fn send_together<'d>(
            &self,
            _: &mut Outlet,
            source: Option<SocketAddr>,
            mut datagrams: impl Iterator<Item = (SocketAddr, &'d [u8])>,
        ) -> io::Result<usize> {
            datagrams.next().map_or(Ok(0), |(remote, bytes)| self.send(source, remote, bytes).map(|()| 1))
        }
    }
}
