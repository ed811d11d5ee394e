//! SRTP keys in the description: `a=crypto` lines (RFC 4568, RFC 7714 §14).

use crate::{SdesKey, SdesSuite};

/// One `a=crypto` line that we can use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Crypto {
    pub(super) tag: u32,
    pub(super) key: SdesKey,
}

/// Reads the value of an `a=crypto` line. `None` when it is malformed, of an unknown suite, switches protection
/// off, or wants something that we do not do.
pub(super) fn read(value: &[u8]) -> Option<Crypto> {
    let text = std::str::from_utf8(value).ok()?;
    let mut fields = text.split_ascii_whitespace();
    let tag = fields.next()?.parse().ok()?;
    let suite = SdesSuite::named(fields.next()?)?;
    let first = fields.next()?.split(';').next()?;
    if !fields.all(is_harmless) {
        return None;
    }
    let mut parts = first.strip_prefix("inline:")?.split('|');
    let key = decode(parts.next()?)?;
    // A lifetime (`2^20`) is of no matter to a call: the phone counts its packets itself. An MKI has a colon.
    let identifier = match parts.find(|part| part.contains(':')) {
        Some(part) => identifier(part)?,
        None => Vec::new(),
    };
    (key.len() == suite.master_length()).then_some(Crypto { tag, key: SdesKey { suite, key, identifier } })
}

/// Whether a session parameter leaves SRTP what it is. `UNENCRYPTED_SRTP` and the like ask for no SRTP at all (RFC
/// 4568 §6.3.2), a key derivation rate (§6.3.1) for keys that change on the way, and of others nothing is known. What
/// begins with `-` need not be understood (§6.3.7); the window is the receiver's own affair (§6.3.6).
fn is_harmless(parameter: &str) -> bool {
    parameter.starts_with('-')
        || parameter == "KDR=0"
        || parameter.starts_with("WSH=")
        || parameter.starts_with("FEC_ORDER=")
}

/// `1:4`: the number 1 in four octets (RFC 4568 §6.1).
fn identifier(part: &str) -> Option<Vec<u8>> {
    let (value, length) = part.split_once(':')?;
    let (value, length): (u64, usize) = (value.parse().ok()?, length.parse().ok()?);
    let octets = value.to_be_bytes();
    let shown = octets.get(octets.len().checked_sub(length.min(octets.len()))?..)?;
    if length == 0
        || length > srtp::MOST_IDENTIFIER
        || shown.iter().fold(0, |sum, octet| sum << 8 | u64::from(*octet)) != value
    {
        return None;
    }
    let mut identifier = vec![0; length - shown.len()];
    identifier.extend_from_slice(shown);
    Some(identifier)
}

/// The value of our `a=crypto` line.
pub(super) fn write(tag: u32, key: &SdesKey) -> String {
    format!("{tag} {} inline:{}", key.suite.name(), encode(&key.key))
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn encode(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len().div_ceil(3) * 4);
    for chunk in octets.chunks(3) {
        let group =
            (0..3).fold(0u32, |group, index| group << 8 | chunk.get(index).copied().map_or(0, u32::from));
        for index in 0..4 {
            let sextet = (group >> (18 - 6 * index) & 63) as usize;
            let letter = ALPHABET.get(sextet).copied().filter(|_| index <= chunk.len());
            text.push(letter.map_or('=', char::from));
        }
    }
    text
}

/// Padding may be missing or too much: phones differ.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len() / 4 * 3);
    let (mut group, mut bits) = (0u32, 0);
    for letter in text.trim_end_matches('=').bytes() {
        let sextet = ALPHABET.iter().position(|known| *known == letter)?;
        group = group << 6 | u32::try_from(sextet).ok()?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            octets.push((group >> bits & 0xff) as u8);
        }
        group &= (1 << bits) - 1;
    }
    // A single letter beyond the last whole octet is no base64.
    (bits < 6).then_some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_and_read_back() {
        for suite in SdesSuite::ALL {
            let key = SdesKey {
                suite,
                key: (0..suite.master_length()).map(|octet| (octet * 5) as u8).collect(),
                identifier: Vec::new(),
            };
            let read = read(write(3, &key).as_bytes()).unwrap();
            assert_eq!(read, Crypto { tag: 3, key });
        }
    }

    #[test]
    fn a_lifetime_and_missing_padding_are_tolerated() {
        let key = SdesKey { suite: SdesSuite::AeadAes128Gcm, key: vec![9; 28], identifier: Vec::new() };
        let line = write(1, &key);
        for spelling in [
            line.trim_end_matches('=').to_owned(),
            format!("{line}|2^20"),
            format!("{line} KDR=0 WSH=64 -whatever"),
        ] {
            assert_eq!(read(spelling.as_bytes()).unwrap().key, key, "{spelling}");
        }
    }

    #[test]
    fn a_key_identifier_is_a_number_in_so_many_octets() {
        let key = SdesKey { suite: SdesSuite::AeadAes128Gcm, key: vec![9; 28], identifier: Vec::new() };
        let line = write(1, &key);
        for (spelling, octets) in [
            ("|1:4", vec![0, 0, 0, 1]),
            ("|2^20|258:2", vec![1, 2]),
            ("|7:10", vec![0, 0, 0, 0, 0, 0, 0, 0, 0, 7]),
        ] {
            let read = read(format!("{line}{spelling}").as_bytes()).unwrap();
            assert_eq!(read.key.identifier, octets, "{spelling}");
        }
    }

    #[test]
    fn a_line_that_switches_protection_off_or_is_broken_is_not_used() {
        let line = write(
            1,
            &SdesKey { suite: SdesSuite::AesCm128HmacSha1_80, key: vec![1; 30], identifier: Vec::new() },
        );
        for broken in [
            format!("{line} UNENCRYPTED_SRTP"),
            format!("{line} UNAUTHENTICATED_SRTP"),
            format!("{line} KDR=1"),
            format!("{line} SOMETHING=1"),
            format!("{line}|1:0"),
            format!("{line}|1:129"),
            format!("{line}|256:1"),
            format!("{line}|x:4"),
            line.replace("_80", "_81"),
            line.replace("inline:", "inline:A"),
            line.replace("inline:", "inline:AAAA"),
            line.replacen('1', "x", 1),
            "1".to_owned(),
            String::new(),
        ] {
            assert_eq!(read(broken.as_bytes()), None, "{broken}");
        }
    }
}
