//! What is asked of rtpengine, as typed values, and the flags that each needs.
//!
//! A call is known to rtpengine by its Call-ID and the tags of both sides; a branch of a forked INVITE by the branch
//! of our Via on top. Without that, two phones that ring together would share one leg. An offer of the called party
//! inside the call has the tags swapped: the one who writes is `from`.

use crate::bencode::Value;

/// What speaks on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// WebRTC: ICE, DTLS-SRTP, one port for RTP and RTCP.
    Browser,
    /// RTP in clear.
    Phone,
    /// RTP with keys in the description (RFC 4568).
    SecurePhone,
    /// A phone that talks to another: profile, keys and formats stay what the two make of them.
    Alike,
}

/// Which call, and which branch of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Leg {
    /// The Call-ID.
    pub call_id: Vec<u8>,
    /// The tag of the one who wrote the offer; the caller's for the end of a call; empty where it is of no matter.
    pub from_tag: Vec<u8>,
    /// The tag of the other side, once it is known.
    pub to_tag: Option<Vec<u8>>,
    /// The branch, for the first offer of an INVITE, its answers, and its end.
    pub via_branch: Option<Vec<u8>>,
}

/// A description that is to be translated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Whose.
    pub leg: Leg,
    /// Who wrote it.
    pub writer: Peer,
    /// Who will read what comes of it.
    pub reader: Peer,
    /// The description.
    pub sdp: Vec<u8>,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Are you there?
    Ping,
    /// A leg for the reader of this offer, and a first one for its writer.
    Offer(Description),
    /// The answer to it.
    Answer(Description),
    /// The call or, with a branch, that branch is over.
    Delete(Leg),
    /// What has passed so far?
    Query(Leg),
}

/// Attributes of the origin and the session that would tell one side of the other. The version is rtpengine's, so
/// that it counts what each side saw (RFC 3264 §8).
const REPLACE: [&str; 5] = ["origin", "session-connection", "username", "session-name", "SDP-version"];
/// Formats that a browser offers and a phone has no use for: packets that repair others.
const FOR_BROWSERS_ONLY: [&str; 5] = ["red", "ulpfec", "flexfec-03", "rtx", "AV1"];
/// The suites that phones have. Others are left out by name: on AEAD_AES_256_GCM baresip and rtpengine agree, and
/// hear nothing.
const ONLY_SUITES: [&str; 2] = ["only-AES_CM_128_HMAC_SHA1_80", "only-AES_CM_128_HMAC_SHA1_32"];

type Entries<'a> = Vec<(&'a [u8], Value<'a>)>;

impl Command {
    /// Its name, as rtpengine knows it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Offer(_) => "offer",
            Self::Answer(_) => "answer",
            Self::Delete(_) => "delete",
            Self::Query(_) => "query",
        }
    }

    /// Which call it is about; a ping is about none.
    #[must_use]
    pub const fn leg(&self) -> Option<&Leg> {
        match self {
            Self::Ping => None,
            Self::Offer(description) | Self::Answer(description) => Some(&description.leg),
            Self::Delete(leg) | Self::Query(leg) => Some(leg),
        }
    }

    /// The message, without its cookie.
    #[must_use]
    pub fn value(&self) -> Value<'_> {
        let mut entries: Entries<'_> = vec![(b"command", self.name().into())];
        if let Some(leg) = self.leg() {
            write_leg(leg, &mut entries);
        }
        match self {
            Self::Offer(description) => {
                entries.push((b"sdp", Value::Octets(&description.sdp)));
                // A node that is full says so instead of refusing: another one takes the call.
                entries.push((b"supports", strings(&["load limit"])));
                write_offer(description, &mut entries);
            }
            Self::Answer(description) => {
                entries.push((b"sdp", Value::Octets(&description.sdp)));
                write_answer(description, &mut entries);
            }
            // The ports are free at once: who is still sending is not to be heard by the next call, for rtpengine
            // takes the ports in turn.
            Self::Delete(_) => entries.push((b"delete delay", Value::Integer(0))),
            Self::Query(_) | Self::Ping => {}
        }
        Value::Dictionary(entries)
    }
}

