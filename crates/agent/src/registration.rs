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

/// RFC 5626 §4.5: after the first failure try again after half to all of 30 s; twice as long after each further
/// one, up to 30 min.
const BASE_RETRY: u32 = 30;
const MAX_RETRY: u32 = 1800;
/// A registrar that grants less is asked again no sooner than this.
const SHORTEST_EXPIRES: u32 = 10;
/// How often one wish to register follows a 423 (RFC 3261 §10.2.8 has no bound).
const INTERVALS: u8 = 3;

/// What is known of our binding.
#[derive(Debug)]
pub(crate) struct Registration {
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
}

impl Registration {
    pub(crate) fn new(entropy: &mut dyn Entropy) -> Self {
        Self {
            wanted: false,
            registered: false,
            busy: false,
            removal: None,
            // RFC 3261 §10.2: all registrations of a client should have the same Call-ID.
            call_id: entropy.token(22),
            from_tag: entropy.token(10),
            cseq: 0,
            min_expires: 0,
            intervals: 0,
            failures: 0,
            refresh_at: Instant::NEVER,
            retry_at: Instant::NEVER,
            expires_at: Instant::NEVER,
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
        self.registration.wanted = true;
        self.registration.removal = None;
        self.registration.intervals = 0;
        self.register_if_wanted();
        self.settle();
    }

    /// Removes our binding, or with `all` every binding of the address of record. Does nothing if we are not
    /// registered, except that the wish to be is gone.
    pub fn unregister(&mut self, now: Instant, all: bool) {
        self.now = now;
        let registration = &mut self.registration;
        registration.wanted = false;
        registration.retry_at = Instant::NEVER;
        if registration.busy {
            registration.removal = Some(all);
        } else if registration.registered {
            self.send_unregister(all);
        }
        self.settle();
    }

    pub(crate) fn register_if_wanted(&mut self) {
        if !self.registration.wanted || self.registration.busy || self.link.is_none() {
            return;
        }
        let expires = self.config.register_expires.max(self.registration.min_expires);
        let mut contact = self.register_contact();
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
        self.send_register(fields, Purpose::Register);
    }

    fn send_unregister(&mut self, all: bool) {
        self.registration.stop_timers();
        let contact = if all {
            b"*".to_vec()
        } else {
            let mut contact = self.register_contact();
            contact.extend_from_slice(b";expires=0");
            contact
        };
        let fields = vec![(HeaderName::Contact, contact), (HeaderName::Expires, b"0".to_vec())];
        self.send_register(fields, Purpose::Unregister);
    }

    /// Our Contact in REGISTER: the URI itself, never a GRUU, and the instance (RFC 5626 §4.2.1).
    fn register_contact(&self) -> Vec<u8> {
        [
            b"<",
            self.identity.contact_uri.as_slice(),
            b">;+sip.ice;reg-id=1;+sip.instance=\"<urn:uuid:",
            self.identity.instance_id.as_bytes(),
            b">\"",
        ]
        .concat()
    }

    fn send_register(&mut self, fields: Vec<(HeaderName, Vec<u8>)>, purpose: Purpose) {
        let cseq = self.registration.next_cseq();
        let tag = [self.registration.from_tag.as_str(), &self.config.register_from_tag_trail].concat();
        let display_name = self.config.settings.display_name.clone().unwrap_or_default();
        let registrar = self.identity.registrar.clone();
        let call_id = self.registration.call_id.clone();
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
        self.registration.retry_at = Instant::NEVER;
        self.registration.refresh_at = Instant::NEVER;
        self.registration.busy = true;
        if self.send(&draft, purpose).is_err() {
            // A header of the settings that cannot be written.
            self.on_registration_failure(None, Cause::InternalError);
        }
    }

    /// A final response to REGISTER, after digest was tried.
    pub(crate) fn on_registered(&mut self, status: u16, response: &Arc<Message>) {
        match status {
            200..300 => self.take_binding(response),
            423 => self.on_interval_too_brief(response),
            _ => self.on_registration_failure(Some(response), Cause::of_status(status)),
        }
    }

    fn take_binding(&mut self, response: &Arc<Message>) {
        let asked = self.config.register_expires.max(self.registration.min_expires);
        let binding = self.own_binding(response);
        let of_header = response.number(HeaderName::Expires).ok().flatten();
        let granted = binding.and_then(|contact| contact.expires()).or(of_header).unwrap_or(asked);
        let expires = granted.max(SHORTEST_EXPIRES);
        let gruu = |name| binding.and_then(|contact| quoted(contact.parameters().value(name)));
        let (public, temporary) = (gruu("pub-gruu"), gruu("temp-gruu"));
        self.identity.pub_gruu = public;
        self.identity.temp_gruu = temporary;
        let first = !self.registration.registered;
        let wait = self.refresh_after(expires);
        let registration = &mut self.registration;
        registration.busy = false;
        registration.registered = true;
        registration.failures = 0;
        registration.intervals = 0;
        registration.refresh_at = self.now + wait;
        registration.expires_at = self.now + Duration::from_secs(u64::from(expires));
        self.emit(Event::Registered { response: Arc::clone(response), first, expires });
        if let Some(all) = self.registration.removal.take() {
            self.send_unregister(all);
        }
    }

    /// Our own binding among those that the registrar lists (RFC 5626 §4.2.1 by instance, else RFC 3261 §10.2.4).
    fn own_binding<'m>(&self, response: &'m Message) -> Option<Contact<'m>> {
        let instance = [b"<urn:uuid:", self.identity.instance_id.as_bytes(), b">"].concat();
        let contacts = || response.contacts().flatten();
        contacts()
            .find(|contact| {
                let parameters = contact.parameters();
                quoted(parameters.value("+sip.instance"))
                    .is_some_and(|found| found.eq_ignore_ascii_case(&instance))
                    && parameters.value("reg-id").is_none_or(|id| id == b"1")
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
    fn on_interval_too_brief(&mut self, response: &Arc<Message>) {
        let wanted = response.number(HeaderName::MinExpires).ok().flatten().unwrap_or(0);
        let registration = &mut self.registration;
        let asked = self.config.register_expires.max(registration.min_expires);
        if wanted <= asked || registration.intervals >= INTERVALS {
            self.on_registration_failure(Some(response), Cause::SipFailureCode);
            return;
        }
        registration.intervals += 1;
        registration.min_expires = wanted;
        registration.busy = false;
        self.register_if_wanted();
    }

    /// REGISTER failed. What may pass is tried again by itself, the rest is for the user.
    pub(crate) fn on_registration_failure(&mut self, response: Option<&Arc<Message>>, cause: Cause) {
        let status = response.and_then(|response| response.status());
        let after = response.and_then(|response| response.number(HeaderName::RetryAfter).ok().flatten());
        let passing = match status {
            // RFC 3261 §21.4.9, §21.5; 480 and 430 say that the way is gone, not the account.
            Some(408 | 430 | 480 | 500..600) => true,
            Some(_) => after.is_some(),
            None => cause == Cause::RequestTimeout,
        };
        let retry_in =
            (passing && self.registration.wanted).then(|| after.unwrap_or_else(|| self.back_off()));
        let registration = &mut self.registration;
        let was_registered = registration.registered;
        registration.stop_timers();
        registration.busy = false;
        registration.registered = false;
        registration.removal = None;
        if let Some(seconds) = retry_in {
            registration.retry_at = self.now + Duration::from_secs(u64::from(seconds));
        } else if cause != Cause::ConnectionError {
            registration.wanted = false;
        }
        self.emit(Event::RegistrationFailed { response: response.cloned(), cause, retry_in });
        if was_registered {
            self.emit(Event::Unregistered { response: response.cloned(), cause: Some(cause) });
        }
    }

    fn back_off(&mut self) -> u32 {
        let longest = BASE_RETRY
            .saturating_mul(1u32.checked_shl(self.registration.failures).unwrap_or(MAX_RETRY))
            .min(MAX_RETRY);
        self.registration.failures = (self.registration.failures + 1).min(16);
        let half = longest / 2;
        half + u32::try_from(self.entropy.number() % u64::from(longest - half + 1)).unwrap_or(0)
    }

    /// The end of an unregistration, answered or not: either way the registrar forgets us soon.
    pub(crate) fn on_unregistered(&mut self, response: Option<&Arc<Message>>) {
        let status = response.and_then(|response| response.status());
        let cause = match status {
            Some(200..300) => None,
            Some(status) => Some(Cause::of_status(status)),
            None if self.link.is_some() => Some(Cause::RequestTimeout),
            None => Some(Cause::ConnectionError),
        };
        let registration = &mut self.registration;
        registration.busy = false;
        registration.registered = false;
        registration.stop_timers();
        self.emit(Event::Unregistered { response: response.cloned(), cause });
        // The user may have changed his mind meanwhile.
        self.register_if_wanted();
    }

    /// The connection is gone, and with it the flow that the binding stands on (RFC 5626 §4.2).
    pub(crate) fn registration_lost(&mut self) {
        let registration = &mut self.registration;
        registration.stop_timers();
        registration.busy = false;
        if registration.registered {
            registration.registered = false;
            self.emit(Event::Unregistered { response: None, cause: None });
        }
    }

    pub(crate) fn registration_timeout(&mut self) {
        if self.registration.expires_at <= self.now {
            // Nobody refreshed in time.
            self.registration.expires_at = Instant::NEVER;
            self.registration.registered = false;
            self.emit(Event::Unregistered { response: None, cause: Some(Cause::Expires) });
        }
        if self.registration.refresh_at <= self.now {
            self.registration.refresh_at = Instant::NEVER;
            if self.config.settings.refreshes_registration {
                self.register_if_wanted();
            } else {
                self.emit(Event::RegistrationExpiring);
            }
        }
        if self.registration.retry_at <= self.now {
            self.registration.retry_at = Instant::NEVER;
            self.register_if_wanted();
        }
    }
}

/// The inside of a quoted parameter value.
fn quoted(value: Option<&[u8]>) -> Option<Vec<u8>> {
    let value = value?;
    let inside = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
    (!inside.is_empty()).then(|| text::unquote(inside).into_owned())
}
