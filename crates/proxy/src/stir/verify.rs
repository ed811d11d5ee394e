//! A call that comes from a group is verified (RFC 8224 §6.2), and the callee told what it is worth.
//!
//! What is compared is what the callee sees: the asserted identity if it is believed, else From; and To. A caller who is no
//! number has nothing to be verified, as one who wants to be anonymous. One whose name only looks like a number, to us or to
//! whoever sees it, claims one that nobody can have signed.

use std::sync::Arc;

use sip::header::{HeaderName, NameAddress};
use sip::uri::escape::unescape;
use sip::uri::{Scheme, Uri};
use sip::{Instant, Message, Method};

use crate::authorization::Sender;
use crate::inbound::Job;
use crate::output::Question;
use crate::proxy::{Proxy, Waiting};
use crate::reply::Refusal;
use crate::response_context::Sent;
use crate::trunks::settings::Group;

use super::verstat::{Verstat, rewritten};
use super::{Invalid, Party, Verification};

/// So many `Identity` headers of one call are looked at.
const MOST: usize = 4;

impl Proxy {
    /// Goes on with a request whose caller is not to be verified; keeps it otherwise, until that is done. What only who has
    /// verified may write is taken off.
    pub(crate) fn verify_caller(&mut self, now: Instant, mut job: Job) {
        if !self.trunks.verifies() {
            return self.decide(now, job);
        }
        if is_within_dialog(&job) {
            if !self.may_write_verstat(&job) {
                self.write_verstat(&mut job, None, None);
            }
            return self.decide(now, job);
        }
        let Some(group) = self.group_of(&job.flow).cloned() else {
            if !self.may_write_verstat(&job) {
                self.write_verstat(&mut job, None, None);
            }
            return self.decide(now, job);
        };
        let is_call = matches!(job.received.method(), Some(Method::Invite));
        match group.verification {
            Verification::Off if group.trusted => self.decide(now, job),
            Verification::Off => {
                self.write_verstat(&mut job, None, None);
                self.decide(now, job);
            }
            _ if !is_call => {
                self.write_verstat(&mut job, Some(&group), None);
                self.decide(now, job);
            }
            _ => self.ask_for_verification(now, job, &group),
        }
    }

    /// Whether what the sender says of a caller is believed: peers are, and groups that are trusted and not verified.
    fn may_write_verstat(&self, job: &Job) -> bool {
        match self.group_of(&job.flow) {
            Some(group) => group.trusted && group.verification == Verification::Off,
            None => matches!(job.sender, Sender::Peer | Sender::Upstream),
        }
    }

    fn ask_for_verification(&mut self, now: Instant, mut job: Job, group: &Arc<Group>) {
        let request = &job.received;
        let numbers = &self.config.trunks.numbers;
        let all = |uri: &Uri<'_>| Party::all_of(uri, numbers);
        let Some((_, shown)) = shown(request, group) else {
            // Nobody claims a number, so none can have been validated.
            self.write_verstat(&mut job, Some(group), None);
            return self.decide(now, job);
        };
        // A number is vouched for as a number (RFC 8224 §8): what is signed of the URI around it says nothing of who may
        // use it.
        let mut orig = shown.uri().map(|uri| all(&uri)).unwrap_or_default();
        orig.retain(|party| matches!(party, Party::Number(_)));
        if orig.is_empty() {
            // It looks like one and is none: so nobody can have signed it.
            return self.unsigned(now, job, group);
        }
        let identities: Vec<Vec<u8>> = request
            .headers(HeaderName::Identity)
            .filter(|value| is_for_callers(value))
            .take(MOST)
            .map(<[u8]>::to_vec)
            .collect();
        if identities.is_empty() {
            return self.unsigned(now, job, group);
        }
        let question = Question::Verify {
            identities,
            date: request.header(HeaderName::Date).map(<[u8]>::to_vec),
            orig,
            dest: request.to().ok().and_then(|to| to.uri().ok()).map(|uri| all(&uri)).unwrap_or_default(),
        };
        let id = self.outbox.ask(question);
        self.waiting.insert(id, Waiting::Verification { job: Box::new(job), group: Arc::clone(group) });
    }

    /// A call that nobody has signed.
    fn unsigned(&mut self, now: Instant, mut job: Job, group: &Arc<Group>) {
        if group.verification == Verification::Require {
            let refusal = Refusal::new(428, "calls from this server have to be signed");
            return self.refuse(now, &job, &refusal);
        }
        self.write_verstat(&mut job, Some(group), Some(Verstat::NotValidated));
        self.decide(now, job);
    }

    /// What the signature of a call is worth is known.
    pub(crate) fn caller_verified(
        &mut self,
        now: Instant,
        mut job: Job,
        group: &Arc<Group>,
        result: Result<(), Invalid>,
    ) {
        let verstat = match result {
            Ok(()) => Verstat::Passed,
            Err(_) if group.verification == Verification::Mark => Verstat::Failed,
            Err(invalid) => return self.refuse(now, &job, &refusal(invalid)),
        };
        self.write_verstat(&mut job, Some(group), Some(verstat));
        self.decide(now, job);
    }

