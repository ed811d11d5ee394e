//! What a REGISTER does to the bindings of its address-of-record (RFC 3261 §10.3, RFC 5626 §6).
//!
//! Nothing is changed here: [`plan`] says what the bindings would be, so that they are stored first and become
//! visible only then, all of them or none.

use core::cell::OnceCell;
use core::time::Duration;
use std::net::IpAddr;
use std::sync::Arc;

use sip::header::{Contact, HeaderName, NameAddress, Parameter, Route, delta_seconds, qvalue};
use sip::text::{unfold, write_decimal};
use sip::uri::{Host, Scheme, Uri};
use sip::{Flow, Instant, Message};

use super::address_of_record::{address_of, unescape};
use super::binding::{Binding, MediaClass, Reach, Registered};
use crate::config::Registrar;
use crate::reply::Refusal;
use crate::target::is_websocket_only;
use crate::validation::has_one_via;

/// A REGISTER, and what is known of its way here.
pub(crate) struct Arrival<'a> {
    pub(crate) request: &'a Message,
    pub(crate) flow: Flow,
    pub(crate) now: Instant,
    /// Until when what its sender has proved holds.
    pub(crate) until: Instant,
    /// Whether the hop that it came from may add Path.
    pub(crate) trusted: bool,
}

impl Arrival<'_> {
    /// Whether it came from the client itself, through no other proxy.
    fn is_direct(&self) -> bool {
        has_one_via(self.request)
    }
}

/// What a REGISTER would do.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The bindings after it.
    pub(crate) bindings: Vec<Binding>,
    /// The contacts it adds or refreshes, and whether each was there before.
    pub(crate) kept: Vec<(Arc<Registered>, bool)>,
    /// The contacts it takes back.
    pub(crate) removed: Vec<Vec<u8>>,
    /// The contacts that others of the same client replace.
    pub(crate) replaced: Vec<Vec<u8>>,
    /// Whether outbound is used, so that the answer says `Require: outbound` (RFC 5626 §6).
    pub(crate) outbound: bool,
    /// Whether it came from the client itself, so that the connection is that client's and no proxy's.
    pub(crate) direct: bool,
}

impl Plan {
    /// Whether anything changes.
    pub(crate) const fn changes(&self) -> bool {
        !(self.kept.is_empty() && self.removed.is_empty() && self.replaced.is_empty())
    }
}

/// Works out what `arrival` does to `current`.
pub(crate) fn plan(arrival: &Arrival<'_>, current: &[Binding], config: &Registrar) -> Result<Plan, Refusal> {
    // One more than there are, as a rule.
    let mut still = Vec::with_capacity(current.len() + 1);
    still.extend(current.iter().filter(|binding| binding.expires > arrival.now).cloned());
    let current = still;
    let (mut contacts, mut wildcards) = (Vec::with_capacity(1), 0);
    for contact in arrival.request.contacts() {
        match contact.map_err(|_| Refusal::new(400, "a Contact is malformed"))? {
            Contact::Any => wildcards += 1,
            Contact::Address(address) => contacts.push(Given::read(address)),
        }
    }
    if wildcards > 0 {
        return wildcard(arrival, current, contacts.len() + wildcards);
    }
    // Each is compared with every binding: no more than could be taken back and added.
    if contacts.len() > config.maximum_contacts.saturating_add(current.len()) {
        return Err(Refusal::new(403, "the user has as many contacts as one may have"));
    }
    let path = path(arrival)?;
    let direct = arrival.is_direct();
    let outbound = outbound(arrival, &contacts, direct, &path)?;
    let mut plan = Plan {
        bindings: current,
        kept: Vec::new(),
        removed: Vec::new(),
        replaced: Vec::new(),
        outbound: false,
        direct,
    };
    for given in contacts {
        let seconds = requested(arrival, &given, config)?;
        let said = said(arrival, given, &plan.bindings, &path, outbound)?;
        plan.outbound |= said.reg_id.is_some();
        apply(&mut plan, arrival, &said, seconds)?;
    }
    if plan.bindings.len() > config.maximum_contacts && !plan.kept.is_empty() {
        return Err(Refusal::new(403, "the user has as many contacts as one may have"));
    }
    Ok(plan)
}

