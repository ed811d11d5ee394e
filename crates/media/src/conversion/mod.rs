//! The offer/answer state of one call between a browser and a phone.

use crate::{BrowserTransport, Cause, DtlsRole, Kind, PhoneTransport, PhoneTransports, Plan, RemoteBrowser};
use sip::Entropy;

/// Which leg of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The browser leg.
    Browser,
    /// The phone leg.
    Phone,
}

/// The offer/answer state of one call between one browser leg and one phone leg: one for each branch of a fork.
///
/// An `Err` leaves the state as it was.
#[derive(Clone, Debug)]
pub struct Conversation {
    browser: BrowserTransport,
    phone: PhoneTransports,
}

impl Conversation {
    /// A conversation with our ends of both legs.
    #[must_use]
    pub fn new(browser: BrowserTransport, phone: PhoneTransports, _entropy: &mut dyn Entropy) -> Self {
        Self { browser, phone }
    }

    /// The kinds of live streams in a description: what to have transports for, before a [`Conversation`] is made.
    ///
    /// # Errors
    /// When it is no description.
    pub fn kinds(_description: &[u8]) -> Result<Vec<Kind>, Cause> {
        Ok(Vec::new())
    }

    /// Hands in our end of a stream that had none: video added to a call. A transport in use is never replaced.
    pub fn provide(&mut self, _kind: Kind, transport: PhoneTransport) {
        self.phone.video = Some(transport);
    }

    /// The browser offers; returns the offer for the phone.
    ///
    /// # Errors
    /// When it cannot be converted; [`Cause::status`] says how to refuse it.
    pub fn offer_from_browser(&mut self, _offer: &[u8]) -> Result<Vec<u8>, Cause> {
        Err(Cause::SdpNothingToRelay)
    }

    /// The phone answers the browser's offer; returns the answer for the browser. May come again: the same one
    /// (a 200 after a 183) or, from an early dialog that changed its mind, another.
    ///
    /// # Errors
    /// When it cannot be converted: the call must be ended.
    pub fn answer_from_phone(&mut self, _answer: &[u8]) -> Result<Vec<u8>, Cause> {
        Err(Cause::SdpUnexpectedAnswer)
    }

    /// The phone offers; returns the offer for the browser.
    ///
    /// # Errors
    /// When it cannot be converted; [`Cause::status`] says how to refuse it.
    pub fn offer_from_phone(&mut self, _offer: &[u8]) -> Result<Vec<u8>, Cause> {
        Err(Cause::SdpNothingToRelay)
    }

    /// The browser answers the phone's offer; returns the answer for the phone. May come again, as above.
    ///
    /// # Errors
    /// When it cannot be converted: the call must be ended.
    pub fn answer_from_browser(&mut self, _answer: &[u8]) -> Result<Vec<u8>, Cause> {
        Err(Cause::SdpUnexpectedAnswer)
    }

    /// The open offer was refused or withdrawn: what was agreed before holds on.
    pub fn withdraw(&mut self) {}

    /// The side whose answer is awaited; `None` when no offer is open.
    #[must_use]
    pub fn awaiting(&self) -> Option<Side> {
        None
    }

    /// What the relay must do; `None` before the first answer.
    #[must_use]
    pub fn plan(&self) -> Option<&Plan> {
        None
    }

    /// What the browser last said of its end, known from its offer on.
    #[must_use]
    pub fn remote_browser(&self) -> Option<&RemoteBrowser> {
        None
    }

    /// Our DTLS role once it is fixed: on a browser's offer at once, on ours when it has answered.
    #[must_use]
    pub fn role(&self) -> Option<DtlsRole> {
        None
    }

    /// Our end of the browser leg.
    #[must_use]
    pub const fn browser_transport(&self) -> &BrowserTransport {
        &self.browser
    }

    /// Whether this description of the browser restarts ICE: it has other credentials than before. Then
    /// [`Conversation::restart_ice`] comes first (RFC 8839 §4.4.1).
    #[must_use]
    pub fn restarts_ice(&self, _description: &[u8]) -> bool {
        false
    }

    /// Gives our end of the browser leg new ICE credentials.
    pub fn restart_ice(&mut self, ufrag: String, password: String) {
        self.browser.ufrag = ufrag;
        self.browser.password = password;
    }
}
