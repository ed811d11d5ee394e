//! A house with a proxy in it and phones around it, under virtual time: the phones are flows and raw messages.

mod call;
mod trunks;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use proxy::stir::{Claims, Invalid, Signed};
use proxy::{
    Common, Config, Event, Listener, News, Output, Proxy, Question, StoreError, TokenHolder, UserSecret,
};
use sip::digest::{Algorithm, Challenge, Ha1};
use sip::{ConnectionId, Flow, HeaderName, Hop, Instant, Message, SeededEntropy, Transport};

pub(crate) use call::{bob, call, established};
pub(crate) use trunks::{account, group, server};

pub(crate) const SECRET: [u8; 32] = [42; 32];
pub(crate) const START: Instant = Instant::from_secs(1_700_000_000);

/// The proxy, and all that it asks and says.
pub(crate) struct House {
    pub(crate) proxy: Proxy,
    pub(crate) now: Instant,
    pub(crate) users: HashMap<String, String>,
    pub(crate) tokens: HashMap<String, TokenHolder>,
    pub(crate) hosts: HashMap<String, Vec<Hop>>,
    pub(crate) stored: HashMap<Vec<u8>, Option<Vec<u8>>>,
    pub(crate) store_fails: bool,
    /// Whether what is to be signed is.
    pub(crate) signs: bool,
    /// What was to be signed.
    pub(crate) signed: Vec<Claims>,
    /// What signatures are worth.
    pub(crate) verdict: Result<(), Invalid>,
    /// What was asked about signatures.
    pub(crate) asked: Vec<Question>,
    /// Every name has an address.
    pub(crate) any_host: bool,
    pub(crate) sent: Vec<(Hop, Message)>,
    pub(crate) events: Vec<Event>,
    /// What the proxies of other event loops are to hear.
    pub(crate) shared: Vec<News>,
    pub(crate) next_timeout: Instant,
    seed: u64,
}

/// The configuration of the tests: example.com, the five transports on 192.0.2.1.
pub(crate) fn config() -> Config {
    let listen = |transport, port| Listener::new(transport, SocketAddr::from(([192, 0, 2, 1], port)));
    Config {
        domains: vec!["example.com".to_owned()],
        listeners: vec![
            listen(Transport::Udp, 5060),
            listen(Transport::Tcp, 5060),
            listen(Transport::Tls, 5061),
            listen(Transport::Ws, 8080),
            listen(Transport::Wss, 8443),
        ],
        ..Config::default()
    }
}

/// The same, with nobody asked for a password.
pub(crate) fn open_config() -> Config {
    let mut config = config();
    config.authentication.required = false;
    config
}

pub(crate) fn house(config: Config) -> House {
    House::with_seed(config, 1)
}

impl House {
    pub(crate) fn with_seed(config: Config, seed: u64) -> Self {
        Self::of(Proxy::new(config, SECRET, Box::new(SeededEntropy::new(seed))), seed)
    }

    /// One event loop of a server that has several.
    pub(crate) fn among(config: Config, place: usize, common: &Common) -> Self {
        let seed = place as u64 + 1;
        let proxy = Proxy::among(config, SECRET, Box::new(SeededEntropy::new(seed)), common);
        Self::of(proxy.at_place(place), seed)
    }

    fn of(proxy: Proxy, seed: u64) -> Self {
        let users = [("alice", "secret-a"), ("bob", "secret-b"), ("carol", "secret-c")];
        let mut house = Self {
            proxy,
            now: START,
            users: users.map(|(user, password)| (user.to_owned(), password.to_owned())).into(),
            tokens: HashMap::new(),
            hosts: HashMap::new(),
            stored: HashMap::new(),
            store_fails: false,
            signs: true,
            signed: Vec::new(),
            verdict: Ok(()),
            asked: Vec::new(),
            any_host: false,
            sent: Vec::new(),
            events: Vec::new(),
            shared: Vec::new(),
            next_timeout: Instant::NEVER,
            seed,
        };
        house.drain();
        house
    }

    /// The process is killed and started again: what was stored is there, connections are not.
    pub(crate) fn restart(&mut self, config: Config) {
        self.seed += 1;
        self.proxy = Proxy::new(config, SECRET, Box::new(SeededEntropy::new(self.seed)));
        let records = self.stored.iter().filter_map(|(aor, record)| Some((aor.clone(), record.clone()?)));
        let records = records.collect();
        self.proxy.restore(self.now, records);
        self.sent.clear();
        self.drain();
    }

