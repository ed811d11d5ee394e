//! Calls that are signed on their way to a group, and verified on their way from one (RFC 8224, RFC 8588). What a
//! signature is and is worth, the surroundings say.

use std::sync::Arc;
use std::time::Duration;

use crate::support::*;
use proxy::stir::{Attestation, Invalid, Party, Signing, Verification};
use proxy::trunk_settings::{Account, Action, Caller, Group, Numbers, Route, Source, Trunks};
use proxy::{Config, Question};
use sip::{HeaderName, Message};

const CARRIER: &str = "203.0.113.1:5060";
const SIGNING: Signing = Signing { users: Attestation::Full, others: None };

fn pstn() -> Group {
    let servers = vec![server("203.0.113.1", 1), server("203.0.113.2", 2)];
    Group { servers, trusted: true, ..group("pstn") }
}

fn signing(signing: Signing) -> Group {
    Group { signing: Some(signing), ..pstn() }
}

fn verifying(verification: Verification) -> Group {
    Group { verification, ..pstn() }
}

/// A house with that group, to which all global numbers lead.
fn house_with(group: Group) -> House {
    let routes = vec![Route {
        prefixes: vec!["+".to_owned()],
        sources: vec![
            Source::Users,
            Source::Addresses(sip::AddressRange::single("198.51.100.7".parse().unwrap())),
        ],
        without_password: false,
        action: Action::Group("pstn".to_owned()),
        ..Route::default()
    }];
    let numbers = Numbers { country: "49".to_owned(), ..Numbers::default() };
    let trunks = Trunks { groups: vec![Arc::new(group)], routes, numbers };
    let mut config = Config { trunks, ..config() };
    config.limits.calls_elsewhere = 0;
    let mut house = house(config);
    house.users.insert("+49305550".to_owned(), "secret-n".to_owned());
    house
}

fn carrier() -> Phone {
    desk_phone("carrier", CARRIER)
}

fn number(digits: &str) -> Party {
    Party::Number(digits.to_owned())
}

/// The INVITE that the carrier gets when this user calls a number.
fn called_by(house: &mut House, user: &'static str, more: &str) -> Message {
    let mut caller = page(user, 1);
    if user.starts_with('+') {
        caller.via = "SIP/2.0/WS number1.invalid".to_owned();
        caller.contact = "sip:number@number1.invalid;transport=ws".to_owned();
    }
    house.register(&caller);
    let uri = "sip:0301234@example.com";
    house.receive(&caller.flow, &caller.request("INVITE", uri, &format!("<{uri}>"), "call", 1, more));
    house.take(&carrier().flow).pop().expect("an INVITE")
}

/// A call of the carrier's to bob, by somebody in its own domain.
fn incoming(from: &str, more: &str) -> String {
    let carrier = carrier();
    let invite = carrier.request("INVITE", "sip:bob@example.com", "<tel:+49-30-5550>", "in", 1, more);
    invite.replace("<sip:carrier@example.com>", from)
}

const CALLER: &str = "<sip:+4989777@carrier.example;user=phone>";
const IDENTITY: &str = "Identity: a.b.c;info=<https://c.example/x.pem>;alg=ES256;ppt=\"shaken\"\r\n";

/// What bob gets of such a call, or how the carrier is answered.
fn received(house: &mut House, from: &str, more: &str) -> Result<Message, u16> {
    let bob = page("bob", 2);
    house.register(&bob);
    house.receive(&carrier().flow, &incoming(from, more));
    match house.take(&bob.flow).pop() {
        Some(invite) => Ok(invite),
        None => Err(house.one(&carrier().flow).status().unwrap()),
    }
}

fn from_of(invite: &Message) -> String {
    header(invite, HeaderName::From).replace(";tag=from-carrier", "")
}

/// From is what a page shows.
#[test]
fn an_asserted_identity_without_a_number_vouches_for_none_in_from() {
    let anonymous = "P-Asserted-Identity: <sip:anonymous@anonymous.invalid>\r\n";
    let required = received(&mut house_with(verifying(Verification::Require)), CALLER, anonymous);
    assert_eq!(required.unwrap_err(), 428);
    let marked = received(&mut house_with(verifying(Verification::Mark)), CALLER, anonymous).unwrap();
    assert!(from_of(&marked).contains("No-TN-Validation"), "{}", from_of(&marked));
}

