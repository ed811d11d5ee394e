//! Requests of peers: the door, the dialogs they belong to, and the user's responses (RFC 3261 §8.2, §12.2.2).

use crate::agent::Agent;
use crate::call::{Call, Stage};
use crate::callee::is_sdp;
use crate::compose::{ACCEPTED, ALLOWED, PACKAGES};
use crate::config::ReliableProvisional;
use crate::event::{CallNumber, Event, TransactionNumber};
use crate::options::{CommandError, Payload};
use crate::reliable::TAG;
use sip::Builder;
use sip::header::HeaderName;
use sip::message::Message;
use sip::transaction::ServerKey;
use sip::uri::{Scheme, Uri};
use sip::{Dialog, DialogId, Entropy, Instant, Method, text};
use std::sync::Arc;

/// The extensions that a request may require of us.
const EXTENSIONS: [&str; 7] = ["timer", "replaces", "outbound", "gruu", "path", "ice", "norefersub"];
/// How many requests may wait for the user; further ones are answered 503.
const WAITING: usize = 128;
/// How many requests are remembered to find merged ones.
const REMEMBERED: usize = 64;

/// A request that waits for the user's response.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) number: TransactionNumber,
    pub(crate) key: ServerKey,
    pub(crate) request: Arc<Message>,
    pub(crate) call: Option<CallNumber>,
    /// The To tag of our response, if the request has none.
    pub(crate) tag: Vec<u8>,
    /// When its sender has given up.
    pub(crate) until: Instant,
}

/// What two copies of a request have in common that came two ways (RFC 3261 §8.2.2.2).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Merged {
    call_id: Vec<u8>,
    from_tag: Vec<u8>,
    cseq: Vec<u8>,
}

/// A status, and the fields that explain it.
type Refusal = (u16, Vec<(HeaderName, Vec<u8>)>);

impl Agent {
    /// A new request other than ACK and CANCEL.
    pub(crate) fn on_request(&mut self, key: ServerKey, request: &Arc<Message>) {
        let Some(method) = request.method() else { return };
        let within = request.to().is_ok_and(|to| to.tag().is_some());
        if let Some((status, fields)) = self.refusal(request, within) {
            let fields: Vec<(HeaderName, &[u8])> =
                fields.iter().map(|(name, value)| (*name, value.as_slice())).collect();
            self.respond_plainly(key, request, status, &fields);
        } else if within {
            self.on_request_within(key, request, method);
        } else {
            self.on_request_outside(key, request, method);
        }
    }

    /// Why a request must not be processed: in the order of RFC 3261 §8.2.
    fn refusal(&mut self, request: &Message, within: bool) -> Option<Refusal> {
        let sip = Uri::parse(request.request_uri())
            .is_ok_and(|uri| matches!(uri.scheme(), Scheme::Sip | Scheme::Sips));
        if !sip {
            return Some((416, Vec::new()));
        }
        if !within && !self.identity.is_ours(request.request_uri()) {
            return Some((404, Vec::new()));
        }
        if !within && self.is_merged(request) {
            return Some((482, Vec::new()));
        }
        let reliable = self.config.reliable_provisional != ReliableProvisional::Unsupported;
        let extensions = EXTENSIONS.iter().chain(reliable.then_some(&TAG));
        let known = |tag: &[u8]| extensions.clone().any(|known| known.as_bytes().eq_ignore_ascii_case(tag));
        let unknown: Vec<&[u8]> = request.values(HeaderName::Require).filter(|tag| !known(tag)).collect();
        if !unknown.is_empty() {
            return Some((420, vec![(HeaderName::Unsupported, unknown.join(b", ".as_slice()))]));
        }
        // RFC 3891 §3.
        let invites = request.method() == Some(Method::Invite);
        if request.headers(HeaderName::Replaces).count() > usize::from(invites) {
            return Some((400, Vec::new()));
        }
        // RFC 3515 §2.4.2.
        let refers = request.method() == Some(Method::Refer);
        if refers && request.headers(HeaderName::ReferTo).count() != 1 {
            return Some((400, Vec::new()));
        }
        None
    }

