//! A call between a browser and a phone as its descriptions tell it: what each side is given to read, and what
//! the relay is told to do.

use media::{
    BrowserTransport, Candidate, Cause, Codec, Conversation, DtlsRole, EventPair, Kind, Negotiated,
    PhoneSecurity, PhoneTransport, PhoneTransports, RetransmissionFormat, SdesKey, SdesSuite, Setup, Side,
};
use sip::SeededEntropy;

const FINGERPRINT: &str =
    "sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF";
const THEIRS: &str =
    "sha-256 FF:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF";

fn conversation_with(security: PhoneSecurity) -> Conversation {
    let browser = BrowserTransport {
        ufrag: "gate".to_owned(),
        password: "passwordpasswordpassword".to_owned(),
        fingerprint: FINGERPRINT.to_owned(),
        candidates: vec![
            Candidate::udp("192.0.2.1:40000".parse().unwrap()),
            Candidate::udp("[2001:db8::1]:40000".parse().unwrap()),
        ],
    };
    let audio = PhoneTransport { address: "192.0.2.1".parse().unwrap(), rtp_port: 30_000, security };
    let video = Some(PhoneTransport { rtp_port: 30_002, ..audio.clone() });
    Conversation::new(browser, PhoneTransports { audio, video }, &mut SeededEntropy::new(7))
}

fn conversation() -> Conversation {
    conversation_with(PhoneSecurity::Plain)
}

/// A browser's description: its sections, each `kind formats`, then attribute lines.
fn browser(setup: &str, sections: &[(&str, &str)]) -> String {
    let mids: Vec<String> = (0..sections.len()).map(|mid| mid.to_string()).collect();
    let mut text =
        format!("v=0\r\no=- 77 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {}\r\n", mids.join(" "));
    for (mid, (line, attributes)) in sections.iter().enumerate() {
        let (kind, formats) = line.split_once(' ').unwrap();
        text += &format!("m={kind} 9 UDP/TLS/RTP/SAVPF {formats}\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\n");
        text += "a=ice-ufrag:bros\r\na=ice-pwd:browserbrowserbrowser12\r\na=ice-options:trickle\r\n";
        text += &format!("a=fingerprint:{THEIRS}\r\na=setup:{setup}\r\na=rtcp-mux\r\na=extmap:1 urn:x\r\n");
        text += "a=candidate:1 1 udp 2113937151 0f0f.local 50000 typ host\r\n";
        text += "a=candidate:2 1 udp 2113937151 198.51.100.9 50001 typ host\r\n";
        text += "a=candidate:3 1 tcp 1518280447 198.51.100.9 9 typ host tcptype active\r\n";
        for attribute in attributes.split(' ').filter(|attribute| !attribute.is_empty()) {
            text += &format!("a={}\r\n", attribute.replace('~', " "));
        }
    }
    text
}

const OPUS_AND_G711: (&str, &str) = (
    "audio 111 63 9 0 8 110 126",
    "rtpmap:111~opus/48000/2 fmtp:111~minptime=10;useinbandfec=1 rtcp-fb:111~transport-cc rtpmap:63~red/48000/2 \
     rtpmap:9~G722/8000 rtpmap:0~PCMU/8000 rtpmap:8~PCMA/8000 rtpmap:110~telephone-event/48000 \
     rtpmap:126~telephone-event/8000 ssrc:1234~cname:x sendrecv",
);

fn phone(lines: &str) -> String {
    let lines = lines.split('|').map(|line| format!("{line}\r\n")).collect::<String>();
    format!("v=0\r\no=phone 1 1 IN IP4 203.0.113.5\r\ns=call\r\nc=IN IP4 203.0.113.5\r\nt=0 0\r\n{lines}")
}

const PHONE_PCMU: &str = "m=audio 4000 RTP/AVP 0 101|a=rtpmap:101 telephone-event/8000|a=fmtp:101 0-15";

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn lines<'a>(text: &'a str, prefix: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.starts_with(prefix)).collect()
}

fn version(text: &str) -> u64 {
    lines(text, "o=").first().unwrap().split(' ').nth(2).unwrap().parse().unwrap()
}

/// A call from the browser that a PCMU phone has answered.
fn established() -> (Conversation, String, String) {
    let mut call = conversation();
    let offer = text(call.offer_from_browser(browser("actpass", &[OPUS_AND_G711]).as_bytes()).unwrap());
    let answer = text(call.answer_from_phone(phone(PHONE_PCMU).as_bytes()).unwrap());
    (call, offer, answer)
}

#[test]
fn a_browsers_offer_becomes_a_small_plain_offer() {
    let (_, offer, _) = established();
    let expected = "s=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 30000 RTP/AVP 111 9 0 8 110 126\r\n\
        a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:9 G722/8000\r\n\
        a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:110 telephone-event/48000\r\na=fmtp:110 0-16\r\n\
        a=rtpmap:126 telephone-event/8000\r\na=fmtp:126 0-16\r\na=sendrecv\r\n";
    assert_eq!(offer.split_once("s=-").map(|(_, rest)| format!("s=-{rest}")).unwrap(), expected);
}

