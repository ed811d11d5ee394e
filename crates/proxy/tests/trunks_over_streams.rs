//! Groups of servers that are reached over TCP and TLS: connections that are refused, closed, opened by either side.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::support::*;
use proxy::stir::Verification;
use proxy::trunk_settings::{
    Account, Action, Caller, Group, Incoming, Password, Route, Server, Source, Trunks,
};
use proxy::{Config, Event};
use sip::{Flow, HeaderName, Hop, Message, Transport};

const CALLED: &str = "sip:+49301234@example.com";
const NAMES: [&str; 2] = ["one.provider.example", "two.provider.example"];

fn port(transport: Transport) -> u16 {
    transport.default_port()
}

fn address(place: usize, transport: Transport) -> SocketAddr {
    let last = u8::try_from(place + 1).unwrap();
    SocketAddr::from(([203, 0, 113, last], port(transport)))
}

/// Where a server is, and the name that its certificate must carry (RFC 5922).
fn hop(place: usize, transport: Transport) -> Hop {
    let server_name = transport.is_secure().then(|| Arc::from(NAMES[place]));
    Hop::Address { transport, address: address(place, transport), server_name }
}

/// The connection that we opened to a server.
fn opened(place: usize, transport: Transport) -> Flow {
    flow(transport, 70 + place as u64, &address(place, transport).to_string(), 45_678)
}

/// Two servers, the first one preferred.
fn provider(transport: Transport) -> Group {
    let server = |place: usize| Server {
        host: NAMES[place].to_owned(),
        port: None,
        transport: Some(transport),
        priority: u16::try_from(place).unwrap(),
        weight: 1,
    };
    Group {
        name: "provider".to_owned(),
        servers: vec![server(0), server(1)],
        domain: Some("provider.example".to_owned()),
        addresses: Vec::new(),
        certificates: Vec::new(),
        trusted: false,
        incoming: Incoming::Users,
        incoming_to: Some("alice".to_owned()),
        probe: None,
        account: None,
        signing: None,
        verification: Verification::Off,
    }
}

fn account() -> Account {
    Account {
        user: "4930555".to_owned(),
        domain: "provider.example".to_owned(),
        login: None,
        password: Password("sesame".to_owned()),
        register: true,
        expires: Duration::from_secs(600),
        caller: Caller::Own,
    }
}

/// A house with that group, and alice who has signed in.
fn with_alice(group: Group) -> (House, Phone) {
    let transport = group.servers[0].transport.unwrap();
    let route = Route {
        prefixes: vec!["+".to_owned()],
        sources: vec![Source::Users],
        action: Action::Group("provider".to_owned()),
        ..Route::default()
    };
    let trunks = Trunks { groups: vec![Arc::new(group)], routes: vec![route], ..Trunks::default() };
    let mut house = house(Config { trunks, ..config() });
    for place in [0, 1] {
        house.hosts.insert(NAMES[place].to_owned(), vec![hop(place, transport)]);
    }
    house.wait(Duration::ZERO);
    let alice = page("alice", 1);
    house.register(&alice);
    (house, alice)
}

/// What was sent to a server, whose name is checked, of this method.
fn asked(house: &mut House, place: usize, transport: Transport, wanted: &str) -> Vec<Message> {
    let sent = std::mem::take(&mut house.sent);
    let (theirs, others) =
        sent.into_iter().partition(|(to, message)| *to == hop(place, transport) && method(message) == wanted);
    house.sent = others;
    let theirs: Vec<(Hop, Message)> = theirs;
    theirs.into_iter().map(|(_, message)| message).collect()
}

/// A server of the provider, at the other end of this connection.
fn at_the_end_of(flow: Flow) -> Phone {
    let transport = flow.transport;
    let (via, parameter) = (transport.via_token(), transport.uri_parameter());
    let there = SocketAddr::new(flow.remote.ip(), port(transport));
    Phone {
        user: "carrier",
        flow,
        via: format!("SIP/2.0/{via} {there};rport"),
        contact: format!("sip:carrier@{there};transport={parameter}"),
        parameters: String::new(),
        call_id: "carrier".to_owned(),
    }
}

fn server(place: usize, transport: Transport) -> Phone {
    at_the_end_of(opened(place, transport))
}

fn unreachable(house: &mut House, hop: &Hop) {
    house.proxy.unreachable(house.now, hop);
    house.drain();
}

fn statuses(house: &mut House, phone: &Phone) -> Vec<u16> {
    let statuses = house.take(&phone.flow).iter().filter_map(Message::status).collect::<Vec<_>>();
    statuses.into_iter().filter(|status| *status > 100).collect()
}

