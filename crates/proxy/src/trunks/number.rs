//! The number that is called (RFC 3966): as dialled, and in its global form (E.164).

use sip::uri::{Scheme, Uri};

use crate::registrar::address_of_record::unescape;

use super::settings::Numbers;

/// A called number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    /// Its digits as dialled, without visual separators, perhaps with `+` before them.
    pub(crate) dialled: String,
    /// With `+` and the country code, if it has such a form.
    pub(crate) global: Option<String>,
}

impl Number {
    /// The number that a URI names: a tel URI's, or the user part of a SIP URI, if it is one.
    pub(crate) fn of(uri: &Uri<'_>, numbers: &Numbers) -> Option<Self> {
        let user = unescape(uri.user()?);
        // RFC 3261 §19.1.6: the parameters of a tel URI stand in the user part.
        let text = user.split(|octet| *octet == b';').next().unwrap_or_default();
        let dialled = digits(text)?;
        let mut context = match uri.scheme() {
            Scheme::Tel => uri.parameter("phone-context").flatten().map(<[u8]>::to_vec),
            _ => user
                .split(|octet| *octet == b';')
                .find_map(|parameter| parameter.strip_prefix(b"phone-context="))
                .map(<[u8]>::to_vec),
        };
        // RFC 3966 §5.1.5: one that begins with + is a prefix of the numbering plan. Ours is as good as none; in
        // another one these digits are another number, of which nothing global is known.
        if context.as_deref().and_then(digits).is_some_and(|code| code == format!("+{}", numbers.country)) {
            context = None;
        }
        let global = match (&context, dialled.starts_with('+')) {
            (_, true) => Some(dialled.clone()),
            (None, false) => global(&dialled, numbers),
            (Some(_), false) => None,
        };
        Some(Self { dialled, global })
    }
}

/// The global form of what is dialled, if it has one.
pub(crate) fn global(dialled: &str, numbers: &Numbers) -> Option<String> {
    let after =
        |prefix: &str| dialled.strip_prefix(prefix).filter(|rest| !prefix.is_empty() && is_digits(rest));
    if dialled.starts_with('+') {
        return Some(dialled.to_owned());
    }
    // Without a country nobody has said that these prefixes hold here.
    if numbers.country.is_empty() {
        return None;
    }
    if let Some(rest) = after(&numbers.international) {
        return Some(format!("+{rest}"));
    }
    let whole = || Some(dialled).filter(|digits| digits.len() == numbers.length && is_digits(digits));
    after(&numbers.national).or_else(whole).map(|rest| format!("+{}{rest}", numbers.country))
}

/// The digits of a number without its visual separators (RFC 3966 §3: `-`, `.`, `(`, `)`); people write blanks, too.
/// `None` for what is no number.
fn digits(text: &[u8]) -> Option<String> {
    let mut digits = String::with_capacity(text.len());
    for (place, octet) in text.iter().enumerate() {
        match octet {
            b'+' if place == 0 => digits.push('+'),
            b'0'..=b'9' | b'*' | b'#' => digits.push(char::from(*octet)),
            b'-' | b'.' | b'(' | b')' | b' ' => {}
            _ => return None,
        }
    }
    digits.bytes().any(|octet| octet != b'+').then_some(digits)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn german() -> Numbers {
        Numbers { country: "49".to_owned(), ..Numbers::default() }
    }

    fn number(uri: &str, numbers: &Numbers) -> Option<(String, Option<String>)> {
        let number = Number::of(&Uri::parse(uri.as_bytes()).unwrap(), numbers)?;
        Some((number.dialled, number.global))
    }

    fn global_of(uri: &str) -> Option<String> {
        number(uri, &german()).and_then(|(_, global)| global)
    }

    #[test]
    fn one_number_has_one_global_form_however_it_is_dialled() {
        for uri in [
            "tel:+49-30-1234",
            "tel:+49(30)1234;ext=5",
            "sip:+49301234@example.com;user=phone",
            "sip:0301234@example.com",
            "sip:0049301234@example.com",
            "sip:030%201234@example.com",
            "sip:%2B49301234;npdi@example.com",
            "tel:030-1234;phone-context=+49",
        ] {
            assert_eq!(global_of(uri).as_deref(), Some("+49301234"), "{uri}");
        }
    }

    #[test]
    fn what_is_local_stays_as_dialled() {
        assert_eq!(number("sip:4711@example.com", &german()), Some(("4711".to_owned(), None)));
        assert_eq!(number("sip:*21%23@example.com", &german()), Some(("*21#".to_owned(), None)));
        // Other numbering plans have other prefixes.
        assert_eq!(global_of("tel:0301234;phone-context=+1"), None);
        assert_eq!(global_of("tel:0301234;phone-context=example.org"), None);
    }

    #[test]
    fn without_a_country_only_a_plus_makes_a_number_global() {
        let none = Numbers::default();
        assert_eq!(number("sip:0049301234@example.com", &none), Some(("0049301234".to_owned(), None)));
        assert_eq!(number("sip:+49@example.com", &none), Some(("+49".to_owned(), Some("+49".to_owned()))));
    }

    #[test]
    fn where_numbers_have_one_length_they_are_known_by_it() {
        let american = Numbers {
            country: "1".to_owned(),
            national: "1".to_owned(),
            international: "011".to_owned(),
            length: 10,
        };
        for dialled in ["2155551212", "12155551212", "01112155551212", "+12155551212"] {
            let global = number(&format!("sip:{dialled}@example.com"), &american).unwrap().1;
            assert_eq!(global.as_deref(), Some("+12155551212"), "{dialled}");
        }
        assert_eq!(number("sip:4711@example.com", &american), Some(("4711".to_owned(), None)));
    }

    #[test]
    fn names_are_no_numbers() {
        for uri in ["sip:alice@example.com", "sip:+@example.com", "sip:1a@example.com", "sip:1+2@example.com"]
        {
            assert_eq!(number(uri, &german()), None, "{uri}");
        }
    }
}
