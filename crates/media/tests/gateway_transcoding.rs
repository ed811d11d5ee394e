//! A browser that has Opus alone and a phone that has G.711 alone hear each other all the same.

use crate::peers::{BROWSER, PHONE, World, branch, call, phone_description, port_of, rtp};
use media::{Cause, Codec, Conversation, Side};
use rusty_opus::{Application, OpusDecoder, OpusEncoder};
use std::time::Duration;

/// The offer as a browser writes it whose page took G.711 out.
fn without_g711(offer: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(offer.to_vec()).expect("text");
    let kept = text
        .split("\r\n")
        .filter(|line| !line.starts_with("a=rtpmap:0 ") && !line.starts_with("a=rtpmap:8 "));
    let line = |line: &str| match line.strip_prefix("m=audio ") {
        Some(rest) => {
            let formats =
                rest.split(' ').enumerate().filter(|(place, word)| *place < 2 || !["0", "8"].contains(word));
            format!("m=audio {}", formats.map(|(_, word)| word).collect::<Vec<_>>().join(" "))
        }
        None => line.to_owned(),
    };
    kept.map(line).collect::<Vec<_>>().join("\r\n").into_bytes()
}

/// The browser's payload type of Opus.
fn opus_of(offer: &[u8]) -> u8 {
    let text = String::from_utf8(offer.to_vec()).expect("text");
    let line = text.lines().find(|line| line.contains("opus/48000")).expect("Opus").to_owned();
    line["a=rtpmap:".len()..].split(' ').next().and_then(|number| number.parse().ok()).expect("a number")
}

/// The browser has called and the phone has answered with this format.
fn joined(format: &str) -> (World, usize, u16, u8) {
    let mut world = World::new();
    let browser = world.browser(BROWSER, true);
    let offer = without_g711(&world.browsers[browser].offer());
    let (call, branch) = (call("call"), branch("branch"));
    let toward_phone = world
        .gateway
        .offer(world.now, &call, &branch, Side::Browser, &offer)
        .expect("an offer for the phone");
    let answer = phone_description(PHONE, format, "a=sendrecv\r\n");
    let toward_browser = world
        .gateway
        .answer(world.now, &call, &branch, Side::Phone, &answer)
        .expect("an answer for the browser");
    world.gateway.confirm(world.now, &call, &branch);
    world.browsers[browser].accept(&toward_browser);
    world.pass(Duration::from_secs(2));
    (world, browser, port_of(&toward_phone), opus_of(&offer))
}

/// One second of a tone from the browser; returns what the phone heard.
fn browser_talks(world: &mut World, browser: usize, payload_type: u8) -> Vec<crate::peers::Heard> {
    let mut encoder = OpusEncoder::new(48_000, 1, Application::Voip).expect("an encoder");
    world.phone_heard(PHONE);
    for frame in 0..50 {
        let sample = |index: usize| ((frame * 960 + index) as f32 * 0.0576).sin() * 0.4;
        let sound: Vec<f32> = (0..960).map(sample).collect();
        let mut octets = [0; 1276];
        let length = encoder.encode(&sound, 960, &mut octets).expect("a frame");
        world.browser_sends(browser, payload_type, 960, &octets[..length]);
        world.pass(Duration::from_millis(20));
    }
    world.phone_heard(PHONE)
}

#[test]
fn the_phone_hears_the_opus_of_the_browser_as_its_own_codec() {
    for (format, payload_type) in [("0", 0), ("8", 8)] {
        let (mut world, browser, _, opus) = joined(format);
        let heard = browser_talks(&mut world, browser, opus);
        assert_eq!(heard.len(), 50);
        assert!(
            heard.iter().all(|packet| packet.payload_type == payload_type && packet.payload.len() == 160)
        );
        for pair in heard.windows(2) {
            assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
            assert_eq!(pair[1].timestamp.wrapping_sub(pair[0].timestamp), 160, "eight ticks a millisecond");
        }
        let last = &heard[49].payload;
        let levels: std::collections::BTreeSet<&u8> = last.iter().collect();
        assert!(levels.len() > 10, "a tone, not silence");
    }
}

