//! A server: a proxy, and what it asks: the store, the list of users, the resolver.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use proxy::{
    Config, Event, Listener, Messages, Output, Proxy, Question, ResolveError, Role, StoreError, UserSecret,
};
use sip::digest::{Algorithm, Ha1};
use sip::{Hop, Instant, SeededEntropy, Transport};

/// The ports that every server listens on.
const LISTENERS: [(Transport, u16); 5] = [
    (Transport::Udp, 5060),
    (Transport::Tcp, 5060),
    (Transport::Tls, 5061),
    (Transport::Ws, 8080),
    (Transport::Wss, 8443),
];

/// The port on which servers listen for `transport`.
#[must_use]
pub fn listening_port(transport: Transport) -> u16 {
    LISTENERS.iter().find(|(listening, _)| *listening == transport).map_or(5060, |(_, port)| *port)
}

/// A configuration for a server of one domain at an address: everything by default, all transports.
#[must_use]
pub fn server_config(domain: &str, address: IpAddr) -> Config {
    let listeners =
        LISTENERS.map(|(transport, port)| Listener::new(transport, SocketAddr::new(address, port))).to_vec();
    // An evening is over before a week is: what nobody fetches is forgotten.
    let messages = Messages { keep: Duration::from_secs(600), ..Messages::default() };
    Config { domains: vec![domain.to_owned()], listeners, messages, ..Config::default() }
}

/// A server on the network.
pub struct Server {
    pub(crate) proxy: Proxy,
    pub(crate) address: IpAddr,
    pub(crate) deadline: Instant,
    /// When the store will have taken what it was given so far.
    pub(crate) storing_until: Instant,
    config: Config,
    secret: [u8; 32],
    /// Whether it refuses connections, so that other servers must use datagrams.
    pub refuses_connections: bool,
    /// The passwords of its users.
    pub users: BTreeMap<String, String>,
    /// What names lead to; addresses lead to themselves.
    pub hosts: BTreeMap<String, Vec<Hop>>,
    /// What it has stored.
    pub stored: BTreeMap<Vec<u8>, Vec<u8>>,
    /// What it told its log.
    pub events: Vec<Event>,
}

/// What a server says.
pub(crate) enum Said {
    Send(Hop, std::sync::Arc<[u8]>),
    Asks(proxy::AskId, Question),
}

impl Server {
    pub(crate) fn new(config: Config, address: IpAddr, entropy: SeededEntropy) -> Self {
        let mut secret = [0; 32];
        for (place, octet) in secret.iter_mut().zip(config.domains.concat().bytes()) {
            *place = octet;
        }
        let proxy = Proxy::new(config.clone(), secret, Box::new(entropy));
        Self {
            proxy,
            address,
            deadline: Instant::NEVER,
            storing_until: Instant::ZERO,
            config,
            secret,
            refuses_connections: false,
            users: BTreeMap::new(),
            hosts: BTreeMap::new(),
            stored: BTreeMap::new(),
            events: Vec::new(),
        }
    }

    /// Killed and started again: what was stored is there, the rest is not.
    pub(crate) fn restart(&mut self, now: Instant, entropy: SeededEntropy) {
        self.proxy = Proxy::new(self.config.clone(), self.secret, Box::new(entropy));
        self.proxy.restore(now, self.stored.clone().into_iter().collect());
    }

    /// Whether it keeps registrations: an edge only sees them pass.
    #[must_use]
    pub const fn is_registrar(&self) -> bool {
        matches!(self.config.role, Role::AllInOne)
    }

    /// How many contacts are registered.
    #[must_use]
    pub fn bindings(&self) -> usize {
        self.proxy.bindings()
    }

    pub(crate) fn drain(&mut self) -> Vec<Said> {
        let mut said = Vec::new();
        loop {
            match self.proxy.poll() {
                Output::Transmit { hop, bytes } => said.push(Said::Send(hop, bytes)),
                Output::Ask { id, question } => said.push(Said::Asks(id, question)),
                Output::Event(event) => self.events.push(event),
                // A proxy that is alone has nobody to share with.
                Output::Share(_) => {}
                Output::Timeout(at) => {
                    self.deadline = at;
                    return said;
                }
            }
        }
    }

    /// Answers a question; the store does not work if `broken`.
    pub(crate) fn answer(&mut self, now: Instant, id: proxy::AskId, question: Question, broken: bool) {
        match question {
            Question::Resolve { host, port, transport, .. } => {
                self.proxy.resolved(now, id, self.resolve(&host, port, transport));
            }
            Question::Credentials { user, realm } => {
                let secret = self.users.get(&user).map(|password| secret_of(&user, &realm, password));
                self.proxy.credentials(now, id, secret);
            }
            Question::Sign { .. } => self.proxy.signed(now, id, None),
            Question::Verify { .. } => self.proxy.verified(now, id, Ok(())),
            Question::Token { .. } => self.proxy.token(now, id, None),
            Question::Store { .. } if broken => self.proxy.stored(now, id, Err(StoreError)),
            Question::Store { aor, record } => {
                match record {
                    Some(record) => self.stored.insert(aor, record),
                    None => self.stored.remove(&aor),
                };
                self.proxy.stored(now, id, Ok(()));
            }
        }
    }

    fn resolve(
        &self,
        host: &str,
        port: Option<u16>,
        transport: Option<Transport>,
    ) -> Result<Vec<Hop>, ResolveError> {
        if let Ok(address) = host.parse::<IpAddr>() {
            let transport = transport.unwrap_or(Transport::Udp);
            let address = SocketAddr::new(address, port.unwrap_or_else(|| transport.default_port()));
            return Ok(vec![Hop::Address { transport, address, server_name: None }]);
        }
        self.hosts.get(host).cloned().ok_or(ResolveError::NotFound)
    }
}

fn secret_of(user: &str, realm: &str, password: &str) -> UserSecret {
    let ha1 = |algorithm| Some(Ha1::new(algorithm, user.as_bytes(), realm.as_bytes(), password.as_bytes()));
    UserSecret {
        md5: ha1(Algorithm::Md5),
        sha256: ha1(Algorithm::Sha256),
        sha512_256: ha1(Algorithm::Sha512_256),
    }
}
