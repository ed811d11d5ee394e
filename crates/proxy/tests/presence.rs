//! Presence, from registrations and PUBLISH (RFC 3856, RFC 3903), and where one is signed in (RFC 3680).

use std::time::Duration;

use crate::support::{House, Phone, config, desk_phone, header, house, method, open_config, page, text};
use proxy::Config;
use sip::{HeaderName, Message};

const BOB: &str = "sip:bob@example.com";

/// Subscribes to something of bob's; the first NOTIFY, answered.
fn watch(house: &mut House, watcher: &Phone, event: &str) -> Message {
    let more = format!("Event: {event}\r\nExpires: 3000\r\n");
    house.receive(&watcher.flow, &watcher.request("SUBSCRIBE", BOB, &format!("<{BOB}>"), event, 1, &more));
    let mut heard = house.take(&watcher.flow);
    assert_eq!(heard[0].status(), Some(200), "{}", text(&heard[0]));
    let notify = heard.remove(1);
    house.receive(&watcher.flow, &watcher.respond(&notify, 200, ""));
    notify
}

fn notice(house: &mut House, watcher: &Phone) -> Message {
    let notify = house.one(&watcher.flow);
    assert_eq!(method(&notify), "NOTIFY", "{}", text(&notify));
    house.receive(&watcher.flow, &watcher.respond(&notify, 200, ""));
    notify
}

fn body(message: &Message) -> String {
    String::from_utf8_lossy(message.body()).into_owned()
}

/// A PUBLISH of a note, under a tag if it changes something.
fn publish(phone: &Phone, cseq: u32, tag: &str, expires: u32, note: &str) -> String {
    let tag = if tag.is_empty() { String::new() } else { format!("SIP-If-Match: {tag}\r\n") };
    let document =
        if note.is_empty() { String::new() } else { format!("<presence><note>{note}</note></presence>") };
    let kind = if note.is_empty() { "" } else { "Content-Type: application/pidf+xml\r\n" };
    let more = format!("Event: presence\r\nExpires: {expires}\r\n{tag}{kind}");
    let request = phone.request("PUBLISH", BOB, &format!("<{BOB}>"), "publish", cseq, &more);
    request.replace(
        "Content-Length: 0\r\n\r\n",
        &format!("Content-Length: {}\r\n\r\n{document}", document.len()),
    )
}

/// Publishes; the status, and the tag.
fn published(house: &mut House, phone: &Phone, request: &str) -> (u16, String) {
    house.receive(&phone.flow, request);
    let response = house.one(&phone.flow);
    (response.status().unwrap(), header(&response, HeaderName::SipETag))
}

fn scene(config: Config) -> (House, Phone, Phone) {
    let mut house = house(config);
    let (alice, bob) = (page("alice", 1), page("bob", 2));
    house.register(&alice);
    (house, alice, bob)
}

#[test]
fn a_user_is_there_while_some_device_is_signed_in() {
    let (mut house, alice, bob) = scene(config());
    let first = watch(&mut house, &alice, "presence");
    assert_eq!(header(&first, HeaderName::ContentType), "application/pidf+xml");
    assert!(body(&first).contains("entity=\"sip:bob@example.com\""), "{}", body(&first));
    assert!(body(&first).contains("<basic>closed</basic>"));
    house.register(&bob);
    assert!(body(&notice(&mut house, &alice)).contains("<basic>open</basic>"));
    house.close(&bob.flow);
    house.wait(Duration::from_secs(31));
    assert!(body(&notice(&mut house, &alice)).contains("<basic>closed</basic>"));
}

#[test]
fn a_registration_that_is_only_refreshed_is_no_news() {
    let (mut house, alice, bob) = scene(open_config());
    house.register(&bob);
    watch(&mut house, &alice, "presence");
    house.receive(&bob.flow, &bob.register(5, ""));
    house.take(&bob.flow);
    house.nothing(&alice.flow);
}

#[test]
fn what_a_user_publishes_is_told_in_place_of_what_the_registrar_knows() {
    let (mut house, alice, bob) = scene(config());
    house.register(&bob);
    watch(&mut house, &alice, "presence");
    let (status, tag) = published(&mut house, &bob, &publish(&bob, 1, "", 600, "at lunch"));
    assert_eq!(status, 200);
    assert!(body(&notice(&mut house, &alice)).contains("at lunch"));
    let (status, changed) = published(&mut house, &bob, &publish(&bob, 2, &tag, 600, "back soon"));
    assert_eq!(status, 200);
    assert_ne!(tag, changed, "each publication has a tag of its own");
    assert!(body(&notice(&mut house, &alice)).contains("back soon"));
    let (status, _) = published(&mut house, &bob, &publish(&bob, 3, &changed, 0, ""));
    assert_eq!(status, 200);
    assert!(body(&notice(&mut house, &alice)).contains("<basic>open</basic>"));
}

