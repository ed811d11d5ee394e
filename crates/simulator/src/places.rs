//! Ready-made scenery: the places of RFC 3665, and the phones in them.

use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use proxy::Config;
use sip::{Hop, Transport};

use crate::conditions::Conditions;
use crate::dice::Dice;
use crate::phone::{Act, Habits, PhoneSetup};
use crate::server::{listening_port, server_config};
use crate::simulation::{NodeId, Simulation};

/// Alice's domain.
pub const ATLANTA: &str = "atlanta.example.com";
/// Bob's domain.
pub const BILOXI: &str = "biloxi.example.com";

/// The server of [`ATLANTA`].
pub const ATLANTA_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// The server of [`BILOXI`].
pub const BILOXI_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

/// The address of phone number `number`.
#[must_use]
pub fn phone_address(number: u8) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, number], 5060))
}

/// A phone of `user` at the server of `domain`.
#[must_use]
pub fn phone_of(user: &str, domain: &str, number: u8, transport: Transport) -> PhoneSetup {
    let server = if domain == ATLANTA { ATLANTA_ADDRESS } else { BILOXI_ADDRESS };
    PhoneSetup {
        name: user.to_owned(),
        user: user.to_owned(),
        domain: domain.to_owned(),
        password: password_of(user),
        transport,
        address: phone_address(number),
        own_address: phone_address(number),
        server: SocketAddr::new(server, listening_port(transport)),
        habits: Habits::default(),
        patience: 0,
    }
}

/// The password of `user`.
#[must_use]
pub fn password_of(user: &str) -> String {
    format!("the secret of {user}")
}

/// A server of [`ATLANTA`] or [`BILOXI`] by the default configuration.
#[must_use]
pub fn config_of(domain: &str) -> Config {
    server_config(domain, if domain == ATLANTA { ATLANTA_ADDRESS } else { BILOXI_ADDRESS })
}

/// The server of a domain, who knows alice, bob and carol, and the way to the other domain.
pub fn add_server(simulation: &mut Simulation, config: Config) -> NodeId {
    let is_atlanta = config.domains.first().is_some_and(|domain| domain == ATLANTA);
    let (name, address, other, way) = if is_atlanta {
        ("atlanta", ATLANTA_ADDRESS, BILOXI, BILOXI_ADDRESS)
    } else {
        ("biloxi", BILOXI_ADDRESS, ATLANTA, ATLANTA_ADDRESS)
    };
    let id = simulation.add_server(name, address, config);
    let server = simulation.server_mut(id);
    server.users = ["alice", "bob", "carol"].map(|user| (user.to_owned(), password_of(user))).into();
    server.hosts.insert(other.to_owned(), vec![udp(SocketAddr::new(way, 5060))]);
    id
}

/// A next hop over UDP.
#[must_use]
pub fn udp(address: SocketAddr) -> Hop {
    Hop::Address { transport: Transport::Udp, address, server_name: None }
}

/// One server with alice and bob, both registered.
pub struct Domain {
    /// The network.
    pub simulation: Simulation,
    /// The server.
    pub atlanta: NodeId,
    /// The caller.
    pub alice: NodeId,
    /// The called side.
    pub bob: NodeId,
}

/// Two servers with a phone each, both registered (RFC 3665 §3.2).
pub struct TwoDomains {
    /// The network.
    pub simulation: Simulation,
    /// Alice's server.
    pub atlanta: NodeId,
    /// Bob's server.
    pub biloxi: NodeId,
    /// The caller.
    pub alice: NodeId,
    /// The called side.
    pub bob: NodeId,
}

impl Domain {
    /// Alice's phone has the first transport, bob's the second. Everybody registers on a perfect network.
    #[must_use]
    pub fn new(seed: u64, transports: (Transport, Transport), habits: Habits) -> Self {
        let mut simulation = Simulation::new(seed, Conditions::PERFECT);
        let atlanta = add_server(&mut simulation, config_of(ATLANTA));
        let alice = simulation.add_phone(phone_of("alice", ATLANTA, 1, transports.0));
        let setup = PhoneSetup { habits, ..phone_of("bob", ATLANTA, 2, transports.1) };
        let bob = simulation.add_phone(setup);
        register(&mut simulation, &[alice, bob]);
        Self { simulation, atlanta, alice, bob }
    }
}

impl TwoDomains {
    /// Alice's phone has the first transport, bob's the second. Everybody registers on a perfect network.
    #[must_use]
    pub fn new(seed: u64, transports: (Transport, Transport), habits: Habits) -> Self {
        let mut simulation = Simulation::new(seed, Conditions::PERFECT);
        let atlanta = add_server(&mut simulation, config_of(ATLANTA));
        let biloxi = add_server(&mut simulation, config_of(BILOXI));
        let alice = simulation.add_phone(phone_of("alice", ATLANTA, 1, transports.0));
        let setup = PhoneSetup { habits, ..phone_of("bob", BILOXI, 2, transports.1) };
        let bob = simulation.add_phone(setup);
        register(&mut simulation, &[alice, bob]);
        Self { simulation, atlanta, biloxi, alice, bob }
    }
}

/// The transports of two phones, drawn by `seed`: most often datagrams, which need the protocol most.
#[must_use]
pub fn transports_of(seed: u64) -> (Transport, Transport) {
    const CHOICE: [Transport; 5] =
        [Transport::Udp, Transport::Udp, Transport::Udp, Transport::Ws, Transport::Tcp];
    let mut dice = Dice::new(seed, 0x7a);
    let mut draw = || CHOICE[usize::try_from(dice.below(5)).unwrap_or(0)];
    (draw(), draw())
}

/// Registers phones, and gives the network time for it. If all succeed the ladder begins after that.
pub fn register(simulation: &mut Simulation, phones: &[NodeId]) {
    for phone in phones {
        simulation.act(*phone, Act::Register);
    }
    // Long enough for a lost network: 64*T1 and a second try.
    let end = simulation.now() + Duration::from_secs(70);
    while simulation.now() < end && phones.iter().any(|phone| !simulation.phone(*phone).is_registered()) {
        simulation.run_for(Duration::from_millis(500));
    }
    simulation.clear_ladder();
}
