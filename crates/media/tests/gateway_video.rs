//! A browser and a phone see each other: a second stream beside the sound, and requests for whole pictures.

use crate::peers::{BROWSER, Heard, PHONE, World, address, branch, call, rtp};
use media::{Event, PhoneKeying, SdesSuite, Side};
use std::time::Duration;
use str0m::media::KeyframeRequestKind;

const SOUND: &str = "m=audio 7000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";
const PICTURES_AT: &str = "203.0.113.5:7002";
const PLI: &str = "a=rtcp-fb:* nack pli\r\n";

/// A phone of sound and of these further sections.
fn phone(sections: &str) -> Vec<u8> {
    format!(
        "v=0\r\no=phone 1 1 IN IP4 203.0.113.5\r\ns=-\r\nc=IN IP4 203.0.113.5\r\nt=0 0\r\n{SOUND}{sections}"
    )
    .into_bytes()
}

fn vp8(attributes: &str) -> String {
    format!("m=video 7002 RTP/AVP 99\r\na=rtpmap:99 VP8/90000\r\n{attributes}")
}

/// The ports of a description's sections.
fn ports(description: &[u8]) -> Vec<u16> {
    let text = std::str::from_utf8(description).expect("text");
    let lines = text.lines().filter(|line| line.starts_with("m="));
    lines.map(|line| line.split(' ').nth(1).expect("a port").parse().expect("a number")).collect()
}

/// The browser calls with sound and pictures; the phone answers with these sections beside its sound. Returns the
/// world and the gateway's port for pictures.
fn joined(sections: &str) -> (World, u16) {
    let mut world = World::new();
    world.film(BROWSER);
    let offer = world.browsers[0].offer();
    let key = (call("call"), branch("branch"));
    let toward_phone =
        world.gateway.offer(world.now, &key.0, &key.1, Side::Browser, &offer).expect("an offer");
    let port = ports(&toward_phone)[1];
    world.settle();
    let answer = world.gateway.answer(world.now, &key.0, &key.1, Side::Phone, &phone(sections));
    let answer = answer.expect("an answer");
    world.gateway.confirm(world.now, &key.0, &key.1);
    world.browsers[0].accept(&answer);
    world.pass(Duration::from_secs(2));
    assert!(world.browsers[0].connected, "ICE and DTLS stand");
    (world, port)
}

/// The browser calls with sound and pictures, and a phone with pictures answers early; then one without does. Returns the
/// world and the first answer.
fn forked() -> (World, Vec<u8>) {
    let mut world = World::new();
    world.film(BROWSER);
    let offer = world.browsers[0].offer();
    for name in ["first", "second"] {
        let offer = world.gateway.offer(world.now, &call("call"), &branch(name), Side::Browser, &offer);
        offer.expect("an offer");
    }
    let answer = answered(&mut world, "first", &vp8(PLI));
    answered(&mut world, "second", "");
    (world, answer)
}

/// A phone answers with these sections beside its sound.
fn answered(world: &mut World, name: &str, sections: &str) -> Vec<u8> {
    let answer = world.gateway.answer(world.now, &call("call"), &branch(name), Side::Phone, &phone(sections));
    answer.expect("an answer")
}

/// The browser shows this many frames of two packets each, 33 ms apart.
fn browser_shows(world: &mut World, frames: u32) {
    for _ in 0..frames {
        for (ticks, marker) in [(3000, false), (0, true)] {
            let at = world.at();
            world.browsers[0].show(at, ticks, marker, &[0x10, 0x42]);
            world.settle();
        }
        world.pass(Duration::from_millis(33));
    }
}

/// The phone shows a packet.
fn phone_shows(world: &mut World, port: u16, sequence: u16, ssrc: u32) {
    let mut bytes = rtp(99, sequence, 3000 * u32::from(sequence), ssrc, &[0x10, 0x55]);
    bytes[1] |= 0x80;
    world.phone_sends(PICTURES_AT, port, &bytes);
}

/// What the browser heard under the payload type of its pictures.
fn seen(world: &World) -> Vec<Heard> {
    let pictures = world.browsers[0].pictures;
    world.browsers[0].heard.iter().filter(|heard| heard.payload_type == pictures).cloned().collect()
}

/// How often the browser was asked for a whole picture.
fn asked(world: &World) -> usize {
    world.browsers[0].asked.len()
}

