//! The door: what an element verifies before it processes a message (RFC 3261 §16.3 item 1, RFC 4475).
//!
//! What is verified here has one meaning for everybody who reads the message after us: its edges, the headers
//! that route it and tell its transaction. A header that is only carried may be malformed (RFC 3261 §16.3: be
//! liberal with what is not used).

use super::known::Known;
use super::{Message, StartLine, VIA_LIMIT};
use crate::error::{Fault, HeaderError, UriError};
use crate::header::{Contact, HeaderName, NameAddress, Route, Via, list};
use crate::method::Method;
use crate::part::Part;
use crate::text;
use crate::uri::Uri;

/// Headers that a message must have (RFC 3261 §8.1.1). Max-Forwards is not among them: elements of RFC 2543 do
/// not send it (§16.3 item 3).
const MANDATORY: [HeaderName; 5] =
    [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq];

/// Headers that a message must not have twice (RFC 3261 §7.3.1, RFC 4475 §3.3.8).
const SINGLE: [HeaderName; 7] = [
    HeaderName::From,
    HeaderName::To,
    HeaderName::CallId,
    HeaderName::CSeq,
    HeaderName::MaxForwards,
    HeaderName::ContentLength,
    HeaderName::ContentType,
];

/// The same, one bit each.
const SINGLE_BITS: u128 = bits(SINGLE);

#[allow(clippy::indexing_slicing, reason = "evaluated at compile time")]
const fn bits<const COUNT: usize>(names: [HeaderName; COUNT]) -> u128 {
    let (mut bits, mut place) = (0, 0);
    while place < COUNT {
        bits |= 1 << (names[place] as u32);
        place += 1;
    }
    bits
}

/// A fault before it is known whether anybody may be answered.
type Found = Result<(), Fault>;

impl Message {
    /// Verifies everything that an element must verify at the door.
    ///
    /// The fault's status is 400 but for a version that is not ours (505) and too many Via values (483).
    /// Responses and ACK cannot be answered, so they have no status (RFC 3261 §8.1.3, §17.1.1.3).
    ///
    /// # Errors
    /// The first [`Fault`] found.
    pub fn check(&self) -> Result<(), Fault> {
        self.examined().map(drop)
    }

    /// [`Message::check`] that keeps what it has found out, for a message that is going to be processed.
    ///
    /// # Errors
    /// The first [`Fault`] found.
    pub fn admit(&mut self) -> Result<(), Fault> {
        self.known = self.examined()?;
        Ok(())
    }

    fn examined(&self) -> Result<Known, Fault> {
        let mut known = Known::default();
        let found = self
            .check_start_line()
            .and_then(|()| self.check_lines())
            .and_then(|()| self.check_presence())
            .and_then(|()| self.check_sequence(&mut known))
            .and_then(|()| self.check_vias(&mut known))
            .and_then(|()| self.check_identities(&mut known))
            .and_then(|()| self.check_numbers())
            .and_then(|()| self.check_routing(&mut known));
        match found {
            Ok(()) => Ok(known),
            Err(fault) => {
                let silent = !self.is_request() || self.method() == Some(Method::Ack);
                Err(Fault { status: fault.status.filter(|_| !silent), ..fault })
            }
        }
    }

    fn check_start_line(&self) -> Found {
        let version = self.version();
        if !version.eq_ignore_ascii_case(b"SIP/2.0") {
            return Err(self.fault(505, "the version is not SIP/2.0", None, version));
        }
        match self.start_line {
            StartLine::Request { method, uri } => {
                let method = method.of(&self.bytes);
                if !text::is_token(method) {
                    return Err(self.fault(400, "the method is no token", None, method));
                }
                if self.flaws.start_line {
                    // RFC 3261 §7.1: one space between the parts, no other white space (RFC 4475 §3.1.2.8-10).
                    let uri = uri.of(&self.bytes);
                    return Err(self.fault(400, "the request line has white space too much", None, uri));
                }
                Ok(())
            }
            StartLine::Response { status: 0, code, .. } => {
                let code = code.of(&self.bytes);
                Err(self.fault(400, "the status code is not between 100 and 699", None, code))
            }
            StartLine::Response { .. } => Ok(()),
        }
    }

    /// The edges of the header fields: no two readers may find different headers.
    fn check_lines(&self) -> Found {
        let at =
            |reason, offset: u32| Fault { status: Some(400), reason, header: None, offset: offset as usize };
        if let Some(offset) = self.flaws.line_end {
            return Err(at("a line does not end with CRLF", offset));
        }
        if let Some(offset) = self.flaws.line {
            return Err(at("a line is no header field", offset));
        }
        if self.flaws.unfinished {
            return Err(at("no empty line ends the headers", self.headers_end));
        }
        Ok(())
    }

