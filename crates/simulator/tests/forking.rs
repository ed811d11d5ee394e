//! One user, several phones: all ring, one wins (RFC 3261 §16.7), on a perfect network and on bad ones.

use std::time::Duration;

use agent::{Cause, Originator};
use simulator::places::{ATLANTA, BILOXI, add_server, config_of, phone_of, register, transports_of};
use simulator::{
    Act, Conditions, Dice, Habits, NodeId, PhoneSetup, Reaction, Simulation, Span, for_each_seed,
};
use sip::Transport::{Tcp, Udp, Ws};

const BOB: &str = "sip:bob@biloxi.example.com";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn answers_after(span: Duration) -> Reaction {
    Reaction::Answers(Duration::ZERO, span)
}

/// Alice at atlanta; bob at biloxi with a page, a desk phone and a third one.
fn bobs_phones(seed: u64, reactions: [Reaction; 3]) -> (Simulation, NodeId, [NodeId; 3]) {
    let mut network = Simulation::new(seed, Conditions::PERFECT);
    add_server(&mut network, config_of(ATLANTA));
    add_server(&mut network, config_of(BILOXI));
    let alice = network.add_phone(phone_of("alice", ATLANTA, 1, transports_of(seed).0));
    let transports = [("page", Ws), ("desk", Udp), ("mobile", Tcp)];
    let mut number = 1;
    let phones = [0, 1, 2].map(|place| {
        number += 1;
        let (name, transport) = transports[place];
        let habits = Habits { reaction: reactions[place], ..Habits::default() };
        let setup =
            PhoneSetup { name: name.to_owned(), habits, ..phone_of("bob", BILOXI, number, transport) };
        network.add_phone(setup)
    });
    register(&mut network, &[alice, phones[0], phones[1], phones[2]]);
    (network, alice, phones)
}

/// RFC 3665 has no such flow; RFC 3261 §16.7 item 10 does: the losers are cancelled, and told why (RFC 3326).
#[test]
fn the_first_to_answer_wins() {
    let (mut network, alice, [page, desk, mobile]) =
        bobs_phones(1, [Reaction::Rings, answers_after(seconds(2)), Reaction::Rings]);
    network.act(alice, Act::Call(BOB.into()));
    network.run_for(seconds(5));
    assert!(network.phone(alice).only_call().confirmed);
    assert!(network.phone(desk).only_call().confirmed);
    for loser in [page, mobile] {
        assert_eq!(network.phone(loser).only_call().ends, [(Originator::Remote, Cause::Canceled)]);
    }
    let reasons = network
        .ladder()
        .rungs()
        .iter()
        .filter(|rung| rung.from.as_ref() == "biloxi" && rung.label() == "CANCEL")
        .map(|rung| String::from_utf8_lossy(&rung.bytes).contains("cause=200"))
        .collect::<Vec<_>>();
    assert_eq!(reasons, [true, true], "answered elsewhere, not missed");
    network.wind_up();
}

/// RFC 3261 §16.7 item 5: a 6xx ends the search.
#[test]
fn one_declines_for_all() {
    let (mut network, alice, phones) =
        bobs_phones(1, [Reaction::Rings, Reaction::Refuses(603, seconds(1)), Reaction::Rings]);
    network.act(alice, Act::Call(BOB.into()));
    network.run_for(seconds(5));
    assert_eq!(network.phone(alice).only_call().ends, [(Originator::Remote, Cause::Rejected)]);
    for phone in phones {
        assert_eq!(network.phone(phone).only_call().ends.len(), 1);
    }
    network.wind_up();
}

/// RFC 3261 §16.7 item 6: while one still rings, a refusal by another waits; at the end the best is passed on.
#[test]
fn all_refuse() {
    let (mut network, alice, _) = bobs_phones(
        1,
        [
            Reaction::Refuses(480, seconds(1)),
            Reaction::Refuses(486, seconds(2)),
            Reaction::Refuses(480, seconds(3)),
        ],
    );
    network.act(alice, Act::Call(BOB.into()));
    network.run_for(seconds(2));
    assert!(network.phone(alice).only_call().ends.is_empty(), "one has not decided yet");
    network.run_for(seconds(3));
    assert_eq!(network.phone(alice).only_call().ends.len(), 1);
    network.wind_up();
}

/// Both answers are on their way at once: the caller keeps one call and ends the other (RFC 3261 §13.2.2.4).
#[test]
fn two_answer_at_once() {
    let at_once = answers_after(seconds(2));
    let (mut network, alice, [page, desk, _]) = bobs_phones(1, [at_once, at_once, Reaction::Rings]);
    network.act(alice, Act::Call(BOB.into()));
    network.run_for(seconds(10));
    let standing = |phone: NodeId| network.phone(phone).standing().len();
    assert_eq!(standing(alice), 1);
    assert_eq!(standing(page) + standing(desk), 1);
    network.wind_up();
}

/// Whatever the network does: at most one of bob's phones ends up in the call.
#[test]
fn bad_networks() {
    for_each_seed(600, |seed| {
        let mut dice = Dice::new(seed, 0xf0);
        let mut reaction = || match dice.below(5) {
            0 => Reaction::Rings,
            1 => Reaction::Refuses(486, dice.within(Span::milliseconds(0, 4000))),
            // Several often answer at about the same time.
            2 => answers_after(dice.within(Span::milliseconds(0, 6000))),
            _ => answers_after(dice.within(Span::milliseconds(2900, 3100))),
        };
        let reactions = [reaction(), reaction(), reaction()];
        let gives_up = dice.falls(300);
        let (mut network, alice, phones) = bobs_phones(seed, reactions);
        network.set_conditions(Conditions::bad(seed));
        network.act(alice, Act::Call(BOB.into()));
        if gives_up {
            network.plan(dice.within(Span::milliseconds(0, 6000)), alice, Act::HangUpAll);
        }
        network.run_for(seconds(30));
        assert!(network.phone(alice).standing().len() <= 1);
        network.set_conditions(Conditions::PERFECT);
        network.run_for(seconds(200));
        let standing: usize = phones.iter().map(|phone| network.phone(*phone).standing().len()).sum();
        assert_eq!(standing, network.phone(alice).standing().len());
        network.wind_up();
        network.ladder().clone()
    });
}
