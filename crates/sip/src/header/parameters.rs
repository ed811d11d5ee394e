//! `;name=value` parameters behind a header's value (RFC 3261 §7.3.1, §25.1 `generic-param`).

use super::list::quoted_length;
use crate::error::HeaderError;
use crate::header::HeaderName;
use crate::text;

/// One parameter of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// The name, compared without regard to case.
    pub name: &'a [u8],
    /// The value; `None` for a flag. Of a quoted string only the inside, its escapes as they stand
    /// ([`text::unquote`] resolves them).
    pub value: Option<&'a [u8]>,
    /// Whether the value was a quoted string.
    pub quoted: bool,
}

impl Parameter<'_> {
    /// Writes it as it stands in a header, the semicolon before it included.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(b';');
        out.extend_from_slice(self.name);
        if let Some(value) = self.value {
            let quote: &[u8] = if self.quoted { b"\"" } else { b"" };
            out.push(b'=');
            out.extend_from_slice(quote);
            out.extend_from_slice(value);
            out.extend_from_slice(quote);
        }
    }
}

/// The parameters of a header, with linear white space allowed around each part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parameters<'a> {
    text: &'a [u8],
}

impl<'a> Parameters<'a> {
    /// The parameters in `text`, which is empty or starts with a semicolon.
    ///
    /// # Errors
    /// If a parameter has no name, a quoted string does not end, or something else stands between two parameters.
    pub fn parse(text: &'a [u8]) -> Result<Self, HeaderError> {
        Self::parse_each(text, |_| {})
    }

    /// [`Parameters::parse`], with a look at each on the way.
    pub(crate) fn parse_each(
        text: &'a [u8],
        mut each: impl FnMut(&Parameter<'a>),
    ) -> Result<Self, HeaderError> {
        let mut rest = text;
        while let Some((parameter, after)) = next_parameter(rest)? {
            each(&parameter);
            rest = after;
        }
        Ok(Self { text: text::trim(text) })
    }

    /// Parameters that were read before.
    pub(crate) const fn checked(text: &'a [u8]) -> Self {
        Self { text }
    }

    /// The parameters as received, from the first semicolon on.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.text
    }

    /// Every parameter, in order.
    pub fn iter(&self) -> impl Iterator<Item = Parameter<'a>> + use<'a> {
        let mut rest = self.text;
        core::iter::from_fn(move || {
            let (parameter, after) = next_parameter(rest).ok()??;
            rest = after;
            Some(parameter)
        })
    }

    /// The first parameter called `name`: `Some(None)` is a flag.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Option<&'a [u8]>> {
        self.iter()
            .find(|parameter| parameter.name.eq_ignore_ascii_case(name.as_bytes()))
            .map(|found| found.value)
    }

    /// The value of the first parameter called `name`, if it has one.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&'a [u8]> {
        self.get(name).flatten()
    }
}

const fn malformed(reason: &'static str) -> HeaderError {
    HeaderError::malformed(HeaderName::Other, reason)
}

/// The parameter at the beginning of `text` and what follows it.
fn next_parameter(text: &[u8]) -> Result<Option<(Parameter<'_>, &[u8])>, HeaderError> {
    let Some((&separator, rest)) = text::trim_start(text).split_first() else { return Ok(None) };
    if separator != b';' {
        return Err(malformed("something stands between two parameters"));
    }
    let (parameter, rest) = one_parameter(text::trim_start(rest))?;
    Ok(Some((parameter, rest)))
}

/// `name`, `name=value` or `name="value"` at the beginning of `text`, and what follows it.
pub(super) fn one_parameter(text: &[u8]) -> Result<(Parameter<'_>, &[u8]), HeaderError> {
    let length = text.iter().position(|&byte| !text::is_parameter_name_byte(byte)).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(length).unwrap_or_default();
    if name.is_empty() {
        return Err(malformed("a parameter has no name"));
    }
    let after_name = text::trim_start(rest);
    let Some((b'=', rest)) = after_name.split_first() else {
        return Ok((Parameter { name, value: None, quoted: false }, after_name));
    };
    let rest = text::trim_start(rest);
    if let Some((b'"', inside)) = rest.split_first() {
        let length = quoted_length(inside);
        let (string, after) = inside.split_at_checked(length).unwrap_or_default();
        let Some((b'"', value)) = string.split_last() else {
            return Err(malformed("a quoted string does not end"));
        };
        return Ok((Parameter { name, value: Some(value), quoted: true }, text::trim_start(after)));
    }
    let length = text::parameter_value_length(rest);
    let (value, after) = rest.split_at_checked(length).unwrap_or_default();
    Ok((Parameter { name, value: Some(value), quoted: false }, text::trim_start(after)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_with_white_space_flags_and_quotes() {
        let parameters = Parameters::parse(b" ; a = 1 ;\r\n b;c=\"x;\\\"y\" ; D=[::1]").unwrap();
        assert_eq!(parameters.get("A"), Some(Some(&b"1"[..])));
        assert_eq!(parameters.get("b"), Some(None));
        assert_eq!(parameters.value("c"), Some(&b"x;\\\"y"[..]));
        assert_eq!(parameters.value("d"), Some(&b"[::1]"[..]));
        assert_eq!(parameters.get("e"), None);
        assert_eq!(parameters.iter().count(), 4);
    }

    #[test]
    fn a_parameter_is_written_as_it_was_read() {
        for text in [&b";a=1"[..], b";flag", b";c=\"x;\\\"y\"", b";d=[::1]"] {
            let mut written = Vec::new();
            Parameters::parse(text).unwrap().iter().for_each(|parameter| parameter.write(&mut written));
            assert_eq!(written, text);
        }
    }

    #[test]
    fn broken_parameters_are_refused() {
        for wrong in [&b";"[..], b";;a", b";a;;", b";a b", b";a=\"x", b";a=\"x\"y", b"a=1", b";=1"] {
            assert!(Parameters::parse(wrong).is_err(), "{}", String::from_utf8_lossy(wrong));
        }
    }
}
