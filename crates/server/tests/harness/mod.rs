//! The real binary, phones of raw sockets, and a page of a raw WebSocket.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use sip::digest::Attempts;
use sip::digest::{Client, Side, Verdict};
use sip::{HeaderName, Message, SeededEntropy};
use websocket::{CloseCode, Decoded, Event, FrameHead, Opcode, Role};

/// The longest that anything here may take: a test that waits longer has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const PASSWORD: &str = "correct horse";

/// Runs a command to its end.
pub(crate) fn sipweb(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sipweb"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its input may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A running server in a folder of its own.
pub(crate) struct Server {
    pub(crate) folder: PathBuf,
    child: Child,
    ready: String,
    /// What it printed before it was ready.
    pub(crate) printed: String,
    _temporary: Option<tempfile::TempDir>,
}

impl Server {
    /// A server with users alice and bob, on free ports of loopback.
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// The same, with `more` at the end of its configuration.
    pub(crate) fn start_with(more: &str) -> Self {
        Self::start_configured("", more, &[])
    }

    /// The same, with these files, name and text, beside it.
    pub(crate) fn start_beside(files: &[(&str, &str)], more: &str) -> Self {
        Self::start_configured("", more, files)
    }

    /// The same, with so many event loops.
    pub(crate) fn start_with_loops(loops: usize, more: &str) -> Self {
        Self::start_configured(&format!("loops = {loops}\n"), more, &[])
    }

    /// The same; nobody ever reads its log.
    pub(crate) fn start_unread(more: &str) -> Self {
        let mut server = Self::start_with(more);
        server.start_again(Stdio::piped(), &[]);
        server
    }

    /// Kills the server and starts it again with these variables, name and value, in its environment.
    pub(crate) fn start_again_with_variables(&mut self, variables: &[(&str, &str)]) {
        self.start_again(log_in(&self.folder), variables);
    }

    fn start_again(&mut self, log: Stdio, variables: &[(&str, &str)]) {
        self.kill();
        let arguments = ["serve", "--config", &self.folder.join("sipweb.toml").display().to_string()];
        let mut fresh = Self::try_spawn_with(&self.folder, &arguments, log, variables).unwrap();
        std::mem::swap(&mut self.child, &mut fresh.child);
        std::mem::swap(&mut self.ready, &mut fresh.ready);
    }

    fn start_configured(top: &str, more: &str, files: &[(&str, &str)]) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().to_owned();
        let any = "\"127.0.0.1:0\"";
        let configuration = format!(
            "domain = \"example.com\"\ndata = \"data\"\n{top}[listen]\nudp = {any}\ntcp = {any}\ntls = {any}\nhttp = {any}\n\
             https = {any}\n{more}\n"
        );
        fs::write(folder.join("sipweb.toml"), configuration).unwrap();
        for (name, text) in files {
            fs::write(folder.join(name), text).unwrap();
        }
        for user in ["alice", "bob"] {
            add_user(&folder, user);
        }
        let mut server = Self::start_in(&folder);
        server._temporary = Some(temporary);
        server
    }

    /// A server by the configuration in `folder`.
    pub(crate) fn start_in(folder: &Path) -> Self {
        Self::spawn(folder, &["serve", "--config", &folder.join("sipweb.toml").display().to_string()])
    }

    /// A server by its command line; what it logs goes to `log` in `folder`.
    pub(crate) fn spawn(folder: &Path, arguments: &[&str]) -> Self {
        Self::try_spawn(folder, arguments)
            .unwrap_or_else(|said| panic!("the server ended before it was ready:\n{said}"))
    }

    /// The same; or what a server said that ended before it was ready.
    fn try_spawn(folder: &Path, arguments: &[&str]) -> Result<Self, String> {
        Self::try_spawn_with(folder, arguments, log_in(folder), &[])
    }

    /// The same, with its log there and these variables in its environment.
    fn try_spawn_with(
        folder: &Path,
        arguments: &[&str],
        log: Stdio,
        variables: &[(&str, &str)],
    ) -> Result<Self, String> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sipweb"))
            .args(arguments)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut printed = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let ready = loop {
            let mut line = String::new();
            if output.read_line(&mut line).unwrap() == 0 {
                let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
                let _ = child.wait();
                return Err(format!("{printed}{log}"));
            }
            if line.starts_with("ready:") {
                break line;
            }
            printed.push_str(&line);
        };
        Ok(Self { folder: folder.to_owned(), child, ready, printed, _temporary: None })
    }

    /// The address that the ready line says for `key`: udp, tcp, tls, http, https.
    pub(crate) fn address(&self, key: &str) -> SocketAddr {
        let prefix = format!("{key}=");
        let word = self.ready.split_whitespace().find_map(|word| word.strip_prefix(&prefix));
        word.unwrap_or_else(|| panic!("no {key} in {}", self.ready)).parse().unwrap()
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Waits for a sentence in the log.
    pub(crate) fn logs(&self, sentence: &str) {
        let start = Instant::now();
        while !self.log().contains(sentence) {
            assert!(start.elapsed() < PATIENCE, "the log does not say: {sentence}");
            std::thread::yield_now();
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Waits for the end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "the server does not end");
            std::thread::yield_now();
        }
    }

    /// Kills the server and starts it again on the same data and the same ports.
    pub(crate) fn restart_after_kill(&mut self) {
        self.kill();
        let file = self.folder.join("sipweb.toml");
        let mut configuration = fs::read_to_string(&file).unwrap();
        for key in ["udp", "tcp", "tls", "http", "https"] {
            let any = format!("\n{key} = \"127.0.0.1:0\"");
            configuration = configuration.replace(&any, &format!("\n{key} = \"{}\"", self.address(key)));
        }
        fs::write(&file, configuration).unwrap();
        // Another test may have been given one of the ports meanwhile; it gives it back.
        let start = Instant::now();
        let arguments = ["serve", "--config", &file.display().to_string()];
        let mut fresh = loop {
            match Self::try_spawn(&self.folder, &arguments) {
                Ok(fresh) => break fresh,
                Err(said) => assert!(said.contains("is in use by") && start.elapsed() < PATIENCE, "{said}"),
            }
        };
        std::mem::swap(&mut self.child, &mut fresh.child);
        std::mem::swap(&mut self.ready, &mut fresh.ready);
        std::mem::forget(fresh);
    }

    /// Whether it serves: a phone gets an answer.
    pub(crate) fn serves(&self) {
        let phone = Phone::new(self, "bob");
        phone.send(&phone.request("OPTIONS", "sip:example.com", 1, ""));
        assert!(phone.receive().status().is_some(), "no answer to OPTIONS");
        let mut page = TcpStream::connect(self.address("http")).unwrap();
        page.set_read_timeout(Some(PATIENCE)).unwrap();
        page.write_all(b"GET /config.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        page.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the server ---\n{}", self.log());
        }
    }
}

