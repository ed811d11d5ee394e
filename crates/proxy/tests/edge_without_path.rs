//! An edge in front of a registrar that keeps no Path: Contacts that stand in for those of the clients.

use std::time::Duration;

use crate::support::*;
use proxy::{Config, Role, Upstream};
use sip::header::Contact;
use sip::{HeaderName, Message};

const ADDRESS: &str = "192.0.2.200:5080";
const ALICE: &str = "<sip:alice@example.com>";

fn edge_config() -> Config {
    let upstream = Upstream {
        host: "192.0.2.200".to_owned(),
        port: Some(5080),
        transport: None,
        addresses: Vec::new(),
        keeps_path: false,
    };
    Config { role: Role::Edge { upstream }, ..config() }
}

/// A PBX: it keeps contacts as they are written, by their URI, and calls them there.
struct Pbx {
    phone: Phone,
    contacts: Vec<String>,
    calls: u32,
}

impl Pbx {
    fn new() -> Self {
        let mut phone = desk_phone("pbx", ADDRESS);
        phone.contact = format!("sip:{ADDRESS}");
        Self { phone, contacts: Vec::new(), calls: 0 }
    }

    /// A client's REGISTER goes through the edge, and its 200 back. What the PBX grants is 120 s, whatever was asked.
    fn registers(&mut self, house: &mut House, client: &Phone, text: &str) -> (Message, Message) {
        house.receive(&client.flow, text);
        let request = house.one(&self.phone.flow);
        assert_eq!(method(&request), "REGISTER");
        for contact in request.contacts() {
            match contact.unwrap() {
                Contact::Any => self.contacts.clear(),
                Contact::Address(address) => {
                    let uri = String::from_utf8(address.uri_bytes().to_vec()).unwrap();
                    self.contacts.retain(|known| *known != uri);
                    if address.parameter("expires") != Some(Some(b"0")) {
                        self.contacts.push(uri);
                    }
                }
            }
        }
        let contacts: String =
            self.contacts.iter().map(|uri| format!("Contact: <{uri}>;expires=120\r\n")).collect();
        let ok = self.phone.respond(&request, 200, &contacts).replacen(
            &format!("Contact: <{}>\r\n", self.phone.contact),
            "",
            1,
        );
        house.receive(&self.phone.flow, &ok);
        let answer = house.one(&client.flow);
        assert_eq!(answer.status(), Some(200));
        (request, answer)
    }

    fn calls(&mut self, house: &mut House, uri: &str) {
        self.calls += 1;
        let call_id = format!("call-{}", self.calls);
        house.receive(&self.phone.flow, &self.phone.request("INVITE", uri, ALICE, &call_id, 1, ""));
    }

    /// Calls the only contact, which is answered with this status without reaching anybody.
    fn hears(&mut self, house: &mut House, uri: &str) -> Option<u16> {
        self.calls(house, uri);
        house.one(&self.phone.flow).status()
    }
}

/// A page as ours and JsSIP register: an instance with a flow number.
fn instance(user: &'static str, connection: u64) -> Phone {
    let parameters =
        ";+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-000000000001>\";reg-id=1;expires=600";
    Phone { parameters: parameters.to_owned(), ..page(user, connection) }
}

#[test]
fn a_registrar_without_path_gets_a_contact_that_leads_to_the_edge() {
    let (mut house, mut pbx) = (house(edge_config()), Pbx::new());
    let alice = instance("alice", 1);
    let (request, answer) = pbx.registers(&mut house, &alice, &alice.register(1, ""));
    let contacts = values(&request, HeaderName::Contact);
    assert_eq!(contacts.len(), 1);
    let (uri, parameters) = contacts[0].split_once('>').unwrap();
    assert!(uri.starts_with("<sip:") && uri.ends_with("@192.0.2.1:5060;transport=udp"), "{uri}");
    assert_eq!(parameters, alice.parameters, "the instance and all else stay");
    assert_eq!(request.header(HeaderName::Path), None);
    // What the client hears is its own contact, with what the registrar granted.
    assert_eq!(values(&answer, HeaderName::Contact), [format!("<{}>;expires=120", alice.contact)]);
}