#[test]
fn a_phones_answer_becomes_an_answer_that_a_browser_takes() {
    let (call, _, answer) = established();
    assert_eq!(lines(&answer, "m="), ["m=audio 40000 UDP/TLS/RTP/SAVPF 0 126"]);
    for line in [
        "a=group:BUNDLE 0",
        "a=ice-lite",
        "a=mid:0",
        "a=ice-ufrag:gate",
        "a=ice-pwd:passwordpasswordpassword",
        "a=setup:passive",
        "a=rtcp-mux",
        "a=candidate:1 1 udp 2130706431 192.0.2.1 40000 typ host",
        "a=candidate:2 1 udp 2130706175 2001:db8::1 40000 typ host",
        "a=end-of-candidates",
        "a=rtpmap:126 telephone-event/8000",
        "a=sendrecv",
    ] {
        assert!(answer.lines().any(|found| found == line), "{line} is missing in\n{answer}");
    }
    assert_eq!(lines(&answer, "a=fingerprint:"), [format!("a=fingerprint:{FINGERPRINT}")]);
    assert_eq!((lines(&answer, "a=msid:").len(), lines(&answer, "a=ssrc:").len()), (1, 1));
    assert!(!answer.contains("203.0.113.5") && !answer.contains("crypto"), "{answer}");

    let plan = call.plan().unwrap();
    assert_eq!(plan.role, DtlsRole::Server);
    assert_eq!((plan.browser.ufrag.as_str(), plan.browser.fingerprint.as_str()), ("bros", THEIRS));
    assert_eq!(plan.browser.setup, Setup::ActivePassive);
    assert_eq!(plan.browser.candidates, ["198.51.100.9:50001".parse().unwrap()], "mDNS and TCP are left out");
    let stream = plan.stream(Kind::Audio).unwrap();
    assert!(stream.browser_to_phone && stream.phone_to_browser);
    assert_eq!((stream.mid.as_str(), stream.browser_ssrcs.as_slice()), ("0", [1234].as_slice()));
    let pairs: Vec<_> = stream.pairs.iter().map(|pair| (pair.codec, pair.browser, pair.phone)).collect();
    assert_eq!(pairs, [(Codec::Pcmu, 0, 0)]);
    let event =
        EventPair { browser: 126, browser_clock: 8000, phone: 101, phone_sends: 126, phone_clock: 8000 };
    assert_eq!(stream.events, [event]);
    let remote = stream.remote_phone.clone().unwrap();
    assert_eq!(
        (remote.rtp, remote.rtcp),
        ("203.0.113.5:4000".parse().unwrap(), "203.0.113.5:4001".parse().unwrap())
    );
    assert_eq!((remote.mux, remote.security), (false, Negotiated::Plain));
}

#[test]
fn a_phones_offer_becomes_an_offer_to_the_browser_and_its_answer_goes_back() {
    let mut call = conversation();
    let offer = phone(
        "m=audio 4000 RTP/AVP 8 96 101|a=rtpmap:96 opus/48000/2|a=rtpmap:101 telephone-event/8000|\
        a=rtcp:4999 IN IP4 203.0.113.6|a=ptime:30",
    );
    let offer = text(call.offer_from_phone(offer.as_bytes()).unwrap());
    assert_eq!(lines(&offer, "m="), ["m=audio 40000 UDP/TLS/RTP/SAVPF 8 96 101 97"]);
    assert_eq!(lines(&offer, "a=setup"), ["a=setup:actpass"]);
    assert!(offer.contains("a=rtpmap:97 telephone-event/48000"), "events at the clock of Opus too\n{offer}");
    assert!(offer.contains("a=ptime:30"));
    assert_eq!((call.awaiting(), call.role()), (Some(Side::Browser), None));

    let answer =
        browser("active", &[("audio 96 97", "rtpmap:96~opus/48000/2 rtpmap:97~telephone-event/48000")]);
    let answer = text(call.answer_from_browser(answer.as_bytes()).unwrap());
    assert_eq!(lines(&answer, "m="), ["m=audio 30000 RTP/AVP 96 101"]);
    assert_eq!((call.awaiting(), call.role()), (None, Some(DtlsRole::Server)));
    let stream = call.plan().unwrap().stream(Kind::Audio).unwrap();
    assert_eq!(
        stream.events,
        [EventPair { browser: 97, browser_clock: 48_000, phone: 101, phone_sends: 101, phone_clock: 8000 }]
    );
    assert_eq!(stream.remote_phone.as_ref().unwrap().rtcp, "203.0.113.6:4999".parse().unwrap());
    assert_eq!(stream.phone_packet_time, Some(30));
}

