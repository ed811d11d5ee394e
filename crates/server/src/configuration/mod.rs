//! What the server is told by its configuration file.
//!
//! The way of a file: [`mod@file`] turns the text into values that know their place, and refuses keys that are not
//! in the table of [`keys`]; [`check`] turns the values into a [`Configuration`]. All that is wrong with a file is
//! found in one go, each with line and column ([`error`]).

mod accounts;
mod acme;
pub(crate) mod bad_ports;
mod check;
mod error;
mod events;
mod file;
mod ice;
mod keys;
mod registrar;
mod routing;
mod stir;
mod tls;
mod tokens;
mod trunks;
mod values;

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use media::SdesSuite;
use net::{Limits as NetLimits, ListenerConfig, Protocol, TlsConfig};

use crate::acme::Acme;
use crate::certificate::Certificate;
use crate::ice_servers::IceServers;
use crate::media_joining::{Anchor, Sdes};
use crate::stir::Stir;
use crate::tokens::Tokens;
pub(crate) use error::ConfigurationError;
pub(crate) use keys::example;

/// The fewest ports for phones that a loop has, unless the configuration says how many loops there are.
const PORTS_OF_A_LOOP: usize = 1000;

/// A configuration that has been checked.
#[derive(Clone, Debug)]
pub(crate) struct Configuration {
    /// The file that it was read from.
    pub(crate) file: Option<PathBuf>,
    /// The data directory.
    pub(crate) data: PathBuf,
    /// How many event loops there are; 0: as many as the process may use cores.
    pub(crate) loops: usize,
    /// The sockets to listen on.
    pub(crate) listeners: Vec<ListenerConfig>,
    /// The host that others are told instead of the listeners' addresses.
    pub(crate) advertise: Option<String>,
    /// Certificates.
    pub(crate) tls: TlsConfig,
    /// Certificates that the server gets by itself.
    pub(crate) acme: Option<Acme>,
    /// The page and who may open a WebSocket.
    pub(crate) web: Web,
    /// Which tokens count beside passwords.
    pub(crate) tokens: Option<Arc<Tokens>>,
    /// The STUN and TURN servers that pages are told.
    pub(crate) ice: Option<Arc<IceServers>>,
    /// What signs caller ids, and what those of others are verified with.
    pub(crate) stir: Arc<Stir>,
    /// The proxy's part, but for its listeners, which are known when they are bound.
    pub(crate) proxy: proxy::Config,
    /// The media gateway.
    pub(crate) media: Media,
    /// The network's bounds.
    pub(crate) limits: NetLimits,
    /// Where joined calls are recorded.
    pub(crate) calls: Option<PathBuf>,
    /// Which lines are logged.
    pub(crate) level: crate::log::Level,
}

/// The web side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Web {
    /// Whether the phone page is served.
    pub(crate) page: bool,
    /// Origins that may open a WebSocket, beside the page's own and loopback names.
    pub(crate) origins: Origins,
}

/// What the configuration says of media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Media {
    /// Whether browsers and phones are joined.
    pub(crate) gateway: bool,
    /// The port for browsers, UDP and TCP; 0 is any free one.
    pub(crate) port: u16,
    /// Whether browsers may use UDP.
    pub(crate) udp: bool,
    /// Whether they may connect over TCP.
    pub(crate) tcp: bool,
    /// The ports for phones.
    pub(crate) ports: RangeInclusive<u16>,
    /// Where SRTP keys may stand in the descriptions of phones.
    pub(crate) sdes: Sdes,
    /// The suites of SRTP, the preferred one first.
    pub(crate) suites: Vec<SdesSuite>,
    /// Whether Opus and G.711 are transcoded where the two sides have no codec in common.
    pub(crate) transcoding: bool,
    /// Whether pages are told by INFO which keys phones press.
    pub(crate) digits_to_pages: bool,
    /// Which calls between two of a kind go through us.
    pub(crate) anchor: Anchor,
    /// The addresses that browsers and phones are told, if they are not the machine's own: one of each family.
    pub(crate) advertise: Vec<IpAddr>,
    /// The rtpengine nodes that join instead of this process.
    pub(crate) rtpengine: Vec<MediaNode>,
}

/// Where an rtpengine listens for the ng protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MediaNode {
    /// Its name or address.
    pub(crate) host: String,
    /// Its UDP port.
    pub(crate) port: u16,
    /// How many calls it gets beside the others.
    pub(crate) weight: u32,
}

