//! The servers under test, each started fresh in a folder of its own and ended by its process id.

use std::fmt::Write as _;
use std::fs;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use sip::digest::{Algorithm, Ha1};
use tempfile::TempDir;

use super::generator::ends::Addresses;
use super::generator::registrations::{PASSWORD, user_name};
use crate::Outcome;
use crate::process::{self, Process};

/// The realm that both registrars ask for.
const REALM: &str = "sipweb";
const KAMAILIO: &str = "/usr/sbin/kamailio";
const KAMAILIO_CONFIGURATION: &str = include_str!("../../kamailio.cfg");
/// Where distributions keep Kamailio's modules.
const MODULES: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/kamailio/modules",
    "/usr/lib/aarch64-linux-gnu/kamailio/modules",
    "/usr/lib/kamailio/modules",
    "/usr/lib64/kamailio/modules",
];
/// What is told to install where Kamailio is missing.
const PACKAGES: &str = "kamailio kamailio-websocket-modules kamailio-tls-modules";

/// The options of Kamailio that the results name: its allocator, workers for UDP and for TCP, megabytes for all and for
/// each, octets of its UDP buffer. A later option of the same name takes the place of an earlier one.
pub(crate) const KAMAILIO_TUNING: [&str; 12] =
    ["-x", "fm", "-n", "2", "-N", "2", "-m", "4096", "-M", "16", "-b", "4194304"];

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contender {
    /// Ours.
    Sipweb,
    /// Debian's.
    Kamailio,
    /// The bare forwarder: what the kernel alone costs.
    Forwarder,
}

impl Contender {
    /// All, in the order of the runs.
    pub(crate) const ALL: [Self; 3] = [Self::Sipweb, Self::Kamailio, Self::Forwarder];

    /// Its name in tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sipweb => "Sipweb",
            Self::Kamailio => "Kamailio",
            Self::Forwarder => "forwarder",
        }
    }
}

/// What a server has to have for a load.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Needs {
    /// WebSocket listeners.
    pub(crate) websocket: bool,
    /// TLS.
    pub(crate) tls: bool,
    /// Users who may register, and the number of the first.
    pub(crate) users: usize,
    pub(crate) first_user: usize,
    /// Where it listens for datagrams, if that matters.
    pub(crate) udp: Option<SocketAddr>,
}

/// The cores of a server, and what it is told beside the usual.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    folder: &'a Path,
    cores: &'a str,
    more: &'a [&'a str],
}

/// A server that runs, until it is dropped.
pub(crate) struct Server {
    /// Its process.
    pub(crate) process: Process,
    /// Where it listens.
    pub(crate) addresses: Addresses,
    /// How pages trust it, where it has TLS.
    pub(crate) tls: Option<Arc<rustls::ClientConfig>>,
    folder: TempDir,
}

impl Server {
    /// Starts one on these cores. `binary` is Sipweb's; `kamailio` are further options of that.
    pub(crate) fn start(
        contender: Contender,
        binary: &Path,
        needs: Needs,
        cores: &str,
        kamailio: &[&str],
    ) -> Outcome<Self> {
        Self::start_in(tempfile::tempdir()?, contender, binary, needs, cores, kamailio)
    }

    /// Ends the server, and leaves what it has written. Its folder is gone with the value.
    pub(crate) fn stop(self) -> TempDir {
        drop(self.process);
        self.folder
    }

    /// Starts one in a folder in which there may be something already.
    pub(crate) fn start_in(
        folder: TempDir,
        contender: Contender,
        binary: &Path,
        needs: Needs,
        cores: &str,
        kamailio: &[&str],
    ) -> Outcome<Self> {
        let place = Place { folder: folder.path(), cores, more: kamailio };
        let tls = if needs.tls { Some(make_certificate(folder.path())?) } else { None };
        let (process, addresses) = match contender {
            Contender::Sipweb => start_sipweb(binary, place, needs)?,
            Contender::Kamailio => start_kamailio(place, needs)?,
            Contender::Forwarder => start_forwarder(place)?,
        };
        Ok(Self { process, addresses, tls, folder })
    }
}

