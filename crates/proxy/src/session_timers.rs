//! Session timers, as a proxy sees to them (RFC 4028 §8): calls whose end nobody hears of end by themselves, also where
//! one of the two sides knows nothing of timers.
//!
//! Nothing is kept of a dialog: the request that is forwarded says what was asked for, and the one that came says who
//! supports it. Only INVITE and UPDATE refresh sessions; with nothing configured they pass as they are.

use core::time::Duration;
use std::sync::Arc;

use sip::header::{HeaderName, SessionExpires};
use sip::text::decimal;
use sip::{BuildError, Message, Method};

use crate::config::SessionTimers;
use crate::inbound::Job;
use crate::proxy::Proxy;
use crate::reply::Refusal;
use crate::response_context::ContextId;

impl SessionTimers {
    const fn is_off(&self) -> bool {
        self.interval.is_zero() && self.minimum.is_zero()
    }
}

/// An interval, in whole seconds.
fn seconds(span: Duration) -> u32 {
    u32::try_from(span.as_secs()).unwrap_or(u32::MAX)
}

fn refreshes(request: &Message) -> bool {
    matches!(request.method(), Some(Method::Invite | Method::Update))
}

/// Whether the sender of a request has session timers.
fn has_timers(request: &Message) -> bool {
    request.lists(HeaderName::Supported, "timer") || request.lists(HeaderName::Require, "timer")
}

/// The number at the start of Session-Expires or Min-SE; `None` where there is none that can be read.
fn number(message: &Message, name: HeaderName) -> Option<u32> {
    SessionExpires::parse(message.header(name)?).ok().map(|value| value.seconds)
}

/// The request with the interval that is wanted; `None` where it stays as it is.
fn as_wanted(timers: &SessionTimers, request: &Message) -> Result<Option<Message>, BuildError> {
    let written = request.header(HeaderName::SessionExpires);
    let asked = number(request, HeaderName::SessionExpires);
    if written.is_some() && asked.is_none() {
        return Ok(None);
    }
    let (interval, minimum) = (seconds(timers.interval), seconds(timers.minimum));
    let floor = number(request, HeaderName::MinSe).unwrap_or(0);
    // §8.1: never below what the request or we can bear.
    let least = minimum.max(floor);
    let value = match asked {
        None if interval == 0 => return Ok(None),
        None => interval.max(least),
        Some(asked) if asked < minimum => least,
        Some(asked) if interval > 0 => asked.min(interval.max(least)),
        Some(asked) => asked,
    };
    // §8.1: of one who has timers it is not ours to say.
    let raises = floor < minimum && !has_timers(request);
    if asked == Some(value) && !raises {
        return Ok(None);
    }
    let mut edit = request.edit();
    let mut session = decimal(u64::from(value)).as_bytes().to_vec();
    let parameters = written.and_then(|written| {
        let start = written.iter().position(|octet| *octet == b';')?;
        written.get(start..)
    });
    session.extend_from_slice(parameters.unwrap_or_default());
    edit.replace(HeaderName::SessionExpires, &session);
    if raises {
        edit.replace(HeaderName::MinSe, decimal(u64::from(minimum)).as_bytes());
    }
    edit.message().map(Some)
}

impl Proxy {
    /// §8.1: 422 to one who has timers, and asks for an interval that is too short here.
    pub(crate) fn session_refusal(&self, job: &Job) -> Option<Refusal> {
        let minimum = seconds(self.config.session_timers.minimum);
        if minimum == 0 || job.key.is_none() || !refreshes(&job.received) || !has_timers(&job.received) {
            return None;
        }
        let asked = number(&job.received, HeaderName::SessionExpires)?;
        (asked < minimum).then(|| {
            Refusal::new(422, "the session interval is shorter than this server allows")
                .header(HeaderName::MinSe, decimal(u64::from(minimum)).as_bytes())
        })
    }

    /// The request as it is forwarded (§8.1).
    pub(crate) fn with_session_timer(&self, request: &Arc<Message>) -> Arc<Message> {
        let timers = &self.config.session_timers;
        if timers.is_off() || !refreshes(request) {
            return Arc::clone(request);
        }
        // One that has no room for it goes as it is.
        as_wanted(timers, request).ok().flatten().map_or_else(|| Arc::clone(request), Arc::new)
    }

    /// §8.2: the called side knows nothing of timers, the caller does: he refreshes, as if the called side had said so.
    /// `None`: the answer stays as it is.
    pub(crate) fn with_refresher(&self, id: ContextId, response: &Message) -> Option<Arc<Message>> {
        if self.config.session_timers.is_off() || response.header(HeaderName::SessionExpires).is_some() {
            return None;
        }
        let context = self.contexts.get(id.0)?;
        if !refreshes(&context.received) || !has_timers(&context.received) {
            return None;
        }
        let interval = number(&context.request, HeaderName::SessionExpires)?;
        let mut edit = response.edit();
        let value = [decimal(u64::from(interval)).as_bytes(), b";refresher=uac"].concat();
        edit.append(HeaderName::SessionExpires, &value);
        if !response.lists(HeaderName::Require, "timer") {
            edit.append(HeaderName::Require, b"timer");
        }
        edit.message().ok().map(Arc::new)
    }
}
