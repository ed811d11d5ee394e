//! A phone whose packets are protected by SRTP, with the keys in its descriptions (RFC 4568).

use crate::peers::{BROWSER, Heard, PHONE, World, address, branch, call, phone_description, port_of, rtp};
use media::{Event, KnownPhone, MediaCause, PhoneKeying, SdesSuite, Side};
use srtp::{OVERHEAD, Receiver, Sender};
use std::time::Duration;

const SUITES: [(SdesSuite, &str); 4] = [
    (SdesSuite::AesCm128HmacSha1_80, "AES_CM_128_HMAC_SHA1_80"),
    (SdesSuite::AesCm128HmacSha1_32, "AES_CM_128_HMAC_SHA1_32"),
    (SdesSuite::AeadAes128Gcm, "AEAD_AES_128_GCM"),
    (SdesSuite::AeadAes256Gcm, "AEAD_AES_256_GCM"),
];

/// The keys of a phone: its own and the one that it was given.
struct Phone {
    sender: Sender,
    receiver: Receiver,
}

fn suite(name: &str) -> SdesSuite {
    SUITES.iter().find(|(_, known)| *known == name).expect("a suite").0
}

fn encode(octets: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: String = octets.iter().map(|octet| format!("{octet:08b}")).collect();
    let bits = format!("{bits:0<width$}", width = bits.len().div_ceil(6) * 6);
    let letters = bits.as_bytes().chunks(6).map(|sextet| {
        let sextet = usize::from_str_radix(std::str::from_utf8(sextet).expect("bits"), 2).expect("bits");
        char::from(ALPHABET[sextet])
    });
    letters.collect()
}

fn decode(text: &str) -> Vec<u8> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: String = text
        .trim_end_matches('=')
        .chars()
        .map(|letter| format!("{:06b}", ALPHABET.find(letter).expect("a letter")))
        .collect();
    bits.as_bytes()
        .chunks_exact(8)
        .map(|octet| u8::from_str_radix(std::str::from_utf8(octet).expect("bits"), 2).expect("bits"))
        .collect()
}

/// A description of a phone with a key made of this octet.
fn keyed(protocol: &str, tag: u32, name: &str, octet: u8) -> Vec<u8> {
    let key = encode(&vec![octet; suite(name).master_length()]);
    let attributes = format!("a=rtpmap:0 PCMU/8000\r\na=crypto:{tag} {name} inline:{key}\r\na=sendrecv\r\n");
    let text = String::from_utf8(phone_description(PHONE, "0", &attributes)).expect("text");
    text.replace("RTP/AVP", protocol).into_bytes()
}

/// The tag, suite and key of each `a=crypto` line.
fn crypto(description: &[u8]) -> Vec<(u32, String, Vec<u8>)> {
    let text = std::str::from_utf8(description).expect("text");
    let lines = text.lines().filter_map(|line| line.strip_prefix("a=crypto:"));
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split(' ').collect();
            let key = decode(fields[2].strip_prefix("inline:").expect("a key"));
            (fields[0].parse().expect("a tag"), fields[1].to_owned(), key)
        })
        .collect()
}

fn protocol(description: &[u8]) -> String {
    let text = std::str::from_utf8(description).expect("text");
    let line = text.lines().find(|line| line.starts_with("m=audio")).expect("a section");
    line.split(' ').nth(2).expect("a protocol").to_owned()
}

fn all() -> Vec<SdesSuite> {
    SUITES.map(|(suite, _)| suite).to_vec()
}

impl Phone {
    fn new(name: &str, octet: u8, given: &[u8]) -> Self {
        let own = vec![octet; suite(name).master_length()];
        Self {
            sender: Sender::new(suite(name), &own).expect("a key"),
            receiver: Receiver::new(suite(name), given).expect("a key"),
        }
    }

    fn sends(&mut self, world: &mut World, port: u16, packet: &[u8]) {
        self.sends_from(PHONE, world, port, packet);
    }

    fn sends_from(&mut self, from: &str, world: &mut World, port: u16, packet: &[u8]) {
        let mut buffer = packet.to_vec();
        buffer.resize(packet.len() + OVERHEAD, 0);
        let length = self.sender.protect(&mut buffer, packet.len()).expect("a packet");
        world.phone_sends(from, port, &buffer[..length]);
    }

