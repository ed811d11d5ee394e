//! The connections of browsers that reach us over TCP only (RFC 6544): whole frames (RFC 4571 §2) in and out.
//!
//! Anybody may connect, so a connection is kept only once something was sent on it, which the gateway does after an
//! authentic check. Until then it costs a few octets of memory and few seconds of patience, and the oldest makes room
//! for the newest.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::time::Duration;

use media::SocketId;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::sockets::Receiver;
use crate::log;

/// The largest frame: more than any packet of media that travels.
const FRAME: usize = 2048;
/// The most octets that wait for a slow reader. What comes beyond is dropped: media does not wait.
const BACKLOG: usize = 128 * 1024;
/// How long a reader may take nothing at all.
const STALLED: Duration = Duration::from_secs(10);
/// How long a connection may be silent: a browser checks its pairs every few seconds.
const SILENT: Duration = Duration::from_secs(60);
/// How long a connection may stay without an authentic check.
const UNPROVEN: Duration = Duration::from_secs(10);
/// The most connections that have not proved themselves.
const MOST_UNPROVEN: usize = 256;
/// The most frames of one of them: checks that came before the answer of the call.
const FRAMES_UNPROVEN: usize = 64;
/// Octets that one connection may deliver before others have a turn.
const TURN: usize = 64 * 1024;

/// A connection: the listener to which it came, and the browser's address.
type Key = (SocketId, SocketAddr);

/// Who hears that a connection is gone.
pub(crate) type Gone = Rc<dyn Fn(SocketId, SocketAddr)>;

/// The open connections.
pub(crate) struct Streams {
    me: Weak<Self>,
    listeners: RefCell<Vec<JoinHandle<()>>>,
    connections: RefCell<HashMap<Key, Rc<Connection>>>,
    /// In the order in which they came.
    unproven: RefCell<VecDeque<Key>>,
}

struct Connection {
    stream: TcpStream,
    backlog: RefCell<VecDeque<u8>>,
    proven: Cell<bool>,
    /// It is to be closed once what waits has gone.
    closing: Cell<bool>,
    /// It is to be closed at once.
    closed: Cell<bool>,
    wake: Notify,
}

impl Streams {
    /// None yet.
    pub(crate) fn new() -> Rc<Self> {
        Rc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            listeners: RefCell::default(),
            connections: RefCell::default(),
            unproven: RefCell::default(),
        })
    }

    /// Takes connections from now on.
    pub(crate) fn listen(
        &self,
        id: SocketId,
        listener: std::net::TcpListener,
        receiver: &Receiver,
        gone: &Gone,
    ) {
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => return log::error(format!("a media port cannot be listened to: {error}")),
        };
        let me = Weak::clone(&self.me);
        let (receiver, gone) = (Rc::clone(receiver), Rc::clone(gone));
        self.listeners.borrow_mut().push(tokio::task::spawn_local(async move {
            loop {
                let accepted = listener.accept().await;
                let Some(streams) = me.upgrade() else { return };
                match accepted {
                    Ok((stream, from)) => {
                        streams.accept((id, from), stream, Rc::clone(&receiver), Rc::clone(&gone));
                    }
                    // No descriptor is free, or the connection is gone already.
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        }));
    }

    fn accept(self: &Rc<Self>, key: Key, stream: TcpStream, receiver: Receiver, gone: Gone) {
        // Media is small packets that are due now.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let mut unproven = self.unproven.borrow_mut();
        if unproven.len() >= MOST_UNPROVEN
            && let Some(oldest) = unproven.pop_front()
            && let Some(connection) = self.connections.borrow().get(&oldest)
        {
            connection.closed.set(true);
            connection.wake.notify_one();
        }
        unproven.push_back(key);
        let connection = Rc::new(Connection {
            stream,
            backlog: RefCell::default(),
            proven: Cell::new(false),
            closing: Cell::new(false),
            closed: Cell::new(false),
            wake: Notify::new(),
        });
        self.connections.borrow_mut().insert(key, Rc::clone(&connection));
        let streams = Rc::clone(self);
        tokio::task::spawn_local(async move {
            serve(&connection, |frame| receiver(key.0, key.1, frame)).await;
            let mut connections = streams.connections.borrow_mut();
            // A browser that comes again from the same port has a connection of its own.
            if connections.get(&key).is_some_and(|known| Rc::ptr_eq(known, &connection)) {
                connections.remove(&key);
                drop(connections);
                streams.unproven.borrow_mut().retain(|unproven| *unproven != key);
                gone(key.0, key.1);
            }
        });
    }

    /// Sends a frame, or drops it when the reader is too slow.
    pub(crate) fn send(&self, id: SocketId, to: SocketAddr, bytes: &[u8]) {
        let Some(connection) = self.connections.borrow().get(&(id, to)).map(Rc::clone) else { return };
        if !connection.proven.replace(true) {
            self.unproven.borrow_mut().retain(|unproven| *unproven != (id, to));
        }
        connection.send(bytes);
    }

    /// Closes a connection once what was sent on it has gone.
    pub(crate) fn disconnect(&self, id: SocketId, from: SocketAddr) {
        if let Some(connection) = self.connections.borrow().get(&(id, from)) {
            connection.closing.set(true);
            connection.wake.notify_one();
        }
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        for listener in self.listeners.get_mut() {
            listener.abort();
        }
    }
}

