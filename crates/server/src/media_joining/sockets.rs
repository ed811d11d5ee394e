//! The sockets of media: one for all browsers on each address, a pair for each call of a phone.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use media::{IceTransport, SocketId};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use crate::log;

/// The largest packet that is read: more than any packet of media that travels.
const PACKET: usize = 2048;

/// Who hears of packets.
pub(crate) type Receiver = Rc<dyn Fn(SocketId, SocketAddr, &[u8])>;

struct Open {
    socket: Rc<UdpSocket>,
    reader: JoinHandle<()>,
}

/// The open sockets.
pub(crate) struct Sockets {
    phone_address: IpAddr,
    open: RefCell<HashMap<SocketId, Open>>,
}

/// What is bound for browsers on one address.
pub(crate) struct Bound {
    pub(crate) address: SocketAddr,
    pub(crate) datagrams: Option<std::net::UdpSocket>,
    pub(crate) streams: Option<std::net::TcpListener>,
}

/// Binds for browsers: UDP, TCP, or both on the same port.
pub(crate) fn bind_for_browsers(address: SocketAddr, transports: &[IceTransport]) -> io::Result<Bound> {
    /// A port that is free for UDP need not be free for TCP.
    const ATTEMPTS: usize = 16;
    let wants = |transport| transports.contains(&transport);
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let datagrams = wants(IceTransport::Udp).then(|| bind(address)).transpose()?;
        let taken = datagrams.as_ref().map_or(Ok(address), std::net::UdpSocket::local_addr)?;
        match wants(IceTransport::Tcp).then(|| bind_stream(taken)).transpose() {
            Ok(streams) => {
                let address = streams.as_ref().map_or(Ok(taken), std::net::TcpListener::local_addr)?;
                return Ok(Bound { address, datagrams, streams });
            }
            Err(error) if address.port() == 0 => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
}

fn bind_stream(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// A socket that waits for nothing.
pub(crate) fn bind(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = std::net::UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl Sockets {
    /// None yet; those of phones will be opened on this address.
    pub(crate) fn new(phone_address: IpAddr) -> Self {
        Self { phone_address, open: RefCell::default() }
    }

    /// Reads from a socket from now on.
    pub(crate) fn listen(&self, id: SocketId, socket: std::net::UdpSocket, receiver: &Receiver) {
        let socket = match UdpSocket::from_std(socket) {
            Ok(socket) => Rc::new(socket),
            Err(error) => return log::error(format!("a media socket cannot be read: {error}")),
        };
        let (reading, receiver) = (Rc::clone(&socket), Rc::clone(receiver));
        let reader = tokio::task::spawn_local(async move {
            let mut packet = [0; PACKET];
            while reading.readable().await.is_ok() {
                // All that is there, before anybody else has a turn. A refusal that came back for what was sent
                // (ICMP) is an error of the next read, and no reason to stop.
                while let Ok((length, from)) = reading.try_recv_from(&mut packet) {
                    receiver(id, from, packet.get(..length).unwrap_or_default());
                }
            }
        });
        self.open.borrow_mut().insert(id, Open { socket, reader });
    }

    /// Opens a port for a phone. Fails when another program has it.
    pub(crate) fn open_port(&self, port: u16, receiver: &Receiver) -> io::Result<()> {
        let socket = bind(SocketAddr::new(self.phone_address, port))?;
        self.listen(SocketId::Phone(port), socket, receiver);
        Ok(())
    }

    /// Gives a port back.
    pub(crate) fn close(&self, id: SocketId) {
        if let Some(open) = self.open.borrow_mut().remove(&id) {
            open.reader.abort();
        }
    }

    /// Sends a packet, or drops it when the system has no room: media does not wait.
    pub(crate) fn send(&self, id: SocketId, to: SocketAddr, bytes: &[u8]) {
        if let Some(open) = self.open.borrow().get(&id) {
            let _ = open.socket.try_send_to(bytes, to);
        }
    }
}