#[test]
fn the_same_description_again_gives_the_same_again() {
    let mut call = conversation();
    let offer = browser("actpass", &[OPUS_AND_G711]);
    let first = call.offer_from_browser(offer.as_bytes()).unwrap();
    assert_eq!(call.offer_from_browser(offer.as_bytes()).unwrap(), first);
    let early = call.answer_from_phone(phone(PHONE_PCMU).as_bytes()).unwrap();
    assert_eq!(call.answer_from_phone(phone(PHONE_PCMU).as_bytes()).unwrap(), early);
    // A refresh of the session changes nothing either.
    assert_eq!(call.offer_from_browser(offer.as_bytes()).unwrap(), first);
    assert_eq!(call.answer_from_phone(phone(PHONE_PCMU).as_bytes()).unwrap(), early);
}

#[test]
fn a_final_answer_may_differ_from_the_early_one() {
    let (mut call, _, early) = established();
    let last = phone("m=audio 5000 RTP/AVP 8 101|a=rtpmap:101 telephone-event/8000");
    let last = text(call.answer_from_phone(last.as_bytes()).unwrap());
    assert_eq!(version(&last), version(&early) + 1);
    assert_eq!(lines(&last, "m="), ["m=audio 40000 UDP/TLS/RTP/SAVPF 8 126"]);
    let stream = call.plan().unwrap().stream(Kind::Audio).unwrap();
    assert_eq!(stream.remote_phone.as_ref().unwrap().rtp.port(), 5000);
    assert_eq!(stream.pairs.first().unwrap().codec, Codec::Pcma);
}

#[test]
fn a_phone_holds_and_resumes_in_all_three_spellings() {
    for (spelling, to_browser) in
        [("c=IN IP4 0.0.0.0", "sendonly"), ("a=sendonly", "sendonly"), ("a=inactive", "inactive")]
    {
        let (mut call, _, before) = established();
        let hold =
            text(call.offer_from_phone(phone(&format!("{PHONE_PCMU}|{spelling}")).as_bytes()).unwrap());
        assert!(hold.contains(&format!("a={to_browser}\r\n")), "{spelling}\n{hold}");
        assert!(
            hold.contains("a=setup:actpass") && hold.contains("a=ice-ufrag:gate") && hold.contains("a=mid:0")
        );
        assert_eq!(version(&hold), version(&before) + 1);
        let answer = if to_browser == "sendonly" { "recvonly" } else { "inactive" };
        let reply =
            browser("active", &[("audio 0 126", &format!("rtpmap:126~telephone-event/8000 {answer}"))]);
        let reply = text(call.answer_from_browser(reply.as_bytes()).unwrap());
        assert!(reply.contains(&format!("a={answer}\r\n")), "{reply}");
        assert!(reply.contains("m=audio 30000 RTP/AVP 0 101"), "the port stays\n{reply}");
        let stream = call.plan().unwrap().stream(Kind::Audio).unwrap();
        assert_eq!(
            (stream.browser_to_phone, stream.phone_to_browser),
            (false, to_browser == "sendonly"),
            "{spelling}"
        );
        assert_eq!(
            stream.remote_phone.as_ref().unwrap().rtp,
            "203.0.113.5:4000".parse().unwrap(),
            "{spelling}"
        );
        assert_eq!(call.role(), Some(DtlsRole::Server));

        let resume = text(call.offer_from_phone(phone(PHONE_PCMU).as_bytes()).unwrap());
        assert!(resume.contains("a=sendrecv\r\n"));
        let reply = browser("active", &[("audio 0 126", "rtpmap:126~telephone-event/8000 sendrecv")]);
        call.answer_from_browser(reply.as_bytes()).unwrap();
        let stream = call.plan().unwrap().stream(Kind::Audio).unwrap();
        assert!(stream.browser_to_phone && stream.phone_to_browser);
    }
}

#[test]
fn a_browser_holds_a_phone_that_knows_no_direction_attributes() {
    let (mut call, first, _) = established();
    let (formats, attributes) = OPUS_AND_G711;
    let held = attributes.replace("sendrecv", "sendonly");
    let hold = text(call.offer_from_browser(browser("actpass", &[(formats, &held)]).as_bytes()).unwrap());
    assert!(hold.contains("a=sendonly\r\n") && hold.contains("c=IN IP4 192.0.2.1\r\n"), "{hold}");
    assert_eq!(version(&hold), version(&first) + 1);
    let answer = text(call.answer_from_phone(phone(PHONE_PCMU).as_bytes()).unwrap());
    assert!(
        answer.contains("a=recvonly\r\n"),
        "an answer never sends what the offer does not receive\n{answer}"
    );
    assert!(answer.contains("a=setup:passive"));
    let stream = call.plan().unwrap().stream(Kind::Audio).unwrap();
    assert_eq!((stream.browser_to_phone, stream.phone_to_browser), (true, false));
}

