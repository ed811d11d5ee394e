//! One frame's head, read and written, and the mask (RFC 6455 §5.2, §5.3).

use core::ops::Deref;

use crate::message::Violation;

/// What a frame carries (RFC 6455 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Opcode {
    /// More of a fragmented message.
    Continuation,
    /// The start of a text message.
    Text,
    /// The start of a binary message.
    Binary,
    /// The end of the connection.
    Close,
    /// A question whether the peer is there.
    Ping,
    /// The answer to it.
    Pong,
}

impl Opcode {
    /// The opcode for a whole SIP message: text if it is valid UTF-8, else binary (RFC 7118 §4.2).
    #[must_use]
    pub fn for_message(bytes: &[u8]) -> Self {
        if core::str::from_utf8(bytes).is_ok() { Self::Text } else { Self::Binary }
    }

    /// Whether this is a control frame (RFC 6455 §5.5).
    #[must_use]
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    const fn number(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }
}

/// The head of a received frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whether this is the last frame of its message.
    pub last: bool,
    /// What it carries.
    pub opcode: Opcode,
    /// The key that the payload is masked with.
    pub mask: Option<[u8; 4]>,
    /// How many bytes the head itself has.
    pub length: usize,
    /// How many bytes of payload are announced.
    pub payload: u64,
}

impl Header {
    /// Reads a frame's head from the start of `bytes`; `None` if more bytes are wanted.
    ///
    /// # Errors
    /// 1002 for reserved bits and opcodes, for control frames that are long or fragmented, and for a length
    /// that is not written in its shortest form (RFC 6455 §5.2, §5.5).
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, Violation> {
        let Some((&[first, second], rest)) = bytes.split_first_chunk::<2>() else {
            return Ok(None);
        };
        if first & 0x70 != 0 {
            return Err(Violation::protocol("a reserved bit without an extension"));
        }
        let opcode = Opcode::from_number(first & 0x0f).ok_or(Violation::protocol("a reserved opcode"))?;
        let last = first & 0x80 != 0;
        let short = second & 0x7f;
        if opcode.is_control() && (!last || short > 125) {
            return Err(Violation::protocol("a control frame that is fragmented or longer than 125 bytes"));
        }
        let Some((payload, rest)) = parse_length(short, rest)? else {
            return Ok(None);
        };
        let (mask, rest) = if second & 0x80 == 0 {
            (None, rest)
        } else {
            match rest.split_first_chunk::<4>() {
                Some((key, rest)) => (Some(*key), rest),
                None => return Ok(None),
            }
        };
        Ok(Some(Self { last, opcode, mask, length: bytes.len() - rest.len(), payload }))
    }
}

