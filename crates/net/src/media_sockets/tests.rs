//! Real sockets on loopback, on ports below those that systems give away.

use std::cell::RefCell;
use std::net::UdpSocket;
use std::rc::Rc;
use std::time::Duration;

use super::{MediaSockets, Peers};

fn bound(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind(address).expect("a port");
    socket.set_nonblocking(true).expect("a socket that does not block");
    socket
}

/// Runs on an event loop, with sockets that answer each packet with the same octets and the number of their socket.
fn with_echoes(open: &[(u64, &str, Peers)], test: impl AsyncFnOnce(&MediaSockets, &RefCell<usize>)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a loop");
    let sockets = Rc::new(MediaSockets::new().expect("a queue"));
    let heard = Rc::new(RefCell::new(0));
    tokio::task::LocalSet::new().block_on(&runtime, async {
        for (key, address, peers) in open {
            sockets.open(*key, bound(address), *peers).expect("a watched socket");
        }
        let (echoing, counting) = (Rc::clone(&sockets), Rc::clone(&heard));
        tokio::task::spawn_local(async move {
            let echo = Rc::clone(&echoing);
            let answer = |key: u64, from, bytes: &[u8]| {
                *counting.borrow_mut() += 1;
                echo.send(key, from, [bytes, &key.to_be_bytes()[7..]].concat());
            };
            echoing.run(answer).await.expect("it runs");
        });
        test(&sockets, &heard).await;
    });
}

/// What arrives within a while.
async fn answer(socket: &tokio::net::UdpSocket) -> Option<Vec<u8>> {
    let mut buffer = [0; 64];
    let length = tokio::time::timeout(Duration::from_secs(10), socket.recv(&mut buffer)).await.ok()?.ok()?;
    Some(buffer[..length].to_vec())
}

async fn peer(of: &str, from: &str) -> tokio::net::UdpSocket {
    let socket = tokio::net::UdpSocket::bind(from).await.expect("a port");
    socket.connect(of).await.expect("a peer");
    socket
}

const MANY: &str = "127.0.0.1:27301";
const MANY_V6: &str = "[::1]:27302";
const ONE: &str = "127.0.0.1:27303";

#[test]
fn every_packet_of_a_burst_is_heard_and_answered_to_its_sender() {
    let sockets = [(1, MANY, Peers::Many), (2, MANY_V6, Peers::Many), (3, ONE, Peers::One)];
    with_echoes(&sockets, async |_, _| {
        let peers = [
            (peer(MANY, "127.0.0.1:0").await, 1),
            (peer(MANY_V6, "[::1]:0").await, 2),
            (peer(ONE, "127.0.0.1:0").await, 3),
            (peer(MANY, "127.0.0.1:0").await, 1),
        ];
        // More than are read at a time, from peers of both families in turn.
        for round in 0..50u8 {
            for (number, (peer, _)) in peers.iter().enumerate() {
                peer.send(&[round, u8::try_from(number).expect("few")]).await.expect("sent");
            }
        }
        for round in 0..50u8 {
            for (number, (peer, key)) in peers.iter().enumerate() {
                let expected = vec![round, u8::try_from(number).expect("few"), *key];
                assert_eq!(answer(peer).await, Some(expected), "round {round}, peer {number}");
            }
        }
    });
}

#[test]
fn after_a_burst_a_single_packet_is_heard_too() {
    const AT: &str = "127.0.0.1:27304";
    with_echoes(&[(7, AT, Peers::One)], async |_, _| {
        let peer = peer(AT, "127.0.0.1:0").await;
        for pause in [0, 0, 0, 0, 20, 20, 1, 30] {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            peer.send(b"x").await.expect("sent");
            peer.send(b"y").await.expect("sent");
            assert_eq!(answer(&peer).await, Some(vec![b'x', 7]));
            assert_eq!(answer(&peer).await, Some(vec![b'y', 7]));
        }
    });
}

#[test]
fn a_closed_socket_frees_its_port_and_is_heard_no_more() {
    const AT: &str = "127.0.0.1:27305";
    with_echoes(&[(7, AT, Peers::One)], async |sockets, heard| {
        let peer = peer(AT, "127.0.0.1:0").await;
        peer.send(b"x").await.expect("sent");
        assert!(answer(&peer).await.is_some());
        sockets.close(7);
        let again = UdpSocket::bind(AT).expect("the port is free at once");
        peer.send(b"x").await.expect("sent");
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(*heard.borrow(), 1);
        drop(again);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_peer_sent_as_one_is_heard_packet_by_packet_and_answered_in_order() {
    use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
    use std::os::fd::AsRawFd as _;
    const AT: &str = "127.0.0.1:27306";
    with_echoes(&[(7, AT, Peers::Many)], async |_, heard| {
        let peer = peer(AT, "127.0.0.1:0").await;
        // Nine packets of six octets and a shorter one.
        let picture: Vec<u8> = (0..9u8).flat_map(|number| [number; 6]).chain([9, 9]).collect();
        let cut = [ControlMessage::UdpGsoSegments(&6)];
        let slices = [std::io::IoSlice::new(&picture)];
        sendmsg::<()>(peer.as_raw_fd(), &slices, &cut, MsgFlags::empty(), None).expect("sent");
        for number in 0..9u8 {
            assert_eq!(answer(&peer).await, Some(vec![number, number, number, number, number, number, 7]));
        }
        assert_eq!(answer(&peer).await, Some(vec![9, 9, 7]));
        assert_eq!(*heard.borrow(), 10);
    });
}

#[test]
fn packets_of_all_lengths_to_one_peer_keep_their_order() {
    const AT: &str = "127.0.0.1:27307";
    with_echoes(&[(7, AT, Peers::Many)], async |_, _| {
        let peer = peer(AT, "127.0.0.1:0").await;
        let lengths = [5, 5, 5, 3, 3, 9, 9, 9, 1, 1, 9, 5, 60, 60, 2, 60];
        for (number, length) in (0u8..).zip(lengths) {
            peer.send(&vec![number; length]).await.expect("sent");
        }
        for (number, length) in (0u8..).zip(lengths) {
            assert_eq!(answer(&peer).await, Some([vec![number; length], vec![7]].concat()), "{number}");
        }
    });
}