impl Connection {
    fn send(&self, bytes: &[u8]) {
        let Ok(length) = u16::try_from(bytes.len()) else { return };
        let mut backlog = self.backlog.borrow_mut();
        let waited = !backlog.is_empty();
        if self.closing.get() || backlog.len() + 2 + bytes.len() > BACKLOG {
            return;
        }
        backlog.extend(length.to_be_bytes());
        backlog.extend(bytes);
        drop(backlog);
        if !waited && (self.flush().is_err() || !self.backlog.borrow().is_empty()) {
            self.wake.notify_one();
        }
    }

    /// Writes what the system takes; says how much that was.
    fn flush(&self) -> io::Result<usize> {
        let mut backlog = self.backlog.borrow_mut();
        let mut written = 0;
        while !backlog.is_empty() {
            match self.stream.try_write(backlog.as_slices().0) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => {
                    backlog.drain(..length);
                    written += length;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        if backlog.is_empty() {
            backlog.shrink_to(0);
        }
        Ok(written)
    }
}

/// Carries frames until the connection is closed, by whomever.
async fn serve(connection: &Connection, receive: impl Fn(&[u8])) {
    let mut frames = Frames::default();
    let begun = Instant::now();
    let (mut heard, mut taken) = (begun, begun);
    while !connection.closed.get() {
        let waiting = !connection.backlog.borrow().is_empty();
        if !waiting {
            taken = Instant::now();
            if connection.closing.get() {
                return;
            }
        }
        let patience = if connection.proven.get() { heard + SILENT } else { begun + UNPROVEN };
        let patience = if waiting { patience.min(taken + STALLED) } else { patience };
        tokio::select! {
            ready = connection.stream.readable() => {
                let proven = || connection.proven.get();
                let read = ready.and_then(|()| frames.read(&connection.stream, &proven, &receive));
                match read {
                    Ok(Turn::Waits) => heard = Instant::now(),
                    Ok(Turn::GoesOn) => {
                        heard = Instant::now();
                        tokio::task::yield_now().await;
                    }
                    Ok(Turn::Ended) | Err(_) => return,
                }
            }
            ready = connection.stream.writable(), if waiting => {
                match ready.and_then(|()| connection.flush()) {
                    Ok(0) => {}
                    Ok(_) => taken = Instant::now(),
                    Err(_) => return,
                }
            }
            () = connection.wake.notified() => {}
            () = tokio::time::sleep_until(patience) => return,
        }
    }
}

/// How far a connection was read.
enum Turn {
    /// Nothing more is there.
    Waits,
    /// More is there, and others have a turn.
    GoesOn,
    /// Nothing more will come, or nothing that is a frame.
    Ended,
}

/// Cuts what arrives into frames.
#[derive(Default)]
struct Frames {
    /// The beginning of a frame that is not whole.
    begun: Vec<u8>,
    count: usize,
}

impl Frames {
    /// Reads what is there.
    fn read(
        &mut self,
        stream: &TcpStream,
        proven: &impl Fn() -> bool,
        receive: &impl Fn(&[u8]),
    ) -> io::Result<Turn> {
        let mut buffer = [0; 2 * FRAME];
        let mut taken = 0;
        while taken < TURN {
            match stream.try_read(&mut buffer) {
                Ok(0) => return Ok(Turn::Ended),
                Ok(length) => {
                    taken += length;
                    if !self.cut(buffer.get(..length).unwrap_or_default(), proven, receive) {
                        return Ok(Turn::Ended);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Turn::Waits),
                Err(error) => return Err(error),
            }
        }
        Ok(Turn::GoesOn)
    }

    /// Hands on the frames that are whole. False when this is no browser that checks a pair.
    fn cut(&mut self, bytes: &[u8], proven: &impl Fn() -> bool, receive: &impl Fn(&[u8])) -> bool {
        let mut joined = std::mem::take(&mut self.begun);
        let mut rest = if joined.is_empty() {
            bytes
        } else {
            joined.extend_from_slice(bytes);
            &joined
        };
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            let length = usize::from(u16::from_be_bytes(*length));
            if length > FRAME {
                return false;
            }
            let Some((frame, after)) = after.split_at_checked(length) else { break };
            rest = after;
            self.count += 1;
            // A pair is checked before anything else is sent on it (RFC 6544 §7.1): STUN begins with two zero bits.
            let check = frame.first().is_none_or(|first| *first <= 3);
            if !proven() && (!check || self.count > FRAMES_UNPROVEN) {
                return false;
            }
            receive(frame);
        }
        self.begun = rest.to_vec();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(frames: &mut Frames, bytes: &[u8], proven: bool) -> (Vec<Vec<u8>>, bool) {
        let received = RefCell::new(Vec::new());
        let goes_on =
            frames.cut(bytes, &|| proven, &|frame: &[u8]| received.borrow_mut().push(frame.to_vec()));
        (received.into_inner(), goes_on)
    }

    #[test]
    fn frames_are_cut_wherever_the_stream_was() {
        let stream = b"\0\x01a\0\x03bcd\0\0\0\x02ef";
        let whole: Vec<Vec<u8>> = [&b"a"[..], b"bcd", b"", b"ef"].map(<[u8]>::to_vec).into();
        for at in 0..=stream.len() {
            let mut frames = Frames::default();
            let (mut received, first) = cut(&mut frames, &stream[..at], true);
            let (more, second) = cut(&mut frames, &stream[at..], true);
            received.extend(more);
            assert_eq!((received, first, second), (whole.clone(), true, true), "cut at {at}");
            assert!(frames.begun.is_empty());
        }
    }

    #[test]
    fn what_is_no_check_ends_a_connection_that_has_not_proved_itself() {
        assert_eq!(cut(&mut Frames::default(), b"\0\x02\x16\xfe", false), (vec![], false), "a handshake");
        assert_eq!(cut(&mut Frames::default(), b"GET / HTTP/1.1\r\n", false), (vec![], false), "too long");
        assert_eq!(cut(&mut Frames::default(), b"\x08\x01", true), (vec![], false), "too long for all");
        let check = b"\0\x02\0\x01";
        assert_eq!(cut(&mut Frames::default(), check, false), (vec![vec![0, 1]], true));
        let (received, goes_on) = cut(&mut Frames::default(), &check.repeat(FRAMES_UNPROVEN + 1), false);
        assert_eq!((received.len(), goes_on), (FRAMES_UNPROVEN, false), "too many");
    }

    type Received = Rc<RefCell<Vec<(SocketAddr, Vec<u8>)>>>;

    /// A listener, what arrives, and what went.
    struct Place {
        streams: Rc<Streams>,
        address: SocketAddr,
        received: Received,
        gone: Rc<Cell<usize>>,
    }

    const ID: SocketId = SocketId::BrowserStream(0);

    fn place() -> Place {
        let received = Received::default();
        let gone = Rc::<Cell<usize>>::default();
        let (arrived, left) = (Rc::clone(&received), Rc::clone(&gone));
        let receiver: Receiver =
            Rc::new(move |_, from, bytes: &[u8]| arrived.borrow_mut().push((from, bytes.to_vec())));
        let leaving: Gone = Rc::new(move |_, _| left.set(left.get() + 1));
        let streams = Streams::new();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        streams.listen(ID, listener, &receiver, &leaving);
        Place { streams, address, received, gone }
    }

    async fn until(what: &str, condition: impl Fn() -> bool) {
        for _ in 0..10_000 {
            if condition() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("{what}");
    }

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, test);
    }

    #[test]
    fn a_browser_gets_whole_frames_and_the_connection_is_closed_after_the_last() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        run(async {
            let place = place();
            let mut browser = TcpStream::connect(place.address).await.unwrap();
            browser.write_all(b"\0\x03\0\x01x").await.unwrap();
            until("a frame", || place.received.borrow().len() == 1).await;
            let (from, frame) = place.received.borrow()[0].clone();
            assert_eq!((from, frame), (browser.local_addr().unwrap(), b"\0\x01x".to_vec()));
            place.streams.send(ID, from, b"answer");
            place.streams.send(ID, from, b"goodbye");
            place.streams.disconnect(ID, from);
            let mut all = Vec::new();
            browser.read_to_end(&mut all).await.unwrap();
            assert_eq!(all, b"\0\x06answer\0\x07goodbye");
            until("it is gone", || place.gone.get() == 1).await;
            assert!(place.streams.connections.borrow().is_empty());
        });
    }

    #[test]
    fn the_oldest_stranger_makes_room_and_who_proved_itself_stays() {
        run(async {
            let place = place();
            let proven = TcpStream::connect(place.address).await.unwrap();
            let from = proven.local_addr().unwrap();
            until("the browser", || place.streams.connections.borrow().len() == 1).await;
            place.streams.send(ID, from, b"answer");
            let mut strangers = Vec::new();
            for _ in 0..MOST_UNPROVEN + 20 {
                strangers.push(TcpStream::connect(place.address).await.unwrap());
            }
            until("room", || place.gone.get() == 20).await;
            assert!(place.streams.connections.borrow().contains_key(&(ID, from)));
            assert_eq!(place.streams.connections.borrow().len(), MOST_UNPROVEN + 1);
        });
    }

    #[test]
    fn what_a_slow_reader_does_not_take_is_dropped_and_not_kept() {
        run(async {
            let place = place();
            let browser = TcpStream::connect(place.address).await.unwrap();
            let from = browser.local_addr().unwrap();
            until("the browser", || place.streams.connections.borrow().len() == 1).await;
            for _ in 0..10_000 {
                place.streams.send(ID, from, &[0; 1200]);
            }
            let connection = Rc::clone(&place.streams.connections.borrow()[&(ID, from)]);
            let waiting = connection.backlog.borrow().len();
            assert!(waiting > BACKLOG - 1300 && waiting <= BACKLOG, "{waiting}");
        });
    }
}
