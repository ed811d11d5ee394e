//! One media section: an `m=` line and the lines that belong to it (RFC 8866 §5.14).

use crate::{Description, Direction, Line};

/// How media of a section is carried: the transport protocol of its `m=` line, as far as it matters to a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// `RTP/AVP` or `RTP/AVPF`: in clear.
    Plain,
    /// `RTP/SAVP` or `RTP/SAVPF`: keys in the description (RFC 4568).
    Sdes,
    /// `UDP/TLS/RTP/SAVP` or `..SAVPF`: keys by DTLS (RFC 5764).
    Dtls,
    /// Anything else: data channels, MSRP, T.38.
    Other,
}

impl Profile {
    /// The profile that the protocol field of an `m=` line names.
    #[must_use]
    pub fn from_protocol(protocol: &[u8]) -> Self {
        match protocol {
            b"RTP/AVP" | b"RTP/AVPF" => Self::Plain,
            b"RTP/SAVP" | b"RTP/SAVPF" => Self::Sdes,
            b"UDP/TLS/RTP/SAVP" | b"UDP/TLS/RTP/SAVPF" | b"TCP/TLS/RTP/SAVP" | b"TCP/TLS/RTP/SAVPF" => {
                Self::Dtls
            }
            _ => Self::Other,
        }
    }
}

/// A view of one media section.
#[derive(Clone, Copy, Debug)]
pub struct MediaSection<'a> {
    description: &'a Description,
    first: usize,
    end: usize,
}

impl<'a> MediaSection<'a> {
    pub(crate) const fn new(description: &'a Description, first: usize, end: usize) -> Self {
        Self { description, first, end }
    }

    /// The lines of this section, its `m=` line first.
    pub fn lines(&self) -> impl Iterator<Item = Line<'a>> + use<'a> {
        let description = self.description;
        (self.first..self.end).filter_map(|index| description.line(index))
    }

    fn fields(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let value = self.description.line(self.first).map_or(&b""[..], |line| line.value);
        value.split(|octet| *octet == b' ').filter(|field| !field.is_empty())
    }

    /// The kind of media: `audio`, `video`, `application`...
    #[must_use]
    pub fn kind(&self) -> &'a [u8] {
        self.fields().next().unwrap_or_default()
    }

    /// The port; 0 means that the section is refused (RFC 3264 §6). A port count after `/` is left out.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        let field = self.fields().nth(1)?;
        let digits = field.split(|octet| *octet == b'/').next()?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    }

    /// The transport protocol as written, `RTP/AVP` for instance.
    #[must_use]
    pub fn protocol(&self) -> &'a [u8] {
        self.fields().nth(2).unwrap_or_default()
    }

    /// The profile of the transport protocol.
    #[must_use]
    pub fn profile(&self) -> Profile {
        Profile::from_protocol(self.protocol())
    }

    /// The formats (RTP payload types) in their order of preference.
    pub fn formats(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.fields().skip(3)
    }

    /// The value of the first attribute of this name in the section.
    #[must_use]
    pub fn attribute(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.lines()
            .filter_map(|line| line.attribute())
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value)
    }

    /// The values of all attributes of this name in the section.
    pub fn attributes<'n>(&self, name: &'n [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        let attributes = self.lines().filter_map(|line| line.attribute());
        attributes.filter(move |(found, _)| *found == name).map(|(_, value)| value)
    }

    /// The value of an attribute of the section, else of the session part.
    #[must_use]
    pub fn inherited_attribute(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.attribute(name).or_else(|| self.description.attribute(name))
    }

    /// The values of all attributes of this name in the section; if it has none, of those in the session part.
    #[must_use]
    pub fn inherited_attributes(&self, name: &[u8]) -> Vec<&'a [u8]> {
        let named = |line: Line<'a>| line.attribute().filter(|(found, _)| *found == name);
        let own: Vec<_> = self.lines().filter_map(named).map(|(_, value)| value).collect();
        if !own.is_empty() {
            return own;
        }
        self.description.session_lines().filter_map(named).map(|(_, value)| value).collect()
    }

    /// The connection data (`c=`) of the section, else of the session part (RFC 8866 §5.7).
    #[must_use]
    pub fn connection(&self) -> Option<&'a [u8]> {
        let own = self.lines().find(|line| line.letter == b'c');
        own.or_else(|| self.description.session_lines().find(|line| line.letter == b'c'))
            .map(|line| line.value)
    }

    /// The direction: the section's own, else the session's, else both ways (RFC 8866 §6.7).
    #[must_use]
    pub fn direction(&self) -> Direction {
        let of = |line: Line<'_>| line.attribute().and_then(|(name, _)| Direction::from_name(name));
        self.lines()
            .find_map(of)
            .or_else(|| self.description.session_lines().find_map(of))
            .unwrap_or_default()
    }
}
