//! Descriptions that pass between two phones whose media goes through us: only where the media goes is rewritten.
//!
//! Formats, keys, directions and all else stay as they were written, known to us or not: the two agree on them by
//! themselves. ICE is taken out, for its candidates would lead past us, and so is BUNDLE, for each section has ports
//! of its own here. A section that does not travel over UDP stays as it is, and passes us by.

use super::formats;
use super::phone_end;
use super::text::connection;
use crate::Cause;
use sdp::{Description, DescriptionError, Direction, MediaSection, Profile};
use std::net::{IpAddr, SocketAddr};

/// The most sections of a description that is rewritten.
const MOST_SECTIONS: usize = 32;
/// The most formats of a section that are known by number.
const MOST_FORMATS: usize = 64;
/// What would lead the media past us.
const PAST_US: [&[u8]; 11] = [
    b"candidate",
    b"remote-candidates",
    b"end-of-candidates",
    b"ice-ufrag",
    b"ice-pwd",
    b"ice-options",
    b"ice-lite",
    b"ice-mismatch",
    b"ice-pacing",
    b"alt",
    b"altc",
];

/// What the datagrams of a section are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    /// RTP and RTCP, in clear or protected; with DTLS beside it where that makes the keys.
    Rtp,
    /// Something else over UDP: fax (T.38).
    Datagrams,
}

/// A live section whose media goes through us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AnchoredSection {
    pub(crate) carried: Carried,
    pub(crate) is_sound: bool,
    /// Where its writer wants RTP and RTCP; `None` when that is no address of a phone, or 0.0.0.0.
    pub(crate) addresses: Option<(SocketAddr, SocketAddr)>,
    pub(crate) mux: bool,
    pub(crate) direction: Direction,
    /// The payload types with their clocks, in hertz.
    pub(crate) clocks: Vec<(u8, u32)>,
    /// The first codec, if we know its name.
    pub(crate) codec: Option<&'static str>,
}

/// A description on its way from one phone to another.
#[derive(Clone, Debug)]
pub(crate) struct Anchored {
    description: Description,
    /// `None` for one that is refused, or passes us by.
    pub(crate) sections: Vec<Option<AnchoredSection>>,
}

impl Anchored {
    /// Reads what a phone wrote.
    pub(crate) fn read(text: &[u8]) -> Result<Self, Cause> {
        let description = Description::parse(text).map_err(Cause::SdpMalformed)?;
        if description.media().nth(MOST_SECTIONS).is_some() {
            return Err(Cause::SdpMalformed(DescriptionError::TooLong));
        }
        let sections = description.media().map(|section| AnchoredSection::read(&section)).collect();
        Ok(Self { description, sections })
    }

    /// The description with our address and these ports, one for each section; a section of ours without a port is
    /// refused.
    pub(crate) fn write(mut self, address: IpAddr, ports: &[Option<u16>]) -> Vec<u8> {
        let ours = connection(address).into_bytes();
        let session = self.session_connection();
        for index in (0..self.description.len()).rev() {
            self.rewrite_line(index, &ours, session, ports);
        }
        let mut written = Vec::new();
        self.description.write(&mut written);
        written
    }

    /// The description as it was written: nothing in it goes through us.
    pub(crate) fn as_it_is(&self) -> Vec<u8> {
        let mut written = Vec::new();
        self.description.write(&mut written);
        written
    }

    /// What becomes of the session's `c=`.
    fn session_connection(&self) -> Session {
        let mut lines = self.description.session_lines();
        let Some(line) = lines.find(|line| line.letter == b'c') else { return Session::Missing };
        let past_us = |(section, ours): (MediaSection<'_>, &Option<AnchoredSection>)| {
            ours.is_none() && section.port() != Some(0) && !section.lines().any(|line| line.letter == b'c')
        };
        if is_hold(line.value) {
            Session::Ours
        } else if self.description.media().zip(&self.sections).any(past_us) {
            Session::Theirs
        } else {
            Session::Ours
        }
    }