/// RFC 3261 §10.3 item 6: `Contact: *` is alone, and with `Expires: 0`.
fn wildcard(arrival: &Arrival<'_>, current: Vec<Binding>, count: usize) -> Result<Plan, Refusal> {
    if count != 1 || arrival.request.number(HeaderName::Expires).ok().flatten() != Some(0) {
        return Err(Refusal::new(400, "a Contact of * needs to be alone and to have Expires: 0"));
    }
    for binding in &current {
        in_order(arrival.request, binding)?;
    }
    let removed = current.iter().map(|binding| binding.contact.clone()).collect();
    Ok(Plan {
        bindings: Vec::new(),
        kept: Vec::new(),
        removed,
        replaced: Vec::new(),
        outbound: false,
        direct: arrival.is_direct(),
    })
}

/// RFC 3261 §10.3 items 6 and 7: of two requests of one Call-ID the later counts.
fn in_order(request: &Message, binding: &Binding) -> Result<(), Refusal> {
    let same_call = request.call_id().is_ok_and(|call_id| call_id == binding.call_id);
    let later = request.cseq().is_ok_and(|cseq| cseq.number > binding.cseq);
    if same_call && !later {
        return Err(Refusal::new(500, "an older REGISTER than the one that made the binding"));
    }
    Ok(())
}

/// The Path, which only trusted hops may add (RFC 3327 §5.3).
fn path(arrival: &Arrival<'_>) -> Result<Vec<Vec<u8>>, Refusal> {
    let path: Vec<Vec<u8>> = arrival.request.values(HeaderName::Path).map(<[u8]>::to_vec).collect();
    if !path.is_empty() && !arrival.trusted {
        return Err(Refusal::new(403, "a Path is accepted from trusted servers only"));
    }
    if path.iter().any(|value| Route::parse(value).is_err()) {
        return Err(Refusal::new(400, "the Path is malformed"));
    }
    Ok(path)
}

/// Whether outbound processing applies (RFC 5626 §6): the client supports it, and so does the first hop.
fn outbound(
    arrival: &Arrival<'_>,
    contacts: &[Given<'_>],
    direct: bool,
    path: &[Vec<u8>],
) -> Result<bool, Refusal> {
    let wants = arrival.request.lists(HeaderName::Supported, "outbound");
    let numbered = contacts.iter().any(|contact| contact.reg_id.is_some());
    let first_hop = direct
        || path
            .last()
            .and_then(|value| Route::parse(value).ok())
            .is_some_and(|route| route.uri().parameter("ob").is_some());
    if wants && numbered && !first_hop {
        return Err(Refusal::new(439, "the first hop does not support outbound"));
    }
    Ok(wants && numbered && first_hop)
}

/// The expiry that the client asks for one contact, in seconds (RFC 3261 §10.3 item 7).
fn requested(arrival: &Arrival<'_>, given: &Given<'_>, config: &Registrar) -> Result<u32, Refusal> {
    let seconds = |span: Duration| u32::try_from(span.as_secs()).unwrap_or(u32::MAX);
    let requested = given
        .expires
        .flatten()
        .and_then(delta_seconds)
        .or_else(|| arrival.request.number(HeaderName::Expires).ok().flatten())
        .unwrap_or_else(|| seconds(config.default_expiry));
    let minimum = seconds(config.minimum_expiry);
    if requested > 0 && requested < 3600 && requested < minimum {
        let mut value = Vec::new();
        write_decimal(&mut value, u64::from(minimum));
        return Err(Refusal::new(423, "the expiry is shorter than the registrar allows")
            .header(HeaderName::MinExpires, value));
    }
    Ok(requested.min(seconds(config.maximum_expiry)))
}

/// What a REGISTER says of one contact: what will be a [`Registered`], unless there is one like it.
struct Said<'a> {
    contact: &'a [u8],
    parameters: Vec<u8>,
    quality: u16,
    call_id: &'a [u8],
    flow: Flow,
    reach: Reach,
    path: &'a [Vec<u8>],
    instance: Option<&'a [u8]>,
    reg_id: Option<u32>,
    user_agent: &'a [u8],
    media: MediaClass,
}

