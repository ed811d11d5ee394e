//! The ports for a phone are of the family over which the phone is reached.

use crate::peers::{BROWSER, GATEWAY, World, address, branch, call, phone_description, port_of, rtp};
use media::{KnownPhone, Side};
use std::net::SocketAddr;
use std::time::Duration;

const PCMU: &str = "a=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n";
const PHONE_V6: &str = "[2001:db8::5]:7000";

/// What is known of a phone whose signalling is reached there.
fn reached_at(text: &str) -> KnownPhone {
    KnownPhone { reached_at: Some(text.parse().expect("an address")), ..KnownPhone::default() }
}

/// The connection line of a description.
fn connection(description: &[u8]) -> &str {
    let text = std::str::from_utf8(description).expect("text");
    text.lines().find_map(|line| line.strip_prefix("c=")).expect("a connection line")
}

/// The browser's offer for a phone that is reached there.
fn offer_for(world: &mut World, phone: &KnownPhone) -> Vec<u8> {
    let browser = world.browser(BROWSER, false);
    let offer = world.browsers[browser].offer();
    let (call, branch) = (call("call"), branch("branch"));
    let offer = world.gateway.offer_knowing(world.now, &call, &branch, Side::Browser, &offer, phone);
    world.settle();
    offer.expect("an offer for the phone")
}

#[test]
fn a_browser_calls_a_phone_that_is_reached_over_ipv6_and_both_hear_each_other() {
    let mut world = World::new();
    let offer = offer_for(&mut world, &reached_at("2001:db8::5"));
    let port = port_of(&offer);
    assert_eq!(connection(&offer), "IN IP6 2001:db8::1", "what is advertised, not what is bound");
    let bound = |port| SocketAddr::new("fd00::1".parse().expect("an address"), port);
    assert_eq!(world.bound, [bound(port), bound(port + 1)]);
    let answer = phone_description(PHONE_V6, "0", PCMU);
    let (call, branch) = (call("call"), branch("branch"));
    let answer = world.gateway.answer(world.now, &call, &branch, Side::Phone, &answer).expect("an answer");
    world.gateway.confirm(world.now, &call, &branch);
    world.browsers[0].accept(&answer);
    world.pass(Duration::from_secs(2));
    world.phone_sends(PHONE_V6, port, &rtp(0, 1, 160, 7, &[0x55; 160]));
    assert_eq!(world.browsers[0].heard.len(), 1);
    world.phone_heard(PHONE_V6);
    world.browser_sends(0, 0, 160, &[1; 160]);
    assert_eq!(world.phone_heard(PHONE_V6).len(), 1);
}

#[test]
fn a_phone_whose_address_is_ipv4_in_ipv6_is_reached_over_ipv4() {
    let mut world = World::new();
    let offer = offer_for(&mut world, &reached_at("::ffff:198.51.100.7"));
    assert_eq!(connection(&offer), format!("IN IP4 {}", address(GATEWAY).ip()));
}

#[test]
fn a_phone_that_describes_an_ipv4_address_in_ipv6_hears_over_ipv4() {
    let mut world = World::new();
    offer_for(&mut world, &reached_at("198.51.100.7"));
    let answer = phone_description("[::ffff:198.51.100.7]:7000", "0", PCMU);
    let (call, branch) = (call("call"), branch("branch"));
    let answer = world.gateway.answer(world.now, &call, &branch, Side::Phone, &answer).expect("an answer");
    world.gateway.confirm(world.now, &call, &branch);
    world.browsers[0].accept(&answer);
    world.pass(Duration::from_secs(2));
    world.browser_sends(0, 0, 160, &[1; 160]);
    assert!(!world.phone_heard("198.51.100.7:7000").is_empty());
}

#[test]
fn a_phone_of_which_nothing_is_known_is_offered_the_first_address() {
    let mut world = World::new();
    let offer = offer_for(&mut world, &KnownPhone::default());
    assert_eq!(connection(&offer), format!("IN IP4 {}", address(GATEWAY).ip()));
}

#[test]
fn a_phone_that_offers_is_answered_in_the_family_of_its_description_whatever_its_signalling_takes() {
    let families = [(PHONE_V6, "198.51.100.7", "IN IP6 2001:db8::1".to_owned()), {
        let told = format!("IN IP4 {}", address(GATEWAY).ip());
        ("198.51.100.7:7000", "2001:db8::5", told)
    }];
    for (described, reached, expected) in families {
        let mut world = World::new();
        let browser = world.browser(BROWSER, false);
        let offer = phone_description(described, "0", PCMU);
        let (now, call, branch, phone) = (world.now, call("call"), branch("branch"), reached_at(reached));
        let offer = world.gateway.offer_knowing(now, &call, &branch, Side::Phone, &offer, &phone);
        let answer = world.browsers[browser].answer(&offer.expect("an offer"));
        let answer = world.gateway.answer(now, &call, &branch, Side::Browser, &answer).expect("an answer");
        assert_eq!(connection(&answer), expected);
    }
}

#[test]
fn the_pictures_of_a_phone_take_the_same_family_as_its_sound() {
    let mut world = World::new();
    let browser = world.film(BROWSER);
    let offer = world.browsers[browser].offer();
    let (now, call, branch, phone) = (world.now, call("call"), branch("branch"), reached_at("2001:db8::5"));
    world.gateway.offer_knowing(now, &call, &branch, Side::Browser, &offer, &phone).expect("an offer");
    world.settle();
    assert_eq!(world.bound.len(), 4, "a pair for each stream");
    assert!(world.bound.iter().all(SocketAddr::is_ipv6), "{:?}", world.bound);
}
