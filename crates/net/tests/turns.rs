//! What comes together is answered together, and nothing is lost or overtaken by it.

mod support;

use std::net::UdpSocket;

use net::{Limits, ListenerConfig, Protocol};
use sip::{Hop, Transport};
use support::{House, Told, message, run, tls};

fn hop(address: std::net::SocketAddr) -> Hop {
    Hop::Address { transport: Transport::Udp, address, server_name: None }
}

/// A peer that waits for at most ten seconds.
fn peer() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
    socket
}

fn receive(peer: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 65_535];
    let (length, _) = peer.recv_from(&mut buffer).unwrap();
    buffer[..length].to_vec()
}

#[test]
fn many_datagrams_at_once_are_answered_each_in_the_order_of_its_peer() {
    run(async {
        let house = House::open(&[Protocol::Udp], Limits::default());
        house.recorder.echo.set(true);
        let (one, other) = (peer(), peer());
        // More than one system call brings, and of all sizes that a datagram may have.
        let sizes: Vec<usize> = (0..40).map(|number| 200 + number * 13).chain([50_000]).collect();
        for size in &sizes {
            for peer in [&one, &other] {
                peer.send_to(&message(*size), house.address(Protocol::Udp)).unwrap();
            }
        }
        for _ in 0..2 * sizes.len() {
            house.recorder.message().await;
        }
        for peer in [&one, &other] {
            for size in &sizes {
                assert_eq!(receive(peer), message(*size));
            }
        }
    });
}

/// What leaves with one system call leaves from one address.
#[test]
#[cfg(target_os = "linux")]
fn many_datagrams_at_once_are_answered_each_from_the_address_that_it_came_to() {
    run(async {
        let all = ListenerConfig::new(Protocol::Udp, "0.0.0.0:0".parse().unwrap());
        let house = House::listening(&[all], &tls(), Limits::default());
        house.recorder.echo.set(true);
        let port = house.address(Protocol::Udp).port();
        let peers = ["127.0.0.2", "127.0.0.3"].map(|called| {
            let peer = peer();
            peer.connect((called, port)).unwrap();
            peer
        });
        let sizes: Vec<usize> = (0..40).map(|number| 200 + number * 13).collect();
        for size in &sizes {
            // Two of one, one of the other, and so on.
            for peer in [&peers[0], &peers[0], &peers[1]] {
                peer.send(&message(*size)).unwrap();
            }
        }
        for _ in 0..3 * sizes.len() {
            house.recorder.message().await;
        }
        for size in &sizes {
            assert_eq!([receive(&peers[0]), receive(&peers[0])], [message(*size), message(*size)]);
            assert_eq!(receive(&peers[1]), message(*size));
        }
    });
}

#[test]
fn what_is_sent_together_waits_until_all_is_said_and_one_that_cannot_leave_keeps_none_back() {
    run(async {
        let house = House::open(&[Protocol::Udp], Limits::default());
        let (one, other) = (peer(), peer());
        let (to_one, to_other) = (hop(one.local_addr().unwrap()), hop(other.local_addr().unwrap()));
        other.set_nonblocking(true).unwrap();
        house.network.together(|| {
            assert!(house.network.is_together());
            house.network.send(&to_one, &message(200));
            house.network.send(&to_other, &message(300));
            house.network.send(&to_other, &message(70_000));
            house.network.send(&to_one, &message(400));
            house.network.together(|| house.network.send(&to_other, &message(500)));
            assert!(other.recv_from(&mut [0]).is_err(), "left before the outer turn was over");
        });
        assert!(!house.network.is_together());
        other.set_nonblocking(false).unwrap();
        assert_eq!([receive(&one), receive(&one)], [message(200), message(400)]);
        assert_eq!([receive(&other), receive(&other)], [message(300), message(500)]);
        assert_eq!(house.recorder.unreachable().await, to_other, "the one that is too long");
        assert_eq!(house.network.counters().datagrams_dropped, 1);
    });
}

#[test]
fn of_datagrams_sent_together_one_that_nobody_wants_comes_back_and_the_others_arrive() {
    run(async {
        let house = House::open(&[Protocol::Udp], Limits::default());
        let one = peer();
        let gone = peer().local_addr().unwrap();
        for _ in 0..3 {
            house.network.together(|| {
                house.network.send(&hop(gone), &message(200));
                (1..=5).for_each(|number| {
                    house.network.send(&hop(one.local_addr().unwrap()), &message(number * 100));
                });
            });
        }
        for _ in 0..3 {
            (1..=5).for_each(|number| assert_eq!(receive(&one), message(number * 100)));
        }
        if cfg!(target_os = "linux") {
            assert_eq!(house.recorder.unreachable().await, hop(gone));
        }
        // Whoever came back does not stop what comes next.
        one.send_to(&message(600), house.address(Protocol::Udp)).unwrap();
        assert_eq!(house.recorder.message().await.1, message(600));
    });
}

#[test]
fn messages_that_come_in_one_read_are_answered_in_their_order() {
    run(async {
        for protocol in [Protocol::Tcp, Protocol::Http] {
            let house = House::open(&[protocol], Limits::default());
            house.recorder.echo.set(true);
            let sizes = [300, 40, 900, 20_000, 500];
            if protocol == Protocol::Http {
                let mut peer = support::Peer::websocket(house.address(protocol)).await;
                let frames = sizes.map(|size| support::frame(websocket::Opcode::Text, &message(size)));
                peer.write(&frames.concat()).await;
                for size in sizes {
                    assert_eq!(peer.frame().await.1, message(size));
                }
            } else {
                let mut peer = house.connect(protocol).await;
                let all = sizes.map(message).concat();
                peer.write(&all).await;
                assert_eq!(peer.read(all.len()).await, all);
            }
            assert!(!house.recorder.rest().iter().any(|told| matches!(told, Told::Closed(_))));
        }
    });
}

#[test]
fn much_that_is_sent_together_over_tls_arrives() {
    run(async {
        let server = House::open(&[Protocol::Tls], Limits::default());
        let client = House::open(&[], Limits::default());
        let address = server.address(Protocol::Tls);
        let hop = Hop::Address { transport: Transport::Tls, address, server_name: None };
        client.network.send(&hop, &message(300));
        assert_eq!(server.recorder.message().await.1, message(300));
        // More than may wait for a peer that does not read; this one reads.
        let sizes: Vec<usize> = (0..400).map(|number| 900 + number).collect();
        client.network.together(|| sizes.iter().for_each(|size| client.network.send(&hop, &message(*size))));
        for size in &sizes {
            assert_eq!(server.recorder.message().await.1, message(*size));
        }
    });
}