impl Said<'_> {
    /// Whether it is what was said before.
    fn is(&self, old: &Registered) -> bool {
        self.contact == old.contact
            && self.parameters == old.parameters
            && self.quality == old.quality
            && self.call_id == old.call_id
            && self.flow == old.flow
            && self.reach == old.reach
            && self.path == old.path
            && self.instance == old.instance.as_deref()
            && self.reg_id == old.reg_id
            && self.user_agent == old.user_agent
            && self.media == old.media
    }

    fn registered(&self) -> Registered {
        Registered {
            contact: self.contact.to_vec(),
            parameters: self.parameters.clone(),
            quality: self.quality,
            call_id: self.call_id.to_vec(),
            flow: self.flow,
            reach: self.reach,
            path: self.path.to_vec(),
            instance: self.instance.map(<[u8]>::to_vec),
            reg_id: self.reg_id,
            user_agent: self.user_agent.to_vec(),
            media: self.media,
        }
    }
}

fn said<'a>(
    arrival: &Arrival<'a>,
    given: Given<'a>,
    current: &[Binding],
    path: &'a [Vec<u8>],
    outbound: bool,
) -> Result<Said<'a>, Refusal> {
    let malformed = || Refusal::new(400, "a Contact is malformed");
    let instance = given.instance.flatten().filter(|instance| !instance.is_empty());
    // RFC 5626 §6: a reg-id without an instance is ignored.
    let reg_id = instance
        .filter(|_| outbound)
        .and_then(|_| given.reg_id.flatten())
        .and_then(sip::text::parse_decimal)
        .and_then(|number| u32::try_from(number).ok());
    let contact = given.address.uri_bytes();
    let is_known = |old: &&Binding| old.contact == contact && old.flow == arrival.flow;
    let (reach, media) = match current.iter().find(is_known) {
        // The same flow and the same contact: the same way, where nothing else is asked for it.
        Some(old) if old.is_by_flow() && reg_id.is_none() && path.is_empty() => (old.reach, old.media),
        _ => {
            let uri = given.address.uri().map_err(|_| malformed())?;
            if !matches!(uri.scheme(), Scheme::Sip | Scheme::Sips) {
                return Err(Refusal::new(400, "a Contact needs to be a sip or sips URI"));
            }
            let reach = if path.is_empty() { reach(arrival, &uri, reg_id.is_some()) } else { Reach::Path };
            let websocket = arrival.flow.transport.is_websocket() || is_websocket_only(&uri);
            (reach, if websocket { MediaClass::Browser } else { MediaClass::Unknown })
        }
    };
    Ok(Said {
        contact,
        parameters: given.kept,
        quality: given.quality.flatten().and_then(qvalue).unwrap_or(1000),
        call_id: arrival.request.call_id().map_err(|_| malformed())?,
        flow: arrival.flow,
        reach,
        path,
        instance,
        reg_id,
        user_agent: arrival.request.header(HeaderName::UserAgent).unwrap_or_default(),
        media,
    })
}

/// How a contact that registered directly is reached.
fn reach(arrival: &Arrival<'_>, contact: &Uri<'_>, outbound: bool) -> Reach {
    let flow = &arrival.flow;
    // RFC 7118 §5, RFC 5626 §6: the flow, whatever the host says.
    if outbound || flow.transport.is_websocket() || is_websocket_only(contact) {
        return Reach::Flow;
    }
    let Ok(via) = arrival.request.top_via() else { return Reach::Flow };
    let remote = flow.remote.ip().to_canonical();
    let address = address_of(contact.host()).map(|address: IpAddr| address.to_canonical());
    let own = address == Some(remote) || is_same_host(contact.host(), via.host());
    if !own {
        return Reach::Contact;
    }
    if address != Some(remote) {
        // Its own contact, and not where the message came from: a NAT, or a name that only it knows.
        return Reach::Flow;
    }
    let port = contact.port().unwrap_or_else(|| flow.transport.default_port());
    if !flow.transport.is_reliable() && port != flow.remote.port() {
        // RFC 3581: who asks for rport sends from where it listens, so the difference is a NAT's doing.
        return if via.rport().is_some() { Reach::Flow } else { Reach::Contact };
    }
    Reach::FlowOrContact
}

