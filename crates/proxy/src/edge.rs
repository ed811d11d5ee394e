//! The edge role (RFC 5626 §5): in front of an existing registrar, which keeps users, passwords and bindings.
//!
//! What clients send goes to the upstream server, REGISTER with a Path that holds their flow (RFC 3327). What the
//! upstream sends goes to the flow that its Route names. The edge remembers who is behind a flow from the 200 to
//! their REGISTER, so that a client whose connection broke inside a call is found on its new one.

use core::time::Duration;

use sip::header::HeaderName;
use sip::uri::Uri;
use sip::{Flow, Hop, Instant, Message, Method};

use crate::authorization::{Reach, Sender, Verdict};
use crate::config::{Role, Upstream};
use crate::inbound::{Job, Wish};
use crate::messages::is_message;
use crate::output::Question;
use crate::proxy::{Proxy, Waiting};
use crate::registrar::address_of_record::{host_text, key};
use crate::registrar::binding::Binding;
use crate::registrar::register::{Arrival, Plan, plan};
use crate::reply::Refusal;
use crate::response_context::ContextId;
use crate::target::{Target, Way, route_uri};

impl Proxy {
    /// The upstream server, if this is an edge.
    pub(crate) fn upstream(&self) -> Option<&Upstream> {
        match &self.config.role {
            Role::Edge { upstream } => Some(upstream),
            Role::AllInOne => None,
        }
    }

    /// Asks where the upstream is, to know it when it calls.
    pub(crate) fn look_for_upstream(&mut self) {
        let Some(upstream) = self.upstream() else { return };
        let question = Question::Resolve {
            host: upstream.host.clone(),
            port: upstream.port,
            transport: upstream.transport,
            secure: false,
        };
        // What was asked about another one before may still be answered.
        self.waiting.retain(|_, waiting| !matches!(waiting, Waiting::Upstream));
        let id = self.outbox.ask(question);
        self.waiting.insert(id, Waiting::Upstream);
    }

    /// Remembers the addresses that the upstream's name has.
    pub(crate) fn upstream_found(&mut self, hops: &[Hop]) {
        if !hops.is_empty() {
            self.upstream_addresses = hops.iter().map(Hop::address).collect();
        }
    }

    /// Whether a target is the upstream, whose addresses are then worth remembering.
    pub(crate) fn is_upstream_target(&self, target: &Target) -> bool {
        match (&target.way, self.upstream()) {
            (Way::Resolve { host, port, .. }, Some(upstream)) => {
                *host == upstream.host && *port == upstream.port
            }
            _ => false,
        }
    }

    /// Whether a message of this flow is the upstream's. Clients may live on the same machine, so an address of its
    /// own is not enough: a datagram must come from its port, a connection must be one that we opened.
    pub(crate) fn is_upstream(&self, flow: &Flow) -> bool {
        let Some(upstream) = self.upstream() else { return false };
        if flow.transport.is_websocket() {
            return false;
        }
        let address = flow.remote.ip().to_canonical();
        if upstream.addresses.iter().any(|network| network.contains(address)) {
            return true;
        }
        self.upstream_addresses.iter().any(|known| {
            let same_machine = known.ip().to_canonical() == address;
            let same_port = known.port() == flow.remote.port();
            let from_there = flow.transport.is_reliable() && !address.is_loopback();
            same_machine && (same_port || from_there)
        })
    }

    /// Where a request wants to go that came to an edge.
    pub(crate) fn edge_wish(&self, now: Instant, job: &Job) -> Wish {
        let request = job.request();
        if let Some(destination) = job.onward.destination {
            return self.token_wish(now, job, destination);
        }
        let Ok(uri) = Uri::parse(request.request_uri()) else {
            return Wish::Nowhere(Refusal::new(400, "the Request-URI is malformed"), Reach::Ourselves);
        };
        let is_register = matches!(request.method(), Some(Method::Register));
        if !is_register && uri.user().is_none() && self.own.domain_of(&uri).is_some() {
            return Wish::Ourselves;
        }
        let sealed = job.onward.sealed && job.is_in_dialog();
        if job.sender == Sender::Upstream || sealed {
            let next =
                request.first_value(HeaderName::Route).map_or_else(|| request.request_uri(), route_uri);
            return self.edge_onward(now, next, request.header(HeaderName::Route).is_none(), sealed);
        }
        // The upstream would send it back here, as a call of its own.
        if self.writes_stand_ins()
            && self.own.is_own(&uri)
            && uri.user().is_some_and(|user| self.stand_in(user).is_some())
        {
            return Wish::Nowhere(
                Refusal::new(403, "only the upstream server may use that contact"),
                Reach::World,
            );
        }
        match self.stand_in_refusal(now, &job.received, &job.flow) {
            Some(refusal) => Wish::Nowhere(refusal, Reach::World),
            None => self.to_upstream(),
        }
    }

