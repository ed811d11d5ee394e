//! Digest authentication as the RFCs' examples and its two sides have it.

use core::time::Duration;

use sip::digest::{
    Algorithm, Attempts, Challenge, ChallengeText, Client, Credentials, DigestError, Ha1, NonceState, Nonces,
    Qop, ReplayWindow, Side, Use, Verdict, verify,
};
use sip::{Entropy, Instant, SeededEntropy};

/// RFC 2617 §3.5.
const RFC_2617: &[u8] = b"Digest username=\"Mufasa\", realm=\"testrealm@host.com\", \
    nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", qop=auth, nc=00000001, \
    cnonce=\"0a4f113b\", response=\"6629fae49393a05397450978507c4ef1\", \
    opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";

/// The values of RFC 7616 §3.9.1, with the answer for the named algorithm.
fn rfc_7616(algorithm: &str, response: &str) -> Vec<u8> {
    format!(
        "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", \
         algorithm={algorithm}, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, \
         cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, response=\"{response}\", \
         opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
    )
    .into_bytes()
}

fn ha1(algorithm: Algorithm) -> Ha1 {
    Ha1::new(algorithm, b"Mufasa", b"http-auth@example.org", b"Circle of Life")
}

#[test]
fn the_example_of_rfc_2617_verifies() {
    let credentials = Credentials::parse(RFC_2617).unwrap();
    let secret = Ha1::new(Algorithm::Md5, b"Mufasa", b"testrealm@host.com", b"Circle Of Life");
    assert_eq!(secret.hex().as_bytes(), b"939e7578ed9e3c518a452acee763bce9");
    assert!(verify(&credentials, b"GET", b"", &secret));
    assert!(!verify(&credentials, b"PUT", b"", &secret));
    let wrong = Ha1::new(Algorithm::Md5, b"Mufasa", b"testrealm@host.com", b"circle of life");
    assert!(!verify(&credentials, b"GET", b"", &wrong));
}

