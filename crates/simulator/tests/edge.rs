//! An edge in front of a registrar (RFC 3327, RFC 5626 §5): phones know the edge only, the registrar knows the way
//! to them by Path.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use proxy::{Role, Upstream};
use simulator::places::{
    ATLANTA, ATLANTA_ADDRESS, add_server, config_of, phone_of, register, transports_of, udp,
};
use simulator::{
    Act, Conditions, Dice, NodeId, PhoneSetup, Simulation, Span, assert_ladder, for_each_seed,
    listening_port, server_config,
};
use sip::AddressRange;
use sip::Transport::{Udp, Ws};

const EDGE_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 3));
const BOB: &str = "sip:bob@atlanta.example.com";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The registrar, the edge, alice and bob, both registered through the edge.
fn behind_an_edge(seed: u64, transports: [sip::Transport; 2]) -> (Simulation, NodeId, NodeId) {
    let mut network = Simulation::new(seed, Conditions::PERFECT);
    let mut config = config_of(ATLANTA);
    config.trusted_peers = vec![AddressRange::single(EDGE_ADDRESS)];
    add_server(&mut network, config);
    let upstream = Upstream {
        host: ATLANTA.to_owned(),
        port: None,
        transport: None,
        addresses: Vec::new(),
        keeps_path: true,
    };
    let mut config = server_config("edge.example.com", EDGE_ADDRESS);
    config.role = Role::Edge { upstream };
    let edge = network.add_server("edge", EDGE_ADDRESS, config);
    let registrar = vec![udp(SocketAddr::new(ATLANTA_ADDRESS, 5060))];
    network.server_mut(edge).hosts.insert(ATLANTA.to_owned(), registrar);
    let [alice, bob] =
        [("alice", 1, transports[0]), ("bob", 2, transports[1])].map(|(user, number, transport)| {
            let server = SocketAddr::new(EDGE_ADDRESS, listening_port(transport));
            network.add_phone(PhoneSetup { server, ..phone_of(user, ATLANTA, number, transport) })
        });
    network.run_for(seconds(1));
    register(&mut network, &[alice, bob]);
    (network, alice, bob)
}

/// The REGISTER arrives with the edge's Path, and calls take the same way back.
#[test]
fn a_call_through_the_edge() {
    let (mut network, alice, bob) = behind_an_edge(1, [Ws, Udp]);
    assert!(network.phone(alice).is_registered() && network.phone(bob).is_registered());
    network.act(bob, Act::Write("sip:alice@atlanta.example.com".into(), "hello".into()));
    network.run_for(seconds(5));
    assert_eq!(network.phone(alice).messages, ["hello"]);
    network.clear_ladder();
    network.act(alice, Act::Call(BOB.into()));
    network.run_for(seconds(5));
    assert!(network.phone(alice).only_call().confirmed && network.phone(bob).only_call().confirmed);
    network.clear_ladder();
    network.act(bob, Act::HangUpAll);
    network.run_for(seconds(5));
    assert_ladder(
        network.ladder(),
        "
        bob     -> edge     BYE
        edge    -> atlanta  BYE
        atlanta -> edge     BYE
        edge    -> alice    BYE
        alice   -> edge     200 BYE
        edge    -> atlanta  200 BYE
        atlanta -> edge     200 BYE
        edge    -> bob      200 BYE
        ",
    );
    network.wind_up();
}

#[test]
fn bad_networks() {
    for_each_seed(400, |seed| {
        let mut dice = Dice::new(seed, 0xed6e);
        let transports = transports_of(seed);
        let (mut network, alice, bob) = behind_an_edge(seed, [transports.0, transports.1]);
        network.set_conditions(Conditions::bad(seed));
        network.act(alice, Act::Call(BOB.into()));
        network.run_for(dice.within(Span::milliseconds(0, 20_000)));
        network.act(if dice.falls(500) { alice } else { bob }, Act::HangUpAll);
        network.run_for(seconds(40));
        network.wind_up();
        network.ladder().clone()
    });
}