fn strings<'a>(texts: &[&'a str]) -> Value<'a> {
    Value::List(texts.iter().map(|text| Value::from(*text)).collect())
}

fn write_leg<'a>(leg: &'a Leg, entries: &mut Entries<'a>) {
    entries.push((b"call-id", Value::Octets(&leg.call_id)));
    // Without one a question is about the whole call.
    if !leg.from_tag.is_empty() {
        entries.push((b"from-tag", Value::Octets(&leg.from_tag)));
    }
    if let Some(tag) = &leg.to_tag {
        entries.push((b"to-tag", Value::Octets(tag)));
    }
    if let Some(branch) = &leg.via_branch {
        entries.push((b"via-branch", Value::Octets(branch)));
    }
}

fn write_offer<'a>(description: &'a Description, entries: &mut Entries<'a>) {
    let (from_browser, to_browser) =
        (description.writer == Peer::Browser, description.reader == Peer::Browser);
    if let Some(protocol) = protocol(description.reader) {
        entries.push((b"transport-protocol", protocol.into()));
    }
    // ICE-lite: rtpengine has the address that others are told, and checks nobody. Above all not the caller's
    // browser, which may be talking to another browser at that time, when a page and a phone ring together.
    match (from_browser, to_browser) {
        (true, true) => entries.push((b"ICE-lite", "both".into())),
        (true, false) => entries.push((b"ICE-lite", "backward".into())),
        (false, true) => entries.push((b"ICE-lite", "forward".into())),
        (false, false) => {}
    }
    if from_browser {
        // Likewise no handshake before the branch has won: the browser begins it.
        entries.push((b"DTLS-reverse", "passive".into()));
    }
    if to_browser {
        entries.push((b"rtcp-mux", strings(&["offer", "require"])));
        entries.push((b"SDES", strings(&["off"])));
    } else if description.reader != Peer::Alike {
        entries.push((b"DTLS", "off".into()));
        entries.push((b"rtcp-mux", strings(&["demux"])));
        let secured = description.reader == Peer::SecurePhone;
        entries.push((b"SDES", if secured { strings(&ONLY_SUITES) } else { strings(&["off"]) }));
        if from_browser {
            entries.push((b"codec", Value::Dictionary(vec![(b"strip", strings(&FOR_BROWSERS_ONLY))])));
        }
    }
    write_common(description, entries);
}

fn write_answer<'a>(description: &'a Description, entries: &mut Entries<'a>) {
    if description.reader == Peer::Browser {
        entries.push((b"rtcp-mux", strings(&["accept"])));
    }
    write_common(description, entries);
}

fn write_common<'a>(description: &'a Description, entries: &mut Entries<'a>) {
    let mut flags = Vec::new();
    if description.reader == Peer::Browser {
        entries.push((b"ICE", "force".into()));
        flags.extend(["generate-mid", "no-rtcp-attribute"]);
    } else {
        entries.push((b"ICE", "remove".into()));
        if description.reader != Peer::Alike {
            flags.push("strip-extmap");
        }
    }
    if description.writer != Peer::Browser {
        // Once the phone was heard, nobody else is. A browser is told by ICE and DTLS.
        flags.push("strict-source");
    }
    entries.push((b"flags", strings(&flags)));
    entries.push((b"replace", strings(&REPLACE)));
}

/// The profile that its reader must have; `None` where it stays as it was written.
const fn protocol(reader: Peer) -> Option<&'static str> {
    match reader {
        Peer::Browser => Some("UDP/TLS/RTP/SAVPF"),
        Peer::Phone => Some("RTP/AVP"),
        Peer::SecurePhone => Some("RTP/SAVP"),
        Peer::Alike => None,
    }
}
