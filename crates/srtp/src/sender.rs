//! What we send.

use crate::packet::{Header, control_ssrc};
use crate::session::{ENCRYPTED, Session};
use crate::streams::Streams;
use crate::window::MOST_PACKETS;
use crate::{KeyError, ProtectError, Suite};
use std::fmt;

/// Protects the packets of one direction.
pub struct Sender {
    suite: Suite,
    session: Session,
    streams: Streams,
}

impl Sender {
    /// With a master key and behind it the master salt: [`Suite::key_length`] and [`Suite::salt_length`] octets.
    ///
    /// # Errors
    /// When the key is of another length.
    pub fn new(suite: Suite, master: &[u8]) -> Result<Self, KeyError> {
        Ok(Self { suite, session: Session::new(suite, master)?, streams: Streams::default() })
    }

    /// The suite.
    #[must_use]
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// Protects the RTP packet in the first `length` octets of the buffer. Returns how long it is then.
    ///
    /// The rollover counter is counted here: packets may come in any order, but each sequence number of a source
    /// comes once.
    ///
    /// # Errors
    /// When it must not be sent.
    pub fn protect(&mut self, buffer: &mut [u8], length: usize) -> Result<usize, ProtectError> {
        let room = buffer.len();
        let packet = buffer.get_mut(..length).ok_or(ProtectError::NoRoom)?;
        let header = Header::parse(packet).ok_or(ProtectError::Malformed)?;
        let end = length.saturating_add(self.suite.tag_length());
        if end > room {
            return Err(ProtectError::NoRoom);
        }
        let mut stream = self.streams.find(header.ssrc);
        let index = stream.packets.estimate(header.sequence).ok_or(ProtectError::Repeated)?;
        if index >= MOST_PACKETS {
            return Err(ProtectError::KeyExhausted);
        }
        if !stream.packets.is_new(index) {
            return Err(ProtectError::Repeated);
        }
        stream.packets.record(index);
        self.streams.keep(stream);
        let tag = self.session.media.seal(packet, header.length, header.ssrc, index);
        let tag = tag.ok_or(ProtectError::Malformed)?;
        write(buffer, length, tag.as_bytes())
    }

    /// Protects the compound RTCP packet in the first `length` octets of the buffer. Returns how long it is then.
    ///
    /// # Errors
    /// When it must not be sent.
    pub fn protect_control(&mut self, buffer: &mut [u8], length: usize) -> Result<usize, ProtectError> {
        let room = buffer.len();
        let packet = buffer.get_mut(..length).ok_or(ProtectError::NoRoom)?;
        let ssrc = control_ssrc(packet).ok_or(ProtectError::Malformed)?;
        if length.saturating_add(self.suite.control_tag_length()).saturating_add(4) > room {
            return Err(ProtectError::NoRoom);
        }
        let mut stream = self.streams.find(ssrc);
        let index = stream.next_control;
        if index >= ENCRYPTED {
            return Err(ProtectError::KeyExhausted);
        }
        stream.next_control = index.saturating_add(1);
        self.streams.keep(stream);
        let word = index | ENCRYPTED;
        let tag = self.session.control.seal_control(packet, ssrc, word).ok_or(ProtectError::Malformed)?;
        // RFC 3711 §3.4: the word, then the tag. RFC 7714 §9.2: the tag is the end of what is encrypted.
        let (first, second) = match self.suite {
            Suite::AeadAes128Gcm | Suite::AeadAes256Gcm => (tag.as_bytes(), &word.to_be_bytes()[..]),
            Suite::AesCm128HmacSha1_80 | Suite::AesCm128HmacSha1_32 => {
                (&word.to_be_bytes()[..], tag.as_bytes())
            }
        };
        let length = write(buffer, length, first)?;
        write(buffer, length, second)
    }

    #[cfg(test)]
    pub(crate) fn with_session(suite: Suite, session: Session, control: (u32, u32)) -> Self {
        let mut streams = Streams::default();
        let mut stream = streams.find(control.0);
        stream.next_control = control.1;
        streams.keep(stream);
        Self { suite, session, streams }
    }
}

impl fmt::Debug for Sender {
    /// Without the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("suite", &self.suite).finish_non_exhaustive()
    }
}

fn write(buffer: &mut [u8], at: usize, octets: &[u8]) -> Result<usize, ProtectError> {
    let end = at.saturating_add(octets.len());
    buffer.get_mut(at..end).ok_or(ProtectError::NoRoom)?.copy_from_slice(octets);
    Ok(end)
}