    pub(crate) fn receive(&mut self, flow: &Flow, text: &str) {
        self.proxy.receive(self.now, flow, text.as_bytes());
        self.drain();
    }

    pub(crate) fn close(&mut self, flow: &Flow) {
        self.proxy.flow_closed(self.now, flow);
        self.drain();
    }

    /// Lets time pass, timer by timer.
    pub(crate) fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        while self.next_timeout <= end {
            self.now = self.now.max(self.next_timeout);
            self.proxy.timeout(self.now);
            self.drain();
        }
        self.now = end;
        self.proxy.timeout(self.now);
        self.drain();
    }

    pub(crate) fn drain(&mut self) {
        loop {
            match self.proxy.poll() {
                Output::Transmit { hop, bytes } => {
                    let message = Message::parse(&bytes).expect("what the proxy sends can be read");
                    // These repeat what was wrong with the request.
                    if let Err(fault) = message.check()
                        && !matches!(message.status(), Some(400 | 505))
                    {
                        panic!("{fault}: {}", String::from_utf8_lossy(&bytes));
                    }
                    self.sent.push((hop, message));
                }
                Output::Ask { id, question } => match question {
                    Question::Resolve { host, port, .. } => {
                        let found = self.hosts.get(&host).cloned().or_else(|| {
                            let address = SocketAddr::new(host.parse().ok()?, port.unwrap_or(5060));
                            Some(vec![udp_hop(address)])
                        });
                        let found = found.or_else(|| {
                            self.any_host.then(|| vec![udp_hop(SocketAddr::from(([203, 0, 113, 1], 5060)))])
                        });
                        let found = found.ok_or(proxy::ResolveError::NotFound);
                        self.proxy.resolved(self.now, id, found);
                    }
                    Question::Credentials { user, realm } => {
                        let secret = self.users.get(&user).map(|password| secret(&user, &realm, password));
                        self.proxy.credentials(self.now, id, secret);
                    }
                    Question::Token { token } => {
                        let holder = self.tokens.get(&token).cloned();
                        self.proxy.token(self.now, id, holder);
                    }
                    Question::Sign { claims } => {
                        let identity = format!("signed-{}", self.signed.len()).into_bytes();
                        let signed = self.signs.then(|| Signed { identity, at: self.now.as_secs() });
                        self.signed.push(*claims);
                        self.proxy.signed(self.now, id, signed);
                    }
                    Question::Verify { .. } => {
                        self.asked.push(question);
                        self.proxy.verified(self.now, id, self.verdict);
                    }
                    Question::Store { aor, record } => {
                        if self.store_fails {
                            self.proxy.stored(self.now, id, Err(StoreError));
                        } else {
                            self.stored.insert(aor, record);
                            self.proxy.stored(self.now, id, Ok(()));
                        }
                    }
                },
                Output::Event(event) => self.events.push(event),
                Output::Share(news) => self.shared.push(news),
                Output::Timeout(at) => {
                    self.next_timeout = at;
                    return;
                }
            }
        }
    }

    /// What was sent to a peer, in order; taken out.
    pub(crate) fn take(&mut self, flow: &Flow) -> Vec<Message> {
        let (theirs, others) =
            std::mem::take(&mut self.sent).into_iter().partition(|(hop, _)| goes_to(hop, flow));
        self.sent = others;
        let theirs: Vec<(Hop, Message)> = theirs;
        theirs.into_iter().map(|(_, message)| message).collect()
    }

    /// The one message that was sent to a peer, provisional 100s aside.
    pub(crate) fn one(&mut self, flow: &Flow) -> Message {
        let mut messages = self.take(flow);
        messages.retain(|message| message.status() != Some(100));
        assert_eq!(messages.len(), 1, "{:#?}", messages.iter().map(text).collect::<Vec<_>>());
        messages.remove(0)
    }

    /// That nothing was sent to a peer.
    pub(crate) fn nothing(&mut self, flow: &Flow) {
        let messages = self.take(flow);
        assert!(messages.is_empty(), "{:#?}", messages.iter().map(text).collect::<Vec<_>>());
    }

    /// Registers with digest, all the way to the 200.
    pub(crate) fn register(&mut self, phone: &Phone) -> Message {
        let request = phone.register(1, "");
        self.receive(&phone.flow, &request);
        let challenge = self.one(&phone.flow);
        if challenge.status() == Some(200) {
            return challenge;
        }
        assert_eq!(challenge.status(), Some(401), "{}", text(&challenge));
        let password = self.users.get(phone.user).cloned().unwrap_or_default();
        let credentials = answer(&challenge, "REGISTER", "sip:example.com", phone.user, &password);
        self.receive(&phone.flow, &phone.register(2, &format!("Authorization: {credentials}\r\n")));
        let response = self.one(&phone.flow);
        assert_eq!(response.status(), Some(200), "{}", text(&response));
        response
    }
}

