//! A session description is read, looked at, and written back without losing an octet.

use sdp::{Description, DescriptionError, Direction, Profile};

const BROWSER: &str = "v=0\r\no=- 4611 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=mid:0\r\na=sendonly\r\n\
    a=rtpmap:111 opus/48000/2\r\na=x-unknown:kept  as it is\r\n";

fn written(description: &Description) -> Vec<u8> {
    let mut out = Vec::new();
    description.write(&mut out);
    out
}

#[test]
fn a_description_that_is_not_edited_comes_back_octet_for_octet() {
    for text in [BROWSER.to_owned(), BROWSER.replace("\r\n", "\n"), BROWSER.trim_end().to_owned()] {
        let description = Description::parse(text.as_bytes()).unwrap();
        assert_eq!(written(&description), text.as_bytes());
    }
}

#[test]
fn a_media_section_tells_its_kind_port_profile_formats_and_direction() {
    let description = Description::parse(BROWSER.as_bytes()).unwrap();
    let sections: Vec<_> = description.media().collect();
    let [audio] = sections.as_slice() else { panic!("one section") };
    assert_eq!(audio.kind(), b"audio");
    assert_eq!(audio.port(), Some(9));
    assert_eq!(audio.profile(), Profile::Dtls);
    assert_eq!(audio.formats().collect::<Vec<_>>(), [b"111".as_slice(), b"0"]);
    assert_eq!(audio.direction(), Direction::SendOnly);
    assert_eq!(audio.attribute(b"mid"), Some(b"0".as_slice()));
    assert_eq!(description.attribute(b"group"), Some(b"BUNDLE 0".as_slice()));
}

#[test]
fn a_direction_in_the_session_part_holds_for_sections_that_name_none() {
    let text = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\na=inactive\r\nt=0 0\r\n\
        m=audio 4000 RTP/AVP 0\r\nm=video 4002 RTP/AVP 96\r\na=recvonly\r\n";
    let description = Description::parse(text.as_bytes()).unwrap();
    let directions: Vec<_> = description.media().map(|section| section.direction()).collect();
    assert_eq!(directions, [Direction::Inactive, Direction::ReceiveOnly]);
}

#[test]
fn a_section_inherits_the_connection_and_attributes_that_it_does_not_write() {
    let text = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=setup:actpass\r\n\
        m=audio 4000 RTP/AVP 0\r\nm=video 4002 RTP/AVP 96\r\nc=IN IP4 192.0.2.2\r\na=setup:active\r\n\
        a=ssrc:1 cname:a\r\na=ssrc:2 cname:a\r\n";
    let description = Description::parse(text.as_bytes()).unwrap();
    let sections: Vec<_> = description.media().collect();
    let [audio, video] = sections.as_slice() else { panic!("two sections") };
    assert_eq!(audio.connection(), Some(b"IN IP4 192.0.2.1".as_slice()));
    assert_eq!(video.connection(), Some(b"IN IP4 192.0.2.2".as_slice()));
    assert_eq!(audio.inherited_attribute(b"setup"), Some(b"actpass".as_slice()));
    assert_eq!(video.inherited_attribute(b"setup"), Some(b"active".as_slice()));
    assert_eq!(video.attributes(b"ssrc").count(), 2);
}

#[test]
fn an_answer_keeps_only_the_direction_that_its_offer_leaves() {
    let all = [Direction::SendReceive, Direction::SendOnly, Direction::ReceiveOnly, Direction::Inactive];
    for direction in all {
        assert_eq!(Direction::of(direction.sends(), direction.receives()), direction);
        assert_eq!(direction.answering(Direction::SendReceive), direction);
        assert_eq!(direction.answering(Direction::Inactive), Direction::Inactive);
    }
    // A phone of RFC 2543 answers a hold as if nothing were held.
    assert_eq!(Direction::SendReceive.answering(Direction::SendOnly), Direction::ReceiveOnly);
}

#[test]
fn an_edit_changes_only_the_lines_it_names() {
    let mut description = Description::parse(BROWSER.as_bytes()).unwrap();
    description.replace(2, b's', b"call");
    description.insert(3, b'c', b"IN IP4 192.0.2.7");
    description.remove(5);
    let expected =
        BROWSER.replace("s=-\r\n", "s=call\r\nc=IN IP4 192.0.2.7\r\n").replace("a=group:BUNDLE 0\r\n", "");
    assert_eq!(String::from_utf8(written(&description)).unwrap(), expected);
}

#[test]
fn a_value_cannot_smuggle_a_second_line() {
    let mut description = Description::parse(BROWSER.as_bytes()).unwrap();
    description.replace(2, b's', b"call\r\na=crypto:evil");
    assert_eq!(description.line(2).unwrap().value, b"call");
    assert!(!written(&description).windows(6).any(|window| window == b"crypto"));
}

#[test]
fn what_is_not_a_description_is_named() {
    assert_eq!(Description::parse(b""), Err(DescriptionError::NoVersion));
    assert_eq!(Description::parse(b"o=x\r\n"), Err(DescriptionError::NoVersion));
    assert_eq!(Description::parse(b"v=0\r\nnot a line\r\n"), Err(DescriptionError::NotALine(2)));
    assert_eq!(Description::parse(&[b'a'; sdp::MAX_LENGTH + 1]), Err(DescriptionError::TooLong));
}

/// Descriptions of real browsers, gateways and phones, where the folder lies beside the project; CI has it.
#[test]
fn every_recorded_description_is_read_and_written_back_unchanged() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors/sdp");
    let Ok(entries) = std::fs::read_dir(folder) else {
        assert!(std::env::var_os("CI").is_none(), "the recorded descriptions are missing");
        eprintln!("no recorded descriptions beside the project: nothing more to read");
        return;
    };
    let mut read = 0;
    for entry in entries {
        let path = entry.unwrap().path();
        let text = std::fs::read(&path).unwrap();
        if text.starts_with(b";") {
            // Two files carry the comment lines of a test tool: no description has them.
            assert!(matches!(
                Description::parse(&text),
                Err(DescriptionError::NotALine(_) | DescriptionError::NoVersion)
            ));
            continue;
        }
        let description =
            Description::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(written(&description), text, "{}", path.display());
        read += 1;
    }
    assert!(read > 0);
    eprintln!("{read} recorded descriptions read and written back");
}