#[test]
fn a_users_call_to_a_group_is_signed_with_both_numbers_in_their_one_form() {
    let mut house = house_with(signing(SIGNING));
    let invite = called_by(&mut house, "+49305550", "");
    assert_eq!(header(&invite, HeaderName::Identity), "signed-0");
    assert_eq!(header(&invite, HeaderName::Date), "Tue, 14 Nov 2023 22:13:20 GMT");
    let claims = house.signed.remove(0);
    assert_eq!((claims.orig, claims.dest), (number("49305550"), number("49301234")));
    assert_eq!(claims.attest, Attestation::Full);
    let parts: Vec<usize> = claims.origid.split('-').map(str::len).collect();
    assert_eq!(parts, [8, 4, 4, 4, 12], "{}", claims.origid);
}

#[test]
fn a_user_whose_name_is_no_number_gets_no_full_attestation() {
    let mut house = house_with(signing(SIGNING));
    called_by(&mut house, "alice", "");
    assert_eq!(house.signed[0].attest, Attestation::Partial);
    assert_eq!(house.signed[0].orig, Party::Uri("sip:alice@example.com".to_owned()));
    let least = Signing { users: Attestation::Gateway, others: None };
    let mut house = house_with(signing(least));
    called_by(&mut house, "+49305550", "");
    assert_eq!(house.signed[0].attest, Attestation::Gateway, "as it is configured");
}

#[test]
fn the_date_that_a_caller_wrote_gives_way_to_the_one_that_is_signed() {
    let mut house = house_with(signing(SIGNING));
    let invite = called_by(&mut house, "alice", "Date: Sat, 13 Nov 2010 23:29:00 GMT\r\n");
    assert_eq!(invite.headers(HeaderName::Date).count(), 1);
    assert_eq!(header(&invite, HeaderName::Date), "Tue, 14 Nov 2023 22:13:20 GMT");
}

#[test]
fn each_call_of_one_user_has_one_origid_and_that_of_another_user_another() {
    let mut house = house_with(signing(SIGNING));
    called_by(&mut house, "alice", "");
    let alice = page("alice", 1);
    house.receive(&alice.flow, &alice.invite("sip:0301234@example.com", "again"));
    called_by(&mut house, "bob", "");
    let ids: Vec<&str> = house.signed.iter().map(|claims| claims.origid.as_str()).collect();
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
}

#[test]
fn a_call_that_cannot_be_signed_goes_without() {
    let mut house = house_with(signing(SIGNING));
    house.signs = false;
    let invite = called_by(&mut house, "alice", "");
    assert!(invite.header(HeaderName::Identity).is_none());
}

#[test]
fn the_next_server_of_the_group_gets_the_same_signature() {
    let mut house = house_with(signing(SIGNING));
    called_by(&mut house, "alice", "");
    house.wait(Duration::from_secs(3));
    let second = house.take(&desk_phone("carrier", "203.0.113.2:5060").flow).remove(0);
    assert_eq!(header(&second, HeaderName::Identity), "signed-0");
    assert_eq!(house.signed.len(), 1);
}

#[test]
fn a_server_that_is_asked_long_after_gets_a_signature_of_its_own() {
    let mut house = house_with(signing(SIGNING));
    let invite = called_by(&mut house, "alice", "");
    house.receive(&carrier().flow, &carrier().respond(&invite, 183, ""));
    house.wait(Duration::from_secs(40));
    house.receive(&carrier().flow, &carrier().respond(&invite, 503, ""));
    let second = house.take(&desk_phone("carrier", "203.0.113.2:5060").flow).remove(0);
    assert_eq!(header(&second, HeaderName::Identity), "signed-1", "the first one would be refused as stale");
    assert_eq!(second.headers(HeaderName::Identity).count(), 1);
}

