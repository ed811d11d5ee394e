//! In which order contacts are tried (RFC 3261 §16.6), redirections (§16.7 item 4), Request-Disposition (RFC 3841),
//! Max-Breadth (RFC 5393), 199 (RFC 6228), and devices that come late.

use std::time::Duration;

use crate::support::*;
use proxy::{Config, Forking, Redirections};
use sip::{HeaderName, Message};

/// bob's phones, each with a preference, and carol who calls them.
struct Home {
    house: House,
    phones: Vec<Phone>,
    carol: Phone,
}

impl Home {
    fn new(forking: Forking, qualities: &[&str]) -> Self {
        let mut house = house(Config { forking, ..open_config() });
        let phones: Vec<Phone> = (0..)
            .zip(qualities)
            .map(|(number, q)| {
                let mut phone = desk_phone("bob", &format!("198.51.100.{}:5060", 10 + number));
                phone.parameters = format!(";q={q}");
                phone
            })
            .collect();
        for phone in &phones {
            house.receive(&phone.flow, &phone.register(1, ""));
            house.take(&phone.flow);
        }
        Self { house, phones, carol: desk_phone("carol", "198.51.100.9:5060") }
    }

    fn call(&mut self, more: &str) {
        let uri = "sip:bob@example.com";
        let invite = self.carol.request("INVITE", uri, &format!("<{uri}>"), "c1", 1, more);
        self.house.receive(&self.carol.flow, &invite);
    }

    /// The phones that an INVITE has come to since the last look, each with it.
    fn ringing(&mut self) -> Vec<(usize, Message)> {
        let mut ringing = Vec::new();
        for (place, phone) in self.phones.iter().enumerate() {
            for message in self.house.take(&phone.flow) {
                if method(&message) == "INVITE" {
                    ringing.push((place, message));
                }
            }
        }
        ringing
    }

    fn respond(&mut self, place: usize, invite: &Message, status: u16, more: &str) {
        let phone = self.phones[place].clone();
        // Each phone has a tag of its own.
        let response =
            phone.respond(invite, status, more).replace("tag=to-bob", &format!("tag=to-bob{place}"));
        self.house.receive(&phone.flow, &response);
    }

    fn statuses(&mut self) -> Vec<u16> {
        self.house.take(&self.carol.flow.clone()).iter().filter_map(Message::status).collect()
    }
}

fn places(ringing: &[(usize, Message)]) -> Vec<usize> {
    ringing.iter().map(|(place, _)| *place).collect()
}

#[test]
fn a_lower_preference_waits_until_the_higher_ones_have_refused() {
    let mut home = Home::new(Forking::default(), &["1.0", "1.0", "0.5", "0.1"]);
    home.call("");
    let first = home.ringing();
    assert_eq!(places(&first), [0, 1]);
    home.respond(0, &first[0].1, 486, "");
    assert!(home.ringing().is_empty(), "the other one may still answer");
    home.respond(1, &first[1].1, 480, "");
    let second = home.ringing();
    assert_eq!(places(&second), [2]);
    home.respond(2, &second[0].1, 200, "");
    assert_eq!(home.statuses(), [100, 200]);
    assert!(home.ringing().is_empty(), "the last one is never asked");
    home.house.wait(Duration::from_secs(120));
    assert!(home.house.proxy.is_idle());
}

#[test]
fn a_lower_preference_has_its_turn_when_the_higher_one_rings_too_long() {
    let mut home = Home::new(Forking::default(), &["1.0", "0.5"]);
    home.call("");
    let first = home.ringing();
    home.respond(0, &first[0].1, 180, "");
    home.house.wait(Duration::from_secs(19));
    assert!(home.ringing().is_empty());
    home.house.wait(Duration::from_secs(1));
    let messages: Vec<String> = home.house.take(&home.phones[0].flow.clone()).iter().map(method).collect();
    assert_eq!(messages, ["CANCEL"]);
    let second = home.ringing();
    assert_eq!(places(&second), [1]);
    // The first one answers while its CANCEL is under way: that counts, and the second one is cancelled.
    home.respond(0, &first[0].1, 200, "");
    assert_eq!(home.statuses(), [100, 180, 200]);
    home.respond(1, &second[0].1, 180, "");
    assert_eq!(method(&home.house.one(&home.phones[1].flow.clone())), "CANCEL");
}