fn start_sipweb(binary: &Path, place: Place<'_>, needs: Needs) -> Outcome<(Process, Addresses)> {
    let folder = place.folder;
    let any = "[\"127.0.0.1:0\"]";
    let udp = needs.udp.map_or_else(|| any.to_owned(), |address| format!("[\"{address}\"]"));
    // As many event loops as it has cores.
    let mut text =
        format!("domain = \"example.com\"\ndata = \"data\"\nloops = 0\n[listen]\nudp = {udp}\ntcp = {any}\n");
    if needs.websocket {
        writeln!(text, "http = {any}")?;
    }
    if needs.tls {
        writeln!(text, "https = {any}\n[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"")?;
    }
    // The load comes from one machine, as a peer's does: the bounds that keep one machine from taking all are off.
    write!(
        text,
        "[authentication]\nrealm = \"{REALM}\"\nalgorithms = [\"MD5\"]\n[registrar]\nmaximum_expires = \"2h\"\n\
         [peers]\ntrusted = [\"127.0.0.0/8\"]\n[media]\ngateway = false\n\
         [limits]\ntransactions = 100_000_000\ntransactions_per_source = 100_000_000\n\
         connections_per_source = 100_000\n[log]\nlevel = \"error\"\n"
    )?;
    let path = folder.join("sipweb.toml");
    fs::write(&path, text)?;
    write_users(&folder.join("data"), needs)?;
    let ready =
        process::ready_line(process::on_cores(place.cores, binary).args(["serve", "--config"]).arg(&path))?;
    let (process, ready) = ready;
    let address = |key: &str| -> Outcome<SocketAddr> {
        let prefix = format!("{key}=");
        let found = ready.split_whitespace().find_map(|word| word.strip_prefix(&prefix));
        Ok(found.ok_or_else(|| format!("Sipweb has no {key} listener: {ready}"))?.parse()?)
    };
    let udp = address("udp")?;
    let addresses = Addresses {
        udp,
        tcp: address("tcp")?,
        ws: if needs.websocket { address("http")? } else { udp },
        wss: if needs.tls { address("https")? } else { udp },
    };
    Ok((process, addresses))
}

/// The users' file, as `sipweb user add` would write it, a thousand times.
fn write_users(data: &Path, needs: Needs) -> Outcome<()> {
    if data.join("users").exists() {
        return Ok(());
    }
    fs::create_dir_all(data)?;
    let mut text = String::new();
    for number in needs.first_user..needs.first_user + needs.users {
        let name = user_name(number);
        let secret = Ha1::new(Algorithm::Md5, name.as_bytes(), REALM.as_bytes(), PASSWORD.as_bytes());
        let hex = secret.hex();
        writeln!(text, "{name}:{REALM}:{}::", String::from_utf8_lossy(hex.as_bytes()))?;
    }
    fs::write(data.join("users"), text)?;
    Ok(())
}

fn start_kamailio(place: Place<'_>, needs: Needs) -> Outcome<(Process, Addresses)> {
    let modules = MODULES.iter().find(|folder| Path::new(folder).join("tm.so").exists());
    let (Some(modules), true) = (modules, Path::new(KAMAILIO).exists()) else {
        return Err(
            format!("Kamailio is missing. On Debian or Ubuntu: `sudo apt-get install {PACKAGES}`").into()
        );
    };
    for (needed, module) in [(needs.websocket, "websocket.so"), (needs.tls, "tls.so")] {
        if needed && !Path::new(modules).join(module).exists() {
            return Err(format!(
                "Kamailio has no {module}. On Debian or Ubuntu: `sudo apt-get install {PACKAGES}`"
            )
            .into());
        }
    }
    let folder = place.folder;
    let configuration = folder.join("kamailio.cfg");
    fs::write(&configuration, KAMAILIO_CONFIGURATION)?;
    fs::write(
        folder.join("tls.cfg"),
        format!(
            "[server:default]\nmethod = TLSv1.2+\nverify_certificate = no\nrequire_certificate = no\n\
             private_key = {0}/key.pem\ncertificate = {0}/cert.pem\n",
            folder.display()
        ),
    )?;
    let (port, tls_port) = (free_port()?, free_port()?);
    let plain: SocketAddr = ([127, 0, 0, 1], port).into();
    let secure: SocketAddr = ([127, 0, 0, 1], tls_port).into();
    let mut command = process::on_cores(place.cores, KAMAILIO);
    command.args(["-DD", "-E"]).args(KAMAILIO_TUNING).args(place.more).current_dir(folder);
    command.arg("-f").arg(&configuration).arg("-Y").arg(folder).arg("-P").arg(folder.join("pid"));
    command
        .arg("-L")
        .arg(modules)
        .arg("-l")
        .arg(format!("udp:{plain}"))
        .arg("-l")
        .arg(format!("tcp:{plain}"));
    if needs.websocket {
        command.args(["-A", "WITH_WEBSOCKET"]);
    }
    if needs.tls {
        command.args(["-A", "WITH_TLS", "-l"]).arg(format!("tls:{secure}"));
    }
    let log = folder.join("log");
    let output = fs::File::create(&log)?;
    let child = command.stdout(Stdio::null()).stderr(output).spawn()?;
    let mut process = Process { child };
    answers(&mut process, plain, &log)?;
    Ok((process, Addresses { udp: plain, tcp: plain, ws: plain, wss: secure }))
}

/// Waits until a server answers an OPTIONS.
fn answers(process: &mut Process, server: SocketAddr, log: &Path) -> Outcome<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    let local = socket.local_addr()?;
    let mut attempt = 0;
    let waited = process::wait_for("Kamailio to start", Duration::from_secs(20), || {
        if let Some(status) = process.child.try_wait()? {
            let said = fs::read_to_string(log).unwrap_or_default();
            return Err(format!("Kamailio ended with {status}: {said}").into());
        }
        attempt += 1;
        let request = format!(
            "OPTIONS sip:{server} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKstart{attempt}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:bench@{local}>;tag=1\r\nTo: <sip:{server}>\r\n\
             Call-ID: start{attempt}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        );
        let sent = socket.send_to(request.as_bytes(), server).is_ok();
        Ok(sent && socket.recv(&mut [0; 2048]).is_ok())
    });
    waited.map_err(|error| format!("{error}\n{}", fs::read_to_string(log).unwrap_or_default()).into())
}

fn start_forwarder(place: Place<'_>) -> Outcome<(Process, Addresses)> {
    let ourselves = std::env::current_exe()?;
    let (process, ready) = process::ready_line(process::on_cores(place.cores, ourselves).arg("forward"))?;
    let udp: SocketAddr = ready.rsplit('=').next().unwrap_or_default().trim().parse()?;
    Ok((process, Addresses { udp, tcp: udp, ws: udp, wss: udp }))
}

/// A port that is free for UDP and TCP.
pub(crate) fn free_port() -> Outcome<u16> {
    loop {
        let socket = TcpListener::bind("127.0.0.1:0")?;
        let port = socket.local_addr()?.port();
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
}

/// One certificate for both servers: ECDSA P-256, as most public ones are today. Returns who trusts it.
fn make_certificate(folder: &Path) -> Outcome<Arc<rustls::ClientConfig>> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let place = |name: &str| -> PathBuf { folder.join(name) };
    fs::write(place("cert.pem"), made.cert.pem())?;
    fs::write(place("key.pem"), made.signing_key.serialize_pem())?;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from(made.cert.der().to_vec()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

/// Kamailio's version.
pub(crate) fn kamailio_version() -> Outcome<String> {
    let said = Command::new(KAMAILIO).arg("-v").output()?.stdout;
    let said = String::from_utf8_lossy(&said);
    let line = said.lines().next().unwrap_or_default();
    Ok(line.trim_start_matches("version:").trim().to_owned())
}