#[test]
fn without_a_common_codec_both_lists_are_told() {
    let mut call = conversation();
    let opus = ("audio 111", "rtpmap:111~opus/48000/2");
    call.offer_from_browser(browser("actpass", &[opus]).as_bytes()).unwrap();
    let cause = call.answer_from_phone(phone("m=audio 4000 RTP/AVP 18 0").as_bytes()).unwrap_err();
    let (browser, phones) = (vec!["opus".to_owned()], vec!["G729".to_owned(), "PCMU".to_owned()]);
    assert_eq!(cause, Cause::SdpNoCommonCodec { browser, phone: phones });
    assert_eq!((cause.code(), cause.status()), ("SDP-NO-COMMON-CODEC", 488));
    assert_eq!(
        cause.to_string(),
        "the browser and the phone have no codec in common: the browser has opus, the phone has G729, PCMU"
    );
    assert_eq!(call.awaiting(), Some(Side::Phone), "the state is as it was");

    let cause = conversation().offer_from_phone(phone("m=audio 4000 RTP/AVP 18 4").as_bytes()).unwrap_err();
    assert!(matches!(cause, Cause::SdpNoCommonCodec { phone, .. } if phone == ["G729", "G723"]));
}

#[test]
fn sections_that_cannot_be_relayed_keep_their_place_and_are_refused() {
    let mut call = conversation();
    let mut offer = browser(
        "actpass",
        &[("application webrtc-datachannel", ""), OPUS_AND_G711, ("video 98", "rtpmap:98~VP9/90000")],
    );
    offer = offer.replace("m=application 9 UDP/TLS/RTP/SAVPF", "m=application 9 UDP/DTLS/SCTP");
    let out = text(call.offer_from_browser(offer.as_bytes()).unwrap());
    assert_eq!(lines(&out, "m=").len(), 1, "the phone sees only what concerns it\n{out}");
    let answer = text(call.answer_from_phone(phone(PHONE_PCMU).as_bytes()).unwrap());
    assert_eq!(
        lines(&answer, "m="),
        [
            "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
            "m=audio 40000 UDP/TLS/RTP/SAVPF 0 126",
            "m=video 0 UDP/TLS/RTP/SAVPF 98"
        ]
    );
    assert_eq!(lines(&answer, "a=group"), ["a=group:BUNDLE 1"]);
    assert_eq!(lines(&answer, "a=mid"), ["a=mid:0", "a=mid:1", "a=mid:2"]);
    let stream = call.plan().unwrap().stream(Kind::Audio).unwrap();
    assert_eq!((stream.browser_index, stream.phone_index), (1, 0));

    // The phone wants to go over to fax.
    let fax = phone("m=image 4002 udptl t38");
    assert_eq!(call.offer_from_phone(fax.as_bytes()), Err(Cause::SdpNothingToRelay));
    // Or has fax beside sound.
    let both = phone(&format!("{PHONE_PCMU}|m=image 4002 udptl t38|m=message 2855 TCP/MSRP *"));
    call.offer_from_phone(both.as_bytes()).unwrap();
    let answer = browser("active", &[("audio 0", "")]).replace("a=mid:0", "a=mid:1");
    let full = answer.replacen("m=audio", "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\nm=audio", 1);
    let answer = text(call.answer_from_browser(full.as_bytes()).unwrap());
    assert_eq!(
        lines(&answer, "m="),
        ["m=audio 30000 RTP/AVP 0", "m=image 0 udptl t38", "m=message 0 TCP/MSRP *"]
    );
}

