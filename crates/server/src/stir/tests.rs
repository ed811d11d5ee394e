//! Signed here and verified here; and a vector that OpenSSL made, so that both sides are not wrong alike.

use proxy::stir::Attestation;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, IsCa, KeyPair, KeyUsagePurpose,
};

use super::*;

const NOW: u64 = 1_800_000_000;
const URL: &str = "https://cr.example.net/sti.pem";

/// Who vouches for certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self(CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap())
    }

    /// A key and its certificate, with this TNAuthList.
    fn signer(&self, numbers: Option<&[u8]>) -> (String, String) {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        if let Some(numbers) = numbers {
            let oid = [1, 3, 6, 1, 5, 5, 7, 1, 26];
            parameters.custom_extensions.push(CustomExtension::from_oid_content(&oid, numbers.to_vec()));
        }
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.0).unwrap();
        (key.serialize_pem(), certificate.pem())
    }
}

/// One that signs with this key, and trusts this authority's certificate.
fn stir(key: &str, certificate: &str, authority: &Authority) -> Stir {
    let mut stir = Stir { signer: Some(Signer::new(key, URL).unwrap()), ..Stir::default() };
    stir.certificates.add(URL, certificate.as_bytes()).unwrap();
    stir.certificates.trust(authority.0.pem().as_bytes()).unwrap();
    stir
}

fn ready() -> Stir {
    let authority = Authority::new();
    let (key, certificate) = authority.signer(None);
    stir(&key, &certificate, &authority)
}

fn number(number: &str) -> Party {
    Party::Number(number.to_owned())
}

fn claims() -> Claims {
    Claims {
        attest: Attestation::Full,
        orig: number("49305550"),
        dest: number("4989777"),
        origid: "123e4567-e89b-12d3-a456-426655440000".to_owned(),
    }
}

fn verify(stir: &Stir, now: u64, identity: &[u8], orig: &str, dest: &str) -> Result<(), StirError> {
    let identities = [identity.to_vec()];
    let (orig, dest) = ([number(orig)], [number(dest)]);
    stir.verify(now, Call { identities: &identities, date: None, orig: &orig, dest: &dest })
}

fn signed(stir: &Stir) -> Vec<u8> {
    stir.sign(NOW, &claims()).unwrap().identity
}

#[test]
fn what_is_signed_here_holds_here_for_a_minute() {
    let stir = ready();
    let identity = signed(&stir);
    for now in [NOW, NOW + 60, NOW - 60] {
        assert_eq!(verify(&stir, now, &identity, "49305550", "4989777"), Ok(()));
    }
    for now in [NOW + 61, NOW - 61] {
        let error = verify(&stir, now, &identity, "49305550", "4989777").unwrap_err();
        assert_eq!((&error, error.invalid()), (&StirError::Stale(NOW, now), Invalid::Stale));
    }
}

#[test]
fn it_holds_for_no_other_caller_and_no_other_callee() {
    let stir = ready();
    let identity = signed(&stir);
    let caller = verify(&stir, NOW, &identity, "49305551", "4989777").unwrap_err();
    assert_eq!((&caller, caller.invalid()), (&StirError::OtherCaller, Invalid::InvalidIdentity));
    let callee = verify(&stir, NOW, &identity, "49305550", "4989778").unwrap_err();
    assert_eq!((&callee, callee.invalid()), (&StirError::OtherCallee, Invalid::InvalidIdentity));
}

#[test]
fn what_another_key_signed_under_that_url_does_not_hold() {
    let authority = Authority::new();
    let (key, certificate) = authority.signer(None);
    let (other, _) = authority.signer(None);
    let (ours, theirs) = (stir(&key, &certificate, &authority), stir(&other, &certificate, &authority));
    assert_eq!(verify(&ours, NOW, &signed(&theirs), "49305550", "4989777"), Err(StirError::OtherKey));
}

