//! Keys that a page tells by INFO: the phone hears them as telephone events, in the middle of its sound.

use crate::peers::{BROWSER, PHONE, World, branch, call, phone_description, rtp};
use media::{Digit, Event, Side};
use std::time::Duration;

const EVENTS: &str = "a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";
const SOUND: [u8; 160] = [0x7f; 160];

/// A browser that called a phone, which answered with these formats.
fn joined(formats: &str, attributes: &str) -> World {
    let mut world = World::new();
    let browser = world.browser(BROWSER, false);
    let offer = world.browsers[browser].offer();
    let (now, call, branch) = (world.now, call("call"), branch("branch"));
    let offer = world.gateway.offer(now, &call, &branch, Side::Browser, &offer).expect("an offer");
    let text = String::from_utf8(offer).expect("text");
    // An answer repeats the numbers of its offer.
    let line = text.lines().find(|line| line.contains("telephone-event/8000")).expect("events");
    let number = line.trim_start_matches("a=rtpmap:").split(' ').next().expect("a number");
    let (formats, attributes) = (formats.replace("101", number), attributes.replace("101", number));
    let answer = phone_description(PHONE, &formats, &attributes);
    let answer = world.gateway.answer(now, &call, &branch, Side::Phone, &answer).expect("an answer");
    world.gateway.confirm(now, &call, &branch);
    world.browsers[browser].accept(&answer);
    world.pass(Duration::from_secs(2));
    assert!(world.browsers[browser].connected);
    world.phone_heard(PHONE);
    world
}

fn press(world: &mut World, key: u8) -> bool {
    let digit = Digit::of(key).expect("a key");
    let now = world.now;
    world.gateway.press(now, &call("call"), &branch("within the dialog"), digit, Duration::from_millis(100))
}

fn talk(world: &mut World, packets: usize) {
    for _ in 0..packets {
        world.browser_sends(0, 0, 160, &SOUND);
        world.pass(Duration::from_millis(20));
    }
}

#[test]
fn a_key_interrupts_the_sound_and_the_sound_goes_on_where_the_clock_is() {
    let mut world = joined("0 101", EVENTS);
    talk(&mut world, 5);
    assert!(press(&mut world, b'7'));
    talk(&mut world, 20);
    let heard = world.phone_heard(PHONE);
    let is_event = |payload: &[u8]| payload.len() == 4;
    let first = heard.iter().position(|packet| is_event(&packet.payload)).expect("events");
    let last = heard.iter().rposition(|packet| is_event(&packet.payload)).expect("events");
    assert_eq!(last - first, 6, "five to grow, two more to end, and nothing between them");
    assert!(heard[first..=last].iter().all(|packet| packet.payload[0] == 7));
    assert_eq!(heard[last].payload[1] & 0x80, 0x80);
    for pair in heard.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
    }
    let gap = heard[last + 1].timestamp.wrapping_sub(heard[first].timestamp);
    assert!((6 * 160..=9 * 160).contains(&gap), "{gap} ticks from the key to the sound after it");
}

#[test]
fn a_phone_without_events_hears_no_key() {
    let mut world = joined("0", "a=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n");
    assert!(!press(&mut world, b'7'));
}

#[test]
fn a_phone_that_holds_hears_no_key() {
    let mut world = joined("0 101", &EVENTS.replace("sendrecv", "sendonly"));
    assert!(!press(&mut world, b'7'));
}

/// The phone presses a key: six packets of it, the last of which ends it and comes three times.
fn phone_presses(world: &mut World, code: u8, timestamp: u32) {
    let port = *world.open.iter().min().expect("a port");
    for step in 1..=8_u16 {
        let (over, duration) = if step >= 6 { (0x80, 960) } else { (0, 160 * step) };
        let [high, low] = u16::to_be_bytes(duration);
        let sequence = u16::try_from(timestamp / 160).expect("a short call") + step;
        world.phone_sends(PHONE, port, &rtp(126, sequence, timestamp, 7, &[code, over | 10, high, low]));
        world.pass(Duration::from_millis(20));
    }
}

fn told(world: &World) -> Vec<(u8, u128)> {
    let told = world.events.iter().filter_map(|event| match event {
        Event::Digit { digit, duration, .. } => Some((digit.letter(), duration.as_millis())),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_key_that_the_phone_presses_is_told_once_and_heard_by_the_browser() {
    let mut world = joined("0 101", EVENTS);
    phone_presses(&mut world, 7, 1600);
    phone_presses(&mut world, 11, 4800);
    assert_eq!(told(&world), [(b'7', 120), (b'#', 120)]);
    assert!(world.browsers[0].heard.iter().any(|heard| heard.payload == [7, 0x8a, 3, 192]));
}

#[test]
fn a_key_that_is_pressed_while_the_browser_must_not_hear_is_not_told() {
    let mut world = joined("0 101", &EVENTS.replace("sendrecv", "recvonly"));
    phone_presses(&mut world, 7, 1600);
    assert_eq!(told(&world), []);
}
