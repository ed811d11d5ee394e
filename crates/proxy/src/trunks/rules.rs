//! The routes of the configuration: the first that matches a request says where it goes.
//!
//! They are for requests that begin something: not for REGISTER, which is the registrar's, nor for those of a dialog,
//! nor for those that name their way by a Route or their device by a GRUU. Nobody gets more than he may have had
//! without routes: to a group of servers go our users, who prove who they are, trusted peers, and sources that the
//! route itself lets go there. What the server answers itself (SUBSCRIBE, PUBLISH) it answers as without routes: one may
//! refuse that, or say which user a number stands for.

use std::sync::Arc;

use sip::header::HeaderName;
use sip::uri::{Scheme, Uri};
use sip::{Instant, Method};

use crate::absent::Callee;
use crate::authorization::{Reach, Sender};
use crate::inbound::{Job, Wish};
use crate::proxy::Proxy;
use crate::registrar::address_of_record::{host_text, key};
use crate::reply::{Refusal, warning};
use crate::target::{Target, Way};

use super::choice::arranged;
use super::number::{Number, global};
use super::servers::Member;
use super::settings::{Action, Domain, Group, Route, Source};

/// What a request is matched by, found out once.
struct Asked<'a> {
    uri: &'a Uri<'a>,
    /// The domain of ours that it is for.
    own: Option<&'a [u8]>,
    number: Option<Number>,
    /// The group that it comes from.
    group: Option<&'a Arc<Group>>,
    /// Whether it is from a user of ours, or from somebody who has to prove that he is one.
    of_user: bool,
}

impl Proxy {
    /// Where the routes lead a request; `None` if none matches it. The first `job.routes_passed` are not looked at.
    pub(crate) fn routed(&self, now: Instant, job: &Job, uri: &Uri<'_>) -> Option<Wish> {
        let trunks = &self.config.trunks;
        if trunks.routes.is_empty() && trunks.groups.is_empty() {
            return None;
        }
        if job.is_in_dialog() || is_for_device_or_registrar(job, uri) {
            return None;
        }
        let mut own = self.own.domain_of(uri);
        if own.is_some() && uri.user().is_none() {
            return None;
        }
        // What is called by our Contact at a provider is meant for whom To names.
        let registered = own.and(uri.user()).and_then(|user| self.group_of_contact(user));
        let to = registered.and_then(|_| job.received.to().ok());
        let named = to.as_ref().and_then(|to| to.uri().ok()).filter(|named| named.user().is_some());
        let uri = match &named {
            Some(named) => {
                own = Some(self.own.main_domain());
                named
            }
            None => uri,
        };
        let from_ours = || job.is_from_ours.unwrap_or_else(|| self.user_in_from(&job.received).is_some());
        let asked = Asked {
            uri,
            own,
            number: Number::of(uri, &trunks.numbers),
            group: registered.or_else(|| self.group_of(&job.flow)),
            of_user: match job.sender {
                Sender::Account(_) => true,
                Sender::Stranger => self.authenticator.is_required() && from_ours(),
                _ => false,
            },
        };
        let found = (0..).zip(&trunks.routes).skip(job.routes_passed).find_map(|(place, route)| {
            let number = self.matched(route, job, &asked)?;
            self.follow_route(now, route, place, job, &asked, number)
        });
        let incoming = || {
            let taker = asked.group?.incoming_to.as_deref().map(str::as_bytes);
            let user = taker.or_else(|| registered.and(uri.user()))?;
            Some(self.user_wish(now, uri, &key(user, self.own.main_domain()), user))
        };
        found.or_else(incoming).or_else(|| {
            // A route has asked for a user who is not there, and no further one has matched.
            let why = "there is no such user";
            (job.routes_passed > 0).then(|| Wish::Nowhere(Refusal::new(404, why), Reach::OwnUser))
        })
    }

    /// Whether a route matches; and what the called number becomes by it, if it is one.
    fn matched(&self, route: &Route, job: &Job, asked: &Asked<'_>) -> Option<Option<String>> {
        let matches = is_for_domain(route, asked)
            && is_from_source(route, job, asked)
            && has_method(route, job)
            && route.headers.iter().all(|(name, pattern)| {
                job.received.fields().any(|field| {
                    field.text.eq_ignore_ascii_case(name.as_bytes()) && pattern.matches(field.value)
                })
            });
        if !matches {
            return None;
        }
        let changes = route.strip > 0 || !route.prepend.is_empty();
        let Some(number) = &asked.number else {
            return (route.prefixes.is_empty() && !changes).then_some(None);
        };
        let form = form(number, &route.prefixes)?;
        let kept = form.get(route.strip..)?;
        // What stands behind an outside line's digit is a number as one dials it.
        let kept = match form.starts_with('+') {
            true => kept.to_owned(),
            false => global(kept, &self.config.trunks.numbers).unwrap_or_else(|| kept.to_owned()),
        };
        let whole = format!("{}{kept}", route.prepend);
        (!whole.is_empty()).then_some(Some(whole))
    }

