//! Several flows of one instance (RFC 5626), and the addresses of a device (RFC 5627).

use crate::support::*;
use sip::{HeaderName, Message};

const INSTANCE: &str = "+sip.instance=\"<urn:uuid:0001>\"";

/// bob's page, with one of its flows.
fn flow_of_bob(reg_id: u64) -> Phone {
    let mut page = page("bob", reg_id);
    page.parameters = format!(";reg-id={reg_id};{INSTANCE}");
    page
}

fn registered(house: &mut House, phone: &Phone, cseq: u32) -> Message {
    house.receive(&phone.flow, &phone.register(cseq, ""));
    let response = house.one(&phone.flow);
    assert_eq!(response.status(), Some(200), "{}", text(&response));
    response
}

fn invites(house: &mut House, phone: &Phone) -> Vec<Message> {
    house.take(&phone.flow).into_iter().filter(|message| method(message) == "INVITE").collect()
}

/// bob with two flows, and carol who has called him: the flow that rings, and the one that does not.
fn called() -> (House, Phone, Phone, Phone, Message) {
    let mut house = house(open_config());
    let flows = [flow_of_bob(1), flow_of_bob(2)];
    for flow in &flows {
        registered(&mut house, flow, 1);
    }
    let carol = desk_phone("carol", "198.51.100.9:5060");
    house.receive(&carol.flow, &carol.invite("sip:bob@example.com", "c1"));
    let [one, other] = flows.each_ref().map(|flow| invites(&mut house, flow));
    assert_eq!(one.len() + other.len(), 1, "one device rings once");
    let [first, second] = flows;
    let (rings, waits) = if one.is_empty() { (second, first) } else { (first, second) };
    let invite = one.into_iter().chain(other).next().unwrap();
    (house, rings, waits, carol, invite)
}

#[test]
fn each_flow_of_an_instance_is_a_binding_of_its_own() {
    let mut house = house(open_config());
    for number in [1, 2] {
        let response = registered(&mut house, &flow_of_bob(number), 1);
        assert_eq!(header(&response, HeaderName::Require), "outbound");
    }
    assert_eq!(house.proxy.bindings(), 2);
    // The same flow number again, on another connection: it takes the place of the one before.
    let mut again = page("bob", 7);
    again.parameters = format!(";reg-id=1;{INSTANCE}");
    registered(&mut house, &again, 1);
    assert_eq!(house.proxy.bindings(), 2);
}

#[test]
fn a_flow_number_without_an_instance_is_ignored() {
    let mut house = house(open_config());
    let mut phone = page("bob", 1);
    phone.parameters = ";reg-id=1".to_owned();
    assert_eq!(registered(&mut house, &phone, 1).header(HeaderName::Require), None);
}

#[test]
fn the_other_flow_is_tried_at_430_and_at_408() {
    for status in [430, 408] {
        let (mut house, rings, waits, carol, invite) = called();
        house.receive(&rings.flow, &rings.respond(&invite, status, ""));
        let again = invites(&mut house, &waits).remove(0);
        house.receive(&waits.flow, &waits.respond(&again, 200, ""));
        let statuses: Vec<u16> = house.take(&carol.flow).iter().filter_map(Message::status).collect();
        assert_eq!(statuses, [100, 200], "the caller hears nothing of it");
    }
}

#[test]
fn the_other_flow_is_tried_when_the_connection_breaks() {
    let (mut house, rings, waits, _, _) = called();
    house.close(&rings.flow);
    assert_eq!(invites(&mut house, &waits).len(), 1);
}

#[test]
fn a_device_that_is_busy_is_not_asked_again_over_its_other_flow() {
    let (mut house, rings, waits, carol, invite) = called();
    house.receive(&rings.flow, &rings.respond(&invite, 486, ""));
    assert!(invites(&mut house, &waits).is_empty());
    assert_eq!(house.take(&carol.flow).last().and_then(Message::status), Some(486));
}

