//! SUBSCRIBE to what the server knows of a user (RFC 6665 §4.2.1).

use core::time::Duration;

use sip::dialog::Dialog;
use sip::header::HeaderName;
use sip::text::decimal;
use sip::uri::Uri;
use sip::{Flow, Instant, Message, Method, Slot};

use super::notify::LAST;
use super::package::Package;
use super::subscriptions::{Pending, Subscription};
use crate::absent::Callee;
use crate::authorization::Sender;
use crate::config::Watchers;
use crate::forward::own_uri;
use crate::inbound::Job;
use crate::proxy::Proxy;
use crate::registrar::address_of_record::write_address;
use crate::reply::Refusal;

/// What a subscriber gets who asks for no time (RFC 3856 §6.4, RFC 4235 §3.5, RFC 3842 §3.4: an hour).
const USUAL: u32 = 3600;

impl Proxy {
    /// Whether a request for a user is one that the server answers itself. Requests for one device of a user, and
    /// packages that the server does not serve, go to the devices.
    pub(crate) fn serves(&self, request: &Message, uri: &Uri<'_>) -> bool {
        let publishes = match request.method() {
            Some(Method::Subscribe) => false,
            Some(Method::Publish) => true,
            _ => return false,
        };
        let is_served = |package: Package| {
            self.config.events.packages.contains(&package) && (!publishes || package == Package::Presence)
        };
        (publishes || request.to_tag().is_none())
            && uri.parameter("gr").is_none()
            && package_of(request).is_some_and(|(package, _)| is_served(package))
    }

    /// Whether that is such a request.
    pub(crate) fn is_served(&self, job: &Job) -> bool {
        job.request().target().is_ok_and(|uri| self.serves(job.request(), &uri))
    }

    /// A request that the server answers itself: may its sender ask, and is there such a user?
    pub(crate) fn serve(&mut self, now: Instant, job: Job, callee: Callee) {
        if self.location.get(&callee.aor).is_empty() && self.may_ask(&job, &callee.aor) {
            self.ask_whether_known(job, callee);
        } else {
            self.serve_known(now, &job, callee.aor);
        }
    }

    fn may_ask(&self, job: &Job, aor: &[u8]) -> bool {
        let is_private = matches!(job.received.method(), Some(Method::Publish))
            || package_of(&job.received).is_some_and(|(package, _)| {
                matches!(package, Package::Registration | Package::MessageSummary)
            });
        match &job.sender {
            Sender::Peer => true,
            Sender::Account(account) => {
                account == aor || (!is_private && self.config.events.watchers == Watchers::Users)
            }
            Sender::Group(_) | Sender::Upstream | Sender::Stranger => false,
        }
    }

    /// The user is there: now it depends on who asks.
    pub(crate) fn serve_known(&mut self, now: Instant, job: &Job, aor: Vec<u8>) {
        if !self.may_ask(job, &aor) {
            return self.refuse(now, job, &Refusal::new(403, "this is for the user alone"));
        }
        let done = match job.received.method() {
            Some(Method::Publish) => self.publish(now, job, &aor),
            _ => self.subscribe(now, job, aor),
        };
        if let Err(refusal) = done {
            self.refuse(now, job, &refusal);
        }
    }

    /// 489, with what is served (RFC 6665 §4.2.1.1).
    pub(crate) fn bad_event(&self) -> Refusal {
        Refusal::new(489, "nobody tells of such events here")
            .header(HeaderName::AllowEvents, self.allowed_events())
    }

    /// The value of Allow-Events.
    fn allowed_events(&self) -> Vec<u8> {
        let names = self.config.events.packages.iter().map(|package| package.name().as_bytes());
        crate::validation::join(names)
    }

