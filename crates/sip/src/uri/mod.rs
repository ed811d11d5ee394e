//! SIP, SIPS and tel URIs (RFC 3261 §19.1, RFC 3966).

mod compare;
pub mod escape;
pub(crate) mod host;

pub use host::Host;

use crate::error::UriError;
use crate::part::Part;
use crate::text;
use crate::transport::Transport;
use host::HostPart;

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
    parts: UriParts,
}

/// Where everything is in the text of a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UriParts {
    scheme: Scheme,
    scheme_text: Part,
    user: Option<Part>,
    password: Option<Part>,
    host: HostPart,
    port: Option<u16>,
    parameters: Part,
    headers: Part,
}

/// One parameter or header of a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UriParameter<'a> {
    /// The name as received.
    pub name: &'a [u8],
    /// The value as received; `None` for a flag.
    pub value: Option<&'a [u8]>,
}

impl UriParts {
    /// Reads a URI.
    fn parse(text: &[u8]) -> Result<Self, UriError> {
        if text.len() > Part::LIMIT {
            return Err(UriError::Character);
        }
        let (mut colon, mut at, mut escapes) = (None, None, false);
        let mut place = text::find_uri_mark(text);
        while let Some(&byte) = text.get(place) {
            match byte {
                b':' => colon = colon.or(Some(place)),
                // The user part may have `;`, `?` and `/` (RFC 3261 §25.1 `user-unreserved`), so the first `@` comes
                // before all of them.
                b'@' => at = at.or(Some(place)),
                b'%' => escapes = true,
                _ => return Err(UriError::Character),
            }
            place += 1 + text::find_uri_mark(text::from(text, place + 1));
        }
        let colon = colon.ok_or(UriError::Scheme)?;
        let scheme_text = Part::new(0, colon);
        let scheme = scheme(scheme_text.of(text)).ok_or(UriError::Scheme)?;
        let rest = colon + 1;
        if rest == text.len() {
            return Err(UriError::Scheme);
        }
        let uri = Self {
            scheme,
            scheme_text,
            user: None,
            password: None,
            host: HostPart::Name(Part::default()),
            port: None,
            parameters: Part::default(),
            headers: Part::default(),
        };
        match scheme {
            Scheme::Sip | Scheme::Sips => uri.with_sip(text, rest, at, escapes),
            Scheme::Tel => uri.with_telephone(text, rest, escapes),
            Scheme::Other => Ok(uri),
        }
    }

    fn with_sip(
        mut self,
        text: &[u8],
        start: usize,
        at: Option<usize>,
        escapes: bool,
    ) -> Result<Self, UriError> {
        let mut rest = start;
        if let Some(at) = at {
            let information = text::part(text, start, at);
            let colon = information.iter().position(|&byte| byte == b':');
            let user = Part::new(start, colon.map_or(at, |colon| start + colon));
            if user.is_empty() || (escapes && !escape::is_well_escaped(information)) {
                return Err(UriError::User);
            }
            self.user = Some(user);
            self.password = colon.map(|colon| Part::new(start + colon + 1, at));
            rest = at + 1;
        }
        let following = text::from(text, rest);
        let host_end = match following.first() {
            Some(b'[') => memchr::memchr(b']', following).ok_or(UriError::Host)? + 1,
            _ => following
                .iter()
                .position(|byte| matches!(byte, b':' | b';' | b'?'))
                .unwrap_or(following.len()),
        };
        self.host = HostPart::parse(text, Part::new(rest, rest + host_end)).ok_or(UriError::Host)?;
        rest += host_end;
        if text.get(rest) == Some(&b':') {
            let after = text::from(text, rest + 1);
            let end = after.iter().position(|byte| matches!(byte, b';' | b'?')).unwrap_or(after.len());
            self.port = Some(host::parse_port(text::part(after, 0, end)).ok_or(UriError::Port)?);
            rest += 1 + end;
        }
        let mut end = text.len();
        if let Some(question) = text::from(text, rest).iter().position(|&byte| byte == b'?') {
            end = rest + question;
            self.headers = Part::new(end + 1, text.len());
            let headers = self.headers.of(text);
            if pairs((!headers.is_empty()).then_some(headers), b'&').any(|header| header.name.is_empty())
                || !escape::is_well_escaped(headers)
            {
                return Err(UriError::Header);
            }
        }
        self.with_parameters(text, Part::new(rest, end), escapes)
    }

    /// RFC 3966 §3: digits and visual separators, then parameters.
    fn with_telephone(mut self, text: &[u8], start: usize, escapes: bool) -> Result<Self, UriError> {
        let rest = text::from(text, start);
        let end = memchr::memchr(b';', rest).unwrap_or(rest.len());
        let number = text::part(rest, 0, end);
        let digits = number.strip_prefix(b"+").unwrap_or(number);
        let is_number = digits.iter().all(|byte| byte.is_ascii_hexdigit() || b"-.()*#".contains(byte))
            && digits.iter().any(|byte| byte.is_ascii_hexdigit() || b"*#".contains(byte));
        if !is_number {
            return Err(UriError::Number);
        }
        self.user = Some(Part::new(start, start + end));
        self.with_parameters(text, Part::new(start + end, text.len()), escapes)
    }

