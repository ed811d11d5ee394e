//! Text messages (RFC 3428), on a perfect network and on bad ones.

use std::time::Duration;

use simulator::places::{Domain, TwoDomains, transports_of};
use simulator::{Act, Conditions, Dice, Habits, Span, assert_ladder, for_each_seed};
use sip::Transport::{Udp, Ws};

const BOB_AT_ATLANTA: &str = "sip:bob@atlanta.example.com";
const BOB_AT_BILOXI: &str = "sip:bob@biloxi.example.com";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_message_between_two_domains() {
    let mut place = TwoDomains::new(1, (Ws, Udp), Habits::default());
    let network = &mut place.simulation;
    network.act(place.alice, Act::Write(BOB_AT_BILOXI.into(), "Lunch at noon?".into()));
    network.run_for(seconds(5));
    assert_ladder(
        network.ladder(),
        "
        alice   -> atlanta  MESSAGE
        atlanta -> biloxi   MESSAGE
        biloxi  -> bob      MESSAGE
        bob     -> biloxi   200 MESSAGE
        biloxi  -> atlanta  200 MESSAGE
        atlanta -> alice    200 MESSAGE
        ",
    );
    assert_eq!(network.phone(place.bob).messages, ["Lunch at noon?"]);
    network.wind_up();
}

#[test]
fn a_message_that_is_refused() {
    let mut place = Domain::new(1, (Ws, Ws), Habits { message_status: 603, ..Habits::default() });
    let network = &mut place.simulation;
    network.act(place.alice, Act::Write(BOB_AT_ATLANTA.into(), "Lunch at noon?".into()));
    network.run_for(seconds(5));
    assert_eq!(network.phone(place.alice).requests.values().collect::<Vec<_>>(), [&vec![603]]);
    network.wind_up();
}

/// Each message arrives at most once, and its sender is told once; told 200 means that it arrived.
#[test]
fn bad_networks() {
    for_each_seed(700, |seed| {
        let mut dice = Dice::new(seed, 0x3428);
        let mut place = Domain::new(seed, transports_of(seed), Habits::default());
        let network = &mut place.simulation;
        network.set_conditions(Conditions::bad(seed));
        let written = 1 + dice.below(4);
        for number in 0..written {
            let text = format!("number {number}");
            let act = Act::Write(BOB_AT_ATLANTA.into(), text);
            network.plan(dice.within(Span::milliseconds(0, 5000)), place.alice, act);
        }
        network.run_for(seconds(50));
        network.wind_up();
        let mut arrived = network.phone(place.bob).messages.clone();
        arrived.sort();
        let count = arrived.len();
        arrived.dedup();
        assert_eq!(arrived.len(), count, "a message arrived twice");
        let outcomes = network.phone(place.alice).requests.values().flatten();
        let delivered = outcomes.filter(|status| **status == 200).count();
        assert!(delivered <= count, "{delivered} were told, {count} arrived");
        network.ladder().clone()
    });
}
