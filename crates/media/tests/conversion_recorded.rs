//! Descriptions of real browsers and phones, where the folder lies beside the project (CI has it): each is
//! converted, or refused for a reason that can be seen in it; and no mutation of them does any harm.

use media::{
    BrowserTransport, Candidate, Cause, Conversation, PhoneSecurity, PhoneTransport, PhoneTransports,
    SdesKey, SdesSuite,
};
use sdp::{Description, Profile};
use sip::{Entropy, SeededEntropy};
use std::collections::BTreeMap;

fn recorded() -> Vec<(String, Vec<u8>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors/sdp");
    let Ok(entries) = std::fs::read_dir(folder) else {
        assert!(std::env::var_os("CI").is_none(), "the recorded descriptions are missing");
        eprintln!("no recorded descriptions beside the project: nothing to convert");
        return Vec::new();
    };
    let read = |entry: std::fs::DirEntry| {
        (entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path()).unwrap())
    };
    let mut files: Vec<_> = entries.map(|entry| read(entry.unwrap())).collect();
    files.sort();
    files
}

fn conversation() -> Conversation {
    let browser = BrowserTransport {
        ufrag: "gate".to_owned(),
        password: "passwordpasswordpassword".to_owned(),
        fingerprint: format!("sha-256 {}", ["AB"; 32].join(":")),
        candidates: vec![Candidate::udp("192.0.2.1:40000".parse().unwrap())],
    };
    let keys = [SdesSuite::AesCm128HmacSha1_80, SdesSuite::AesCm128HmacSha1_32].map(|suite| SdesKey {
        suite,
        key: vec![7; 30],
        identifier: Vec::new(),
    });
    let security = PhoneSecurity::Opportunistic(keys.to_vec());
    let audio = PhoneTransport { address: "192.0.2.1".parse().unwrap(), rtp_port: 30_000, security };
    let video = Some(PhoneTransport { rtp_port: 30_002, ..audio.clone() });
    Conversation::new(browser, PhoneTransports { audio, video }, &mut SeededEntropy::new(1))
}

/// Whether the reason given can be seen in the description.
fn is_just(cause: &Cause, text: &[u8], of_browser: bool) -> bool {
    let Ok(description) = Description::parse(text) else { return matches!(cause, Cause::SdpMalformed(_)) };
    let live: Vec<_> = description
        .media()
        .filter(|section| {
            matches!(section.kind(), b"audio" | b"video") && section.port().is_some_and(|port| port != 0)
        })
        .collect();
    let without = |name: &[u8]| live.iter().any(|section| section.inherited_attribute(name).is_none());
    match cause {
        Cause::SdpNothingToRelay => live.is_empty(),
        Cause::SdpNoIce => {
            without(b"ice-ufrag")
                || without(b"ice-pwd")
                || live.iter().any(|section| {
                    section.inherited_attribute(b"ice-pwd").is_some_and(|password| password.len() < 22)
                })
        }
        Cause::SdpNoFingerprint => {
            without(b"fingerprint")
                || live.iter().any(|section| {
                    section.inherited_attribute(b"fingerprint").is_some_and(|value| {
                        !value.to_ascii_lowercase().starts_with(b"sha-256") || value.len() != 103
                    })
                })
        }
        Cause::SdpNoCommonSuite => live.iter().any(|section| section.profile() == Profile::Sdes),
        Cause::SdpProfileMismatch { .. } => live.iter().any(|section| match section.profile() {
            Profile::Plain => of_browser,
            Profile::Dtls => !of_browser,
            Profile::Sdes => false,
            Profile::Other => true,
        }),
        Cause::SdpNoCommonCodec { browser, phone } => {
            let names = if of_browser { browser } else { phone };
            !names
                .iter()
                .any(|name| matches!(name.to_ascii_lowercase().as_str(), "pcmu" | "pcma" | "g722" | "opus"))
        }
        _ => false,
    }
}

fn count(counts: &mut BTreeMap<String, u32>, outcome: &str) {
    *counts.entry(outcome.to_owned()).or_default() += 1;
}

#[test]
fn every_browsers_offer_becomes_a_small_offer_for_a_phone() {
    let mut counts = BTreeMap::new();
    let of_browsers = |name: &str| ["libwebrtc", "firefox"].iter().any(|browser| name.contains(browser));
    for (name, text) in recorded().into_iter().filter(|(name, _)| of_browsers(name)) {
        match conversation().offer_from_browser(&text) {
            Ok(offer) => {
                assert!(
                    offer.len() < 1200,
                    "{name}: {} octets\n{}",
                    offer.len(),
                    String::from_utf8_lossy(&offer)
                );
                let offer = Description::parse(&offer).unwrap();
                assert!(offer.media().all(|section| section.profile() == Profile::Plain), "{name}");
                count(&mut counts, "converted");
            }
            Err(cause) => {
                assert!(is_just(&cause, &text, true), "{name}: {cause}");
                count(&mut counts, cause.code());
            }
        }
    }
    eprintln!("offers of browsers: {counts:?}");
}

