//! As much of RTP and RTCP as protection needs to know.

/// The fixed header of RTP (RFC 3550 §5.1).
const RTP_HEADER: usize = 12;
/// What of an RTCP packet stays readable: its header and its sender (RFC 3711 §3.4).
pub(crate) const RTCP_HEADER: usize = 8;

/// What the header of an RTP packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) sequence: u16,
    pub(crate) ssrc: u32,
    /// Its length: contributing sources and the extension belong to it, and stay readable (RFC 3711 §3.1).
    pub(crate) length: usize,
}

impl Header {
    /// Reads the header of an RTP packet; `None` when it is none.
    pub(crate) fn parse(packet: &[u8]) -> Option<Self> {
        let (&[first, _, s0, s1, _, _, _, _, i0, i1, i2, i3], rest) =
            packet.split_first_chunk::<RTP_HEADER>()?;
        if first >> 6 != 2 {
            return None;
        }
        let sources = usize::from(first & 0x0f).checked_mul(4)?;
        let mut length = RTP_HEADER.checked_add(sources)?;
        let after = rest.get(sources..)?;
        if first & 0x10 != 0 {
            let (&[_, _, l0, l1], extension) = after.split_first_chunk::<4>()?;
            let words = usize::from(u16::from_be_bytes([l0, l1]));
            let octets = words.checked_mul(4)?;
            extension.get(..octets)?;
            length = length.checked_add(4)?.checked_add(octets)?;
        }
        Some(Self {
            sequence: u16::from_be_bytes([s0, s1]),
            ssrc: u32::from_be_bytes([i0, i1, i2, i3]),
            length,
        })
    }
}

/// The sender of an RTCP packet; `None` when it is no RTCP.
pub(crate) fn control_ssrc(packet: &[u8]) -> Option<u32> {
    let (&[first, _, _, _, i0, i1, i2, i3], _) = packet.split_first_chunk::<RTCP_HEADER>()?;
    (first >> 6 == 2).then_some(u32::from_be_bytes([i0, i1, i2, i3]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contributing_sources_and_an_extension_belong_to_the_header() {
        let mut packet = vec![0x92, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 9];
        packet.extend_from_slice(&[0; 8]);
        packet.extend_from_slice(&[0xbe, 0xde, 0, 1, 1, 2, 3, 4]);
        packet.extend_from_slice(b"sound");
        assert_eq!(Header::parse(&packet), Some(Header { sequence: 7, ssrc: 9, length: 28 }));
        for cut in 0..28 {
            assert_eq!(Header::parse(&packet[..cut]), None, "{cut} octets");
        }
    }

    #[test]
    fn another_version_is_no_packet() {
        assert_eq!(Header::parse(&[0x40; 20]), None);
        assert_eq!(control_ssrc(&[0x40; 20]), None);
    }
}
