//! The loads: what is done, how often, and by which way each server routes it.

use std::time::Duration;

use super::generator::ends::Wire;
use super::generator::registrations::Manner;
use super::server::{Contender, Needs};

/// Octets of a phone's session description, and of a browser's.
pub(crate) const PHONES: usize = 250;
const BROWSERS: usize = 2000;

/// Phones on each side; each has a socket of its own.
pub(crate) const SOCKETS: usize = 8;

/// One load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Its name on the command line and in tables.
    pub(crate) name: &'static str,
    /// What is done.
    pub(crate) about: &'static str,
    /// Operations a second, unless the command line says otherwise.
    pub(crate) rates: &'static [u32],
    /// What it consists of.
    pub(crate) kind: Kind,
}

/// What a load consists of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Calls.
    Calls {
        /// How the two reach the server.
        caller: Wire,
        callee: Wire,
        /// By which URI the callee is called.
        dialled: Dialled,
        /// Ringing and talking; zero sends 180 and 200, ACK and BYE back to back.
        pause: Duration,
        /// Octets of the session descriptions.
        description: usize,
        /// Sockets of the phones on each side.
        phones: usize,
    },
    /// Registrations with digest.
    Registrations { wire: Wire, manner: Manner },
    /// Calls between phones on UDP to users with so many contacts: all ring, the first answers.
    Forks { contacts: usize },
    /// Connections opened, up to the server's 101.
    Handshakes { wire: Wire },
}

/// By which URI a callee is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialled {
    /// The Request-URI names the callee's address, and is followed.
    Address,
    /// The Request-URI names a user of the server's domain, whose contact is looked up.
    User,
}

const RINGING: Duration = Duration::from_millis(20);

/// No pause: what a server handles by two workers may overtake itself.
const NONE: Duration = Duration::ZERO;

