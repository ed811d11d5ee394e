//! The browser that a phone reached is not the one that answers in the end, or is gone by then.

use crate::peers::{BROWSER, PHONE, World, branch, call, phone_description, port_of, rtp};
use media::{Event, MediaCause, Side};
use std::time::Duration;

const PCMU: &str = "a=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n";

#[test]
fn another_browser_behind_the_same_branch_that_answers_after_early_media_is_reached_as_it_was_told() {
    let mut world = World::new();
    world.browser("198.51.100.8:50000", false);
    world.browser(BROWSER, false);
    let (now, call, branch) = (world.now, call("call"), branch("branch"));
    let offer = phone_description(PHONE, "0", PCMU);
    let offer = world.gateway.offer(now, &call, &branch, Side::Phone, &offer).expect("an offer");
    // A proxy beyond us asks both; what they say comes back on the one branch.
    let mut port = 0;
    for browser in 0..2 {
        let answer = world.browsers[browser].answer(&offer);
        let answer = world.gateway.answer(now, &call, &branch, Side::Browser, &answer).expect("an answer");
        port = port_of(&answer);
    }
    world.gateway.confirm(now, &call, &branch);
    world.pass(Duration::from_secs(2));
    assert!(world.browsers[1].connected);
    world.phone_sends(PHONE, port, &rtp(0, 1, 0, 7, b"hello"));
    world.pass(Duration::from_millis(50));
    assert_eq!(world.browsers[1].heard.len(), 1);
}

#[test]
fn a_browser_that_was_lost_during_early_media_is_told_again_when_the_call_is_answered() {
    let mut world = World::new();
    let browser = world.browser(BROWSER, false);
    let offer = world.browsers[browser].offer();
    let (now, call, branch) = (world.now, call("call"), branch("branch"));
    world.gateway.offer(now, &call, &branch, Side::Browser, &offer).expect("an offer");
    let answer = phone_description(PHONE, "0", PCMU);
    let early = world.gateway.answer(now, &call, &branch, Side::Phone, &answer).expect("an answer");
    world.browsers[browser].accept(&early);
    world.pass(Duration::from_secs(2));
    assert!(world.browsers[browser].connected);
    world.browsers[browser].udp_blocked = true;
    world.pass(Duration::from_secs(60));
    let lost = |world: &World| {
        let lost = |event: &&Event| matches!(event, Event::Failed { cause: MediaCause::IceLost, .. });
        world.events.iter().filter(lost).count()
    };
    assert_eq!(lost(&world), 1, "which ends nothing that was not answered");
    world.gateway.confirm(world.now, &call, &branch);
    world.settle();
    assert_eq!(lost(&world), 2);
}
