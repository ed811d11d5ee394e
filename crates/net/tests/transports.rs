//! Messages go in and out over every transport.

mod support;

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;

use net::{Limits, ListenerConfig, Protocol};
use sip::{ConnectionId, Flow, Hop, Transport};
use support::{House, Peer, frame, message, run, short, tls};
use tokio::net::UdpSocket;
use websocket::Opcode;

#[test]
fn a_datagram_is_echoed_and_keep_alives_are_answered_here() {
    run(async {
        let house = House::open(&[Protocol::Udp], Limits::default());
        house.recorder.echo.set(true);
        let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        peer.connect(house.address(Protocol::Udp)).await.unwrap();
        peer.send(b"\r\n").await.unwrap();
        peer.send(b"\0\0").await.unwrap();
        peer.send(b"\r\n\r\n").await.unwrap();
        let mut answer = [0; 2000];
        let length = peer.recv(&mut answer).await.unwrap();
        assert_eq!(&answer[..length], b"\r\n", "CRLFCRLF is answered by CRLF, the lone CRLF by nothing");
        peer.send(&message(1200)).await.unwrap();
        let length = peer.recv(&mut answer).await.unwrap();
        assert_eq!(&answer[..length], message(1200));
        let (flow, bytes) = house.recorder.message().await;
        assert_eq!((flow.transport, flow.remote), (Transport::Udp, peer.local_addr().unwrap()));
        assert_eq!(flow.local, house.address(Protocol::Udp));
        assert_eq!(bytes, message(1200));
    });
}

/// RFC 3581 §4. A NAT, or a phone that connects its socket, lets nothing in from another address.
#[test]
#[cfg(target_os = "linux")]
fn where_all_addresses_are_ours_an_answer_leaves_from_the_one_that_was_called() {
    run(async {
        for (all, called) in [("0.0.0.0:0", "127.0.0.2"), ("0.0.0.0:0", "127.0.0.1"), ("[::]:0", "::1")] {
            let (house, peer) = phone_of_one_address(all, called).await;
            house.recorder.echo.set(true);
            peer.send(&message(300)).await.unwrap();
            let (flow, _) = house.recorder.message().await;
            assert_eq!(flow.local, peer.peer_addr().unwrap());
            assert_eq!(heard(&peer).await, message(300));
        }
    });
}

#[test]
#[cfg(target_os = "linux")]
fn where_all_addresses_are_ours_keep_alives_are_answered_from_the_one_that_was_called() {
    run(async {
        let (_house, peer) = phone_of_one_address("0.0.0.0:0", "127.0.0.2").await;
        peer.send(b"\r\n\r\n").await.unwrap();
        assert_eq!(heard(&peer).await, b"\r\n");
        peer.send(&[&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], b"twelve bytes"].concat()).await.unwrap();
        assert_eq!(heard(&peer).await[..2], [1, 1], "the answer of STUN");
    });
}

/// A registration that was stored names an address that the machine has no longer.
#[test]
fn what_shall_leave_from_an_address_that_is_gone_leaves_from_another() {
    run(async {
        let all = ListenerConfig::new(Protocol::Udp, "0.0.0.0:0".parse().unwrap());
        let house = House::listening(&[all], &tls(), Limits::default());
        let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut flow = Flow {
            transport: Transport::Udp,
            connection: ConnectionId(0),
            local: house.address(Protocol::Udp),
            remote: peer.local_addr().unwrap(),
        };
        flow.local.set_ip("203.0.113.77".parse().unwrap());
        house.network.send(&Hop::Flow(flow), &message(300));
        assert_eq!(heard(&peer).await, message(300));
    });
}

/// A house at all addresses of a family, and a phone that calls it at one of them and hears nobody else.
async fn phone_of_one_address(all: &str, called: &str) -> (House, UdpSocket) {
    let all = ListenerConfig::new(Protocol::Udp, all.parse().unwrap());
    let house = House::listening(&[all], &tls(), Limits::default());
    let called = SocketAddr::new(called.parse().unwrap(), house.address(Protocol::Udp).port());
    let loopback = if called.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
    let peer = UdpSocket::bind(loopback).await.unwrap();
    peer.connect(called).await.unwrap();
    (house, peer)
}

