//! Registration: REGISTER, its refreshes, its failures (RFC 3261 §10.2, RFC 5626 §4.2, RFC 5627 §4).

use crate::agent::Agent;
use crate::compose::{Draft, Rest, name_address};
use crate::event::{Cause, Event};
use crate::outgoing::Purpose;
use core::time::Duration;
use sip::header::{Contact, HeaderName};
use sip::message::Message;
use sip::{Entropy, Instant, text};
use std::sync::Arc;

/// RFC 5626 §4.5: after the first failure try again after half to all of twice 30 s; twice as long after each further
/// one, up to 30 min.
const BASE_RETRY: u32 = 30;
/// The same while another flow is registered.
const BASE_RETRY_BESIDE: u32 = 90;
const MAX_RETRY: u32 = 1800;
/// A registrar that grants less is asked again no sooner than this.
const SHORTEST_EXPIRES: u32 = 10;
/// How often one wish to register follows a 423 (RFC 3261 §10.2.8 has no bound).
const INTERVALS: u8 = 3;

/// What is known of our binding.
#[derive(Debug)]
pub(crate) struct Registration {
    /// Of which flow; one more is its reg-id.
    flow: u8,
    /// The user's last wish.
    wanted: bool,
    registered: bool,
    /// A REGISTER is on its way.
    busy: bool,
    /// The user changed his wish while it was.
    removal: Option<bool>,
    call_id: String,
    from_tag: String,
    cseq: u32,
    /// What a 423 asked for.
    min_expires: u32,
    intervals: u8,
    failures: u32,
    refresh_at: Instant,
    retry_at: Instant,
    expires_at: Instant,
    /// The Path of the last 2xx: who stands between the registrar and us (RFC 3327).
    pub(crate) path: Vec<Vec<u8>>,
}

impl Registration {
    pub(crate) fn new(flow: u8, entropy: &mut dyn Entropy) -> Self {
        Self {
            flow,
            wanted: false,
            registered: false,
            busy: false,
            removal: None,
            // RFC 3261 §10.2: all registrations of a client should have the same Call-ID. Those of another flow have
            // another one: they race with ours, and numbers of one Call-ID must not come out of order.
            call_id: entropy.token(22),
            from_tag: entropy.token(10),
            cseq: 0,
            min_expires: 0,
            intervals: 0,
            failures: 0,
            refresh_at: Instant::NEVER,
            retry_at: Instant::NEVER,
            expires_at: Instant::NEVER,
            path: Vec::new(),
        }
    }

    pub(crate) const fn is_registered(&self) -> bool {
        self.registered
    }

    pub(crate) const fn next_cseq(&mut self) -> u32 {
        self.cseq = self.cseq.saturating_add(1);
        self.cseq
    }

    pub(crate) fn next_timeout(&self) -> Instant {
        self.refresh_at.min(self.retry_at).min(self.expires_at)
    }

    const fn stop_timers(&mut self) {
        self.refresh_at = Instant::NEVER;
        self.retry_at = Instant::NEVER;
        self.expires_at = Instant::NEVER;
    }
}

impl Agent {
    /// Registers now, or as soon as there is a connection, and keeps the registration fresh.
    pub fn register(&mut self, now: Instant) {
        self.now = now;
        for flow in self.flows() {
            if let Some(registration) = self.registration_mut(flow) {
                registration.wanted = true;
                registration.removal = None;
                registration.intervals = 0;
            }
            self.register_if_wanted(flow);
        }
        self.settle();
    }

    /// Removes our binding, or with `all` every binding of the address of record. Does nothing if we are not
    /// registered, except that the wish to be is gone.
    pub fn unregister(&mut self, now: Instant, all: bool) {
        self.now = now;
        for flow in self.flows() {
            let Some(registration) = self.registration_mut(flow) else { continue };
            registration.wanted = false;
            registration.retry_at = Instant::NEVER;
            if registration.busy {
                registration.removal = Some(all);
            } else if registration.registered {
                self.send_unregister(flow, all);
            }
        }
        self.settle();
    }

    /// The flows, by number.
    pub(crate) fn flows(&self) -> core::ops::Range<u8> {
        0..u8::try_from(self.registrations.len()).unwrap_or(u8::MAX)
    }

    pub(crate) fn registration(&self, flow: u8) -> Option<&Registration> {
        self.registrations.get(usize::from(flow))
    }

    pub(crate) fn registration_mut(&mut self, flow: u8) -> Option<&mut Registration> {
        self.registrations.get_mut(usize::from(flow))
    }

    /// Whether another flow is registered, or may be in a moment.
    fn is_taken_by_another(&self, flow: u8) -> bool {
        self.registrations.iter().any(|other| other.flow != flow && (other.registered || other.busy))
    }

