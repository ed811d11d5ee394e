//! Session timers (RFC 4028): a call whose peer has vanished without BYE ends by itself.
//!
//! The habits are those of JsSIP, so that both sides of a mixed call agree: 90 s, refreshed at half of the time,
//! given up at 110 %. Other than there, a peer whose Allow lacks UPDATE is refreshed by re-INVITE, and a machine that slept
//! over the end of a session asks whether the call is still there before it gives it up.

use crate::agent::{Agent, parse_own};
use crate::call::{Outgoing, SessionTimer};
use crate::config::RefreshMethod;
use crate::event::{CallNumber, Cause, Event, Originator};
use crate::options::Payload;
use crate::outgoing::{Pending, Purpose};
use core::time::Duration;
use sip::Entropy;
use sip::header::{HeaderName, SessionExpires};
use sip::message::Message;
use sip::text;
use std::sync::Arc;

/// Seconds asked for, the least that RFC 4028 §4 allows.
const DEFAULT_INTERVAL: u32 = 90;
/// JsSIP takes what peers grant from here on.
const SHORTEST_INTERVAL: u32 = 60;
/// A timer that rings so much too late rings on a machine that slept.
const SLEPT: Duration = Duration::from_secs(5);

type Fields = Vec<(HeaderName, Vec<u8>)>;

impl Agent {
    /// Session-Expires for our INVITE (RFC 4028 §7.1).
    pub(crate) fn ask_for_timer(&self, outgoing: &Outgoing, fields: &mut Fields) {
        if !self.config.session_timers {
            return;
        }
        let refresher: &[u8] = if self.config.force_refresher { b";refresher=uac" } else { b"" };
        let wished = outgoing.options.session_expires;
        let seconds = if wished < SHORTEST_INTERVAL { DEFAULT_INTERVAL } else { wished };
        fields.push((HeaderName::SessionExpires, interval(seconds, refresher)));
    }

    /// Session-Expires for our 2xx to `request` (RFC 4028 §9), and the timer that follows from it.
    pub(crate) fn answer_timer(&self, request: &Message, wished: u32) -> (Option<SessionTimer>, Fields) {
        let supported = request.lists(HeaderName::Supported, "timer");
        let asked = asked(request);
        if !self.config.session_timers
            || asked.is_none() && !supported && !request.lists(HeaderName::Allow, "UPDATE")
        {
            return (None, Vec::new());
        }
        let default = if wished < SHORTEST_INTERVAL { DEFAULT_INTERVAL } else { wished };
        // RFC 4028 §9: nor shorter than somebody on the way allows.
        let default = default.max(request.number(HeaderName::MinSe).ok().flatten().unwrap_or(0));
        let (seconds, peer) = match asked {
            Some(asked) => (asked.seconds, supported && asked.refresher == Some(b"uac".as_slice())),
            None => (default, false),
        };
        let refresher: &[u8] = if peer { b";refresher=uac" } else { b";refresher=uas" };
        let mut fields = vec![(HeaderName::SessionExpires, interval(seconds, refresher))];
        if peer {
            fields.push((HeaderName::Require, b"timer".to_vec()));
        }
        (Some(self.new_timer(seconds, !peer)), fields)
    }

    /// Session-Expires for our re-INVITE or UPDATE: who refreshes stays the same (RFC 4028 §7.4).
    pub(crate) fn refresh_fields(&self, number: CallNumber) -> Fields {
        let Some(timer) = self.call(number).and_then(|call| call.session_timer) else { return Vec::new() };
        let refresher: &[u8] = if timer.ours { b";refresher=uac" } else { b";refresher=uas" };
        vec![(HeaderName::SessionExpires, interval(timer.seconds, refresher))]
    }

    /// RFC 4028 §7.3, 422: the interval was too short for somebody on the way. Asks for what he wants. False if he does not say.
    pub(crate) fn lengthen_session(&mut self, pending: &Pending, response: &Message) -> bool {
        let Some(before) = asked(&pending.request) else { return false };
        let wanted = response.number(HeaderName::MinSe).ok().flatten().unwrap_or(0);
        if wanted <= before.seconds || !self.may_repeat(pending.purpose) {
            return false;
        }
        let Some(request) = self.repeated(pending) else { return false };
        let refresher = before.refresher.map(|who| [b";refresher=", who].concat()).unwrap_or_default();
        let mut edit = request.edit();
        edit.replace(HeaderName::SessionExpires, &interval(wanted, &refresher));
        edit.replace(HeaderName::MinSe, &interval(wanted, b""));
        let Some(request) = edit.finish().ok().and_then(|bytes| parse_own(&bytes)) else { return false };
        if let Some(call) = pending.purpose.call().and_then(|number| self.call_mut(number)) {
            call.session_timer.iter_mut().for_each(|timer| timer.seconds = wanted);
            if let Some(outgoing) = &mut call.outgoing {
                // What rang has refused with it.
                outgoing.early.clear();
                outgoing.reliable.clear();
            }
        }
        self.dispatch(request, pending.purpose, pending.attempts.clone());
        true
    }