#[test]
fn a_certificate_that_nobody_knows_or_nobody_vouches_for_is_worth_nothing() {
    let authority = Authority::new();
    let (key, certificate) = authority.signer(None);
    let signer = stir(&key, &certificate, &authority);
    let mut stranger = Stir::default();
    let error = verify(&stranger, NOW, &signed(&signer), "49305550", "4989777").unwrap_err();
    assert_eq!((&error, error.invalid()), (&StirError::NoCredential(URL.to_owned()), Invalid::NoCredential));
    stranger.certificates.add(URL, certificate.as_bytes()).unwrap();
    stranger.certificates.trust(Authority::new().0.pem().as_bytes()).unwrap();
    let error = verify(&stranger, NOW, &signed(&signer), "49305550", "4989777").unwrap_err();
    assert_eq!(error.invalid(), Invalid::UnsupportedCredential);
    let sentence = "is not vouched for by any of caller_ids.trust_anchors: ";
    assert!(error.to_string().contains(sentence), "{error}");
}

#[test]
fn a_certificate_for_some_numbers_is_for_no_others() {
    // [2] "49305550"; [1] from "49305550", 10; [0] "1234".
    let one = b"\x30\x0c\xa2\x0a\x16\x0849305550";
    let other = b"\x30\x0c\xa2\x0a\x16\x0849305551";
    let range = b"\x30\x11\xa1\x0f\x30\x0d\x16\x0849305545\x02\x01\x0a";
    let short = b"\x30\x11\xa1\x0f\x30\x0d\x16\x0849305545\x02\x01\x05";
    let provider = b"\x30\x08\xa0\x06\x16\x041234";
    let authority = Authority::new();
    for (list, holds) in [
        (&one[..], true),
        (&other[..], false),
        (&range[..], true),
        (&short[..], false),
        (&provider[..], true),
    ] {
        let (key, certificate) = authority.signer(Some(list));
        let stir = stir(&key, &certificate, &authority);
        let result = verify(&stir, NOW, &signed(&stir), "49305550", "4989777");
        let expected = if holds { Ok(()) } else { Err(StirError::OtherNumbers(URL.to_owned())) };
        assert_eq!(result, expected, "{list:?}");
    }
    let (_, certificate) = authority.signer(Some(b"\x30\x05\xa0"));
    let error = Stir::default().certificates.add(URL, certificate.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "its certificate cannot be read: its TNAuthList is none (RFC 8226 §9)");
}

#[test]
fn a_certificate_for_something_else_or_out_of_date_is_not_trusted() {
    let authority = Authority::new();
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::EmailProtection];
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.signed_by(&key, &authority.0).unwrap();
    let mail = stir(&key.serialize_pem(), &certificate.pem(), &authority);
    let error = verify(&mail, NOW, &signed(&mail), "49305550", "4989777").unwrap_err();
    assert_eq!(error.invalid(), Invalid::UnsupportedCredential, "{error}");
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.not_after = rcgen::date_time_ymd(2026, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.signed_by(&key, &authority.0).unwrap();
    let old = stir(&key.serialize_pem(), &certificate.pem(), &authority);
    let error = verify(&old, NOW, &signed(&old), "49305550", "4989777").unwrap_err();
    assert_eq!(error.invalid(), Invalid::UnsupportedCredential, "{error}");
}

#[test]
fn whatever_is_changed_in_it_nothing_holds_and_nothing_breaks() {
    let stir = ready();
    let identity = signed(&stir);
    let end = identity.iter().position(|octet| *octet == b';').unwrap();
    for place in 0..end {
        for changed in [b'A', b'.', b'=', 0xff] {
            let mut other = identity.clone();
            if other[place] == changed {
                continue;
            }
            other[place] = changed;
            assert!(verify(&stir, NOW, &other, "49305550", "4989777").is_err(), "{place} {changed}");
        }
    }
    for length in 0..end {
        assert!(verify(&stir, NOW, &identity[..length], "49305550", "4989777").is_err(), "{length}");
    }
}

