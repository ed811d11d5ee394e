//! When two URIs are equivalent (RFC 3261 §19.1.4, RFC 3966 §5).

use super::escape::Octets;
use super::{Scheme, Uri, UriParameter};

/// Parameters that never match where only one of the two URIs has them.
const MUST_MATCH: [&[u8]; 5] = [b"transport", b"user", b"ttl", b"method", b"maddr"];

/// URIs with more parameters or headers than this are equivalent only if they are the same text: comparing is work
/// that grows with the square of their number, and no real peer comes near it.
const COMPARED_LIMIT: usize = 64;

impl Uri<'_> {
    /// Whether both URIs mean the same resource. Equivalence is not transitive (RFC 3261 §19.1.4).
    #[must_use]
    pub fn is_equivalent(&self, other: &Uri<'_>) -> bool {
        if self.as_bytes() == other.as_bytes() {
            return true;
        }
        if self.scheme() != other.scheme() || is_excessive(self) || is_excessive(other) {
            return false;
        }
        match self.scheme() {
            Scheme::Sip | Scheme::Sips => {
                same_option(self.user(), other.user())
                    && same_option(self.password(), other.password())
                    && self.host().is_equivalent(&other.host())
                    && self.port() == other.port()
                    && parameters_match(self, other)
                    && parameters_match(other, self)
                    && headers_match(self, other)
                    && headers_match(other, self)
            }
            Scheme::Tel => same_number(self, other) && telephone_parameters_match(self, other),
            Scheme::Other => {
                self.scheme_bytes().eq_ignore_ascii_case(other.scheme_bytes())
                    && self.as_bytes().get(self.scheme_bytes().len()..)
                        == other.as_bytes().get(other.scheme_bytes().len()..)
            }
        }
    }
}

fn is_excessive(uri: &Uri<'_>) -> bool {
    uri.parameters().nth(COMPARED_LIMIT).is_some() || uri.headers().nth(COMPARED_LIMIT).is_some()
}

/// An escape equals the character itself, except where the character is reserved (RFC 3261 §19.1.4, §25.1).
fn significant((octet, escaped): (u8, bool)) -> (u8, bool) {
    (octet, escaped && (b";/?:@&=+$,".contains(&octet) || octet < 0x20))
}

fn same_text(one: &[u8], two: &[u8]) -> bool {
    Octets { rest: one }.map(significant).eq(Octets { rest: two }.map(significant))
}

fn same_text_in_any_case(one: &[u8], two: &[u8]) -> bool {
    let lower = |(octet, escaped): (u8, bool)| (octet.to_ascii_lowercase(), escaped);
    Octets { rest: one }.map(significant).map(lower).eq(Octets { rest: two }.map(significant).map(lower))
}

fn same_option(one: Option<&[u8]>, two: Option<&[u8]>) -> bool {
    match (one, two) {
        (Some(one), Some(two)) => same_text(one, two),
        (one, two) => one == two,
    }
}

fn same_value(one: Option<&[u8]>, two: Option<&[u8]>) -> bool {
    match (one, two) {
        (Some(one), Some(two)) => same_text_in_any_case(one, two),
        (one, two) => one == two,
    }
}

fn find<'a>(mut among: impl Iterator<Item = UriParameter<'a>>, name: &[u8]) -> Option<UriParameter<'a>> {
    among.find(|candidate| same_text_in_any_case(candidate.name, name))
}

/// Every parameter of `one` that `other` has too must be the same there.
fn parameters_match(one: &Uri<'_>, other: &Uri<'_>) -> bool {
    one.parameters().all(|parameter| match find(other.parameters(), parameter.name) {
        Some(counterpart) => same_value(parameter.value, counterpart.value),
        None => !MUST_MATCH.iter().any(|name| name.eq_ignore_ascii_case(parameter.name)),
    })
}

/// Every header of `one` must be in `other`.
fn headers_match(one: &Uri<'_>, other: &Uri<'_>) -> bool {
    one.headers().all(|header| {
        other.headers().any(|candidate| {
            same_text_in_any_case(candidate.name, header.name)
                && same_text(candidate.value.unwrap_or_default(), header.value.unwrap_or_default())
        })
    })
}

/// RFC 3966 §4: visual separators do not count.
fn same_number(one: &Uri<'_>, two: &Uri<'_>) -> bool {
    fn digits<'a>(uri: &Uri<'a>) -> impl Iterator<Item = u8> + use<'a> {
        let number = uri.user().unwrap_or_default();
        number.iter().filter(|byte| !b"-.()".contains(byte)).map(u8::to_ascii_lowercase)
    }
    digits(one).eq(digits(two))
}

/// RFC 3966 §4: every parameter must be in both, in any order.
fn telephone_parameters_match(one: &Uri<'_>, two: &Uri<'_>) -> bool {
    let covers = |one: &Uri<'_>, two: &Uri<'_>| {
        one.parameters().all(|parameter| {
            find(two.parameters(), parameter.name)
                .is_some_and(|counterpart| same_value(parameter.value, counterpart.value))
        })
    };
    covers(one, two) && covers(two, one)
}