#[test]
fn the_examples_of_rfc_7616_verify() {
    for (algorithm, response) in [
        (Algorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
        (Algorithm::Sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ] {
        let text = rfc_7616(algorithm.token(), response);
        let credentials = Credentials::parse(&text).unwrap();
        assert!(verify(&credentials, b"GET", b"", &ha1(algorithm)), "{algorithm:?}");
    }
}

#[test]
fn the_hashes_are_the_published_ones() {
    let hex =
        |algorithm: Algorithm| String::from_utf8(algorithm.hash(&[b"a", b"bc"]).hex().as_bytes().to_vec());
    assert_eq!(hex(Algorithm::Md5).unwrap(), "900150983cd24fb0d6963f7d28e17f72");
    assert_eq!(
        hex(Algorithm::Sha256).unwrap(),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert_eq!(
        hex(Algorithm::Sha512_256).unwrap(),
        "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"
    );
}

#[test]
fn an_answer_of_one_algorithm_does_not_pass_for_another() {
    let text = rfc_7616("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
    let credentials = Credentials::parse(&text).unwrap();
    assert!(!verify(&credentials, b"GET", b"", &ha1(Algorithm::Sha512_256)));
    // The two of equal length: what was computed with one is not taken under the name of the other.
    let mut entropy = SeededEntropy::new(1);
    let mut client = Client::with_password(b"alice", b"wonderland");
    let text = challenge(b"n", Algorithm::Sha512_256, false);
    client.challenged([(Side::User, &text[..])], &mut Attempts::default(), &mut entropy);
    let header = String::from_utf8(answer(&mut client, b"GET", b"")).unwrap();
    let renamed = header.replace("SHA-512-256", "SHA-256");
    let secret = Ha1::new(Algorithm::Sha512_256, b"alice", REALM.as_bytes(), b"wonderland");
    assert!(verify(&Credentials::parse(header.as_bytes()).unwrap(), b"GET", b"", &secret));
    assert!(!verify(&Credentials::parse(renamed.as_bytes()).unwrap(), b"GET", b"", &secret));
    let text = rfc_7616("MD4", "8ca523f5e9506fed4657c9700eebdbec");
    assert!(!verify(&Credentials::parse(&text).unwrap(), b"GET", b"", &ha1(Algorithm::Md5)));
}

#[test]
fn parameters_are_read_in_any_order_case_and_quoting() {
    let challenge =
        Challenge::parse(b"  dIgEsT\r\n QOP=\"auth-int , AUTH\",, Nonce=abc , STALE=TRUE, Realm = \"a \\\"b\\\" c\",algorithm=\"sha-256-sess\",x=y,")
            .unwrap();
    assert_eq!(challenge.realm, b"a \\\"b\\\" c");
    assert_eq!(challenge.nonce, b"abc");
    assert!(challenge.stale);
    assert_eq!(challenge.algorithm, Some((Algorithm::Sha256, true)));
    assert!(challenge.offers("auth") && challenge.offers("auth-int") && !challenge.offers("aut"));
    assert_eq!(challenge.opaque, None);

    let credentials = Credentials::parse(
        b"Digest response=\"00\",NC=2a,CNonce=\"x,=y\",Qop=\"AUTH\",uri=\"sip:a@b\",nonce=n,realm=r,username=\"o\\\"k\"",
    )
    .unwrap();
    assert_eq!(credentials.nonce_count, Some(42));
    assert_eq!(credentials.qop, Some(Qop::Auth));
    assert_eq!(credentials.cnonce, Some(&b"x,=y"[..]));
    assert_eq!(&*credentials.user(), b"o\"k");
    assert_eq!(credentials.algorithm, Some((Algorithm::Md5, false)));
}

#[test]
fn broken_values_are_refused_with_their_reason() {
    let challenge = |text: &'static [u8]| Challenge::parse(text).unwrap_err();
    assert_eq!(challenge(b""), DigestError::OtherScheme);
    assert_eq!(challenge(b"Digest"), DigestError::OtherScheme);
    assert_eq!(challenge(b"Basic realm=\"a\""), DigestError::OtherScheme);
    assert_eq!(challenge(b"Digest realm=\"a\""), DigestError::Missing("nonce"));
    assert_eq!(challenge(b"Digest realm=\"a, nonce=b"), DigestError::Syntax);
    assert_eq!(challenge(b"Digest realm=\"a\\\""), DigestError::Syntax);
    assert_eq!(challenge(b"Digest realm=\"a\"x, nonce=b"), DigestError::Syntax);
    assert_eq!(challenge(b"Digest realm"), DigestError::Syntax);
    assert_eq!(challenge(b"Digest =a"), DigestError::Syntax);
    assert_eq!(challenge(b"Digest realm=a, nonce=b, REALM=c"), DigestError::Repeated("realm"));
    let credentials = |text: &'static [u8]| Credentials::parse(text).unwrap_err();
    assert_eq!(
        credentials(b"Digest username=a,realm=r,nonce=n,uri=u,response=0,qop=auth,nc=1"),
        DigestError::Missing("cnonce")
    );
    assert_eq!(
        credentials(b"Digest username=a,realm=r,nonce=n,uri=u,response=0,qop=auth,cnonce=1,nc=000000001"),
        DigestError::Invalid("nc")
    );
    assert_eq!(
        credentials(b"Digest username=a,realm=r,nonce=n,uri=u,response=0,qop=all,cnonce=1,nc=1"),
        DigestError::Invalid("qop")
    );
    assert_eq!(credentials(b"Digest realm=r,nonce=n,uri=u,response=0"), DigestError::Missing("username"));
}

#[test]
fn no_bytes_make_the_readers_panic() {
    let mut entropy = SeededEntropy::new(3);
    for _ in 0..20_000 {
        let mut text = RFC_2617.to_vec();
        for _ in 0..1 + entropy.number() % 4 {
            let place = (entropy.number() % text.len() as u64) as usize;
            match entropy.number() % 3 {
                0 => text[place] = entropy.number() as u8,
                1 => text.truncate(place.max(1)),
                _ => text.insert(place, b"\",=\\ \r\n"[(entropy.number() % 7) as usize]),
            }
        }
        if let Ok(credentials) = Credentials::parse(&text) {
            let _ = verify(&credentials, b"GET", b"", &ha1(Algorithm::Md5));
            let _ = credentials.user();
        }
        let _ = Challenge::parse(&text);
    }
}

#[test]
fn a_secret_is_written_and_read_in_hexadecimal_and_never_shown() {
    for algorithm in Algorithm::PREFERRED {
        let secret = ha1(algorithm);
        let hex = secret.hex();
        assert_eq!(Ha1::from_hex(algorithm, hex.as_bytes()), Some(secret));
        assert_eq!(Ha1::from_hex(algorithm, &hex.as_bytes().to_ascii_uppercase()), Some(secret));
        assert_eq!(Ha1::from_bytes(algorithm, secret.as_bytes()), Some(secret));
        assert_eq!(Ha1::from_hex(algorithm, b"00"), None);
        assert_eq!(Ha1::from_hex(algorithm, &vec![b'g'; algorithm.length() * 2]), None);
        assert!(!format!("{secret:?}").contains(core::str::from_utf8(hex.as_bytes()).unwrap()));
    }
}

// Both sides together.

const REALM: &str = "example.com";

fn challenge(nonce: &[u8], algorithm: Algorithm, stale: bool) -> Vec<u8> {
    ChallengeText { realm: REALM, nonce, algorithm, stale }.write().unwrap()
}

fn answer(client: &mut Client, method: &[u8], body: &[u8]) -> Vec<u8> {
    let mut headers = client.authorize(method, b"sip:example.com", body).unwrap();
    assert_eq!(headers.len(), 1);
    headers.remove(0).1
}

#[test]
fn what_the_client_answers_the_server_accepts() {
    let mut entropy = SeededEntropy::new(1);
    for algorithm in Algorithm::PREFERRED {
        let mut client = Client::with_password(b"alice", b"wonderland");
        let text = challenge(b"n1", algorithm, false);
        let verdict = client.challenged([(Side::User, &text[..])], &mut Attempts::default(), &mut entropy);
        assert_eq!(verdict, Verdict::Retry);
        let header = answer(&mut client, b"REGISTER", b"");
        let credentials = Credentials::parse(&header).unwrap();
        let secret = Ha1::new(algorithm, b"alice", REALM.as_bytes(), b"wonderland");
        assert!(verify(&credentials, b"REGISTER", b"", &secret));
        assert_eq!((credentials.nonce_count, credentials.qop), (Some(1), Some(Qop::Auth)));
        assert!(!verify(&credentials, b"INVITE", b"", &secret));
    }
}

#[test]
fn every_form_of_challenge_is_answered_in_its_own_form() {
    let mut entropy = SeededEntropy::new(1);
    for (form, qop) in [
        (&b"Digest realm=\"example.com\", nonce=\"n\""[..], None),
        (b"Digest realm=\"example.com\", nonce=\"n\", qop=\"auth-int\"", Some(Qop::AuthInt)),
        (b"Digest realm=\"example.com\", nonce=\"n\", qop=\"auth-int,auth\"", Some(Qop::Auth)),
        (b"Digest realm=\"example.com\", nonce=\"n\", qop=\"auth\", algorithm=MD5-sess", Some(Qop::Auth)),
        (
            b"Digest realm=\"example.com\", nonce=\"n\", qop=\"auth-int\", algorithm=MD5-sess, opaque=\"o\"",
            Some(Qop::AuthInt),
        ),
    ] {
        let mut client = Client::with_password(b"alice", b"wonderland");
        assert_eq!(
            client.challenged([(Side::Proxy, form)], &mut Attempts::default(), &mut entropy),
            Verdict::Retry
        );
        let header = answer(&mut client, b"MESSAGE", b"hello");
        let credentials = Credentials::parse(&header).unwrap();
        let secret = Ha1::new(Algorithm::Md5, b"alice", REALM.as_bytes(), b"wonderland");
        assert_eq!(credentials.qop, qop);
        assert_eq!(credentials.opaque, Challenge::parse(form).unwrap().opaque);
        assert!(verify(&credentials, b"MESSAGE", b"hello", &secret));
        assert_eq!(verify(&credentials, b"MESSAGE", b"altered", &secret), qop != Some(Qop::AuthInt));
    }
}

#[test]
fn the_strongest_challenge_of_a_realm_is_answered() {
    let mut entropy = SeededEntropy::new(1);
    let md5 = challenge(b"m", Algorithm::Md5, false);
    let sha = challenge(b"s", Algorithm::Sha256, false);
    let unknown = b"Digest realm=\"example.com\", nonce=\"u\", algorithm=SHA3-512, qop=\"auth\"";
    let all = [
        (Side::User, &md5[..]),
        (Side::User, &unknown[..]),
        (Side::User, &sha[..]),
        (Side::User, b"Bearer x"),
    ];
    let mut client = Client::with_password(b"alice", b"wonderland");
    assert_eq!(client.challenged(all, &mut Attempts::default(), &mut entropy), Verdict::Retry);
    let header = answer(&mut client, b"REGISTER", b"");
    assert_eq!(Credentials::parse(&header).unwrap().nonce, b"s");

    // Who holds only an MD5 hash answers the MD5 challenge.
    let secret = Ha1::new(Algorithm::Md5, b"alice", REALM.as_bytes(), b"wonderland");
    let mut client = Client::with_ha1(b"alice", vec![secret]);
    assert_eq!(client.challenged(all, &mut Attempts::default(), &mut entropy), Verdict::Retry);
    let header = answer(&mut client, b"REGISTER", b"");
    let credentials = Credentials::parse(&header).unwrap();
    assert_eq!(credentials.nonce, b"m");
    assert!(verify(&credentials, b"REGISTER", b"", &secret));

    let mut client = Client::with_password(b"alice", b"wonderland");
    let verdict = client.challenged([(Side::User, &unknown[..])], &mut Attempts::default(), &mut entropy);
    assert_eq!(verdict, Verdict::Unsupported);
}

#[test]
fn the_count_goes_up_with_each_use_and_starts_again_with_a_new_nonce() {
    let mut entropy = SeededEntropy::new(1);
    let mut client = Client::with_password(b"alice", b"wonderland");
    let first = challenge(b"n1", Algorithm::Md5, false);
    client.challenged([(Side::User, &first[..])], &mut Attempts::default(), &mut entropy);
    let counts = |client: &mut Client| {
        Credentials::parse(&answer(client, b"REGISTER", b"")).unwrap().nonce_count.unwrap()
    };
    assert_eq!((counts(&mut client), counts(&mut client)), (1, 2));
    // Another request is challenged with the same nonce: the count goes on.
    client.challenged([(Side::User, &first[..])], &mut Attempts::default(), &mut entropy);
    assert_eq!(counts(&mut client), 3);
    let second = challenge(b"n2", Algorithm::Md5, true);
    client.challenged([(Side::User, &second[..])], &mut Attempts::default(), &mut entropy);
    assert_eq!(counts(&mut client), 1);
}

#[test]
fn a_wrong_password_is_tried_once_and_a_stale_nonce_again() {
    let mut entropy = SeededEntropy::new(1);
    let mut client = Client::with_password(b"alice", b"wrong");
    let mut attempts = Attempts::default();
    let fresh = challenge(b"n1", Algorithm::Md5, false);
    let stale = challenge(b"n2", Algorithm::Md5, true);
    assert_eq!(client.challenged([(Side::User, &fresh[..])], &mut attempts, &mut entropy), Verdict::Retry);
    assert_eq!(client.challenged([(Side::User, &stale[..])], &mut attempts, &mut entropy), Verdict::Retry);
    assert_eq!(client.challenged([(Side::User, &fresh[..])], &mut attempts, &mut entropy), Verdict::Refused);
    assert!(client.authorize(b"REGISTER", b"sip:example.com", b"").unwrap().is_empty());
    // A server that calls every nonce stale does not keep us for ever.
    let mut attempts = Attempts::default();
    let verdicts: Vec<Verdict> =
        (0..4).map(|_| client.challenged([(Side::User, &stale[..])], &mut attempts, &mut entropy)).collect();
    assert_eq!(verdicts, [Verdict::Retry, Verdict::Retry, Verdict::Retry, Verdict::Refused]);
}

#[test]
fn a_proxy_and_then_a_registrar_are_both_answered() {
    let mut entropy = SeededEntropy::new(1);
    let mut client = Client::with_password(b"alice", b"wonderland");
    let mut attempts = Attempts::default();
    let proxy = b"Digest realm=\"proxy\", nonce=\"p\", qop=\"auth\"";
    let registrar = challenge(b"r", Algorithm::Sha256, false);
    assert_eq!(client.challenged([(Side::Proxy, &proxy[..])], &mut attempts, &mut entropy), Verdict::Retry);
    assert_eq!(
        client.challenged([(Side::User, &registrar[..])], &mut attempts, &mut entropy),
        Verdict::Retry
    );
    let headers = client.authorize(b"REGISTER", b"sip:example.com", b"").unwrap();
    let sides: Vec<Side> = headers.iter().map(|(side, _)| *side).collect();
    assert_eq!(sides, [Side::Proxy, Side::User]);
}

#[test]
fn no_text_can_end_the_header_line() {
    let mut entropy = SeededEntropy::new(1);
    let mut client = Client::with_password(b"alice\r\nX: y", b"wonderland");
    let text = challenge(b"n", Algorithm::Md5, false);
    client.challenged([(Side::User, &text[..])], &mut Attempts::default(), &mut entropy);
    assert_eq!(client.authorize(b"REGISTER", b"sip:a", b""), Err(DigestError::ControlCharacter));
    let broken = ChallengeText { realm: "a\nb", nonce: b"n", algorithm: Algorithm::Md5, stale: false };
    assert_eq!(broken.write(), Err(DigestError::ControlCharacter));
    let mut client = Client::with_password(b"a\"b\\", b"wonderland");
    client.challenged([(Side::User, &text[..])], &mut Attempts::default(), &mut entropy);
    let header = answer(&mut client, b"REGISTER", b"");
    let credentials = Credentials::parse(&header).unwrap();
    assert_eq!(&*credentials.user(), b"a\"b\\");
    let secret = Ha1::new(Algorithm::Md5, &credentials.user(), REALM.as_bytes(), b"wonderland");
    assert!(verify(&credentials, b"REGISTER", b"", &secret));
}

#[test]
fn a_nonce_knows_its_maker_its_age_and_its_binding() {
    let mut entropy = SeededEntropy::new(5);
    let nonces = Nonces::new([7; 32], Duration::from_secs(60));
    let others = Nonces::new([8; 32], Duration::from_secs(60));
    let now = Instant::from_secs(1_790_000_000);
    let nonce = nonces.issue(now, b"realm", &mut entropy);
    assert_eq!(nonce.len(), 32);
    assert!(nonce.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte)));
    assert_eq!(nonces.check(now, &nonce, b"realm"), NonceState::Fresh { issued: now });
    assert_eq!(
        nonces.check(now + Duration::from_secs(60), &nonce, b"realm"),
        NonceState::Fresh { issued: now }
    );
    assert_eq!(nonces.check(now + Duration::from_secs(61), &nonce, b"realm"), NonceState::Stale);
    let set_back = now - Duration::from_secs(61);
    assert_eq!(nonces.check(set_back, &nonce, b"realm"), NonceState::Stale, "the clock was ahead");
    assert_eq!(nonces.check(now, &nonce, b"other"), NonceState::Forged);
    assert_eq!(others.check(now, &nonce, b"realm"), NonceState::Forged);
    assert_ne!(nonces.issue(now, b"realm", &mut entropy), nonce, "two clients of one moment");
    for place in 0..nonce.len() {
        let mut forged = nonce.clone();
        forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
        assert_eq!(nonces.check(now, &forged, b"realm"), NonceState::Forged, "character {place}");
    }
    for broken in [&b""[..], b"short", &[b'='; 32], &[0xff; 32], &[b'A'; 33]] {
        assert_eq!(nonces.check(now, broken, b"realm"), NonceState::Forged);
    }
}

#[test]
fn a_count_is_accepted_once_even_when_requests_overtake_one_another() {
    let mut window = ReplayWindow::new(8);
    let issued = Instant::from_secs(1);
    let mut enter = |count| window.enter(b"nonce", issued, count);
    assert_eq!(enter(2), Use::First);
    assert_eq!(enter(1), Use::First);
    assert_eq!(enter(1), Use::Replayed);
    assert_eq!(enter(2), Use::Replayed);
    assert_eq!(enter(0), Use::Replayed);
    assert_eq!(enter(100), Use::First);
    assert_eq!(enter(37), Use::First, "63 below the highest");
    assert_eq!(enter(36), Use::Replayed, "too far below to be known");
    assert_eq!(enter(u32::MAX), Use::First);
    assert_eq!(enter(100), Use::Replayed);
}

#[test]
fn the_window_is_bounded_and_what_it_forgot_is_never_accepted_again() {
    let mut window = ReplayWindow::new(4);
    for second in 1..=5u64 {
        assert_eq!(window.enter(&second.to_be_bytes(), Instant::from_secs(second), 1), Use::First);
    }
    assert_eq!(window.enter(&1u64.to_be_bytes(), Instant::from_secs(1), 2), Use::Forgotten);
    assert_eq!(window.enter(&3u64.to_be_bytes(), Instant::from_secs(3), 1), Use::Replayed);
    assert_eq!(window.enter(&3u64.to_be_bytes(), Instant::from_secs(3), 2), Use::First);
    assert_eq!(
        window.enter(b"never seen, but as old as the forgotten", Instant::from_secs(2), 1),
        Use::Forgotten
    );
}
