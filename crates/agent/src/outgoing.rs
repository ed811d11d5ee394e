//! Requests on their way: sending, answering challenges, and whose response it is (RFC 3261 §8.1, §22).

use crate::agent::{Agent, parse_own};
use crate::compose::{Draft, Rest, name_address, new_via};
use crate::config::Header;
use crate::event::{CallNumber, Cause, Event, RequestNumber};
use crate::flow::Link;
use crate::identity::sip_uri;
use crate::options::{CommandError, Origin, Payload};
use crate::registration::Registration;
use sip::digest::{Attempts, Challenge, Side, Verdict};
use sip::header::HeaderName;
use sip::message::Message;
use sip::transaction::ClientKey;
use sip::uri::Uri;
use sip::{Builder, Method, text};
use std::sync::Arc;

/// What a request of ours is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// REGISTER that makes or refreshes our binding for that flow.
    Register(u8),
    /// REGISTER that removes it.
    Unregister(u8),
    /// The INVITE of a call.
    Invite(CallNumber),
    /// A re-INVITE or UPDATE by the user's wish.
    Reoffer(CallNumber, RequestNumber),
    /// UPDATE that refreshes the session.
    Refresh(CallNumber),
    /// PRACK.
    Prack(CallNumber),
    /// BYE.
    Bye(CallNumber),
    /// Another request inside a dialog.
    Dialog(CallNumber, RequestNumber),
    /// A request outside dialogs.
    Free(RequestNumber),
}

impl Purpose {
    pub(crate) const fn call(self) -> Option<CallNumber> {
        match self {
            Self::Register(_) | Self::Unregister(_) | Self::Free(_) => None,
            Self::Invite(call)
            | Self::Reoffer(call, _)
            | Self::Refresh(call)
            | Self::Prack(call)
            | Self::Bye(call)
            | Self::Dialog(call, _) => Some(call),
        }
    }

    pub(crate) const fn number(self) -> Option<RequestNumber> {
        match self {
            Self::Reoffer(_, number) | Self::Dialog(_, number) | Self::Free(number) => Some(number),
            _ => None,
        }
    }
}

/// A request of ours without a final response.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) key: ClientKey,
    pub(crate) purpose: Purpose,
    pub(crate) request: Arc<Message>,
    pub(crate) attempts: Attempts,
}

/// From and To of a request outside dialogs, and the fields that hide or assert an identity.
pub(crate) struct Parties {
    pub(crate) from: Vec<u8>,
    pub(crate) to: Vec<u8>,
    pub(crate) fields: Vec<(HeaderName, Vec<u8>)>,
}

impl Agent {
    /// Writes a request, sends it in a transaction of its own, and remembers what it is for.
    pub(crate) fn send(&mut self, draft: &Draft<'_>, purpose: Purpose) -> Result<Arc<Message>, CommandError> {
        let link = self.link_for(purpose);
        let request = self.write_for(link, draft)?;
        Ok(self.launch(request, purpose))
    }

    /// Signs a request and sends it in a transaction of its own.
    pub(crate) fn launch(&mut self, request: Arc<Message>, purpose: Purpose) -> Arc<Message> {
        let request = self.sign(request);
        self.dispatch(Arc::clone(&request), purpose, Attempts::default());
        request
    }

    /// Writes a request under a new branch.
    pub(crate) fn write(&mut self, draft: &Draft<'_>) -> Result<Arc<Message>, CommandError> {
        let link = self.link();
        self.write_for(link, draft)
    }

    /// The same for the connection that it will leave over.
    fn write_for(&mut self, link: Option<Link>, draft: &Draft<'_>) -> Result<Arc<Message>, CommandError> {
        let builder = draft.start(&self.new_via(link));
        self.finish_request(builder, &draft.rest)
    }

    pub(crate) fn new_via(&mut self, link: Option<Link>) -> Vec<u8> {
        let via = link.map_or(self.config.via, |link| link.via);
        new_via(via, &self.identity.via_host, &mut self.entropy)
    }

    /// Ends the writing of a request.
    pub(crate) fn finish_request(
        &self,
        builder: Builder,
        rest: &Rest<'_>,
    ) -> Result<Arc<Message>, CommandError> {
        let general = &self.config.settings.extra_headers;
        let bytes = rest.finish(builder, general, &self.config.user_agent)?;
        parse_own(&bytes).ok_or(CommandError::Header)
    }

    /// Adds the credentials that are known to be needed.
    pub(crate) fn sign(&mut self, request: Arc<Message>) -> Arc<Message> {
        let credentials = self.credentials(&request);
        let mut edit = request.edit();
        for (name, value) in &credentials {
            edit.append(*name, value);
        }
        if credentials.is_empty() {
            return request;
        }
        edit.finish().ok().and_then(|bytes| parse_own(&bytes)).unwrap_or(request)
    }

