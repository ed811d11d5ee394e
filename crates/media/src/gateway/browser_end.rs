//! Our end toward one browser of a call.

use super::shared::{Place, Shared};
use super::{Output, SocketId};
use crate::MediaCause;
use crate::browser_leg::{BrowserLeg, Credentials, LegOutput};
use crate::relay::{Relay, Source};

/// Our end toward one browser.
pub(super) struct BrowserEnd {
    pub(super) id: u64,
    pub(super) credentials: Credentials,
    /// Those of an ICE restart that is not agreed yet.
    pub(super) next_credentials: Option<Credentials>,
    /// The user fragment under which its description came: who it is.
    pub(super) described_as: Option<Vec<u8>>,
    pub(super) leg: Option<BrowserLeg>,
    pub(super) relay: Relay,
    /// The relay of pictures.
    pub(super) pictures: Relay,
    /// Whose pictures it was sent last.
    pub(super) looks_at: Option<Source>,
    /// The branch whose phone it hears and talks to.
    pub(super) active: Option<u64>,
    pub(super) failed: Option<MediaCause>,
}

impl BrowserEnd {
    pub(super) fn new(id: u64, credentials: Credentials, relay: Relay, pictures: Relay) -> Self {
        Self {
            id,
            credentials,
            next_credentials: None,
            described_as: None,
            leg: None,
            relay,
            pictures,
            looks_at: None,
            active: None,
            failed: None,
        }
    }
}

impl Shared {
    /// Sends what a browser leg sends, and notes whose packets are whose.
    pub(super) fn place_or_transmit(&mut self, place: Place, output: LegOutput) {
        match output {
            LegOutput::Transmit { socket, to, bytes } => {
                self.outputs.push_back(Output::Transmit { socket, to, bytes });
            }
            LegOutput::Valid { socket, from } => {
                self.pairs.insert((socket, from), place);
            }
            LegOutput::Forgotten { socket, from } => {
                if self.pairs.get(&(socket, from)) == Some(&place) {
                    self.pairs.remove(&(socket, from));
                    if let SocketId::BrowserStream(_) = socket {
                        self.outputs.push_back(Output::Disconnect { socket, from });
                    }
                }
            }
            LegOutput::Connected(_)
            | LegOutput::Media(_)
            | LegOutput::PictureWanted
            | LegOutput::Failed(_) => {}
        }
    }
}