fn goes_to(hop: &Hop, flow: &Flow) -> bool {
    match hop {
        Hop::Flow(to) => {
            to.transport == flow.transport && to.connection == flow.connection && to.remote == flow.remote
        }
        Hop::Address { transport, address, .. } => *transport == flow.transport && *address == flow.remote,
    }
}

pub(crate) fn udp_hop(address: SocketAddr) -> Hop {
    Hop::Address { transport: Transport::Udp, address, server_name: None }
}

fn secret(user: &str, realm: &str, password: &str) -> UserSecret {
    let ha1 = |algorithm| Some(Ha1::new(algorithm, user.as_bytes(), realm.as_bytes(), password.as_bytes()));
    UserSecret {
        md5: ha1(Algorithm::Md5),
        sha256: ha1(Algorithm::Sha256),
        sha512_256: ha1(Algorithm::Sha512_256),
    }
}

/// The credentials that answer the first challenge of a response.
pub(crate) fn answer(challenge: &Message, method: &str, uri: &str, user: &str, password: &str) -> String {
    let name = match challenge.status() {
        Some(401) => HeaderName::WwwAuthenticate,
        _ => HeaderName::ProxyAuthenticate,
    };
    answer_one(challenge.header(name).expect("a challenge"), method, uri, user, password, "00000001")
}

pub(crate) fn answer_one(
    value: &[u8],
    method: &str,
    uri: &str,
    user: &str,
    password: &str,
    count: &str,
) -> String {
    let challenge = Challenge::parse(value).expect("a challenge that can be read");
    let (algorithm, _) = challenge.algorithm.expect("an algorithm that we know");
    let ha1 = Ha1::new(algorithm, user.as_bytes(), challenge.realm, password.as_bytes());
    let ha2 = algorithm.hash(&[method.as_bytes(), b":", uri.as_bytes()]);
    let response = algorithm.hash(&[
        ha1.hex().as_bytes(),
        b":",
        challenge.nonce,
        b":",
        count.as_bytes(),
        b":abcd:auth:",
        ha2.hex().as_bytes(),
    ]);
    format!(
        "Digest username=\"{user}\", realm=\"{}\", nonce=\"{}\", uri=\"{uri}\", response=\"{}\", algorithm={}, \
         cnonce=\"abcd\", qop=auth, nc={count}",
        String::from_utf8_lossy(challenge.realm),
        String::from_utf8_lossy(challenge.nonce),
        String::from_utf8_lossy(response.hex().as_bytes()),
        algorithm.token(),
    )
}

/// A phone: a flow, a contact and a user.
#[derive(Clone, Debug)]
pub(crate) struct Phone {
    pub(crate) user: &'static str,
    pub(crate) flow: Flow,
    pub(crate) via: String,
    pub(crate) contact: String,
    pub(crate) parameters: String,
    pub(crate) call_id: String,
}

/// A page: a WebSocket, a made-up host.
pub(crate) fn page(user: &'static str, connection: u64) -> Phone {
    Phone {
        user,
        flow: flow(Transport::Ws, connection, &format!("203.0.113.9:{}", 40_000 + connection), 8080),
        via: format!("SIP/2.0/WS {user}{connection}.invalid"),
        contact: format!("sip:{user}x@{user}{connection}.invalid;transport=ws"),
        parameters: String::new(),
        call_id: format!("reg-{user}-{connection}"),
    }
}

/// A phone on UDP, reachable where its contact says.
pub(crate) fn desk_phone(user: &'static str, address: &str) -> Phone {
    Phone {
        user,
        flow: flow(Transport::Udp, 0, address, 5060),
        via: format!("SIP/2.0/UDP {address};rport"),
        contact: format!("sip:{user}@{address}"),
        parameters: String::new(),
        call_id: format!("reg-{user}-{address}"),
    }
}

