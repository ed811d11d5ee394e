//! Who is named in a PASSporT, in the one form that both sides make of a URI (RFC 8224 §8.3 to §8.5).

use sip::uri::{Scheme, Uri};

use crate::registrar::address_of_record::host_text;
use crate::trunks::{Number, settings::Numbers};

/// A caller or a callee (RFC 8225 §5.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Party {
    /// `tn`: a telephone number, its digits, `*` and `#` only; with its country code, but without `+`.
    Number(String),
    /// `uri`: a URI without parameters, its host in lower case.
    Uri(String),
}

impl Party {
    /// Whom `uri` names: a number where it is one.
    pub(crate) fn of(uri: &Uri<'_>, numbers: &Numbers) -> Option<Self> {
        match Number::of(uri, numbers) {
            Some(number) => Some(Self::Number(bare(number.global.unwrap_or(number.dialled)))),
            None => named(uri),
        }
    }

    /// All that others may call whom `uri` names: by the number with or without its country, or by the URI.
    pub(crate) fn all_of(uri: &Uri<'_>, numbers: &Numbers) -> Vec<Self> {
        let number = Number::of(uri, numbers);
        let forms =
            number.map(|number| [number.global, Some(number.dialled)]).into_iter().flatten().flatten();
        let mut parties: Vec<Self> = forms.map(|form| Self::Number(bare(form))).chain(named(uri)).collect();
        parties.dedup();
        parties
    }
}

/// Whether `uri` names a number that is known everywhere.
pub(crate) fn is_global(uri: &Uri<'_>, numbers: &Numbers) -> bool {
    Number::of(uri, numbers).is_some_and(|number| number.global.is_some())
}

/// RFC 8224 §8.3: no `+` before it.
fn bare(number: String) -> String {
    number.strip_prefix('+').map(str::to_owned).unwrap_or(number)
}

/// RFC 8224 §8.5: scheme, user and host; no parameters, no port.
fn named(uri: &Uri<'_>) -> Option<Party> {
    let scheme = match uri.scheme() {
        Scheme::Sip => "sip",
        Scheme::Sips => "sips",
        _ => return None,
    };
    let user = str::from_utf8(uri.user().unwrap_or_default()).ok()?;
    let host = String::from_utf8(host_text(uri.host())).ok()?.to_ascii_lowercase();
    let user = user.split(';').next().unwrap_or_default();
    let at = if user.is_empty() { "" } else { "@" };
    Some(Party::Uri(format!("{scheme}:{user}{at}{host}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn german() -> Numbers {
        Numbers { country: "49".to_owned(), ..Numbers::default() }
    }

    fn party(uri: &str) -> Party {
        Party::of(&Uri::parse(uri.as_bytes()).unwrap(), &german()).unwrap()
    }

    #[test]
    fn a_number_is_its_digits_with_the_country_and_without_the_plus() {
        for uri in [
            "tel:+49-30-1234",
            "sip:+49301234@example.com;user=phone",
            "sip:030%201234@example.com",
            "sip:0049301234@other.example",
            "sip:+49301234;verstat=TN-Validation-Passed@example.com",
        ] {
            assert_eq!(party(uri), Party::Number("49301234".to_owned()), "{uri}");
        }
        assert_eq!(party("sip:*21%23@example.com"), Party::Number("*21#".to_owned()));
    }

    #[test]
    fn a_name_is_a_uri_without_what_belongs_to_one_request() {
        assert_eq!(
            party("sip:Alice;x=1@Example.COM:5060;transport=udp"),
            Party::Uri("sip:Alice@example.com".to_owned())
        );
    }

    #[test]
    fn whoever_writes_a_number_without_plus_or_country_means_the_same_one() {
        let all = |uri: &str| Party::all_of(&Uri::parse(uri.as_bytes()).unwrap(), &german());
        let tn = |tn: &str| Party::Number(tn.to_owned());
        assert!(all("sip:030-1234@a.example").starts_with(&[tn("49301234"), tn("0301234")]));
        assert!(all("sip:49301234@a.example").contains(&tn("49301234")));
        assert_eq!(all("tel:+49301234"), [tn("49301234")]);
    }
}
