//! What the server itself says inside the dialogs of joined calls, by INFO: a key that a phone pressed, for a page whose
//! script learns nothing of telephone events, and that a browser wants a whole picture of a phone without feedback in
//! RTCP (RFC 5168).
//!
//! Such an INFO is one more request of the other party's, and the numbers of that party's later requests make room for
//! it ([`super::inserted`]). While an INVITE of the same direction is open it waits: the ACK must not have a smaller
//! number than what came before it, for which some drop it.

use std::time::Duration;

use media::{CallKey, Digit, Side};
use sip::{Message, Method};

use super::MediaJoining;

/// The most words that wait in one dialog.
const MOST: usize = 32;
/// A word that had to wait longer is of no use any more.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest that the usual libraries of pages read.
const LONGEST: Duration = Duration::from_millis(6000);

/// Something to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// To the browser: the phone pressed this key for so long.
    Key(Digit, Duration),
    /// To the phone: the browser wants a whole picture.
    Picture,
}

impl Word {
    /// To whom.
    const fn listener(self) -> Side {
        match self {
            Self::Key(..) => Side::Browser,
            Self::Picture => Side::Phone,
        }
    }

    /// As the type and the body of an INFO.
    fn content(self) -> (&'static str, String) {
        match self {
            Self::Key(digit, span) => {
                let (letter, span) = (char::from(digit.letter()), span.min(LONGEST).as_millis());
                ("application/dtmf-relay", format!("Signal={letter}\r\nDuration={span}\r\n"))
            }
            // RFC 5168 §8.
            Self::Picture => (
                "application/media_control+xml",
                "<?xml version=\"1.0\" encoding=\"utf-8\" ?>\r\n<media_control><vc_primitive><to_encoder>\
                 <picture_fast_update/></to_encoder></vc_primitive></media_control>\r\n"
                    .to_owned(),
            ),
        }
    }
}

impl MediaJoining {
    /// Says something to a party of a call, as soon as it can be said. Who would have no use for it is not told.
    pub(super) fn say(&self, call: &CallKey, word: Word) {
        if let Some(dialog) = self.dialogs.borrow_mut().get_mut(call)
            && dialog.words.len() < MOST
        {
            dialog.words.push_back((self.clock.now(), word));
            self.talkative.borrow_mut().push(call.clone());
            self.requests_wait.notify_one();
        }
    }

    /// An INVITE may be over for which words had to wait.
    pub(super) fn say_what_waits(&self, message: &Message) {
        if message.cseq().is_ok_and(|cseq| matches!(cseq.method, Method::Ack | Method::Invite)) {
            let dialogs = self.dialogs.borrow();
            let call = dialogs.call_of(message);
            let waits = |call: &CallKey| dialogs.get(call).is_some_and(|dialog| !dialog.words.is_empty());
            if let Some(call) = call.filter(waits) {
                self.talkative.borrow_mut().push(call);
                self.requests_wait.notify_one();
            }
        }
    }

    /// The requests of the server itself, BYE and INFO: each is to be handed to the proxy at once, before anything else
    /// of its dialog, as a request of its sender.
    pub(crate) fn take_requests(&self) -> Vec<Vec<u8>> {
        let mut requests = std::mem::take(&mut *self.byes.borrow_mut());
        for call in std::mem::take(&mut *self.talkative.borrow_mut()) {
            self.put_into_words(&call, &mut requests);
        }
        requests
    }

    /// Until there are requests to take.
    pub(crate) async fn requests_wait(&self) {
        self.requests_wait.notified().await;
    }

    fn put_into_words(&self, call: &CallKey, requests: &mut Vec<Vec<u8>>) {
        let now = self.clock.now();
        let mut dialogs = self.dialogs.borrow_mut();
        let Some(dialog) = dialogs.get_mut(call) else { return };
        for (since, word) in std::mem::take(&mut dialog.words) {
            let by_caller = self.calls.borrow().is_callers_toward(call, &dialog.call_id, word.listener());
            let Some(by_caller) = by_caller.filter(|_| now.saturating_since(since) < PATIENCE) else {
                continue;
            };
            if dialog.must_wait(by_caller) {
                dialog.words.push_back((since, word));
                continue;
            }
            let (kind, body) = word.content();
            requests.extend(dialog.info(by_caller, (kind, &body), &mut self.inserted.borrow_mut()));
        }
    }

    /// Whether a request that leaves is one of those.
    pub(super) fn is_own(&self, bytes: &[u8]) -> bool {
        let inserted = self.inserted.borrow();
        let may_be = !inserted.is_empty() && bytes.starts_with(b"INFO ");
        may_be
            && Message::parse(bytes)
                .is_ok_and(|request| proxy::is_sent_in_dialog(&request) && inserted.is_ours(&request))
    }

    /// Whether a response that has arrived answers one of those. Then nobody else is told of it.
    pub(super) fn answers_own(&self, bytes: &[u8]) -> bool {
        if self.inserted.borrow().is_empty() {
            return false;
        }
        let Ok(response) = Message::parse(bytes) else { return false };
        let ours = self.inserted.borrow().is_ours(&response);
        if ours {
            self.dialogs.borrow_mut().answered_ours(&response);
        }
        ours
    }

    /// A request that leaves, as its receiver must see it after what was said in its dialog. `None`: as it is.
    pub(crate) fn renumbered(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        if self.inserted.borrow().is_empty() || bytes.starts_with(b"SIP/2.0 ") || self.is_own(bytes) {
            return None;
        }
        self.inserted.borrow().onward(&Message::parse(bytes).ok()?)
    }

    /// A response that has arrived, as the one whose request it answers must see it. `None`: as it is.
    pub(crate) fn renumbered_back(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        if self.inserted.borrow().is_empty() || !bytes.starts_with(b"SIP/2.0 ") {
            return None;
        }
        self.inserted.borrow().back(&Message::parse(bytes).ok()?)
    }
}

#[cfg(test)]
#[path = "in_dialog_tests.rs"]
mod tests;
