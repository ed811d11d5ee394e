//! What the configuration says of groups of servers, of routes and of numbers.

use core::fmt;
use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;

use sip::{AddressRange, Hop, Transport};

pub use super::pattern::Pattern;
use crate::stir::{Signing, Verification};

/// Groups of servers, and the routes that lead to them. Empty, everything is as if there were none.
#[derive(Clone, Debug, Default)]
pub struct Trunks {
    /// The groups.
    pub groups: Vec<Arc<Group>>,
    /// The routes, in the order in which they are tried: the first that matches counts.
    pub routes: Vec<Route>,
    /// How numbers are written.
    pub numbers: Numbers,
}

impl Trunks {
    /// The group of that name.
    #[must_use]
    pub fn group(&self, name: &str) -> Option<&Arc<Group>> {
        self.groups.iter().find(|group| group.name == name)
    }
}

/// A named group of servers, each as good as the others: a provider, or PBXs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its servers, in any order.
    pub servers: Vec<Server>,
    /// The host in the Request-URIs that it gets. `None`: the server's own.
    pub domain: Option<String>,
    /// Addresses its requests come from, beside those of its servers.
    pub addresses: Vec<AddressRange>,
    /// SIP domains, in small letters, whose certificate its servers show when they connect.
    pub certificates: Vec<String>,
    /// Whether its servers count as trusted peers: no password, no bounds for strangers, and their
    /// `P-Asserted-Identity` is kept.
    pub trusted: bool,
    /// What its requests may reach.
    pub incoming: Incoming,
    /// The user of ours that its requests go to which no route matches. `None`: whom they name.
    pub incoming_to: Option<String>,
    /// How often each server is asked whether it works; `None`: never.
    pub probe: Option<Duration>,
    /// Whom the provider knows us as.
    pub account: Option<Account>,
    /// Whether calls to it are signed, and as what.
    pub signing: Option<Signing>,
    /// What becomes of its calls by who has signed them.
    pub verification: Verification,
}

/// An account at a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user part of its URI.
    pub user: String,
    /// The domain of its URI, which is also the registrar's.
    pub domain: String,
    /// The name in credentials. `None`: the user part.
    pub login: Option<String>,
    /// The password.
    pub password: Password,
    /// Whether we register there.
    pub register: bool,
    /// For how long, as we ask.
    pub expires: Duration,
    /// Who calls, in the From of calls of our users.
    pub caller: Caller,
}

/// Who calls, in the From that a provider gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Caller {
    /// Our user, as he wrote it.
    #[default]
    Own,
    /// The account.
    Account,
    /// The caller's number in global form at the account's domain; the account, if he has none.
    Number,
}

impl Account {
    /// `sip:user@domain`.
    pub(crate) fn uri(&self) -> String {
        format!("sip:{}@{}", self.user, self.domain)
    }

    pub(crate) fn login(&self) -> &str {
        self.login.as_deref().unwrap_or(&self.user)
    }

    pub(crate) fn expires_seconds(&self) -> u32 {
        u32::try_from(self.expires.as_secs()).unwrap_or(u32::MAX)
    }
}

/// A password, which nobody sees by chance.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// One server of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name or address, IPv6 without brackets.
    pub host: String,
    /// Its port; `None`: by RFC 3263.
    pub port: Option<u16>,
    /// The transport towards it; `None`: by RFC 3263.
    pub transport: Option<Transport>,
    /// Those of the lowest priority are tried first (RFC 2782).
    pub priority: u16,
    /// Its share of the calls among those of its priority; 0 gets next to none.
    pub weight: u16,
}

impl Server {
    /// Its address, if that is what it is named by.
    pub(crate) fn literal(&self) -> Option<SocketAddr> {
        Hop::literal(&self.host, self.port, self.transport, false).map(|hop| hop.address())
    }

    /// Whether both are asked for by one question, whatever calls they get.
    pub(crate) fn is_at_the_same_place(&self, other: &Self) -> bool {
        (&self.host, self.port, self.transport) == (&other.host, other.port, other.transport)
    }
}

impl fmt::Display for Server {
    /// As a URI.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sip:{}", self.place())?;
        match self.transport {
            Some(transport) => write!(f, ";transport={}", transport.uri_parameter()),
            None => Ok(()),
        }
    }
}

impl Server {
    /// `host:port`, IPv6 in brackets; the port only if it is written.
    pub(crate) fn place(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match self.port {
            Some(port) => format!("{host}:{port}"),
            None => host,
        }
    }
}

/// What requests of a group may reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Incoming {
    /// Nothing: it is called only.
    Nobody,
    /// Our users.
    #[default]
    Users,
    /// Anywhere: it relays through us.
    Anywhere,
}

/// One route: what it matches, and where it leads. What is not written matches everything.
#[derive(Clone, Debug, Default)]
pub struct Route {
    /// Domains of the Request-URI. Empty: our own, and tel URIs.
    pub domains: Vec<Domain>,
    /// Starts of the called number: of its E.164 form where they begin with `+`, else of its digits as dialled.
    pub prefixes: Vec<String>,
    /// Where the request comes from.
    pub sources: Vec<Source>,
    /// Headers that the request must have, each with such a value.
    pub headers: Vec<(String, Pattern)>,
    /// Methods, in capitals.
    pub methods: Vec<String>,
    /// How many characters of the number are taken away, from its start.
    pub strip: usize,
    /// What is then put before it.
    pub prepend: String,
    /// Whether `sources`, which are addresses or groups then, may use it without a password.
    pub without_password: bool,
    /// Where it leads.
    pub action: Action,
}

/// Which domains a route is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Domain {
    /// Every one.
    Any,
    /// This one, in lower case.
    Named(String),
}

/// Where a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A user of ours, who has to prove it.
    Users,
    /// Nobody that we know.
    Strangers,
    /// A server of this group.
    Group(String),
    /// These addresses.
    Addresses(AddressRange),
}

/// Where a route leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// To the group of this name.
    Group(String),
    /// To the user of ours whom the Request-URI names, if there is one: else the next routes are looked at.
    #[default]
    Users,
    /// To this user of ours.
    User(String),
    /// Nowhere: this status is the answer, and the reason that a person reads.
    Reject(u16, Option<String>),
}

/// How numbers are dialled here (RFC 3966 §5.1.4: numbers are compared in their global form).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// The country code, without `+`. Empty: only what is dialled with `+` has a global form.
    pub country: String,
    /// What is dialled before a number of the country.
    pub national: String,
    /// What is dialled before a country code.
    pub international: String,
    /// How many digits a number of the country has that is dialled without `national`; 0: there are none. Others stay local.
    pub length: usize,
}

impl Default for Numbers {
    fn default() -> Self {
        Self { country: String::new(), national: "0".to_owned(), international: "00".to_owned(), length: 0 }
    }
}
