//! A provider asks who we are: the answer is the account's, and the caller hears nothing of it (RFC 3261 §22).
//!
//! The request goes to the same address once more, in the same response context, under a new branch and with
//! credentials. Its CSeq stays: it is the caller's, and his ACK has the same. A server that takes the second request
//! for a copy of the first (482, RFC 3261 §8.2.2.2) gets it once more when it has forgotten that one
//! (`second_attempt`).

use std::sync::Arc;

use sip::digest::{Attempts, Client, Verdict};
use sip::header::HeaderName;
use sip::{Instant, Message};

use crate::authorization::Reach;
use crate::inbound::Job;
use crate::proxy::Proxy;
use crate::response_context::{ContextId, Outcome};
use crate::target::Target;

use super::registration::{challenges, client};
use super::servers::Member;

/// What a branch tells a provider of us.
#[derive(Debug, Default)]
pub(crate) struct Answering {
    attempts: Attempts,
    /// The credentials that its request has.
    pub(crate) credentials: Vec<(HeaderName, Vec<u8>)>,
}

impl Proxy {
    /// A branch was challenged. If that is for us to answer, it is sent again, or ended; says whether it was.
    pub(crate) fn answer_challenge(
        &mut self,
        now: Instant,
        id: ContextId,
        branch: usize,
        response: &Arc<Message>,
    ) -> bool {
        let Some(context) = self.contexts.get_mut(id.0) else { return false };
        if context.answered || context.no_more_branches {
            return false;
        }
        let Some(place) = context.branches.get_mut(branch) else { return false };
        let Some(account) = place.target.member.as_ref().and_then(|member| member.group.account.as_ref())
        else {
            return false;
        };
        let name = place.target.member.as_ref().map(|member| member.group.name.clone()).unwrap_or_default();
        // The group may be gone from the configuration meanwhile.
        let mut fresh = None;
        let known = self.trunks.groups.iter_mut().find(|known| known.group.name == name);
        let client: &mut Client = match known.and_then(|known| known.client.as_mut()) {
            Some(known) => known,
            None => fresh.insert(client(account)),
        };
        let answering = place.answering.get_or_insert_default();
        let verdict = client.challenged(challenges(response), &mut answering.attempts, &mut *self.entropy);
        let request = &context.request;
        let method = request.method().map(|method| method.as_bytes().to_vec()).unwrap_or_default();
        let uri = place.target.uri.as_deref().unwrap_or_else(|| request.request_uri());
        let headers = match verdict {
            Verdict::Retry => client.authorize(&method, uri, request.body()).ok(),
            Verdict::Refused | Verdict::Unsupported => None,
        };
        let Some(headers) = headers.filter(|_| place.hop.is_some()) else {
            let why = "the upstream does not take this server's password";
            self.end(id, branch, Outcome::Local(503, why));
            self.conclude(now, id);
            return true;
        };
        answering.credentials =
            headers.into_iter().map(|(side, value)| (side.credentials(), value)).collect();
        if let Some(hop) = place.hop.clone() {
            self.send(now, id, branch, hop);
            // With the credentials it may be too large.
            self.conclude(now, id);
        }
        true
    }

    /// In a dialog the way is the Routes': its targets are those of a group if they go there. Only in one that began with
    /// a provider: nobody else's Routes make this server say its password.
    pub(crate) fn with_accounts(&self, mut targets: Vec<Target>, job: &Job, reach: Reach) -> Vec<Target> {
        if reach == Reach::Dialog && job.onward.with_provider && !self.trunks.groups.is_empty() {
            for target in &mut targets {
                target.member = target.way.hop().and_then(|hop| self.member_with_account(&hop));
            }
        }
        targets
    }

    /// The server of a group that an address belongs to, if it may ask who we are.
    fn member_with_account(&self, hop: &sip::Hop) -> Option<Member> {
        let address = hop.address();
        self.trunks.groups.iter().filter(|known| known.group.account.is_some()).find_map(|known| {
            let place = known.addresses.iter().position(|addresses| addresses.contains(&address))?;
            Some(Member { group: Arc::clone(&known.group), place })
        })
    }
}
