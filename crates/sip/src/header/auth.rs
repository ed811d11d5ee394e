//! The shape that the four authentication headers share: a scheme and comma-separated parameters
//! (RFC 3261 §20.7, §20.44; RFC 7616 §3). What the parameters mean is the digest module's business.

pub use super::parameters::Parameter;
use super::parameters::one_parameter;
use crate::error::HeaderError;
use crate::header::HeaderName;
use crate::text;

/// The scheme and the parameters of a challenge or of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthParameters<'a> {
    scheme: &'a [u8],
    text: &'a [u8],
}

impl<'a> AuthParameters<'a> {
    /// Reads the value of one `WWW-Authenticate`, `Proxy-Authenticate`, `Authorization` or
    /// `Proxy-Authorization` field.
    ///
    /// # Errors
    /// If there is no scheme, or a parameter is broken.
    pub fn parse(value: &'a [u8]) -> Result<Self, HeaderError> {
        let value = text::trim(value);
        let length = value.iter().position(|&byte| !text::is_token_byte(byte)).unwrap_or(value.len());
        let (scheme, rest) = value.split_at_checked(length).unwrap_or_default();
        if scheme.is_empty() || !rest.first().copied().is_none_or(text::is_linear_space) {
            return Err(HeaderError::malformed(HeaderName::Other, "there is no authentication scheme"));
        }
        Self::verified(scheme, text::trim(rest))
    }

    /// Reads parameters without a scheme, as in `Authentication-Info` (RFC 7616 §3.5).
    ///
    /// # Errors
    /// If a parameter is broken.
    pub fn parse_info(value: &'a [u8]) -> Result<Self, HeaderError> {
        Self::verified(b"", text::trim(value))
    }

    fn verified(scheme: &'a [u8], text: &'a [u8]) -> Result<Self, HeaderError> {
        let mut rest = text;
        while let Some((_, after)) = next_parameter(rest)? {
            rest = after;
        }
        Ok(Self { scheme, text })
    }

    /// The scheme as received, such as `Digest`.
    #[must_use]
    pub const fn scheme(&self) -> &'a [u8] {
        self.scheme
    }

    /// Whether the scheme is `scheme`, in any case of letters.
    #[must_use]
    pub fn is_scheme(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme.as_bytes())
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

    /// The value of the first parameter called `name`: of a quoted string the inside, its escapes as they stand.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.iter()
            .find(|parameter| parameter.name.eq_ignore_ascii_case(name.as_bytes()))
            .and_then(|found| found.value)
    }
}

/// The parameter at the beginning of `text` and what follows it and its comma.
fn next_parameter(text: &[u8]) -> Result<Option<(Parameter<'_>, &[u8])>, HeaderError> {
    let mut rest = text::trim_start(text);
    while let Some((b',', after)) = rest.split_first() {
        rest = text::trim_start(after);
    }
    if rest.is_empty() {
        return Ok(None);
    }
    let (parameter, after) = one_parameter(rest)?;
    match after.split_first() {
        None => Ok(Some((parameter, after))),
        Some((b',', after)) => Ok(Some((parameter, after))),
        Some(_) => Err(HeaderError::malformed(HeaderName::Other, "something stands between two parameters")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_has_a_scheme_and_parameters_with_commas_in_quotes() {
        let value = b"Digest realm=\"a, b\",nonce=\"n\" , qop=\"auth,auth-int\",\r\n stale=FALSE";
        let parameters = AuthParameters::parse(value).unwrap();
        assert!(parameters.is_scheme("digest"));
        assert_eq!(parameters.get("Realm"), Some(&b"a, b"[..]));
        assert_eq!(parameters.get("qop"), Some(&b"auth,auth-int"[..]));
        assert_eq!(parameters.get("stale"), Some(&b"FALSE"[..]));
        assert_eq!(parameters.iter().count(), 4);
    }

    #[test]
    fn an_unknown_scheme_is_read_all_the_same() {
        let parameters = AuthParameters::parse(b"NoOneKnowsThisScheme opaque-data=here").unwrap();
        assert!(!parameters.is_scheme("Digest"));
        assert_eq!(parameters.get("opaque-data"), Some(&b"here"[..]));
    }

    #[test]
    fn broken_values_are_refused() {
        for wrong in [&b""[..], b"=x", b"Digest a=\"x", b"Digest a=1 b=2", b"Digest =1"] {
            assert!(AuthParameters::parse(wrong).is_err());
        }
    }
}
