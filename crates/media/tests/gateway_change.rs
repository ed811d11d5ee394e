//! What changes within a call: hold, another codec, another network, and requests that come to nothing.

use crate::peers::{BROWSER, PHONE, World, address, branch, call, phone_description, port_of, rtp};
use media::{Event, Side};
use std::time::Duration;
use str0m::net::Protocol;
use str0m::{Candidate, Input};

const PCMU: &str = "a=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n";
const OPUS: &str = "a=rtpmap:96 opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";

fn joined(opus: bool) -> (World, u16) {
    joined_with(opus, "0", PCMU)
}

fn joined_with(opus: bool, formats: &str, attributes: &str) -> (World, u16) {
    let mut world = World::new();
    let browser = world.browser(BROWSER, opus);
    let offer = world.browsers[browser].offer();
    let now = world.now;
    let offer =
        world.gateway.offer(now, &call("call"), &branch("branch"), Side::Browser, &offer).expect("an offer");
    let answer = if opus {
        // The numbers of the offer, as an answer must repeat them.
        let text = String::from_utf8(offer.clone()).expect("text");
        let number = |codec: &str| -> String {
            let line = text
                .lines()
                .find(|line| line.to_lowercase().contains(codec))
                .unwrap_or_else(|| panic!("{text}"));
            line.trim_start_matches("a=rtpmap:").split(' ').next().expect("a number").to_owned()
        };
        let (codec, event) = (number("opus/48000"), number("telephone-event/8000"));
        let attributes = OPUS.replace("96", &codec).replace("101", &event);
        phone_description(PHONE, &format!("{codec} {event}"), &attributes)
    } else {
        phone_description(PHONE, formats, attributes)
    };
    let answer =
        world.gateway.answer(now, &call("call"), &branch("branch"), Side::Phone, &answer).expect("an answer");
    world.gateway.confirm(now, &call("call"), &branch("branch"));
    world.browsers[browser].accept(&answer);
    world.pass(Duration::from_secs(2));
    assert!(world.browsers[browser].connected);
    world.phone_heard(PHONE);
    (world, port_of(&offer))
}

/// The phone offers anew, the browser answers.
fn phone_reoffers(world: &mut World, description: &[u8]) -> Vec<u8> {
    let now = world.now;
    let (call, branch) = (call("call"), branch("within the dialog"));
    let offer = world.gateway.offer(now, &call, &branch, Side::Phone, description).expect("an offer");
    let answer = world.browsers[0].answer(&offer);
    let answer = world.gateway.answer(now, &call, &branch, Side::Browser, &answer).expect("an answer");
    world.settle();
    answer
}

#[test]
fn opus_passes_untouched_between_different_numbers() {
    let (mut world, port) = joined(true);
    let sound = [0xfc, 1, 2, 3, 4];
    for _ in 0..10 {
        world.browser_sends(0, 111, 960, &sound);
        world.pass(Duration::from_millis(20));
    }
    let heard = world.phone_heard(PHONE);
    assert_eq!(heard.len(), 10);
    assert!(heard.iter().all(|packet| packet.payload == sound));
    assert_eq!(heard[1].timestamp.wrapping_sub(heard[0].timestamp), 960);
    let number = heard[0].payload_type;
    for sequence in 0..10u16 {
        world.phone_sends(PHONE, port, &rtp(number, sequence, 960 * u32::from(sequence), 7, &sound));
        world.pass(Duration::from_millis(20));
    }
    let heard = &world.browsers[0].heard;
    assert_eq!(heard.len(), 10);
    assert!(heard.iter().all(|packet| packet.payload_type == 111 && packet.payload == sound));
}

#[test]
fn while_the_phone_holds_it_gets_nothing_and_afterwards_the_stream_goes_on() {
    let (mut world, _) = joined(false);
    world.browser_sends(0, 0, 160, b"before");
    let held =
        phone_reoffers(&mut world, &phone_description(PHONE, "0", "a=rtpmap:0 PCMU/8000\r\na=inactive\r\n"));
    assert!(String::from_utf8(held).expect("text").contains("a=inactive"));
    world.pass(Duration::from_secs(30));
    world.browser_sends(0, 0, 160, b"unheard");
    let heard = world.phone_heard(PHONE);
    assert_eq!(heard.len(), 1, "{heard:?}");
    phone_reoffers(&mut world, &phone_description(PHONE, "0", PCMU));
    world.browser_sends(0, 0, 160, b"after");
    let after = world.phone_heard(PHONE);
    assert_eq!(after.len(), 1);
    assert_eq!(after[0].sequence, heard[0].sequence.wrapping_add(1));
    assert_eq!(after[0].ssrc, heard[0].ssrc);
}

