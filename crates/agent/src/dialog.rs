//! A dialog as the agent keeps it (RFC 3261 §12).

use sip::header::HeaderName;
use sip::message::Message;
use sip::text;
use sip::uri::Uri;

/// The state of one dialog, in bytes ready to be written.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    pub(crate) call_id: Vec<u8>,
    /// Our From, with its tag.
    pub(crate) local: Vec<u8>,
    /// Our To, with its tag.
    pub(crate) remote: Vec<u8>,
    pub(crate) local_tag: Vec<u8>,
    pub(crate) remote_tag: Vec<u8>,
    pub(crate) remote_target: Vec<u8>,
    /// Route values in the order of the request.
    pub(crate) routes: Vec<Vec<u8>>,
    pub(crate) local_cseq: u32,
    pub(crate) remote_cseq: Option<u32>,
}

impl Dialog {
    /// The caller's dialog, from a response to our request (RFC 3261 §12.1.2).
    pub(crate) fn of_caller(response: &Message, cseq: u32) -> Option<Self> {
        let (from, to) = (response.from().ok()?, response.to().ok()?);
        let mut routes: Vec<Vec<u8>> =
            response.values(HeaderName::RecordRoute).map(|value| text::unfold(value).into_owned()).collect();
        routes.reverse();
        Some(Self {
            call_id: response.call_id().ok()?.to_vec(),
            local: unfolded(response, HeaderName::From)?,
            remote: unfolded(response, HeaderName::To)?,
            local_tag: from.tag()?.to_vec(),
            // RFC 3261 §12.1.2: a peer of RFC 2543 has no tag.
            remote_tag: to.tag().unwrap_or_default().to_vec(),
            remote_target: target(response)
                .unwrap_or_else(|| to.uri().map(|uri| uri.as_bytes().to_vec()).unwrap_or_default()),
            routes,
            local_cseq: cseq,
            remote_cseq: None,
        })
    }

    /// The callee's dialog, from a request and the tag that we give (RFC 3261 §12.1.1).
    pub(crate) fn of_callee(request: &Message, local_tag: &[u8]) -> Option<Self> {
        let from = request.from().ok()?;
        let mut local = unfolded(request, HeaderName::To)?;
        local.extend_from_slice(b";tag=");
        local.extend_from_slice(local_tag);
        Some(Self {
            call_id: request.call_id().ok()?.to_vec(),
            local,
            remote: unfolded(request, HeaderName::From)?,
            local_tag: local_tag.to_vec(),
            remote_tag: from.tag().unwrap_or_default().to_vec(),
            remote_target: target(request)?,
            routes: request
                .values(HeaderName::RecordRoute)
                .map(|value| text::unfold(value).into_owned())
                .collect(),
            local_cseq: 0,
            remote_cseq: Some(request.cseq().ok()?.number),
        })
    }

    /// Whether a request from the peer belongs here (RFC 3261 §12.2.2).
    pub(crate) fn receives(&self, request: &Message) -> bool {
        let tag = |address: Result<sip::header::NameAddress<'_>, _>, ours: &[u8]| {
            address
                .is_ok_and(|address: sip::header::NameAddress<'_>| address.tag().unwrap_or_default() == ours)
        };
        request.call_id().is_ok_and(|call_id| call_id == self.call_id)
            && tag(request.to(), &self.local_tag)
            && tag(request.from(), &self.remote_tag)
    }

    /// Takes the number of a new request from the peer. False if it is out of order (RFC 3261 §12.2.2).
    pub(crate) fn takes(&mut self, number: u32) -> bool {
        let in_order = self.remote_cseq.is_none_or(|last| number > last);
        if in_order {
            self.remote_cseq = Some(number);
        }
        in_order
    }

    /// The next CSeq number of ours.
    pub(crate) const fn next_cseq(&mut self) -> u32 {
        self.local_cseq = self.local_cseq.saturating_add(1);
        self.local_cseq
    }

    /// Takes the peer's Contact from a target refresh (RFC 3261 §12.2).
    pub(crate) fn refresh_target(&mut self, message: &Message) {
        if let Some(target) = target(message) {
            self.remote_target = target;
        }
    }

    /// The Request-URI and the Route values for a request (RFC 3261 §12.2.1.1). A first route without `lr` is a
    /// strict router: it goes into the Request-URI, and the target to the end.
    pub(crate) fn path(&self) -> (Vec<u8>, Vec<Vec<u8>>) {
        let strict = self.routes.first().and_then(|route| {
            let route = sip::header::Route::parse(route).ok()?;
            (!route.is_loose()).then(|| route.uri().as_bytes().to_vec())
        });
        match strict {
            None => (self.remote_target.clone(), self.routes.clone()),
            Some(first) => {
                let mut routes: Vec<Vec<u8>> = self.routes.iter().skip(1).cloned().collect();
                routes.push([b"<", self.remote_target.as_slice(), b">"].concat());
                (first, routes)
            }
        }
    }
}

/// The URI in the first Contact, if it can be written into a request line.
fn target(message: &Message) -> Option<Vec<u8>> {
    let contact = message.contacts().next()?.ok()?;
    let uri: Uri<'_> = contact.uri()?.ok()?;
    Some(uri.as_bytes().to_vec())
}

/// The value of a field, ready to be written again.
fn unfolded(message: &Message, name: HeaderName) -> Option<Vec<u8>> {
    message.header(name).map(|value| text::unfold(value).into_owned())
}
