//! An edited message carries its index over: whoever reads it sees what he would see in the bytes read anew.

use sip::{Entropy as _, HeaderName, Message, SeededEntropy};

const MESSAGES: [&str; 4] = [
    "INVITE sip:bob@192.0.2.9:5080;user=phone SIP/2.0\r\nv: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKa;rport , SIP/2.0/TCP h\r\n\
     Via: SIP/2.0/UDP h2\r\nMax-Forwards: 70\r\nRoute: <sip:a;lr>, <sip:b;lr>\r\nX-Odd :  x \r\n y\r\nf: <sip:a@h>;tag=1\r\n\
     To: <sip:b@h>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nSubject:\r\nl: 4\r\n\r\nv=0\r",
    "SIP/2.0 180 Ringing now\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nVia: SIP/2.0/UDP i\r\nFrom: <sip:a@h>;tag=1\r\n\
     To: <sip:b@h>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n",
    "OPTIONS sip:h SIP/2.0\r\n\r\n",
    "BYE sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h\nFrom: no end of a line\r\nContent-Length: 0\r\n\r\n",
];
const NAMES: [HeaderName; 6] = [
    HeaderName::Via,
    HeaderName::Route,
    HeaderName::MaxForwards,
    HeaderName::Subject,
    HeaderName::RecordRoute,
    HeaderName::ContentLength,
];

/// All that a message tells.
fn told(message: &Message) -> String {
    format!(
        "{:?}",
        (
            message.as_bytes(),
            (message.method(), message.request_uri(), message.version()),
            (message.status(), message.reason_phrase()),
            message.fields().collect::<Vec<_>>(),
            NAMES.map(|name| (message.header(name), message.headers(name).count())),
            message.body(),
            message.check(),
        )
    )
}

fn change(edit: &mut sip::Edit<'_>, entropy: &mut SeededEntropy) {
    let mut draw = |most: u64| usize::try_from(entropy.number() % most).unwrap();
    let name = NAMES[draw(5)];
    let values: [&[u8]; 4] =
        [b"SIP/2.0/UDP new;branch=z9hG4bKn", b"<sip:c;lr>, <sip:d;lr>", b"7", b" x\r\n y "];
    let value = values[draw(4)];
    match draw(10) {
        0 => edit.prepend(name, value),
        1 => edit.append(name, value),
        2 => edit.append_named("X-New", value),
        3 => edit.replace(name, value),
        4 => edit.remove(name),
        5 => edit.remove_first_value(name),
        6 => edit.replace_first_value(name, value),
        7 => edit.request_uri(b"sips:somebody.else@example.com"),
        8 => edit.body(b"text/plain", b"hello"),
        _ => edit.ensure_content_length(),
    };
}

#[test]
fn every_edited_message_tells_what_its_bytes_tell() {
    let mut entropy = SeededEntropy::new(4);
    for round in 0..4000 {
        let message = Message::parse(MESSAGES[round % MESSAGES.len()].as_bytes()).unwrap();
        let mut edit = message.edit();
        for _ in 0..entropy.number() % 5 {
            change(&mut edit, &mut entropy);
        }
        let bytes = edit.finish().unwrap();
        let read = Message::parse(&bytes).unwrap();
        let edited = edit.message().unwrap();
        assert_eq!(told(&edited), told(&read), "round {round}: {}", String::from_utf8_lossy(&bytes));
        // And so does what is made of it in turn.
        let mut again = edited.edit();
        change(&mut again, &mut entropy);
        assert_eq!(
            told(&again.message().unwrap()),
            told(&Message::parse(&again.finish().unwrap()).unwrap()),
            "round {round}, once more"
        );
    }
}
