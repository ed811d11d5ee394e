//! The offer/answer state of one call between a browser and a phone.
//!
//! Each leg has its own descriptions, written by us from first line to last: nothing of one side leaks to
//! the other but what the relay carries. What counts is the state of the exchange, never the SIP method that
//! carried a description (RFC 3264, RFC 6337): a late offer, an UPDATE and a re-INVITE are all the same here.
//!
//! ```text
//!  browser's description -> Written -> State -> description for the phone
//!                                        |
//!                                        +---> Plan, for the relay
//! ```

pub(crate) mod anchored;
mod browser_end;
mod description;
mod exchange;
mod formats;
mod h264;
mod leg;
mod phone_end;
mod retransmission;
mod sdes;
mod section;
mod text;
mod transcoded;

use crate::{
    BrowserTransport, Cause, DtlsRole, Kind, Negotiated, PhoneSecurity, PhoneTransport, PhoneTransports,
    Plan, RemoteBrowser, SdesKey, SdesSuite,
};
use exchange::{Ends, State};
use leg::{Leg, Stream};
use section::Written;
use sip::Entropy;
use std::net::IpAddr;

/// Which leg of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The browser leg.
    Browser,
    /// The phone leg.
    Phone,
}

impl Side {
    /// The other leg.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Browser => Self::Phone,
            Self::Phone => Self::Browser,
        }
    }
}

/// The offer/answer state of one call between one browser leg and one phone leg: one for each branch of a fork.
///
/// An `Err` leaves the state as it was.
#[derive(Clone, Debug)]
pub struct Conversation {
    browser: BrowserTransport,
    phone: PhoneTransports,
    transcoding: bool,
    state: State,
    /// What was agreed before the open offer.
    before: Option<Box<State>>,
}

impl Conversation {
    /// A conversation with our ends of both legs.
    #[must_use]
    pub fn new(browser: BrowserTransport, phone: PhoneTransports, entropy: &mut dyn Entropy) -> Self {
        let mut stream = || {
            let random = entropy.number();
            // Zero is valid (RFC 3550 §8.1) but some take it for none.
            let ssrc = (random as u32).max(1);
            Stream {
                ssrc,
                retransmission_ssrc: Some(((random >> 32) as u32).max(1))
                    .filter(|other| *other != ssrc)
                    .unwrap_or(ssrc.wrapping_add(1)),
                browser: None,
                phone: None,
                addresses: None,
                settled: None,
            }
        };
        let streams = [stream(), stream()];
        let state = State {
            browser: Leg::new(entropy.number()),
            phone: Leg::new(entropy.number()),
            streams,
            role: None,
            remote: None,
            exchange: None,
            plan: None,
            name: entropy.token(16),
        };
        Self { browser, phone, transcoding: false, state, before: None }
    }

    /// Lets the gateway transcode between Opus and G.711 when the two sides have no codec in common.
    pub const fn allow_transcoding(&mut self) {
        self.transcoding = true;
    }

    /// A conversation with another phone and the same browser leg: for a further branch of a fork. Our sources
    /// and names are the same toward the browser, whichever branch wins; nothing is agreed on it yet.
    #[must_use]
    pub fn branch(&self, phone: PhoneTransports, entropy: &mut dyn Entropy) -> Self {
        let mut branch = Self::new(self.browser.clone(), phone, entropy);
        branch.transcoding = self.transcoding;
        branch.state.name.clone_from(&self.state.name);
        for (stream, sibling) in branch.state.streams.iter_mut().zip(&self.state.streams) {
            stream.ssrc = sibling.ssrc;
            stream.retransmission_ssrc = sibling.retransmission_ssrc;
        }
        branch
    }

    /// Takes the place of a conversation with another dialog of the same branch: our ends and the versions of our
    /// descriptions are as far as they are there.
    pub(crate) fn take_over_from(&mut self, other: &Self) {
        self.state = agreed_again(&self.state, &other.state);
        self.browser = other.browser.clone();
        self.phone.video.clone_from(&other.phone.video);
    }

