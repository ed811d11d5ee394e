//! Session establishment (RFC 3665 §3.1 to §3.4), on a perfect network and on bad ones.

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Duration;

use simulator::places::{
    ATLANTA, BILOXI, BILOXI_ADDRESS, Domain, TwoDomains, add_server, config_of, phone_address, phone_of,
    register, transports_of, udp,
};
use simulator::{Act, Conditions, Dice, Habits, Reaction, Simulation, Span, assert_ladder, for_each_seed};
use sip::Transport::{Tcp, Udp, Ws};

const BOB_AT_ATLANTA: &str = "sip:bob@atlanta.example.com";
const BOB_AT_BILOXI: &str = "sip:bob@biloxi.example.com";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// RFC 3665 §3.1: alice calls bob directly, without any server.
#[test]
fn two_phones_without_a_server() {
    let mut network = Simulation::new(1, Conditions::PERFECT);
    let mut setups = [phone_of("alice", ATLANTA, 1, Udp), phone_of("bob", BILOXI, 2, Udp)];
    setups[0].server = phone_address(2);
    setups[1].server = phone_address(1);
    let [alice, bob] = setups.map(|setup| network.add_phone(setup));
    network.act(alice, Act::Call(BOB_AT_BILOXI.into()));
    network.run_for(seconds(5));
    network.act(bob, Act::HangUpAll);
    network.run_for(seconds(5));
    assert_ladder(
        network.ladder(),
        "
        alice -> bob    INVITE
        bob   -> alice  100 INVITE
        bob   -> alice  180 INVITE
        bob   -> alice  200 INVITE
        alice -> bob    ACK
        bob   -> alice  BYE
        alice -> bob    200 BYE
        ",
    );
    network.wind_up();
}

/// RFC 3665 §3.2: each at a server of their own; both servers stay on the way.
#[test]
fn through_two_servers() {
    let mut place = TwoDomains::new(1, (Ws, Udp), Habits::default());
    let network = &mut place.simulation;
    network.act(place.alice, Act::Call(BOB_AT_BILOXI.into()));
    network.run_for(seconds(5));
    network.act(place.bob, Act::HangUpAll);
    network.run_for(seconds(5));
    assert_ladder(
        network.ladder(),
        "
        alice   -> atlanta  INVITE
        atlanta -> alice    100 INVITE
        atlanta -> biloxi   INVITE
        biloxi  -> atlanta  100 INVITE
        biloxi  -> bob      INVITE
        bob     -> biloxi   100 INVITE
        bob     -> biloxi   180 INVITE
        biloxi  -> atlanta  180 INVITE
        atlanta -> alice    180 INVITE
        bob     -> biloxi   200 INVITE
        biloxi  -> atlanta  200 INVITE
        atlanta -> alice    200 INVITE
        alice   -> atlanta  ACK
        atlanta -> biloxi   ACK
        biloxi  -> bob      ACK
        bob     -> biloxi   BYE
        biloxi  -> atlanta  BYE
        atlanta -> alice    BYE
        alice   -> atlanta  200 BYE
        atlanta -> biloxi   200 BYE
        biloxi  -> bob      200 BYE
        ",
    );
    assert!(network.phone(place.alice).only_call().confirmed);
    network.wind_up();
}

/// RFC 3665 §3.3: on a network without connections each call must be authenticated.
#[test]
fn the_server_challenges_a_caller_on_datagrams() {
    let mut place = Domain::new(1, (Udp, Udp), Habits::default());
    let network = &mut place.simulation;
    network.act(place.alice, Act::Call(BOB_AT_ATLANTA.into()));
    network.run_for(seconds(5));
    network.act(place.alice, Act::HangUpAll);
    network.run_for(seconds(5));
    assert_ladder(
        network.ladder(),
        "
        alice   -> atlanta  INVITE
        atlanta -> alice    407 INVITE
        alice   -> atlanta  ACK
        alice   -> atlanta  INVITE
        atlanta -> alice    100 INVITE
        atlanta -> bob      INVITE
        bob     -> atlanta  100 INVITE
        bob     -> atlanta  180 INVITE
        atlanta -> alice    180 INVITE
        bob     -> atlanta  200 INVITE
        atlanta -> alice    200 INVITE
        alice   -> atlanta  ACK
        atlanta -> bob      ACK
        alice   -> atlanta  BYE
        atlanta -> bob      BYE
        bob     -> atlanta  200 BYE
        atlanta -> alice    200 BYE
        ",
    );
    network.wind_up();
}

