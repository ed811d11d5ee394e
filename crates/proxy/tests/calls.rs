//! Calls between pages and phones through the proxy (RFC 3261 §16, RFC 7118, RFC 5626 §5.3).

use std::time::Duration;

use crate::support::*;
use proxy::Event;
use sip::{HeaderName, Hop, Message, Transport};

#[test]
fn a_page_calls_a_phone_and_each_can_hang_up() {
    let mut first = established(page("alice", 1), bob());
    let routes = values(&first.invite, HeaderName::RecordRoute);
    assert_eq!(routes.len(), 2, "{routes:?}");
    assert!(
        routes[0].starts_with("<sip:192.0.2.1:5060;transport=udp;lr"),
        "the phone's side on top: {routes:?}"
    );
    assert!(routes[1].contains("@192.0.2.1:8080;transport=ws;lr"), "the page's with its flow: {routes:?}");
    first.hang_up_by_caller();
    established(page("alice", 1), bob()).hang_up_by_callee();
}

#[test]
fn a_phone_calls_a_page_and_each_can_hang_up() {
    established(bob(), page("alice", 1)).hang_up_by_caller();
    established(bob(), page("alice", 1)).hang_up_by_callee();
}

#[test]
fn a_page_calls_a_page() {
    let mut call = established(page("carol", 2), page("alice", 1));
    assert_eq!(values(&call.invite, HeaderName::RecordRoute).len(), 2);
    call.hang_up_by_callee();
    established(page("carol", 2), page("alice", 1)).hang_up_by_caller();
}

#[test]
fn a_phone_calls_a_phone_through_one_record_route() {
    let mut call = established(bob(), desk_phone("carol", "198.51.100.9:5060"));
    let routes = values(&call.invite, HeaderName::RecordRoute);
    assert_eq!(routes.len(), 1, "{routes:?}");
    assert!(routes[0].starts_with("<sip:192.0.2.1:5060;transport=udp;lr;"), "{routes:?}");
    call.hang_up_by_caller();
    established(bob(), desk_phone("carol", "198.51.100.9:5060")).hang_up_by_callee();
}

#[test]
fn a_phone_on_tcp_is_reached_by_the_connection_that_it_opened() {
    let tcp = || tcp_phone("carol", 7, "198.51.100.9:51234", "198.51.100.9:5060");
    established(page("alice", 1), tcp()).hang_up_by_caller();
    established(tcp(), page("alice", 1)).hang_up_by_callee();
}

#[test]
fn a_phone_behind_a_nat_is_reached_where_it_came_from() {
    let natted = || {
        let mut phone = desk_phone("carol", "198.51.100.9:61000");
        phone.via = "SIP/2.0/UDP 10.0.0.5:5060;rport".to_owned();
        phone.contact = "sip:carol@10.0.0.5:5060".to_owned();
        phone
    };
    established(page("alice", 1), natted()).hang_up_by_caller();
    established(natted(), page("alice", 1)).hang_up_by_callee();
}

#[test]
fn vias_say_where_a_request_came_from() {
    let mut house = house(open_config());
    let bob = bob();
    house.receive(&bob.flow, &bob.register(1, ""));
    house.one(&bob.flow);
    let mut far = desk_phone("carol", "198.51.100.9:61000");
    far.via = "SIP/2.0/UDP 10.0.0.5:5060;rport".to_owned();
    house.receive(&far.flow, &far.invite("sip:bob@example.com", "c1"));
    let vias = values(&house.one(&bob.flow), HeaderName::Via);
    assert!(vias[0].starts_with("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK"), "{vias:?}");
    assert!(vias[1].contains("received=198.51.100.9") && vias[1].contains("rport=61000"), "{vias:?}");

    // RFC 3261 §18.2.2: without rport, the port of the Via; the address is the source's in any case.
    far.via = "SIP/2.0/UDP 10.0.0.5:5080".to_owned();
    house.receive(&far.flow, &far.request("OPTIONS", "sip:example.com", "<sip:example.com>", "c2", 1, ""));
    let back = flow(Transport::Udp, 0, "198.51.100.9:5080", 5060);
    assert_eq!(house.one(&back).status(), Some(200));

    let alice = page("alice", 1);
    house.receive(&alice.flow, &alice.invite("sip:bob@example.com", "c3"));
    let vias = values(&house.one(&bob.flow), HeaderName::Via);
    assert!(!vias[1].contains("received"), "RFC 7118 §5.3: {vias:?}");
}