#[test]
fn a_transfer_to_a_phone_with_another_codec_is_one_stream_for_the_browser() {
    let both = "a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=sendrecv\r\n";
    let (mut world, port) = joined_with(false, "0 8", both);
    world.phone_sends(PHONE, port, &rtp(0, 1, 0, 7, b"mu"));
    let other = "203.0.113.50:9000";
    phone_reoffers(&mut world, &phone_description(other, "8", "a=rtpmap:8 PCMA/8000\r\na=sendrecv\r\n"));
    world.pass(Duration::from_millis(500));
    world.phone_sends(other, port, &rtp(8, 60_000, 5, 8, b"a"));
    world.pass(Duration::from_millis(100));
    let heard = &world.browsers[0].heard;
    assert_eq!(heard.len(), 2);
    assert_eq!((heard[0].payload_type, heard[1].payload_type), (0, 8));
    assert_eq!(heard[1].sequence, heard[0].sequence.wrapping_add(1));
    assert_eq!(heard[1].ssrc, heard[0].ssrc);
    assert!(heard[1].marker);
    world.browser_sends(0, 8, 160, b"a");
    assert_eq!(world.phone_heard(other)[0].payload_type, 8);
}

#[test]
fn a_browser_that_changes_its_network_and_restarts_ice_is_followed_at_once() {
    let (mut world, port) = joined(false);
    world.phone_sends(PHONE, port, &rtp(0, 1, 0, 7, b"before"));
    world.pass(Duration::from_millis(50));
    let moved = address("198.51.100.99:51000");
    world.browsers[0].address = moved;
    let old = Candidate::host(address(BROWSER), Protocol::Udp).expect("an address");
    world.browsers[0].rtc.direct_api().invalidate_candidate(&old);
    let offer = world.browsers[0].restart();
    let new = Candidate::host(moved, Protocol::Udp).expect("an address");
    world.browsers[0].rtc.add_local_candidate(new).expect("a candidate");
    let now = world.now;
    let toward_phone =
        world.gateway.offer(now, &call("call"), &branch("re"), Side::Browser, &offer).expect("an offer");
    assert_eq!(port_of(&toward_phone), port, "the phone's side stays as it was");
    let answer = phone_description(PHONE, "0", PCMU);
    let answer =
        world.gateway.answer(now, &call("call"), &branch("re"), Side::Phone, &answer).expect("an answer");
    world.browsers[0].accept(&answer);
    world.pass(Duration::from_secs(2));
    for sequence in 2..12 {
        world.phone_sends(PHONE, port, &rtp(0, sequence, 160 * u32::from(sequence), 7, b"after"));
        world.pass(Duration::from_millis(20));
    }
    let heard = world.browsers[0].heard.iter().filter(|packet| packet.payload == b"after").count();
    assert_eq!(heard, 10, "astray: {}", world.astray.len());
    world.phone_heard(PHONE);
    world.browser_sends(0, 0, 160, b"from elsewhere");
    assert_eq!(world.phone_heard(PHONE).len(), 1);
    let again = world.events.iter().filter(|event| matches!(event, Event::BrowserConnected { .. })).count();
    assert_eq!(again, 1, "the DTLS association lives on");
}

#[test]
fn a_restart_that_is_refused_leaves_the_call_as_it_was() {
    let (mut world, port) = joined(false);
    let offer = world.browsers[0].restart();
    let now = world.now;
    world.gateway.offer(now, &call("call"), &branch("re"), Side::Browser, &offer).expect("an offer");
    world.gateway.withdraw(&call("call"), &branch("re"));
    world.phone_sends(PHONE, port, &rtp(0, 1, 0, 7, b"phone"));
    world.pass(Duration::from_millis(50));
    assert_eq!(world.browsers[0].heard.len(), 1);
    let again = phone_reoffers(&mut world, &phone_description(PHONE, "0", PCMU));
    assert_eq!(port_of(&again), port);
}