    /// Whether this is the second copy of a request, or one of our own that came back.
    fn is_merged(&mut self, request: &Message) -> bool {
        let Ok(call_id) = request.call_id() else { return false };
        let own = |call: &Call| call.outgoing.is_some() && call.call_id == call_id;
        if self.calls.iter().any(own) {
            return true;
        }
        let merged = Merged {
            call_id: call_id.to_vec(),
            from_tag: request.from().ok().and_then(|from| from.tag()).unwrap_or_default().to_vec(),
            cseq: request.header(HeaderName::CSeq).unwrap_or_default().to_vec(),
        };
        if self.merged.contains(&merged) {
            return true;
        }
        self.merged.push_back(merged);
        if self.merged.len() > REMEMBERED {
            self.merged.pop_front();
        }
        false
    }

    fn on_request_outside(&mut self, key: ServerKey, request: &Arc<Message>, method: Method<'_>) {
        let listens = self.config.settings.listens;
        match method {
            Method::Invite if listens.calls => self.on_call(key, request),
            Method::Message if listens.messages => self.wait_for_user(key, request, None),
            Method::Subscribe if listens.subscriptions => self.wait_for_user(key, request, None),
            Method::Options if listens.options => self.wait_for_user(key, request, None),
            Method::Options => {
                let fields = [
                    (HeaderName::Allow, ALLOWED),
                    (HeaderName::Accept, ACCEPTED),
                    (HeaderName::Supported, b"timer,ice,replaces,outbound,trickle-ice"),
                ];
                self.respond_plainly(key, request, 200, &fields);
            }
            Method::Notify => {
                self.respond_plainly(key, request, 200, &[]);
                self.emit(Event::Notify { request: Arc::clone(request) });
            }
            Method::Bye | Method::Update | Method::Info | Method::Prack => {
                self.respond_plainly(key, request, 481, &[]);
            }
            Method::Refer if listens.refers => self.wait_for_user(key, request, None),
            // RFC 3515 §2.4.2: nobody is there who could be asked whether he wants to call.
            Method::Refer => self.respond_plainly(key, request, 603, &[]),
            Method::Publish | Method::Other(_) if listens.others => self.wait_for_user(key, request, None),
            _ => self.respond_plainly(key, request, 405, &[(HeaderName::Allow, ALLOWED)]),
        }
    }

    /// A request with a To tag: for a dialog that stands, an early one of ours, or a subscription that begins.
    fn on_request_within(&mut self, key: ServerKey, request: &Arc<Message>, method: Method<'_>) {
        let found = DialogId::of_request(request).ok().and_then(|id| {
            self.calls.iter_mut().find_map(|call| {
                let (number, stage) = (call.number, call.stage);
                let dialog = call.dialogs_mut().find(|dialog| *dialog.id() == id)?;
                Some((number, stage, dialog.receive_request(request).is_ok()))
            })
        });
        let Some((number, stage, in_order)) = found.or_else(|| self.begin_subscription(request)) else {
            self.respond_plainly(key, request, 481, &[]);
            return;
        };
        match method {
            Method::Bye => self.on_bye(number, key, request),
            _ if stage == Stage::Over => self.respond_plainly(key, request, 481, &[]),
            // RFC 3261 §12.2.2.
            _ if !in_order => self.respond_plainly(key, request, 500, &[]),
            Method::Prack if stage != Stage::Subscription => self.on_prack(number, key, request),
            Method::Invite | Method::Update if stage != Stage::Subscription => {
                self.on_reoffer(number, stage, key, request);
            }
            _ => self.wait_for_user(key, request, Some(number)),
        }
    }

    /// RFC 6665 §4.4.1: a NOTIFY may come before the response to SUBSCRIBE, and makes the dialog then.
    fn begin_subscription(&mut self, request: &Message) -> Option<(CallNumber, Stage, bool)> {
        let (Ok(call_id), Ok(to), true) =
            (request.call_id(), request.to(), request.method() == Some(Method::Notify))
        else {
            return None;
        };
        let call = self.calls.iter_mut().find(|call| {
            call.stage == Stage::Subscription
                && call.call_id == call_id
                && to.tag() == Some(call.local_tag.as_slice())
                && call.dialog.is_none()
        })?;
        let dialog = Dialog::of_callee(request, &call.local_tag).ok()?;
        call.dialog = Some(dialog);
        Some((call.number, call.stage, true))
    }

