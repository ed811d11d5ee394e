//! Reliable provisional responses (RFC 3262).
//!
//! As caller every one is acknowledged with PRACK in its early dialog, in order; as callee one at a time is repeated until its
//! PRACK comes. Sessions agreed upon in them are those of the 2xx (RFC 6337 §2): it need not say them again.

use crate::agent::Agent;
use crate::call::Call;
use crate::callee::is_sdp;
use crate::config::ReliableProvisional;
use crate::event::{CallNumber, Cause, Event, Originator};
use crate::options::{CommandError, Ending, Payload};
use crate::outgoing::Purpose;
use core::time::Duration;
use sip::header::{HeaderName, RAck};
use sip::message::Message;
use sip::transaction::ServerKey;
use sip::{Entropy, Instant, Method, text};
use std::collections::VecDeque;
use std::sync::Arc;

pub(crate) const TAG: &str = "100rel";

/// How many may wait for the one before them.
const QUEUE: usize = 16;

/// As caller: what one early dialog has got so far.
#[derive(Debug)]
pub(crate) struct Received {
    tag: Vec<u8>,
    /// RSeq of the last one that was taken.
    response: u32,
    /// Whether the answer to our offer, or the offer that we left to the callee, has come.
    described: bool,
    /// The response whose offer the user has to answer in the PRACK.
    open: Option<Arc<Message>>,
}

/// As callee: what has been sent.
#[derive(Debug)]
pub(crate) struct Sent {
    first: u32,
    next: u32,
    /// RSeq, the response, and whether it describes the session. The first one is on its way.
    queue: VecDeque<(u32, Vec<u8>, bool)>,
    interval: Duration,
    due: Instant,
    end: Instant,
    /// Whether the caller has answered our offer in a PRACK.
    pub(crate) answered: bool,
    /// The 2xx that waits (RFC 3262 §3: not before the PRACK for a response with a description).
    held: Option<(u32, Payload)>,
}

impl Sent {
    pub(crate) const fn next_timeout(&self) -> Instant {
        self.due
    }
}

impl Agent {
    /// Whether a 1xx is one that is to be taken. If it is reliable it must be the next of its dialog (RFC 3262 §4); what
    /// repeats itself has a PRACK under way.
    pub(crate) fn takes_provisional(call: &mut Call, tag: &[u8], response: &Arc<Message>) -> bool {
        let Some(outgoing) = &mut call.outgoing else { return true };
        let Some(number) = reliable(response) else { return true };
        let described = is_sdp(response) && !response.body().is_empty();
        let open = (described && !outgoing.offered).then(|| Arc::clone(response));
        match outgoing.reliable.iter_mut().find(|known| known.tag == tag) {
            Some(known) if number != known.response.wrapping_add(1) => false,
            Some(known) => {
                known.response = number;
                if !known.described {
                    known.described = described;
                    known.open = open;
                }
                true
            }
            // Without a dialog (there are too many) nothing can be acknowledged.
            None if !outgoing.early.iter().any(|dialog| dialog.id().remote_tag() == tag) => false,
            None => {
                outgoing.reliable.push(Received { tag: tag.to_vec(), response: number, described, open });
                true
            }
        }
    }

    /// Acknowledges a 1xx that was taken. One with an offer waits for [`Agent::acknowledge_provisional`].
    pub(crate) fn acknowledge_taken(&mut self, number: CallNumber, tag: &[u8], response: &Message) {
        let Some(outgoing) = self.call(number).and_then(|call| call.outgoing.as_ref()) else { return };
        let waits = |known: &Received| known.tag == tag && known.open.is_some();
        if reliable(response).is_some() && !outgoing.reliable.iter().any(waits) {
            let _ = self.send_prack(number, response, &Payload::default());
        }
    }

    /// Sends the PRACK with the answer to the offer that came in a reliable 1xx ([`Event::Progress`] with `offered`).
    ///
    /// # Errors
    /// When no such response waits, or a field cannot be written.
    pub fn acknowledge_provisional(
        &mut self,
        now: Instant,
        number: CallNumber,
        payload: &Payload,
    ) -> Result<(), CommandError> {
        self.now = now;
        let call = self.call_mut(number).ok_or(CommandError::Unknown)?;
        let outgoing = call.outgoing.as_mut().ok_or(CommandError::State)?;
        let open = outgoing.reliable.iter_mut().find_map(|known| known.open.take());
        self.send_prack(number, &*open.ok_or(CommandError::State)?, payload)?;
        self.settle();
        Ok(())
    }

