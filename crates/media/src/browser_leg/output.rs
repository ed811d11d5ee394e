//! What comes out of a leg toward a browser.

use crate::SocketId;
use crate::report::MediaCause;
use crate::rtp::Packet;
use std::net::SocketAddr;
use std::sync::Arc;

/// What comes out of a leg.
#[derive(Debug)]
pub(crate) enum LegOutput {
    /// Send this from the socket of that index.
    Transmit { socket: SocketId, to: SocketAddr, bytes: Vec<u8> },
    /// The browser proved to be there: its packets belong to this leg.
    Valid { socket: SocketId, from: SocketAddr },
    /// Its packets no longer do.
    Forgotten { socket: SocketId, from: SocketAddr },
    /// ICE and DTLS stand.
    Connected(SocketAddr),
    /// An authentic packet arrived.
    Media(Arrived),
    /// It cannot go on without a whole picture.
    PictureWanted,
    /// It failed for good.
    Failed(MediaCause),
}

/// An authentic packet of the browser.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(super) marker: bool,
    pub(super) payload_type: u8,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    pub(super) ssrc: u32,
    pub(super) payload: Arc<[u8]>,
}

impl Arrived {
    /// As a packet.
    pub(crate) fn packet(&self) -> Packet<'_> {
        Packet {
            marker: self.marker,
            payload_type: self.payload_type,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
            payload: &self.payload,
        }
    }
}
