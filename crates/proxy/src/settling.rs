//! What a finished request leaves behind, and for how long.

use std::sync::Arc;

use sip::Message;
use sip::header::HeaderName;
use sip::transaction::{ClientKey, ServerKey};

use crate::answers::outline;
use crate::proxy::Proxy;
use crate::response_context::{BranchState, ContextId, Sent};

impl Proxy {
    /// The caller has got its answer and no branch will say anything new: what a finished request is remembered by
    /// for half a minute is small. One that came over a connection is still found by it: if that breaks before the
    /// answer is through, the next 2xx goes another way.
    pub(crate) fn settle(&mut self, id: ContextId) {
        let Some(context) = self.contexts.get(id.0).filter(|it| it.answered && it.has_ended()) else {
            return;
        };
        // A datagram may be refused.
        let is_datagram = !context.flow.transport.is_reliable();
        let may_fail = is_datagram && self.may_need_sent_by(context);
        // A 2xx that is repeated is to be written as the first one was.
        let rewritten = context.is_invite && context.rewritten;
        let Some(context) = self.contexts.get_mut(id.0) else { return };
        let (server, is_invite) = (context.server, context.is_invite);
        for key in context.branches.iter().filter_map(|branch| branch.key) {
            if !is_invite {
                self.by_client.remove(key);
            } else if let Some(sent) = self.by_client.get_mut(key) {
                // It may have ended before.
                *sent = Sent::Answered(server);
            }
        }
        if may_fail || rewritten || (is_invite && !is_datagram) {
            context.branches = Vec::new();
            if !rewritten && let Some(outline) = outline(&context.received) {
                context.received = Arc::new(outline);
                context.request = Arc::clone(&context.received);
            }
        } else {
            self.drop_context(id);
        }
    }

    /// A further 2xx to an INVITE, such as the first one once more because its ACK was lost, with what was written into the
    /// first one.
    pub(crate) fn as_the_first(&self, server: ServerKey, response: Message) -> Message {
        let Some(id) = self.by_server.get(server).copied() else { return response };
        let from = self.contexts.get(id.0).filter(|context| context.rewritten);
        let from = from.and_then(|context| context.received.header(HeaderName::From));
        let response = match from.filter(|from| response.header(HeaderName::From) != Some(from)) {
            Some(from) => {
                let mut edit = response.edit();
                edit.replace(HeaderName::From, from);
                edit.message().unwrap_or(response)
            }
            None => response,
        };
        self.with_refresher(id, &response).map_or(response, Arc::unwrap_or_clone)
    }

    /// The transaction layer has forgotten a client transaction.
    pub(crate) fn client_ended(&mut self, key: ClientKey) {
        self.by_client.remove(key);
    }

    /// The transaction layer has forgotten the server transaction: nothing more can be answered.
    pub(crate) fn server_ended(&mut self, key: ServerKey) {
        if let Some(id) = self.by_server.get(key).copied() {
            self.drop_context(id);
        }
    }

    pub(crate) fn drop_context(&mut self, id: ContextId) {
        self.avoid_silent_hops(id);
        if let Some(context) = self.contexts.remove(id.0) {
            self.timers.cancel(id.0.index());
            self.by_server.remove(context.server);
            for place in &context.branches {
                match place.state {
                    BranchState::Resolving(ask) => {
                        self.waiting.remove(&ask);
                    }
                    BranchState::Trying { key, .. } => {
                        self.by_client.remove(key);
                    }
                    BranchState::Held
                    | BranchState::Resting(_)
                    | BranchState::Accepted
                    | BranchState::Ended(_) => {}
                }
            }
        }
    }
}