    fn send_prack(
        &mut self,
        number: CallNumber,
        response: &Message,
        payload: &Payload,
    ) -> Result<(), CommandError> {
        let tag = response.to_tag().unwrap_or_default();
        let call = self.call_mut(number).ok_or(CommandError::Unknown)?;
        let mut dialog = call.dialog_with(tag).cloned().ok_or(CommandError::State)?;
        // RFC 3262 §7.2: RSeq and CSeq of what is acknowledged.
        let mut value = Vec::new();
        text::write_decimal(&mut value, u64::from(reliable(response).unwrap_or(0)));
        value.push(b' ');
        text::write_decimal(&mut value, response.cseq().map_or(0, |cseq| u64::from(cseq.number)));
        value.extend_from_slice(b" INVITE");
        let fields = vec![(HeaderName::RAck, value)];
        let sent = self.send_in(&mut dialog, b"PRACK", fields, payload, Purpose::Prack(number));
        if let Some(held) = self.call_mut(number).and_then(|call| call.dialog_with(tag)) {
            *held = dialog;
        }
        sent.map(|_| ())
    }

    /// Whether reliable responses of the dialog with `tag` have described the session: then the 2xx need not.
    pub(crate) fn is_described(call: &Call, tag: &[u8]) -> bool {
        let described = |known: &Received| known.tag == tag && known.described && known.open.is_none();
        call.outgoing.as_ref().is_some_and(|outgoing| outgoing.reliable.iter().any(described))
    }

    /// Whether this response brings the offer that we left to the callee, and waits for the answer.
    pub(crate) fn is_open(call: &Call, response: &Arc<Message>) -> bool {
        let open = |known: &Received| known.open.as_ref().is_some_and(|open| Arc::ptr_eq(open, response));
        call.outgoing.as_ref().is_some_and(|outgoing| outgoing.reliable.iter().any(open))
    }

    /// A 1xx that was not taken. If it is the last one again and no PRACK is under way, the connection has swallowed ours.
    pub(crate) fn on_repeated(&mut self, number: CallNumber, response: &Message) {
        let tag = response.to_tag();
        let last = |known: &Received| {
            Some(known.tag.as_slice()) == tag
                && Some(known.response) == reliable(response)
                && known.open.is_none()
        };
        let outgoing = self.call(number).and_then(|call| call.outgoing.as_ref());
        let repeated = outgoing.is_some_and(|outgoing| outgoing.reliable.iter().any(last));
        let under_way = self.pending.iter().any(|pending| pending.purpose == Purpose::Prack(number));
        if repeated && !under_way {
            let _ = self.send_prack(number, response, &Payload::default());
        }
    }

    /// Whether our provisional responses to this INVITE are reliable; or the status that refuses it.
    pub(crate) fn reliability(&self, request: &Message) -> Result<bool, u16> {
        let required = request.lists(HeaderName::Require, TAG);
        let supported = required || request.lists(HeaderName::Supported, TAG);
        match self.config.reliable_provisional {
            ReliableProvisional::Unsupported => Ok(false),
            ReliableProvisional::Required if !supported => Err(421),
            _ => Ok(supported),
        }
    }

    /// The fields of the next reliable response of a ringing call.
    pub(crate) fn reliable_fields(&mut self, number: CallNumber) -> Vec<(HeaderName, Vec<u8>)> {
        // RFC 3262 §3: the first number is from 1 to 2^31 - 1; here with room for those that follow.
        let first = (self.entropy.number() as u32 & 0x3fff_ffff) + 1;
        let Some(incoming) = self.call_mut(number).and_then(|call| call.incoming.as_mut()) else {
            return Vec::new();
        };
        let sent = incoming.sent.get_or_insert_with(|| Sent {
            first,
            next: first,
            queue: VecDeque::new(),
            interval: Duration::ZERO,
            due: Instant::NEVER,
            end: Instant::NEVER,
            answered: false,
            held: None,
        });
        let value = text::decimal(u64::from(sent.next)).as_bytes().to_vec();
        vec![(HeaderName::Require, TAG.as_bytes().to_vec()), (HeaderName::RSeq, value)]
    }

    /// Sends a reliable response, or keeps it until the one before has been acknowledged.
    pub(crate) fn send_reliably(
        &mut self,
        number: CallNumber,
        bytes: Vec<u8>,
        described: bool,
    ) -> Result<(), CommandError> {
        let sent = self.sent_mut(number).ok_or(CommandError::State)?;
        if sent.queue.len() >= QUEUE {
            return Err(CommandError::State);
        }
        sent.queue.push_back((sent.next, bytes, described));
        sent.next += 1;
        if sent.queue.len() == 1 {
            self.begin_reliable(number);
        }
        Ok(())
    }

