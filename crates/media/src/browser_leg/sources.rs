//! Whose packets a browser's sources carry: sound, pictures, or pictures sent again.
//!
//! Header extensions are not agreed, so that the source itself or the payload type tells (RFC 9143 §9.2).

use crate::{Kind, Plan, Retransmission};
use std::collections::VecDeque;

/// Sources remembered for a leg.
const MOST: usize = 8;

/// What a source carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carries {
    /// Sound.
    Sound,
    /// Pictures. What is lost is sent again under the other source, where that is known.
    Pictures { again: Option<u32>, nack: bool },
    /// Pictures of that source, sent again.
    PicturesAgain { of: u32, nack: bool },
}

/// What the plan says of the stream of pictures.
#[derive(Clone, Debug, Default)]
struct Pictures {
    payload_types: Vec<u8>,
    retransmission: Option<Retransmission>,
    nack: bool,
}

/// The sources of a leg.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    known: VecDeque<u32>,
    pictures: Pictures,
    /// The source of pictures that came last.
    showing: Option<u32>,
}

impl Sources {
    /// Those of a plan.
    pub(super) fn new(plan: &Plan) -> Self {
        let mut sources = Self::default();
        sources.update(plan);
        sources
    }

    /// What holds after a new agreement.
    pub(super) fn update(&mut self, plan: &Plan) {
        let pictures = plan.stream(Kind::Video).map(|stream| Pictures {
            payload_types: stream.pairs.iter().map(|pair| pair.browser).collect(),
            retransmission: stream.retransmission.clone(),
            nack: stream.browser_feedback.nack,
        });
        self.pictures = pictures.unwrap_or_default();
    }

    /// Whether packets of this source are expected.
    pub(super) fn knows(&self, ssrc: u32) -> bool {
        self.known.contains(&ssrc)
    }

    /// What a new source carries; `None` when it cannot be told yet.
    pub(super) fn carries(&self, ssrc: u32, payload_type: u8) -> Option<Carries> {
        let Pictures { payload_types, retransmission, nack } = &self.pictures;
        let again = retransmission.as_ref().map_or(&[][..], |known| &known.browser_ssrcs);
        if let Some((of, _)) = again.iter().find(|(_, again)| *again == ssrc) {
            return Some(Carries::PicturesAgain { of: *of, nack: *nack });
        }
        let formats = retransmission.as_ref().map_or(&[][..], |known| &known.formats);
        if formats.iter().any(|format| format.payload_type == payload_type) {
            return self.showing.map(|of| Carries::PicturesAgain { of, nack: *nack });
        }
        if payload_types.contains(&payload_type) {
            let again = again.iter().find(|(of, _)| *of == ssrc).map(|(_, again)| *again);
            return Some(Carries::Pictures { again, nack: *nack });
        }
        Some(Carries::Sound)
    }

    /// Notes a source. Returns one that is to be forgotten for it.
    pub(super) fn note(&mut self, ssrc: u32, carries: Carries) -> Option<u32> {
        if matches!(carries, Carries::Pictures { .. }) {
            self.showing = Some(ssrc);
        }
        let oldest = if self.known.len() >= MOST { self.known.pop_front() } else { None };
        self.known.push_back(ssrc);
        oldest
    }

    /// The source of pictures that came last.
    pub(super) const fn showing(&self) -> Option<u32> {
        self.showing
    }

    /// The payload type of what was sent again under this one.
    pub(super) fn original(&self, payload_type: u8) -> u8 {
        let formats = self.pictures.retransmission.as_ref().map_or(&[][..], |known| &known.formats);
        formats
            .iter()
            .find(|format| format.payload_type == payload_type)
            .map_or(payload_type, |format| format.of)
    }

    /// The source under which we send pictures again, where that was agreed.
    pub(super) fn ours_again(&self) -> Option<u32> {
        self.pictures.retransmission.as_ref().map(|known| known.ssrc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RetransmissionFormat;

    fn sources() -> Sources {
        let retransmission = Retransmission {
            formats: vec![RetransmissionFormat { payload_type: 97, of: 96 }],
            ssrc: 1,
            browser_ssrcs: vec![(7, 8)],
        };
        let pictures = Pictures { payload_types: vec![96], retransmission: Some(retransmission), nack: true };
        Sources { pictures, ..Sources::default() }
    }

    #[test]
    fn announced_sources_are_told_apart_by_their_announcement() {
        let sources = sources();
        assert_eq!(sources.carries(7, 96), Some(Carries::Pictures { again: Some(8), nack: true }));
        assert_eq!(sources.carries(8, 97), Some(Carries::PicturesAgain { of: 7, nack: true }));
        assert_eq!(sources.carries(9, 111), Some(Carries::Sound));
    }

    #[test]
    fn others_are_told_apart_by_their_payload_type() {
        let mut sources = sources();
        assert_eq!(sources.carries(21, 97), None, "of what, nobody knows yet");
        let carries = sources.carries(20, 96).expect("pictures");
        assert_eq!(carries, Carries::Pictures { again: None, nack: true });
        sources.note(20, carries);
        assert_eq!(sources.carries(21, 97), Some(Carries::PicturesAgain { of: 20, nack: true }));
        assert_eq!((sources.original(97), sources.original(96)), (96, 96));
    }
}
