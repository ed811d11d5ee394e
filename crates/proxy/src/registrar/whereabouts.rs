//! Where a client is that has come back over another connection. What is under way to it goes there.

use std::sync::Arc;

use sip::uri::Uri;
use sip::{Flow, Hop, Instant, Message};

use super::binding::{Binding, Registered};
use super::register::is_instance;
use super::temporary_gruu::{self, is_temporary};
use crate::news::{News, Told};
use crate::proxy::Proxy;
use crate::response_context::{ContextId, ResponseContext};
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

    /// A client that comes over another flow than before may have requests in progress on any event loop.
    pub(super) fn share_move(&mut self, aor: &[u8], binding: &Binding) {
        let is_same = |before: &Binding| before.contact == binding.contact && before.flow == binding.flow;
        if self.common.loops() > 1
            && binding.flow.transport.is_websocket()
            && !self.location.get(aor).iter().any(is_same)
        {
            let (aor, client) = (aor.to_vec(), Arc::clone(&binding.registered));
            self.outbox.share(News(Told::Moved { aor, client }));
        }
    }

    /// Sends the responses to a client's pending requests to the flow that it is on now. To the same user, that is:
    /// whoever was called knows the caller's contact, and could register it too.
    pub(crate) fn follow(&mut self, aor: &[u8], client: &Registered) {
        let flow = client.flow;
        if !flow.transport.is_websocket() {
            return;
        }
        let is_its = |context: &ResponseContext| {
            context.flow != flow
                && !self.common.0.connections.contains(context.flow.connection)
                && self.speaker(&context.received).is_some_and(|user| user == aor)
                && contacts(&context.received).any(|contact| self.is_contact_of(contact, aor, client))
        };
        let its: Vec<ContextId> = self
            .contexts
            .iter()
            .filter(|(_, context)| is_its(context))
            .map(|(id, _)| ContextId(id))
            .collect();
        for id in its {
            self.respond_over(id, flow);
        }
    }

    /// A connection is closed. A client that has registered over another one before gets the responses there.
    pub(crate) fn follow_from(&mut self, now: Instant, closed: &Flow) {
        let its_flow = |context: &ResponseContext| {
            let aor = self.speaker(&context.received)?;
            let flow = contacts(&context.received).find_map(|it| self.flow_of_client(now, &aor, it))?;
            flow.transport.is_websocket().then_some(flow)
        };
        let moved: Vec<(ContextId, Flow)> = self
            .contexts
            .iter()
            .filter(|(_, context)| context.flow == *closed)
            .filter_map(|(id, context)| Some((ContextId(id), its_flow(context)?)))
            .collect();
        for (id, flow) in moved {
            self.respond_over(id, flow);
        }
    }

    fn respond_over(&mut self, id: ContextId, flow: Flow) {
        let Some(context) = self.contexts.get_mut(id.0) else { return };
        context.flow = flow;
        context.abandoned = None;
        self.transactions.redirect_responses(context.server, Hop::Flow(flow));
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

/// The URIs in its Contact.
fn contacts(request: &Message) -> impl Iterator<Item = &[u8]> {
    request.contacts().filter_map(|contact| Some(contact.ok()?.address()?.uri_bytes()))
}
