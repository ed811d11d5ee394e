//! In which order the targets of a request are tried (RFC 3261 §16.6), what the caller wishes of that (RFC 3841),
//! and how much a fork may grow (RFC 5393).
//!
//! ```text
//! targets of q 1.0 ──▶ group 0, all at once ──▶ nobody answers in time, or all refuse
//! targets of q 0.5 ──▶ group 1, held back  ◀──┘ ──▶ ..
//! a 3xx among them ──▶ its contacts, at once, where the configuration follows redirections
//! a new contact of the called user, while somebody rings ──▶ rings too
//! ```

use std::sync::Arc;

use sip::header::HeaderName;
use sip::uri::{Scheme, Uri};
use sip::{Builder, Instant, Message};

use crate::authorization::Sender;
use crate::config::{Forking, Redirections};
use crate::proxy::Proxy;
use crate::registrar::address_of_record::key;
use crate::reply::Refusal;
use crate::response_context::{Branch, BranchState, ContextId, Outcome, ResponseContext};
use crate::target::{Target, Way, encrypted};

/// RFC 5393 §5.3.3.1: the breadth of a request that says none.
const BREADTH: u32 = 60;

/// What a caller wishes of a proxy (RFC 3841 §9.1), as far as this one does it: `redirect` and `queue` are wishes
/// that it leaves to phones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Disposition {
    pub(crate) no_fork: bool,
    pub(crate) sequential: bool,
    pub(crate) parallel: bool,
    pub(crate) no_recurse: bool,
    pub(crate) no_cancel: bool,
}

impl Disposition {
    pub(crate) fn of(request: &Message) -> Self {
        let mut disposition = Self::default();
        if request.header(HeaderName::RequestDisposition).is_none() {
            return disposition;
        }
        for word in request.values(HeaderName::RequestDisposition) {
            match word.trim_ascii().to_ascii_lowercase().as_slice() {
                b"no-fork" => disposition.no_fork = true,
                b"sequential" => disposition.sequential = true,
                b"parallel" => disposition.parallel = true,
                b"no-recurse" => disposition.no_recurse = true,
                b"no-cancel" => disposition.no_cancel = true,
                _ => {}
            }
        }
        disposition
    }
}

/// The branches of a request, in groups, and how many may be out at once.
pub(crate) struct Arrangement {
    pub(crate) branches: Vec<Branch>,
    /// What the request brought as Max-Breadth.
    pub(crate) breadth: Option<u32>,
    pub(crate) disposition: Disposition,
}

/// Arranges `targets`, the preferred ones first.
pub(crate) fn arrange(
    request: &Message,
    targets: Vec<Target>,
    forking: &Forking,
    limit: usize,
) -> Result<Arrangement, Refusal> {
    let disposition = Disposition::of(request);
    let breadth = match request.header(HeaderName::MaxBreadth) {
        Some(_) => request.number(HeaderName::MaxBreadth).ok().flatten(),
        None => None,
    };
    if breadth == Some(0) {
        return Err(Refusal::new(440, "the request may not be spread any further"));
    }
    let mut branches = by_instance(targets, if disposition.no_fork { 1 } else { limit });
    if branches.len() > 1 {
        let most = usize::try_from(breadth.unwrap_or(BREADTH)).unwrap_or(usize::MAX);
        let serial = forking.serial && !disposition.parallel;
        group(&mut branches, if disposition.sequential { 1 } else { most }, serial);
    }
    Ok(Arrangement { branches, breadth, disposition })
}

/// Gives each branch its group: one for each preference, if `serial`, of `most` branches at the most.
fn group(branches: &mut [Branch], most: usize, serial: bool) {
    let (mut number, mut size, mut quality) = (0, 0, None);
    for branch in branches {
        let other = serial && quality.is_some_and(|quality| quality != branch.target.quality);
        if other || size >= most.max(1) {
            number += 1;
            size = 0;
        }
        size += 1;
        quality = Some(branch.target.quality);
        branch.group = number;
    }
}

