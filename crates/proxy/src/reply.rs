//! Responses of our own.

use sip::Builder;
use sip::header::HeaderName;
use sip::text::write_quoted;
use sip::{Flow, Hop, Instant, Message, Method};

use crate::date::{Date, Dates};
use crate::keyed_hash::{Key, MARK};

/// A response that says no, or that says what we know ourselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// Why, in a sentence: it goes into the log, and into `Warning`.
    pub(crate) why: &'static str,
    pub(crate) headers: Vec<(HeaderName, Vec<u8>)>,
}

impl Refusal {
    pub(crate) const fn new(status: u16, why: &'static str) -> Self {
        Self { status, why, headers: Vec::new() }
    }

    pub(crate) fn header(mut self, name: HeaderName, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// Makes responses.
#[derive(Clone)]
pub(crate) struct Replies {
    key: Key,
    server: Vec<u8>,
    dates: Dates,
}

impl Replies {
    pub(crate) fn new(key: Key, server: &str) -> Self {
        Self { key, server: server.as_bytes().to_vec(), dates: Dates::default() }
    }

    /// The response that `refusal` describes. `None` if the request is too broken to be answered.
    pub(crate) fn refuse(&self, request: &Message, refusal: &Refusal) -> Option<Vec<u8>> {
        let warns = refusal.status >= 300 && !matches!(refusal.status, 401 | 407) && !refusal.why.is_empty();
        self.write(request, refusal.status, |builder| {
            let builder = with_headers(builder, &refusal.headers);
            if warns { builder.header(HeaderName::Warning, &warning(refusal.why)) } else { builder }
        })
    }

    /// A response with these headers. Its To tag is a function of the request: it needs no memory, a
    /// retransmission gets the same, and the ACK to it is known again (RFC 3261 §8.2.7).
    pub(crate) fn respond(
        &self,
        request: &Message,
        status: u16,
        headers: &[(HeaderName, Vec<u8>)],
    ) -> Option<Vec<u8>> {
        self.write(request, status, |builder| with_headers(builder, headers))
    }

    /// A response with the headers that `write` adds.
    pub(crate) fn write(
        &self,
        request: &Message,
        status: u16,
        write: impl FnOnce(Builder) -> Builder,
    ) -> Option<Vec<u8>> {
        let mut builder = Builder::response_to(request, status, "");
        if status > 100 && request.to_tag().is_none() {
            builder = builder.to_tag(&self.tag(request));
        }
        builder = write(builder);
        // Only who has proved who it is hears what serves it: a name is where a search for holes begins.
        let is_known = status == 200 && matches!(request.method(), Some(Method::Register));
        if is_known && !self.server.is_empty() {
            builder = builder.header(HeaderName::Server, &self.server);
        }
        builder.finish().ok()
    }

    /// The value of a Date header.
    pub(crate) fn date(&self, now: Instant) -> Date {
        self.dates.write(now)
    }

    /// The To tag of our responses to `request`.
    pub(crate) fn tag(&self, request: &Message) -> [u8; MARK] {
        let branch = request.top_via().ok().and_then(|via| via.branch()).unwrap_or_default();
        let from = request.from_tag().unwrap_or_default();
        let call_id = request.header(HeaderName::CallId).unwrap_or_default();
        let number = request.cseq().map_or(0, |cseq| cseq.number).to_be_bytes();
        self.key.mark(b"to tag", [branch, from, call_id, &number])
    }

    /// Whether this ACK acknowledges a response of our own.
    pub(crate) fn is_ours(&self, ack: &Message) -> bool {
        ack.to_tag().is_some_and(|tag| tag.len() == MARK && tag == self.tag(ack))
    }
}

fn with_headers(builder: Builder, headers: &[(HeaderName, Vec<u8>)]) -> Builder {
    headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, value))
}

/// RFC 3261 §20.43: 399 is a miscellaneous warning, for a person to read.
pub(crate) fn warning(why: &str) -> Vec<u8> {
    let mut value = b"399 sipweb ".to_vec();
    write_quoted(&mut value, why.as_bytes());
    value
}

/// Where responses to a request go: back over its flow (RFC 3581 §4); a datagram without `rport` to the address
/// it came from, at the port that its Via names (RFC 3261 §18.2.2). `maddr` is not followed: it would let anybody
/// point our answers at others.
pub(crate) fn response_hop(request: &Message, flow: &Flow) -> Hop {
    let mut back = *flow;
    if !flow.transport.is_reliable()
        && let Ok(via) = request.top_via()
        && !via.has_rport()
    {
        back.remote.set_port(via.port().unwrap_or_else(|| flow.transport.default_port()));
    }
    Hop::Flow(back)
}
