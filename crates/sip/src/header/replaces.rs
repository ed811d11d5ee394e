//! Replaces (RFC 3891 §6.1).

use super::{HeaderName, Parameters};
use crate::error::HeaderError;
use crate::text;

/// A Replaces value: the dialog that an INVITE takes the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaces<'a> {
    /// The dialog's Call-ID.
    pub call_id: &'a [u8],
    /// The receiver's tag in that dialog.
    pub to_tag: &'a [u8],
    /// The other side's tag in that dialog.
    pub from_tag: &'a [u8],
    /// Whether the dialog may only be replaced while it is early.
    pub early_only: bool,
}

impl<'a> Replaces<'a> {
    /// Reads the value.
    ///
    /// # Errors
    /// If the Call-ID or one of the tags is missing.
    pub fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let malformed = || HeaderError::malformed(HeaderName::Replaces, "the Call-ID or a tag is missing");
        let end = memchr::memchr(b';', value).unwrap_or(value.len());
        let call_id = text::trim(text::part(value, 0, end));
        let parameters =
            Parameters::parse(text::from(value, end)).map_err(|error| error.of(HeaderName::Replaces))?;
        if call_id.is_empty() {
            return Err(malformed());
        }
        Ok(Self {
            call_id,
            to_tag: parameters.value("to-tag").ok_or_else(malformed)?,
            from_tag: parameters.value("from-tag").ok_or_else(malformed)?,
            early_only: parameters.get("early-only").is_some(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialog_is_named_by_three_parts() {
        let replaces = Replaces::parse(b"425928@bobster.example.org;to-tag=7743;from-tag=6472").unwrap();
        assert_eq!((replaces.to_tag, replaces.from_tag), (&b"7743"[..], &b"6472"[..]));
        assert!(!replaces.early_only);
        assert!(Replaces::parse(b"425928;to-tag=7743").is_err());
    }
}
