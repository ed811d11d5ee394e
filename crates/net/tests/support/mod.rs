//! A network on loopback, a handler that writes down what it is told, and plain clients.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of this one")]

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use net::{
    AfterFault, Event, Handler, HttpRefusal, HttpRequest, HttpResponse, Identity, Limits, ListenerConfig,
    Malformed, Network, Protocol, TlsConfig, TrustRoots, UpgradeRequest,
};
use sip::{Flow, Hop};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use websocket::{Decoded, Decoder, FrameHead, Opcode, Role};

/// Longer than anything here should take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A request of about `size` bytes in all.
pub fn message(size: usize) -> Vec<u8> {
    let head = "MESSAGE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/TCP a.invalid;branch=z9hG4bK1\r\nContent-Length: ";
    let body = "x".repeat(size.saturating_sub(head.len() + 9));
    format!("{head}{}\r\n\r\n{body}", body.len()).into_bytes()
}

/// What the handler was told.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    Message(Flow, Vec<u8>),
    Opened(Flow),
    Identified(Flow, Vec<String>),
    Closed(Flow),
    Unreachable(Hop),
    Malformed(Malformed),
    Event(Event),
}

/// Writes down what it is told; answers every message with itself if it is to echo.
#[derive(Default)]
pub struct Recorder {
    told: RefCell<Vec<Told>>,
    news: Notify,
    network: RefCell<Option<Network>>,
    pub echo: Cell<bool>,
    pub keep_malformed: Cell<bool>,
    pub panic: Cell<bool>,
    pub close_on_message: Cell<bool>,
    pub page: RefCell<Vec<u8>>,
}

impl Recorder {
    fn tell(&self, told: Told) {
        self.told.borrow_mut().push(told);
        self.news.notify_one();
    }

    /// Waits for something that `pick` wants, and takes it off the list.
    pub async fn wait<T>(&self, pick: impl Fn(&Told) -> Option<T>) -> T {
        let search = async {
            loop {
                {
                    let mut told = self.told.borrow_mut();
                    if let Some(place) = told.iter().position(|told| pick(told).is_some()) {
                        return pick(&told.remove(place)).unwrap();
                    }
                }
                self.news.notified().await;
            }
        };
        match tokio::time::timeout(PATIENCE, search).await {
            Ok(found) => found,
            Err(_) => panic!("the handler was told only {:.2000}", format!("{:?}", self.told.borrow())),
        }
    }

    pub async fn message(&self) -> (Flow, Vec<u8>) {
        self.wait(|told| match told {
            Told::Message(flow, bytes) => Some((*flow, bytes.clone())),
            _ => None,
        })
        .await
    }

    pub async fn opened(&self) -> Flow {
        self.wait(|told| if let Told::Opened(flow) = told { Some(*flow) } else { None }).await
    }

    pub async fn closed(&self) -> Flow {
        self.wait(|told| if let Told::Closed(flow) = told { Some(*flow) } else { None }).await
    }

    pub async fn unreachable(&self) -> Hop {
        self.wait(|told| if let Told::Unreachable(hop) = told { Some(hop.clone()) } else { None }).await
    }

    pub async fn malformed(&self) -> Malformed {
        self.wait(|told| if let Told::Malformed(fault) = told { Some(fault.clone()) } else { None }).await
    }

    pub async fn event(&self, pick: impl Fn(&Event) -> bool) -> Event {
        self.wait(|told| match told {
            Told::Event(event) if pick(event) => Some(event.clone()),
            _ => None,
        })
        .await
    }

    /// Forgets what was told so far.
    pub fn clear(&self) {
        self.told.borrow_mut().clear();
    }

    /// Everything told so far and not yet taken.
    pub fn rest(&self) -> Vec<Told> {
        self.told.borrow().clone()
    }
}

