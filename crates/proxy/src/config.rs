//! What the proxy is told before it starts: its names, its listeners, its role, its limits.
//!
//! The defaults are safe: nothing is relayed for anybody who is neither authenticated nor a configured peer, and
//! every table has a bound.

use core::time::Duration;
use std::net::{IpAddr, SocketAddr};

use sip::digest::Algorithm;
use sip::{AddressRange, Transport};

use crate::notifier::Package;
use crate::trunks::settings::Trunks;

/// Everything that the proxy is told at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// The domains whose users are ours. The first is the primary one: a URI that names one of our listeners
    /// by address, or `localhost`, counts as that domain.
    pub domains: Vec<String>,
    /// Further names that count as the primary domain.
    pub aliases: Vec<String>,
    /// The sockets that the server listens on, as bound.
    pub listeners: Vec<Listener>,
    /// What this server is.
    pub role: Role,
    /// Digest authentication.
    pub authentication: Authentication,
    /// The registrar.
    pub registrar: Registrar,
    /// Peers whose word is taken: they may call and relay without authentication, may send `Path`, and keep
    /// their `P-Asserted-Identity`.
    pub trusted_peers: Vec<AddressRange>,
    /// The SIP domains of such peers, in small letters, known by the certificates that they show when they connect.
    pub trusted_certificates: Vec<String>,
    /// Whether callers from foreign domains may reach our users without authentication. A caller whose From
    /// is one of our own domains must authenticate in any case.
    pub accept_from_strangers: bool,
    /// In which order the contacts of a user are tried.
    pub forking: Forking,
    /// When the next address of a server is tried.
    pub next_hop: NextHop,
    /// What is taken from people whom nobody knows.
    pub strangers: Strangers,
    /// Who is told who calls.
    pub identity: Identity,
    /// Accounts of a public page's visitors.
    pub guests: Guests,
    /// Groups of other servers, and the routes that lead there.
    pub trunks: Trunks,
    /// The keys that flow tokens are signed with.
    pub flow_tokens: FlowTokenKeys,
    /// What users may subscribe to.
    pub events: Events,
    /// What becomes of messages to users who are signed in nowhere.
    pub messages: Messages,
    /// When calls of whose end nobody hears end by themselves.
    pub session_timers: SessionTimers,
    /// Bounds of every table.
    pub limits: Limits,
    /// How long an INVITE may ring without any news (RFC 3261 §16.8, Timer C: more than three minutes).
    pub timer_c: Duration,
    /// How long an INVITE may wait for another response before it gets 100 (Trying): at most 200 ms (RFC 3261 §17.2.1).
    /// Zero: it gets one at once.
    pub trying_after: Duration,
    /// The value of `Server` in answers to registrations that were accepted; empty for none. Strangers are not told.
    pub server_name: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            domains: Vec::new(),
            aliases: vec!["localhost".to_owned()],
            listeners: Vec::new(),
            role: Role::AllInOne,
            authentication: Authentication::default(),
            registrar: Registrar::default(),
            trusted_peers: Vec::new(),
            trusted_certificates: Vec::new(),
            accept_from_strangers: true,
            forking: Forking::default(),
            next_hop: NextHop::default(),
            strangers: Strangers::default(),
            identity: Identity::default(),
            guests: Guests::default(),
            trunks: Trunks::default(),
            flow_tokens: FlowTokenKeys::default(),
            events: Events::default(),
            messages: Messages::default(),
            session_timers: SessionTimers::default(),
            limits: Limits::default(),
            timer_c: Duration::from_secs(180),
            trying_after: Duration::ZERO,
            server_name: "Sipweb".to_owned(),
        }
    }
}

/// The keys that flow tokens are signed with (RFC 5626 §5.2). Servers with one secret need the same ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowTokenKeys {
    /// How often there is another key.
    pub every: Duration,
    /// How long a token holds at the least: longer than calls and registrations last. At the most 250 times `every`.
    pub kept: Duration,
}

impl Default for FlowTokenKeys {
    fn default() -> Self {
        Self { every: Duration::from_secs(86_400), kept: Duration::from_secs(30 * 86_400) }
    }
}

/// One listening socket.
#[derive(Clone, Debug)]
pub struct Listener {
    /// The transport protocol.
    pub transport: Transport,
    /// Address and port, as bound: the port is the real one, the address may be unspecified.
    pub bound: SocketAddr,
    /// The host that others are told (Via, Record-Route, Path): a name or an address, IPv6 without brackets.
    /// `None`: the address on which the message came or goes.
    pub advertised_host: Option<String>,
    /// Where `bound` is unspecified: the machine's address on its way outward. Others are told it where nobody's message has
    /// said yet on which address it goes.
    pub outward_address: Option<IpAddr>,
    /// The port that others are told. `None`: the bound one.
    pub advertised_port: Option<u16>,
}

