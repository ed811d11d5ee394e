//! Joined calls that the server itself hangs up, because their media failed for good or because it stops: a BYE to
//! both sides, each as the other would have sent it, with a Reason (RFC 3326).

use media::CallKey;

use super::MediaJoining;
use super::calls::Consequence;
use crate::log;

/// Why a call is hung up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reason {
    /// The SIP status that says it best.
    pub(crate) status: u16,
    /// The code and the sentence: `ICE-LOST: the browser stopped answering`.
    pub(crate) text: String,
}

impl Reason {
    /// Of media that failed: the party cannot be reached any more.
    pub(crate) fn of(cause: media::MediaCause) -> Self {
        Self { status: 480, text: told(cause.code(), &cause) }
    }

    /// Of a server that stops, and with it the media that go through it.
    pub(crate) fn stopping() -> Self {
        Self { status: 503, text: told("SERVER-STOPPED", &"the server stops; call again") }
    }

    /// As the value of a Reason header.
    pub(super) fn value(&self) -> String {
        format!("SIP;cause={};text={}", self.status, quoted(&self.text))
    }
}

/// A code with its sentence, as all headers and logs have it.
pub(super) fn told(code: &str, sentence: &dyn std::fmt::Display) -> String {
    format!("{code}: {sentence}")
}

/// A quoted string (RFC 3261 §25.1): marks that would have to be escaped, which few readers undo, give way to others.
pub(super) fn quoted(text: &str) -> String {
    let fit = |letter: char| match letter {
        '"' => '\'',
        '\\' => '/',
        letter if letter.is_control() => ' ',
        letter => letter,
    };
    format!("\"{}\"", text.chars().map(fit).collect::<String>())
}

impl MediaJoining {
    /// Hangs up a call. The BYEs wait in [`MediaJoining::take_requests`]; the media ends at once. Without effect before the
    /// answer, when there is no dialog to end.
    pub(crate) fn hang_up(&self, call: &CallKey, reason: &Reason) {
        let byes = self.dialogs.borrow().get(call).map(|dialog| dialog.byes(reason)).unwrap_or_default();
        if byes.is_empty() {
            return;
        }
        if let Some(dialog) = self.dialogs.borrow_mut().get_mut(call) {
            dialog.ended_by = Some("server");
        }
        log::debug(format!("media of call {}: hung up, {}", super::telling::name(call), reason.text));
        self.byes.borrow_mut().extend(byes);
        self.requests_wait.notify_one();
        self.calls.borrow_mut().lost(call);
        self.follow([Consequence::CallOver(call.clone())]);
    }

    /// Hangs up an answered call of which nothing passes any more; where not enough is known of its dialog, it is forgotten.
    pub(super) fn give_up(&self, call: &CallKey, reason: &Reason) {
        self.hang_up(call, reason);
        if self.calls.borrow().is_answered(call) {
            self.calls.borrow_mut().lost(call);
            self.follow([Consequence::CallOver(call.clone())]);
        }
    }

    /// Hangs up every call that was answered: the server is about to stop.
    pub(crate) fn hang_up_all(&self, reason: &Reason) {
        let calls = self.dialogs.borrow().answered();
        for call in calls {
            self.hang_up(&call, reason);
        }
    }
}
