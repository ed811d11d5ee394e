//! What [`Message::admit`] has found out on its way, kept so that it is not read again: the top Via, the tags, the
//! CSeq, the Request-URI. Everybody who handles a message asks for these.

use super::Message;
use crate::header::via::ViaParts;
use crate::header::{CSeq, HeaderName, NameAddress, Via};
use crate::method::Method;
use crate::part::Part;
use crate::text;
use crate::uri::{Uri, UriParts};

/// Offsets in the values that they were read from, so that they hold wherever in the message those stand. What is not
/// known is read when it is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    /// The first Via value, within its field's value, and its parts.
    pub(super) via: Option<(Part, ViaParts)>,
    /// The tag in From.
    pub(super) from_tag: Option<Tag>,
    /// The tag in To.
    pub(super) to_tag: Option<Tag>,
    /// The number and the method of CSeq.
    pub(super) sequence: Option<(u32, Part)>,
    /// The Request-URI.
    pub(super) uri: Option<UriParts>,
}

/// A tag within the value of From or To; empty where there is none.
pub(super) type Tag = Part;

impl Known {
    /// Forgets what was read from a field.
    pub(super) const fn forget(&mut self, name: HeaderName) {
        match name {
            HeaderName::Via => self.via = None,
            HeaderName::From => self.from_tag = None,
            HeaderName::To => self.to_tag = None,
            HeaderName::CSeq => self.sequence = None,
            _ => {}
        }
    }

    /// Notes the tag of a From or a To.
    pub(super) fn note_tag(&mut self, name: HeaderName, value: &[u8], address: &NameAddress<'_>) {
        let tag = address.tag().map(|tag| Part::within(value, tag)).unwrap_or_default();
        match name {
            HeaderName::From => self.from_tag = Some(tag),
            HeaderName::To => self.to_tag = Some(tag),
            _ => {}
        }
    }
}

impl Message {
    /// The first Via value, if it is known.
    pub(super) fn known_via(&self) -> Option<Via<'_>> {
        let (place, parts) = self.known.via?;
        Some(Via::known(place.of(self.header(HeaderName::Via)?), parts))
    }

    /// The CSeq, if it is known.
    pub(super) fn known_sequence(&self) -> Option<CSeq<'_>> {
        let (number, method) = self.known.sequence?;
        let method = Method::from_bytes(method.of(self.header(HeaderName::CSeq)?));
        Some(CSeq { number, method })
    }

    /// The Request-URI, read.
    ///
    /// # Errors
    /// If it is malformed; a response has none.
    pub fn target(&self) -> Result<Uri<'_>, crate::error::UriError> {
        let text = self.request_uri();
        match self.known.uri {
            Some(parts) => Ok(Uri::known(text, parts)),
            None => Uri::parse(text),
        }
    }

    /// The tag in From (RFC 3261 §19.3); `None` too where it is empty, and where there is no From that can be read.
    #[must_use]
    pub fn from_tag(&self) -> Option<&[u8]> {
        self.tag(HeaderName::From, self.known.from_tag)
    }

    /// The tag in To (RFC 3261 §19.3); `None` too where it is empty, and where there is no To that can be read.
    #[must_use]
    pub fn to_tag(&self) -> Option<&[u8]> {
        self.tag(HeaderName::To, self.known.to_tag)
    }

    fn tag(&self, name: HeaderName, known: Option<Tag>) -> Option<&[u8]> {
        let value = self.header(name)?;
        match known {
            Some(tag) => Some(tag.of(value)).filter(|tag| !tag.is_empty()),
            None => NameAddress::parse(value).ok()?.tag(),
        }
    }

    /// Reads the first Via value again, if it can be read.
    pub(super) fn learn_via(&mut self) {
        let Some(field) = self.header(HeaderName::Via) else { return };
        let value = self.first_value(HeaderName::Via).unwrap_or_default();
        // Were the first element of the field empty, the value would be another field's.
        let inside = text::part(field, 0, field.len()).as_ptr_range().contains(&value.as_ptr());
        let via = Via::parse(value).ok().filter(|_| inside);
        self.known.via = via.map(|via| (Part::within(field, value), via.parts()));
    }
}