/// A caller who is known by her connection is not asked again.
#[test]
fn the_server_does_not_challenge_a_registered_connection() {
    for transport in [Ws, Tcp] {
        let mut place = Domain::new(1, (transport, Ws), Habits::default());
        let network = &mut place.simulation;
        network.act(place.alice, Act::Call(BOB_AT_ATLANTA.into()));
        network.run_for(seconds(5));
        assert_ladder(
            network.ladder(),
            "
            alice   -> atlanta  INVITE
            atlanta -> alice    100 INVITE
            atlanta -> bob      INVITE
            bob     -> atlanta  100 INVITE
            bob     -> atlanta  180 INVITE
            atlanta -> alice    180 INVITE
            bob     -> atlanta  200 INVITE
            atlanta -> alice    200 INVITE
            alice   -> atlanta  ACK
            atlanta -> bob      ACK
            ",
        );
        network.wind_up();
    }
}

/// RFC 3665 §3.4: the first way to the other domain is dead, the second one is taken.
#[test]
fn a_dead_server_on_the_way_is_passed_by() {
    let mut place = TwoDomains::new(1, (Ws, Udp), Habits::default());
    let network = &mut place.simulation;
    let dead: SocketAddr = "192.0.2.66:5060".parse().unwrap();
    let ways = vec![udp(dead), udp(SocketAddr::new(BILOXI_ADDRESS, 5060))];
    network.server_mut(place.atlanta).hosts.insert(BILOXI.to_owned(), ways);
    network.act(place.alice, Act::Call(BOB_AT_BILOXI.into()));
    network.run_for(seconds(60));
    assert!(network.phone(place.alice).only_call().confirmed, "the call came through on the second way");
    network.wind_up();
}

/// A phone behind a NAT is reached where its messages come from, whatever its Contact says (RFC 3581).
#[test]
fn a_phone_behind_a_nat_is_called_and_hung_up() {
    let mut network = Simulation::new(1, Conditions::PERFECT);
    add_server(&mut network, config_of(ATLANTA));
    let alice = network.add_phone(phone_of("alice", ATLANTA, 1, Udp));
    let mut setup = phone_of("bob", ATLANTA, 2, Udp);
    setup.own_address = "10.0.0.5:5060".parse().unwrap();
    let bob = network.add_phone(setup);
    register(&mut network, &[alice, bob]);
    network.act(alice, Act::Call(BOB_AT_ATLANTA.into()));
    network.run_for(seconds(5));
    network.act(alice, Act::HangUpAll);
    network.run_for(seconds(5));
    let (caller, called) = (network.phone(alice).only_call(), network.phone(bob).only_call());
    assert!(caller.confirmed && called.confirmed && !called.ends.is_empty());
    network.wind_up();
}

/// How a run goes that leaves to chance when bob answers and who hangs up when.
fn habits_of(seed: u64) -> (Habits, Duration, bool) {
    let mut dice = Dice::new(seed, 0x5e);
    let rings = dice.within(Span::milliseconds(0, 1000));
    let answers = rings + dice.within(Span::milliseconds(0, 5000));
    let reaction = Reaction::Answers(rings, answers);
    let talk = dice.within(Span::milliseconds(0, 40_000));
    (Habits { reaction, ..Habits::default() }, talk, dice.falls(500))
}

#[test]
fn bad_networks_within_one_domain() {
    let (runs, stood) = (Cell::new(0u32), Cell::new(0u32));
    for_each_seed(700, |seed| {
        let (habits, talk, alice_hangs_up) = habits_of(seed);
        let mut place = Domain::new(seed, transports_of(seed), habits);
        let network = &mut place.simulation;
        network.set_conditions(Conditions::bad(seed));
        network.act(place.alice, Act::Call(BOB_AT_ATLANTA.into()));
        network.run_for(talk);
        network.act(if alice_hangs_up { place.alice } else { place.bob }, Act::HangUpAll);
        network.run_for(seconds(5));
        network.wind_up();
        runs.set(runs.get() + 1);
        stood.set(stood.get() + u32::from(network.phone(place.alice).only_call().confirmed));
        network.ladder().clone()
    });
    // A simulator whose calls never stand, or always do, checks nothing.
    let (runs, stood) = (runs.get(), stood.get());
    assert!(runs < 100 || (stood > runs / 3 && stood < runs), "{stood} calls of {runs} stood");
}

#[test]
fn bad_networks_between_two_domains() {
    for_each_seed(500, |seed| {
        let (habits, talk, alice_hangs_up) = habits_of(seed);
        let mut place = TwoDomains::new(seed, transports_of(seed), habits);
        let network = &mut place.simulation;
        // Long requests go by TCP between the servers, if they can.
        network.server_mut(place.atlanta).refuses_connections = seed % 2 == 0;
        network.server_mut(place.biloxi).refuses_connections = seed % 2 == 0;
        network.set_conditions(Conditions::bad(seed));
        network.act(place.alice, Act::Call(BOB_AT_BILOXI.into()));
        network.run_for(talk);
        network.act(if alice_hangs_up { place.alice } else { place.bob }, Act::HangUpAll);
        network.run_for(seconds(5));
        network.wind_up();
        network.ladder().clone()
    });
}
