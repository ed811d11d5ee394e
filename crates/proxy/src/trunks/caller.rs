//! Who calls, as a provider wants it in From.
//!
//! Only the URI is another one; the tag, by which dialogs are told apart (RFC 3261 §12), is the caller's. In the responses
//! the caller finds the From that he wrote. Later requests of the dialog have what their senders write: nobody may compare
//! more than tags, and the proxy keeps no dialog.

use sip::Message;
use sip::text::write_quoted;
use sip::uri::{Host, Uri};

use super::number::Number;
use super::settings::{Account, Caller, Group, Numbers};
use crate::authorization::Sender;
use crate::proxy::Proxy;
use crate::response_context::{Branch, ContextId};

/// The From of a call to a provider; `None` where it stays as it is.
pub(crate) fn from_for(
    branch: &Branch,
    sender: &Sender,
    request: &Message,
    numbers: &Numbers,
) -> Option<Vec<u8>> {
    let account = rewriting(branch)?;
    // What another server says of its callers is for it to say.
    if !matches!(sender, Sender::Account(_) | Sender::Stranger) {
        return None;
    }
    let from = request.from().ok()?;
    let uri = from.uri().ok()?;
    // RFC 3323 §4.1: who wants to be nobody stays so.
    if matches!(uri.host(), Host::Name(name) if name.eq_ignore_ascii_case(b"anonymous.invalid")) {
        return None;
    }
    let mut value = Vec::with_capacity(128);
    if let Some(name) = from.display_text() {
        write_quoted(&mut value, &name);
        value.push(b' ');
    }
    value.extend_from_slice(b"<sip:");
    value.extend_from_slice(user(account, &uri, numbers).as_bytes());
    value.push(b'@');
    value.extend_from_slice(account.domain.as_bytes());
    value.push(b'>');
    value.extend_from_slice(from.parameters().as_bytes());
    Some(value)
}

/// The account in whose way a branch's From is written.
fn rewriting(branch: &Branch) -> Option<&Account> {
    let group = &branch.target.member.as_ref()?.group;
    group.account.as_ref().filter(|_| group.writes_caller())
}

impl Group {
    /// Whether its calls have another From than their callers write.
    pub(super) fn writes_caller(&self) -> bool {
        self.account.as_ref().is_some_and(|account| account.caller != Caller::Own)
    }
}

fn user(account: &Account, from: &Uri<'_>, numbers: &Numbers) -> String {
    let number = match account.caller {
        Caller::Number => Number::of(from, numbers).and_then(|number| number.global),
        Caller::Own | Caller::Account => None,
    };
    number.unwrap_or_else(|| account.user.clone())
}

impl Proxy {
    /// Whether the From of this branch is not the one that its request came with.
    pub(crate) fn writes_caller(&self, id: ContextId, branch: usize) -> bool {
        let context = self.contexts.get(id.0);
        let place = context.and_then(|context| context.branches.get(branch));
        place.and_then(rewriting).is_some()
    }
}