#[test]
fn a_refresh_keeps_the_document_and_needs_the_tag() {
    let (mut house, alice, bob) = scene(config());
    house.register(&bob);
    watch(&mut house, &alice, "presence");
    let (_, tag) = published(&mut house, &bob, &publish(&bob, 1, "", 100, "at lunch"));
    notice(&mut house, &alice);
    house.wait(Duration::from_secs(90));
    let (status, later) = published(&mut house, &bob, &publish(&bob, 2, &tag, 100, ""));
    assert_eq!(status, 200);
    assert_eq!(published(&mut house, &bob, &publish(&bob, 3, &tag, 100, "")).0, 412, "the old tag");
    house.wait(Duration::from_secs(90));
    house.nothing(&alice.flow);
    assert_eq!(published(&mut house, &bob, &publish(&bob, 4, &later, 100, "")).0, 200);
}

#[test]
fn what_is_published_can_be_refreshed_also_where_less_is_taken_by_now() {
    let (mut house, _, bob) = scene(config());
    house.register(&bob);
    let (_, tag) = published(&mut house, &bob, &publish(&bob, 1, "", 600, "at lunch"));
    published(&mut house, &bob, &publish(&bob, 2, "", 600, "on the desk phone"));
    let mut less = config();
    less.events.subscriptions = 1;
    house.proxy.reconfigure(less);
    house.drain();
    assert_eq!(published(&mut house, &bob, &publish(&bob, 3, "", 600, "more")).0, 503);
    assert_eq!(published(&mut house, &bob, &publish(&bob, 4, &tag, 600, "")).0, 200);
}

#[test]
fn a_publication_ends_with_its_time() {
    let (mut house, alice, bob) = scene(config());
    house.register(&bob);
    watch(&mut house, &alice, "presence");
    let (_, tag) = published(&mut house, &bob, &publish(&bob, 1, "", 100, "at lunch"));
    notice(&mut house, &alice);
    house.wait(Duration::from_secs(101));
    assert!(body(&notice(&mut house, &alice)).contains("<basic>open</basic>"));
    assert_eq!(published(&mut house, &bob, &publish(&bob, 2, &tag, 100, "")).0, 412);
}

#[test]
fn what_cannot_be_published_is_refused() {
    let (mut house, alice, bob) = scene(config());
    house.register(&bob);
    assert_eq!(published(&mut house, &bob, &publish(&bob, 1, "", 5, "x")).0, 423);
    assert_eq!(published(&mut house, &bob, &publish(&bob, 2, "", 600, "")).0, 400);
    assert_eq!(published(&mut house, &bob, &publish(&bob, 3, "guess", 600, "x")).0, 412);
    assert_eq!(published(&mut house, &bob, &publish(&bob, 4, "", 600, &"x".repeat(9000))).0, 413);
    let other = publish(&bob, 5, "", 600, "x").replace("pidf+xml", "json");
    assert_eq!(published(&mut house, &bob, &other).0, 415);
    assert_eq!(published(&mut house, &alice, &publish(&alice, 6, "", 600, "x")).0, 403, "for another");
    let mut statuses = Vec::new();
    for number in 0..21 {
        statuses.push(published(&mut house, &bob, &publish(&bob, 10 + number, "", 600, "x")).0);
    }
    assert_eq!((statuses[19], statuses[20]), (200, 503), "a device has one");
}

#[test]
fn where_one_is_signed_in_is_told_to_oneself_alone() {
    let (mut house, alice, bob) = scene(config());
    house.register(&bob);
    let first = watch(&mut house, &bob, "reg");
    assert_eq!(header(&first, HeaderName::ContentType), "application/reginfo+xml");
    assert!(body(&first).contains(&format!("<uri>{}</uri>", bob.contact)), "{}", body(&first));
    house.register(&desk_phone("bob", "198.51.100.7:5060"));
    let second = notice(&mut house, &bob);
    assert_eq!(body(&second).matches("<contact ").count(), 2, "{}", body(&second));
    assert!(body(&second).contains("version=\"1\""));
    let more = "Event: reg\r\n";
    house.receive(&alice.flow, &alice.request("SUBSCRIBE", BOB, &format!("<{BOB}>"), "spy", 1, more));
    assert_eq!(house.one(&alice.flow).status(), Some(403));
}

#[test]
fn what_is_too_large_for_a_datagram_is_told_by_connections_alone() {
    let (mut house, alice, bob) = scene(open_config());
    house.register(&bob);
    let note = "x".repeat(5000);
    assert_eq!(published(&mut house, &bob, &publish(&bob, 1, "", 600, &note)).0, 200);
    assert!(body(&watch(&mut house, &alice, "presence")).contains(&note));
    let desk = desk_phone("carol", "198.51.100.7:5060");
    assert!(body(&watch(&mut house, &desk, "presence")).contains("<basic>open</basic>"));
    let phone = desk_phone("bob", "198.51.100.8:5060");
    for device in 0..8 {
        let contact = format!("Contact: <sip:bob@198.51.100.8:{};x={}>\r\n", 5060 + device, "y".repeat(200));
        house.receive(&phone.flow, &phone.register_contact(device + 1, &contact));
        house.take(&phone.flow);
    }
    assert!(body(&watch(&mut house, &bob, "reg")).len() > 1300);
    house.receive(
        &phone.flow,
        &phone.request("SUBSCRIBE", BOB, &format!("<{BOB}>"), "r", 1, "Event: reg\r\n"),
    );
    let notify = house.take(&phone.flow).pop().unwrap();
    assert_eq!((method(&notify).as_str(), notify.body().len()), ("NOTIFY", 0));
}
