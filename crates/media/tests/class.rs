//! Who wrote a description is read from what it says of its media.

use media::MediaClass;
use sdp::Description;

fn class(section: &str) -> Option<MediaClass> {
    let text =
        ["v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n", section].concat();
    MediaClass::of(&Description::parse(text.as_bytes()).unwrap())
}

#[test]
fn a_browser_is_known_by_dtls_a_secure_phone_by_its_keys_and_any_other_phone_is_plain() {
    assert_eq!(class("m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"), Some(MediaClass::Browser));
    assert_eq!(class("m=audio 4000 RTP/SAVP 0\r\na=crypto:1 x inline:y\r\n"), Some(MediaClass::Sdes));
    assert_eq!(class("m=audio 4000 RTP/AVP 0\r\na=crypto:1 x inline:y\r\n"), Some(MediaClass::Sdes));
    assert_eq!(class("m=audio 4000 RTP/AVP 0 8\r\n"), Some(MediaClass::Plain));
}

#[test]
fn refused_sections_and_foreign_media_say_nothing() {
    assert_eq!(class("m=audio 0 RTP/AVP 0\r\n"), None);
    assert_eq!(class("m=image 4000 udptl t38\r\n"), None);
    assert_eq!(class("m=image 4000 udptl t38\r\nm=video 5000 RTP/AVP 96\r\n"), Some(MediaClass::Plain));
}
