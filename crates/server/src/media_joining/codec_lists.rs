//! What both sides have, for those whose descriptions do not go together.

use media::Cause;
use sdp::Description;
use sip::{HeaderName, Message, Method};

/// Whether somebody refused an INVITE for its description (RFC 3261 §21.4.26, §21.6.4), without a word of ours.
pub(super) fn refuses_description(response: &Message) -> bool {
    matches!(response.status(), Some(488 | 606))
        && response.cseq().is_ok_and(|cseq| cseq.method == Method::Invite)
        && !response.values(HeaderName::Warning).any(|value| value.starts_with(b"399 sipweb"))
}

/// Why: what was offered, and what the one who refused has, if its refusal says so (RFC 3261 §13.3.1.3) and that is
/// nothing of it. Otherwise it was refused for something else.
pub(super) fn no_common_codec(response: &Message, offered: &[String], by_phone: bool) -> Option<Cause> {
    let has = codecs(response.body());
    let same = |one: &String| offered.iter().any(|other| other.eq_ignore_ascii_case(one));
    if has.is_empty() || has.iter().any(same) {
        return None;
    }
    let (browser, phone) = if by_phone { (offered.to_vec(), has) } else { (has, offered.to_vec()) };
    Some(Cause::SdpNoCommonCodec { browser, phone })
}

/// The codecs of a description by name; none where there is no description.
pub(super) fn codecs(description: &[u8]) -> Vec<String> {
    let Ok(description) = Description::parse(description) else { return Vec::new() };
    let mut names: Vec<String> = Vec::new();
    for section in description.media().filter(|section| section.port() != Some(0)) {
        for mapping in section.attributes(b"rtpmap") {
            let name = mapping.split(|octet| *octet == b' ').nth(1).unwrap_or_default();
            let name = name.split(|octet| *octet == b'/').next().unwrap_or_default();
            let name = String::from_utf8_lossy(name.get(..16).unwrap_or(name)).into_owned();
            let is_codec = !["telephone-event", "CN", ""].contains(&name.as_str());
            if is_codec && !names.contains(&name) && names.len() < 16 {
                names.push(name);
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
                         m=audio 4000 RTP/AVP 18 101\r\na=rtpmap:18 G729/8000\r\n\
                         a=rtpmap:101 telephone-event/8000\r\n";

    fn refused(more: &str, body: &str) -> Message {
        let text = format!(
            "SIP/2.0 488 Not Acceptable Here\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nCSeq: 1 INVITE\r\n{more}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Message::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_phone_that_refuses_the_description_is_explained_with_both_lists() {
        let response = refused("", PHONE);
        assert!(refuses_description(&response));
        let cause = no_common_codec(&response, &["opus".to_owned(), "PCMU".to_owned()], true).unwrap();
        assert_eq!(
            cause.to_string(),
            "the browser and the phone have no codec in common: the browser has opus, PCMU, the phone has G729"
        );
    }

    #[test]
    fn a_refusal_for_something_else_is_not_explained_by_codecs() {
        let offered = ["PCMU".to_owned()];
        assert_eq!(no_common_codec(&refused("", ""), &offered, true), None, "it does not say what it has");
        let body = PHONE.replace("G729", "pcmu");
        assert_eq!(no_common_codec(&refused("", &body), &offered, true), None, "it has what was offered");
    }

    #[test]
    fn a_refusal_that_says_why_is_not_explained_twice() {
        assert!(!refuses_description(&refused("Warning: 399 sipweb \"SDP-GLARE: both\"\r\n", "")));
    }

    #[test]
    fn what_a_stranger_writes_into_a_list_is_bounded() {
        let formats: String =
            (0..99).map(|number| format!("a=rtpmap:{number} {}{number}/8000\r\n", "x".repeat(99))).collect();
        let names = codecs(PHONE.replace("a=rtpmap:18 G729/8000\r\n", &formats).as_bytes());
        assert!(names.len() <= 16 && names.iter().all(|name| name.len() <= 16), "{names:?}");
    }
}
