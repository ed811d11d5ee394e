//! RFC 4475 and RFC 5118: what a proxy does with each message, and what happens with those of real peers.
//!
//! The folder `../shared/vectors` beside the workspace is not a part of the project. Without it nothing is
//! checked here, and the test says so; under `CI=true` it must be there.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::*;
use sip::AddressRange;
use sip::{ConnectionId, Flow, Message, Transport};

fn vectors() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var("CI").is_err(), "the vectors are missing: {}", folder.display());
    println!("no vectors at {}: nothing is checked", folder.display());
    None
}

/// A proxy for nobody in these messages, with a peer that may send anything: what is right is forwarded.
fn relay() -> House {
    let mut config = open_config();
    config.domains = vec!["sipweb.test".to_owned()];
    config.trusted_peers = vec![AddressRange::single(peer().remote.ip())];
    house(config)
}

fn peer() -> Flow {
    Flow {
        transport: Transport::Udp,
        connection: ConnectionId(0),
        local: "192.0.2.1:5060".parse().unwrap(),
        remote: "198.51.100.200:5060".parse().unwrap(),
    }
}

/// What came of a message: the status of our answer, or where it was forwarded to.
#[derive(Debug, PartialEq)]
enum Outcome {
    Status(u16),
    Forwarded,
    Nothing,
}

fn outcome(bytes: &[u8]) -> (Outcome, Vec<Message>) {
    let mut house = relay();
    house.any_host = true;
    house.proxy.receive(house.now, &peer(), bytes);
    house.drain();
    let sent: Vec<Message> =
        std::mem::take(&mut house.sent).into_iter().map(|(_, message)| message).collect();
    let forwarded = sent.iter().any(Message::is_request);
    let status = sent.iter().filter_map(Message::status).find(|status| *status != 100);
    let outcome = match (forwarded, status) {
        (true, _) => Outcome::Forwarded,
        (false, Some(status)) => Outcome::Status(status),
        (false, None) => Outcome::Nothing,
    };
    (outcome, sent)
}

