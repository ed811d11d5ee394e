//! The end of calls: BYE from either side, from both, and at awkward moments (RFC 3261 §15).

use std::time::Duration;

use agent::{Cause, Originator};
use simulator::places::{Domain, TwoDomains, transports_of};
use simulator::{Act, Conditions, Dice, Habits, NodeId, Reaction, Span, assert_ladder, for_each_seed};
use sip::Transport::{Udp, Ws};

const BOB_AT_ATLANTA: &str = "sip:bob@atlanta.example.com";
const BOB_AT_BILOXI: &str = "sip:bob@biloxi.example.com";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A call that stands, in one domain.
fn call() -> Domain {
    let mut place = Domain::new(1, (Ws, Udp), Habits::default());
    place.simulation.act(place.alice, Act::Call(BOB_AT_ATLANTA.into()));
    place.simulation.run_for(seconds(5));
    assert!(place.simulation.phone(place.bob).only_call().confirmed);
    place.simulation.clear_ladder();
    place
}

#[test]
fn the_caller_hangs_up() {
    let mut place = call();
    let network = &mut place.simulation;
    network.act(place.alice, Act::HangUpAll);
    network.run_for(seconds(5));
    assert_ladder(
        network.ladder(),
        "
        alice   -> atlanta  BYE
        atlanta -> bob      BYE
        bob     -> atlanta  200 BYE
        atlanta -> alice    200 BYE
        ",
    );
    assert_eq!(network.phone(place.bob).only_call().ends, [(Originator::Remote, Cause::Terminated)]);
    network.wind_up();
}

#[test]
fn the_called_side_hangs_up() {
    let mut place = call();
    let network = &mut place.simulation;
    network.act(place.bob, Act::HangUpAll);
    network.run_for(seconds(5));
    assert_ladder(
        network.ladder(),
        "
        bob     -> atlanta  BYE
        atlanta -> alice    BYE
        alice   -> atlanta  200 BYE
        atlanta -> bob      200 BYE
        ",
    );
    assert_eq!(network.phone(place.alice).only_call().ends, [(Originator::Remote, Cause::Terminated)]);
    network.wind_up();
}

#[test]
fn both_hang_up_at_once() {
    let mut place = call();
    let network = &mut place.simulation;
    network.plan(seconds(1), place.alice, Act::HangUpAll);
    network.plan(seconds(1), place.bob, Act::HangUpAll);
    network.run_for(seconds(5));
    let answers = network.ladder().lines().iter().filter(|line| line.contains("200 BYE")).count();
    assert_eq!(answers, 4, "each BYE is answered, hop by hop: {:#?}", network.ladder().lines());
    for phone in [place.alice, place.bob] {
        assert_eq!(network.phone(phone).only_call().ends, [(Originator::Local, Cause::Terminated)]);
    }
    network.wind_up();
}

/// RFC 3261 §15: the called side hangs up while its 200 is on the way; its BYE waits for the ACK.
#[test]
fn the_called_side_hangs_up_before_the_ack() {
    let reaction = Reaction::Answers(Duration::ZERO, seconds(1));
    let mut place = Domain::new(1, (Ws, Udp), Habits { reaction, ..Habits::default() });
    let network = &mut place.simulation;
    network.act(place.alice, Act::Call(BOB_AT_ATLANTA.into()));
    // The INVITE took 20 ms; the 200 left at 1.02 s, the ACK will be here at 1.06 s.
    network.run_for(Duration::from_millis(1030));
    network.act(place.bob, Act::HangUpAll);
    network.run_for(seconds(5));
    let lines = network.ladder().lines();
    let of = |wanted: &str| lines.iter().position(|line| line == wanted);
    assert!(of("atlanta -> bob ACK").is_some() && of("atlanta -> bob ACK") < of("bob -> atlanta BYE"));
    network.wind_up();
}

/// Somebody hangs up at any moment from the first INVITE on: perhaps both, perhaps twice.
#[test]
fn bad_networks() {
    for_each_seed(700, |seed| {
        let mut dice = Dice::new(seed, 0xb7e);
        let reaction = Reaction::Answers(Duration::ZERO, dice.within(Span::milliseconds(0, 3000)));
        let habits = Habits { reaction, ..Habits::default() };
        let (mut network, alice, bob, target): (_, NodeId, NodeId, _) = if dice.falls(500) {
            let place = TwoDomains::new(seed, transports_of(seed), habits);
            (place.simulation, place.alice, place.bob, BOB_AT_BILOXI)
        } else {
            let place = Domain::new(seed, transports_of(seed), habits);
            (place.simulation, place.alice, place.bob, BOB_AT_ATLANTA)
        };
        network.set_conditions(Conditions::bad(seed));
        network.act(alice, Act::Call(target.into()));
        let moment = dice.within(Span::milliseconds(0, 12_000));
        for phone in [alice, bob] {
            if dice.falls(700) {
                let crossing = dice.within(Span::milliseconds(0, 500));
                network.plan(moment + crossing, phone, Act::HangUpAll);
            }
        }
        network.run_for(seconds(60));
        network.wind_up();
        network.ladder().clone()
    });
}
