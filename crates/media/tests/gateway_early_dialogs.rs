//! Several dialogs behind one branch, for a proxy beyond us forks: each answers the first offer by itself, whatever was
//! offered in another meanwhile.

use crate::peers::{BROWSER, World, branch, call, phone_description, port_of, rtp};
use media::{Party, Side};
use std::time::Duration;

const FIRST: &str = "203.0.113.5:7000";
const SECOND: &str = "203.0.113.6:8000";
const BOTH: &str = "a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=sendrecv\r\n";
const PCMA: &str = "a=rtpmap:8 PCMA/8000\r\na=sendrecv\r\n";

fn version(description: &[u8]) -> u64 {
    let text = std::str::from_utf8(description).expect("text");
    let origin = text.lines().find(|line| line.starts_with("o=")).expect("an origin");
    origin.split(' ').nth(2).and_then(|version| version.parse().ok()).expect("a version")
}

/// What follows is of the dialog with this tag.
fn in_dialog(world: &mut World, tag: &str) {
    world.gateway.enter_dialog(world.now, &call("call"), &branch("branch"), tag.as_bytes());
}

fn answer(world: &mut World, tag: &str, from: Side, description: &[u8]) -> Vec<u8> {
    in_dialog(world, tag);
    let now = world.now;
    world.gateway.answer(now, &call("call"), &branch("branch"), from, description).expect("an answer")
}

/// A browser has called; the first phone has answered early, and has changed the codec by UPDATE. Gives our port toward
/// phones, and what the browser was told last.
fn updated() -> (World, u16, Vec<u8>) {
    let mut world = World::new();
    let browser = world.browser(BROWSER, false);
    let offer = world.browsers[browser].offer();
    let (now, call, branch) = (world.now, call("call"), branch("branch"));
    let offer = world.gateway.offer(now, &call, &branch, Side::Browser, &offer).expect("an offer");
    let early = answer(&mut world, "first", Side::Phone, &phone_description(FIRST, "0 8", BOTH));
    world.browsers[browser].accept(&early);
    world.pass(Duration::from_secs(2));
    let update = phone_description(FIRST, "8", PCMA);
    let update = world.gateway.offer(now, &call, &branch, Side::Phone, &update).expect("an offer");
    let taken = world.browsers[browser].answer(&update);
    answer(&mut world, "first", Side::Browser, &taken);
    (world, port_of(&offer), update)
}

/// Who is heard of these two, when both speak.
fn heard(world: &mut World, port: u16, codec: u8) -> Vec<Vec<u8>> {
    world.browsers[0].heard.clear();
    let sequence =
        u16::try_from(world.now.saturating_since(sip::Instant::from_secs(crate::peers::START)).as_millis());
    let sequence = sequence.expect("a short test");
    for (from, source, sound) in [(FIRST, 1, b"first".as_slice()), (SECOND, 2, b"second")] {
        world.phone_sends(from, port, &rtp(codec, sequence, 160 * u32::from(sequence), source, sound));
        world.pass(Duration::from_millis(200));
    }
    world.browsers[0].heard.iter().map(|heard| heard.payload.clone()).collect()
}

#[test]
fn the_200_of_another_dialog_answers_the_first_offer_and_its_phone_is_heard() {
    let (mut world, port, told) = updated();
    let answer = answer(&mut world, "second", Side::Phone, &phone_description(SECOND, "0", BOTH));
    assert!(version(&answer) > version(&told), "never the same version for something else");
    world.gateway.confirm(world.now, &call("call"), &branch("branch"));
    assert_eq!(heard(&mut world, port, 0), [b"second".to_vec()]);
    world.browser_sends(0, 0, 160, b"to the second");
    assert_eq!(world.phone_heard(SECOND).last().expect("sound").payload, b"to the second");
}

#[test]
fn the_first_dialog_may_win_with_what_its_update_changed_though_another_was_heard_of_since() {
    let (mut world, port, _) = updated();
    answer(&mut world, "second", Side::Phone, &phone_description(SECOND, "0", BOTH));
    // Its 200 has no description: all was agreed.
    in_dialog(&mut world, "first");
    world.gateway.confirm(world.now, &call("call"), &branch("branch"));
    assert_eq!(heard(&mut world, port, 8), [b"first".to_vec()]);
    world.browser_sends(0, 8, 160, b"to the first");
    assert_eq!(world.phone_heard(FIRST).last().expect("sound").payload_type, 8);
}

#[test]
fn between_two_phones_it_is_the_same() {
    const CALLER: &str = "198.51.100.20:5000";
    for second_wins in [true, false] {
        let mut world = World::new();
        let (now, call, branch) = (world.now, call("call"), branch("branch"));
        let gateway = &mut world.gateway;
        let offer = phone_description(CALLER, "0 8", BOTH);
        let offer = gateway.anchor_offer(now, &call, &branch, Party::Caller, &offer, None).expect("an offer");
        gateway.enter_dialog(now, &call, &branch, b"first");
        let early = phone_description(FIRST, "0 8", BOTH);
        let early = gateway.anchor_answer(now, &call, &branch, Party::Callee, &early).expect("an answer");
        let update = phone_description(FIRST, "8", PCMA);
        gateway.anchor_offer(now, &call, &branch, Party::Callee, &update, None).expect("an offer");
        let taken = phone_description(CALLER, "8", PCMA);
        gateway.anchor_answer(now, &call, &branch, Party::Caller, &taken).expect("an answer");
        gateway.enter_dialog(now, &call, &branch, b"second");
        let second = phone_description(SECOND, "0", BOTH);
        gateway.anchor_answer(now, &call, &branch, Party::Callee, &second).expect("an answer");
        if !second_wins {
            gateway.enter_dialog(now, &call, &branch, b"first");
        }
        gateway.confirm(now, &call, &branch);
        world.settle();
        let (near, far) = (port_of(&early), port_of(&offer));
        world.phone_sends(CALLER, near, &rtp(8, 1, 0, 7, b"caller"));
        let winner = if second_wins { SECOND } else { FIRST };
        assert_eq!(world.phone_heard(winner).len(), 1, "{winner}");
        world.phone_sends(winner, far, &rtp(8, 1, 0, 7, b"callee"));
        assert_eq!(world.phone_heard(CALLER).len(), 1);
    }
}