#[test]
fn a_call_to_that_contact_rings_at_the_client_and_ends_from_both_sides() {
    for alice in [instance("alice", 1), page("alice", 1), desk_phone("alice", "198.51.100.7:5062")] {
        let (mut house, mut pbx) = (house(edge_config()), Pbx::new());
        pbx.registers(&mut house, &alice, &alice.register(1, ""));
        let stand_in = pbx.contacts[0].clone();
        pbx.calls(&mut house, &stand_in);
        let invite = house.one(&alice.flow);
        assert_eq!(method(&invite), "INVITE");
        assert_eq!(invite.request_uri(), alice.contact.as_bytes(), "what the client registered");
        house.receive(&alice.flow, &alice.respond(&invite, 200, ""));
        let answer = house.one(&pbx.phone.flow);
        assert_eq!(
            values(&answer, HeaderName::Contact),
            [format!("<{}>", alice.contact)],
            "its own in dialogs"
        );
        let to = format!("{ALICE};tag=to-alice");
        let way = routes(&answer, true);
        house.receive(&pbx.phone.flow, &pbx.phone.request("BYE", &alice.contact, &to, "call-1", 2, &way));
        let bye = house.one(&alice.flow);
        assert_eq!((method(&bye).as_str(), bye.request_uri()), ("BYE", alice.contact.as_bytes()));
        let more = routes(&invite, false);
        let back =
            alice.request("BYE", &pbx.phone.contact, "<sip:pbx@example.com>;tag=x", "call-1", 9, &more);
        house.receive(&alice.flow, &back);
        assert_eq!(method(&house.one(&pbx.phone.flow)), "BYE");
    }
}

#[test]
fn a_refresh_and_a_reloaded_page_are_the_same_contact_at_the_registrar() {
    let (mut house, mut pbx) = (house(edge_config()), Pbx::new());
    let alice = instance("alice", 1);
    pbx.registers(&mut house, &alice, &alice.register(1, ""));
    pbx.registers(&mut house, &alice, &alice.register(2, ""));
    assert_eq!(pbx.contacts.len(), 1);
    let stand_in = pbx.contacts[0].clone();
    house.close(&alice.flow);
    assert_eq!(pbx.hears(&mut house, &stand_in), Some(480), "nobody is there at the moment");
    // Another connection, Call-ID and contact; the same instance.
    let again = instance("alice", 2);
    let (_, answer) = pbx.registers(&mut house, &again, &again.register(1, ""));
    assert_eq!(pbx.contacts, std::slice::from_ref(&stand_in));
    assert_eq!(values(&answer, HeaderName::Contact), [format!("<{}>;expires=120", again.contact)]);
    pbx.calls(&mut house, &stand_in);
    let invite = house.one(&again.flow);
    assert_eq!(invite.request_uri(), again.contact.as_bytes());
}

#[test]
fn devices_of_one_user_have_a_contact_each_and_every_answer_lists_them_as_they_registered() {
    let (mut house, mut pbx) = (house(edge_config()), Pbx::new());
    let (one, other) = (page("alice", 1), desk_phone("alice", "198.51.100.7:5062"));
    pbx.registers(&mut house, &one, &one.register(1, ""));
    let (_, answer) = pbx.registers(&mut house, &other, &other.register(1, ""));
    let own = |phone: &Phone| format!("<{}>;expires=120", phone.contact);
    assert_eq!(values(&answer, HeaderName::Contact), [own(&one), own(&other)]);
    // One REGISTER may bring several.
    let two = "Contact: <sip:a@198.51.100.7:5062>;q=0.5, \"A, B\" <sip:b@198.51.100.7:5062>\r\n";
    let (request, answer) = pbx.registers(&mut house, &other, &other.register_contact(2, two));
    let contacts = values(&request, HeaderName::Contact);
    assert!(contacts[0].ends_with(">;q=0.5") && contacts[1].ends_with("transport=udp>"), "{contacts:?}");
    let found = values(&answer, HeaderName::Contact);
    assert_eq!(found[2..], ["a", "b"].map(|user| format!("<sip:{user}@198.51.100.7:5062>;expires=120")));
    let second = pbx.contacts[3].clone();
    pbx.calls(&mut house, &second);
    assert_eq!(house.one(&other.flow).request_uri(), b"sip:b@198.51.100.7:5062");
}

#[test]
fn what_a_client_takes_back_is_taken_back_at_the_registrar_one_or_all() {
    let (mut house, mut pbx) = (house(edge_config()), Pbx::new());
    let (one, other) = (instance("alice", 1), page("alice", 2));
    pbx.registers(&mut house, &one, &one.register(1, ""));
    pbx.registers(&mut house, &other, &other.register(1, ""));
    let stand_ins = pbx.contacts.clone();
    let gone = Phone { parameters: one.parameters.replace("600", "0"), ..one };
    let (_, answer) = pbx.registers(&mut house, &gone, &gone.register(2, ""));
    assert_eq!(pbx.contacts, stand_ins[1..]);
    assert_eq!(values(&answer, HeaderName::Contact).len(), 1);
    assert_eq!(pbx.hears(&mut house, &stand_ins[0]), Some(480));
    pbx.registers(&mut house, &other, &other.register_contact(2, "Contact: *\r\nExpires: 0\r\n"));
    assert!(pbx.contacts.is_empty());
    assert_eq!(pbx.hears(&mut house, &stand_ins[1]), Some(480));
}

