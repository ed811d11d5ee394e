//! The refusals that come from here: of an offer that cannot be translated, and of one that crosses another. An answer in
//! an ACK cannot be refused: its call is hung up.

use media::Cause;
use sip::{Builder, Entropy, HeaderName, Message, Method};

use super::hanging_up::{Reason, quoted, told};
use super::{MediaJoining, Onward, without_description};
use crate::randomness::SystemEntropy;

/// The longest that a side is asked to wait after offers have crossed, in seconds (RFC 3261 §14.2).
const LONGEST_WAIT: u64 = 10;

/// Why a description goes no further, whoever should have translated it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: u16,
    pub(super) code: &'static str,
    pub(super) sentence: String,
}

impl Refusal {
    /// A 503 would be taken for a word about the hop, and the proxy passes none on (RFC 3261 §16.7 item 6): its caller
    /// would never hear why.
    fn new(status: u16, code: &'static str, sentence: &dyn std::fmt::Display) -> Self {
        Self { status: if status == 503 { 500 } else { status }, code, sentence: sentence.to_string() }
    }

    /// A phone wants its media at a host that nobody knows.
    pub(super) fn unknown_host(name: &str) -> Self {
        let name: String = name.chars().take(64).collect();
        let sentence = format!("the session description wants media at {name}, and that name has no address");
        Self::new(488, "SDP-UNKNOWN-HOST", &sentence)
    }

    /// The call ended while its description waited.
    pub(super) fn call_over() -> Self {
        let sentence = "the call ended while a host name in its session description was looked up";
        Self::new(481, "SDP-CALL-OVER", &sentence)
    }

    /// The code and the sentence.
    pub(super) fn text(&self) -> String {
        told(self.code, &self.sentence)
    }
}

impl From<Cause> for Refusal {
    fn from(cause: Cause) -> Self {
        Self::new(cause.status(), cause.code(), &cause)
    }
}

impl From<rtpengine::Failure> for Refusal {
    fn from(failure: rtpengine::Failure) -> Self {
        Self::new(failure.status(), failure.code(), &failure)
    }
}

impl MediaJoining {
    /// What becomes of a request whose description cannot be translated. An ACK goes on without it, for the other side
    /// repeats its 2xx until it has one (RFC 3261 §13.3.1.4).
    pub(super) fn refuse(&self, request: &Message, refusal: &Refusal) -> Onward {
        if request.method() == Some(Method::Ack) {
            let call = self.dialogs.borrow().call_of(request);
            if let Some(call) = call {
                self.hang_up(&call, &Reason { status: refusal.status, text: refusal.text() });
            }
            return without_description(request).map_or(Onward::AsItIs, Onward::Instead);
        }
        self.await_ack(request);
        unusable(request, refusal)
    }

    /// As many calls are joined as can be.
    pub(super) fn refuse_for_now(&self, request: &Message) -> Onward {
        let sentence = "the server joins as many calls as it can; call again in a minute";
        let refusal = Refusal::new(503, "MEDIA-TOO-MANY-CALLS", &sentence);
        self.not_joined(request, &refusal);
        self.await_ack(request);
        let (wait, warning) = (BUSY.to_string(), warning(&refusal.text()));
        refuse(request, refusal.status, &[(HeaderName::RetryAfter, &wait), (HeaderName::Warning, &warning)])
    }

    /// The refusal of an INVITE from here will be acknowledged, and nobody else has seen that INVITE.
    pub(super) fn await_ack(&self, request: &Message) {
        if request.method() == Some(Method::Invite) {
            let branch = request.top_via().ok().and_then(|via| via.branch().map(<[u8]>::to_vec));
            self.refused.borrow_mut().extend(branch);
        }
    }
}

/// So long does nobody call again who could not be joined, in seconds.
const BUSY: u32 = 30;

/// The offer cannot be translated.
pub(super) fn unusable(request: &Message, refusal: &Refusal) -> Onward {
    refuse(request, refusal.status, &[(HeaderName::Warning, &warning(&refusal.text()))])
}

/// An offer is open already: 491 where it is the other side's, 500 and a time to wait where it is the sender's own
/// (RFC 3261 §14.2 for INVITE, RFC 3311 §5.2 for UPDATE).
pub(super) fn crossing(request: &Message, own: bool) -> Onward {
    if own {
        let wait = SystemEntropy.number() % (LONGEST_WAIT + 1);
        return refuse(request, 500, &[(HeaderName::RetryAfter, &wait.to_string())]);
    }
    unusable(request, &Cause::SdpGlare.into())
}

fn refuse(request: &Message, status: u16, headers: &[(HeaderName, &str)]) -> Onward {
    let response = Builder::response_to(request, status, "").to_tag(b"media");
    let response =
        headers.iter().fold(response, |response, (name, value)| response.header(*name, value.as_bytes()));
    let response = response.finish();
    response.map_or(Onward::AsItIs, Onward::Refused)
}

/// The value of a Warning (RFC 3261 §20.43): 399 is any warning, with a text for people.
fn warning(text: &str) -> String {
    format!("399 sipweb {}", quoted(text))
}

/// The response with a Warning of ours.
pub(super) fn warned(response: &Message, text: &str) -> Option<Vec<u8>> {
    let mut edit = response.edit();
    edit.append(HeaderName::Warning, warning(text).as_bytes());
    edit.finish().ok()
}
