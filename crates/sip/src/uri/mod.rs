//! SIP, SIPS and tel URIs (RFC 3261 §19.1, RFC 3966).

mod compare;
pub mod escape;
pub(crate) mod host;

pub use host::Host;

use crate::error::UriError;
use crate::text;
use crate::transport::Transport;

/// The scheme of a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `sip`
    Sip,
    /// `sips`
    Sips,
    /// `tel` (RFC 3966)
    Tel,
    /// Any other; [`Uri::scheme_bytes`] says which.
    Other,
}

/// A URI, borrowed from its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uri<'a> {
    text: &'a [u8],
    scheme: Scheme,
    scheme_text: &'a [u8],
    user: Option<&'a [u8]>,
    password: Option<&'a [u8]>,
    host: Host<'a>,
    port: Option<u16>,
    parameters: &'a [u8],
    headers: &'a [u8],
}

/// One parameter or header of a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UriParameter<'a> {
    /// The name as received.
    pub name: &'a [u8],
    /// The value as received; `None` for a flag.
    pub value: Option<&'a [u8]>,
}

impl<'a> Uri<'a> {
    /// Reads a URI. Tolerant of what real peers send: a raw `#` and octets beyond ASCII in the user part, host
    /// labels that start with a digit or have an underscore.
    ///
    /// # Errors
    /// [`UriError`] says which part is malformed.
    pub fn parse(text: &'a [u8]) -> Result<Self, UriError> {
        if text.iter().any(|&byte| text::ends_uri(byte)) {
            return Err(UriError::Character);
        }
        let colon = memchr::memchr(b':', text).ok_or(UriError::Scheme)?;
        let (scheme_text, rest) = (text::part(text, 0, colon), text::from(text, colon + 1));
        let is_scheme = scheme_text.first().is_some_and(u8::is_ascii_alphabetic)
            && scheme_text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
        if !is_scheme || rest.is_empty() {
            return Err(UriError::Scheme);
        }
        let scheme = match scheme_text {
            name if name.eq_ignore_ascii_case(b"sip") => Scheme::Sip,
            name if name.eq_ignore_ascii_case(b"sips") => Scheme::Sips,
            name if name.eq_ignore_ascii_case(b"tel") => Scheme::Tel,
            _ => Scheme::Other,
        };
        let uri = Self {
            text,
            scheme,
            scheme_text,
            user: None,
            password: None,
            host: Host::Name(b""),
            port: None,
            parameters: b"",
            headers: b"",
        };
        match scheme {
            Scheme::Sip | Scheme::Sips => uri.with_sip(rest),
            Scheme::Tel => uri.with_telephone(rest),
            Scheme::Other => Ok(uri),
        }
    }

    fn with_sip(mut self, rest: &'a [u8]) -> Result<Self, UriError> {
        let mut rest = rest;
        // The user part may have `;`, `?` and `/` (RFC 3261 §25.1 `user-unreserved`), so the first `@` comes first.
        if let Some(at) = memchr::memchr(b'@', rest) {
            let information = text::part(rest, 0, at);
            rest = text::from(rest, at + 1);
            let colon = memchr::memchr(b':', information);
            let user = text::part(information, 0, colon.unwrap_or(information.len()));
            if user.is_empty() || !escape::is_well_escaped(information) {
                return Err(UriError::User);
            }
            self.user = Some(user);
            self.password = colon.map(|colon| text::from(information, colon + 1));
        }
        let host_end = match rest.first() {
            Some(b'[') => memchr::memchr(b']', rest).ok_or(UriError::Host)? + 1,
            _ => rest.iter().position(|byte| matches!(byte, b':' | b';' | b'?')).unwrap_or(rest.len()),
        };
        self.host = Host::parse(text::part(rest, 0, host_end)).ok_or(UriError::Host)?;
        rest = text::from(rest, host_end);
        if let Some((b':', after)) = rest.split_first() {
            let end = memchr::memchr2(b';', b'?', after).unwrap_or(after.len());
            self.port = Some(host::parse_port(text::part(after, 0, end)).ok_or(UriError::Port)?);
            rest = text::from(after, end);
        }
        if let Some(question) = memchr::memchr(b'?', rest) {
            self.headers = text::from(rest, question + 1);
            rest = text::part(rest, 0, question);
            if !self.headers().all(|header| !header.name.is_empty()) || !escape::is_well_escaped(self.headers)
            {
                return Err(UriError::Header);
            }
        }
        self.with_parameters(rest)
    }

