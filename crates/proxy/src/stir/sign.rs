//! A call of ours that leaves for a group is signed (RFC 8224 §4.1, RFC 8588).
//!
//! What is signed is the caller of the identity that is asserted, else of From, and the callee of To. The caller's own Date
//! gives way to the time that is signed, so that the two agree (RFC 8224 §4.1 would have a call refused whose phone's clock
//! is wrong). Who is not sure of his number is said to be: an account that is no number gets `B` at the most.

use std::sync::Arc;

use sip::header::{HeaderName, NameAddress};
use sip::{Edit, Instant, Message};

use crate::authorization::Sender;
use crate::date::{Date, date_of};
use crate::output::Question;
use crate::proxy::{Proxy, Waiting};
use crate::response_context::{BranchState, ContextId};

use super::party::is_global;
use super::{Attestation, Claims, Party, Signed, Signing};

/// The signature of one branch.
#[derive(Debug, Default)]
pub(crate) enum Signature {
    /// It has not been asked for.
    #[default]
    NotAsked,
    /// There is none, or it is being made.
    None,
    /// This one.
    Made(Box<Signed>),
}

impl Signature {
    /// Writes it.
    pub(crate) fn write(&self, edit: &mut Edit<'_>) {
        if let Self::Made(signed) = self {
            let date: Date = date_of(signed.at);
            edit.replace(HeaderName::Date, &date);
            edit.append(HeaderName::Identity, &signed.identity);
        }
    }
}

impl Proxy {
    /// Asks for the signature that a branch needs before it begins; says whether it waits for one.
    pub(crate) fn ask_for_signature(&mut self, id: ContextId, branch: usize) -> bool {
        let Some(context) = self.contexts.get(id.0) else { return false };
        let Some(place) = context.branches.get(branch) else { return false };
        let Some(signing) = place.target.member.as_ref().and_then(|member| member.group.signing) else {
            return false;
        };
        if !context.is_call || !matches!(place.signature, Signature::NotAsked) {
            return false;
        }
        let claims = self.claims(signing, &context.sender, &context.request);
        let Some(place) = self.contexts.get_mut(id.0).and_then(|context| context.branches.get_mut(branch))
        else {
            return false;
        };
        place.signature = Signature::None;
        let Some(claims) = claims else { return false };
        let ask = self.outbox.ask(Question::Sign { claims: Box::new(claims) });
        place.state = BranchState::Resolving(ask);
        self.waiting.insert(ask, Waiting::Signature { context: id, branch });
        true
    }

    /// The signature is made, or cannot be: then the call goes without.
    pub(crate) fn branch_signed(
        &mut self,
        now: Instant,
        id: ContextId,
        branch: usize,
        signed: Option<Signed>,
    ) {
        let place = self.contexts.get_mut(id.0).and_then(|context| context.branches.get_mut(branch));
        if let (Some(place), Some(signed)) = (place, signed) {
            place.signature = Signature::Made(Box::new(signed));
        }
        self.begin(now, id, branch);
        self.conclude(now, id);
    }

    /// What is to be signed; `None`: nothing.
    fn claims(&self, signing: Signing, sender: &Sender, request: &Arc<Message>) -> Option<Claims> {
        let numbers = &self.config.trunks.numbers;
        let is_believed = match sender {
            Sender::Peer | Sender::Upstream => true,
            Sender::Group(group) => group.trusted,
            Sender::Account(_) | Sender::Stranger => false,
        };
        let asserted = request.first_value(HeaderName::PAssertedIdentity).filter(|_| is_believed);
        let caller = match asserted.map(NameAddress::parse) {
            Some(Ok(caller)) => caller,
            _ => request.from().ok()?,
        };
        let caller = caller.uri().ok()?;
        let attest = match sender {
            Sender::Account(_) if is_global(&caller, numbers) => signing.users,
            Sender::Account(_) => signing.users.max(Attestation::Partial),
            // What somebody else has signed stays as it is.
            _ if request.header(HeaderName::Identity).is_some() => return None,
            _ => signing.others?,
        };
        let orig = Party::of(&caller, numbers)?;
        let dest = Party::of(&request.to().ok()?.uri().ok()?, numbers)?;
        let whose: &[u8] = match (sender, &orig) {
            (Sender::Account(aor), _) => aor,
            (_, Party::Number(text) | Party::Uri(text)) => text.as_bytes(),
        };
        Some(Claims { attest, origid: uuid(&self.key.sign(b"origid", &[whose])), orig, dest })
    }
}

/// A UUID of version 8 (RFC 9562 §5.8: octets of one's own choice).
fn uuid(octets: &[u8; 32]) -> String {
    let mut text = String::with_capacity(36);
    for (place, octet) in octets.iter().take(16).enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let octet = match place {
            6 => (octet & 0x0f) | 0x80,
            8 => (octet & 0x3f) | 0x80,
            _ => *octet,
        };
        for half in [octet >> 4, octet & 15] {
            text.extend(char::from_digit(u32::from(half), 16));
        }
    }
    text
}
