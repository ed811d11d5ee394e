//! One user: a name in a realm, and the hashes that stand for a password.
//!
//! The file's line is that of Apache's `htdigest`, with two more hashes behind:
//!
//! ```text
//! name:realm:MD5:SHA-256:SHA-512-256
//! ```
//!
//! Each hash is H(name ":" realm ":" password), the H(A1) of RFC 7616 §3.4.2, in hexadecimal. An empty field
//! means that this algorithm is not offered to the user. The realm may hold colons, the name may not
//! (RFC 7617 §2 has the same rule for the same reason).

use std::fmt;

/// A name in a realm with its password hashes. The password itself is nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The name, as in the digest `username` and in `sip:name@domain`.
    pub name: String,
    /// The protection realm the hashes are for.
    pub realm: String,
    /// H(A1) by MD5.
    pub md5: Option<[u8; 16]>,
    /// H(A1) by SHA-256.
    pub sha256: Option<[u8; 32]>,
    /// H(A1) by SHA-512/256.
    pub sha512_256: Option<[u8; 32]>,
}

impl fmt::Debug for User {
    /// The hashes are as good as the password: they are not shown.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("User")
            .field("name", &self.name)
            .field("realm", &self.realm)
            .finish_non_exhaustive()
    }
}

/// What is wrong with a user's line, name or realm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// There are fewer than five fields.
    #[error("this is not name:realm:MD5:SHA-256:SHA-512-256")]
    Fields,
    /// The name is empty, too long, or holds a character that no SIP user name can.
    #[error("a user's name has 1 to 64 letters, digits or any of - _ . ! ~ * ' ( ) & = + $ , ; ? / %")]
    Name,
    /// The realm is empty, too long, or holds a quote, a backslash or a control character.
    #[error("a realm has 1 to 128 characters, without quotes, backslashes and control characters")]
    Realm,
    /// A hash is not hexadecimal of the right length.
    #[error("the {0} hash is not {1} hexadecimal digits")]
    Hash(&'static str, usize),
    /// All three hashes are empty.
    #[error("the user has no password hash at all")]
    NoHash,
}

impl User {
    /// The user of one line of the file.
    ///
    /// # Errors
    /// Says what is wrong with the line.
    pub fn parse(line: &str) -> Result<Self, UserError> {
        let (name, rest) = line.split_once(':').ok_or(UserError::Fields)?;
        let mut from_the_end = rest.rsplitn(4, ':');
        let (Some(sha512_256), Some(sha256), Some(md5), Some(realm)) =
            (from_the_end.next(), from_the_end.next(), from_the_end.next(), from_the_end.next())
        else {
            return Err(UserError::Fields);
        };
        Self::check_name(name)?;
        Self::check_realm(realm)?;
        let user = Self {
            name: name.to_owned(),
            realm: realm.to_owned(),
            md5: hash("MD5", md5)?,
            sha256: hash("SHA-256", sha256)?,
            sha512_256: hash("SHA-512-256", sha512_256.trim_end())?,
        };
        if user.md5.is_none() && user.sha256.is_none() && user.sha512_256.is_none() {
            return Err(UserError::NoHash);
        }
        Ok(user)
    }

    /// The line of the file, without its end.
    #[must_use]
    pub fn line(&self) -> String {
        let md5 = self.md5.as_ref().map_or_else(String::new, |hash| hexadecimal(hash));
        let sha256 = self.sha256.as_ref().map_or_else(String::new, |hash| hexadecimal(hash));
        let sha512_256 = self.sha512_256.as_ref().map_or_else(String::new, |hash| hexadecimal(hash));
        format!("{}:{}:{md5}:{sha256}:{sha512_256}", self.name, self.realm)
    }

    /// Whether `name` can be a user's name: the characters that RFC 3261 §25.1 lets stand in the user part of
    /// a URI as they are, and `%`; no colon, which ends it in the digest.
    ///
    /// # Errors
    /// [`UserError::Name`].
    pub fn check_name(name: &str) -> Result<(), UserError> {
        let fits = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/%".contains(&octet);
        if (1..=64).contains(&name.len()) && name.bytes().all(fits) { Ok(()) } else { Err(UserError::Name) }
    }

    /// Whether `realm` can be a realm: it must stand in a quoted string without escapes, for clients differ in
    /// what they hash when there are any.
    ///
    /// # Errors
    /// [`UserError::Realm`].
    pub fn check_realm(realm: &str) -> Result<(), UserError> {
        let fits = |letter: char| !letter.is_control() && !matches!(letter, '"' | '\\');
        let length = (1..=128).contains(&realm.len());
        if length && realm.chars().all(fits) && realm.trim() == realm {
            Ok(())
        } else {
            Err(UserError::Realm)
        }
    }
}

fn hash<const BYTES: usize>(algorithm: &'static str, text: &str) -> Result<Option<[u8; BYTES]>, UserError> {
    if text.is_empty() {
        return Ok(None);
    }
    parse_hexadecimal(text).map(Some).ok_or(UserError::Hash(algorithm, 2 * BYTES))
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

pub(crate) fn parse_hexadecimal<const BYTES: usize>(text: &str) -> Option<[u8; BYTES]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * BYTES {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let mut bytes = [0; BYTES];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = value(*high)? << 4 | value(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> User {
        User {
            name: "alice".into(),
            realm: "example.com".into(),
            md5: Some([0x1f; 16]),
            sha256: None,
            sha512_256: Some([0xa0; 32]),
        }
    }

    #[test]
    fn a_line_comes_back_as_it_was_written() {
        assert_eq!(User::parse(&alice().line()), Ok(alice()));
        let odd = User { realm: "a house: [2001:db8::1]".into(), ..alice() };
        assert_eq!(User::parse(&odd.line()), Ok(odd));
    }

    #[test]
    fn each_kind_of_wrong_line_is_named() {
        let md5 = "1f".repeat(16);
        assert_eq!(User::parse("alice"), Err(UserError::Fields));
        assert_eq!(User::parse(&format!("alice:home:{md5}")), Err(UserError::Fields));
        assert_eq!(User::parse(&format!(":home:{md5}::")), Err(UserError::Name));
        assert_eq!(User::parse(&format!("al ice:home:{md5}::")), Err(UserError::Name));
        assert_eq!(User::parse(&format!("alice::{md5}::")), Err(UserError::Realm));
        assert_eq!(User::parse("alice:home:1f::"), Err(UserError::Hash("MD5", 32)));
        assert_eq!(User::parse("alice:home:::xyz"), Err(UserError::Hash("SHA-512-256", 64)));
        assert_eq!(User::parse("alice:home:::"), Err(UserError::NoHash));
    }

    #[test]
    fn hashes_do_not_show_in_debug_output() {
        assert!(!format!("{:?}", alice()).contains("1f1f"));
        assert!(!format!("{:?}", alice()).contains("31"));
    }
}
