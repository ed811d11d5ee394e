//! A call of ours that leaves for a group is signed (RFC 8224 §4.1, RFC 8588).
//!
//! What is signed is the caller of the identity that is asserted, else of From as it leaves, and the callee of To. The
//! caller's own Date gives way to the time that is signed, so that the two agree (RFC 8224 §4.1 would have a call refused
//! whose phone's clock is wrong). Who is not sure of his number is said to be: an account that is no number gets `B` at the
//! most. A number that is withheld from the group (RFC 3325 §9.3) does not stand in what is signed: the call goes unsigned.

use core::time::Duration;

use sip::header::{HeaderName, NameAddress};
use sip::{Edit, Instant};

use crate::authorization::Sender;
use crate::date::{Date, date_of};
use crate::identity::wants_privacy;
use crate::output::Question;
use crate::proxy::{Proxy, Waiting};
use crate::response_context::{Branch, BranchState, ContextId, ResponseContext};
use crate::trunks::caller::from_for;

use super::party::is_global;
use super::{Attestation, Claims, Party, Signed, Signing};

/// For so long the same signature serves for further servers. It must still be fresh when it is verified, a minute after it
/// was made at the most (RFC 8224 §6.2).
const FRESH: Duration = Duration::from_secs(20);

/// The signature of one branch.
#[derive(Debug, Default)]
pub(crate) enum Signature {
    /// It has not been asked for.
    #[default]
    NotAsked,
    /// There is none, or it is being made.
    None,
    /// This one.
    Made { signed: Box<Signed>, since: Instant },
}

impl Signature {
    /// Writes it.
    pub(crate) fn write(&self, edit: &mut Edit<'_>) {
        if let Self::Made { signed, .. } = self {
            let date: Date = date_of(signed.at);
            edit.replace(HeaderName::Date, &date);
            edit.append(HeaderName::Identity, &signed.identity);
        }
    }

    fn is_wanted(&self, now: Instant) -> bool {
        match self {
            Self::NotAsked => true,
            Self::None => false,
            Self::Made { since, .. } => *since + FRESH < now,
        }
    }
}

impl Proxy {
    /// Asks for the signature that a branch needs before it begins; says whether it waits for one.
    pub(crate) fn ask_for_signature(&mut self, now: Instant, id: ContextId, branch: usize) -> bool {
        let Some(context) = self.contexts.get(id.0) else { return false };
        let Some(place) = context.branches.get(branch) else { return false };
        let Some(signing) = place.target.member.as_ref().and_then(|member| member.group.signing) else {
            return false;
        };
        if !context.is_call || !place.signature.is_wanted(now) {
            return false;
        }
        let claims = self.claims(signing, context, place);
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
            place.signature = Signature::Made { signed: Box::new(signed), since: now };
        }
        self.begin(now, id, branch);
        self.conclude(now, id);
    }

    /// What is to be signed; `None`: nothing.
    fn claims(&self, signing: Signing, context: &ResponseContext, branch: &Branch) -> Option<Claims> {
        let numbers = &self.config.trunks.numbers;
        let (sender, request) = (&context.sender, &context.request);
        let is_believed = match sender {
            Sender::Peer | Sender::Upstream => true,
            Sender::Group(group) => group.trusted,
            Sender::Account(_) | Sender::Stranger => false,
        };
        let asserted = request.first_value(HeaderName::PAssertedIdentity).filter(|_| is_believed);
        let is_told = branch.target.member.as_ref().is_some_and(|member| member.group.trusted);
        if asserted.is_some() && wants_privacy(request) && !is_told {
            return None;
        }
        let own = request.from().ok()?;
        let written = from_for(branch, sender, request, numbers);
        let from = match &written {
            Some(written) => NameAddress::parse(written).ok()?,
            None => own,
        };
        let caller = match asserted.map(NameAddress::parse) {
            Some(Ok(caller)) => caller,
            _ => from,
        };
        let caller = caller.uri().ok()?;
        let orig = Party::of(&caller, numbers)?;
        let attest = match sender {
            // The number of the provider's account may be anybody's here.
            Sender::Account(_) => {
                let is_own = own.uri().is_ok_and(|own| Party::of(&own, numbers).as_ref() == Some(&orig));
                match is_own && is_global(&caller, numbers) {
                    true => signing.users,
                    false => signing.users.max(Attestation::Partial),
                }
            }
            // What somebody else has signed stays as it is.
            _ if request.header(HeaderName::Identity).is_some() => return None,
            _ => signing.others?,
        };
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
