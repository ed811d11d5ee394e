//! Pages and WebSockets on one port, and the end of a server.

mod support;

use net::{BindError, Limits, ListenerConfig, Network, Protocol, TlsConfig};
use support::{House, Peer, message, run, short, tls};
use websocket::Opcode;

const GET: &[u8] = b"GET /config.json?x=1 HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[test]
fn requests_follow_one_another_on_one_connection() {
    run(async {
        let house = House::open(&[Protocol::Http], Limits::default());
        let mut peer = house.connect(Protocol::Http).await;
        for _ in 0..3 {
            peer.write(GET).await;
            let (head, body) = peer.response().await;
            assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
            assert_eq!(body, b"GET /config.json?x=1");
        }
        peer.write(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        let head = peer.head().await;
        assert!(head.contains("content-length: 6\r\n"), "{head}");
        peer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
        assert_eq!(peer.response().await.1, b"GET /");
        assert!(peer.until_closed().await.is_empty());
    });
}

#[test]
fn a_page_larger_than_every_buffer_arrives_whole() {
    run(async {
        let house = House::open(&[Protocol::Http], Limits::default());
        let page: Vec<u8> = (0..5_000_000u32).map(|n| (n % 251) as u8).collect();
        house.recorder.page.replace(page.clone());
        let mut peer = house.connect(Protocol::Http).await;
        peer.write(b"GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert!(peer.response().await.1 == page, "the page was damaged");
        peer.write(GET).await;
        assert!(peer.response().await.0.starts_with("HTTP/1.1 200"));
    });
}

#[test]
fn a_later_request_of_a_connection_may_ask_for_a_websocket() {
    run(async {
        let house = House::open(&[Protocol::Http], Limits::default());
        house.recorder.echo.set(true);
        let mut peer = house.connect(Protocol::Http).await;
        peer.write(GET).await;
        peer.response().await;
        let mut request = Vec::new();
        websocket::client::write_request(&mut request, "localhost", "/sip", None, [9; 16]);
        // The first frame comes with the request, as a hasty client may send it.
        request.extend(support::frame(Opcode::Text, &message(300)));
        peer.write(&request).await;
        let answer = peer.head().await;
        assert!(websocket::client::check_response(answer.as_bytes(), [9; 16]).is_ok(), "{answer}");
        assert_eq!(peer.frame().await, (Opcode::Text, message(300)));
        peer.send_frame(Opcode::Text, &message(400)).await;
        assert_eq!(peer.frame().await, (Opcode::Text, message(400)));
    });
}

#[test]
fn a_later_request_is_refused_by_the_same_rules() {
    run(async {
        let house = House::open(&[Protocol::Http], Limits::default());
        let mut peer = house.connect(Protocol::Http).await;
        peer.write(GET).await;
        peer.response().await;
        let mut request = Vec::new();
        websocket::client::write_request(
            &mut request,
            "localhost",
            "/sip",
            Some("https://evil.example"),
            [9; 16],
        );
        peer.write(&request).await;
        assert!(peer.response().await.0.starts_with("HTTP/1.1 403 "));
    });
}

#[test]
fn a_connection_without_a_next_request_is_closed() {
    run(async {
        let house = House::open(&[Protocol::Http], Limits { http_idle: short(200), ..Limits::default() });
        let mut peer = house.connect(Protocol::Http).await;
        peer.write(GET).await;
        peer.response().await;
        peer.until_closed().await;
    });
}

#[test]
fn a_drain_says_1001_and_frees_the_ports() {
    run(async {
        let house = House::open(&[Protocol::Http, Protocol::Tcp], Limits::default());
        let address = house.address(Protocol::Http);
        let mut page = Peer::websocket(address).await;
        let mut phone = house.connect(Protocol::Tcp).await;
        let mut browser = house.connect(Protocol::Http).await;
        browser.write(GET).await;
        browser.response().await;
        let (one, two) = (house.recorder.opened().await, house.recorder.opened().await);
        let network = house.network.clone();
        let draining = tokio::task::spawn_local(async move { network.drain().await });
        assert_eq!(page.close_code().await, 1001);
        page.send_frame(Opcode::Close, b"\x03\xe9").await;
        assert!(page.until_closed().await.is_empty() && phone.until_closed().await.is_empty());
        assert!(browser.until_closed().await.is_empty());
        drop((phone, browser));
        draining.await.unwrap();
        let (three, four) = (house.recorder.closed().await, house.recorder.closed().await);
        assert!([three, four].contains(&one) && [three, four].contains(&two));
        let again = [ListenerConfig::new(Protocol::Http, address)];
        Network::bind(&again, &TlsConfig::default(), Limits::default()).unwrap();
    });
}

#[test]
fn each_listener_that_cannot_be_opened_says_why() {
    run(async {
        let house = House::open(&[Protocol::Tcp, Protocol::Udp], Limits::default());
        let bind = |protocol, address: &str| {
            let listeners = [ListenerConfig::new(protocol, address.parse().unwrap())];
            Network::bind(&listeners, &TlsConfig::default(), Limits::default()).map(|_| ()).unwrap_err()
        };
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let address = house.address(protocol).to_string();
            let error = bind(protocol, &address);
            assert!(matches!(error, BindError::PortInUse { .. }), "{error}");
            assert!(error.to_string().contains(&address), "{error}");
        }
        assert!(matches!(bind(Protocol::Tcp, "192.0.2.1:0"), BindError::AddressNotAvailable { .. }));
        assert!(matches!(bind(Protocol::Tls, "127.0.0.1:0"), BindError::NoCertificate { .. }));
        let wrong = TlsConfig { roots: net::TrustRoots::File("/nonexistent.pem".into()), ..tls() };
        let error = Network::bind(&[], &wrong, Limits::default()).map(|_| ()).unwrap_err();
        assert!(matches!(error, BindError::Tls(_)), "{error}");
    });
}