impl Listener {
    /// A listener that is known by the address it is bound to.
    #[must_use]
    pub const fn new(transport: Transport, bound: SocketAddr) -> Self {
        Self { transport, bound, advertised_host: None, outward_address: None, advertised_port: None }
    }

    /// The port that others are told.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.advertised_port.unwrap_or_else(|| self.bound.port())
    }
}

/// What the server is.
#[derive(Clone, Debug)]
pub enum Role {
    /// Registrar and proxy for its own users.
    AllInOne,
    /// An edge in front of an existing registrar (RFC 5626 §5): clients' requests go to the upstream server,
    /// the upstream's requests go to the clients' flows.
    Edge {
        /// The registrar behind the edge.
        upstream: Upstream,
    },
}

/// The server behind an edge.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Its name or address, IPv6 without brackets.
    pub host: String,
    /// Its port; `None`: by RFC 3263.
    pub port: Option<u16>,
    /// The transport towards it; `None`: by RFC 3263.
    pub transport: Option<Transport>,
    /// Addresses it sends from, beside those that its name resolves to.
    pub addresses: Vec<AddressRange>,
    /// Whether its registrar keeps Path and goes back by it (RFC 3327). Else it gets Contacts that lead to the edge, in
    /// place of those of the clients.
    pub keeps_path: bool,
}

/// Digest authentication (RFC 3261 §22, RFC 8760).
#[derive(Clone, Debug)]
pub struct Authentication {
    /// Whether anybody is asked to authenticate. Off is for laboratories: From is believed.
    pub required: bool,
    /// The realm in challenges.
    pub realm: String,
    /// The algorithms offered, strongest first: one challenge each (RFC 8760 §2.3).
    pub algorithms: Vec<Algorithm>,
    /// Clients, by the start of their `User-Agent`, that read only the first challenge or give up at one
    /// whose algorithm they do not know. They are offered MD5 alone, if MD5 is among the algorithms.
    pub md5_only_clients: Vec<String>,
    /// How long a nonce is good for.
    pub nonce_lifetime: Duration,
    /// Whether tokens count beside passwords; `None`: they are credentials of an unknown kind.
    pub tokens: Option<Tokens>,
}

/// Sign-in by token (RFC 8898).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Where clients are told to get one; `None`: no challenge speaks of tokens.
    pub authorization_server: Option<String>,
}

impl Default for Authentication {
    fn default() -> Self {
        Self {
            required: true,
            realm: "sipweb".to_owned(),
            algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
            // JsSIP 3.13 and SIP.js 0.21 read the first challenge only, and give up if it is not MD5; baresip 1.0
            // gives up as soon as one of the challenges is not MD5, wherever it stands.
            md5_only_clients: ["JsSIP", "SIP.js", "baresip"].map(str::to_owned).to_vec(),
            nonce_lifetime: Duration::from_secs(300),
            tokens: None,
        }
    }
}

/// The registrar's limits and habits.
#[derive(Clone, Debug)]
pub struct Registrar {
    /// The shortest expiry accepted; shorter ones get 423 (RFC 3261 §10.3 item 7).
    pub minimum_expiry: Duration,
    /// The longest expiry granted; longer ones are cut.
    pub maximum_expiry: Duration,
    /// The expiry where the client names none.
    pub default_expiry: Duration,
    /// How many contacts one address-of-record may have.
    pub maximum_contacts: usize,
    /// How long a binding outlives its connection, so that a page may reload.
    pub flow_grace: Duration,
    /// The `Flow-Timer` told to outbound clients (RFC 5626 §5.4); zero for none.
    pub flow_timer: Duration,
    /// URIs for `Service-Route` (RFC 3608), as they shall stand in the header, with brackets.
    pub service_route: Vec<String>,
}

impl Default for Registrar {
    fn default() -> Self {
        Self {
            minimum_expiry: Duration::from_secs(60),
            maximum_expiry: Duration::from_secs(7200),
            default_expiry: Duration::from_secs(600),
            maximum_contacts: 20,
            flow_grace: Duration::from_secs(30),
            flow_timer: Duration::ZERO,
            service_route: Vec::new(),
        }
    }
}

/// Bounds. Beyond them requests are refused with 503 and `Retry-After`, but a BYE only at twice the bound.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Requests in progress, in total.
    pub transactions: usize,
    /// Requests in progress from one address. Trusted peers and the upstream are not counted.
    pub transactions_per_source: usize,
    /// Branches of one request (RFC 5393 §5.3 suggests 60).
    pub branches: usize,
    /// Bindings in total.
    pub bindings: usize,
    /// Calls to other servers that one account begins in a minute; 0 for any number. An edge does not count.
    pub calls_elsewhere: u32,
    /// What a refused client is told to wait, in seconds.
    pub retry_after: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            transactions: 100_000,
            transactions_per_source: 2_000,
            branches: 60,
            bindings: 1_000_000,
            calls_elsewhere: 60,
            retry_after: 10,
        }
    }
}