#[test]
fn what_is_signed_is_the_from_that_leaves() {
    for (user, orig, attest) in [
        ("+49305550", "49305550", Attestation::Full),
        // Whoever is no number calls with the one of the account, which is not his alone.
        ("alice", "4930999", Attestation::Partial),
    ] {
        let account = Account { caller: Caller::Number, ..account("+4930999") };
        let mut house = house_with(Group { account: Some(account), ..signing(SIGNING) });
        let invite = called_by(&mut house, user, "");
        let expected = format!("<sip:+{orig}@provider.example>");
        assert!(header(&invite, HeaderName::From).starts_with(&expected), "{user}");
        let claims = house.signed.remove(0);
        assert_eq!((claims.orig, claims.attest), (number(orig), attest), "{user}");
    }
}

/// The INVITE that a group gets which has calls of others signed, and a PBX's caller withholds a number.
fn called_in_private(trusted: bool, more: &str) -> (Message, Vec<Party>) {
    let group = Group { trusted, ..signing(Signing { others: Some(Attestation::Gateway), ..SIGNING }) };
    let mut config = config();
    config.trusted_peers = vec![sip::AddressRange::single("198.51.100.7".parse().unwrap())];
    config.trunks = Trunks {
        groups: vec![Arc::new(group)],
        routes: vec![Route {
            prefixes: vec!["+".to_owned()],
            action: Action::Group("pstn".to_owned()),
            ..Route::default()
        }],
        numbers: Numbers::default(),
    };
    let mut house = house(config);
    let pbx = desk_phone("pbx", "198.51.100.7:5060");
    let uri = "sip:+49301234@example.com";
    let more = format!("P-Asserted-Identity: <tel:+4930555017>\r\nPrivacy: id\r\n{more}");
    let invite = pbx.request("INVITE", uri, &format!("<{uri}>"), "pbx", 1, &more);
    house.receive(
        &pbx.flow,
        &invite.replace("sip:pbx@example.com>;tag", "sip:anonymous@anonymous.invalid>;tag"),
    );
    (house.one(&carrier().flow), house.signed.into_iter().map(|claims| claims.orig).collect())
}

#[test]
fn a_number_that_is_withheld_from_a_group_is_not_in_what_is_signed_for_it() {
    let (invite, signed) = called_in_private(false, "");
    assert!(invite.header(HeaderName::PAssertedIdentity).is_none());
    assert!(invite.header(HeaderName::Identity).is_none());
    assert_eq!(signed, []);
    // Whoever is trusted to keep it is told both.
    let (invite, signed) = called_in_private(true, "");
    assert!(invite.header(HeaderName::PAssertedIdentity).is_some());
    assert_eq!(signed, [number("4930555017")]);
}

#[test]
fn a_signature_that_somebody_else_made_goes_where_the_number_in_it_may_go() {
    let (invite, _) = called_in_private(false, IDENTITY);
    assert!(invite.header(HeaderName::Identity).is_none());
    let (invite, _) = called_in_private(true, IDENTITY);
    assert_eq!(invite.headers(HeaderName::Identity).count(), 1);
}

#[test]
fn a_group_that_is_not_to_be_signed_for_gets_what_the_caller_wrote() {
    let mut house = house_with(pstn());
    let invite =
        called_by(&mut house, "alice", &format!("{IDENTITY}Date: Sat, 13 Nov 2010 23:29:00 GMT\r\n"));
    assert_eq!(format!("Identity: {}\r\n", values(&invite, HeaderName::Identity).join("|")), IDENTITY);
    assert_eq!(header(&invite, HeaderName::Date), "Sat, 13 Nov 2010 23:29:00 GMT");
    assert!(house.signed.is_empty());
}

