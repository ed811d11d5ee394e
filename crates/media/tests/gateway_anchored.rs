//! Two phones whose media goes through us as it is.

use crate::peers::{BROWSER, PHONE, World, address, branch, call, phone_description, port_of, rtp};
use media::{Cause, Event, MediaCause, Party, Side};
use std::time::Duration;

const CALLEE: &str = PHONE;
const CALLER: &str = "198.51.100.20:5000";
const STRANGER: &str = "198.18.0.66:666";
/// A codec that we have never heard of, and telephone events.
const CODECS: &str = "a=rtpmap:97 SILK/16000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";

fn said(at: &str) -> Vec<u8> {
    phone_description(at, "97 101", CODECS)
}

fn offer(world: &mut World, name: &str, from: Party, description: &[u8]) -> Result<Vec<u8>, Cause> {
    let now = world.now;
    let offer = world.gateway.anchor_offer(
        now,
        &call("call"),
        &branch(name),
        from,
        description,
        Some(address(CALLEE).ip()),
    );
    world.settle();
    offer
}

fn answer(world: &mut World, name: &str, from: Party, description: &[u8]) -> Result<Vec<u8>, Cause> {
    let now = world.now;
    let answer = world.gateway.anchor_answer(now, &call("call"), &branch(name), from, description);
    world.settle();
    answer
}

/// A call that was answered, with our RTP ports toward caller and callee.
fn talking() -> (World, u16, u16) {
    talking_with(&said(CALLER), &said(CALLEE))
}

fn talking_with(caller: &[u8], callee: &[u8]) -> (World, u16, u16) {
    let mut world = World::new();
    let to_callee = offer(&mut world, "branch", Party::Caller, caller).expect("an offer");
    let to_caller = answer(&mut world, "branch", Party::Callee, callee).expect("an answer");
    world.gateway.confirm(world.now, &call("call"), &branch("branch"));
    (world, port_of(&to_caller), port_of(&to_callee))
}

fn end(world: &mut World) -> media::CallReport {
    world.gateway.end(world.now, &call("call"));
    world.settle();
    assert!(world.gateway.is_idle() && world.open.is_empty(), "all ports are returned");
    let report = world.events.iter().find_map(|event| match event {
        Event::Ended { report, .. } => Some((**report).clone()),
        _ => None,
    });
    report.expect("a report")
}

/// What was sent since the last call: from which port, where to, and what.
fn sent(world: &mut World) -> Vec<(u16, String, Vec<u8>)> {
    std::mem::take(&mut world.sent)
        .into_iter()
        .map(|sent| (sent.from, sent.to.to_string(), sent.bytes))
        .collect()
}

#[test]
fn each_phone_is_told_our_address_and_hears_the_other_octet_for_octet() {
    let mut world = World::new();
    let to_callee = offer(&mut world, "branch", Party::Caller, &said(CALLER)).expect("an offer");
    let expected = phone_description(&format!("192.0.2.1:{}", port_of(&to_callee)), "97 101", CODECS);
    let origin = |ip: &str| format!("o=phone 1 1 IN IP4 {ip}");
    let expected =
        String::from_utf8(expected).unwrap().replace(&origin("192.0.2.1"), &origin("198.51.100.20"));
    assert_eq!(String::from_utf8(to_callee.clone()).unwrap(), expected);
    let to_caller = answer(&mut world, "branch", Party::Callee, &said(CALLEE)).expect("an answer");
    let (near, far) = (port_of(&to_caller), port_of(&to_callee));

    // With a contributing source and a header extension, of a codec that nobody here knows.
    let packet =
        [&[0x91, 97, 0, 1, 0, 0, 0, 9, 0, 0, 0, 7][..], &[0, 0, 0, 8, 0xbe, 0xde, 0, 0], b"sound"].concat();
    world.phone_sends(CALLER, near, &packet);
    assert_eq!(sent(&mut world), [(far, CALLEE.to_owned(), packet)]);
    let event = rtp(101, 5, 900, 8, &[1, 10, 0, 160]);
    world.phone_sends(CALLEE, far, &event);
    assert_eq!(sent(&mut world), [(near, CALLER.to_owned(), event)]);
}

#[test]
fn reports_pass_on_their_own_ports_or_on_that_of_the_sound_where_both_want_it() {
    let report = [0x80, 201, 0, 1, 0, 0, 0, 7].to_vec();
    let (mut world, near, far) = talking();
    world.phone_sends("198.51.100.20:5001", near + 1, &report);
    assert_eq!(sent(&mut world), [(far + 1, "203.0.113.5:7001".to_owned(), report.clone())]);

    let muxed = |at| [said(at), b"a=rtcp-mux\r\n".to_vec()].concat();
    let (mut world, near, far) = talking_with(&muxed(CALLER), &muxed(CALLEE));
    world.phone_sends(CALLER, near, &report);
    assert_eq!(sent(&mut world), [(far, CALLEE.to_owned(), report)]);
}