async fn heard(peer: &UdpSocket) -> Vec<u8> {
    let mut bytes = [0; 2000];
    let length =
        tokio::time::timeout(short(10_000), peer.recv(&mut bytes)).await.expect("an answer").unwrap();
    bytes[..length].to_vec()
}

/// RFC 3261 §18.1.1: what goes to an address leaves by the address of ours that has the way there.
#[test]
fn of_two_addresses_of_ours_the_one_near_to_the_peer_is_sent_from() {
    run(async {
        let ours = ["127.0.0.1:0", "127.1.0.1:0"];
        for order in [ours, [ours[1], ours[0]]] {
            let both = order.map(|it| ListenerConfig::new(Protocol::Udp, it.parse().unwrap()));
            let house = House::listening(&both, &tls(), Limits::default());
            for own in ours {
                let peer = UdpSocket::bind(own).await.unwrap();
                let address = peer.local_addr().unwrap();
                let hop = Hop::Address { transport: Transport::Udp, address, server_name: None };
                house.network.send(&hop, &message(300));
                let (_, from) = peer.recv_from(&mut [0; 1000]).await.unwrap();
                assert_eq!(from.ip(), address.ip(), "{order:?}");
            }
        }
    });
}

/// Both sockets are read with the same room.
#[test]
fn a_phone_on_ipv6_is_answered_behind_one_on_ipv4() {
    run(async {
        let both =
            ["127.0.0.1:0", "[::1]:0"].map(|it| ListenerConfig::new(Protocol::Udp, it.parse().unwrap()));
        let house = House::listening(&both, &tls(), Limits::default());
        house.recorder.echo.set(true);
        for listener in house.network.listeners() {
            let peer = UdpSocket::bind((listener.address.ip(), 0)).await.unwrap();
            peer.send_to(&message(300), listener.address).await.unwrap();
            let (flow, _) = house.recorder.message().await;
            assert_eq!(flow.remote, peer.local_addr().unwrap());
        }
    });
}

/// RFC 5626 §8: a phone asks on the port for SIP how it is seen from there, and goes on with SIP.
#[test]
fn stun_on_the_port_for_sip_is_answered_between_messages() {
    run(async {
        let house = House::open(&[Protocol::Udp], Limits::default());
        let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        peer.connect(house.address(Protocol::Udp)).await.unwrap();
        let cookie = [0x21, 0x12, 0xa4, 0x42];
        let request = [&[0, 1, 0, 0], &cookie[..], b"twelve bytes"].concat();
        peer.send(&request).await.unwrap();
        let mut answer = [0; 100];
        let length = peer.recv(&mut answer).await.unwrap();
        let port = peer.local_addr().unwrap().port() ^ 0x2112;
        let address = [127 ^ 0x21, 0x12, 0xa4, 1 ^ 0x42];
        let attribute = [&[0, 0x20, 0, 8, 0, 1], &port.to_be_bytes()[..], &address].concat();
        assert_eq!(answer[..length], [&[1, 1, 0, 12], &request[4..], &attribute].concat());
        peer.send(&message(700)).await.unwrap();
        let (_, bytes) = house.recorder.message().await;
        assert_eq!(bytes, message(700), "what comes first to the handler is SIP");
    });
}

