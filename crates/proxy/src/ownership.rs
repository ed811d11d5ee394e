//! Which event loop a message belongs to.
//!
//! All messages of one call carry one Call-ID (RFC 3261 §8.1.1.4), whichever side sends them and whatever transaction
//! they are of; so it chooses the loop, and nothing needs to be remembered. A REGISTER is chosen by the user that it
//! is for, since one loop writes the bindings of one user. The message is not parsed for it: its lines are looked at
//! until what chooses is found.

use memchr::memchr;
use sip::header::NameAddress;

use crate::registrar::address_of_record::unescape;

/// How the messages are divided among event loops.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ownership {
    loops: usize,
}

impl Ownership {
    pub(crate) fn new(loops: usize) -> Self {
        Self { loops: loops.max(1) }
    }

    pub(crate) const fn loops(self) -> usize {
        self.loops
    }

    /// The loop of a message.
    pub(crate) fn of_message(self, message: &[u8]) -> usize {
        if self.loops == 1 {
            return 0;
        }
        match chosen_by(message) {
            ChosenBy::Call(call_id) => self.of_name(call_id),
            ChosenBy::User(to) => self.of_name(&user(to).unwrap_or_default()),
            ChosenBy::Nothing => 0,
        }
    }

    /// The loop of the bindings of `user@domain`.
    pub(crate) fn of_record(self, aor: &[u8]) -> usize {
        let user = aor.iter().rposition(|octet| *octet == b'@').and_then(|at| aor.get(..at));
        self.of_name(user.unwrap_or(aor))
    }

    fn of_name(self, name: &[u8]) -> usize {
        sip::spread::part_of(name, self.loops)
    }
}

/// What chooses the loop of a message.
#[derive(Debug, PartialEq, Eq)]
enum ChosenBy<'a> {
    /// Its Call-ID.
    Call(&'a [u8]),
    /// The user in this To.
    User(&'a [u8]),
    /// It has neither.
    Nothing,
}

/// Finds it.
fn chosen_by(message: &[u8]) -> ChosenBy<'_> {
    let is_response = message.starts_with(b"SIP/2.0 ");
    let mut registers = message.starts_with(b"REGISTER ");
    let (mut call_id, mut to) = (None, None);
    let mut sequence = !is_response;
    let mut rest = after_line(message);
    while let Some(first) = rest.first() {
        // What cannot begin a name that counts is not looked at any further.
        match first {
            b'\r' | b'\n' => break,
            b'c' | b'C' | b'i' | b'I' if call_id.is_none() || !sequence => {
                if let Some(value) = value(rest, b"call-id", b'i') {
                    call_id.get_or_insert(value);
                } else if let Some(value) = value(rest, b"cseq", b' ') {
                    registers |= is_response && value.ends_with(b"REGISTER");
                    sequence = true;
                }
            }
            b't' | b'T' if to.is_none() => to = value(rest, b"to", b't'),
            _ => {}
        }
        match (registers, call_id, to) {
            (true, _, Some(to)) if sequence => return ChosenBy::User(to),
            (false, Some(call_id), _) if sequence => return ChosenBy::Call(call_id),
            _ => rest = after_line(rest),
        }
    }
    match (registers, call_id, to) {
        (true, _, Some(to)) => ChosenBy::User(to),
        (_, Some(call_id), _) => ChosenBy::Call(call_id),
        _ => ChosenBy::Nothing,
    }
}

fn after_line(text: &[u8]) -> &[u8] {
    memchr(b'\n', text).and_then(|end| text.get(end + 1..)).unwrap_or_default()
}

/// The value of the header that begins here, if it has that name, in lower case, or that compact form
/// (RFC 3261 §7.3.3); continued lines are part of it (§7.3.1).
fn value<'a>(line: &'a [u8], name: &[u8], compact: u8) -> Option<&'a [u8]> {
    let named = line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let length = if named {
        name.len()
    } else if line.first()?.eq_ignore_ascii_case(&compact) {
        1
    } else {
        return None;
    };
    let after = without_blanks(line.get(length..)?);
    let mut rest = after.strip_prefix(b":")?;
    let mut length = 0;
    loop {
        let end = memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        length += end;
        rest = rest.get(end..).unwrap_or_default();
        if !matches!(rest.first(), Some(b' ' | b'\t')) {
            return Some(after.get(1..=length).unwrap_or_default().trim_ascii());
        }
    }
}

/// Without the blanks that may stand before the colon.
fn without_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
    text.get(blanks..).unwrap_or_default()
}

/// The user in a To, without its escapes, as the names of bindings have it.
fn user(to: &[u8]) -> Option<Vec<u8>> {
    let address = NameAddress::parse(to).ok()?;
    let uri = address.uri().ok()?;
    uri.user().map(unescape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(message: &str) -> ChosenBy<'_> {
        chosen_by(message.as_bytes())
    }

    #[test]
    fn a_call_is_chosen_by_its_call_id_however_it_is_written() {
        for line in
            ["Call-ID: a1@x", "call-id:a1@x", "CALL-ID  :  a1@x", "i: a1@x", "I:a1@x", "Call-ID:\r\n a1@x"]
        {
            let request = format!(
                "INVITE sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nContact: <sip:i:@x>\r\n{line}\r\nCSeq: 1 INVITE\r\n\r\n"
            );
            assert_eq!(call(&request), ChosenBy::Call(b"a1@x"), "{line}");
            let response = request.replace("INVITE sip:b@x SIP/2.0", "SIP/2.0 200 OK");
            assert_eq!(call(&response), ChosenBy::Call(b"a1@x"), "{line}");
        }
    }

    #[test]
    fn a_registration_is_chosen_by_its_user_in_both_directions() {
        let request =
            "REGISTER sip:x SIP/2.0\r\nCall-ID: a1\r\nTo: \"Bob\" <sip:b%6fb@x>\r\nCSeq: 1 REGISTER\r\n\r\n";
        assert_eq!(call(request), ChosenBy::User(b"\"Bob\" <sip:b%6fb@x>"));
        let response = "SIP/2.0 200 OK\r\nt: <sip:bob@x>\r\ni: a1\r\nCSeq: 1 REGISTER\r\n\r\n";
        assert_eq!(call(response), ChosenBy::User(b"<sip:bob@x>"));
        let ownership = Ownership::new(7);
        let owner = ownership.of_record(b"bob@example.com");
        assert_eq!(ownership.of_message(request.as_bytes()), owner);
        assert_eq!(ownership.of_message(response.as_bytes()), owner);
    }

    #[test]
    fn a_body_chooses_nothing() {
        assert_eq!(call("MESSAGE sip:b@x SIP/2.0\r\n\r\nCall-ID: a1\r\n"), ChosenBy::Nothing);
        assert_eq!(call(""), ChosenBy::Nothing);
        assert_eq!(call("\r\n\r\n"), ChosenBy::Nothing);
    }

    #[test]
    fn calls_spread_evenly() {
        let ownership = Ownership::new(4);
        let mut counts = [0; 4];
        for number in 0..40_000 {
            let message = format!("OPTIONS sip:x SIP/2.0\r\nCall-ID: {number}-4711@192.0.2.1\r\n\r\n");
            counts[ownership.of_message(message.as_bytes())] += 1;
        }
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
    }
}
