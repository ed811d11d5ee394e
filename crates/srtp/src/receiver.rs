//! What we receive.

use crate::packet::{Header, RTCP_HEADER, control_ssrc};
use crate::session::{ENCRYPTED, Session};
use crate::streams::Streams;
use crate::window::{MOST_PACKETS, Window};
use crate::{KeyError, Suite, UnprotectError};
use std::fmt;

/// The longest master key identifier, in octets (RFC 4568 §6.1).
pub const MOST_IDENTIFIER: usize = 128;

/// Takes the protection off the packets of one direction.
pub struct Receiver {
    suite: Suite,
    session: Session,
    streams: Streams,
    /// The master key identifier that every packet carries; mostly none.
    identifier: Box<[u8]>,
    /// What was seen under the key before this one.
    earlier: Streams,
}

impl Receiver {
    /// With a master key and behind it the master salt: [`Suite::key_length`] and [`Suite::salt_length`] octets.
    ///
    /// # Errors
    /// When the key is of another length.
    pub fn new(suite: Suite, master: &[u8]) -> Result<Self, KeyError> {
        Self::with_identifier(suite, master, &[])
    }

    /// The same for a sender whose packets carry the identifier of this key (MKI, RFC 3711 §3.1).
    ///
    /// # Errors
    /// When the key is of another length, or the identifier too long.
    pub fn with_identifier(suite: Suite, master: &[u8], identifier: &[u8]) -> Result<Self, KeyError> {
        if identifier.len() > MOST_IDENTIFIER {
            return Err(KeyError);
        }
        Ok(Self {
            suite,
            session: Session::new(suite, master)?,
            streams: Streams::default(),
            identifier: identifier.into(),
            earlier: Streams::default(),
        })
    }

    /// This key takes the place of another one. A source goes on with its rollover counter then (RFC 3711 §3.3.1), or
    /// begins at zero again (RFC 4568 §7.1.4, where it has moved; and many do so always): both are understood.
    pub fn follow(&mut self, before: &Self) {
        self.earlier = before.streams.clone();
    }

    /// The suite.
    #[must_use]
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// Takes an SRTP packet apart, in place. Returns the length of the RTP packet at its beginning.
    ///
    /// # Errors
    /// When it must be dropped. Its octets may have changed.
    pub fn unprotect(&mut self, packet: &mut [u8]) -> Result<usize, UnprotectError> {
        let header = Header::parse(packet).ok_or(UnprotectError::Malformed)?;
        let (tag, identifier) = (self.suite.tag_length(), self.identifier.len());
        // RFC 3711 §3.1: the identifier, then the tag; RFC 7714 §8.2 has the tag first.
        let behind = tag.saturating_add(identifier);
        let length = packet.len().checked_sub(behind).filter(|length| *length >= header.length);
        let length = length.ok_or(UnprotectError::Malformed)?;
        let (packet, trailer) = packet.split_at_mut_checked(length).ok_or(UnprotectError::Malformed)?;
        let (identifier, tag) = if self.is_galois() {
            trailer.split_at_checked(tag).map(|(tag, identifier)| (identifier, tag))
        } else {
            trailer.split_at_checked(identifier)
        }
        .ok_or(UnprotectError::Malformed)?;
        if *identifier != *self.identifier {
            return Err(UnprotectError::NotAuthentic);
        }
        let mut stream = self.streams.find(header.ssrc);
        let index = self.find_index(&stream.packets, packet, &header, tag)?;
        stream.packets.record(index);
        self.streams.keep(stream);
        Ok(length)
    }

