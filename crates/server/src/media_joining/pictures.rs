//! A phone without feedback in RTCP asks for a whole picture in the dialog (RFC 5168): the page is told, and so is the
//! gateway, which asks the browser in its own way.

use sip::{HeaderName, Message, Method};

/// Whether this request asks for a whole picture (RFC 5168 §5: `picture_fast_update` in an INFO).
pub(super) fn is_asked_for(request: &Message) -> bool {
    if request.method() != Some(Method::Info) {
        return false;
    }
    let kind = request.header(HeaderName::ContentType).unwrap_or_default();
    let kind = kind.split(|octet| *octet == b';').next().unwrap_or_default();
    let wanted = b"picture_fast_update";
    kind.trim_ascii().eq_ignore_ascii_case(b"application/media_control+xml")
        && request.body().windows(wanted.len()).any(|part| part == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, kind: &str, body: &str) -> Message {
        let text = format!(
            "{method} sip:a@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:x@example.com>;tag=b\r\n\
             To: <sip:y@example.com>;tag=a\r\nCall-ID: one\r\nCSeq: 2 {method}\r\nContent-Type: {kind}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Message::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn only_an_info_with_the_very_command_asks_for_a_picture() {
        let body = "<media_control><vc_primitive><to_encoder><picture_fast_update/></to_encoder></vc_primitive></media_control>";
        assert!(is_asked_for(&request("INFO", "application/media_control+xml", body)));
        assert!(is_asked_for(&request("INFO", "Application/Media_Control+XML; charset=utf-8", body)));
        assert!(!is_asked_for(&request("MESSAGE", "application/media_control+xml", body)));
        assert!(!is_asked_for(&request("INFO", "text/plain", body)));
        assert!(!is_asked_for(&request("INFO", "application/media_control+xml", "<media_control/>")));
    }
}
