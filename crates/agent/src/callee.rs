//! Being called: ringing, accepting, refusing, and the ACK (RFC 3261 §13.3, §9.2).

use crate::agent::Agent;
use crate::call::{Answer, Call, Incoming, Stage};
use crate::compose::{ACCEPTED, ALLOWED, PACKAGES, add};
use crate::event::{CallNumber, Cause, Event, Originator, TransactionNumber};
use crate::options::{CommandError, Ending, Payload};
use crate::reliable::TAG;
use core::time::Duration;
use sip::Builder;
use sip::dialog::{SuccessRetransmission, SuccessStep};
use sip::header::{HeaderName, Replaces};
use sip::message::Message;
use sip::transaction::ServerKey;
use sip::{Dialog, DialogId, Entropy, Instant, text};
use std::sync::Arc;

/// How many calls may ring at once; further ones are answered 486. No person answers so many.
const RINGING: usize = 32;

impl Agent {
    /// A new INVITE outside dialogs, which passed the door.
    pub(crate) fn on_call(&mut self, key: ServerKey, request: &Arc<Message>) {
        let ringing = self.calls.iter().filter(|call| call.stage == Stage::Ringing).count();
        if ringing >= RINGING {
            return self.respond_plainly(key, request, 486, &[]);
        }
        let mut replaces = None;
        if let Some(value) = request.header(HeaderName::Replaces) {
            match self.replaced(value) {
                Ok(call) => replaces = Some(call),
                Err(status) => return self.respond_plainly(key, request, status, &[]),
            }
        }
        if !request.body().is_empty() && !is_sdp(request) {
            let accept = [(HeaderName::Accept, ACCEPTED)];
            return self.respond_plainly(key, request, 415, &accept);
        }
        if let Err(status) = self.reliability(request) {
            let required = [(HeaderName::Require, TAG.as_bytes())];
            return self.respond_plainly(key, request, status, &required);
        }
        let tag = self.entropy.token(10).into_bytes();
        let Ok(dialog) = Dialog::of_callee(request, &tag) else {
            // RFC 3261 §8.1.1.8: an INVITE must have one Contact.
            return self.respond_plainly(key, request, 400, &[]);
        };
        let number = self.new_call_number();
        let mut call = Call::new(number, Stage::Ringing, dialog.id().call_id().to_vec(), tag);
        call.dialog = Some(dialog);
        call.flow = self.arrival.map_or(0, |link| link.flow);
        call.peer_allows_update = request.lists(HeaderName::Allow, "UPDATE");
        call.incoming = Some(Incoming {
            key,
            request: Arc::clone(request),
            answered: false,
            late_offer: false,
            sent: None,
        });
        call.patience = self.now + self.config.no_answer_timeout;
        // RFC 3261 §13.3.1: the invitation has a time of its own.
        if let Ok(Some(seconds)) = request.number(HeaderName::Expires) {
            call.expires = self.now + Duration::from_secs(u64::from(seconds));
        }
        self.calls.push(call);
        self.respond_plainly(key, request, 100, &[]);
        self.emit(Event::IncomingCall { call: number, request: Arc::clone(request), replaces });
    }

    /// The call that a Replaces header names, or the status to refuse with (RFC 3891 §3).
    fn replaced(&mut self, value: &[u8]) -> Result<CallNumber, u16> {
        let replaces = Replaces::parse(value).map_err(|_| 400u16)?;
        let wanted = DialogId::new(replaces.call_id, replaces.to_tag, replaces.from_tag);
        let found = self.calls.iter_mut().find_map(|call| {
            let named = call.dialogs_mut().any(|dialog| *dialog.id() == wanted);
            named.then_some((call.stage, call.number))
        });
        match found {
            Some((stage, _)) if stage.stands() && replaces.early_only => Err(486),
            Some((stage, number)) if stage.stands() || stage == Stage::Calling => Ok(number),
            Some((Stage::Over, _)) => Err(603),
            // RFC 3891 §3: an early dialog that the receiver did not start must not be replaced.
            _ => Err(481),
        }
    }

