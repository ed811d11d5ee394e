//! Our descriptions: what goes to the browser and what goes to the phone.

use super::leg::{Leg, Slot};
use super::text::{Text, connection};
use super::{phone_end, retransmission, sdes};
use crate::{
    BrowserTransport, Codec, DtlsRole, Feedback, Format, IceTransport, Kind, Negotiated, PhoneSecurity,
    PhoneTransport, RetransmissionFormat,
};
use sdp::Direction;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A live section of a description of ours.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub(super) kind: Kind,
    /// Its place on the leg that is written to.
    pub(super) slot: usize,
    pub(super) formats: Vec<Format>,
    pub(super) direction: Direction,
    pub(super) packet_time: Option<u16>,
    pub(super) bandwidth: Option<u32>,
    pub(super) feedback: Feedback,
    pub(super) reduced_size: bool,
    pub(super) ssrc: u32,
    /// Toward a browser alone.
    pub(super) retransmissions: Vec<RetransmissionFormat>,
    pub(super) retransmission_ssrc: u32,
}

/// How our end of a phone's section is written.
#[derive(Clone, Debug)]
pub(super) enum Keys {
    /// In an offer: everything that we can do, and muxing if the phone has taken to it.
    Offer { mux: bool },
    /// In an answer: what was taken of the phone's offer, under its tag; and whether it offered to mux.
    Answer { security: Negotiated, tag: u32, mux: bool },
}

/// Writes a description for the browser. `role` is `None` in our offers: the answer chooses (RFC 8842 §5.2).
/// `places`: so many of its places are spoken of, in an answer those of its offer.
pub(super) fn for_browser(
    leg: &mut Leg,
    live: &[Live],
    places: usize,
    bundle: &[usize],
    transport: &BrowserTransport,
    role: Option<DtlsRole>,
    name: &str,
) -> Vec<u8> {
    let first = transport.candidates.first().map(|candidate| candidate.address);
    let first = first.unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 9));
    let mut text = Text::default();
    text.line('s', "-");
    text.line('t', "0 0");
    let mut group = b"BUNDLE".to_vec();
    for mid in bundle.iter().filter_map(|slot| leg.slots.get(*slot)?.mid.as_deref()) {
        group.push(b' ');
        group.extend_from_slice(mid);
    }
    if group.contains(&b' ') {
        text.attribute("group", group);
    }
    text.line('a', "ice-lite");
    for (index, slot) in leg.slots.iter().enumerate().take(places) {
        let Some(live) = live.iter().find(|live| live.slot == index) else {
            refused(&mut text, slot, "UDP/TLS/RTP/SAVPF");
            if let Some(mid) = &slot.mid {
                text.attribute("mid", mid);
            }
            text.line('a', "inactive");
            continue;
        };
        media_line(&mut text, slot, first.port(), "UDP/TLS/RTP/SAVPF", live);
        text.line('c', connection(first.ip()));
        bandwidth(&mut text, live);
        if let Some(mid) = &slot.mid {
            text.attribute("mid", mid);
        }
        ice_and_dtls(&mut text, transport, role);
        formats(&mut text, live);
        feedback(&mut text, live);
        text.line('a', live.direction.name());
        source(&mut text, live, name);
    }
    for (index, slot) in leg.slots.iter_mut().enumerate() {
        slot.dead = !live.iter().any(|live| live.slot == index);
    }
    leg.origin.describe(first.ip(), text)
}

fn ice_and_dtls(text: &mut Text, transport: &BrowserTransport, role: Option<DtlsRole>) {
    text.attribute("ice-ufrag", &transport.ufrag);
    text.attribute("ice-pwd", &transport.password);
    text.attribute("fingerprint", &transport.fingerprint);
    let setup = match role {
        None => "actpass",
        Some(DtlsRole::Client) => "active",
        Some(DtlsRole::Server) => "passive",
    };
    text.attribute("setup", setup);
    text.line('a', "rtcp-mux");
    for (index, candidate) in (0u32..).zip(&transport.candidates) {
        // RFC 8445 §5.1.2.1: a host candidate, each with a local preference of its own. RFC 6544 §4.2: what goes over
        // TCP comes after all that goes over UDP.
        let (protocol, preference, role) = match candidate.transport {
            IceTransport::Udp => ("udp", 126, ""),
            IceTransport::Tcp => ("tcp", 90, " tcptype passive"),
        };
        let priority = (preference << 24) + (65_535u32.saturating_sub(index) << 8) + 255;
        let (foundation, ip, port) = (index + 1, candidate.address.ip(), candidate.address.port());
        text.attribute(
            "candidate",
            format!("{foundation} 1 {protocol} {priority} {ip} {port} typ host{role}"),
        );
    }
    text.line('a', "end-of-candidates");
}

fn source(text: &mut Text, live: &Live, name: &str) {
    let track = match live.kind {
        Kind::Audio => "audio",
        Kind::Video => "video",
    };
    text.attribute("msid", format!("{name} {name}-{track}"));
    let (ssrc, other) = (live.ssrc, live.retransmission_ssrc);
    if live.retransmissions.is_empty() {
        return text.attribute("ssrc", format!("{ssrc} cname:{name}"));
    }
    text.attribute("ssrc-group", format!("FID {ssrc} {other}"));
    text.attribute("ssrc", format!("{ssrc} cname:{name}"));
    text.attribute("ssrc", format!("{other} cname:{name}"));
}

