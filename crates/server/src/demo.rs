//! `sipweb serve --demo`: a server for trying out, and what to do with it in plain words.

use std::fmt::Write;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use net::{Identity, Limits, Listener, ListenerConfig, Protocol, TlsConfig, TrustRoots};
use store::UserFile;

use crate::command_line::DemoOptions;
use crate::configuration::{Configuration, Media, Origins, Protocols, Web, bad_ports};
use crate::log::Level;
use crate::run::{self, Manner};
use crate::{Failure, password, print};

/// The host part of users' addresses.
const DOMAIN: &str = "127.0.0.1";
const USERS: [&str; 2] = ["alice", "bob"];

/// A user and, as far as the demo knows it, the password.
struct DemoUser {
    name: &'static str,
    /// `None`: somebody has set another with `sipweb user passwd`.
    password: Option<String>,
}

/// Runs the demo until it is told to stop.
pub(crate) fn serve(options: &DemoOptions) -> Result<(), Failure> {
    for (protocol, port) in [(Protocol::Http, options.http_port), (Protocol::Https, options.https_port)] {
        if let Some(objection) = bad_ports::objection(protocol, port) {
            return Err(Failure::Usage(objection));
        }
    }
    // Dropped, and with it removed, when the demo ends.
    let temporary;
    let data = match &options.data {
        Some(data) => data.as_path(),
        None => {
            temporary = tempfile::Builder::new()
                .prefix("sipweb-demo-")
                .tempdir()
                .map_err(|error| Failure::Failed(format!("cannot make a temporary folder: {error}")))?;
            temporary.path()
        }
    };
    let configuration = configuration(options, data);
    let users = users(data, &configuration.proxy.authentication.realm)?;
    let ready = |listeners: &[Listener]| {
        print(&welcome(listeners, &users, options.data.is_none()));
        run::ready_line(listeners);
    };
    run::serve(configuration, &Manner { ready: &ready, remedy: &remedy })
}

fn configuration(options: &DemoOptions, data: &Path) -> Configuration {
    let port = |protocol| match protocol {
        Protocol::Udp | Protocol::Tcp => options.sip_port,
        Protocol::Tls => options.sips_port,
        Protocol::Http => options.http_port,
        Protocol::Https => options.https_port,
    };
    let ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    let mut listeners = Vec::new();
    for protocol in Protocols::ALL {
        let mut listen = |address| {
            listeners.push(ListenerConfig::new(protocol, SocketAddr::new(address, port(protocol))));
        };
        listen(IpAddr::V4(Ipv4Addr::LOCALHOST));
        // "Any free port" would be another one for each family, and nobody could tell which is which.
        if ipv6 && port(protocol) != 0 {
            listen(IpAddr::V6(Ipv6Addr::LOCALHOST));
        }
    }
    Configuration {
        tokens: None,
        ice: None,
        acme: None,
        stir: std::sync::Arc::default(),
        file: None,
        data: data.to_owned(),
        loops: 1,
        listeners,
        advertise: None,
        tls: TlsConfig {
            identity: Some(Identity::SelfSigned { directory: data.to_owned(), names: Vec::new() }),
            roots: TrustRoots::System,
            clients: None,
            issued: None,
        },
        web: Web { page: true, origins: Origins::These(Vec::new()) },
        proxy: proxy::Config { domains: vec![DOMAIN.to_owned()], ..proxy::Config::default() },
        media: Media::default(),
        limits: Limits::default(),
        calls: None,
        level: Level::Info,
    }
}

/// The users of the demo: fresh passwords, or those of the last time where the data is kept.
fn users(data: &Path, realm: &str) -> Result<Vec<DemoUser>, Failure> {
    let file = UserFile::of(data).map_err(Failure::from_error)?;
    let known = file.list().map_err(Failure::from_error)?;
    let kept = kept_passwords(data)?;
    let mut users = Vec::new();
    for name in USERS {
        let before = known.iter().find(|user| user.name == name && user.realm == realm);
        let password = kept.iter().find(|(user, _)| user == name).map(|(_, password)| password.clone());
        let password = match (before, password) {
            (Some(before), Some(password)) => {
                (password::user(name, realm, &password) == *before).then_some(password)
            }
            (Some(_), None) => None,
            (None, kept) => {
                let password = kept.map_or_else(|| password::made_up(3), Ok)?;
                file.set(&password::user(name, realm, &password)).map_err(Failure::from_error)?;
                Some(password)
            }
        };
        users.push(DemoUser { name, password });
    }
    keep_passwords(data, &users)?;
    Ok(users)
}

