//! One connection: its socket, what waits in both directions, and its deadlines.
//!
//! ```text
//!             accept / connect
//!                    |
//!      plain  +------+------+  TLS, HTTPS
//!             |         Handshake
//!             +------+------+
//!          TCP, TLS  |      | HTTP, HTTPS
//!                   Sip    Head --- 101 ---> WebSocket
//!                           |
//!                           +-- another request --> Http (hyper) -- 101 --> WebSocket
//! ```
//!
//! In every stage: `Open` -> `Closing` (what waits is written, the peer's last words are read and thrown away)
//! -> `Dead` (the task ends and the socket is closed).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use sip::{ConnectionId, Flow, Framer, Hop};
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use websocket::{CloseCode, Decoder, FrameHead, Opcode, Role};

use crate::calendar::Tick;
use crate::config::Protocol;
use crate::handler::{ClosedFor, Event};
use crate::shared::Shared;
use crate::tls::{Session, SessionError};

/// How long a peer may take to answer our end of the connection.
const FAREWELL: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// TLS is not yet agreed.
    Handshake,
    /// An HTTP request's head is read.
    Head,
    /// Hyper has the connection.
    Http,
    /// A stream of SIP messages.
    Sip,
    /// A WebSocket.
    WebSocket,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    Closing,
    Dead,
}

/// Why the connection's task has stopped polling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A plain HTTP request has come: hyper is to serve it.
    Http,
    /// The connection is over.
    Over,
}

pub(crate) struct Connection {
    pub(crate) flow: Flow,
    pub(crate) protocol: Protocol,
    /// Where we connected to; `None` if the peer connected.
    pub(crate) hop: Option<Box<Hop>>,
    stream: TcpStream,
    session: Option<RefCell<Box<Session>>>,
    pub(crate) stage: Cell<Stage>,
    state: Cell<State>,
    /// Whether the first byte was looked at.
    sniffed: Cell<bool>,
    /// Whether the handler knows of it.
    pub(crate) opened: Cell<bool>,
    /// Whether our direction is shut.
    shut: Cell<bool>,
    /// Whether a WebSocket peer said Close.
    pub(crate) peer_closed: Cell<bool>,
    /// Whether what follows cannot be read, since the peer broke the protocol.
    pub(crate) deaf: Cell<bool>,
    /// The part of a message that has come.
    pub(crate) partial: Cell<Box<[u8]>>,
    /// What the socket did not take yet.
    queue: RefCell<VecDeque<u8>>,
    pub(crate) decoder: RefCell<Decoder>,
    pub(crate) framer: Cell<Framer>,
    waker: Cell<Option<Waker>>,
    /// The tick of its entry in the calendar.
    entered: Cell<Tick>,
    pub(crate) deadlines: Deadlines,
}

/// When something is over, each 0 if it is not under way.
#[derive(Default)]
pub(crate) struct Deadlines {
    pub(crate) handshake: Cell<Tick>,
    pub(crate) message: Cell<Tick>,
    pub(crate) stall: Cell<Tick>,
    pub(crate) farewell: Cell<Tick>,
    pub(crate) ping: Cell<Tick>,
    pub(crate) idle: Cell<Tick>,
    /// Pings sent since the peer was last heard.
    pub(crate) unanswered: Cell<u8>,
}

impl Deadlines {
    fn nearest(&self) -> Tick {
        [&self.handshake, &self.message, &self.stall, &self.farewell, &self.ping, &self.idle]
            .into_iter()
            .map(Cell::get)
            .filter(|tick| *tick != 0)
            .min()
            .unwrap_or(0)
    }
}

/// What a read brought.
enum Read {
    Nothing,
    Something,
    End,
}

impl Connection {
    pub(crate) fn new(
        net: &Shared,
        flow: Flow,
        protocol: Protocol,
        stream: TcpStream,
        session: Option<Session>,
        hop: Option<Box<Hop>>,
    ) -> Self {
        let stage = match (protocol, session.is_some()) {
            (_, true) => Stage::Handshake,
            (Protocol::Http | Protocol::Https, false) => Stage::Head,
            _ => Stage::Sip,
        };
        Self {
            flow,
            protocol,
            hop,
            stream,
            session: session.map(|session| RefCell::new(Box::new(session))),
            stage: Cell::new(stage),
            state: Cell::new(State::Open),
            sniffed: Cell::new(false),
            opened: Cell::new(false),
            shut: Cell::new(false),
            peer_closed: Cell::new(false),
            deaf: Cell::new(false),
            partial: Cell::default(),
            queue: RefCell::default(),
            decoder: RefCell::new(Decoder::new(
                Role::Server,
                u32::try_from(net.limits.message).unwrap_or(u32::MAX),
            )),
            framer: Cell::default(),
            waker: Cell::new(None),
            entered: Cell::new(0),
            deadlines: Deadlines::default(),
        }
    }

