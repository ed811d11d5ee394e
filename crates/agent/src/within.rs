//! Requests of ours within dialogs: re-INVITE, UPDATE, INFO, REFER, SUBSCRIBE and others (RFC 3261 §12.2.1, §14.1).

use crate::agent::Agent;
use crate::call::{Call, Stage};
use crate::compose::{Draft, PACKAGES, Rest};
use crate::event::{CallNumber, Cause, Event, Originator, RequestNumber, TransactionNumber};
use crate::options::{CallOptions, CommandError, Origin, Payload};
use crate::outgoing::Purpose;
use sip::header::HeaderName;
use sip::message::Message;
use sip::{Dialog, Instant, Method};
use std::sync::Arc;

/// What a Replaces header or a Refer-To needs to know of a dialog (RFC 3891 §6.1).
#[derive(Clone, Debug)]
pub struct DialogIdentity {
    /// The Call-ID.
    pub call_id: Vec<u8>,
    /// Our tag.
    pub local_tag: Vec<u8>,
    /// The peer's tag.
    pub remote_tag: Vec<u8>,
    /// The URI of the peer's Contact.
    pub remote_target: Vec<u8>,
}

impl Agent {
    /// Writes and sends a request in `dialog`, under its next CSeq number.
    pub(crate) fn send_in(
        &mut self,
        dialog: &mut Dialog,
        method: &[u8],
        mut fields: Vec<(HeaderName, Vec<u8>)>,
        payload: &Payload,
        purpose: Purpose,
    ) -> Result<Arc<Message>, CommandError> {
        let method = Method::from_bytes(method);
        let supported: &[u8] = match method {
            Method::Invite => b"timer,ice,replaces,outbound,trickle-ice",
            Method::Update => b"timer,ice,outbound,trickle-ice",
            _ => b"outbound",
        };
        // RFC 3261 §12.2, RFC 3311 §5.1, RFC 3515 §2.2, RFC 6665 §4.1.2: these may move the target.
        if matches!(
            method,
            Method::Invite | Method::Update | Method::Subscribe | Method::Notify | Method::Refer
        ) {
            let call = purpose.call().and_then(|number| self.call(number));
            let anonymous = call.is_some_and(|call| call.anonymous);
            fields.insert(0, (HeaderName::Contact, self.identity.contact(anonymous, false)));
        }
        if matches!(method, Method::Invite | Method::Update) {
            fields.push((HeaderName::RecvInfo, PACKAGES.to_vec()));
        }
        let via = self.new_via(self.link_for(purpose));
        let builder = dialog.request(method, &via);
        let rest = Rest { fields, headers: &payload.headers, supported, body: payload.body.as_ref() };
        let request = self.finish_request(builder, &rest)?;
        Ok(self.launch(request, purpose))
    }

    /// Sends a request in the dialog that the call has now. A subscription without one begins it.
    pub(crate) fn send_in_call(
        &mut self,
        number: CallNumber,
        method: &[u8],
        fields: Vec<(HeaderName, Vec<u8>)>,
        payload: &Payload,
        purpose: Purpose,
    ) -> Result<Arc<Message>, CommandError> {
        let call = self.call(number).ok_or(CommandError::Unknown)?;
        let Some(mut dialog) = call.current_dialog().cloned() else {
            return self.begin_dialog(number, method, payload, purpose);
        };
        let sent = self.send_in(&mut dialog, method, fields, payload, purpose);
        // Whatever became of it, its number is used up.
        if let Some(held) = self.call_mut(number).and_then(Call::current_dialog_mut) {
            *held = dialog;
        }
        sent
    }

    /// Sends the request that begins the dialog of a subscription.
    fn begin_dialog(
        &mut self,
        number: CallNumber,
        method: &[u8],
        payload: &Payload,
        purpose: Purpose,
    ) -> Result<Arc<Message>, CommandError> {
        let place = self.place(number)?;
        let mut call = self.calls.swap_remove(place);
        let request = self.write_first(&call, method, payload);
        if let (Ok(_), Some(outgoing)) = (&request, &mut call.outgoing) {
            outgoing.cseq += 1;
        }
        self.calls.push(call);
        Ok(self.launch(request?, purpose))
    }

    /// The request that begins the dialog of a subscription.
    fn write_first(
        &mut self,
        call: &Call,
        method: &[u8],
        payload: &Payload,
    ) -> Result<Arc<Message>, CommandError> {
        let (Stage::Subscription, Some(outgoing)) = (call.stage, &call.outgoing) else {
            return Err(CommandError::State);
        };
        let origin = &outgoing.options.origin;
        let mut fields = vec![(HeaderName::Contact, self.identity.contact(call.anonymous, true))];
        fields.extend(self.parties(&outgoing.target, origin, &call.local_tag)?.fields);
        let headers = [origin.headers.as_slice(), &payload.headers].concat();
        self.write(&Draft {
            method,
            uri: &outgoing.target,
            routes: &self.preloaded_routes(),
            to: &outgoing.to,
            from: &outgoing.from,
            call_id: &call.call_id,
            cseq: outgoing.cseq + 1,
            rest: Rest { fields, headers: &headers, supported: b"outbound", body: payload.body.as_ref() },
        })
    }