#[test]
fn the_browser_hears_the_g711_of_the_phone_as_opus() {
    let (mut world, browser, port, opus) = joined("0");
    for index in 0..50u16 {
        let sample = |at: u32| if (at + 160 * u32::from(index)) % 18 < 9 { 0x90 } else { 0x10 };
        let payload: Vec<u8> = (0..160).map(sample).collect();
        world.phone_sends(PHONE, port, &rtp(0, index, 160 * u32::from(index), 77, &payload));
        world.pass(Duration::from_millis(20));
    }
    let heard = &world.browsers[browser].heard;
    assert_eq!(heard.len(), 50);
    assert!(heard.iter().all(|packet| packet.payload_type == opus));
    for pair in heard.windows(2) {
        assert_eq!(pair[1].timestamp.wrapping_sub(pair[0].timestamp), 960, "48 ticks a millisecond");
    }
    let mut decoder = OpusDecoder::new(8000, 1).expect("a decoder");
    let mut loudest: f32 = 0.0;
    for packet in heard {
        let mut sound = [0.0; 960];
        let length = decoder.decode(&packet.payload, 960, &mut sound).expect("Opus");
        assert_eq!(length, 160);
        loudest = sound[..length].iter().fold(loudest, |loudest, sample| loudest.max(sample.abs()));
    }
    assert!(loudest > 0.1, "a tone, not silence: {loudest}");
}

#[test]
fn a_phone_without_opus_that_calls_a_browser_without_g711_is_answered_in_its_codec() {
    let mut world = World::new();
    let browser = world.browser(BROWSER, true);
    let (call, branch) = (call("call"), branch("branch"));
    let offer = phone_description(PHONE, "8 0", "a=sendrecv\r\n");
    let toward_browser = world
        .gateway
        .offer(world.now, &call, &branch, Side::Phone, &offer)
        .expect("an offer for the browser");
    let answer = without_g711(&world.browsers[browser].answer(&toward_browser));
    let toward_phone = world
        .gateway
        .answer(world.now, &call, &branch, Side::Browser, &answer)
        .expect("an answer for the phone");
    let text = String::from_utf8(toward_phone).expect("text");
    assert!(text.contains(" RTP/AVP 8\r\n"), "{text}");
}

#[test]
fn nothing_is_transcoded_where_a_codec_is_common() {
    let mut world = World::new();
    let browser = world.browser(BROWSER, true);
    let (call, branch) = (call("call"), branch("branch"));
    let offer = phone_description(PHONE, "0", "a=sendrecv\r\n");
    let toward_browser = world
        .gateway
        .offer(world.now, &call, &branch, Side::Phone, &offer)
        .expect("an offer for the browser");
    let answer = world.browsers[browser].answer(&toward_browser);
    world.browsers[browser].mid = None;
    let toward_phone = world
        .gateway
        .answer(world.now, &call, &branch, Side::Browser, &answer)
        .expect("an answer for the phone");
    world.gateway.confirm(world.now, &call, &branch);
    world.pass(Duration::from_secs(2));
    for index in 0..5u16 {
        world.phone_sends(
            PHONE,
            port_of(&toward_phone),
            &rtp(0, index, 160 * u32::from(index), 77, &[0x42; 160]),
        );
        world.pass(Duration::from_millis(20));
    }
    let heard = &world.browsers[browser].heard;
    assert_eq!(heard.len(), 5);
    assert!(heard.iter().all(|packet| packet.payload_type == 0 && packet.payload == [0x42; 160]));
}

#[test]
fn a_gateway_that_may_not_transcode_refuses_with_both_lists() {
    let mut world = World::new();
    let browser = world.browser(BROWSER, true);
    let offer = without_g711(&world.browsers[browser].offer());
    let mut conversation = plain_conversation();
    conversation.offer_from_browser(&offer).expect("Opus is relayed to phones that have it");
    let refused = conversation.answer_from_phone(&phone_description(PHONE, "0", "a=sendrecv\r\n"));
    let Err(Cause::SdpNoCommonCodec { browser, phone }) = refused else { panic!("{refused:?}") };
    assert!(browser.contains(&Codec::Opus.name().to_owned()), "{browser:?}");
    assert_eq!(phone, ["PCMU"]);
}

/// The offer/answer state as a gateway has it that may not transcode.
fn plain_conversation() -> Conversation {
    let browser = media::BrowserTransport {
        ufrag: "gate".to_owned(),
        password: "passwordpasswordpassword".to_owned(),
        fingerprint: format!("sha-256 {}", ["AB"; 32].join(":")),
        candidates: vec![media::Candidate::udp(crate::peers::address(crate::peers::GATEWAY))],
    };
    let audio = media::PhoneTransport {
        address: crate::peers::address(crate::peers::GATEWAY).ip(),
        rtp_port: 30_000,
        security: media::PhoneSecurity::Plain,
    };
    Conversation::new(browser, media::PhoneTransports { audio, video: None }, &mut sip::SeededEntropy::new(1))
}
