//! What a phone's section says of its transport: addresses (RFC 8866 §5.7, RFC 3605, RFC 5761) and keys
//! (RFC 4568).

use super::formats::number;
use super::sdes::{self, Crypto};
use crate::{Cause, Negotiated, PhoneSecurity, SdesKey};
use sdp::{MediaSection, Profile};
use std::net::{IpAddr, SocketAddr};

/// A phone's end of one stream, as it wrote it.
#[derive(Clone, Debug)]
pub(super) struct PhoneEnd {
    /// RTP and RTCP addresses. `None` when the address is a name, zero, or one that no phone has.
    pub(super) addresses: Option<(SocketAddr, SocketAddr)>,
    /// The address is zero: the way of RFC 2543 to hold a call (RFC 3264 §8.4).
    pub(super) zero_address: bool,
    /// It wrote `a=rtcp-mux`.
    pub(super) mux: bool,
    pub(super) keys: Vec<Crypto>,
}

pub(super) fn read(section: &MediaSection<'_>) -> PhoneEnd {
    const MOST_KEYS: usize = 16;
    let address = section.connection().and_then(address);
    let port = section.port().unwrap_or(0);
    let mux = section.attribute(b"rtcp-mux").is_some();
    let addresses =
        address.filter(|address| !address.is_unspecified() && !address.is_multicast() && port != 0);
    let addresses = addresses.map(|address| {
        let rtp = SocketAddr::new(address, port);
        (rtp, rtcp(section, rtp))
    });
    PhoneEnd {
        addresses,
        zero_address: address.is_some_and(|address| address.is_unspecified()),
        mux,
        keys: section.attributes(b"crypto").filter_map(sdes::read).take(MOST_KEYS).collect(),
    }
}

fn address(connection: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(connection).ok()?;
    let mut fields = text.split_ascii_whitespace();
    let (network, _family, address) = (fields.next()?, fields.next()?, fields.next()?);
    // A time to live after a slash belongs to multicast, but some phones write it always.
    let address = || address.split('/').next()?.parse().ok();
    // An IPv4 address in the clothes of IPv6 is reached over IPv4.
    (network == "IN").then(address)?.map(|address: IpAddr| address.to_canonical())
}

/// `a=rtcp:53020 [IN IP4 126.16.64.4]` (RFC 3605 §2.1), else the next port (RFC 3550 §11).
fn rtcp(section: &MediaSection<'_>, rtp: SocketAddr) -> SocketAddr {
    let next = SocketAddr::new(rtp.ip(), rtp.port().saturating_add(1));
    let Some(value) = section.attribute(b"rtcp") else { return next };
    let value = value.trim_ascii();
    let space = value.iter().position(|octet| *octet == b' ').unwrap_or(value.len());
    let Some(port) = value.get(..space).and_then(number::<u16>).filter(|port| *port != 0) else {
        return next;
    };
    let host =
        value.get(space..).and_then(address).filter(|host| !host.is_unspecified() && !host.is_multicast());
    SocketAddr::new(host.unwrap_or(rtp.ip()), port)
}

fn ours(security: &PhoneSecurity) -> &[SdesKey] {
    match security {
        PhoneSecurity::Plain => &[],
        PhoneSecurity::Sdes(keys) | PhoneSecurity::Opportunistic(keys) | PhoneSecurity::Accepting(keys) => {
            keys
        }
    }
}

/// The protection with which a phone's offer is answered, and the tag of the `a=crypto` line that is taken.
pub(super) fn answer(
    profile: Profile,
    end: &PhoneEnd,
    security: &PhoneSecurity,
) -> Result<(Negotiated, u32), Cause> {
    // Ours is the order of preference: some pairs of suites are mute between some peers, and only the
    // configuration can know.
    let common = ours(security).iter().find_map(|ours| {
        let theirs = end.keys.iter().find(|theirs| theirs.key.suite == ours.suite)?;
        Some((Negotiated::Sdes { ours: ours.clone(), theirs: theirs.key.clone() }, theirs.tag))
    });
    match profile {
        // Keys that were readable on their way protect nothing.
        Profile::Sdes if *security == PhoneSecurity::Plain => Err(Cause::SdpKeysInClear),
        Profile::Sdes => common.ok_or(Cause::SdpNoCommonSuite),
        // RFC 8643: keys on a plain profile are an invitation, not a demand.
        _ => Ok(common.unwrap_or((Negotiated::Plain, 0))),
    }
}

/// The protection on which a phone's answer to our offer settles.
pub(super) fn agreed(
    profile: Profile,
    end: &PhoneEnd,
    security: &PhoneSecurity,
) -> Result<Negotiated, Cause> {
    let chosen = end.keys.iter().find_map(|theirs| {
        let ours = ours(security)
            .iter()
            .zip(1..)
            .find(|(key, tag)| key.suite == theirs.key.suite && *tag == theirs.tag);
        // Some phones answer under a tag of their own.
        let ours = ours
            .map(|(key, _)| key)
            .or_else(|| self::ours(security).iter().find(|key| key.suite == theirs.key.suite));
        Some(Negotiated::Sdes { ours: ours?.clone(), theirs: theirs.key.clone() })
    });
    match (security, profile) {
        (PhoneSecurity::Sdes(_), Profile::Sdes) => chosen.ok_or(Cause::SdpNoCommonSuite),
        (PhoneSecurity::Opportunistic(_), Profile::Plain) => Ok(chosen.unwrap_or(Negotiated::Plain)),
        (PhoneSecurity::Plain | PhoneSecurity::Accepting(_), Profile::Plain) => Ok(Negotiated::Plain),
        // RFC 3264 §6: an answer of another profile than its offer would be accepted and mute.
        _ => Err(mismatch(protocol(security), profile)),
    }
}

/// The profile that our offers write.
pub(super) const fn protocol(security: &PhoneSecurity) -> &'static str {
    match security {
        PhoneSecurity::Plain | PhoneSecurity::Opportunistic(_) | PhoneSecurity::Accepting(_) => "RTP/AVP",
        PhoneSecurity::Sdes(_) => "RTP/SAVP",
    }
}

fn mismatch(needed: &str, profile: Profile) -> Cause {
    let found = match profile {
        Profile::Plain => "RTP/AVP",
        Profile::Sdes => "RTP/SAVP",
        Profile::Dtls => "UDP/TLS/RTP/SAVPF",
        Profile::Other => "something that is not RTP",
    };
    Cause::SdpProfileMismatch { needed: needed.to_owned(), found: found.to_owned() }
}

/// Whether a phone may speak this profile to us at all.
pub(super) fn speakable(profile: Profile) -> Result<(), Cause> {
    match profile {
        Profile::Plain | Profile::Sdes => Ok(()),
        other => Err(mismatch("RTP/AVP or RTP/SAVP", other)),
    }
}