/// All loads.
pub(crate) const LOADS: [Load; 20] = [
    Load {
        name: "udp-call",
        about: "calls between phones on UDP, routed by the Request-URI",
        rates: &[500, 1000, 2000, 4000],
        kind: calls(Wire::Udp, Wire::Udp, Dialled::Address, RINGING, PHONES),
    },
    Load {
        name: "udp-call-user",
        about: "calls between phones on UDP to 1,000 registered users, whose contacts are looked up",
        rates: &[2000],
        kind: calls(Wire::Udp, Wire::Udp, Dialled::User, RINGING, PHONES),
    },
    Load {
        name: "tcp-call",
        about: "calls between phones on TCP, eight connections a side, routed by the Request-URI",
        rates: &[2000],
        kind: calls(Wire::Tcp, Wire::Tcp, Dialled::Address, RINGING, PHONES),
    },
    Load {
        name: "ws-udp-call",
        about: "calls from 500 pages on WebSockets to 500 registered users' phones on UDP",
        rates: &[1000],
        kind: calls(Wire::Ws, Wire::Udp, Dialled::User, RINGING, BROWSERS),
    },
    Load {
        name: "udp-ws-call",
        about: "calls from phones on UDP to 500 registered users' pages on WebSockets",
        rates: &[1000],
        kind: calls(Wire::Udp, Wire::Ws, Dialled::User, RINGING, BROWSERS),
    },
    Load {
        name: "ws-ws-call",
        about: "calls from 500 pages to 500 registered users' pages, all on WebSockets",
        rates: &[1000],
        kind: calls(Wire::Ws, Wire::Ws, Dialled::User, RINGING, BROWSERS),
    },
    Load {
        name: "wss-udp-call",
        about: "calls from 500 pages on WebSockets over TLS to 500 registered users' phones on UDP",
        rates: &[1000],
        kind: calls(Wire::Wss, Wire::Udp, Dialled::User, RINGING, BROWSERS),
    },
    Load {
        name: "udp-register",
        about: "registrations refreshed over UDP, digest checked, one request each (credentials at hand)",
        rates: &[2000],
        kind: Kind::Registrations { wire: Wire::Udp, manner: Manner::Refreshed },
    },
    Load {
        name: "udp-register-challenge",
        about: "registrations over UDP, challenged first: two requests each",
        rates: &[2000],
        kind: Kind::Registrations { wire: Wire::Udp, manner: Manner::Challenged },
    },
    Load {
        name: "ws-register",
        about: "registrations refreshed on 1,000 WebSockets, digest checked, one request each (credentials at hand)",
        rates: &[1000],
        kind: Kind::Registrations { wire: Wire::Ws, manner: Manner::Refreshed },
    },
    Load {
        name: "wss-register",
        about: "the same on 1,000 WebSockets over TLS",
        rates: &[1000],
        kind: Kind::Registrations { wire: Wire::Wss, manner: Manner::Refreshed },
    },
    Load {
        name: "udp-fork-5",
        about: "calls to 200 users with five phones each, routed to all five; one answers, four are cancelled",
        rates: &[500],
        kind: Kind::Forks { contacts: 5 },
    },
    Load {
        name: "ws-storm",
        about: "pages that come back after the server was away: a WebSocket opened, a REGISTER challenged and answered",
        rates: &[500],
        kind: Kind::Registrations { wire: Wire::Ws, manner: Manner::Arriving },
    },
    Load {
        name: "ws-handshake",
        about: "WebSockets opened and kept, up to the server's 101",
        rates: &[500],
        kind: Kind::Handshakes { wire: Wire::Ws },
    },
    Load {
        name: "wss-handshake",
        about: "WebSockets over TLS opened and kept, up to the server's 101",
        rates: &[200],
        kind: Kind::Handshakes { wire: Wire::Wss },
    },
    Load {
        name: "udp-order",
        about: "as udp-call, with 180 and 200 sent back to back, and ACK and BYE",
        rates: &[500],
        kind: calls(Wire::Udp, Wire::Udp, Dialled::Address, NONE, PHONES),
    },
    Load {
        name: "tcp-order",
        about: "as tcp-call, with 180 and 200 sent back to back, and ACK and BYE",
        rates: &[500],
        kind: calls(Wire::Tcp, Wire::Tcp, Dialled::Address, NONE, PHONES),
    },
    Load {
        name: "ws-udp-order",
        about: "as ws-udp-call, with 180 and 200 sent back to back, and ACK and BYE",
        rates: &[100],
        kind: calls(Wire::Ws, Wire::Udp, Dialled::User, NONE, BROWSERS),
    },
    Load {
        name: "udp-ws-order",
        about: "as udp-ws-call, with 180 and 200 sent back to back, and ACK and BYE",
        rates: &[100],
        kind: calls(Wire::Udp, Wire::Ws, Dialled::User, NONE, BROWSERS),
    },
    Load {
        name: "ws-ws-order",
        about: "as ws-ws-call, with 180 and 200 sent back to back, and ACK and BYE",
        rates: &[100],
        kind: calls(Wire::Ws, Wire::Ws, Dialled::User, NONE, BROWSERS),
    },
];

const fn calls(caller: Wire, callee: Wire, dialled: Dialled, pause: Duration, description: usize) -> Kind {
    Kind::Calls { caller, callee, dialled, pause, description, phones: SOCKETS }
}

impl Load {
    /// The load of that name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        const { &LOADS }.iter().find(|load| load.name == name)
    }

    /// Who can be measured with it. The forwarder answers nothing and knows datagrams only.
    pub(crate) fn contenders(&self) -> Vec<Contender> {
        let bare = matches!(
            self.kind,
            Kind::Calls { caller: Wire::Udp, callee: Wire::Udp, dialled: Dialled::Address, .. }
        );
        Contender::ALL.into_iter().filter(|contender| bare || *contender != Contender::Forwarder).collect()
    }

    /// What a server must have for it.
    pub(crate) fn needs(&self, users: usize) -> Needs {
        let wires = match self.kind {
            Kind::Calls { caller, callee, .. } => [caller, callee],
            Kind::Registrations { wire, .. } | Kind::Handshakes { wire } => [wire, wire],
            Kind::Forks { .. } => [Wire::Udp, Wire::Udp],
        };
        Needs {
            websocket: wires.iter().any(|wire| matches!(wire, Wire::Ws | Wire::Wss)),
            tls: wires.contains(&Wire::Wss),
            users,
            ..Needs::default()
        }
    }

    /// What is counted.
    pub(crate) const fn operation(&self) -> &'static str {
        match self.kind {
            Kind::Calls { .. } | Kind::Forks { .. } => "call",
            Kind::Registrations { .. } => "registration",
            Kind::Handshakes { .. } => "connection",
        }
    }
}
