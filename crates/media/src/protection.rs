//! How the packets of a phone leg are protected: in clear, or by SRTP under the keys of both descriptions.

use crate::{Negotiated, SdesKey};
use sip::Instant;
use srtp::{OVERHEAD, Receiver, Sender};
use std::time::Duration;

/// How long packets under a key that was replaced are still taken: until its owner has seen our answer.
const CHANGING: Duration = Duration::from_secs(10);

/// Why a datagram of a phone is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Nothing was agreed yet: there are no keys.
    Early,
    /// Not protected with the key that its description gave, changed on its way, or sent again.
    NotAuthentic,
}

/// The protection of both directions.
#[derive(Debug, Default)]
pub(crate) enum Protection {
    /// Nothing was agreed.
    #[default]
    Unknown,
    /// None: RTP in clear. `before`: the keys of an earlier agreement, which may come again; their counters must not
    /// begin anew, for a key stream is used once (RFC 3711 §9.1).
    Clear { before: Option<Box<Keyed>> },
    /// SRTP.
    Srtp(Box<Keyed>),
}

/// SRTP.
#[derive(Debug)]
pub(crate) struct Keyed {
    ours: SdesKey,
    sender: Sender,
    theirs: SdesKey,
    receiver: Receiver,
    /// The one before a change of keys, and until when it is of use.
    before: Option<(Receiver, Instant)>,
}

impl Protection {
    /// What was agreed. A direction whose key stays goes on where it is: its counters must not begin anew. True when a key
    /// of ours took the place of another one, or of none.
    pub(crate) fn agree(&mut self, now: Instant, negotiated: &Negotiated) -> bool {
        let Negotiated::Sdes { ours, theirs } = negotiated else {
            let before = match std::mem::take(self) {
                Self::Unknown => None,
                Self::Clear { before } => before,
                Self::Srtp(keyed) => Some(keyed),
            };
            *self = Self::Clear { before };
            return false;
        };
        let (in_clear, before) = match self {
            Self::Unknown => (false, None),
            Self::Clear { before } => (true, before.take()),
            Self::Srtp(keyed) => return keyed.renew(now, ours, theirs),
        };
        let keyed = match before {
            Some(mut keyed) => {
                keyed.renew(now, ours, theirs);
                Some(keyed)
            }
            None => Keyed::new(ours, theirs).map(Box::new),
        };
        let Some(keyed) = keyed else { return false };
        *self = Self::Srtp(keyed);
        in_clear
    }

    /// The packet in a datagram. `scratch` is where it is taken apart.
    pub(crate) fn open<'p>(
        &mut self,
        now: Instant,
        bytes: &'p [u8],
        control: bool,
        scratch: &'p mut Vec<u8>,
    ) -> Result<&'p [u8], Refused> {
        match self {
            Self::Unknown => Err(Refused::Early),
            Self::Clear { .. } => Ok(bytes),
            Self::Srtp(keyed) => keyed.open(now, bytes, control, scratch),
        }
    }

    /// Protects a packet; `None` when it must not be sent.
    pub(crate) fn seal(&mut self, mut packet: Vec<u8>, control: bool) -> Option<Vec<u8>> {
        match self {
            Self::Unknown => None,
            Self::Clear { .. } => Some(packet),
            Self::Srtp(keyed) => {
                let length = packet.len();
                packet.resize(length.saturating_add(OVERHEAD), 0);
                let sealed = if control {
                    keyed.sender.protect_control(&mut packet, length)
                } else {
                    keyed.sender.protect(&mut packet, length)
                };
                packet.truncate(sealed.ok()?);
                Some(packet)
            }
        }
    }

    /// Whether packets are protected.
    pub(crate) const fn is_keyed(&self) -> bool {
        matches!(self, Self::Srtp(_))
    }
}

impl Keyed {
    /// `None` for keys of another length: they are refused where they are read and not made where they are written.
    fn new(ours: &SdesKey, theirs: &SdesKey) -> Option<Self> {
        let (sender, receiver) = (sender(ours)?, receiver(theirs)?);
        Some(Self { ours: ours.clone(), sender, theirs: theirs.clone(), receiver, before: None })
    }

