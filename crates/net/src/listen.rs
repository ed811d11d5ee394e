//! Sockets that listen, and connections that come in.

use std::collections::hash_map::Entry;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use sip::Flow;
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::balancer_preface::{self, speaks_for_others};
use crate::config::{ListenerConfig, Protocol};
use crate::connection::{Connection, Stage};
use crate::datagrams::Datagrams;
use crate::error::BindError;
use crate::handler::Event;
use crate::joint::Unnamed;
use crate::outgoing;
use crate::shared::{Shared, Target, Way};

/// Connections that may wait for us to accept them.
const BACKLOG: i32 = 1024;
/// The kernel's buffer of a UDP socket in each direction, so that a burst of registrations fits; the system may allow less.
const DATAGRAM_BUFFER: usize = 4 << 20;
/// After how much silence the kernel asks a peer, and how soon again.
const KERNEL_PING: Duration = Duration::from_secs(60);
const KERNEL_PING_AGAIN: Duration = Duration::from_secs(15);
/// How long what was sent may stay unconfirmed, and how long a silent peer may leave the questions of the kernel unanswered (three of
/// them), until the kernel gives the connection up. By itself it would send for a quarter of an hour to a peer that is gone.
#[cfg(target_os = "linux")]
const UNCONFIRMED: Duration = Duration::from_secs(100);
/// How long we wait when the system has no descriptor for a new connection (R20).
const BREATH: Duration = Duration::from_millis(100);

/// A bound stream listener.
pub(crate) struct Incoming {
    socket: TcpListener,
    protocol: Protocol,
    pub(crate) local: SocketAddr,
}

/// Binds a listener once for each of `loops` event loops. The system spreads what comes among them: all of one
/// connection, and all datagrams between two ports, go to the same.
pub(crate) fn bind(listener: ListenerConfig, loops: usize) -> Result<Vec<Socket>, BindError> {
    let bind_one = if listener.protocol == Protocol::Udp { bind_datagrams } else { bind_stream };
    let bind_all = || -> io::Result<Vec<Socket>> {
        // The first one is bound alone, so that a port which another program has is not shared with it.
        let first = bind_one(listener.address, Share::Not)?;
        let address = first.local_addr()?.as_socket().unwrap_or(listener.address);
        let mut sockets = vec![first];
        if loops > 1 {
            share(&sockets)?;
            for _ in 1..loops {
                sockets.push(bind_one(address, Share::WithOurs)?);
            }
        }
        if listener.protocol == Protocol::Udp {
            #[cfg(target_os = "linux")]
            crate::steering::steer(&sockets);
        } else {
            sockets.iter().try_for_each(|socket| socket.listen(BACKLOG))?;
        }
        Ok(sockets)
    };
    bind_all().map_err(|error| BindError::from_io(listener, error))
}

/// Whether a socket shares its port with others of this server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Share {
    Not,
    WithOurs,
}

/// Lets others of this user be bound to the same ports.
fn share(sockets: &[Socket]) -> io::Result<()> {
    sockets.iter().try_for_each(|socket| socket.set_reuse_port(true))
}

impl Incoming {
    /// The listener that a bound socket is. To be called on its event loop.
    pub(crate) fn new(socket: Socket, protocol: Protocol) -> io::Result<Self> {
        let socket = TcpListener::from_std(socket.into())?;
        let local = socket.local_addr()?;
        Ok(Self { socket, protocol, local })
    }
}

/// The socket for datagrams that a bound socket is. To be called on its event loop.
pub(crate) fn datagrams(socket: Socket) -> io::Result<Datagrams> {
    Datagrams::new(socket.into())
}

