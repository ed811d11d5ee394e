//! One media section as a side wrote it, read once.

use super::{Side, browser_end, formats, phone_end, retransmission};
use crate::{Cause, Feedback, Format, Kind, RemoteBrowser, RetransmissionFormat};
use sdp::{Description, DescriptionError, Direction, MediaSection, Profile};

/// The most sections of a description that is converted.
const MOST_SECTIONS: usize = 32;

/// The most formats that a refusal repeats.
const MOST_REPEATED: usize = 16;

/// A description as a side wrote it.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) sections: Vec<Section>,
    /// The `a=mid` values of the first BUNDLE group, in its order (RFC 9143 §7.1).
    pub(super) bundle: Vec<Vec<u8>>,
}

/// One section.
#[derive(Clone, Debug)]
pub(super) struct Section {
    /// The first field of `m=`.
    pub(super) media: Vec<u8>,
    pub(super) kind: Option<Kind>,
    pub(super) protocol: Vec<u8>,
    pub(super) profile: Profile,
    /// The formats as written, for a refusal to repeat.
    pub(super) format_text: Vec<u8>,
    /// Neither refused nor withdrawn.
    pub(super) live: bool,
    pub(super) mid: Option<Vec<u8>>,
    pub(super) formats: Vec<Format>,
    pub(super) names: Vec<String>,
    pub(super) direction: Direction,
    pub(super) packet_time: Option<u16>,
    /// In kilobits a second.
    pub(super) bandwidth: Option<u32>,
    pub(super) feedback: Feedback,
    pub(super) reduced_size: bool,
    pub(super) sources: Vec<u32>,
    pub(super) retransmissions: Vec<RetransmissionFormat>,
    /// Sources, each with the one of its retransmissions.
    pub(super) repaired: Vec<(u32, u32)>,
    pub(super) browser: Result<RemoteBrowser, Cause>,
    pub(super) phone: phone_end::PhoneEnd,
}

impl Written {
    /// Reads what `side` wrote.
    pub(super) fn read(text: &[u8], side: Side) -> Result<Self, Cause> {
        let description = Description::parse(text).map_err(Cause::SdpMalformed)?;
        let ice_lite = description.attribute(b"ice-lite").is_some();
        let bundle =
            description.session_lines().filter_map(|line| line.attribute()).find_map(|(name, value)| {
                let members = value.strip_prefix(b"BUNDLE ").filter(|_| name == b"group")?;
                let members = members.split(|octet| *octet == b' ').filter(|mid| !mid.is_empty());
                Some(members.take(MOST_SECTIONS).map(<[u8]>::to_vec).collect())
            });
        let mut sections: Vec<Section> = Vec::new();
        for section in description.media() {
            if sections.len() == MOST_SECTIONS {
                return Err(Cause::SdpMalformed(DescriptionError::TooLong));
            }
            sections.push(Section::read(&section, side, ice_lite));
        }
        Ok(Self { sections, bundle: bundle.unwrap_or_default() })
    }

    /// The browser's end for a section: its own, else that of the section which stands for its BUNDLE group
    /// (RFC 9143 §7.1.1: the others need not repeat it).
    pub(super) fn browser_of(&self, section: &Section) -> Result<RemoteBrowser, Cause> {
        let bundled = section.mid.as_ref().is_some_and(|mid| self.bundle.contains(mid));
        let group = self.bundle.iter().filter(|_| bundled);
        let mut group =
            group.filter_map(|mid| self.sections.iter().find(|other| other.mid.as_ref() == Some(mid)));
        let shared = group.find_map(|other| other.browser.as_ref().ok());
        match (&section.browser, shared) {
            (Ok(own), _) => Ok(own.clone()),
            (Err(_), Some(shared)) => Ok(shared.clone()),
            (Err(cause), None) => Err(cause.clone()),
        }
    }

    /// Whether two sections share one transport.
    pub(super) fn together(&self, one: &Section, other: &Section) -> bool {
        let in_group = |section: &Section| section.mid.as_ref().is_some_and(|mid| self.bundle.contains(mid));
        in_group(one) && in_group(other)
    }
}

impl Section {
    fn read(section: &MediaSection<'_>, side: Side, ice_lite: bool) -> Self {
        let port = section.port();
        // RFC 9143 §6: port 0 with this attribute is an offer to share another section's port.
        let bundle_only = side == Side::Browser && section.attribute(b"bundle-only").is_some();
        let phone = phone_end::read(section);
        let mut direction = section.direction();
        if side == Side::Phone && phone.zero_address {
            // RFC 3264 §8.4: the old way to ask for silence.
            direction = Direction::of(direction.sends(), false);
        }
        Self {
            media: section.kind().to_vec(),
            kind: match section.kind() {
                b"audio" => Some(Kind::Audio),
                b"video" => Some(Kind::Video),
                _ => None,
            },
            protocol: section.protocol().to_vec(),
            profile: section.profile(),
            format_text: section.formats().take(MOST_REPEATED).collect::<Vec<_>>().join(&b' '),
            live: port.is_some_and(|port| port != 0) || (port == Some(0) && bundle_only),
            mid: section.attribute(b"mid").map(|mid| mid.trim_ascii().to_vec()),
            formats: formats::read(section),
            names: formats::names(section),
            direction,
            packet_time: section
                .attribute(b"ptime")
                .and_then(formats::number)
                .filter(|time| (1..=200).contains(time)),
            bandwidth: bandwidth(section),
            feedback: browser_end::feedback(section),
            reduced_size: section.attribute(b"rtcp-rsize").is_some(),
            sources: browser_end::sources(section),
            retransmissions: retransmission::read(section),
            repaired: browser_end::repaired(section),
            browser: browser_end::read(section, ice_lite),
            phone,
        }
    }
}

/// `b=AS` in kilobits, `b=TIAS` in bits a second (RFC 8866 §5.8, RFC 3890).
fn bandwidth(section: &MediaSection<'_>) -> Option<u32> {
    let value = |prefix: &[u8]| {
        let mut lines = section.lines().filter(|line| line.letter == b'b');
        lines.find_map(|line| formats::number::<u32>(line.value.strip_prefix(prefix)?))
    };
    value(b"AS:").or_else(|| value(b"TIAS:").map(|bits| bits.div_ceil(1000))).filter(|kilobits| *kilobits > 0)
}
