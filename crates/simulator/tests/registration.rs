//! Registration (RFC 3665 §2), on a perfect network and on bad ones.

use std::time::Duration;

use simulator::places::{ATLANTA, add_server, config_of, phone_of, register};
use simulator::{Act, Conditions, Dice, NodeId, PhoneSetup, Simulation, Span, assert_ladder, for_each_seed};
use sip::Transport::{Udp, Ws};
use sip::{HeaderName, Message};

const NEW: &str = "
    bob     -> atlanta  REGISTER
    atlanta -> bob      401 REGISTER
    bob     -> atlanta  REGISTER
    atlanta -> bob      200 REGISTER
    ";

/// A refresh or a removal answers the challenge before it is asked: the nonce is known.
const KNOWN: &str = "
    bob     -> atlanta  REGISTER
    atlanta -> bob      200 REGISTER
    ";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The server, and bob's phone which is not registered.
fn bob_at_atlanta(setup: PhoneSetup) -> (Simulation, NodeId, NodeId) {
    let mut network = Simulation::new(1, Conditions::PERFECT);
    let atlanta = add_server(&mut network, config_of(ATLANTA));
    let bob = network.add_phone(setup);
    (network, atlanta, bob)
}

/// The last response that the server gave.
fn last_response(network: &Simulation) -> Message {
    let rung = network.ladder().rungs().last().expect("something was sent");
    Message::parse(&rung.bytes).expect("a message")
}

/// RFC 3665 §2.1.
#[test]
fn a_new_registration() {
    for transport in [Udp, Ws] {
        let (mut network, atlanta, bob) = bob_at_atlanta(phone_of("bob", ATLANTA, 2, transport));
        network.act(bob, Act::Register);
        network.run_for(seconds(5));
        assert_ladder(network.ladder(), NEW);
        assert!(network.phone(bob).is_registered());
        assert_eq!(network.server(atlanta).stored.len(), 1, "what was answered 200 is stored");
        network.wind_up();
    }
}

/// RFC 3665 §2.2: a second device of the same user.
#[test]
fn a_second_contact() {
    let (mut network, _, bob) = bob_at_atlanta(phone_of("bob", ATLANTA, 2, Ws));
    let setup = PhoneSetup { name: "desk".to_owned(), ..phone_of("bob", ATLANTA, 3, Udp) };
    let desk = network.add_phone(setup);
    register(&mut network, &[bob]);
    network.act(desk, Act::Register);
    network.run_for(seconds(5));
    assert_ladder(network.ladder(), &NEW.replace("bob", "desk"));
    let contacts = last_response(&network).values(HeaderName::Contact).count();
    assert_eq!(contacts, 2, "the 200 lists both contacts");
    network.wind_up();
}

/// RFC 3665 §2.3: a REGISTER without Contact changes nothing and lists what there is.
#[test]
fn a_query_for_the_contact_list() {
    let (mut network, _, bob) = bob_at_atlanta(phone_of("bob", ATLANTA, 2, Ws));
    register(&mut network, &[bob]);
    network.act(bob, Act::Request("REGISTER".into(), "sip:bob@atlanta.example.com".into()));
    network.run_for(seconds(5));
    assert_ladder(network.ladder(), KNOWN);
    assert_eq!(last_response(&network).values(HeaderName::Contact).count(), 1);
    network.wind_up();
}

/// RFC 3665 §2.4.
#[test]
fn a_registration_is_taken_back() {
    let (mut network, atlanta, bob) = bob_at_atlanta(phone_of("bob", ATLANTA, 2, Udp));
    register(&mut network, &[bob]);
    network.act(bob, Act::Unregister);
    network.run_for(seconds(5));
    assert_ladder(network.ladder(), KNOWN);
    assert_eq!(network.phone(bob).registration, [200, -1]);
    assert!(network.server(atlanta).stored.is_empty());
    network.wind_up();
}

/// RFC 3665 §2.5: the password is wrong.
#[test]
fn a_wrong_password() {
    let setup = PhoneSetup { password: "guessed".to_owned(), ..phone_of("bob", ATLANTA, 2, Udp) };
    let (mut network, atlanta, bob) = bob_at_atlanta(setup);
    network.act(bob, Act::Register);
    network.run_for(seconds(5));
    assert_ladder(
        network.ladder(),
        "
        bob     -> atlanta  REGISTER
        atlanta -> bob      401 REGISTER
        bob     -> atlanta  REGISTER
        atlanta -> bob      401 REGISTER
        ",
    );
    assert_eq!(network.phone(bob).registration, [401]);
    assert!(network.server(atlanta).stored.is_empty());
    network.wind_up();
}