    pub(crate) const fn id(&self) -> ConnectionId {
        self.flow.connection
    }

    pub(crate) fn state(&self) -> State {
        self.state.get()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state.get() == State::Open
    }

    /// Whether bytes wait that the peer has not taken.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.queue.borrow().is_empty()
    }

    // ---- The task's side -------------------------------------------------------------------------------

    /// Does all that can be done now: writes what waits, reads what has come.
    pub(crate) fn poll(&self, net: &Rc<Shared>, cx: &Context<'_>) -> Poll<Step> {
        self.remember(cx.waker());
        let mut cx = Context::from_waker(cx.waker());
        loop {
            if self.state() == State::Dead {
                return Poll::Ready(Step::Over);
            }
            if self.poll_flush(net, &mut cx).is_ready() {
                self.go_on_closing();
            }
            if self.state() == State::Dead {
                continue;
            }
            if !self.sniffed.get() {
                ready!(self.poll_sniff(net, &mut cx));
                continue;
            }
            if ready!(self.stream.poll_read_ready(&mut cx)).is_err() {
                self.die();
                continue;
            }
            match self.read_once(net) {
                Read::Nothing => {}
                Read::Something if self.stage.get() == Stage::Http && self.is_open() => {
                    return Poll::Ready(Step::Http);
                }
                Read::Something => {}
                Read::End => self.die(),
            }
        }
    }

    /// Looks at the first byte, to tell TLS from everything else.
    fn poll_sniff(&self, net: &Shared, cx: &mut Context<'_>) -> Poll<()> {
        let mut byte = [0];
        let mut into = ReadBuf::new(&mut byte);
        if self.hop.is_none() {
            match ready!(self.stream.poll_peek(cx, &mut into)) {
                Ok(1) => {}
                _ => {
                    self.die();
                    return Poll::Ready(());
                }
            }
        }
        self.sniffed.set(true);
        // RFC 8446 §5.1: a handshake record begins with 22, as nothing in SIP or HTTP does.
        let is_tls = byte == [22];
        let (local, remote) = (self.flow.local, self.flow.remote);
        match (self.session.is_some(), is_tls) {
            _ if self.hop.is_some() => {}
            (true, false) => {
                net.event(&Event::PlainOnTlsPort { local, remote });
                if self.protocol == Protocol::Https {
                    self.queue.borrow_mut().extend(PLAIN_ON_TLS);
                }
                self.begin_closing(net);
            }
            (false, true) => {
                net.event(&Event::TlsOnPlainPort { local, remote });
                self.die();
            }
            _ => {}
        }
        Poll::Ready(())
    }

    /// Writes what waits, until the socket is full.
    pub(crate) fn poll_flush(&self, net: &Shared, cx: &mut Context<'_>) -> Poll<()> {
        while self.has_waiting() {
            if ready!(self.stream.poll_write_ready(cx)).is_err() {
                self.die();
                return Poll::Ready(());
            }
            let mut queue = self.queue.borrow_mut();
            let (first, second) = queue.as_slices();
            match self.stream.try_write_vectored(&[IoSlice::new(first), IoSlice::new(second)]) {
                Ok(length) => {
                    queue.drain(..length);
                    if queue.is_empty() {
                        *queue = VecDeque::new();
                        self.deadlines.stall.set(0);
                    } else {
                        self.deadlines.stall.set(net.calendar.after(net.limits.send_stall));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => {
                    drop(queue);
                    self.die();
                    return Poll::Ready(());
                }
            }
        }
        Poll::Ready(())
    }

    fn read_once(&self, net: &Rc<Shared>) -> Read {
        let mut buffer = net.take_buffer();
        let partial = self.partial.take();
        let start = partial.len();
        let outcome = match buffer.get_mut(start..).map(|free| self.read_plain(net, free)) {
            Some(Ok(0)) | None => Read::End,
            Some(Ok(length)) => {
                if let Some(front) = buffer.get_mut(..start) {
                    front.copy_from_slice(&partial);
                }
                self.heard(net);
                self.take_in(net, buffer.get_mut(..start.saturating_add(length)).unwrap_or_default());
                Read::Something
            }
            Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                self.partial.set(partial);
                Read::Nothing
            }
            Some(Err(_)) => Read::End,
        };
        net.give_buffer(buffer);
        outcome
    }

    /// Reads what the peer said, without TLS; 0 at its end.
    pub(crate) fn read_plain(&self, net: &Rc<Shared>, into: &mut [u8]) -> io::Result<usize> {
        let Some(session) = &self.session else {
            return self.stream.try_read(into);
        };
        if !self.is_open() && self.stage.get() == Stage::Handshake {
            // The peer speaks no TLS, or has spoken it wrongly: its bytes are only taken off the wire.
            return self.stream.try_read(into);
        }
        loop {
            let outcome = session.borrow_mut().read(&self.stream, into);
            self.pump(net);
            if self.stage.get() == Stage::Handshake && !session.borrow().is_handshaking() {
                self.handshake_over(net);
            }
            match outcome {
                Ok(length) => return Ok(length),
                Err(SessionError::Socket(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(SessionError::Socket(error)) => return Err(error),
                Err(SessionError::Tls(reason)) => {
                    let (local, remote) = (self.flow.local, self.flow.remote);
                    net.event(&Event::TlsFailed { local, remote, reason });
                    return Err(io::ErrorKind::InvalidData.into());
                }
            }
        }
    }

    fn handshake_over(&self, net: &Rc<Shared>) {
        if matches!(self.protocol, Protocol::Https) {
            self.stage.set(Stage::Head);
        } else {
            self.begin_sip(net);
        }
    }

    /// From now on this is a stream of SIP messages.
    pub(crate) fn begin_sip(&self, net: &Rc<Shared>) {
        self.stage.set(Stage::Sip);
        self.deadlines.handshake.set(0);
        if let Some(idle) = net.limits.stream_idle {
            self.deadlines.idle.set(net.calendar.after(idle));
        }
        self.opened.set(true);
        self.enter(net);
        net.call(|handler| handler.opened(&self.flow));
    }

    fn heard(&self, net: &Shared) {
        self.deadlines.unanswered.set(0);
        if self.stage.get() == Stage::Sip
            && let Some(idle) = net.limits.stream_idle
        {
            self.deadlines.idle.set(net.calendar.after(idle));
        }
    }

    pub(crate) fn remember(&self, waker: &Waker) {
        match self.waker.take() {
            Some(known) if known.will_wake(waker) => self.waker.set(Some(known)),
            _ => self.waker.set(Some(waker.clone())),
        }
    }

    pub(crate) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_read_ready(cx)
    }

    // ---- Writing ---------------------------------------------------------------------------------------

    /// Sends a SIP message, framed as the connection's transport wants it.
    pub(crate) fn send_message(&self, net: &Shared, bytes: &[u8]) {
        if self.flow.transport.is_websocket() {
            self.send_frame(net, Opcode::for_message(bytes), bytes);
        } else {
            self.write(net, &[], bytes);
        }
    }

    pub(crate) fn send_frame(&self, net: &Shared, opcode: Opcode, payload: &[u8]) {
        self.write(net, &FrameHead::new(opcode, payload.len(), None), payload);
    }

    /// Writes to the socket what it takes, and keeps the rest; closes if that is too much (A7: a slow reader
    /// costs a bounded amount of memory).
    pub(crate) fn write(&self, net: &Shared, head: &[u8], payload: &[u8]) {
        if self.state() == State::Dead || self.shut.get() {
            return;
        }
        if let Some(session) = &self.session {
            let written = {
                let mut session = session.borrow_mut();
                session.write(head).and_then(|()| session.write(payload))
            };
            if written.is_err() {
                return self.end(net, ClosedFor::SlowReader);
            }
            self.pump(net);
        } else {
            self.write_plain(head, payload);
        }
        self.after_write(net);
    }

    fn write_plain(&self, head: &[u8], payload: &[u8]) {
        let mut queue = self.queue.borrow_mut();
        let mut sent = 0;
        if queue.is_empty() {
            match self.stream.try_write_vectored(&[IoSlice::new(head), IoSlice::new(payload)]) {
                Ok(length) => sent = length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => {
                    drop(queue);
                    return self.die();
                }
            }
        }
        queue.extend(head.get(sent..).unwrap_or_default());
        queue.extend(payload.get(sent.saturating_sub(head.len())..).unwrap_or_default());
    }

    /// Moves what TLS has to say to the socket.
    fn pump(&self, net: &Shared) {
        let Some(session) = &self.session else { return };
        let mut session = session.borrow_mut();
        if !session.has_output() {
            return;
        }
        let pumped = session.pump(&self.stream, &mut self.queue.borrow_mut());
        drop(session);
        if pumped.is_err() {
            return self.die();
        }
        self.after_write(net);
    }

    /// Bounds what waits.
    fn after_write(&self, net: &Shared) {
        let waiting = self.queue.borrow().len();
        if waiting == 0 {
            return;
        }
        if waiting > net.limits.send_queue {
            return self.end(net, ClosedFor::SlowReader);
        }
        if self.deadlines.stall.get() == 0 {
            self.deadlines.stall.set(net.calendar.after(net.limits.send_stall));
            self.enter(net);
        }
        self.wake();
    }

    // ---- Ending ----------------------------------------------------------------------------------------

    /// Closes in good order: what was sent is delivered first.
    pub(crate) fn close(&self, net: &Shared, code: CloseCode, reason: &str) {
        if !self.is_open() {
            return;
        }
        if self.stage.get() == Stage::WebSocket {
            let mut payload = Vec::new();
            websocket::close::write(&mut payload, code, reason);
            self.send_frame(net, Opcode::Close, &payload);
        }
        self.begin_closing(net);
    }

    /// Answers a WebSocket peer's Close with its own code (RFC 6455 §5.5.1), and ends.
    pub(crate) fn answer_close(&self, net: &Shared, code: Option<CloseCode>) {
        self.peer_closed.set(true);
        if self.is_open() {
            let mut payload = Vec::new();
            if let Some(code) = code {
                websocket::close::write(&mut payload, code, "");
            }
            self.send_frame(net, Opcode::Close, &payload);
            self.begin_closing(net);
        }
        self.wake();
    }

    /// Closes since the peer did something, and says so.
    pub(crate) fn end(&self, net: &Shared, reason: ClosedFor) {
        if self.state() != State::Dead {
            net.event(&Event::Closed { local: self.flow.local, remote: self.flow.remote, reason });
        }
        self.die();
    }

    pub(crate) fn begin_closing(&self, net: &Shared) {
        if self.is_open() {
            self.state.set(State::Closing);
            self.deadlines.farewell.set(net.calendar.after(FAREWELL));
            for deadline in [&self.deadlines.ping, &self.deadlines.idle, &self.deadlines.message] {
                deadline.set(0);
            }
            self.enter(net);
            self.wake();
        }
    }

    /// All that waited is written: shuts our direction, unless a WebSocket peer still owes its Close.
    fn go_on_closing(&self) {
        let owes = self.stage.get() == Stage::WebSocket && !self.peer_closed.get() && !self.deaf.get();
        if self.state() != State::Closing || self.shut.get() || owes {
            return;
        }
        self.shut.set(true);
        if let Some(session) = &self.session
            && self.stage.get() != Stage::Handshake
        {
            let mut session = session.borrow_mut();
            session.close();
            let _ = session.pump(&self.stream, &mut self.queue.borrow_mut());
        }
        if self.peer_closed.get() {
            // Both have said Close: the server is the one to close the socket (RFC 6455 §7.1.1).
            return self.die();
        }
        // What the peer still sends is read until it closes: a socket that is closed with bytes unread takes
        // back what was sent last.
        let _ = socket2::SockRef::from(&self.stream).shutdown(std::net::Shutdown::Write);
    }

    /// Ends at once.
    pub(crate) fn die(&self) {
        self.state.set(State::Dead);
        self.wake();
    }

    pub(crate) fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    // ---- Deadlines -------------------------------------------------------------------------------------

    /// Enters the nearest deadline in the calendar, unless an entry as early stands there.
    pub(crate) fn enter(&self, net: &Shared) {
        let nearest = self.deadlines.nearest();
        let entered = self.entered.get();
        if nearest != 0 && (entered == 0 || nearest < entered) {
            self.entered.set(nearest);
            net.calendar.enter(nearest, self.id());
        }
    }

    /// The entry in the calendar has come up.
    pub(crate) fn due(&self, net: &Rc<Shared>, now: Tick) {
        if self.entered.get() > now || self.state() == State::Dead {
            return;
        }
        self.entered.set(0);
        let over = |deadline: &Cell<Tick>| deadline.get() != 0 && deadline.get() <= now;
        let deadlines = &self.deadlines;
        if over(&deadlines.farewell) {
            self.die();
        } else if over(&deadlines.handshake) {
            self.end(net, ClosedFor::SlowHandshake);
        } else if over(&deadlines.stall) {
            self.end(net, ClosedFor::SlowReader);
        } else if over(&deadlines.idle) {
            self.end(net, ClosedFor::Idle);
        } else if over(&deadlines.message) {
            deadlines.message.set(0);
            let (local, remote) = (self.flow.local, self.flow.remote);
            net.event(&Event::Closed { local, remote, reason: ClosedFor::SlowMessage });
            self.close(net, CloseCode::POLICY_VIOLATION, "one message took too long");
        } else if over(&deadlines.ping) {
            self.ping(net);
        }
        self.enter(net);
    }

    /// Asks a WebSocket peer whether it is there; gives it up after two questions without a sign of life.
    fn ping(&self, net: &Rc<Shared>) {
        if self.deadlines.unanswered.get() >= 2 {
            return self.end(net, ClosedFor::NoPong);
        }
        self.deadlines.unanswered.set(self.deadlines.unanswered.get().saturating_add(1));
        self.deadlines.ping.set(net.next_ping());
        self.send_frame(net, Opcode::Ping, &[]);
    }
}

/// For a person with a browser who forgot the `s`.
const PLAIN_ON_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 42\r\nConnection: close\r\n\r\nThis port speaks HTTPS: use https:// here\n";
