//! Who sends without end does not keep the others waiting.

mod support;

use std::cell::Cell;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use net::{
    AfterFault, Handler, HttpRefusal, HttpRequest, HttpResponse, Limits, ListenerConfig, Malformed, Network,
    Protocol, UpgradeRequest,
};
use sip::{Flow, Hop};
use support::{message, run};
use tokio::net::UdpSocket;
use websocket::Opcode;

/// How long the flood lasts, if nothing ends it before.
const FLOOD: Duration = Duration::from_secs(20);
/// What a message costs.
const WORK: Duration = Duration::from_micros(200);

/// Works on each message for a while, and answers datagrams.
struct Worker {
    network: Network,
    worked: Cell<usize>,
}

impl Handler for Worker {
    fn message(&self, flow: &Flow, bytes: &[u8]) {
        let begin = Instant::now();
        while begin.elapsed() < WORK {
            std::hint::spin_loop();
        }
        self.worked.set(self.worked.get() + 1);
        if !flow.transport.is_reliable() {
            self.network.send(&Hop::Flow(*flow), bytes);
        }
    }
    fn closed(&self, _: &Flow) {}
    fn unreachable(&self, _: &Hop) {}
    fn malformed(&self, _: &Flow, _: &Malformed, _: &[u8]) -> AfterFault {
        AfterFault::Close
    }
    fn accept(&self, _: &UpgradeRequest<'_>) -> Result<(), HttpRefusal> {
        Ok(())
    }
    fn http(&self, _: &HttpRequest<'_>) -> HttpResponse {
        HttpResponse::text(404, "nothing here")
    }
}

/// Floods a port with what `flood` writes, and sees whether a phone is served meanwhile.
fn serves_a_phone_meanwhile(
    protocol: Protocol,
    flood: impl FnOnce(SocketAddr, Arc<AtomicBool>) + Send + 'static,
) {
    run(async move {
        let listeners = [protocol, Protocol::Udp]
            .map(|protocol| ListenerConfig::new(protocol, "127.0.0.1:0".parse().unwrap()));
        let network = Network::bind(&listeners, &support::tls(), Limits::default()).unwrap();
        let worker = Rc::new(Worker { network: network.clone(), worked: Cell::new(0) });
        let (running, handler) = (network.clone(), Rc::clone(&worker));
        tokio::task::spawn_local(async move { running.run(handler).await });
        let address = |protocol| {
            network.listeners().iter().find(|listener| listener.protocol == protocol).unwrap().address
        };

        let over = Arc::new(AtomicBool::new(false));
        let flooding = std::thread::spawn({
            let (target, over) = (address(protocol), Arc::clone(&over));
            move || {
                std::thread::spawn({
                    let over = Arc::clone(&over);
                    move || {
                        std::thread::sleep(FLOOD);
                        over.store(true, Ordering::Relaxed);
                    }
                });
                flood(target, over);
            }
        });
        // The flood is under way.
        while worker.worked.get() < 50 {
            tokio::task::yield_now().await;
        }
        let phone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let before = worker.worked.get();
        phone.send_to(&message(300), address(Protocol::Udp)).await.unwrap();
        phone.recv_from(&mut [0; 1000]).await.unwrap();
        let meanwhile = worker.worked.get() - before;
        assert!(meanwhile < 1000, "{meanwhile} messages of the flood came before the one of the phone");
        over.store(true, Ordering::Relaxed);
        network.drain().await;
        flooding.join().unwrap();
    });
}

/// Writes until it is told to stop, or nobody listens any more.
fn write_on(stream: &mut impl Write, bytes: &[u8], over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        if stream.write_all(bytes).is_err() {
            return;
        }
    }
}

#[test]
fn a_phone_is_served_while_a_page_sends_without_end_over_tls() {
    serves_a_phone_meanwhile(Protocol::Https, |target, over| {
        let mut stream = support::tls_stream(target);
        let mut request = Vec::new();
        websocket::client::write_request(&mut request, "localhost", "/sip", None, [7; 16]);
        stream.write_all(&request).unwrap();
        let frames = support::frame(Opcode::Text, &message(2000)).repeat(6);
        write_on(&mut stream, &frames, &over);
    });
}

#[test]
fn a_phone_is_served_while_a_server_sends_without_end_over_tcp() {
    serves_a_phone_meanwhile(Protocol::Tcp, |target, over| {
        let mut stream = TcpStream::connect(target).unwrap();
        write_on(&mut stream, &message(2000).repeat(6), &over);
    });
}