fn report(world: &mut World) -> media::CallReport {
    world.gateway.end(world.now, &call("call"));
    world.settle();
    let report = world.events.iter().find_map(|event| match event {
        Event::Ended { report, .. } => Some(report.as_ref().clone()),
        _ => None,
    });
    report.expect("a report")
}

/// The RTCP packets of this kind and format that were sent to the phone's pictures.
fn feedback(world: &World, kind: u8) -> Vec<u8> {
    let to = address("203.0.113.5:7003");
    let compounds = world.sent.iter().filter(|sent| sent.to == to);
    let mut found = Vec::new();
    for sent in compounds {
        let mut rest = sent.bytes.as_slice();
        while let [first, packet, high, low, ..] = *rest {
            if packet == kind {
                found.push(first & 0x1f);
            }
            rest = &rest[4 * (1 + usize::from(u16::from_be_bytes([high, low])))..];
        }
    }
    found
}

#[test]
fn pictures_have_ports_of_their_own_and_arrive_as_they_were_sent() {
    let (mut world, port) = joined(&vp8(""));
    assert_eq!(world.open.len(), 4, "two pairs: {:?}", world.open);
    world.phone_heard(PICTURES_AT);
    browser_shows(&mut world, 10);
    let heard = world.phone_heard(PICTURES_AT);
    assert_eq!(heard.len(), 20);
    assert!(heard.iter().all(|packet| packet.payload_type == 99 && packet.payload == [0x10, 0x42]));
    let markers: Vec<bool> = heard.iter().map(|packet| packet.marker).collect();
    assert_eq!(markers[..4], [false, true, false, true], "the marker ends a frame and nothing else");
    assert!(heard.windows(2).all(|pair| pair[1].sequence == pair[0].sequence.wrapping_add(1)));
    assert_eq!(heard[0].timestamp, heard[1].timestamp, "one frame");

    for sequence in 1..=5 {
        phone_shows(&mut world, port, sequence, 7);
    }
    let seen = seen(&world);
    assert_eq!(seen.len(), 5);
    assert!(seen.iter().all(|packet| packet.payload == [0x10, 0x55] && packet.marker && packet.ssrc != 7));
    assert_eq!(seen[4].timestamp.wrapping_sub(seen[0].timestamp), 4 * 3000);
}

#[test]
fn a_phone_without_feedback_is_shown_a_whole_picture_at_the_start_and_after_each_loss() {
    let (mut world, port) = joined(&vp8(""));
    browser_shows(&mut world, 60);
    let at_start = asked(&world);
    assert_eq!(at_start, 2, "at once, and when the phone has had time to be ready");
    let ours = world.phone_heard(PICTURES_AT)[0].ssrc;
    let mut lost = 0u32;
    for _ in 0..3 {
        lost += 4;
        let mut told = vec![0x81, 201, 0, 7, 0, 0, 0, 9];
        told.extend_from_slice(&ours.to_be_bytes());
        told.extend_from_slice(&lost.to_be_bytes());
        told.extend_from_slice(&[0; 16]);
        world.phone_sends("203.0.113.5:7003", port + 1, &told);
        browser_shows(&mut world, 60);
    }
    assert_eq!(asked(&world) - at_start, 3);
    assert!(world.browsers[0].asked.iter().all(|kind| *kind == KeyframeRequestKind::Pli));
    assert_eq!(
        report(&mut world).video.expect("pictures").asked_of_browser,
        u64::try_from(at_start + 3).unwrap()
    );
}

#[test]
fn a_phone_that_asks_gets_its_pictures_but_not_more_than_one_a_second() {
    let (mut world, port) = joined(&vp8("a=rtcp-fb:99 nack pli\r\n"));
    browser_shows(&mut world, 60);
    let before = asked(&world);
    let ours = world.phone_heard(PICTURES_AT)[0].ssrc;
    let mut loss = vec![0x81, 206, 0, 2, 0, 0, 0, 9];
    loss.extend_from_slice(&ours.to_be_bytes());
    for _ in 0..90 {
        world.phone_sends("203.0.113.5:7003", port + 1, &loss);
        browser_shows(&mut world, 1);
    }
    let asked = asked(&world) - before;
    assert!((2..=4).contains(&asked), "three seconds of requests: {asked}");
}

