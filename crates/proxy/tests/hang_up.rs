//! The server itself hangs up a call: the BYE of each party goes the way that the party's own would go.

use std::time::Duration;

use crate::support::*;
use sip::{Flow, HeaderName, Message};

/// A call that has been answered and acknowledged.
struct Call {
    house: House,
    caller: Phone,
    callee: Phone,
    invite: Message,
    answer: Message,
}

fn answered(caller: Phone, callee: Phone, more: &str) -> Call {
    let mut house = house(open_config());
    house.register(&caller);
    house.register(&callee);
    let uri = format!("sip:{}@example.com", callee.user);
    house.receive(&caller.flow, &caller.request("INVITE", &uri, &format!("<{uri}>"), "call", 1, more));
    house.take(&caller.flow);
    let invite = house.one(&callee.flow);
    house.receive(&callee.flow, &callee.respond(&invite, 200, ""));
    let answer = house.one(&caller.flow);
    house.wait(Duration::from_secs(40));
    house.sent.clear();
    Call { house, caller, callee, invite, answer }
}

impl Call {
    /// The BYE of the one whose party it is, as the server writes it.
    fn hang_up(&mut self, by_caller: bool) -> bool {
        let (caller, callee) = (self.caller.user, self.callee.user);
        let caller_address = format!("<sip:{caller}@example.com>;tag=from-{caller}");
        let callee_address = format!("<sip:{callee}@example.com>;tag=to-{callee}");
        let (from, to, target, routes) = if by_caller {
            (caller_address, callee_address, &self.callee.contact, routes(&self.answer, true))
        } else {
            (callee_address, caller_address, &self.caller.contact, routes(&self.invite, false))
        };
        let text = format!(
            "BYE {target} SIP/2.0\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: call\r\nCSeq: 2 BYE\r\n\
             Max-Forwards: 70\r\n{routes}Content-Length: 0\r\n\r\n"
        );
        let sent = self.house.proxy.send_in_dialog(self.house.now, text.as_bytes());
        self.house.drain();
        sent
    }

    /// That this party got the BYE; it answers, and nothing is left.
    fn is_hung_up_at(&mut self, flow: &Flow, contact: &str) {
        let bye = self.house.one(flow);
        assert_eq!((method(&bye).as_str(), bye.request_uri()), ("BYE", contact.as_bytes()));
        assert_eq!(bye.header(HeaderName::Route), None, "our own Routes are taken off");
        let phone = if *flow == self.caller.flow { &self.caller } else { &self.callee };
        self.house.receive(flow, &phone.respond(&bye, 200, ""));
        assert!(self.house.sent.is_empty(), "the answer goes nowhere");
        self.house.wait(Duration::from_secs(40));
        assert!(self.house.proxy.is_idle());
    }
}

#[test]
fn both_a_page_and_a_phone_get_the_bye_of_the_other() {
    for (caller, callee) in [
        (page("alice", 1), desk_phone("bob", "198.51.100.7:5060")),
        (desk_phone("bob", "198.51.100.7:5060"), page("alice", 1)),
    ] {
        let mut call = answered(caller, callee, "");
        assert!(call.hang_up(true));
        call.is_hung_up_at(&call.callee.flow.clone(), &call.callee.contact.clone());
        assert!(call.hang_up(false));
        call.is_hung_up_at(&call.caller.flow.clone(), &call.caller.contact.clone());
    }
}

#[test]
fn a_bye_by_datagram_is_sent_again_until_it_is_answered() {
    let mut call = answered(page("alice", 1), desk_phone("bob", "198.51.100.7:5060"), "");
    assert!(call.hang_up(true));
    call.house.wait(Duration::from_secs(2));
    assert!(call.house.take(&call.callee.flow).len() > 1);
}

#[test]
fn a_page_that_is_gone_gets_none() {
    let mut call = answered(page("alice", 1), desk_phone("bob", "198.51.100.7:5060"), "");
    let flow = call.caller.flow;
    call.house.close(&flow);
    call.house.wait(Duration::from_secs(60));
    assert!(!call.hang_up(false));
    call.house.nothing(&flow);
    assert!(call.house.proxy.is_idle());
}

#[test]
fn routes_before_ours_are_left_out_and_routes_behind_ours_are_followed() {
    let beyond = "Record-Route: <sip:198.51.100.1;lr>\r\n";
    let mut call = answered(desk_phone("bob", "198.51.100.7:5060"), page("alice", 1), beyond);
    assert!(call.hang_up(true), "the other proxy stands before us");
    call.is_hung_up_at(&call.callee.flow.clone(), &call.callee.contact.clone());
    assert!(call.hang_up(false), "the other proxy stands behind us");
    let (hop, bye) = call.house.sent.pop().expect("a BYE");
    assert_eq!(hop.address().to_string(), "198.51.100.1:5060");
    assert_eq!(values(&bye, HeaderName::Route), ["<sip:198.51.100.1;lr>"]);
}

#[test]
fn what_is_in_no_dialog_is_not_sent() {
    let mut house = house(open_config());
    for text in [
        "",
        "BYE",
        "BYE sip:x@198.51.100.7 SIP/2.0\r\nFrom: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\n\
         Call-ID: x\r\nCSeq: 1 BYE\r\nMax-Forwards: 70\r\n\r\n",
    ] {
        assert!(!house.proxy.send_in_dialog(house.now, text.as_bytes()), "{text}");
        house.drain();
        assert!(house.sent.is_empty());
    }
}