impl Handler for Recorder {
    fn message(&self, flow: &Flow, bytes: &[u8]) {
        assert!(!self.panic.replace(false), "a fault in the handler, wanted by the test");
        if self.echo.get() {
            self.network.borrow().as_ref().unwrap().send(&Hop::Flow(*flow), bytes);
        }
        if self.close_on_message.get() {
            self.network.borrow().as_ref().unwrap().close(flow, net::CloseCode::POLICY_VIOLATION);
        }
        self.tell(Told::Message(*flow, bytes.to_vec()));
    }

    fn opened(&self, flow: &Flow) {
        self.tell(Told::Opened(*flow));
    }

    fn identified(&self, flow: &Flow, domains: Vec<String>) {
        self.tell(Told::Identified(*flow, domains));
    }

    fn closed(&self, flow: &Flow) {
        self.tell(Told::Closed(*flow));
    }

    fn unreachable(&self, hop: &Hop) {
        self.tell(Told::Unreachable(hop.clone()));
    }

    fn malformed(&self, flow: &Flow, fault: &Malformed, _: &[u8]) -> AfterFault {
        self.network.borrow().as_ref().unwrap().send(&Hop::Flow(*flow), b"SIP/2.0 400 Bad Request\r\n\r\n");
        self.tell(Told::Malformed(fault.clone()));
        if self.keep_malformed.get() { AfterFault::Keep } else { AfterFault::Close }
    }

    fn accept(&self, request: &UpgradeRequest<'_>) -> Result<(), HttpRefusal> {
        match request.request.origin() {
            Some(b"https://evil.example") => {
                Err(HttpRefusal { status: 403, reason: "this page may not use this server".into() })
            }
            _ => Ok(()),
        }
    }

    fn http(&self, request: &HttpRequest<'_>) -> HttpResponse {
        match request.target {
            "/page" => {
                HttpResponse { status: 200, headers: Vec::new(), body: self.page.borrow().clone().into() }
            }
            target => HttpResponse::text(200, format!("{} {target}", request.method)),
        }
    }

    fn event(&self, event: &Event) {
        self.tell(Told::Event(event.clone()));
    }
}

/// A running network and its handler.
pub struct House {
    pub network: Network,
    pub recorder: Rc<Recorder>,
}

impl House {
    pub fn open(protocols: &[Protocol], limits: Limits) -> Self {
        Self::with_tls(protocols, &tls(), limits)
    }

    pub fn with_tls(protocols: &[Protocol], tls: &TlsConfig, limits: Limits) -> Self {
        let listeners: Vec<_> = protocols
            .iter()
            .map(|protocol| ListenerConfig::new(*protocol, "127.0.0.1:0".parse().unwrap()))
            .collect();
        Self::listening(&listeners, tls, limits)
    }

    pub fn listening(listeners: &[ListenerConfig], tls: &TlsConfig, limits: Limits) -> Self {
        let network = Network::bind(listeners, tls, limits).unwrap();
        let recorder = Rc::new(Recorder::default());
        recorder.network.replace(Some(network.clone()));
        let (running, handler) = (network.clone(), Rc::clone(&recorder));
        tokio::task::spawn_local(async move { running.run(handler).await });
        Self { network, recorder }
    }

    pub fn address(&self, protocol: Protocol) -> SocketAddr {
        self.network.listeners().iter().find(|listener| listener.protocol == protocol).unwrap().address
    }

    pub async fn connect(&self, protocol: Protocol) -> Peer {
        Peer::connect(self.address(protocol)).await
    }
}

/// A certificate of our own making that we also trust, shared by the tests of one program.
pub fn tls() -> TlsConfig {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("tls-{}", std::process::id()));
    static ONCE: std::sync::Once = std::sync::Once::new();
    let config = TlsConfig {
        identity: Some(Identity::SelfSigned { directory: directory.clone(), names: Vec::new() }),
        roots: TrustRoots::System,
        clients: None,
        issued: None,
    };
    ONCE.call_once(|| config.check().unwrap());
    TlsConfig { roots: TrustRoots::File(directory.join("self-signed.pem")), ..config }
}

