//! What the agent remembers of one call or subscription.

use crate::event::{CallNumber, RequestNumber, TransactionNumber};
use crate::options::{CallOptions, Ending};
use crate::reliable::{Received, Sent};
use sip::dialog::{Acknowledgement, SuccessRetransmission};
use sip::message::Message;
use sip::{ClientKey, Dialog, Instant, ServerKey};
use std::sync::Arc;

/// How far a call has come.
///
/// ```text
///  create_call ─► Prepared ─invite─► Calling ─2xx─► Accepted ─acknowledge─┐
///                                                                          ├─► Confirmed ─► Over
///  INVITE ─► Ringing ─accept─► Answered ─ACK──────────────────────────────┘
///  create_subscription, accept_subscription ─► Subscription ─► gone
/// ```
///
/// Every stage can go to `Over`. There a call waits 64*T1 for what may still come: a 2xx that crossed our CANCEL,
/// another fork's 2xx, the ACK that our BYE waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Prepared,
    Calling,
    Accepted,
    Ringing,
    Answered,
    Confirmed,
    Subscription,
    Over,
}

impl Stage {
    /// Whether a 2xx was sent or received, and nobody has hung up.
    pub(crate) const fn stands(self) -> bool {
        matches!(self, Self::Accepted | Self::Answered | Self::Confirmed)
    }
}

/// A 2xx that is repeated until its ACK comes (RFC 3261 §13.3.1.4).
#[derive(Debug)]
pub(crate) struct Answer {
    /// The re-INVITE that it answers; `None` for the first INVITE.
    pub(crate) transaction: Option<TransactionNumber>,
    /// Whether it says an offer of ours, whose answer the ACK brings.
    pub(crate) offers: bool,
    pub(crate) repetition: SuccessRetransmission,
}

/// Session timer (RFC 4028).
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionTimer {
    pub(crate) seconds: u32,
    /// Whether we refresh; otherwise we wait for the peer's refresh.
    pub(crate) ours: bool,
    /// When to refresh, or to look whether the peer has.
    pub(crate) at: Instant,
    /// When the session is over if nobody has refreshed it, whoever should have.
    pub(crate) lapses: Instant,
}

/// One call or subscription.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) number: CallNumber,
    pub(crate) stage: Stage,
    pub(crate) call_id: Vec<u8>,
    pub(crate) local_tag: Vec<u8>,
    /// The flow that its requests go by.
    pub(crate) flow: u8,
    /// Whom the flow before led through, while it is not known whom this one does.
    pub(crate) lost_path: Vec<Vec<u8>>,
    /// Whether a caller's identity stays hidden: decides the Contact.
    pub(crate) anonymous: bool,
    /// The dialog in use: as caller from the 2xx on, as callee from the first 1xx on.
    pub(crate) dialog: Option<Dialog>,
    /// As caller: what was asked for, and the early dialogs.
    pub(crate) outgoing: Option<Outgoing>,
    /// As callee: the INVITE that waits.
    pub(crate) incoming: Option<Incoming>,
    pub(crate) answer: Option<Answer>,
    /// The ACKs for 2xx that may come again (RFC 3261 §13.2.2.4), as sent.
    pub(crate) acks: Vec<(Acknowledgement, Arc<[u8]>)>,
    /// Our re-INVITE or UPDATE that has no final response yet.
    pub(crate) reoffer_out: Option<RequestNumber>,
    /// The 2xx to our offerless re-INVITE that waits for `acknowledge_reinvite`.
    pub(crate) unacknowledged: Option<(RequestNumber, Arc<Message>)>,
    /// The peer's re-INVITE or UPDATE that has no final response yet.
    pub(crate) reoffer_in: Option<TransactionNumber>,
    pub(crate) session_timer: Option<SessionTimer>,
    pub(crate) peer_allows_update: bool,
    /// What to say in the BYE that waits for an ACK (RFC 3261 §15: the callee must not send BYE before).
    pub(crate) bye_after_ack: Option<Ending>,
    /// The BYE that the loss of the connection swallowed.
    pub(crate) owes_bye: Option<Ending>,
    /// When to give up ringing: the caller's or the callee's patience.
    pub(crate) patience: Instant,
    /// INVITE's Expires (RFC 3261 §13.3.1).
    pub(crate) expires: Instant,
    /// When to forget a call that is over.
    pub(crate) forget_at: Instant,
}

