//! From received bytes to messages and control frames (RFC 6455 §5.4 to §5.6).

use core::fmt;
use std::borrow::Cow;

use crate::close::{self, CloseCode};
use crate::frame::{Header, Opcode, mask};

/// Which end of the connection we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We accepted: the peer masks, we do not (RFC 6455 §5.1).
    Server,
    /// We connected: we mask, the peer does not.
    Client,
}

/// The kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8, and checked to be.
    Text,
    /// Anything.
    Binary,
}

/// How the peer broke the protocol, and the code to close with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The code for the Close frame.
    pub code: CloseCode,
    /// What was wrong, for a person.
    pub reason: &'static str,
}

impl Violation {
    pub(crate) const fn protocol(reason: &'static str) -> Self {
        Self { code: CloseCode::PROTOCOL_ERROR, reason }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)
    }
}

impl core::error::Error for Violation {}

/// What the start of the lent bytes is.
#[derive(Debug, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// Part of a frame: nothing was used. Keep the bytes, and lend them again with those that follow.
    Incomplete {
        /// How many bytes the frame has at least, head included. Never allocate by it.
        wanted: usize,
    },
    /// One whole frame.
    Frame {
        /// How many of the lent bytes it was. Go on after them.
        length: usize,
        /// What it means.
        event: Event<'a>,
    },
}

/// What a frame means.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A whole message: in the lent bytes if it came in one frame, else put together.
    Message {
        /// Text or binary.
        kind: Kind,
        /// The payload, unmasked.
        payload: Cow<'a, [u8]>,
    },
    /// Part of a message; the rest is to come.
    Fragment,
    /// Answer with a Pong of the same payload.
    Ping(&'a [u8]),
    /// The answer to our Ping.
    Pong(&'a [u8]),
    /// The peer ends the connection. Answer with a Close of the same code unless we sent ours first; read
    /// nothing after it (RFC 6455 §5.5.1).
    Close {
        /// Its code, if it gave one.
        code: Option<CloseCode>,
        /// Its reason, often empty.
        reason: &'a str,
    },
}

/// Decodes one direction of one connection. It holds memory only between the fragments of a message.
#[derive(Debug)]
pub struct Decoder {
    fragments: Option<Box<Fragments>>,
    limit: u32,
    role: Role,
}

#[derive(Debug)]
struct Fragments {
    kind: Kind,
    bytes: Vec<u8>,
}

impl Decoder {
    /// The largest message by default, in bytes.
    pub const DEFAULT_LIMIT: u32 = 65_536;

    /// A decoder at our end `role` that refuses messages of more than `limit` bytes.
    #[must_use]
    pub const fn new(role: Role, limit: u32) -> Self {
        Self { fragments: None, limit, role }
    }

    /// Whether a fragmented message has begun and not ended.
    #[must_use]
    pub const fn is_within_message(&self) -> bool {
        self.fragments.is_some()
    }

    /// Decodes the frame at the start of `bytes`, and unmasks it there.
    ///
    /// # Errors
    /// How the peer broke the protocol. The connection is to be closed with that code; nothing more can be
    /// decoded.
    pub fn decode<'a>(&mut self, bytes: &'a mut [u8]) -> Result<Decoded<'a>, Violation> {
        let Some(header) = Header::parse(bytes)? else {
            return Ok(Decoded::Incomplete { wanted: bytes.len().saturating_add(1) });
        };
        self.check(&header)?;
        let payload = usize::try_from(header.payload).unwrap_or(usize::MAX);
        let length = header.length.saturating_add(payload);
        let Some(payload) = bytes.get_mut(header.length..length) else {
            return Ok(Decoded::Incomplete { wanted: length });
        };
        if let Some(key) = header.mask {
            mask(payload, key);
        }
        let event = match header.opcode {
            Opcode::Ping => Event::Ping(payload),
            Opcode::Pong => Event::Pong(payload),
            Opcode::Close => {
                let (code, reason) = close::parse(payload)?;
                Event::Close { code, reason }
            }
            Opcode::Text => self.begin(Kind::Text, header.last, payload)?,
            Opcode::Binary => self.begin(Kind::Binary, header.last, payload)?,
            Opcode::Continuation => self.go_on(header.last, payload)?,
        };
        Ok(Decoded::Frame { length, event })
    }

    /// What can be refused before the payload has come.
    fn check(&self, header: &Header) -> Result<(), Violation> {
        // RFC 6455 §5.1: a client masks every frame, a server none.
        match (self.role, header.mask) {
            (Role::Server, None) => return Err(Violation::protocol("a frame from a client without a mask")),
            (Role::Client, Some(_)) => return Err(Violation::protocol("a frame from a server with a mask")),
            _ => {}
        }
        // RFC 6455 §5.4: fragments of two messages are not interleaved.
        match (header.opcode, &self.fragments) {
            (Opcode::Continuation, None) => {
                return Err(Violation::protocol("a continuation of no message"));
            }
            (Opcode::Text | Opcode::Binary, Some(_)) => {
                return Err(Violation::protocol("a message within another message"));
            }
            _ => {}
        }
        if !header.opcode.is_control() {
            let so_far = self.fragments.as_ref().map_or(0, |fragments| fragments.bytes.len() as u64);
            if header.payload.saturating_add(so_far) > u64::from(self.limit) {
                return Err(Violation {
                    code: CloseCode::TOO_BIG,
                    reason: "a message longer than the limit",
                });
            }
        }
        Ok(())
    }

    fn begin<'a>(&mut self, kind: Kind, last: bool, payload: &'a [u8]) -> Result<Event<'a>, Violation> {
        if last {
            check_text(kind, payload)?;
            return Ok(Event::Message { kind, payload: Cow::Borrowed(payload) });
        }
        self.fragments = Some(Box::new(Fragments { kind, bytes: payload.to_vec() }));
        Ok(Event::Fragment)
    }

    fn go_on<'a>(&mut self, last: bool, payload: &[u8]) -> Result<Event<'a>, Violation> {
        let Some(mut fragments) = self.fragments.take() else {
            return Err(Violation::protocol("a continuation of no message"));
        };
        fragments.bytes.extend_from_slice(payload);
        if !last {
            self.fragments = Some(fragments);
            return Ok(Event::Fragment);
        }
        check_text(fragments.kind, &fragments.bytes)?;
        Ok(Event::Message { kind: fragments.kind, payload: Cow::Owned(fragments.bytes) })
    }
}

