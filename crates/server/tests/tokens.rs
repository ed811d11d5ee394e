//! Users who show a token of the web site that signed them in, at the real binary.

mod harness;

use std::time::{SystemTime, UNIX_EPOCH};

use harness::{Page, Phone, Server, text};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;
use sip::HeaderName;

const SECRET: &str = "known to the web site and to the server only";

/// A token of `user` that ends in so many seconds.
fn token(user: &str, seconds: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({ "sub": user, "exp": i64::try_from(now).unwrap() + seconds });
    encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET.as_bytes()).unwrap()).unwrap()
}

fn server(more: &str) -> Server {
    let configuration = format!("[tokens]\nshared_secret = \"secret\"\n{more}");
    Server::start_beside(&[("secret", SECRET)], &configuration)
}

fn register(user: &str, more: &str) -> String {
    format!(
        "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/WS {user}.invalid;branch=z9hG4bKr\r\nMax-Forwards: 70\r\n\
         From: <sip:{user}@example.com>;tag=a\r\nTo: <sip:{user}@example.com>\r\nCall-ID: {user}\r\n\
         CSeq: 1 REGISTER\r\nContact: <sip:{user}@{user}.invalid;transport=ws>\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

fn status(page: &mut Page, request: &str) -> Option<u16> {
    page.send(request.as_bytes());
    page.receive().unwrap().unwrap().status()
}

/// A user of the web site needs no account here: the token says who it is.
#[test]
fn a_bearer_token_registers_a_user_over_websocket_and_udp() {
    let server = server("");
    let bearer = |user: &str| format!("Authorization: Bearer {}\r\n", token(user, 600));
    let mut page = Page::open(&server);
    assert_eq!(status(&mut page, &register("visitor", &bearer("visitor"))), Some(200));

    let phone = Phone::new(&server, "desk");
    phone.send(&phone.request("REGISTER", "sip:example.com", 1, &bearer("desk")));
    let answer = phone.receive();
    assert_eq!(answer.status(), Some(200));
    let contact = text(answer.header(HeaderName::Contact).unwrap());
    assert!(contact.contains("expires="), "{contact}");

    phone.send(&phone.request("REGISTER", "sip:example.com", 2, &bearer("visitor")));
    assert_eq!(phone.receive().status(), Some(403), "of another user");
}

#[test]
fn a_cookie_signs_a_page_in_when_it_opens_its_websocket() {
    let server = server("cookie = \"sip_token\"\n");
    let cookie = |token: &str| format!("Cookie: theme=dark; sip_token={token}\r\n");
    let mut page = Page::ask(&server, "/sip", &cookie(&token("alice", 600))).unwrap();
    assert_eq!(status(&mut page, &register("alice", "")), Some(200));

    // One that has ended is as none: a user with a password is asked for it.
    let mut page = Page::ask(&server, "/sip", &cookie(&token("alice", -60))).unwrap();
    assert_eq!(status(&mut page, &register("alice", "")), Some(401));
}

#[test]
fn where_a_token_is_required_nobody_connects_without_one() {
    let server = server("query = \"access_token\"\ntoken_required = true\n");
    let url = |token: &str| format!("/sip?access_token={token}");
    let mut page = Page::ask(&server, &url(&token("alice", 600)), "").unwrap();
    assert_eq!(status(&mut page, &register("alice", "")), Some(200));

    assert!(Page::ask(&server, "/sip", "").is_err());
    server.logs(": 401, a page needs a token to connect here, and shows none");
    assert!(Page::ask(&server, &url(&token("alice", -60)), "").is_err());
    server.logs(": 401, the token has expired");
    assert!(Page::ask(&server, &url("made-up"), "").is_err());
    server.logs(": 401, the token is none that can be read");
}

/// Clocks may differ by half a minute, so this one has a second left.
#[test]
fn a_connection_is_closed_when_its_token_ends_so_that_the_page_comes_with_a_newer_one() {
    let server = server("cookie = \"sip_token\"\n");
    let cookie = format!("Cookie: sip_token={}\r\n", token("alice", -29));
    let mut page = Page::ask(&server, "/sip", &cookie).unwrap();
    let closed = std::iter::from_fn(|| page.receive()).find_map(Result::err);
    assert_eq!(closed, Some(1008));
}

#[test]
fn sighup_reads_the_keys_again() {
    let server = server("");
    let other = "another secret of the site, also long enough";
    let bearer = format!("Authorization: Bearer {}\r\n", token("visitor", 600));
    let mut page = Page::open(&server);
    assert_eq!(status(&mut page, &register("visitor", &bearer)), Some(200));
    std::fs::write(server.folder.join("secret"), other).unwrap();
    server.signal("HUP");
    server.logs("the configuration was read again");
    let mut page = Page::open(&server);
    assert_eq!(status(&mut page, &register("visitor", &bearer)), Some(401));
}