    /// The seconds that a REGISTER asks for.
    fn asked(&self, flow: u8) -> u32 {
        let shortest = self.registration(flow).map_or(0, |registration| registration.min_expires);
        self.config.register_expires.max(shortest)
    }

    pub(crate) fn register_if_wanted(&mut self, flow: u8) {
        let due =
            self.registration(flow).is_some_and(|registration| registration.wanted && !registration.busy);
        if !due || self.link_of(flow).is_none() || (!self.outbound && self.is_taken_by_another(flow)) {
            return;
        }
        let expires = self.asked(flow);
        let mut contact = self.register_contact(flow);
        let mut fields = Vec::new();
        if expires > 0 {
            contact.extend_from_slice(b";expires=");
            text::write_decimal(&mut contact, u64::from(expires));
        }
        contact.extend_from_slice(self.config.settings.register_contact_parameters.as_bytes());
        fields.push((HeaderName::Contact, contact));
        if expires > 0 {
            fields.push((HeaderName::Expires, text::decimal(u64::from(expires)).as_bytes().to_vec()));
        }
        self.send_register(flow, fields, Purpose::Register(flow));
    }

    fn send_unregister(&mut self, flow: u8, all: bool) {
        if let Some(registration) = self.registration_mut(flow) {
            registration.stop_timers();
        }
        let contact = if all {
            b"*".to_vec()
        } else {
            let mut contact = self.register_contact(flow);
            contact.extend_from_slice(b";expires=0");
            contact
        };
        let fields = vec![(HeaderName::Contact, contact), (HeaderName::Expires, b"0".to_vec())];
        self.send_register(flow, fields, Purpose::Unregister(flow));
    }

    /// Our Contact in REGISTER: the URI itself, never a GRUU, and the instance (RFC 5626 §4.2.1).
    fn register_contact(&self, flow: u8) -> Vec<u8> {
        [
            b"<",
            self.identity.contact_uri.as_slice(),
            b">;+sip.ice;reg-id=",
            text::decimal(u64::from(flow) + 1).as_bytes(),
            b";+sip.instance=\"<urn:uuid:",
            self.identity.instance_id.as_bytes(),
            b">\"",
        ]
        .concat()
    }

    fn send_register(&mut self, flow: u8, fields: Vec<(HeaderName, Vec<u8>)>, purpose: Purpose) {
        let Some(registration) = self.registrations.get_mut(usize::from(flow)) else { return };
        let cseq = registration.next_cseq();
        let tag = [registration.from_tag.as_str(), &self.config.register_from_tag_trail].concat();
        let call_id = registration.call_id.clone();
        registration.retry_at = Instant::NEVER;
        registration.refresh_at = Instant::NEVER;
        registration.busy = true;
        let display_name = self.config.settings.display_name.clone().unwrap_or_default();
        let registrar = self.identity.registrar.clone();
        let headers = self.config.settings.register_extra_headers.clone();
        let draft = Draft {
            method: b"REGISTER",
            uri: &registrar,
            routes: &self.preloaded_routes(),
            to: &name_address(&display_name, &self.identity.uri, b""),
            from: &name_address(&display_name, &self.identity.uri, tag.as_bytes()),
            call_id: call_id.as_bytes(),
            cseq,
            rest: Rest { fields, headers: &headers, supported: b"path,gruu,outbound", body: None },
        };
        if self.send(&draft, purpose).is_err() {
            // A header of the settings that cannot be written.
            self.on_registration_failure(flow, None, Cause::InternalError);
        }
    }

    /// A final response to REGISTER, after digest was tried.
    pub(crate) fn on_registered(&mut self, flow: u8, status: u16, response: &Arc<Message>) {
        match status {
            200..300 => self.take_binding(flow, response),
            423 => self.on_interval_too_brief(flow, response),
            _ => self.on_registration_failure(flow, Some(response), Cause::of_status(status)),
        }
    }