#[test]
fn every_phones_offer_becomes_an_offer_for_a_browser() {
    let mut counts = BTreeMap::new();
    let of_phones = |name: &str| ["plain", "sdes"].iter().any(|phone| name.contains(phone));
    for (name, text) in recorded().into_iter().filter(|(name, _)| of_phones(name)) {
        match conversation().offer_from_phone(&text) {
            Ok(offer) => {
                let offer = Description::parse(&offer).unwrap_or_else(|error| panic!("{name}: {error}"));
                for section in offer.media().filter(|section| section.port() != Some(0)) {
                    assert_eq!(section.profile(), Profile::Dtls, "{name}");
                    for needed in [b"mid".as_slice(), b"ice-ufrag", b"fingerprint", b"setup", b"rtcp-mux"] {
                        assert!(section.attribute(needed).is_some(), "{name}");
                    }
                }
                count(&mut counts, "converted");
            }
            Err(cause) => {
                assert!(is_just(&cause, &text, false), "{name}: {cause}");
                count(&mut counts, cause.code());
            }
        }
    }
    eprintln!("offers of phones: {counts:?}");
}

/// Each recorded browser meets each of a few recorded phones, from both sides.
#[test]
fn a_browser_and_a_phone_that_offer_to_one_another_agree_or_say_why_not() {
    let files = recorded();
    let live: Vec<_> = files.iter().filter(|(name, _)| name.contains("live")).collect();
    let mut agreed = 0;
    for (_, browser) in &live {
        for (name, phone) in files.iter().filter(|(name, _)| name.contains("plain")) {
            let mut call = conversation();
            if call.offer_from_browser(browser).is_ok() && call.answer_from_phone(phone).is_ok() {
                assert!(call.plan().is_some(), "{name}");
                agreed += 1;
            }
            let mut call = conversation();
            if call.offer_from_phone(phone).is_ok() && call.answer_from_browser(browser).is_ok() {
                assert!(call.plan().is_some(), "{name}");
            }
        }
    }
    eprintln!("{agreed} pairs agreed");
    assert!(live.is_empty() || agreed > 0);
}

#[test]
fn no_description_and_no_mutation_of_one_does_harm() {
    let files = recorded();
    let mut entropy = SeededEntropy::new(20_261_123);
    let mut calls: Vec<Conversation> = (0..4).map(|_| conversation()).collect();
    for round in 0..8 {
        for (_, text) in &files {
            let text = if round == 0 { text.clone() } else { mutated(text, &files, &mut entropy) };
            let call = &mut calls[(entropy.number() % 4) as usize];
            let written = match entropy.number() % 6 {
                0 => call.offer_from_browser(&text),
                1 => call.offer_from_phone(&text),
                2 => call.answer_from_browser(&text),
                3 => call.answer_from_phone(&text),
                4 => {
                    let _ = call.restarts_ice(&text);
                    call.withdraw();
                    continue;
                }
                _ => {
                    *call = conversation();
                    call.offer_from_browser(&text).or_else(|_| call.offer_from_phone(&text))
                }
            };
            if let Ok(written) = written {
                Description::parse(&written).unwrap();
            }
        }
    }
}

fn mutated(text: &[u8], files: &[(String, Vec<u8>)], entropy: &mut SeededEntropy) -> Vec<u8> {
    let mut text = text.to_vec();
    for _ in 0..=entropy.number() % 4 {
        let at = (entropy.number() as usize) % (text.len() + 1);
        match entropy.number() % 4 {
            0 => text.truncate(at.max(4)),
            1 if at < text.len() => text[at] = entropy.number() as u8,
            2 => text.insert(at, b"0129\r\n: =/;\0a"[(entropy.number() % 13) as usize]),
            _ => {
                // A line of another description.
                let (_, other) = &files[(entropy.number() as usize) % files.len()];
                let lines: Vec<&[u8]> = other.split_inclusive(|octet| *octet == b'\n').collect();
                let line = lines[(entropy.number() as usize) % lines.len()];
                let at = text[..at].iter().rposition(|octet| *octet == b'\n').map_or(0, |end| end + 1);
                text.splice(at..at, line.iter().copied());
            }
        }
    }
    text
}
