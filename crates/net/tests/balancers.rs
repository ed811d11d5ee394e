//! Connections through a load balancer: each is the client's that the balancer names.

mod support;

use std::net::SocketAddr;

use net::{Event, Limits, Protocol};
use sip::{AddressRange, Hop};
use support::{House, message, run, short};

const CLIENT: &str = "198.51.100.7:40001";
const LINE: &[u8] = b"PROXY TCP4 198.51.100.7 192.0.2.1 40001 5060\r\n";

/// The same, in version 2.
fn octets() -> Vec<u8> {
    let addresses = [198, 51, 100, 7, 192, 0, 2, 1, 0x9c, 0x41, 0x13, 0xc4];
    [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"[..], &addresses].concat()
}

/// A server before which balancers stand on loopback.
fn behind_a_balancer(protocol: Protocol, limits: Limits) -> House {
    let balancers = vec![AddressRange { address: "127.0.0.0".parse().unwrap(), prefix: 8 }];
    House::open(&[protocol], Limits { balancers, ..limits })
}

fn client() -> SocketAddr {
    CLIENT.parse().unwrap()
}

#[test]
fn a_message_comes_from_the_client_and_the_answer_goes_back_through_the_balancer() {
    for preface in [LINE.to_vec(), octets()] {
        run(async {
            let house = behind_a_balancer(Protocol::Tcp, Limits::default());
            let mut balancer = house.connect(Protocol::Tcp).await;
            balancer.write(&[preface, message(300)].concat()).await;
            let (flow, bytes) = house.recorder.message().await;
            assert_eq!((flow.remote, bytes), (client(), message(300)));
            assert_eq!(flow.local, house.address(Protocol::Tcp));
            house.network.send(&Hop::Flow(flow), b"an answer");
            assert_eq!(balancer.read(9).await, b"an answer");
        });
    }
}

#[test]
fn a_preface_may_come_octet_by_octet() {
    for preface in [LINE.to_vec(), octets()] {
        run(async {
            let house = behind_a_balancer(Protocol::Tcp, Limits::default());
            let mut balancer = house.connect(Protocol::Tcp).await;
            for octet in preface {
                balancer.write(&[octet]).await;
                tokio::task::yield_now().await;
            }
            assert_eq!(house.recorder.opened().await.remote, client());
        });
    }
}

#[test]
fn a_health_check_is_served_as_the_balancer_itself() {
    run(async {
        let house = behind_a_balancer(Protocol::Http, Limits::default());
        let mut balancer = house.connect(Protocol::Http).await;
        balancer.write(b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0GET /health HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(balancer.response().await.0.starts_with("HTTP/1.1 200 "));
    });
}

#[test]
fn a_balancer_that_names_nobody_is_refused_and_the_log_says_what_to_set() {
    run(async {
        let house = behind_a_balancer(Protocol::Tcp, Limits::default());
        let mut balancer = house.connect(Protocol::Tcp).await;
        balancer.write(&message(300)).await;
        let event = house.recorder.event(|event| matches!(event, Event::NoClientNamed { .. })).await;
        assert!(event.to_string().contains("send-proxy"), "{event}");
        assert!(balancer.until_closed().await.is_empty());
    });
}

#[test]
fn a_preface_has_the_time_of_a_handshake() {
    run(async {
        let house = behind_a_balancer(Protocol::Tcp, Limits { handshake: short(100), ..Limits::default() });
        let mut balancer = house.connect(Protocol::Tcp).await;
        balancer.write(b"PROXY TCP4").await;
        let event = house.recorder.event(|event| matches!(event, Event::NoClientNamed { .. })).await;
        assert!(event.to_string().contains("too long"), "{event}");
    });
}

#[test]
fn the_bound_for_each_source_counts_clients_and_not_the_balancer() {
    run(async {
        let limits = Limits { connections_per_source: 1, ..Limits::default() };
        let house = behind_a_balancer(Protocol::Tcp, limits);
        let mut kept = Vec::new();
        for client in ["198.51.100.7", "198.51.100.8"] {
            let mut balancer = house.connect(Protocol::Tcp).await;
            balancer.write(format!("PROXY TCP4 {client} 192.0.2.1 1 5060\r\n").as_bytes()).await;
            assert_eq!(house.recorder.opened().await.remote.ip().to_string(), client);
            kept.push(balancer);
        }
        let mut third = house.connect(Protocol::Tcp).await;
        third.write(b"PROXY TCP4 198.51.100.8 192.0.2.1 2 5060\r\n").await;
        let refused = house.recorder.event(|event| matches!(event, Event::TooManyConnections { .. })).await;
        assert!(refused.to_string().contains("198.51.100.8:2"), "{refused}");
    });
}

#[test]
fn connections_that_have_not_named_their_client_count_as_others_do() {
    run(async {
        let house = behind_a_balancer(Protocol::Tcp, Limits { connections: 1, ..Limits::default() });
        let mut silent = house.connect(Protocol::Tcp).await;
        silent.write(b"PROXY").await;
        let mut second = house.connect(Protocol::Tcp).await;
        house.recorder.event(|event| matches!(event, Event::TooManyConnections { .. })).await;
        assert!(second.until_closed().await.is_empty());
        // The first one counts once, also when it is whole.
        silent.write(&LINE[5..]).await;
        assert_eq!(house.recorder.opened().await.remote, client());
        drop(silent);
        house.recorder.closed().await;
        let mut third = house.connect(Protocol::Tcp).await;
        third.write(LINE).await;
        assert_eq!(house.recorder.opened().await.remote, client());
    });
}

#[test]
fn nobody_else_is_believed() {
    run(async {
        let elsewhere = vec![AddressRange::single("192.0.2.77".parse().unwrap())];
        let house = House::open(&[Protocol::Tcp], Limits { balancers: elsewhere, ..Limits::default() });
        let mut liar = house.connect(Protocol::Tcp).await;
        liar.write(&[LINE, &message(300)].concat()).await;
        // To a stream of SIP it is a message that makes no sense.
        house.recorder.malformed().await;
        assert!(house.recorder.opened().await.remote.ip().is_loopback());
    });
}