    /// re-INVITE or UPDATE (RFC 3261 §14.2, RFC 3311 §5.2).
    fn on_reoffer(&mut self, number: CallNumber, stage: Stage, key: ServerKey, request: &Arc<Message>) {
        if !request.body().is_empty() && !is_sdp(request) {
            self.respond_plainly(key, request, 415, &[(HeaderName::Accept, ACCEPTED)]);
            return;
        }
        let wait = text::decimal(self.entropy.number() % 10 + 1);
        let Some(call) = self.call_mut(number) else { return };
        let (invite, offer) = (request.method() == Some(Method::Invite), !request.body().is_empty());
        // Before the 2xx our INVITE is still on its way, but reliable responses may have brought the answer to its offer.
        let unanswered = offer && !Self::is_described(call, request.from_tag().unwrap_or_default());
        let ours = call.reoffer_out.is_some()
            || call.unacknowledged.is_some()
            || offer && call.answer.as_ref().is_some_and(|answer| answer.offers)
            || stage == Stage::Calling && (invite || unanswered);
        // Before the ACK for our first 2xx the peer has no reason for another INVITE: let the first one end.
        let unconfirmed = stage == Stage::Answered && invite;
        let early = matches!(stage, Stage::Ringing | Stage::Accepted) && (invite || offer);
        let theirs = call.reoffer_in.is_some() || unconfirmed || early;
        if ours {
            self.respond_plainly(key, request, 491, &[]);
            return;
        }
        if theirs {
            self.respond_plainly(key, request, 500, &[(HeaderName::RetryAfter, wait.as_bytes())]);
            return;
        }
        if let Some(dialog) = call.dialog_with(request.from_tag().unwrap_or_default()) {
            dialog.refresh_target(request);
        }
        let transaction = self.new_transaction_number();
        if let Some(call) = self.call_mut(number) {
            call.reoffer_in = Some(transaction);
        }
        self.waiting.push(Waiting {
            number: transaction,
            key,
            request: Arc::clone(request),
            call: Some(number),
            tag: Vec::new(),
            until: self.given_up(request),
        });
        if request.method() == Some(Method::Invite) {
            self.respond_plainly(key, request, 100, &[]);
        }
        self.emit(Event::Reoffer { call: number, transaction, request: Arc::clone(request) });
    }

    pub(crate) fn wait_for_user(&mut self, key: ServerKey, request: &Arc<Message>, call: Option<CallNumber>) {
        if self.waiting.len() >= WAITING {
            return self.respond_plainly(key, request, 503, &[]);
        }
        let number = self.new_transaction_number();
        let tag = self.entropy.token(10).into_bytes();
        let request = Arc::clone(request);
        let until = self.given_up(&request);
        self.waiting.push(Waiting { number, key, request: Arc::clone(&request), call, tag, until });
        self.emit(match call {
            Some(call) => Event::DialogRequest { call, transaction: number, request },
            None => Event::IncomingRequest { transaction: number, request },
        });
    }

    /// When nobody waits for our response any more: a client gives up after 64*T1 (RFC 3261 §17.1.2), except for an
    /// INVITE, which it cancels.
    fn given_up(&self, request: &Message) -> Instant {
        match request.method() {
            Some(Method::Invite) => Instant::NEVER,
            _ => self.now + self.timers.patience(),
        }
    }

    /// Forgets the requests that the user has not answered in time.
    pub(crate) fn waiting_timeout(&mut self) {
        let now = self.now;
        while let Some(place) = self.waiting.iter().position(|waiting| waiting.until <= now) {
            let waiting = self.waiting.swap_remove(place);
            if let Some(call) = waiting.call.and_then(|number| self.call_mut(number)) {
                call.reoffer_in.take_if(|transaction| *transaction == waiting.number);
            }
        }
    }