    /// What was sent to the phone's RTP port.
    fn heard(&mut self, world: &mut World) -> Vec<Heard> {
        let to = address(PHONE);
        let (mine, others) = std::mem::take(&mut world.sent).into_iter().partition(|sent| sent.to == to);
        world.sent = others;
        let mine: Vec<crate::peers::Sent> = mine;
        mine.into_iter()
            .map(|mut sent| {
                let length = self.receiver.unprotect(&mut sent.bytes).expect("an authentic packet");
                Heard::parse(&sent.bytes[..length])
            })
            .collect()
    }
}

/// A browser has called a phone that answers with this suite of those offered.
fn called(name: &str) -> (World, Phone, u16) {
    called_as("RTP/SAVP", PhoneKeying::Demanded(all()), name)
}

/// The same where we offer SRTP in this way, and so under this profile.
fn called_as(profile: &str, keying: PhoneKeying, name: &str) -> (World, Phone, u16) {
    let mut world = World::new();
    let browser = world.browser(BROWSER, false);
    let offer = world.browsers[browser].offer();
    let (now, call, branch) = (world.now, call("call"), branch("branch"));
    let offer = world
        .gateway
        .offer_knowing(now, &call, &branch, Side::Browser, &offer, &keying.into())
        .expect("an offer");
    assert_eq!(protocol(&offer), profile);
    let (tag, _, ours) = crypto(&offer).into_iter().find(|(_, offered, _)| offered == name).expect("a line");
    let answer = keyed(profile, tag, name, 1);
    let answer = world.gateway.answer(now, &call, &branch, Side::Phone, &answer).expect("an answer");
    world.gateway.confirm(now, &call, &branch);
    world.browsers[browser].accept(&answer);
    world.pass(Duration::from_secs(2));
    assert!(world.browsers[browser].connected);
    let phone = Phone::new(name, 1, &ours);
    world.sent.clear();
    (world, phone, port_of(&offer))
}

fn sounds(world: &mut World, phone: &mut Phone, port: u16, first: u16) {
    world.browsers[0].heard.clear();
    phone.heard(world);
    for step in 0..5u16 {
        let packet = rtp(0, first + step, 160 * u32::from(first + step), 7, &[step as u8; 160]);
        phone.sends(world, port, &packet);
        world.browser_sends(0, 0, 160, &[0x40; 160]);
        world.pass(Duration::from_millis(20));
    }
    assert_eq!(world.browsers[0].heard.len(), 5, "the browser hears the phone");
    assert!(world.browsers[0].heard.iter().all(|heard| heard.payload.len() == 160));
    let heard = phone.heard(world);
    assert_eq!(
        heard.iter().filter(|heard| heard.payload == [0x40; 160]).count(),
        5,
        "the phone hears the browser"
    );
}

#[test]
fn a_phone_with_any_suite_is_heard_and_hears() {
    for (_, name) in SUITES {
        let (mut world, mut phone, port) = called(name);
        sounds(&mut world, &mut phone, port, 1);
    }
}

#[test]
fn a_phone_that_offers_keys_is_answered_with_keys_in_its_own_profile() {
    for profile in ["RTP/SAVP", "RTP/AVP"] {
        let mut world = World::new();
        let browser = world.browser(BROWSER, false);
        let (now, keying) = (world.now, PhoneKeying::Accepted(all()));
        let (call, branch) = (call("call"), branch("branch"));
        let offer = keyed(profile, 3, "AES_CM_128_HMAC_SHA1_32", 1);
        let offer = world
            .gateway
            .offer_knowing(now, &call, &branch, Side::Phone, &offer, &keying.into())
            .expect("an offer");
        assert!(crypto(&offer).is_empty(), "no key reaches the browser");
        let answer = world.browsers[browser].answer(&offer);
        let answer = world.gateway.answer(now, &call, &branch, Side::Browser, &answer).expect("an answer");
        world.gateway.confirm(now, &call, &branch);
        world.pass(Duration::from_secs(2));
        assert_eq!(protocol(&answer), profile);
        let lines = crypto(&answer);
        assert_eq!((lines.len(), lines[0].0, lines[0].1.as_str()), (1, 3, "AES_CM_128_HMAC_SHA1_32"));
        let mut phone = Phone::new("AES_CM_128_HMAC_SHA1_32", 1, &lines[0].2);
        sounds(&mut world, &mut phone, port_of(&answer), 1);
    }
}