#[test]
fn calls_of_others_are_signed_only_if_so_configured_and_if_nobody_has_signed_them() {
    for (others, more, expected) in [
        (None, "", None),
        (Some(Attestation::Gateway), "", Some(Attestation::Gateway)),
        (Some(Attestation::Gateway), IDENTITY, None),
    ] {
        let mut house = house_with(signing(Signing { others, ..SIGNING }));
        let mut config = config();
        config.trusted_peers = vec![sip::AddressRange::single("198.51.100.7".parse().unwrap())];
        config.trunks = Trunks {
            groups: vec![Arc::new(signing(Signing { others, ..SIGNING }))],
            routes: vec![Route {
                prefixes: vec!["+".to_owned()],
                action: Action::Group("pstn".to_owned()),
                ..Route::default()
            }],
            numbers: Numbers::default(),
        };
        house.restart(config);
        let pbx = desk_phone("pbx", "198.51.100.7:5060");
        let uri = "sip:+49301234@example.com";
        let more = format!("P-Asserted-Identity: <tel:+4930555017>\r\n{more}");
        house.receive(&pbx.flow, &pbx.request("INVITE", uri, &format!("<{uri}>"), "pbx", 1, &more));
        let invite = house.one(&carrier().flow);
        let found = house.signed.first().map(|claims| (claims.attest, claims.orig.clone()));
        assert_eq!(found, expected.map(|attest| (attest, number("4930555017"))));
        let identities = usize::from(expected.is_some() || more.contains("Identity: a.b.c"));
        assert_eq!(invite.headers(HeaderName::Identity).count(), identities);
    }
}

#[test]
fn what_goes_on_in_a_call_is_not_signed() {
    let mut house = house_with(signing(SIGNING));
    let invite = called_by(&mut house, "alice", "");
    let carrier = carrier();
    house.receive(&carrier.flow, &carrier.respond(&invite, 200, ""));
    let alice = page("alice", 1);
    let answer = house.one(&alice.flow);
    let to = header(&answer, HeaderName::To);
    let uri = "sip:carrier@203.0.113.1:5060";
    house.receive(&alice.flow, &alice.request("INVITE", uri, &to, "call", 2, &routes(&answer, true)));
    let again = house.take(&carrier.flow).pop().unwrap();
    assert_eq!((method(&again).as_str(), again.to_tag().is_some()), ("INVITE", true));
    assert!(again.header(HeaderName::Identity).is_none());
    assert_eq!(house.signed.len(), 1);
}

#[test]
fn a_call_that_is_cancelled_while_it_is_signed_never_leaves() {
    let mut house = house_with(signing(SIGNING));
    let alice = page("alice", 1);
    house.register(&alice);
    let uri = "sip:0301234@example.com";
    house.proxy.receive(house.now, &alice.flow, alice.invite(uri, "call").as_bytes());
    let cancel = alice.request("CANCEL", uri, &format!("<{uri}>"), "call", 1, "");
    let cancel = cancel.replace("z9hG4bKaliceCANCELcall1", "z9hG4bKaliceINVITEcall1");
    house.proxy.receive(house.now, &alice.flow, cancel.as_bytes());
    house.drain();
    house.nothing(&carrier().flow);
    assert!(house.take(&alice.flow).iter().any(|answer| answer.status() == Some(487)));
}

#[test]
fn a_caller_whose_signature_holds_is_shown_with_that_and_the_signature_goes_on() {
    let mut house = house_with(verifying(Verification::Mark));
    let invite =
        received(&mut house, CALLER, &format!("{IDENTITY}Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n")).unwrap();
    let expected = "<sip:+4989777;verstat=TN-Validation-Passed@carrier.example;user=phone>";
    assert_eq!(from_of(&invite), expected);
    assert_eq!(format!("Identity: {}\r\n", values(&invite, HeaderName::Identity).join("|")), IDENTITY);
    let Question::Verify { identities, date, orig, dest } = house.asked.remove(0) else { panic!() };
    assert_eq!(identities.len(), 1);
    assert_eq!(date.as_deref(), Some(b"Tue, 14 Nov 2023 22:13:20 GMT".as_slice()));
    assert_eq!((&orig[0], &dest[0]), (&number("4989777"), &number("49305550")));
}

