//! Calling: INVITE, early dialogs, forks, CANCEL and what crosses it (RFC 3261 §9.1, §13.2).

use crate::agent::Agent;
use crate::call::{Call, Outgoing, Stage};
use crate::compose::{Draft, PACKAGES, Rest};
use crate::config::ReliableProvisional;
use crate::event::{CallNumber, Cause, Event, Originator};
use crate::options::{CallOptions, CommandError, Ending, Payload};
use crate::outgoing::{Purpose, checked};
use crate::reliable::TAG;
use core::time::Duration;
use sip::dialog::{Acknowledgement, Dialog, DialogId};
use sip::header::HeaderName;
use sip::message::Message;
use sip::{Entropy, Instant, text};
use std::sync::Arc;

/// The most early dialogs that one call may have: forks of a user's phones, not of an attacker's.
const EARLY_DIALOGS: usize = 32;

impl Agent {
    /// Prepares a call: its Call-ID, its tags, the INVITE without a session description. Nothing is sent.
    ///
    /// # Errors
    /// When a URI does not parse or a field cannot be written.
    pub fn create_call(
        &mut self,
        now: Instant,
        target: &str,
        options: CallOptions,
    ) -> Result<(CallNumber, Arc<Message>), CommandError> {
        self.now = now;
        let call = self.new_outgoing(target, options, Stage::Prepared)?;
        let number = call.number;
        let preview = self.write_invite(&call, &Payload::default())?;
        self.calls.push(call);
        Ok((number, preview))
    }

    /// A call or subscription that will be asked for.
    pub(crate) fn new_outgoing(
        &mut self,
        target: &str,
        options: CallOptions,
        stage: Stage,
    ) -> Result<Call, CommandError> {
        let target = checked(target.as_bytes())?;
        let tag = self.entropy.token(10).into_bytes();
        let parties = self.parties(target, &options.origin, &tag)?;
        let call_id = self.entropy.token(22).into_bytes();
        let mut call = Call::new(self.new_call_number(), stage, call_id, tag);
        call.anonymous = options.origin.anonymous;
        call.outgoing = Some(Outgoing {
            target: target.to_vec(),
            from: parties.from,
            to: parties.to,
            options,
            cseq: 0,
            invite: None,
            key: None,
            offered: false,
            success: None,
            early: Vec::new(),
            reliable: Vec::new(),
        });
        Ok(call)
    }

    /// Sends the INVITE of a prepared call. Without a body the callee makes the offer.
    ///
    /// # Errors
    /// When the call is not prepared any more, or a field cannot be written.
    pub fn invite(
        &mut self,
        now: Instant,
        number: CallNumber,
        payload: Payload,
    ) -> Result<Arc<Message>, CommandError> {
        self.now = now;
        let place = self.place(number)?;
        let mut call = self.calls.swap_remove(place);
        let result = self.start_invite(&mut call, payload);
        self.calls.push(call);
        let request = result?;
        let request = self.launch(request, Purpose::Invite(number));
        self.settle();
        Ok(request)
    }

    fn start_invite(&mut self, call: &mut Call, payload: Payload) -> Result<Arc<Message>, CommandError> {
        if call.stage != Stage::Prepared {
            return Err(CommandError::State);
        }
        let patience = {
            let outgoing = call.outgoing.as_mut().ok_or(CommandError::State)?;
            outgoing.offered = payload.body.is_some();
            outgoing.options.no_answer_timeout
        };
        let request = self.write_invite(call, &payload)?;
        if let Some(outgoing) = &mut call.outgoing {
            outgoing.cseq += 1;
        }
        call.stage = Stage::Calling;
        if patience > 0 {
            call.patience = self.now + Duration::from_secs(u64::from(patience));
        }
        Ok(request)
    }

