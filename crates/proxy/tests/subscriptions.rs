//! Subscriptions to what the server knows (RFC 6665), with the busy lamp (RFC 4235) as the example.

use std::time::Duration;

use crate::support::{
    House, Phone, answer, config, desk_phone, flow, header, house, method, open_config, page, routes,
    tcp_phone, text,
};
use proxy::{Config, Watchers};
use sip::{HeaderName, Message};

const BOB: &str = "sip:bob@example.com";

/// A SUBSCRIBE outside of a dialog.
fn subscribe(watcher: &Phone, event: &str, call_id: &str, expires: u32) -> String {
    let more = format!("Event: {event}\r\nExpires: {expires}\r\n");
    watcher.request("SUBSCRIBE", BOB, &format!("<{BOB}>"), call_id, 1, &more)
}

/// A later one, in the dialog that the 200 began.
fn again(watcher: &Phone, ok: &Message, cseq: u32, expires: u32) -> String {
    let more = format!("Event: dialog\r\nExpires: {expires}\r\n");
    let contact = header(ok, HeaderName::Contact);
    let target = contact.trim_start_matches('<').trim_end_matches('>');
    let call_id = header(ok, HeaderName::CallId);
    watcher.request("SUBSCRIBE", target, &header(ok, HeaderName::To), &call_id, cseq, &more)
}

/// Subscribes to bob's calls: the 200 and the first NOTIFY, which is answered.
fn watch(house: &mut House, watcher: &Phone) -> (Message, Message) {
    house.receive(&watcher.flow, &subscribe(watcher, "dialog", "watch", 600));
    let mut heard = house.take(&watcher.flow);
    assert_eq!(heard.len(), 2, "{:#?}", heard.iter().map(text).collect::<Vec<_>>());
    let (ok, notify) = (heard.remove(0), heard.remove(0));
    assert_eq!(ok.status(), Some(200), "{}", text(&ok));
    house.receive(&watcher.flow, &watcher.respond(&notify, 200, ""));
    (ok, notify)
}

/// The one NOTIFY that the watcher got, answered.
fn notice(house: &mut House, watcher: &Phone) -> Message {
    let notify = house.one(&watcher.flow);
    assert_eq!(method(&notify), "NOTIFY", "{}", text(&notify));
    house.receive(&watcher.flow, &watcher.respond(&notify, 200, ""));
    notify
}

fn body(message: &Message) -> String {
    String::from_utf8_lossy(message.body()).into_owned()
}

/// The lamp that a document lights.
fn lamp(message: &Message) -> &'static str {
    let body = body(message);
    assert!(body.contains("entity=\"sip:bob@example.com\"") && body.contains("state=\"full\""), "{body}");
    ["confirmed", "early", "trying"].into_iter().find(|state| body.contains(state)).unwrap_or("free")
}

/// Alice on a page, bob on a page, both signed in.
fn two_pages(config: Config) -> (House, Phone, Phone) {
    let mut house = house(config);
    let (alice, bob) = (page("alice", 1), page("bob", 2));
    house.register(&alice);
    house.register(&bob);
    (house, alice, bob)
}

/// Carol calls bob, who has not answered yet: her INVITE as he gets it.
fn ring(house: &mut House, carol: &Phone, bob: &Phone, call_id: &str) -> Message {
    house.receive(&carol.flow, &carol.invite(BOB, call_id));
    let invite = house.one(&bob.flow);
    house.receive(&bob.flow, &bob.respond(&invite, 180, ""));
    house.take(&carol.flow);
    invite
}

#[test]
fn a_watcher_is_told_the_state_at_once_by_his_own_connection() {
    let (mut house, alice, _) = two_pages(config());
    let (ok, notify) = watch(&mut house, &alice);
    assert_eq!(header(&ok, HeaderName::Expires), "600");
    assert_eq!(header(&ok, HeaderName::Contact), "<sip:192.0.2.1:8080;transport=ws>");
    assert_eq!(notify.request_uri(), alice.contact.as_bytes());
    assert_eq!(header(&notify, HeaderName::Event), "dialog");
    assert_eq!(header(&notify, HeaderName::SubscriptionState), "active;expires=600");
    assert_eq!(header(&notify, HeaderName::To), "<sip:alice@example.com>;tag=from-alice");
    assert_eq!(header(&notify, HeaderName::From), header(&ok, HeaderName::To), "the dialog of the 200");
    assert_eq!(header(&notify, HeaderName::ContentType), "application/dialog-info+xml");
    assert_eq!(lamp(&notify), "free");
}

