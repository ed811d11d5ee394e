//! Writing the agent's own requests and responses.
//!
//! The order of the fields is the one that peers of JsSIP have seen for years: Via, Max-Forwards, To, From,
//! Call-ID, CSeq, what the request needs, Allow, Supported, User-Agent, Content-Length.

use crate::config::{Header, Via};
use crate::options::{Body, CommandError};
use sip::Builder;
use sip::header::HeaderName;
use sip::{Entropy, text};

/// The methods that the agent understands, for Allow (RFC 3261 §20.5).
pub(crate) const ALLOWED: &[u8] =
    b"INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,INFO,NOTIFY,SUBSCRIBE,PRACK";
/// The body types that calls understand, for Accept (RFC 3261 §20.1).
pub(crate) const ACCEPTED: &[u8] = b"application/sdp, application/dtmf-relay";

/// The Info packages that calls take, for Recv-Info (RFC 6086 §5.2): candidates that are found late (RFC 8840).
pub(crate) const PACKAGES: &[u8] = b"trickle-ice";

const MAX_FORWARDS: &[u8] = b"69";

/// A request before it is written.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) method: &'a [u8],
    pub(crate) uri: &'a [u8],
    /// Route values in order.
    pub(crate) routes: &'a [Vec<u8>],
    pub(crate) to: &'a [u8],
    pub(crate) from: &'a [u8],
    pub(crate) call_id: &'a [u8],
    pub(crate) cseq: u32,
    pub(crate) rest: Rest<'a>,
}

/// What a request carries behind CSeq.
#[derive(Debug, Default)]
pub(crate) struct Rest<'a> {
    /// Fields that the protocol needs.
    pub(crate) fields: Vec<(HeaderName, Vec<u8>)>,
    /// Fields that the user adds.
    pub(crate) headers: &'a [Header],
    /// The option tags for Supported.
    pub(crate) supported: &'a [u8],
    pub(crate) body: Option<&'a Body>,
}

impl Draft<'_> {
    /// The request under the Via value `via`, as far as CSeq.
    pub(crate) fn start(&self, via: &[u8]) -> Builder {
        let mut cseq = Vec::with_capacity(self.method.len() + 11);
        text::write_decimal(&mut cseq, u64::from(self.cseq));
        cseq.push(b' ');
        cseq.extend_from_slice(self.method);
        let method = sip::Method::from_bytes(self.method);
        let mut builder = Builder::request(method, self.uri).header(HeaderName::Via, via);
        for route in self.routes {
            builder = builder.header(HeaderName::Route, route);
        }
        builder
            .header(HeaderName::MaxForwards, MAX_FORWARDS)
            .header(HeaderName::To, self.to)
            .header(HeaderName::From, self.from)
            .header(HeaderName::CallId, self.call_id)
            .header(HeaderName::CSeq, &cseq)
    }
}

impl Rest<'_> {
    /// Ends a request. `general` are the fields that every message of the user's carries.
    pub(crate) fn finish(
        &self,
        mut builder: Builder,
        general: &[Header],
        user_agent: &str,
    ) -> Result<Vec<u8>, CommandError> {
        for (name, value) in &self.fields {
            builder = builder.header(*name, value);
        }
        builder = add(add(builder, self.headers), general).header(HeaderName::Allow, ALLOWED);
        if !self.supported.is_empty() {
            builder = builder.header(HeaderName::Supported, self.supported);
        }
        builder = builder.header(HeaderName::UserAgent, user_agent.as_bytes());
        if let Some(body) = self.body {
            builder = builder.body(body.content_type.as_bytes(), &body.bytes);
        }
        builder.finish().map_err(|_| CommandError::Header)
    }
}

/// Adds the fields that a user gave. Content-Type comes with the body and Content-Length from it.
pub(crate) fn add(mut builder: Builder, headers: &[Header]) -> Builder {
    for header in headers {
        let name = HeaderName::parse(header.name.as_bytes());
        if !matches!(name, HeaderName::ContentType | HeaderName::ContentLength) {
            builder = builder.named(&header.name, header.value.as_bytes());
        }
    }
    builder
}

/// A new Via value. 16 characters carry 80 random bits: no two branches are equal (RFC 3261 §8.1.1.7).
pub(crate) fn new_via(via: Via, host: &[u8], entropy: &mut dyn Entropy) -> Vec<u8> {
    let branch = entropy.token(16);
    // RFC 3581: over datagrams the answer must find the port that the request left from.
    let rport: &[u8] = if via.reliable { b"" } else { b";rport" };
    [
        b"SIP/2.0/",
        via.transport.via_token().as_bytes(),
        b" ",
        host,
        b";branch=z9hG4bK",
        branch.as_bytes(),
        rport,
    ]
    .concat()
}

/// `"name" <uri>;tag=..` with the parts that are not empty.
pub(crate) fn name_address(display_name: &str, uri: &[u8], tag: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(display_name.len() + uri.len() + tag.len() + 16);
    if !display_name.is_empty() {
        text::write_quoted(&mut value, display_name.as_bytes());
        value.push(b' ');
    }
    value.push(b'<');
    value.extend_from_slice(uri);
    value.push(b'>');
    if !tag.is_empty() {
        value.extend_from_slice(b";tag=");
        value.extend_from_slice(tag);
    }
    value
}