    /// The response at the head goes out for the first time.
    fn begin_reliable(&mut self, number: CallNumber) {
        let (now, t1, patience) = (self.now, self.timers.t1, self.timers.patience());
        let Some(call) = self.call_mut(number) else { return };
        let Some(incoming) = &mut call.incoming else { return };
        let (key, Some(sent)) = (incoming.key, &mut incoming.sent) else { return };
        let bytes = sent.queue.front().map(|(_, bytes, _)| bytes.clone());
        (sent.interval, sent.end) = (t1, now + patience);
        sent.due = if bytes.is_some() { now + t1 } else { Instant::NEVER };
        if let Some(bytes) = bytes {
            self.transactions.respond(now, key, bytes);
        }
    }

    /// Repeats what has not been acknowledged: after T1, then at doubled intervals, for 64*T1 (RFC 3262 §3).
    pub(crate) fn reliable_timeout(&mut self, number: CallNumber) {
        let now = self.now;
        let Some(incoming) = self.call_mut(number).and_then(|call| call.incoming.as_mut()) else { return };
        let (key, Some(sent)) = (incoming.key, &mut incoming.sent) else { return };
        if sent.due > now {
            return;
        }
        if sent.end <= now {
            let ending = Ending { status: 504, ..Ending::default() };
            if self.refuse_call(number, &ending).is_err() {
                self.finish(number);
            }
            let (originator, cause) = (Originator::System, Cause::NoAck);
            self.emit(Event::Failed { call: number, originator, message: None, cause });
            return;
        }
        sent.interval *= 2;
        sent.due = (now + sent.interval).min(sent.end);
        if let Some(bytes) = sent.queue.front().map(|(_, bytes, _)| bytes.clone()) {
            self.transactions.respond(now, key, bytes);
        }
    }

    /// PRACK (RFC 3262 §3).
    pub(crate) fn on_prack(&mut self, number: CallNumber, key: ServerKey, request: &Arc<Message>) {
        let Some(acknowledged) = request.header(HeaderName::RAck).and_then(|value| RAck::parse(value).ok())
        else {
            return self.respond_plainly(key, request, 400, &[]);
        };
        let Some(incoming) = self.call_mut(number).and_then(|call| call.incoming.as_mut()) else {
            return self.respond_plainly(key, request, 481, &[]);
        };
        let asked = incoming.request.cseq().map_or(0, |cseq| cseq.number);
        let late = incoming.request.body().is_empty();
        let fits = acknowledged.method == Method::Invite && acknowledged.number == asked;
        let ours = |sent: &&mut Sent| (sent.first..sent.next).contains(&acknowledged.response);
        let Some(sent) = incoming.sent.as_mut().filter(|_| fits).filter(ours) else {
            return self.respond_plainly(key, request, 481, &[]);
        };
        let head = sent.queue.front().is_some_and(|(response, ..)| *response == acknowledged.response);
        if head {
            sent.queue.pop_front();
            if late && is_sdp(request) {
                sent.answered = true;
            }
        }
        if request.body().is_empty() || late {
            self.respond_plainly(key, request, 200, &[]);
            self.emit(Event::ProvisionalAcknowledged { call: number, request: Arc::clone(request) });
        } else {
            // RFC 3262 §5: a further offer, to be answered in the response.
            self.wait_for_user(key, request, Some(number));
        }
        if head {
            self.begin_reliable(number);
            self.release(number);
        }
    }

    /// Keeps an acceptance until the descriptions before it have been acknowledged. Gives it back if there are none.
    pub(crate) fn hold_acceptance(&mut self, number: CallNumber, seconds: u32, payload: &Payload) -> bool {
        let Some(sent) = self.sent_mut(number) else { return false };
        let waits = sent.queue.iter().any(|(_, _, described)| *described);
        if waits {
            sent.held = Some((seconds, payload.clone()));
        } else {
            // RFC 3262 §3: a final response ends the repetition.
            sent.queue.clear();
            sent.due = Instant::NEVER;
        }
        waits
    }

    fn release(&mut self, number: CallNumber) {
        let Some(sent) = self.sent_mut(number) else { return };
        if !sent.queue.iter().any(|(_, _, described)| *described)
            && let Some((seconds, payload)) = sent.held.take()
        {
            // It was possible when the user asked for it; a caller who has gone meanwhile is told nothing.
            let _ = self.accept(self.now, number, seconds, &payload);
        }
    }

    fn sent_mut(&mut self, number: CallNumber) -> Option<&mut Sent> {
        self.call_mut(number)?.incoming.as_mut()?.sent.as_mut()
    }
}

/// RSeq of a reliable provisional response.
fn reliable(response: &Message) -> Option<u32> {
    let number = response.number(HeaderName::RSeq).ok().flatten()?;
    response.lists(HeaderName::Require, TAG).then_some(number)
}
