//! Who calls, as a provider wants it in From.

use std::sync::Arc;

use crate::support::*;
use proxy::trunk_settings::{Account, Action, Caller, Group, Numbers, Route, Source, Trunks};
use proxy::{Config, Identity};
use sip::{AddressRange, HeaderName, Message};

const PROVIDER: &str = "203.0.113.1:5060";
const CALLED: &str = "sip:+49301234@example.com";

fn provider(caller: Caller) -> Group {
    let account = Account { caller, ..account("4930555") };
    Group { trusted: true, account: Some(account), ..group("provider") }
}

fn with(caller: Caller) -> House {
    let route = Route {
        prefixes: vec!["+".to_owned()],
        sources: vec![Source::Users],
        action: Action::Group("provider".to_owned()),
        ..Route::default()
    };
    let fax = Route {
        sources: vec![Source::Addresses(AddressRange::single([198, 51, 100, 7].into()))],
        without_password: true,
        ..route.clone()
    };
    let numbers = Numbers { country: "49".to_owned(), ..Numbers::default() };
    let trunks = Trunks { groups: vec![Arc::new(provider(caller))], routes: vec![route, fax], numbers };
    house(Config { trunks, identity: Identity::Peers, ..open_config() })
}

/// A user calls; gives what the provider gets.
fn called_by(house: &mut House, phone: &Phone, from: &str) -> Message {
    let own = format!("<sip:{}@example.com>", phone.user);
    house.receive(&phone.flow, &phone.invite(CALLED, "c1").replace(&own, from));
    house.one(&desk_phone("carrier", PROVIDER).flow)
}

#[test]
fn a_provider_gets_in_from_what_it_wants() {
    for (caller, user, from, wanted) in [
        (Caller::Own, "alice", "<sip:alice@example.com>", "<sip:alice@example.com>"),
        (Caller::Account, "alice", "<sip:alice@example.com>", "<sip:4930555@provider.example>"),
        (Caller::Number, "alice", "<sip:alice@example.com>", "<sip:4930555@provider.example>"),
        (
            Caller::Number,
            "0307",
            "\"A \\\"B\\\"\" <sip:0307@example.com>",
            "\"A \\\"B\\\"\" <sip:+49307@provider.example>",
        ),
    ] {
        let mut house = with(caller);
        let phone = page(user, 1);
        house.register(&phone);
        let invite = called_by(&mut house, &phone, from);
        assert_eq!(header(&invite, HeaderName::From), format!("{wanted};tag=from-{user}"));
        let identity = header(&invite, HeaderName::PAssertedIdentity);
        assert_eq!(identity, format!("<sip:{user}@example.com>"), "that says who it is");
    }
}

#[test]
fn the_caller_finds_the_from_that_he_wrote_and_the_provider_one_from_in_all_of_a_transaction() {
    let mut house = with(Caller::Account);
    let (alice, carrier) = (page("alice", 1), desk_phone("carrier", PROVIDER));
    house.register(&alice);
    let invite = called_by(&mut house, &alice, "<sip:alice@example.com>");
    house.take(&alice.flow);
    let own = "<sip:alice@example.com>;tag=from-alice";
    house.receive(&carrier.flow, &carrier.respond(&invite, 180, ""));
    assert_eq!(header(&house.one(&alice.flow), HeaderName::From), own);
    // RFC 3261 §9.1: a CANCEL has the From of its request.
    let cancel = alice.request("CANCEL", CALLED, &format!("<{CALLED}>"), "c1", 1, "");
    house.receive(&alice.flow, &cancel.replace("z9hG4bKaliceCANCEL", "z9hG4bKaliceINVITE"));
    let cancel = house.one(&carrier.flow);
    assert_eq!(method(&cancel), "CANCEL");
    assert_eq!(header(&cancel, HeaderName::From), header(&invite, HeaderName::From));
    house.take(&alice.flow);
    house.receive(&carrier.flow, &carrier.respond(&invite, 487, ""));
    assert_eq!(header(&house.one(&alice.flow), HeaderName::From), own);
    // §17.1.1.3: and so has the ACK.
    let ack = house.one(&carrier.flow);
    assert_eq!(method(&ack), "ACK");
    assert_eq!(header(&ack, HeaderName::From), header(&invite, HeaderName::From));
}

#[test]
fn the_caller_finds_it_also_in_an_answer_that_is_repeated() {
    let mut house = with(Caller::Account);
    let (alice, carrier) = (desk_phone("alice", "198.51.100.9:5060"), desk_phone("carrier", PROVIDER));
    let invite = called_by(&mut house, &alice, "<sip:alice@example.com>");
    house.take(&alice.flow);
    for _ in 0..2 {
        house.receive(&carrier.flow, &carrier.respond(&invite, 200, ""));
        let answered = house.one(&alice.flow);
        assert_eq!(header(&answered, HeaderName::From), "<sip:alice@example.com>;tag=from-alice");
    }
}

/// A fax at a known address, without an account here.
#[test]
fn who_wants_to_be_nobody_is_not_named_by_the_number_of_the_account() {
    let fax = desk_phone("fax", "198.51.100.7:5060");
    for (from, wanted) in [
        ("<sip:fax@elsewhere.example>", "<sip:4930555@provider.example>"),
        (
            "\"Anonymous\" <sip:anonymous@anonymous.invalid>",
            "\"Anonymous\" <sip:anonymous@anonymous.invalid>",
        ),
    ] {
        let invite = called_by(&mut with(Caller::Account), &fax, from);
        assert_eq!(header(&invite, HeaderName::From), format!("{wanted};tag=from-fax"));
    }
}
