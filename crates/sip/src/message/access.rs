//! Reading a message: start line, header fields by name, typed headers on demand, body.

use super::{Message, StartLine};
use crate::error::HeaderError;
use crate::header::{CSeq, Contact, HeaderName, NameAddress, Via, list};
use crate::method::Method;
use crate::text;

/// One header field as received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name, or [`HeaderName::Other`].
    pub name: HeaderName,
    /// The name's text as received: any case of letters, perhaps compact.
    pub text: &'a [u8],
    /// The value without white space around it; a folded value still has its folds.
    pub value: &'a [u8],
}

impl Message {
    /// Whether this is a request; otherwise it is a response.
    #[must_use]
    pub fn is_request(&self) -> bool {
        matches!(self.start_line, StartLine::Request { .. })
    }

    /// The method of a request.
    #[must_use]
    pub fn method(&self) -> Option<Method<'_>> {
        match self.start_line {
            StartLine::Request { method, .. } => Some(Method::from_bytes(method.of(&self.bytes))),
            StartLine::Response { .. } => None,
        }
    }

    /// The Request-URI as received; empty for a response.
    #[must_use]
    pub fn request_uri(&self) -> &[u8] {
        match self.start_line {
            StartLine::Request { uri, .. } => uri.of(&self.bytes),
            StartLine::Response { .. } => &[],
        }
    }

    /// The status code of a response, 100 to 699; `None` for a request and for a code outside that range.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self.start_line {
            StartLine::Response { status, .. } if status != 0 => Some(status),
            _ => None,
        }
    }

    /// The reason phrase of a response; empty for a request.
    #[must_use]
    pub fn reason_phrase(&self) -> &[u8] {
        match self.start_line {
            StartLine::Response { reason, .. } => reason.of(&self.bytes),
            StartLine::Request { .. } => &[],
        }
    }

    /// The version of the start line, such as `SIP/2.0`.
    #[must_use]
    pub fn version(&self) -> &[u8] {
        self.version.of(&self.bytes)
    }

    /// The value of the first field of `name`, without white space around it.
    #[must_use]
    pub fn header(&self, name: HeaderName) -> Option<&[u8]> {
        self.first_entry(name).map(|entry| entry.value.of(&self.bytes))
    }

    /// The values of every field of `name`, in order.
    pub fn headers(&self, name: HeaderName) -> impl Iterator<Item = &[u8]> {
        self.entries_of(name).map(|entry| entry.value.of(&self.bytes))
    }

    /// The list elements over every field of `name`, in order (RFC 3261 §7.3.1). Empty elements are skipped.
    pub fn values(&self, name: HeaderName) -> impl Iterator<Item = &[u8]> {
        self.headers(name).flat_map(|value| list::elements(value).present())
    }

    /// The first list element of `name`.
    #[must_use]
    pub fn first_value(&self, name: HeaderName) -> Option<&[u8]> {
        self.values(name).next()
    }

    /// The value of the first field whose name is `name` in any case of letters. For a name that
    /// [`HeaderName`] knows, the compact form counts too.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&[u8]> {
        match HeaderName::parse(name.as_bytes()) {
            HeaderName::Other => self
                .fields()
                .find(|field| {
                    field.name == HeaderName::Other && field.text.eq_ignore_ascii_case(name.as_bytes())
                })
                .map(|field| field.value),
            known => self.header(known),
        }
    }

    /// Every header field, in order.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        self.entries.iter().map(|entry| {
            let start = entry.start as usize;
            Field {
                name: entry.name,
                text: text::part(&self.bytes, start, start + usize::from(entry.name_length)),
                value: entry.value.of(&self.bytes),
            }
        })
    }

    /// Whether any list element of `name` is `token`, in any case of letters: option tags, methods.
    #[must_use]
    pub fn lists(&self, name: HeaderName, token: &str) -> bool {
        self.values(name).any(|value| value.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// The first Via value (RFC 3261 §20.42).
    ///
    /// # Errors
    /// If there is none or it cannot be read.
    pub fn top_via(&self) -> Result<Via<'_>, HeaderError> {
        if let Some(via) = self.known_via() {
            return Ok(via);
        }
        let value = self.first_value(HeaderName::Via).ok_or(HeaderError::Missing(HeaderName::Via))?;
        Via::parse(value)
    }

    /// The From header (RFC 3261 §20.20).
    ///
    /// # Errors
    /// If it is missing or cannot be read.
    pub fn from(&self) -> Result<NameAddress<'_>, HeaderError> {
        self.name_address(HeaderName::From)
    }

    /// The To header (RFC 3261 §20.39).
    ///
    /// # Errors
    /// If it is missing or cannot be read.
    pub fn to(&self) -> Result<NameAddress<'_>, HeaderError> {
        self.name_address(HeaderName::To)
    }

    /// The first field of `name` as a name-addr or addr-spec: `Refer-To`, `Referred-By`, `Reply-To` and so on.
    ///
    /// # Errors
    /// If it is missing or cannot be read.
    pub fn name_address(&self, name: HeaderName) -> Result<NameAddress<'_>, HeaderError> {
        let value = self.header(name).ok_or(HeaderError::Missing(name))?;
        NameAddress::parse(value).map_err(|error| error.of(name))
    }

    /// The Contact values, in order (RFC 3261 §20.10).
    pub fn contacts(&self) -> impl Iterator<Item = Result<Contact<'_>, HeaderError>> {
        self.values(HeaderName::Contact).map(Contact::parse)
    }

    /// The Call-ID (RFC 3261 §20.8).
    ///
    /// # Errors
    /// If it is missing, empty, or has white space in it.
    pub fn call_id(&self) -> Result<&[u8], HeaderError> {
        let value = self.header(HeaderName::CallId).ok_or(HeaderError::Missing(HeaderName::CallId))?;
        if value.is_empty() || text::has_space_or_control(value) {
            return Err(HeaderError::malformed(HeaderName::CallId, "the Call-ID is no word"));
        }
        Ok(value)
    }

    /// The CSeq (RFC 3261 §20.16).
    ///
    /// # Errors
    /// If it is missing or cannot be read.
    pub fn cseq(&self) -> Result<CSeq<'_>, HeaderError> {
        if let Some(sequence) = self.known_sequence() {
            return Ok(sequence);
        }
        let value = self.header(HeaderName::CSeq).ok_or(HeaderError::Missing(HeaderName::CSeq))?;
        CSeq::parse(value)
    }

    /// Max-Forwards, if there is one (RFC 3261 §20.22). A number that does not fit counts as the greatest.
    ///
    /// # Errors
    /// If it is no number.
    pub fn max_forwards(&self) -> Result<Option<u32>, HeaderError> {
        self.number(HeaderName::MaxForwards)
    }

    /// The first field of `name` as a number of seconds or hops: `Expires`, `Min-Expires`, `RSeq` and so on.
    /// Parameters or a comment behind the number do not count; a number that does not fit counts as the greatest.
    ///
    /// # Errors
    /// If it is no number.
    pub fn number(&self, name: HeaderName) -> Result<Option<u32>, HeaderError> {
        self.header(name)
            .map(|value| crate::header::leading_number(value).map_err(|error| error.of(name)))
            .transpose()
    }

    /// The body; empty if there is none.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.body.of(&self.bytes)
    }

    /// The whole message as received, without line ends before it and octets behind it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The whole message, as [`Message::as_bytes`] gives it.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Where `part`, a slice that this message gave out, starts in [`Message::as_bytes`].
    #[must_use]
    pub fn offset_of(&self, part: &[u8]) -> usize {
        (part.as_ptr() as usize).saturating_sub(self.bytes.as_ptr() as usize).min(self.bytes.len())
    }
}
