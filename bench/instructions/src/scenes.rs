//! What goes into the proxy: recorded from a proxy like the one that it is replayed to, which draws the same random
//! numbers and so makes the same branches and nonces.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

use proxy::{Config, Listener, Proxy, UserSecret};
use sip::digest::{Algorithm, Attempts, Client, Ha1, Side, Verdict};
use sip::{AddressRange, ConnectionId, Flow, HeaderName, Hop, Instant, Message, SeededEntropy, Transport};

use crate::{OPERATIONS, drain, entropy};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// When every scene begins.
pub(crate) const START: Instant = Instant::from_secs(1_700_000_000);
/// Between two messages.
const STEP: Duration = Duration::from_millis(1);
const PASSWORD: &[u8] = b"correct horse";
const USERS: usize = 50;

/// A recording.
#[derive(Default)]
pub(crate) struct Scene {
    /// What came, when and from where.
    pub(crate) messages: Vec<(Instant, Flow, Vec<u8>)>,
    /// How many messages left.
    pub(crate) transmissions: usize,
}

/// The proxy of all scenes.
pub(crate) fn proxy() -> Proxy {
    let caller = AddressRange::single(address(5070).ip());
    let mut config = Config {
        domains: vec!["example.com".to_owned()],
        listeners: vec![Listener::new(Transport::Udp, server())],
        trusted_peers: vec![caller],
        ..Config::default()
    };
    config.authentication.algorithms = vec![Algorithm::Md5];
    config.limits.transactions = usize::MAX;
    // Each replay has a proxy of its own: the keys of thirty days, made once by a server, would be counted again and again.
    config.flow_tokens.kept = config.flow_tokens.every;
    Proxy::new(config, [42; 32], entropy())
}

fn server() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 5060))
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 9], port))
}

fn flow(port: u16) -> Flow {
    Flow { transport: Transport::Udp, connection: ConnectionId(0), local: server(), remote: address(port) }
}

/// Where a host is: it is written as an address.
pub(crate) fn resolve(host: &str, port: Option<u16>) -> Vec<Hop> {
    let ip = host.parse().unwrap_or_else(|_| address(0).ip());
    let address = SocketAddr::new(ip, port.unwrap_or(5060));
    vec![Hop::Address { transport: Transport::Udp, address, server_name: None }]
}

/// The secret of a user. Nobody knows passwords here: as in the store, their hashes are made beforehand.
pub(crate) fn secret(user: &str) -> UserSecret {
    static HASHES: OnceLock<Vec<Ha1>> = OnceLock::new();
    let hashes = HASHES.get_or_init(|| (0..USERS).map(hash).collect());
    let number = user.strip_prefix('u').and_then(|number| number.parse::<usize>().ok());
    UserSecret { md5: number.and_then(|number| hashes.get(number)).copied(), ..UserSecret::default() }
}

fn hash(user: usize) -> Ha1 {
    let realm = Config::default().authentication.realm;
    Ha1::new(Algorithm::Md5, format!("u{user}").as_bytes(), realm.as_bytes(), PASSWORD)
}

/// A proxy that is being recorded.
struct Recorder {
    proxy: Proxy,
    now: Instant,
    scene: Scene,
}

impl Recorder {
    fn new() -> Self {
        let mut recorder = Self { proxy: proxy(), now: START, scene: Scene::default() };
        recorder.drain();
        recorder
    }

    fn drain(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut left = Vec::new();
        self.scene.transmissions +=
            drain(&mut self.proxy, self.now, |hop, bytes| left.push((hop.address(), bytes.to_vec())));
        left
    }

    /// A message comes from a port; what leaves because of it.
    fn say(&mut self, port: u16, bytes: Vec<u8>) -> Vec<(SocketAddr, Vec<u8>)> {
        self.now += STEP;
        self.proxy.receive(self.now, &flow(port), &bytes);
        self.scene.messages.push((self.now, flow(port), bytes));
        self.drain()
    }
}

/// The one message among `left` that goes to a port and starts so.
fn only(left: &[(SocketAddr, Vec<u8>)], port: u16, start: &str) -> Outcome<Message> {
    let mut fitting =
        left.iter().filter(|(to, bytes)| to.port() == port && bytes.starts_with(start.as_bytes()));
    let (_, bytes) = fitting.next().ok_or_else(|| format!("no {start} for {port}"))?;
    Ok(Message::parse(bytes)?)
}

const DESCRIPTION: &str = "v=0\r\no=- 20518 0 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
    m=audio 49170 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n";
const CALLER: u16 = 5070;
const CALLEE: u16 = 5080;

/// The INVITE of a call.
pub(crate) fn invite(call: usize) -> Vec<u8> {
    format!(
        "INVITE sip:bob@192.0.2.9:{CALLEE} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:{CALLER};branch=z9hG4bKi{call};rport\r\n\
         Max-Forwards: 70\r\nFrom: \"Alice\" <sip:alice@elsewhere.example.net>;tag=f{call}\r\n\
         To: <sip:bob@192.0.2.9:{CALLEE}>\r\nCall-ID: {call}@elsewhere.example.net\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:alice@192.0.2.9:{CALLER}>\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE\r\n\
         Supported: replaces, timer\r\nUser-Agent: Phone/1.0\r\nContent-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{DESCRIPTION}",
        DESCRIPTION.len()
    )
    .into_bytes()
}

