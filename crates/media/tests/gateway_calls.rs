//! Many calls, long calls: what was taken is given back.

use crate::peers::{PHONE, World, branch, call, phone_description, port_of, rtp};
use media::{Output, Side};
use sip::{Entropy, SeededEntropy};
use std::time::Duration;

const PCMU: &str = "a=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n";

#[test]
fn ten_thousand_short_calls_leave_nothing() {
    let mut world = World::with_ports(30_000..=30_019);
    let mut entropy = SeededEntropy::new(9);
    let mut connected = 0;
    for number in 0..10_000u16 {
        let at = format!("198.51.100.7:{}", 10_000 + number);
        // The last browser is gone, and so is everything it might still send.
        world.browsers.clear();
        world.astray.clear();
        let browser = world.browser(&at, false);
        let key = call(&number.to_string());
        let offer = world.browsers[browser].offer();
        let now = world.now;
        let offer = world.gateway.offer(now, &key, &branch("a"), Side::Browser, &offer).expect("an offer");
        let port = port_of(&offer);
        if entropy.number().is_multiple_of(3) {
            let forked = world.browsers[browser].offer_again();
            world.gateway.offer(now, &key, &branch("b"), Side::Browser, &forked).expect("an offer");
        }
        world.settle();
        match entropy.number() % 10 {
            0 => world.gateway.end(now, &key),
            1 => {
                world.gateway.end_branch(now, &key, &branch("a"));
                world.gateway.end_branch(now, &key, &branch("b"));
            }
            fate => {
                let answer = phone_description(PHONE, "0", PCMU);
                let answer =
                    world.gateway.answer(now, &key, &branch("a"), Side::Phone, &answer).expect("an answer");
                world.gateway.confirm(now, &key, &branch("a"));
                // Most hang up before anything stands; one of eighty talks a little.
                if fate == 2 && number.is_multiple_of(10) {
                    world.browsers[browser].accept(&answer);
                    world.pass(Duration::from_millis(700));
                    world.phone_sends(PHONE, port, &rtp(0, 1, 0, 7, b"hello"));
                    world.browser_sends(browser, 0, 160, b"hello");
                    connected += usize::from(world.browsers[browser].connected);
                }
                world.gateway.end(world.now, &key);
            }
        }
        world.settle();
        assert!(world.gateway.is_idle(), "call {number}");
        assert!(world.open.is_empty(), "call {number}: {:?}", world.open);
        world.sent.clear();
        world.events.clear();
    }
    assert!(connected > 50, "{connected} calls came to talk");
    assert!(matches!(world.gateway.poll(), Output::Timeout(sip::Instant::NEVER)), "nothing is due any more");
}

#[test]
fn a_gateway_with_hundreds_of_calls_wakes_only_who_is_due() {
    let mut world = World::with_ports(30_000..=31_999);
    let browser = world.browser(crate::peers::BROWSER, false);
    let offer = world.browsers[browser].offer();
    for number in 0..500 {
        let (now, key) = (world.now, call(&number.to_string()));
        world.gateway.offer(now, &key, &branch("a"), Side::Browser, &offer).expect("an offer");
    }
    world.settle();
    assert_eq!(world.gateway.calls(), 500);
    assert!(
        matches!(world.gateway.poll(), Output::Timeout(sip::Instant::NEVER)),
        "calls that ring cost no timer"
    );
    for number in 0..500 {
        world.gateway.end(world.now, &call(&number.to_string()));
    }
    world.settle();
    assert!(world.gateway.is_idle());
}