/// RELIABILITY A17: the answer is longer than the question, and its address may be somebody else's.
#[test]
fn a_flood_of_stun_is_answered_so_often_in_a_second_and_sip_goes_on() {
    run(async {
        let house = House::open(&[Protocol::Udp], Limits::default());
        let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        peer.connect(house.address(Protocol::Udp)).await.unwrap();
        let request = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], b"twelve bytes"].concat();
        let mut answer = [0; 100];
        let (mut sent, mut answered) = (0, 0);
        for _ in 0..50 {
            for _ in 0..20 {
                peer.send(&request).await.unwrap();
                sent += 1;
            }
            peer.send(&message(700)).await.unwrap();
            house.recorder.message().await;
            while peer.try_recv(&mut answer).is_ok() {
                answered += 1;
            }
        }
        assert!((100..=sent / 2).contains(&answered), "{answered} of {sent}");
    });
}

#[test]
fn a_stream_is_cut_into_messages_wherever_it_was_cut_in_transit() {
    run(async {
        let house = House::open(&[Protocol::Tcp], Limits::default());
        let mut peer = house.connect(Protocol::Tcp).await;
        let flow = house.recorder.opened().await;
        let mut bytes = message(500);
        bytes.extend(b"\r\n\r\n");
        bytes.extend(message(60_000));
        bytes.extend(message(300));
        for part in bytes.chunks(7_777) {
            peer.write(part).await;
            tokio::task::yield_now().await;
        }
        for size in [500, 60_000, 300] {
            let (from, received) = house.recorder.message().await;
            assert_eq!((from, received.len()), (flow, message(size).len()));
        }
        assert_eq!(peer.read(2).await, b"\r\n", "the ping between the messages");
    });
}

#[test]
fn a_stream_carries_answers_back() {
    run(async {
        let house = House::open(&[Protocol::Tcp], Limits::default());
        house.recorder.echo.set(true);
        let mut peer = house.connect(Protocol::Tcp).await;
        peer.write(&message(700)).await;
        assert_eq!(peer.read(message(700).len()).await, message(700));
    });
}

#[test]
fn a_websocket_carries_one_message_in_each_direction_and_answers_pings() {
    run(async {
        let house = House::open(&[Protocol::Http], Limits::default());
        house.recorder.echo.set(true);
        let mut peer = Peer::websocket(house.address(Protocol::Http)).await;
        assert_eq!(house.recorder.opened().await.transport, Transport::Ws);
        peer.send_frame(Opcode::Text, &message(4_500)).await;
        assert_eq!(peer.frame().await, (Opcode::Text, message(4_500)));
        peer.send_frame(Opcode::Ping, b"there?").await;
        assert_eq!(peer.frame().await, (Opcode::Pong, b"there?".to_vec()));
        peer.send_frame(Opcode::Text, b"\r\n\r\n").await;
        assert_eq!(peer.frame().await, (Opcode::Text, b"\r\n".to_vec()));
        peer.send_frame(Opcode::Binary, b"\r\n\r\n").await;
        assert_eq!(peer.frame().await, (Opcode::Text, b"\r\n".to_vec()));
        let mut binary = message(300);
        let last = binary.len() - 1;
        binary[last] = 0xff;
        peer.send_frame(Opcode::Binary, &binary).await;
        assert_eq!(peer.frame().await, (Opcode::Binary, binary), "what is not UTF-8 goes back as binary");
    });
}

