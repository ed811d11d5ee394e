//! A phone as a server sees it: plain RTP on a port, RTCP on the next.

use std::net::{SocketAddr, UdpSocket};

use super::sound::{self, Heard};
use crate::Outcome;

/// One phone in one call.
pub(crate) struct Phone {
    media: UdpSocket,
    control: UdpSocket,
    number: u32,
    to: Option<SocketAddr>,
    sent: u64,
    /// What arrived.
    pub(crate) heard: Heard,
}

impl Phone {
    /// The phone of this call.
    pub(crate) fn new(number: u32) -> Outcome<Self> {
        let (media, control) = pair()?;
        Ok(Self { media, control, number, to: None, sent: 0, heard: Heard::default() })
    }

    /// Its answer to an offer, which says where it shall send.
    pub(crate) fn answer(&mut self, offer: &str) -> Outcome<String> {
        let port: u16 = offer
            .lines()
            .find_map(|line| line.strip_prefix("m=audio ")?.split(' ').next()?.parse().ok())
            .ok_or_else(|| format!("no m=audio in the offer:\n{offer}"))?;
        self.to = Some(SocketAddr::from(([127, 0, 0, 1], port)));
        Ok(format!(
            "v=0\r\no=- {session} 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n",
            session = 2_000_000 + self.number,
            port = self.media.local_addr()?.port(),
        ))
    }

    /// How many packets were sent.
    pub(crate) const fn sent(&self) -> u64 {
        self.sent
    }

    /// Sends the next packet of sound.
    pub(crate) fn send(&mut self) -> Outcome<()> {
        let to = self.to.ok_or("nothing was offered yet")?;
        let mut packet = [0; 172];
        packet[0] = 0x80;
        packet[1] = sound::PAYLOAD_TYPE;
        packet[2..4].copy_from_slice(&u16::try_from((1000 + self.sent) & 0xffff)?.to_be_bytes());
        packet[4..8].copy_from_slice(&u32::try_from((self.sent * sound::TICKS) & 0xffff_ffff)?.to_be_bytes());
        packet[8..12].copy_from_slice(&(0x2000_0000 + self.number).to_be_bytes());
        packet[12..].copy_from_slice(&sound::payload(self.number, self.sent));
        // A full buffer is a loss, and shows as one.
        let _ = self.media.send_to(&packet, to);
        self.sent += 1;
        Ok(())
    }

    /// Takes in all that arrived.
    pub(crate) fn turn(&mut self) {
        let mut packet = [0; 2048];
        while let Ok((length, _)) = self.media.recv_from(&mut packet) {
            self.heard.packet(self.number, payload(&packet[..length]));
        }
        while self.control.recv_from(&mut packet).is_ok() {}
    }
}

/// What follows the header. The browsers of the load send an empty header extension, which not every relay takes out.
fn payload(packet: &[u8]) -> &[u8] {
    match packet {
        [0x80, ..] => packet.get(12..),
        [0x90, ..] if packet.get(14..16) == Some(&[0, 0]) => packet.get(16..),
        _ => None,
    }
    .unwrap_or_default()
}

/// An even port and the next.
fn pair() -> Outcome<(UdpSocket, UdpSocket)> {
    for _ in 0..100 {
        let media = UdpSocket::bind("127.0.0.1:0")?;
        let port = media.local_addr()?.port();
        if port % 2 != 0 {
            continue;
        }
        if let Ok(control) = UdpSocket::bind(("127.0.0.1", port + 1)) {
            media.set_nonblocking(true)?;
            control.set_nonblocking(true)?;
            return Ok((media, control));
        }
    }
    Err("no pair of ports for a phone".into())
}
