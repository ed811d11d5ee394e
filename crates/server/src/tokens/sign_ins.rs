//! Pages that showed a token when they opened their WebSocket: between the request and the open connection, and until
//! the token ends.
//!
//! When it ends, the connection is closed: a page whose token is in a cookie can show a newer one only by opening another,
//! and user agents do that by themselves.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use net::{HttpRefusal, UpgradeRequest};
use proxy::TokenHolder;
use sip::{ConnectionId, Flow, Instant};
use tokio::sync::Notify;

use super::Tokens;
use crate::log;

/// A request that has not become a connection within this time never will.
const UPGRADE: Duration = Duration::from_secs(30);
/// So many wait at the most before those are looked for that never will.
const WAITING: usize = 64;

/// The sign-ins of one event loop.
#[derive(Default)]
pub(crate) struct SignIns {
    /// Granted, but not open yet; and since when.
    granted: RefCell<HashMap<ConnectionId, (Instant, TokenHolder)>>,
    open: RefCell<Open>,
    /// One ends earlier than all before.
    sooner: Notify,
}

#[derive(Default)]
struct Open {
    ends: BTreeSet<(Instant, ConnectionId)>,
    flows: HashMap<ConnectionId, (Flow, Instant)>,
}

impl SignIns {
    /// A page asks for a WebSocket, and may show a token.
    ///
    /// # Errors
    /// The refusal, if it shows none that counts and has to.
    pub(crate) fn asked(
        &self,
        now: Instant,
        tokens: &Tokens,
        request: &UpgradeRequest<'_>,
    ) -> Result<(), HttpRefusal> {
        let refused = |reason: String| HttpRefusal { status: 401, reason: reason.into() };
        let Some(token) = tokens.shown(request.request) else {
            return if tokens.required {
                Err(refused("a page needs a token to connect here, and shows none".to_owned()))
            } else {
                Ok(())
            };
        };
        match tokens.holder(now, &token) {
            Ok(holder) => {
                self.grant(now, request.flow.connection, holder);
                Ok(())
            }
            Err(error) if tokens.required => Err(refused(error.to_string())),
            Err(error) => {
                log::debug(format!("{} connects without sign-in: {error}", request.flow.remote));
                Ok(())
            }
        }
    }

    fn grant(&self, now: Instant, connection: ConnectionId, holder: TokenHolder) {
        let mut granted = self.granted.borrow_mut();
        if granted.len() >= WAITING {
            granted.retain(|_, (since, _)| now.saturating_since(*since) < UPGRADE);
        }
        granted.insert(connection, (now, holder));
    }

    /// A connection is open; who showed a token for it.
    pub(crate) fn opened(&self, flow: &Flow) -> Option<TokenHolder> {
        let (_, holder) = self.granted.borrow_mut().remove(&flow.connection)?;
        let mut open = self.open.borrow_mut();
        if open.ends.first().is_none_or(|(first, _)| holder.until < *first) {
            self.sooner.notify_one();
        }
        open.ends.insert((holder.until, flow.connection));
        open.flows.insert(flow.connection, (*flow, holder.until));
        Some(holder)
    }

    /// A connection is closed.
    pub(crate) fn closed(&self, flow: &Flow) {
        let mut open = self.open.borrow_mut();
        if let Some((_, until)) = open.flows.remove(&flow.connection) {
            open.ends.remove(&(until, flow.connection));
        }
    }

    /// A connection whose token has ended; or when the next one ends.
    pub(crate) fn ended(&self, now: Instant) -> Result<Flow, Instant> {
        let mut open = self.open.borrow_mut();
        loop {
            let (until, connection) = *open.ends.first().ok_or(Instant::NEVER)?;
            if until > now {
                return Err(until);
            }
            open.ends.pop_first();
            if let Some((flow, _)) = open.flows.remove(&connection) {
                return Ok(flow);
            }
        }
    }

    /// Waits until one ends earlier than was known.
    pub(crate) async fn one_ends_sooner(&self) {
        self.sooner.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use sip::Transport;

    use super::*;

    fn flow(number: u64) -> Flow {
        let address = SocketAddr::from(([127, 0, 0, 1], 8080));
        Flow { transport: Transport::Ws, connection: ConnectionId(number), local: address, remote: address }
    }

    fn holder(until: u64) -> TokenHolder {
        TokenHolder { user: "alice".to_owned(), until: Instant::from_secs(until) }
    }

    #[test]
    fn connections_end_in_the_order_of_their_tokens() {
        let sign_ins = SignIns::default();
        for (number, until) in [(1, 300), (2, 100), (3, 200)] {
            sign_ins.grant(Instant::ZERO, ConnectionId(number), holder(until));
            assert_eq!(sign_ins.opened(&flow(number)), Some(holder(until)));
        }
        sign_ins.closed(&flow(3));
        assert_eq!(sign_ins.ended(Instant::from_secs(99)), Err(Instant::from_secs(100)));
        assert_eq!(sign_ins.ended(Instant::from_secs(250)), Ok(flow(2)));
        assert_eq!(sign_ins.ended(Instant::from_secs(250)), Err(Instant::from_secs(300)));
        assert_eq!(sign_ins.ended(Instant::from_secs(300)), Ok(flow(1)));
        assert_eq!(sign_ins.ended(Instant::from_secs(300)), Err(Instant::NEVER));
    }

    #[test]
    fn a_connection_without_a_token_is_nobodys() {
        let sign_ins = SignIns::default();
        assert_eq!(sign_ins.opened(&flow(1)), None);
        assert_eq!(sign_ins.ended(Instant::from_secs(1)), Err(Instant::NEVER));
    }

    #[test]
    fn requests_that_never_became_connections_are_forgotten() {
        let sign_ins = SignIns::default();
        for number in 0..1000 {
            sign_ins.grant(Instant::from_secs(number), ConnectionId(number), holder(5000));
        }
        assert!(sign_ins.granted.borrow().len() <= WAITING + 1);
    }
}