    /// Gives a provisional response to a call that rings here: 180, or another one from 101 to 199. With 100, which was sent
    /// at once, nothing is sent: the user has answered, and is not hurried any more while the answer is made.
    ///
    /// # Errors
    /// When the call does not ring here, or a field cannot be written.
    pub fn ring(
        &mut self,
        now: Instant,
        number: CallNumber,
        status: u16,
        reason: &str,
        payload: &Payload,
    ) -> Result<(), CommandError> {
        self.now = now;
        let call = self.call_mut(number).ok_or(CommandError::Unknown)?;
        if call.stage == Stage::Ringing && status == 100 {
            call.patience = Instant::NEVER;
            return Ok(());
        }
        let call = self.call(number).ok_or(CommandError::Unknown)?;
        let (Stage::Ringing, Some(incoming), 101..200) = (call.stage, &call.incoming, status) else {
            return Err(CommandError::State);
        };
        let (key, reliable) = (incoming.key, self.reliability(&incoming.request) == Ok(true));
        let fields = if reliable { self.reliable_fields(number) } else { Vec::new() };
        let call = self.call(number).ok_or(CommandError::Unknown)?;
        let Some(incoming) = &call.incoming else { return Err(CommandError::State) };
        let bytes = self.write_answer(call, incoming, status, reason, payload, &fields)?;
        if reliable {
            self.send_reliably(number, bytes, payload.body.is_some())?;
        } else {
            self.transactions.respond(self.now, key, bytes);
        }
        self.settle();
        Ok(())
    }

    /// Accepts a call: 200 with the answer, or with an offer if the INVITE had none. `session_expires` seconds are
    /// offered for the session timer if the caller left them to us; below 60 the usual.
    ///
    /// # Errors
    /// When the call does not ring here, or a field cannot be written.
    pub fn accept(
        &mut self,
        now: Instant,
        number: CallNumber,
        session_expires: u32,
        payload: &Payload,
    ) -> Result<(), CommandError> {
        self.now = now;
        let call = self.call(number).ok_or(CommandError::Unknown)?;
        let (Stage::Ringing, Some(incoming)) = (call.stage, &call.incoming) else {
            return Err(CommandError::State);
        };
        let (key, request) = (incoming.key, Arc::clone(&incoming.request));
        if self.hold_acceptance(number, session_expires, payload) {
            return Ok(());
        }
        let call = self.call(number).ok_or(CommandError::Unknown)?;
        let Some(incoming) = &call.incoming else { return Err(CommandError::State) };
        let (timer, fields) = self.answer_timer(&request, session_expires);
        let bytes = self.write_answer(call, incoming, 200, "", payload, &fields)?;
        let early = incoming.sent.as_ref().is_some_and(|sent| sent.answered);
        let late_offer = request.body().is_empty() && !early;
        let mut answer = self.new_answer(&request, bytes.clone(), None);
        answer.offers = late_offer;
        if let Some(call) = self.call_mut(number) {
            call.stage = Stage::Answered;
            call.dialog.iter_mut().for_each(Dialog::confirm);
            call.patience = Instant::NEVER;
            call.expires = Instant::NEVER;
            call.answer = Some(answer);
            call.session_timer = timer;
            if let Some(incoming) = &mut call.incoming {
                incoming.answered = true;
                incoming.late_offer = late_offer;
            }
        }
        self.transactions.respond(self.now, key, bytes);
        self.settle();
        Ok(())
    }

    /// A 2xx that is repeated after T1, then at growing intervals up to T2, for 64*T1 (RFC 3261 §13.3.1.4): over
    /// reliable transports too, since a proxy may lose it further on.
    pub(crate) fn new_answer(
        &self,
        request: &Message,
        bytes: Vec<u8>,
        transaction: Option<TransactionNumber>,
    ) -> Answer {
        let cseq = request.cseq().map_or(0, |cseq| cseq.number);
        let repetition = SuccessRetransmission::new(self.now, &self.timers, bytes.into(), cseq);
        Answer { transaction, offers: request.body().is_empty(), repetition }
    }