#[test]
fn a_caller_whose_signature_does_not_hold_is_shown_with_that_or_refused() {
    for (invalid, status) in [
        (Invalid::Stale, 403),
        (Invalid::NoCredential, 436),
        (Invalid::UnsupportedCredential, 437),
        (Invalid::InvalidIdentity, 438),
    ] {
        let mut house = house_with(verifying(Verification::Mark));
        house.verdict = Err(invalid);
        let invite = received(&mut house, CALLER, IDENTITY).unwrap();
        assert!(from_of(&invite).contains(";verstat=TN-Validation-Failed@"), "{}", from_of(&invite));
        for verification in [Verification::Refuse, Verification::Require] {
            let mut house = house_with(verifying(verification));
            house.verdict = Err(invalid);
            assert_eq!(received(&mut house, CALLER, IDENTITY).unwrap_err(), status);
        }
    }
}

#[test]
fn a_call_without_a_signature_is_shown_as_such_or_refused_where_one_is_required() {
    for verification in [Verification::Mark, Verification::Refuse] {
        let mut house = house_with(verifying(verification));
        let invite = received(&mut house, CALLER, "").unwrap();
        assert!(from_of(&invite).contains(";verstat=No-TN-Validation@"), "{}", from_of(&invite));
        assert!(house.asked.is_empty());
    }
    let mut house = house_with(verifying(Verification::Require));
    assert_eq!(received(&mut house, CALLER, "").unwrap_err(), 428);
}

#[test]
fn signatures_of_other_kinds_are_none_of_the_caller_and_pass_untouched() {
    let div = "Identity: d.i.v;info=<https://c.example/x.pem>;alg=ES256;ppt=div\r\n";
    let mut house = house_with(verifying(Verification::Mark));
    let invite = received(&mut house, CALLER, div).unwrap();
    assert!(from_of(&invite).contains(";verstat=No-TN-Validation@"), "{}", from_of(&invite));
    let both = format!("{div}{}", IDENTITY.replace("Identity", "y"));
    let mut house = house_with(verifying(Verification::Mark));
    let invite = received(&mut house, CALLER, &both).unwrap();
    assert_eq!(values(&invite, HeaderName::Identity).len(), 2);
    let Question::Verify { identities, .. } = house.asked.remove(0) else { panic!() };
    assert!(identities.len() == 1 && identities[0].starts_with(b"a.b.c"));
}

#[test]
fn an_anonymous_caller_claims_no_number_and_is_let_through_as_he_is() {
    let anonymous = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
    let mut house = house_with(verifying(Verification::Refuse));
    house.verdict = Err(Invalid::InvalidIdentity);
    let invite = received(&mut house, anonymous, &format!("{IDENTITY}Privacy: id\r\n")).unwrap();
    assert_eq!(from_of(&invite), anonymous);
    assert!(house.asked.is_empty());
}

#[test]
fn what_looks_like_a_number_is_claimed_as_one() {
    for (from, more) in [
        ("<sip:++4989777@carrier.example>", ""),
        ("<sip:+49*89+777@carrier.example>", ""),
        ("<sip:%2B%2B4989777@carrier.example>", ""),
        ("<sip:anna@carrier.example>", "P-Asserted-Identity: <sip:anna@carrier.example>, <tel:+4989777>\r\n"),
        (CALLER, "P-Asserted-Identity: <sip:++4989777@carrier.example>\r\n"),
    ] {
        let mut house = house_with(verifying(Verification::Require));
        assert_eq!(received(&mut house, from, more).unwrap_err(), 428, "{from} {more}");
    }
    // A name is none.
    let mut house = house_with(verifying(Verification::Require));
    assert!(received(&mut house, "<sip:anna2@carrier.example>", "").is_ok());
}

#[test]
fn the_number_that_stands_second_is_verified_where_the_first_identity_is_none() {
    let mut house = house_with(verifying(Verification::Mark));
    let asserted = "P-Asserted-Identity: <sip:anna@carrier.example>, <tel:+4989778>\r\n";
    let invite = received(&mut house, CALLER, &format!("{IDENTITY}{asserted}")).unwrap();
    let shown: Vec<_> = invite.values(HeaderName::PAssertedIdentity).map(String::from_utf8_lossy).collect();
    assert_eq!(shown, ["<sip:anna@carrier.example>", "<tel:+4989778;verstat=TN-Validation-Passed>"]);
    let Question::Verify { orig, .. } = house.asked.remove(0) else { panic!() };
    assert_eq!(orig[0], number("4989778"));
}

