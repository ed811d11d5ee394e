//! On systems without batches: a task for each socket.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::rc::Rc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::{PACKET, Peers, Receive};

type Arrived = (u64, SocketAddr, Vec<u8>);

/// The sockets.
pub struct MediaSockets {
    open: RefCell<HashMap<u64, Open>>,
    sender: UnboundedSender<Arrived>,
    arrived: RefCell<Option<UnboundedReceiver<Arrived>>>,
}

struct Open {
    socket: Rc<tokio::net::UdpSocket>,
    reader: JoinHandle<()>,
}

impl MediaSockets {
    /// None yet.
    ///
    /// # Errors
    /// Never here.
    pub fn new() -> io::Result<Self> {
        let (sender, arrived) = unbounded_channel();
        Ok(Self { open: RefCell::default(), sender, arrived: RefCell::new(Some(arrived)) })
    }

    /// Reads from this socket from now on, which must not block. The key is any number that no other has.
    ///
    /// # Errors
    /// When the system cannot watch it.
    pub fn open(&self, key: u64, socket: UdpSocket, _: Peers) -> io::Result<()> {
        let socket = Rc::new(tokio::net::UdpSocket::from_std(socket)?);
        let (reading, sender) = (Rc::clone(&socket), self.sender.clone());
        let reader = tokio::task::spawn_local(async move {
            let mut packet = [0; PACKET];
            while reading.readable().await.is_ok() {
                while let Ok((length, from)) = reading.try_recv_from(&mut packet) {
                    let _ = sender.send((key, from, packet[..length].to_vec()));
                }
            }
        });
        self.open.borrow_mut().insert(key, Open { socket, reader });
        Ok(())
    }

    /// Closes a socket.
    pub fn close(&self, key: u64) {
        if let Some(open) = self.open.borrow_mut().remove(&key) {
            open.reader.abort();
        }
    }

    /// Sends a packet, or drops it when the system has no room: media does not wait.
    pub fn send(&self, key: u64, to: SocketAddr, bytes: Vec<u8>) {
        if let Some(open) = self.open.borrow().get(&key) {
            let _ = open.socket.try_send_to(&bytes, to);
        }
    }

    /// Hands over what arrives, for ever.
    ///
    /// # Errors
    /// Never here.
    pub async fn run(&self, mut receive: impl Receive) -> io::Result<()> {
        let Some(mut arrived) = self.arrived.take() else { return Ok(()) };
        while let Some((key, from, bytes)) = arrived.recv().await {
            receive(key, from, &bytes);
        }
        Ok(())
    }
}
