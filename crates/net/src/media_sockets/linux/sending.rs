//! Packets out of a turn, in as few system calls as they allow: what goes to many peers leaves with `sendmmsg`, and
//! several packets of equal length to one peer leave as one that the system cuts (generic segmentation offload).

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg};

use crate::batches::{BATCH, Outlet};

/// The most packets, and octets, that the system cuts out of one (`UDP_MAX_SEGMENTS`, and what a datagram holds).
const MOST_SEGMENTS: usize = 64;
const MOST_OCTETS: usize = 65_000;

/// What leaves when the turn is over.
pub(super) struct Waiting {
    pub(super) key: u64,
    pub(super) to: SocketAddr,
    pub(super) bytes: Vec<u8>,
}

/// What the system reads about packets that leave.
pub(super) struct Sending {
    outlet: Outlet,
    /// Whether the system cuts packets for us. It may not know how, or the way may be one that cannot.
    segments: Cell<bool>,
}

/// What became of a packet.
enum Fate {
    Left,
    /// It cannot be sent: its own fault or that of its peer.
    Refused,
    /// The system has no room: what does not leave now is late anyway, and what comes after it too.
    NoRoom,
}

impl Sending {
    pub(super) fn new() -> Self {
        Self { outlet: Outlet::new(), segments: Cell::new(true) }
    }

    /// Sends packets from one socket, those to one peer in their order.
    pub(super) fn send(&mut self, socket: &UdpSocket, mut rest: &[Waiting]) {
        while let Some(first) = rest.first() {
            let run = self.joined(rest);
            let (fate, tried) = if run > 1 {
                (self.send_joined(socket, rest.get(..run).unwrap_or_default()), run)
            } else {
                let single = self.singles(rest);
                if single == 1 {
                    (fate(socket.send_to(&first.bytes, first.to)), 1)
                } else {
                    self.send_many(socket, rest.get(..single).unwrap_or_default())
                }
            };
            if matches!(fate, Fate::NoRoom) {
                return;
            }
            rest = rest.get(tried..).unwrap_or_default();
        }
    }

    /// How many of the first packets may leave as one: to one peer, as long as the first; the last may be shorter.
    fn joined(&self, packets: &[Waiting]) -> usize {
        let Some(first) = packets.first().filter(|_| self.segments.get()) else { return 1 };
        let length = first.bytes.len();
        let most = MOST_SEGMENTS.min(MOST_OCTETS / length.max(1));
        let mut count = 0;
        for packet in packets.iter().take(most).take_while(|packet| packet.to == first.to) {
            if packet.bytes.len() > length {
                break;
            }
            count += 1;
            if packet.bytes.len() < length {
                break;
            }
        }
        count.max(1)
    }

    /// How many of the first packets leave each for itself.
    fn singles(&self, packets: &[Waiting]) -> usize {
        let alone = |from: &usize| self.joined(packets.get(*from..).unwrap_or_default()) == 1;
        (0..packets.len().min(BATCH)).take_while(alone).count().max(1)
    }

    fn send_joined(&self, socket: &UdpSocket, packets: &[Waiting]) -> Fate {
        let slices: Vec<IoSlice<'_>> = packets.iter().map(|packet| IoSlice::new(&packet.bytes)).collect();
        let Some(first) = packets.first() else { return Fate::Left };
        let Ok(length) = u16::try_from(first.bytes.len()) else { return Fate::Refused };
        let (cut, to) = ([ControlMessage::UdpGsoSegments(&length)], SockaddrStorage::from(first.to));
        match sendmsg(socket.as_raw_fd(), &slices, &cut, MsgFlags::MSG_DONTWAIT, Some(&to)) {
            Ok(_) => Fate::Left,
            Err(Errno::EAGAIN | Errno::ENOBUFS) => Fate::NoRoom,
            Err(error) => {
                // EIO: the interface cannot; EINVAL: the system cannot, or a packet is larger than the way takes.
                if matches!(error, Errno::EIO | Errno::EOPNOTSUPP) {
                    self.segments.set(false);
                }
                let mut last = Fate::Left;
                for packet in packets {
                    last = fate(socket.send_to(&packet.bytes, packet.to));
                }
                last
            }
        }
    }

    /// Returns the fate of the last one tried, and how many were.
    fn send_many(&mut self, socket: &UdpSocket, packets: &[Waiting]) -> (Fate, usize) {
        let datagrams = packets.iter().map(|packet| (packet.to, packet.bytes.as_slice()));
        match self.outlet.send(socket.as_raw_fd(), None, datagrams) {
            Ok(sent) => (Fate::Left, sent.max(1)),
            Err(error) if no_room(&error) => (Fate::NoRoom, 0),
            // The first one cannot be sent.
            Err(_) => (Fate::Refused, 1),
        }
    }
}

fn no_room(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(Errno::ENOBUFS as i32)
}

fn fate(sent: io::Result<usize>) -> Fate {
    match sent {
        Ok(_) => Fate::Left,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Fate::NoRoom,
        Err(_) => Fate::Refused,
    }
}
