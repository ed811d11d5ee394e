//! Hosts and ports (RFC 3261 §25.1 `hostport`, RFC 5118).

use core::net::{Ipv4Addr, Ipv6Addr};

use crate::text;

/// A host as it stands in a URI or a Via.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Host<'a> {
    /// A name, as received; compared without regard to case.
    Name(&'a [u8]),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address; in text it stands in brackets.
    V6(Ipv6Addr),
}

impl<'a> Host<'a> {
    /// Reads a host: an IPv4 address, an IPv6 address in brackets, or a name of letters, digits, `-`, `_` and
    /// dots. Labels may start with any of them, as names of containers do.
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        if let Some((b'[', rest)) = text.split_first() {
            let (last, inside) = rest.split_last()?;
            return if *last == b']' { bare_v6(inside).map(Self::V6) } else { None };
        }
        if text.last()?.is_ascii_digit()
            && let Some(address) = v4(text)
        {
            return Some(Self::V4(address));
        }
        is_name(text).then_some(Self::Name(text))
    }

    /// The name, unless the host is an address.
    #[must_use]
    pub const fn name(&self) -> Option<&'a [u8]> {
        match self {
            Self::Name(name) => Some(name),
            Self::V4(_) | Self::V6(_) => None,
        }
    }

    /// The address, unless the host is a name.
    #[must_use]
    pub const fn address(&self) -> Option<core::net::IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::V4(address) => Some(core::net::IpAddr::V4(*address)),
            Self::V6(address) => Some(core::net::IpAddr::V6(*address)),
        }
    }

    /// Whether both are the same host: names without regard to case and to one dot at the end, addresses by value.
    #[must_use]
    pub fn is_equivalent(&self, other: &Host<'_>) -> bool {
        match (self, other) {
            (Self::Name(one), Host::Name(two)) => {
                let one = one.strip_suffix(b".").unwrap_or(one);
                one.eq_ignore_ascii_case(two.strip_suffix(b".").unwrap_or(two))
            }
            (Self::V4(one), Host::V4(two)) => one == two,
            (Self::V6(one), Host::V6(two)) => one == two,
            _ => false,
        }
    }
}

/// An IPv4 address: four numbers up to 255 without leading zeros (RFC 6943 §3.1.1 says what comes of others).
fn v4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0u8; 4];
    let mut parts = text.split(|&byte| byte == b'.');
    for octet in &mut octets {
        *octet = match parts.next()? {
            [] | [b'0', _, ..] | [_, _, _, _, ..] => return None,
            digits => text::parse_decimal(digits).and_then(|number| u8::try_from(number).ok())?,
        };
    }
    parts.next().is_none().then(|| Ipv4Addr::from(octets))
}

/// Labels of host octets with single dots between them; one dot may end the name.
fn is_name(text: &[u8]) -> bool {
    let text = text.strip_suffix(b".").unwrap_or(text);
    text.split(|&byte| byte == b'.')
        .all(|label| !label.is_empty() && label.iter().all(|&byte| text::is_host_byte(byte)))
}

/// An IPv6 address without brackets. Three colons, which the grammar of RFC 3261 allowed by mistake, count as
/// two (RFC 5118 §4.10).
pub(crate) fn bare_v6(text: &[u8]) -> Option<Ipv6Addr> {
    let text = core::str::from_utf8(text).ok()?;
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let at = text.find(":::")?;
    let mut mended = String::with_capacity(text.len());
    mended.push_str(text.get(..at)?);
    mended.push_str(text.get(at + 1..)?);
    mended.parse().ok()
}

/// A port: a number up to 65535.
pub(crate) fn parse_port(text: &[u8]) -> Option<u16> {
    text::parse_decimal(text).and_then(|port| u16::try_from(port).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_address_is_read_as_the_standard_library_reads_it() {
        for text in [
            "192.0.2.1",
            "0.0.0.0",
            "255.255.255.255",
            "256.0.0.1",
            "1.2.3",
            "1.2.3.4.5",
            "01.2.3.4",
            "1..2.3",
            "1.2.3.",
            ".1.2.3",
            "1.2.3.0004",
            "1.2.3.a",
            "+1.2.3.4",
            "1234.1.1.1",
            "",
        ] {
            assert_eq!(v4(text.as_bytes()), text.parse().ok(), "{text}");
        }
    }

    #[test]
    fn addresses_and_names_are_told_apart() {
        assert_eq!(Host::parse(b"192.0.2.1"), Some(Host::V4(Ipv4Addr::new(192, 0, 2, 1))));
        assert!(matches!(Host::parse(b"[2001:db8::10]"), Some(Host::V6(_))));
        for name in ["example.com", "example.com.", "1and1.example", "my_host", "0a1b2c3d4e5f", "host.3com"] {
            assert_eq!(Host::parse(name.as_bytes()), Some(Host::Name(name.as_bytes())));
        }
        for wrong in ["", ".", "a..b", "a b", "[::1", "::1", "[1.2.3.4]", "a@b", "a:b", "[fe80::1%eth0]"] {
            assert_eq!(Host::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn three_colons_count_as_two() {
        assert_eq!(bare_v6(b"2001:db8:::192.0.2.1"), "2001:db8::192.0.2.1".parse().ok());
        assert_eq!(bare_v6(b"2001:::1:::2"), None);
    }
}