/// A phone that opened a TCP connection.
pub(crate) fn tcp_phone(user: &'static str, connection: u64, address: &str, listens: &str) -> Phone {
    Phone {
        user,
        flow: flow(Transport::Tcp, connection, address, 5060),
        via: format!("SIP/2.0/TCP {listens};rport"),
        contact: format!("sip:{user}@{listens};transport=tcp"),
        parameters: String::new(),
        call_id: format!("reg-{user}-{connection}"),
    }
}

pub(crate) fn flow(transport: Transport, connection: u64, remote: &str, port: u16) -> Flow {
    Flow {
        transport,
        connection: ConnectionId(connection),
        local: SocketAddr::from(([192, 0, 2, 1], port)),
        remote: remote.parse().expect("an address"),
    }
}

impl Phone {
    pub(crate) fn register(&self, cseq: u32, more: &str) -> String {
        let contact = format!("<{}>{}", self.contact, self.parameters);
        self.register_contact(cseq, &format!("Contact: {contact}\r\n{more}"))
    }

    pub(crate) fn register_contact(&self, cseq: u32, more: &str) -> String {
        let Self { user, via, call_id, .. } = self;
        format!(
            "REGISTER sip:example.com SIP/2.0\r\nVia: {via};branch=z9hG4bKr{call_id}{cseq}{}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{user}@example.com>;tag=f{cseq}\r\nTo: <sip:{user}@example.com>\r\n\
             Call-ID: {call_id}\r\nCSeq: {cseq} REGISTER\r\nSupported: path, outbound, gruu\r\n{more}\
             Content-Length: 0\r\n\r\n",
            more.len(),
        )
    }

    /// A request outside or inside a dialog.
    pub(crate) fn request(
        &self,
        method: &str,
        uri: &str,
        to: &str,
        call_id: &str,
        cseq: u32,
        more: &str,
    ) -> String {
        let Self { user, via, contact, .. } = self;
        format!(
            "{method} {uri} SIP/2.0\r\nVia: {via};branch=z9hG4bK{user}{method}{call_id}{cseq}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{user}@example.com>;tag=from-{user}\r\nTo: {to}\r\n\
             Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nContact: <{contact}>\r\n{more}Content-Length: 0\r\n\r\n",
        )
    }

    pub(crate) fn invite(&self, uri: &str, call_id: &str) -> String {
        self.request("INVITE", uri, &format!("<{uri}>"), call_id, 1, "")
    }

    /// The answer of this phone to a request that it got.
    pub(crate) fn respond(&self, request: &Message, status: u16, more: &str) -> String {
        let mut text = format!("SIP/2.0 {status} {}\r\n", sip::reason_phrase(status));
        for name in
            [HeaderName::Via, HeaderName::RecordRoute, HeaderName::From, HeaderName::CallId, HeaderName::CSeq]
        {
            if status == 100 && name == HeaderName::RecordRoute {
                continue;
            }
            for value in request.headers(name) {
                text += &format!("{}: {}\r\n", name.as_str(), String::from_utf8_lossy(value));
            }
        }
        let to = header(request, HeaderName::To);
        let tag = if to.contains("tag=") || status == 100 {
            String::new()
        } else {
            format!(";tag=to-{}", self.user)
        };
        text += &format!("To: {to}{tag}\r\nContact: <{}>\r\n{more}Content-Length: 0\r\n\r\n", self.contact);
        text
    }
}

pub(crate) fn header(message: &Message, name: HeaderName) -> String {
    message.header(name).map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
}

/// All values of a header, in order.
pub(crate) fn values(message: &Message, name: HeaderName) -> Vec<String> {
    message.values(name).map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

pub(crate) fn text(message: &Message) -> String {
    String::from_utf8_lossy(message.as_bytes()).into_owned()
}

pub(crate) fn method(message: &Message) -> String {
    message.method().map(|method| String::from_utf8_lossy(method.as_bytes()).into_owned()).unwrap_or_default()
}

/// `Route` headers from the Record-Routes of a message: as the caller has them (reversed) or as the callee has.
pub(crate) fn routes(message: &Message, reversed: bool) -> String {
    let mut values = values(message, HeaderName::RecordRoute);
    if reversed {
        values.reverse();
    }
    values.iter().map(|value| format!("Route: {value}\r\n")).collect()
}