#[test]
fn the_lamp_follows_a_call_from_the_first_ring_to_the_bye() {
    let (mut house, alice, bob) = two_pages(config());
    watch(&mut house, &alice);
    let carol = page("carol", 3);
    house.register(&carol);
    house.receive(&carol.flow, &carol.invite(BOB, "call"));
    let invite = house.one(&bob.flow);
    assert_eq!(lamp(&notice(&mut house, &alice)), "trying");
    house.receive(&bob.flow, &bob.respond(&invite, 180, ""));
    let early = notice(&mut house, &alice);
    assert_eq!(lamp(&early), "early");
    assert!(body(&early).contains("direction=\"recipient\""), "{}", body(&early));
    house.receive(&bob.flow, &bob.respond(&invite, 200, ""));
    assert_eq!(lamp(&notice(&mut house, &alice)), "confirmed");
    let ok = house.take(&carol.flow).pop().unwrap();
    let to = header(&ok, HeaderName::To);
    let bye = carol.request("BYE", &bob.contact, &to, "call", 2, &routes(&ok, true));
    house.receive(&carol.flow, &bye);
    assert_eq!(lamp(&notice(&mut house, &alice)), "free");
}

#[test]
fn the_lamp_of_a_caller_is_lit_too_and_one_document_counts_one_up() {
    let (mut house, alice, bob) = two_pages(config());
    let (_, first) = watch(&mut house, &alice);
    assert!(body(&first).contains("version=\"0\""));
    let carol = page("carol", 3);
    house.register(&carol);
    house.receive(&bob.flow, &bob.invite("sip:carol@example.com", "call"));
    let trying = notice(&mut house, &alice);
    assert_eq!(lamp(&trying), "trying");
    assert!(body(&trying).contains("version=\"1\"") && body(&trying).contains("direction=\"initiator\""));
    let invite = house.one(&carol.flow);
    house.receive(&carol.flow, &carol.respond(&invite, 486, ""));
    assert_eq!(lamp(&notice(&mut house, &alice)), "free");
}

#[test]
fn what_changes_while_a_notify_is_under_way_is_told_after_it() {
    let (mut house, alice, bob) = two_pages(config());
    watch(&mut house, &alice);
    let carol = page("carol", 3);
    house.register(&carol);
    house.receive(&carol.flow, &carol.invite(BOB, "call"));
    let invite = house.one(&bob.flow);
    let trying = house.one(&alice.flow);
    house.receive(&bob.flow, &bob.respond(&invite, 180, ""));
    house.receive(&bob.flow, &bob.respond(&invite, 200, ""));
    house.nothing(&alice.flow);
    house.receive(&alice.flow, &alice.respond(&trying, 200, ""));
    assert_eq!(lamp(&notice(&mut house, &alice)), "confirmed");
}

#[test]
fn a_look_at_the_state_is_one_notify_and_leaves_nothing_behind() {
    let (mut house, alice, _) = two_pages(config());
    house.receive(&alice.flow, &subscribe(&alice, "dialog", "look", 0));
    let heard = house.take(&alice.flow);
    assert_eq!(heard[0].status(), Some(200));
    assert_eq!(header(&heard[1], HeaderName::SubscriptionState), "terminated;reason=timeout");
    assert_eq!(lamp(&heard[1]), "free");
    house.receive(&alice.flow, &alice.respond(&heard[1], 200, ""));
    assert_eq!(house.proxy.subscriptions(), 0);
    house.wait(Duration::from_secs(40));
    assert!(house.proxy.is_idle());
}

#[test]
fn a_refresh_lasts_on_and_is_answered_by_the_state() {
    let (mut house, alice, _) = two_pages(config());
    let (ok, _) = watch(&mut house, &alice);
    house.wait(Duration::from_secs(500));
    house.receive(&alice.flow, &again(&alice, &ok, 2, 600));
    let heard = house.take(&alice.flow);
    assert_eq!(heard[0].status(), Some(200), "{}", text(&heard[0]));
    assert_eq!(header(&heard[1], HeaderName::SubscriptionState), "active;expires=600");
    assert_eq!(header(&heard[1], HeaderName::CSeq), "2 NOTIFY");
    house.receive(&alice.flow, &alice.respond(&heard[1], 200, ""));
    house.wait(Duration::from_secs(50));
    assert_eq!(house.proxy.subscriptions(), 1);
}

