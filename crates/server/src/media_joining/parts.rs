//! Bodies of several parts (RFC 2046 §5.1, RFC 5621 §3.1), as the gateways of telephone networks write them: a description
//! for us, and beside it words of their own network.

use std::ops::Range;

/// The most parts that are looked at.
const MOST: usize = 16;

/// Whether this is the type of a description.
pub(super) fn is_description(kind: &[u8]) -> bool {
    media_type(kind).eq_ignore_ascii_case(b"application/sdp")
}

/// Where the description stands in a body of this type, if it has parts and one of them is a description.
pub(super) fn description(kind: &[u8], body: &[u8]) -> Option<Range<usize>> {
    if !media_type(kind).get(..10).is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/")) {
        return None;
    }
    let delimiter = [b"--", boundary(kind)?].concat();
    let mut begin = next(body, &delimiter, 0)?.end;
    for _ in 0..MOST {
        let end = next(body, &delimiter, begin)?;
        let content = content(body, begin, end.start)?;
        if let Some(content) = content {
            return Some(content);
        }
        begin = end.end;
    }
    None
}

/// The type without its parameters.
fn media_type(kind: &[u8]) -> &[u8] {
    kind.split(|octet| *octet == b';').next().unwrap_or_default().trim_ascii()
}

fn boundary(kind: &[u8]) -> Option<&[u8]> {
    let mut parameters = kind.split(|octet| *octet == b';').skip(1);
    let value = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_at_checked(parameter.iter().position(|octet| *octet == b'=')?)?;
        name.trim_ascii().eq_ignore_ascii_case(b"boundary").then(|| value.get(1..))?
    })?;
    let value = value.trim_ascii();
    let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
    // RFC 2046 §5.1.1: at most 70 characters.
    (1..=70).contains(&value.len()).then_some(value)
}

/// The next delimiter that begins a line, with the line end before it, which is its own.
fn next(body: &[u8], delimiter: &[u8], from: usize) -> Option<Range<usize>> {
    let rest = body.get(from..)?;
    let found = |at: &usize| {
        let line =
            *at == 0 && from == 0 || at.checked_sub(1).and_then(|before| rest.get(before)) == Some(&b'\n');
        line && rest.get(*at..).is_some_and(|rest| rest.starts_with(delimiter))
    };
    let at = (0..rest.len()).find(found)?;
    let before = rest.get(..at)?;
    let before = before.strip_suffix(b"\n").unwrap_or(before);
    let before = before.strip_suffix(b"\r").unwrap_or(before);
    Some(from + before.len()..from + at + delimiter.len())
}

/// What a part says, if it is a description. `None` when the part is none.
fn content(body: &[u8], begin: usize, end: usize) -> Option<Option<Range<usize>>> {
    let part = body.get(begin..end)?;
    // Behind the delimiter; then headers, and an empty line.
    let mut at = part.iter().position(|octet| *octet == b'\n')? + 1;
    let mut is_wanted = false;
    loop {
        let line = part.get(at..)?;
        let Some(length) = line.iter().position(|octet| *octet == b'\n') else { return Some(None) };
        let header = line.get(..length)?.trim_ascii();
        at += length + 1;
        if header.is_empty() {
            return Some(is_wanted.then_some(begin + at..end));
        }
        if let Some(colon) = header.iter().position(|octet| *octet == b':')
            && let Some((name, value)) = header.split_at_checked(colon)
        {
            let is_type = name.trim_ascii().eq_ignore_ascii_case(b"content-type");
            is_wanted |= is_type && value.get(1..).is_some_and(is_description);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &[u8] = b"Multipart/Mixed; boundary=\"one-two\"";

    fn found(body: &str) -> Option<&str> {
        body.get(description(KIND, body.as_bytes())?)
    }

    #[test]
    fn a_description_is_found_among_the_parts() {
        let body = "a preamble\r\n--one-two\r\nContent-Type: application/ISUP;version=itu-t92+\r\n\r\n\x01\x02\r\n\
                    --one-two\r\ncontent-type : Application/SDP\r\nContent-Disposition: session\r\n\r\nv=0\r\ns=-\r\n\r\n\
                    --one-two--\r\n";
        assert_eq!(found(body), Some("v=0\r\ns=-\r\n"));
        let first = "--one-two\nContent-Type: application/sdp\n\nv=0\n--one-two--";
        assert_eq!(found(first), Some("v=0"));
    }

    #[test]
    fn what_has_no_description_or_no_end_has_none() {
        for body in [
            "",
            "--one-two",
            "--one-two\r\n",
            "--one-two\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n",
            "--one-two\r\nContent-Type: text/plain\r\n\r\nv=0\r\n--one-two--",
            "--one-two\r\nContent-Type: application/sdp\r\n--one-two--",
            "x--one-two\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--one-two--",
        ] {
            assert_eq!(found(body), None, "{body}");
        }
        for kind in [&b"multipart/mixed"[..], b"multipart/mixed;boundary=", b"text/plain;boundary=one-two"] {
            assert_eq!(
                description(kind, b"--one-two\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--one-two--"),
                None
            );
        }
    }
}