    fn renew(&mut self, now: Instant, ours: &SdesKey, theirs: &SdesKey) -> bool {
        let other = Some(ours).filter(|ours| **ours != self.ours).and_then(sender);
        let renewed = other.is_some();
        if let Some(sender) = other {
            self.sender = sender;
            self.ours = ours.clone();
        }
        if self.theirs != *theirs
            && let Some(mut receiver) = receiver(theirs)
        {
            receiver.follow(&self.receiver);
            let before = std::mem::replace(&mut self.receiver, receiver);
            self.before = Some((before, now + CHANGING));
            self.theirs = theirs.clone();
        }
        renewed
    }

    fn open<'p>(
        &mut self,
        now: Instant,
        bytes: &[u8],
        control: bool,
        scratch: &'p mut Vec<u8>,
    ) -> Result<&'p [u8], Refused> {
        let opened = take_apart(&mut self.receiver, bytes, control, scratch);
        let length = match (opened, &mut self.before) {
            (None, Some((before, until))) if now < *until => take_apart(before, bytes, control, scratch),
            (opened, _) => opened,
        };
        length.and_then(|length| scratch.get(..length)).ok_or(Refused::NotAuthentic)
    }
}

fn take_apart(receiver: &mut Receiver, bytes: &[u8], control: bool, scratch: &mut Vec<u8>) -> Option<usize> {
    scratch.clear();
    scratch.extend_from_slice(bytes);
    if control { receiver.unprotect_control(scratch).ok() } else { receiver.unprotect(scratch).ok() }
}

fn sender(key: &SdesKey) -> Option<Sender> {
    Sender::new(key.suite, &key.key).ok()
}

