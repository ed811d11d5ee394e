//! A browser calls several phones: its one leg is fixed, and only the branch that wins is joined.

use crate::peers::{BROWSER, World, branch, call, phone_description, port_of, rtp};
use media::Side;
use std::time::Duration;

const PCMU: &str = "a=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n";
const FIRST: &str = "203.0.113.5:7000";
const SECOND: &str = "203.0.113.6:8000";

fn attribute<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    text.lines().filter(|line| line.starts_with(name)).collect()
}

/// The browser calls two phones. Returns the world and the gateway's ports toward them.
fn forked() -> (World, u16, u16) {
    let mut world = World::new();
    let browser = world.browser(BROWSER, false);
    let offer = world.browsers[browser].offer();
    let mut ports = [0, 0];
    for (port, name) in ports.iter_mut().zip(["first", "second"]) {
        let now = world.now;
        let offer =
            world.gateway.offer(now, &call("call"), &branch(name), Side::Browser, &offer).expect("an offer");
        *port = port_of(&offer);
    }
    world.settle();
    assert_eq!(world.open.len(), 4, "a pair of ports for each phone");
    assert!(world.astray.is_empty(), "nothing is sent to the caller before somebody answers");
    (world, ports[0], ports[1])
}

fn answered(world: &mut World, name: &str, phone: &str) -> Vec<u8> {
    let answer = phone_description(phone, "0", PCMU);
    let now = world.now;
    world.gateway.answer(now, &call("call"), &branch(name), Side::Phone, &answer).expect("an answer")
}

#[test]
fn all_answers_show_the_browser_one_transport_and_one_stream() {
    let (mut world, ..) = forked();
    let first = String::from_utf8(answered(&mut world, "first", FIRST)).expect("text");
    let second = String::from_utf8(answered(&mut world, "second", SECOND)).expect("text");
    for name in ["a=ice-ufrag", "a=ice-pwd", "a=fingerprint", "a=setup", "a=candidate", "a=ssrc", "m=audio"] {
        assert!(!attribute(&first, name).is_empty(), "{name} in {first}");
        assert_eq!(attribute(&first, name), attribute(&second, name), "{name}");
    }
}

#[test]
fn early_sound_of_one_branch_and_then_another_that_wins_is_one_stream() {
    let (mut world, first, second) = forked();
    let early = answered(&mut world, "first", FIRST);
    world.browsers[0].accept(&early);
    world.pass(Duration::from_secs(1));
    for sequence in 0..10 {
        world.phone_sends(
            FIRST,
            first,
            &rtp(0, 500 + sequence, 160 * u32::from(sequence), 1, b"announcement"),
        );
        world.pass(Duration::from_millis(20));
    }
    assert_eq!(world.browsers[0].heard.len(), 10, "heard before anybody answered");
    answered(&mut world, "second", SECOND);
    world.gateway.confirm(world.now, &call("call"), &branch("second"));
    world.settle();
    assert!(!world.open.contains(&first) && world.open.contains(&second), "the loser's ports are closed");
    for sequence in 0..10 {
        world.phone_sends(SECOND, second, &rtp(0, 9000 + sequence, 160 * u32::from(sequence), 2, b"hello"));
        world.phone_sends(
            FIRST,
            first,
            &rtp(0, 510 + sequence, 1600 + 160 * u32::from(sequence), 1, b"late"),
        );
        world.pass(Duration::from_millis(20));
    }
    let heard = &world.browsers[0].heard;
    assert_eq!(heard.len(), 20);
    for pair in heard.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
        assert_eq!(pair[1].ssrc, pair[0].ssrc);
    }
    assert!(heard[10].marker && heard[10].payload == b"hello");
    world.phone_heard(SECOND);
    world.browser_sends(0, 0, 160, b"to the winner");
    assert_eq!(world.phone_heard(SECOND).len(), 1);
    assert!(world.phone_heard(FIRST).iter().all(|packet| packet.payload != b"to the winner"));
}

#[test]
fn when_the_branch_that_was_heard_is_refused_another_that_speaks_is_heard() {
    let (mut world, first, second) = forked();
    let now = world.now;
    let offer = world.browsers[0].offer_again();
    let offer =
        world.gateway.offer(now, &call("call"), &branch("third"), Side::Browser, &offer).expect("an offer");
    let third = port_of(&offer);
    let early = answered(&mut world, "second", SECOND);
    answered(&mut world, "third", "203.0.113.7:9000");
    world.browsers[0].accept(&early);
    world.pass(Duration::from_secs(1));
    for sequence in 0..10 {
        world.phone_sends(SECOND, second, &rtp(0, sequence, 160 * u32::from(sequence), 1, b"second"));
        world.phone_sends(
            "203.0.113.7:9000",
            third,
            &rtp(0, sequence, 160 * u32::from(sequence), 2, b"third"),
        );
        world.pass(Duration::from_millis(20));
        if sequence == 4 {
            world.gateway.end_branch(world.now, &call("call"), &branch("second"));
        }
    }
    let heard =
        |payload: &[u8]| world.browsers[0].heard.iter().filter(|heard| heard.payload == payload).count();
    assert_eq!((heard(b"second"), heard(b"third")), (5, 5), "the first, on {first}, is silent");
}

#[test]
fn a_refused_branch_is_returned_and_a_late_refusal_harms_nobody() {
    let (mut world, first, second) = forked();
    world.gateway.end_branch(world.now, &call("call"), &branch("first"));
    world.settle();
    assert!(!world.open.contains(&first) && world.open.contains(&second));
    answered(&mut world, "second", SECOND);
    world.gateway.confirm(world.now, &call("call"), &branch("second"));
    world.gateway.end_branch(world.now, &call("call"), &branch("first"));
    world.settle();
    assert!(world.open.contains(&second));
    world.gateway.end_branch(world.now, &call("call"), &branch("second"));
    world.settle();
    assert!(world.gateway.is_idle());
}

#[test]
fn a_caller_with_no_answer_leaves_nothing() {
    let (mut world, ..) = forked();
    world.gateway.end(world.now, &call("call"));
    world.settle();
    assert!(world.gateway.is_idle() && world.open.is_empty());
    assert!(world.events.is_empty(), "nothing happened in it");
}

#[test]
fn two_browsers_that_are_called_have_a_leg_each() {
    let mut world = World::new();
    let offer = phone_description(FIRST, "0", PCMU);
    let mut fragments = Vec::new();
    for name in ["first", "second"] {
        let now = world.now;
        let offer =
            world.gateway.offer(now, &call("call"), &branch(name), Side::Phone, &offer).expect("an offer");
        let text = String::from_utf8(offer).expect("text");
        fragments.push(attribute(&text, "a=ice-ufrag")[0].to_owned());
    }
    assert_ne!(fragments[0], fragments[1]);
}

#[test]
fn ports_that_are_used_up_are_said_and_come_back() {
    let mut world = World::with_ports(30_000..=30_003);
    let browser = world.browser(BROWSER, false);
    let offer = world.browsers[browser].offer();
    for name in ["first", "second"] {
        let now = world.now;
        world.gateway.offer(now, &call(name), &branch(name), Side::Browser, &offer).expect("an offer");
    }
    let now = world.now;
    let refused = world.gateway.offer(now, &call("third"), &branch("third"), Side::Browser, &offer);
    assert_eq!(refused, Err(media::Cause::NoFreePort));
    assert_eq!(world.gateway.calls(), 2);
    world.gateway.end(now, &call("first"));
    world.gateway.offer(now, &call("third"), &branch("third"), Side::Browser, &offer).expect("an offer");
}
