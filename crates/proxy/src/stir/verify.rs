//! A call that comes from a group is verified (RFC 8224 §6.2), and the callee told what it is worth.
//!
//! What is compared is what the callee sees: the asserted identity if it is believed, else From; and To. A caller who is no
//! number has nothing to be verified, as one who wants to be anonymous.

use std::sync::Arc;

use sip::header::{HeaderName, NameAddress};
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
        if !self.trunks.verifies() || is_within_dialog(&job) {
            return self.decide(now, job);
        }
        let Some(group) = self.group_of(&job.flow).cloned() else {
            // Of peers everything is believed.
            if !matches!(job.sender, Sender::Peer | Sender::Upstream) {
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

    fn ask_for_verification(&mut self, now: Instant, mut job: Job, group: &Arc<Group>) {
        let request = &job.received;
        let numbers = &self.config.trunks.numbers;
        let all = |address: Option<NameAddress<'_>>| {
            let uri = address.and_then(|address| address.uri().ok());
            uri.map(|uri| Party::all_of(&uri, numbers)).unwrap_or_default()
        };
        // A number is vouched for as a number (RFC 8224 §8): what is signed of the URI around it says nothing of who may
        // use it.
        let mut orig = all(shown(request, group));
        orig.retain(|party| matches!(party, Party::Number(_)));
        if orig.is_empty() {
            // Nobody claims a number, so none can have been validated.
            self.write_verstat(&mut job, Some(group), None);
            return self.decide(now, job);
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
            dest: all(request.to().ok()),
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
    pub(crate) fn with_from_as_it_came(&self, response: Message, sent: Sent) -> Message {
        let Sent::Branch(id, branch) = sent else { return response };
        let from =
            self.contexts.get(id.0).filter(|_| self.trunks.verifies() || self.writes_caller(id, branch));
        let from = from.and_then(|context| context.received.header(HeaderName::From));
        let Some(from) = from.filter(|from| response.header(HeaderName::From) != Some(from)) else {
            return response;
        };
        let mut edit = response.edit();
        edit.replace(HeaderName::From, from);
        edit.message().unwrap_or(response)
    }

    /// Writes what has been found out into the identity that is shown, and takes off what others wrote there.
    fn write_verstat(&self, job: &mut Job, group: Option<&Arc<Group>>, verstat: Option<Verstat>) {
        let request = &job.onward.request;
        let numbers = &self.config.trunks.numbers;
        let asserted = request.header(HeaderName::PAssertedIdentity);
        let is_asserted = asserted.is_some() && group.is_some_and(|group| group.trusted);
        let from = request.header(HeaderName::From);
        let from = from.and_then(|from| rewritten(from, verstat.filter(|_| !is_asserted), numbers));
        // The first one counts; there may be a second, a tel URI (RFC 3325 §9.1).
        let values: Vec<_> = request.values(HeaderName::PAssertedIdentity).collect();
        // Only the first one was compared with a signature.
        let marks = core::iter::once(verstat).chain(core::iter::repeat(None));
        let written: Vec<_> =
            values.iter().zip(marks).map(|(value, verstat)| rewritten(value, verstat, numbers)).collect();
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

/// The identity that the callee is shown.
fn shown<'m>(request: &'m Message, group: &Group) -> Option<NameAddress<'m>> {
    let asserted = request.first_value(HeaderName::PAssertedIdentity).filter(|_| group.trusted);
    match asserted.map(NameAddress::parse) {
        Some(Ok(asserted)) => Some(asserted),
        _ => request.from().ok(),
    }
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