fn told(house: &House) -> Vec<String> {
    let line = |event: &Event| match event {
        Event::Server { server, works, .. } => Some(format!("{server} {works}")),
        Event::TrunkRegistered { account, .. } => Some(format!("registered: {account}")),
        Event::TrunkNotRegistered { status, .. } => Some(format!("not registered: {status}")),
        _ => None,
    };
    house.events.iter().filter_map(line).collect()
}

const STREAMS: [Transport; 2] = [Transport::Tcp, Transport::Tls];

#[test]
fn a_server_whose_connection_is_refused_is_set_aside_by_the_question_and_back_when_it_answers() {
    for transport in STREAMS {
        let (mut house, alice) =
            with_alice(Group { probe: Some(Duration::from_secs(30)), ..provider(transport) });
        let options = asked(&mut house, 0, transport, "OPTIONS").remove(0);
        assert!(text(&options).contains(&format!("Via: SIP/2.0/{} ", transport.via_token())));
        assert_eq!(asked(&mut house, 1, transport, "OPTIONS").len(), 1);
        unreachable(&mut house, &hop(0, transport));
        let name = format!("sip:{};transport={}", NAMES[0], transport.uri_parameter());
        assert_eq!(told(&house), [format!("{name} false")], "at once, and not when it was silent for long");
        house.receive(&alice.flow, &alice.invite(CALLED, "1"));
        assert!(asked(&mut house, 0, transport, "INVITE").is_empty());
        let invite = asked(&mut house, 1, transport, "INVITE").remove(0);
        let second = server(1, transport);
        house.receive(&second.flow, &second.respond(&invite, 486, ""));
        house.wait(Duration::from_secs(31));
        let options = asked(&mut house, 0, transport, "OPTIONS").remove(0);
        let first = server(0, transport);
        house.receive(&first.flow, &first.respond(&options, 200, ""));
        assert_eq!(told(&house).last(), Some(&format!("{name} true")));
        house.receive(&alice.flow, &alice.invite(CALLED, "2"));
        assert_eq!(asked(&mut house, 0, transport, "INVITE").len(), 1);
    }
}

#[test]
fn a_call_goes_to_the_next_server_at_once_if_the_connection_is_refused_or_closed_before_a_word() {
    for transport in STREAMS {
        for closes in [false, true] {
            let (mut house, alice) = with_alice(provider(transport));
            house.receive(&alice.flow, &alice.invite(CALLED, "1"));
            let unheard = asked(&mut house, 0, transport, "INVITE").remove(0);
            if closes {
                house.close(&opened(0, transport));
            } else {
                unreachable(&mut house, &hop(0, transport));
            }
            let invite = asked(&mut house, 1, transport, "INVITE").remove(0);
            let second = server(1, transport);
            house.receive(&second.flow, &second.respond(&invite, 200, ""));
            assert_eq!(statuses(&mut house, &alice), [200], "{transport:?}, closed: {closes}");
            // The first one wakes up over another connection, and is told that nobody waits.
            if closes {
                let first = at_the_end_of(flow(transport, 80, "203.0.113.1:40999", port(transport)));
                house.receive(&first.flow, &first.respond(&unheard, 180, ""));
                assert_eq!(asked(&mut house, 0, transport, "CANCEL").len(), 1);
            }
        }
    }
}

#[test]
fn a_server_that_rings_may_answer_over_a_connection_of_its_own_when_the_first_one_is_closed() {
    for transport in STREAMS {
        let (mut house, alice) = with_alice(provider(transport));
        house.receive(&alice.flow, &alice.invite(CALLED, "1"));
        let invite = asked(&mut house, 0, transport, "INVITE").remove(0);
        let first = server(0, transport);
        house.receive(&first.flow, &first.respond(&invite, 180, ""));
        house.close(&first.flow);
        assert!(asked(&mut house, 1, transport, "INVITE").is_empty(), "it rings there");
        let again = at_the_end_of(flow(transport, 80, "203.0.113.1:40999", port(transport)));
        house.receive(&again.flow, &again.respond(&invite, 200, ""));
        assert_eq!(statuses(&mut house, &alice), [180, 200]);
    }
}

