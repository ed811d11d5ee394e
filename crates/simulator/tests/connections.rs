//! Connections that break and come back (RFC 5626, RFC 7118), and servers that die.

use std::time::Duration;

use agent::Cause;
use simulator::places::{Domain, TwoDomains};
use simulator::{Act, Conditions, Dice, Habits, Reaction, Span, for_each_seed};
use sip::Transport::{Tcp, Udp, Ws};

const BOB_AT_ATLANTA: &str = "sip:bob@atlanta.example.com";
const BOB_AT_BILOXI: &str = "sip:bob@biloxi.example.com";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A page comes back on a new connection and is called there.
#[test]
fn a_page_comes_back_and_is_called() {
    let mut place = Domain::new(1, (Ws, Ws), Habits::default());
    let network = &mut place.simulation;
    network.act(place.bob, Act::Disconnect);
    network.run_for(seconds(3));
    network.act(place.bob, Act::Connect);
    network.run_for(seconds(3));
    assert!(network.phone(place.bob).is_registered(), "it registers by itself");
    network.act(place.alice, Act::Call(BOB_AT_ATLANTA.into()));
    network.run_for(seconds(5));
    assert!(network.phone(place.bob).only_call().confirmed);
    network.wind_up();
}

/// A page that is away is not rung, and the caller is told at once.
#[test]
fn a_page_that_is_away() {
    let mut place = Domain::new(1, (Ws, Ws), Habits::default());
    let network = &mut place.simulation;
    network.act(place.bob, Act::Disconnect);
    network.run_for(seconds(1));
    network.act(place.alice, Act::Call(BOB_AT_ATLANTA.into()));
    network.run_for(seconds(1));
    let ends = &network.phone(place.alice).only_call().ends;
    assert!(matches!(ends[..], [(_, Cause::Unavailable)]), "{ends:?}");
    network.wind_up();
}

/// A call outlives the connection of either page, and is hung up over the new one.
#[test]
fn a_call_outlives_its_connections() {
    let mut place = TwoDomains::new(1, (Ws, Ws), Habits::default());
    let network = &mut place.simulation;
    network.act(place.alice, Act::Call(BOB_AT_BILOXI.into()));
    network.run_for(seconds(5));
    for phone in [place.alice, place.bob] {
        network.act(phone, Act::Disconnect);
        network.run_for(seconds(2));
        network.act(phone, Act::Connect);
        network.run_for(seconds(2));
    }
    assert_eq!(network.phone(place.alice).standing().len(), 1);
    network.act(place.alice, Act::HangUpAll);
    network.run_for(seconds(5));
    assert_eq!(network.phone(place.bob).only_call().ends.len(), 1, "bob hears of it");
    network.wind_up();
}

/// A call outlives the death of its server, and is hung up through the new process.
#[test]
fn a_call_outlives_its_server() {
    let mut place = Domain::new(1, (Ws, Ws), Habits::default());
    let network = &mut place.simulation;
    network.act(place.alice, Act::Call(BOB_AT_ATLANTA.into()));
    network.run_for(seconds(5));
    network.restart(place.atlanta);
    network.run_for(seconds(1));
    network.act(place.alice, Act::Connect);
    network.act(place.bob, Act::Connect);
    network.run_for(seconds(3));
    network.act(place.bob, Act::HangUpAll);
    network.run_for(seconds(5));
    assert_eq!(network.phone(place.alice).only_call().ends.len(), 1, "alice hears of it");
    network.wind_up();
}

/// A call between two domains outlives the connection between the servers, which may close at any time: either side
/// can still hang up.
#[test]
fn a_call_outlives_the_connection_between_its_servers() {
    for bob_hangs_up in [true, false] {
        let mut place = TwoDomains::new(1, (Ws, Ws), Habits::default());
        let network = &mut place.simulation;
        network.act(place.alice, Act::Call(BOB_AT_BILOXI.into()));
        network.run_for(seconds(5));
        network.break_connections_between(place.atlanta, place.biloxi);
        network.run_for(seconds(1));
        let (near, far) = if bob_hangs_up { (place.bob, place.alice) } else { (place.alice, place.bob) };
        network.act(near, Act::HangUpAll);
        network.run_for(seconds(5));
        assert_eq!(network.phone(far).only_call().ends.len(), 1, "bob hangs up: {bob_hangs_up}");
        network.wind_up();
    }
}

/// A call between two domains outlives the death of one of the servers.
#[test]
fn a_call_outlives_either_server_on_the_way() {
    for (kill_atlanta, bob_hangs_up) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut place = TwoDomains::new(1, (Ws, Ws), Habits::default());
        let network = &mut place.simulation;
        network.act(place.alice, Act::Call(BOB_AT_BILOXI.into()));
        network.run_for(seconds(5));
        network.restart(if kill_atlanta { place.atlanta } else { place.biloxi });
        network.run_for(seconds(1));
        network.act(place.alice, Act::Connect);
        network.act(place.bob, Act::Connect);
        network.run_for(seconds(3));
        let (near, far) = if bob_hangs_up { (place.bob, place.alice) } else { (place.alice, place.bob) };
        network.act(near, Act::HangUpAll);
        network.run_for(seconds(5));
        let case = format!("atlanta is killed: {kill_atlanta}, bob hangs up: {bob_hangs_up}");
        assert_eq!(network.phone(far).only_call().ends.len(), 1, "{case}");
        network.wind_up();
    }
}

/// Connections break and come back at any time during calls.
#[test]
fn bad_networks() {
    for_each_seed(1200, |seed| {
        let mut dice = Dice::new(seed, 0xc0);
        let mut transport = || [Ws, Ws, Tcp, Udp][usize::try_from(dice.below(4)).unwrap()];
        let transports = (transport(), transport());
        let reaction = Reaction::Answers(Duration::ZERO, dice.within(Span::milliseconds(0, 4000)));
        let mut place = Domain::new(seed, transports, Habits { reaction, ..Habits::default() });
        let network = &mut place.simulation;
        network.set_conditions(Conditions::bad(seed));
        network.plan(dice.within(Span::milliseconds(0, 2000)), place.alice, Act::Call(BOB_AT_ATLANTA.into()));
        for phone in [place.alice, place.bob] {
            for _ in 0..dice.below(3) {
                let breaks = dice.within(Span::milliseconds(0, 15_000));
                network.plan(breaks, phone, Act::Disconnect);
                network.plan(breaks + dice.within(Span::milliseconds(0, 10_000)), phone, Act::Connect);
            }
            if dice.falls(400) {
                network.plan(dice.within(Span::milliseconds(0, 20_000)), phone, Act::HangUpAll);
            }
        }
        network.run_for(seconds(60));
        network.set_conditions(Conditions::PERFECT);
        for phone in [place.alice, place.bob] {
            network.act(phone, Act::Connect);
        }
        network.wind_up();
        network.ladder().clone()
    });
}