#[test]
fn the_signature_of_a_caller_who_withholds_his_number_is_looked_at_and_kept_back() {
    let mut house = house_with(verifying(Verification::Require));
    let more = format!("{IDENTITY}P-Asserted-Identity: <tel:+4989778>\r\nPrivacy: id\r\n");
    let invite = received(&mut house, "\"Anonymous\" <sip:anonymous@anonymous.invalid>", &more).unwrap();
    assert_eq!(house.asked.len(), 1);
    assert!(invite.header(HeaderName::PAssertedIdentity).is_none());
    assert!(invite.header(HeaderName::Identity).is_none());
}

#[test]
fn a_call_that_is_cancelled_while_it_is_verified_is_ended() {
    let mut house = house_with(verifying(Verification::Mark));
    let (bob, carrier) = (page("bob", 2), carrier());
    house.register(&bob);
    house.proxy.receive(house.now, &carrier.flow, incoming(CALLER, IDENTITY).as_bytes());
    let cancel = carrier.request("CANCEL", "sip:bob@example.com", "<tel:+49-30-5550>", "in", 1, "");
    let cancel = cancel.replace("z9hG4bKcarrierCANCELin1", "z9hG4bKcarrierINVITEin1");
    house.proxy.receive(house.now, &carrier.flow, cancel.as_bytes());
    house.drain();
    house.nothing(&bob.flow);
    assert!(house.take(&carrier.flow).iter().any(|answer| answer.status() == Some(487)));
}

#[test]
fn a_number_is_vouched_for_as_a_number_and_not_as_a_part_of_a_uri() {
    let mut house = house_with(verifying(Verification::Mark));
    received(&mut house, CALLER, IDENTITY).unwrap();
    let Question::Verify { orig, .. } = house.asked.remove(0) else { panic!() };
    assert_eq!(orig, [number("4989777")]);
}

#[test]
fn an_anonymous_caller_is_let_through_without_a_signature_too() {
    let anonymous = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
    let mut house = house_with(verifying(Verification::Require));
    let invite = received(&mut house, anonymous, "Privacy: id\r\n").unwrap();
    assert_eq!(from_of(&invite), anonymous);
}

#[test]
fn only_the_identity_that_was_verified_is_marked() {
    let mut house = house_with(verifying(Verification::Mark));
    let asserted = "P-Asserted-Identity: <sip:+4989778@carrier.example>, <tel:+4989779>\r\n";
    let invite = received(&mut house, CALLER, &format!("{IDENTITY}{asserted}")).unwrap();
    let shown: Vec<_> = invite.values(HeaderName::PAssertedIdentity).map(String::from_utf8_lossy).collect();
    assert_eq!(shown, ["<sip:+4989778;verstat=TN-Validation-Passed@carrier.example>", "<tel:+4989779>"]);
}

#[test]
fn who_claims_no_number_has_none_that_was_validated() {
    let forged = "<sip:anna;verstat=TN-Validation-Passed@carrier.example>";
    let mut house = house_with(verifying(Verification::Refuse));
    let invite = received(&mut house, forged, IDENTITY).unwrap();
    assert_eq!(from_of(&invite), "<sip:anna@carrier.example>");
}

#[test]
fn what_a_trusted_group_asserts_is_what_is_verified_and_marked() {
    let mut house = house_with(verifying(Verification::Mark));
    let asserted = "P-Asserted-Identity: <sip:+4989778@carrier.example>\r\n";
    let invite = received(&mut house, CALLER, &format!("{IDENTITY}{asserted}")).unwrap();
    let expected = "<sip:+4989778;verstat=TN-Validation-Passed@carrier.example>";
    assert_eq!(header(&invite, HeaderName::PAssertedIdentity), expected);
    assert_eq!(from_of(&invite), CALLER);
    let Question::Verify { orig, .. } = house.asked.remove(0) else { panic!() };
    assert_eq!(orig[0], number("4989778"));
    // Who is not trusted asserts nothing: what the callee sees is From.
    let mut house = house_with(Group { trusted: false, ..verifying(Verification::Mark) });
    let invite = received(&mut house, CALLER, &format!("{IDENTITY}{asserted}")).unwrap();
    assert!(invite.header(HeaderName::PAssertedIdentity).is_none());
    assert!(from_of(&invite).contains(";verstat=TN-Validation-Passed@"));
    let Question::Verify { orig, .. } = house.asked.remove(0) else { panic!() };
    assert_eq!(orig[0], number("4989777"));
}