    /// A 2xx to our INVITE, re-INVITE or UPDATE: the time runs anew (RFC 4028 §7.2, §10).
    pub(crate) fn start_session_timer(&mut self, number: CallNumber, response: &Message, first: bool) {
        if !self.config.session_timers {
            return;
        }
        let granted = asked(response);
        let Some(call) = self.call(number) else { return };
        // A peer that knows neither session timers nor UPDATE is left in peace.
        if granted.is_none() && first && !call.peer_allows_update {
            return;
        }
        let (seconds, ours) = match granted {
            Some(granted) => (granted.seconds, granted.refresher != Some(b"uas".as_slice())),
            None => (call.session_timer.map_or(DEFAULT_INTERVAL, |timer| timer.seconds), true),
        };
        let timer = self.new_timer(seconds, ours);
        if let Some(call) = self.call_mut(number) {
            call.session_timer = Some(timer);
        }
    }

    fn new_timer(&self, seconds: u32, ours: bool) -> SessionTimer {
        let lapses = self.now + Duration::from_millis(u64::from(seconds) * 1100);
        let at = if ours { self.now + Duration::from_millis(u64::from(seconds) * 500) } else { lapses };
        SessionTimer { seconds, ours, at, lapses }
    }

    /// Time to refresh, or the peer has not refreshed in time.
    pub(crate) fn session_timeout(&mut self, number: CallNumber) {
        let Some(call) = self.call(number) else { return };
        let Some(timer) = call.session_timer.filter(|timer| timer.at <= self.now) else { return };
        let share = |percent: u64| Duration::from_millis(u64::from(timer.seconds) * percent * 10);
        if timer.lapses <= self.now && timer.at + SLEPT < self.now {
            let lapses = self.now + share(50);
            if let Some(timer) = self.call_mut(number).and_then(|call| call.session_timer.as_mut()) {
                timer.lapses = lapses;
            }
        } else if timer.lapses <= self.now {
            // RFC 4028 §10: whoever refreshes in vain ends the call too, when the session is over for the peer.
            self.end_by_itself(number, 408, "Session Timer Expired", None, Cause::RequestTimeout);
            return;
        }
        let Some(call) = self.call(number) else { return };
        let by_update = self.config.refresh_method == RefreshMethod::Update && call.peer_allows_update;
        let busy = call.reoffer_in.is_some() || call.reoffer_out.is_some() || self.links.is_empty();
        // If this refresh fails, or cannot be sent now, there is time for another.
        self.refresh_in(number, share(10));
        if busy {
        } else if by_update {
            self.send_refresh(number);
        } else {
            self.refresh_in(number, share(50));
            self.emit(Event::SessionRefresh { call: number });
        }
    }

    fn refresh_in(&mut self, number: CallNumber, span: Duration) {
        let at = self.now + span;
        if let Some(timer) = self.call_mut(number).and_then(|call| call.session_timer.as_mut()) {
            timer.at = at.min(timer.lapses);
        }
    }

    /// UPDATE without a description (RFC 4028 §7.4).
    fn send_refresh(&mut self, number: CallNumber) {
        let fields = self.refresh_fields(number);
        // Without a dialog there is nothing to refresh.
        let _ = self.send_in_call(number, b"UPDATE", fields, &Payload::default(), Purpose::Refresh(number));
    }

    pub(crate) fn on_refresh_final(&mut self, number: CallNumber, status: u16, response: &Arc<Message>) {
        if !self.call(number).is_some_and(crate::call::Call::is_established) {
            return;
        }
        match status {
            200..300 => {
                if let Some(dialog) = self.call_mut(number).and_then(|call| call.dialog.as_mut()) {
                    dialog.refresh_target(response);
                }
                self.start_session_timer(number, response, false);
            }
            // RFC 3261 §12.2.1.2.
            408 | 481 => {
                let message = Some(Arc::clone(response));
                self.end_unanswered(number, Originator::Remote, message, Cause::DialogError);
            }
            // RFC 3261 §14.1: glare.
            491 => {
                let wait = 2100 + self.entropy.number() % 1900;
                self.refresh_in(number, Duration::from_millis(wait));
            }
            _ => {
                if let Some(call) = self.call_mut(number) {
                    call.peer_allows_update = false;
                }
                self.emit(Event::SessionRefresh { call: number });
            }
        }
    }

    /// The refresh got no answer: a peer that is silent for 64*T1 is gone; without a connection there is time left.
    pub(crate) fn on_refresh_silence(&mut self, number: CallNumber, timed_out: bool) {
        if timed_out {
            self.end_unanswered(number, Originator::System, None, Cause::RequestTimeout);
        }
    }
}

/// What a message says of session timers, if it can be taken.
fn asked(message: &Message) -> Option<SessionExpires<'_>> {
    let value = message.header(HeaderName::SessionExpires)?;
    SessionExpires::parse(value).ok().filter(|asked| asked.seconds >= SHORTEST_INTERVAL)
}

fn interval(seconds: u32, refresher: &[u8]) -> Vec<u8> {
    let mut value = Vec::new();
    text::write_decimal(&mut value, u64::from(seconds));
    value.extend_from_slice(refresher);
    value
}