/// A response of the callee.
fn response(request: &Message, line: &str, call: usize, body: &str) -> Vec<u8> {
    let text = |name| String::from_utf8_lossy(request.header(name).unwrap_or_default()).into_owned();
    let mut out = format!("SIP/2.0 {line}\r\n");
    for (name, label) in [(HeaderName::Via, "Via"), (HeaderName::RecordRoute, "Record-Route")] {
        for value in request.headers(name) {
            out.push_str(&format!("{label}: {}\r\n", String::from_utf8_lossy(value)));
        }
    }
    let to = text(HeaderName::To);
    let tag = if to.contains(";tag=") { String::new() } else { format!(";tag=t{call}") };
    out.push_str(&format!(
        "From: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: <sip:bob@192.0.2.9:{CALLEE}>\r\n",
        text(HeaderName::From),
        text(HeaderName::CallId),
        text(HeaderName::CSeq)
    ));
    if !body.is_empty() {
        out.push_str("Content-Type: application/sdp\r\n");
    }
    out.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    out.into_bytes()
}

/// A request of the caller within the dialog.
fn in_dialog(method: &str, call: usize, answer: &Message) -> Vec<u8> {
    let routes: Vec<String> = answer
        .values(HeaderName::RecordRoute)
        .map(|value| format!("Route: {}\r\n", String::from_utf8_lossy(value)))
        .collect();
    let routes: String = routes.into_iter().rev().collect();
    format!(
        "{method} sip:bob@192.0.2.9:{CALLEE} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:{CALLER};branch=z9hG4bK{method}{call};rport\r\n\
         {routes}Max-Forwards: 70\r\nFrom: \"Alice\" <sip:alice@elsewhere.example.net>;tag=f{call}\r\n\
         To: <sip:bob@192.0.2.9:{CALLEE}>;tag=t{call}\r\nCall-ID: {call}@elsewhere.example.net\r\n\
         CSeq: {} {method}\r\nContent-Length: 0\r\n\r\n",
        if method == "ACK" { 1 } else { 2 }
    )
    .into_bytes()
}

/// Whole calls between phones.
pub(crate) fn calls() -> Outcome<Scene> {
    let mut recorder = Recorder::new();
    for call in 0..OPERATIONS {
        let arrived = only(&recorder.say(CALLER, invite(call)), CALLEE, "INVITE ")?;
        let left = recorder.say(CALLEE, response(&arrived, "180 Ringing", call, ""));
        only(&left, CALLER, "SIP/2.0 180")?;
        let left = recorder.say(CALLEE, response(&arrived, "200 OK", call, DESCRIPTION));
        let answer = only(&left, CALLER, "SIP/2.0 200")?;
        only(&recorder.say(CALLER, in_dialog("ACK", call, &answer)), CALLEE, "ACK ")?;
        let bye = only(&recorder.say(CALLER, in_dialog("BYE", call, &answer)), CALLEE, "BYE ")?;
        only(&recorder.say(CALLEE, response(&bye, "200 OK", call, "")), CALLER, "SIP/2.0 200")?;
    }
    Ok(recorder.scene)
}

/// Requests that the server answers by itself.
pub(crate) fn options() -> Outcome<Scene> {
    let mut recorder = Recorder::new();
    for number in 0..OPERATIONS {
        let request = format!(
            "OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:{CALLER};branch=z9hG4bKo{number};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:alice@elsewhere.example.net>;tag=f{number}\r\nTo: <sip:example.com>\r\n\
             Call-ID: o{number}@elsewhere.example.net\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        );
        only(&recorder.say(CALLER, request.into_bytes()), CALLER, "SIP/2.0 200")?;
    }
    Ok(recorder.scene)
}

/// Users register with digest, then refresh with the nonce that they have.
pub(crate) fn registrations() -> Outcome<Scene> {
    let mut recorder = Recorder::new();
    let mut clients: Vec<Client> =
        (0..USERS).map(|user| Client::with_password(format!("u{user}").as_bytes(), PASSWORD)).collect();
    let mut entropy = SeededEntropy::new(9);
    for number in 0..OPERATIONS {
        let (user, sequence) = (number % USERS, 2 * (number / USERS));
        let client = &mut clients[user];
        if sequence == 0 {
            let left = recorder.say(CALLER, register(user, 1, None));
            let challenge = only(&left, CALLER, "SIP/2.0 401")?;
            let offered = challenge.headers(HeaderName::WwwAuthenticate).map(|value| (Side::User, value));
            let verdict = client.challenged(offered, &mut Attempts::default(), &mut entropy);
            if !matches!(verdict, Verdict::Retry) {
                return Err(format!("the challenge cannot be answered: {verdict:?}").into());
            }
        }
        let credentials = client.authorize(b"REGISTER", b"sip:example.com", b"")?;
        let value = credentials.first().map(|(_, value)| value.as_slice());
        only(&recorder.say(CALLER, register(user, sequence + 2, value)), CALLER, "SIP/2.0 200")?;
    }
    Ok(recorder.scene)
}

fn register(user: usize, sequence: usize, credentials: Option<&[u8]>) -> Vec<u8> {
    let credentials = credentials
        .map_or_else(String::new, |value| format!("Authorization: {}\r\n", String::from_utf8_lossy(value)));
    format!(
        "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:{CALLER};branch=z9hG4bKr{user}x{sequence};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:u{user}@example.com>;tag=f{user}\r\nTo: <sip:u{user}@example.com>\r\n\
         Call-ID: r{user}@192.0.2.9\r\nCSeq: {sequence} REGISTER\r\n\
         Contact: <sip:u{user}@192.0.2.9:{CALLER}>;expires=3600\r\n{credentials}Content-Length: 0\r\n\r\n"
    )
    .into_bytes()
}
