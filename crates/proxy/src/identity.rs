//! Who is told who calls: `P-Asserted-Identity`, `P-Preferred-Identity` and `Privacy` (RFC 3323, RFC 3325).
//!
//! | the message comes from | goes to somebody trusted | goes to a user of ours | goes elsewhere |
//! |---|---|---|---|
//! | somebody trusted | as it is | as it is, none if `Privacy: id` | none if `Privacy: id` |
//! | a user of ours | the user's own, if configured | the user's own, if configured | none |
//! | a stranger | none | none | none |
//!
//! Trusted are configured peers and the upstream of an edge. `P-Preferred-Identity` ends here in any case when a
//! user sent it (RFC 3325 §6): a user has one identity, so there is nothing to choose from. A signed caller id (`Identity`,
//! RFC 8224) says the same number, so it goes where the identity goes that is withheld. The other words of
//! `Privacy` are for privacy services (RFC 3323 §5), which this proxy is not; it passes them on.

use sip::header::HeaderName;
use sip::{Edit, Hop, Message};

use crate::authorization::Sender;
use crate::config::Identity;
use crate::proxy::Proxy;
use crate::registrar::register::address_uri;
use crate::response_context::Sent;

/// What becomes of the identity headers of one copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Assertion {
    /// They stay as they are.
    Kept,
    /// There are none.
    Removed,
    /// This one, in brackets.
    Ours(Vec<u8>),
}

impl Assertion {
    /// Writes it.
    pub(crate) fn write(&self, edit: &mut Edit<'_>, message: &Message) {
        if *self == Self::Kept {
            return;
        }
        for name in [HeaderName::PAssertedIdentity, HeaderName::PPreferredIdentity] {
            if message.header(name).is_some() {
                edit.remove(name);
            }
        }
        if let Self::Ours(value) = self {
            edit.append(HeaderName::PAssertedIdentity, value);
        } else if message.header(HeaderName::Identity).is_some() && wants_privacy(message) {
            // Whoever reads the token reads the number (RFC 8225 §5.2.1).
            edit.remove(HeaderName::Identity);
        }
    }
}

impl Proxy {
    /// What a request of `sender` says of its sender at `hop`; `to_own_user`: a user of ours is there.
    pub(crate) fn assertion(
        &self,
        sender: &Sender,
        request: &Message,
        hop: &Hop,
        to_own_user: bool,
    ) -> Assertion {
        let policy = self.config.identity;
        match sender {
            Sender::Peer | Sender::Upstream if !wants_privacy(request) => Assertion::Kept,
            Sender::Peer | Sender::Upstream if self.is_trusted_hop(hop) => Assertion::Kept,
            Sender::Account(aor) => {
                let told = match policy {
                    Identity::Never => false,
                    Identity::Peers => self.has_trusted_hops() && self.is_trusted_hop(hop),
                    Identity::Users => (to_own_user && !wants_privacy(request)) || self.is_trusted_hop(hop),
                };
                if told { Assertion::Ours(asserted(aor)) } else { Assertion::Removed }
            }
            Sender::Group(group) if group.trusted && !wants_privacy(request) => Assertion::Kept,
            Sender::Group(group) if group.trusted && self.is_trusted_hop(hop) => Assertion::Kept,
            Sender::Peer | Sender::Upstream | Sender::Group(_) | Sender::Stranger => Assertion::Removed,
        }
    }

    fn has_trusted_hops(&self) -> bool {
        !self.config.trusted_peers.is_empty()
            || !self.config.trusted_certificates.is_empty()
            || !self.upstream_addresses.is_empty()
            || self.has_trusted_groups()
    }

    /// Whether the one behind `hop` is trusted to keep an identity to himself, if the caller wants so.
    fn is_trusted_hop(&self, hop: &Hop) -> bool {
        if self.is_certain(hop, &self.config.trusted_certificates) {
            return true;
        }
        // Behind an HTTP server with such an address sits the whole world.
        if hop.transport().is_websocket() {
            return false;
        }
        let ip = hop.address().ip();
        if let Hop::Flow(flow) = hop
            && self.is_upstream(flow)
        {
            return true;
        }
        self.config.trusted_peers.iter().any(|peer| peer.contains(ip))
            || self.upstream_addresses.contains(&hop.address())
            || self.is_trusted_server(hop)
    }

    /// Whether what a response to this asserts is believed.
    pub(crate) fn believes(&self, sent: Sent) -> bool {
        let Sent::Branch(id, branch) = sent else { return false };
        let place = self.contexts.get(id.0).and_then(|context| context.branches.get(branch));
        place.and_then(|place| place.hop.as_ref()).is_some_and(|hop| self.is_trusted_hop(hop))
    }
}

/// RFC 3325 §9.3: `Privacy: id`. A list of words with semicolons between them (RFC 3323 §4.2).
pub(crate) fn wants_privacy(message: &Message) -> bool {
    message
        .headers(HeaderName::Privacy)
        .flat_map(|value| value.split(|octet| matches!(octet, b';' | b',')))
        .any(|word| word.trim_ascii().eq_ignore_ascii_case(b"id"))
}

/// The identity of a user, as a header value.
fn asserted(aor: &[u8]) -> Vec<u8> {
    let mut value = b"<".to_vec();
    value.extend_from_slice(&address_uri(aor));
    value.push(b'>');
    value
}