/// A blocking TLS client that trusts our certificate.
pub fn tls_stream(address: SocketAddr) -> rustls::StreamOwned<rustls::ClientConnection, std::net::TcpStream> {
    use rustls::pki_types::pem::PemObject as _;
    let TrustRoots::File(path) = tls().roots else { unreachable!("tests trust a file") };
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls::pki_types::CertificateDer::from_pem_file(path).unwrap()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from("127.0.0.1").unwrap();
    let session = rustls::ClientConnection::new(std::sync::Arc::new(config), name).unwrap();
    rustls::StreamOwned::new(session, std::net::TcpStream::connect(address).unwrap())
}

/// A peer on a plain stream.
pub struct Peer {
    pub stream: TcpStream,
    buffer: Vec<u8>,
}

impl Peer {
    pub async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), buffer: Vec::new() }
    }

    /// A peer that has become a WebSocket.
    pub async fn websocket(address: SocketAddr) -> Self {
        let mut peer = Self::connect(address).await;
        let mut request = Vec::new();
        websocket::client::write_request(&mut request, "localhost", "/sip", None, [7; 16]);
        peer.write(&request).await;
        let answer = peer.head().await;
        assert!(websocket::client::check_response(answer.as_bytes(), [7; 16]).unwrap().is_some(), "{answer}");
        peer
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Reads more; `false` at the end.
    async fn more(&mut self) -> bool {
        match tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await {
            Ok(Ok(length)) => length > 0,
            Ok(Err(_)) => false,
            Err(_) => panic!("nothing came after {:?}", String::from_utf8_lossy(&self.buffer)),
        }
    }

    pub async fn read(&mut self, length: usize) -> Vec<u8> {
        while self.buffer.len() < length {
            assert!(self.more().await, "the connection ended after {} of {length} bytes", self.buffer.len());
        }
        self.buffer.drain(..length).collect()
    }

    /// An HTTP head.
    pub async fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|part| part == b"\r\n\r\n") {
                return String::from_utf8(self.buffer.drain(..end + 4).collect()).unwrap();
            }
            assert!(self.more().await, "the connection ended within a head");
        }
    }

    /// An HTTP response: its head and the body that Content-Length announces.
    pub async fn response(&mut self) -> (String, Vec<u8>) {
        let head = self.head().await;
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok())
            .unwrap_or(0);
        let body = self.read(length).await;
        (head, body)
    }

    /// Everything until the other side closes.
    pub async fn until_closed(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.buffer)
    }

    pub async fn send_frame(&mut self, opcode: Opcode, payload: &[u8]) {
        let bytes = frame(opcode, payload);
        self.write(&bytes).await;
    }

    /// The next frame: opcode and payload.
    pub async fn frame(&mut self) -> (Opcode, Vec<u8>) {
        loop {
            if let Some(header) = websocket::Header::parse(&self.buffer).unwrap() {
                let mut decoder = Decoder::new(Role::Client, 1 << 20);
                if let Decoded::Frame { length, .. } = decoder.decode(&mut self.buffer.clone()).unwrap() {
                    let frame: Vec<u8> = self.buffer.drain(..length).collect();
                    return (header.opcode, frame[header.length..].to_vec());
                }
            }
            assert!(self.more().await, "the connection ended within a frame");
        }
    }

    /// The code of the Close frame that is next, pings apart.
    pub async fn close_code(&mut self) -> u16 {
        loop {
            let (opcode, payload) = self.frame().await;
            if opcode == Opcode::Close {
                return u16::from_be_bytes([payload[0], payload[1]]);
            }
        }
    }
}

/// A frame as a browser sends it.
pub fn frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let key = [1, 2, 3, 4];
    let mut bytes = FrameHead::new(opcode, payload.len(), Some(key)).to_vec();
    let start = bytes.len();
    bytes.extend_from_slice(payload);
    websocket::mask(&mut bytes[start..], key);
    bytes
}

/// Runs a test as the server runs: one thread, one LocalSet.
pub fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

pub fn short(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
