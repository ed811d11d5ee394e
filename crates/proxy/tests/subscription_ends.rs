//! The last NOTIFY of a subscription (RFC 6665 §4.1.2.3, §4.2.1.2), also where it has to wait for something, and the
//! subscriptions of other servers, which are reached by their own name.

use std::time::Duration;

use crate::support::{
    House, Phone, flow, header, house, method, open_config, page, tcp_phone, text, udp_hop,
};
use proxy::{Config, Output};
use sip::{HeaderName, Message};

const BOB: &str = "sip:bob@example.com";
const MOMENT: Duration = Duration::from_millis(10);

fn subscribe(watcher: &Phone, call_id: &str, expires: u32, more: &str) -> String {
    let more = format!("Event: dialog\r\nExpires: {expires}\r\n{more}");
    watcher.request("SUBSCRIBE", BOB, &format!("<{BOB}>"), call_id, 1, &more)
}

fn again(watcher: &Phone, ok: &Message, cseq: u32, expires: u32) -> String {
    let more = format!("Event: dialog\r\nExpires: {expires}\r\n");
    let contact = header(ok, HeaderName::Contact);
    let target = contact.trim_start_matches('<').trim_end_matches('>');
    let (to, call_id) = (header(ok, HeaderName::To), header(ok, HeaderName::CallId));
    watcher.request("SUBSCRIBE", target, &to, &call_id, cseq, &more)
}

fn state(notify: &Message) -> String {
    assert_eq!(method(notify), "NOTIFY", "{}", text(notify));
    header(notify, HeaderName::SubscriptionState)
}

/// Alice watches bob for a minute; her 200, and the NOTIFY that she has not answered yet.
fn slow_watcher() -> (House, Phone, Message, Message) {
    let mut house = house(open_config());
    let (alice, bob) = (page("alice", 1), page("bob", 2));
    house.register(&alice);
    house.register(&bob);
    house.receive(&alice.flow, &subscribe(&alice, "watch", 60, ""));
    let mut heard = house.take(&alice.flow);
    let notify = heard.pop().unwrap();
    (house, alice, heard.remove(0), notify)
}

#[test]
fn who_unsubscribes_before_a_notify_has_arrived_gets_the_last_one_after_it() {
    let (mut house, alice, ok, first) = slow_watcher();
    house.receive(&alice.flow, &again(&alice, &ok, 2, 0));
    assert_eq!(house.one(&alice.flow).status(), Some(200));
    house.wait(MOMENT);
    house.receive(&alice.flow, &alice.respond(&first, 200, ""));
    let last = house.one(&alice.flow);
    assert_eq!(state(&last), "terminated;reason=timeout");
    house.receive(&alice.flow, &alice.respond(&last, 200, ""));
    assert_eq!(house.proxy.subscriptions(), 0);
}

#[test]
fn a_subscription_whose_time_is_over_before_a_notify_has_arrived_says_so_after_it() {
    let (mut house, alice, _, first) = slow_watcher();
    house.receive(&alice.flow, &alice.respond(&first, 200, ""));
    house.wait(Duration::from_secs(50));
    let carol = page("carol", 3);
    house.register(&carol);
    house.receive(&carol.flow, &carol.invite(BOB, "call"));
    let trying = house.one(&alice.flow);
    house.wait(Duration::from_secs(15));
    house.nothing(&alice.flow);
    house.receive(&alice.flow, &alice.respond(&trying, 200, ""));
    assert_eq!(state(&house.one(&alice.flow)), "terminated;reason=timeout");
}

#[test]
fn who_thinks_again_before_the_last_notify_stays() {
    let (mut house, alice, ok, first) = slow_watcher();
    house.receive(&alice.flow, &again(&alice, &ok, 2, 0));
    house.receive(&alice.flow, &again(&alice, &ok, 3, 600));
    let statuses: Vec<_> = house.take(&alice.flow).iter().map(Message::status).collect();
    assert_eq!(statuses, [Some(200), Some(200)]);
    house.receive(&alice.flow, &alice.respond(&first, 200, ""));
    assert_eq!(state(&house.one(&alice.flow)), "active;expires=600");
}

#[test]
fn who_answers_nothing_after_the_end_is_forgotten() {
    let (mut house, alice, ok, _) = slow_watcher();
    house.receive(&alice.flow, &again(&alice, &ok, 2, 0));
    house.wait(Duration::from_secs(41));
    assert_eq!(house.proxy.subscriptions(), 0);
    assert!(house.proxy.is_idle());
}

/// Another server, which is reached by the name in its Record-Route.
fn peer() -> (House, Phone) {
    let peer = tcp_phone("alice", 5, "198.51.100.7:40001", "198.51.100.7:5060");
    let trusted_peers = vec![sip::AddressRange::single(peer.flow.remote.ip())];
    let mut house = house(Config { trusted_peers, ..open_config() });
    house.register(&page("bob", 2));
    house.hosts.insert("edge.example.net".to_owned(), vec![udp_hop("198.51.100.8:5060".parse().unwrap())]);
    (house, peer)
}

const ROUTE: &str = "Record-Route: <sip:edge.example.net;lr>\r\n";

#[test]
fn a_look_of_another_server_is_answered_also_when_its_name_is_slow_to_be_found() {
    let (mut house, peer) = peer();
    house.proxy.receive(house.now, &peer.flow, subscribe(&peer, "look", 0, ROUTE).as_bytes());
    let mut asked = None;
    loop {
        match house.proxy.poll() {
            Output::Ask { id, .. } => asked = Some(id),
            Output::Timeout(_) => break,
            _ => {}
        }
    }
    house.now += Duration::from_secs(2);
    house.proxy.timeout(house.now);
    let edge = flow(sip::Transport::Udp, 0, "198.51.100.8:5060", 5060);
    house.proxy.resolved(house.now, asked.unwrap(), Ok(vec![udp_hop(edge.remote)]));
    house.drain();
    assert_eq!(state(&house.one(&edge)), "terminated;reason=timeout");
}

#[test]
fn another_server_that_closes_an_idle_connection_is_told_by_its_own_name() {
    let (mut house, peer) = peer();
    let edge = flow(sip::Transport::Udp, 0, "198.51.100.8:5060", 5060);
    house.receive(&peer.flow, &subscribe(&peer, "watch", 600, ROUTE));
    assert_eq!(house.one(&peer.flow).status(), Some(200));
    let first = house.one(&edge);
    house.receive(&edge, &peer.respond(&first, 200, ""));
    house.close(&peer.flow);
    house.wait(Duration::from_secs(60));
    let carol = page("carol", 3);
    house.register(&carol);
    house.receive(&carol.flow, &carol.invite(BOB, "call"));
    assert_eq!(state(&house.one(&edge)), "active;expires=540");
}