    fn take_binding(&mut self, flow: u8, response: &Arc<Message>) {
        let asked = self.asked(flow);
        let binding = self.own_binding(flow, response);
        let of_header = response.number(HeaderName::Expires).ok().flatten();
        let granted = binding.and_then(|contact| contact.expires()).or(of_header).unwrap_or(asked);
        let expires = granted.max(SHORTEST_EXPIRES);
        let gruu = |name| binding.and_then(|contact| quoted(contact.parameters().value(name)));
        let (public, temporary) = (gruu("pub-gruu"), gruu("temp-gruu"));
        self.identity.pub_gruu = public;
        self.identity.temp_gruu = temporary;
        // RFC 5626 §4.2.1: a registrar that says nothing of it has one binding for us, whatever our flows are.
        self.outbound = self.registrations.len() == 1 || requires_outbound(response);
        let first = !self.is_registered();
        if !self.outbound {
            // The binding leads over this flow now, and no longer over another.
            for other in self.flows().filter(|other| *other != flow) {
                self.forget_binding_at_rest(other);
            }
        }
        let (now, wait) = (self.now, self.refresh_after(expires));
        let Some(registration) = self.registration_mut(flow) else { return };
        let path = response.values(HeaderName::Path).map(<[u8]>::to_vec).collect();
        let before = core::mem::replace(&mut registration.path, path);
        registration.busy = false;
        registration.registered = true;
        registration.failures = 0;
        registration.intervals = 0;
        registration.refresh_at = now + wait;
        registration.expires_at = now + Duration::from_secs(u64::from(expires));
        let removal = registration.removal.take();
        // Of several flows the last one that signs off is told, and none that comes up meanwhile.
        if removal.is_none() || self.registrations.len() == 1 {
            self.emit(Event::Registered { response: Arc::clone(response), first, expires });
        }
        self.leave_lost_edges(flow, &before);
        if let Some(all) = removal {
            self.send_unregister(flow, all);
        }
    }

