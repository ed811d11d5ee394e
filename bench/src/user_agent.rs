//! A SIP user of the load: our own agent, on a WebSocket like a page or on UDP like a desk phone.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant as StdInstant};

use agent::{Agent, Config, Event, Listens, Output, Settings, Via};
use sip::{Instant, SeededEntropy, Transport};
use websocket::{Decoded, Decoder, FrameHead, Opcode, Role};

use crate::Outcome;

/// How it reaches the server.
enum Link {
    WebSocket { stream: TcpStream, received: Vec<u8>, decoder: Decoder },
    Udp { socket: UdpSocket },
}

/// One user.
pub(crate) struct UserAgent {
    /// What it does in SIP.
    pub(crate) agent: Agent,
    link: Link,
    started: StdInstant,
    events: VecDeque<Event>,
    due: Instant,
}

impl UserAgent {
    /// A page of this user, on a WebSocket.
    pub(crate) fn page(server: SocketAddr, user: &str, password: &str) -> Outcome<Self> {
        let mut stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        let mut request = Vec::new();
        websocket::client::write_request(&mut request, "localhost", "/sip", None, [7; 16]);
        stream.write_all(&request)?;
        let mut answer = Vec::new();
        let mut part = [0; 1024];
        while websocket::client::check_response(&answer, [7; 16])?.is_none() {
            let length = stream.read(&mut part)?;
            answer.extend_from_slice(&part[..length]);
        }
        stream.set_nonblocking(true)?;
        let link = Link::WebSocket {
            stream,
            received: Vec::new(),
            decoder: Decoder::new(Role::Client, Decoder::DEFAULT_LIMIT),
        };
        Self::new(link, user, password, None, Transport::Ws)
    }

    /// A desk phone of this user, on UDP.
    pub(crate) fn desk_phone(server: SocketAddr, user: &str, password: &str) -> Outcome<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(server)?;
        socket.set_nonblocking(true)?;
        let contact = format!("sip:{user}@{}", socket.local_addr()?);
        Self::new(Link::Udp { socket }, user, password, Some(contact), Transport::Udp)
    }

    fn new(
        link: Link,
        user: &str,
        password: &str,
        contact: Option<String>,
        transport: Transport,
    ) -> Outcome<Self> {
        let via_host = contact.as_ref().and_then(|contact| Some(contact.split_once('@')?.1.to_owned()));
        let config = Config {
            contact_uri: contact,
            via_host,
            via: Via::new(transport),
            session_timers: false,
            settings: Settings {
                password: Some(password.to_owned()),
                listens: Listens { calls: true, ..Listens::default() },
                ..Settings::default()
            },
            ..Config::new(&format!("sip:{user}@example.com"))
        };
        let seed = user.bytes().fold(0, |seed, octet| seed << 8 | u64::from(octet));
        let agent = Agent::new(config, Box::new(SeededEntropy::new(seed)))?;
        let mut user =
            Self { agent, link, started: StdInstant::now(), events: VecDeque::new(), due: Instant::NEVER };
        let now = user.now();
        user.agent.connected(now, Via::new(transport));
        user.agent.register(now);
        user.drain()?;
        Ok(user)
    }

    /// The present moment on the agent's clock.
    pub(crate) fn now(&self) -> Instant {
        Instant::from_secs(1) + self.started.elapsed()
    }

    /// What happened, the oldest first.
    pub(crate) fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Takes in what arrived and does what is due; to be called after every command too.
    pub(crate) fn turn(&mut self) -> Outcome<()> {
        loop {
            let messages = self.link.read()?;
            if messages.is_empty() {
                break;
            }
            for message in messages {
                let now = self.now();
                self.agent.receive(now, &message);
            }
            self.drain()?;
        }
        let now = self.now();
        if now >= self.due {
            self.agent.timeout(now);
        }
        self.drain()
    }

    fn drain(&mut self) -> Outcome<()> {
        loop {
            match self.agent.poll() {
                Output::Transmit { bytes, flow: _ } => self.link.write(&bytes)?,
                Output::Event(event) => self.events.push_back(event),
                Output::Timeout(at) => {
                    self.due = at;
                    return Ok(());
                }
            }
        }
    }

    /// Waits for an event that `wanted` makes something of; others are dropped.
    pub(crate) fn wait<T>(&mut self, what: &str, mut wanted: impl FnMut(Event) -> Option<T>) -> Outcome<T> {
        let until = StdInstant::now() + Duration::from_secs(20);
        while StdInstant::now() < until {
            self.turn()?;
            while let Some(event) = self.event() {
                if let Some(found) = wanted(event) {
                    return Ok(found);
                }
            }
        }
        Err(format!("waited in vain for {what}").into())
    }
}

impl Link {
    fn read(&mut self) -> Outcome<Vec<Vec<u8>>> {
        let mut part = [0; 65_536];
        let mut messages = Vec::new();
        match self {
            Self::Udp { socket } => {
                while let Ok(length) = socket.recv(&mut part) {
                    messages.push(part[..length].to_vec());
                }
            }
            Self::WebSocket { stream, received, decoder } => {
                match stream.read(&mut part) {
                    Ok(0) => return Err("the server closed the connection".into()),
                    Ok(length) => received.extend_from_slice(&part[..length]),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error.into()),
                }
                while let Decoded::Frame { length, event } = decoder.decode(received)? {
                    if let websocket::Event::Message { payload, .. } = event {
                        messages.push(payload.into_owned());
                    }
                    received.drain(..length);
                }
            }
        }
        Ok(messages)
    }

    fn write(&mut self, message: &[u8]) -> Outcome<()> {
        match self {
            Self::Udp { socket } => {
                socket.send(message)?;
            }
            Self::WebSocket { stream, .. } => {
                let key = [1, 2, 3, 4];
                let mut frame = FrameHead::new(Opcode::Text, message.len(), Some(key)).to_vec();
                let start = frame.len();
                frame.extend_from_slice(message);
                websocket::mask(&mut frame[start..], key);
                let mut rest = &frame[..];
                while !rest.is_empty() {
                    match stream.write(rest) {
                        Ok(length) => rest = &rest[length..],
                        Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                        Err(error) => return Err(error.into()),
                    }
                }
            }
        }
        Ok(())
    }
}