    /// The INVITE as the call's state has it.
    fn write_invite(&mut self, call: &Call, payload: &Payload) -> Result<Arc<Message>, CommandError> {
        let outgoing = call.outgoing.as_ref().ok_or(CommandError::State)?;
        let origin = &outgoing.options.origin;
        let mut fields = vec![(HeaderName::Contact, self.identity.contact(call.anonymous, true))];
        fields.extend(self.parties(&outgoing.target, origin, &call.local_tag)?.fields);
        self.ask_for_timer(outgoing, &mut fields);
        let headers = [origin.headers.as_slice(), &payload.headers].concat();
        let gruu = if self.identity.pub_gruu.is_some() { "gruu," } else { "" };
        let reliable = match self.config.reliable_provisional {
            ReliableProvisional::Unsupported => "",
            ReliableProvisional::Supported => ",100rel",
            ReliableProvisional::Required => {
                fields.push((HeaderName::Require, TAG.as_bytes().to_vec()));
                ",100rel"
            }
        };
        let supported = ["timer,", gruu, "ice,replaces,outbound,trickle-ice", reliable].concat();
        fields.push((HeaderName::RecvInfo, PACKAGES.to_vec()));
        self.write(&Draft {
            method: b"INVITE",
            uri: &outgoing.target,
            routes: &self.preloaded_routes(),
            to: &outgoing.to,
            from: &outgoing.from,
            call_id: &call.call_id,
            cseq: outgoing.cseq + 1,
            rest: Rest {
                fields,
                headers: &headers,
                supported: supported.as_bytes(),
                body: payload.body.as_ref(),
            },
        })
    }

    /// 100 and the other provisional responses.
    pub(crate) fn on_invite_progress(&mut self, number: CallNumber, response: &Arc<Message>) {
        let Some(call) = self.call_mut(number).filter(|call| call.stage == Stage::Calling) else { return };
        let (response, call_number) = (Arc::clone(response), call.number);
        let tag = response.to().ok().and_then(|to| to.tag());
        let (Some(tag), false) = (tag, response.status() == Some(100)) else {
            self.emit(Event::Trying { call: call_number, response });
            return;
        };
        // RFC 3261 §12.1: each To tag is an early dialog of its own.
        if let Some(outgoing) = &mut call.outgoing {
            match outgoing.early.iter_mut().find(|dialog| dialog.id().remote_tag() == tag) {
                Some(dialog) => dialog.receive_response(&response),
                None => {
                    let invite = outgoing.invite.as_ref();
                    let dialog = invite.and_then(|invite| Dialog::of_caller(invite, &response).ok());
                    outgoing.early.extend(dialog.filter(|_| outgoing.early.len() < EARLY_DIALOGS));
                }
            }
        }
        if !Self::takes_provisional(call, tag, &response) {
            self.on_repeated(call_number, &response);
            return;
        }
        call.peer_allows_update = response.lists(HeaderName::Allow, "UPDATE");
        let offered = Self::is_open(call, &response);
        let tag = tag.to_vec();
        self.acknowledge_taken(call_number, &tag, &response);
        self.emit(Event::Progress { call: call_number, response, offered });
    }

    /// The final response of the INVITE's transaction.
    pub(crate) fn on_invite_final(&mut self, number: CallNumber, status: u16, response: &Arc<Message>) {
        if (200..300).contains(&status) {
            self.on_invite_success(response);
            return;
        }
        let Some(call) = self.call_mut(number).filter(|call| call.stage == Stage::Calling) else { return };
        call.stage = Stage::Over;
        let message = Some(Arc::clone(response));
        self.finish(number);
        self.emit(Event::Failed {
            call: number,
            originator: Originator::Remote,
            message,
            cause: Cause::of_status(status),
        });
    }

    /// Any 2xx to an INVITE of ours: the first one, its repetition, another fork's, or one for a call that is over
    /// (RFC 3261 §13.2.2.4).
    pub(crate) fn on_invite_success(&mut self, response: &Arc<Message>) {
        let Ok(id) = DialogId::of_response(response) else { return };
        let ours = |call: &Call| call.call_id == id.call_id() && call.local_tag == id.local_tag();
        let Some(place) = self.calls.iter().position(ours) else { return };
        let Some(call) = self.calls.get_mut(place) else { return };
        let now = self.now;
        if let Some(ack) = call.acks.iter().find_map(|(sent, _)| sent.again(now, response)) {
            let number = call.number;
            self.transmit_in(number, ack.to_vec());
            return;
        }
        let known = call.dialog.as_ref().is_some_and(|dialog| *dialog.id() == id);
        match call.stage {
            Stage::Calling => self.on_first_success(place, response),
            // The user has not acknowledged yet, neither this call nor this re-INVITE.
            _ if known => {}
            _ => self.dismiss(place, response),
        }
    }

