//! The sockets of the load: each end is a phone's or a page's, and all of them wait in one epoll.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};
use rustls::pki_types::ServerName;
use sip::{Framed, Framer};
use websocket::{Decoded, Decoder, FrameHead, Opcode, Role};

use crate::Outcome;

/// The kernel's buffer of a socket in each direction: a stall of the machine shall not lose what is under way.
const SOCKET_BUFFER: usize = 4 << 20;
/// The largest message that is read in one go.
const READ: usize = 1 << 16;
/// How many readable ends are taken in one turn.
const EVENTS: usize = 256;
/// From here two neighbouring ports are looked for.
const FIRST_PORT: u16 = 20_000;
/// The key of all frames: what it is is all the same to who unmasks them.
const MASK: [u8; 4] = [0x5a, 0x13, 0xc7, 0x88];
/// The nonce of all handshakes.
const NONCE: [u8; 16] = [7; 16];

/// How an end reaches the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A WebSocket.
    Ws,
    /// A WebSocket over TLS.
    Wss,
}

impl Wire {
    /// The transport in Via.
    pub(crate) const fn via(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }

    /// The parameter of a contact. Pages write `ws` in either case (RFC 7118 §5).
    const fn parameter(self) -> &'static str {
        match self {
            Self::Udp => "",
            Self::Tcp => ";transport=tcp",
            Self::Ws | Self::Wss => ";transport=ws",
        }
    }
}

/// Where a server listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) udp: SocketAddr,
    pub(crate) tcp: SocketAddr,
    pub(crate) ws: SocketAddr,
    pub(crate) wss: SocketAddr,
}

/// One socket of the load, with its names in messages.
pub(crate) struct End {
    /// How it reaches the server.
    pub(crate) wire: Wire,
    /// The sent-by of its Via.
    pub(crate) sent_by: String,
    link: Link,
}

impl End {
    /// The contact of a user at this end.
    pub(crate) fn contact(&self, user: &str) -> String {
        format!("sip:{user}@{}{}", self.sent_by, self.wire.parameter())
    }
}

enum Link {
    Udp(UdpSocket),
    /// What comes in here becomes an end that stands for the listener's.
    Listener(TcpListener),
    Stream(Box<Stream>),
}

/// A connection, and what is left over between two turns.
struct Stream {
    socket: TcpStream,
    protocol: Protocol,
    tls: Option<Box<rustls::ClientConnection>>,
    rest: Vec<u8>,
    unsent: Vec<u8>,
    stands_for: Option<usize>,
}

enum Protocol {
    Sip(Framer),
    WebSocket(Decoder),
}

/// What uses the ends.
pub(crate) trait Work {
    /// Does what is due, and says when there is more to do; `None` when all is done.
    fn due(&mut self, now: Instant, ends: &mut Ends) -> Outcome<Option<Instant>>;
    /// A message came in at an end.
    fn message(&mut self, now: Instant, end: usize, bytes: &[u8], ends: &mut Ends) -> Outcome<()>;
}

/// All ends.
pub(crate) struct Ends {
    epoll: OwnedFd,
    ends: Vec<End>,
    buffer: Vec<u8>,
    events: Vec<epoll::Event>,
    /// Ends that could not send all they had.
    blocked: Vec<usize>,
    /// Connections that the server closed.
    pub(crate) closed: usize,
    /// Pings answered.
    pub(crate) pings: usize,
    /// Never sleep: no server is charged with waking the load.
    pub(crate) busy: bool,
}

