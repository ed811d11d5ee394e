//! With `epoll`, `recvmmsg` and `sendmmsg`.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd as _, AsRawFd, RawFd};
use std::rc::Rc;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{PACKET, Peers, Receive, TURN};

/// Sockets looked at in a turn, and packets read from one of many peers.
const BATCH: usize = 64;
/// Packets in a turn that make a relay busy.
const BUSY: usize = 2;
/// Turns with fewer packets after which it is idle again.
const LULL: usize = 4;
/// Octets that wait in a socket of many peers: a fifth of a second of a thousand calls. The system may give less.
const ROOM: usize = 8 << 20;

/// The sockets.
pub struct MediaSockets {
    /// The sockets on which something has arrived.
    queue: Epoll,
    open: RefCell<HashMap<u64, Open>>,
    waiting: RefCell<Vec<Waiting>>,
    in_turn: Cell<bool>,
}

#[derive(Clone)]
struct Open {
    socket: Rc<UdpSocket>,
    /// For a socket of many peers, what the system writes about their packets. Each has its own, since addresses of one
    /// family leave room for no others.
    batch: Option<Rc<RefCell<MultiHeaders<SockaddrStorage>>>>,
}

/// What leaves when the turn is over.
struct Waiting {
    key: u64,
    to: SocketAddr,
    bytes: Vec<u8>,
}

/// The queue of sockets on which something has arrived, as the event loop watches it.
struct Queue<'q>(&'q Epoll);

impl AsRawFd for Queue<'_> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.0.as_raw_fd()
    }
}

/// An alarm clock, for spans that the event loop's own cannot measure.
struct Alarm(TimerFd);

impl AsRawFd for Alarm {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// What is used again in every turn.
struct Room {
    events: Vec<EpollEvent>,
    packets: Vec<[u8; PACKET]>,
    /// What the system reads about the packets of a batch. Never used for reading: it keeps the addresses of others.
    outgoing: MultiHeaders<SockaddrStorage>,
}

impl MediaSockets {
    /// None yet.
    ///
    /// # Errors
    /// When the system has no room for a queue of events.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            queue: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            open: RefCell::default(),
            waiting: RefCell::default(),
            in_turn: Cell::new(false),
        })
    }

    /// Reads from this socket from now on, which must not block. The key is any number that no other has.
    ///
    /// # Errors
    /// When the system cannot watch it.
    pub fn open(&self, key: u64, socket: UdpSocket, peers: Peers) -> io::Result<()> {
        if peers == Peers::Many && setsockopt(&socket, sockopt::RcvBufForce, &ROOM).is_err() {
            // Not allowed to pass the system's bound: as much as it lets everybody have.
            let _ = setsockopt(&socket, sockopt::RcvBuf, &ROOM);
        }
        self.queue.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, key))?;
        let batch = || Rc::new(RefCell::new(MultiHeaders::preallocate(BATCH, None)));
        let batch = (peers == Peers::Many).then(batch);
        self.open.borrow_mut().insert(key, Open { socket: Rc::new(socket), batch });
        Ok(())
    }

    /// Closes a socket.
    pub fn close(&self, key: u64) {
        // The system forgets a socket that is closed.
        self.open.borrow_mut().remove(&key);
    }

    /// Sends a packet, or drops it when the system has no room: media does not wait.
    pub fn send(&self, key: u64, to: SocketAddr, bytes: Vec<u8>) {
        let open = self.open.borrow();
        let Some(Open { socket, batch }) = open.get(&key) else { return };
        if batch.is_some() && self.in_turn.get() {
            self.waiting.borrow_mut().push(Waiting { key, to, bytes });
        } else {
            let _ = socket.send_to(&bytes, to);
        }
    }

    /// Hands over what arrives, for ever.
    ///
    /// # Errors
    /// When the event loop cannot watch the queue.
    pub async fn run(&self, mut receive: impl Receive) -> io::Result<()> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let alarm = watched(Alarm(TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?))?;
        let mut room = Room::new();
        loop {
            self.run_idle(&mut room, &mut receive).await?;
            self.run_busy(&alarm, &mut room, &mut receive).await?;
        }
    }

    /// Every packet wakes, until there are many.
    async fn run_idle(&self, room: &mut Room, receive: &mut impl Receive) -> io::Result<()> {
        let arrived = watched(Queue(&self.queue))?;
        loop {
            let mut ready = arrived.readable().await?;
            match self.turn(room, receive) {
                0 => ready.clear_ready(),
                few if few < BUSY => ready.retain_ready(),
                _ => return Ok(()),
            }
        }
    }

    /// The clock wakes, until there are few packets. Nobody watches the queue meanwhile: what arrives wakes nobody.
    async fn run_busy(
        &self,
        alarm: &AsyncFd<Alarm>,
        room: &mut Room,
        receive: &mut impl Receive,
    ) -> io::Result<()> {
        let mut poor = 0;
        while poor < LULL {
            let turn = Expiration::OneShot(TimeSpec::from_duration(TURN));
            alarm.get_ref().0.set(turn, TimerSetTimeFlags::empty())?;
            let mut rung = alarm.readable().await?;
            // The time has come; what is read says only how often.
            let _ = rung.try_io(|alarm| Ok(alarm.get_ref().0.wait()?));
            rung.clear_ready();
            poor = if self.turn(room, receive) < BUSY { poor + 1 } else { 0 };
        }
        Ok(())
    }

    /// Takes what has arrived. Returns how many packets that was.
    fn turn(&self, room: &mut Room, receive: &mut impl Receive) -> usize {
        let mut packets = 0;
        self.in_turn.set(true);
        loop {
            let Room { events, packets: buffers, outgoing } = room;
            let ready = self.queue.wait(events, EpollTimeout::ZERO).unwrap_or(0);
            let before = packets;
            for event in events.iter().take(ready) {
                let open = self.open.borrow().get(&event.data()).cloned();
                // Closed by what came before it.
                let Some(open) = open else { continue };
                packets += match &open.batch {
                    None => one(event.data(), &open.socket, buffers, receive),
                    Some(batch) => {
                        many(event.data(), &open.socket, buffers, &mut batch.borrow_mut(), receive)
                    }
                };
            }
            self.flush(outgoing);
            // More may be there only if a bound was met.
            if packets - before < BATCH || packets >= 8 * BATCH {
                break;
            }
        }
        self.in_turn.set(false);
        packets
    }

    /// Sends what waits, by socket.
    fn flush(&self, outgoing: &mut MultiHeaders<SockaddrStorage>) {
        let mut waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        let mut rest = waiting.as_slice();
        while let Some(first) = rest.first() {
            let same = rest.iter().take(BATCH).take_while(|other| other.key == first.key).count();
            let (batch, after) = rest.split_at(same);
            rest = after;
            if let Some(Open { socket, .. }) = self.open.borrow().get(&first.key) {
                send_all(socket, batch, outgoing);
            }
        }
        waiting.clear();
        let mut kept = self.waiting.borrow_mut();
        if kept.is_empty() {
            *kept = waiting;
        }
    }
}