#[test]
fn a_stand_in_ends_with_what_the_registrar_granted() {
    let (mut house, mut pbx) = (house(edge_config()), Pbx::new());
    let alice = instance("alice", 1);
    pbx.registers(&mut house, &alice, &alice.register(1, ""));
    let stand_in = pbx.contacts[0].clone();
    house.wait(Duration::from_secs(121));
    assert_eq!(pbx.hears(&mut house, &stand_in), Some(480));
}

#[test]
fn a_page_that_went_away_for_good_is_not_there_and_not_unknown() {
    let (mut house, mut pbx) = (house(edge_config()), Pbx::new());
    let alice = instance("alice", 1);
    pbx.registers(&mut house, &alice, &alice.register(1, ""));
    let stand_in = pbx.contacts[0].clone();
    house.close(&alice.flow);
    house.wait(Duration::from_secs(60));
    assert_eq!(house.proxy.bindings(), 0, "nobody waits for it any more");
    assert_eq!(pbx.hears(&mut house, &stand_in), Some(480));
    // It is nobody else's to use for that.
    let eve = page("eve", 6);
    pbx.registers(&mut house, &eve, &eve.register(1, ""));
    house.receive(&eve.flow, &eve.invite(&stand_in, "c1"));
    assert_eq!(house.one(&eve.flow).status(), Some(403));
}

#[test]
fn a_made_up_stand_in_leads_nowhere_and_only_the_upstream_may_use_a_true_one() {
    let (mut house, mut pbx) = (house(edge_config()), Pbx::new());
    let (alice, eve) = (instance("alice", 1), page("eve", 6));
    pbx.registers(&mut house, &alice, &alice.register(1, ""));
    let stand_in = pbx.contacts[0].clone();
    pbx.registers(&mut house, &eve, &eve.register(1, ""));
    // Eve knows her own, and how they are made; of alice's, one letter is changed after the other.
    let name = stand_in.strip_prefix("sip:").unwrap().split_once('@').unwrap().0;
    for at in 0..name.len() {
        let letter = if &name[at..=at] == "A" { "B" } else { "A" };
        let forged = stand_in.replacen(name, &format!("{}{letter}{}", &name[..at], &name[at + 1..]), 1);
        assert_eq!(pbx.hears(&mut house, &forged), Some(404), "letter {at}");
    }
    // Whoever has seen one gains nothing.
    house.receive(&eve.flow, &eve.invite(&stand_in, "c1"));
    assert_eq!(house.one(&eve.flow).status(), Some(403));
    let stranger = desk_phone("mallory", "198.51.100.66:5060");
    house.receive(&stranger.flow, &stranger.invite(&stand_in, "c2"));
    assert_eq!(house.one(&stranger.flow).status(), Some(403));
    house.nothing(&alice.flow);
    house.nothing(&pbx.phone.flow);
}

#[test]
fn a_stand_in_outlives_a_restart_of_the_edge() {
    let (mut house, mut pbx) = (house(edge_config()), Pbx::new());
    let (alice, phone) = (instance("alice", 1), desk_phone("alice", "198.51.100.7:5062"));
    pbx.registers(&mut house, &alice, &alice.register(1, ""));
    pbx.registers(&mut house, &phone, &phone.register(1, ""));
    let stand_ins = pbx.contacts.clone();
    house.restart(edge_config());
    pbx.calls(&mut house, &stand_ins[1]);
    assert_eq!(house.one(&phone.flow).request_uri(), phone.contact.as_bytes(), "its flow is what it was");
    assert_eq!(pbx.hears(&mut house, &stand_ins[0]), Some(480), "a connection is not");
    let back = Phone { call_id: "back".to_owned(), ..instance("alice", 3) };
    pbx.registers(&mut house, &back, &back.register(1, ""));
    pbx.calls(&mut house, &stand_ins[0]);
    assert_eq!(house.one(&back.flow).request_uri(), back.contact.as_bytes());
}

/// What the client hears to a REGISTER that never gets to the registrar.
fn refusal(house: &mut House, pbx: &Pbx, client: &Phone, text: &str) -> Message {
    house.receive(&client.flow, text);
    house.nothing(&pbx.phone.flow);
    house.one(&client.flow)
}

#[test]
fn who_has_as_many_contacts_as_one_may_have_does_not_get_another_one_to_the_registrar() {
    let mut config = edge_config();
    config.registrar.maximum_contacts = 1;
    let (mut house, mut pbx) = (house(config), Pbx::new());
    let (one, other) = (page("alice", 1), page("alice", 2));
    pbx.registers(&mut house, &one, &one.register(1, ""));
    assert_eq!(refusal(&mut house, &pbx, &other, &other.register(1, "")).status(), Some(403));
    // What is there is refreshed, and its place is free when it is gone.
    pbx.registers(&mut house, &one, &one.register(2, ""));
    pbx.registers(&mut house, &one, &one.register(3, "Expires: 0\r\n"));
    pbx.contacts.clear();
    pbx.registers(&mut house, &other, &other.register(2, ""));
    let stand_in = pbx.contacts[0].clone();
    pbx.calls(&mut house, &stand_in);
    assert_eq!(method(&house.one(&other.flow)), "INVITE");
}