impl Ends {
    /// None yet.
    pub(crate) fn new(busy: bool) -> Outcome<Self> {
        Ok(Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            ends: Vec::new(),
            buffer: vec![0; READ],
            events: Vec::with_capacity(EVENTS),
            blocked: Vec::new(),
            closed: 0,
            pings: 0,
            busy,
        })
    }

    /// An end by its number.
    pub(crate) fn get(&self, end: usize) -> &End {
        &self.ends[end]
    }

    fn add(&mut self, wire: Wire, sent_by: String, link: Link) -> Outcome<usize> {
        let number = self.ends.len();
        let data = epoll::EventData::new_u64(number as u64);
        epoll::add(&self.epoll, descriptor(&link), data, epoll::EventFlags::IN)?;
        self.ends.push(End { wire, sent_by, link });
        Ok(number)
    }

    /// Two phones on UDP whose ports differ in the last bit only, so that a forwarder need not look into a datagram
    /// to know where it goes.
    pub(crate) fn pair(&mut self, server: SocketAddr) -> Outcome<(usize, usize)> {
        for port in (FIRST_PORT..u16::MAX - 1).step_by(2) {
            let (Ok(even), Ok(odd)) = (datagrams(port), datagrams(port + 1)) else { continue };
            return Ok((self.add_phone(even, server)?, self.add_phone(odd, server)?));
        }
        Err("no two neighbouring UDP ports are free".into())
    }

    /// A phone on UDP.
    pub(crate) fn phone(&mut self, server: SocketAddr) -> Outcome<usize> {
        self.add_phone(datagrams(0)?, server)
    }

    fn add_phone(&mut self, socket: UdpSocket, server: SocketAddr) -> Outcome<usize> {
        socket.connect(server)?;
        let sent_by = socket.local_addr()?.to_string();
        self.add(Wire::Udp, sent_by, Link::Udp(socket))
    }

    /// A phone that connects to the server.
    pub(crate) fn connection(&mut self, server: SocketAddr) -> Outcome<usize> {
        let socket = connect(server)?;
        let sent_by = socket.local_addr()?.to_string();
        socket.set_nonblocking(true)?;
        let stream = Stream::new(socket, Protocol::Sip(Framer::default()), None);
        self.add(Wire::Tcp, sent_by, Link::Stream(Box::new(stream)))
    }

    /// A phone that the server connects to.
    pub(crate) fn listener(&mut self) -> Outcome<usize> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let sent_by = listener.local_addr()?.to_string();
        self.add(Wire::Tcp, sent_by, Link::Listener(listener))
    }

    /// A page, its WebSocket open.
    pub(crate) fn page(
        &mut self,
        server: SocketAddr,
        tls: Option<&Arc<rustls::ClientConfig>>,
    ) -> Outcome<usize> {
        let mut socket = connect(server)?;
        let mut session = match tls {
            Some(config) => {
                let name = ServerName::try_from("localhost")?;
                Some(Box::new(rustls::ClientConnection::new(Arc::clone(config), name)?))
            }
            None => None,
        };
        let rest = open_websocket(&mut socket, session.as_deref_mut(), server)?;
        socket.set_nonblocking(true)?;
        let decoder = Decoder::new(Role::Client, Decoder::DEFAULT_LIMIT);
        let mut stream = Stream::new(socket, Protocol::WebSocket(decoder), session);
        stream.rest = rest;
        let wire = if tls.is_some() { Wire::Wss } else { Wire::Ws };
        let sent_by = format!("p{}.invalid", self.ends.len());
        self.add(wire, sent_by, Link::Stream(Box::new(stream)))
    }

    /// Sends a message.
    pub(crate) fn send(&mut self, end: usize, message: &[u8]) -> Outcome<()> {
        match &mut self.ends[end].link {
            Link::Udp(socket) => match socket.send(message) {
                Ok(_) => Ok(()),
                // It is lost, and its call will be counted as failed.
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionRefused) =>
                {
                    Ok(())
                }
                Err(error) => Err(error.into()),
            },
            Link::Listener(_) => Err("a listener sends nothing".into()),
            Link::Stream(stream) => {
                if !stream.send(message)? {
                    self.blocked.push(end);
                }
                Ok(())
            }
        }
    }

    /// Lets `work` have its way until it is done, or until `deadline`.
    pub(crate) fn run(&mut self, work: &mut dyn Work, deadline: Instant) -> Outcome<()> {
        loop {
            let now = Instant::now();
            let Some(next) = work.due(now, self)? else { return Ok(()) };
            if now >= deadline {
                return Ok(());
            }
            self.flush()?;
            let rest = next.min(deadline).saturating_duration_since(now);
            let rest = if self.busy { Duration::ZERO } else { rest };
            self.turn(work, rest)?;
        }
    }

    fn turn(&mut self, work: &mut dyn Work, longest: Duration) -> Outcome<()> {
        let longest = if self.blocked.is_empty() { longest } else { longest.min(Duration::from_millis(1)) };
        let timeout =
            Timespec { tv_sec: longest.as_secs().try_into()?, tv_nsec: longest.subsec_nanos().into() };
        let mut events = std::mem::take(&mut self.events);
        events.clear();
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        for event in &events {
            self.read(usize::try_from(event.data.u64())?, &mut buffer, work)?;
        }
        (self.buffer, self.events) = (buffer, events);
        Ok(())
    }

    fn read(&mut self, number: usize, buffer: &mut [u8], work: &mut dyn Work) -> Outcome<()> {
        match &mut self.ends[number].link {
            Link::Udp(_) => self.read_datagrams(number, buffer, work),
            Link::Listener(listener) => {
                let (socket, _) = listener.accept()?;
                socket.set_nodelay(true)?;
                socket.set_nonblocking(true)?;
                let mut stream = Stream::new(socket, Protocol::Sip(Framer::default()), None);
                stream.stands_for = Some(number);
                let sent_by = self.ends[number].sent_by.clone();
                self.add(Wire::Tcp, sent_by, Link::Stream(Box::new(stream))).map(drop)
            }
            Link::Stream(_) => self.read_stream(number, buffer, work),
        }
    }

    fn read_datagrams(&mut self, number: usize, buffer: &mut [u8], work: &mut dyn Work) -> Outcome<()> {
        loop {
            let Link::Udp(socket) = &self.ends[number].link else { return Ok(()) };
            let length = match socket.recv(buffer) {
                Ok(length) => length,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionRefused) =>
                {
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            };
            work.message(Instant::now(), number, &buffer[..length], self)?;
        }
    }

    fn read_stream(&mut self, number: usize, buffer: &mut [u8], work: &mut dyn Work) -> Outcome<()> {
        let Link::Stream(stream) = &mut self.ends[number].link else { return Ok(()) };
        let mut rest = std::mem::take(&mut stream.rest);
        if !stream.receive(buffer, &mut rest)? {
            // Level-triggered: who is gone would be told of for ever.
            self.closed += 1;
            epoll::delete(&self.epoll, descriptor(&self.ends[number].link))?;
            return Ok(());
        }
        let now = Instant::now();
        let mut used = 0;
        loop {
            let Link::Stream(stream) = &mut self.ends[number].link else { return Ok(()) };
            match stream.next(&mut rest[used..])? {
                Piece::Message { length, payload } => {
                    let payload = used + payload.start..used + payload.end;
                    used += length;
                    work.message(now, number, &rest[payload], self)?;
                }
                Piece::Other { length } => used += length,
                Piece::Ping { length } => {
                    used += length;
                    self.pings += 1;
                }
                Piece::None => break,
            }
        }
        rest.drain(..used);
        // Idle connections hold nothing, however many there are.
        if rest.is_empty() {
            rest = Vec::new();
        }
        if let Link::Stream(stream) = &mut self.ends[number].link {
            stream.rest = rest;
        }
        Ok(())
    }

    fn flush(&mut self) -> Outcome<()> {
        for end in std::mem::take(&mut self.blocked) {
            if let Link::Stream(stream) = &mut self.ends[end].link
                && !stream.flush()?
            {
                self.blocked.push(end);
            }
        }
        Ok(())
    }

    /// The end that others know: of a connection that came in, its listener.
    pub(crate) fn known_as(&self, end: usize) -> usize {
        match &self.ends[end].link {
            Link::Stream(stream) => stream.stands_for.unwrap_or(end),
            _ => end,
        }
    }
}