#[test]
fn both_devices_of_a_user_ring_and_the_loser_is_told_why() {
    let mut house = house(open_config());
    let (page, phone) = (page("alice", 1), desk_phone("alice", "198.51.100.7:5062"));
    for device in [&page, &phone] {
        house.receive(&device.flow, &device.register(1, ""));
        house.take(&device.flow);
    }
    let carol = desk_phone("carol", "198.51.100.9:5060");
    house.receive(&carol.flow, &carol.invite("sip:alice@example.com", "c1"));
    let at_page = house.one(&page.flow);
    let at_phone = house.one(&phone.flow);
    house.receive(&page.flow, &page.respond(&at_page, 180, ""));
    house.receive(&phone.flow, &phone.respond(&at_phone, 180, ""));
    assert_eq!(house.take(&carol.flow).iter().filter(|it| it.status() == Some(180)).count(), 2);
    house.receive(&phone.flow, &phone.respond(&at_phone, 200, ""));
    assert_eq!(house.one(&carol.flow).status(), Some(200));
    let cancel = house.one(&page.flow);
    assert_eq!(method(&cancel), "CANCEL");
    assert_eq!(header(&cancel, HeaderName::Reason), "SIP;cause=200;text=\"Call completed elsewhere\"");
    house.receive(&page.flow, &page.respond(&cancel, 200, ""));
    house.receive(&page.flow, &page.respond(&at_page, 487, ""));
    assert_eq!(method(&house.one(&page.flow)), "ACK");
    house.nothing(&carol.flow);
    // RFC 6026 §7.1: the callee repeats its 200 until the ACK comes.
    house.receive(&phone.flow, &phone.respond(&at_phone, 200, ""));
    assert_eq!(house.one(&carol.flow).status(), Some(200));
}

#[test]
fn of_several_refusals_the_caller_hears_the_one_that_says_most() {
    let mut house = house(open_config());
    let devices =
        ["198.51.100.7:5062", "198.51.100.8:5062", "198.51.100.9:5062"].map(|it| desk_phone("alice", it));
    for device in &devices {
        house.receive(&device.flow, &device.register(1, ""));
        house.take(&device.flow);
    }
    let carol = desk_phone("carol", "198.51.100.10:5060");
    house.receive(&carol.flow, &carol.invite("sip:alice@example.com", "c1"));
    for (device, status) in devices.iter().zip([404, 486, 500]) {
        let invite = house.one(&device.flow);
        house.receive(&device.flow, &device.respond(&invite, status, ""));
        assert_eq!(method(&house.one(&device.flow)), "ACK");
    }
    assert_eq!(house.one(&carol.flow).status(), Some(486));
    assert!(house.events.iter().any(|it| matches!(it, Event::CallFailed { status: 486, why: "busy", .. })));
}

#[test]
fn a_6xx_ends_the_search() {
    let mut house = house(open_config());
    let devices = ["198.51.100.7:5062", "198.51.100.8:5062"].map(|it| desk_phone("alice", it));
    for device in &devices {
        house.receive(&device.flow, &device.register(1, ""));
        house.take(&device.flow);
    }
    let carol = desk_phone("carol", "198.51.100.10:5060");
    house.receive(&carol.flow, &carol.invite("sip:alice@example.com", "c1"));
    let [one, other] = devices.each_ref().map(|device| house.one(&device.flow));
    house.receive(&devices[1].flow, &devices[1].respond(&other, 180, ""));
    house.take(&carol.flow);
    house.receive(&devices[0].flow, &devices[0].respond(&one, 603, ""));
    house.nothing(&carol.flow);
    assert_eq!(method(&house.one(&devices[1].flow)), "CANCEL");
    house.receive(&devices[1].flow, &devices[1].respond(&other, 487, ""));
    assert_eq!(house.one(&carol.flow).status(), Some(603));
}

