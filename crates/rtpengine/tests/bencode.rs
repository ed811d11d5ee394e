//! Bencode: what is written is read again, and no octets make the reader panic.
#![allow(clippy::unwrap_used, reason = "tests")]

use rtpengine::bencode::{BencodeError, MAX_DEPTH, Value};
use rtpengine::{Reply, ReplyError, cookie};
use sip::{Entropy, SeededEntropy};

/// A value made by chance; its strings are cut from `octets`.
fn value<'a>(chance: &mut SeededEntropy, octets: &'a [u8], depth: usize) -> Value<'a> {
    let length = (chance.number() % 5) as usize;
    let piece = |chance: &mut SeededEntropy| {
        let begin = chance.number() as usize % octets.len();
        &octets[begin..(begin + length).min(octets.len())]
    };
    match (chance.number() % 4, depth) {
        (0, _) => Value::Integer(chance.number() as i64),
        (1, 1..) => Value::List((0..length).map(|_| value(chance, octets, depth - 1)).collect()),
        (2, 1..) => Value::Dictionary(
            (0..length).map(|_| (piece(chance), value(chance, octets, depth - 1))).collect(),
        ),
        _ => Value::Octets(piece(chance)),
    }
}

#[test]
fn what_is_written_is_read_again() {
    let octets: Vec<u8> = (0..=255).collect();
    let mut chance = SeededEntropy::new(1);
    for _ in 0..2000 {
        let (written, mut text) = (value(&mut chance, &octets, 6), Vec::new());
        written.write(&mut text);
        assert_eq!(Value::parse(&text), Ok(written));
    }
}

#[test]
fn no_octets_make_the_readers_panic() {
    let octets: Vec<u8> = (0..=255).collect();
    let mut chance = SeededEntropy::new(2);
    for _ in 0..5000 {
        let mut text = b"c1 ".to_vec();
        value(&mut chance, &octets, 6).write(&mut text);
        // A few octets changed, and the end cut off.
        for _ in 0..chance.number() % 4 {
            let place = chance.number() as usize % text.len();
            text[place] = b"0123456789:ield-+ \xff"[chance.number() as usize % 19];
        }
        text.truncate(chance.number() as usize % (text.len() + 1));
        if let Some((_, rest)) = cookie(&text) {
            let _ = Reply::parse(rest);
        }
        let _ = Value::parse(&text);
    }
}

#[test]
fn what_is_wrong_is_named() {
    let cases: [(&[u8], BencodeError); 10] = [
        (b"", BencodeError::Incomplete),
        (b"4:ab", BencodeError::Incomplete),
        (b"99999999999:a", BencodeError::Incomplete),
        (b"99999999999999999999999:a", BencodeError::BadNumber { offset: 0 }),
        (b"i12", BencodeError::Incomplete),
        (b"i+1e", BencodeError::BadNumber { offset: 1 }),
        (b"i9223372036854775808e", BencodeError::BadNumber { offset: 1 }),
        (b"di1ei2ee", BencodeError::Unexpected { offset: 1 }),
        (b"x", BencodeError::Unexpected { offset: 0 }),
        (b"1:ab", BencodeError::Trailing { offset: 3 }),
    ];
    for (octets, error) in cases {
        assert_eq!(Value::parse(octets), Err(error), "{}", String::from_utf8_lossy(octets));
    }
    assert_eq!(Value::parse(&b"l".repeat(60_000)), Err(BencodeError::TooDeep));
    assert!(Value::parse(&[b"l".repeat(MAX_DEPTH), b"e".repeat(MAX_DEPTH)].concat()).is_ok());
}

#[test]
fn an_answer_is_read_and_another_programs_words_are_made_harmless() {
    assert_eq!(Reply::parse(b"d6:result4:ponge"), Ok(Reply::Pong));
    assert_eq!(
        Reply::parse(b"d6:result2:ok3:sdp3:v=0e"),
        Ok(Reply::Description(b"v=0".to_vec())),
        "whatever the order of the keys"
    );
    assert_eq!(Reply::parse(b"d6:result10:load limit7:message4:fulle"), Ok(Reply::LoadLimit));
    let error = Reply::parse(b"d6:result5:error12:error-reason6:a\r\n\"\xffbe");
    assert_eq!(error, Ok(Reply::Error("a??\"?b".to_owned())));
    assert_eq!(Reply::parse(b"d6:result3:odde"), Err(ReplyError::NoResult));
    assert_eq!(cookie(b" d1:ae"), None);
    assert_eq!(cookie(b"c1"), None);
}
