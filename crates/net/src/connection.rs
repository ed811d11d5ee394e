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
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use sip::{ConnectionId, Flow, Framer, Hop};
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use websocket::{Decoder, Role};

use crate::backlog::Backlog;
use crate::calendar::Tick;
use crate::config::Protocol;
use crate::deadlines::Deadlines;
use crate::handler::Event;
use crate::shared::Shared;
use crate::stream;
use crate::tls::{Session, SessionError};
use crate::turn;

/// Reads in a row, before other tasks have their turn: who sends faster than we follow is not the only one here.
const READS: usize = 4;
/// How long a peer may be connected without having said anything (A6).
const FIRST_WORD: Duration = Duration::from_secs(120);

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
    pub(crate) stream: TcpStream,
    pub(crate) session: Option<RefCell<Box<Session>>>,
    pub(crate) stage: Cell<Stage>,
    pub(crate) state: Cell<State>,
    /// Whether the first byte was looked at.
    sniffed: Cell<bool>,
    /// Whether something may have been read that stands in no buffer of ours, but in that of TLS.
    pub(crate) eager: Cell<bool>,
    /// Whether the handler knows of it.
    pub(crate) opened: Cell<bool>,
    /// Whether our direction is shut.
    pub(crate) shut: Cell<bool>,
    /// Whether a WebSocket peer said Close.
    pub(crate) peer_closed: Cell<bool>,
    /// Whether what follows cannot be read, since the peer broke the protocol.
    pub(crate) deaf: Cell<bool>,
    /// The part of a message that has come.
    pub(crate) partial: Cell<Box<[u8]>>,
    /// Whether it holds something back until the turn is over.
    pub(crate) holds: Cell<bool>,
    /// What the socket did not take yet.
    pub(crate) queue: RefCell<Backlog>,
    pub(crate) decoder: RefCell<Decoder>,
    pub(crate) framer: Cell<Framer>,
    pub(crate) waker: Cell<Option<Waker>>,
    /// The tick of its entry in the calendar.
    pub(crate) entered: Cell<Tick>,
    pub(crate) deadlines: Deadlines,
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
            eager: Cell::new(false),
            opened: Cell::new(false),
            shut: Cell::new(false),
            peer_closed: Cell::new(false),
            deaf: Cell::new(false),
            partial: Cell::default(),
            holds: Cell::new(false),
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
        let mut reads = 0;
        loop {
            if self.state() == State::Dead {
                return Poll::Ready(Step::Over);
            }
            if reads == READS {
                return turn::after_the_others(&mut cx);
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
            if !self.eager.take() && ready!(self.stream.poll_read_ready(&mut cx)).is_err() {
                self.die();
                continue;
            }
            match self.read_once(net) {
                Read::Nothing => {}
                Read::Something if self.stage.get() == Stage::Http && self.is_open() => {
                    return Poll::Ready(Step::Http);
                }
                Read::Something => reads += 1,
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
            match self.write_queue() {
                Ok(()) if self.has_waiting() => {
                    self.deadlines.stall.set(net.calendar.after(net.limits.send_stall));
                }
                Ok(()) => self.deadlines.stall.set(0),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => {
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
            return stream::read(&self.stream, into);
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
                Ok(length) => {
                    // TLS may hold more than was asked for, and the socket does not tell.
                    self.eager.set(length > 0);
                    return Ok(length);
                }
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
        if let Some(session) = &self.session {
            session.borrow_mut().nothing_waits();
        }
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
            self.deadlines.idle.set(net.calendar.after(idle.min(FIRST_WORD)));
        }
        self.opened.set(true);
        self.enter(net);
        self.announce(net);
    }

    /// Tells the handler of this connection, and who it is if it has shown that.
    pub(crate) fn announce(&self, net: &Shared) {
        net.call(|handler| handler.opened(&self.flow));
        let domains = self.session.as_ref().map(|session| session.borrow().client_domains());
        if let Some(domains) = domains.filter(|domains| !domains.is_empty()) {
            net.call(|handler| handler.identified(&self.flow, domains));
        }
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
}

/// For a person with a browser who forgot the `s`.
const PLAIN_ON_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 42\r\nConnection: close\r\n\r\nThis port speaks HTTPS: use https:// here\n";