#[test]
fn a_subscription_ends_when_its_time_is_over_and_says_so() {
    let (mut house, alice, bob) = two_pages(config());
    watch(&mut house, &alice);
    // Registrations last as long as the subscription.
    house.wait(Duration::from_secs(599));
    house.nothing(&alice.flow);
    house.receive(&bob.flow, &bob.register(9, ""));
    house.wait(Duration::from_secs(1));
    let last = house.take(&alice.flow).pop().unwrap();
    assert_eq!(header(&last, HeaderName::SubscriptionState), "terminated;reason=timeout");
    house.receive(&alice.flow, &alice.respond(&last, 200, ""));
    assert_eq!(house.proxy.subscriptions(), 0);
}

#[test]
fn who_unsubscribes_gets_one_last_notify() {
    let (mut house, alice, _) = two_pages(config());
    let (ok, _) = watch(&mut house, &alice);
    house.receive(&alice.flow, &again(&alice, &ok, 2, 0));
    let heard = house.take(&alice.flow);
    assert_eq!((heard[0].status(), header(&heard[0], HeaderName::Expires).as_str()), (Some(200), "0"));
    assert_eq!(header(&heard[1], HeaderName::SubscriptionState), "terminated;reason=timeout");
    house.receive(&alice.flow, &again(&alice, &ok, 3, 600));
    assert_eq!(house.take(&alice.flow).last().unwrap().status(), Some(481), "it is over");
}

#[test]
fn the_event_of_a_refresh_is_that_of_its_subscription() {
    let (mut house, alice, _) = two_pages(config());
    let (ok, _) = watch(&mut house, &alice);
    let other = again(&alice, &ok, 2, 600).replace("Event: dialog", "Event: dialog;id=7");
    house.receive(&alice.flow, &other);
    assert_eq!(house.one(&alice.flow).status(), Some(481));
    house.receive(&alice.flow, &subscribe(&alice, "dialog;id=7", "other", 600));
    let heard = house.take(&alice.flow);
    assert_eq!(header(&heard[1], HeaderName::Event), "dialog;id=7");
}

#[test]
fn too_little_time_is_refused_with_the_least_and_too_much_is_cut() {
    let (mut house, alice, _) = two_pages(config());
    house.receive(&alice.flow, &subscribe(&alice, "dialog", "short", 5));
    let refused = house.one(&alice.flow);
    assert_eq!((refused.status(), header(&refused, HeaderName::MinExpires).as_str()), (Some(423), "60"));
    house.receive(&alice.flow, &subscribe(&alice, "dialog", "long", 1_000_000));
    assert_eq!(header(&house.take(&alice.flow)[0], HeaderName::Expires), "3600");
}

#[test]
fn events_that_nobody_serves_go_to_the_devices_and_without_one_are_refused() {
    let (mut house, alice, bob) = two_pages(config());
    house.receive(&alice.flow, &subscribe(&alice, "winning-lottery-numbers", "odd", 600));
    let passed = house.one(&bob.flow);
    assert_eq!(method(&passed), "SUBSCRIBE");
    house.receive(&bob.flow, &bob.respond(&passed, 489, ""));
    assert_eq!(house.one(&alice.flow).status(), Some(489));
    house.receive(&bob.flow, &bob.register(5, "Expires: 0\r\n"));
    let challenge = house.one(&bob.flow);
    let credentials = answer(&challenge, "REGISTER", "sip:example.com", "bob", "secret-b");
    house.receive(&bob.flow, &bob.register(6, &format!("Expires: 0\r\nAuthorization: {credentials}\r\n")));
    house.take(&bob.flow);
    house.receive(&alice.flow, &subscribe(&alice, "winning-lottery-numbers", "odd2", 600));
    let refused = house.one(&alice.flow);
    assert_eq!(refused.status(), Some(489));
    assert!(header(&refused, HeaderName::AllowEvents).contains("dialog"));
}