    /// Rewrites one line; those after it are done already.
    fn rewrite_line(&mut self, index: usize, ours: &[u8], session: Session, ports: &[Option<u16>]) {
        let Some(line) = self.description.line(index) else { return };
        let (letter, value) = (line.letter, line.value.to_vec());
        let name = line.attribute().map(|(name, _)| name.to_vec());
        // The section in which the line stands: how many begin before it.
        let begun =
            (0..=index).filter(|at| self.description.line(*at).is_some_and(|line| line.letter == b'm'));
        let section = begun.count().checked_sub(1);
        let carried = section.is_some_and(|section| self.sections.get(section).is_some_and(Option::is_some));
        let port = section.and_then(|section| ports.get(section).copied().flatten());
        match (letter, name.as_deref()) {
            (b'c', _) if is_hold(&value) => {}
            (b'c', _) if carried || section.is_none() && session == Session::Ours => {
                self.description.replace(index, b'c', ours);
            }
            (b'm', _) if carried => {
                self.description.replace(index, b'm', &with_port(&value, port.unwrap_or(0)));
                if session != Session::Ours && port.is_some() && !self.has_connection(index) {
                    let after = self.description.line(index + 1);
                    let after =
                        if after.is_some_and(|line| line.letter == b'i') { index + 2 } else { index + 1 };
                    self.description.insert(after, b'c', ours);
                }
            }
            (b'a', Some(b"rtcp")) if carried => {
                let control = port.unwrap_or(0).saturating_add(1);
                self.description.replace(index, b'a', format!("rtcp:{control}").as_bytes());
            }
            (b'a', Some(b"group")) if value.starts_with(b"group:BUNDLE") => self.description.remove(index),
            (b'a', Some(name)) if PAST_US.contains(&name) => self.description.remove(index),
            _ => {}
        }
    }

    /// Whether the section that begins here has a `c=` of its own.
    fn has_connection(&self, index: usize) -> bool {
        (index + 1..self.description.len())
            .map_while(|at| self.description.line(at))
            .take_while(|line| line.letter != b'm')
            .any(|line| line.letter == b'c')
    }
}

/// What becomes of the `c=` that holds for sections without their own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Session {
    /// It is ours, or holds the call.
    Ours,
    /// It stays, for a section needs it that passes us by.
    Theirs,
    /// There is none.
    Missing,
}

impl AnchoredSection {
    fn read(section: &MediaSection<'_>) -> Option<Self> {
        if section.port().is_none_or(|port| port == 0) {
            return None;
        }
        let carried = match section.profile() {
            Profile::Plain | Profile::Sdes => Carried::Rtp,
            Profile::Dtls if section.protocol().starts_with(b"UDP/") => Carried::Rtp,
            _ if section.protocol().eq_ignore_ascii_case(b"udptl") => Carried::Datagrams,
            _ => return None,
        };
        let end = phone_end::read(section);
        let is_sound = section.kind() == b"audio";
        let known = formats::read(section);
        Some(Self {
            carried,
            is_sound,
            addresses: end.addresses,
            mux: end.mux,
            direction: section.direction(),
            clocks: clocks(section, if is_sound { 8000 } else { 90_000 }),
            codec: known.iter().find(|format| format.codec.is_media()).map(|format| format.codec.name()),
        })
    }

    /// The clock of a payload type.
    pub(crate) fn clock(&self, payload_type: u8) -> Option<u32> {
        self.clocks.iter().find(|(known, _)| *known == payload_type).map(|(_, clock)| *clock)
    }
}

/// The payload types of a section, with what its `a=rtpmap` says of their clocks.
fn clocks(section: &MediaSection<'_>, usual: u32) -> Vec<(u8, u32)> {
    let numbers = section.formats().filter_map(formats::number::<u8>).take(MOST_FORMATS);
    let clock = |payload_type: u8| {
        section.attributes(b"rtpmap").find_map(|value| {
            let space = value.iter().position(|octet| *octet == b' ')?;
            let (number, rest) = value.split_at_checked(space)?;
            let named = formats::number::<u8>(number)? == payload_type;
            named.then(|| rest.split(|octet| *octet == b'/').nth(1).and_then(formats::number::<u32>))?
        })
    };
    numbers.map(|number| (number, clock(number).filter(|clock| *clock > 0).unwrap_or(usual))).collect()
}

/// Whether a `c=` asks for silence in the way of RFC 2543 (RFC 3264 §8.4).
fn is_hold(connection: &[u8]) -> bool {
    connection.ends_with(b" 0.0.0.0") || connection.ends_with(b" ::")
}

