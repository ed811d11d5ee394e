//! How much memory an idle registration over WebSocket costs the server.
//!
//! ```text
//! cargo build --release -p sipweb
//! cargo run --release -p sipweb --example idle_registrations -- target/release/sipweb 10000        # ws
//! cargo run --release -p sipweb --example idle_registrations -- target/release/sipweb 10000 wss
//! ```
//!
//! The real binary runs in a process of its own; its resident set is read before and after. Every connection
//! registers with digest, as a page does, and then stays silent. Both processes need as many file descriptors
//! as there are connections (`ulimit -n`). Memory of the kernel is not counted.

use std::error::Error;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use sip::digest::{Attempts, Client, Side, Verdict};
use sip::{Builder, HeaderName, Message, Method, SeededEntropy};
use websocket::{FrameHead, Opcode};

type Outcome<T> = Result<T, Box<dyn Error>>;

const PASSWORD: &str = "correct horse";
/// As many pages as one account may have.
const PAGES_OF_ONE_USER: usize = 20;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [binary, count] => measure(Path::new(binary), count.parse()?, false),
        [binary, count, "wss"] => measure(Path::new(binary), count.parse()?, true),
        _ => Err("usage: idle_registrations BINARY COUNT [wss]".into()),
    }
}

fn measure(binary: &Path, count: usize, secure: bool) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(binary, folder.path(), count.div_ceil(PAGES_OF_ONE_USER) + 1)?;
    let address = server.address(if secure { "https" } else { "http" })?;
    let tls = client_config(&folder.path().join("data/self-signed.pem"))?;
    let page = |number: usize| open(address, secure, &tls).and_then(|stream| register(stream, number));
    let idle = server.resident()?;
    // What is made only once, however many pages follow: buffers, tables, the TLS provider. The last user's.
    let first = count.next_multiple_of(PAGES_OF_ONE_USER);
    let _warm: Vec<_> = (first..first + PAGES_OF_ONE_USER).map(page).collect::<Outcome<_>>()?;
    let before = server.resident()?;
    let pages = (0..count).map(page).collect::<Outcome<Vec<_>>>()?;
    let after = server.resident()?;
    println!("{} registrations over {}", pages.len(), if secure { "wss" } else { "ws" });
    println!("resident, idle server      {idle:>12} bytes");
    println!("resident, all registered   {after:>12} bytes");
    println!("each idle registration     {:>12} bytes", after.saturating_sub(before) / count as u64);
    Ok(())
}

/// The server's process, ended with us.
struct Server {
    child: Child,
    ready: String,
}

impl Server {
    fn start(binary: &Path, folder: &Path, users: usize) -> Outcome<Self> {
        let any = "[\"127.0.0.1:0\"]";
        let configuration = format!(
            "domain = \"example.com\"\ndata = \"data\"\n[listen]\nudp = {any}\ntcp = {any}\ntls = {any}\nhttp = {any}\n\
             https = {any}\n[log]\nlevel = \"error\"\n"
        );
        let path = folder.join("sipweb.toml");
        std::fs::write(&path, configuration)?;
        for number in 0..users {
            add_user(binary, &path, &user_name(number * PAGES_OF_ONE_USER))?;
        }
        let mut child =
            Command::new(binary).args(["serve", "--config"]).arg(&path).stdout(Stdio::piped()).spawn()?;
        let output = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut server = Self { child, ready: String::new() };
        for line in output.lines() {
            let line = line?;
            if line.starts_with("ready:") {
                server.ready = line;
                return Ok(server);
            }
        }
        Err("the server did not start".into())
    }

    fn address(&self, key: &str) -> Outcome<SocketAddr> {
        let prefix = format!("{key}=");
        let found = self.ready.split_whitespace().find_map(|word| word.strip_prefix(&prefix));
        Ok(found.ok_or("no such listener")?.parse()?)
    }