#[test]
fn keys_that_were_readable_on_their_way_are_refused_where_demanded_and_ignored_where_not() {
    let mut world = World::new();
    let browser = world.browser(BROWSER, false);
    let now = world.now;
    let demanded = keyed("RTP/SAVP", 1, "AES_CM_128_HMAC_SHA1_80", 1);
    let refused = world.gateway.offer(now, &call("one"), &branch("one"), Side::Phone, &demanded);
    assert_eq!(refused.expect_err("a refusal").code(), "SDP-KEYS-IN-CLEAR");
    let invited = keyed("RTP/AVP", 1, "AES_CM_128_HMAC_SHA1_80", 1);
    let (call, branch) = (call("two"), branch("two"));
    let offer = world.gateway.offer(now, &call, &branch, Side::Phone, &invited).expect("an offer");
    let answer = world.browsers[browser].answer(&offer);
    let answer = world.gateway.answer(now, &call, &branch, Side::Browser, &answer).expect("an answer");
    assert!(crypto(&answer).is_empty() && protocol(&answer) == "RTP/AVP");
}

#[test]
fn no_two_streams_have_the_same_key() {
    let mut world = World::new();
    let browser = world.browser(BROWSER, false);
    let offer = world.browsers[browser].offer();
    let (now, phone) = (world.now, KnownPhone::from(PhoneKeying::Invited(all())));
    let mut keys: Vec<Vec<u8>> = Vec::new();
    for name in ["one", "two"] {
        let offer =
            world.gateway.offer_knowing(now, &call("call"), &branch(name), Side::Browser, &offer, &phone);
        let offer = offer.expect("an offer");
        assert_eq!(protocol(&offer), "RTP/AVP");
        keys.extend(crypto(&offer).into_iter().map(|(_, _, key)| key[..16].to_vec()));
    }
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!((keys.len(), count), (8, 8));
}

#[test]
fn packets_before_the_keys_and_packets_under_other_keys_are_dropped_and_counted() {
    let mut world = World::new();
    let browser = world.browser(BROWSER, false);
    let offer = world.browsers[browser].offer();
    let (now, keying) = (world.now, PhoneKeying::Demanded(all()));
    let (call, branch) = (call("call"), branch("branch"));
    let offer = world
        .gateway
        .offer_knowing(now, &call, &branch, Side::Browser, &offer, &keying.into())
        .expect("an offer");
    let (tag, name, ours) = crypto(&offer).remove(0);
    let mut phone = Phone::new(&name, 1, &ours);
    for sequence in 0..3 {
        phone.sends(&mut world, port_of(&offer), &rtp(0, sequence, 0, 7, &[1; 160]));
    }
    let answer = keyed("RTP/SAVP", tag, &name, 1);
    let answer = world.gateway.answer(now, &call, &branch, Side::Phone, &answer).expect("an answer");
    world.gateway.confirm(now, &call, &branch);
    world.browsers[browser].accept(&answer);
    world.pass(Duration::from_secs(2));
    let mut other = Phone::new(&name, 9, &ours);
    for sequence in 0..2 {
        other.sends(&mut world, port_of(&offer), &rtp(0, sequence, 0, 7, &[1; 160]));
    }
    world.phone_sends(PHONE, port_of(&offer), &rtp(0, 9, 0, 7, &[1; 160]));
    world.pass(Duration::from_secs(3));
    assert!(world.browsers[browser].heard.is_empty());
    let now = world.now;
    world.gateway.end(now, &call);
    world.settle();
    let report = world.events.iter().find_map(|event| match event {
        Event::Ended { report, .. } => Some(report),
        _ => None,
    });
    let report = report.expect("a report");
    assert!(report.phone.secured);
    assert_eq!((report.phone.early, report.phone.not_authentic, report.phone.dropped), (3, 3, 6));
    assert_eq!(report.cause, Some(MediaCause::PhoneKeys));
}