#[test]
fn a_user_who_is_signed_in_nowhere_can_be_watched_and_one_who_is_not_there_cannot() {
    let mut house = house(config());
    let alice = page("alice", 1);
    house.register(&alice);
    assert_eq!(lamp(&watch(&mut house, &alice).1), "free");
    let more = "Event: dialog\r\n";
    let nobody = alice.request("SUBSCRIBE", "sip:eve@example.com", "<sip:eve@example.com>", "eve", 1, more);
    house.receive(&alice.flow, &nobody);
    assert_eq!(house.one(&alice.flow).status(), Some(404));
}

#[test]
fn strangers_watch_nobody_and_hear_the_same_for_all() {
    let mut house = house(config());
    house.register(&page("bob", 2));
    let stranger = desk_phone("mallory", "198.51.100.9:5060");
    let mut answers = Vec::new();
    for user in ["bob", "carol", "eve"] {
        let uri = format!("sip:{user}@example.com");
        let request = stranger
            .request("SUBSCRIBE", &uri, &format!("<{uri}>"), "s", 1, "Event: dialog\r\n")
            .replace("From: <sip:mallory@example.com>", "From: <sip:mallory@elsewhere.example>")
            .replace("z9hG4bK", &format!("z9hG4bK{user}"));
        house.receive(&stranger.flow, &request);
        let answer = house.one(&stranger.flow);
        answers.push((answer.status(), header(&answer, HeaderName::Warning)));
    }
    assert_eq!(answers[0].0, Some(403));
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[test]
fn a_phone_that_does_not_speak_on_a_connection_proves_who_it_is_each_time() {
    let mut house = house(config());
    let alice = desk_phone("alice", "198.51.100.7:5060");
    house.register(&alice);
    let proved = |house: &mut House, request: &str, uri: &str| {
        house.receive(&alice.flow, request);
        let challenge = house.one(&alice.flow);
        assert_eq!(challenge.status(), Some(407), "{}", text(&challenge));
        let credentials = answer(&challenge, "SUBSCRIBE", uri, "alice", "secret-a");
        let request = request
            .replace("CSeq: 1", "CSeq: 11")
            .replace("CSeq: 2", "CSeq: 12")
            .replace("z9hG4bK", "z9hG4bKp")
            .replace("Content-Length", &format!("Proxy-Authorization: {credentials}\r\nContent-Length"));
        house.receive(&alice.flow, &request);
        house.take(&alice.flow)
    };
    let first = proved(&mut house, &subscribe(&alice, "dialog", "watch", 600), BOB);
    assert_eq!((first[0].status(), method(&first[1]).as_str()), (Some(200), "NOTIFY"));
    house.receive(&alice.flow, &alice.respond(&first[1], 200, ""));
    let target = "sip:192.0.2.1:5060;transport=udp";
    let later = proved(&mut house, &again(&alice, &first[0], 2, 600), target);
    assert_eq!((later[0].status(), method(&later[1]).as_str()), (Some(200), "NOTIFY"));
}

#[test]
fn a_subscription_belongs_to_its_subscriber() {
    let (mut house, alice, bob) = two_pages(config());
    let (ok, _) = watch(&mut house, &alice);
    let theft = again(&bob, &ok, 2, 600).replace("tag=from-bob", "tag=from-alice");
    house.receive(&bob.flow, &theft);
    assert_eq!(house.one(&bob.flow).status(), Some(403));
    let guess =
        again(&alice, &ok, 2, 600).replace(&header(&ok, HeaderName::To), &format!("<{BOB}>;tag=guess"));
    house.receive(&alice.flow, &guess);
    assert_eq!(house.one(&alice.flow).status(), Some(481));
}

#[test]
fn where_users_are_told_of_themselves_only_others_are_refused() {
    let mut config = config();
    config.events.watchers = Watchers::Oneself;
    let (mut house, alice, bob) = two_pages(config);
    house.receive(&alice.flow, &subscribe(&alice, "dialog", "watch", 600));
    assert_eq!(house.one(&alice.flow).status(), Some(403));
    watch(&mut house, &bob);
}

#[test]
fn one_user_and_all_together_have_a_bounded_number_of_subscriptions() {
    let mut config = config();
    config.events.subscriptions_per_user = 2;
    config.events.subscriptions = 3;
    let (mut house, alice, bob) = two_pages(config);
    let mut statuses = Vec::new();
    for (watcher, call_id) in [(&alice, "a1"), (&alice, "a2"), (&alice, "a3"), (&bob, "b1"), (&bob, "b2")] {
        house.receive(&watcher.flow, &subscribe(watcher, "dialog", call_id, 600));
        statuses.push(house.take(&watcher.flow)[0].status().unwrap());
    }
    assert_eq!(statuses, [200, 200, 403, 200, 503]);
}

#[test]
fn looks_and_ends_count_until_their_notify_is_answered() {
    let mut config = open_config();
    config.events.subscriptions_per_user = 2;
    let mut house = house(config);
    let alice = desk_phone("alice", "198.51.100.7:5060");
    house.register(&page("bob", 2));
    let begins = |house: &mut House, call_id: &str, expires| {
        house.receive(&alice.flow, &subscribe(&alice, "dialog", call_id, expires));
        house.take(&alice.flow)
    };
    let first = begins(&mut house, "look-1", 0);
    assert_eq!(first[0].status(), Some(200));
    let begun = begins(&mut house, "watch", 600);
    house.receive(&alice.flow, &alice.respond(&begun[1], 200, ""));
    house.receive(&alice.flow, &again(&alice, &begun[0], 2, 0));
    assert_eq!(house.take(&alice.flow)[0].status(), Some(200));
    assert_eq!(begins(&mut house, "look-2", 0)[0].status(), Some(403), "both NOTIFYs are being repeated");
    house.receive(&alice.flow, &alice.respond(&first[1], 200, ""));
    assert_eq!(begins(&mut house, "look-3", 0)[0].status(), Some(200));
    house.wait(Duration::from_secs(33));
    assert_eq!(house.proxy.subscriptions(), 0, "nor does it count for ever");
    house.take(&alice.flow);
    assert_eq!(begins(&mut house, "look-4", 0)[0].status(), Some(200));
}

#[test]
fn a_datagram_tells_of_the_calls_that_are_furthest() {
    let (mut house, _, bob) = two_pages(open_config());
    let lamp_phone = desk_phone("carol", "198.51.100.7:5060");
    watch(&mut house, &lamp_phone);
    for call in 0..20 {
        let carol = page("carol", 3);
        house.receive(&carol.flow, &carol.invite(BOB, &format!("call-{call}")));
        let invite = house.one(&bob.flow);
        if call == 19 {
            house.receive(&bob.flow, &bob.respond(&invite, 200, ""));
        }
        for notify in house.take(&lamp_phone.flow) {
            house.receive(&lamp_phone.flow, &lamp_phone.respond(&notify, 200, ""));
        }
    }
    house.receive(&lamp_phone.flow, &subscribe(&lamp_phone, "dialog", "look", 0));
    let notify = house.take(&lamp_phone.flow).pop().unwrap();
    assert_eq!(lamp(&notify), "confirmed");
    assert!(notify.body().len() <= 1300, "{}", notify.body().len());
}

#[test]
fn a_subscriber_who_knows_nothing_of_it_is_told_no_more() {
    for status in [481, 489, 405] {
        let (mut house, alice, bob) = two_pages(config());
        house.receive(&alice.flow, &subscribe(&alice, "dialog", "watch", 600));
        let notify = house.take(&alice.flow).remove(1);
        house.receive(&alice.flow, &alice.respond(&notify, status, ""));
        assert_eq!(house.proxy.subscriptions(), 0, "{status}");
        let carol = page("carol", 3);
        house.register(&carol);
        ring(&mut house, &carol, &bob, "call");
        house.nothing(&alice.flow);
    }
}

#[test]
fn a_subscriber_who_never_answers_is_given_up() {
    let mut house = house(open_config());
    let alice = desk_phone("alice", "198.51.100.7:5060");
    house.register(&alice);
    house.register(&page("bob", 2));
    house.receive(&alice.flow, &subscribe(&alice, "dialog", "watch", 600));
    assert_eq!(house.proxy.subscriptions(), 1);
    house.wait(Duration::from_secs(33));
    assert_eq!(house.proxy.subscriptions(), 0);
    assert!(house.proxy.is_idle());
}

#[test]
fn a_page_that_comes_back_is_told_what_it_missed_and_one_that_does_not_is_forgotten() {
    for comes_back in [true, false] {
        let (mut house, alice, bob) = two_pages(config());
        watch(&mut house, &alice);
        let carol = page("carol", 3);
        house.register(&carol);
        house.close(&alice.flow);
        ring(&mut house, &carol, &bob, "call");
        let back = Phone { flow: flow(sip::Transport::Ws, 9, "203.0.113.9:40009", 8080), ..alice.clone() };
        if comes_back {
            house.receive(&back.flow, &back.register(7, ""));
            let challenge = house.one(&back.flow);
            let credentials = answer(&challenge, "REGISTER", "sip:example.com", "alice", "secret-a");
            house.receive(&back.flow, &back.register(8, &format!("Authorization: {credentials}\r\n")));
            let mut heard = house.take(&back.flow);
            let notify = heard.pop().unwrap();
            assert_eq!(method(&notify), "NOTIFY");
            assert_eq!(lamp(&notify), "early");
        } else {
            house.wait(Duration::from_secs(31));
            assert_eq!(house.proxy.subscriptions(), 0);
        }
    }
}

/// The same page, on another connection.
fn reconnected(page: &Phone) -> Phone {
    let flow = flow(sip::Transport::Ws, 9, "203.0.113.9:40009", 8080);
    Phone { flow, call_id: "again".to_owned(), ..page.clone() }
}

#[test]
fn a_page_that_registers_anew_before_its_old_connection_is_closed_is_told_on_the_new_one() {
    let (mut house, alice, bob) = two_pages(config());
    watch(&mut house, &alice);
    let carol = page("carol", 3);
    house.register(&carol);
    let back = reconnected(&alice);
    house.register(&back);
    house.close(&alice.flow);
    house.wait(Duration::from_secs(31));
    assert_eq!(house.proxy.subscriptions(), 1);
    ring(&mut house, &carol, &bob, "call");
    assert_eq!(lamp(&notice(&mut house, &back)), "trying");
}

#[test]
fn what_a_closed_connection_has_swallowed_is_told_on_the_new_one() {
    let (mut house, alice, bob) = two_pages(config());
    watch(&mut house, &alice);
    let carol = page("carol", 3);
    house.register(&carol);
    ring(&mut house, &carol, &bob, "call");
    assert_eq!(lamp(&house.one(&alice.flow)), "trying");
    let back = reconnected(&alice);
    house.register(&back);
    house.close(&alice.flow);
    assert_eq!(lamp(&notice(&mut house, &back)), "early");
}

#[test]
fn no_lamp_is_lit_for_ever() {
    // The longest call, a session timer, and a user who is signed in nowhere any more.
    for (more, seconds) in [("", 4 * 3600), ("Session-Expires: 90;refresher=uas\r\n", 150)] {
        let mut config = open_config();
        config.events.maximum_expiry = Duration::from_secs(86_400);
        config.registrar.maximum_expiry = Duration::from_secs(86_400);
        config.registrar.default_expiry = Duration::from_secs(86_400);
        let (mut house, alice, bob) = two_pages(config);
        house.receive(&alice.flow, &subscribe(&alice, "dialog", "watch", 86_400));
        let notify = house.take(&alice.flow).remove(1);
        house.receive(&alice.flow, &alice.respond(&notify, 200, ""));
        let carol = page("carol", 3);
        house.register(&carol);
        let invite = ring(&mut house, &carol, &bob, "call");
        house.receive(&bob.flow, &bob.respond(&invite, 200, more));
        let notify = house.take(&alice.flow).remove(0);
        house.receive(&alice.flow, &alice.respond(&notify, 200, ""));
        assert_eq!(lamp(&notice(&mut house, &alice)), "confirmed");
        house.wait(Duration::from_secs(seconds - 1));
        house.nothing(&alice.flow);
        house.wait(Duration::from_secs(2));
        assert_eq!(lamp(&notice(&mut house, &alice)), "free", "after {seconds} s");
    }
}

#[test]
fn the_lamp_of_a_page_that_was_closed_in_a_call_goes_out_with_its_registration() {
    let (mut house, alice, bob) = two_pages(config());
    watch(&mut house, &alice);
    let carol = page("carol", 3);
    house.register(&carol);
    let invite = ring(&mut house, &carol, &bob, "call");
    let notify = house.take(&alice.flow).remove(0);
    house.receive(&alice.flow, &alice.respond(&notify, 200, ""));
    notice(&mut house, &alice);
    house.receive(&bob.flow, &bob.respond(&invite, 200, ""));
    assert_eq!(lamp(&notice(&mut house, &alice)), "confirmed");
    house.close(&bob.flow);
    house.wait(Duration::from_secs(31));
    assert_eq!(lamp(&notice(&mut house, &alice)), "free");
}

/// A server before us forks a call to bob and to carol, and alice watches bob, who rings: the server, and the two
/// INVITEs.
fn forked_before_us(house: &mut House, alice: &Phone, bob: &Phone, carol: &Phone) -> (Phone, [Message; 2]) {
    house.register(carol);
    watch(house, alice);
    let peer = tcp_phone("dave", 5, "198.51.100.7:40001", "198.51.100.7:5060");
    let invites = [(bob, BOB), (carol, "sip:carol@example.com")].map(|(callee, uri)| {
        let branch = format!("z9hG4bK{}", callee.user);
        house.receive(&peer.flow, &peer.invite(uri, "fork").replace("z9hG4bK", &branch));
        house.one(&callee.flow)
    });
    assert_eq!(lamp(&notice(house, alice)), "trying");
    house.receive(&bob.flow, &bob.respond(&invites[0], 180, ""));
    assert_eq!(lamp(&notice(house, alice)), "early");
    (peer, invites)
}

fn with_a_peer() -> (House, Phone, Phone) {
    let trusted_peers = vec![sip::AddressRange::single("198.51.100.7".parse().unwrap())];
    two_pages(Config { trusted_peers, ..open_config() })
}

#[test]
fn the_lamp_of_a_callee_stays_lit_when_another_branch_of_a_fork_before_us_is_refused() {
    let (mut house, alice, bob) = with_a_peer();
    let carol = page("carol", 3);
    let (_, [to_bob, to_carol]) = forked_before_us(&mut house, &alice, &bob, &carol);
    house.receive(&carol.flow, &carol.respond(&to_carol, 486, ""));
    house.nothing(&alice.flow);
    house.receive(&bob.flow, &bob.respond(&to_bob, 200, ""));
    assert_eq!(lamp(&notice(&mut house, &alice)), "confirmed");
}

#[test]
fn who_rings_is_in_no_call_when_another_branch_of_a_fork_before_us_is_answered() {
    let (mut house, alice, bob) = with_a_peer();
    let carol = page("carol", 3);
    let (peer, [to_bob, to_carol]) = forked_before_us(&mut house, &alice, &bob, &carol);
    house.receive(&carol.flow, &carol.respond(&to_carol, 200, ""));
    house.nothing(&alice.flow);
    let cancel = peer.request("CANCEL", BOB, &format!("<{BOB}>"), "fork", 1, "");
    house.receive(&peer.flow, &cancel.replace("z9hG4bKdaveCANCEL", "z9hG4bKbobdaveINVITE"));
    house.receive(&bob.flow, &bob.respond(&to_bob, 487, ""));
    assert_eq!(lamp(&notice(&mut house, &alice)), "free");
}

#[test]
fn the_lamp_of_a_caller_is_lit_until_the_last_of_his_invites_is_refused() {
    let (mut house, alice, bob) = two_pages(open_config());
    watch(&mut house, &alice);
    let callees = [page("carol", 3), page("dave", 4)];
    let invites = callees.each_ref().map(|callee| {
        house.register(callee);
        let invite = bob.invite(&format!("sip:{}@example.com", callee.user), "fork");
        house.receive(&bob.flow, &invite.replace("z9hG4bK", &format!("z9hG4bK{}", callee.user)));
        house.one(&callee.flow)
    });
    assert_eq!(lamp(&notice(&mut house, &alice)), "trying");
    house.receive(&callees[0].flow, &callees[0].respond(&invites[0], 486, ""));
    house.nothing(&alice.flow);
    house.receive(&callees[1].flow, &callees[1].respond(&invites[1], 486, ""));
    assert_eq!(lamp(&notice(&mut house, &alice)), "free");
}

#[test]
fn a_page_that_is_loaded_anew_sees_the_call_that_is_up() {
    let (mut house, alice, bob) = two_pages(config());
    let (ok, _) = watch(&mut house, &alice);
    house.receive(&alice.flow, &again(&alice, &ok, 2, 0));
    house.take(&alice.flow);
    let carol = page("carol", 3);
    house.register(&carol);
    let invite = ring(&mut house, &carol, &bob, "call");
    house.receive(&bob.flow, &bob.respond(&invite, 200, ""));
    house.receive(&alice.flow, &subscribe(&alice, "dialog", "anew", 600));
    assert_eq!(lamp(&house.take(&alice.flow)[1]), "confirmed");
}
