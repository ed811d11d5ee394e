//! The network as its user sees it.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;

use sip::{Flow, Hop, Transport};
use tokio::task::JoinHandle;
use websocket::CloseCode;

use crate::bound::Bound;
use crate::config::{Limits, ListenerConfig, Protocol};
use crate::connection::Stage;
use crate::error::BindError;
use crate::handler::Handler;
use crate::joint;
use crate::listen::Incoming;
use crate::outgoing;
use crate::shared::{Life, Notice, Shared, Target, Way};
use crate::tls::{LoadedTls, TlsConfig};

/// All sockets of one event loop. Clones are handles to the same sockets.
#[derive(Clone)]
pub struct Network {
    pub(crate) shared: Rc<Shared>,
    /// The listening sockets, until [`Network::run`] takes them.
    pub(crate) incoming: Rc<std::cell::RefCell<Vec<Incoming>>>,
}

/// A bound listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// What it speaks.
    pub protocol: Protocol,
    /// Address and port as bound.
    pub address: SocketAddr,
}

/// What was lost, and how many are connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections that peers have opened and that are now open, whatever they carry.
    pub connections: usize,
    /// Datagrams that were not sent since the socket stayed full or the system refused them.
    pub datagrams_dropped: u64,
    /// Connections refused by a bound.
    pub refused: u64,
}

impl Network {
    /// Opens every listener, or none. To be called inside the runtime that will run it.
    ///
    /// # Errors
    /// The first listener that cannot be opened, or what is wrong with the TLS files.
    pub fn bind(listeners: &[ListenerConfig], tls: &TlsConfig, limits: Limits) -> Result<Self, BindError> {
        // One loop has one set of sockets.
        Bound::open(listeners, tls, limits, 1)?.swap_remove(0).start()
    }

    /// The listeners, in the order given to [`Network::bind`], with the ports that they got.
    #[must_use]
    pub fn listeners(&self) -> &[Listener] {
        &self.shared.listeners
    }

    /// Serves until [`Network::drain`] has ended. To be called once, inside a `LocalSet`.
    pub async fn run(&self, handler: Rc<dyn Handler>) {
        let net = &self.shared;
        net.set_handler(handler);
        let mut tasks = Tasks(Vec::new());
        for datagrams in &net.datagrams {
            tasks.start(Rc::clone(datagrams).run(Rc::clone(net)));
            tasks.start(Rc::clone(datagrams).watch(Rc::clone(net)));
        }
        let accepting = Tasks(
            self.incoming
                .take()
                .into_iter()
                .map(|incoming| tokio::task::spawn_local(incoming.run(Rc::clone(net))))
                .collect(),
        );
        let timed = Rc::clone(net);
        tasks.start(async move {
            timed
                .calendar
                .run(|id, now| {
                    if let Some(connection) = timed.connection(id) {
                        connection.due(&timed, now);
                    }
                })
                .await;
        });
        let mut accepting = Some(accepting);
        poll_fn(|cx| {
            net.remember(cx.waker());
            self.tell();
            match net.life.get() {
                Life::Running => Poll::Pending,
                Life::Draining => {
                    // The ports are free from now on, for a successor to take.
                    accepting = None;
                    Poll::Pending
                }
                Life::Over => Poll::Ready(()),
            }
        })
        .await;
        self.tell();
    }

    /// Tells the user what has happened since the last time.
    fn tell(&self) {
        let net = &self.shared;
        while let Some(notice) = net.take_notice() {
            match notice {
                Notice::Unreachable(hop) => {
                    net.call(|handler| handler.unreachable(&hop));
                }
                Notice::Closed(connection) => {
                    net.call(|handler| handler.closed(&connection.flow));
                }
                Notice::Connect(target) => {
                    tokio::task::spawn_local(outgoing::connect(Rc::clone(net), target));
                }
            }
        }
    }

    /// What `work` sends leaves when it is over, with one system call for each UDP socket and each connection: for whoever
    /// does several things at once. Within a callback it is so already where several messages came together.
    pub fn together<R>(&self, work: impl FnOnce() -> R) -> R {
        let _turn = self.shared.turn.begin(&self.shared);
        work()
    }

    /// Whether what is sent now leaves later, with other things.
    #[must_use]
    pub fn is_together(&self) -> bool {
        self.shared.turn.is_on()
    }