/// In which order the contacts of a user are tried (RFC 3261 §16.6).
#[derive(Clone, Debug)]
pub struct Forking {
    /// Whether contacts of a lower preference (q) wait until those of a higher one have failed; else all ring at once.
    pub serial: bool,
    /// How long the contacts of one preference ring before those of the next one do.
    pub next_after: Duration,
    /// What becomes of a 3xx.
    pub redirections: Redirections,
    /// Whether a contact that registers while a call rings for its user rings too.
    pub late: bool,
}

impl Default for Forking {
    fn default() -> Self {
        Self {
            serial: true,
            next_after: Duration::from_secs(20),
            redirections: Redirections::default(),
            late: true,
        }
    }
}

/// Accounts whose password stands in a public page (see `guests`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guests {
    /// Their names; none by default.
    pub users: Vec<String>,
    /// The users, or names that routes know, whom they may call.
    pub may_call: Vec<String>,
    /// Calls of guests that are begun from one address in a minute; 0 for any number.
    pub calls_per_minute: u32,
}

/// When the next address of a server is tried (RFC 3263 §4.3).
#[derive(Clone, Debug)]
pub struct NextHop {
    /// How long a server may be silent to an INVITE, if it has another address.
    pub patience: Duration,
    /// How long an address that failed is tried after the others.
    pub avoid: Duration,
}

impl Default for NextHop {
    fn default() -> Self {
        Self { patience: Duration::from_secs(2), avoid: Duration::from_secs(60) }
    }
}

/// What becomes of a 3xx to a call (RFC 3261 §16.7 item 4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Redirections {
    /// The caller gets it, and decides.
    #[default]
    Passed,
    /// Its contacts are tried instead, those that are users of ours.
    ToUsers,
    /// Its contacts are tried instead, wherever they are; for strangers only users of ours.
    Followed,
}

/// What is taken from one address whose requests nobody has proved to be his (see `scanners`).
#[derive(Clone, Debug)]
pub struct Strangers {
    /// How many wrong passwords and calls to users who are not there end the patience; 0 for never.
    pub tries: u32,
    /// How long an address is not heard after that.
    pub ban: Duration,
    /// How many requests are taken in one second; ten times as many at once; 0 for any number. Loopback is not counted.
    pub requests_per_second: u32,
}

impl Default for Strangers {
    fn default() -> Self {
        Self { tries: 20, ban: Duration::from_secs(600), requests_per_second: 500 }
    }
}

/// Session timers (RFC 4028): both off by default, then INVITE and UPDATE pass as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionTimers {
    /// The interval of calls that ask for none, and the longest one; in whole seconds, zero: neither.
    pub interval: Duration,
    /// The shortest one; in whole seconds, zero: any. RFC 4028 §4 allows none below 90 s.
    pub minimum: Duration,
}

/// Who is told by `P-Asserted-Identity` which user of ours sends a request (RFC 3325).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Identity {
    /// Nobody.
    Never,
    /// Configured peers, and the upstream of an edge.
    #[default]
    Peers,
    /// Our users, too, unless the caller asks for privacy.
    Users,
}

/// What users may subscribe to (RFC 6665), of what the server itself knows.
#[derive(Clone, Debug)]
pub struct Events {
    /// The packages that are served. A SUBSCRIBE to another one goes to the user's devices.
    pub packages: Vec<Package>,
    /// Who may watch a user. Trusted peers always may.
    pub watchers: Watchers,
    /// The shortest subscription accepted; shorter ones get 423.
    pub minimum_expiry: Duration,
    /// The longest subscription granted; longer ones are cut.
    pub maximum_expiry: Duration,
    /// How many subscriptions there may be in total.
    pub subscriptions: usize,
    /// How many of them one user may have.
    pub subscriptions_per_user: usize,
    /// How long a call is shown of whose end nothing is heard.
    pub longest_call: Duration,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            packages: Package::ALL.to_vec(),
            watchers: Watchers::default(),
            minimum_expiry: Duration::from_secs(60),
            maximum_expiry: Duration::from_secs(3600),
            subscriptions: 100_000,
            subscriptions_per_user: 500,
            longest_call: Duration::from_secs(4 * 3600),
        }
    }
}

/// Who may watch a user of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Watchers {
    /// Every user of ours.
    #[default]
    Users,
    /// The user alone, from all devices.
    Oneself,
}

/// What becomes of messages (RFC 3428) to users who are signed in nowhere.
#[derive(Clone, Debug)]
pub struct Messages {
    /// How long one is kept; zero: none is, and its sender hears so.
    pub keep: Duration,
    /// How many are kept for one user.
    pub per_user: usize,
    /// How many are kept in total.
    pub total: usize,
    /// The URI to call to hear voice messages, told in message summaries (RFC 3842).
    pub voicemail: Option<String>,
}

impl Default for Messages {
    fn default() -> Self {
        Self { keep: Duration::from_secs(7 * 86_400), per_user: 100, total: 100_000, voicemail: None }
    }
}
