//! A stage for one transaction layer: messages to hand in, a clock to turn, a log of what comes out and when.

use sip::{
    Builder, ClientKey, HeaderName, Instant, Message, Method, NextHop, Output, Received, SeededEntropy,
    ServerKey, Timers, Transactions,
};

/// A neighbour over an unreliable or a reliable transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Datagram(u32),
    Stream(u32),
}

impl NextHop for Peer {
    fn is_reliable(&self) -> bool {
        matches!(self, Self::Stream(_))
    }
}

pub(crate) const UDP: Peer = Peer::Datagram(0);
pub(crate) const TCP: Peer = Peer::Stream(0);

pub(crate) struct Stage {
    pub(crate) table: Transactions<Peer>,
    /// Milliseconds.
    pub(crate) now: u64,
    /// What came out since it was last read: when, where to, and the method, status or event.
    log: Vec<(u64, Option<Peer>, String)>,
    pub(crate) bytes: Vec<Vec<u8>>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(Timers::default())
    }

    pub(crate) fn with(timers: Timers) -> Self {
        let table = Transactions::new(timers, &mut SeededEntropy::new(1));
        Self { table, now: 0, log: Vec::new(), bytes: Vec::new() }
    }

    pub(crate) fn time(&self) -> Instant {
        Instant::from_millis(self.now)
    }

    /// Turns the clock to `now`, stopping wherever the layer wants to be called.
    pub(crate) fn run_until(&mut self, now: u64) {
        self.drain();
        while let Some(next) = self.table.next_timeout().filter(|next| *next <= Instant::from_millis(now)) {
            self.now = next.as_millis();
            self.table.timeout(next);
            self.drain();
        }
        self.now = now;
    }

    pub(crate) fn receive(&mut self, from: Peer, message: Message) -> Received {
        let received = self.table.receive(self.time(), &from, message);
        self.drain();
        received
    }

    pub(crate) fn request(&mut self, to: Peer, request: &Message) -> ClientKey {
        let key = self.table.request(self.time(), to, request.clone());
        self.drain();
        key
    }

    pub(crate) fn respond(&mut self, key: ServerKey, response: &Message) {
        self.table.respond(self.time(), key, response.as_bytes().to_vec());
        self.drain();
    }

    pub(crate) fn cancel(&mut self, key: ClientKey, reason: Option<&[u8]>) {
        self.table.cancel(self.time(), key, reason);
        self.drain();
    }

    /// A request that must be new.
    pub(crate) fn accept(&mut self, from: Peer, request: &Message) -> ServerKey {
        match self.receive(from, request.clone()) {
            Received::Request { key, .. } => key,
            other => panic!("not a new request: {other:?}"),
        }
    }

    /// What came out since the last look, with the time in milliseconds.
    pub(crate) fn timeline(&mut self) -> Vec<(u64, String)> {
        self.drain();
        self.log.drain(..).map(|(at, _, what)| (at, what)).collect()
    }

    /// What came out since the last look.
    pub(crate) fn events(&mut self) -> Vec<String> {
        self.timeline().into_iter().map(|(_, what)| what).collect()
    }

    /// Where the transmissions since the last look went.
    pub(crate) fn hops(&mut self) -> Vec<Peer> {
        self.drain();
        self.log.drain(..).filter_map(|(_, hop, _)| hop).collect()
    }

    fn drain(&mut self) {
        while let Some(output) = self.table.poll() {
            let (hop, what) = match output {
                Output::Transmit { to, bytes } => {
                    let what = label(&bytes);
                    self.bytes.push(bytes.to_vec());
                    (Some(to), what)
                }
                Output::TimedOut { .. } => (None, "timed out".into()),
                Output::Unreachable { .. } => (None, "unreachable".into()),
                Output::NoAck { .. } => (None, "no ack".into()),
                Output::ClientEnded { .. } | Output::ServerEnded { .. } => (None, "ended".into()),
            };
            self.log.push((self.now, hop, what));
        }
    }
}

fn label(bytes: &[u8]) -> String {
    let message = Message::parse(bytes).unwrap();
    message.check().unwrap();
    match message.status() {
        Some(status) => status.to_string(),
        None => String::from_utf8(message.method().unwrap().as_bytes().to_vec()).unwrap(),
    }
}

/// A request with this branch.
pub(crate) fn request(method: Method<'_>, branch: &str) -> Message {
    let cseq = [b"7 ", method.as_bytes()].concat();
    let via = format!("SIP/2.0/UDP client.example:5070;branch={branch};rport");
    let bytes = Builder::request(method, b"sip:bob@example.com")
        .header(HeaderName::Via, via.as_bytes())
        .header(HeaderName::MaxForwards, b"70")
        .header(HeaderName::Route, b"<sip:first.example;lr>, <sip:second.example;lr>")
        .header(HeaderName::From, b"Alice <sip:alice@example.com>;tag=a1")
        .header(HeaderName::To, b"Bob <sip:bob@example.com>")
        .header(HeaderName::CallId, b"call@client.example")
        .header(HeaderName::CSeq, &cseq)
        .header(HeaderName::Contact, b"<sip:alice@client.example:5070>")
        .finish()
        .unwrap();
    Message::parse(&bytes).unwrap()
}

pub(crate) fn invite() -> Message {
    request(Method::Invite, "z9hG4bK-invite")
}

pub(crate) fn response(request: &Message, status: u16) -> Message {
    tagged(request, status, "b1")
}

/// A response with this To tag.
pub(crate) fn tagged(request: &Message, status: u16, tag: &str) -> Message {
    let builder = Builder::response_to(request, status, "").to_tag(tag.as_bytes());
    Message::parse(&builder.finish().unwrap()).unwrap()
}

/// The ACK with which a client transaction of RFC 3261 §17.1.1.3 answers.
pub(crate) fn ack(invite: &Message, response: &Message) -> Message {
    let mut edit = Builder::request(Method::Ack, invite.request_uri());
    for name in [HeaderName::Via, HeaderName::From, HeaderName::CallId] {
        edit = edit.copy_first(invite, name);
    }
    let bytes = edit
        .copy_first(response, HeaderName::To)
        .header(HeaderName::MaxForwards, b"70")
        .header(HeaderName::CSeq, b"7 ACK")
        .finish()
        .unwrap();
    Message::parse(&bytes).unwrap()
}

/// `message` with `from` replaced by `to` in its bytes.
pub(crate) fn altered(message: &Message, from: &str, to: &str) -> Message {
    let text = String::from_utf8(message.as_bytes().to_vec()).unwrap();
    assert!(text.contains(from), "{from} is not in the message");
    Message::parse(text.replace(from, to).as_bytes()).unwrap()
}

pub(crate) fn is_response(received: &Received, key: ClientKey) -> bool {
    matches!(received, Received::Response { key: found, .. } if *found == key)
}

pub(crate) fn is_absorbed(received: &Received) -> bool {
    matches!(received, Received::Absorbed)
}