    /// The resident set of the server in bytes, a moment after its last work.
    fn resident(&self) -> Outcome<u64> {
        std::thread::sleep(Duration::from_millis(1500));
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kilobytes * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn user_name(page: usize) -> String {
    format!("user{}", page / PAGES_OF_ONE_USER)
}

fn add_user(binary: &Path, configuration: &Path, name: &str) -> Outcome<()> {
    let mut child = Command::new(binary)
        .args(["user", "add", name, "--config"])
        .arg(configuration)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    child.stdin.take().ok_or("no input")?.write_all(format!("{PASSWORD}\n").as_bytes())?;
    if child.wait()?.success() { Ok(()) } else { Err(format!("user {name} could not be added").into()) }
}

fn client_config(certificate: &Path) -> Outcome<Arc<rustls::ClientConfig>> {
    let pem = std::fs::read(certificate)?;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&pem)?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

fn open(address: SocketAddr, secure: bool, config: &Arc<rustls::ClientConfig>) -> Outcome<Box<dyn Stream>> {
    let socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    let mut stream: Box<dyn Stream> = if secure {
        let name = ServerName::try_from("localhost")?;
        let session = rustls::ClientConnection::new(Arc::clone(config), name)?;
        Box::new(rustls::StreamOwned::new(session, socket))
    } else {
        Box::new(socket)
    };
    let mut request = Vec::new();
    websocket::client::write_request(&mut request, "localhost", "/sip", None, [7; 16]);
    stream.write_all(&request)?;
    let mut answer = Vec::new();
    let mut part = [0; 1024];
    while websocket::client::check_response(&answer, [7; 16])?.is_none() {
        let length = stream.read(&mut part)?;
        if length == 0 {
            return Err("the server closed the connection".into());
        }
        answer.extend_from_slice(&part[..length]);
    }
    Ok(stream)
}

/// Registers as a page does: once without and once with credentials.
fn register(mut stream: Box<dyn Stream>, page: usize) -> Outcome<Box<dyn Stream>> {
    let user = user_name(page);
    let mut client = Client::with_password(user.as_bytes(), PASSWORD.as_bytes());
    let challenge = exchange(stream.as_mut(), &request(page, 1, &[])?)?;
    let challenge = Message::parse(&challenge)?;
    let offered = challenge.headers(HeaderName::WwwAuthenticate).map(|value| (Side::User, value));
    let mut entropy = SeededEntropy::new(page as u64);
    let verdict = client.challenged(offered, &mut Attempts::default(), &mut entropy);
    if !matches!(verdict, Verdict::Retry) {
        return Err(format!("{user} was not challenged but answered {:?}", challenge.status()).into());
    }
    let credentials = client.authorize(b"REGISTER", b"sip:example.com", b"")?;
    let answer = exchange(stream.as_mut(), &request(page, 2, &credentials)?)?;
    match Message::parse(&answer)?.status() {
        Some(200) => Ok(stream),
        other => Err(format!("{user} was not registered: {other:?}").into()),
    }
}

fn request(page: usize, sequence: u32, credentials: &[(Side, Vec<u8>)]) -> Outcome<Vec<u8>> {
    let user = user_name(page);
    let instance = format!("\"<urn:uuid:00000000-0000-4000-8000-{page:012}>\"");
    let headers = [
        (HeaderName::Via, format!("SIP/2.0/WS p{page}.invalid;branch=z9hG4bK{page}x{sequence}")),
        (HeaderName::MaxForwards, "70".into()),
        (HeaderName::From, format!("<sip:{user}@example.com>;tag=t{page}")),
        (HeaderName::To, format!("<sip:{user}@example.com>")),
        (HeaderName::CallId, format!("idle{page}")),
        (HeaderName::CSeq, format!("{sequence} REGISTER")),
        (
            HeaderName::Contact,
            format!("<sip:p@p{page}.invalid;transport=ws>;reg-id=1;+sip.instance={instance};expires=3600"),
        ),
        (HeaderName::Supported, "path, gruu, outbound".into()),
    ];
    let mut builder = Builder::request(Method::Register, b"sip:example.com");
    for (name, value) in &headers {
        builder = builder.header(*name, value.as_bytes());
    }
    for (_, value) in credentials {
        builder = builder.header(HeaderName::Authorization, value);
    }
    Ok(builder.finish()?)
}

/// Sends one message and reads the one that answers it.
fn exchange(stream: &mut dyn Stream, message: &[u8]) -> Outcome<Vec<u8>> {
    let key = [1, 2, 3, 4];
    let mut frame = FrameHead::new(Opcode::Text, message.len(), Some(key)).to_vec();
    let start = frame.len();
    frame.extend_from_slice(message);
    websocket::mask(&mut frame[start..], key);
    stream.write_all(&frame)?;
    let mut head = [0; 4];
    stream.read_exact(&mut head)?;
    if head[0] != 0x81 || head[1] != 126 {
        return Err("the answer is not one text frame of middle size".into());
    }
    let mut answer = vec![0; usize::from(u16::from_be_bytes([head[2], head[3]]))];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}