/// A caller's side of a call until its 2xx.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) target: Vec<u8>,
    pub(crate) from: Vec<u8>,
    pub(crate) to: Vec<u8>,
    pub(crate) options: CallOptions,
    pub(crate) cseq: u32,
    /// The INVITE as sent last.
    pub(crate) invite: Option<Arc<Message>>,
    pub(crate) key: Option<ClientKey>,
    pub(crate) offered: bool,
    /// The 2xx that the user has been told of.
    pub(crate) success: Option<Arc<Message>>,
    pub(crate) early: Vec<Dialog>,
    /// The reliable provisional responses of each early dialog.
    pub(crate) reliable: Vec<Received>,
}

/// A callee's side of a call until its ACK.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) key: ServerKey,
    pub(crate) request: Arc<Message>,
    /// Whether a final response was given.
    pub(crate) answered: bool,
    /// Whether our 2xx carried the offer.
    pub(crate) late_offer: bool,
    /// Our reliable provisional responses.
    pub(crate) sent: Option<Sent>,
}

impl Call {
    pub(crate) const fn new(number: CallNumber, stage: Stage, call_id: Vec<u8>, local_tag: Vec<u8>) -> Self {
        Self {
            number,
            stage,
            call_id,
            local_tag,
            flow: 0,
            lost_path: Vec::new(),
            anonymous: false,
            dialog: None,
            outgoing: None,
            incoming: None,
            answer: None,
            acks: Vec::new(),
            reoffer_out: None,
            unacknowledged: None,
            reoffer_in: None,
            session_timer: None,
            peer_allows_update: false,
            bye_after_ack: None,
            owes_bye: None,
            patience: Instant::NEVER,
            expires: Instant::NEVER,
            forget_at: Instant::NEVER,
        }
    }

    /// Whether the session stands or is about to stand: its end is `ended`, not `failed`.
    pub(crate) const fn is_established(&self) -> bool {
        self.stage.stands()
    }

    /// The dialog that our requests go by: the one that stands, or as caller the youngest early one.
    pub(crate) fn current_dialog(&self) -> Option<&Dialog> {
        self.dialog.as_ref().or_else(|| self.outgoing.as_ref()?.early.last())
    }

    pub(crate) fn current_dialog_mut(&mut self) -> Option<&mut Dialog> {
        match (&mut self.dialog, &mut self.outgoing) {
            (Some(dialog), _) => Some(dialog),
            (None, Some(outgoing)) => outgoing.early.last_mut(),
            (None, None) => None,
        }
    }

    /// The dialogs of this call: the one that stands, and the early ones.
    pub(crate) fn dialogs_mut(&mut self) -> impl Iterator<Item = &mut Dialog> {
        self.dialog.iter_mut().chain(self.outgoing.iter_mut().flat_map(|outgoing| &mut outgoing.early))
    }

    /// The dialog with the peer that has that tag.
    pub(crate) fn dialog_with(&mut self, remote_tag: &[u8]) -> Option<&mut Dialog> {
        self.dialogs_mut().find(|dialog| dialog.id().remote_tag() == remote_tag)
    }

    /// When this call needs the time next.
    pub(crate) fn next_timeout(&self) -> Instant {
        let answer = self.answer.as_ref().map_or(Instant::NEVER, |answer| answer.repetition.next_timeout());
        let session = self.session_timer.map_or(Instant::NEVER, |timer| timer.at);
        let sent = self.incoming.as_ref().and_then(|incoming| incoming.sent.as_ref());
        let answer = answer.min(sent.map_or(Instant::NEVER, Sent::next_timeout));
        answer.min(session).min(self.patience).min(self.expires).min(self.forget_at)
    }
}
