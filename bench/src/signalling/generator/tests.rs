//! The load against a forwarder of the test's own, good or bad: what a server does wrong must be seen.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use super::calls::{Calls, Figures, Pair, Plan, outsider};
use super::ends::Ends;
use super::{messages, pace};

const COUNT: usize = 40;

/// Makes calls through a forwarder that `spoil` has its way with: it is given each datagram with its number, and
/// returns what is sent on.
fn calls_through(
    pause: Duration,
    mut spoil: impl FnMut(usize, Vec<u8>) -> Vec<Vec<u8>> + Send + 'static,
) -> Figures {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let server = socket.local_addr().unwrap();
    let forwarder = std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        let mut number = 0;
        while let Ok((length, mut address)) = socket.recv_from(&mut buffer) {
            address.set_port(address.port() ^ 1);
            for datagram in spoil(number, buffer[..length].to_vec()) {
                socket.send_to(&datagram, address).unwrap();
            }
            number += 1;
        }
    });
    let mut ends = Ends::new(false).unwrap();
    let (caller, callee) = ends.pair(server).unwrap();
    let contact = ends.get(callee).contact("u0");
    let to = contact.trim_start_matches("sip:").to_owned();
    let plan = Plan {
        rate: 200,
        count: COUNT,
        ringing: pause,
        talking: pause,
        pairs: vec![Pair { caller, from: outsider("c0"), to, callee, contact, others: Vec::new() }],
        description: 250,
        through_proxy: false,
    };
    let mut calls = Calls::new(plan, 1);
    ends.run(&mut calls, Instant::now() + Duration::from_millis(1000)).unwrap();
    forwarder.join().unwrap();
    calls.figures
}

#[test]
fn calls_through_a_good_forwarder_all_complete() {
    let figures = calls_through(Duration::from_millis(5), |_, datagram| vec![datagram]);
    assert_eq!((figures.begun, figures.completed), (COUNT, COUNT));
    assert_eq!((figures.faults.count, figures.reordered, figures.repeated), (0, 0, 0), "{figures:?}");
    assert_eq!((figures.ringing.len(), figures.answered.len()), (COUNT, COUNT));
}

#[test]
fn a_datagram_that_is_lost_is_a_call_that_failed() {
    let figures = calls_through(
        Duration::from_millis(5),
        |number, datagram| if number == 17 { vec![] } else { vec![datagram] },
    );
    assert_eq!((figures.begun, figures.completed), (COUNT, COUNT - 1));
}

#[test]
fn a_datagram_that_comes_twice_is_noticed() {
    let twice = |number, datagram: Vec<u8>| {
        if number == 3 { vec![datagram.clone(), datagram] } else { vec![datagram] }
    };
    assert_eq!(calls_through(Duration::from_millis(5), twice).repeated, 1);
}

#[test]
fn a_180_that_is_overtaken_by_its_200_is_noticed() {
    let mut held: Option<Vec<u8>> = None;
    let mut swapped = false;
    let swap = move |_, datagram: Vec<u8>| {
        if !swapped && datagram.starts_with(b"SIP/2.0 180") {
            swapped = true;
            held = Some(datagram);
            return vec![];
        }
        [Some(datagram), held.take()].into_iter().flatten().collect()
    };
    // With the 200 right behind it.
    assert_eq!(calls_through(Duration::ZERO, swap).reordered, 1);
}

#[test]
fn a_message_that_was_changed_is_noticed() {
    let change = |number, mut datagram: Vec<u8>| {
        if number == 0 {
            datagram.pop();
        }
        vec![datagram]
    };
    assert!(calls_through(Duration::from_millis(5), change).faults.count > 0);
}

#[test]
fn a_call_id_tells_its_call_and_its_run() {
    let id = messages::call_id(4711, 9);
    assert_eq!(messages::number_of(id.as_bytes(), 9), Some(4711));
    assert_eq!(messages::number_of(id.as_bytes(), 8), None);
}

#[test]
fn an_open_loop_catches_up_with_what_is_overdue() {
    let mut pace = pace::Pace::new(1000, 30);
    let later = Instant::now() + Duration::from_millis(10);
    let begun = std::iter::from_fn(|| pace.begin(later)).count();
    assert!((10..=12).contains(&begun), "{begun}");
    assert!(pace.late >= Duration::from_millis(9));
}