    /// A response to the INVITE of a call. 101 to 2xx carry what makes the dialog (RFC 3261 §12.1.1).
    fn write_answer(
        &self,
        call: &Call,
        incoming: &Incoming,
        status: u16,
        reason: &str,
        payload: &Payload,
        fields: &[(HeaderName, Vec<u8>)],
    ) -> Result<Vec<u8>, CommandError> {
        let request = &incoming.request;
        let mut builder = Builder::response_to(request, status, reason).to_tag(&call.local_tag);
        if status < 300 {
            for route in request.headers(HeaderName::RecordRoute) {
                builder = builder.header(HeaderName::RecordRoute, &text::unfold(route));
            }
            builder = builder.header(HeaderName::Contact, &self.identity.contact(false, false));
            // RFC 6086 §5.2.2: only to one that has said so of itself.
            if request.header(HeaderName::RecvInfo).is_some() {
                builder = builder.header(HeaderName::RecvInfo, PACKAGES);
            }
        }
        for (name, value) in fields {
            builder = builder.header(*name, value);
        }
        builder = builder.header(HeaderName::Allow, ALLOWED);
        if (200..300).contains(&status) {
            builder = builder.header(HeaderName::Supported, b"timer,ice,replaces,outbound,trickle-ice");
        }
        self.complete(builder, payload)
    }

    /// Adds what users give to a response, and writes it.
    pub(crate) fn complete(&self, builder: Builder, payload: &Payload) -> Result<Vec<u8>, CommandError> {
        let mut builder = add(builder, &payload.headers);
        builder = add(builder, &self.config.settings.extra_headers);
        if let Some(body) = &payload.body {
            builder = builder.body(body.content_type.as_bytes(), &body.bytes);
        }
        builder.finish().map_err(|_| CommandError::Header)
    }

    /// Refuses a call that rings here: 300 to 699, 480 if the status is 0.
    ///
    /// # Errors
    /// When the call does not ring here, the status is no final one, or a field cannot be written.
    pub fn reject(&mut self, now: Instant, number: CallNumber, ending: &Ending) -> Result<(), CommandError> {
        self.now = now;
        self.refuse_call(number, ending)?;
        let cause = ending.cause.unwrap_or(Cause::Rejected);
        self.emit(Event::Failed { call: number, originator: Originator::Local, message: None, cause });
        self.settle();
        Ok(())
    }

    /// Gives the INVITE of a ringing call its final response; the call is over.
    pub(crate) fn refuse_call(&mut self, number: CallNumber, ending: &Ending) -> Result<(), CommandError> {
        let status = if ending.status == 0 { 480 } else { ending.status };
        let call = self.call(number).ok_or(CommandError::Unknown)?;
        let (Stage::Ringing, Some(incoming), 300..700) = (call.stage, &call.incoming, status) else {
            return Err(CommandError::State);
        };
        let key = incoming.key;
        let payload = Payload { headers: ending.headers.clone(), body: ending.body.clone() };
        let bytes = self.write_answer(call, incoming, status, &ending.reason, &payload, &[])?;
        self.transactions.respond(self.now, key, bytes);
        self.finish(number);
        Ok(())
    }

    /// The caller takes the call back (RFC 3261 §9.2), or a peer its re-INVITE.
    pub(crate) fn on_cancel(&mut self, key: ServerKey, invite: Option<ServerKey>, request: &Arc<Message>) {
        let Some(invite) = invite else {
            self.respond_plainly(key, request, 481, &[]);
            return;
        };
        self.respond_plainly(key, request, 200, &[]);
        let ringing = self.calls.iter().find(|call| {
            call.stage == Stage::Ringing
                && call.incoming.as_ref().is_some_and(|incoming| incoming.key == invite)
        });
        if let Some(number) = ringing.map(|call| call.number) {
            let ending = Ending { status: 487, ..Ending::default() };
            if self.refuse_call(number, &ending).is_ok() {
                let message = Some(Arc::clone(request));
                let (originator, cause) = (Originator::Remote, Cause::Canceled);
                self.emit(Event::Failed { call: number, originator, message, cause });
            }
            return;
        }
        if let Some(place) = self.waiting.iter().position(|waiting| waiting.key == invite) {
            let waiting = self.waiting.swap_remove(place);
            self.respond_plainly(waiting.key, &waiting.request, 487, &[]);
            if let Some(call) = waiting.call.and_then(|number| self.call_mut(number)) {
                call.reoffer_in = None;
            }
        }
    }