/// One branch for each instance, its other flows held back (RFC 5626 §7); no more branches than allowed.
fn by_instance(targets: Vec<Target>, limit: usize) -> Vec<Branch> {
    let mut branches: Vec<Branch> = Vec::with_capacity(targets.len().min(limit));
    for target in targets {
        let same = branches.iter().position(|branch| is_one_branch(&branch.target, &target));
        if let Some(branch) = same.and_then(|place| branches.get_mut(place)) {
            branch.alternatives.push_back(target);
        } else if branches.len() < limit {
            branches.push(Branch::new(target));
        }
    }
    branches
}

impl ResponseContext {
    /// Whether the next group has its turn: none of the branches that were begun is still at work.
    fn awaits_next_group(&self) -> bool {
        let mut held = false;
        for branch in &self.branches {
            match branch.state {
                BranchState::Held => held = true,
                BranchState::Ended(_) => {}
                _ => return false,
            }
        }
        held
    }
}

impl Proxy {
    /// Begins the branches of the first group that is still held back.
    pub(crate) fn begin_group(&mut self, now: Instant, id: ContextId) {
        let ring = self.config.forking.next_after;
        let Some(context) = self.contexts.get_mut(id.0) else { return };
        let held = |branch: &&Branch| matches!(branch.state, BranchState::Held);
        let Some(group) = context.branches.iter().filter(held).map(|branch| branch.group).min() else {
            return;
        };
        let members: Vec<usize> = (0..)
            .zip(&context.branches)
            .filter(|(_, branch)| held(branch) && branch.group == group)
            .map(|(place, _)| place)
            .collect();
        let forks = context.branches.len() > 1 || context.breadth.is_some();
        // RFC 5393 §5.3.3.2: the branches that are out at once share what the request brought.
        let mut left = forks.then(|| context.breadth.unwrap_or(BREADTH));
        let mut waiting = u32::try_from(members.len()).unwrap_or(u32::MAX);
        for member in &members {
            let Some(branch) = context.branches.get_mut(*member) else { continue };
            if let Some(left) = &mut left {
                let share = (*left / waiting.max(1)).max(1);
                branch.breadth = Some(share);
                *left = left.saturating_sub(share);
                waiting -= 1;
            }
        }
        let more = context.branches.iter().filter(held).count() > members.len();
        context.next_group = (more && context.is_invite).then(|| now + ring);
        for member in members {
            self.begin(now, id, member);
        }
    }

    /// Begins the next group, if it is its turn. Says whether it is.
    pub(crate) fn begin_next_group(&mut self, now: Instant, id: ContextId) -> bool {
        let turn = self.contexts.get(id.0).is_some_and(|context| {
            !context.answered && !context.no_more_branches && context.awaits_next_group()
        });
        if turn {
            self.begin_group(now, id);
        }
        turn
    }

    /// Somebody has answered: who was not asked yet is not asked any more.
    pub(crate) fn end_held(&mut self, id: ContextId) {
        let Some(context) = self.contexts.get_mut(id.0) else { return };
        for place in &mut context.branches {
            if matches!(place.state, BranchState::Held) {
                place.state = BranchState::Ended(Outcome::Local(487, "another one has answered"));
            }
        }
    }

    /// A group has rung long enough: its branches are cancelled, so that the next one has its turn.
    pub(crate) fn end_group(&mut self, now: Instant, id: ContextId) {
        let Some(context) = self.contexts.get_mut(id.0) else { return };
        if context.next_group.is_none_or(|at| at > now) || context.answered {
            return;
        }
        context.next_group = None;
        let mut ended = Vec::new();
        for (branch, place) in context.branches.iter_mut().enumerate() {
            if let BranchState::Trying { key, .. } = place.state {
                self.transactions.cancel(now, key, None);
                place.timer_c = None;
                place.given_up = true;
                place.state = BranchState::Ended(Outcome::Local(408, "nobody answered"));
                ended.push(branch);
            }
        }
        for branch in ended {
            self.tell_ended_dialogs(now, id, branch);
        }
    }