    fn with_parameters(mut self, text: &[u8], place: Part, escapes: bool) -> Result<Self, UriError> {
        self.parameters = place;
        let rest = place.of(text);
        if rest.first().is_some_and(|&byte| byte != b';') || has_nameless_parameter(rest) {
            return Err(UriError::Parameter);
        }
        if escapes && !escape::is_well_escaped(rest) {
            return Err(UriError::Parameter);
        }
        Ok(self)
    }
}

/// Whether nothing stands between a semicolon and what ends the name behind it.
fn has_nameless_parameter(parameters: &[u8]) -> bool {
    let mut before = 0;
    for &byte in parameters {
        if before == b';' && matches!(byte, b';' | b'=') {
            return true;
        }
        before = byte;
    }
    before == b';'
}

/// The scheme of this name; `None` if it can be no name of one.
fn scheme(name: &[u8]) -> Option<Scheme> {
    match name {
        b"sip" => Some(Scheme::Sip),
        b"sips" => Some(Scheme::Sips),
        name if name.eq_ignore_ascii_case(b"sip") => Some(Scheme::Sip),
        name if name.eq_ignore_ascii_case(b"sips") => Some(Scheme::Sips),
        name if name.eq_ignore_ascii_case(b"tel") => Some(Scheme::Tel),
        name => {
            let is_scheme = name.first().is_some_and(u8::is_ascii_alphabetic)
                && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
            is_scheme.then_some(Scheme::Other)
        }
    }
}

impl<'a> Uri<'a> {
    /// Reads a URI. Tolerant of what real peers send: a raw `#` and octets beyond ASCII in the user part, host
    /// labels that start with a digit or have an underscore.
    ///
    /// # Errors
    /// [`UriError`] says which part is malformed. A URI of 64 KiB or more is none.
    pub fn parse(text: &'a [u8]) -> Result<Self, UriError> {
        Ok(Self { text, parts: UriParts::parse(text)? })
    }

    /// The URI of which is known where everything is in it.
    pub(crate) const fn known(text: &'a [u8], parts: UriParts) -> Self {
        Self { text, parts }
    }

    /// Where everything is in it.
    pub(crate) const fn parts(&self) -> UriParts {
        self.parts
    }

    /// The URI's text.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.text
    }

    /// The scheme.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.parts.scheme
    }

    /// The scheme as received.
    #[must_use]
    pub fn scheme_bytes(&self) -> &'a [u8] {
        self.parts.scheme_text.of(self.text)
    }

    /// Whether this is a SIP or SIPS URI.
    #[must_use]
    pub const fn is_sip(&self) -> bool {
        matches!(self.parts.scheme, Scheme::Sip | Scheme::Sips)
    }

    /// The user part as received, with its escapes and without a password; the number of a tel URI.
    #[must_use]
    pub fn user(&self) -> Option<&'a [u8]> {
        self.parts.user.map(|user| user.of(self.text))
    }

    /// The password as received. RFC 3261 §19.1.1 advises against it.
    #[must_use]
    pub fn password(&self) -> Option<&'a [u8]> {
        self.parts.password.map(|password| password.of(self.text))
    }

    /// The host; an empty name for a tel URI and for schemes that are not ours.
    #[must_use]
    pub fn host(&self) -> Host<'a> {
        self.parts.host.of(self.text)
    }

    /// The port, if one is written.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.parts.port
    }

    /// The first parameter called `name`, in any case of letters: `Some(None)` is a flag.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<Option<&'a [u8]>> {
        let parameters = self.parameters_bytes().strip_prefix(b";")?;
        parameters.split(|&byte| byte == b';').find_map(|parameter| {
            let (start, rest) = parameter.split_at_checked(name.len())?;
            if !start.eq_ignore_ascii_case(name.as_bytes()) {
                return None;
            }
            match rest.split_first() {
                None => Some(None),
                Some((b'=', value)) => Some(Some(value)),
                Some(_) => None,
            }
        })
    }

    /// The parameters, in order.
    pub fn parameters(&self) -> impl Iterator<Item = UriParameter<'a>> + use<'a> {
        pairs(self.parameters_bytes().strip_prefix(b";"), b';')
    }

    /// The headers behind the question mark, in order.
    pub fn headers(&self) -> impl Iterator<Item = UriParameter<'a>> + use<'a> {
        let headers = self.headers_bytes();
        pairs((!headers.is_empty()).then_some(headers), b'&')
    }

    /// The parameters as received, from the first semicolon on.
    #[must_use]
    pub fn parameters_bytes(&self) -> &'a [u8] {
        self.parts.parameters.of(self.text)
    }

    /// The headers as received, without the question mark.
    #[must_use]
    pub fn headers_bytes(&self) -> &'a [u8] {
        self.parts.headers.of(self.text)
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
