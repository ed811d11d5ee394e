//! What a browser's section says of its transport: ICE (RFC 8839), DTLS (RFC 8842), and the sources that
//! it sends.

use super::text::shown;
use crate::{Cause, DtlsRole, Feedback, RemoteBrowser, Setup};
use sdp::MediaSection;
use std::net::{IpAddr, SocketAddr};

/// The most candidates that are kept: an ICE-lite end needs none of them.
const MOST_CANDIDATES: usize = 32;
/// The most sources that are kept.
const MOST_SOURCES: usize = 8;

/// The browser's end as this section, with the session part, gives it.
pub(super) fn read(section: &MediaSection<'_>, ice_lite: bool) -> Result<RemoteBrowser, Cause> {
    let credential = |name: &[u8], least: usize| {
        let value = section.inherited_attribute(name).map(<[u8]>::trim_ascii).ok_or(Cause::SdpNoIce)?;
        // RFC 8839 §5.4: ice-char, at most 256 of them.
        let valid = (least..=256).contains(&value.len())
            && value.iter().all(|octet| {
                octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'-' | b'_' | b'=')
            });
        if valid { Ok(String::from_utf8_lossy(value).into_owned()) } else { Err(Cause::SdpNoIce) }
    };
    let ufrag = credential(b"ice-ufrag", 4)?;
    let password = credential(b"ice-pwd", 22)?;
    let fingerprint = fingerprint(section).ok_or(Cause::SdpNoFingerprint)?;
    let setup = match section.inherited_attribute(b"setup").map(<[u8]>::trim_ascii) {
        Some(b"active") => Setup::Active,
        Some(b"passive") => Setup::Passive,
        _ => Setup::ActivePassive,
    };
    let candidates = section.attributes(b"candidate").filter_map(candidate).take(MOST_CANDIDATES).collect();
    Ok(RemoteBrowser { ufrag, password, fingerprint, setup, candidates, ice_lite })
}

/// The role that we take when the browser offers, or has answered, this (RFC 8842 §5.3): to wait, wherever
/// there is a choice, since no ClientHello of ours can then be lost before the browser is ready.
pub(super) const fn our_role(theirs: Setup) -> DtlsRole {
    match theirs {
        Setup::Passive => DtlsRole::Client,
        Setup::Active | Setup::ActivePassive => DtlsRole::Server,
    }
}

/// The best of the fingerprints that is no weaker than SHA-256 and has the right length (RFC 8122 §5).
fn fingerprint(section: &MediaSection<'_>) -> Option<String> {
    const HASHES: [(&str, usize); 3] = [("sha-256", 32), ("sha-384", 48), ("sha-512", 64)];
    let readable = |value: &[u8]| {
        let text = std::str::from_utf8(value).ok()?.trim();
        let (hash, octets) = text.split_once(' ')?;
        let (hash, length) = HASHES.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(hash))?;
        let octets = octets.trim();
        let hexadecimal =
            |octet: &str| octet.len() == 2 && octet.bytes().all(|digit| digit.is_ascii_hexdigit());
        let whole = octets.split(':').count() == length && octets.split(':').all(hexadecimal);
        whole.then(|| (length, format!("{hash} {}", octets.to_ascii_uppercase())))
    };
    // The first of HASHES is the one that every implementation has.
    let candidates = section.inherited_attributes(b"fingerprint").into_iter().filter_map(readable);
    candidates.min_by_key(|(length, _)| *length).map(|(_, fingerprint)| fingerprint)
}

/// The address of a candidate that could be sent to: UDP, component 1, numeric (RFC 8839 §5.1).
fn candidate(value: &[u8]) -> Option<SocketAddr> {
    let text = std::str::from_utf8(value).ok()?;
    let mut fields = text.split_ascii_whitespace().skip(1);
    let component = fields.next()?;
    let transport = fields.next()?;
    let address: IpAddr = fields.nth(1)?.parse().ok()?;
    let port: u16 = fields.next()?.parse().ok()?;
    let usable = component == "1"
        && transport.eq_ignore_ascii_case("udp")
        && port != 0
        && !address.is_unspecified()
        && !address.is_multicast();
    usable.then_some(SocketAddr::new(address, port))
}

/// The SSRCs of what the browser sends, each with that of its retransmissions (`FID`, RFC 5576 §4.2, RFC 4588 §8.7).
pub(super) fn repaired(section: &MediaSection<'_>) -> Vec<(u32, u32)> {
    let pair = |group: &[u8]| {
        let text = shown(group);
        let mut fields = text.split_ascii_whitespace();
        fields.next().filter(|semantics| *semantics == "FID")?;
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    section.attributes(b"ssrc-group").filter_map(pair).take(MOST_SOURCES).collect()
}

/// The SSRCs of what the browser sends, without those of retransmissions.
pub(super) fn sources(section: &MediaSection<'_>) -> Vec<u32> {
    let repaired = repaired(section);
    let mut sources = Vec::new();
    for value in section.attributes(b"ssrc") {
        let first = value.split(|octet| *octet == b' ').next().unwrap_or_default();
        let Some(ssrc) = super::formats::number::<u32>(first) else { continue };
        let retransmission = repaired.iter().any(|(_, other)| *other == ssrc);
        if !sources.contains(&ssrc) && !retransmission && sources.len() < MOST_SOURCES {
            sources.push(ssrc);
        }
    }
    sources
}

/// The feedback that a section has for any of its formats (RFC 4585 §4.2).
pub(super) fn feedback(section: &MediaSection<'_>) -> Feedback {
    let mut feedback = Feedback::default();
    for value in section.attributes(b"rtcp-fb") {
        let mut fields = value.split(|octet| *octet == b' ').filter(|field| !field.is_empty()).skip(1);
        match (fields.next(), fields.next()) {
            (Some(b"nack"), None) => feedback.nack = true,
            (Some(b"nack"), Some(b"pli")) => feedback.pli = true,
            (Some(b"ccm"), Some(b"fir")) => feedback.fir = true,
            (Some(b"goog-remb"), _) => feedback.remb = true,
            _ => {}
        }
    }
    feedback
}
