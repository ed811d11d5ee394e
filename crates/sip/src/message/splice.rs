//! Changing a message in its place: for the few changes that every forwarded message gets, which are not worth a copy
//! ([`Message::edit`] makes one).

use super::{Message, Span, StartLine};
use crate::error::BuildError;
use crate::header::{HeaderName, list};
use crate::message::MESSAGE_LIMIT;
use crate::part::Part;
use crate::text;

impl Message {
    /// Replaces the first Via value in its place. The rest of the field keeps its octets.
    ///
    /// # Errors
    /// [`BuildError`] if the value cannot be written or there is none to replace; the message is then as it was.
    pub fn replace_top_via(&mut self, value: &[u8]) -> Result<(), BuildError> {
        let value = text::unfold(value);
        if text::breaks_line(&value) {
            return Err(BuildError::LineBreak);
        }
        let (place, _) = self.known.via.ok_or(BuildError::Incomplete)?;
        let field = self.first_entry(HeaderName::Via).ok_or(BuildError::Incomplete)?.value;
        let start = field.start as usize + place.start();
        self.put(Span::new(start, start + place.len()), &value)?;
        self.learn_via();
        Ok(())
    }

    /// Fills in an empty `rport` of the first Via value and a `received` behind it (RFC 3581 §4): `source` is what stands
    /// behind the name, such as `=5060;received=192.0.2.1`. Says whether there was one, and no `received`.
    ///
    /// # Errors
    /// [`BuildError`] if the message gets too large; it is then as it was.
    pub fn fill_rport(&mut self, source: &[u8]) -> Result<bool, BuildError> {
        let Some((place, parts)) = self.known.via else { return Ok(false) };
        let Some(via) = self.known_via() else { return Ok(false) };
        let Some(end) = via.open_rport() else { return Ok(false) };
        let at = self.offset_of(via.as_bytes()) + usize::from(end);
        if text::breaks_line(source) {
            return Err(BuildError::LineBreak);
        }
        self.put(Span::new(at, at), source)?;
        // A message has at most 64 KiB.
        let length = source.len() as u16;
        let at_end = Part::new(place.start(), place.start() + place.len() + source.len());
        self.known.via = Some((at_end, parts.with_rport(end, length)));
        Ok(true)
    }

    /// Removes the first Via value in its place, and its field if it was the only one in it.
    ///
    /// # Errors
    /// [`BuildError`] if the message is none that passes [`Message::admit`]; it is then as it was.
    pub fn remove_top_via(&mut self) -> Result<(), BuildError> {
        let place = self.first_place(HeaderName::Via).ok_or(BuildError::Incomplete)?;
        let field = self.entries.get(place).ok_or(BuildError::Incomplete)?.value;
        let value = field.of(&self.bytes);
        let rest = text::trim_start(text::from(value, list::find_outside(value, b',') + 1));
        if rest.is_empty() {
            self.remove_at(place)?;
        } else {
            let kept = field.end as usize - rest.len();
            self.put(Span { start: field.start, end: kept as u32 }, b"")?;
        }
        self.known.forget(HeaderName::Via);
        Ok(())
    }

    /// Removes every field of `name` in its place.
    ///
    /// # Errors
    /// [`BuildError`] if the message is none that passes [`Message::admit`]; it is then as it was.
    pub fn remove_fields(&mut self, name: HeaderName) -> Result<(), BuildError> {
        while let Some(place) = self.first_place(name) {
            self.remove_at(place)?;
        }
        self.known.forget(name);
        Ok(())
    }

    /// Removes the field at a place.
    fn remove_at(&mut self, place: usize) -> Result<(), BuildError> {
        let start = self.entries.get(place).map_or(self.headers_end, |entry| entry.start);
        let end = self.entries.get(place + 1).map_or(self.headers_end, |entry| entry.start);
        self.put(Span { start, end }, b"")?;
        self.entries.remove(place);
        self.find_names();
        Ok(())
    }