#[test]
fn video_is_relayed_when_both_have_it_in_the_same_configuration() {
    let video = (
        "video 96 97 102 103 108",
        "rtpmap:96~VP8/90000 rtcp-fb:96~nack rtcp-fb:96~nack~pli rtcp-fb:96~ccm~fir rtcp-fb:96~transport-cc \
         rtpmap:97~rtx/90000 fmtp:97~apt=96 rtpmap:102~H264/90000 \
         fmtp:102~level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f rtpmap:103~rtx/90000 fmtp:103~apt=102 \
         rtpmap:108~H264/90000 fmtp:108~level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f \
         ssrc-group:FID~7~8 ssrc:7~cname:x ssrc:8~cname:x rtcp-rsize",
    );
    let mut call = conversation();
    let offer =
        text(call.offer_from_browser(browser("actpass", &[OPUS_AND_G711, video]).as_bytes()).unwrap());
    assert_eq!(lines(&offer, "m=video"), ["m=video 30002 RTP/AVP 96 102 108"]);
    assert_eq!(lines(&offer, "a=rtcp-fb"), ["a=rtcp-fb:* nack pli", "a=rtcp-fb:* ccm fir"]);
    assert!(!offer.contains("rtx") && offer.len() < 1200, "{}", offer.len());
    let answer = phone(&format!(
        "{PHONE_PCMU}|m=video 6000 RTP/AVP 99|b=AS:512|a=rtpmap:99 H264/90000|a=fmtp:99 profile-level-id=42801E;packetization-mode=1"
    ));
    let answer = text(call.answer_from_phone(answer.as_bytes()).unwrap());
    assert!(answer.contains("a=group:BUNDLE 0 1\r\n"));
    assert!(answer.contains("a=fmtp:102 profile-level-id=42e01e;packetization-mode=1\r\n"), "{answer}");
    assert_eq!(
        lines(&answer, "a=rtcp-fb"),
        ["a=rtcp-fb:102 nack", "a=rtcp-fb:102 nack pli", "a=rtcp-fb:102 ccm fir"]
    );
    let stream = call.plan().unwrap().stream(Kind::Video).unwrap();
    let pair = stream.pairs.first().unwrap();
    assert_eq!((pair.codec, pair.browser, pair.phone, pair.phone_sends), (Codec::H264, 102, 99, 102));
    assert_eq!((stream.browser_ssrcs.as_slice(), stream.phone_bandwidth), ([7].as_slice(), Some(512)));
    assert!(!stream.phone_feedback.pli && stream.browser_feedback.pli);
    // Retransmission ends at the gateway.
    assert_eq!(lines(&answer, "m=video"), ["m=video 40000 UDP/TLS/RTP/SAVPF 102 103"]);
    let again = stream.retransmission.as_ref().unwrap();
    assert_eq!(lines(&answer, "a=ssrc-group"), [format!("a=ssrc-group:FID {} {}", stream.ssrc, again.ssrc)]);
    assert_eq!(again.formats, [RetransmissionFormat { payload_type: 103, of: 102 }]);
    assert_eq!(again.browser_ssrcs, [(7, 8)]);

    // Under whatever number the phone offers it later, the browser knows it by its own.
    let again = phone(&format!(
        "{PHONE_PCMU}|m=video 6000 RTP/AVP 105|a=rtpmap:105 H264/90000|a=fmtp:105 profile-level-id=42e01e;packetization-mode=1"
    ));
    let offer = text(call.offer_from_phone(again.as_bytes()).unwrap());
    assert_eq!(lines(&offer, "m=video"), ["m=video 40000 UDP/TLS/RTP/SAVPF 102 103"]);

    let mut call = conversation();
    call.offer_from_browser(browser("actpass", &[OPUS_AND_G711, video]).as_bytes()).unwrap();
    let other = phone(&format!("{PHONE_PCMU}|m=video 6000 RTP/AVP 34"));
    let answer = text(call.answer_from_phone(other.as_bytes()).unwrap());
    assert_eq!(lines(&answer, "m=video"), ["m=video 0 UDP/TLS/RTP/SAVPF 96 97 102 103 108"]);
}

fn keys() -> Vec<SdesKey> {
    vec![
        SdesKey { suite: SdesSuite::AesCm128HmacSha1_80, key: (0..30).collect(), identifier: Vec::new() },
        SdesKey { suite: SdesSuite::AesCm128HmacSha1_32, key: (30..60).collect(), identifier: Vec::new() },
    ]
}

const CRYPTO_32: &str = "a=crypto:4 AES_CM_128_HMAC_SHA1_32 inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[test]
fn a_phone_with_srtp_is_answered_with_the_suite_that_both_have() {
    let offer = phone(&format!("m=audio 4000 RTP/SAVP 0|{CRYPTO_32}"));
    let mut call = conversation_with(PhoneSecurity::Sdes(keys()));
    let to_browser = text(call.offer_from_phone(offer.as_bytes()).unwrap());
    assert!(!to_browser.contains("crypto"), "one keying method for a browser\n{to_browser}");
    let answer = text(call.answer_from_browser(browser("active", &[("audio 0", "")]).as_bytes()).unwrap());
    assert!(answer.contains("m=audio 30000 RTP/SAVP 0\r\n"));
    assert_eq!(
        lines(&answer, "a=crypto"),
        ["a=crypto:4 AES_CM_128_HMAC_SHA1_32 inline:Hh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7"]
    );
    let stream = call.plan().unwrap().stream(Kind::Audio).unwrap();
    let Negotiated::Sdes { ours, theirs } = &stream.remote_phone.as_ref().unwrap().security else {
        panic!("SRTP")
    };
    assert_eq!((ours, theirs.key.as_slice()), (&keys()[1], [0; 30].as_slice()));

    // What was settled is what a later offer says.
    let again = text(call.offer_from_browser(browser("actpass", &[OPUS_AND_G711]).as_bytes()).unwrap());
    assert!(again.contains("RTP/SAVP ") && lines(&again, "a=crypto").len() == 1, "{again}");
    // Without keys of ours, a demand for SRTP cannot be met.
    assert_eq!(conversation().offer_from_phone(offer.as_bytes()), Err(Cause::SdpKeysInClear));
    // A phone that would take either is taken at the second line.
    let either = phone(&format!("m=audio 4000 RTP/SAVP 0|{CRYPTO_32}|m=audio 4002 RTP/AVP 0"));
    let mut call = conversation();
    call.offer_from_phone(either.as_bytes()).unwrap();
    let answer = text(call.answer_from_browser(browser("active", &[("audio 0", "")]).as_bytes()).unwrap());
    assert_eq!(lines(&answer, "m="), ["m=audio 0 RTP/SAVP 0", "m=audio 30000 RTP/AVP 0"]);
}

