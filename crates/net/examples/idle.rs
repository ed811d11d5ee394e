//! How much memory an idle WebSocket connection costs the server.
//!
//! ```text
//! cargo run --release -p sipweb-net --example idle -- 10000        # ws
//! cargo run --release -p sipweb-net --example idle -- 10000 wss
//! ```
//!
//! The server runs in a process of its own, whose resident set is read before and after. Both processes need
//! as many file descriptors as there are connections (`ulimit -n`). Memory of the kernel is not counted.

use std::error::Error;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use net::{
    AfterFault, Handler, HttpRefusal, HttpRequest, HttpResponse, Identity, Limits, ListenerConfig, Malformed,
    Network, Protocol, TlsConfig, TrustRoots, UpgradeRequest,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use sip::{Flow, Hop};
use websocket::{FrameHead, Opcode};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve"] => serve(),
        [count] => measure(count.parse()?, false),
        [count, "wss"] => measure(count.parse()?, true),
        _ => Err("usage: idle COUNT [wss]".into()),
    }
}

/// Answers every message with itself.
struct Echo(Network);

impl Handler for Echo {
    fn message(&self, flow: &Flow, bytes: &[u8]) {
        self.0.send(&Hop::Flow(*flow), bytes);
    }
    fn closed(&self, _: &Flow) {}
    fn unreachable(&self, _: &Hop) {}
    fn malformed(&self, _: &Flow, _: &Malformed, _: &[u8]) -> AfterFault {
        AfterFault::Close
    }
    fn accept(&self, _: &UpgradeRequest<'_>) -> Result<(), HttpRefusal> {
        Ok(())
    }
    fn http(&self, _: &HttpRequest<'_>) -> HttpResponse {
        HttpResponse::text(404, "nothing here\n")
    }
}

fn certificate_directory() -> std::path::PathBuf {
    std::env::temp_dir().join("sipweb-idle")
}

fn serve() -> Outcome<()> {
    let tls = TlsConfig {
        identity: Some(Identity::SelfSigned { directory: certificate_directory(), names: Vec::new() }),
        roots: TrustRoots::System,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let any = "127.0.0.1:0".parse()?;
        let listeners = [ListenerConfig::new(Protocol::Http, any), ListenerConfig::new(Protocol::Https, any)];
        let limits = Limits { connections_per_source: 1_000_000, ..Limits::default() };
        let network = Network::bind(&listeners, &tls, limits)?;
        for listener in network.listeners() {
            println!("{}", listener.address);
        }
        network.run(Rc::new(Echo(network.clone()))).await;
        Ok(())
    })
}

/// The server's process, ended with us.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn measure(count: usize, secure: bool) -> Outcome<()> {
    let mut server =
        Server(Command::new(std::env::current_exe()?).arg("serve").stdout(Stdio::piped()).spawn()?);
    let mut lines = BufReader::new(server.0.stdout.take().ok_or("no output")?).lines();
    let plain: SocketAddr = lines.next().ok_or("the server did not start")??.parse()?;
    let tls: SocketAddr = lines.next().ok_or("the server did not start")??.parse()?;
    let address = if secure { tls } else { plain };
    let config = client_config()?;
    // What is made only once: buffers, tables, the TLS provider.
    let _warm: Vec<_> = (0..50).map(|_| open(address, secure, &config)).collect::<Outcome<_>>()?;
    let before = resident(&server.0)?;
    let mut connections = (0..count).map(|_| open(address, secure, &config)).collect::<Outcome<Vec<_>>>()?;
    let idle = resident(&server.0)?;
    for connection in &mut connections {
        echo(connection.as_mut())?;
    }
    let used = resident(&server.0)?;
    let each = |now: u64| now.saturating_sub(before) / count as u64;
    println!("{count} connections, {}", if secure { "wss" } else { "ws" });
    println!("resident before            {before:>12} bytes");
    println!("idle                       {:>12} bytes a connection", each(idle));
    println!("after one message each way {:>12} bytes a connection", each(used));
    Ok(())
}

/// The resident set of the server.
fn resident(server: &Child) -> Outcome<u64> {
    std::thread::sleep(Duration::from_millis(500));
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024)
}

fn client_config() -> Outcome<Arc<rustls::ClientConfig>> {
    let pem = std::fs::read(certificate_directory().join("self-signed.pem"))?;
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

/// Sends 600 bytes and reads them back.
fn echo(stream: &mut dyn Stream) -> Outcome<()> {
    let mut message = b"MESSAGE sip:a@b SIP/2.0\r\nContent-Length: 553\r\n\r\n".to_vec();
    message.resize(message.len() + 553, b'x');
    let key = [1, 2, 3, 4];
    let mut frame = FrameHead::new(Opcode::Text, message.len(), Some(key)).to_vec();
    let start = frame.len();
    frame.extend_from_slice(&message);
    websocket::mask(&mut frame[start..], key);
    stream.write_all(&frame)?;
    let mut answer = vec![0; 4 + message.len()];
    stream.read_exact(&mut answer)?;
    if answer[4..] == message { Ok(()) } else { Err("the echo is damaged".into()) }
}
