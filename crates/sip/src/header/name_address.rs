//! A URI with a display name and parameters: From, To, Contact, Route, Refer-To and their kind
//! (RFC 3261 §20.10, §25.1 `name-addr`, `addr-spec`).

use std::borrow::Cow;

use super::list::quoted_length;
use super::{HeaderName, Parameters};
use crate::error::{HeaderError, UriError};
use crate::text;
use crate::uri::Uri;

/// A `name-addr` or an `addr-spec`, and the parameters of the header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NameAddress<'a> {
    display: Option<&'a [u8]>,
    uri: &'a [u8],
    bracketed: bool,
    parameters: Parameters<'a>,
    /// The first tag, empty or not.
    tag: Option<&'a [u8]>,
    /// Whether there is another one.
    repeats_tag: bool,
}

const fn malformed(reason: &'static str) -> HeaderError {
    HeaderError::malformed(HeaderName::Other, reason)
}

impl<'a> NameAddress<'a> {
    /// Reads one value. The URI is found, not parsed: [`NameAddress::uri`] does that.
    ///
    /// # Errors
    /// If a quoted string or an angle bracket does not end, the display name is none, there is no URI, or a
    /// parameter is broken.
    pub fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let value = text::trim(value);
        if let Some((b'"', inside)) = value.split_first() {
            let (string, rest) = inside.split_at_checked(quoted_length(inside)).unwrap_or_default();
            let Some((b'"', display)) = string.split_last() else {
                return Err(malformed("a quoted string does not end"));
            };
            return Self::bracketed(Some(display), text::trim_start(rest));
        }
        if value.first() == Some(&b'<') {
            return Self::bracketed(None, value);
        }
        let Some(bracket) = memchr::memchr(b'<', value) else { return Self::bare(value) };
        let display = text::trim(text::part(value, 0, bracket));
        if memchr::memchr(b';', display).is_some() {
            // The bracket belongs to a parameter: `sip:a@b;x=<y>`.
            return Self::bare(value);
        }
        // RFC 3261 §25.1: `*(token LWS)`. Peers write more than tokens, in UTF-8 too; a comma or a quote would
        // make two readings of one value.
        if display.iter().any(|&byte| {
            matches!(byte, b',' | b'"' | b'>') || (text::is_control(byte) && !text::is_linear_space(byte))
        }) {
            return Err(malformed("the display name must be quoted"));
        }
        Self::bracketed((!display.is_empty()).then_some(display), text::from(value, bracket))
    }

    /// `<uri>` and the parameters behind it.
    fn bracketed(display: Option<&'a [u8]>, value: &'a [u8]) -> Result<Self, HeaderError> {
        let Some((b'<', rest)) = value.split_first() else {
            return Err(malformed("no angle bracket follows the display name"));
        };
        let end = memchr::memchr(b'>', rest).ok_or(malformed("the angle bracket does not end"))?;
        let uri = text::part(rest, 0, end);
        if uri.is_empty() {
            return Err(malformed("there is no URI"));
        }
        let found = Self { display, uri, bracketed: true, ..Self::default() };
        found.with_parameters(text::from(rest, end + 1))
    }

    fn with_parameters(mut self, text: &'a [u8]) -> Result<Self, HeaderError> {
        let (mut tag, mut repeats_tag) = (None, false);
        self.parameters = Parameters::parse_each(text, |parameter| {
            if parameter.name.len() == 3 && parameter.name.eq_ignore_ascii_case(b"tag") {
                repeats_tag |= tag.is_some();
                tag = tag.or(Some(parameter.value.unwrap_or_default()));
            }
        })?;
        Ok(Self { tag, repeats_tag, ..self })
    }

    /// An `addr-spec`: without brackets every parameter belongs to the header, and the URI can have neither
    /// comma nor question mark (RFC 3261 §20).
    fn bare(value: &'a [u8]) -> Result<Self, HeaderError> {
        let end = memchr::memchr(b';', value).unwrap_or(value.len());
        let uri = text::trim_end(text::part(value, 0, end));
        if uri.is_empty() {
            return Err(malformed("there is no URI"));
        }
        if memchr::memchr2(b',', b'?', uri).is_some() {
            return Err(malformed("the URI must stand in angle brackets"));
        }
        Self { uri, ..Self::default() }.with_parameters(text::from(value, end))
    }

    /// The display name as received: of a quoted string the inside, its escapes as they stand.
    #[must_use]
    pub const fn display_name(&self) -> Option<&'a [u8]> {
        self.display
    }

    /// The display name with its escapes resolved and its folds flattened.
    #[must_use]
    pub fn display_text(&self) -> Option<Cow<'a, [u8]>> {
        self.display.map(|display| match text::unquote(display) {
            Cow::Borrowed(name) => text::unfold(name),
            Cow::Owned(name) => Cow::Owned(text::unfold(&name).into_owned()),
        })
    }

    /// The URI as received.
    #[must_use]
    pub const fn uri_bytes(&self) -> &'a [u8] {
        self.uri
    }

    /// The URI.
    ///
    /// # Errors
    /// If it is malformed.
    pub fn uri(&self) -> Result<Uri<'a>, UriError> {
        Uri::parse(self.uri)
    }

    /// Whether the URI stands in angle brackets.
    #[must_use]
    pub const fn is_bracketed(&self) -> bool {
        self.bracketed
    }

    /// The `tag` parameter (RFC 3261 §19.3); `None` too where it is empty.
    #[must_use]
    pub fn tag(&self) -> Option<&'a [u8]> {
        self.tag.filter(|tag| !tag.is_empty())
    }

    /// Whether there is more than one tag.
    pub(crate) const fn repeats_tag(&self) -> bool {
        self.repeats_tag
    }

    /// The header parameter called `name`: `Some(None)` is a flag.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<Option<&'a [u8]>> {
        self.parameters.get(name)
    }

    /// The header parameters.
    #[must_use]
    pub const fn parameters(&self) -> Parameters<'a> {
        self.parameters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        let quoted = NameAddress::parse(b"\"J \\\"R\\\"\"<sip:a@b;x>;tag=1").unwrap();
        assert_eq!(quoted.display_text().as_deref(), Some(&b"J \"R\""[..]));
        assert_eq!((quoted.uri_bytes(), quoted.tag()), (&b"sip:a@b;x"[..], Some(&b"1"[..])));
        let tokens = NameAddress::parse(b"J Rosenberg  <sip:a@b>\r\n ;\r\n tag = 2").unwrap();
        assert_eq!((tokens.display_name(), tokens.tag()), (Some(&b"J Rosenberg"[..]), Some(&b"2"[..])));
        let bare = NameAddress::parse(b"sip:a@b;x;tag=3").unwrap();
        assert_eq!((bare.uri_bytes(), bare.parameter("x")), (&b"sip:a@b"[..], Some(None)));
        assert_eq!(NameAddress::parse(b"<sip:a@b>").unwrap().display_name(), None);
    }

    #[test]
    fn what_has_two_readings_is_refused() {
        for wrong in [
            &b"\"Mr. J <sip:a@b>"[..],
            b"Bell, Alexander <sip:a@b>",
            b"sip:a@b?Route=x",
            b"<sip:a@b",
            b"<sip:a@b>x",
            b"\"a\" sip:a@b",
            b"<>",
            b"",
            b";tag=1",
        ] {
            assert!(NameAddress::parse(wrong).is_err(), "{}", String::from_utf8_lossy(wrong));
        }
    }
}