/// The log of a server in that folder.
fn log_in(folder: &Path) -> Stdio {
    File::options().create(true).append(true).open(folder.join("log")).unwrap().into()
}

pub(crate) fn add_user(folder: &Path, name: &str) {
    let configuration = folder.join("sipweb.toml").display().to_string();
    let output = sipweb(&["user", "add", name, "--config", &configuration], &format!("{PASSWORD}\n"));
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// A SIP phone over UDP.
pub(crate) struct Phone {
    pub(crate) user: String,
    domain: &'static str,
    socket: UdpSocket,
    server: SocketAddr,
}

impl Phone {
    pub(crate) fn new(server: &Server, user: &str) -> Self {
        Self::of(server, user, "example.com")
    }

    pub(crate) fn of(server: &Server, user: &str, domain: &'static str) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { user: user.to_owned(), domain, socket, server: server.address("udp") }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    pub(crate) fn contact(&self) -> String {
        format!("<sip:{}@{}>", self.user, self.address())
    }

    /// A request outside a dialog, of the user's own Call-ID. `more` are header lines, each ended.
    pub(crate) fn request(&self, method: &str, uri: &str, number: u32, more: &str) -> String {
        let (user, domain, address) = (&self.user, self.domain, self.address());
        let to = if method == "REGISTER" { format!("sip:{user}@{domain}") } else { uri.to_owned() };
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch=z9hG4bK{method}{number};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:{user}@{domain}>;tag={user}\r\nTo: <{to}>\r\nCall-ID: {method}-{user}-{port}\r\n\
             CSeq: {number} {method}\r\nContact: {contact}\r\n{more}Content-Length: 0\r\n\r\n",
            contact = self.contact(),
            port = address.port(),
        )
    }

    pub(crate) fn send(&self, message: &str) {
        self.socket.send_to(message.as_bytes(), self.server).unwrap();
    }

    /// The next message that is no 100.
    pub(crate) fn receive(&self) -> Message {
        loop {
            let mut buffer = vec![0; 65536];
            let length = self.socket.recv(&mut buffer).expect("a message");
            let message = Message::parse(&buffer[..length]).unwrap();
            if message.status() != Some(100) {
                return message;
            }
        }
    }

    /// Answers a request; `more` are header lines.
    pub(crate) fn respond(&self, request: &Message, status: u16, more: &str) {
        let mut response = format!("SIP/2.0 {status} {}\r\n", sip::reason_phrase(status));
        for field in request.fields() {
            let copied = [
                HeaderName::Via,
                HeaderName::RecordRoute,
                HeaderName::From,
                HeaderName::CallId,
                HeaderName::CSeq,
            ];
            let tag = if field.name == HeaderName::To && request.to().unwrap().tag().is_none() {
                format!(";tag={}", self.user)
            } else {
                String::new()
            };
            if copied.contains(&field.name) || field.name == HeaderName::To {
                response.push_str(&format!("{}: {}{tag}\r\n", field.name.as_str(), text(field.value)));
            }
        }
        response.push_str(&format!("Contact: {}\r\n{more}Content-Length: 0\r\n\r\n", self.contact()));
        self.send(&response);
    }

    /// Sends a request, answers the challenge, and gives the answer to that.
    pub(crate) fn authenticated(&self, method: &str, uri: &str, more: &str, password: &str) -> Message {
        self.send(&self.request(method, uri, 1, more));
        let challenge = self.receive();
        let side = match challenge.status() {
            Some(401) => (Side::User, HeaderName::WwwAuthenticate),
            Some(407) => (Side::Proxy, HeaderName::ProxyAuthenticate),
            _ => return challenge,
        };
        if method == "INVITE" {
            self.acknowledge(uri, &challenge);
        }
        let answer = answer(&challenge, side, &self.user, password, method, uri);
        self.send(&self.request(method, uri, 2, &format!("{answer}{more}")));
        self.receive()
    }

    /// Sends the ACK to a refusal of the first INVITE (RFC 3261 §17.1.1.3): Via, To and Call-ID are those of the
    /// response.
    pub(crate) fn acknowledge(&self, uri: &str, response: &Message) {
        let ack = self.request("ACK", uri, 1, "");
        let lines = ack.split("\r\n").map(|line| {
            let name = HeaderName::parse(line.split(':').next().unwrap_or_default().as_bytes());
            match name {
                HeaderName::Via | HeaderName::To | HeaderName::CallId => {
                    format!("{}: {}", name.as_str(), text(response.header(name).unwrap()))
                }
                _ => line.to_owned(),
            }
        });
        self.send(&lines.collect::<Vec<_>>().join("\r\n"));
    }

    /// A request within the dialog that `response` made: to the remote contact, over the recorded route.
    pub(crate) fn within(&self, response: &Message, method: &str, number: u32) -> String {
        let contact = response.contacts().next().unwrap().unwrap();
        let target = text(contact.uri().unwrap().unwrap().as_bytes());
        let request = self.request(method, &target, number, "");
        let recorded: Vec<String> = response.values(HeaderName::RecordRoute).map(text).collect();
        let route: String = recorded.iter().rev().map(|route| format!("Route: {route}\r\n")).collect();
        let lines = request.split("\r\n").map(|line| {
            let name = HeaderName::parse(line.split(':').next().unwrap_or_default().as_bytes());
            match name {
                HeaderName::To | HeaderName::CallId => {
                    format!("{}: {}", name.as_str(), text(response.header(name).unwrap()))
                }
                HeaderName::ContentLength => format!("{route}{line}"),
                _ => line.to_owned(),
            }
        });
        lines.collect::<Vec<_>>().join("\r\n")
    }

    /// Registers, and insists that it worked.
    pub(crate) fn register(&self) {
        let answer = self.authenticated("REGISTER", "sip:example.com", "Expires: 600\r\n", PASSWORD);
        assert_eq!(answer.status(), Some(200), "{}", text(answer.as_bytes()));
    }
}

