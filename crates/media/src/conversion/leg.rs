//! One leg of a conversation: the sections that its descriptions have had, in their places, and its streams.

use super::Side;
use super::section::{Section, Written};
use super::text::Origin;
use crate::{Format, Kind, Negotiated, RetransmissionFormat};
use std::net::SocketAddr;

/// A leg's side of the conversation.
#[derive(Clone, Debug)]
pub(super) struct Leg {
    pub(super) origin: Origin,
    /// One for each section, in order; none is ever removed (RFC 3264 §8).
    pub(super) slots: Vec<Slot>,
    /// What the payload types of this leg mean.
    pub(super) known: Vec<Format>,
    /// And those of its retransmission formats.
    pub(super) retransmissions: Vec<RetransmissionFormat>,
}

/// The place of a section.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) media: Vec<u8>,
    pub(super) protocol: Vec<u8>,
    /// The formats to write when the section is refused or gone.
    pub(super) format_text: Vec<u8>,
    pub(super) mid: Option<Vec<u8>>,
    /// It was refused or withdrawn: whoever uses the place again gives it another name (RFC 8829 §5.2.2).
    pub(super) dead: bool,
}

impl Leg {
    pub(super) const fn new(random: u64) -> Self {
        Self {
            origin: Origin::new(random),
            slots: Vec::new(),
            known: Vec::new(),
            retransmissions: Vec::new(),
        }
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
            super::retransmission::follow(self, &section.retransmissions);
        }
    }

    /// A new place at the end, for a stream that this leg has not had. Returns its position.
    pub(super) fn open(&mut self, kind: Kind) -> usize {
        let index = self.slots.len();
        let (media, format): (&[u8], &[u8]) = match kind {
            Kind::Audio => (b"audio", b"0"),
            Kind::Video => (b"video", b"96"),
        };
        let slot = Slot {
            media: media.to_vec(),
            protocol: Vec::new(),
            format_text: format.to_vec(),
            mid: Some(self.free_mid()),
            dead: false,
        };
        self.slots.push(slot);
        index
    }

    /// Makes a place live, under another name if it was dead.
    pub(super) fn revive(&mut self, index: usize) {
        let mid = self.free_mid();
        if let Some(slot) = self.slots.get_mut(index).filter(|slot| slot.dead) {
            slot.dead = false;
            slot.mid = Some(mid);
        }
    }

    /// A name that no place has.
    fn free_mid(&self) -> Vec<u8> {
        let taken = |mid: &[u8]| self.slots.iter().any(|slot| slot.mid.as_deref() == Some(mid));
        let mut number = self.slots.len();
        loop {
            let mid = number.to_string().into_bytes();
            if !taken(&mid) {
                return mid;
            }
            number += 1;
        }
    }
}

impl Slot {
    fn of(section: &Section) -> Self {
        Self {
            media: section.media.clone(),
            protocol: section.protocol.clone(),
            format_text: section.format_text.clone(),
            mid: section.mid.clone(),
            dead: !section.live,
        }
    }
}

/// A stream through the gateway: where it stands on each leg. It keeps its transports for the whole call.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    /// Of what we send to the browser.
    pub(super) ssrc: u32,
    /// Of what we send to it again.
    pub(super) retransmission_ssrc: u32,
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
