//! What a datagram on a socket for browsers is (RFC 7983 §7), and what its STUN attributes say.

/// The kinds of datagrams that share a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// ICE.
    Stun,
    /// The handshake.
    Dtls,
    /// SRTP and SRTCP.
    Media,
    /// Nothing that we know.
    Other,
}

/// By the first octet.
pub(crate) fn class(bytes: &[u8]) -> Class {
    match bytes.first() {
        Some(0..=3) => Class::Stun,
        Some(20..=63) => Class::Dtls,
        Some(128..=191) => Class::Media,
        _ => Class::Other,
    }
}

/// A binding request, as far as it says for whom it is. Whether it is authentic is checked later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BindingRequest<'b> {
    /// Our user fragment: the part of the user name before the colon.
    pub(crate) fragment: &'b str,
    /// The sender chose this pair (RFC 8445 §8.1.1).
    pub(crate) nominates: bool,
    /// Chosen anew for every request.
    pub(crate) transaction: [u8; 12],
}

impl<'b> BindingRequest<'b> {
    /// Reads one (RFC 8489 §5, §14.3); `None` when it is none or names nobody.
    pub(crate) fn parse(bytes: &'b [u8]) -> Option<Self> {
        const USERNAME: u16 = 0x0006;
        const MESSAGE_INTEGRITY: u16 = 0x0008;
        const USE_CANDIDATE: u16 = 0x0025;
        let (head, attributes) = bytes.split_first_chunk::<20>()?;
        if !head.starts_with(&[0x00, 0x01]) || head.get(4..8) != Some(&[0x21, 0x12, 0xa4, 0x42]) {
            return None;
        }
        let transaction = *head.last_chunk::<12>()?;
        let mut fragment = None;
        let mut nominates = false;
        let mut rest = attributes;
        while let Some((&[t0, t1, l0, l1], after)) = rest.split_first_chunk::<4>() {
            let length = usize::from(u16::from_be_bytes([l0, l1]));
            let value = after.get(..length)?;
            match u16::from_be_bytes([t0, t1]) {
                USERNAME => fragment = std::str::from_utf8(value).ok()?.split(':').next(),
                USE_CANDIDATE => nominates = true,
                // What follows is not authentic (RFC 8489 §14.5).
                MESSAGE_INTEGRITY => break,
                _ => {}
            }
            rest = after.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        Some(Self { fragment: fragment?, nominates, transaction })
    }
}

/// Whether this is the success response to a binding request: what is sent to a pair that proved itself.
pub(crate) fn is_binding_success(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x01, 0x01])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(attributes: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x00, 0x01, 0x00, 0x00, 0x21, 0x12, 0xa4, 0x42];
        bytes.extend_from_slice(&[7; 12]);
        bytes.extend_from_slice(attributes);
        bytes
    }

    #[test]
    fn a_check_says_for_whom_it_is_and_whether_it_nominates() {
        let check = BindingRequest { fragment: "abcd", nominates: true, transaction: [7; 12] };
        let other = BindingRequest { nominates: false, ..check };
        let bytes = request(b"\x00\x06\x00\x07abcd:xy\x00\x00\x25\x00\x00");
        assert_eq!(BindingRequest::parse(&bytes), Some(check));
        let bytes = request(b"\x00\x06\x00\x08abcd:xyz");
        assert_eq!(BindingRequest::parse(&bytes), Some(other));
        let bytes = request(b"\x00\x06\x00\x04abcd\x00\x08\x00\x00\x00\x25\x00\x00");
        assert_eq!(
            BindingRequest::parse(&bytes),
            Some(other),
            "what stands behind the integrity says nothing"
        );
    }

    #[test]
    fn what_names_nobody_or_is_cut_off_is_no_check() {
        assert_eq!(BindingRequest::parse(&request(b"")), None);
        assert_eq!(BindingRequest::parse(&request(b"\x00\x06\xff\xffab")), None);
        assert_eq!(BindingRequest::parse(&request(b"\x00\x06\x00\x02\xff\xfe\x00\x00")), None);
        let bytes = request(b"\x00\x06\x00\x04abcd");
        for cut in 0..20 {
            assert_eq!(BindingRequest::parse(&bytes[..cut]), None);
        }
    }

    #[test]
    fn the_first_octet_says_what_it_is() {
        for (first, expected) in [
            (0, Class::Stun),
            (22, Class::Dtls),
            (128, Class::Media),
            (64, Class::Other),
            (255, Class::Other),
        ] {
            assert_eq!(class(&[first, 0]), expected, "{first}");
        }
        assert_eq!(class(&[]), Class::Other);
    }
}