#[test]
fn the_best_refusal_of_all_groups_is_the_callers() {
    let mut home = Home::new(Forking::default(), &["1.0", "0.5"]);
    home.call("");
    let first = home.ringing();
    home.respond(0, &first[0].1, 486, "");
    let second = home.ringing();
    home.respond(1, &second[0].1, 404, "");
    assert_eq!(home.statuses(), [100, 486]);
}

#[test]
fn one_who_declines_for_all_ends_the_search() {
    let mut home = Home::new(Forking::default(), &["1.0", "0.5"]);
    home.call("");
    let first = home.ringing();
    home.respond(0, &first[0].1, 603, "");
    assert!(home.ringing().is_empty());
    assert_eq!(home.statuses(), [100, 603]);
}

#[test]
fn the_caller_who_gives_up_ends_the_search() {
    let mut home = Home::new(Forking::default(), &["1.0", "0.5"]);
    home.call("");
    let first = home.ringing();
    home.respond(0, &first[0].1, 180, "");
    let uri = "sip:bob@example.com";
    let cancel = home
        .carol
        .request("CANCEL", uri, &format!("<{uri}>"), "c1", 1, "")
        .replace("z9hG4bKcarolCANCELc11", "z9hG4bKcarolINVITEc11");
    home.house.receive(&home.carol.flow.clone(), &cancel);
    home.respond(0, &first[0].1, 487, "");
    assert!(home.ringing().is_empty());
    assert_eq!(home.statuses(), [100, 180, 200, 487]);
}

#[test]
fn all_ring_at_once_where_the_configuration_or_the_caller_wants_it() {
    let mut home = Home::new(Forking { serial: false, ..Forking::default() }, &["1.0", "0.5"]);
    home.call("");
    assert_eq!(places(&home.ringing()), [0, 1]);
    let mut home = Home::new(Forking::default(), &["1.0", "0.5"]);
    home.call("Request-Disposition: parallel\r\n");
    assert_eq!(places(&home.ringing()), [0, 1]);
}

#[test]
fn a_caller_may_have_one_after_another_or_one_only() {
    let mut home = Home::new(Forking::default(), &["1.0", "1.0"]);
    home.call("Request-Disposition: proxy, sequential\r\n");
    let first = home.ringing();
    assert_eq!(first.len(), 1);
    home.respond(first[0].0, &first[0].1, 486, "");
    assert_eq!(home.ringing().len(), 1);

    let mut home = Home::new(Forking::default(), &["1.0", "0.5"]);
    home.call("d: no-fork\r\n");
    let first = home.ringing();
    home.respond(0, &first[0].1, 486, "");
    assert!(home.ringing().is_empty());
    assert_eq!(home.statuses(), [100, 486]);
}

#[test]
fn the_losers_ring_on_where_the_caller_wants_no_cancel() {
    let mut home = Home::new(Forking::default(), &["1.0", "1.0"]);
    home.call("Request-Disposition: no-cancel\r\n");
    let first = home.ringing();
    home.respond(0, &first[0].1, 180, "");
    home.respond(1, &first[1].1, 200, "");
    home.house.nothing(&home.phones[0].flow.clone());
    assert_eq!(home.statuses(), [100, 180, 200]);
}

#[test]
fn a_fork_shares_the_breadth_that_its_request_brought() {
    let mut home = Home::new(Forking::default(), &["1.0", "1.0", "1.0"]);
    home.call("Max-Breadth: 7\r\n");
    let mut shares: Vec<u32> = home
        .ringing()
        .iter()
        .map(|(_, invite)| header(invite, HeaderName::MaxBreadth).parse().unwrap())
        .collect();
    shares.sort_unstable();
    assert_eq!(shares, [2, 2, 3]);

    // Too narrow for all: the rest waits.
    let mut home = Home::new(Forking::default(), &["1.0", "1.0", "1.0"]);
    home.call("Max-Breadth: 2\r\n");
    let first = home.ringing();
    assert_eq!(first.len(), 2);
    for (place, invite) in &first {
        assert_eq!(header(invite, HeaderName::MaxBreadth), "1");
        home.respond(*place, invite, 486, "");
    }
    let second = home.ringing();
    assert_eq!(header(&second[0].1, HeaderName::MaxBreadth), "2");

    let mut home = Home::new(Forking::default(), &["1.0"]);
    home.call("Max-Breadth: 0\r\n");
    assert_eq!(home.statuses(), [440]);
}

#[test]
fn a_fork_of_a_request_without_breadth_gets_sixty_to_share() {
    let mut home = Home::new(Forking::default(), &["1.0", "1.0"]);
    home.call("");
    for (_, invite) in home.ringing() {
        assert_eq!(header(&invite, HeaderName::MaxBreadth), "30");
    }
    let mut home = Home::new(Forking::default(), &["1.0"]);
    home.call("");
    assert_eq!(home.ringing()[0].1.header(HeaderName::MaxBreadth), None, "what does not fork costs nothing");
}