    /// The kinds of live streams in a description: what to have transports for, before a [`Conversation`] is
    /// made.
    ///
    /// # Errors
    /// When it is no description.
    pub fn kinds(description: &[u8]) -> Result<Vec<Kind>, Cause> {
        let written = Written::read(description, Side::Browser)?;
        let live =
            |kind: &Kind| written.sections.iter().any(|section| section.live && section.kind == Some(*kind));
        Ok([Kind::Audio, Kind::Video].into_iter().filter(live).collect())
    }

    /// Where the phone that wrote this description expects its media: the address of its first stream that has one.
    #[must_use]
    pub fn phone_address(description: &[u8]) -> Option<IpAddr> {
        let written = Written::read(description, Side::Phone).ok()?;
        let described = written.sections.iter().find_map(|section| section.phone.addresses);
        described.map(|(rtp, _)| rtp.ip())
    }

    /// Hands in our end of a video stream added to a call. A transport in use is never replaced.
    pub fn provide_video(&mut self, transport: PhoneTransport) {
        self.phone.video.get_or_insert(transport);
    }

    /// Hands in keys of ours in place of those before: for an answer to a phone that has changed its own
    /// (RFC 4568 §7.1.4). What is agreed keeps its keys until then.
    pub fn renew_keys(&mut self, mut fresh: impl FnMut(SdesSuite) -> SdesKey) {
        for transport in [Some(&mut self.phone.audio), self.phone.video.as_mut()].into_iter().flatten() {
            match &mut transport.security {
                PhoneSecurity::Plain => {}
                PhoneSecurity::Sdes(keys)
                | PhoneSecurity::Opportunistic(keys)
                | PhoneSecurity::Accepting(keys) => {
                    keys.iter_mut().for_each(|key| *key = fresh(key.suite));
                }
            }
        }
    }

    /// Whether this offer of the phone changes the keys that are in force, or their suite, or has keys where there are
    /// none: ours may have been in force before, and what a phone has kept of them is not known.
    #[must_use]
    pub fn changes_keys(&self, offer: &[u8]) -> bool {
        let Some(plan) = &self.state.plan else { return false };
        let Ok(written) = Written::read(offer, Side::Phone) else { return false };
        plan.streams.iter().any(|stream| {
            let Some(phone) = &stream.remote_phone else { return false };
            let section = written.sections.get(stream.phone_index).filter(|section| section.live);
            section.is_some_and(|section| match &phone.security {
                Negotiated::Plain => !section.phone.keys.is_empty(),
                Negotiated::Sdes { theirs, .. } => {
                    !section.phone.keys.iter().any(|offered| offered.key == *theirs)
                }
            })
        })
    }

    /// Takes our end of the video stream back, whose ports go to somebody else. No video may be agreed, and no offer
    /// be open.
    pub fn release_video(&mut self) {
        self.phone.video = None;
        let [_, video] = &mut self.state.streams;
        video.settled = None;
        video.addresses = None;
    }

    /// The browser offers; returns the offer for the phone. The same offer again gives the same again; a new
    /// one takes the place of one that was not answered.
    ///
    /// # Errors
    /// When it cannot be converted; [`Cause::status`] says how to refuse it.
    pub fn offer_from_browser(&mut self, offer: &[u8]) -> Result<Vec<u8>, Cause> {
        self.offer(Side::Browser, offer)
    }

    /// The phone answers the browser's offer; returns the answer for the browser. May come again: the same one
    /// (a 200 after a 183) gives the same again; another (an early dialog that changed its mind) gives another,
    /// with a new version, and a new plan.
    ///
    /// # Errors
    /// When it cannot be converted: the call must be ended.
    pub fn answer_from_phone(&mut self, answer: &[u8]) -> Result<Vec<u8>, Cause> {
        self.answer(Side::Phone, answer)
    }