    /// Credentials for the realms that have challenged us before (RFC 3261 §22.2: they may be sent unasked).
    fn credentials(&mut self, request: &Message) -> Vec<(HeaderName, Vec<u8>)> {
        if let Some(token) = &self.config.settings.authorization_jwt {
            return vec![(HeaderName::Authorization, token.clone().into_bytes())];
        }
        let (Some(digest), Some(method)) = (&mut self.digest, request.method()) else { return Vec::new() };
        let answers = digest.authorize(method.as_bytes(), request.request_uri(), request.body());
        answers.unwrap_or_default().into_iter().map(|(side, value)| (side.credentials(), value)).collect()
    }

    pub(crate) fn dispatch(&mut self, request: Arc<Message>, purpose: Purpose, attempts: Attempts) {
        let Some(link) = self.link_for(purpose) else {
            self.unsent.push(purpose);
            return;
        };
        let key = self.start(link, &request);
        if let Purpose::Invite(number) | Purpose::Dialog(number, _) = purpose
            && let Some(call) = self.call_mut(number)
        {
            call.flow = link.flow;
        }
        if let Purpose::Invite(number) = purpose
            && let Some(outgoing) = self.call_mut(number).and_then(|call| call.outgoing.as_mut())
        {
            outgoing.key = Some(key);
            outgoing.invite = Some(Arc::clone(&request));
        }
        self.pending.push(Pending { key, purpose, request, attempts });
    }

    fn start(&mut self, link: Link, request: &Arc<Message>) -> ClientKey {
        self.transactions.request(self.now, link, Message::clone(request))
    }

    /// A response to a request of ours.
    pub(crate) fn on_response(&mut self, key: ClientKey, response: &Arc<Message>) {
        let Some(status) = response.status() else { return };
        let Some(place) = self.pending.iter().position(|pending| pending.key == key) else {
            self.on_stray_response(response);
            return;
        };
        if status < 200 {
            if let Some(pending) = self.pending.get(place) {
                self.on_provisional(pending.purpose, response);
            }
            return;
        }
        let pending = self.pending.swap_remove(place);
        let repeated = match status {
            401 | 407 => self.answer_challenge(&pending, response),
            422 => self.lengthen_session(&pending, response),
            _ => false,
        };
        if repeated {
            return;
        }
        self.on_final(pending.purpose, status, response, &pending.request);
    }

    fn on_provisional(&mut self, purpose: Purpose, response: &Arc<Message>) {
        match purpose {
            Purpose::Invite(call) => self.on_invite_progress(call, response),
            purpose => {
                // RFC 3261 §17.2.1: 100 is between neighbours and says nothing to users.
                if let (Some(number), false) = (purpose.number(), response.status() == Some(100)) {
                    let response = Arc::clone(response);
                    self.emit(Event::Provisional { number, call: purpose.call(), response });
                }
            }
        }
    }

    fn on_final(&mut self, purpose: Purpose, status: u16, response: &Arc<Message>, request: &Message) {
        match purpose {
            Purpose::Register(flow) => self.on_registered(flow, status, response),
            Purpose::Unregister(flow) => self.on_unregistered(flow, Some(response)),
            Purpose::Invite(call) => self.on_invite_final(call, status, response),
            Purpose::Reoffer(call, number) => self.on_reoffer_final(call, number, status, response, request),
            Purpose::Refresh(call) => self.on_refresh_final(call, status, response),
            Purpose::Bye(call) => self.on_bye_final(call),
            // The callee repeats what he does not know to be acknowledged, or gives up.
            Purpose::Prack(_) => {}
            Purpose::Dialog(..) | Purpose::Free(_) => {
                if let Some(number) = purpose.number() {
                    let (call, response) = (purpose.call(), Arc::clone(response));
                    self.emit(Event::Response { number, call, response, needs_acknowledge: false });
                }
                self.on_dialog_final(purpose, status, response, request);
            }
        }
    }

    /// A 2xx to an INVITE that is over for the transaction layer, or from another fork (RFC 3261 §13.2.2.4).
    pub(crate) fn on_stray_response(&mut self, response: &Arc<Message>) {
        let to_invite = response.cseq().is_ok_and(|cseq| cseq.method == Method::Invite);
        if to_invite && response.status().is_some_and(|status| (200..300).contains(&status)) {
            self.on_invite_success(response);
        }
    }