#[test]
fn the_winner_of_a_fork_is_shown_whole_pictures_though_another_branch_wanted_none() {
    let (mut world, _) = forked();
    let answer = answered(&mut world, "first", &vp8(PLI));
    world.gateway.confirm(world.now, &call("call"), &branch("first"));
    world.browsers[0].accept(&answer);
    world.pass(Duration::from_secs(2));
    browser_shows(&mut world, 60);
    assert!(asked(&world) > 0);
}

#[test]
fn a_packet_that_was_missed_before_the_answer_is_asked_for_though_another_branch_wants_no_pictures() {
    let (mut world, answer) = forked();
    world.browsers[0].accept(&answer);
    world.pass(Duration::from_secs(2));
    browser_shows(&mut world, 3);
    world.phone_heard(PICTURES_AT);
    world.drop_next_of_browser = 1;
    browser_shows(&mut world, 20);
    assert_eq!(world.phone_heard(PICTURES_AT).len(), 40, "all of them");
}

#[test]
fn a_phone_may_ask_in_the_dialog() {
    let (mut world, _) = joined(&vp8(""));
    browser_shows(&mut world, 90);
    let before = asked(&world);
    world.gateway.picture_wanted(world.now, &call("call"));
    world.pass(Duration::from_millis(100));
    assert_eq!(asked(&world), before + 1);
}

#[test]
fn a_strangers_request_is_not_heard() {
    let (mut world, port) = joined(&vp8(""));
    browser_shows(&mut world, 60);
    let before = asked(&world);
    let ours = world.phone_heard(PICTURES_AT)[0].ssrc;
    let mut loss = vec![0x81, 206, 0, 2, 0, 0, 0, 9];
    loss.extend_from_slice(&ours.to_be_bytes());
    world.phone_sends("198.51.100.99:7003", port + 1, &loss);
    phone_shows(&mut world, port, 1, 7);
    world.phone_sends("198.51.100.99:7002", port, &rtp(99, 2, 1, 8, b"stranger"));
    browser_shows(&mut world, 30);
    assert_eq!(asked(&world), before);
    assert_eq!(seen(&world).len(), 1);
}

#[test]
fn a_browser_that_lost_the_picture_reaches_the_phone_that_understands() {
    for (attribute, format) in [(PLI, 1), ("a=rtcp-fb:99 ccm fir\r\n", 4)] {
        let (mut world, port) = joined(&vp8(attribute));
        phone_shows(&mut world, port, 1, 7);
        world.pass(Duration::from_secs(2));
        world.sent.clear();
        world.browsers[0].want_picture();
        world.pass(Duration::from_millis(500));
        assert_eq!(feedback(&world, 206), [format], "{attribute}");
        assert!(!world.events.iter().any(|event| matches!(event, Event::PictureWanted { .. })));
    }
}

#[test]
fn for_a_phone_without_feedback_the_request_is_told_to_the_server() {
    let (mut world, port) = joined(&vp8(""));
    phone_shows(&mut world, port, 1, 7);
    world.pass(Duration::from_secs(2));
    world.events.clear();
    world.browsers[0].want_picture();
    world.pass(Duration::from_millis(500));
    assert!(
        world.events.iter().any(|event| matches!(event, Event::PictureWanted { .. })),
        "{:?}",
        world.events
    );
    assert_eq!(feedback(&world, 206), [] as [u8; 0]);
}

#[test]
fn what_the_phone_can_take_is_told_to_the_browser() {
    let (mut world, _) = joined(&vp8("b=AS:300\r\n"));
    browser_shows(&mut world, 30);
    assert_eq!(world.browsers[0].limits.first(), Some(&300_000), "bits a second");
}

#[test]
fn pictures_that_the_phone_refuses_cost_no_ports_and_the_sound_lives_on() {
    let refused = "m=video 0 RTP/AVP 99\r\n";
    let (mut world, _) = joined(refused);
    assert_eq!(world.open.len(), 2, "{:?}", world.open);
    world.phone_heard(PHONE);
    world.browser_sends(0, 0, 160, &[0x42; 160]);
    assert_eq!(world.phone_heard(PHONE).len(), 1);
    assert_eq!(report(&mut world).video, None);
    assert!(world.gateway.is_idle() && world.open.is_empty());
}

