//! What a network may do without anybody noticing: where loss is moderate, every call comes about, every message
//! arrives, every registration succeeds. The invariants alone would not see a phone that gives up too early.

use std::cell::Cell;
use std::time::Duration;

use agent::{Cause, Originator};
use simulator::places::{
    ATLANTA, BILOXI, Domain, TwoDomains, add_server, config_of, phone_of, register, transports_of,
};
use simulator::{Act, Conditions, Habits, Reaction, Simulation, Span, for_each_seed};
use sip::Transport::{Udp, Ws};

/// One datagram of ten is lost, one of ten comes twice, one of ten is overtaken. A 2xx and its ACK pass four
/// datagrams within one domain: 11 attempts all fail once in a hundred thousand calls.
const MODERATE: Conditions = Conditions {
    lost: 100,
    doubled: 100,
    overtaken: 100,
    delay: Span::milliseconds(5, 60),
    hold_up: Span::milliseconds(0, 200),
    ..Conditions::PERFECT
};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn every_registration_succeeds() {
    for_each_seed(150, |seed| {
        let mut network = Simulation::new(seed, MODERATE);
        add_server(&mut network, config_of(ATLANTA));
        let bob = network.add_phone(phone_of("bob", ATLANTA, 2, Udp));
        register(&mut network, &[bob]);
        assert_eq!(network.phone(bob).registration, [200]);
        network.wind_up();
        network.ladder().clone()
    });
}

#[test]
fn every_call_comes_about_and_ends_at_both_sides() {
    for_each_seed(250, |seed| {
        let reaction = Reaction::Answers(Duration::from_millis(50), Duration::from_millis(500));
        let mut place = Domain::new(seed, (Udp, Udp), Habits { reaction, ..Habits::default() });
        let network = &mut place.simulation;
        network.set_conditions(MODERATE);
        network.act(place.alice, Act::Call("sip:bob@atlanta.example.com".into()));
        network.run_for(seconds(40));
        let [alice, bob] = [place.alice, place.bob].map(|phone| network.phone(phone).standing().len());
        assert_eq!((alice, bob), (1, 1), "the call stands at both sides");
        network.act(place.bob, Act::HangUpAll);
        network.run_for(seconds(33));
        assert_eq!(network.phone(place.bob).only_call().ends, [(Originator::Local, Cause::Terminated)]);
        assert_eq!(network.phone(place.alice).only_call().ends, [(Originator::Remote, Cause::Terminated)]);
        network.wind_up();
        network.ladder().clone()
    });
}

#[test]
fn every_cancellation_stops_the_ringing() {
    let (stopped, unheard) = (Cell::new(0), Cell::new(0));
    for_each_seed(250, |seed| {
        let habits = Habits { reaction: Reaction::Rings, ..Habits::default() };
        let mut place = TwoDomains::new(seed, transports_of(seed), habits);
        let network = &mut place.simulation;
        for server in [place.atlanta, place.biloxi] {
            network.server_mut(server).refuses_connections = true;
        }
        network.set_conditions(MODERATE);
        network.act(place.alice, Act::Call(format!("sip:bob@{BILOXI}")));
        network.run_for(seconds(20));
        network.act(place.alice, Act::HangUpAll);
        network.run_for(seconds(33));
        assert_eq!(network.phone(place.alice).only_call().ends, [(Originator::Local, Cause::Canceled)]);
        // Of ten thousand calls one loses each challenge, and then nothing ever rings; another one loses each provisional
        // response, and who has heard nothing may not cancel (RFC 3261 §9.1).
        let heard: Vec<_> = network.phone(place.bob).calls.iter().map(|call| call.ends.clone()).collect();
        match heard.as_slice() {
            [] => {}
            [ends] if ends.is_empty() => unheard.set(unheard.get() + 1),
            ends => {
                assert_eq!(ends, [[(Originator::Remote, Cause::Canceled)]]);
                stopped.set(stopped.get() + 1);
            }
        }
        network.wind_up();
        network.ladder().clone()
    });
    let (stopped, unheard) = (stopped.get(), unheard.get());
    // One seed that is played again is one call.
    assert!(unheard + stopped == 1 || unheard * 1000 <= stopped, "{stopped} stopped, {unheard} rang on");
}

#[test]
fn every_refusal_is_told() {
    for_each_seed(150, |seed| {
        let habits = Habits { reaction: Reaction::Refuses(486, Duration::ZERO), ..Habits::default() };
        let mut place = Domain::new(seed, (Udp, Udp), habits);
        let network = &mut place.simulation;
        network.set_conditions(MODERATE);
        network.act(place.alice, Act::Call("sip:bob@atlanta.example.com".into()));
        network.run_for(seconds(40));
        assert_eq!(network.phone(place.alice).only_call().ends, [(Originator::Remote, Cause::Busy)]);
        network.wind_up();
        network.ladder().clone()
    });
}

#[test]
fn every_message_arrives_once() {
    for_each_seed(150, |seed| {
        let mut place = TwoDomains::new(seed, (Udp, Ws), Habits::default());
        let network = &mut place.simulation;
        for server in [place.atlanta, place.biloxi] {
            network.server_mut(server).refuses_connections = true;
        }
        network.set_conditions(MODERATE);
        network.act(place.alice, Act::Write(format!("sip:bob@{BILOXI}"), "hello".into()));
        network.run_for(seconds(40));
        assert_eq!(network.phone(place.bob).messages, ["hello"]);
        let outcomes: Vec<u16> = network.phone(place.alice).requests.values().flatten().copied().collect();
        assert_eq!(outcomes, [200]);
        network.wind_up();
        network.ladder().clone()
    });
}

#[test]
fn every_new_offer_is_answered() {
    for_each_seed(200, |seed| {
        let mut place = Domain::new(seed, (Udp, Udp), Habits::default());
        let network = &mut place.simulation;
        network.act(place.alice, Act::Call("sip:bob@atlanta.example.com".into()));
        network.run_for(seconds(5));
        network.set_conditions(MODERATE);
        network.act(place.bob, Act::Reinvite);
        network.run_for(seconds(34));
        let outcomes: Vec<u16> = network.phone(place.bob).requests.values().flatten().copied().collect();
        assert_eq!(outcomes, [200]);
        assert_eq!(network.phone(place.alice).standing().len(), 1, "the ACK got through");
        network.wind_up();
        network.ladder().clone()
    });
}