/// What stands at the start of the received bytes.
enum Piece {
    Message {
        length: usize,
        payload: std::ops::Range<usize>,
    },
    Other {
        length: usize,
    },
    /// Answered already.
    Ping {
        length: usize,
    },
    None,
}

impl Stream {
    const fn new(socket: TcpStream, protocol: Protocol, tls: Option<Box<rustls::ClientConnection>>) -> Self {
        Self { socket, protocol, tls, rest: Vec::new(), unsent: Vec::new(), stands_for: None }
    }

    /// Sends a message; false if some of it must wait.
    fn send(&mut self, message: &[u8]) -> Outcome<bool> {
        match self.protocol {
            Protocol::Sip(_) => self.write(message),
            Protocol::WebSocket(_) => self.write(&frame(Opcode::Text, message)),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Outcome<bool> {
        match &mut self.tls {
            Some(session) => {
                session.writer().write_all(bytes)?;
                while session.wants_write() {
                    session.write_tls(&mut self.unsent)?;
                }
            }
            None => self.unsent.extend_from_slice(bytes),
        }
        self.flush()
    }

    fn flush(&mut self) -> Outcome<bool> {
        let mut sent = 0;
        while sent < self.unsent.len() {
            match self.socket.write(&self.unsent[sent..]) {
                Ok(length) => sent += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(format!("a connection of the load broke: {error}").into()),
            }
        }
        self.unsent.drain(..sent);
        if self.unsent.is_empty() && self.unsent.capacity() > 1 << 16 {
            self.unsent = Vec::new();
        }
        Ok(self.unsent.is_empty())
    }

    /// Reads once, and puts what came behind `rest`; false if the server closed the connection.
    fn receive(&mut self, buffer: &mut [u8], rest: &mut Vec<u8>) -> Outcome<bool> {
        let length = match self.socket.read(buffer) {
            Ok(0) => return Ok(false),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let Some(session) = &mut self.tls else {
            rest.extend_from_slice(&buffer[..length]);
            return Ok(true);
        };
        let mut arrived = &buffer[..length];
        while !arrived.is_empty() {
            session.read_tls(&mut arrived)?;
            let state = session.process_new_packets()?;
            let start = rest.len();
            rest.resize(start + state.plaintext_bytes_to_read(), 0);
            session.reader().read_exact(&mut rest[start..])?;
        }
        Ok(true)
    }

    fn next(&mut self, bytes: &mut [u8]) -> Outcome<Piece> {
        let (opcode, payload, length) = match &mut self.protocol {
            Protocol::Sip(framer) => {
                return match framer.next(bytes) {
                    Framed::Message(length) => Ok(Piece::Message { length, payload: 0..length }),
                    Framed::KeepAlive(length) | Framed::Pong(length) => Ok(Piece::Other { length }),
                    Framed::Incomplete => Ok(Piece::None),
                    Framed::Broken(fault) => Err(format!("a stream cannot be followed: {fault:?}").into()),
                };
            }
            Protocol::WebSocket(decoder) => match decoder.decode(bytes)? {
                Decoded::Incomplete { .. } => return Ok(Piece::None),
                Decoded::Frame { length, event } => match event {
                    websocket::Event::Message { payload, .. } => {
                        let start = length - payload.len();
                        if matches!(payload, std::borrow::Cow::Owned(_)) {
                            return Err("a message came in fragments, which the load does not read".into());
                        }
                        return Ok(Piece::Message { length, payload: start..length });
                    }
                    websocket::Event::Ping(payload) => (Opcode::Pong, payload.to_vec(), length),
                    websocket::Event::Close { .. } => (Opcode::Close, Vec::new(), length),
                    _ => return Ok(Piece::Other { length }),
                },
            },
        };
        self.write(&frame(opcode, &payload))?;
        Ok(if opcode == Opcode::Pong { Piece::Ping { length } } else { Piece::Other { length } })
    }
}

fn frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut frame = FrameHead::new(opcode, payload.len(), Some(MASK)).to_vec();
    let start = frame.len();
    frame.extend_from_slice(payload);
    websocket::mask(&mut frame[start..], MASK);
    frame
}

fn descriptor(link: &Link) -> BorrowedFd<'_> {
    match link {
        Link::Udp(socket) => socket.as_fd(),
        Link::Listener(socket) => socket.as_fd(),
        Link::Stream(stream) => stream.socket.as_fd(),
    }
}

fn datagrams(port: u16) -> Outcome<UdpSocket> {
    let socket = UdpSocket::bind(("127.0.0.1", port))?;
    rustix::net::sockopt::set_socket_recv_buffer_size(&socket, SOCKET_BUFFER)?;
    rustix::net::sockopt::set_socket_send_buffer_size(&socket, SOCKET_BUFFER)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn connect(server: SocketAddr) -> Outcome<TcpStream> {
    let socket = TcpStream::connect(server)?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// The opening handshake, TLS first. Returns what came behind the server's answer.
fn open_websocket(
    socket: &mut TcpStream,
    mut session: Option<&mut rustls::ClientConnection>,
    server: SocketAddr,
) -> Outcome<Vec<u8>> {
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut request = Vec::new();
    websocket::client::write_request(&mut request, &server.to_string(), "/sip", None, NONCE);
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    match &mut session {
        Some(session) => rustls::Stream::new(&mut **session, &mut *socket).write_all(&request)?,
        None => socket.write_all(&request)?,
    }
    loop {
        if let Some(length) = websocket::client::check_response(&answer, NONCE)? {
            return Ok(answer.split_off(length));
        }
        let length = match &mut session {
            Some(session) => rustls::Stream::new(&mut **session, &mut *socket).read(&mut part)?,
            None => socket.read(&mut part)?,
        };
        if length == 0 {
            return Err("the server closed the connection instead of opening a WebSocket".into());
        }
        answer.extend_from_slice(&part[..length]);
    }
}