#[test]
fn a_phone_whose_nat_gives_it_another_port_is_followed_if_its_packets_are_authentic() {
    let (mut world, mut phone, port) = called("AES_CM_128_HMAC_SHA1_80");
    sounds(&mut world, &mut phone, port, 1);
    world.pass(Duration::from_millis(500));
    let elsewhere = "203.0.113.5:50000";
    world.phone_sends(elsewhere, port, &rtp(0, 30, 4800, 7, b"in clear, of the right source"));
    // Whoever has the keys may begin another source.
    phone.sends_from(elsewhere, &mut world, port, &rtp(0, 900, 0, 8, b"moved"));
    world.pass(Duration::from_millis(100));
    let heard: Vec<_> = world.browsers[0].heard.iter().map(|packet| packet.payload.clone()).collect();
    assert_eq!(heard.last(), Some(&b"moved".to_vec()));
    world.sent.clear();
    world.browser_sends(0, 0, 160, &[0x40; 160]);
    assert!(world.sent.iter().any(|sent| sent.to == address(elsewhere)));
}

#[test]
fn a_packet_sent_again_is_heard_once() {
    let (mut world, mut phone, port) = called("AES_CM_128_HMAC_SHA1_80");
    let mut buffer = rtp(0, 1, 0, 7, &[1; 160]);
    let length = buffer.len();
    buffer.resize(length + OVERHEAD, 0);
    let length = phone.sender.protect(&mut buffer, length).expect("a packet");
    for _ in 0..3 {
        world.phone_sends(PHONE, port, &buffer[..length]);
        world.pass(Duration::from_millis(20));
    }
    assert_eq!(world.browsers[0].heard.len(), 1);
}

/// The phone offers this in the dialog; the answer that it gets.
fn offers(world: &mut World, offer: &[u8]) -> Vec<u8> {
    let now = world.now;
    let (call, branch) = (call("call"), branch("within the dialog"));
    let offer = world.gateway.offer(now, &call, &branch, Side::Phone, offer).expect("an offer");
    let answer = world.browsers[0].answer(&offer);
    world.gateway.answer(now, &call, &branch, Side::Browser, &answer).expect("an answer")
}

#[test]
fn a_hold_keeps_the_keys_and_their_counters() {
    let (mut world, mut phone, port) = called("AES_CM_128_HMAC_SHA1_80");
    sounds(&mut world, &mut phone, port, 1);
    let same = String::from_utf8(keyed("RTP/SAVP", 1, "AES_CM_128_HMAC_SHA1_80", 1)).expect("text");
    let mut lines = Vec::new();
    for direction in ["sendonly", "sendrecv"] {
        lines.push(crypto(&offers(&mut world, same.replace("sendrecv", direction).as_bytes())));
        world.pass(Duration::from_millis(20));
    }
    assert_eq!(lines[0], lines[1]);
    // The phone's receiver has not begun anew, and still takes what comes.
    sounds(&mut world, &mut phone, port, 10);
}

/// The phone offers its second key in the dialog; the suite and the key that it is answered with.
fn changes_key(world: &mut World) -> (String, Vec<u8>) {
    let (_, name, ours) =
        crypto(&offers(world, &keyed("RTP/SAVP", 1, "AES_CM_128_HMAC_SHA1_80", 2))).remove(0);
    (name, ours)
}

#[test]
fn a_phone_that_changes_its_key_is_given_a_new_one_too() {
    let (mut world, mut phone, port) = called("AES_CM_128_HMAC_SHA1_80");
    sounds(&mut world, &mut phone, port, 1);
    let (name, ours) = changes_key(&mut world);
    // Under the old key until it has the answer.
    world.browsers[0].heard.clear();
    phone.sends(&mut world, port, &rtp(0, 6, 960, 7, &[6; 160]));
    world.pass(Duration::from_millis(20));
    assert_eq!(world.browsers[0].heard.len(), 1);
    // What was on its way to it is under the old one.
    world.sent.clear();
    let mut phone = Phone::new(&name, 2, &ours);
    sounds(&mut world, &mut phone, port, 7);
}