fn is_same_host(one: Host<'_>, other: Host<'_>) -> bool {
    match (one, other) {
        (Host::Name(one), Host::Name(other)) => one.eq_ignore_ascii_case(other),
        (one, other) => one == other,
    }
}

/// One contact as it stands in a REGISTER: the first parameter of each name that the registrar looks at, perhaps
/// without a value.
struct Given<'a> {
    address: NameAddress<'a>,
    expires: Option<Option<&'a [u8]>>,
    quality: Option<Option<&'a [u8]>>,
    instance: Option<Option<&'a [u8]>>,
    reg_id: Option<Option<&'a [u8]>>,
    /// The parameters as they came, but for those that the registrar writes itself.
    kept: Vec<u8>,
}

impl<'a> Given<'a> {
    fn read(address: NameAddress<'a>) -> Self {
        let mut given =
            Self { address, expires: None, quality: None, instance: None, reg_id: None, kept: Vec::new() };
        for parameter in address.parameters().iter() {
            let is = |name: &[u8]| parameter.name.eq_ignore_ascii_case(name);
            let place = match parameter.name.len() {
                1 if is(b"q") => &mut given.quality,
                6 if is(b"reg-id") => &mut given.reg_id,
                7 if is(b"expires") => {
                    given.expires.get_or_insert(parameter.value);
                    continue;
                }
                8 if is(b"pub-gruu") => continue,
                9 if is(b"temp-gruu") => continue,
                13 if is(b"+sip.instance") => &mut given.instance,
                _ => &mut None,
            };
            place.get_or_insert(parameter.value);
            keep(&mut given.kept, &parameter);
        }
        given
    }
}

fn keep(kept: &mut Vec<u8>, parameter: &Parameter<'_>) {
    let value = parameter.value.map(unfold);
    Parameter { value: value.as_deref(), ..*parameter }.write(kept);
}

/// Puts one contact into the plan, in the place of the binding that it refreshes or replaces.
fn apply(plan: &mut Plan, arrival: &Arrival<'_>, said: &Said<'_>, seconds: u32) -> Result<(), Refusal> {
    let cseq = arrival.request.cseq().map_err(|_| Refusal::new(400, "the CSeq is malformed"))?.number;
    let uri = OnceCell::new();
    let place = plan.bindings.iter().position(|old| is_same(old, said, &uri));
    if let Some(old) = place.and_then(|place| plan.bindings.get(place))
        && old.call_id == said.call_id
        && cseq <= old.cseq
        // Two values of one request may name one contact twice; only another request can be older.
        && !plan.kept.iter().any(|(kept, _)| kept.contact == old.contact)
    {
        return Err(Refusal::new(500, "an older REGISTER than the one that made the binding"));
    }
    let old = place.map(|place| plan.bindings.remove(place));
    if seconds == 0 {
        plan.removed.extend(old.map(|old| old.contact.clone()));
        return Ok(());
    }
    let refresh = old.is_some();
    if let Some(old) = old.as_ref().filter(|old| old.contact != said.contact) {
        plan.replaced.push(old.contact.clone());
    }
    let registered = match old {
        Some(old) if said.is(&old) => old.registered,
        _ => Arc::new(said.registered()),
    };
    plan.kept.push((Arc::clone(&registered), refresh));
    let expires = (arrival.now + Duration::from_secs(u64::from(seconds))).min(arrival.until);
    plan.bindings.push(Binding { registered, cseq, expires, lost: None });
    Ok(())
}