    /// The ACK for a 2xx of ours (RFC 3261 §13.3.1.4).
    pub(crate) fn on_ack(&mut self, request: &Arc<Message>) {
        let Ok(id) = DialogId::of_request(request) else { return };
        let Some(call) =
            self.calls.iter_mut().find(|call| call.dialog.as_ref().is_some_and(|dialog| *dialog.id() == id))
        else {
            return;
        };
        let number = call.number;
        let Some(answer) = call.answer.take_if(|answer| answer.repetition.is_acknowledged_by(request)) else {
            return;
        };
        if let Some(transaction) = answer.transaction {
            self.emit(Event::ReofferAcknowledged { call: number, transaction, request: Arc::clone(request) });
            return;
        }
        if let Some(ending) = call.bye_after_ack.take() {
            self.hang_up(number, &ending);
            return;
        }
        if call.stage != Stage::Answered {
            return;
        }
        let unanswered =
            call.incoming.as_ref().is_some_and(|incoming| incoming.late_offer) && request.body().is_empty();
        call.stage = Stage::Confirmed;
        if unanswered {
            // RFC 3261 §13.2.1: our offer must be answered in the ACK.
            let message = Some(Arc::clone(request));
            self.end_by_itself(number, 400, "Missing SDP", message, Cause::MissingSdp);
            return;
        }
        let request = Some(Arc::clone(request));
        self.emit(Event::Confirmed { call: number, originator: Originator::Remote, request });
    }

    /// Nobody answers, the invitation runs out, a 2xx is due again or will never be acknowledged.
    pub(crate) fn callee_timeout(&mut self, number: CallNumber) {
        let (now, timers) = (self.now, self.timers);
        let Some(call) = self.call_mut(number) else { return };
        if let Some(answer) = &mut call.answer {
            match answer.repetition.timeout(now, &timers) {
                SuccessStep::Wait => {}
                SuccessStep::Transmit(bytes) => self.transmit_in(number, bytes.to_vec()),
                SuccessStep::Unacknowledged => self.on_no_ack(number),
            }
            return;
        }
        if call.stage != Stage::Ringing {
            return;
        }
        self.reliable_timeout(number);
        let Some(call) = self.call(number).filter(|call| call.stage == Stage::Ringing) else { return };
        let (expired, patient) = (call.expires <= now, call.patience > now);
        if !expired && patient {
            return;
        }
        let (status, originator, cause) = if expired {
            (487, Originator::System, Cause::Expires)
        } else {
            (408, Originator::Local, Cause::NoAnswer)
        };
        if self.refuse_call(number, &Ending { status, ..Ending::default() }).is_err() {
            self.finish(number);
        }
        self.emit(Event::Failed { call: number, originator, message: None, cause });
    }

    /// RFC 3261 §13.3.1.4: the dialog is confirmed, but the session should end.
    fn on_no_ack(&mut self, number: CallNumber) {
        let Some(call) = self.call_mut(number) else { return };
        call.answer = None;
        if let Some(ending) = call.bye_after_ack.take() {
            self.hang_up(number, &ending);
        } else if call.is_established() {
            self.hang_up(number, &Ending::default());
            let (originator, cause) = (Originator::Remote, Cause::NoAck);
            self.emit(Event::Ended { call: number, originator, message: None, cause });
        }
    }
}

/// Whether the body is a session description.
pub(crate) fn is_sdp(message: &Message) -> bool {
    let value = message.header(HeaderName::ContentType).unwrap_or_default();
    let kind = value.split(|byte| *byte == b';').next().unwrap_or_default();
    text::trim(kind).eq_ignore_ascii_case(b"application/sdp")
}