    fn follow_route(
        &self,
        now: Instant,
        route: &Route,
        place: usize,
        job: &Job,
        asked: &Asked<'_>,
        number: Option<String>,
    ) -> Option<Wish> {
        let domain = asked.own.unwrap_or_else(|| self.own.main_domain());
        let changes = route.strip > 0 || !route.prepend.is_empty() || asked.uri.scheme() == Scheme::Tel;
        match &route.action {
            Action::Reject(status, why) => {
                let refusal = Refusal::new(*status, "a route of the configuration refuses it");
                let refusal = match why {
                    Some(why) => refusal.header(HeaderName::Warning, warning(why)),
                    None => refusal,
                };
                Some(Wish::Nowhere(refusal, Reach::Ourselves))
            }
            Action::User(user) => {
                let user = user.as_bytes();
                let aor = key(user, domain);
                if self.serves(job.request(), asked.uri) {
                    return Some(Wish::Served(Callee::new(user, &aor)));
                }
                Some(self.user_wish(now, asked.uri, &aor, user))
            }
            Action::Users => {
                let user = match &number {
                    Some(number) if changes => number.as_bytes(),
                    _ => asked.uri.user()?,
                };
                let aor = key(user, domain);
                let behind = |callee| Callee { next_route: place + 1, ..callee };
                if self.serves(job.request(), asked.uri) {
                    return Some(Wish::Served(behind(Callee::new(user, &aor))));
                }
                Some(match self.user_wish(now, asked.uri, &aor, user) {
                    Wish::Nobody(callee) => Wish::Nobody(behind(callee)),
                    wish => wish,
                })
            }
            Action::Group(name) => {
                let group = self.config.trunks.group(name)?;
                let granted = route.without_password && !job.flow.transport.is_websocket();
                let reach = if granted { Reach::Granted } else { Reach::World };
                Some(Wish::Targets(self.targets_in(now, group, job, asked, number.as_deref()), reach))
            }
        }
    }

    /// The servers of a group as targets, in the order in which they are asked.
    fn targets_in(
        &self,
        now: Instant,
        group: &Arc<Group>,
        job: &Job,
        asked: &Asked<'_>,
        number: Option<&str>,
    ) -> Vec<Target> {
        let call_id = job.received.header(HeaderName::CallId).unwrap_or_default();
        let lot = self.key.sign(b"share of a group", &[call_id]);
        let lot = lot.first_chunk().copied().map_or(0, u64::from_le_bytes);
        let secure = asked.uri.scheme() == Scheme::Sips;
        let order = arranged(now, group, &self.common.0.health, lot);
        let targets = order.into_iter().map(|(place, server)| {
            let host = group.domain.clone().unwrap_or_else(|| server.place());
            Target {
                uri: Some(request_uri(asked.uri, number, &host)),
                routes: Vec::new(),
                way: Way::Resolve {
                    host: server.host.clone(),
                    port: server.port,
                    transport: server.transport,
                    secure,
                },
                by_flow: false,
                instance: None,
                quality: 1000,
                is_elsewhere: false,
                member: Some(Member { group: Arc::clone(group), place }),
            }
        });
        targets.collect()
    }
}

/// RFC 3261 §19.1.6: a number in a SIP URI has `user=phone`. Digits that only a PBX knows are no such number.
fn request_uri(called: &Uri<'_>, number: Option<&str>, host: &str) -> Vec<u8> {
    let mut uri = if called.scheme() == Scheme::Sips { b"sips:".to_vec() } else { b"sip:".to_vec() };
    match number {
        Some(number) => uri.extend_from_slice(&sip::uri::escape::escape_user(number.as_bytes())),
        None => uri.extend_from_slice(called.user().unwrap_or_default()),
    }
    if !uri.ends_with(b":") {
        uri.push(b'@');
    }
    uri.extend_from_slice(host.as_bytes());
    if number.is_some_and(|number| number.starts_with('+')) {
        uri.extend_from_slice(b";user=phone");
    }
    uri
}

/// The form of a number that one of these prefixes begins; without prefixes the global one, where there is one.
fn form<'n>(number: &'n Number, prefixes: &[String]) -> Option<&'n str> {
    if prefixes.is_empty() {
        return Some(number.global.as_deref().unwrap_or(&number.dialled));
    }
    prefixes.iter().find_map(|prefix| {
        let form = if prefix.starts_with('+') { number.global.as_deref()? } else { &number.dialled };
        form.starts_with(prefix.as_str()).then_some(form)
    })
}

fn is_for_device_or_registrar(job: &Job, uri: &Uri<'_>) -> bool {
    matches!(job.received.method(), Some(Method::Register)) || uri.parameter("gr").is_some()
}

fn is_for_domain(route: &Route, asked: &Asked<'_>) -> bool {
    let is_tel = asked.uri.scheme() == Scheme::Tel;
    if route.domains.is_empty() {
        return asked.own.is_some() || is_tel;
    }
    route.domains.iter().any(|domain| match domain {
        Domain::Any => true,
        Domain::Named(name) => match asked.own {
            Some(own) => own == name.as_bytes(),
            None => !is_tel && host_text(asked.uri.host()) == name.as_bytes(),
        },
    })
}

fn is_from_source(route: &Route, job: &Job, asked: &Asked<'_>) -> bool {
    let is_from = |source: &Source| match source {
        Source::Users => asked.of_user,
        Source::Strangers => job.sender == Sender::Stranger && !asked.of_user && asked.group.is_none(),
        Source::Group(name) => asked.group.is_some_and(|group| group.name == *name),
        Source::Addresses(network) => network.contains(job.flow.remote.ip().to_canonical()),
    };
    route.sources.is_empty() || route.sources.iter().any(is_from)
}

fn has_method(route: &Route, job: &Job) -> bool {
    let Some(method) = job.received.method() else { return route.methods.is_empty() };
    // Who cancels means what was asked before.
    route.methods.is_empty()
        || matches!(method, Method::Cancel)
        || route.methods.iter().any(|known| known.as_bytes() == method.as_bytes())
}