#[test]
fn an_edge_that_is_full_says_when_to_come_back() {
    let mut config = edge_config();
    config.limits.bindings = 1;
    let (mut house, mut pbx) = (house(config), Pbx::new());
    let (alice, bob) = (page("alice", 1), page("bob", 2));
    pbx.registers(&mut house, &alice, &alice.register(1, ""));
    let answer = refusal(&mut house, &pbx, &bob, &bob.register(1, ""));
    assert_eq!(answer.status(), Some(503));
    assert!(answer.header(HeaderName::RetryAfter).is_some());
}

#[test]
fn a_way_that_the_edge_does_not_keep_is_refused_before_the_registrar_hears_of_it() {
    let (mut house, pbx) = (house(edge_config()), Pbx::new());
    let alice = page("alice", 1);
    let path = alice.register(1, "Path: <sip:elsewhere.example.net;lr>\r\n");
    assert_eq!(refusal(&mut house, &pbx, &alice, &path).status(), Some(403), "of a stranger");
    // RFC 5626 §6: the first hop is another one, and does nothing of the kind.
    let behind = instance("alice", 1).register(2, "");
    let behind =
        behind.replacen("Max-Forwards", "Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKx\r\nMax-Forwards", 1);
    assert_eq!(refusal(&mut house, &pbx, &alice, &behind).status(), Some(439));
    let number = alice.register_contact(3, "Contact: <tel:+4930123>\r\n");
    assert_eq!(refusal(&mut house, &pbx, &alice, &number).status(), Some(400));
}

#[test]
fn whom_no_stand_in_can_name_cannot_register() {
    let (mut house, pbx) = (house(edge_config()), Pbx::new());
    let alice = page("alice", 1);
    let to = "To: <sip:alice@example.com>";
    let nobody = alice.register(1, "").replace(to, "To: <sip:example.com>");
    assert_eq!(refusal(&mut house, &pbx, &alice, &nobody).status(), Some(404));
    let long = alice.register(2, "").replace(to, &format!("To: <sip:{}@example.com>", "a".repeat(400)));
    assert_eq!(refusal(&mut house, &pbx, &alice, &long).status(), Some(403));
}

#[test]
fn of_two_who_register_at_once_where_there_is_one_place_only_one_is_told_200() {
    let mut config = edge_config();
    config.registrar.maximum_contacts = 1;
    let (mut house, pbx) = (house(config), Pbx::new());
    let (one, other) = (page("alice", 1), page("alice", 2));
    house.receive(&one.flow, &one.register(1, ""));
    house.receive(&other.flow, &other.register(1, ""));
    let requests = house.take(&pbx.phone.flow);
    for request in &requests {
        house.receive(&pbx.phone.flow, &pbx.phone.respond(request, 200, ""));
    }
    assert_eq!([&one, &other].map(|page| house.one(&page.flow).status()), [Some(200), Some(403)]);
    assert_eq!(house.proxy.bindings(), 1);
}

#[test]
fn a_proxy_that_we_trust_may_stand_before_the_edge() {
    let mut config = edge_config();
    let before = desk_phone("alice", "198.51.100.77:5060");
    config.trusted_peers = vec![sip::AddressRange::single(before.flow.remote.ip())];
    let (mut house, mut pbx) = (house(config), Pbx::new());
    pbx.registers(&mut house, &before, &before.register(1, "Path: <sip:198.51.100.77;lr>\r\n"));
    let stand_in = pbx.contacts[0].clone();
    pbx.calls(&mut house, &stand_in);
    let invite = house.one(&before.flow);
    assert_eq!(invite.request_uri(), before.contact.as_bytes());
    assert_eq!(values(&invite, HeaderName::Route), ["<sip:198.51.100.77;lr>"]);
}

#[test]
fn a_registrar_that_keeps_path_gets_contacts_as_they_are() {
    let mut config = edge_config();
    if let Role::Edge { upstream } = &mut config.role {
        upstream.keeps_path = true;
    }
    let (mut house, mut pbx) = (house(config), Pbx::new());
    let alice = instance("alice", 1);
    let (request, _) = pbx.registers(&mut house, &alice, &alice.register(1, ""));
    assert_eq!(values(&request, HeaderName::Contact), [format!("<{}>{}", alice.contact, alice.parameters)]);
    assert_eq!(values(&request, HeaderName::Path).len(), 2);
}