    /// Towards a client that the upstream names by its contact, or along a dialog's Routes.
    fn edge_onward(&self, now: Instant, next: &[u8], is_request_uri: bool, sealed: bool) -> Wish {
        let reach = if sealed { Reach::Dialog } else { Reach::OwnUser };
        if is_request_uri
            && self.writes_stand_ins()
            && let Ok(uri) = Uri::parse(next)
            && let Some(target) = self.stand_in_target(now, &uri)
        {
            return match target {
                Ok(target) => Wish::Targets(vec![target], reach),
                Err(unroutable) => Wish::Nowhere(Refusal::new(unroutable.status, unroutable.why), reach),
            };
        }
        if is_request_uri
            && let Ok(uri) = Uri::parse(next)
            && let Some(found) = self.location.find_contact(now, &uri)
            && let Some(binding) = found.binding()
            && let Ok(target) = Target::binding(now, binding)
        {
            return Wish::Targets(vec![Target { uri: None, ..target }], reach);
        }
        if !sealed {
            return Wish::Nowhere(Refusal::new(404, "no client of this edge has that contact"), reach);
        }
        match Target::to_uri(next) {
            Ok(target) => Wish::Targets(vec![target], reach),
            Err(unroutable) => Wish::Nowhere(Refusal::new(unroutable.status, unroutable.why), reach),
        }
    }

    fn to_upstream(&self) -> Wish {
        let Some(upstream) = self.upstream() else {
            return Wish::Nowhere(Refusal::new(500, "there is no upstream"), Reach::World);
        };
        let way = Way::Resolve {
            host: upstream.host.clone(),
            port: upstream.port,
            transport: upstream.transport,
            secure: false,
        };
        Wish::Targets(vec![Target::by(way)], Reach::World)
    }

    /// Who may use the edge: the upstream; clients, to register and once they have; dialogs that went through it.
    pub(crate) fn edge_verdict(&self, job: &Job, reach: Reach) -> Verdict {
        let is_register = matches!(job.received.method(), Some(Method::Register));
        let is_client = matches!(job.sender, Sender::Account(_)) || self.is_registered_flow(job);
        match (&job.sender, reach) {
            (Sender::Upstream | Sender::Peer, _) | (_, Reach::Dialog | Reach::Ourselves) => Verdict::Allow,
            (_, Reach::World) if is_register || is_client => Verdict::Allow,
            (_, Reach::World) => Verdict::Forbid("register first"),
            _ => Verdict::Forbid("only the upstream server may call the clients of this edge"),
        }
    }

    /// The user who is said to have sent a request, named as the bindings name users.
    pub(crate) fn speaker(&self, request: &Message) -> Option<Vec<u8>> {
        match self.config.role {
            Role::Edge { .. } => address_of_record(request, HeaderName::From),
            Role::AllInOne => self.user_in_from(request),
        }
    }

    /// Whether From registered over this flow.
    fn is_registered_flow(&self, job: &Job) -> bool {
        let Some(aor) = address_of_record(&job.received, HeaderName::From) else { return false };
        self.flow_speaks_for(&job.flow, &aor)
            || self.location.get(&aor).iter().any(|binding| {
                binding.flow.transport == job.flow.transport && binding.flow.remote == job.flow.remote
            })
    }

    /// What a REGISTER does to what the edge knows of its user.
    pub(crate) fn edge_plan(
        &self,
        now: Instant,
        request: &Message,
        flow: &Flow,
        aor: &[u8],
    ) -> Result<Plan, Refusal> {
        // The upstream decides on expiries; we only take over what it granted.
        let limits = crate::config::Registrar {
            minimum_expiry: Duration::ZERO,
            maximum_expiry: Duration::from_secs(u64::from(u32::MAX)),
            ..self.config.registrar.clone()
        };
        let trusted = self.is_trusted_peer(flow);
        let arrival = Arrival { request, flow: *flow, now, until: Instant::NEVER, trusted };
        plan(&arrival, &self.location.get(aor), &limits)
    }

    /// A 2xx went through. The one to a REGISTER says who is behind its flow.
    pub(crate) fn learn_from_success(&mut self, now: Instant, id: ContextId, response: &Message) {
        if self.upstream().is_none() || !response.status().is_some_and(|status| (200..300).contains(&status))
        {
            return;
        }
        let Some(context) = self.contexts.get(id.0) else { return };
        let (request, flow) = (context.received.clone(), context.flow);
        if !matches!(request.method(), Some(Method::Register)) {
            return;
        }
        let Some(aor) = address_of_record(&request, HeaderName::To) else { return };
        let Ok(mut plan) = self.edge_plan(now, &request, &flow, &aor) else { return };
        for binding in &mut plan.bindings {
            if plan.kept.iter().any(|(kept, _)| kept.contact == binding.contact) {
                granted(binding, now, response);
            }
        }
        let keeps = self.writes_stand_ins() && plan.changes();
        self.tell(now, &flow, &aor, &plan);
        self.commit(now, &aor, plan);
        if keeps {
            // Nothing but the binding says where a stand-in leads.
            self.store_remainder(aor);
        }
    }
}

/// The expiry that the upstream granted to a contact, if it says so.
fn granted(binding: &mut Binding, now: Instant, response: &Message) {
    let seconds = response.contacts().filter_map(Result::ok).find_map(|contact| {
        let same = contact.address().is_some_and(|address| address.uri_bytes() == binding.contact);
        same.then(|| contact.expires()).flatten()
    });
    if let Some(seconds) = seconds.or_else(|| response.number(HeaderName::Expires).ok().flatten()) {
        binding.expires = now + Duration::from_secs(u64::from(seconds));
    }
}

/// The user in From or To, by the domain that it names itself: an edge has no domains of its own. None is named as what the
/// store keeps of messages.
pub(crate) fn address_of_record(request: &Message, name: HeaderName) -> Option<Vec<u8>> {
    let address = request.name_address(name).ok()?;
    let uri = address.uri().ok()?;
    Some(key(uri.user()?, &host_text(uri.host()))).filter(|aor| !is_message(aor))
}