#[test]
fn a_frame_may_come_in_pieces_and_a_message_in_fragments() {
    run(async {
        let house = House::open(&[Protocol::Http], Limits::default());
        let mut peer = Peer::websocket(house.address(Protocol::Http)).await;
        let bytes = frame(Opcode::Text, &message(30_000));
        for part in bytes.chunks(1_000) {
            peer.write(part).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(house.recorder.message().await.1, message(30_000));
    });
}

#[test]
fn a_secure_websocket_and_a_page_share_one_port() {
    run(async {
        let house = House::open(&[Protocol::Https], Limits::default());
        house.recorder.echo.set(true);
        let address = house.address(Protocol::Https);
        let answers = tokio::task::spawn_blocking(move || {
            let mut page = support::tls_stream(address);
            page.write_all(b"GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
            let mut answer = Vec::new();
            page.read_to_end(&mut answer).unwrap();
            let mut socket = support::tls_stream(address);
            let mut request = Vec::new();
            websocket::client::write_request(&mut request, "localhost", "/sip", None, [7; 16]);
            socket.write_all(&request).unwrap();
            let mut upgrade = vec![0; 1];
            while !upgrade.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                socket.read_exact(&mut byte).unwrap();
                upgrade.push(byte[0]);
            }
            socket.write_all(&frame(Opcode::Text, &message(40_000))).unwrap();
            let mut echo = vec![0; message(40_000).len() + 4];
            socket.read_exact(&mut echo).unwrap();
            (answer, upgrade, echo)
        });
        let (answer, upgrade, echo) = answers.await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n") && answer.ends_with(b"GET /x"));
        assert!(upgrade[1..].starts_with(b"HTTP/1.1 101 "));
        assert!(echo[4..] == message(40_000), "the echo is damaged");
        assert_eq!(house.recorder.message().await.0.transport, Transport::Wss);
    });
}

#[test]
fn tls_carries_messages_between_two_of_us_and_the_connection_is_reused() {
    run(async {
        let server = House::open(&[Protocol::Tls], Limits::default());
        server.recorder.echo.set(true);
        let client = House::open(&[], Limits::default());
        let hop = Hop::Address {
            transport: Transport::Tls,
            address: server.address(Protocol::Tls),
            server_name: Some("localhost".into()),
        };
        client.network.send(&hop, &message(500));
        client.network.send(&hop, &message(5_000));
        assert_eq!(client.recorder.message().await.1, message(500));
        assert_eq!(client.recorder.message().await.1, message(5_000));
        let first = server.recorder.message().await.0;
        client.network.send(&hop, &message(60_000));
        assert_eq!(client.recorder.message().await.1, message(60_000));
        server.recorder.message().await;
        let third = server.recorder.message().await.0;
        assert_eq!(first, third, "a second connection was opened");
        assert_eq!(server.network.counters().connections, 1);
    });
}

#[test]
fn tcp_to_an_address_reuses_the_connection_and_dies_with_it() {
    run(async {
        let server = House::open(&[Protocol::Tcp], Limits::default());
        let client = House::open(&[], Limits::default());
        let hop = Hop::Address {
            transport: Transport::Tcp,
            address: server.address(Protocol::Tcp),
            server_name: None,
        };
        for _ in 0..3 {
            client.network.send(&hop, &message(400));
            server.recorder.message().await;
        }
        assert_eq!(server.network.counters().connections, 1);
        let flow = server.recorder.opened().await;
        server.network.close(&flow, net::CloseCode::NORMAL);
        assert_eq!(client.recorder.closed().await, client.recorder.opened().await);
        assert_eq!(server.recorder.closed().await, flow);
        client.network.send(&hop, &message(400));
        let again = server.recorder.message().await.0;
        assert_ne!(again.connection, flow.connection, "a new connection after the old one was closed");
    });
}

#[test]
fn ipv6_listens_beside_ipv4_on_the_same_port() {
    run(async {
        let four = House::open(&[Protocol::Tcp], Limits::default());
        let port = four.address(Protocol::Tcp).port();
        let six = House::listening(
            &[
                ListenerConfig::new(Protocol::Tcp, format!("[::]:{port}").parse().unwrap()),
                ListenerConfig::new(Protocol::Udp, "[::1]:0".parse().unwrap()),
            ],
            &tls(),
            Limits::default(),
        );
        six.recorder.echo.set(true);
        let mut peer = Peer::connect(format!("[::1]:{port}").parse().unwrap()).await;
        peer.write(&message(300)).await;
        assert_eq!(peer.read(message(300).len()).await, message(300));
        let peer = UdpSocket::bind("[::1]:0").await.unwrap();
        peer.send_to(&message(300), six.address(Protocol::Udp)).await.unwrap();
        let mut answer = [0; 1000];
        assert_eq!(peer.recv(&mut answer).await.unwrap(), message(300).len());
    });
}
