//! Close codes and the payload of a Close frame (RFC 6455 §5.5.1, §7.4).

use crate::message::Violation;

/// Why a WebSocket ends (RFC 6455 §7.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// The purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// The endpoint goes away: a server stops, a page is left.
    pub const GOING_AWAY: Self = Self(1001);
    /// The peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// A kind of data that the endpoint cannot accept.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// Data that does not fit its type, such as text that is not UTF-8.
    pub const INVALID_DATA: Self = Self(1007);
    /// A message that breaks the endpoint's policy.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// A message too big to process.
    pub const TOO_BIG: Self = Self(1009);
    /// An unexpected condition at the server.
    pub const INTERNAL_ERROR: Self = Self(1011);

    /// The code with that number, if an endpoint may send it (RFC 6455 §7.4.1, §7.4.2). 1012 to 1014 are
    /// registered since; 1004 to 1006 and 1015 never appear on the wire.
    #[must_use]
    pub const fn new(number: u16) -> Option<Self> {
        match number {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(number)),
            _ => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }
}

/// Reads the payload of a Close frame: nothing, or a code and a reason in UTF-8.
///
/// # Errors
/// 1002 for half a code or a code that may not be sent, 1007 for a reason that is not UTF-8.
pub fn parse(payload: &[u8]) -> Result<(Option<CloseCode>, &str), Violation> {
    let Some((number, reason)) = payload.split_first_chunk::<2>() else {
        if payload.is_empty() {
            return Ok((None, ""));
        }
        return Err(Violation::protocol("a Close frame with half a code"));
    };
    let code = CloseCode::new(u16::from_be_bytes(*number))
        .ok_or(Violation::protocol("a close code that may not be sent"))?;
    let reason = core::str::from_utf8(reason).map_err(|_| Violation {
        code: CloseCode::INVALID_DATA,
        reason: "a close reason that is not UTF-8",
    })?;
    Ok((Some(code), reason))
}

/// Writes the payload of a Close frame after `out`. The reason is cut to the 123 bytes that fit.
pub fn write(out: &mut Vec<u8>, code: CloseCode, reason: &str) {
    out.extend_from_slice(&code.number().to_be_bytes());
    let mut end = reason.len().min(123);
    while !reason.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    out.extend_from_slice(reason.get(..end).unwrap_or_default().as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_frame_may_be_empty_or_carry_a_code_and_a_reason() {
        assert_eq!(parse(b""), Ok((None, "")));
        assert_eq!(parse(b"\x03\xe8"), Ok((Some(CloseCode::NORMAL), "")));
        assert_eq!(parse(b"\x03\xe9bye"), Ok((Some(CloseCode::GOING_AWAY), "bye")));
    }

    #[test]
    fn half_a_code_and_forbidden_codes_break_the_protocol() {
        for payload in
            [&b"\x03"[..], b"\x03\xe7", b"\x03\xec", b"\x03\xed", b"\x03\xee", b"\x03\xf7", b"\x0b\xb7"]
        {
            assert_eq!(
                parse(payload).unwrap_err().code,
                CloseCode::PROTOCOL_ERROR,
                "close payload {payload:x?} must be refused"
            );
        }
    }

    #[test]
    fn a_reason_must_be_text() {
        assert_eq!(parse(b"\x03\xe8\xff").unwrap_err().code, CloseCode::INVALID_DATA);
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let mut payload = Vec::new();
        write(&mut payload, CloseCode::NORMAL, &"é".repeat(100));
        assert!(payload.len() <= 125, "a control frame carries at most 125 bytes");
        assert_eq!(parse(&payload).unwrap().1, "é".repeat(61));
    }
}