#[test]
fn a_phone_that_is_given_a_new_key_hears_a_new_source_from_its_first_turn_on() {
    let (mut world, mut phone, port) = called("AES_CM_128_HMAC_SHA1_80");
    world.browser_sends(0, 0, 160, &[0x40; 160]);
    let before = phone.heard(&mut world).pop().expect("sound");
    let (name, ours) = changes_key(&mut world);
    world.sent.clear();
    let mut phone = Phone::new(&name, 2, &ours);
    world.browser_sends(0, 0, 160, &[0x40; 160]);
    world.browser_sends(0, 0, 160, &[0x40; 160]);
    let after = phone.heard(&mut world);
    // Whether a source that goes on keeps its rollover counter, phones disagree.
    assert_ne!(after[0].ssrc, before.ssrc);
    assert_eq!(after[1].ssrc, after[0].ssrc);
    assert!(after[0].sequence < 0x8000, "RFC 4568 §6.4: {}", after[0].sequence);
    sounds(&mut world, &mut phone, port, 7);
}

/// The phone leaves SRTP by what `clears` does and takes it up again, once with another key of its own and once with the
/// same: it is given another key of ours each time, under another source.
fn takes_srtp_up_again(profile: &str, keying: PhoneKeying, clears: impl Fn(&mut World, &[u8])) {
    const SUITE: &str = "AES_CM_128_HMAC_SHA1_80";
    for octet in [2, 1] {
        let (mut world, mut phone, port) = called_as(profile, keying.clone(), SUITE);
        sounds(&mut world, &mut phone, port, 1);
        let (_, _, first) = crypto(&offers(&mut world, &keyed(profile, 1, SUITE, 1))).remove(0);
        world.browser_sends(0, 0, 160, &[0x40; 160]);
        let before = phone.heard(&mut world).pop().expect("sound");
        clears(&mut world, &phone_description(PHONE, "0", "a=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n"));
        world.browser_sends(0, 0, 160, &[0x40; 160]);
        assert_eq!(world.phone_heard(PHONE).len(), 1, "in clear");
        let (_, name, ours) = crypto(&offers(&mut world, &keyed(profile, 1, SUITE, octet))).remove(0);
        assert_ne!(ours, first, "a key stream is used once");
        let mut phone = Phone::new(&name, octet, &ours);
        world.browser_sends(0, 0, 160, &[0x40; 160]);
        let after = phone.heard(&mut world).pop().expect("sound");
        assert_ne!(after.ssrc, before.ssrc);
        assert!(after.sequence < 0x8000, "RFC 4568 §6.4: {}", after.sequence);
        sounds(&mut world, &mut phone, port, 10);
    }
}

#[test]
fn a_phone_that_offered_clear_and_offers_srtp_again_is_given_a_new_key_and_hears_a_new_source() {
    takes_srtp_up_again("RTP/SAVP", PhoneKeying::Demanded(all()), |world, clear| {
        let answer = offers(world, clear);
        assert!(protocol(&answer) == "RTP/AVP" && crypto(&answer).is_empty());
    });
}

#[test]
fn a_phone_that_answered_in_clear_and_offers_srtp_again_is_given_a_new_key_and_hears_a_new_source() {
    takes_srtp_up_again("RTP/AVP", PhoneKeying::Invited(all()), |world, clear| {
        let (now, call, branch) = (world.now, call("call"), branch("within the dialog"));
        let offer = world.browsers[0].offer_again();
        let offer = world.gateway.offer(now, &call, &branch, Side::Browser, &offer).expect("an offer");
        assert_eq!(crypto(&offer).len(), 1, "it is invited once more");
        world.gateway.answer(now, &call, &branch, Side::Phone, clear).expect("an answer");
    });
}

#[test]
fn reports_and_the_goodbye_are_protected() {
    let (mut world, mut phone, port) = called("AES_CM_128_HMAC_SHA1_32");
    sounds(&mut world, &mut phone, port, 1);
    let control = {
        let mut control = address(PHONE);
        control.set_port(control.port() + 1);
        control
    };
    world.pass(Duration::from_secs(6));
    let now = world.now;
    world.gateway.end(now, &call("call"));
    world.settle();
    let reports: Vec<Vec<u8>> = world
        .sent
        .iter()
        .filter(|sent| sent.to == control)
        .map(|sent| {
            let mut bytes = sent.bytes.clone();
            let length = phone.receiver.unprotect_control(&mut bytes).expect("an authentic report");
            bytes.truncate(length);
            bytes
        })
        .collect();
    assert!(reports.len() >= 2, "a report and a goodbye");
    assert!(reports.iter().all(|report| (200..=201).contains(&report[1])), "{reports:?}");
}
