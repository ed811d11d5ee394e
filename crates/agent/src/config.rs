//! What an agent is told about itself: its identity, its transport, its habits.

use core::time::Duration;
use sip::{Transport, text};

/// The most flows that an agent keeps. RFC 5626 §4.2.1 advises two.
pub const MAX_FLOWS: u8 = 4;

/// A header field that the user of the agent adds to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The field's name, as it shall stand in the message.
    pub name: String,
    /// The field's value. CR, LF and NUL are refused when the message is built.
    pub value: String,
}

impl Header {
    /// A header field of that name and value.
    #[must_use]
    pub fn new(name: &str, value: &str) -> Self {
        Self { name: name.into(), value: value.into() }
    }

    fn is_writable(&self) -> bool {
        text::is_token(self.name.as_bytes()) && !text::breaks_line(self.value.as_bytes())
    }
}

/// The transport that the agent's one connection (or, for UDP, its one peer) has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via {
    /// Whether the transport repairs loss by itself. Decides the retransmission timers (RFC 3261 §17).
    pub reliable: bool,
    /// The transport that Via names. A page may name another than it uses, to please old servers.
    pub transport: Transport,
}

impl Via {
    /// The Via of an honest agent.
    #[must_use]
    pub const fn new(transport: Transport) -> Self {
        Self { reliable: transport.is_reliable(), transport }
    }
}

/// How the session is refreshed (RFC 4028 §7.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RefreshMethod {
    /// UPDATE without a session description, if the peer allows UPDATE.
    #[default]
    Update,
    /// re-INVITE, for which the user is asked for a description.
    Invite,
}

/// Whether provisional responses are reliable (RFC 3262).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReliableProvisional {
    /// Ours are not, and nobody is asked for any. What comes all the same is acknowledged.
    #[default]
    Unsupported,
    /// Where the peer supports it.
    Supported,
    /// Calls without it are refused, ours by the peer and the peer's by us.
    Required,
}

/// The kinds of request that the user wants to hear of. The agent answers the others by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listens {
    /// INVITE; otherwise 405.
    pub calls: bool,
    /// MESSAGE; otherwise 405.
    pub messages: bool,
    /// OPTIONS; otherwise 200.
    pub options: bool,
    /// SUBSCRIBE; otherwise 405.
    pub subscriptions: bool,
    /// REFER outside dialogs; otherwise 603.
    pub refers: bool,
    /// PUBLISH and methods that this agent does not know; otherwise 405.
    pub others: bool,
}

/// What may change while the agent runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The user name for digest; the user part of the address of record if absent.
    pub authorization_user: Option<String>,
    /// The password for digest.
    pub password: Option<String>,
    /// HA1 of RFC 7616 §3.4.2 for MD5, as 32 hexadecimal digits; used for `realm` only, before the password.
    pub ha1: Option<String>,
    /// The realm that `ha1` belongs to.
    pub realm: Option<String>,
    /// Written into Authorization of every request as it stands, for servers with tokens.
    pub authorization_jwt: Option<String>,
    /// The display name in From.
    pub display_name: Option<String>,
    /// Added to every request and response.
    pub extra_headers: Vec<Header>,
    /// Added to REGISTER.
    pub register_extra_headers: Vec<Header>,
    /// Appended to the Contact of REGISTER, with its leading semicolon.
    pub register_contact_parameters: String,
    /// What the user wants to hear of.
    pub listens: Listens,
    /// Whether the agent refreshes its registration without being told.
    pub refreshes_registration: bool,
}

impl Settings {
    /// Leaves out the fields that no message could carry.
    pub(crate) fn keep_writable(&mut self) {
        self.extra_headers.retain(Header::is_writable);
        self.register_extra_headers.retain(Header::is_writable);
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            authorization_user: None,
            password: None,
            ha1: None,
            realm: None,
            authorization_jwt: None,
            display_name: None,
            extra_headers: Vec::new(),
            register_extra_headers: Vec::new(),
            register_contact_parameters: String::new(),
            listens: Listens::default(),
            refreshes_registration: true,
        }
    }
}

/// What holds for the life of an agent.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address of record: a SIP or SIPS URI with a user part.
    pub uri: String,
    /// The agent's own Contact URI. A random user at `via_host` if absent.
    pub contact_uri: Option<String>,
    /// sent-by of Via, with its port if it needs one. The host of `contact_uri`, or a random name under
    /// `.invalid` (RFC 7118 §5), if absent.
    pub via_host: Option<String>,
    /// The transport until [`crate::Agent::connected`] says otherwise.
    pub via: Via,
    /// A UUID that stays the same for this device (RFC 5626 §4.1), without `urn:uuid:`. Random if absent.
    pub instance_id: Option<String>,
    /// How many flows are kept registered at the same time (RFC 5626 §4.2), 1 to [`MAX_FLOWS`]: each has a
    /// connection of its own, see [`crate::Agent::connected_over`].
    pub flows: u8,
    /// Where REGISTER goes. The domain of `uri` if absent.
    pub registrar_server: Option<String>,
    /// Seconds asked for in REGISTER; 0 leaves the choice to the registrar.
    pub register_expires: u32,
    /// Appended to the From tag of REGISTER.
    pub register_from_tag_trail: String,
    /// A Route for requests that have no route set; `;lr` is added if it is missing.
    pub preloaded_route: Option<String>,
    /// Whether session timers are used (RFC 4028).
    pub session_timers: bool,
    /// How the session is refreshed.
    pub refresh_method: RefreshMethod,
    /// Whether our INVITE says `refresher=uac`.
    pub force_refresher: bool,
    /// PRACK.
    pub reliable_provisional: ReliableProvisional,
    /// How long an incoming call rings before it is answered 408.
    pub no_answer_timeout: Duration,
    /// The User-Agent header.
    pub user_agent: String,
    /// What may change later.
    pub settings: Settings,
}

impl Config {
    /// The configuration of a phone in a page, for the address of record `uri`.
    #[must_use]
    pub fn new(uri: &str) -> Self {
        Self {
            uri: uri.into(),
            contact_uri: None,
            via_host: None,
            via: Via::new(Transport::Ws),
            instance_id: None,
            flows: 1,
            registrar_server: None,
            register_expires: 600,
            register_from_tag_trail: String::new(),
            preloaded_route: None,
            session_timers: true,
            refresh_method: RefreshMethod::Update,
            force_refresher: false,
            reliable_provisional: ReliableProvisional::default(),
            no_answer_timeout: Duration::from_secs(60),
            user_agent: "Sipweb".into(),
            settings: Settings::default(),
        }
    }
}
