//! Groups of other servers, as the tests have them: each names what matters to it, the rest is as here.

use std::time::Duration;

use proxy::stir::Verification;
use proxy::trunk_settings::{Account, Caller, Group, Incoming, Password, Server};
use sip::Transport;

/// A server of a group, on UDP port 5060.
pub(crate) fn server(host: &str, priority: u16) -> Server {
    Server { host: host.to_owned(), port: Some(5060), transport: Some(Transport::Udp), priority, weight: 1 }
}

/// A group with one server, 203.0.113.1, that is nobody special.
pub(crate) fn group(name: &str) -> Group {
    Group {
        name: name.to_owned(),
        servers: vec![server("203.0.113.1", 1)],
        domain: None,
        addresses: Vec::new(),
        certificates: Vec::new(),
        trusted: false,
        incoming: Incoming::Users,
        incoming_to: None,
        probe: None,
        account: None,
        signing: None,
        verification: Verification::Off,
    }
}

/// An account at `provider.example` that calls as whoever calls.
pub(crate) fn account(user: &str) -> Account {
    Account {
        user: user.to_owned(),
        domain: "provider.example".to_owned(),
        login: None,
        password: Password("sesame".to_owned()),
        register: false,
        expires: Duration::from_secs(600),
        caller: Caller::Own,
    }
}
