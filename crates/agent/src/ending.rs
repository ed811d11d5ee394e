//! The end of calls: BYE of both sides, what is owed to a peer, what is forgotten (RFC 3261 §15).

use crate::agent::Agent;
use crate::call::Stage;
use crate::config::Header;
use crate::event::{CallNumber, Cause, Event, Originator};
use crate::options::{CommandError, Ending, Payload};
use crate::outgoing::Purpose;
use sip::header::HeaderName;
use sip::message::Message;
use sip::transaction::ServerKey;
use sip::{Instant, text};
use std::sync::Arc;

impl Agent {
    /// Ends a call whatever its state: CANCEL, a final response, or BYE. As callee before the ACK the BYE waits for
    /// the ACK (RFC 3261 §15).
    ///
    /// # Errors
    /// When there is no such call or it is over, or a field cannot be written.
    pub fn end(&mut self, now: Instant, number: CallNumber, ending: &Ending) -> Result<(), CommandError> {
        self.now = now;
        let stage = self.call(number).ok_or(CommandError::Unknown)?.stage;
        match stage {
            Stage::Prepared | Stage::Calling => return self.cancel(now, number, &with_reason(ending)),
            Stage::Ringing => return self.reject(now, number, ending),
            Stage::Over => return Err(CommandError::State),
            Stage::Subscription => return self.close_subscription(number),
            Stage::Answered => {
                self.finish(number);
                if let Some(call) = self.call_mut(number) {
                    call.bye_after_ack = Some(ending.clone());
                    call.forget_at = Instant::NEVER;
                }
            }
            Stage::Accepted => {
                // Whoever hangs up before acknowledging owes the ACK all the same.
                self.acknowledge_first(number, &Payload::default())?;
                self.hang_up(number, ending);
            }
            Stage::Confirmed => self.hang_up(number, ending),
        }
        let cause = ending.cause.unwrap_or(Cause::Terminated);
        self.emit(Event::Ended { call: number, originator: Originator::Local, message: None, cause });
        self.settle();
        Ok(())
    }

    /// Sends BYE in the call's dialog; the call is over.
    pub(crate) fn hang_up(&mut self, number: CallNumber, ending: &Ending) {
        self.finish(number);
        let Some(call) = self.call_mut(number) else { return };
        call.owes_bye = Some(ending.clone());
        let payload = Payload { headers: ending.headers.clone(), body: ending.body.clone() };
        let purpose = Purpose::Bye(number);
        if self.send_in_call(number, b"BYE", Vec::new(), &payload, purpose).is_err() {
            // A header that cannot be written must not keep the call up.
            let _ = self.send_in_call(number, b"BYE", Vec::new(), &Payload::default(), purpose);
        }
    }

    /// Ends an established call by the agent's own decision: BYE with a Reason.
    pub(crate) fn end_by_itself(
        &mut self,
        number: CallNumber,
        status: u16,
        text: &str,
        message: Option<Arc<Message>>,
        cause: Cause,
    ) {
        self.hang_up(number, &with_status(status, text));
        self.emit(Event::Ended { call: number, originator: Originator::Local, message, cause });
    }

    /// Ends an established call of which the peer answers nothing, or says that it does not know it (RFC 3261 §12.2.1.2).
    pub(crate) fn end_unanswered(
        &mut self,
        number: CallNumber,
        originator: Originator,
        message: Option<Arc<Message>>,
        cause: Cause,
    ) {
        let Some(call) = self.call(number).filter(|call| call.is_established()) else { return };
        let forgotten = message.as_ref().is_some_and(|response| response.status() == Some(481));
        if forgotten || call.stage != Stage::Confirmed {
            self.finish(number);
        } else {
            // He may have heard nothing of us, and still wait for us.
            self.hang_up(number, &with_status(408, "Request Timeout"));
        }
        self.emit(Event::Ended { call: number, originator, message, cause });
    }

    /// The peer hangs up (RFC 3261 §15.1.2).
    pub(crate) fn on_bye(&mut self, number: CallNumber, key: ServerKey, request: &Arc<Message>) {
        let Some(stage) = self.call(number).map(|call| call.stage) else { return };
        let forget_at = self.now + self.timers.patience();
        let message = Some(Arc::clone(request));
        let (originator, cause) = (Originator::Remote, Cause::Terminated);
        match stage {
            Stage::Accepted | Stage::Answered | Stage::Confirmed => {
                self.respond_plainly(key, request, 200, &[]);
                self.finish(number);
                if let Some(call) = self.call_mut(number) {
                    call.answer = None;
                }
                self.emit(Event::Ended { call: number, originator, message, cause });
            }
            Stage::Ringing => {
                // RFC 3261 §15.1.2: pending requests of the dialog get 487.
                self.respond_plainly(key, request, 200, &[]);
                if self.refuse_call(number, &Ending { status: 487, ..Ending::default() }).is_ok() {
                    self.emit(Event::Failed { call: number, originator, message, cause });
                }
            }
            // Both hung up at once.
            Stage::Over => {
                self.respond_plainly(key, request, 200, &[]);
                if let Some(call) = self.call_mut(number) {
                    call.owes_bye = None;
                    call.answer = None;
                    call.bye_after_ack = None;
                    call.forget_at = call.forget_at.min(forget_at);
                }
            }
            _ => self.respond_plainly(key, request, 481, &[]),
        }
    }

