//! One UDP socket. Whatever has come is read with one call; what is sent in the same turn leaves with one call when the
//! turn is over: that also wakes each peer once, and not in between.

mod held;
mod icmp;
pub(crate) mod port;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use sip::scope::nearness;
use sip::{ConnectionId, Flow, Hop, KeepAlive, Transport};

use self::held::{Datagram, Held};
use self::icmp::Unreached;
use self::port::Port;
use crate::shared::{Notice, Shared};
use crate::{stun, turn};

/// Datagrams taken in a row, before other tasks have their turn.
const MANY: usize = 64;
/// Errors of earlier datagrams met in a row, likewise.
const TRIES: usize = 32;
/// The most datagrams that are held back.
const MOST_HELD: usize = 64;

pub(crate) struct Datagrams {
    port: Port,
    /// What leaves when the turn is over.
    held: RefCell<Held>,
    /// What the socket did not take yet.
    queue: RefCell<VecDeque<Queued>>,
    queued: Cell<usize>,
    waker: Cell<Option<Waker>>,
    /// Since when it is open.
    opened: Instant,
    /// How many STUN answers each address gets.
    stun_bound: RefCell<stun::Bound>,
}

/// A datagram that waits for room: from which address of ours it leaves, to whom, and its octets.
struct Queued {
    local: SocketAddr,
    remote: SocketAddr,
    bytes: Box<[u8]>,
}

impl Datagrams {
    /// Those of a socket that does not block.
    pub(crate) fn new(socket: UdpSocket) -> io::Result<Self> {
        let port = Port::new(socket)?;
        icmp::ask_for_errors(&port, port.local().is_ipv4());
        Ok(Self {
            port,
            held: RefCell::default(),
            queue: RefCell::default(),
            queued: Cell::new(0),
            waker: Cell::new(None),
            opened: Instant::now(),
            stun_bound: RefCell::default(),
        })
    }

    pub(crate) const fn local(&self) -> SocketAddr {
        self.port.local()
    }

    /// Whether what leaves from this address of ours leaves by this socket.
    pub(crate) fn has(&self, address: SocketAddr) -> bool {
        let local = self.local();
        let has_all = local.ip().is_unspecified() && local.is_ipv4() == address.is_ipv4();
        local == address || (has_all && local.port() == address.port())
    }

    /// What the socket must be told so that a datagram leaves from that address: nothing if it is its own.
    fn source(&self, local: SocketAddr) -> Option<SocketAddr> {
        (local != self.local()).then_some(local)
    }

    /// How well this socket suits `remote`; `None` if it cannot reach it. A socket on loopback reaches only
    /// loopback, and nothing else is as good there. Among equals the nearer one has the way there.
    pub(crate) fn suits(&self, remote: SocketAddr) -> Option<(u8, u32)> {
        let here = self.local().ip();
        if self.local().is_ipv4() != remote.is_ipv4() {
            return None;
        }
        let kind = match (here.is_loopback(), remote.ip().is_loopback()) {
            (true, true) => 2,
            (true, false) => return None,
            _ if here.is_unspecified() => 1,
            (false, true) => 0,
            (false, false) => 2,
        };
        Some((kind, nearness(here, remote.ip())))
    }

    /// Sends a datagram from an address that the socket [has](Self::has), now or at the end of the turn, or queues it while the
    /// socket is full. What does not fit is dropped and counted, as a network would.
    pub(crate) fn send(&self, net: &Shared, local: SocketAddr, remote: SocketAddr, bytes: &[u8]) {
        if self.queued.get() != 0 {
            self.enqueue(net, local, remote, bytes);
        } else if net.turn.is_on() {
            let mut held = self.held.borrow_mut();
            held.push(local, remote, bytes);
            if held.len() >= MOST_HELD {
                drop(held);
                self.release(net);
            }
        } else {
            self.send_now(net, local, remote, bytes);
        }
    }

    /// The turn is over: sends what it held back.
    pub(crate) fn release(&self, net: &Shared) {
        let mut held = self.held.take();
        let mut next = 0;
        while let Some(Datagram { local, remote, bytes }) = held.get(next) {
            if self.queued.get() != 0 {
                self.enqueue(net, local, remote, bytes);
            } else if held.len() - next > 1
                && let Ok(sent) = net.send_together(&self.port, self.source(local), held.from(next))
            {
                next += sent;
                continue;
            } else {
                // Alone, or whatever is wrong is wrong with this one.
                self.send_now(net, local, remote, bytes);
            }
            next += 1;
        }
        held.clear();
        self.held.replace(held);
    }

