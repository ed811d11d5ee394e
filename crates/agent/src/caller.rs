//! Calling: INVITE, early dialogs, forks, CANCEL and what crosses it (RFC 3261 §9.1, §13.2).

use crate::agent::Agent;
use crate::call::{Call, Outgoing, SentAck, Stage};
use crate::compose::{Draft, new_via};
use crate::dialog::Dialog;
use crate::event::{CallNumber, Cause, Event, Originator};
use crate::options::{CallOptions, CommandError, Ending, Payload};
use crate::outgoing::{Purpose, checked};
use crate::session_timer::DEFAULT_INTERVAL;
use core::time::Duration;
use sip::header::HeaderName;
use sip::message::Message;
use sip::{Entropy, Instant, text};
use std::sync::Arc;

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
        let preview = self.write_invite(&call, &Payload::default(), false)?;
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
            session_expires: if options.session_expires < 60 {
                DEFAULT_INTERVAL
            } else {
                options.session_expires
            },
            options,
            min_se: 0,
            cseq: 0,
            invite: None,
            key: None,
            offered: false,
            early: Vec::new(),
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
        self.send_invite(number, &request);
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
        let request = self.write_invite(call, &payload, true)?;
        if let Some(outgoing) = &mut call.outgoing {
            outgoing.cseq += 1;
            outgoing.options.origin.headers.extend(payload.headers);
        }
        call.stage = Stage::Calling;
        if patience > 0 {
            call.patience = self.now + Duration::from_secs(u64::from(patience));
        }
        Ok(request)
    }

    /// The INVITE as the call's state has it. One that is only shown is not `signed`: credentials are counted.
    fn write_invite(
        &mut self,
        call: &Call,
        payload: &Payload,
        signed: bool,
    ) -> Result<Arc<Message>, CommandError> {
        let outgoing = call.outgoing.as_ref().ok_or(CommandError::State)?;
        let origin = &outgoing.options.origin;
        let mut fields = vec![(HeaderName::Contact, self.identity.contact(call.anonymous, true))];
        fields.extend(self.parties(&outgoing.target, origin, &call.local_tag)?.fields);
        self.ask_for_timer(outgoing, &mut fields);
        let headers = [origin.headers.as_slice(), &payload.headers].concat();
        let general = self.config.settings.extra_headers.clone();
        let user_agent = self.config.user_agent.clone();
        let supported: &[u8] = if self.identity.pub_gruu.is_some() {
            b"timer,gruu,ice,replaces,outbound"
        } else {
            b"timer,ice,replaces,outbound"
        };
        let draft = Draft {
            method: b"INVITE",
            uri: &outgoing.target,
            routes: &self.preloaded_routes(),
            to: &outgoing.to,
            from: &outgoing.from,
            call_id: &call.call_id,
            cseq: outgoing.cseq + 1,
            fields,
            headers: [&headers, &general],
            supported,
            user_agent: user_agent.as_bytes(),
            body: payload.body.as_ref(),
        };
        if signed { self.write(&draft) } else { self.write_bare(&draft) }
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
            match outgoing.early.iter_mut().find(|dialog| dialog.remote_tag == tag) {
                Some(dialog) => dialog.refresh_target(&response),
                None => outgoing.early.extend(Dialog::of_caller(&response, outgoing.cseq)),
            }
        }
        call.peer_allows_update = response.lists(HeaderName::Allow, "UPDATE");
        self.emit(Event::Progress { call: call_number, response });
    }

    /// The final response of the INVITE's transaction.
    pub(crate) fn on_invite_final(&mut self, number: CallNumber, status: u16, response: &Arc<Message>) {
        if (200..300).contains(&status) {
            self.on_invite_success(response);
            return;
        }
        if status == 422 && self.raise_session_expires(number, response) {
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

    /// RFC 4028 §7.3: the interval was too short for somebody on the way; ask for what he wants, once.
    fn raise_session_expires(&mut self, number: CallNumber, response: &Message) -> bool {
        let wanted = response.number(HeaderName::MinSe).ok().flatten().unwrap_or(0);
        let Ok(place) = self.place(number) else { return false };
        let mut call = self.calls.swap_remove(place);
        let request = self.invite_with_interval(&mut call, wanted);
        self.calls.push(call);
        let Some(request) = request else { return false };
        self.send_invite(number, &request);
        true
    }

    fn invite_with_interval(&mut self, call: &mut Call, seconds: u32) -> Option<Arc<Message>> {
        let calling = call.stage == Stage::Calling;
        let outgoing =
            call.outgoing.as_mut().filter(|outgoing| calling && outgoing.session_expires < seconds)?;
        let body = outgoing.invite.as_ref().filter(|invite| !invite.body().is_empty()).map(|invite| {
            let content_type = invite.header(HeaderName::ContentType).unwrap_or_default();
            crate::options::Body {
                content_type: String::from_utf8_lossy(content_type).into_owned(),
                bytes: invite.body().to_vec(),
            }
        });
        outgoing.session_expires = seconds;
        outgoing.min_se = seconds;
        outgoing.early.clear();
        let request = self.write_invite(call, &Payload { headers: Vec::new(), body }, true).ok()?;
        call.outgoing.as_mut()?.cseq += 1;
        Some(request)
    }

    fn send_invite(&mut self, number: CallNumber, request: &Arc<Message>) {
        self.dispatch(Arc::clone(request), Purpose::Invite(number), Default::default());
    }

    /// Any 2xx to an INVITE of ours: the first one, its repetition, another fork's, or one for a call that is over
    /// (RFC 3261 §13.2.2.4).
    pub(crate) fn on_invite_success(&mut self, response: &Arc<Message>) {
        let (Ok(call_id), Ok(from), Ok(to), Ok(cseq)) =
            (response.call_id(), response.from(), response.to(), response.cseq())
        else {
            return;
        };
        let tag = to.tag().unwrap_or_default();
        let own_tag = from.tag().unwrap_or_default();
        let Some(place) =
            self.calls.iter().position(|call| call.call_id == call_id && call.local_tag == own_tag)
        else {
            return;
        };
        let Some(call) = self.calls.get_mut(place) else { return };
        let sent = call.acks.iter_mut().find(|ack| ack.cseq == cseq.number && ack.remote_tag == tag);
        if let Some(ack) = sent {
            let bytes = ack.bytes.clone();
            self.transmit(bytes);
            return;
        }
        let known = call.dialog.as_ref().is_some_and(|dialog| dialog.remote_tag == tag);
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
        let Some(mut dialog) = Dialog::of_caller(response, outgoing.cseq) else { return };
        // Requests may have gone out in the early dialog: the sequence goes on.
        if let Some(early) = outgoing.early.iter().find(|early| early.remote_tag == dialog.remote_tag) {
            dialog.local_cseq = dialog.local_cseq.max(early.local_cseq);
            dialog.remote_cseq = early.remote_cseq;
        }
        let (number, offered) = (call.number, !outgoing.offered);
        call.dialog = Some(dialog);
        call.patience = Instant::NEVER;
        call.peer_allows_update = response.lists(HeaderName::Allow, "UPDATE");
        if response.body().is_empty() {
            // RFC 3261 §13.2.1: the 2xx must carry the answer, or the offer that we left to the callee.
            self.dismiss(place, response);
            self.finish(number);
            let message = Some(Arc::clone(response));
            let cause = Cause::BadMediaDescription;
            self.emit(Event::Failed { call: number, originator: Originator::Remote, message, cause });
            return;
        }
        call.stage = Stage::Accepted;
        self.start_session_timer(number, response, true);
        self.emit(Event::Accepted { call: number, response: Arc::clone(response), offered });
    }

    /// Acknowledges and ends at once: a fork that lost, an answer that came too late or without a description.
    fn dismiss(&mut self, place: usize, response: &Message) {
        let Some(call) = self.calls.get(place) else { return };
        let Ok(cseq) = response.cseq() else { return };
        let Some(mut dialog) = Dialog::of_caller(response, cseq.number) else { return };
        let number = call.number;
        if let Ok(bytes) = self.write_ack(&dialog, cseq.number, &Payload::default(), number) {
            self.send_ack(number, &dialog, cseq.number, bytes);
        }
        self.send_bye(number, &mut dialog, &Ending::default());
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
        let call = self.call(number).ok_or(CommandError::Unknown)?;
        let (Stage::Accepted, Some(dialog), Some(outgoing)) = (call.stage, &call.dialog, &call.outgoing)
        else {
            return Err(CommandError::State);
        };
        let (dialog, cseq) = (dialog.clone(), outgoing.cseq);
        let bytes = self.write_ack(&dialog, cseq, &payload, number)?;
        self.send_ack(number, &dialog, cseq, bytes);
        if let Some(call) = self.call_mut(number) {
            call.stage = Stage::Confirmed;
        }
        self.emit(Event::Confirmed { call: number, originator: Originator::Local, request: None });
        Ok(())
    }

    /// An ACK for a 2xx: a request within the dialog, under the INVITE's number and with its credentials
    /// (RFC 3261 §13.2.2.4).
    pub(crate) fn write_ack(
        &mut self,
        dialog: &Dialog,
        cseq: u32,
        payload: &Payload,
        number: CallNumber,
    ) -> Result<Vec<u8>, CommandError> {
        let (uri, routes) = dialog.path();
        let invite = self.call(number).and_then(|call| call.outgoing.as_ref()?.invite.clone());
        let mut fields = Vec::new();
        for name in [HeaderName::Authorization, HeaderName::ProxyAuthorization] {
            let values = invite.iter().flat_map(|invite| invite.headers(name));
            fields.extend(values.map(|value| (name, value.to_vec())));
        }
        let general = self.config.settings.extra_headers.clone();
        let via = new_via(self.via, &self.identity.via_host, &mut self.entropy);
        let draft = Draft {
            method: b"ACK",
            uri: &uri,
            routes: &routes,
            to: &dialog.remote,
            from: &dialog.local,
            call_id: &dialog.call_id,
            cseq,
            fields,
            headers: [&payload.headers, &general],
            supported: b"",
            user_agent: self.config.user_agent.as_bytes(),
            body: payload.body.as_ref(),
        };
        draft.write(&via)
    }

    pub(crate) fn send_ack(&mut self, number: CallNumber, dialog: &Dialog, cseq: u32, bytes: Vec<u8>) {
        let (at, remote_tag) = (self.now, dialog.remote_tag.clone());
        let oldest = self.now - self.timers.patience();
        if let Some(call) = self.call_mut(number) {
            call.acks.retain(|ack| ack.at >= oldest);
            call.acks.push(SentAck { remote_tag, cseq, bytes: bytes.clone(), at });
        }
        self.transmit(bytes);
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

/// A subscription has no INVITE; its first request is written from here.
pub(crate) fn first_dialog(call: &Call) -> Option<Dialog> {
    let outgoing = call.outgoing.as_ref()?;
    Some(Dialog {
        call_id: call.call_id.clone(),
        local: outgoing.from.clone(),
        remote: outgoing.to.clone(),
        local_tag: call.local_tag.clone(),
        remote_tag: Vec::new(),
        remote_target: outgoing.target.clone(),
        routes: Vec::new(),
        local_cseq: outgoing.cseq,
        remote_cseq: None,
    })
}
