//! The opening handshake as a client sees it (RFC 6455 §4.1, RFC 7118 §4.1), for tests and tools.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::handshake::{MAX_FIELDS, MAX_HEAD, accept_for};

/// Writes a request for a SIP WebSocket after `out`. `nonce` is 16 random bytes, fresh for each connection.
pub fn write_request(out: &mut Vec<u8>, host: &str, target: &str, origin: Option<&str>, nonce: [u8; 16]) {
    let key = STANDARD.encode(nonce);
    for part in
        ["GET ", target, " HTTP/1.1\r\nHost: ", host, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"]
    {
        out.extend_from_slice(part.as_bytes());
    }
    for part in
        ["Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\nSec-WebSocket-Key: ", &key, "\r\n"]
    {
        out.extend_from_slice(part.as_bytes());
    }
    if let Some(origin) = origin {
        for part in ["Origin: ", origin, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// Why the server's answer is no WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnswerError {
    /// Not an HTTP response, or one without an end.
    Malformed,
    /// Another status code than 101.
    Refused(u16),
    /// Upgrade, Connection, or Sec-WebSocket-Accept is missing or wrong.
    NotOurs,
    /// The server did not agree on `sip` (RFC 7118 §4.1), or agreed on an extension that was not offered.
    NotSip,
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not an HTTP response",
            Self::Refused(_) => "the server refused the WebSocket",
            Self::NotOurs => "the response does not belong to our request",
            Self::NotSip => "the server did not agree on the sip protocol",
        })
    }
}

impl core::error::Error for AnswerError {}

/// Checks the answer at the start of `bytes`, and says how many bytes its head was; `None` if more are wanted.
///
/// # Errors
/// [`AnswerError`]: the connection is to be closed.
pub fn check_response(bytes: &[u8], nonce: [u8; 16]) -> Result<Option<usize>, AnswerError> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    let length = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD => return Ok(None),
        _ => return Err(AnswerError::Malformed),
    };
    match response.code {
        Some(101) => {}
        Some(status) => return Err(AnswerError::Refused(status)),
        None => return Err(AnswerError::Malformed),
    }
    let field = |name: &str| {
        response.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    };
    let has = |name: &str, token: &str| {
        field(name).is_some_and(|value| value.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
    };
    let accept = accept_for(STANDARD.encode(nonce).as_bytes());
    if !has("Upgrade", "websocket")
        || !has("Connection", "upgrade")
        || field("Sec-WebSocket-Accept") != Some(accept.as_bytes())
    {
        return Err(AnswerError::NotOurs);
    }
    if field("Sec-WebSocket-Protocol") != Some(b"sip") || field("Sec-WebSocket-Extensions").is_some() {
        return Err(AnswerError::NotSip);
    }
    Ok(Some(length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Head, Request, Upgrade};

    const NONCE: [u8; 16] = *b"the sample nonce";

    /// What our server answers to our client.
    fn answer() -> String {
        let mut request = Vec::new();
        write_request(&mut request, "example.com", "/sip", Some("https://example.com"), NONCE);
        let Ok(Head::Complete { request, .. }) = Request::parse(&request) else {
            panic!("the server cannot read the client's request");
        };
        let mut response = Vec::new();
        Upgrade::check(&request).unwrap().write_response(&mut response);
        String::from_utf8(response).unwrap()
    }

    #[test]
    fn client_and_server_agree() {
        let answer = answer();
        assert_eq!(check_response(answer.as_bytes(), NONCE), Ok(Some(answer.len())));
        for cut in 0..answer.len() {
            assert_eq!(check_response(&answer.as_bytes()[..cut], NONCE), Ok(None), "{cut} bytes");
        }
    }

    #[test]
    fn a_foreign_or_refusing_answer_is_recognised() {
        let answer = answer();
        let check = |text: &str| check_response(text.as_bytes(), NONCE).unwrap_err();
        assert_eq!(check("HTTP/1.1 403 Forbidden\r\n\r\n"), AnswerError::Refused(403));
        assert_eq!(check("SIP/2.0 200 OK\r\n\r\n"), AnswerError::Malformed);
        assert_eq!(check_response(answer.as_bytes(), [0; 16]), Err(AnswerError::NotOurs));
        assert_eq!(check(&answer.replace("Protocol: sip", "Protocol: chat")), AnswerError::NotSip);
        assert_eq!(check(&answer.replace("Upgrade: websocket", "Upgrade: h2c")), AnswerError::NotOurs);
    }
}