    /// RFC 3966 §3: digits and visual separators, then parameters.
    fn with_telephone(mut self, rest: &'a [u8]) -> Result<Self, UriError> {
        let end = memchr::memchr(b';', rest).unwrap_or(rest.len());
        let number = text::part(rest, 0, end);
        let digits = number.strip_prefix(b"+").unwrap_or(number);
        let is_number = digits.iter().all(|byte| byte.is_ascii_hexdigit() || b"-.()*#".contains(byte))
            && digits.iter().any(|byte| byte.is_ascii_hexdigit() || b"*#".contains(byte));
        if !is_number {
            return Err(UriError::Number);
        }
        self.user = Some(number);
        self.with_parameters(text::from(rest, end))
    }

    fn with_parameters(mut self, rest: &'a [u8]) -> Result<Self, UriError> {
        self.parameters = rest;
        let starts_well = rest.first().is_none_or(|&byte| byte == b';');
        if !starts_well || self.parameters().any(|parameter| parameter.name.is_empty()) {
            return Err(UriError::Parameter);
        }
        if !escape::is_well_escaped(rest) {
            return Err(UriError::Parameter);
        }
        Ok(self)
    }

    /// The URI's text.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.text
    }

    /// The scheme.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The scheme as received.
    #[must_use]
    pub const fn scheme_bytes(&self) -> &'a [u8] {
        self.scheme_text
    }

    /// Whether this is a SIP or SIPS URI.
    #[must_use]
    pub const fn is_sip(&self) -> bool {
        matches!(self.scheme, Scheme::Sip | Scheme::Sips)
    }

    /// The user part as received, with its escapes and without a password; the number of a tel URI.
    #[must_use]
    pub const fn user(&self) -> Option<&'a [u8]> {
        self.user
    }

    /// The password as received. RFC 3261 §19.1.1 advises against it.
    #[must_use]
    pub const fn password(&self) -> Option<&'a [u8]> {
        self.password
    }

    /// The host; an empty name for a tel URI and for schemes that are not ours.
    #[must_use]
    pub const fn host(&self) -> Host<'a> {
        self.host
    }

    /// The port, if one is written.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// The first parameter called `name`, in any case of letters: `Some(None)` is a flag.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<Option<&'a [u8]>> {
        self.parameters()
            .find(|parameter| parameter.name.eq_ignore_ascii_case(name.as_bytes()))
            .map(|parameter| parameter.value)
    }

    /// The parameters, in order.
    pub fn parameters(&self) -> impl Iterator<Item = UriParameter<'a>> + use<'a> {
        pairs(self.parameters.strip_prefix(b";"), b';')
    }

    /// The headers behind the question mark, in order.
    pub fn headers(&self) -> impl Iterator<Item = UriParameter<'a>> + use<'a> {
        pairs((!self.headers.is_empty()).then_some(self.headers), b'&')
    }

    /// The parameters as received, from the first semicolon on.
    #[must_use]
    pub const fn parameters_bytes(&self) -> &'a [u8] {
        self.parameters
    }

    /// The headers as received, without the question mark.
    #[must_use]
    pub const fn headers_bytes(&self) -> &'a [u8] {
        self.headers
    }

    /// The transport that the `transport` parameter names: `Some(None)` if it names none of ours.
    #[must_use]
    pub fn transport(&self) -> Option<Option<Transport>> {
        self.parameter("transport").map(|value| value.and_then(Transport::from_token))
    }

    /// Whether the `lr` parameter is there (RFC 3261 §19.1.1).
    #[must_use]
    pub fn is_loose_router(&self) -> bool {
        self.parameter("lr").is_some()
    }
}

/// `name=value` pairs with `separator` between them.
fn pairs(text: Option<&[u8]>, separator: u8) -> impl Iterator<Item = UriParameter<'_>> {
    text.into_iter().flat_map(move |text| text.split(move |&byte| byte == separator)).map(|pair| {
        match memchr::memchr(b'=', pair) {
            Some(at) => UriParameter { name: text::part(pair, 0, at), value: Some(text::from(pair, at + 1)) },
            None => UriParameter { name: pair, value: None },
        }
    })
}

#[cfg(test)]
mod tests;
