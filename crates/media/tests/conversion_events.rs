//! Telephone events where the two sides do not have them at the same clocks: Firefox has them at 8 kHz only, whatever
//! its codec is.

use media::{
    BrowserTransport, Candidate, Conversation, EventPair, Kind, PhoneSecurity, PhoneTransport,
    PhoneTransports,
};
use sip::SeededEntropy;

fn conversation() -> Conversation {
    let browser = BrowserTransport {
        ufrag: "gate".to_owned(),
        password: "passwordpasswordpassword".to_owned(),
        fingerprint: "sha-256 00".to_owned(),
        candidates: vec![Candidate::udp("192.0.2.1:40000".parse().unwrap())],
    };
    let address = "192.0.2.1".parse().unwrap();
    let audio = PhoneTransport { address, rtp_port: 30_000, security: PhoneSecurity::Plain };
    Conversation::new(browser, PhoneTransports { audio, video: None }, &mut SeededEntropy::new(7))
}

/// What Firefox writes, with these formats.
fn firefox(setup: &str, formats: &str, attributes: &[&str]) -> Vec<u8> {
    let attributes: String = attributes.iter().map(|attribute| format!("a={attribute}\r\n")).collect();
    format!(
        "v=0\r\no=mozilla 77 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF {formats}\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:bros\r\n\
         a=ice-pwd:browserbrowserbrowser12\r\na=setup:{setup}\r\na=rtcp-mux\r\na=sendrecv\r\n{attributes}\
         a=fingerprint:sha-256 FF:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:\
         00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n"
    )
    .into_bytes()
}

fn phone(formats: &str, attributes: &[&str]) -> Vec<u8> {
    let attributes: String = attributes.iter().map(|attribute| format!("a={attribute}\r\n")).collect();
    format!(
        "v=0\r\no=phone 1 1 IN IP4 203.0.113.5\r\ns=call\r\nc=IN IP4 203.0.113.5\r\nt=0 0\r\n\
         m=audio 4000 RTP/AVP {formats}\r\n{attributes}"
    )
    .into_bytes()
}

fn events(call: &Conversation) -> Vec<EventPair> {
    call.plan().unwrap().stream(Kind::Audio).unwrap().events.clone()
}

const OPUS_AND_EVENTS: [&str; 2] = ["rtpmap:109 opus/48000/2", "rtpmap:101 telephone-event/8000/1"];
const AT_8_KHZ: EventPair =
    EventPair { browser: 101, browser_clock: 8000, phone: 101, phone_sends: 101, phone_clock: 8000 };

#[test]
fn a_browser_with_events_at_8_khz_only_keeps_them_with_an_opus_phone_that_it_calls() {
    let mut call = conversation();
    call.offer_from_browser(&firefox("actpass", "109 0 101", &OPUS_AND_EVENTS)).unwrap();
    let answer = call.answer_from_phone(&phone("109 101", &OPUS_AND_EVENTS)).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.contains("RTP/SAVPF 109 101\r\n"), "{answer}");
    assert_eq!(events(&call), [AT_8_KHZ]);
}

#[test]
fn one_pair_of_events_serves_all_codecs() {
    let mut call = conversation();
    call.offer_from_browser(&firefox("actpass", "109 0 101", &OPUS_AND_EVENTS)).unwrap();
    call.answer_from_phone(&phone("109 0 101", &OPUS_AND_EVENTS)).unwrap();
    assert_eq!(events(&call), [AT_8_KHZ]);
}

#[test]
fn a_browser_with_events_at_8_khz_only_keeps_them_with_an_opus_phone_that_calls() {
    for at in ["8000", "48000"] {
        let mut call = conversation();
        let event = format!("rtpmap:101 telephone-event/{at}");
        let offer = call.offer_from_phone(&phone("96 101", &["rtpmap:96 opus/48000/2", &event])).unwrap();
        let offer = String::from_utf8(offer).unwrap();
        let line = offer.lines().find(|line| line.ends_with(" telephone-event/8000")).expect(&offer);
        let number = line.trim_start_matches("a=rtpmap:").split(' ').next().unwrap();
        let taken = line.trim_start_matches("a=");
        let formats = format!("96 {number}");
        call.answer_from_browser(&firefox("active", &formats, &["rtpmap:96 opus/48000/2", taken])).unwrap();
        let browser = number.parse().unwrap();
        let phone_clock = at.parse().unwrap();
        let expected = EventPair { browser, browser_clock: 8000, phone: 101, phone_sends: 101, phone_clock };
        assert_eq!(events(&call), [expected], "{offer}");
    }
}