    /// Puts `text` in the place of some octets of the header fields, and moves along what stands behind them.
    fn put(&mut self, place: Span, text: &[u8]) -> Result<(), BuildError> {
        let (start, end) = (place.start as usize, place.end as usize);
        let flaws = self.flaws;
        if flaws.unfinished || flaws.line.is_some() || flaws.line_end.is_some() || flaws.start_line {
            return Err(BuildError::Incomplete);
        }
        let length = self.bytes.len();
        if start > end || end > length {
            return Err(BuildError::Incomplete);
        }
        let new_length = length - (end - start) + text.len();
        if new_length > MESSAGE_LIMIT {
            return Err(BuildError::TooLarge);
        }
        if new_length > length {
            self.bytes.resize(new_length, 0);
        }
        self.bytes.copy_within(end..length, start + text.len());
        self.bytes.truncate(new_length);
        if let Some(hole) = self.bytes.get_mut(start..start + text.len()) {
            hole.copy_from_slice(text);
        }
        let moved = |offset: u32| {
            if offset < place.end { offset } else { offset - place.end + place.start + text.len() as u32 }
        };
        for entry in &mut self.entries {
            entry.start = moved(entry.start);
            entry.value = Span { start: entry.value.start, end: moved(entry.value.end) };
            if entry.value.start >= place.end {
                entry.value.start = moved(entry.value.start);
            }
        }
        self.headers_end = moved(self.headers_end);
        self.body = Span { start: moved(self.body.start), end: moved(self.body.end) };
        debug_assert!(
            !matches!(self.start_line, StartLine::Request { uri, .. } if uri.end > place.start),
            "only header fields change"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP one;branch=z9hG4bK1;rport , SIP/2.0/TCP two;branch=z9hG4bK2\r\n\
        Route: <sip:p;lr>\r\nMax-Forwards: 70\r\nv:SIP/2.0/UDP three;branch=z9hG4bK3\r\nroute: <sip:q;lr>\r\n\
        From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=22\r\nCall-ID: c\r\nCSeq: 7 INVITE\r\nContent-Length: 4\r\n\r\nbody";

    fn message(text: &str) -> Message {
        let mut message = Message::parse(text.as_bytes()).unwrap();
        message.admit().unwrap();
        message
    }

    /// What a fresh reading of the bytes says, said of the message as it is.
    fn assert_consistent(message: &Message, text: &str) {
        assert_eq!(String::from_utf8_lossy(message.as_bytes()), text);
        let fresh = Message::parse(message.as_bytes()).unwrap();
        assert!(message.fields().eq(fresh.fields()));
        assert_eq!(message.body(), fresh.body());
        assert_eq!(message.top_via(), fresh.top_via());
        assert_eq!((message.from_tag(), message.to_tag()), (fresh.from_tag(), fresh.to_tag()));
        assert_eq!(message.cseq(), fresh.cseq());
        assert_eq!(message.target(), fresh.target());
        for name in HeaderName::all() {
            assert!(message.headers(name).eq(fresh.headers(name)), "{name:?}");
        }
        assert_eq!(message.edit().message().unwrap().as_bytes(), fresh.as_bytes());
    }

    #[test]
    fn the_top_via_is_replaced_by_a_longer_and_a_shorter_one() {
        let mut message = message(TEXT);
        for value in ["SIP/2.0/UDP one;branch=z9hG4bK1;received=192.0.2.1;rport=5060", "SIP/2.0/UDP o"] {
            message.replace_top_via(value.as_bytes()).unwrap();
            assert_consistent(&message, &TEXT.replace("SIP/2.0/UDP one;branch=z9hG4bK1;rport", value));
        }
        assert_eq!(message.replace_top_via(b"SIP/2.0/UDP o\r\nX: y"), Err(BuildError::LineBreak));
    }

    #[test]
    fn an_open_rport_is_filled_in_where_it_stands() {
        let mut message = message(TEXT);
        assert_eq!(message.fill_rport(b"=5060;received=192.0.2.1"), Ok(true));
        assert_consistent(&message, &TEXT.replace(";rport", ";rport=5060;received=192.0.2.1"));
        assert_eq!(message.fill_rport(b"=5060"), Ok(false), "it has one");
        for rport in
            [";rport;received=192.0.2.7", ";received=192.0.2.7;rport", ";rport;rport=1", ";rport=1;rport"]
        {
            let mut message = self::message(&TEXT.replace(";rport", rport));
            assert_eq!(message.fill_rport(b"=5060"), Ok(false), "{rport}");
        }
    }

    #[test]
    fn the_top_via_is_removed_with_its_field_only_if_it_is_alone_in_it() {
        let mut message = message(TEXT);
        message.remove_top_via().unwrap();
        let text = TEXT.replace("SIP/2.0/UDP one;branch=z9hG4bK1;rport , ", "");
        assert_consistent(&message, &text);
        message.remove_top_via().unwrap();
        let text = text.replace("Via: SIP/2.0/TCP two;branch=z9hG4bK2\r\n", "");
        assert_consistent(&message, &text);
        assert_eq!(message.top_via().unwrap().branch(), Some(&b"z9hG4bK3"[..]));
        message.remove_top_via().unwrap();
        assert!(message.top_via().is_err());
    }

    #[test]
    fn every_field_of_a_name_is_removed() {
        let mut message = message(TEXT);
        message.remove_fields(HeaderName::Route).unwrap();
        let text = TEXT.replace("Route: <sip:p;lr>\r\n", "").replace("route: <sip:q;lr>\r\n", "");
        assert_consistent(&message, &text);
        message.remove_fields(HeaderName::Route).unwrap();
        assert_consistent(&message, &text);
    }
}
