//! Hosts and ports (RFC 3261 §25.1 `hostport`, RFC 5118).

use core::net::{Ipv4Addr, Ipv6Addr};

use crate::part::Part;
use crate::text;

/// A [`Host`] without its text: where the name stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum HostPart {
    Name(Part),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

impl HostPart {
    /// Reads the host that stands at `place` in `text`.
    pub(crate) fn parse(text: &[u8], place: Part) -> Option<Self> {
        Some(match Host::parse(place.of(text))? {
            Host::Name(_) => Self::Name(place),
            Host::V4(address) => Self::V4(address),
            Host::V6(address) => Self::V6(address),
        })
    }

    pub(crate) fn of(self, text: &[u8]) -> Host<'_> {
        match self {
            Self::Name(place) => Host::Name(place.of(text)),
            Self::V4(address) => Host::V4(address),
            Self::V6(address) => Host::V6(address),
        }
    }
}

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
    // The octets so far, the one that is being read, and how many digits it has.
    let (mut octets, mut octet, mut digits, mut dots) = (0u32, 0u32, 0u32, 0u32);
    for &byte in text {
        if byte == b'.' {
            if digits == 0 || dots == 3 {
                return None;
            }
            octets = octets << 8 | octet;
            (octet, digits, dots) = (0, 0, dots + 1);
            continue;
        }
        let digit = u32::from(byte.wrapping_sub(b'0'));
        // After a zero that leads nothing may follow.
        if digit > 9 || (digits > 0 && octet == 0) {
            return None;
        }
        octet = octet * 10 + digit;
        digits += 1;
        if octet > 255 {
            return None;
        }
    }
    (dots == 3 && digits > 0).then(|| Ipv4Addr::from_bits(octets << 8 | octet))
}

/// Labels of host octets with single dots between them; one dot may end the name.
fn is_name(text: &[u8]) -> bool {
    let mut before = b'.';
    for &byte in text {
        // The dot is among the octets of a host.
        if !text::is_host_byte(byte) || (byte == b'.' && before == b'.') {
            return false;
        }
        before = byte;
    }
    !text.is_empty()
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