#[test]
fn a_first_hop_without_outbound_is_said_so() {
    let mut config = open_config();
    config.trusted_peers = vec![sip::AddressRange::single("198.51.100.5".parse().unwrap())];
    let mut house = house(config);
    let edge = desk_phone("bob", "198.51.100.5:5060");
    let mut phone = edge.clone();
    phone.parameters = format!(";reg-id=1;{INSTANCE}");
    let register = |path: &str, cseq| {
        let request = phone.register(cseq, &format!("Path: {path}\r\n"));
        // It came through another hop.
        request.replacen("Max-Forwards", "Via: SIP/2.0/UDP 10.0.0.7;branch=z9hG4bKold\r\nMax-Forwards", 1)
    };
    house.receive(&edge.flow, &register("<sip:198.51.100.5;lr>", 1));
    assert_eq!(house.one(&edge.flow).status(), Some(439));
    house.receive(&edge.flow, &register("<sip:198.51.100.5;lr;ob>", 2));
    assert_eq!(house.one(&edge.flow).status(), Some(200));
}

/// The value of a Contact's parameter in a 200.
fn gruu(response: &Message, name: &str) -> String {
    let contact = header(response, HeaderName::Contact);
    let start = contact.find(&format!("{name}=\"")).unwrap_or_else(|| panic!("{contact}")) + name.len() + 2;
    contact[start..].split('"').next().unwrap().to_owned()
}

#[test]
fn a_temporary_gruu_reaches_its_device_without_its_name() {
    let mut house = house(open_config());
    let (bob, mut other) = (flow_of_bob(1), page("bob", 9));
    other.parameters = ";+sip.instance=\"<urn:uuid:0009>\"".to_owned();
    let before = gruu(&registered(&mut house, &bob, 1), "temp-gruu");
    let after = gruu(&registered(&mut house, &bob, 2), "temp-gruu");
    registered(&mut house, &other, 1);
    assert_ne!(before, after, "another one each time");
    let carol = desk_phone("carol", "198.51.100.9:5060");
    for (number, gruu) in [before, after].iter().enumerate() {
        assert!(gruu.starts_with("sip:tgruu.") && gruu.ends_with("@example.com;gr") && !gruu.contains("bob"));
        house.receive(&carol.flow, &carol.invite(gruu, &format!("c{number}")));
        let invite = invites(&mut house, &bob).remove(0);
        assert_eq!(String::from_utf8_lossy(invite.request_uri()), bob.contact);
        assert!(invites(&mut house, &other).is_empty());
    }
}

#[test]
fn a_temporary_gruu_ends_with_its_registration_and_not_with_the_server() {
    let mut house = house(open_config());
    let bob = flow_of_bob(1);
    let gruu = gruu(&registered(&mut house, &bob, 1), "temp-gruu");
    house.restart(open_config());
    registered(&mut house, &bob, 2);
    let carol = desk_phone("carol", "198.51.100.9:5060");
    house.receive(&carol.flow, &carol.invite(&gruu, "c1"));
    assert_eq!(invites(&mut house, &bob).len(), 1);
    // Another Call-ID is another registration (RFC 5627 §5.4).
    let mut anew = flow_of_bob(1);
    anew.call_id = "another".to_owned();
    registered(&mut house, &anew, 1);
    house.take(&carol.flow);
    house.receive(&carol.flow, &carol.invite(&gruu, "c2"));
    assert!(invites(&mut house, &anew).is_empty());
    assert_eq!(house.take(&carol.flow).last().and_then(Message::status), Some(404));
}

#[test]
fn a_forged_temporary_gruu_is_nobody() {
    let mut house = house(open_config());
    let bob = flow_of_bob(1);
    registered(&mut house, &bob, 1);
    let carol = desk_phone("carol", "198.51.100.9:5060");
    for uri in ["sip:tgruu.AAAA@example.com;gr", "sip:tgruu.@example.com;gr", "sip:bob@example.com;gr"] {
        house.receive(&carol.flow, &carol.invite(uri, uri));
        assert!(invites(&mut house, &bob).is_empty(), "{uri}");
        house.take(&carol.flow);
    }
}