#[test]
fn a_verstat_that_a_caller_wrote_himself_is_taken_off() {
    let forged = "<sip:+4989777;verstat=TN-Validation-Passed@carrier.example;user=phone>";
    let mut house = house_with(verifying(Verification::Mark));
    let invite = received(&mut house, forged, "").unwrap();
    assert!(from_of(&invite).contains("<sip:+4989777;verstat=No-TN-Validation@"), "{}", from_of(&invite));
    // Of somebody who is no server of a group.
    let eve = desk_phone("eve", "198.51.100.66:5060");
    let invite = eve.invite("sip:bob@example.com", "eve").replace("<sip:eve@example.com>", forged);
    house.receive(&eve.flow, &invite);
    let invite = house.one(&page("bob", 2).flow);
    assert!(header(&invite, HeaderName::From).starts_with(CALLER), "{}", header(&invite, HeaderName::From));
}

#[test]
fn a_tag_in_to_does_not_spare_a_call_from_being_verified() {
    let mut house = house_with(verifying(Verification::Require));
    let bob = page("bob", 2);
    house.register(&bob);
    let invite = incoming(CALLER, "").replace("To: <tel:+49-30-5550>", "To: <tel:+49-30-5550>;tag=x");
    house.receive(&carrier().flow, &invite);
    assert_eq!(house.one(&carrier().flow).status(), Some(428));
}

#[test]
fn who_called_gets_his_own_from_back() {
    let mut house = house_with(verifying(Verification::Mark));
    let (bob, carrier) = (page("bob", 2), carrier());
    let invite = received(&mut house, CALLER, IDENTITY).unwrap();
    house.take(&carrier.flow);
    for status in [180, 200] {
        house.receive(&bob.flow, &bob.respond(&invite, status, ""));
        let answer = house.one(&carrier.flow);
        assert_eq!(header(&answer, HeaderName::From), format!("{CALLER};tag=from-carrier"), "{status}");
    }
}

#[test]
fn what_goes_on_in_a_call_is_not_verified_and_its_signature_passes_untouched() {
    let mut house = house_with(verifying(Verification::Require));
    let (bob, carrier) = (page("bob", 2), carrier());
    let invite = received(&mut house, CALLER, IDENTITY).unwrap();
    house.receive(&bob.flow, &bob.respond(&invite, 200, ""));
    let answer = house.take(&carrier.flow).pop().unwrap();
    house.verdict = Err(Invalid::InvalidIdentity);
    for (number, more) in [(2, ""), (3, "y: x.y.z;info=<https://c.example/x.pem>\r\n")] {
        let to = header(&answer, HeaderName::To);
        let more = format!("{}{more}", routes(&answer, true));
        let again = carrier.request("INVITE", &bob.contact, &to, "in", number, &more);
        let forged = CALLER.replace("777@", "777;verstat=TN-Validation-Passed@");
        house.receive(&carrier.flow, &again.replace("<sip:carrier@example.com>", &forged));
        let again = house.take(&bob.flow).pop().unwrap();
        assert_eq!((method(&again).as_str(), from_of(&again).as_str()), ("INVITE", CALLER), "and no verstat");
        assert_eq!(again.headers(HeaderName::Identity).count(), usize::from(number == 3));
        house.receive(&bob.flow, &bob.respond(&again, 200, ""));
        house.take(&carrier.flow);
    }
    assert_eq!(house.asked.len(), 1, "the call itself");
}
