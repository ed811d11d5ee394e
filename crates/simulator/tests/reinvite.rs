//! Re-INVITE within a call (RFC 3665 §3.7), on a perfect network and on bad ones.

use std::time::Duration;

use simulator::places::{Domain, TwoDomains, transports_of};
use simulator::{Act, Conditions, Dice, Habits, Simulation, Span, assert_ladder, for_each_seed};
use sip::Transport::{Udp, Ws};

const BOB_AT_ATLANTA: &str = "sip:bob@atlanta.example.com";
const BOB_AT_BILOXI: &str = "sip:bob@biloxi.example.com";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The final responses to what a phone asked.
fn outcomes(network: &Simulation, phone: simulator::NodeId) -> Vec<u16> {
    network.phone(phone).requests.values().flatten().copied().collect()
}

/// RFC 3665 §3.7: a new offer within the call; the called side may make it too.
#[test]
fn either_side_offers_anew() {
    let mut place = TwoDomains::new(1, (Ws, Udp), Habits::default());
    let network = &mut place.simulation;
    network.act(place.alice, Act::Call(BOB_AT_BILOXI.into()));
    network.run_for(seconds(5));
    network.clear_ladder();
    network.act(place.bob, Act::Reinvite);
    network.run_for(seconds(5));
    assert_ladder(
        network.ladder(),
        "
        bob     -> biloxi   INVITE
        biloxi  -> bob      100 INVITE
        biloxi  -> atlanta  INVITE
        atlanta -> biloxi   100 INVITE
        atlanta -> alice    INVITE
        alice   -> atlanta  100 INVITE
        alice   -> atlanta  200 INVITE
        atlanta -> biloxi   200 INVITE
        biloxi  -> bob      200 INVITE
        bob     -> biloxi   ACK
        biloxi  -> atlanta  ACK
        atlanta -> alice    ACK
        ",
    );
    network.act(place.alice, Act::Reinvite);
    network.run_for(seconds(5));
    assert_eq!(outcomes(network, place.bob), [200]);
    assert_eq!(outcomes(network, place.alice), [200]);
    network.wind_up();
}

/// RFC 3261 §14.2: both offer at once; both are told 491, and the call stands.
#[test]
fn both_sides_offer_at_once() {
    let mut place = Domain::new(1, (Ws, Ws), Habits::default());
    let network = &mut place.simulation;
    network.act(place.alice, Act::Call(BOB_AT_ATLANTA.into()));
    network.run_for(seconds(5));
    network.act(place.alice, Act::Reinvite);
    network.act(place.bob, Act::Reinvite);
    network.run_for(seconds(5));
    assert_eq!(outcomes(network, place.alice), [491]);
    assert_eq!(outcomes(network, place.bob), [491]);
    assert_eq!(network.phone(place.alice).standing().len(), 1);
    network.wind_up();
}

/// A call of an hour is refreshed by its session timer and stands (RFC 4028).
#[test]
fn a_long_call_stands() {
    let mut place = TwoDomains::new(1, (Udp, Ws), Habits::default());
    let network = &mut place.simulation;
    network.act(place.alice, Act::Call(BOB_AT_BILOXI.into()));
    network.run_for(seconds(3600));
    assert_eq!(network.phone(place.alice).standing().len(), 1);
    assert_eq!(network.phone(place.bob).standing().len(), 1);
    network.wind_up();
}

/// A side that vanishes is missed: the session timer ends the call at the other.
#[test]
fn a_side_that_vanishes_is_missed() {
    let mut place = TwoDomains::new(1, (Udp, Udp), Habits::default());
    let network = &mut place.simulation;
    network.act(place.alice, Act::Call(BOB_AT_BILOXI.into()));
    network.run_for(seconds(5));
    network.act(place.bob, Act::Disconnect);
    network.run_for(seconds(200));
    assert!(network.phone(place.alice).standing().is_empty());
    network.act(place.bob, Act::Connect);
    network.wind_up();
}

/// RFC 4028 §10: a side whose refreshes are all refused, as the server cannot reach the other, ends the call too.
#[test]
fn a_page_that_vanishes_is_missed() {
    let mut place = Domain::new(1, (Ws, Ws), Habits::default());
    let network = &mut place.simulation;
    network.act(place.alice, Act::Call(BOB_AT_ATLANTA.into()));
    network.run_for(seconds(5));
    network.act(place.alice, Act::Disconnect);
    network.run_for(seconds(110));
    assert!(outcomes(network, place.bob).iter().all(|status| *status == 430));
    assert!(network.phone(place.bob).standing().is_empty(), "110 % of the session's 90 s have passed");
    network.act(place.alice, Act::Connect);
    network.wind_up();
}

/// Offers from both sides at any time, then somebody hangs up, perhaps in the middle of one.
#[test]
fn bad_networks() {
    for_each_seed(600, |seed| {
        let mut dice = Dice::new(seed, 0x12);
        let mut place = Domain::new(seed, transports_of(seed), Habits::default());
        let network = &mut place.simulation;
        network.act(place.alice, Act::Call(BOB_AT_ATLANTA.into()));
        network.run_for(seconds(5));
        network.set_conditions(Conditions::bad(seed));
        for phone in [place.alice, place.bob] {
            for _ in 0..dice.below(3) {
                network.plan(dice.within(Span::milliseconds(0, 10_000)), phone, Act::Reinvite);
            }
        }
        if dice.falls(600) {
            let who = if dice.falls(500) { place.alice } else { place.bob };
            network.plan(dice.within(Span::milliseconds(0, 12_000)), who, Act::HangUpAll);
        }
        network.run_for(seconds(40));
        network.wind_up();
        network.ladder().clone()
    });
}