    /// Sends the request again with an answer to its challenge. False if there is none to give.
    fn answer_challenge(&mut self, pending: &Pending, response: &Message) -> bool {
        if self.config.settings.authorization_jwt.is_some() || !self.may_repeat(pending.purpose) {
            return false;
        }
        let mut attempts = pending.attempts.clone();
        let Some(digest) = &mut self.digest else { return false };
        // An HA1 is for its realm only: another one would get a wrong answer, and something to guess the password by.
        let settings = &self.config.settings;
        let realm = settings.realm.as_deref().filter(|_| settings.password.is_none());
        let ours = |value: &[u8]| {
            realm.is_none_or(|realm| {
                Challenge::parse(value).is_ok_and(|challenge| challenge.realm == realm.as_bytes())
            })
        };
        let of =
            |name, side| response.headers(name).filter(|value| ours(value)).map(move |value| (side, value));
        let challenges =
            of(HeaderName::WwwAuthenticate, Side::User).chain(of(HeaderName::ProxyAuthenticate, Side::Proxy));
        if digest.challenged(challenges, &mut attempts, &mut self.entropy) != Verdict::Retry {
            return false;
        }
        let Some(request) = self.repeated(pending) else { return false };
        let (purpose, call) = (pending.purpose, pending.purpose.call());
        self.dispatch(Arc::clone(&request), purpose, attempts);
        if call.is_some() || purpose.number().is_some() {
            self.emit(Event::Authenticated { call, number: purpose.number(), request });
        }
        true
    }

    /// Whether a request may go out again: an INVITE that was cancelled meanwhile must not, nor what changes a call that is over.
    pub(crate) fn may_repeat(&self, purpose: Purpose) -> bool {
        match purpose {
            Purpose::Invite(number) => {
                self.call(number).is_some_and(|call| call.stage == crate::call::Stage::Calling)
            }
            Purpose::Reoffer(number, _) | Purpose::Refresh(number) => {
                self.call(number).is_some_and(crate::call::Call::is_established)
            }
            _ => true,
        }
    }

    /// The same request with a new branch, the next CSeq number and new credentials (RFC 3261 §22.2).
    pub(crate) fn repeated(&mut self, pending: &Pending) -> Option<Arc<Message>> {
        let number = self.next_cseq_of(pending)?;
        let request = &pending.request;
        let mut cseq = Vec::new();
        text::write_decimal(&mut cseq, u64::from(number));
        cseq.push(b' ');
        cseq.extend_from_slice(request.method()?.as_bytes());
        let via = self.new_via(self.link_for(pending.purpose));
        let mut edit = request.edit();
        edit.replace(HeaderName::Via, &via);
        edit.replace(HeaderName::CSeq, &cseq);
        for name in [HeaderName::Authorization, HeaderName::ProxyAuthorization] {
            edit.remove(name);
        }
        let bare = edit.finish().ok().and_then(|bytes| parse_own(&bytes))?;
        Some(self.sign(bare))
    }

    /// The CSeq number that follows in the sequence that the request belongs to.
    fn next_cseq_of(&mut self, pending: &Pending) -> Option<u32> {
        match pending.purpose {
            Purpose::Register(flow) | Purpose::Unregister(flow) => {
                self.registration_mut(flow).map(Registration::next_cseq)
            }
            Purpose::Free(_) => Some(pending.request.cseq().ok()?.number.saturating_add(1)),
            Purpose::Invite(number) => {
                let outgoing = self.call_mut(number)?.outgoing.as_mut()?;
                outgoing.cseq = outgoing.cseq.saturating_add(1);
                Some(outgoing.cseq)
            }
            purpose => {
                let call = self.call_mut(purpose.call()?)?;
                let to_tag = pending.request.to().ok()?.tag();
                match (to_tag, &mut call.outgoing) {
                    (Some(tag), _) => Some(call.dialog_with(tag)?.next_cseq()),
                    // The SUBSCRIBE that begins a dialog.
                    (None, Some(outgoing)) => {
                        outgoing.cseq = outgoing.cseq.saturating_add(1);
                        Some(outgoing.cseq)
                    }
                    (None, None) => None,
                }
            }
        }
    }

    /// No final response came: the time ran out, or the connection is gone.
    pub(crate) fn on_silence(&mut self, key: ClientKey, timed_out: bool) {
        if let Some(place) = self.pending.iter().position(|pending| pending.key == key) {
            let pending = self.pending.swap_remove(place);
            self.on_no_response(pending.purpose, timed_out);
        }
    }