#[test]
fn a_phone_whose_nat_gives_it_another_port_in_the_call_hears_the_other_there() {
    let (mut world, near, far) = talking();
    let (before, after) = ("198.51.100.20:45000", "198.51.100.20:46000");
    world.phone_sends(before, near, &rtp(97, 1, 0, 7, b"before"));
    world.pass(Duration::from_millis(500));
    world.sent.clear();
    world.phone_sends(after, near, &rtp(97, 26, 8000, 666, b"another source"));
    world.phone_sends(after, near, &rtp(97, 26, 8000, 7, b"after"));
    assert_eq!(sent(&mut world), [(far, CALLEE.to_owned(), rtp(97, 26, 8000, 7, b"after"))]);
    world.phone_sends(CALLEE, far, &rtp(97, 1, 0, 8, b"to the caller"));
    assert_eq!(sent(&mut world), [(near, after.to_owned(), rtp(97, 1, 0, 8, b"to the caller"))]);
}

#[test]
fn keys_are_the_phones_own_and_what_they_protect_passes() {
    let keyed = |at| {
        let plain = String::from_utf8(said(at)).unwrap();
        let keys = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n";
        (plain.replace("RTP/AVP", "RTP/SAVP") + keys).into_bytes()
    };
    let mut world = World::new();
    let to_callee = offer(&mut world, "branch", Party::Caller, &keyed(CALLER)).expect("an offer");
    assert!(String::from_utf8_lossy(&to_callee).contains("RTP/SAVP"));
    assert!(String::from_utf8_lossy(&to_callee).contains("inline:WVNfX19"));
    let to_caller = answer(&mut world, "branch", Party::Callee, &keyed(CALLEE)).expect("an answer");
    // Padding that is encrypted: nobody but the receiver can read how long it is.
    let packet = [&[0xa0, 97, 0, 1, 0, 0, 0, 9, 0, 0, 0, 7][..], &[0xff; 20]].concat();
    world.phone_sends(CALLER, port_of(&to_caller), &packet);
    assert_eq!(sent(&mut world).len(), 1);
}

#[test]
fn who_is_no_party_is_not_heard_and_draws_nothing() {
    let (mut world, near, far) = talking();
    for port in [near, near + 1, far, far + 1] {
        world.phone_sends(STRANGER, port, &rtp(97, 1, 0, 666, b"stranger"));
        world.phone_sends(STRANGER, port, &[0x80, 200, 0, 1, 0, 0, 0, 7]);
        world.phone_sends(STRANGER, port, &[22, 254, 253, 0]);
    }
    // The callee does not belong on the caller's ports either.
    world.phone_sends(CALLEE, near, &rtp(97, 1, 0, 8, b"callee"));
    assert_eq!(sent(&mut world), []);
    world.phone_sends(CALLER, near, &rtp(97, 1, 0, 7, b"caller"));
    world.phone_sends(CALLER, near, &rtp(97, 9, 0, 666, b"another source, while the first is there"));
    assert_eq!(sent(&mut world).len(), 1);
}

#[test]
fn a_phone_behind_nat_is_found_where_its_signalling_comes_from_and_kept_there() {
    let (mut world, near, far) = talking_with(&said("192.168.1.2:5000"), &said(CALLEE));
    let outside = "198.51.100.20:61000";
    let (call, branch) = (call("call"), branch("branch"));
    world.gateway.expect_party_at(&call, &branch, Party::Caller, address(outside).ip());
    world.phone_sends(outside, near, &rtp(97, 1, 0, 7, b"caller"));
    assert_eq!(sent(&mut world).len(), 1);
    world.phone_sends("198.51.100.20:62000", near, &rtp(97, 2, 0, 7, b"its neighbour"));
    assert_eq!(sent(&mut world), []);
    world.phone_sends(CALLEE, far, &rtp(97, 1, 0, 8, b"callee"));
    let reached: Vec<String> = sent(&mut world).into_iter().map(|(_, to, _)| to).collect();
    assert_eq!(reached, [outside]);
}

#[test]
fn a_new_offer_keeps_the_ports_and_moves_the_phone_once_it_is_answered() {
    let (mut world, near, far) = talking();
    let moved = "203.0.113.9:9000";
    let held = String::from_utf8(said(moved)).unwrap().replace("sendrecv", "sendonly");
    let to_caller = offer(&mut world, "within the dialog", Party::Callee, held.as_bytes()).expect("an offer");
    assert_eq!(port_of(&to_caller), near);
    assert!(String::from_utf8_lossy(&to_caller).contains("a=sendonly"));
    world.phone_sends(CALLER, near, &rtp(97, 1, 0, 7, b"caller"));
    assert_eq!(sent(&mut world)[0].1, CALLEE, "not before the answer");
    let to_callee = answer(&mut world, "within the dialog", Party::Caller, &said(CALLER)).expect("an answer");
    assert_eq!(port_of(&to_callee), far);
    world.phone_sends(CALLER, near, &rtp(97, 2, 160, 7, b"caller"));
    assert_eq!(sent(&mut world)[0].1, moved);
}