/// A phone that stays registered refreshes in time, again and again, and its binding never runs out.
#[test]
fn a_registration_is_kept_fresh() {
    let (mut network, atlanta, bob) = bob_at_atlanta(phone_of("bob", ATLANTA, 2, Udp));
    register(&mut network, &[bob]);
    for _ in 0..60 {
        network.run_for(seconds(60));
        assert!(network.phone(bob).is_registered());
        assert!(!network.server(atlanta).stored.is_empty());
    }
    network.wind_up();
}

/// A phone that vanishes is forgotten when its binding runs out.
#[test]
fn a_phone_that_vanishes_is_forgotten() {
    let (mut network, atlanta, bob) = bob_at_atlanta(phone_of("bob", ATLANTA, 2, Udp));
    register(&mut network, &[bob]);
    network.act(bob, Act::Disconnect);
    network.run_for(seconds(601));
    assert!(network.server(atlanta).stored.is_empty(), "600 s were asked for");
    network.wind_up();
}

/// What was acknowledged survives the death of the server.
#[test]
fn a_registration_survives_the_server() {
    let (mut network, atlanta, bob) = bob_at_atlanta(phone_of("bob", ATLANTA, 2, Udp));
    let alice = network.add_phone(phone_of("alice", ATLANTA, 1, Ws));
    register(&mut network, &[bob, alice]);
    network.restart(atlanta);
    network.act(alice, Act::Connect);
    register(&mut network, &[alice]);
    network.act(alice, Act::Call(format!("sip:bob@{ATLANTA}")));
    network.run_for(seconds(5));
    assert!(network.phone(bob).only_call().confirmed);
    network.wind_up();
}

/// The store takes nothing for a while: the client is told to come back, and does.
#[test]
fn a_store_that_fails_is_no_registration() {
    let (mut network, atlanta, bob) = bob_at_atlanta(phone_of("bob", ATLANTA, 2, Udp));
    network.set_conditions(Conditions { unstored: 1000, ..Conditions::PERFECT });
    network.act(bob, Act::Register);
    network.run_for(seconds(5));
    assert!(!network.phone(bob).is_registered());
    assert!(network.server(atlanta).stored.is_empty());
    network.set_conditions(Conditions::PERFECT);
    network.run_for(seconds(60));
    assert!(network.phone(bob).is_registered(), "the phone tries again by itself");
    network.wind_up();
}

/// Whatever the network does: a phone that believes to be registered is; and one that signs off is forgotten.
#[test]
fn bad_networks() {
    for_each_seed(1000, |seed| {
        let mut dice = Dice::new(seed, 0x4e);
        let unstored = if dice.falls(250) { 200 } else { 0 };
        let mut network = Simulation::new(seed, Conditions { unstored, ..Conditions::bad(seed) });
        let atlanta = add_server(&mut network, config_of(ATLANTA));
        let phones = [("bob", 1, Udp), ("bob", 2, Ws), ("carol", 3, Udp)].map(|(user, number, transport)| {
            let name = format!("{user}{number}");
            network.add_phone(PhoneSetup { name, ..phone_of(user, ATLANTA, number, transport) })
        });
        for phone in phones {
            network.plan(dice.within(Span::milliseconds(0, 3000)), phone, Act::Register);
            if dice.falls(400) {
                network.plan(dice.within(Span::milliseconds(0, 90_000)), phone, Act::Unregister);
            }
            if dice.falls(300) {
                network.plan(dice.within(Span::milliseconds(0, 60_000)), phone, Act::Disconnect);
                network.plan(dice.within(Span::milliseconds(60_000, 120_000)), phone, Act::Connect);
            }
        }
        network.run_for(seconds(120));
        network.set_conditions(Conditions::PERFECT);
        // Longer than any back-off after one or two failures: whoever wishes to be registered is.
        network.run_for(seconds(300));
        let registered = phones.iter().filter(|phone| network.phone(**phone).is_registered()).count();
        assert!(network.server(atlanta).bindings() >= registered, "a phone believes what is not so");
        network.wind_up();
        network.ladder().clone()
    });
}

/// Over connections nothing is lost, only late: the ladder is that of the perfect network.
#[test]
fn a_slow_network_changes_no_ladder() {
    for_each_seed(50, |seed| {
        let late = Conditions { delay: Span::milliseconds(1, 2000), ..Conditions::PERFECT };
        let mut network = Simulation::new(seed, late);
        add_server(&mut network, config_of(ATLANTA));
        let bob = network.add_phone(phone_of("bob", ATLANTA, 2, Ws));
        network.act(bob, Act::Register);
        network.run_for(seconds(10));
        assert_ladder(network.ladder(), NEW);
        network.wind_up();
        network.ladder().clone()
    });
}