fn bind_stream(address: SocketAddr, sharing: Share) -> io::Result<Socket> {
    let socket = open(address, Type::STREAM)?;
    // A restart takes its port back although old connections linger. On Linux this never shares a port between two
    // that listen.
    socket.set_reuse_address(true)?;
    if sharing == Share::WithOurs {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

fn bind_datagrams(address: SocketAddr, sharing: Share) -> io::Result<Socket> {
    let socket = open(address, Type::DGRAM)?;
    socket.set_recv_buffer_size(DATAGRAM_BUFFER)?;
    socket.set_send_buffer_size(DATAGRAM_BUFFER)?;
    if sharing == Share::WithOurs {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

fn open(address: SocketAddr, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// No waiting for more bytes to send; and the kernel asks silent peers whether they are there, which also keeps
/// the ways through NATs open, and gives up who confirms nothing. Without these we only serve worse.
pub(crate) fn tune(stream: &TcpStream) {
    let keep_alive = TcpKeepalive::new().with_time(KERNEL_PING).with_interval(KERNEL_PING_AGAIN);
    let socket = SockRef::from(stream);
    let _ = socket.set_tcp_keepalive(&keep_alive);
    // The kernel asks no questions while something is unconfirmed: a call to a peer that is gone would keep its connection.
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(UNCONFIRMED));
    let _ = stream.set_nodelay(true);
}

impl Incoming {
    /// Accepts, for ever.
    pub(crate) async fn run(self, net: Rc<Shared>) {
        let port = Port { protocol: self.protocol, local: self.local };
        loop {
            match self.socket.accept().await {
                Ok((stream, remote)) if speaks_for_others(&net.limits.balancers, remote) => {
                    if let Some(unnamed) = net.admit_unnamed(remote) {
                        let named = port.accept_from_balancer(Rc::clone(&net), stream, remote, unnamed);
                        tokio::task::spawn_local(named);
                    }
                }
                Ok((stream, remote)) => port.accept(&net, stream, remote),
                Err(error) => {
                    // Often a peer that left again; then there is nothing to wait for.
                    if !matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
                    ) {
                        let reason = error.to_string();
                        net.event(&Event::AcceptFailed { local: self.local, reason });
                        tokio::time::sleep(BREATH).await;
                    }
                }
            }
        }
    }
}

/// What comes in at one port.
#[derive(Clone, Copy)]
struct Port {
    protocol: Protocol,
    local: SocketAddr,
}

impl Port {
    /// Waits for the balancer's word, no longer than for a handshake.
    async fn accept_from_balancer(
        self,
        net: Rc<Shared>,
        mut stream: TcpStream,
        balancer: SocketAddr,
        unnamed: Unnamed,
    ) {
        let read = balancer_preface::read(&mut stream);
        let read = tokio::time::timeout(net.limits.handshake, read).await;
        drop(unnamed);
        let reason = match read {
            Ok(Ok(client)) => return self.accept(&net, stream, client.unwrap_or(balancer)),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "its PROXY header took too long".to_owned(),
        };
        net.event(&Event::NoClientNamed { local: self.local, balancer, reason });
    }

    fn accept(self, net: &Rc<Shared>, stream: TcpStream, remote: SocketAddr) {
        if !net.admit(remote) {
            return;
        }
        let session = match net.acceptors.borrow().as_ref() {
            Some(acceptors) if self.protocol.is_secure() => {
                acceptors.accept(self.protocol == Protocol::Https).ok()
            }
            _ => None,
        };
        if self.protocol.is_secure() && session.is_none() {
            return net.dismiss(remote);
        }
        tune(&stream);
        let flow = Flow {
            transport: self.protocol.transport(),
            connection: net.next_connection(),
            local: stream.local_addr().unwrap_or(self.local),
            remote,
        };
        let connection = Rc::new(Connection::new(net, flow, self.protocol, stream, session, None));
        connection.deadlines.handshake.set(net.calendar.after(net.limits.handshake));
        net.connections.borrow_mut().insert(connection.id(), Rc::clone(&connection));
        if matches!(self.protocol, Protocol::Tcp | Protocol::Tls) {
            let target = Target { transport: flow.transport, address: remote, server_name: None };
            // Another connection may be the way there already: it stays so, and its end says nothing of this one.
            if let Entry::Vacant(way) = net.ways.borrow_mut().entry(target) {
                net.joint.accepted(way.key(), net.place);
                way.insert(Way::Open(connection.id()));
            }
        }
        if connection.stage.get() == Stage::Sip {
            connection.begin_sip(net);
        } else {
            connection.enter(net);
        }
        tokio::task::spawn_local(outgoing::drive(Rc::clone(net), connection));
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_kernel_gives_up_a_peer_that_is_gone_in_less_than_two_minutes() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        tune(&stream);
        let socket = SockRef::from(&stream);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(UNCONFIRMED));
        assert!(UNCONFIRMED < Duration::from_secs(120));
        // One question that is lost is no reason.
        assert!(UNCONFIRMED > KERNEL_PING + 2 * KERNEL_PING_AGAIN);
    }
}