/// The header line that answers a challenge.
pub(crate) fn answer(
    challenge: &Message,
    (side, header): (Side, HeaderName),
    user: &str,
    password: &str,
    method: &str,
    uri: &str,
) -> String {
    let mut client = Client::with_password(user.as_bytes(), password.as_bytes());
    let challenges = challenge.headers(header).map(|value| (side, value));
    let mut entropy = SeededEntropy::new(7);
    assert_eq!(client.challenged(challenges, &mut Attempts::default(), &mut entropy), Verdict::Retry);
    let answers = client.authorize(method.as_bytes(), uri.as_bytes(), b"").unwrap();
    let name = if side == Side::User { "Authorization" } else { "Proxy-Authorization" };
    format!("{name}: {}\r\n", text(&answers[0].1))
}

/// A page: a WebSocket with the `sip` protocol.
pub(crate) struct Page {
    stream: TcpStream,
    decoder: websocket::Decoder,
    received: Vec<u8>,
}

impl Page {
    pub(crate) fn open(server: &Server) -> Self {
        Self::try_open(server, None).unwrap()
    }

    /// Opens a WebSocket as a page of `origin`, or as a program.
    pub(crate) fn try_open(
        server: &Server,
        origin: Option<&str>,
    ) -> Result<Self, websocket::client::AnswerError> {
        Self::ask(server, "/sip", &origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default())
    }

