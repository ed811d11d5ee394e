//! The parameter `verstat` (3GPP TS 24.229 §7.2A.20): what the callee's phone is told of the caller's number.
//!
//! It stands behind the number, in a tel URI as in the user part of a SIP URI. Only who has verified may write it.

use sip::header::NameAddress;
use sip::uri::Uri;
use sip::uri::escape::unescape;

use crate::trunks::{Number, settings::Numbers};

/// What has been found out of a caller's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verstat {
    Passed,
    Failed,
    /// Nothing was there to be verified.
    NotValidated,
}

impl Verstat {
    const fn parameter(self) -> &'static [u8] {
        match self {
            Self::Passed => b";verstat=TN-Validation-Passed",
            Self::Failed => b";verstat=TN-Validation-Failed",
            Self::NotValidated => b";verstat=No-TN-Validation",
        }
    }
}

/// A header value with this `verstat` in its URI, and no other; `None` if it stays as it is. What is no number has none.
pub(crate) fn rewritten(value: &[u8], verstat: Option<Verstat>, numbers: &Numbers) -> Option<Vec<u8>> {
    let address = NameAddress::parse(value).ok()?;
    let text = address.uri_bytes();
    let uri = Uri::parse(text).ok()?;
    let parameter = verstat.filter(|_| Number::of(&uri, numbers).is_some());
    if parameter.is_none() && !may_have(text) {
        return None;
    }
    let mut written = without(text);
    if let Some(verstat) = parameter {
        let at = written.iter().position(|octet| *octet == b'@').unwrap_or(written.len());
        written.splice(at..at, verstat.parameter().iter().copied());
    }
    if written == text {
        return None;
    }
    // The URI is a part of the value.
    let start = (text.as_ptr() as usize).checked_sub(value.as_ptr() as usize)?;
    let mut whole = value.get(..start)?.to_vec();
    // Without brackets the parameters would belong to the header.
    let bare = !address.is_bracketed();
    if bare {
        whole.push(b'<');
    }
    whole.extend_from_slice(&written);
    if bare {
        whole.push(b'>');
    }
    whole.extend_from_slice(value.get(start + text.len()..)?);
    Some(whole)
}

/// Whether a URI may have one. An escape may hide it.
fn may_have(uri: &[u8]) -> bool {
    const NAME: &[u8] = b"verstat";
    memchr::memchr(b'%', uri).is_some() || uri.windows(NAME.len()).any(|part| part.eq_ignore_ascii_case(NAME))
}

/// A URI without it, in its user part and behind its host.
fn without(uri: &[u8]) -> Vec<u8> {
    let at = memchr::memchr(b'@', uri).unwrap_or(uri.len());
    let (user, rest) = uri.split_at_checked(at).unwrap_or((uri, b""));
    let mut clean = parameters_without(user);
    clean.extend(parameters_without(rest));
    clean
}

fn parameters_without(text: &[u8]) -> Vec<u8> {
    let mut clean = Vec::with_capacity(text.len());
    for (place, piece) in text.split(|octet| *octet == b';').enumerate() {
        if place == 0 {
            clean.extend_from_slice(before_hidden(piece));
            continue;
        }
        // Its end may be escaped as well.
        let plain = unescape(piece);
        let name = plain.split(|octet| *octet == b'=').next().unwrap_or_default();
        if name.trim_ascii().eq_ignore_ascii_case(b"verstat") {
            continue;
        }
        clean.push(b';');
        clean.extend_from_slice(before_hidden(piece));
    }
    clean
}

/// What stands before an escaped semicolon, if it hides a verstat: some readers take escapes off before they part.
fn before_hidden(piece: &[u8]) -> &[u8] {
    let is_semicolon = |part: &[u8]| part.eq_ignore_ascii_case(b"%3B");
    let Some(at) = piece.windows(3).position(is_semicolon) else { return piece };
    let (before, hidden) = piece.split_at_checked(at).unwrap_or((piece, b""));
    if may_have_name(&unescape(hidden)) { before } else { piece }
}

fn may_have_name(text: &[u8]) -> bool {
    text.to_ascii_lowercase().windows(8).any(|part| part == b";verstat")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &str, verstat: Option<Verstat>) -> Option<String> {
        rewritten(value.as_bytes(), verstat, &Numbers::default())
            .map(|value| String::from_utf8(value).unwrap())
    }

    #[test]
    fn it_stands_behind_the_number() {
        for (value, expected) in [
            (
                "\"sip:+49@a\" <sip:+49301@a.example;user=phone>;tag=1",
                "\"sip:+49@a\" <sip:+49301;verstat=TN-Validation-Passed@a.example;user=phone>;tag=1",
            ),
            ("<tel:+49301>;tag=1", "<tel:+49301;verstat=TN-Validation-Passed>;tag=1"),
            ("sip:+49301@a.example;tag=1", "<sip:+49301;verstat=TN-Validation-Passed@a.example>;tag=1"),
        ] {
            assert_eq!(written(value, Some(Verstat::Passed)).as_deref(), Some(expected));
        }
    }

    #[test]
    fn one_that_somebody_else_wrote_gives_way_to_ours_or_to_none() {
        for forged in [
            "<sip:+49301;verstat=TN-Validation-Passed@a.example>",
            "<sip:+49301;VerStat=TN-Validation-Passed@a.example>",
            "<sip:+49301;ver%73tat=TN-Validation-Passed@a.example>",
            "<sip:+49301%3Bverstat=TN-Validation-Passed@a.example>",
            "<sip:+49301;verstat%3DTN-Validation-Passed@a.example>",
            "<sip:+49301;verstat%20%3d%20TN-Validation-Passed@a.example>",
            "<sip:+49301@a.example;verstat=TN-Validation-Passed>",
            "<sip:+49301;verstat@a.example;verstat=x>",
        ] {
            assert_eq!(written(forged, None).as_deref(), Some("<sip:+49301@a.example>"), "{forged}");
            assert_eq!(
                written(forged, Some(Verstat::Failed)).as_deref(),
                Some("<sip:+49301;verstat=TN-Validation-Failed@a.example>"),
                "{forged}"
            );
        }
    }

    #[test]
    fn what_is_no_number_and_what_has_none_stay_as_they_are() {
        for value in ["<sip:anonymous@anonymous.invalid>;tag=1", "<sip:verstat@a.example>", "<sip:a%20b@c>"] {
            assert_eq!(written(value, Some(Verstat::Passed)), None, "{value}");
            assert_eq!(written(value, None), None, "{value}");
        }
    }
}
