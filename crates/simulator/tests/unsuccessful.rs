//! Calls that do not come about (RFC 3665 §3.6 and §3.8 to §3.11), on a perfect network and on bad ones.

use std::time::Duration;

use agent::{Cause, Originator};
use simulator::places::{ATLANTA, Domain, TwoDomains, phone_address, phone_of, register, transports_of, udp};
use simulator::{
    Act, Conditions, Dice, Habits, NodeId, Reaction, Simulation, Span, assert_ladder, for_each_seed, silent,
};
use sip::Transport::{Udp, Ws};
use sip::{Builder, HeaderName};

const BOB_AT_ATLANTA: &str = "sip:bob@atlanta.example.com";
const BOB_AT_BILOXI: &str = "sip:bob@biloxi.example.com";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn reacting(reaction: Reaction) -> Habits {
    Habits { reaction, ..Habits::default() }
}

/// The one end of the one call of a phone.
fn end(network: &Simulation, phone: NodeId) -> (Originator, Cause) {
    let call = network.phone(phone).only_call();
    assert_eq!(call.ends.len(), 1, "{call:?}");
    call.ends[0]
}

/// RFC 3665 §3.8: alice gives up while bob's phone rings.
#[test]
fn no_answer() {
    let mut place = TwoDomains::new(1, (Ws, Udp), reacting(Reaction::Rings));
    let network = &mut place.simulation;
    network.act(place.alice, Act::Call(BOB_AT_BILOXI.into()));
    network.run_for(seconds(5));
    network.act(place.alice, Act::HangUpAll);
    network.run_for(seconds(5));
    // Each server passes the CANCEL on and answers it by itself; the 487 comes back from the far end.
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
        alice   -> atlanta  CANCEL
        atlanta -> alice    200 CANCEL
        atlanta -> biloxi   CANCEL
        biloxi  -> atlanta  200 CANCEL
        biloxi  -> bob      CANCEL
        bob     -> biloxi   200 CANCEL
        bob     -> biloxi   487 INVITE
        biloxi  -> bob      ACK
        biloxi  -> atlanta  487 INVITE
        atlanta -> biloxi   ACK
        atlanta -> alice    487 INVITE
        alice   -> atlanta  ACK
        ",
    );
    assert_eq!(end(network, place.alice), (Originator::Local, Cause::Canceled));
    assert_eq!(end(network, place.bob), (Originator::Remote, Cause::Canceled));
    network.wind_up();
}

/// The same by the caller's own patience.
#[test]
fn the_caller_gives_up_by_himself() {
    let mut place = Domain::new(1, (Ws, Ws), reacting(Reaction::Rings));
    let network = &mut place.simulation;
    let mut setup = phone_of("carol", ATLANTA, 3, Ws);
    setup.patience = 20;
    let carol = network.add_phone(setup);
    register(network, &[carol]);
    network.act(carol, Act::Call(BOB_AT_ATLANTA.into()));
    network.run_for(seconds(25));
    assert_eq!(end(network, carol), (Originator::Local, Cause::NoAnswer));
    assert_eq!(end(network, place.bob), (Originator::Remote, Cause::Canceled));
    network.wind_up();
}

/// RFC 3665 §3.9.
#[test]
fn busy() {
    let mut place = TwoDomains::new(1, (Ws, Udp), reacting(Reaction::Refuses(486, Duration::ZERO)));
    let network = &mut place.simulation;
    network.act(place.alice, Act::Call(BOB_AT_BILOXI.into()));
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
        bob     -> biloxi   486 INVITE
        biloxi  -> bob      ACK
        biloxi  -> atlanta  486 INVITE
        atlanta -> biloxi   ACK
        atlanta -> alice    486 INVITE
        alice   -> atlanta  ACK
        ",
    );
    assert_eq!(end(network, place.alice), (Originator::Remote, Cause::Busy));
    network.wind_up();
}