    /// A response with the From that its request came with (RFC 3261 §8.2.6.2): who called wrote no `verstat` there, and not
    /// what a provider wants.
    pub(crate) fn with_from_as_it_came(&mut self, response: Message, sent: Sent) -> Message {
        if !self.trunks.changes_from() {
            return response;
        }
        let Sent::Branch(id, branch) = sent else { return response };
        let from =
            self.contexts.get(id.0).filter(|_| self.trunks.verifies() || self.writes_caller(id, branch));
        let from = from.and_then(|context| context.received.header(HeaderName::From));
        let Some(from) = from.filter(|from| response.header(HeaderName::From) != Some(from)) else {
            return response;
        };
        let mut edit = response.edit();
        edit.replace(HeaderName::From, from);
        let response = edit.message().unwrap_or(response);
        if let Some(context) = self.contexts.get_mut(id.0) {
            context.rewritten = true;
        }
        response
    }

    /// Writes what has been found out into the identity that is shown, and takes off what others wrote there.
    fn write_verstat(&self, job: &mut Job, group: Option<&Arc<Group>>, verstat: Option<Verstat>) {
        let request = &job.onward.request;
        let numbers = &self.config.trunks.numbers;
        // There may be three (RFC 3325 §9.1); only one was compared with a signature.
        let compared = group.and_then(|group| shown(request, group)).map(|(place, _)| place);
        let found = |place: Place| verstat.filter(|_| compared == Some(place));
        let from = request.header(HeaderName::From);
        let from = from.and_then(|from| rewritten(from, found(Place::From), numbers));
        let values: Vec<_> = request.values(HeaderName::PAssertedIdentity).collect();
        let written: Vec<_> = values
            .iter()
            .enumerate()
            .map(|(place, value)| rewritten(value, found(Place::Asserted(place)), numbers))
            .collect();
        if from.is_none() && written.iter().all(Option::is_none) {
            return;
        }
        let mut edit = request.edit();
        if let Some(from) = &from {
            edit.replace(HeaderName::From, from);
        }
        if written.iter().any(Option::is_some) {
            let parts = values.iter().zip(&written);
            let parts = parts.map(|(value, written)| written.as_deref().unwrap_or(value));
            edit.replace(HeaderName::PAssertedIdentity, &crate::validation::join(parts));
        }
        if let Ok(message) = edit.message() {
            job.onward.request = Arc::new(message);
        }
    }
}

/// Whether it goes where a dialog of ours leads: its first request has been looked at. A tag alone proves nothing.
fn is_within_dialog(job: &Job) -> bool {
    job.is_in_dialog() && (job.onward.sealed || job.onward.destination.is_some())
}

/// The number that the callee is shown, and its place: the first of the asserted identities that claims one, if they are
/// believed, else From. `None`: nobody claims one.
fn shown<'m>(request: &'m Message, group: &Group) -> Option<(Place, NameAddress<'m>)> {
    let asserted = request.values(HeaderName::PAssertedIdentity).filter(|_| group.trusted);
    let asserted = asserted.map(NameAddress::parse).enumerate();
    let mut asserted = asserted.filter_map(|(place, address)| Some((Place::Asserted(place), address.ok()?)));
    let from = || Some((Place::From, request.from().ok().filter(claims_number)?));
    asserted.find(|(_, it)| claims_number(it)).or_else(from)
}

/// Where the number stands that the callee is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    From,
    /// Among the asserted identities, counted from 0.
    Asserted(usize),
}

/// Whether who is named so is a number to whoever sees it: in no letter, but in a digit at the least.
fn claims_number(address: &NameAddress<'_>) -> bool {
    let Ok(uri) = address.uri() else { return true };
    let user = unescape(uri.user().unwrap_or_default());
    let name = user.split(|octet| *octet == b';').next().unwrap_or_default();
    uri.scheme() == Scheme::Tel
        || (name.iter().any(u8::is_ascii_digit) && !name.iter().any(u8::is_ascii_alphabetic))
}

/// Whether an `Identity` speaks of the caller. One of another kind, as `div` (RFC 8946) or `rph` (RFC 8443), passes.
fn is_for_callers(value: &[u8]) -> bool {
    let kind = value.split(|octet| *octet == b';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_at_checked(parameter.iter().position(|octet| *octet == b'=')?)?;
        name.trim_ascii().eq_ignore_ascii_case(b"ppt").then_some(value)
    });
    kind.is_none_or(|kind| {
        let kind = kind.strip_prefix(b"=").unwrap_or(kind).trim_ascii();
        let kind = kind.strip_prefix(b"\"").and_then(|kind| kind.strip_suffix(b"\"")).unwrap_or(kind);
        kind.eq_ignore_ascii_case(b"shaken")
    })
}

/// RFC 8224 §6.2.2.
const fn refusal(invalid: Invalid) -> Refusal {
    match invalid {
        Invalid::Stale => Refusal::new(403, "Stale Date: the caller's signature is older than a minute"),
        Invalid::NoCredential => {
            Refusal::new(436, "the certificate of the caller's signature is not known here")
        }
        Invalid::UnsupportedCredential => {
            Refusal::new(437, "the certificate of the caller's signature is not trusted for this number")
        }
        Invalid::InvalidIdentity => Refusal::new(438, "the caller's signature does not fit the call"),
    }
}