    fn check_presence(&self) -> Found {
        for name in MANDATORY {
            if self.header(name).is_none() {
                return Err(Fault {
                    status: Some(400),
                    reason: "the header is missing",
                    header: Some(name),
                    offset: 0,
                });
            }
        }
        if !self.repeats_any(SINGLE_BITS) {
            return Ok(());
        }
        for name in SINGLE {
            if self.repeats(name)
                && let Some(second) = self.headers(name).nth(1)
            {
                return Err(self.fault(400, "the header is there twice", Some(name), second));
            }
        }
        Ok(())
    }

    fn check_sequence(&self, known: &mut Known) -> Found {
        let value = self.header(HeaderName::CSeq).unwrap_or_default();
        let cseq = self.cseq().map_err(|error| self.header_fault(error, value))?;
        // RFC 3261 §8.1.1.5: the method is that of the request.
        if self.method().is_some_and(|method| method != cseq.method) {
            return Err(self.fault(
                400,
                "the method is not that of the request",
                Some(HeaderName::CSeq),
                value,
            ));
        }
        // The method ends the value.
        let method = Part::new(value.len() - cseq.method.as_bytes().len(), value.len());
        known.sequence = Some((cseq.number, method));
        let call_id = self.header(HeaderName::CallId).unwrap_or_default();
        self.call_id().map_err(|error| self.header_fault(error, call_id)).map(|_| ())
    }

    fn check_vias(&self, known: &mut Known) -> Found {
        let mut count = 0;
        for field in self.headers(HeaderName::Via) {
            for value in list::elements(field) {
                count += 1;
                if count > VIA_LIMIT {
                    let header = Some(HeaderName::Via);
                    return Err(self.fault(483, "there are more than 70 values", header, value));
                }
                let via = Via::parse(value).map_err(|error| self.header_fault(error, value))?;
                if via.repeats_branch() {
                    return Err(self.fault(400, "the branch is there twice", Some(HeaderName::Via), value));
                }
                known.via = known.via.or_else(|| Some((Part::within(field, value), via.parts())));
            }
        }
        Ok(())
    }

    fn check_identities(&self, known: &mut Known) -> Found {
        for name in [HeaderName::From, HeaderName::To] {
            let value = self.header(name).unwrap_or_default();
            let address =
                NameAddress::parse(value).map_err(|error| self.header_fault(error.of(name), value))?;
            if address.repeats_tag() {
                return Err(self.fault(400, "the tag is there twice", Some(name), value));
            }
            // The URI itself is verified by whoever uses it. White space in it is not: elements would disagree on
            // where it ends (RFC 4475 §3.1.2.14).
            if text::breaks_uri(address.uri_bytes()) {
                return Err(self.fault(400, UriError::Character.reason(), Some(name), address.uri_bytes()));
            }
            known.note_tag(name, value, &address);
        }
        Ok(())
    }

    fn check_numbers(&self) -> Found {
        if let Some(value) = self.header(HeaderName::MaxForwards) {
            self.max_forwards().map_err(|error| self.header_fault(error, value))?;
        }
        let Some(value) = self.header(HeaderName::ContentLength) else { return Ok(()) };
        let header = Some(HeaderName::ContentLength);
        let length = text::parse_decimal(value);
        match length.and_then(|length| usize::try_from(length).ok()) {
            Some(length) if length <= self.body().len() => Ok(()),
            // RFC 3261 §18.3: a datagram that is too short.
            Some(_) => Err(self.fault(400, "the body is shorter than announced", header, value)),
            None => Err(self.fault(400, "the length is no number", header, value)),
        }
    }

    /// What only a request has: where it is to go and, in a REGISTER, where its sender wants to be found.
    fn check_routing(&self, known: &mut Known) -> Found {
        if !self.is_request() {
            return Ok(());
        }
        let target = self.request_uri();
        let uri = Uri::parse(target).map_err(|error| self.fault(400, error.reason(), None, target))?;
        if uri.is_sip() && !uri.headers_bytes().is_empty() {
            // RFC 3261 §19.1.1, table 1: no headers in a Request-URI (RFC 4475 §3.1.2.11).
            return Err(self.fault(400, "the Request-URI has headers in it", None, target));
        }
        known.uri = Some(uri.parts());
        for value in self.headers(HeaderName::Route).flat_map(list::elements) {
            Route::parse(value).map_err(|error| self.header_fault(error, value))?;
        }
        if self.method() == Some(Method::Register) {
            for value in self.values(HeaderName::Contact) {
                Contact::parse(value).map_err(|error| self.header_fault(error, value))?;
            }
        }
        Ok(())
    }

    fn fault(&self, status: u16, reason: &'static str, header: Option<HeaderName>, part: &[u8]) -> Fault {
        Fault { status: Some(status), reason, header, offset: self.offset_of(part) }
    }

    fn header_fault(&self, error: HeaderError, part: &[u8]) -> Fault {
        self.fault(400, error.reason(), Some(error.header()), part)
    }
}