#[test]
fn the_parameters_have_to_say_what_the_token_says() {
    let stir = ready();
    let identity = String::from_utf8(signed(&stir)).unwrap();
    let (token, _) = identity.split_once(';').unwrap();
    let result = |rest: &str| {
        let identity = format!("{token};{rest}");
        verify(&stir, NOW, identity.as_bytes(), "49305550", "4989777").map_err(|error| error.to_string())
    };
    assert_eq!(result(&format!("ppt=shaken ; alg=ES256; info = <{URL}>")), Ok(()));
    for rest in [
        "info=<https://other.example/x;ppt=shaken>;ppt=shaken".to_owned(),
        format!("info=<{URL}>;alg=ES256"),
        format!("info=<{URL}>;alg=RS256;ppt=shaken"),
        format!("info=<{URL}>;alg=ES256;ppt=div"),
        format!("info=<{URL};ppt=shaken"),
    ] {
        assert!(result(&rest).is_err(), "{rest}");
    }
}

/// A certificate and a token that OpenSSL signed, with claims written by hand.
fn vector() -> Stir {
    let mut stir = Stir::default();
    let certificate = include_bytes!("vector/certificate.pem");
    stir.certificates.add("https://cert.example.org/passport.cer", certificate).unwrap();
    stir.certificates.trust(include_bytes!("vector/anchor.pem")).unwrap();
    stir
}

#[test]
fn a_token_that_openssl_signed_holds() {
    let identity = include_str!("vector/identity").trim().as_bytes();
    assert_eq!(verify(&vector(), NOW, identity, "12155551212", "12155551213"), Ok(()));
    assert_eq!(verify(&vector(), NOW, identity, "12155551212", "12155551214"), Err(StirError::OtherCallee));
}

#[test]
fn a_compact_form_that_openssl_signed_holds_with_the_date_and_the_numbers_of_the_call() {
    let identities = [include_str!("vector/compact").trim().as_bytes().to_vec()];
    let verify = |date: Option<&str>, orig: &str| {
        let (orig, dest) = ([number(orig)], [number("12155551213")]);
        let date = date.map(str::as_bytes);
        vector().verify(NOW, Call { identities: &identities, date, orig: &orig, dest: &dest })
    };
    let date = Some("Fri, 15 Jan 2027 08:00:00 GMT");
    assert_eq!(verify(date, "12155551212"), Ok(()));
    assert_eq!(verify(date, "12155551215"), Err(StirError::OtherKey));
    assert_eq!(verify(Some("Fri, 15 Jan 2027 08:00:01 GMT"), "12155551212"), Err(StirError::OtherKey));
    assert!(matches!(verify(None, "12155551212"), Err(StirError::Unreadable(_))));
}

#[test]
fn what_is_signed_is_written_as_the_rfc_orders_it() {
    use base64::Engine;
    let identity = String::from_utf8(signed(&ready())).unwrap();
    let decoded = |part: usize| {
        let text = identity.split(['.', ';']).nth(part).unwrap();
        String::from_utf8(base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
    };
    assert_eq!(decoded(0), format!(r#"{{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"{URL}"}}"#));
    let claims = r#"{"attest":"A","dest":{"tn":["4989777"]},"iat":1800000000,"orig":{"tn":"49305550"},"origid":"123e4567-e89b-12d3-a456-426655440000"}"#;
    assert_eq!(decoded(1), claims);
    assert!(identity.ends_with(&format!(";info=<{URL}>;alg=ES256;ppt=\"shaken\"")));
}

#[test]
fn nothing_is_signed_while_the_certificate_is_not_valid() {
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.not_before = rcgen::date_time_ymd(2026, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2027, 1, 1);
    let certificate = parameters.self_signed(&key).unwrap().pem();
    let signer = || Signer::new(&key.serialize_pem(), URL).unwrap();
    let stir =
        Stir { signer: Some(signer().with_certificate(certificate.as_bytes()).unwrap()), ..Stir::default() };
    // 2027-01-01 is second 1,798,761,600.
    assert!(stir.sign(1_798_761_600, &claims()).is_some());
    assert!(stir.sign(1_798_761_601, &claims()).is_none());
    assert!(stir.sign(1_767_225_599, &claims()).is_none(), "not yet");
    let other = include_bytes!("vector/certificate.pem");
    assert_eq!(
        signer().with_certificate(other).unwrap_err(),
        "it is the certificate of another key than signing_key"
    );
}