    /// A branch was redirected: its new targets are tried, where the configuration has it (RFC 3261 §16.7 item 4).
    /// Says whether there are any.
    pub(crate) fn follow_redirection(
        &mut self,
        now: Instant,
        id: ContextId,
        branch: usize,
        response: &Message,
    ) -> bool {
        let policy = self.config.forking.redirections;
        let limit = self.config.limits.branches;
        let Some(context) = self.contexts.get(id.0) else { return false };
        let open = !context.answered && !context.no_more_branches && !context.disposition.no_recurse;
        if policy == Redirections::Passed || !open || !context.is_call {
            return false;
        }
        let everywhere = policy == Redirections::Followed && context.sender != Sender::Stranger;
        let secure = is_sips(context);
        let mut found = Vec::new();
        for contact in response.contacts().filter_map(Result::ok) {
            let Some(address) = contact.address() else { continue };
            let Ok(uri) = address.uri() else { continue };
            // §16.7 item 4: no other URI takes the place of a sips one.
            if !secure || uri.scheme() == Scheme::Sips {
                found.extend(self.redirected_to(now, &uri, everywhere));
            }
        }
        if secure {
            encrypted(&mut found);
        }
        let Some(context) = self.contexts.get_mut(id.0) else { return false };
        // §16.5: nobody is tried twice.
        found.retain(|target| !context.branches.iter().any(|branch| leads_to_same(&branch.target, target)));
        found.truncate(limit.saturating_sub(context.branches.len()));
        if found.is_empty() {
            return false;
        }
        if let Some(place) = context.branches.get_mut(branch) {
            place.state = BranchState::Ended(Outcome::Redirected);
            place.timer_c = None;
        }
        self.add_branches(now, id, by_instance(found, limit));
        true
    }

    /// The targets that a Contact of a 3xx stands for.
    fn redirected_to(&self, now: Instant, uri: &Uri<'_>, everywhere: bool) -> Vec<Target> {
        if let Some(domain) = self.own.domain_of(uri) {
            let Some(user) = uri.user() else { return Vec::new() };
            return self.targets_of(now, &key(user, domain), uri.parameter("gr").flatten());
        }
        if !everywhere {
            return Vec::new();
        }
        let target = Target::to_uri(uri.as_bytes());
        let named = crate::target::request_uri(uri.as_bytes());
        target.map(|target| Target { uri: Some(named), ..target }).into_iter().collect()
    }

    /// Adds branches to a request that is under way, and begins them.
    fn add_branches(&mut self, now: Instant, id: ContextId, branches: Vec<Branch>) {
        for mut branch in branches {
            let Some(context) = self.contexts.get_mut(id.0) else { return };
            branch.breadth = context.breadth.map(|_| 1);
            branch.group = 0;
            context.branches.push(branch);
            let place = context.branches.len() - 1;
            self.begin(now, id, place);
        }
    }

    /// A contact of `aor` is new: it joins the calls that ring there. A page that was loaded anew while it rang is
    /// rung again.
    pub(crate) fn join_ringing(&mut self, now: Instant, aor: &[u8], contact: &[u8]) {
        if !self.config.forking.late || self.contexts.is_empty() {
            return;
        }
        let bindings = self.location.get(aor);
        let Some(binding) = bindings.iter().find(|binding| binding.contact == contact) else { return };
        let Ok(target) = Target::binding(now, binding) else { return };
        let limit = self.config.limits.branches;
        let rings = |context: &ResponseContext| {
            context.is_call
                && context.to_own_user
                && !context.answered
                && !context.no_more_branches
                && !context.disposition.no_fork
                && context.branches.len() < limit
                && self.is_called(context, aor)
                && !context.branches.iter().any(|branch| is_rung(branch, &target))
        };
        let calls: Vec<ContextId> =
            self.contexts.iter().filter(|(_, context)| rings(context)).map(|(id, _)| ContextId(id)).collect();
        for id in calls {
            let mut targets = vec![target.clone()];
            if self.contexts.get(id.0).is_some_and(is_sips) {
                encrypted(&mut targets);
            }
            self.add_branches(now, id, targets.into_iter().map(Branch::new).collect());
        }
    }

    /// Whether a request was sent to this user, and to no single device of his.
    fn is_called(&self, context: &ResponseContext, aor: &[u8]) -> bool {
        let Ok(uri) = Uri::parse(context.request.request_uri()) else { return false };
        let called = self.own.domain_of(&uri).zip(uri.user()).map(|(domain, user)| key(user, domain));
        uri.parameter("gr").is_none() && called.is_some_and(|called| called == aor)
    }