#[test]
fn who_supports_it_is_told_of_early_dialogs_that_end() {
    let mut home = Home::new(Forking::default(), &["1.0", "1.0"]);
    home.call("Supported: 199\r\n");
    let first = home.ringing();
    home.respond(0, &first[0].1, 183, "");
    home.respond(1, &first[1].1, 180, "");
    home.house.take(&home.carol.flow.clone());
    home.respond(0, &first[0].1, 486, "");
    let told = home.house.one(&home.carol.flow.clone());
    assert_eq!(told.status(), Some(199));
    assert_eq!(told.to().unwrap().tag(), Some(&b"to-bob0"[..]), "the dialog that ended");
    assert_eq!(header(&told, HeaderName::Reason), "SIP;cause=486");
    home.respond(1, &first[1].1, 486, "");
    assert_eq!(home.statuses(), [486], "and the last one ends with the final response");
}

#[test]
fn who_does_not_support_it_or_wants_reliable_answers_only_is_not() {
    for more in ["", "Supported: 199\r\nRequire: 100rel\r\n"] {
        let mut home = Home::new(Forking::default(), &["1.0", "1.0"]);
        home.call(more);
        let first = home.ringing();
        home.respond(0, &first[0].1, 183, "");
        home.house.take(&home.carol.flow.clone());
        home.respond(0, &first[0].1, 486, "");
        assert_eq!(home.statuses(), [0u16; 0]);
    }
}

fn redirecting(redirections: Redirections) -> Home {
    redirected(redirections, "").0
}

/// A call with these fields that bob's phone sends to dave and to somebody elsewhere, and the INVITE that it got.
fn redirected(redirections: Redirections, more: &str) -> (Home, Message) {
    let mut home = Home::new(Forking { redirections, ..Forking::default() }, &["1.0"]);
    let dave = desk_phone("dave", "198.51.100.20:5060");
    home.house.receive(&dave.flow, &dave.register(1, ""));
    home.house.take(&dave.flow);
    home.phones.push(dave);
    home.phones.push(desk_phone("erin", "203.0.113.1:5060"));
    home.house.any_host = true;
    home.call(more);
    let first = home.ringing();
    home.phones[0].contact = "sip:dave@example.com>, <sip:erin@elsewhere.example".to_owned();
    let (_, invite) = first.into_iter().next().unwrap();
    home.respond(0, &invite, 302, "");
    (home, invite)
}

#[test]
fn a_redirection_is_the_callers_unless_configured_otherwise() {
    let mut home = redirecting(Redirections::Passed);
    assert!(home.ringing().is_empty());
    assert_eq!(home.statuses(), [100, 302]);
}

#[test]
fn a_redirection_to_a_user_of_ours_is_followed_where_configured() {
    let mut home = redirecting(Redirections::ToUsers);
    let second = home.ringing();
    assert_eq!(places(&second), [1], "and nowhere else: that is how calls to costly numbers are made");
    home.respond(1, &second[0].1, 486, "");
    assert_eq!(home.statuses(), [100, 486], "the 302 is not heard of");
}

/// RFC 7044, RFC 5806: who was called before, and why the call came here, in the fields' own order and as they were written.
#[test]
fn the_history_of_a_call_and_its_diversions_are_kept_also_by_a_redirection() {
    let told = [
        "History-Info: <sip:office@example.net?Reason=SIP%3Bcause%3D302>;index=1, <sip:bob@example.com>;index=1.1;rc=1",
        "History-Info: <sip:bob@example.com>;index=1.2",
        "Diversion: <sip:office@example.net>;reason=unconditional;counter=1",
    ];
    let history = |invite: &Message| -> Vec<String> {
        let lines = String::from_utf8(invite.as_bytes().to_vec()).unwrap();
        let lines =
            lines.lines().filter(|line| line.starts_with("History-Info") || line.starts_with("Diversion"));
        lines.map(str::to_owned).collect()
    };
    let (mut home, first) = redirected(Redirections::ToUsers, &format!("{}\r\n", told.join("\r\n")));
    assert_eq!(history(&first), told);
    let second = home.ringing();
    assert_eq!(places(&second), [1]);
    assert_eq!(history(&second[0].1), told);
}

