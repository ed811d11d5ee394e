//! The resolver against a name server on loopback.

mod support;

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use net::{ResolveError, Resolver};
use sip::Transport;
use support::{run, short};
use tokio::net::UdpSocket;

/// A name as it stands in a DNS message (RFC 1035 §3.1).
fn name(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

fn srv(priority: u16, port: u16, target: &str) -> Vec<u8> {
    let mut bytes = priority.to_be_bytes().to_vec();
    bytes.extend(10u16.to_be_bytes());
    bytes.extend(port.to_be_bytes());
    bytes.extend(name(target));
    bytes
}

fn naptr(order: u16, service: &str, replacement: &str) -> Vec<u8> {
    let mut bytes = order.to_be_bytes().to_vec();
    bytes.extend(10u16.to_be_bytes());
    for text in ["s", service, ""] {
        bytes.push(text.len() as u8);
        bytes.extend(text.as_bytes());
    }
    bytes.extend(name(replacement));
    bytes
}

/// The records of the zone: kind and data of each.
fn records(question: &str, kind: u16) -> Vec<Vec<u8>> {
    match (question, kind) {
        ("example.com", 35) => vec![
            naptr(20, "SIP+D2U", "_sip._udp.example.com"),
            naptr(10, "SIPS+D2T", "_sips._tcp.example.com"),
        ],
        ("_sips._tcp.example.com", 33) => {
            vec![srv(2, 5063, "two.example.com"), srv(1, 5062, "one.example.com")]
        }
        ("_sip._udp.example.com", 33) => vec![srv(1, 5060, "one.example.com")],
        // Its second server is in a zone whose name servers are down.
        ("_sip._udp.half.example" | "_sip._tcp.half.example" | "_sips._tcp.half.example", 33) => {
            vec![
                srv(1, 5060, "one.example.com"),
                srv(2, 5060, "a.dead.example"),
                srv(3, 5060, "b.dead.example"),
            ]
        }
        ("one.example.com", 1) => vec![vec![192, 0, 2, 1]],
        ("two.example.com", 1) => vec![vec![192, 0, 2, 2]],
        ("two.example.com", 28) => {
            vec!["2001:db8::2".parse::<std::net::Ipv6Addr>().unwrap().octets().to_vec()]
        }
        _ => Vec::new(),
    }
}

/// The kind of one query, and the answer to it (RFC 1035 §4.1); `None`: nobody knows it.
fn answer(query: &[u8]) -> Option<(u16, Vec<u8>)> {
    let mut labels = Vec::new();
    let mut at = 12;
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..end]).to_lowercase());
        at = end;
    }
    let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    if labels.iter().any(|label| label == "dead") {
        return None;
    }
    let found = records(&labels.join("."), kind);
    let mut bytes = query[..2].to_vec();
    bytes.extend([0x85, 0x80, 0, 1]);
    bytes.extend((found.len() as u16).to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(&query[12..at + 5]);
    for data in found {
        bytes.extend([0xc0, 12]);
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1, 0, 0, 0, 60]);
        bytes.extend((data.len() as u16).to_be_bytes());
        bytes.extend(data);
    }
    Some((kind, bytes))
}

/// A name server, and how many queries it has seen.
async fn name_server() -> (SocketAddr, Rc<Cell<usize>>) {
    name_server_that_answers(|_| true).await
}

/// The same; it answers only to those kinds of query.
async fn name_server_that_answers(kinds: fn(u16) -> bool) -> (SocketAddr, Rc<Cell<usize>>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let seen = Rc::new(Cell::new(0));
    let count = Rc::clone(&seen);
    tokio::task::spawn_local(async move {
        let mut query = [0; 1000];
        loop {
            let (length, peer) = socket.recv_from(&mut query).await.unwrap();
            count.set(count.get() + 1);
            if let Some((kind, answer)) = answer(&query[..length])
                && kinds(kind)
            {
                socket.send_to(&answer, peer).await.unwrap();
            }
        }
    });
    (address, seen)
}