/// RFC 3665 §3.10: bob's phone is dead. It is asked seven times, at growing intervals, then the caller is told.
#[test]
fn no_response() {
    let mut place = Domain::new(1, (Ws, Udp), Habits::default());
    let network = &mut place.simulation;
    network.act(place.bob, Act::Disconnect);
    let dead = network.phone(place.bob).address();
    network.act(place.alice, Act::Call(BOB_AT_ATLANTA.into()));
    network.run_for(seconds(40));
    let asked = network.ladder().lines().iter().filter(|line| *line == "atlanta -> bob INVITE").count();
    assert_eq!(asked, 7, "RFC 3261 §17.1.1.2, Timer A; {dead}");
    let told = network.ladder().lines();
    assert_eq!(told[told.len() - 2..], ["atlanta -> alice 408 INVITE", "alice -> atlanta ACK"]);
    assert_eq!(end(network, place.alice), (Originator::Remote, Cause::Unavailable));
    network.wind_up();
}

/// RFC 3665 §3.11.
#[test]
fn temporarily_unavailable() {
    let reaction = Reaction::Refuses(480, Duration::from_millis(500));
    let mut place = TwoDomains::new(1, (Ws, Udp), reacting(reaction));
    let network = &mut place.simulation;
    network.act(place.alice, Act::Call(BOB_AT_BILOXI.into()));
    network.run_for(seconds(5));
    assert_eq!(network.ladder().lines().last().map(String::as_str), Some("alice -> atlanta ACK"));
    assert_eq!(end(network, place.alice), (Originator::Remote, Cause::Unavailable));
    network.wind_up();
}

/// A user who is known but signed in nowhere, and one whom nobody knows: another domain is not told which.
#[test]
fn nobody_at_home() {
    for (user, cause) in [("carol", Cause::Unavailable), ("mallory", Cause::Unavailable)] {
        let mut place = TwoDomains::new(1, (Ws, Udp), Habits::default());
        let network = &mut place.simulation;
        network.act(place.alice, Act::Call(format!("sip:{user}@biloxi.example.com")));
        network.run_for(seconds(5));
        assert_eq!(end(network, place.alice), (Originator::Remote, cause));
        network.wind_up();
    }
}

/// A domain that does not exist, and one whose server is dead.
#[test]
fn no_such_place() {
    let mut place = Domain::new(1, (Ws, Udp), Habits::default());
    let network = &mut place.simulation;
    network.server_mut(place.atlanta).hosts.insert("dead.example.com".into(), vec![udp(phone_address(99))]);
    network.act(place.alice, Act::Call("sip:bob@nowhere.example.com".into()));
    network.act(place.alice, Act::Call("sip:bob@dead.example.com".into()));
    network.run_for(seconds(40));
    for call in &network.phone(place.alice).calls {
        assert_eq!(call.ends.len(), 1, "{call:?}");
    }
    network.wind_up();
}

/// RFC 3665 §3.6, as far as a proxy goes: a redirection by the far end reaches the caller, who is told.
#[test]
fn redirected() {
    let mut place = Domain::new(1, (Ws, Udp), Habits::default());
    let network = &mut place.simulation;
    let script = Box::new(|request: &sip::Message| {
        if request.method() != Some(sip::Method::Invite) {
            return Vec::new();
        }
        let moved = Builder::response_to(request, 302, "")
            .to_tag(b"moved")
            .header(HeaderName::Contact, b"<sip:bob@elsewhere.example.com>")
            .finish();
        vec![(Duration::ZERO, moved.unwrap())]
    });
    network.add_peer("redirect", phone_address(50), script);
    network
        .server_mut(place.atlanta)
        .hosts
        .insert("redirect.example.com".into(), vec![udp(phone_address(50))]);
    network.act(place.alice, Act::Call("sip:bob@redirect.example.com".into()));
    network.run_for(seconds(5));
    assert_ladder(
        network.ladder(),
        "
        alice    -> atlanta   INVITE
        atlanta  -> alice     100 INVITE
        # RFC 3261 §18.1.1: so long a request goes by TCP; where nobody listens, by UDP all the same.
        atlanta  -> 198.51.100.50:5060  INVITE
        atlanta  -> redirect  INVITE
        redirect -> atlanta   302 INVITE
        atlanta  -> redirect  ACK
        atlanta  -> alice     302 INVITE
        alice    -> atlanta   ACK
        ",
    );
    assert_eq!(end(network, place.alice), (Originator::Remote, Cause::Redirected));
    network.wind_up();
}

