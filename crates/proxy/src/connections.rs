//! The connections that are open, whichever event loop has them, and the users who authenticated on each.

use sip::{ConnectionId, Flow, Instant};

use crate::common::Pieces;
use crate::output::TokenHolder;

/// How many users one connection may carry.
const USERS: usize = 64;

/// The open connections.
#[derive(Debug, Default)]
pub(crate) struct Connections(Pieces<ConnectionId, Connection>);

/// An open connection.
#[derive(Debug)]
struct Connection {
    flow: Flow,
    /// The users who authenticated on it.
    users: Vec<Vec<u8>>,
    /// Who showed a token when it was opened.
    holder: Option<Box<TokenHolder>>,
    /// The SIP domains of the certificate that its peer has shown.
    domains: Vec<String>,
}

impl Connections {
    /// Whether the connection is open.
    pub(crate) fn contains(&self, id: ConnectionId) -> bool {
        self.0.read(&id).contains_key(&id)
    }

    /// Takes a connection down; whether it is new.
    pub(crate) fn learn(&self, flow: &Flow) -> bool {
        let id = flow.connection;
        if self.contains(id) {
            return false;
        }
        self.0.write(&id).entry(id).or_insert_with(|| Connection {
            flow: *flow,
            users: Vec::new(),
            holder: None,
            domains: Vec::new(),
        });
        true
    }

    /// Forgets a connection that is closed.
    pub(crate) fn remove(&self, id: ConnectionId) {
        if self.contains(id) {
            self.0.write(&id).remove(&id);
        }
    }

    /// Lets a connection speak for a user. A datagram's source can be forged.
    pub(crate) fn let_speak(&self, flow: &Flow, aor: &[u8]) {
        if !flow.transport.is_reliable() || self.speaks(flow, aor) {
            return;
        }
        if let Some(connection) = self.0.write(&flow.connection).get_mut(&flow.connection)
            && connection.flow == *flow
            && connection.users.len() < USERS
            && !connection.users.iter().any(|user| user == aor)
        {
            connection.users.push(aor.to_vec());
        }
    }

    /// Whether a user authenticated on this connection.
    pub(crate) fn speaks(&self, flow: &Flow, aor: &[u8]) -> bool {
        flow.transport.is_reliable()
            && self
                .0
                .read(&flow.connection)
                .get(&flow.connection)
                .is_some_and(|connection| connection.users.iter().any(|user| user == aor))
    }

    /// Those of the users who authenticated on this connection. `is_meant` is asked while the connection cannot change: it must
    /// not look for connections itself.
    pub(crate) fn users(&self, flow: &Flow, is_meant: impl Fn(&[u8]) -> bool) -> Vec<Vec<u8>> {
        let pieces = self.0.read(&flow.connection);
        let connection = pieces.get(&flow.connection).filter(|connection| connection.flow == *flow);
        let users = connection.map(|connection| connection.users.as_slice()).unwrap_or_default();
        users.iter().filter(|user| is_meant(user)).cloned().collect()
    }

    /// Somebody showed a token when the connection was opened.
    pub(crate) fn sign_in(&self, flow: &Flow, holder: TokenHolder) {
        if let Some(connection) = self.0.write(&flow.connection).get_mut(&flow.connection)
            && connection.flow == *flow
        {
            connection.holder = Some(Box::new(holder));
        }
    }

    /// Who showed a token, that still holds, when this connection was opened.
    pub(crate) fn holder(&self, now: Instant, flow: &Flow) -> Option<TokenHolder> {
        let pieces = self.0.read(&flow.connection);
        let connection = pieces.get(&flow.connection).filter(|connection| connection.flow == *flow)?;
        connection.holder.as_deref().filter(|holder| holder.until > now).cloned()
    }

    /// The peer has shown a certificate for these SIP domains.
    pub(crate) fn identify(&self, flow: &Flow, domains: Vec<String>) {
        if let Some(connection) = self.0.write(&flow.connection).get_mut(&flow.connection)
            && connection.flow == *flow
        {
            connection.domains = domains;
        }
    }

    /// Whether the peer has shown a certificate for one of `wanted`.
    pub(crate) fn shows(&self, flow: &Flow, wanted: &[String]) -> bool {
        let pieces = self.0.read(&flow.connection);
        let connection = pieces.get(&flow.connection).filter(|connection| connection.flow == *flow);
        connection.is_some_and(|connection| connection.domains.iter().any(|domain| wanted.contains(domain)))
    }

    /// How many connections are known.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