const KEPT: &str = "demo-passwords";

fn kept_passwords(data: &Path) -> Result<Vec<(String, String)>, Failure> {
    let path = data.join(KEPT);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::Failed(format!("cannot read {}: {error}", path.display()))),
    };
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    Ok(pairs.map(|(name, password)| (name.to_owned(), password.to_owned())).collect())
}

/// Keeps the passwords, for the demo only: how else could it print them at the next start.
fn keep_passwords(data: &Path, users: &[DemoUser]) -> Result<(), Failure> {
    let path = data.join(KEPT);
    let mut text = String::new();
    for user in users {
        if let Some(password) = &user.password {
            let _ = writeln!(text, "{} {password}", user.name);
        }
    }
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Failure::Failed(format!("cannot write {}: {error}", path.display())))
}

fn remedy(protocol: Protocol) -> String {
    let (option, example) = match protocol {
        Protocol::Udp | Protocol::Tcp => ("--sip-port", 5070),
        Protocol::Tls => ("--sips-port", 5071),
        Protocol::Http => ("--http-port", 8081),
        Protocol::Https => ("--https-port", 8444),
    };
    format!("stop it, or choose another port with {option} {example}")
}

/// What to do now, in plain words.
fn welcome(listeners: &[Listener], users: &[DemoUser], temporary: bool) -> String {
    let port = |protocol| {
        let found = listeners.iter().find(|listener| listener.protocol == protocol);
        found.map_or(0, |listener| listener.address.port())
    };
    let http = port(Protocol::Http);
    let mut text = String::from(
        "\nSipweb runs, for this machine only. Ctrl+C stops it.\n\
         \nOpen the first link in one browser window and the second in another, and call:\n\n",
    );
    for DemoUser { name, password } in users {
        let _ = match password {
            Some(password) => writeln!(text, "  {name:<6} http://{DOMAIN}:{http}/#{name}:{password}"),
            None => {
                writeln!(text, "  {name:<6} http://{DOMAIN}:{http}/   with the password that you have set")
            }
        };
    }
    let _ = write!(
        text,
        "\nThe page without signing in: http://{DOMAIN}:{http}/ (or https://{DOMAIN}:{}/, with a certificate of \
         our own making\nthat the browser will warn of).\n",
        port(Protocol::Https)
    );
    if let Some(DemoUser { name, password }) = users.last() {
        text.push_str(&phone(name, password.as_deref(), &port));
    }
    if temporary {
        text.push_str("\nNothing is kept when it stops; --data DIR keeps users and passwords.\n");
    }
    text.push('\n');
    text
}

/// How to connect a SIP phone.
fn phone(name: &str, password: Option<&str>, port: &dyn Fn(Protocol) -> u16) -> String {
    let password = password.unwrap_or("PASSWORD");
    let mut text = format!(
        "\nA SIP phone can be {name} too: user {name}, password {password}, server {DOMAIN}:{}.\n\
         With baresip, put one of these lines into ~/.baresip/accounts:\n\n",
        port(Protocol::Udp)
    );
    for (protocol, transport) in [(Protocol::Udp, "udp"), (Protocol::Tcp, "tcp"), (Protocol::Tls, "tls")] {
        let _ = writeln!(
            text,
            "  <sip:{name}@{DOMAIN};transport={transport}>;auth_pass={password};\
             outbound=\"sip:{DOMAIN}:{};transport={transport}\";regint=600",
            port(protocol)
        );
    }
    let _ = write!(
        text,
        "\nthen start baresip and type\n\n  /dial sip:alice@{DOMAIN}\n\nto make alice's page ring. When alice calls \
         bob, /accept answers; /hangup ends a call.\n\
         On a machine without a network it needs net_interface {DOMAIN} too.\n",
    );
    text
}