/// Whether `new` is another registration of what `old` is: the same flow number of the same instance (RFC 5626
/// §6); the same URI (RFC 3261 §19.1.4); or the same instance on a flow that is closed, which is a page that
/// was loaded anew.
fn is_same<'a>(old: &Binding, new: &Said<'a>, uri: &OnceCell<Option<Uri<'a>>>) -> bool {
    let same_instance = old.instance.is_some() && old.instance.as_deref() == new.instance;
    if old.reg_id.is_some() && new.reg_id.is_some() {
        return same_instance && old.reg_id == new.reg_id;
    }
    if same_instance && old.lost.is_some() {
        return true;
    }
    old.contact == new.contact
        || uri
            .get_or_init(|| Uri::parse(new.contact).ok())
            .as_ref()
            .is_some_and(|uri| Uri::parse(&old.contact).is_ok_and(|old| old.is_equivalent(uri)))
}

/// The two addresses of one device (RFC 5627 §3.1).
#[derive(Clone, Debug)]
pub(crate) struct Gruus {
    pub(crate) public: Vec<u8>,
    pub(crate) temporary: Vec<u8>,
}

/// Writes the Contact of one binding in a 200 (RFC 3261 §10.3 item 8; RFC 5627 §5.3 for the GRUU).
pub(crate) fn write_contact(value: &mut Vec<u8>, binding: &Binding, now: Instant, gruus: Option<&Gruus>) {
    value.push(b'<');
    value.extend_from_slice(&binding.contact);
    value.push(b'>');
    value.extend_from_slice(&binding.parameters);
    value.extend_from_slice(b";expires=");
    write_decimal(value, seconds_left(binding, now));
    if let Some(gruus) = gruus {
        for (name, gruu) in
            [(b";pub-gruu=\"".as_slice(), &gruus.public), (b";temp-gruu=\"", &gruus.temporary)]
        {
            value.extend_from_slice(name);
            value.extend_from_slice(gruu);
            value.push(b'"');
        }
    }
}

/// The whole seconds that a binding has left, rounded up.
pub(crate) fn seconds_left(binding: &Binding, now: Instant) -> u64 {
    u64::try_from(binding.expires.saturating_since(now).as_micros().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// An address-of-record as a URI.
pub(crate) fn address_uri(aor: &[u8]) -> Vec<u8> {
    let mut uri = b"sip:".to_vec();
    let at = aor.iter().rposition(|octet| *octet == b'@').unwrap_or(0);
    let (user, domain) = aor.split_at_checked(at).unwrap_or_default();
    escape(&mut uri, user, b"-_.!~*'()&=+$,;?/");
    if domain.contains(&b':') && domain.get(1) != Some(&b'[') {
        uri.extend_from_slice(b"@[");
        uri.extend_from_slice(domain.get(1..).unwrap_or_default());
        uri.push(b']');
    } else {
        uri.extend_from_slice(domain);
    }
    uri
}

/// The public GRUU of an instance: the address-of-record and the instance in `gr` (RFC 5627 §4.1).
pub(crate) fn public_gruu(aor: &[u8], instance: &[u8]) -> Vec<u8> {
    let mut gruu = address_uri(aor);
    gruu.extend_from_slice(b";gr=");
    escape(&mut gruu, instance_name(instance), b"-_.!~*'()[]/:&+$");
    gruu
}

/// Whether the `gr` parameter of a URI names `instance`.
pub(crate) fn is_instance(gr: &[u8], instance: &[u8]) -> bool {
    // RFC 5627 §4.1, RFC 4122 §3: UUIDs are compared without regard to case.
    unescape(gr).eq_ignore_ascii_case(instance_name(instance))
}

/// The instance without its angle brackets.
fn instance_name(instance: &[u8]) -> &[u8] {
    instance.strip_prefix(b"<").and_then(|rest| rest.strip_suffix(b">")).unwrap_or(instance)
}

fn escape(out: &mut Vec<u8>, text: &[u8], allowed: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for octet in text {
        if octet.is_ascii_alphanumeric() || allowed.contains(octet) {
            out.push(*octet);
        } else {
            out.push(b'%');
            out.extend(HEX.get(usize::from(octet >> 4)));
            out.extend(HEX.get(usize::from(octet & 15)));
        }
    }
}