#[test]
fn an_answer_of_another_profile_than_its_offer_is_not_taken() {
    let mut call = conversation_with(PhoneSecurity::Sdes(keys()));
    let offer = text(call.offer_from_browser(browser("actpass", &[OPUS_AND_G711]).as_bytes()).unwrap());
    assert_eq!((lines(&offer, "a=crypto").len(), offer.contains("RTP/SAVP ")), (2, true));
    let cause = call.answer_from_phone(phone(PHONE_PCMU).as_bytes()).unwrap_err();
    assert_eq!((cause.code(), cause.status()), ("SDP-PROFILE-MISMATCH", 488));
    let secured = phone(&format!("m=audio 4000 RTP/SAVP 0|{}", CRYPTO_32.replace(":4 ", ":2 ")));
    call.answer_from_phone(secured.as_bytes()).unwrap();

    // Keys on a plain profile are an invitation.
    let mut call = conversation_with(PhoneSecurity::Opportunistic(keys()));
    let offer = text(call.offer_from_browser(browser("actpass", &[OPUS_AND_G711]).as_bytes()).unwrap());
    assert!(offer.contains("RTP/AVP ") && offer.contains("a=crypto:1 AES_CM_128_HMAC_SHA1_80"));
    call.answer_from_phone(phone(PHONE_PCMU).as_bytes()).unwrap();
    let stream = call.plan().unwrap().stream(Kind::Audio).unwrap();
    assert_eq!(stream.remote_phone.as_ref().unwrap().security, Negotiated::Plain);
}