#[test]
fn naptr_srv_and_addresses_are_followed_and_kept() {
    run(async {
        let (server, seen) = name_server().await;
        let resolver = Resolver::with_servers(&[server]);
        for _ in 0..2 {
            let hops = resolver.resolve("example.com", None, None, false).await.unwrap();
            let hops: Vec<_> = hops.iter().map(|hop| (hop.transport(), hop.address().to_string())).collect();
            assert_eq!(
                hops,
                [
                    (Transport::Tls, "192.0.2.1:5062".to_owned()),
                    (Transport::Tls, "192.0.2.2:5063".to_owned()),
                    (Transport::Tls, "[2001:db8::2]:5063".to_owned()),
                    (Transport::Udp, "192.0.2.1:5060".to_owned()),
                ]
            );
        }
        let asked = seen.get();
        resolver.resolve("example.com", None, None, true).await.unwrap();
        assert!(seen.get() <= asked + 2, "answers that were known were asked for again");
    });
}

#[test]
fn a_name_that_does_not_exist_is_asked_for_once() {
    run(async {
        let (server, seen) = name_server().await;
        let resolver = Resolver::with_servers(&[server]);
        for _ in 0..3 {
            let outcome = resolver.resolve("nobody.example.com", Some(5060), None, false).await;
            assert_eq!(outcome, Err(ResolveError::NotFound));
        }
        assert!(seen.get() <= 2, "{} queries for one A and one AAAA", seen.get());
    });
}

/// It has no IPv6 address, and the answer about IPv4 is lost.
#[test]
fn a_host_of_which_only_half_is_known_is_not_said_to_be_none() {
    run(async {
        let (server, _) = name_server_that_answers(|kind| kind == 28).await;
        let resolver = Resolver::with_servers(&[server]);
        let outcome = resolver.resolve("one.example.com", Some(5060), None, false).await;
        assert_eq!(outcome, Err(ResolveError::Unanswered));
    });
}

#[test]
fn a_server_that_is_known_is_called_though_the_names_of_its_substitutes_are_not_answered() {
    run(async {
        let (server, _) = name_server().await;
        let resolver = Resolver::with_servers(&[server]);
        let search = resolver.resolve("half.example", None, None, false);
        let hops = tokio::time::timeout(short(6_000), search).await.unwrap().unwrap();
        assert_eq!(hops[0].address().to_string(), "192.0.2.1:5060");
        assert_eq!(hops[0].transport(), Transport::Udp);
    });
}

/// As some firewalls do it. Only the first call waits long enough for the query to be repeated.
#[test]
fn a_domain_whose_naptr_queries_are_dropped_is_found_by_its_srv_records() {
    run(async {
        let (server, seen) = name_server_that_answers(|kind| kind != 35).await;
        let resolver = Resolver::with_servers(&[server]);
        for _ in 0..2 {
            seen.set(0);
            let hops = resolver.resolve("example.com", None, None, true).await.unwrap();
            assert_eq!(hops[0].address().to_string(), "192.0.2.1:5062");
        }
        // All else is known, but for the address of the other family that the first server does not have.
        assert!(seen.get() <= 2, "NAPTR was asked for more than once: {} queries", seen.get());
    });
}

#[test]
fn a_silent_name_server_costs_a_bounded_time() {
    run(async {
        let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let resolver = Resolver::with_servers(&[silent.local_addr().unwrap()]);
        let search = resolver.resolve("example.com", None, None, false);
        let outcome = tokio::time::timeout(short(6_000), search).await.unwrap();
        assert_eq!(outcome, Err(ResolveError::Unanswered));
        let again = resolver.resolve("example.com", None, None, false);
        let outcome = tokio::time::timeout(short(100), again).await.unwrap();
        assert_eq!(outcome, Err(ResolveError::Unanswered), "asked again at once");
    });
}