/// RFC 6455 §8.1: text that is not UTF-8 ends the connection.
fn check_text(kind: Kind, payload: &[u8]) -> Result<(), Violation> {
    if kind == Kind::Text && core::str::from_utf8(payload).is_err() {
        return Err(Violation { code: CloseCode::INVALID_DATA, reason: "text that is not UTF-8" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FrameHead;

    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    /// A frame as a client sends it.
    fn frame(opcode: Opcode, last: bool, payload: &[u8]) -> Vec<u8> {
        let mut bytes = FrameHead::fragment(opcode, last, payload.len(), Some(KEY)).to_vec();
        let start = bytes.len();
        bytes.extend_from_slice(payload);
        mask(&mut bytes[start..], KEY);
        bytes
    }

    fn server() -> Decoder {
        Decoder::new(Role::Server, Decoder::DEFAULT_LIMIT)
    }

    /// Decodes frames that stand one after another, and says what each meant.
    fn decode_all(decoder: &mut Decoder, mut bytes: Vec<u8>) -> Result<Vec<String>, CloseCode> {
        let mut events = Vec::new();
        let mut from = 0;
        while from < bytes.len() {
            match decoder.decode(&mut bytes[from..]).map_err(|violation| violation.code)? {
                Decoded::Incomplete { .. } => {
                    events.push("incomplete".into());
                    break;
                }
                Decoded::Frame { length, event } => {
                    from += length;
                    events.push(match event {
                        Event::Message { kind, payload } => {
                            format!("{kind:?} {}", String::from_utf8_lossy(&payload))
                        }
                        Event::Fragment => "fragment".into(),
                        Event::Ping(payload) => format!("ping {}", String::from_utf8_lossy(payload)),
                        Event::Pong(payload) => format!("pong {}", String::from_utf8_lossy(payload)),
                        Event::Close { code, reason } => {
                            format!("close {} {reason}", code.map_or(0, CloseCode::number))
                        }
                    });
                }
            }
        }
        Ok(events)
    }

    #[test]
    fn a_message_in_one_frame_is_unmasked_where_it_lies() {
        let mut bytes = frame(Opcode::Text, true, b"OPTIONS");
        let range = bytes.as_ptr_range();
        let mut decoder = server();
        let Ok(Decoded::Frame {
            length: 13,
            event: Event::Message { kind: Kind::Text, payload: Cow::Borrowed(payload) },
        }) = decoder.decode(&mut bytes)
        else {
            panic!("a whole text message was expected");
        };
        assert_eq!(payload, b"OPTIONS");
        assert!(range.contains(&payload.as_ptr()), "the payload was copied");
    }

    #[test]
    fn fragments_become_one_message_and_control_frames_may_stand_between_them() {
        let mut bytes = frame(Opcode::Text, false, b"MES");
        bytes.extend(frame(Opcode::Ping, true, b"there?"));
        bytes.extend(frame(Opcode::Continuation, false, b""));
        bytes.extend(frame(Opcode::Continuation, true, b"SAGE"));
        let mut decoder = server();
        assert_eq!(
            decode_all(&mut decoder, bytes).unwrap(),
            ["fragment", "ping there?", "fragment", "Text MESSAGE"]
        );
        assert!(!decoder.is_within_message(), "nothing is kept after the message");
    }

    #[test]
    fn a_frame_cut_anywhere_waits_for_its_rest() {
        let whole = frame(Opcode::Binary, true, &[7; 300]);
        for cut in 0..whole.len() {
            let mut part = whole[..cut].to_vec();
            let mut decoder = server();
            match decoder.decode(&mut part) {
                Ok(Decoded::Incomplete { wanted }) => {
                    assert!(wanted > cut && wanted <= whole.len(), "wants {wanted} after {cut}");
                }
                other => panic!("{other:?} after {cut} bytes"),
            }
            assert_eq!(part, whole[..cut], "an incomplete frame must stay as it came");
        }
    }

    #[test]
    fn two_frames_in_one_read_are_both_found() {
        let mut bytes = frame(Opcode::Pong, true, b"");
        bytes.extend(frame(Opcode::Close, true, b"\x03\xe8done"));
        assert_eq!(decode_all(&mut server(), bytes).unwrap(), ["pong ", "close 1000 done"]);
    }

    #[test]
    fn a_client_that_does_not_mask_breaks_the_protocol() {
        let bytes = b"\x81\x02hi".to_vec();
        assert_eq!(decode_all(&mut server(), bytes), Err(CloseCode::PROTOCOL_ERROR));
    }

    #[test]
    fn a_server_that_masks_breaks_the_protocol() {
        let bytes = frame(Opcode::Text, true, b"hi");
        assert_eq!(decode_all(&mut Decoder::new(Role::Client, 100), bytes), Err(CloseCode::PROTOCOL_ERROR));
    }

    #[test]
    fn a_giant_length_is_refused_by_its_head_alone() {
        let bytes = FrameHead::new(Opcode::Binary, 1 << 40, Some(KEY)).to_vec();
        assert_eq!(decode_all(&mut server(), bytes), Err(CloseCode::TOO_BIG));
    }

    #[test]
    fn fragments_count_together_against_the_limit() {
        let mut decoder = Decoder::new(Role::Server, 10);
        let mut bytes = frame(Opcode::Binary, false, b"12345678");
        bytes.extend(frame(Opcode::Continuation, true, b"90"));
        assert_eq!(decode_all(&mut decoder, bytes).unwrap(), ["fragment", "Binary 1234567890"]);
        let mut bytes = frame(Opcode::Binary, false, b"12345678");
        bytes.extend(frame(Opcode::Continuation, true, b"90x"));
        assert_eq!(decode_all(&mut decoder, bytes), Err(CloseCode::TOO_BIG));
    }

    #[test]
    fn messages_do_not_interleave() {
        let lonely = frame(Opcode::Continuation, true, b"x");
        assert_eq!(decode_all(&mut server(), lonely), Err(CloseCode::PROTOCOL_ERROR));
        let mut nested = frame(Opcode::Text, false, b"a");
        nested.extend(frame(Opcode::Text, true, b"b"));
        assert_eq!(decode_all(&mut server(), nested), Err(CloseCode::PROTOCOL_ERROR));
    }

    #[test]
    fn text_must_be_utf8_as_a_whole_and_may_be_cut_within_a_character() {
        assert_eq!(
            decode_all(&mut server(), frame(Opcode::Text, true, b"\xff")),
            Err(CloseCode::INVALID_DATA)
        );
        let mut cut = frame(Opcode::Text, false, b"\xc3");
        cut.extend(frame(Opcode::Continuation, true, b"\xb1"));
        assert_eq!(decode_all(&mut server(), cut).unwrap(), ["fragment", "Text ñ"]);
    }

    #[test]
    fn no_bytes_at_all_panic_the_decoder() {
        // A small generator in place of a fuzzer: every two-byte head, with a few tails.
        for first in 0..=255u8 {
            for second in 0..=255u8 {
                for tail in [0usize, 3, 9, 80] {
                    let mut bytes = vec![first, second];
                    bytes.resize(2 + tail, first ^ second);
                    let _ = server().decode(&mut bytes);
                }
            }
        }
    }
}