    /// Sends one SIP message. Never waits: see the crate's documentation.
    pub fn send(&self, hop: &Hop, bytes: &[u8]) {
        let net = &self.shared;
        match hop {
            Hop::Flow(flow) if flow.transport == Transport::Udp => {
                match net.datagrams.iter().find(|datagrams| datagrams.has(flow.local)) {
                    Some(datagrams) => datagrams.send(net, flow.local, flow.remote, bytes),
                    None => net.notice(Notice::Unreachable(hop.clone())),
                }
            }
            Hop::Flow(flow) => match net.connection(flow.connection) {
                Some(connection)
                    if connection.flow == *flow && connection.opened.get() && connection.is_open() =>
                {
                    connection.send_message(net, bytes);
                }
                _ => net.notice(Notice::Unreachable(hop.clone())),
            },
            Hop::Address { transport: Transport::Udp, address, .. } => {
                let fit = net
                    .datagrams
                    .iter()
                    .filter_map(|datagrams| Some((datagrams.suits(*address)?, datagrams)))
                    .reduce(|best, other| if other.0 > best.0 { other } else { best });
                match fit {
                    Some((_, datagrams)) => datagrams.send(net, datagrams.local(), *address, bytes),
                    None => net.notice(Notice::Unreachable(hop.clone())),
                }
            }
            Hop::Address { transport, address, server_name } => {
                let target =
                    Target { transport: *transport, address: *address, server_name: server_name.clone() };
                self.send_to(target, bytes);
            }
        }
    }

    /// Sends over the connection that is open to `target`, or opens one.
    fn send_to(&self, target: Target, bytes: &[u8]) {
        let net = &self.shared;
        if !matches!(target.transport, Transport::Tcp | Transport::Tls) || net.life.get() != Life::Running {
            // Browsers cannot be connected to (RFC 7118 §5.2.4); nothing else asks for an outgoing WebSocket.
            return net.notice(Notice::Unreachable(target.into()));
        }
        let mut ways = net.ways.borrow_mut();
        let open = match ways.get_mut(&target) {
            Some(Way::Connecting(waiting, total)) => {
                *total = total.saturating_add(bytes.len());
                if *total > net.limits.send_queue {
                    drop(ways);
                    return net.notice(Notice::Unreachable(target.into()));
                }
                return waiting.push(bytes.into());
            }
            Some(Way::Open(id)) => net.connection(*id).filter(|connection| connection.is_open()),
            None => net.proven(&target),
        };
        match open {
            Some(connection) => {
                drop(ways);
                connection.send_message(net, bytes);
            }
            None => {
                ways.insert(target.clone(), Way::Connecting(vec![bytes.into()], bytes.len()));
                drop(ways);
                net.notice(Notice::Connect(target));
            }
        }
    }

    /// Closes a flow's connection after what was sent; `code` is for WebSocket peers. Nothing happens if it
    /// is gone or has none.
    pub fn close(&self, flow: &Flow, code: CloseCode) {
        if let Some(connection) = self.shared.connection(flow.connection)
            && connection.flow == *flow
        {
            connection.close(&self.shared, code, "");
        }
    }

    /// Stops accepting, tells WebSocket peers that we go away (1001), lets every connection take its last
    /// bytes, and closes. Ends when all are closed or [`Limits::drain`] has passed; then `run` ends too.
    pub async fn drain(&self) {
        let net = &self.shared;
        net.life.set(Life::Draining);
        net.wake();
        for connection in self.connections() {
            match connection.stage.get() {
                Stage::Handshake | Stage::Head => connection.die(),
                // Hyper ends after the response that it is at.
                Stage::Http => connection.wake(),
                Stage::Sip | Stage::WebSocket => {
                    connection.close(net, CloseCode::GOING_AWAY, "the server stops");
                }
            }
        }
        let all_gone = async {
            loop {
                let gone = net.gone.notified();
                if net.connections.borrow().is_empty() {
                    break;
                }
                gone.await;
            }
        };
        let _ = tokio::time::timeout(net.limits.drain, all_gone).await;
        self.connections().iter().for_each(|connection| connection.die());
        // Their tasks run once more and report that they are closed.
        tokio::task::yield_now().await;
        net.life.set(Life::Over);
        net.wake();
    }

    fn connections(&self) -> Vec<Rc<crate::connection::Connection>> {
        self.shared.connections.borrow().values().cloned().collect()
    }

    /// Takes certificate and roots anew, for connections from now on.
    pub fn replace_tls(&self, tls: &LoadedTls) {
        if tls.acceptors.is_some() {
            self.shared.acceptors.replace(tls.acceptors.clone());
        }
        self.shared.connector.replace(tls.connector.clone());
    }

    /// The event loop that is to send to `hop`, if it is another one: it has the connection.
    #[must_use]
    pub fn elsewhere(&self, hop: &Hop) -> Option<usize> {
        let net = &self.shared;
        let place = match hop {
            Hop::Flow(flow) if flow.transport.is_reliable() => joint::place_of_connection(flow.connection),
            Hop::Address {
                transport: transport @ (Transport::Tcp | Transport::Tls),
                address,
                server_name,
            } => {
                let target =
                    Target { transport: *transport, address: *address, server_name: server_name.clone() };
                if net.ways.borrow().contains_key(&target) {
                    return None;
                }
                net.joint.place_of(&target)?
            }
            _ => return None,
        };
        (place != net.place && place < joint::MOST_LOOPS).then_some(place)
    }

    /// The counters.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shared.counters.get()
    }
}

/// Tasks that end with their owner.
struct Tasks(Vec<JoinHandle<()>>);

impl Tasks {
    fn start(&mut self, task: impl Future<Output = ()> + 'static) {
        self.0.push(tokio::task::spawn_local(task));
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}
