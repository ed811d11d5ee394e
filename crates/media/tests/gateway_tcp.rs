//! Where UDP is blocked on the way, the browser's media comes over TCP (RFC 6544).

use crate::peers::{BROWSER, PHONE, World, address, branch, call, phone_description, port_of, rtp};
use media::{Event, IceTransport, MediaCause, Side, SocketId};
use std::time::Duration;

const PCMU: &str = "a=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n";

/// A call between a browser that tries TCP too and a phone.
fn called(udp_blocked: bool) -> (World, u16, String) {
    let mut world = World::new();
    let browser = world.browser_with_tcp(BROWSER);
    world.browsers[browser].udp_blocked = udp_blocked;
    let offer = world.browsers[browser].offer();
    let now = world.now;
    let offer =
        world.gateway.offer(now, &call("call"), &branch("branch"), Side::Browser, &offer).expect("an offer");
    world.settle();
    let answer = phone_description(PHONE, "0", PCMU);
    let answer =
        world.gateway.answer(now, &call("call"), &branch("branch"), Side::Phone, &answer).expect("an answer");
    world.gateway.confirm(now, &call("call"), &branch("branch"));
    world.browsers[browser].accept(&answer);
    world.pass(Duration::from_secs(3));
    (world, port_of(&offer), String::from_utf8(answer).expect("text"))
}

/// The transport of the pair in use, as the report of the call has it.
fn transport(world: &mut World) -> Option<IceTransport> {
    world.gateway.end(world.now, &call("call"));
    world.settle();
    let report = world.events.iter().find_map(|event| match event {
        Event::Ended { report, .. } => Some(report.clone()),
        _ => None,
    });
    report.expect("a report").browser.transport
}

fn both_are_heard(world: &mut World, port: u16) {
    world.browsers[0].heard.clear();
    world.phone_heard(PHONE);
    world.phone_sends(PHONE, port, &rtp(0, 1, 0, 7, b"phone"));
    world.browser_sends(0, 0, 160, b"browser");
    world.pass(Duration::from_millis(50));
    let heard: Vec<_> = world.browsers[0].heard.iter().map(|packet| packet.payload.clone()).collect();
    assert_eq!(heard, [b"phone".to_vec()]);
    assert_eq!(world.phone_heard(PHONE).last().expect("a packet").payload, b"browser");
}

#[test]
fn a_browser_is_offered_tcp_after_udp() {
    let (_, _, answer) = called(false);
    let candidates: Vec<&str> = answer.lines().filter_map(|line| line.strip_prefix("a=candidate:")).collect();
    let priority = |line: &str| line.split(' ').nth(3).and_then(|field| field.parse::<u32>().ok());
    let [udp, tcp] = candidates[..] else { panic!("{answer}") };
    assert!(udp.ends_with(" udp 2130706431 192.0.2.1 40000 typ host"), "{udp}");
    assert!(tcp.ends_with(" 192.0.2.1 40000 typ host tcptype passive"), "{tcp}");
    assert!(priority(tcp) < priority(udp), "{tcp}");
}

#[test]
fn where_udp_is_blocked_both_are_heard_over_tcp() {
    let (mut world, port, _) = called(true);
    assert!(world.browsers[0].connected);
    both_are_heard(&mut world, port);
    assert_eq!(transport(&mut world), Some(IceTransport::Tcp));
    assert_eq!(world.disconnected, [address(BROWSER)], "the connection is closed after the call");
    assert!(world.gateway.is_idle());
}

#[test]
fn where_udp_works_tcp_is_not_used() {
    let (mut world, port, _) = called(false);
    both_are_heard(&mut world, port);
    assert_eq!(transport(&mut world), Some(IceTransport::Udp));
}

#[test]
fn a_browser_whose_connection_is_closed_and_does_not_come_again_is_missed() {
    let (mut world, port, _) = called(true);
    both_are_heard(&mut world, port);
    world.gateway.disconnected(SocketId::BrowserStream(0), address(BROWSER));
    world.browsers.clear();
    world.astray.clear();
    world.phone_sends(PHONE, port, &rtp(0, 2, 160, 7, b"phone"));
    world.pass(Duration::from_secs(60));
    let tells = world.gateway.figures(world.now, &call("call")).expect("figures").browser.transport;
    assert_eq!(tells, Some(IceTransport::Tcp), "how it went is not forgotten");
    let failed = world.events.iter().find_map(|event| match event {
        Event::Failed { cause, .. } => Some(*cause),
        _ => None,
    });
    assert_eq!(failed, Some(MediaCause::IceLost));
}

#[test]
fn a_strangers_frames_get_no_answer() {
    let (mut world, _, _) = called(true);
    let hello = [&[22, 0xfe, 0xfd][..], &[0; 60]].concat();
    let mut check = vec![0x00, 0x01, 0x00, 0x10, 0x21, 0x12, 0xa4, 0x42];
    check.extend_from_slice(&[7; 12]);
    check.extend_from_slice(b"\x00\x06\x00\x0anobody:you\0\0");
    for bytes in [&check[..], &hello, &rtp(0, 1, 0, 1, &[0; 60]), &[]] {
        for socket in [SocketId::BrowserStream(0), SocketId::BrowserStream(9), SocketId::Browser(0)] {
            world.gateway.receive(world.now, socket, address("198.18.0.66:666"), bytes);
        }
        // The pair that is valid for TCP is not for UDP: a source address there is easily forged.
        if bytes.first() != Some(&0) {
            world.gateway.receive(world.now, SocketId::Browser(0), address(BROWSER), bytes);
        }
    }
    world.settle();
    assert!(world.astray.is_empty(), "{:?}", world.astray);
}