#[test]
fn an_answer_without_an_offer_and_a_second_offer_are_refused_as_such() {
    let (mut world, _) = joined(false);
    let now = world.now;
    let description = phone_description(PHONE, "0", PCMU);
    let stray = world.gateway.answer(now, &call("other"), &branch("branch"), Side::Phone, &description);
    assert_eq!(stray, Err(media::Cause::SdpUnexpectedAnswer));
    assert_eq!(world.gateway.calls(), 1, "and make no call");
    world.gateway.offer(now, &call("call"), &branch("re"), Side::Phone, &description).expect("an offer");
    let offer = world.browsers[0].offered.clone();
    let glare = world.gateway.offer(now, &call("call"), &branch("re"), Side::Browser, &offer);
    assert_eq!(glare.map_err(|cause| cause.status()), Err(491));
}

#[test]
fn a_bad_first_offer_makes_no_call() {
    let mut world = World::new();
    let now = world.now;
    for (from, description) in
        [(Side::Browser, &b"nonsense"[..]), (Side::Phone, b""), (Side::Phone, b"v=0\r\n")]
    {
        assert!(world.gateway.offer(now, &call("call"), &branch("branch"), from, description).is_err());
        world.settle();
        assert!(world.gateway.is_idle() && world.open.is_empty());
    }
}

#[test]
fn a_quiet_call_wakes_the_gateway_a_few_times_a_second_at_most() {
    let (mut world, port) = joined(false);
    let until = world.now + Duration::from_secs(20);
    let mut woken = 0;
    let mut next_sound = world.now;
    while world.now < until {
        world.settle();
        let media::Output::Timeout(at) = world.gateway.poll() else { panic!("settled") };
        world.now = at.min(next_sound);
        if world.now >= next_sound {
            next_sound += Duration::from_millis(20);
            world.phone_sends(PHONE, port, &rtp(0, 1, 0, 7, b"sound"));
        }
        if at <= world.now {
            woken += 1;
            world.gateway.timeout(world.now);
        }
        let at = world.at();
        let _ = world.browsers[0].rtc.handle_input(Input::Timeout(at));
    }
    assert!(woken < 200, "{woken} times in twenty seconds");
}

#[test]
fn every_family_has_its_candidate_and_its_socket() {
    let start = Duration::ZERO;
    let config = media::GatewayConfig {
        transcoding: true,
        browser_addresses: vec![address("0.0.0.0:40000"), address("[::]:40000")],
        browser_transports: vec![media::IceTransport::Udp],
        advertised: vec![
            address("192.0.2.1:40000"),
            address("[2001:db8::1]:40000"),
            address("192.0.2.2:40000"),
        ],
        phone_addresses: crate::peers::phone_addresses(),
        ports: 30_000..=30_001,
        epoch: crate::peers::epoch(start),
    };
    let entropy = || Box::new(sip::SeededEntropy::new(1));
    let mut gateway = media::Gateway::new(&config, entropy()).expect("a gateway");
    let offer = phone_description(PHONE, "0", PCMU);
    let now = sip::Instant::from_secs(crate::peers::START);
    let offer = gateway.offer(now, &call("call"), &branch("branch"), Side::Phone, &offer).expect("an offer");
    let offer = String::from_utf8(offer).expect("text");
    for candidate in ["192.0.2.1 40000", "2001:db8::1 40000", "192.0.2.2 40000"] {
        assert!(offer.contains(candidate), "{candidate} in {offer}");
    }
    let bad = media::GatewayConfig { advertised: vec![address("192.0.2.1:5060")], ..config.clone() };
    assert_eq!(media::Gateway::new(&bad, entropy()).err(), Some(media::StartError::BadPort(5060)));
    let bad = media::GatewayConfig { advertised: vec![address("0.0.0.0:40000")], ..config };
    assert_eq!(media::Gateway::new(&bad, entropy()).err(), Some(media::StartError::UnspecifiedAddress));
}