#[test]
fn pictures_for_a_phone_with_keys_have_keys_of_their_own() {
    let mut world = World::new();
    world.film(BROWSER);
    let offer = world.browsers[0].offer();
    let keying = PhoneKeying::Demanded(vec![SdesSuite::AesCm128HmacSha1_80]);
    let key = (call("call"), branch("branch"));
    let offer = world.gateway.offer_knowing(world.now, &key.0, &key.1, Side::Browser, &offer, &keying.into());
    let text = String::from_utf8(offer.expect("an offer")).expect("text");
    let keys: Vec<&str> = text.lines().filter(|line| line.starts_with("a=crypto:")).collect();
    assert_eq!((keys.len(), text.matches("RTP/SAVP ").count()), (2, 2), "{text}");
    assert_ne!(keys[0], keys[1], "two streams under one key would be one keystream twice (RFC 4568 §6.4)");
    let answer = String::from_utf8(phone(&vp8(""))).expect("text").replace("RTP/AVP", "RTP/SAVP");
    let line = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n";
    let answer = answer.replace("PCMU/8000\r\n", &format!("PCMU/8000\r\n{line}"));
    let answer = answer.replace("VP8/90000\r\n", &format!("VP8/90000\r\n{line}"));
    let answer = world.gateway.answer(world.now, &key.0, &key.1, Side::Phone, answer.as_bytes());
    world.gateway.confirm(world.now, &key.0, &key.1);
    world.browsers[0].accept(&answer.expect("an answer"));
    world.pass(Duration::from_secs(2));
    world.sent.clear();
    browser_shows(&mut world, 1);
    let shown: Vec<_> = world.sent.iter().filter(|sent| sent.to == address(PICTURES_AT)).collect();
    assert_eq!(shown.len(), 2);
    assert!(shown.iter().all(|sent| sent.bytes.len() == 12 + 2 + 10), "a tag of ten octets");
    assert!(shown.iter().all(|sent| sent.bytes[12..14] != [0x10, 0x42]), "and nothing in clear");
}

#[test]
fn fax_messages_and_data_are_refused_in_their_places() {
    let mut world = World::new();
    world.film(BROWSER);
    let key = (call("call"), branch("branch"));
    let offer = phone(&format!(
        "m=image 7010 udptl t38\r\n{}m=message 7012 TCP/MSRP *\r\nm=application 7014 UDP/BFCP *\r\n",
        vp8("")
    ));
    let offer = world.gateway.offer(world.now, &key.0, &key.1, Side::Phone, &offer).expect("an offer");
    let answer = world.browsers[0].answer(&offer);
    let answer = world.gateway.answer(world.now, &key.0, &key.1, Side::Browser, &answer).expect("an answer");
    let text = String::from_utf8(answer.clone()).expect("text");
    let live: Vec<bool> = ports(&answer).iter().map(|port| *port != 0).collect();
    assert_eq!(live, [true, false, true, false, false], "{text}");
    assert!(
        text.contains("m=image 0 udptl t38\r\n") && text.contains("m=message 0 TCP/MSRP *\r\n"),
        "{text}"
    );
}

#[test]
fn pictures_come_and_go_within_a_call() {
    let (mut world, port) = joined("m=video 0 RTP/AVP 99\r\n");
    let key = (call("call"), branch("branch"));
    // The phone adds them.
    let offer =
        world.gateway.offer(world.now, &key.0, &key.1, Side::Phone, &phone(&vp8(""))).expect("an offer");
    let answer = world.browsers[0].answer(&offer);
    let answer = world.gateway.answer(world.now, &key.0, &key.1, Side::Browser, &answer).expect("an answer");
    world.settle();
    let again = ports(&answer)[1];
    assert!(again != 0 && again != port && world.open.len() == 4, "{:?}", world.open);
    world.pass(Duration::from_secs(1));
    phone_shows(&mut world, again, 1, 7);
    assert_eq!(seen(&world).len(), 1);
    browser_shows(&mut world, 30);
    assert_eq!(world.phone_heard(PICTURES_AT).len(), 60);
    // And takes them away.
    let offer = phone("m=video 0 RTP/AVP 99\r\n");
    let offer = world.gateway.offer(world.now, &key.0, &key.1, Side::Phone, &offer).expect("an offer");
    let answer = world.browsers[0].answer(&offer);
    world.gateway.answer(world.now, &key.0, &key.1, Side::Browser, &answer).expect("an answer");
    world.settle();
    assert_eq!(world.open.len(), 2, "{:?}", world.open);
    world.browser_sends(0, 0, 160, &[0x42; 160]);
    assert!(!world.phone_heard(PHONE).is_empty(), "the sound lives on");
}