#[test]
fn what_held_before_a_refused_offer_holds_on() {
    let (mut world, near, _) = talking();
    offer(&mut world, "within the dialog", Party::Callee, &said("203.0.113.9:9000")).expect("an offer");
    world.gateway.withdraw(&call("call"), &branch("within the dialog"));
    let again =
        answer(&mut world, "branch", Party::Callee, &said(CALLEE)).expect("the answer of before, again");
    assert_eq!(port_of(&again), near);
    world.phone_sends(CALLER, near, &rtp(97, 1, 0, 7, b"caller"));
    assert_eq!(sent(&mut world)[0].1, CALLEE);
}

#[test]
fn each_branch_of_a_fork_has_its_ports_and_the_ones_that_lose_give_them_back() {
    let mut world = World::new();
    let told: Vec<u16> = ["one", "two"]
        .map(|name| port_of(&offer(&mut world, name, Party::Caller, &said(CALLER)).expect("an offer")))
        .into();
    assert_ne!(told[0], told[1]);
    let early = answer(&mut world, "one", Party::Callee, &said("203.0.113.9:9000")).expect("early media");
    world.phone_sends("203.0.113.9:9000", told[0], &rtp(97, 1, 0, 9, b"please wait"));
    assert_eq!(sent(&mut world), [(port_of(&early), CALLER.to_owned(), rtp(97, 1, 0, 9, b"please wait"))]);
    let won = answer(&mut world, "two", Party::Callee, &said(CALLEE)).expect("an answer");
    world.gateway.confirm(world.now, &call("call"), &branch("two"));
    world.settle();
    assert_eq!(world.open.len(), 4, "RTP and RTCP toward either");
    world.phone_sends(CALLER, port_of(&won), &rtp(97, 1, 0, 7, b"caller"));
    assert_eq!(sent(&mut world)[0].1, CALLEE);
    end(&mut world);
}

#[test]
fn a_phone_and_a_page_ring_for_a_phone_and_whichever_loses_leaves_nothing() {
    for page_wins in [true, false] {
        let mut world = World::new();
        let browser = world.browser(BROWSER, false);
        let now = world.now;
        let caller = phone_description(CALLER, "0", "a=sendrecv\r\n");
        let to_page =
            world.gateway.offer(now, &call("call"), &branch("page"), Side::Phone, &caller).expect("an offer");
        offer(&mut world, "phone", Party::Caller, &caller).expect("an offer");
        if page_wins {
            let answer = world.browsers[browser].answer(&to_page);
            world
                .gateway
                .answer(now, &call("call"), &branch("page"), Side::Browser, &answer)
                .expect("an answer");
        } else {
            answer(&mut world, "phone", Party::Callee, &phone_description(CALLEE, "0", ""))
                .expect("an answer");
        }
        let winner = branch(if page_wins { "page" } else { "phone" });
        world.gateway.confirm(now, &call("call"), &winner);
        world.settle();
        assert_eq!(world.open.len(), if page_wins { 2 } else { 4 });
        assert_eq!(end(&mut world).caller.is_some(), !page_wins);
    }
}

#[test]
fn pictures_pass_too_and_their_ports_are_returned_when_they_are_refused() {
    let film = |at: &str, port: u16| {
        [said(at), format!("m=video {port} RTP/AVP 99\r\na=rtpmap:99 AV1/90000\r\n").into_bytes()].concat()
    };
    let (mut world, ..) = talking_with(&film(CALLER, 5002), &film(CALLEE, 7002));
    assert_eq!(world.open.len(), 8);
    let last = |description: &[u8]| {
        let text = String::from_utf8_lossy(description).into_owned();
        let line = text.lines().find_map(|line| line.strip_prefix("m=video ")).expect("a section").to_owned();
        line.split(' ').next().unwrap().parse::<u16>().unwrap()
    };
    let near = last(&answer(&mut world, "branch", Party::Callee, &film(CALLEE, 7002)).expect("again"));
    for ssrc in [5, 6] {
        world.phone_sends("198.51.100.20:5002", near, &rtp(99, 1, 0, ssrc, b"a picture, or its repair"));
    }
    let reached: Vec<String> = sent(&mut world).into_iter().map(|(_, to, _)| to).collect();
    assert_eq!(reached, ["203.0.113.5:7002", "203.0.113.5:7002"]);
    offer(&mut world, "later", Party::Caller, &film(CALLER, 5002)).expect("an offer");
    let refused = answer(&mut world, "later", Party::Callee, &film(CALLEE, 0)).expect("an answer");
    assert_eq!((last(&refused), world.open.len()), (0, 4));
}

