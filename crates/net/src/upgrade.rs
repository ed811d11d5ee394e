//! Whether a request for a WebSocket is granted, and the answer if not.

use std::borrow::Cow;

use hyper::StatusCode;
use websocket::{Refusal, Request, Upgrade};

use crate::connection::Connection;
use crate::handler::{Event, UpgradeRequest};
use crate::shared::Shared;

/// The answer to a request that is refused.
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) reason: Cow<'static, str>,
    pub(crate) header: Option<(&'static str, &'static str)>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { status: refusal.status(), reason: refusal.reason().into(), header: refusal.header() }
    }
}

/// Checks the request itself, then asks the handler.
pub(crate) fn decide(
    net: &Shared,
    connection: &Connection,
    request: &Request<'_>,
) -> Result<Upgrade, Refused> {
    let upgrade = Upgrade::check(request)?;
    let question = UpgradeRequest { flow: connection.flow, request };
    match net.call(|handler| handler.accept(&question)) {
        Some(Ok(())) => Ok(upgrade),
        Some(Err(refusal)) => Err(Refused { status: refusal.status, reason: refusal.reason, header: None }),
        None => Err(Refused { status: 500, reason: "internal error".into(), header: None }),
    }
}

pub(crate) fn report(net: &Shared, connection: &Connection, refused: &Refused) {
    net.event(&Event::UpgradeRefused {
        remote: connection.flow.remote,
        status: refused.status,
        reason: refused.reason.clone(),
    });
}

impl Refused {
    /// The whole response.
    pub(crate) fn response(&self) -> Vec<u8> {
        let phrase = StatusCode::from_u16(self.status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("Refused");
        let mut response = format!("HTTP/1.1 {} {phrase}\r\n", self.status);
        if let Some((name, value)) = self.header {
            response.push_str(&format!("{name}: {value}\r\n"));
        }
        let length = self.reason.len().saturating_add(1);
        response.push_str(&format!(
            "Content-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{}\n",
            self.reason
        ));
        response.into_bytes()
    }
}