    /// Takes an SRTCP packet apart, in place. Returns the length of the compound RTCP packet at its beginning.
    ///
    /// # Errors
    /// When it must be dropped. Its octets may have changed.
    pub fn unprotect_control(&mut self, packet: &mut [u8]) -> Result<usize, UnprotectError> {
        const WORD: usize = 4;
        let ssrc = control_ssrc(packet).ok_or(UnprotectError::Malformed)?;
        let (tag, identifier) = (self.suite.control_tag_length(), self.identifier.len());
        let behind = tag.saturating_add(identifier).saturating_add(WORD);
        let length = packet.len().checked_sub(behind).filter(|length| *length >= RTCP_HEADER);
        let length = length.ok_or(UnprotectError::Malformed)?;
        let (packet, trailer) = packet.split_at_mut_checked(length).ok_or(UnprotectError::Malformed)?;
        // RFC 3711 §3.4: word, identifier, tag; RFC 7714 §9.2: tag, word, identifier.
        let (before, after) = if self.is_galois() { (tag, 0) } else { (0, tag) };
        let word_at = before..before.saturating_add(WORD);
        let identifier_end = trailer.len().saturating_sub(after);
        let word = trailer.get(word_at.clone()).and_then(|word| word.try_into().ok());
        let word = u32::from_be_bytes(word.ok_or(UnprotectError::Malformed)?);
        if trailer.get(word_at.end..identifier_end) != Some(&*self.identifier) {
            return Err(UnprotectError::NotAuthentic);
        }
        let tag = if self.is_galois() { trailer.get(..before) } else { trailer.get(identifier_end..) };
        let tag = tag.ok_or(UnprotectError::Malformed)?;
        let mut stream = self.streams.find(ssrc);
        let index = u64::from(word & !ENCRYPTED);
        if !stream.control.is_new(index) {
            return Err(UnprotectError::Replayed);
        }
        let opened = self.session.control.open_control(packet, tag, ssrc, word);
        opened.map_err(|_| UnprotectError::NotAuthentic)?;
        stream.control.record(index);
        self.streams.keep(stream);
        Ok(length)
    }

    /// Takes the protection off with the index that the packet has. Most often that is the likely one. It is one turn
    /// further where so much was lost that the likely one lies too far back (RFC 3711 §3.3.1 knows no more than half a
    /// turn), or where the source had wrapped before it was heard first: two attempts, whoever sent the packet, and a
    /// third for the first packet of a source after a change of keys.
    fn find_index(
        &self,
        seen: &Window,
        packet: &mut [u8],
        header: &Header,
        tag: &[u8],
    ) -> Result<u64, UnprotectError> {
        let open = |packet: &mut [u8], index| {
            let opened = self.session.media.open(packet, header.length, tag, header.ssrc, index);
            opened.map(|()| index)
        };
        if seen.is_empty()
            && let Some(index) = self.going_on(header)
        {
            let kept = self.is_galois().then(|| packet.to_vec());
            if let Ok(index) = open(packet, index) {
                return Ok(index);
            }
            if let Some(kept) = kept {
                packet.copy_from_slice(&kept);
            }
        }
        let mut refused = UnprotectError::Replayed;
        if let Some(likely) = seen.estimate(header.sequence).filter(|likely| !seen.is_too_old(*likely)) {
            if !seen.is_new(likely) {
                return Err(UnprotectError::Replayed);
            }
            // What a Galois cipher has refused is spoilt.
            let kept = (self.is_galois() && seen.is_empty()).then(|| packet.to_vec());
            if let Ok(index) = open(packet, likely) {
                return Ok(index);
            }
            refused = UnprotectError::NotAuthentic;
            match kept {
                Some(kept) => packet.copy_from_slice(&kept),
                None if self.is_galois() => return Err(refused),
                None => {}
            }
        }
        let further = seen.one_turn_on(header.sequence).filter(|further| *further < MOST_PACKETS);
        open(packet, further.ok_or(refused)?).map_err(|_| refused)
    }

    /// The index of the first packet of a source under this key, if it goes on counting where it was under the one before.
    fn going_on(&self, header: &Header) -> Option<u64> {
        let index = self.earlier.get(header.ssrc)?.packets.estimate(header.sequence)?;
        // In the first turn there is no difference.
        (index > u64::from(u16::MAX)).then_some(index)
    }

    const fn is_galois(&self) -> bool {
        matches!(self.suite, Suite::AeadAes128Gcm | Suite::AeadAes256Gcm)
    }

    #[cfg(test)]
    pub(crate) fn with_session(suite: Suite, session: Session) -> Self {
        let (streams, earlier) = (Streams::default(), Streams::default());
        Self { suite, session, streams, identifier: Box::default(), earlier }
    }
}

impl fmt::Debug for Receiver {
    /// Without the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("suite", &self.suite).finish_non_exhaustive()
    }
}