#[test]
fn the_caller_gives_up() {
    let mut house = house(open_config());
    let (alice, carol) = (page("alice", 1), desk_phone("carol", "198.51.100.10:5060"));
    house.receive(&alice.flow, &alice.register(1, ""));
    house.take(&alice.flow);
    let invite = carol.invite("sip:alice@example.com", "c1");
    house.receive(&carol.flow, &invite);
    let at_alice = house.one(&alice.flow);
    house.receive(&alice.flow, &alice.respond(&at_alice, 180, ""));
    house.take(&carol.flow);
    let reason = "Reason: SIP;cause=487;text=\"changed my mind\"\r\n";
    let cancel = invite
        .replace("INVITE sip:", "CANCEL sip:")
        .replace("CSeq: 1 INVITE", "CSeq: 1 CANCEL")
        .replace("Content-Length", &format!("{reason}Content-Length"));
    house.receive(&carol.flow, &cancel);
    assert_eq!(house.one(&carol.flow).status(), Some(200));
    let onward = house.one(&alice.flow);
    assert_eq!(method(&onward), "CANCEL");
    assert!(text(&onward).contains("changed my mind"));
    house.receive(&alice.flow, &alice.respond(&onward, 200, ""));
    house.receive(&alice.flow, &alice.respond(&at_alice, 487, ""));
    assert_eq!(house.one(&carol.flow).status(), Some(487));
    assert!(house.events.iter().any(|it| matches!(it, Event::CallFailed { status: 487, .. })));
}

#[test]
fn nobody_rings_for_ever() {
    let mut house = house(open_config());
    let (alice, carol) = (page("alice", 1), desk_phone("carol", "198.51.100.10:5060"));
    house.receive(&alice.flow, &alice.register(1, ""));
    house.take(&alice.flow);
    house.receive(&carol.flow, &carol.invite("sip:alice@example.com", "c1"));
    let invite = house.one(&alice.flow);
    house.receive(&alice.flow, &alice.respond(&invite, 180, ""));
    house.wait(Duration::from_secs(170));
    house.receive(&alice.flow, &alice.respond(&invite, 180, ""));
    house.take(&carol.flow);
    house.wait(Duration::from_secs(179));
    house.nothing(&alice.flow);
    house.wait(Duration::from_secs(2));
    assert_eq!(method(&house.one(&alice.flow)), "CANCEL", "Timer C started anew at the second 180");
    assert_eq!(house.take(&carol.flow)[0].status(), Some(408));
}

#[test]
fn a_phone_that_is_silent_costs_a_timeout_and_no_state() {
    let mut house = house(open_config());
    let (bob, carol) = (bob(), desk_phone("carol", "198.51.100.10:5060"));
    house.receive(&bob.flow, &bob.register(1, ""));
    house.take(&bob.flow);
    house.receive(&carol.flow, &carol.invite("sip:bob@example.com", "c1"));
    house.take(&carol.flow);
    house.wait(Duration::from_secs(33));
    assert!(house.take(&bob.flow).len() > 5, "retransmitted over UDP");
    assert!(house.take(&carol.flow).iter().all(|it| it.status() == Some(408)));
    house.receive(
        &carol.flow,
        &carol
            .request("ACK", "sip:bob@example.com", "<sip:bob@example.com>", "c1", 1, "")
            .replace("bKcarolACK", "bKcarolINVITE"),
    );
    // RFC 4320 §4.2: no 408 for requests other than INVITE.
    house.receive(
        &carol.flow,
        &carol.request("MESSAGE", "sip:bob@example.com", "<sip:bob@example.com>", "m", 1, ""),
    );
    house.wait(Duration::from_secs(100));
    house.nothing(&carol.flow);
    house.wait(Duration::from_secs(100));
    assert_eq!(house.proxy.transactions(), 0);
}

