//! From the bytes of a message to what we understand of it.

use serde::Serialize;
use sip::header::HeaderName;
use sip::{HeaderError, Message, Uri, reason_phrase};

use super::body::{self, Body};
use super::details::{self, Details, shown};
use super::rules;

/// What we understand of one message.
#[derive(Debug, Serialize)]
pub(super) struct Explanation {
    /// Where the message came from.
    pub(super) file: String,
    /// Whether a server takes the message.
    pub(super) acceptable: bool,
    /// The first line, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) start: Option<Start>,
    /// Every header field, in order.
    pub(super) headers: Vec<Header>,
    /// What follows the headers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<Body>,
    /// Why the message is not acceptable.
    pub(super) faults: Vec<Problem>,
    /// What is odd, and tolerated.
    pub(super) remarks: Vec<Problem>,
}

/// The start line.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Start {
    /// A request line.
    Request {
        /// The method.
        method: String,
        /// Whether it is one of the standard ones.
        known: bool,
        /// The Request-URI as written.
        uri: String,
        /// Its parts, if it can be read.
        parts: Details,
        /// Such as `SIP/2.0`.
        version: String,
    },
    /// A status line.
    Response {
        /// The status code.
        status: u16,
        /// The phrase as written.
        reason: String,
        /// What the standards call this status.
        meaning: &'static str,
        /// Such as `SIP/2.0`.
        version: String,
    },
}

/// One header field.
#[derive(Debug, Serialize)]
pub(super) struct Header {
    /// Where it stands.
    #[serde(flatten)]
    pub(super) place: Place,
    /// The full name; as written, if it is not one of ours.
    pub(super) name: String,
    /// The name as written, if it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) written: Option<String>,
    /// The value as written.
    pub(super) value: String,
    /// What each value of it says.
    pub(super) values: Vec<Details>,
}

/// A place in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Place {
    /// The line, counted from 1.
    pub(super) line: usize,
    /// The column, counted from 1 in octets.
    pub(super) column: usize,
    /// Octets before it.
    pub(super) offset: usize,
}

/// Something wrong or odd.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    /// Where.
    #[serde(flatten)]
    pub(super) place: Place,
    /// The header, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) header: Option<&'static str>,
    /// What.
    pub(super) reason: String,
    /// The status a server answers with; none: it drops the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<u16>,
    /// Where the rule stands.
    pub(super) rule: &'static str,
}

/// Explains `bytes`, which came from `file`.
pub(super) fn explain(file: &str, bytes: &[u8]) -> Explanation {
    let mut explanation = Explanation {
        file: file.to_owned(),
        acceptable: false,
        start: None,
        headers: Vec::new(),
        body: None,
        faults: Vec::new(),
        remarks: Vec::new(),
    };
    let source =
        Source { bytes, before: bytes.iter().take_while(|octet| matches!(octet, b'\r' | b'\n')).count() };
    let message = match Message::parse(bytes) {
        Ok(message) => message,
        Err(error) => {
            explanation.faults.push(Problem {
                place: source.place(0),
                header: None,
                reason: error.reason().to_owned(),
                status: None,
                rule: rules::START_LINE,
            });
            return explanation;
        }
    };
    if let Err(fault) = message.check() {
        let place = source.place(fault.offset);
        explanation.faults.push(Problem {
            place,
            header: fault.header.filter(|name| *name != HeaderName::Other).map(HeaderName::as_str),
            reason: fault.reason.to_owned(),
            status: fault.status,
            rule: rules::broken(fault.header, place.line),
        });
    }
    explanation.acceptable = explanation.faults.is_empty();
    explanation.start = Some(start(&message));
    headers(&message, &source, &mut explanation);
    body(&message, &source, &mut explanation);
    explanation
}

/// The file, for places in it.
struct Source<'a> {
    bytes: &'a [u8],
    /// Line ends before the message itself.
    before: usize,
}

impl Source<'_> {
    fn place(&self, offset: usize) -> Place {
        let offset = (offset + self.before).min(self.bytes.len());
        let before = &self.bytes[..offset];
        let line = before.iter().filter(|octet| **octet == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|octet| **octet != b'\n').count() + 1;
        Place { line, column, offset }
    }
}

fn start(message: &Message) -> Start {
    let version = shown(message.version());
    match (message.method(), message.status()) {
        (Some(method), _) => Start::Request {
            method: shown(method.as_bytes()),
            known: method.is_known(),
            uri: shown(message.request_uri()),
            parts: Uri::parse(message.request_uri()).map(|uri| details::uri(&uri)).unwrap_or_default(),
            version,
        },
        (None, status) => {
            let status = status.unwrap_or_default();
            Start::Response {
                status,
                reason: shown(message.reason_phrase()),
                meaning: reason_phrase(status),
                version,
            }
        }
    }
}

fn headers(message: &Message, source: &Source<'_>, explanation: &mut Explanation) {
    for field in message.fields() {
        let place = source.place(message.offset_of(field.text));
        let written = shown(field.text);
        let name =
            if field.name == HeaderName::Other { written.clone() } else { field.name.as_str().to_owned() };
        let mut values = Vec::new();
        for (value, read) in details::of(field.name, field.value) {
            match read {
                Ok(details) if details.0.is_empty() => {}
                Ok(details) => values.push(details),
                Err(error) => remark(message, source, explanation, field.name, value, error),
            }
        }
        explanation.headers.push(Header {
            place,
            written: (name != written).then_some(written),
            name,
            value: shown(&sip::text::unfold(field.value)),
            values,
        });
    }
}

/// A header that cannot be read, unless it is the one that makes the message unacceptable.
fn remark(
    message: &Message,
    source: &Source<'_>,
    explanation: &mut Explanation,
    name: HeaderName,
    value: &[u8],
    error: HeaderError,
) {
    let header = (name != HeaderName::Other).then(|| name.as_str());
    if explanation.faults.iter().any(|fault| fault.header == header && fault.reason == error.reason()) {
        return;
    }
    explanation.remarks.push(Problem {
        place: source.place(message.offset_of(value)),
        header,
        reason: error.reason().to_owned(),
        status: None,
        rule: rules::of(Some(name)),
    });
}

fn body(message: &Message, source: &Source<'_>, explanation: &mut Explanation) {
    let bytes = message.body();
    if bytes.is_empty() {
        return;
    }
    let start = source.place(message.offset_of(bytes));
    let (body, wrong) = body::explain(message.header(HeaderName::ContentType), bytes);
    if let Some((line, reason)) = wrong {
        let place = Place { line: start.line + line - 1, column: 1, ..start };
        let problem = Problem { place, header: None, reason, status: None, rule: rules::SESSION_DESCRIPTION };
        explanation.remarks.push(problem);
    }
    explanation.body = Some(body);
    let end = message.offset_of(bytes) + bytes.len() + source.before;
    if source.bytes.len() > end {
        let surplus = source.bytes.len() - end;
        explanation.remarks.push(Problem {
            place: source.place(end - source.before),
            header: None,
            reason: format!("{surplus} octets follow the message; they are ignored in a datagram"),
            status: None,
            rule: rules::CONTENT_LENGTH,
        });
    }
}