    fn subscribe(&mut self, now: Instant, job: &Job, aor: Vec<u8>) -> Result<(), Refusal> {
        let request = &job.received;
        let Some((package, event_id)) = package_of(request) else { return Err(self.bad_event()) };
        if !accepts(request, package.content_type()) {
            return Err(Refusal::new(406, "the subscriber does not take the documents of this package"));
        }
        let seconds = self.granted(now, job)?;
        let subscriber = subscriber(&job.sender, &job.flow);
        let watched = &self.common.0.watched;
        if watched.subscriptions() >= self.config.events.subscriptions {
            return Err(self.overloaded("there are as many subscriptions as there may be"));
        }
        if job.sender != Sender::Peer
            && watched.subscriptions_of(&subscriber) >= self.config.events.subscriptions_per_user
        {
            return Err(Refusal::new(403, "the user has as many subscriptions as one may have"));
        }
        let mut dialog = Dialog::of_callee(request, &self.replies.tag(request))
            .map_err(|_| Refusal::new(400, "a SUBSCRIBE needs a Contact"))?;
        dialog.confirm();
        watched.count_in(&subscriber);
        if seconds > 0 {
            watched.watch(&aor);
        }
        let slot = self.notifier.insert(Subscription {
            package,
            event_id,
            watched: aor,
            subscriber,
            by_route: job.sender == Sender::Peer,
            dialog,
            flow: job.flow,
            hop: None,
            expires: now + Duration::from_secs(u64::from(seconds)),
            follows: seconds > 0,
            lost: None,
            version: 0,
            told: None,
            under_way: false,
            moved: false,
            pending: None,
            ends: None,
            over: false,
        });
        self.accept(now, job, slot, seconds);
        Ok(())
    }

    /// A SUBSCRIBE within a dialog of the server's: a refresh, or the end (RFC 6665 §4.1.2.2, §4.1.2.3).
    pub(crate) fn resubscribe(&mut self, now: Instant, job: &Job) {
        match self.refreshed(job) {
            Ok(Some(slot)) => match self.take_refresh(now, job, slot) {
                Ok(seconds) => self.accept(now, job, slot, seconds),
                Err(refusal) => self.refuse(now, job, &refusal),
            },
            // What belongs to somebody may be changed by nobody else.
            Ok(None) => self.authenticate(now, job.clone()),
            Err(refusal) => self.refuse(now, job, &refusal),
        }
    }

    /// The subscription that a request refreshes; none if its sender has yet to prove that it is his.
    fn refreshed(&self, job: &Job) -> Result<Option<Slot>, Refusal> {
        let request = &job.received;
        let nothing = || Refusal::new(481, "there is no such subscription");
        let (package, event_id) = package_of(request).ok_or_else(|| self.bad_event())?;
        let slot = request.to_tag().and_then(|tag| self.notifier.by_tag.get(tag)).copied();
        let slot = slot.ok_or_else(nothing)?;
        let subscription = self.notifier.subscriptions.get(slot).filter(|it| !it.over).ok_or_else(nothing)?;
        let id = subscription.dialog.id();
        let same = request.call_id().is_ok_and(|call_id| call_id == id.call_id())
            && request.from_tag().unwrap_or_default() == id.remote_tag()
            && subscription.package == package
            && subscription.event_id == event_id;
        if !same {
            return Err(nothing());
        }
        let is_its = subscriber(&job.sender, &job.flow) == subscription.subscriber;
        match job.sender {
            Sender::Stranger => Ok(None),
            _ if is_its => Ok(Some(slot)),
            _ => Err(Refusal::new(403, "the subscription is somebody else's")),
        }
    }

    fn take_refresh(&mut self, now: Instant, job: &Job, slot: Slot) -> Result<u32, Refusal> {
        let request = &job.received;
        let seconds = self.granted(now, job)?;
        let nothing = Refusal::new(481, "there is no such subscription");
        let subscription = self.notifier.subscriptions.get_mut(slot).ok_or(nothing)?;
        subscription
            .dialog
            .receive_request(request)
            .map_err(|_| Refusal::new(500, "an older SUBSCRIBE than the one before"))?;
        subscription.dialog.refresh_target(request);
        subscription.expires = now + Duration::from_secs(u64::from(seconds));
        subscription.ends = None;
        subscription.hop = None;
        self.notifier.move_to(slot, &job.flow);
        Ok(seconds)
    }

