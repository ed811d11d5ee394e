//! URIs as peers write them, and as they must not.

use super::*;

fn uri(text: &str) -> Uri<'_> {
    Uri::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn same(one: &str, two: &str) -> bool {
    let forth = uri(one).is_equivalent(&uri(two));
    assert_eq!(forth, uri(two).is_equivalent(&uri(one)), "comparison has no direction: {one} {two}");
    forth
}

#[test]
fn every_part_of_a_sip_uri_is_found() {
    let found = uri("sips:alice:secret@[2001:db8::10]:5070;transport=TCP;lr?subject=a%20b&priority=");
    assert_eq!(
        (found.scheme(), found.user(), found.password()),
        (Scheme::Sips, Some(&b"alice"[..]), Some(&b"secret"[..]))
    );
    assert!(matches!(found.host(), Host::V6(_)));
    assert_eq!(found.port(), Some(5070));
    assert_eq!(found.transport(), Some(Some(Transport::Tcp)));
    assert!(found.is_loose_router());
    let headers: Vec<_> = found.headers().map(|header| (header.name, header.value)).collect();
    assert_eq!(headers, [(&b"subject"[..], Some(&b"a%20b"[..])), (b"priority", Some(b""))]);
}

#[test]
fn the_port_inside_the_brackets_belongs_to_the_address() {
    assert_eq!(uri("sip:[2001:db8::10:5070]").port(), None);
    assert_eq!(uri("sip:[2001:db8::10]:5070").port(), Some(5070));
}

#[test]
fn what_real_peers_send_is_taken() {
    assert_eq!(uri("sip:*21#@example.com").user(), Some(&b"*21#"[..]));
    assert_eq!(
        uri("sip:user;par=u%40example.net@example.com").user(),
        Some(&b"user;par=u%40example.net"[..])
    );
    assert_eq!(uri("sip:a@3f2a1b0c9d8e").host(), Host::Name(b"3f2a1b0c9d8e"));
    assert_eq!(uri("sip:a@my_sbc.example:5060").host(), Host::Name(b"my_sbc.example"));
    assert_eq!(uri("sip:j\u{f6}rg@example.com").user(), Some("j\u{f6}rg".as_bytes()));
    assert_eq!(uri("sip:k3s9.invalid;transport=ws;ob").user(), None);
}

#[test]
fn telephone_numbers_are_the_user_part() {
    let found = uri("tel:+1-(201)-555.0123;ext=7");
    assert_eq!((found.scheme(), found.user()), (Scheme::Tel, Some(&b"+1-(201)-555.0123"[..])));
    assert_eq!(found.parameter("EXT"), Some(Some(&b"7"[..])));
    assert_eq!(Uri::parse(b"tel:call-me-now"), Err(UriError::Number));
    assert_eq!(Uri::parse(b"tel:+"), Err(UriError::Number));
}

#[test]
fn other_schemes_are_kept_as_they_are() {
    assert_eq!(uri("isbn:2983792873").scheme(), Scheme::Other);
    assert_eq!(uri("soap.beep://192.0.2.103:3002").scheme_bytes(), b"soap.beep");
}

#[test]
fn malformed_uris_say_which_part_is_wrong() {
    for (text, error) in [
        ("", UriError::Scheme),
        ("sip:", UriError::Scheme),
        ("alan@example.com", UriError::Scheme),
        ("1sip:a@b", UriError::Scheme),
        (" sip:a@b", UriError::Character),
        ("sip:a@b c", UriError::Character),
        ("<sip:a@b>", UriError::Character),
        ("sip:a\0@b", UriError::Character),
        ("sip:@b", UriError::User),
        ("sip:a%4@b", UriError::User),
        ("sip:a@", UriError::Host),
        ("sip:a@b@c", UriError::Host),
        ("sip:[::1", UriError::Host),
        ("sip:2001:db8::10", UriError::Port),
        ("sip:a@b:", UriError::Port),
        ("sip:a@b:65536", UriError::Port),
        ("sip:a@b;;x", UriError::Parameter),
        ("sip:a@b;=x", UriError::Parameter),
        ("sip:a@[::1]x", UriError::Parameter),
        ("sip:a@b?=x", UriError::Header),
    ] {
        assert_eq!(Uri::parse(text.as_bytes()).map(|_| ()), Err(error), "{text}");
    }
}

#[test]
fn equivalent_uris_of_rfc_3261_19_1_4() {
    assert!(same("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"));
    assert!(same("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"));
    assert!(same("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"));
    assert!(same(
        "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
        "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com"
    ));
    assert!(same(
        "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
        "sip:alice@atlanta.com?priority=urgent&subject=project%20x"
    ));
}

#[test]
fn different_uris_of_rfc_3261_19_1_4() {
    assert!(!same("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"));
    assert!(!same("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"));
    assert!(!same("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"));
    assert!(!same("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"));
    assert!(!same("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"));
    assert!(!same("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"));
    assert!(!same("sip:a@b", "sips:a@b"));
    assert!(!same("sip:a@b", "sip:a:x@b"));
    assert!(!same("sip:b", "sip:b;maddr=c"));
}

#[test]
fn an_escaped_reserved_character_is_not_the_character_itself() {
    assert!(!same("sip:a%3Bb@h", "sip:a;b@h"));
    assert!(!same("sip:a%00@h", "sip:a@h"));
    assert!(same("sip:a%2db@h", "sip:a-b@h"));
}

#[test]
fn telephone_numbers_are_compared_without_separators() {
    assert!(same("tel:+1-201-555-0123", "tel:+1(201)5550123"));
    assert!(!same("tel:+12015550123", "tel:12015550123;phone-context=+1"));
    assert!(!same("tel:7042;phone-context=a.example", "tel:7042;phone-context=b.example"));
}

#[test]
fn comparing_does_not_run_away() {
    let parameters = |last: &str| ["sip:a@b", &";a".repeat(20_000), last].concat();
    assert!(same(&parameters(""), &parameters("")));
    assert!(!same(&parameters(";b"), &parameters(";c")));
}