    /// Sends re-INVITE, or UPDATE if `update`: with a body an offer; without one a wish for an offer (INVITE) or a
    /// refresh (UPDATE). The user tries again after a 491.
    ///
    /// # Errors
    /// When the call does not stand, or another offer is on its way.
    pub fn reinvite(
        &mut self,
        now: Instant,
        number: CallNumber,
        update: bool,
        payload: Payload,
    ) -> Result<(RequestNumber, Arc<Message>), CommandError> {
        self.now = now;
        if !self.can_reinvite(number)? {
            return Err(CommandError::State);
        }
        let request_number = self.new_request_number();
        let fields = self.refresh_fields(number);
        let method: &[u8] = if update { b"UPDATE" } else { b"INVITE" };
        let purpose = Purpose::Reoffer(number, request_number);
        let request = self.send_in_call(number, method, fields, &payload, purpose)?;
        if let Some(call) = self.call_mut(number) {
            call.reoffer_out = Some(request_number);
        }
        self.settle();
        Ok((request_number, request))
    }

    /// Whether a re-INVITE or UPDATE may be sent now (RFC 3261 §14.1): the call stands, and none is on its way.
    ///
    /// # Errors
    /// When there is no such call.
    pub fn can_reinvite(&self, number: CallNumber) -> Result<bool, CommandError> {
        let call = self.call(number).ok_or(CommandError::Unknown)?;
        Ok(call.stage == Stage::Confirmed
            && call.reoffer_out.is_none()
            && call.reoffer_in.is_none()
            && call.unacknowledged.is_none()
            && call.answer.is_none())
    }

    /// The final response to our re-INVITE or UPDATE.
    pub(crate) fn on_reoffer_final(
        &mut self,
        number: CallNumber,
        request_number: RequestNumber,
        status: u16,
        response: &Arc<Message>,
        request: &Message,
    ) {
        let invite = request.method() == Some(Method::Invite);
        let success = (200..300).contains(&status);
        let mut needs_acknowledge = false;
        if let Some(call) = self.call_mut(number) {
            call.reoffer_out = None;
            if success && let Some(dialog) = &mut call.dialog {
                dialog.refresh_target(response);
            }
        }
        if success && invite {
            needs_acknowledge = request.body().is_empty();
            if needs_acknowledge {
                if let Some(call) = self.call_mut(number) {
                    call.unacknowledged = Some((request_number, Arc::clone(response)));
                }
            } else {
                self.acknowledge_in(number, response, &Payload::default());
            }
        }
        if success && self.call(number).is_some_and(Call::is_established) {
            self.start_session_timer(number, response, false);
        }
        self.emit(Event::Response {
            number: request_number,
            call: Some(number),
            response: Arc::clone(response),
            needs_acknowledge,
        });
        self.on_dialog_final(Purpose::Reoffer(number, request_number), status, response, request);
    }

    /// The 2xx is there: whatever the user adds, an ACK must go out.
    fn acknowledge_in(&mut self, number: CallNumber, response: &Message, payload: &Payload) {
        if self.acknowledge_success(number, response, payload).is_err() {
            let _ = self.acknowledge_success(number, response, &Payload::default());
        }
    }

    /// Sends the ACK with the answer to the offer that came in the 2xx to our re-INVITE without a description.
    ///
    /// # Errors
    /// When no such 2xx waits.
    pub fn acknowledge_reinvite(
        &mut self,
        now: Instant,
        request_number: RequestNumber,
        payload: Payload,
    ) -> Result<(), CommandError> {
        self.now = now;
        let found = self.calls.iter_mut().find_map(|call| {
            let waiting = call.unacknowledged.take_if(|(waiting, _)| *waiting == request_number)?;
            Some((call.number, waiting.1))
        });
        let (number, response) = found.ok_or(CommandError::Unknown)?;
        self.acknowledge_in(number, &response, &payload);
        Ok(())
    }

    /// Sends any other request within a call or subscription.
    ///
    /// # Errors
    /// When there is no dialog yet or any more, or a field or the method cannot be written.
    pub fn dialog_request(
        &mut self,
        now: Instant,
        number: CallNumber,
        method: &str,
        payload: &Payload,
    ) -> Result<(RequestNumber, Arc<Message>), CommandError> {
        self.now = now;
        let call = self.call(number).ok_or(CommandError::Unknown)?;
        let known = Method::from_bytes(method.as_bytes());
        if call.stage == Stage::Over
            || matches!(known, Method::Invite | Method::Ack | Method::Cancel | Method::Bye)
        {
            return Err(CommandError::State);
        }
        let request_number = self.new_request_number();
        let purpose = Purpose::Dialog(number, request_number);
        let request = self.send_in_call(number, method.as_bytes(), Vec::new(), payload, purpose)?;
        self.settle();
        Ok((request_number, request))
    }