/// The value of an `m=` line with another port.
fn with_port(media: &[u8], port: u16) -> Vec<u8> {
    let mut fields = media.splitn(3, |octet| *octet == b' ');
    let (kind, _, rest) = (fields.next(), fields.next(), fields.next());
    let port = port.to_string();
    [kind.unwrap_or_default(), port.as_bytes(), rest.unwrap_or_default()].join(&b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(text: &str, ports: &[Option<u16>]) -> String {
        let anchored = Anchored::read(text.as_bytes()).unwrap();
        String::from_utf8(anchored.write("198.51.100.1".parse().unwrap(), ports)).unwrap()
    }

    const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 192.168.1.2\r\ns=call\r\nc=IN IP4 192.168.1.2\r\nt=0 0\r\n";

    #[test]
    fn address_and_ports_are_ours_and_all_else_stays_as_it_was_written() {
        let text = format!(
            "{HEAD}m=audio 4000 RTP/SAVP 0 97 101\r\na=rtcp:4009 IN IP4 10.0.0.1\r\na=rtpmap:97 SILK/16000\r\n\
             a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc\r\na=x-private:7\r\na=sendonly\r\n"
        );
        let expected = text
            .replace("c=IN IP4 192.168.1.2", "c=IN IP4 198.51.100.1")
            .replace("m=audio 4000", "m=audio 30000")
            .replace("rtcp:4009 IN IP4 10.0.0.1", "rtcp:30001");
        assert_eq!(rewritten(&text, &[Some(30_000)]), expected);
    }

    #[test]
    fn nothing_is_left_that_would_lead_past_us() {
        let text = format!(
            "{HEAD}a=group:BUNDLE 0 1\r\na=ice-ufrag:x\r\nm=audio 4000 RTP/AVP 0\r\na=mid:0\r\na=ice-pwd:y\r\n\
             a=candidate:1 1 UDP 1 192.168.1.2 4000 typ host\r\nm=video 4002 RTP/AVP 96\r\nc=IN IP4 192.168.1.2\r\n"
        );
        let written = rewritten(&text, &[Some(30_000), Some(30_004)]);
        let media =
            "m=audio 30000 RTP/AVP 0\r\na=mid:0\r\nm=video 30004 RTP/AVP 96\r\nc=IN IP4 198.51.100.1\r\n";
        assert!(written.ends_with(&format!("t=0 0\r\n{media}")), "{written}");
        assert_eq!(written.matches("192.168.1.2").count(), 1, "the origin: {written}");
    }

    #[test]
    fn a_hold_by_the_address_stays_one() {
        let text = HEAD.replace("c=IN IP4 192.168.1.2", "c=IN IP4 0.0.0.0") + "m=audio 4000 RTP/AVP 0\r\n";
        let written = rewritten(&text, &[Some(30_000)]);
        assert_eq!(written, text.replace("4000", "30000"));
    }

    #[test]
    fn what_does_not_travel_over_udp_keeps_its_address() {
        let text =
            format!("{HEAD}m=audio 4000 RTP/AVP 0\r\nm=message 2855 TCP/MSRP *\r\na=path:msrp://x\r\n");
        let written = rewritten(&text, &[Some(30_000), None]);
        assert!(written.contains(
            "c=IN IP4 192.168.1.2\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0\r\nc=IN IP4 198.51.100.1\r\n"
        ));
        assert!(written.contains("m=message 2855 TCP/MSRP *"), "{written}");
    }

    #[test]
    fn a_section_without_ports_is_refused_and_a_refused_one_stays_so() {
        let text =
            format!("{HEAD}m=audio 4000 RTP/AVP 0\r\nm=video 4002 RTP/AVP 96\r\nm=image 0 udptl t38\r\n");
        let written = rewritten(&text, &[Some(30_000), None, None]);
        assert!(
            written.ends_with("m=audio 30000 RTP/AVP 0\r\nm=video 0 RTP/AVP 96\r\nm=image 0 udptl t38\r\n")
        );
    }

    #[test]
    fn clocks_are_those_of_the_map_or_the_usual_ones() {
        let text = format!("{HEAD}m=audio 4000 RTP/AVP 0 97\r\na=rtpmap:97 SILK/16000\r\n");
        let anchored = Anchored::read(text.as_bytes()).unwrap();
        let section = anchored.sections[0].as_ref().unwrap();
        assert_eq!([0, 97, 98].map(|number| section.clock(number)), [Some(8000), Some(16_000), None]);
    }
}