#[test]
fn the_torture_messages_of_rfc_4475_have_their_outcomes() {
    use Outcome::{Forwarded, Nothing, Status};
    let Some(folder) = vectors() else { return };
    // What `expected.json` says in words. Where it allows several outcomes, ours.
    let expected = [
        ("wsinv", Forwarded),
        ("intmeth", Forwarded),
        ("esc01", Forwarded),
        ("escnull", Forwarded),
        ("esc02", Forwarded),
        ("lwsdisp", Forwarded),
        ("longreq", Forwarded),
        ("dblreq", Forwarded),
        ("semiuri", Forwarded),
        ("transports", Forwarded),
        ("mpart01", Forwarded),
        ("unreason", Nothing),
        ("noreason", Nothing),
        ("badinv01", Status(400)),
        ("clerr", Status(400)),
        ("ncl", Status(400)),
        ("scalar02", Status(400)),
        ("scalarlg", Nothing),
        ("quotbal", Status(400)),
        ("ltgtruri", Status(400)),
        ("lwsruri", Status(400)),
        ("lwsstart", Status(400)),
        ("trws", Status(400)),
        ("escruri", Status(400)),
        ("baddate", Forwarded),
        ("regbadct", Status(400)),
        ("badaspec", Status(400)),
        ("baddn", Status(400)),
        ("badvers", Status(505)),
        ("mismatch01", Status(400)),
        ("mismatch02", Status(400)),
        ("bigcode", Nothing),
        ("badbranch", Forwarded),
        ("insuf", Status(400)),
        ("unkscm", Status(416)),
        ("novelsc", Status(416)),
        ("unksm2", Forwarded),
        ("bext01", Status(420)),
        ("invut", Forwarded),
        ("regaut01", Forwarded),
        ("multi01", Status(400)),
        ("mcl01", Status(400)),
        ("bcast", Nothing),
        ("zeromf", Status(483)),
        ("cparam01", Forwarded),
        ("cparam02", Forwarded),
        ("regescrt", Forwarded),
        ("sdp01", Forwarded),
        ("inv2543", Forwarded),
    ];
    assert_eq!(expected.len(), 49);
    let mut wrong = Vec::new();
    for (name, expected) in expected {
        let bytes = fs::read(folder.join("rfc4475").join(format!("{name}.dat"))).unwrap();
        let (outcome, sent) = outcome(&bytes);
        if outcome != expected {
            wrong.push(format!(
                "{name}: {outcome:?} instead of {expected:?}: {:?}",
                sent.iter().map(text).collect::<Vec<_>>()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A registrar for the domain of the messages.
fn registered(name: &str, domain: &str) -> Option<Message> {
    let bytes = fs::read(vectors()?.join("rfc4475").join(format!("{name}.dat"))).unwrap();
    let mut config = open_config();
    config.domains = vec![domain.to_owned()];
    let mut house = house(config);
    house.proxy.receive(house.now, &peer(), &bytes);
    house.drain();
    house.sent.into_iter().map(|(_, message)| message).find(|message| message.status() != Some(100))
}

#[test]
fn a_registrar_takes_the_torture_registrations() {
    let contacts = |name: &str, domain: &str| {
        registered(name, domain).map(|response| {
            assert_eq!(response.status(), Some(200), "{name}: {}", text(&response));
            values(&response, sip::HeaderName::Contact)
        })
    };
    let Some(nulls) = contacts("escnull", "example.com") else { return };
    assert_eq!(nulls.len(), 2, "%00 is an octet of the user part: {nulls:?}");
    let header = contacts("cparam01", "example.com").unwrap();
    assert!(header[0].contains(">;unknownparam"), "{header:?}");
    let uri = contacts("cparam02", "example.com").unwrap();
    assert!(uri[0].contains(";unknownparam>"), "{uri:?}");
    let escaped = contacts("regescrt", "example.com").unwrap();
    assert!(escaped[0].contains("?Route=%3Csip:sip.example.com%3E>"), "{escaped:?}");
    for (name, status) in [("regbadct", 400), ("unksm2", 400)] {
        assert_eq!(registered(name, "example.com").unwrap().status(), Some(status), "{name}");
    }
    let unknown = registered("esc02", "registrar.example.com").unwrap();
    assert_eq!(unknown.status(), Some(501), "percent escapes mean nothing in a method");
}

#[test]
fn the_ipv6_messages_of_rfc_5118_are_understood() {
    let Some(folder) = vectors() else { return };
    for file in fs::read_dir(folder.join("rfc5118/wire")).unwrap() {
        let path = file.unwrap().path();
        let bytes = framed(&fs::read(&path).unwrap());
        let is_request = Message::parse(&bytes).is_ok_and(|message| message.is_request());
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let (outcome, sent) = outcome(&bytes);
        let expected = match (name.as_str(), is_request) {
            ("ipv6-bad", _) => Outcome::Status(400),
            (_, true) => Outcome::Forwarded,
            (_, false) => Outcome::Nothing,
        };
        assert_eq!(outcome, expected, "{name}: {:?}", sent.iter().map(text).collect::<Vec<_>>());
    }
}

/// The archive has bare line feeds; as CRLF the bodies are longer than their Content-Length says or shorter.
fn framed(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    let Some((headers, body)) = text.split_once("\r\n\r\n") else { return bytes.to_vec() };
    let headers: Vec<String> = headers
        .split("\r\n")
        .map(|line| match line.split_once(':') {
            Some((name, _)) if name.trim().eq_ignore_ascii_case("content-length") => {
                format!("Content-Length: {}", body.len())
            }
            _ => line.to_owned(),
        })
        .collect();
    format!("{}\r\n\r\n{body}", headers.join("\r\n")).into_bytes()
}

#[test]
fn what_is_forwarded_keeps_its_octets() {
    let Some(folder) = vectors() else { return };
    for name in ["wsinv", "intmeth", "esc01", "longreq", "transports", "mpart01", "semiuri"] {
        let bytes = fs::read(folder.join("rfc4475").join(format!("{name}.dat"))).unwrap();
        let (_, sent) = outcome(&bytes);
        let received = Message::parse(&bytes).unwrap();
        let onward = sent.iter().find(|message| message.is_request()).unwrap();
        assert_eq!(onward.body(), received.body(), "{name}");
        let ours = ["via", "v", "max-forwards", "record-route", "route", "content-length", "l"];
        let others = |message: &Message| -> Vec<(Vec<u8>, Vec<u8>)> {
            message
                .fields()
                .map(|field| (field.text.to_vec(), field.value.to_vec()))
                .filter(|(name, _)| {
                    !ours.contains(&String::from_utf8_lossy(name).trim().to_lowercase().as_str())
                })
                .collect()
        };
        assert_eq!(others(onward), others(&received), "{name}");
    }
}

#[test]
fn nothing_that_anybody_sent_breaks_the_proxy() {
    let Some(folder) = vectors() else { return };
    let mut house = relay();
    house.any_host = true;
    let mut count = 0;
    for file in fs::read_dir(folder.join("sip")).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        house.proxy.receive(house.now, &peer(), &bytes);
        house.drain();
        count += 1;
    }
    house.wait(std::time::Duration::from_secs(300));
    house.wait(std::time::Duration::from_secs(300));
    assert!(count > 0);
    assert_eq!(house.proxy.transactions(), 0, "every timer frees its transaction");
}
