//! One UDP socket. The place where `recvmmsg` and `sendmmsg` would go: measured, they save 0 to 15 % of the
//! processor time per SIP datagram, so they wait for a need.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use sip::{ConnectionId, Flow, KeepAlive, Transport};
use tokio::net::UdpSocket;

use crate::icmp;
use crate::shared::Shared;

/// Datagrams taken in one turn, before other tasks have theirs.
const TURN: usize = 32;

pub(crate) struct Datagrams {
    socket: UdpSocket,
    local: SocketAddr,
    /// What the socket did not take yet.
    queue: RefCell<VecDeque<(SocketAddr, Box<[u8]>)>>,
    queued: Cell<usize>,
    waker: Cell<Option<Waker>>,
}

impl Datagrams {
    pub(crate) fn new(socket: UdpSocket, local: SocketAddr) -> Self {
        icmp::ask_for_errors(&socket, local.is_ipv4());
        Self { socket, local, queue: RefCell::default(), queued: Cell::new(0), waker: Cell::new(None) }
    }

    pub(crate) const fn local(&self) -> SocketAddr {
        self.local
    }

    /// How well this socket suits `remote`; `None` if it cannot reach it. A socket on loopback reaches only
    /// loopback, and nothing else is as good there.
    pub(crate) fn suits(&self, remote: SocketAddr) -> Option<u8> {
        let here = self.local.ip();
        if self.local.is_ipv4() != remote.is_ipv4() {
            return None;
        }
        match (here.is_loopback(), remote.ip().is_loopback()) {
            (true, true) => Some(2),
            (true, false) => None,
            _ if here.is_unspecified() => Some(1),
            (false, true) => Some(0),
            (false, false) => Some(2),
        }
    }

    /// Sends a datagram, or queues it while the socket is full. What does not fit is dropped and counted, as a
    /// network would.
    pub(crate) fn send(&self, net: &Shared, remote: SocketAddr, bytes: &[u8]) {
        if self.queued.get() == 0 {
            match self.try_send(bytes, remote) {
                Ok(_) => return,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return self.failed(net, remote),
            }
        }
        let queued = self.queued.get().saturating_add(bytes.len());
        if queued > net.limits.send_queue {
            return net
                .count(|counters| counters.datagrams_dropped = counters.datagrams_dropped.saturating_add(1));
        }
        self.queued.set(queued);
        self.queue.borrow_mut().push_back((remote, bytes.into()));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Sends; an error that an earlier datagram left behind is not this one's.
    fn try_send(&self, bytes: &[u8], remote: SocketAddr) -> io::Result<usize> {
        match self.socket.try_send_to(bytes, remote) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => self.socket.try_send_to(bytes, remote),
            outcome => outcome,
        }
    }

    /// An error of our own socket: no route, a forbidden address, or one too long.
    fn failed(&self, net: &Shared, remote: SocketAddr) {
        net.count(|counters| counters.datagrams_dropped = counters.datagrams_dropped.saturating_add(1));
        net.unreachable_datagram(self.flow(remote));
    }

    const fn flow(&self, remote: SocketAddr) -> Flow {
        Flow { transport: Transport::Udp, connection: ConnectionId(0), local: self.local, remote }
    }

    /// Receives and sends, for ever.
    pub(crate) async fn run(self: Rc<Self>, net: Rc<Shared>) {
        poll_fn(|cx| {
            self.waker.set(Some(cx.waker().clone()));
            self.poll_send(&net, cx);
            self.poll_receive(&net, cx)
        })
        .await
    }

    /// Tells of datagrams that came back, for ever.
    pub(crate) async fn watch(self: Rc<Self>, net: Rc<Shared>) {
        loop {
            for remote in icmp::returned(&self.socket).await {
                net.unreachable_datagram(self.flow(remote));
            }
        }
    }

    fn poll_send(&self, net: &Shared, cx: &mut Context<'_>) {
        while self.queued.get() != 0 {
            if self.socket.poll_send_ready(cx).is_pending() {
                return;
            }
            let Some((remote, bytes)) = self.queue.borrow_mut().pop_front() else { return };
            match self.try_send(&bytes, remote) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.queue.borrow_mut().push_front((remote, bytes));
                    continue;
                }
                Err(_) => self.failed(net, remote),
                Ok(_) => {}
            }
            self.queued.set(self.queued.get().saturating_sub(bytes.len()));
        }
    }

    fn poll_receive(&self, net: &Shared, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..TURN {
            if self.socket.poll_recv_ready(cx).is_pending() {
                return Poll::Pending;
            }
            let mut buffer = net.take_buffer();
            // An error here is one that an earlier datagram came back with, or none.
            if let Ok((length, remote)) = self.socket.try_recv_from(&mut buffer) {
                self.take_in(net, remote, buffer.get(..length).unwrap_or_default());
            }
            net.give_buffer(buffer);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn take_in(&self, net: &Shared, remote: SocketAddr, bytes: &[u8]) {
        match sip::keep_alive(bytes) {
            Some(KeepAlive::Ping) => self.send(net, remote, b"\r\n"),
            Some(KeepAlive::Pong | KeepAlive::Silent) => {}
            None => {
                net.call(|handler| handler.message(&self.flow(remote), bytes));
            }
        }
    }
}