impl Media {
    /// Whether the gateway of this process joins, which has ports for it.
    pub(crate) const fn takes_ports(&self) -> bool {
        self.gateway && self.rtpengine.is_empty()
    }
}

impl Default for Media {
    fn default() -> Self {
        Self {
            gateway: true,
            port: 0,
            udp: true,
            tcp: true,
            ports: 16_384..=32_767,
            sdes: Sdes::default(),
            suites: SdesSuite::ALL.to_vec(),
            transcoding: true,
            digits_to_pages: true,
            anchor: Anchor::default(),
            advertise: Vec::new(),
            rtpengine: Vec::new(),
        }
    }
}

/// Which foreign pages may open a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origins {
    /// Every page.
    Any,
    /// Those of these origins, in lower case, such as `https://shop.example.com`.
    These(Vec<String>),
}

impl Configuration {
    /// How many event loops the server has.
    ///
    /// Each has ports of its own for media. Where somebody has opened one port for browsers, or few for phones, there
    /// are not as many as cores unless the configuration says the number.
    pub(crate) fn loops(&self) -> usize {
        // Elsewhere the system does not spread what comes among the sockets of one port.
        let spreads = cfg!(target_os = "linux");
        let cores = || {
            if spreads { std::thread::available_parallelism().map_or(1, std::num::NonZero::get) } else { 1 }
        };
        let loops = match (self.loops, self.media.takes_ports()) {
            (0, true) if self.media.port != 0 => 1,
            (0, true) => cores().min(self.media.ports.len() / PORTS_OF_A_LOOP),
            (0, false) => cores(),
            (loops, _) => loops,
        };
        loops.clamp(1, net::MOST_LOOPS)
    }

    /// Reads and checks the file at `path`. Relative paths in it are relative to its folder.
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigurationError> {
        let octets = std::fs::read(path)
            .map_err(|source| ConfigurationError::Unreadable { path: path.to_owned(), source })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let read = match std::str::from_utf8(&octets) {
            Ok(text) => Self::parse(text, folder),
            Err(error) => Err(vec![error::Problem::no_text(&octets[..error.valid_up_to()])]),
        };
        let read = read.map_err(|problems| ConfigurationError::Wrong { path: path.to_owned(), problems })?;
        Ok(Self { file: Some(path.to_owned()), ..read })
    }

    /// Says in the log what is taken, but will hardly do what it is meant for.
    pub(crate) fn tell_trouble(&self) {
        Certificate::of(self).tell_trouble();
        if let Some(tokens) = &self.tokens {
            tokens.tell_trouble();
        }
    }

    fn parse(text: &str, folder: &Path) -> Result<Self, Vec<error::Problem>> {
        check::check(text, folder)
    }
}

/// The listeners of a server that was told none: loopback only, the ports that the standards name.
pub(crate) fn loopback_listeners() -> Vec<ListenerConfig> {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
    let mut addresses = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        addresses.push(IpAddr::V6(Ipv6Addr::LOCALHOST));
    }
    Protocols::ALL
        .into_iter()
        .flat_map(|protocol| addresses.iter().map(move |address| (protocol, *address)))
        .map(|(protocol, address)| {
            ListenerConfig::new(protocol, SocketAddr::new(address, Protocols::default_port(protocol)))
        })
        .collect()
}

/// The five things a listener can speak, with the names and ports they have in the configuration.
pub(crate) struct Protocols;

impl Protocols {
    pub(crate) const ALL: [Protocol; 5] =
        [Protocol::Udp, Protocol::Tcp, Protocol::Tls, Protocol::Http, Protocol::Https];

    /// The key below `[listen]`, and the name in the ready line.
    pub(crate) const fn key(protocol: Protocol) -> &'static str {
        match protocol {
            Protocol::Udp => "udp",
            Protocol::Tcp => "tcp",
            Protocol::Tls => "tls",
            Protocol::Http => "http",
            Protocol::Https => "https",
        }
    }

    /// The port where none is written: those of RFC 3261 §19.1.2 for SIP, and for the web ones that need no
    /// privilege.
    pub(crate) const fn default_port(protocol: Protocol) -> u16 {
        match protocol {
            Protocol::Udp | Protocol::Tcp => 5060,
            Protocol::Tls => 5061,
            Protocol::Http => 8080,
            Protocol::Https => 8443,
        }
    }
}