#[test]
fn unknown_users_and_users_who_are_away_are_told_apart() {
    let mut house = house(open_config());
    let carol = desk_phone("carol", "198.51.100.10:5060");
    house.receive(&carol.flow, &carol.invite("sip:bob@example.com", "c1"));
    assert_eq!(house.one(&carol.flow).status(), Some(480));
    house.receive(&carol.flow, &carol.invite("sip:nobody@example.com", "c2"));
    assert_eq!(house.one(&carol.flow).status(), Some(404));
    // The ACK to our own refusal ends here.
    house.receive(
        &carol.flow,
        &carol.request("ACK", "sip:nobody@example.com", "<sip:nobody@example.com>", "c2", 1, ""),
    );
    assert!(house.sent.is_empty());
}

#[test]
fn an_invalid_host_is_an_open_websocket_or_nobody() {
    let mut house = house(config());
    let (alice, bob) = (page("alice", 1), bob());
    house.register(&alice);
    house.register(&bob);
    // A transfer names the page by its contact (Refer-To), without any Route.
    house.receive(&bob.flow, &bob.invite(&alice.contact, "c1"));
    let challenge = house.one(&bob.flow);
    assert_eq!(challenge.status(), Some(407));
    let credentials = answer(&challenge, "INVITE", &alice.contact, "bob", "secret-b");
    let more = format!("Proxy-Authorization: {credentials}\r\n");
    let to = format!("<{}>", alice.contact);
    house.receive(&bob.flow, &bob.request("INVITE", &alice.contact, &to, "c1", 2, &more));
    assert_eq!(method(&house.one(&alice.flow)), "INVITE");
    house.take(&bob.flow);

    let bobs = page("bob", 5);
    house.register(&bobs);
    house.receive(&bobs.flow, &bobs.invite("sip:who@nowhere.invalid", "c2"));
    assert_eq!(house.one(&bobs.flow).status(), Some(480));
}

#[test]
fn a_message_reaches_every_device_and_one_answer_comes_back() {
    let mut house = house(open_config());
    let (page, phone) = (page("alice", 1), desk_phone("alice", "198.51.100.7:5062"));
    for device in [&page, &phone] {
        house.receive(&device.flow, &device.register(1, ""));
        house.take(&device.flow);
    }
    let carol = desk_phone("carol", "198.51.100.9:5060");
    house.receive(
        &carol.flow,
        &carol.request("MESSAGE", "sip:alice@example.com", "<sip:alice@example.com>", "m", 1, ""),
    );
    let (at_page, at_phone) = (house.one(&page.flow), house.one(&phone.flow));
    assert_eq!(at_page.header(HeaderName::RecordRoute), None);
    house.receive(&page.flow, &page.respond(&at_page, 200, ""));
    house.receive(&phone.flow, &phone.respond(&at_phone, 200, ""));
    assert_eq!(house.one(&carol.flow).status(), Some(200));
}

#[test]
fn a_gruu_reaches_its_instance_and_no_other_device() {
    let mut house = house(open_config());
    let mut alice = page("alice", 1);
    alice.parameters = ";reg-id=1;+sip.instance=\"<urn:uuid:00AB>\"".to_owned();
    let desk = desk_phone("alice", "198.51.100.7:5062");
    for phone in [&alice, &desk] {
        house.receive(&phone.flow, &phone.register(1, ""));
        house.take(&phone.flow);
    }
    let carol = desk_phone("carol", "198.51.100.9:5060");
    house.receive(&carol.flow, &carol.invite("sip:alice@example.com;gr=urn:uuid:00ab", "c1"));
    assert_eq!(house.one(&alice.flow).request_uri(), alice.contact.as_bytes());
    house.nothing(&desk.flow);
    house.take(&carol.flow);
    house.receive(&carol.flow, &carol.invite("sip:alice@example.com;gr=urn:uuid:other", "c2"));
    assert_eq!(house.one(&carol.flow).status(), Some(480));
}