    pub(crate) fn on_no_response(&mut self, purpose: Purpose, timed_out: bool) {
        let cause = if timed_out { Cause::RequestTimeout } else { Cause::ConnectionError };
        match purpose {
            Purpose::Register(flow) => self.on_registration_failure(flow, None, cause),
            Purpose::Unregister(flow) => self.on_unregistered(flow, None),
            Purpose::Invite(call) => self.on_invite_silence(call, cause),
            Purpose::Refresh(call) => self.on_refresh_silence(call, timed_out),
            Purpose::Bye(call) => self.on_bye_silence(call, timed_out),
            Purpose::Prack(_) => {}
            Purpose::Reoffer(call, number) | Purpose::Dialog(call, number) => {
                self.emit(Event::RequestFailed { number, call: Some(call), cause });
                self.on_dialog_silence(purpose, call, timed_out);
            }
            Purpose::Free(number) => self.emit(Event::RequestFailed { number, call: None, cause }),
        }
    }

    /// From and To for a request outside dialogs (RFC 3261 §8.1.1.2-3, RFC 3323 §4.1).
    pub(crate) fn parties(
        &self,
        target: &[u8],
        origin: &Origin,
        tag: &[u8],
    ) -> Result<Parties, CommandError> {
        const ANONYMOUS: &[u8] = b"sip:anonymous@anonymous.invalid";
        let mut fields = Vec::new();
        let display_name = match (&origin.from_display_name, &self.config.settings.display_name) {
            (Some(name), _) | (None, Some(name)) => name.as_str(),
            (None, None) => "",
        };
        let own = || [b"<", self.identity.uri.as_slice(), b">"].concat();
        let from = if origin.anonymous {
            fields.push((HeaderName::PPreferredIdentity, own()));
            fields.push((HeaderName::Privacy, b"id".to_vec()));
            name_address("Anonymous", ANONYMOUS, tag)
        } else if let Some(user) = &origin.from_user_name {
            fields.push((HeaderName::PPreferredIdentity, own()));
            let uri = [b"sip:", user.as_bytes(), b"@", &self.identity.domain].concat();
            name_address(display_name, checked(&uri)?, tag)
        } else if let Some(uri) = &origin.from_uri {
            name_address(display_name, checked(uri.as_bytes())?, tag)
        } else {
            name_address(display_name, &self.identity.uri, tag)
        };
        let to_uri = origin.to_uri.as_deref().map_or(target, str::as_bytes);
        let to = name_address(origin.to_display_name.as_deref().unwrap_or_default(), checked(to_uri)?, b"");
        Ok(Parties { from, to, fields })
    }

    /// The Route for requests outside dialogs.
    pub(crate) fn preloaded_routes(&self) -> Vec<Vec<u8>> {
        self.identity.route.iter().cloned().collect()
    }

    /// A request outside dialogs: MESSAGE, OPTIONS, PUBLISH, REFER and others.
    ///
    /// # Errors
    /// When the target is no SIP URI, or a field or the method cannot be written.
    pub fn request(
        &mut self,
        now: sip::Instant,
        method: &str,
        target: &str,
        origin: &Origin,
        payload: &Payload,
    ) -> Result<(RequestNumber, Arc<Message>), CommandError> {
        self.now = now;
        let target = checked(target.as_bytes())?;
        let tag = self.entropy.token(10);
        let mut parties = self.parties(target, origin, tag.as_bytes())?;
        let method = method.as_bytes();
        // RFC 3261 §8.1.1.8 and §20.10: methods that make dialogs, and OPTIONS, say where we are.
        if matches!(Method::from_bytes(method), Method::Options | Method::Refer | Method::Subscribe) {
            parties.fields.push((HeaderName::Contact, self.identity.contact(origin.anonymous, false)));
        }
        let headers: Vec<Header> = origin.headers.iter().chain(&payload.headers).cloned().collect();
        let call_id = self.entropy.token(22);
        let number = self.new_request_number();
        let draft = Draft {
            method,
            uri: target,
            routes: &self.preloaded_routes(),
            to: &parties.to,
            from: &parties.from,
            call_id: call_id.as_bytes(),
            cseq: 1,
            rest: Rest {
                fields: parties.fields,
                headers: &headers,
                supported: b"outbound",
                body: payload.body.as_ref(),
            },
        };
        let request = self.send(&draft, Purpose::Free(number))?;
        self.settle();
        Ok((number, request))
    }
}

/// `uri` if it is a URI that can be called.
pub(crate) fn checked(uri: &[u8]) -> Result<&[u8], CommandError> {
    let tel = || Uri::parse(uri).is_ok_and(|uri| uri.scheme() == sip::uri::Scheme::Tel);
    if sip_uri(uri).is_some() || tel() { Ok(uri) } else { Err(CommandError::Uri) }
}