/// Writes a description for the phone. `places` as above.
pub(super) fn for_phone(
    leg: &mut Leg,
    live: &[(Live, PhoneTransport, Keys)],
    places: usize,
    address: IpAddr,
) -> Vec<u8> {
    let mut text = Text::default();
    text.line('s', "-");
    text.line('c', connection(address));
    text.line('t', "0 0");
    for (index, slot) in leg.slots.iter().enumerate().take(places) {
        let Some((live, transport, keys)) = live.iter().find(|(live, ..)| live.slot == index) else {
            refused(&mut text, slot, "RTP/AVP");
            continue;
        };
        let protocol = phone_end::protocol(&transport.security);
        media_line(&mut text, slot, transport.rtp_port, protocol, live);
        if transport.address != address {
            text.line('c', connection(transport.address));
        }
        bandwidth(&mut text, live);
        formats(&mut text, live);
        feedback_for_all(&mut text, live);
        text.line('a', live.direction.name());
        phone_keys(&mut text, transport, keys);
    }
    leg.origin.describe(address, text)
}

fn phone_keys(text: &mut Text, transport: &PhoneTransport, keys: &Keys) {
    let (Keys::Offer { mux } | Keys::Answer { mux, .. }) = keys;
    if *mux {
        text.line('a', "rtcp-mux");
    }
    match (keys, &transport.security) {
        (Keys::Offer { .. }, PhoneSecurity::Sdes(keys) | PhoneSecurity::Opportunistic(keys)) => {
            for (tag, key) in (1..).zip(keys) {
                text.attribute("crypto", sdes::write(tag, key));
            }
        }
        (Keys::Answer { security: Negotiated::Sdes { ours, .. }, tag, .. }, _) => {
            text.attribute("crypto", sdes::write(*tag, ours));
        }
        _ => {}
    }
}

/// `protocol` is written where the slot has none of its own.
fn media_line(text: &mut Text, slot: &Slot, port: u16, protocol: &str, live: &Live) {
    let mut line = slot.media.clone();
    line.extend_from_slice(format!(" {port} ").as_bytes());
    line.extend_from_slice(if slot.protocol.is_empty() { protocol.as_bytes() } else { &slot.protocol });
    let formats = live.formats.iter().map(|format| format.payload_type);
    for number in formats.chain(live.retransmissions.iter().map(|format| format.payload_type)) {
        line.extend_from_slice(format!(" {number}").as_bytes());
    }
    text.line('m', line);
}

/// A section that is refused, or gone: in its place, with port 0 (RFC 3264 §6, §8.2).
fn refused(text: &mut Text, slot: &Slot, protocol: &str) {
    let mut line = slot.media.clone();
    line.extend_from_slice(b" 0 ");
    line.extend_from_slice(if slot.protocol.is_empty() { protocol.as_bytes() } else { &slot.protocol });
    line.push(b' ');
    line.extend_from_slice(if slot.format_text.is_empty() { b"0" } else { &slot.format_text });
    text.line('m', line);
}

fn bandwidth(text: &mut Text, live: &Live) {
    if let (Kind::Video, Some(kilobits)) = (live.kind, live.bandwidth) {
        text.line('b', format!("AS:{kilobits}"));
    }
}

fn formats(text: &mut Text, live: &Live) {
    for format in &live.formats {
        let Format { payload_type, codec, clock, .. } = format;
        let channels = if *codec == Codec::Opus { "/2" } else { "" };
        text.attribute("rtpmap", format!("{payload_type} {}/{clock}{channels}", codec.name()));
        if !format.parameters.is_empty() {
            let mut line = format!("{payload_type} ").into_bytes();
            line.extend_from_slice(&format.parameters);
            text.attribute("fmtp", line);
        }
    }
    retransmission::write(text, &live.retransmissions);
    if let Some(packet_time) = live.packet_time {
        text.attribute("ptime", packet_time.to_string());
    }
}

/// The feedback of a section, by the words of `a=rtcp-fb` (RFC 4585 §4.2, RFC 5104 §7.1).
fn kinds(live: &Live) -> impl Iterator<Item = &'static str> {
    let Feedback { nack, pli, fir, remb } = live.feedback;
    let kinds = [(nack, "nack"), (pli, "nack pli"), (fir, "ccm fir"), (remb, "goog-remb")];
    let video = live.kind == Kind::Video;
    kinds.into_iter().filter(move |(wanted, _)| *wanted && video).map(|(_, kind)| kind)
}

/// For all formats in one line: an INVITE to a phone must fit into one packet.
fn feedback_for_all(text: &mut Text, live: &Live) {
    for kind in kinds(live) {
        text.attribute("rtcp-fb", format!("* {kind}"));
    }
}

fn feedback(text: &mut Text, live: &Live) {
    for format in &live.formats {
        for kind in kinds(live) {
            text.attribute("rtcp-fb", format!("{} {kind}", format.payload_type));
        }
    }
    if live.kind == Kind::Video && live.reduced_size {
        text.line('a', "rtcp-rsize");
    }
}
