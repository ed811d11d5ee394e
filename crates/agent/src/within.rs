//! Requests of ours within dialogs: re-INVITE, UPDATE, INFO, REFER, SUBSCRIBE and others (RFC 3261 §12.2.1, §14.1).

use crate::agent::Agent;
use crate::call::{Call, Stage};
use crate::caller::first_dialog;
use crate::compose::Draft;
use crate::dialog::Dialog;
use crate::event::{CallNumber, Cause, Event, Originator, RequestNumber, TransactionNumber};
use crate::options::{CallOptions, CommandError, Origin, Payload};
use crate::outgoing::Purpose;
use sip::header::HeaderName;
use sip::message::Message;
use sip::{Instant, Method};
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
        let (uri, routes) = dialog.path();
        let anonymous =
            purpose.call().and_then(|number| self.call(number)).is_some_and(|call| call.anonymous);
        let (contact, supported): (bool, &[u8]) = match Method::from_bytes(method) {
            Method::Invite => (true, b"timer,ice,replaces,outbound"),
            Method::Update => (true, b"timer,ice,outbound"),
            // RFC 3515 §2.2, RFC 6665 §4.1.2.1: target refreshes of their own.
            Method::Subscribe | Method::Notify | Method::Refer => (true, b"outbound"),
            _ => (false, b"outbound"),
        };
        if contact {
            let outbound = dialog.remote_tag.is_empty();
            fields.insert(0, (HeaderName::Contact, self.identity.contact(anonymous, outbound)));
        }
        let mut all_routes = routes;
        if dialog.remote_tag.is_empty() && all_routes.is_empty() {
            all_routes = self.preloaded_routes();
        }
        let general = self.config.settings.extra_headers.clone();
        let user_agent = self.config.user_agent.clone();
        let cseq = dialog.next_cseq();
        let draft = Draft {
            method,
            uri: &uri,
            routes: &all_routes,
            to: &dialog.remote,
            from: &dialog.local,
            call_id: &dialog.call_id,
            cseq,
            fields,
            headers: [&payload.headers, &general],
            supported,
            user_agent: user_agent.as_bytes(),
            body: payload.body.as_ref(),
        };
        self.send(&draft, purpose)
    }

    /// Sends a request in the dialog that the call has now: the standing one, or as caller the youngest early one.
    fn send_in_call(
        &mut self,
        number: CallNumber,
        method: &[u8],
        fields: Vec<(HeaderName, Vec<u8>)>,
        payload: &Payload,
        purpose: Purpose,
    ) -> Result<Arc<Message>, CommandError> {
        let mut dialog = self.call(number).and_then(current_dialog).ok_or(CommandError::State)?;
        let request = self.send_in(&mut dialog, method, fields, payload, purpose)?;
        if let Some(call) = self.call_mut(number)
            && let Some(held) = current_dialog_mut(call)
        {
            held.local_cseq = dialog.local_cseq;
        }
        Ok(request)
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
            let cseq = request.cseq().map_or(0, |cseq| cseq.number);
            if needs_acknowledge {
                if let Some(call) = self.call_mut(number) {
                    call.unacknowledged = Some((request_number, cseq));
                }
            } else {
                self.acknowledge_in(number, cseq, &Payload::default());
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
        self.on_dialog_final(Purpose::Reoffer(number, request_number), status, response);
    }

    fn acknowledge_in(&mut self, number: CallNumber, cseq: u32, payload: &Payload) {
        let Some(dialog) = self.call(number).and_then(|call| call.dialog.clone()) else { return };
        let written = self
            .write_ack(&dialog, cseq, payload, number)
            .or_else(|_| self.write_ack(&dialog, cseq, &Payload::default(), number));
        if let Ok(bytes) = written {
            self.send_ack(number, &dialog, cseq, bytes);
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
        let waits =
            |call: &&mut Call| call.unacknowledged.is_some_and(|(waiting, _)| waiting == request_number);
        let call = self.calls.iter_mut().find(waits).ok_or(CommandError::Unknown)?;
        let (number, cseq) = (call.number, call.unacknowledged.take().map_or(0, |(_, cseq)| cseq));
        self.acknowledge_in(number, cseq, &payload);
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
        let mut payload = payload.clone();
        let fields = self.first_fields(number, &mut payload);
        let request = self.send_in_call(number, method.as_bytes(), fields, &payload, purpose)?;
        self.settle();
        Ok((request_number, request))
    }

    /// What the first request of a subscription carries beside its payload: the wishes of `create_subscription`.
    fn first_fields(&self, number: CallNumber, payload: &mut Payload) -> Vec<(HeaderName, Vec<u8>)> {
        let Some(call) = self.call(number) else { return Vec::new() };
        let (Stage::Subscription, Some(outgoing)) = (call.stage, &call.outgoing) else { return Vec::new() };
        payload.headers.splice(0..0, outgoing.options.origin.headers.iter().cloned());
        if call.dialog.as_ref().is_some_and(|dialog| !dialog.remote_tag.is_empty()) {
            return Vec::new();
        }
        self.parties(&outgoing.target, &outgoing.options.origin, &call.local_tag)
            .map(|parties| parties.fields)
            .unwrap_or_default()
    }

    /// What a final response means to the dialog itself (RFC 3261 §12.2.1.2: 408 and 481 end it).
    pub(crate) fn on_dialog_final(&mut self, purpose: Purpose, status: u16, response: &Arc<Message>) {
        let Some(number) = purpose.call() else { return };
        let Some(call) = self.call_mut(number) else { return };
        if call.stage == Stage::Subscription {
            if (200..300).contains(&status)
                && call.dialog.as_ref().is_some_and(|dialog| dialog.remote_tag.is_empty())
                && let Ok(cseq) = response.cseq()
            {
                let number = call.dialog.as_ref().map_or(cseq.number, |dialog| dialog.local_cseq);
                call.dialog = Dialog::of_caller(response, number).or(call.dialog.take());
            }
            return;
        }
        if matches!(status, 408 | 481) {
            let message = Some(Arc::clone(response));
            self.end_silently(number, Originator::Remote, message, Cause::DialogError);
        }
    }

    /// A request within the dialog got no response. The loss of the connection does not end a call.
    pub(crate) fn on_dialog_silence(&mut self, purpose: Purpose, number: CallNumber, timed_out: bool) {
        if let (Purpose::Reoffer(..), Some(call)) = (purpose, self.call_mut(number)) {
            call.reoffer_out = None;
        }
        if timed_out {
            self.end_silently(number, Originator::System, None, Cause::RequestTimeout);
        }
    }

    /// What identifies the dialog of a call.
    ///
    /// # Errors
    /// When there is no such call or it has no dialog.
    pub fn dialog_identity(&self, number: CallNumber) -> Result<DialogIdentity, CommandError> {
        let call = self.call(number).ok_or(CommandError::Unknown)?;
        let dialog = current_dialog(call).ok_or(CommandError::State)?;
        Ok(DialogIdentity {
            call_id: dialog.call_id,
            local_tag: dialog.local_tag,
            remote_tag: dialog.remote_tag,
            remote_target: dialog.remote_target,
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
        let mut call = self.new_outgoing(target, options, Stage::Subscription)?;
        call.dialog = first_dialog(&call);
        let dialog = call.dialog.as_ref().ok_or(CommandError::State)?;
        let draft = Draft {
            method: b"SUBSCRIBE",
            uri: &dialog.remote_target,
            routes: &self.preloaded_routes(),
            to: &dialog.remote,
            from: &dialog.local,
            call_id: &dialog.call_id,
            cseq: 1,
            fields: vec![(HeaderName::Contact, self.identity.contact(call.anonymous, true))],
            headers: [&[], &[]],
            supported: b"outbound",
            user_agent: b"",
            body: None,
        };
        let preview = self.write_bare(&draft)?;
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
        let dialog = Dialog::of_callee(&waiting.request, &tag).ok_or(CommandError::State)?;
        let number = self.new_call_number();
        let mut call = Call::new(number, Stage::Subscription, dialog.call_id.clone(), tag);
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

fn current_dialog(call: &Call) -> Option<Dialog> {
    let early = || call.outgoing.as_ref()?.early.last();
    call.dialog.as_ref().or_else(early).cloned()
}

fn current_dialog_mut(call: &mut Call) -> Option<&mut Dialog> {
    match (&mut call.dialog, &mut call.outgoing) {
        (Some(dialog), _) => Some(dialog),
        (None, Some(outgoing)) => outgoing.early.last_mut(),
        (None, None) => None,
    }
}
