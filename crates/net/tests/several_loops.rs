//! The networks of one server, where it runs several event loops.

mod support;

use std::net::SocketAddr;
use std::rc::Rc;

use net::{Bound, Limits, ListenerConfig, Network, Protocol};
use sip::{Hop, Transport};
use support::{Recorder, message, run, tls};
use tokio::net::TcpSocket;

/// The networks of two event loops on one port, and what both are told.
fn two_loops() -> (Vec<Network>, Rc<Recorder>) {
    let listeners = [ListenerConfig::new(Protocol::Tcp, "127.0.0.1:0".parse().unwrap())];
    let bound = Bound::open(&listeners, &tls(), Limits::default(), 2).unwrap();
    let networks: Vec<Network> = bound.into_iter().map(|bound| bound.start().unwrap()).collect();
    let recorder = Rc::new(Recorder::default());
    for network in &networks {
        let (running, handler) = (network.clone(), Rc::clone(&recorder));
        tokio::task::spawn_local(async move { running.run(handler).await });
    }
    (networks, recorder)
}

fn socket(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.set_reuseport(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

#[test]
fn of_a_connection_that_a_peer_opened_beside_ours_nothing_is_remembered_when_all_are_closed() {
    run(async {
        let (networks, recorder) = two_loops();
        let peer = socket("127.0.0.1:0".parse().unwrap()).listen(8).unwrap();
        let address = peer.local_addr().unwrap();
        let hop = Hop::Address { transport: Transport::Tcp, address, server_name: None };
        let mut connections = Vec::new();
        for network in &networks {
            network.send(&hop, &message(300));
            connections.push(peer.accept().await.unwrap().0);
            recorder.opened().await;
        }
        // From the very port that it listens on, as many servers do.
        connections.push(socket(address).connect(networks[0].listeners()[0].address).await.unwrap());
        recorder.opened().await;
        drop(peer);
        for connection in connections {
            drop(connection);
            recorder.closed().await;
        }
        for network in &networks {
            assert_eq!(network.elsewhere(&hop), None);
        }
    });
}
