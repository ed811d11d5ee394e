//! Where a client is that has come back over another connection. What is under way to it goes there.

use sip::uri::Uri;
use sip::{Flow, Instant};

use super::binding::Registered;
use super::register::is_instance;
use super::temporary_gruu::{self, is_temporary};
use crate::proxy::Proxy;
use crate::target::{Target, Way};

impl Proxy {
    /// The open flow that a user's client, known by its Contact, has registered over: the newest, if there are several
    /// (RFC 5626 §6).
    pub(crate) fn flow_of_client(&self, now: Instant, aor: &[u8], contact: &[u8]) -> Option<Flow> {
        let bindings = self.location.get(aor);
        let its = bindings.iter().filter(|binding| self.is_contact_of(contact, aor, &binding.registered));
        let flows = its.filter_map(|binding| match Target::binding(now, binding).ok()?.way {
            Way::Flow(flow) => Some((binding.expires, flow)),
            Way::Resolve { .. } => None,
        });
        // The event loop that owns the bindings may not have heard yet that a connection is closed.
        let is_open = |flow: &Flow| {
            !flow.transport.is_reliable() || self.common.0.connections.contains(flow.connection)
        };
        flows.filter(|(_, flow)| is_open(flow)).max_by_key(|(expires, _)| *expires).map(|(_, flow)| flow)
    }

    /// Whether the Contact in a user's request is this client of his: as it registered, also where `ob` begins a dialog
    /// (RFC 5626 §4.3), or by a GRUU of its instance (RFC 5627 §4.4).
    pub(crate) fn is_contact_of(&self, contact: &[u8], aor: &[u8], client: &Registered) -> bool {
        if contact == client.contact {
            return true;
        }
        let Ok(uri) = Uri::parse(contact) else { return false };
        match (uri.parameter("gr"), client.instance.as_deref()) {
            (Some(gr), Some(instance)) => match uri.user().filter(|user| is_temporary(user)) {
                Some(user) => temporary_gruu::read(&self.key, user)
                    .is_some_and(|meant| meant.aor == aor && meant.instance == instance),
                None => gr.is_some_and(|gr| is_instance(gr, instance)),
            },
            (Some(_), None) => false,
            (None, _) => Uri::parse(&client.contact).is_ok_and(|registered| registered.is_equivalent(&uri)),
        }
    }
}