#[test]
fn a_phone_on_hold_is_shown_nothing_and_then_a_whole_picture() {
    let (mut world, _) = joined(&vp8(""));
    browser_shows(&mut world, 90);
    let key = (call("call"), branch("branch"));
    let before = asked(&world);
    for (direction, shown) in [("a=sendonly\r\n", 0), ("a=sendrecv\r\n", 60)] {
        let offer = String::from_utf8(phone(&vp8(direction))).expect("text");
        let offer = offer.replace(SOUND, &format!("{SOUND}{direction}"));
        let offer = world.gateway.offer(world.now, &key.0, &key.1, Side::Phone, offer.as_bytes());
        let answer = world.browsers[0].answer(&offer.expect("an offer"));
        world.gateway.answer(world.now, &key.0, &key.1, Side::Browser, &answer).expect("an answer");
        world.settle();
        world.phone_heard(PICTURES_AT);
        browser_shows(&mut world, 30);
        assert_eq!(world.phone_heard(PICTURES_AT).len(), shown, "{direction}");
    }
    assert_eq!(asked(&world), before + 1);
}

#[test]
fn a_packet_that_the_browser_missed_is_sent_again() {
    let (mut world, port) = joined(&vp8(""));
    phone_shows(&mut world, port, 1, 7);
    world.drop_next_to_browser = 1;
    phone_shows(&mut world, port, 2, 7);
    phone_shows(&mut world, port, 3, 7);
    assert_eq!(seen(&world).len(), 2);
    for sequence in 4..20 {
        world.pass(Duration::from_millis(33));
        phone_shows(&mut world, port, sequence, 7);
    }
    assert_eq!(seen(&world).len(), 19, "all of them");
}

#[test]
fn a_packet_of_the_browser_that_was_missed_is_asked_for_again() {
    let (mut world, _) = joined(&vp8(""));
    browser_shows(&mut world, 3);
    world.phone_heard(PICTURES_AT);
    world.drop_next_of_browser = 1;
    browser_shows(&mut world, 20);
    assert_eq!(world.phone_heard(PICTURES_AT).len(), 40, "all of them");
}

#[test]
fn an_ended_call_tells_of_its_pictures_and_leaves_nothing() {
    let (mut world, port) = joined(&vp8(""));
    browser_shows(&mut world, 30);
    phone_shows(&mut world, port, 1, 7);
    let report = report(&mut world);
    let video = report.video.expect("pictures");
    assert_eq!(video.codec, Some("VP8"));
    assert_eq!(video.browser.received.traffic.packets, 60);
    assert_eq!((video.phone.sent.packets, video.phone.received.traffic.packets), (60, 1));
    assert_eq!(video.browser.sent.packets, 1);
    assert_eq!(report.browser.received.traffic.packets, 0, "sound is counted apart");
    assert!(world.gateway.is_idle() && world.open.is_empty(), "{:?}", world.open);
}

#[test]
fn a_page_that_was_loaded_anew_late_in_a_call_sees_the_phone() {
    let (mut world, port) = joined(&vp8(""));
    // More than one turn of the sequence numbers.
    for packet in 0..66_000_u32 {
        phone_shows(&mut world, port, packet as u16, 7);
    }
    let page = world.film("198.51.100.7:50002");
    let offer = world.browsers[page].offer();
    let key = (call("call"), branch("branch"));
    world.gateway.offer(world.now, &key.0, &key.1, Side::Browser, &offer).expect("an offer");
    let answer = world.gateway.answer(world.now, &key.0, &key.1, Side::Phone, &phone(&vp8("")));
    world.browsers[page].accept(&answer.expect("an answer"));
    world.pass(Duration::from_secs(2));
    assert!(world.browsers[page].connected, "ICE and DTLS stand");
    for sequence in 500..505 {
        phone_shows(&mut world, port, sequence, 7);
    }
    let pictures = world.browsers[page].pictures;
    let seen = world.browsers[page].heard.iter().filter(|heard| heard.payload_type == pictures);
    assert_eq!(seen.count(), 5);
}
