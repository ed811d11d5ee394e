//! How long indexing, checking and splicing one INVITE takes: `cargo run --release --example measure`.

use std::hint::black_box;

use sip::{HeaderName, Message};

/// An INVITE as a phone sends it, with a session description.
fn invite() -> Vec<u8> {
    let body = b"v=0\r\no=alice 2890844526 2890844526 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n\
        m=audio 49170 RTP/AVP 9 0 8 101\r\na=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
        a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n";
    sip::Builder::request(sip::Method::Invite, b"sip:bob@example.com")
        .header(HeaderName::Via, b"SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK74bf9c1e;rport")
        .header(HeaderName::MaxForwards, b"70")
        .header(HeaderName::From, b"\"Alice\" <sip:alice@example.com>;tag=9fxced76sl")
        .header(HeaderName::To, b"<sip:bob@example.com>")
        .header(HeaderName::CallId, b"3848276298220188511@198.51.100.7")
        .header(HeaderName::CSeq, b"1 INVITE")
        .header(HeaderName::Contact, b"<sip:alice@198.51.100.7:5060;transport=udp>")
        .header(HeaderName::Allow, b"INVITE, ACK, CANCEL, OPTIONS, BYE, UPDATE, INFO, REFER")
        .header(HeaderName::Supported, b"replaces, outbound, gruu")
        .header(HeaderName::UserAgent, b"measure/1")
        .body(b"application/sdp", body)
        .finish()
        .expect("the example is well formed")
}

fn time(name: &str, mut work: impl FnMut()) {
    const ROUNDS: u32 = 200_000;
    let mut best = f64::MAX;
    for _ in 0..7 {
        #[allow(clippy::disallowed_methods, reason = "an example that measures time")]
        #[allow(clippy::disallowed_types, reason = "an example that measures time")]
        let start = std::time::Instant::now();
        for _ in 0..ROUNDS {
            work();
        }
        best = best.min(start.elapsed().as_secs_f64() / f64::from(ROUNDS));
    }
    println!("{name:<28} {:>7.0} ns", best * 1e9);
}

fn main() {
    let bytes = invite();
    println!("INVITE of {} bytes", bytes.len());
    let message = Message::parse(&bytes).expect("the example is well formed");
    message.check().expect("the example is acceptable");
    time("parse", || {
        black_box(Message::parse(black_box(&bytes))).ok();
    });
    time("check", || {
        black_box(black_box(&message).check()).ok();
    });
    time("frame", || {
        black_box(sip::frame(black_box(&bytes)));
    });
    time("top Via and CSeq", || {
        black_box((black_box(&message).top_via().ok(), black_box(&message).cseq().ok()));
    });
    let mut out = Vec::with_capacity(2048);
    time("edit as a proxy does", || {
        out.clear();
        let mut edit = black_box(&message).edit();
        edit.request_uri(b"sip:bob@203.0.113.9:5060")
            .prepend(HeaderName::Via, b"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKabcdefgh")
            .prepend(HeaderName::RecordRoute, b"<sip:192.0.2.1;lr>")
            .replace(HeaderName::MaxForwards, b"69");
        edit.write(black_box(&mut out)).ok();
    });
}
