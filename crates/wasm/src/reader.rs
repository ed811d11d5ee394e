//! Reading a command: little-endian numbers, and texts with their length before them.
//!
//! The writer is `Writer` in `web/library/src/core.ts`. A command that ends early reads as zeros and empty texts:
//! the page writes them itself, so there is nothing to report.

use agent::{Body, CallOptions, Header, Origin, Payload};

/// The length that stands for "absent".
const ABSENT: u32 = u32::MAX;

pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at_checked(length).unwrap_or_default();
        self.0 = rest;
        taken
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.byte() != 0
    }

    pub(crate) fn number(&mut self) -> u32 {
        self.take(4).try_into().map_or(0, u32::from_le_bytes)
    }

    /// A status code.
    pub(crate) fn status(&mut self) -> u16 {
        u16::try_from(self.number()).unwrap_or(0)
    }

    pub(crate) fn bytes(&mut self) -> &'a [u8] {
        let length = self.number();
        self.take(length as usize)
    }

    pub(crate) fn text(&mut self) -> String {
        text(self.bytes())
    }

    fn optional_bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.number();
        (length != ABSENT).then(|| self.take(length as usize))
    }

    pub(crate) fn optional(&mut self) -> Option<String> {
        self.optional_bytes().map(text)
    }

    pub(crate) fn headers(&mut self) -> Vec<Header> {
        let count = self.number();
        let mut headers = Vec::new();
        // Whatever the count says, there are no more than the words give.
        while headers.len() < count as usize && !self.0.is_empty() {
            headers.push(Header { name: self.text(), value: self.text() });
        }
        headers
    }

    pub(crate) fn payload(&mut self) -> Payload {
        let headers = self.headers();
        let body = self.optional_bytes().map(<[u8]>::to_vec);
        let body = body.map(|bytes| Body { bytes, content_type: self.text() });
        Payload { headers, body }
    }

    pub(crate) fn origin(&mut self) -> Origin {
        Origin {
            headers: self.headers(),
            anonymous: self.flag(),
            from_user_name: self.optional(),
            from_display_name: self.optional(),
            from_uri: self.optional(),
            to_uri: self.optional(),
            to_display_name: self.optional(),
        }
    }

    pub(crate) fn call_options(&mut self) -> CallOptions {
        CallOptions {
            origin: self.origin(),
            session_expires: self.number(),
            no_answer_timeout: self.number(),
        }
    }
}

/// The page writes UTF-8 (its `TextEncoder` can do nothing else).
fn text(bytes: &[u8]) -> String {
    core::str::from_utf8(bytes).unwrap_or_default().to_owned()
}