    /// What a final response means to the dialog itself (RFC 3261 §12.2.1.2: 408 and 481 end it).
    pub(crate) fn on_dialog_final(
        &mut self,
        purpose: Purpose,
        status: u16,
        response: &Arc<Message>,
        request: &Message,
    ) {
        let Some(number) = purpose.call() else { return };
        let Some(call) = self.call_mut(number) else { return };
        if call.stage == Stage::Subscription {
            // A dialog that a NOTIFY began before has no number of ours yet.
            let begins = call.dialog.as_ref().is_none_or(|dialog| dialog.local_cseq().is_none());
            if begins && let Ok(dialog) = Dialog::of_caller(request, response) {
                call.dialog = Some(dialog);
            }
            return;
        }
        // RFC 5057 §5.1: a subscription that is forgotten there, say of a transfer, is not the call whose dialog it shares.
        let of_call = request.method() != Some(Method::Notify);
        // Before the answer it is the end of one early dialog: the other branches may ring on.
        if matches!(status, 408 | 481) && of_call && call.stage != Stage::Calling {
            let message = Some(Arc::clone(response));
            self.end_unanswered(number, Originator::Remote, message, Cause::DialogError);
        }
    }

    /// A request within the dialog got no response. The loss of the connection does not end a call.
    pub(crate) fn on_dialog_silence(&mut self, purpose: Purpose, number: CallNumber, timed_out: bool) {
        if let (Purpose::Reoffer(..), Some(call)) = (purpose, self.call_mut(number)) {
            call.reoffer_out = None;
        }
        if timed_out && self.call(number).is_some_and(|call| call.stage != Stage::Calling) {
            self.end_unanswered(number, Originator::System, None, Cause::RequestTimeout);
        }
    }

    /// What identifies the dialog of a call.
    ///
    /// # Errors
    /// When there is no such call or it has no dialog.
    pub fn dialog_identity(&self, number: CallNumber) -> Result<DialogIdentity, CommandError> {
        let call = self.call(number).ok_or(CommandError::Unknown)?;
        let dialog = call.current_dialog().ok_or(CommandError::State)?;
        Ok(DialogIdentity {
            call_id: dialog.id().call_id().to_vec(),
            local_tag: dialog.id().local_tag().to_vec(),
            remote_tag: dialog.id().remote_tag().to_vec(),
            remote_target: dialog.remote_target().to_vec(),
        })
    }

    /// Prepares a subscription: its first [`Agent::dialog_request`] (SUBSCRIBE) makes the dialog. The states of
    /// RFC 6665 are the user's.
    ///
    /// # Errors
    /// When a URI does not parse.
    pub fn create_subscription(
        &mut self,
        now: Instant,
        target: &str,
        origin: Origin,
    ) -> Result<(CallNumber, Arc<Message>), CommandError> {
        self.now = now;
        let options = CallOptions { origin, ..CallOptions::default() };
        let call = self.new_outgoing(target, options, Stage::Subscription)?;
        let preview = self.write_first(&call, b"SUBSCRIBE", &Payload::default())?;
        let number = call.number;
        self.calls.push(call);
        Ok((number, preview))
    }

    /// Makes a dialog of a SUBSCRIBE that waits for its response.
    ///
    /// # Errors
    /// When there is no such request, or it has no Contact.
    pub fn accept_subscription(
        &mut self,
        transaction: TransactionNumber,
    ) -> Result<CallNumber, CommandError> {
        let waiting = self.waiting.iter().find(|waiting| waiting.number == transaction);
        let waiting = waiting.ok_or(CommandError::Unknown)?;
        let tag = waiting.tag.clone();
        let dialog = Dialog::of_callee(&waiting.request, &tag).map_err(|_| CommandError::State)?;
        let number = self.new_call_number();
        let mut call = Call::new(number, Stage::Subscription, dialog.id().call_id().to_vec(), tag);
        call.dialog = Some(dialog);
        self.calls.push(call);
        Ok(number)
    }

    /// Forgets a subscription. Sends nothing.
    ///
    /// # Errors
    /// When there is no such subscription.
    pub fn close_subscription(&mut self, number: CallNumber) -> Result<(), CommandError> {
        let place = self.place(number)?;
        if self.call(number).is_none_or(|call| call.stage != Stage::Subscription) {
            return Err(CommandError::State);
        }
        self.calls.swap_remove(place);
        Ok(())
    }
}