    /// The same, with a target and header lines of its own.
    pub(crate) fn ask(
        server: &Server,
        target: &str,
        headers: &str,
    ) -> Result<Self, websocket::client::AnswerError> {
        let address = server.address("http");
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (nonce, mut request) = ([9; 16], Vec::new());
        websocket::client::write_request(&mut request, &address.to_string(), target, None, nonce);
        request.truncate(request.len() - 2);
        request.extend_from_slice(headers.as_bytes());
        request.extend_from_slice(b"\r\n");
        stream.write_all(&request).unwrap();
        let mut received = Vec::new();
        loop {
            let mut byte = [0; 1];
            if stream.read(&mut byte).unwrap() == 0 {
                panic!("closed in the handshake: {}", text(&received));
            }
            received.push(byte[0]);
            if websocket::client::check_response(&received, nonce)?.is_some() {
                return Ok(Self {
                    stream,
                    decoder: websocket::Decoder::new(Role::Client, 1 << 16),
                    received: Vec::new(),
                });
            }
        }
    }

    pub(crate) fn send(&mut self, message: &[u8]) {
        self.send_frame(Opcode::Text, message);
    }

    pub(crate) fn send_frame(&mut self, opcode: Opcode, payload: &[u8]) {
        let key = [1, 2, 3, 4];
        let mut bytes = FrameHead::new(opcode, payload.len(), Some(key)).to_vec();
        let start = bytes.len();
        bytes.extend_from_slice(payload);
        websocket::mask(&mut bytes[start..], key);
        // The server may have closed already; then the reading says so.
        let _ = self.stream.write_all(&bytes);
    }

    /// The next message; or the close code, if the server closes; or `None`, if the connection just ends.
    pub(crate) fn receive(&mut self) -> Option<Result<Message, u16>> {
        loop {
            let mut buffer = [0; 4096];
            if let Some(found) = self.decode() {
                return Some(found);
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(length) => self.received.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("the server says nothing: {error}"),
            }
        }
    }

    fn decode(&mut self) -> Option<Result<Message, u16>> {
        loop {
            let mut bytes = std::mem::take(&mut self.received);
            match self.decoder.decode(&mut bytes).unwrap() {
                Decoded::Incomplete { .. } => {
                    self.received = bytes;
                    return None;
                }
                Decoded::Frame { length, event } => {
                    let found = match event {
                        Event::Message { payload, .. } => Message::parse(&payload).ok().map(Ok),
                        Event::Close { code, .. } => Some(Err(code.map_or(1005, CloseCode::number))),
                        _ => None,
                    };
                    self.received = bytes.split_off(length);
                    // Not among these: keep-alives, and provisional answers that say nothing.
                    if let Some(found) =
                        found.filter(|found| !matches!(found, Ok(message) if message.status() == Some(100)))
                    {
                        return Some(found);
                    }
                }
            }
        }
    }
}