#[test]
fn a_call_outlives_the_connection_and_either_side_hangs_up() {
    for transport in STREAMS {
        for callee_hangs_up in [false, true] {
            let (mut house, alice) = with_alice(provider(transport));
            house.receive(&alice.flow, &alice.invite(CALLED, "1"));
            let invite = asked(&mut house, 0, transport, "INVITE").remove(0);
            let first = server(0, transport);
            house.receive(&first.flow, &first.respond(&invite, 200, ""));
            let accepted = house.one(&alice.flow);
            house.close(&first.flow);
            if callee_hangs_up {
                let again = at_the_end_of(flow(transport, 80, "203.0.113.1:40999", port(transport)));
                let more = routes(&invite, false);
                let to = "<sip:alice@example.com>;tag=from-alice";
                house.receive(&again.flow, &again.request("BYE", &alice.contact, to, "1", 9, &more));
                assert_eq!(method(&house.one(&alice.flow)), "BYE");
            } else {
                let to = header(&accepted, HeaderName::To);
                let way = routes(&accepted, true);
                house.receive(&alice.flow, &alice.request("BYE", &first.contact, &to, "1", 2, &way));
                let (to, bye) =
                    house.sent.iter().find(|(_, message)| method(message) == "BYE").expect("a BYE");
                assert_eq!(
                    (to.transport(), to.address()),
                    (transport, address(0, transport)),
                    "a new connection"
                );
                assert!(text(bye).contains(&format!("Via: SIP/2.0/{} ", transport.via_token())));
            }
        }
    }
}

const CHALLENGE: &str =
    "WWW-Authenticate: Digest realm=\"provider\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"\r\n";

/// Registered at the first server, over the connection that we opened to it. Gives our Contact there.
fn registered(house: &mut House, transport: Transport) -> String {
    let first = server(0, transport);
    let request = asked(house, 0, transport, "REGISTER").remove(0);
    house.receive(&first.flow, &first.respond(&request, 401, CHALLENGE));
    let request = asked(house, 0, transport, "REGISTER").remove(0);
    assert!(request.header(HeaderName::Authorization).is_some());
    let contact = header(&request, HeaderName::Contact);
    house.receive(&first.flow, &first.respond(&request, 200, "Expires: 600\r\n"));
    assert_eq!(told(house), ["registered: sip:4930555@provider.example"]);
    contact.trim_start_matches('<').split('>').next().unwrap().to_owned()
}

#[test]
fn the_account_is_registered_over_tls_at_the_server_whose_certificate_has_its_name() {
    let (mut house, _) = with_alice(Group { account: Some(account()), ..provider(Transport::Tls) });
    // The hop to which the REGISTERs went says which name is checked (RFC 5922 §7.1).
    let contact = registered(&mut house, Transport::Tls);
    assert!(contact.ends_with("@192.0.2.1:5061;transport=tls"), "{contact}");
}

#[test]
fn a_server_whose_certificate_has_another_name_gets_no_password_and_the_next_one_is_asked() {
    let (mut house, _) = with_alice(Group { account: Some(account()), ..provider(Transport::Tls) });
    assert_eq!(asked(&mut house, 0, Transport::Tls, "REGISTER").len(), 1, "it waits for the handshake");
    unreachable(&mut house, &hop(0, Transport::Tls));
    house.wait(Duration::from_millis(1));
    let request = asked(&mut house, 1, Transport::Tls, "REGISTER").remove(0);
    let second = server(1, Transport::Tls);
    house.receive(&second.flow, &second.respond(&request, 200, "Expires: 600\r\n"));
    assert_eq!(told(&house), ["registered: sip:4930555@provider.example"]);
}

#[test]
fn a_call_comes_over_the_connection_that_we_opened_and_is_answered_there() {
    for transport in STREAMS {
        let (mut house, alice) = with_alice(Group { account: Some(account()), ..provider(transport) });
        let contact = registered(&mut house, transport);
        let first = server(0, transport);
        let call = first.request("INVITE", &contact, "<sip:4930555@provider.example>", "in-1", 1, "");
        house.receive(&first.flow, &call.replace("@example.com>;tag=from", "@elsewhere.example>;tag=from"));
        let invite = house.one(&alice.flow);
        assert_eq!(method(&invite), "INVITE");
        house.receive(&alice.flow, &alice.respond(&invite, 200, ""));
        let accepted = house.one(&first.flow);
        assert_eq!(accepted.status(), Some(200));
        // The ways back are those of the side that they are written for.
        let way = routes(&accepted, true);
        assert!(way.contains(&format!(
            "192.0.2.1:{};transport={}",
            port(transport),
            transport.uri_parameter()
        )));
        let to = header(&accepted, HeaderName::To);
        let bye = first.request("BYE", &alice.contact, &to, "in-1", 2, &way);
        house.receive(&first.flow, &bye);
        assert_eq!(method(&house.one(&alice.flow)), "BYE");
    }
}
