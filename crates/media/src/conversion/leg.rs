//! One leg of a conversation: the sections that its descriptions have had, in their places, and its streams.

use super::Side;
use super::section::{Section, Written};
use super::text::Origin;
use crate::{Format, Kind, Negotiated};
use std::net::SocketAddr;

/// A leg's side of the conversation.
#[derive(Clone, Debug)]
pub(super) struct Leg {
    pub(super) origin: Origin,
    /// One for each section, in order; none is ever removed (RFC 3264 §8).
    pub(super) slots: Vec<Slot>,
    /// What the payload types of this leg mean.
    pub(super) known: Vec<Format>,
}

/// The place of a section.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) media: Vec<u8>,
    pub(super) protocol: Vec<u8>,
    /// The formats to write when the section is refused or gone.
    pub(super) format_text: Vec<u8>,
    pub(super) mid: Option<Vec<u8>>,
}

impl Leg {
    pub(super) const fn new(random: u64) -> Self {
        Self { origin: Origin::new(random), slots: Vec::new(), known: Vec::new() }
    }

    /// Takes the places of a side's own offer over.
    pub(super) fn follow(&mut self, written: &Written) {
        for (index, section) in written.sections.iter().enumerate() {
            let slot = Slot::of(section);
            match self.slots.get_mut(index) {
                Some(known) => *known = slot,
                None => self.slots.push(slot),
            }
            for format in &section.formats {
                super::formats::remember(&mut self.known, format);
            }
        }
    }

    /// A new place at the end, for a stream that this leg has not had. Returns its position.
    pub(super) fn open(&mut self, kind: Kind) -> usize {
        let index = self.slots.len();
        let (media, format): (&[u8], &[u8]) = match kind {
            Kind::Audio => (b"audio", b"0"),
            Kind::Video => (b"video", b"96"),
        };
        let mut number = index;
        let taken = |mid: &[u8]| self.slots.iter().any(|slot| slot.mid.as_deref() == Some(mid));
        let mut mid = number.to_string().into_bytes();
        while taken(&mid) {
            number += 1;
            mid = number.to_string().into_bytes();
        }
        let slot = Slot {
            media: media.to_vec(),
            protocol: Vec::new(),
            format_text: format.to_vec(),
            mid: Some(mid),
        };
        self.slots.push(slot);
        index
    }
}

impl Slot {
    fn of(section: &Section) -> Self {
        Self {
            media: section.media.clone(),
            protocol: section.protocol.clone(),
            format_text: section.format_text.clone(),
            mid: section.mid.clone(),
        }
    }
}

/// A stream through the gateway: where it stands on each leg. It keeps its transports for the whole call.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    /// Of what we send to the browser.
    pub(super) ssrc: u32,
    pub(super) browser: Option<usize>,
    pub(super) phone: Option<usize>,
    /// Where the phone was last: a hold by address 0.0.0.0 does not move it.
    pub(super) addresses: Option<(SocketAddr, SocketAddr)>,
    /// The protection that holds since the last answer, and whether RTCP shares the port.
    pub(super) settled: Option<(Negotiated, bool)>,
}

impl Stream {
    pub(super) const fn slot(&self, side: Side) -> Option<usize> {
        match side {
            Side::Browser => self.browser,
            Side::Phone => self.phone,
        }
    }

    pub(super) const fn place(&mut self, side: Side, index: usize) {
        match side {
            Side::Browser => self.browser = Some(index),
            Side::Phone => self.phone = Some(index),
        }
    }
}