fn receiver(key: &SdesKey) -> Option<Receiver> {
    Receiver::with_identifier(key.suite, &key.key, &key.identifier).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SdesSuite;

    fn key(octet: u8) -> SdesKey {
        let suite = SdesSuite::AesCm128HmacSha1_80;
        SdesKey { suite, key: vec![octet; suite.master_length()], identifier: Vec::new() }
    }

    fn packet(sequence: u16) -> Vec<u8> {
        let [high, low] = sequence.to_be_bytes();
        vec![0x80, 0, high, low, 0, 0, 0, 0, 0, 0, 0, 9, b's']
    }

    /// A gateway's end and a phone's.
    fn ends(ours: u8, theirs: u8) -> (Protection, Protection) {
        let (mut gateway, mut phone) = (Protection::default(), Protection::default());
        gateway.agree(Instant::ZERO, &Negotiated::Sdes { ours: key(ours), theirs: key(theirs) });
        phone.agree(Instant::ZERO, &Negotiated::Sdes { ours: key(theirs), theirs: key(ours) });
        (gateway, phone)
    }

    fn opened(end: &mut Protection, bytes: &[u8]) -> Result<Vec<u8>, Refused> {
        end.open(Instant::ZERO, bytes, false, &mut Vec::new()).map(<[u8]>::to_vec)
    }

    fn passes(from: &mut Protection, to: &mut Protection, now: Instant, sequence: u16) -> bool {
        let sent = from.seal(packet(sequence), false).unwrap();
        to.open(now, &sent, false, &mut Vec::new()).is_ok_and(|opened| *opened == packet(sequence))
    }

    #[test]
    fn before_anything_is_agreed_nothing_is_taken_and_nothing_sent() {
        let mut protection = Protection::default();
        assert_eq!(opened(&mut protection, &packet(1)), Err(Refused::Early));
        assert_eq!(protection.seal(packet(1), false), None);
    }

    #[test]
    fn a_packet_in_clear_is_not_taken_where_keys_were_agreed() {
        let (mut gateway, _) = ends(1, 2);
        assert_eq!(opened(&mut gateway, &packet(1)), Err(Refused::NotAuthentic));
    }

    #[test]
    fn the_same_agreement_again_begins_nothing_anew() {
        let (mut gateway, mut phone) = ends(1, 2);
        let sent = phone.seal(packet(1), false).unwrap();
        assert!(opened(&mut gateway, &sent).is_ok());
        gateway.agree(Instant::ZERO, &Negotiated::Sdes { ours: key(1), theirs: key(2) });
        assert_eq!(opened(&mut gateway, &sent), Err(Refused::NotAuthentic));
        assert!(passes(&mut phone, &mut gateway, Instant::ZERO, 2));
    }

    #[test]
    fn a_phone_with_a_new_key_is_heard_under_both_until_the_old_one_is_gone() {
        let (mut gateway, mut phone) = ends(1, 2);
        gateway.agree(Instant::ZERO, &Negotiated::Sdes { ours: key(1), theirs: key(3) });
        let mut renewed = Protection::default();
        renewed.agree(Instant::ZERO, &Negotiated::Sdes { ours: key(3), theirs: key(1) });
        assert!(passes(&mut phone, &mut gateway, Instant::ZERO, 1));
        assert!(passes(&mut renewed, &mut gateway, Instant::ZERO, 2));
        let later = Instant::ZERO + CHANGING;
        assert!(!passes(&mut phone, &mut gateway, later, 3));
        assert!(passes(&mut renewed, &mut gateway, later, 4));
        assert!(passes(&mut gateway, &mut renewed, later, 1), "ours is the same");
    }

    #[test]
    fn a_key_that_comes_again_after_clear_goes_on_where_it_was() {
        let (mut gateway, mut phone) = ends(1, 2);
        let report = vec![0x80, 201, 0, 1, 0, 0, 0, 9, 1, 2, 3, 4];
        let first = gateway.seal(packet(7), false).unwrap();
        let reported = gateway.seal(report.clone(), true).unwrap();
        let heard = phone.seal(packet(7), false).unwrap();
        assert!(opened(&mut gateway, &heard).is_ok());
        for _again in 0..2 {
            assert!(!gateway.agree(Instant::ZERO, &Negotiated::Plain));
            assert_eq!(gateway.seal(packet(8), false), Some(packet(8)));
        }
        let keys = Negotiated::Sdes { ours: key(1), theirs: key(2) };
        assert!(gateway.agree(Instant::ZERO, &keys), "what is sent is to be of another source");
        assert_eq!(gateway.seal(packet(7), false), None, "the key stream of {first:?} was used");
        assert_ne!(gateway.seal(report, true).unwrap(), reported, "nor that of a report");
        assert_eq!(
            opened(&mut gateway, &heard),
            Err(Refused::NotAuthentic),
            "what was heard is not heard again"
        );
        assert!(passes(&mut gateway, &mut phone, Instant::ZERO, 9));
    }

    #[test]
    fn a_phone_that_goes_on_counting_under_another_key_after_clear_is_heard() {
        const TURN: [u16; 3] = [5_000, 25_000, 50_000];
        let (mut gateway, mut phone) = ends(1, 2);
        let (_, mut renewed) = ends(3, 4);
        for sequence in TURN.repeat(3) {
            assert!(passes(&mut phone, &mut gateway, Instant::ZERO, sequence));
            renewed.seal(packet(sequence), false).unwrap();
        }
        gateway.agree(Instant::ZERO, &Negotiated::Plain);
        gateway.agree(Instant::ZERO, &Negotiated::Sdes { ours: key(3), theirs: key(4) });
        assert!(passes(&mut renewed, &mut gateway, Instant::ZERO, 50_001), "in its third turn");
    }

    #[test]
    fn reports_are_protected_too() {
        let (mut gateway, mut phone) = ends(1, 2);
        let report = vec![0x80, 201, 0, 1, 0, 0, 0, 9, 1, 2, 3, 4];
        let sent = phone.seal(report.clone(), true).unwrap();
        assert_ne!(sent[8..12], report[8..]);
        assert_eq!(gateway.open(Instant::ZERO, &sent, true, &mut Vec::new()), Ok(&report[..]));
    }
}