    /// Gives the user's response to a request.
    ///
    /// # Errors
    /// When nobody waits for it (any more: the call has ended, the peer has cancelled), the status is none, or a field cannot
    /// be written.
    pub fn respond(
        &mut self,
        now: Instant,
        transaction: TransactionNumber,
        status: u16,
        reason: &str,
        payload: &Payload,
    ) -> Result<(), CommandError> {
        self.now = now;
        let found = self.waiting.iter().enumerate().find(|(_, waiting)| waiting.number == transaction);
        let (place, waiting) = found.ok_or(CommandError::Unknown)?;
        if !(101..700).contains(&status) {
            return Err(CommandError::State);
        }
        let (key, request, call) = (waiting.key, Arc::clone(&waiting.request), waiting.call);
        let reoffer = matches!(request.method(), Some(Method::Invite | Method::Update));
        let success = (200..300).contains(&status);
        // RFC 4028 §2: what can be refreshed begins with the 2xx to the first INVITE.
        let stands = call.and_then(|number| self.call(number)).is_some_and(Call::is_established);
        let (timer, fields) =
            if reoffer && success && stands { self.answer_timer(&request, 0) } else { (None, Vec::new()) };
        let bytes = self.write_response(waiting, status, reason, payload, fields)?;
        if status >= 200 {
            self.waiting.swap_remove(place);
            if reoffer && let Some(call) = call {
                let answer = self.new_answer(&request, bytes.clone(), Some(transaction));
                let invite = request.method() == Some(Method::Invite);
                if let Some(call) = self.call_mut(call) {
                    call.reoffer_in = None;
                    if success {
                        call.session_timer = timer.or(call.session_timer);
                        call.answer = if invite { Some(answer) } else { call.answer.take() };
                    }
                }
            }
        }
        self.transactions.respond(self.now, key, bytes);
        self.settle();
        Ok(())
    }

    fn write_response(
        &self,
        waiting: &Waiting,
        status: u16,
        reason: &str,
        payload: &Payload,
        fields: Vec<(HeaderName, Vec<u8>)>,
    ) -> Result<Vec<u8>, CommandError> {
        let request = &waiting.request;
        let mut builder = Builder::response_to(request, status, reason);
        let makes_dialog = matches!(request.method(), Some(Method::Subscribe | Method::Refer));
        if request.to().is_ok_and(|to| to.tag().is_none()) {
            builder = builder.to_tag(&waiting.tag);
            if makes_dialog && status < 300 {
                for route in request.headers(HeaderName::RecordRoute) {
                    builder = builder.header(HeaderName::RecordRoute, &text::unfold(route));
                }
            }
        }
        let refreshes = matches!(request.method(), Some(Method::Invite | Method::Update | Method::Notify));
        if status < 300 && (makes_dialog || refreshes) {
            let anonymous =
                waiting.call.and_then(|number| self.call(number)).is_some_and(|call| call.anonymous);
            builder = builder.header(HeaderName::Contact, &self.identity.contact(anonymous, false));
        }
        for (name, value) in fields {
            builder = builder.header(name, &value);
        }
        if status == 405 || status < 300 && refreshes {
            builder = builder.header(HeaderName::Allow, ALLOWED);
        }
        if status < 300 && refreshes && request.header(HeaderName::RecvInfo).is_some() {
            builder = builder.header(HeaderName::RecvInfo, PACKAGES);
        }
        self.complete(builder, payload)
    }

    /// A response that the agent gives by itself.
    pub(crate) fn respond_plainly(
        &mut self,
        key: ServerKey,
        request: &Message,
        status: u16,
        fields: &[(HeaderName, &[u8])],
    ) {
        let mut builder = Builder::response_to(request, status, "");
        if status > 100 && request.to().is_ok_and(|to| to.tag().is_none()) {
            builder = builder.to_tag(self.entropy.token(10).as_bytes());
        }
        for (name, value) in fields {
            builder = builder.header(*name, value);
        }
        if let Ok(bytes) = self.complete(builder, &Payload::default()) {
            self.transactions.respond(self.now, key, bytes);
        }
    }
}
