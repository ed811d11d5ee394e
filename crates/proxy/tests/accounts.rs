//! What one account may spend, whoever has its password.

mod support;

use std::time::Duration;

use proxy::Config;
use support::*;

fn with_elsewhere(config: Config) -> House {
    let mut house = house(config);
    house.any_host = true;
    house
}

/// RELIABILITY A13: whoever has a password has it for little.
#[test]
fn a_stolen_account_begins_so_many_calls_to_elsewhere_in_a_minute() {
    let mut config = config();
    config.limits.calls_elsewhere = 3;
    let mut house = with_elsewhere(config);
    let (bob, thief, alice) = (page("bob", 1), page("bob", 2), page("alice", 3));
    for page in [&bob, &thief, &alice] {
        house.register(page);
    }
    let mut number = 0;
    let mut calls = |house: &mut House, page: &Phone, uri: &str| {
        number += 1;
        house.receive(&page.flow, &page.invite(uri, &format!("call-{number}")));
        house.take(&page.flow).iter().any(|answer| answer.status() == Some(403))
    };
    let costly = "sip:+8812345@elsewhere.example";
    let refused: Vec<bool> = (0..4).map(|call| calls(&mut house, [&bob, &thief][call % 2], costly)).collect();
    assert_eq!(refused, [false, false, false, true], "from wherever it calls");
    assert!(!calls(&mut house, &thief, "sip:alice@example.com"), "calls to users cost nothing");
    assert!(!calls(&mut house, &alice, costly), "of another account");
    house.wait(Duration::from_secs(20));
    assert!(!calls(&mut house, &bob, costly), "a third of a minute later there is one more");
}

/// A tag is quickly written. Only the Routes of a dialog show that it went through us.
#[test]
fn a_made_up_tag_saves_nothing() {
    let mut config = config();
    config.limits.calls_elsewhere = 2;
    let mut house = with_elsewhere(config);
    let bob = page("bob", 1);
    house.register(&bob);
    let uri = "sip:+8812345@elsewhere.example";
    let refused: Vec<bool> = (0..3)
        .map(|call| {
            let to = format!("<{uri}>;tag=made-up");
            house.receive(&bob.flow, &bob.request("INVITE", uri, &to, &format!("call-{call}"), 1, ""));
            house.take(&bob.flow).iter().any(|answer| answer.status() == Some(403))
        })
        .collect();
    assert_eq!(refused, [false, false, true]);
}
