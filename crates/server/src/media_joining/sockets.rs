//! The sockets of media: one for all browsers on each address, a pair for each call of a phone.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use media::{IceTransport, SocketId};
use net::media_sockets::{MediaSockets, Peers};
use tokio::task::JoinHandle;

use crate::log;

/// Who hears of packets.
pub(crate) type Receiver = Rc<dyn Fn(SocketId, SocketAddr, &[u8])>;

/// The open sockets.
pub(crate) struct Sockets {
    open: Rc<MediaSockets>,
    reader: RefCell<Option<JoinHandle<()>>>,
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
    /// None yet.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { open: Rc::new(MediaSockets::new()?), reader: RefCell::default() })
    }

    /// Reads from a socket from now on. All sockets have the same receiver.
    pub(crate) fn listen(
        &self,
        id: SocketId,
        socket: std::net::UdpSocket,
        receiver: &Receiver,
    ) -> io::Result<()> {
        let peers = if matches!(id, SocketId::Phone(_)) { Peers::One } else { Peers::Many };
        self.open.open(key(id), socket, peers)?;
        self.reader.borrow_mut().get_or_insert_with(|| {
            let (open, receiver) = (Rc::clone(&self.open), Rc::clone(receiver));
            tokio::task::spawn_local(async move { read(&open, &receiver).await })
        });
        Ok(())
    }

    /// Opens a port for a phone. Fails when another program has it.
    pub(crate) fn open_port(&self, address: IpAddr, port: u16, receiver: &Receiver) -> io::Result<()> {
        let socket = bind(SocketAddr::new(address, port))?;
        self.listen(SocketId::Phone(port), socket, receiver)
    }

    /// Gives a port back.
    pub(crate) fn close(&self, id: SocketId) {
        self.open.close(key(id));
    }

    /// Sends a packet, or drops it when the system has no room: media does not wait.
    pub(crate) fn send(&self, id: SocketId, to: SocketAddr, bytes: Vec<u8>) {
        self.open.send(key(id), to, bytes);
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.abort();
        }
    }
}

/// Hands everything that arrives to the receiver.
async fn read(open: &MediaSockets, receiver: &Receiver) {
    let outcome = open
        .run(|key, from, bytes| {
            // One packet that nobody foresaw does not end the media of all calls.
            if catch_unwind(AssertUnwindSafe(|| receiver(id(key), from, bytes))).is_err() {
                log::error(format!("a media packet from {from} met a fault of the server, and was dropped"));
            }
        })
        .await;
    if let Err(error) = outcome {
        log::error(format!("media sockets cannot be read: {error}"));
    }
}

/// Above the numbers of ports.
const BROWSERS: u64 = 1 << 16;

/// The number by which a socket is known where it is read.
const fn key(id: SocketId) -> u64 {
    match id {
        SocketId::Phone(port) => port as u64,
        // Connections are not read here.
        SocketId::Browser(index) | SocketId::BrowserStream(index) => BROWSERS + index as u64,
    }
}

fn id(key: u64) -> SocketId {
    match u16::try_from(key) {
        Ok(port) => SocketId::Phone(port),
        Err(_) => SocketId::Browser(usize::try_from(key - BROWSERS).unwrap_or(usize::MAX)),
    }
}