#[test]
fn the_report_has_both_phones_and_says_who_was_not_heard() {
    let (mut world, near, _) = talking();
    for sequence in 0..10 {
        world.phone_sends(CALLER, near, &rtp(97, sequence, u32::from(sequence) * 320, 7, b"sound"));
    }
    world.pass(Duration::from_secs(4));
    let report = end(&mut world);
    let caller = report.caller.expect("a caller");
    assert_eq!((caller.received.traffic.packets, report.phone.sent.packets), (10, 10));
    assert_eq!((caller.source, report.phone.source), (Some(address(CALLER)), None));
    assert_eq!(report.cause, Some(MediaCause::NoneFromCallee));

    let (mut world, near, far) = talking();
    world.phone_sends(CALLER, near, &rtp(97, 1, 0, 7, b"caller"));
    world.phone_sends(STRANGER, far, &rtp(97, 1, 0, 8, b"from nowhere"));
    world.pass(Duration::from_secs(4));
    assert_eq!(end(&mut world).cause, Some(MediaCause::PhoneElsewhere));
}

#[test]
fn a_call_that_comes_back_to_us_is_left_as_it_is_and_nothing_goes_round() {
    let mut world = World::new();
    let ours = offer(&mut world, "branch", Party::Caller, &said(CALLER)).expect("an offer");
    let now = world.now;
    let again = world.gateway.anchor_offer(now, &call("back"), &branch("back"), Party::Caller, &ours, None);
    assert_eq!(again.as_ref(), Ok(&ours));
    let answered =
        world.gateway.anchor_answer(now, &call("back"), &branch("back"), Party::Callee, &said(CALLEE));
    assert_eq!(answered.as_ref(), Ok(&said(CALLEE)));
    answer(&mut world, "branch", Party::Callee, &said(CALLEE)).expect("an answer");
    assert_eq!(world.open.len(), 4);

    // A phone that names a port of ours as its own would make a loop.
    let loops = offer(&mut world, "branch", Party::Caller, &ours);
    assert_eq!(loops, Err(Cause::SdpMediaLoop));
    let mut other = World::new();
    let theirs = offer(&mut other, "branch", Party::Caller, &said(CALLER)).expect("an offer");
    assert_eq!(answer(&mut other, "branch", Party::Callee, &theirs), Err(Cause::SdpMediaLoop));
    world.gateway.end(now, &call("back"));
    end(&mut world);
}

#[test]
fn without_free_ports_the_offer_is_refused_and_nothing_is_left() {
    let mut world = World::with_ports(30_000..=30_003);
    offer(&mut world, "one", Party::Caller, &said(CALLER)).expect("both pairs");
    assert_eq!(offer(&mut world, "two", Party::Caller, &said(CALLER)), Err(Cause::NoFreePort));
    world.gateway.end_branch(world.now, &call("call"), &branch("one"));
    world.settle();
    assert!(world.gateway.is_idle() && world.open.is_empty());
}

#[test]
fn parties_that_send_nothing_for_an_hour_are_taken_for_gone() {
    let (mut world, near, _) = talking();
    let failed =
        |world: &World| world.events.iter().filter(|event| matches!(event, Event::Failed { .. })).count();
    let later = |world: &mut World, seconds| {
        world.now += Duration::from_secs(seconds);
        world.gateway.timeout(world.now);
        world.settle();
    };
    later(&mut world, 3000);
    world.phone_sends(CALLER, near, &rtp(97, 1, 0, 7, b"caller"));
    later(&mut world, 3599);
    assert_eq!(failed(&world), 0);
    later(&mut world, 1);
    assert_eq!(failed(&world), 1);
    end(&mut world);
}

#[test]
fn a_phone_with_ipv6_and_one_with_ipv4_hear_each_other() {
    let v6 = "[2001:db8::20]:5000";
    let (mut world, near, far) = talking_with(&said(v6), &said(CALLEE));
    assert!(world.bound.iter().any(|bound| bound.is_ipv6() && bound.port() == near));
    assert!(world.bound.iter().any(|bound| bound.is_ipv4() && bound.port() == far));
    let told = answer(&mut world, "branch", Party::Callee, &said(CALLEE)).expect("again");
    assert!(String::from_utf8_lossy(&told).contains("c=IN IP6 2001:db8::1\r\n"));
    world.phone_sends(v6, near, &rtp(97, 1, 0, 7, b"caller"));
    assert_eq!(sent(&mut world)[0].1, CALLEE);
}
