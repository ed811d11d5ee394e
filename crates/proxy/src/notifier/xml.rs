//! Text in XML documents.

/// Appends `text` as it may stand in an element or an attribute. What is no UTF-8, and what no XML document may hold
/// (XML 1.0 §2.2), is replaced.
pub(super) fn write_text(out: &mut Vec<u8>, text: &[u8]) {
    for letter in String::from_utf8_lossy(text).chars() {
        match letter {
            '&' => out.extend_from_slice(b"&amp;"),
            '<' => out.extend_from_slice(b"&lt;"),
            '>' => out.extend_from_slice(b"&gt;"),
            '"' => out.extend_from_slice(b"&quot;"),
            '\'' => out.extend_from_slice(b"&apos;"),
            '\t' | '\n' | '\r' | ' '.. if !matches!(letter, '\u{fffe}' | '\u{ffff}') => {
                let mut octets = [0; 4];
                out.extend_from_slice(letter.encode_utf8(&mut octets).as_bytes());
            }
            _ => out.extend_from_slice("\u{fffd}".as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::write_text;

    #[test]
    fn no_text_ends_its_element() {
        let mut out = Vec::new();
        write_text(&mut out, b"a<b>&\"'\x00\xff\xc3\xb1");
        assert_eq!(String::from_utf8(out).unwrap(), "a&lt;b&gt;&amp;&quot;&apos;\u{fffd}\u{fffd}\u{f1}");
    }
}
