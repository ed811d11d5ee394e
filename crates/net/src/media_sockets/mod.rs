//! Many UDP sockets of media, read and written in batches.
//!
//! A relay of sound spends more on asking the system for packets than on the packets. So a busy one is woken by the
//! clock, once in a while ([`TURN`]), and then takes whatever has come on all sockets; what it sends from a socket that
//! has many peers leaves together. An idle one is woken by each packet, at once.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod portable;

use std::net::SocketAddr;
use std::time::Duration;

#[cfg(target_os = "linux")]
pub use linux::MediaSockets;
#[cfg(not(target_os = "linux"))]
pub use portable::MediaSockets;

/// How often a busy relay looks for packets: the longest that one may wait for its turn. A twentieth of what most
/// packets of sound last.
pub const TURN: Duration = Duration::from_millis(1);

/// The largest packet that is read: more than any packet of media that travels.
const PACKET: usize = 2048;

/// Who sends to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peers {
    /// One peer, perhaps a few more.
    One,
    /// Any number: it has room for many packets, which are read and sent many at a time.
    Many,
}

/// Who hears of packets: the key of the socket, who sent it, and its octets.
pub trait Receive: FnMut(u64, SocketAddr, &[u8]) {}

impl<F: FnMut(u64, SocketAddr, &[u8])> Receive for F {}

#[cfg(test)]
mod tests;