    /// Our own binding among those that the registrar lists (RFC 5626 §4.2.1 by instance, else RFC 3261 §10.2.4).
    fn own_binding<'m>(&self, flow: u8, response: &'m Message) -> Option<Contact<'m>> {
        let instance = [b"<urn:uuid:", self.identity.instance_id.as_bytes(), b">"].concat();
        let reg_id = text::decimal(u64::from(flow) + 1);
        let contacts = || response.contacts().flatten();
        contacts()
            .find(|contact| {
                let parameters = contact.parameters();
                quoted(parameters.value("+sip.instance"))
                    .is_some_and(|found| found.eq_ignore_ascii_case(&instance))
                    && parameters.value("reg-id").is_none_or(|id| id == reg_id.as_bytes())
            })
            .or_else(|| {
                contacts().find(|contact| {
                    contact.uri().is_some_and(|uri| {
                        uri.is_ok_and(|uri| uri.user() == Some(self.identity.contact_user.as_slice()))
                    })
                })
            })
    }

    /// JsSIP's policy: between half of the time and 32 s before its end, at random, so that pages that registered
    /// together do not refresh together.
    fn refresh_after(&mut self, expires: u32) -> Duration {
        if expires > 64 {
            let half = u64::from(expires) * 500;
            let span = (u64::from(expires / 2) - 32) * 1000 + 1;
            Duration::from_millis(half + self.entropy.number() % span)
        } else {
            Duration::from_secs(u64::from(expires.saturating_sub(5)))
        }
    }

    /// RFC 3261 §10.2.8.
    fn on_interval_too_brief(&mut self, flow: u8, response: &Arc<Message>) {
        let wanted = response.number(HeaderName::MinExpires).ok().flatten().unwrap_or(0);
        let asked = self.asked(flow);
        let Some(registration) = self.registration_mut(flow) else { return };
        if wanted <= asked || registration.intervals >= INTERVALS || !registration.wanted {
            self.on_registration_failure(flow, Some(response), Cause::SipFailureCode);
            return;
        }
        registration.intervals += 1;
        registration.min_expires = wanted;
        registration.busy = false;
        self.register_if_wanted(flow);
    }

    /// REGISTER failed. What may pass is tried again by itself, the rest by the user or when there is a new connection.
    /// While another flow is registered or may still be, the user is not told: he can be called.
    pub(crate) fn on_registration_failure(
        &mut self,
        flow: u8,
        response: Option<&Arc<Message>>,
        cause: Cause,
    ) {
        let heard = response.is_some() || cause == Cause::RequestTimeout;
        if let (Some(registration), true) = (self.registration_mut(flow), heard)
            && let Some(all) = registration.removal.take_if(|_| registration.registered)
        {
            // The user has signed off meanwhile: the registrar still has what there was before.
            self.send_unregister(flow, all);
            return;
        }
        let status = response.and_then(|response| response.status());
        let after = response.and_then(|response| response.number(HeaderName::RetryAfter).ok().flatten());
        // "At once" would go round and round.
        let after = after.filter(|seconds| *seconds > 0);
        let passing = match status {
            // RFC 3261 §21.4.9, §21.5; 480 and 430 say that the way is gone, not the account.
            Some(408 | 430 | 480 | 500..600) => true,
            // Where another flow is registered the account is as it should be.
            Some(_) => after.is_some() || self.is_taken_by_another(flow),
            None => cause == Cause::RequestTimeout,
        };
        let wanted = self.registration(flow).is_some_and(|registration| registration.wanted);
        let retry_in = (passing && wanted).then(|| after.unwrap_or_else(|| self.back_off(flow)));
        let now = self.now;
        let Some(registration) = self.registration_mut(flow) else { return };
        let was_registered = registration.registered;
        registration.stop_timers();
        registration.busy = false;
        registration.registered = false;
        let removal = registration.removal.take();
        if let Some(seconds) = retry_in {
            registration.retry_at = now + Duration::from_secs(u64::from(seconds));
        }
        if self.is_taken_by_another(flow) {
            return;
        }
        if removal.is_some() && self.registrations.len() > 1 {
            // It was to sign off, as the others have.
            self.emit(Event::Unregistered { response: response.cloned(), cause: None });
        } else {
            self.emit(Event::RegistrationFailed { response: response.cloned(), cause, retry_in });
        }
        if was_registered && !self.is_registered() {
            self.emit(Event::Unregistered { response: response.cloned(), cause: Some(cause) });
        }
    }

    fn back_off(&mut self, flow: u8) -> u32 {
        // RFC 5626 §4.5: who has another flow has time.
        let alone = !self.registrations.iter().any(|other| other.flow != flow && other.registered);
        let base = if alone { BASE_RETRY } else { BASE_RETRY_BESIDE };
        let Some(registration) = self.registration_mut(flow) else { return base };
        registration.failures = (registration.failures + 1).min(16);
        let doublings = 1u32.checked_shl(registration.failures).unwrap_or(MAX_RETRY);
        let longest = base.saturating_mul(doublings).min(MAX_RETRY);
        let half = longest / 2;
        half + u32::try_from(self.entropy.number() % u64::from(longest - half + 1)).unwrap_or(0)
    }

    /// The end of an unregistration, answered or not: either way the registrar forgets us soon.
    pub(crate) fn on_unregistered(&mut self, flow: u8, response: Option<&Arc<Message>>) {
        let status = response.and_then(|response| response.status());
        let cause = match status {
            Some(200..300) => None,
            Some(status) => Some(Cause::of_status(status)),
            None if self.link_of(flow).is_some() => Some(Cause::RequestTimeout),
            None => Some(Cause::ConnectionError),
        };
        self.forget_binding(flow);
        let others_leave = self.registrations.iter().any(|other| other.busy && other.removal.is_some());
        if !self.is_registered() && !others_leave {
            self.emit(Event::Unregistered { response: response.cloned(), cause });
        }
        // The user may have changed his mind meanwhile.
        self.register_if_wanted(flow);
    }

    /// The connection is gone, and with it the flow that the binding stands on (RFC 5626 §4.2).
    pub(crate) fn registration_lost(&mut self, flow: u8) {
        if self.forget_binding(flow) && !self.is_registered() {
            self.emit(Event::Unregistered { response: None, cause: None });
        }
    }

    /// Forgets one of which no request is on its way.
    fn forget_binding_at_rest(&mut self, flow: u8) {
        if self.registration(flow).is_some_and(|registration| !registration.busy) {
            self.forget_binding(flow);
        }
    }

    /// Whether there was one.
    fn forget_binding(&mut self, flow: u8) -> bool {
        let Some(registration) = self.registration_mut(flow) else { return false };
        registration.stop_timers();
        registration.busy = false;
        core::mem::take(&mut registration.registered)
    }

    pub(crate) fn registration_timeout(&mut self) {
        for flow in self.flows() {
            self.registration_timeout_of(flow);
        }
    }

    fn registration_timeout_of(&mut self, flow: u8) {
        let now = self.now;
        let due = |at: &mut Instant| {
            let due = *at <= now;
            if due {
                *at = Instant::NEVER;
            }
            due
        };
        let Some(registration) = self.registration_mut(flow) else { return };
        let (expired, refresh, retry) = (
            due(&mut registration.expires_at),
            due(&mut registration.refresh_at),
            due(&mut registration.retry_at),
        );
        if expired {
            // Nobody refreshed in time.
            registration.registered = false;
            if !self.is_registered() {
                self.emit(Event::Unregistered { response: None, cause: Some(Cause::Expires) });
            }
        }
        if refresh && !self.config.settings.refreshes_registration {
            self.emit(Event::RegistrationExpiring);
        } else if refresh || retry {
            self.register_if_wanted(flow);
        }
    }
}

/// Whether the registrar keeps flows apart (RFC 5626 §6).
fn requires_outbound(response: &Message) -> bool {
    response.values(HeaderName::Require).any(|tag| tag.eq_ignore_ascii_case(b"outbound"))
}

/// The inside of a quoted parameter value.
fn quoted(value: Option<&[u8]>) -> Option<Vec<u8>> {
    let value = value?;
    let inside = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
    (!inside.is_empty()).then(|| text::unquote(inside).into_owned())
}
