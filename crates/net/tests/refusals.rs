//! What peers do wrong, and what they get for it; the rest of the server does not notice.

mod support;

use net::{ClosedFor, Event, Limits, Malformed, Protocol};
use sip::{Hop, Transport};
use support::{House, Peer, Told, message, run, short};
use websocket::{FrameHead, Opcode};

/// A request for a WebSocket, with one thing changed.
async fn ask(house: &House, from: &str, to: &str) -> (String, Vec<u8>) {
    let good = "GET /sip HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\
        Origin: https://good.example\r\n\r\n";
    let mut peer = house.connect(Protocol::Http).await;
    peer.write(good.replace(from, to).as_bytes()).await;
    let answer = peer.response().await;
    assert!(
        answer.0.starts_with("HTTP/1.1 101") || peer.until_closed().await.is_empty(),
        "left open after {}",
        answer.0
    );
    answer
}

#[test]
fn each_bad_request_for_a_websocket_has_its_answer() {
    run(async {
        let house = House::open(&[Protocol::Http], Limits::default());
        assert!(ask(&house, "/sip", "/any/path?is=fine").await.0.starts_with("HTTP/1.1 101 "));
        let (head, _) = ask(&house, "Version: 13", "Version: 8").await;
        assert!(head.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{head}");
        assert!(head.contains("Sec-WebSocket-Version: 13\r\n"), "{head}");
        for (from, to, status) in [
            ("Protocol: sip", "Protocol: chat", "400 "),
            ("Sec-WebSocket-Protocol: sip\r\n", "", "400 "),
            ("Connection: Upgrade\r\n", "", "400 "),
            ("GET ", "POST ", "405 "),
            ("https://good.example", "https://evil.example", "403 "),
            ("HTTP/1.1", "HTTP/7.1", "400 "),
            ("Host: localhost", &format!("X: {}", "a".repeat(16 * 1024)), "431 "),
        ] {
            let (head, body) = ask(&house, from, to).await;
            assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{from} -> {to}: {head}");
            assert!(body.len() > 10, "a reason for a person is missing: {head}");
        }
        house.recorder.event(|event| matches!(event, Event::UpgradeRefused { status: 403, .. })).await;
    });
}

#[test]
fn each_violation_of_the_websocket_protocol_has_its_close_code() {
    run(async {
        let house = House::open(&[Protocol::Http], Limits::default());
        let giant = FrameHead::new(Opcode::Binary, 1 << 40, Some([1; 4])).to_vec();
        let mut large = FrameHead::new(Opcode::Binary, 65_537, Some([0; 4])).to_vec();
        large.extend([b'x'; 65_537]);
        let cases: [(&str, Vec<u8>, u16); 6] = [
            ("no mask", b"\x81\x02hi".to_vec(), 1002),
            (
                "a reserved bit",
                support::frame(Opcode::Text, b"x")
                    .iter()
                    .enumerate()
                    .map(|(n, b)| if n == 0 { b | 0x40 } else { *b })
                    .collect(),
                1002,
            ),
            ("text that is not UTF-8", support::frame(Opcode::Text, b"\xff\xfe"), 1007),
            ("an announced terabyte", giant, 1009),
            ("one byte more than the limit", large, 1009),
            ("a close code that may not be sent", support::frame(Opcode::Close, b"\x03\xee"), 1002),
        ];
        for (what, bytes, code) in cases {
            let mut peer = Peer::websocket(house.address(Protocol::Http)).await;
            let flow = house.recorder.opened().await;
            peer.write(&bytes).await;
            assert_eq!(peer.close_code().await, code, "{what}");
            assert!(peer.until_closed().await.is_empty(), "{what}: bytes after the Close");
            drop(peer);
            assert_eq!(house.recorder.closed().await, flow, "{what}");
        }
    });
}

#[test]
fn the_peer_s_close_is_answered_with_its_own_code() {
    run(async {
        let house = House::open(&[Protocol::Http], Limits::default());
        let mut peer = Peer::websocket(house.address(Protocol::Http)).await;
        peer.send_frame(Opcode::Close, b"\x03\xe9leaving").await;
        assert_eq!(peer.close_code().await, 1001);
        assert!(peer.until_closed().await.is_empty());
        house.recorder.closed().await;
    });
}

#[test]
fn a_websocket_message_that_is_not_one_sip_message_is_the_handler_s_to_judge() {
    run(async {
        let house = House::open(&[Protocol::Http], Limits::default());
        let two = [message(300), message(300)].concat();
        for (bytes, code) in [(two.clone(), 1002), (b"hello\r\n\r\n".to_vec(), 1007)] {
            let mut peer = Peer::websocket(house.address(Protocol::Http)).await;
            peer.send_frame(Opcode::Text, &bytes).await;
            house.recorder.malformed().await;
            assert!(peer.frame().await.1.starts_with(b"SIP/2.0 400"), "the handler's answer goes first");
            assert_eq!(peer.close_code().await, code);
        }
        house.recorder.keep_malformed.set(true);
        let mut peer = Peer::websocket(house.address(Protocol::Http)).await;
        peer.send_frame(Opcode::Text, &two).await;
        assert_eq!(house.recorder.malformed().await, Malformed::NotOneMessage);
        peer.send_frame(Opcode::Text, &message(300)).await;
        assert_eq!(house.recorder.message().await.1, message(300), "the handler kept the connection");
    });
}

#[test]
fn a_websocket_message_needs_no_content_length() {
    run(async {
        let house = House::open(&[Protocol::Http], Limits::default());
        let mut peer = Peer::websocket(house.address(Protocol::Http)).await;
        let bytes = b"OPTIONS sip:a@b SIP/2.0\r\nMax-Forwards: 70\r\n\r\nbody";
        peer.send_frame(Opcode::Text, bytes).await;
        assert_eq!(house.recorder.message().await.1, bytes);
    });
}

#[test]
fn a_stream_whose_framing_is_lost_is_answered_and_closed() {
    run(async {
        let house = House::open(&[Protocol::Tcp], Limits::default());
        for bytes in [
            &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
            b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: -1\r\n\r\n",
            b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 99999999999\r\n\r\n",
        ] {
            let mut peer = house.connect(Protocol::Tcp).await;
            peer.write(bytes).await;
            assert!(matches!(house.recorder.malformed().await, Malformed::Framing(_)));
            assert!(
                peer.until_closed().await.starts_with(b"SIP/2.0 400"),
                "{}",
                String::from_utf8_lossy(bytes)
            );
            drop(peer);
            house.recorder.closed().await;
        }
    });
}

#[test]
fn a_message_over_the_limit_ends_the_stream() {
    run(async {
        let house = House::open(&[Protocol::Tcp], Limits { message: 1_000, ..Limits::default() });
        let mut peer = house.connect(Protocol::Tcp).await;
        peer.write(&message(999)).await;
        house.recorder.message().await;
        peer.write(&message(1_100)).await;
        assert_eq!(house.recorder.malformed().await, Malformed::TooLarge);
        house.recorder.closed().await;
    });
}

#[test]
fn handshakes_that_are_not_finished_are_closed_in_time() {
    run(async {
        let house = House::open(
            &[Protocol::Http, Protocol::Https, Protocol::Tls],
            Limits { handshake: short(200), ..Limits::default() },
        );
        for (protocol, part) in [
            (Protocol::Http, &b""[..]),
            (Protocol::Http, b"GET /sip HTTP/1.1\r\nUpgr"),
            (Protocol::Https, b""),
            (Protocol::Https, b"\x16\x03\x01"),
            (Protocol::Tls, b"\x16\x03"),
        ] {
            let mut peer = house.connect(protocol).await;
            peer.write(part).await;
            assert!(peer.until_closed().await.is_empty());
            let slow =
                |event: &Event| matches!(event, Event::Closed { reason: ClosedFor::SlowHandshake, .. });
            house.recorder.event(slow).await;
        }
        assert!(!house.recorder.rest().iter().any(|told| matches!(told, Told::Opened(_))));
        assert_eq!(house.network.counters().connections, 0);
    });
}

#[test]
fn a_message_a_byte_at_a_time_is_cut_off() {
    run(async {
        let limits = Limits { message_time: short(200), ..Limits::default() };
        let house = House::open(&[Protocol::Tcp, Protocol::Http], limits);
        let mut stream = house.connect(Protocol::Tcp).await;
        stream.write(b"OPTIONS sip:a@b SI").await;
        assert!(stream.until_closed().await.is_empty());
        drop(stream);
        house.recorder.closed().await;
        let mut page = Peer::websocket(house.address(Protocol::Http)).await;
        page.write(&support::frame(Opcode::Text, &message(300))[..100]).await;
        assert_eq!(page.close_code().await, 1008);
    });
}

#[test]
fn a_silent_stream_is_closed_and_a_keep_alive_keeps_it() {
    run(async {
        let limits = Limits { stream_idle: Some(short(300)), ..Limits::default() };
        let house = House::open(&[Protocol::Tcp], limits);
        let mut quiet = house.connect(Protocol::Tcp).await;
        let mut lively = house.connect(Protocol::Tcp).await;
        let (one, two) = (house.recorder.opened().await, house.recorder.opened().await);
        let ping = async {
            loop {
                lively.write(b"\r\n\r\n").await;
                assert_eq!(lively.read(2).await, b"\r\n");
            }
        };
        tokio::select! {
            () = ping => {}
            flow = house.recorder.closed() => assert_eq!(flow, one),
        }
        assert!(quiet.until_closed().await.is_empty());
        lively.write(&message(300)).await;
        assert_eq!(house.recorder.message().await.0, two);
    });
}

#[test]
fn a_page_that_answers_no_ping_is_closed_and_one_that_does_is_kept() {
    run(async {
        let limits = Limits { websocket_ping: Some(short(200)), ..Limits::default() };
        let house = House::open(&[Protocol::Http], limits);
        let mut lively = Peer::websocket(house.address(Protocol::Http)).await;
        let kept = house.recorder.opened().await;
        let _deaf = Peer::websocket(house.address(Protocol::Http)).await;
        let lost = house.recorder.opened().await;
        for _ in 0..5 {
            let (opcode, payload) = lively.frame().await;
            assert_eq!(opcode, Opcode::Ping);
            lively.send_frame(Opcode::Pong, &payload).await;
        }
        assert_eq!(house.recorder.closed().await, lost);
        let no_pong = |event: &Event| matches!(event, Event::Closed { reason: ClosedFor::NoPong, .. });
        house.recorder.event(no_pong).await;
        lively.send_frame(Opcode::Text, &message(300)).await;
        assert_eq!(house.recorder.message().await.0, kept);
    });
}

#[test]
fn a_peer_that_does_not_read_is_dropped_at_the_bound() {
    run(async {
        for protocol in [Protocol::Tcp, Protocol::Http] {
            let house = House::open(&[protocol], Limits::default());
            let _peer = match protocol {
                Protocol::Http => Peer::websocket(house.address(protocol)).await,
                _ => house.connect(protocol).await,
            };
            let flow = house.recorder.opened().await;
            // The kernel's own buffers take some megabytes first.
            for _ in 0..2_000 {
                house.network.send(&Hop::Flow(flow), &message(30_000));
            }
            let slow = |event: &Event| matches!(event, Event::Closed { reason: ClosedFor::SlowReader, .. });
            house.recorder.event(slow).await;
            assert_eq!(house.recorder.closed().await, flow);
            assert_eq!(house.recorder.unreachable().await, Hop::Flow(flow));
        }
    });
}

#[test]
fn a_peer_that_stops_reading_is_dropped_in_time() {
    run(async {
        let limits = Limits { send_stall: short(200), send_queue: 64 << 20, ..Limits::default() };
        let house = House::open(&[Protocol::Tcp], limits);
        let _peer = house.connect(Protocol::Tcp).await;
        let flow = house.recorder.opened().await;
        for _ in 0..1_000 {
            house.network.send(&Hop::Flow(flow), &message(30_000));
        }
        assert_eq!(house.recorder.closed().await, flow);
    });
}

#[test]
fn a_flow_that_is_gone_is_unreachable_and_no_connection_is_opened_instead() {
    run(async {
        let house = House::open(&[Protocol::Tcp], Limits::default());
        let peer = house.connect(Protocol::Tcp).await;
        let flow = house.recorder.opened().await;
        drop(peer);
        assert_eq!(house.recorder.closed().await, flow);
        house.network.send(&Hop::Flow(flow), &message(300));
        assert!(
            !house.recorder.rest().iter().any(|told| matches!(told, Told::Unreachable(_))),
            "told from inside send"
        );
        assert_eq!(house.recorder.unreachable().await, Hop::Flow(flow));
    });
}

#[test]
fn what_cannot_be_connected_is_unreachable() {
    run(async {
        let house = House::open(&[], Limits::default());
        let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        // Nobody listens for datagrams here, so none can be sent from here.
        for transport in [Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss, Transport::Udp] {
            let hop = Hop::Address { transport, address: free, server_name: None };
            house.network.send(&hop, &message(300));
            assert_eq!(house.recorder.unreachable().await, hop);
        }
    });
}

#[test]
fn a_certificate_that_is_not_trusted_or_for_another_name_is_unreachable() {
    run(async {
        let server = House::open(&[Protocol::Tls], Limits::default());
        let address = server.address(Protocol::Tls);
        let strict = House::with_tls(&[], &net::TlsConfig::default(), Limits::default());
        let other = House::open(&[], Limits::default());
        for (client, name) in [(&strict, "localhost"), (&other, "example.com")] {
            let hop = Hop::Address { transport: Transport::Tls, address, server_name: Some(name.into()) };
            client.network.send(&hop, &message(300));
            assert_eq!(client.recorder.unreachable().await, hop);
            client.recorder.event(|event| matches!(event, Event::TlsFailed { .. })).await;
        }
        assert!(!server.recorder.rest().iter().any(|told| matches!(told, Told::Message(..))));
    });
}

#[test]
fn tls_and_plain_peers_at_the_wrong_door_are_told_apart() {
    run(async {
        let house =
            House::open(&[Protocol::Tcp, Protocol::Tls, Protocol::Http, Protocol::Https], Limits::default());
        for protocol in [Protocol::Tcp, Protocol::Http] {
            let mut peer = house.connect(protocol).await;
            peer.write(b"\x16\x03\x01\x02\x00\x01").await;
            assert!(peer.until_closed().await.is_empty());
            house.recorder.event(|event| matches!(event, Event::TlsOnPlainPort { .. })).await;
        }
        let mut peer = house.connect(Protocol::Https).await;
        peer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let (head, body) = peer.response().await;
        assert!(head.starts_with("HTTP/1.1 400") && body.ends_with(b"here\n"), "{head}");
        house.recorder.event(|event| matches!(event, Event::PlainOnTlsPort { .. })).await;
        let mut peer = house.connect(Protocol::Tls).await;
        peer.write(&message(300)).await;
        assert!(peer.until_closed().await.is_empty());
        house.recorder.event(|event| matches!(event, Event::PlainOnTlsPort { .. })).await;
    });
}

#[test]
fn too_many_connections_from_one_source_are_refused_and_room_is_made_when_one_leaves() {
    run(async {
        let limits = Limits { connections_per_source: 2, ..Limits::default() };
        let house = House::open(&[Protocol::Tcp], limits);
        let first = house.connect(Protocol::Tcp).await;
        let _second = house.connect(Protocol::Tcp).await;
        let mut third = house.connect(Protocol::Tcp).await;
        assert!(third.until_closed().await.is_empty());
        let refused =
            |event: &Event| matches!(event, Event::TooManyConnections { from_one_source: true, .. });
        house.recorder.event(refused).await;
        drop(first);
        house.recorder.closed().await;
        let mut fourth = house.connect(Protocol::Tcp).await;
        fourth.write(&message(300)).await;
        house.recorder.message().await;
        assert_eq!((house.network.counters().connections, house.network.counters().refused), (2, 1));
    });
}

#[test]
fn a_fault_in_the_handler_costs_one_connection() {
    run(async {
        let house = House::open(&[Protocol::Http], Limits::default());
        let mut peer = Peer::websocket(house.address(Protocol::Http)).await;
        let mut other = Peer::websocket(house.address(Protocol::Http)).await;
        house.recorder.panic.set(true);
        peer.send_frame(Opcode::Text, &message(300)).await;
        assert_eq!(peer.close_code().await, 1011);
        house.recorder.event(|event| *event == Event::HandlerPanicked).await;
        other.send_frame(Opcode::Text, &message(300)).await;
        house.recorder.message().await;
    });
}

#[test]
fn the_handler_may_answer_and_close_from_inside_its_callback() {
    run(async {
        let house = House::open(&[Protocol::Tcp, Protocol::Http], Limits::default());
        house.recorder.echo.set(true);
        house.recorder.close_on_message.set(true);
        let mut page = Peer::websocket(house.address(Protocol::Http)).await;
        page.send_frame(Opcode::Text, &message(300)).await;
        assert_eq!(page.frame().await.1, message(300), "the answer comes before the Close");
        assert_eq!(page.close_code().await, 1008);
        let mut phone = house.connect(Protocol::Tcp).await;
        phone.write(&[message(300), message(400)].concat()).await;
        assert_eq!(phone.until_closed().await, message(300), "nothing is read after a close");
    });
}

/// A small generator in place of a fuzzer: valid openings with broken or random bytes behind them.
#[test]
fn no_bytes_on_any_port_hinder_the_others() {
    run(async {
        let protocols = [Protocol::Tcp, Protocol::Tls, Protocol::Http, Protocol::Https, Protocol::Udp];
        let house = House::open(&protocols, Limits::default());
        house.recorder.echo.set(true);
        let mut entropy = sip::SeededEntropy::new(42);
        let mut healthy = Peer::websocket(house.address(Protocol::Http)).await;
        for round in 0..200u64 {
            let mut bytes = message(200);
            match round % 3 {
                0 => sip::Entropy::fill(&mut entropy, &mut bytes),
                1 => {
                    let place = sip::Entropy::number(&mut entropy) as usize % bytes.len();
                    bytes[place] ^= 1 << (round % 8);
                }
                _ => bytes.truncate(sip::Entropy::number(&mut entropy) as usize % 200),
            }
            for protocol in protocols {
                if protocol == Protocol::Udp {
                    let peer = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
                    peer.send_to(&bytes, house.address(protocol)).await.unwrap();
                    continue;
                }
                let mut peer = house.connect(protocol).await;
                // The server may close before all is written.
                let _ = tokio::io::AsyncWriteExt::write_all(&mut peer.stream, &bytes).await;
            }
            let mut page = Peer::websocket(house.address(Protocol::Http)).await;
            let _ = tokio::io::AsyncWriteExt::write_all(&mut page.stream, &bytes).await;
            healthy.send_frame(Opcode::Text, &message(300)).await;
            assert_eq!(healthy.frame().await.1, message(300), "round {round}");
            house.recorder.clear();
        }
        drop(healthy);
    });
}

/// A socket that has all addresses: the flow to the peer is that from the address which the datagram left from.
#[test]
#[cfg(target_os = "linux")]
fn a_datagram_that_comes_back_to_one_of_all_our_addresses_is_told_of_its_flow() {
    run(async {
        for (all, ours) in [("0.0.0.0:0", "127.0.0.2"), ("[::]:0", "::1")] {
            let listeners = [net::ListenerConfig::new(Protocol::Udp, all.parse().unwrap())];
            let house = House::listening(&listeners, &support::tls(), Limits::default());
            let mut local = house.address(Protocol::Udp);
            local.set_ip(ours.parse().unwrap());
            let remote = tokio::net::UdpSocket::bind((ours, 0)).await.unwrap().local_addr().unwrap();
            let connection = sip::ConnectionId(0);
            let gone = Hop::Flow(sip::Flow { transport: Transport::Udp, connection, local, remote });
            house.network.send(&gone, &message(300));
            house.recorder.wait(|told| (*told == Told::Unreachable(gone.clone())).then_some(())).await;
        }
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_datagram_that_comes_back_is_told_and_hinders_no_other() {
    run(async {
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let listeners = [net::ListenerConfig::new(Protocol::Udp, any.parse().unwrap())];
            let house = House::listening(&listeners, &support::tls(), Limits::default());
            let free = tokio::net::UdpSocket::bind(any).await.unwrap().local_addr().unwrap();
            let gone = Hop::Address { transport: Transport::Udp, address: free, server_name: None };
            house.network.send(&gone, &message(300));
            assert_eq!(house.recorder.unreachable().await, gone);
            let peer = tokio::net::UdpSocket::bind(any).await.unwrap();
            let there = Hop::Address {
                transport: Transport::Udp,
                address: peer.local_addr().unwrap(),
                server_name: None,
            };
            for _ in 0..5 {
                house.network.send(&gone, &message(300));
                house.network.send(&there, &message(300));
                let mut bytes = [0; 1000];
                assert_eq!(peer.recv(&mut bytes).await.unwrap(), message(300).len());
            }
        }
    });
}