#[test]
fn a_sips_request_takes_no_open_way() {
    let mut house = house(open_config());
    let mut secure = page("alice", 2);
    secure.flow.transport = Transport::Wss;
    secure.via = "SIP/2.0/WSS s.invalid".to_owned();
    for phone in [&page("alice", 1), &secure] {
        house.receive(&phone.flow, &phone.register(1, ""));
        house.take(&phone.flow);
    }
    let mut carol = page("carol", 3);
    carol.flow.transport = Transport::Wss;
    house.receive(&carol.flow, &carol.invite("sips:alice@example.com", "c1"));
    let invite = house.one(&secure.flow);
    house.nothing(&page("alice", 1).flow);
    let routes = values(&invite, HeaderName::RecordRoute);
    assert!(routes.iter().all(|route| route.starts_with("<sip")), "{routes:?}");
}

#[test]
fn a_device_that_registers_while_a_sips_call_rings_gets_it_by_no_open_way() {
    let mut house = house(open_config());
    let mut secure = page("alice", 2);
    secure.flow.transport = Transport::Wss;
    secure.via = "SIP/2.0/WSS s.invalid".to_owned();
    house.receive(&secure.flow, &secure.register(1, ""));
    house.take(&secure.flow);
    let mut carol = page("carol", 3);
    carol.flow.transport = Transport::Wss;
    house.receive(&carol.flow, &carol.invite("sips:alice@example.com", "c1"));
    house.one(&secure.flow);
    let late = page("alice", 1);
    house.receive(&late.flow, &late.register(1, ""));
    let heard: Vec<_> = house.take(&late.flow).iter().map(Message::status).collect();
    assert_eq!(heard, [Some(200)], "no INVITE");
}

/// A proxy that lets a caller wait for 180 ms before it says 100, and a call that has reached its callee.
fn unhurried_call() -> (House, Phone, Phone, Message) {
    let mut house = house(proxy::Config { trying_after: Duration::from_millis(180), ..open_config() });
    let (alice, bob) = (page("alice", 1), desk_phone("bob", "192.0.2.20:5060"));
    house.register(&alice);
    house.register(&bob);
    house.receive(&alice.flow, &alice.invite("sip:bob@example.com", "call"));
    let invite = house.one(&bob.flow);
    (house, alice, bob, invite)
}

#[test]
fn a_caller_whose_callee_rings_soon_gets_no_trying() {
    let (mut house, alice, bob, invite) = unhurried_call();
    house.wait(Duration::from_millis(100));
    assert!(house.take(&alice.flow).is_empty(), "nothing yet");
    house.receive(&bob.flow, &bob.respond(&invite, 180, ""));
    house.wait(Duration::from_millis(300));
    let got: Vec<_> = house.take(&alice.flow).iter().filter_map(Message::status).collect();
    assert_eq!(got, [180]);
}

#[test]
fn a_caller_who_hears_nothing_gets_trying_within_200_milliseconds() {
    let (mut house, alice, ..) = unhurried_call();
    house.wait(Duration::from_millis(200));
    let got: Vec<_> = house.take(&alice.flow).iter().filter_map(Message::status).collect();
    assert_eq!(got, [100]);
}

#[test]
fn all_requests_to_a_server_that_is_away_go_to_its_next_address_even_if_they_fail_together() {
    let mut house = house(open_config());
    let alice = desk_phone("alice", "192.0.2.10:5060");
    house.register(&alice);
    let address = "192.0.2.30:5060".parse().unwrap();
    let first = Hop::Address { transport: Transport::Tcp, address, server_name: None };
    house.hosts.insert("elsewhere.example.net".to_owned(), vec![first.clone(), udp_hop(address)]);
    for call in ["one", "two", "three"] {
        house.receive(&alice.flow, &alice.invite("sip:carol@elsewhere.example.net", call));
    }
    house.sent.clear();
    house.proxy.unreachable(house.now, &first);
    house.drain();
    let calls: Vec<_> = house.sent.iter().map(|(_, message)| header(message, HeaderName::CallId)).collect();
    assert_eq!(calls, ["one", "two", "three"]);
}
