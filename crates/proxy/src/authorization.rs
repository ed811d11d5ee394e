//! Whose request is it, and what may they?
//!
//! | who | to our users | to the world, by Request-URI or Route |
//! |---|---|---|
//! | a configured peer (by address or certificate), the upstream of an edge | yes | yes |
//! | a trusted group of servers | unless its `incoming` says nobody | if that says anywhere |
//! | whom a route lets go there | as without it | where that route leads |
//! | an authenticated user, as themselves | yes | yes |
//! | anybody, within a dialog that we record-routed | yes | yes, as its seal says |
//! | a stranger whose From is in a domain of ours | asked to authenticate | asked to authenticate |
//! | a stranger from elsewhere | calls and messages, if `accept_from_strangers` | asked to authenticate |

use std::sync::Arc;

use crate::trunks::settings::{Group, Incoming};

/// Who sent a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// A configured peer, known by its address or its certificate.
    Peer,
    /// The server behind this edge.
    Upstream,
    /// A server of this group.
    Group(Arc<Group>),
    /// A user of ours, by address-of-record.
    Account(Vec<u8>),
    /// Nobody that we know.
    Stranger,
}

/// What kind of place a request wants to go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// To the registrar.
    Registrar,
    /// To ourselves.
    Ourselves,
    /// To a user of ours.
    OwnUser,
    /// Within a dialog, where the dialog's Record-Routes lead.
    Dialog,
    /// Anywhere else, as a route of the configuration allows whoever sends from there.
    Granted,
    /// Anywhere else.
    World,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The request may pass.
    Allow,
    /// It may pass if the sender is a user of ours, and proves it.
    Authenticate,
    /// It may not pass.
    Forbid(&'static str),
}

/// Decides. `from_is_ours`: whether the From is in a domain of ours, which is not always asked; `strangers`: callers from
/// elsewhere are welcome.
pub(crate) fn verdict(
    sender: &Sender,
    reach: Reach,
    from_is_ours: impl FnOnce() -> bool,
    strangers: bool,
) -> Verdict {
    match (sender, reach) {
        (_, Reach::Dialog | Reach::Ourselves | Reach::Granted) | (Sender::Account(_), _) => Verdict::Allow,
        (Sender::Group(group), reach) => verdict_on_group(group, reach),
        // A peer passes on what users send; who registers must prove it themselves.
        (Sender::Peer | Sender::Upstream, Reach::Registrar) => Verdict::Authenticate,
        (Sender::Peer | Sender::Upstream, _) => Verdict::Allow,
        (Sender::Stranger, Reach::OwnUser) if !from_is_ours() => {
            if strangers {
                Verdict::Allow
            } else {
                Verdict::Forbid("calls from other domains are not accepted")
            }
        }
        (Sender::Stranger, Reach::Registrar | Reach::OwnUser | Reach::World) => Verdict::Authenticate,
    }
}

/// What a group of servers may.
fn verdict_on_group(group: &Group, reach: Reach) -> Verdict {
    match (group.incoming, reach) {
        (_, Reach::Registrar) => Verdict::Authenticate,
        (Incoming::Nobody, _) => Verdict::Forbid("this server is called, and may not call"),
        (Incoming::Users, Reach::World) => Verdict::Forbid("this server may call users only"),
        (Incoming::Users | Incoming::Anywhere, _) => Verdict::Allow,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_relays_without_a_name() {
        let account = Sender::Account(b"alice@example.com".to_vec());
        assert_eq!(verdict(&Sender::Stranger, Reach::World, || false, true), Verdict::Authenticate);
        assert_eq!(verdict(&Sender::Stranger, Reach::World, || true, true), Verdict::Authenticate);
        assert_eq!(verdict(&Sender::Stranger, Reach::OwnUser, || true, true), Verdict::Authenticate);
        assert_eq!(verdict(&Sender::Stranger, Reach::OwnUser, || false, true), Verdict::Allow);
        assert!(matches!(verdict(&Sender::Stranger, Reach::OwnUser, || false, false), Verdict::Forbid(_)));
        assert_eq!(verdict(&Sender::Stranger, Reach::Dialog, || false, false), Verdict::Allow);
        assert_eq!(verdict(&account, Reach::World, || true, false), Verdict::Allow);
        assert_eq!(verdict(&Sender::Peer, Reach::World, || false, false), Verdict::Allow);
        assert_eq!(verdict(&Sender::Peer, Reach::Registrar, || false, false), Verdict::Authenticate);
    }
}