    /// No answer to our BYE: after 64*T1 the dialog is over anyway; a lost connection is waited for.
    pub(crate) fn on_bye_silence(&mut self, number: CallNumber, timed_out: bool) {
        if timed_out && let Some(call) = self.call_mut(number) {
            call.owes_bye = None;
        }
    }

    /// Our BYE was answered: nothing is owed.
    pub(crate) fn on_bye_final(&mut self, number: CallNumber) {
        if let Some(call) = self.call_mut(number) {
            call.owes_bye = None;
        }
    }

    /// After a reconnection: repeats those calls' ACKs that may be lost, and BYEs that were.
    pub(crate) fn pay_debts(&mut self, of: &[CallNumber]) {
        let now = self.now;
        for &number in of {
            let Some(call) = self.call(number) else { continue };
            let owed = call.owes_bye.clone().filter(|_| call.stage == Stage::Over);
            let acks: Vec<Arc<[u8]>> = call
                .acks
                .iter()
                .filter(|(acknowledgement, _)| acknowledgement.end() > now)
                .map(|(_, bytes)| Arc::clone(bytes))
                .collect();
            for bytes in acks {
                self.transmit_in(number, bytes.to_vec());
            }
            if let Some(ending) = owed {
                self.hang_up(number, &ending);
            }
        }
    }

    /// Puts a call into its last stage, where it waits for what may still come, and refuses what waits for the user.
    pub(crate) fn finish(&mut self, number: CallNumber) {
        let forget_at = self.now + self.timers.patience();
        let Some(call) = self.call_mut(number) else { return };
        call.stage = Stage::Over;
        call.patience = Instant::NEVER;
        call.expires = Instant::NEVER;
        call.session_timer = None;
        call.reoffer_in = None;
        call.reoffer_out = None;
        call.forget_at = forget_at;
        call.incoming.iter_mut().for_each(|incoming| incoming.sent = None);
        if call.answer.as_ref().is_some_and(|answer| answer.transaction.is_some()) {
            call.answer = None;
        }
        let (gone, kept) =
            core::mem::take(&mut self.waiting).into_iter().partition(|waiting| waiting.call == Some(number));
        self.waiting = kept;
        let gone: Vec<crate::incoming::Waiting> = gone;
        for waiting in gone {
            self.respond_plainly(waiting.key, &waiting.request, 487, &[]);
        }
    }

    /// What each call needs of the time.
    pub(crate) fn calls_timeout(&mut self) {
        let now = self.now;
        let due: Vec<CallNumber> =
            self.calls.iter().filter(|call| call.next_timeout() <= now).map(|call| call.number).collect();
        for number in due {
            self.callee_timeout(number);
            self.caller_timeout(number);
            self.session_timeout(number);
            let online = !self.links.is_empty();
            let Some(call) = self.call_mut(number).filter(|call| call.forget_at <= now) else { continue };
            if call.owes_bye.is_some() && !online {
                // The peer still thinks that the call stands: remember until he has been told.
                call.forget_at = Instant::NEVER;
            } else {
                self.calls.retain(|call| call.number != number);
            }
        }
    }

    /// The caller's patience has run out.
    fn caller_timeout(&mut self, number: CallNumber) {
        let now = self.now;
        let waits = |call: &crate::call::Call| call.stage == Stage::Calling && call.patience <= now;
        if self.call(number).is_some_and(waits) {
            self.cancel_invite(number, b"");
            let (originator, cause) = (Originator::Local, Cause::NoAnswer);
            self.emit(Event::Failed { call: number, originator, message: None, cause });
            self.settle();
        }
    }
}

/// `SIP;cause=408;text="..."` (RFC 3326).
pub(crate) fn reason(status: u16, text: &str) -> String {
    let mut value = String::from("SIP;cause=");
    value.push_str(text::decimal(u64::from(status)).as_str());
    value.push_str(";text=\"");
    value.push_str(text);
    value.push('"');
    value
}

fn with_status(status: u16, text: &str) -> Ending {
    let header = Header { name: "Reason".into(), value: reason(status, text) };
    Ending { headers: vec![header], ..Ending::default() }
}

/// The Reason header of an ending, for the CANCEL that takes the place of a BYE.
fn with_reason(ending: &Ending) -> Ending {
    let mut ending = ending.clone();
    if ending.cancel_reason.is_none() {
        let given = ending
            .headers
            .iter()
            .find(|header| HeaderName::parse(header.name.as_bytes()) == HeaderName::Reason);
        ending.cancel_reason = given.map(|header| header.value.clone());
    }
    ending
}
