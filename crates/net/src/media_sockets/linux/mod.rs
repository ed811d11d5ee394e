//! With `epoll`, `recvmmsg` and `sendmmsg`, and with packets of one peer joined.

mod reading;
mod sending;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd as _, AsRawFd, RawFd};
use std::rc::Rc;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{Peers, Receive, TURN};
use reading::Reading;
use sending::{Sending, Waiting};

/// Sockets looked at in a turn.
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
    peers: Peers,
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
    reading: Reading,
    sending: Sending,
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
        if peers == Peers::Many {
            reading::allow_joined(&socket);
            if setsockopt(&socket, sockopt::RcvBufForce, &ROOM).is_err() {
                // Not allowed to pass the system's bound: as much as it lets everybody have.
                let _ = setsockopt(&socket, sockopt::RcvBuf, &ROOM);
            }
        }
        self.queue.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, key))?;
        self.open.borrow_mut().insert(key, Open { socket: Rc::new(socket), peers });
        Ok(())
    }

    /// Closes a socket.
    pub fn close(&self, key: u64) {
        // The system forgets a socket that is closed.
        self.open.borrow_mut().remove(&key);
    }

    /// Sends a packet, or drops it when the system has no room: media does not wait.
    pub fn send(&self, key: u64, to: SocketAddr, bytes: Vec<u8>) {
        if self.in_turn.get() {
            self.waiting.borrow_mut().push(Waiting { key, to, bytes });
        } else if let Some(open) = self.open.borrow().get(&key) {
            let _ = open.socket.send_to(&bytes, to);
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
            let Room { events, reading, sending } = room;
            let ready = self.queue.wait(events, EpollTimeout::ZERO).unwrap_or(0);
            let before = packets;
            for event in events.iter().take(ready) {
                let open = self.open.borrow().get(&event.data()).cloned();
                // Closed by what came before it.
                let Some(open) = open else { continue };
                packets += match open.peers {
                    Peers::One => reading.one(event.data(), &open.socket, receive),
                    Peers::Many => reading.many(event.data(), &open.socket, receive),
                };
            }
            self.flush(sending);
            // More may be there only if a bound was met.
            if packets - before < BATCH || packets >= 8 * BATCH {
                break;
            }
        }
        self.in_turn.set(false);
        packets
    }

    /// Sends what waits, by socket and peer: what one peer gets stays in its order.
    fn flush(&self, sending: &mut Sending) {
        let mut waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        waiting.sort_by_key(|packet| (packet.key, packet.to));
        for packets in waiting.chunk_by(|one, other| one.key == other.key) {
            let socket =
                packets.first().and_then(|first| Some(self.open.borrow().get(&first.key)?.socket.clone()));
            if let Some(socket) = socket {
                sending.send(&socket, packets);
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
        Self { events: vec![EpollEvent::empty(); BATCH], reading: Reading::new(), sending: Sending::new() }
    }
}