/// The payload's length, and what stands after it (RFC 6455 §5.2).
fn parse_length(short: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, Violation> {
    let (length, least, rest) = match short {
        126 => match rest.split_first_chunk::<2>() {
            Some((bytes, rest)) => (u64::from(u16::from_be_bytes(*bytes)), 126, rest),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk::<8>() {
            Some((bytes, rest)) => (u64::from_be_bytes(*bytes), 65_536, rest),
            None => return Ok(None),
        },
        short => (u64::from(short), 0, rest),
    };
    if length < least || length > u64::MAX / 2 {
        return Err(Violation::protocol("a length that is not in its shortest form"));
    }
    Ok(Some((length, rest)))
}

/// The head of a frame to send: up to 14 bytes, without the heap.
#[derive(Clone, Copy, Debug)]
pub struct FrameHead {
    bytes: [u8; 14],
    length: usize,
}

impl FrameHead {
    /// The head of a frame that is a whole message, or a control frame, with `payload` bytes.
    ///
    /// A client gives the key that it masks the payload with; a server gives none (RFC 6455 §5.1).
    #[must_use]
    pub fn new(opcode: Opcode, payload: usize, mask: Option<[u8; 4]>) -> Self {
        Self::fragment(opcode, true, payload, mask)
    }

    /// The head of a frame that may be part of a fragmented message (RFC 6455 §5.4).
    #[must_use]
    pub fn fragment(opcode: Opcode, last: bool, payload: usize, mask: Option<[u8; 4]>) -> Self {
        let mut head = Self { bytes: [0; 14], length: 0 };
        head.push(&[opcode.number() | if last { 0x80 } else { 0 }]);
        let masked = if mask.is_some() { 0x80 } else { 0 };
        match (u8::try_from(payload), u16::try_from(payload)) {
            (Ok(short @ 0..=125), _) => head.push(&[masked | short]),
            (_, Ok(medium)) => {
                head.push(&[masked | 126]);
                head.push(&medium.to_be_bytes());
            }
            _ => {
                head.push(&[masked | 127]);
                head.push(&(payload as u64).to_be_bytes());
            }
        }
        if let Some(key) = mask {
            head.push(&key);
        }
        head
    }

    fn push(&mut self, bytes: &[u8]) {
        for (to, from) in self.bytes.iter_mut().skip(self.length).zip(bytes) {
            *to = *from;
        }
        self.length += bytes.len();
    }
}

impl Deref for FrameHead {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// Masks or unmasks a payload in place (RFC 6455 §5.3).
pub fn mask(payload: &mut [u8], key: [u8; 4]) {
    let wide = u64::from_ne_bytes([key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3]]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CloseCode;

    #[test]
    fn the_examples_of_rfc_6455_section_5_7_are_read() {
        let hello = Header::parse(&[0x81, 0x05, 0x48]).unwrap().unwrap();
        assert_eq!(
            (hello.last, hello.opcode, hello.mask, hello.length, hello.payload),
            (true, Opcode::Text, None, 2, 5)
        );

        let mut masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        let header = Header::parse(&masked).unwrap().unwrap();
        assert_eq!((header.mask, header.length), (Some([0x37, 0xfa, 0x21, 0x3d]), 6));
        mask(&mut masked[6..], [0x37, 0xfa, 0x21, 0x3d]);
        assert_eq!(&masked[6..], b"Hello");

        assert_eq!(Header::parse(&[0x82, 0x7e, 0x01, 0x00]).unwrap().unwrap().payload, 256);
        assert_eq!(Header::parse(&[0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]).unwrap().unwrap().payload, 65_536);
    }

    #[test]
    fn a_head_that_is_written_is_read_back() {
        for payload in [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 33] {
            for key in [None, Some([1, 2, 3, 4])] {
                let head = FrameHead::new(Opcode::Binary, payload, key);
                let read = Header::parse(&head).unwrap().unwrap();
                assert_eq!((read.payload, read.mask, read.length), (payload as u64, key, head.len()));
                for cut in 0..head.len() {
                    assert_eq!(Header::parse(&head[..cut]), Ok(None), "{cut} of {} bytes", head.len());
                }
            }
        }
    }

    #[test]
    fn what_breaks_the_protocol_is_refused_with_1002() {
        let cases: [(&str, &[u8]); 8] = [
            ("RSV1", &[0xc1, 0x00]),
            ("RSV2", &[0xa1, 0x00]),
            ("RSV3", &[0x91, 0x00]),
            ("a reserved opcode", &[0x83, 0x00]),
            ("a fragmented ping", &[0x09, 0x00]),
            ("a ping of 126 bytes", &[0x89, 0x7e, 0x00, 0x7e]),
            ("a long form for a short length", &[0x82, 0x7e, 0x00, 0x7d]),
            ("the top bit of a length", &[0x82, 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        ];
        for (what, bytes) in cases {
            assert_eq!(Header::parse(bytes).unwrap_err().code, CloseCode::PROTOCOL_ERROR, "{what}");
        }
    }

    #[test]
    fn a_mask_holds_for_every_length() {
        let key = [0xde, 0xad, 0xbe, 0xef];
        for length in 0..40usize {
            let plain: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let mut bytes = plain.clone();
            mask(&mut bytes, key);
            for (position, byte) in bytes.iter().enumerate() {
                assert_eq!(*byte, plain[position] ^ key[position % 4], "byte {position} of {length}");
            }
        }
    }

    #[test]
    fn a_sip_message_goes_as_text_if_it_is_text_and_else_as_binary() {
        assert_eq!(Opcode::for_message("OPTIONS sip:ñ@h SIP/2.0\r\n".as_bytes()), Opcode::Text);
        assert_eq!(Opcode::for_message(b"MESSAGE sip:a@h SIP/2.0\r\n\r\n\xff\xfe"), Opcode::Binary);
    }
}
