//! The keys of flow tokens change, and calls do not notice (RFC 5626 §5.2).

use std::time::Duration;

use crate::support::*;
use proxy::Config;
use proxy::config::FlowTokenKeys;
use sip::{HeaderName, Message};

const DAY: Duration = Duration::from_secs(86_400);

/// alice's page and bob's phone behind a NAT, so that both are reached by flow tokens; and what bob got and alice heard.
struct Call {
    house: House,
    alice: Phone,
    bob: Phone,
    invite: Message,
}

fn configured() -> Config {
    open_config()
}

fn established() -> Call {
    let mut house = house(configured());
    let alice = page("alice", 1);
    let mut bob = desk_phone("bob", "198.51.100.7:40000");
    bob.contact = "sip:bob@10.0.0.7:5060".to_owned();
    for phone in [&alice, &bob] {
        house.receive(&phone.flow, &phone.register(1, ""));
        house.take(&phone.flow);
    }
    house.receive(&bob.flow, &bob.invite("sip:alice@example.com", "call"));
    let invite = house.one(&alice.flow);
    house.receive(&alice.flow, &alice.respond(&invite, 200, ""));
    house.take(&bob.flow);
    Call { house, alice, bob, invite }
}

impl Call {
    /// alice hangs up by the Routes of the call's beginning; how that ends for her, if it does not reach bob.
    fn hang_up(&mut self) -> Option<u16> {
        let from = header(&self.invite, HeaderName::From);
        let bye =
            self.alice.request("BYE", &self.bob.contact, &from, "call", 9, &routes(&self.invite, false));
        self.house.receive(&self.alice.flow, &bye);
        match self.house.take(&self.bob.flow).pop() {
            Some(bye) => {
                assert_eq!(method(&bye), "BYE");
                None
            }
            None => self.house.one(&self.alice.flow).status(),
        }
    }

    /// So much later; what happens meanwhile is of no interest.
    fn later(&mut self, span: Duration) {
        self.house.now += span;
        self.house.proxy.timeout(self.house.now);
        self.house.drain();
        self.house.sent.clear();
    }
}

#[test]
fn a_call_that_lasts_while_keys_change_can_be_hung_up() {
    for days in [0, 1, 2, 30] {
        let mut call = established();
        call.later(DAY * days);
        assert_eq!(call.hang_up(), None, "{days} days later");
    }
}

#[test]
fn a_token_whose_key_is_forgotten_gets_what_a_forged_one_gets() {
    let mut call = established();
    call.later(DAY * 32);
    assert_eq!(call.hang_up(), Some(403));
}

#[test]
fn a_call_that_lasts_while_keys_change_and_the_server_starts_again_can_be_hung_up() {
    let mut call = established();
    call.later(DAY * 3);
    call.house.restart(configured());
    call.later(DAY);
    let mut fresh = page("alice", 2);
    fresh.contact.clone_from(&call.alice.contact);
    call.house.receive(&fresh.flow, &fresh.register(7, ""));
    call.house.take(&fresh.flow);
    // The phone's own token is as good as before; that of the page's connection is of another run, and leads to the new one.
    let (uri, routes) = (call.alice.contact.clone(), routes(&call.invite, true));
    let bye = call.bob.request("BYE", &uri, "<sip:alice@example.com>;tag=to-alice", "call", 9, &routes);
    call.house.receive(&call.bob.flow, &bye);
    assert_eq!(method(&call.house.one(&fresh.flow)), "BYE");
}

#[test]
fn another_configuration_of_the_keys_counts_at_once() {
    let mut call = established();
    let keys = FlowTokenKeys { every: Duration::from_secs(3600), kept: DAY };
    call.house.proxy.reconfigure(Config { flow_tokens: keys, ..configured() });
    // What was signed at a time of another length is signed by a key that is none any more.
    assert_eq!(call.hang_up(), Some(403));
}