#[test]
fn a_browser_must_say_who_it_is() {
    let offer = browser("actpass", &[OPUS_AND_G711]);
    let refused = |offer: String| conversation().offer_from_browser(offer.as_bytes()).unwrap_err().code();
    assert_eq!(refused(offer.replace("a=fingerprint", "a=x")), "SDP-NO-FINGERPRINT");
    assert_eq!(refused(offer.replace("sha-256", "sha-1")), "SDP-NO-FINGERPRINT");
    assert_eq!(refused(offer.replace("a=ice-pwd", "a=x")), "SDP-NO-ICE");
    assert_eq!(refused(offer.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP")), "SDP-PROFILE-MISMATCH");
    assert_eq!(refused("hello".to_owned()), "SDP-MALFORMED");
    // Where only the section that stands for the group says it, the others need not (Firefox and libwebrtc do).
    let session = offer.replace(&format!("a=fingerprint:{THEIRS}\r\n"), "");
    let session = session.replace("t=0 0\r\n", &format!("t=0 0\r\na=fingerprint:{THEIRS}\r\n"));
    conversation().offer_from_browser(session.as_bytes()).unwrap();
}

#[test]
fn of_several_fingerprints_of_the_session_one_that_is_strong_enough_counts() {
    // RFC 8122 §5: as many as there are hash functions, in any order.
    let offer = browser("actpass", &[OPUS_AND_G711]).replace(&format!("a=fingerprint:{THEIRS}\r\n"), "");
    let weak = format!("sha-1 {}", ["AB"; 20].join(":"));
    let both = format!("t=0 0\r\na=fingerprint:{weak}\r\na=fingerprint:{THEIRS}\r\n");
    let mut call = conversation();
    call.offer_from_browser(offer.replace("t=0 0\r\n", &both).as_bytes()).unwrap();
    assert_eq!(call.remote_browser().unwrap().fingerprint, THEIRS);
}

#[test]
fn the_role_stays_while_the_certificate_does() {
    let mut call = conversation();
    call.offer_from_phone(phone(PHONE_PCMU).as_bytes()).unwrap();
    call.answer_from_browser(browser("passive", &[("audio 0", "")]).as_bytes()).unwrap();
    assert_eq!(call.role(), Some(DtlsRole::Client));
    call.offer_from_browser(browser("actpass", &[OPUS_AND_G711]).as_bytes()).unwrap();
    let answer = text(call.answer_from_phone(phone(PHONE_PCMU).as_bytes()).unwrap());
    assert!(answer.contains("a=setup:active"), "{answer}");
    let other = browser("actpass", &[OPUS_AND_G711]).replace("sha-256 FF", "sha-256 AA");
    call.offer_from_browser(other.as_bytes()).unwrap();
    assert_eq!(call.role(), Some(DtlsRole::Server), "a new certificate is a new association");
}

#[test]
fn an_ice_restart_ends_at_the_gateway() {
    let (mut call, first, _) = established();
    let offer = browser("actpass", &[OPUS_AND_G711]);
    assert!(!call.restarts_ice(offer.as_bytes()));
    let restart = offer.replace("a=ice-ufrag:bros", "a=ice-ufrag:anew");
    assert!(call.restarts_ice(restart.as_bytes()));
    call.restart_ice("newu".to_owned(), "newpasswordnewpassword12".to_owned());
    let to_phone = text(call.offer_from_browser(restart.as_bytes()).unwrap());
    assert_eq!(to_phone, first, "the phone has no part in it");
    let answer = text(call.answer_from_phone(phone(PHONE_PCMU).as_bytes()).unwrap());
    assert!(answer.contains("a=ice-ufrag:newu") && answer.contains("a=setup:passive"));
    assert_eq!(call.plan().unwrap().browser.ufrag, "anew");
}

#[test]
fn offers_that_meet_are_refused_and_one_that_is_refused_leaves_no_trace() {
    let (mut call, _, _) = established();
    let plan = call.plan().cloned();
    let first = text(call.offer_from_phone(phone("m=audio 4000 RTP/AVP 8").as_bytes()).unwrap());
    let cause = call.offer_from_browser(browser("actpass", &[OPUS_AND_G711]).as_bytes()).unwrap_err();
    assert_eq!((cause.clone(), cause.status()), (Cause::SdpGlare, 491));
    call.withdraw();
    assert_eq!((call.plan().cloned(), call.awaiting()), (plan, None));
    let second = text(call.offer_from_phone(phone(&format!("{PHONE_PCMU}|a=sendonly")).as_bytes()).unwrap());
    assert_eq!(version(&second), version(&first) + 1, "a version is never used twice");
    assert_eq!(
        conversation().answer_from_phone(phone(PHONE_PCMU).as_bytes()),
        Err(Cause::SdpUnexpectedAnswer)
    );
}

#[test]
fn a_number_keeps_its_meaning_for_the_whole_call() {
    let (mut call, _, _) = established();
    // The phone calls something else by a number that the browser has given to Opus.
    let offer = phone("m=audio 4000 RTP/AVP 0 111|a=rtpmap:111 telephone-event/8000");
    let offer = text(call.offer_from_phone(offer.as_bytes()).unwrap());
    assert_eq!(lines(&offer, "m="), ["m=audio 40000 UDP/TLS/RTP/SAVPF 0 126"], "{offer}");
}

#[test]
fn a_phone_that_muxes_is_answered_so_and_one_that_does_not_is_not() {
    let mut call = conversation();
    call.offer_from_phone(phone(&format!("{PHONE_PCMU}|a=rtcp-mux")).as_bytes()).unwrap();
    let answer = text(call.answer_from_browser(browser("active", &[("audio 0", "")]).as_bytes()).unwrap());
    assert!(answer.contains("a=rtcp-mux"));
    let remote = call.plan().unwrap().stream(Kind::Audio).unwrap().remote_phone.clone().unwrap();
    assert!(remote.mux && remote.rtcp == remote.rtp);
    let (call, offer, _) = established();
    assert!(!offer.contains("rtcp-mux") && call.plan().is_some());
}

#[test]
fn a_side_cannot_smuggle_lines_into_what_the_other_reads() {
    let (formats, attributes) = OPUS_AND_G711;
    let attributes = attributes.replace("minptime=10", "minptime=10\ra=crypto:1\rx");
    let offer = browser("actpass", &[(formats, &attributes)]);
    let out = text(conversation().offer_from_browser(offer.as_bytes()).unwrap());
    assert!(!out.contains("crypto"), "{out}");
}

#[test]
fn video_comes_and_goes_in_its_place() {
    let video = ("video 96", "rtpmap:96~VP8/90000");
    let (mut call, _, _) = established();
    let offer =
        text(call.offer_from_browser(browser("actpass", &[OPUS_AND_G711, video]).as_bytes()).unwrap());
    assert_eq!(lines(&offer, "m=video"), ["m=video 30002 RTP/AVP 96"]);
    let with_video = format!("{PHONE_PCMU}|m=video 6000 RTP/AVP 96|a=rtpmap:96 VP8/90000");
    call.answer_from_phone(phone(&with_video).as_bytes()).unwrap();
    assert_eq!(call.plan().unwrap().streams.len(), 2);

    // The phone stops it.
    let stopped = phone(&with_video.replace("video 6000", "video 0"));
    let offer = text(call.offer_from_phone(stopped.as_bytes()).unwrap());
    assert_eq!(lines(&offer, "m=video"), ["m=video 0 UDP/TLS/RTP/SAVPF 96"]);
    assert_eq!(lines(&offer, "a=group"), ["a=group:BUNDLE 0"]);
    let answer = browser("active", &[("audio 0", ""), ("video 96", "")]).replace("m=video 9", "m=video 0");
    let answer = text(call.answer_from_browser(answer.as_bytes()).unwrap());
    assert_eq!(lines(&answer, "m="), ["m=audio 30000 RTP/AVP 0", "m=video 0 RTP/AVP 96"]);
    assert_eq!(call.plan().unwrap().streams.len(), 1);

    // The browser starts it again: the same place, the same port.
    let offer =
        text(call.offer_from_browser(browser("actpass", &[OPUS_AND_G711, video]).as_bytes()).unwrap());
    assert_eq!(lines(&offer, "m="), ["m=audio 30000 RTP/AVP 111 9 0 8 110 126", "m=video 30002 RTP/AVP 96"]);
}

/// A call of sound and pictures, and the browser's sections in it.
fn with_pictures() -> (Conversation, [(&'static str, &'static str); 2]) {
    let sections = [OPUS_AND_G711, ("video 96", "rtpmap:96~VP8/90000")];
    let mut call = conversation();
    call.offer_from_browser(browser("actpass", &sections).as_bytes()).unwrap();
    let answer = format!("{PHONE_PCMU}|m=video 6000 RTP/AVP 96|a=rtpmap:96 VP8/90000");
    call.answer_from_phone(phone(&answer).as_bytes()).unwrap();
    assert_eq!(call.plan().unwrap().streams.len(), 2);
    (call, sections)
}

#[test]
fn a_phone_that_leaves_its_pictures_out_of_an_offer_is_answered_with_as_many_sections_as_it_wrote() {
    let (mut call, sections) = with_pictures();
    call.offer_from_phone(phone(PHONE_PCMU).as_bytes()).unwrap();
    let answer = browser("active", &[("audio 0", ""), ("video 96", "")]).replace("m=video 9", "m=video 0");
    let answer = text(call.answer_from_browser(answer.as_bytes()).unwrap());
    assert_eq!(lines(&answer, "m="), ["m=audio 30000 RTP/AVP 0"]);

    // Their place is kept.
    let offer = text(call.offer_from_browser(browser("actpass", &sections).as_bytes()).unwrap());
    assert_eq!(lines(&offer, "m="), ["m=audio 30000 RTP/AVP 111 9 0 8 110 126", "m=video 30002 RTP/AVP 96"]);
}

#[test]
fn a_page_that_was_loaded_anew_without_its_camera_is_answered_with_as_many_sections_as_it_wrote() {
    let (mut call, [sound, _]) = with_pictures();
    let offer = text(call.offer_from_browser(browser("actpass", &[sound]).as_bytes()).unwrap());
    assert_eq!(lines(&offer, "m=video"), ["m=video 0 RTP/AVP 96"]);
    let answer = phone(&format!("{PHONE_PCMU}|m=video 0 RTP/AVP 96"));
    let answer = text(call.answer_from_phone(answer.as_bytes()).unwrap());
    assert_eq!(lines(&answer, "m="), ["m=audio 40000 UDP/TLS/RTP/SAVPF 0 126"]);
}

#[test]
fn the_branches_of_a_fork_show_the_browser_one_source() {
    let offer = browser("actpass", &[OPUS_AND_G711]);
    let mut first = conversation();
    let second = PhoneTransport {
        address: "192.0.2.1".parse().unwrap(),
        rtp_port: 30_010,
        security: PhoneSecurity::Plain,
    };
    let mut second = first.branch(PhoneTransports { audio: second, video: None }, &mut SeededEntropy::new(8));
    let answers: Vec<String> = [(&mut first, "m=audio 30000 "), (&mut second, "m=audio 30010 ")]
        .into_iter()
        .map(|(branch, own)| {
            let to_phone = text(branch.offer_from_browser(offer.as_bytes()).unwrap());
            assert!(to_phone.contains(own), "each phone has a port of its own\n{to_phone}");
            text(branch.answer_from_phone(phone(PHONE_PCMU).as_bytes()).unwrap())
        })
        .collect();
    let [first, second] = answers.as_slice() else { panic!("two answers") };
    assert_eq!(lines(first, "a="), lines(second, "a="));
}

#[test]
fn a_browser_that_shares_no_transport_between_sections_is_given_sound_alone() {
    let video = ("video 96", "rtpmap:96~VP8/90000");
    let offer = browser("actpass", &[OPUS_AND_G711, video]).replace("a=group:BUNDLE 0 1\r\n", "");
    let mut call = conversation();
    let out = text(call.offer_from_browser(offer.as_bytes()).unwrap());
    assert_eq!(lines(&out, "m=").len(), 1);
    let answer = text(call.answer_from_phone(phone(PHONE_PCMU).as_bytes()).unwrap());
    assert_eq!((lines(&answer, "a=group").len(), lines(&answer, "m=video 0").len()), (0, 1));
}

#[test]
fn a_section_offered_to_share_the_port_of_another_is_live() {
    let video = ("video 96", "rtpmap:96~VP8/90000 bundle-only");
    let offer = browser("actpass", &[OPUS_AND_G711, video]).replace("m=video 9", "m=video 0");
    assert_eq!(Conversation::kinds(offer.as_bytes()), Ok(vec![Kind::Audio, Kind::Video]));
    let out = text(conversation().offer_from_browser(offer.as_bytes()).unwrap());
    assert_eq!(lines(&out, "m=video"), ["m=video 30002 RTP/AVP 96"]);
}

#[test]
fn the_longest_description_is_converted_or_refused_within_bounds() {
    let formats: String = (0..128).map(|number| format!(" {number}")).collect();
    let mut long = browser("actpass", &[OPUS_AND_G711]).replace("111 63", &formats);
    while long.len() < 60_000 {
        long += "a=rtpmap:5 x/1\r\n";
    }
    let out = conversation().offer_from_browser(long.as_bytes());
    assert!(out.is_ok_and(|offer| offer.len() < 1200));
    let many = phone(&vec!["m=audio 4000 RTP/AVP 0"; 40].join("|"));
    assert!(matches!(conversation().offer_from_phone(many.as_bytes()), Err(Cause::SdpMalformed(_))));
}