    /// The call is accepted: the early dialog of this tag, or a new one, is the dialog.
    fn on_first_success(&mut self, place: usize, response: &Arc<Message>) {
        let Some(call) = self.calls.get_mut(place) else { return };
        let Some(outgoing) = call.outgoing.as_mut() else { return };
        // Requests may have gone out in the early dialog: its sequence goes on.
        let tag = response.to().ok().and_then(|to| to.tag()).unwrap_or_default();
        let early = outgoing.early.iter().position(|early| early.id().remote_tag() == tag);
        let dialog = match early.map(|place| outgoing.early.swap_remove(place)) {
            Some(mut dialog) => {
                dialog.receive_response(response);
                Some(dialog)
            }
            None => outgoing.invite.as_ref().and_then(|invite| Dialog::of_caller(invite, response).ok()),
        };
        let Some(dialog) = dialog else { return };
        outgoing.early.clear();
        let (number, late) = (call.number, !outgoing.offered);
        let described = Self::is_described(call, tag);
        let offered = late && !described;
        call.dialog = Some(dialog);
        call.patience = Instant::NEVER;
        call.peer_allows_update = response.lists(HeaderName::Allow, "UPDATE");
        if response.body().is_empty() && !described {
            // RFC 3261 §13.2.1: the 2xx must carry the answer, or the offer that we left to the callee.
            self.dismiss(place, response);
            self.finish(number);
            let message = Some(Arc::clone(response));
            let cause = Cause::BadMediaDescription;
            self.emit(Event::Failed { call: number, originator: Originator::Remote, message, cause });
            return;
        }
        call.stage = Stage::Accepted;
        if let Some(outgoing) = &mut call.outgoing {
            outgoing.success = Some(Arc::clone(response));
        }
        self.start_session_timer(number, response, true);
        self.emit(Event::Accepted { call: number, response: Arc::clone(response), offered });
    }

    /// Acknowledges and ends at once, on a dialog of its own: a fork that lost, an answer that came too late or
    /// without a description.
    fn dismiss(&mut self, place: usize, response: &Message) {
        let Some(call) = self.calls.get(place) else { return };
        let number = call.number;
        let Some(invite) = call.outgoing.as_ref().and_then(|outgoing| outgoing.invite.clone()) else {
            return;
        };
        let Ok(mut dialog) = Dialog::of_caller(&invite, response) else { return };
        // An INVITE that was challenged has gone out under several numbers.
        let cseq = response.cseq().map_or(0, |cseq| cseq.number);
        if let Ok(ack) = self.write_ack(number, &dialog, cseq, &Payload::default()) {
            self.send_ack(number, response, &ack);
        }
        let _ = self.send_in(&mut dialog, b"BYE", Vec::new(), &Payload::default(), Purpose::Bye(number));
    }

    /// Sends the ACK for the 2xx of our INVITE: with an answer if the 2xx carried the offer.
    ///
    /// # Errors
    /// When the call does not wait for it, or a field cannot be written.
    pub fn acknowledge(
        &mut self,
        now: Instant,
        number: CallNumber,
        payload: Payload,
    ) -> Result<(), CommandError> {
        self.now = now;
        self.acknowledge_first(number, &payload)?;
        if let Some(call) = self.call_mut(number) {
            call.stage = Stage::Confirmed;
        }
        self.emit(Event::Confirmed { call: number, originator: Originator::Local, request: None });
        Ok(())
    }

    /// The ACK for the 2xx that the user has been told of.
    pub(crate) fn acknowledge_first(
        &mut self,
        number: CallNumber,
        payload: &Payload,
    ) -> Result<(), CommandError> {
        let call = self.call(number).ok_or(CommandError::Unknown)?;
        let success = call.outgoing.as_ref().and_then(|outgoing| outgoing.success.clone());
        let (Stage::Accepted, Some(response)) = (call.stage, success) else {
            return Err(CommandError::State);
        };
        self.acknowledge_success(number, &response, payload)
    }