/// A phone that rings for ever, and a caller who waits for ever: Timer C of the server ends it.
#[test]
fn a_phone_that_rings_for_ever() {
    let mut place = Domain::new(1, (Ws, Udp), Habits::default());
    let network = &mut place.simulation;
    let script = Box::new(|request: &sip::Message| {
        let ringing = || Builder::response_to(request, 180, "").to_tag(b"rings").finish().unwrap();
        match request.method() {
            Some(sip::Method::Invite) => vec![(Duration::ZERO, ringing())],
            _ => Vec::new(),
        }
    });
    let bell = network.add_peer("bell", phone_address(51), script);
    network.server_mut(place.atlanta).hosts.insert("bell.example.com".into(), vec![udp(phone_address(51))]);
    network.act(place.alice, Act::Call("sip:bob@bell.example.com".into()));
    network.run_for(seconds(300));
    assert_eq!(end(network, place.alice).0, Originator::Remote, "the server gives up");
    let cancelled =
        network.peer(bell).received.iter().any(|message| message.method() == Some(sip::Method::Cancel));
    assert!(cancelled, "RFC 3261 §16.8: the branch is cancelled");
    network.wind_up();
}

/// A called side that takes every message and never says a word.
#[test]
fn a_called_side_that_is_silent() {
    let mut place = Domain::new(1, (Ws, Udp), Habits::default());
    let network = &mut place.simulation;
    network.add_peer("wall", phone_address(52), silent());
    network.server_mut(place.atlanta).hosts.insert("wall.example.com".into(), vec![udp(phone_address(52))]);
    network.act(place.alice, Act::Call("sip:bob@wall.example.com".into()));
    network.act(place.alice, Act::Write("sip:bob@wall.example.com".into(), "hello?".into()));
    network.run_for(seconds(70));
    assert_eq!(network.phone(place.alice).only_call().ends.len(), 1);
    // RFC 4320 §4.2: no server says 408 to a request that is no INVITE; its sender finds out by himself.
    assert_eq!(network.phone(place.alice).requests.values().collect::<Vec<_>>(), [&vec![0]]);
    network.wind_up();
}

/// Bob refuses, rings or answers; alice gives up at any time, before or after.
#[test]
fn bad_networks() {
    for_each_seed(900, |seed| {
        let mut dice = Dice::new(seed, 0x09);
        let reaction = match dice.below(4) {
            0 => Reaction::Refuses(486, dice.within(Span::milliseconds(0, 5000))),
            1 => Reaction::Refuses(603, dice.within(Span::milliseconds(0, 5000))),
            2 => Reaction::Rings,
            // Often at about the time when alice gives up.
            _ => Reaction::Answers(Duration::ZERO, dice.within(Span::milliseconds(0, 8000))),
        };
        let gives_up = dice.within(Span::milliseconds(0, 8000));
        let two = dice.falls(500);
        let transports = transports_of(seed);
        let habits = reacting(reaction);
        let (mut network, alice, target) = if two {
            let place = TwoDomains::new(seed, transports, habits);
            (place.simulation, place.alice, BOB_AT_BILOXI)
        } else {
            let place = Domain::new(seed, transports, habits);
            (place.simulation, place.alice, BOB_AT_ATLANTA)
        };
        network.set_conditions(Conditions::bad(seed));
        network.act(alice, Act::Call(target.into()));
        network.run_for(gives_up);
        network.act(alice, Act::HangUpAll);
        network.run_for(seconds(40));
        network.wind_up();
        network.ladder().clone()
    });
}
