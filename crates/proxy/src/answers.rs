//! What is said of an answer that was chosen, and what is kept of its request.

use std::sync::Arc;

use sip::header::HeaderName;
use sip::{Builder, Message};

use crate::response_context::ResponseContext;

/// What tells whose request it was, without the rest of it.
pub(crate) fn outline(request: &Message) -> Option<Message> {
    const TELLING: [HeaderName; 6] = [
        HeaderName::Via,
        HeaderName::From,
        HeaderName::To,
        HeaderName::CallId,
        HeaderName::CSeq,
        HeaderName::Contact,
    ];
    let telling = TELLING.into_iter().filter_map(|name| Some((name, request.header(name)?)));
    let builder = Builder::request(request.method()?, request.request_uri());
    let builder = telling.fold(builder, |builder, (name, value)| builder.header(name, value));
    Message::parse(&builder.finish().ok()?).ok()
}

/// The chosen response, with the challenges of the other branches (§16.7 item 7).
pub(crate) fn with_challenges(context: &ResponseContext, response: &Arc<Message>) -> Option<Vec<u8>> {
    if !matches!(response.status(), Some(401 | 407)) {
        return Some(response.as_bytes().to_vec());
    }
    let mut edit = response.edit();
    for (name, value) in context.other_challenges(response) {
        edit.append(name, &value);
    }
    edit.finish().ok()
}

/// What the status of another's response means, for the log.
pub(crate) const fn sentence(status: u16) -> &'static str {
    match status {
        300..=399 => "the called side says to call elsewhere",
        401 | 407 => "the called side asks for a password",
        403 => "the called side does not allow the call",
        404 | 604 => "the called side does not know the user",
        408 => "the called side did not answer in time",
        415 | 488 | 606 => "the called side does not accept the offered media",
        480 => "the called side is not available",
        486 | 600 => "busy",
        487 => "the caller gave up",
        603 => "declined",
        500..=599 => "the called side had an error",
        _ => "the called side refused",
    }
}