    /// Writes and sends the ACK for a 2xx in the call's dialog.
    pub(crate) fn acknowledge_success(
        &mut self,
        number: CallNumber,
        response: &Message,
        payload: &Payload,
    ) -> Result<(), CommandError> {
        let dialog = self.call(number).and_then(|call| call.dialog.clone()).ok_or(CommandError::State)?;
        let cseq = response.cseq().map_err(|_| CommandError::State)?.number;
        let ack = self.write_ack(number, &dialog, cseq, payload)?;
        self.send_ack(number, response, &ack);
        Ok(())
    }

    /// An ACK for a 2xx: a request within the dialog, under the INVITE's number and with its credentials
    /// (RFC 3261 §13.2.2.4).
    fn write_ack(
        &mut self,
        number: CallNumber,
        dialog: &Dialog,
        cseq: u32,
        payload: &Payload,
    ) -> Result<Arc<Message>, CommandError> {
        let invite = self.call(number).and_then(|call| call.outgoing.as_ref()?.invite.clone());
        let mut fields = Vec::new();
        for name in [HeaderName::Authorization, HeaderName::ProxyAuthorization] {
            let values = invite.iter().flat_map(|invite| invite.headers(name));
            fields.extend(values.map(|value| (name, value.to_vec())));
        }
        let via = self.new_via(self.link_of_call(number));
        let builder = dialog.ack(&via, cseq);
        let rest =
            Rest { fields, headers: &payload.headers, supported: b"outbound", body: payload.body.as_ref() };
        self.finish_request(builder, &rest)
    }

    /// Sends an ACK, and keeps it for the case that `response` comes again.
    fn send_ack(&mut self, number: CallNumber, response: &Message, ack: &Message) {
        let (now, timers) = (self.now, self.timers);
        let bytes: Arc<[u8]> = ack.as_bytes().into();
        if let Some(call) = self.call_mut(number) {
            call.acks.retain(|(kept, _)| kept.end() > now);
            if call.acks.len() > EARLY_DIALOGS {
                call.acks.remove(0);
            }
            let kept = Acknowledgement::new(now, &timers, Arc::clone(&bytes), response);
            call.acks.extend(kept.map(|kept| (kept, Arc::clone(&bytes))));
        }
        self.transmit_in(number, bytes.to_vec());
    }

    /// The INVITE got no answer at all.
    pub(crate) fn on_invite_silence(&mut self, number: CallNumber, cause: Cause) {
        if self.call(number).is_some_and(|call| call.stage == Stage::Calling) {
            self.finish(number);
            self.emit(Event::Failed { call: number, originator: Originator::System, message: None, cause });
        }
    }

    /// Cancels a call that has no 2xx yet.
    ///
    /// # Errors
    /// When the call is not one of ours on its way.
    pub fn cancel(&mut self, now: Instant, number: CallNumber, ending: &Ending) -> Result<(), CommandError> {
        self.now = now;
        let call = self.call(number).ok_or(CommandError::Unknown)?;
        if !matches!(call.stage, Stage::Prepared | Stage::Calling) {
            return Err(CommandError::State);
        }
        self.cancel_invite(number, ending.cancel_reason.as_deref().unwrap_or_default().as_bytes());
        let cause = ending.cause.unwrap_or(Cause::Canceled);
        self.emit(Event::Failed { call: number, originator: Originator::Local, message: None, cause });
        self.settle();
        Ok(())
    }

    /// Takes back the INVITE, if it was sent. What crosses the CANCEL meets a call that is over.
    pub(crate) fn cancel_invite(&mut self, number: CallNumber, reason: &[u8]) {
        let key = self.call(number).and_then(|call| call.outgoing.as_ref()?.key);
        self.unsent.retain(|purpose| *purpose != Purpose::Invite(number));
        self.finish(number);
        if let Some(key) = key {
            let reason = (!reason.is_empty() && !text::breaks_line(reason)).then_some(reason);
            self.transactions.cancel(self.now, key, reason);
        }
    }

    pub(crate) fn place(&self, number: CallNumber) -> Result<usize, CommandError> {
        self.calls.iter().position(|call| call.number == number).ok_or(CommandError::Unknown)
    }
}