#[test]
fn a_redirection_to_anywhere_is_followed_for_users_where_configured() {
    let mut home = redirecting(Redirections::Followed);
    let second = home.ringing();
    assert_eq!(places(&second), [1, 2]);
    assert_eq!(second[1].1.request_uri(), b"sip:erin@elsewhere.example");
    // Who sends him back has been asked already.
    home.phones[1].contact = "sip:bob@example.com".to_owned();
    home.respond(1, &second[0].1, 302, "");
    assert!(home.ringing().is_empty());
    home.respond(2, &second[1].1, 200, "");
    assert_eq!(home.statuses(), [100, 200]);
}

#[test]
fn a_caller_may_refuse_recursion() {
    let mut home =
        Home::new(Forking { redirections: Redirections::Followed, ..Forking::default() }, &["1.0", "0.5"]);
    home.call("Request-Disposition: no-recurse, no-fork\r\n");
    let first = home.ringing();
    home.phones[0].contact = "sip:bob@198.51.100.11:5060".to_owned();
    home.respond(0, &first[0].1, 302, "");
    assert_eq!(home.statuses(), [100, 302]);
}

#[test]
fn a_device_that_registers_while_a_call_rings_joins_it() {
    let mut home = Home::new(Forking::default(), &["1.0"]);
    home.call("");
    let first = home.ringing();
    home.respond(0, &first[0].1, 180, "");
    let late = page("bob", 4);
    home.house.receive(&late.flow, &late.register(1, ""));
    let messages: Vec<Message> = home.house.take(&late.flow);
    assert_eq!(messages.iter().map(method).collect::<Vec<_>>(), ["", "INVITE"], "the 200, and the call");
    let invite = messages.last().unwrap();
    home.house.receive(&late.flow, &late.respond(invite, 200, ""));
    assert_eq!(home.statuses(), [100, 180, 200]);
    assert_eq!(method(&home.house.one(&home.phones[0].flow.clone())), "CANCEL");
    // A refresh is nothing new.
    home.house.receive(&late.flow, &late.register(2, ""));
    assert_eq!(home.house.one(&late.flow).status(), Some(200));
}

#[test]
fn a_device_that_has_declined_does_not_ring_again() {
    let mut home = Home::new(Forking::default(), &["1.0", "1.0"]);
    home.call("");
    let first = home.ringing();
    home.respond(0, &first[0].1, 486, "");
    home.house.take(&home.phones[0].flow.clone());
    let again = home.phones[0].clone();
    home.house.receive(&again.flow, &again.register(2, "Expires: 0\r\n").replace(";q=1.0", ""));
    home.house.take(&again.flow);
    home.house.receive(&again.flow, &again.register(3, ""));
    assert_eq!(home.house.one(&again.flow).status(), Some(200));
}

#[test]
fn a_page_that_was_loaded_anew_while_it_rang_rings_again() {
    let mut home = Home::new(Forking::default(), &["1.0"]);
    let mut before = page("bob", 4);
    before.parameters = ";+sip.instance=\"<urn:uuid:0001>\"".to_owned();
    home.house.receive(&before.flow, &before.register(1, ""));
    home.house.take(&before.flow);
    home.call("");
    assert_eq!(method(&home.house.one(&before.flow)), "INVITE");
    home.house.close(&before.flow);
    let mut after = page("bob", 5);
    after.parameters = before.parameters.clone();
    home.house.receive(&after.flow, &after.register(1, ""));
    let messages: Vec<String> = home.house.take(&after.flow).iter().map(method).collect();
    assert_eq!(messages, ["", "INVITE"]);
}

/// RFC 3261 §16.7 item 5: after a 6xx no new branch begins, whatever becomes of those that have.
#[test]
fn once_one_declines_for_all_nobody_else_is_tried() {
    let redirections = Redirections::Followed;
    let mut home = Home::new(Forking { redirections, ..Forking::default() }, &["1.0", "1.0"]);
    home.phones.push(desk_phone("erin", "203.0.113.1:5060"));
    home.house.any_host = true;
    home.call("");
    let first = home.ringing();
    home.respond(0, &first[0].1, 603, "");
    let late = page("bob", 4);
    home.house.receive(&late.flow, &late.register(1, ""));
    assert_eq!(home.house.one(&late.flow).status(), Some(200), "a device that comes now does not ring");
    home.phones[1].contact = "sip:erin@elsewhere.example".to_owned();
    home.respond(1, &first[1].1, 302, "");
    assert!(home.ringing().is_empty(), "a redirection leads nowhere any more");
    assert_eq!(home.statuses(), [100, 603]);
}