    fn send_now(&self, net: &Shared, local: SocketAddr, remote: SocketAddr, bytes: &[u8]) {
        match self.try_send(local, remote, bytes) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.enqueue(net, local, remote, bytes);
            }
            Err(_) => self.failed(net, local, remote),
        }
    }

    fn enqueue(&self, net: &Shared, local: SocketAddr, remote: SocketAddr, bytes: &[u8]) {
        let queued = self.queued.get().saturating_add(bytes.len());
        if queued > net.limits.send_queue {
            return net
                .count(|counters| counters.datagrams_dropped = counters.datagrams_dropped.saturating_add(1));
        }
        self.queued.set(queued);
        self.queue.borrow_mut().push_back(Queued { local, remote, bytes: bytes.into() });
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Sends; an error that an earlier datagram left behind is not this one's. An address that the machine no longer has, as
    /// one of a registration that was stored may be, is none to send from; the peer may be reached from another.
    fn try_send(&self, local: SocketAddr, remote: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        let source = self.source(local);
        let failed = |outcome: &io::Result<()>| {
            outcome.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock)
        };
        let mut outcome = self.port.send(source, remote, bytes);
        if failed(&outcome) {
            outcome = self.port.send(source, remote, bytes);
        }
        if source.is_some() && failed(&outcome) {
            outcome = self.port.send(None, remote, bytes);
        }
        outcome
    }

    /// An error of our own socket: no route, a forbidden address, or one too long.
    fn failed(&self, net: &Shared, local: SocketAddr, remote: SocketAddr) {
        net.count(|counters| counters.datagrams_dropped = counters.datagrams_dropped.saturating_add(1));
        net.unreachable_datagram(flow(local, remote));
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
            for Unreached { local, remote } in icmp::returned(&self.port).await {
                net.unreachable_datagram(flow(self.local(), remote));
                if let Some(local) = local {
                    net.notice(Notice::Unreachable(Hop::Flow(flow(local, remote))));
                }
            }
        }
    }

    fn poll_send(&self, net: &Shared, cx: &mut Context<'_>) {
        if self.queued.get() == 0 {
            return;
        }
        while self.queued.get() != 0 {
            if self.port.poll_room(cx).is_pending() {
                return;
            }
            while let Some(Queued { local, remote, bytes }) = self.next_queued() {
                match self.try_send(local, remote, &bytes) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.queue.borrow_mut().push_front(Queued { local, remote, bytes });
                        break;
                    }
                    Err(_) => self.failed(net, local, remote),
                    Ok(()) => {}
                }
                self.queued.set(self.queued.get().saturating_sub(bytes.len()));
            }
        }
        self.port.forget_room();
    }

    fn next_queued(&self) -> Option<Queued> {
        self.queue.borrow_mut().pop_front()
    }

    fn poll_receive(&self, net: &Shared, cx: &mut Context<'_>) -> Poll<()> {
        let (mut taken, mut errors) = (0, 0);
        while taken < MANY && errors < TRIES {
            let Poll::Ready(ready) = self.port.poll_receive_ready(cx) else { return Poll::Pending };
            let mut inlet = net.take_inlet();
            let turn = net.turn.begin(net);
            let take = |local, remote, bytes: &[u8]| self.take_in(net, local, remote, bytes);
            match self.port.receive(ready, &mut inlet, take) {
                Ok(more) => taken += more,
                // One that an earlier datagram came back with, or nothing is there.
                Err(_) => errors += 1,
            }
            drop(turn);
            net.give_inlet(inlet);
        }
        // There may be more.
        turn::after_the_others(cx)
    }

    /// RFC 3581 §4: whatever is answered is answered from the address that it came to.
    fn take_in(&self, net: &Shared, local: SocketAddr, remote: SocketAddr, bytes: &[u8]) {
        match sip::keep_alive(bytes) {
            Some(KeepAlive::Ping) => self.send(net, local, remote, b"\r\n"),
            Some(KeepAlive::Pong | KeepAlive::Silent) => {}
            None => match stun::answer(bytes, remote) {
                Some(answer) => {
                    if self.stun_bound.borrow_mut().allows(self.opened.elapsed(), remote.ip()) {
                        self.send(net, local, remote, &answer);
                    }
                }
                None => {
                    net.call(|handler| handler.message(&flow(local, remote), bytes));
                }
            },
        }
    }
}

const fn flow(local: SocketAddr, remote: SocketAddr) -> Flow {
    Flow { transport: Transport::Udp, connection: ConnectionId(0), local, remote }
}
