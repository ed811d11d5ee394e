//! What a call tells of itself, while it goes on and at its end: the figures of both legs, and one cause.

use crate::peers::{BROWSER, GATEWAY, PHONE, World, address, branch, call, phone_description, port_of, rtp};
use media::{CallReport, DtlsState, Event, MediaCause, Side};
use std::time::Duration;

const PCMU: &str = "a=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n";

/// A browser and a phone in a call, and the gateway's port for the phone.
fn joined() -> (World, usize, u16) {
    let mut world = World::new();
    let browser = world.browser(BROWSER, false);
    let offer = world.browsers[browser].offer();
    let (call, branch) = (call("call"), branch("branch"));
    let offer = world.gateway.offer(world.now, &call, &branch, Side::Browser, &offer).expect("an offer");
    world.settle();
    let answer = phone_description(PHONE, "0", PCMU);
    let answer = world.gateway.answer(world.now, &call, &branch, Side::Phone, &answer).expect("an answer");
    world.gateway.confirm(world.now, &call, &branch);
    world.browsers[browser].accept(&answer);
    world.pass(Duration::from_secs(2));
    (world, browser, port_of(&offer))
}

/// Both talk this long; of the phone's packets every tenth is lost.
fn talk(world: &mut World, browser: usize, port: u16, packets: u16) {
    for index in 0..packets {
        world.browser_sends(browser, 0, 160, &[0x42; 160]);
        if index % 10 != 5 {
            world.phone_sends(PHONE, port, &rtp(0, index, 160 * u32::from(index), 7, &[0x55; 160]));
        }
        world.pass(Duration::from_millis(20));
    }
}

fn now(world: &World) -> CallReport {
    world.gateway.figures(world.now, &call("call")).expect("a call")
}

/// The cause of a call that is ended now.
fn cause_at_the_end(world: &mut World) -> Option<MediaCause> {
    world.gateway.end(world.now, &call("call"));
    world.settle();
    let report = world.events.iter().find_map(|event| match event {
        Event::Ended { report, .. } => Some(report),
        _ => None,
    });
    report.expect("a report").cause
}

#[test]
fn the_figures_of_a_call_are_there_while_it_goes_on() {
    let (mut world, browser, port) = joined();
    talk(&mut world, browser, port, 100);
    let first = now(&world);
    assert_eq!((first.codec, first.cause), (Some("PCMU"), None));
    assert_eq!(first.browser.pair, Some((address(GATEWAY), address(BROWSER))));
    assert_eq!(first.browser.dtls, DtlsState::Connected);
    assert_eq!(first.browser.received.traffic.packets, 100);
    assert!(first.phone.sent.packets >= 100, "the silence of ours before the first word included");
    assert_eq!((first.phone.received.traffic.packets, first.phone.received.lost), (90, 10));
    assert_eq!(first.phone.source, Some(address(PHONE)));
    talk(&mut world, browser, port, 100);
    assert!(now(&world).browser.received.traffic.packets > first.browser.received.traffic.packets);
    assert!(now(&world).duration > first.duration);
}

#[test]
fn the_last_rtcp_of_a_phone_is_noted() {
    let (mut world, browser, port) = joined();
    talk(&mut world, browser, port, 10);
    assert_eq!(now(&world).phone.rtcp_heard, None);
    let control = address(PHONE).port() + 1;
    let from = format!("{}:{control}", address(PHONE).ip());
    // An empty receiver report (RFC 3550 §6.4.2).
    world.phone_sends(&from, port + 1, &[0x80, 201, 0, 1, 0, 0, 0, 7]);
    assert_eq!(now(&world).phone.rtcp_heard, Some(world.now));
    world.phone_sends("192.0.2.99:7001", port + 1, &[0x80, 201, 0, 1, 0, 0, 0, 8]);
    let heard = now(&world).phone.rtcp_heard;
    world.pass(Duration::from_secs(1));
    world.phone_sends("192.0.2.99:7001", port + 1, &[0x80, 201, 0, 1, 0, 0, 0, 8]);
    assert_eq!(now(&world).phone.rtcp_heard, heard, "a stranger's is not the phone's");
}

#[test]
fn nobody_is_accused_of_a_short_call() {
    let (mut world, _, _) = joined();
    assert_eq!(cause_at_the_end(&mut world), None);
}

#[test]
fn a_path_that_broke_comes_before_sound_that_is_missing() {
    let (mut world, browser, _) = joined();
    world.browsers.remove(browser);
    world.pass(Duration::from_secs(40));
    assert_eq!(cause_at_the_end(&mut world), Some(MediaCause::IceLost));
}

#[test]
fn silence_on_both_sides_is_a_cause_of_its_own() {
    let (mut world, _, _) = joined();
    world.pass(Duration::from_secs(3));
    assert_eq!(now(&world).cause, Some(MediaCause::NoneAtAll), "already while it goes on");
    assert_eq!(cause_at_the_end(&mut world), Some(MediaCause::NoneAtAll));
}

#[test]
fn a_call_that_nobody_knows_has_no_figures() {
    let (world, _, _) = joined();
    assert_eq!(world.gateway.figures(world.now, &call("another")), None);
}

#[test]
fn every_cause_says_what_to_do() {
    for cause in [
        MediaCause::IceNothingArrived,
        MediaCause::IceLost,
        MediaCause::DtlsFailed,
        MediaCause::DtlsFingerprint,
        MediaCause::NoneFromBrowser,
        MediaCause::NoneFromPhone,
        MediaCause::NoneAtAll,
        MediaCause::PhoneElsewhere,
        MediaCause::PhoneKeys,
        MediaCause::NoDigits,
    ] {
        let sentence = cause.to_string();
        assert!(sentence.contains(": "), "what happened, a colon, and what to do: {sentence}");
        assert!(!sentence.contains(['"', '\\', '\n']), "it travels in quotes: {sentence}");
    }
}
