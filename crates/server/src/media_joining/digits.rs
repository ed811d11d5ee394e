//! Digits that a page tells by INFO, for phones that listen for telephone events (RFC 4733).
//!
//! The usual libraries of pages send a key as INFO unless they are told otherwise, and the usual voice menus hear
//! nothing but telephone events. So the INFO of a page ends here, answered 200, and the gateway plays the event; the
//! phone sees nothing of it but a gap in CSeq, which RFC 3261 §12.2.2 allows. A phone without telephone events gets
//! the INFO itself: never both. The INFO of a phone goes on to the page; for its telephone events, which never reach the
//! page's script, see [`super::in_dialog`].

use std::time::Duration;

use media::{Digit, Side};
use sip::{Builder, HeaderName, Message, Method};

use super::MediaJoining;

/// How long a key is pressed if nobody says.
const USUAL: Duration = Duration::from_millis(160);

impl MediaJoining {
    /// The answer to an INFO whose digit the gateway plays. `None`: the INFO goes on.
    pub(super) fn play_digit(&self, request: &Message) -> Option<Vec<u8>> {
        if request.method() != Some(Method::Info) {
            return None;
        }
        let (digit, span) = digit(request.header(HeaderName::ContentType)?, request.body())?;
        let (call, branch, from) = self.calls.borrow().sender(request)?;
        if from != Side::Browser || !self.joiner.press(self, &call, &branch, digit, span) {
            return None;
        }
        Builder::response_to(request, 200, "").finish().ok()
    }
}

/// The key of an INFO, and how long it was pressed.
fn digit(kind: &[u8], body: &[u8]) -> Option<(Digit, Duration)> {
    let kind = kind.split(|octet| *octet == b';').next().unwrap_or_default().trim_ascii();
    if kind.eq_ignore_ascii_case(b"application/dtmf") {
        return Some((only(body)?, USUAL));
    }
    if !kind.eq_ignore_ascii_case(b"application/dtmf-relay") {
        return None;
    }
    let field = |name: &[u8]| {
        body.split(|octet| matches!(octet, b'\r' | b'\n')).find_map(|line| {
            let equals = line.iter().position(|octet| *octet == b'=')?;
            let (found, value) = line.split_at_checked(equals)?;
            found.trim_ascii().eq_ignore_ascii_case(name).then(|| value.trim_ascii_start().get(1..))?
        })
    };
    let span =
        field(b"Duration").and_then(|value| std::str::from_utf8(value.trim_ascii()).ok()?.parse().ok());
    Some((only(field(b"Signal")?)?, span.map_or(USUAL, Duration::from_millis)))
}

/// The key that is all there is.
fn only(text: &[u8]) -> Option<Digit> {
    match text.trim_ascii() {
        [letter] => Digit::of(*letter),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_a_digit_are_read() {
        let five = Digit::of(b'5').unwrap();
        let milliseconds = Duration::from_millis;
        assert_eq!(
            digit(b"application/dtmf-relay", b"Signal=5\r\nDuration=250\r\n"),
            Some((five, milliseconds(250)))
        );
        assert_eq!(
            digit(b"Application/DTMF-Relay; x=y", b"signal = 5\nduration = 90"),
            Some((five, milliseconds(90)))
        );
        assert_eq!(digit(b"application/dtmf-relay", b"Signal=5"), Some((five, USUAL)));
        assert_eq!(digit(b"application/dtmf", b"5\r\n"), Some((five, USUAL)));
    }

    #[test]
    fn what_is_no_digit_goes_on() {
        assert_eq!(digit(b"application/dtmf-relay", b"Duration=250"), None);
        assert_eq!(digit(b"application/dtmf-relay", b"Signal=55"), None);
        assert_eq!(digit(b"application/dtmf", b""), None);
        assert_eq!(digit(b"application/media_control+xml", b"5"), None);
    }
}