    /// 200, and the NOTIFY that follows every SUBSCRIBE at once (RFC 6665 §4.2.1.2).
    fn accept(&mut self, now: Instant, job: &Job, slot: Slot, seconds: u32) {
        let secure = job.received.request_uri().get(..5).is_some_and(|it| it.eq_ignore_ascii_case(b"sips:"));
        // It leads back to the server itself: it has no user, so that it is not taken for one.
        let contact = own_uri(&self.listeners.side_of_flow(&job.flow), None, None, secure, &[]);
        let bytes = self.replies.write(&job.received, 200, |builder| {
            builder
                .copy(&job.received, HeaderName::RecordRoute)
                .header(HeaderName::Contact, &contact)
                .header(HeaderName::Expires, decimal(u64::from(seconds)).as_bytes())
                .header(HeaderName::AllowEvents, &self.allowed_events())
        });
        if let (Some(key), Some(bytes)) = (job.key, bytes) {
            self.transactions.respond(now, key, bytes);
        }
        if seconds == 0
            && let Some(subscription) = self.notifier.subscriptions.get_mut(slot)
        {
            subscription.ends = Some("timeout");
            // Its NOTIFY may have to wait: for the one before, or for the address of a server.
            subscription.expires = now + LAST;
            self.notifier.reschedule(slot);
        }
        self.notify(now, slot, Pending::State);
    }

    /// The time that a SUBSCRIBE or PUBLISH gets, in seconds (RFC 6665 §4.2.1.1): 423 where it asks for too little; no
    /// longer than the token lives by which its sender has proved who he is.
    pub(super) fn granted(&self, now: Instant, job: &Job) -> Result<u32, Refusal> {
        let seconds = |span: Duration| u32::try_from(span.as_secs()).unwrap_or(u32::MAX);
        let events = &self.config.events;
        let (least, most) = (seconds(events.minimum_expiry), seconds(events.maximum_expiry));
        let proven = seconds(job.proven_until.saturating_since(now));
        match job.received.number(HeaderName::Expires).ok().flatten().unwrap_or(USUAL) {
            wanted if wanted > 0 && wanted < least && wanted < 3600 => {
                Err(Refusal::new(423, "the time is shorter than the server allows")
                    .header(HeaderName::MinExpires, decimal(u64::from(least)).as_bytes()))
            }
            wanted => Ok(wanted.min(most).min(proven)),
        }
    }
}

/// Who subscribes: a user, or another server by its address.
fn subscriber(sender: &Sender, flow: &Flow) -> Vec<u8> {
    match sender {
        Sender::Account(aor) => aor.clone(),
        Sender::Peer | Sender::Group(_) | Sender::Upstream | Sender::Stranger => {
            let mut name = b"peer ".to_vec();
            write_address(&mut name, flow.remote.ip().to_canonical());
            name
        }
    }
}

/// The package that a request is about, if we know it, and the `id` of its Event.
fn package_of(request: &Message) -> Option<(Package, Option<Vec<u8>>)> {
    let event = sip::header::Event::parse(request.header(HeaderName::Event)?).ok()?;
    Some((Package::from_name(event.package())?, event.id().map(<[u8]>::to_vec)))
}

/// Whether the sender takes a type of documents; who does not say takes the usual ones.
fn accepts(request: &Message, wanted: &str) -> bool {
    let mut says = false;
    let takes = request.values(HeaderName::Accept).any(|value| {
        says = true;
        let kind = value.split(|octet| *octet == b';').next().unwrap_or_default().trim_ascii();
        let general = wanted.split('/').next().unwrap_or_default();
        let is_general = kind.strip_suffix(b"/*").is_some_and(|it| it == b"*" || it == general.as_bytes());
        is_general || kind.eq_ignore_ascii_case(wanted.as_bytes())
    });
    takes || !says
}