/// Has the event loop watch something of ours until it is dropped.
#[expect(
    deprecated,
    reason = "its successor is unsafe, for others: what is watched here holds its descriptor open"
)]
fn watched<T: AsRawFd>(what: T) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(what, Interest::READABLE)
}

impl Room {
    fn new() -> Self {
        Self {
            events: vec![EpollEvent::empty(); BATCH],
            packets: vec![[0; PACKET]; BATCH],
            outgoing: MultiHeaders::preallocate(BATCH, None),
        }
    }
}

/// Reads one packet: of one peer another is rarely there.
fn one(key: u64, socket: &UdpSocket, buffers: &mut [[u8; PACKET]], receive: &mut impl Receive) -> usize {
    // A refusal that came back for what was sent (ICMP) is an error of the next read, and no reason to stop.
    let Some(buffer) = buffers.first_mut() else { return 0 };
    let Ok((length, from)) = socket.recv_from(buffer) else { return 0 };
    receive(key, from, buffer.get(..length).unwrap_or_default());
    1
}

/// Reads all packets that are there, up to a bound.
fn many(
    key: u64,
    socket: &UdpSocket,
    buffers: &mut [[u8; PACKET]],
    headers: &mut MultiHeaders<SockaddrStorage>,
    receive: &mut impl Receive,
) -> usize {
    let mut slices: Vec<[IoSliceMut<'_>; 1]> =
        buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
    let flags = MsgFlags::MSG_DONTWAIT;
    let Ok(messages) = recvmmsg(socket.as_raw_fd(), headers, slices.iter_mut(), flags, None) else {
        return 0;
    };
    let mut packets = 0;
    for message in messages {
        packets += 1;
        if let (Some(from), Some(bytes)) = (message.address.and_then(address), message.iovs().next()) {
            receive(key, from, bytes);
        }
    }
    packets
}

/// Sends packets from one socket in as few calls as the system allows.
fn send_all(socket: &UdpSocket, batch: &[Waiting], headers: &mut MultiHeaders<SockaddrStorage>) {
    let mut rest = batch;
    while !rest.is_empty() {
        let slices: Vec<[IoSlice<'_>; 1]> = rest.iter().map(|packet| [IoSlice::new(&packet.bytes)]).collect();
        let to: Vec<Option<SockaddrStorage>> = rest.iter().map(|packet| Some(packet.to.into())).collect();
        let flags = MsgFlags::MSG_DONTWAIT;
        let sent = match sendmmsg(socket.as_raw_fd(), headers, &slices, &to, [], flags) {
            Ok(sent) => sent.count(),
            // No room: what does not leave now is late anyway.
            Err(Errno::EAGAIN | Errno::ENOBUFS) => return,
            Err(_) => 0,
        };
        // The one after those that left cannot be sent: its own fault or that of its peer.
        let done = if sent < rest.len() { sent + 1 } else { sent };
        rest = rest.get(done..).unwrap_or_default();
    }
}

fn address(address: SockaddrStorage) -> Option<SocketAddr> {
    let four = address.as_sockaddr_in().map(|four| SocketAddr::from((four.ip(), four.port())));
    four.or_else(|| address.as_sockaddr_in6().map(|six| SocketAddr::from((six.ip(), six.port()))))
}