    /// A branch with early dialogs has ended and others have not: a caller who wants to know is told (RFC 6228 §6).
    pub(crate) fn tell_ended_dialogs(&mut self, now: Instant, id: ContextId, branch: usize) {
        let Some(context) = self.contexts.get_mut(id.0) else { return };
        if !context.wants_199 || context.answered || context.has_ended() {
            return;
        }
        let Some(place) = context.branches.get_mut(branch) else { return };
        let BranchState::Ended(outcome) = &place.state else { return };
        let reason = [b"SIP;cause=".as_slice(), outcome.status().to_string().as_bytes()].concat();
        let tags = core::mem::take(&mut place.early);
        let (server, received) = (context.server, Arc::clone(&context.received));
        for tag in tags {
            let response = Builder::response_to(&received, 199, "").to_tag(&tag);
            if let Ok(bytes) = response.header(HeaderName::Reason, &reason).finish() {
                self.transactions.respond(now, server, bytes);
            }
        }
    }
}

/// Whether each hop of a request is to be encrypted.
fn is_sips(context: &ResponseContext) -> bool {
    context.request.target().is_ok_and(|uri| uri.scheme() == Scheme::Sips)
}

/// Whether a caller wants to be told of early dialogs that end (RFC 6228 §6: not where provisional responses must be
/// reliable, for a proxy's own are not).
pub(crate) fn wants_199(request: &Message) -> bool {
    request.lists(HeaderName::Supported, "199") && !request.lists(HeaderName::Require, "100rel")
}

/// Whether one is tried only where the other fails: two flows of an instance, or two servers of a group.
fn is_one_branch(one: &Target, other: &Target) -> bool {
    let same_group = one.member.as_ref().zip(other.member.as_ref());
    (one.instance.is_some() && one.instance == other.instance)
        || same_group.is_some_and(|(one, other)| Arc::ptr_eq(&one.group, &other.group))
}

/// Whether `branch` rings the device that `target` is, or has been told no by it. A device that came back under
/// another contact has lost what it knew: its page was loaded anew. One that came back under the same contact still
/// has the request, and would take another for a copy of it (RFC 3261 §8.2.2.2).
fn is_rung(branch: &Branch, target: &Target) -> bool {
    let same_instance = target.instance.is_some() && branch.target.instance == target.instance;
    let broke = matches!(branch.state, BranchState::Ended(Outcome::Local(..))) && !branch.given_up;
    branch.target.uri == target.uri || (same_instance && !broke)
}

fn leads_to_same(one: &Target, other: &Target) -> bool {
    if one.uri != other.uri {
        return false;
    }
    match (&one.way, &other.way) {
        (Way::Flow(one), Way::Flow(other)) => one == other,
        (Way::Flow(_), Way::Resolve { .. }) | (Way::Resolve { .. }, Way::Flow(_)) => false,
        (
            Way::Resolve { host, port, transport, .. },
            Way::Resolve { host: other_host, port: other_port, transport: other_transport, .. },
        ) => host == other_host && port == other_port && transport == other_transport,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branches(qualities: &[u16]) -> Vec<Branch> {
        let branch = |quality: &u16| {
            let target = Target::to_uri(b"sip:192.0.2.7").unwrap();
            Branch::new(Target { quality: *quality, ..target })
        };
        qualities.iter().map(branch).collect()
    }

    fn groups(qualities: &[u16], most: usize, serial: bool) -> Vec<u32> {
        let mut branches = branches(qualities);
        group(&mut branches, most, serial);
        branches.iter().map(|branch| branch.group).collect()
    }

    #[test]
    fn each_preference_is_a_group() {
        assert_eq!(groups(&[1000, 1000, 500, 0], 60, true), [0, 0, 1, 2]);
        assert_eq!(groups(&[1000, 1000, 500, 0], 60, false), [0, 0, 0, 0]);
    }

    #[test]
    fn a_group_is_no_broader_than_allowed() {
        assert_eq!(groups(&[1000, 1000, 1000, 500], 2, true), [0, 0, 1, 2]);
        assert_eq!(groups(&[1000, 1000, 500], 1, true), [0, 1, 2]);
    }
}
