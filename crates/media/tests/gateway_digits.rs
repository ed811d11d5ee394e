//! Keys that a page tells by INFO: the phone hears them as telephone events, in the middle of its sound.

mod peers;

use media::{Digit, Side};
use peers::{BROWSER, PHONE, World, branch, call, phone_description};
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