    /// The phone offers; returns the offer for the browser.
    ///
    /// # Errors
    /// When it cannot be converted; [`Cause::status`] says how to refuse it.
    pub fn offer_from_phone(&mut self, offer: &[u8]) -> Result<Vec<u8>, Cause> {
        self.offer(Side::Phone, offer)
    }

    /// The browser answers the phone's offer; returns the answer for the phone. May come again, as above.
    ///
    /// # Errors
    /// When it cannot be converted: the call must be ended.
    pub fn answer_from_browser(&mut self, answer: &[u8]) -> Result<Vec<u8>, Cause> {
        self.answer(Side::Browser, answer)
    }

    const fn ends(&self) -> Ends<'_> {
        Ends { browser: &self.browser, phone: &self.phone, transcoding: self.transcoding }
    }

    fn offer(&mut self, from: Side, text: &[u8]) -> Result<Vec<u8>, Cause> {
        let open = self.awaiting().is_some();
        if self.awaiting() == Some(from) {
            return Err(Cause::SdpGlare);
        }
        let mut next = self.state.clone();
        let mut before = Some(Box::new(self.state.clone()));
        if let (true, Some(agreed)) = (open, &self.before) {
            next = agreed_again(agreed, &self.state);
            before.clone_from(&self.before);
        }
        let description = next.offer(from, text, &self.ends())?;
        self.state = next;
        self.before = before;
        Ok(description)
    }

    fn answer(&mut self, from: Side, text: &[u8]) -> Result<Vec<u8>, Cause> {
        let mut next = self.state.clone();
        let description = next.answer(from, text, &self.ends())?;
        self.state = next;
        self.before = None;
        Ok(description)
    }

    /// The open offer was refused or withdrawn: what was agreed before holds on.
    pub fn withdraw(&mut self) {
        if let Some(agreed) = self.before.take() {
            self.state = agreed_again(&agreed, &self.state);
        }
    }

    /// The side whose answer is awaited; `None` when no offer is open.
    #[must_use]
    pub fn awaiting(&self) -> Option<Side> {
        let exchange = self.state.exchange.as_ref().filter(|exchange| !exchange.answered)?;
        Some(exchange.offerer.other())
    }

    /// What the relay must do; `None` before the first answer.
    #[must_use]
    pub const fn plan(&self) -> Option<&Plan> {
        self.state.plan.as_ref()
    }

    /// What the browser last said of its end, known from its offer on.
    #[must_use]
    pub const fn remote_browser(&self) -> Option<&RemoteBrowser> {
        self.state.remote.as_ref()
    }

    /// Our DTLS role once it is fixed: on a browser's offer at once, on ours when it has answered.
    #[must_use]
    pub const fn role(&self) -> Option<DtlsRole> {
        self.state.role
    }

    /// Our end of the browser leg.
    #[must_use]
    pub const fn browser_transport(&self) -> &BrowserTransport {
        &self.browser
    }

    /// Whether this description of the browser restarts ICE: it has other credentials than before. Then
    /// [`Conversation::restart_ice`] comes first (RFC 8839 §4.4.1).
    #[must_use]
    pub fn restarts_ice(&self, description: &[u8]) -> bool {
        let (Some(known), Ok(written)) = (&self.state.remote, Written::read(description, Side::Browser))
        else {
            return false;
        };
        let mut live = written.sections.iter().filter(|section| section.live && section.kind.is_some());
        let found = live.find_map(|section| written.browser_of(section).ok());
        found.is_some_and(|found| found.ufrag != known.ufrag || found.password != known.password)
    }

    /// Gives our end of the browser leg new ICE credentials.
    pub fn restart_ice(&mut self, ufrag: String, password: String) {
        self.browser.ufrag = ufrag;
        self.browser.password = password;
    }
}

/// What was agreed, under origins that do not go back: a version once sent is never used for anything else.
fn agreed_again(agreed: &State, now: &State) -> State {
    let mut state = agreed.clone();
    state.browser.origin = now.browser.origin.clone();
    state.phone.origin = now.phone.origin.clone();
    state
}
