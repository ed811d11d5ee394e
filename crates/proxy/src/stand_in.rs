//! Contacts that stand in for those of clients, at a registrar that keeps no Path (RFC 3327).
//!
//! Such a registrar would send a call to the host in a page's Contact, which is made up. So an edge before it writes
//! Contacts of its own into the REGISTER, each with a name for the client's contact as user part: whose it is, a code
//! over what tells the contact from others of the same user, and a seal over both. A call to that name goes where the
//! client is now, under the Request-URI that it registered; in the 200 the client finds its own contacts again.
//!
//! The name says nothing of the flow. It stays what it is when a page is loaded anew (the same flow number of the same
//! instance, RFC 5626 §4.2), so the registrar has one contact of it and no dead ones, and when the edge is restarted, for
//! bindings are stored. Nothing else is kept. A name of ours whose contact is not registered is that of a client who is away
//! (480); any other is nobody's (404).
//!
//! A registration that the edge could not keep would leave the registrar with a contact that nobody answers for. So the edge
//! looks before it passes a REGISTER on, and once more before it passes the 200 back.

use std::sync::Arc;

use sip::digest::constant_time_equal;
use sip::header::{Contact, HeaderName, NameAddress};
use sip::text::parse_decimal;
use sip::uri::Uri;
use sip::{Flow, Instant, Message};

use crate::edge::address_of_record;
use crate::forward::own_uri;
use crate::inbound::is_register;
use crate::keyed_hash::{Key, decode, encode};
use crate::listeners::Side;
use crate::proxy::Proxy;
use crate::registrar::binding::{Binding, Registered};
use crate::reply::Refusal;
use crate::response_context::ContextId;
use crate::target::{Target, Unroutable};
use crate::validation::join;

const PURPOSE: &[u8] = b"contact that stands in";
const SEAL: &[u8] = b"name of a contact that stands in";
const SEAL_LENGTH: usize = 12;
const CODE_LENGTH: usize = 8;
/// No name is longer: whoever has a longer address-of-record cannot register.
const LONGEST: usize = 512;

/// What tells a contact from others of the same user.
enum Identity<'a> {
    /// A flow of a device (RFC 5626 §4.2).
    Flow { instance: &'a [u8], reg_id: u32 },
    /// Its URI.
    Uri(&'a [u8]),
}

impl<'a> Identity<'a> {
    /// Of a Contact as it stands in a REGISTER.
    fn given(address: &NameAddress<'a>, outbound: bool) -> Self {
        let parameters = address.parameters();
        let instance = parameters.value("+sip.instance").filter(|instance| !instance.is_empty());
        let reg_id = parameters.value("reg-id").and_then(parse_decimal).and_then(|id| u32::try_from(id).ok());
        match (instance, reg_id) {
            (Some(instance), Some(reg_id)) if outbound => Self::Flow { instance, reg_id },
            _ => Self::Uri(address.uri_bytes()),
        }
    }

    /// Of a contact that is registered.
    fn known(registered: &'a Registered) -> Self {
        match (&registered.instance, registered.reg_id) {
            (Some(instance), Some(reg_id)) => Self::Flow { instance, reg_id },
            _ => Self::Uri(&registered.contact),
        }
    }

    fn code(&self, key: &Key, aor: &[u8]) -> [u8; CODE_LENGTH] {
        let code = match self {
            Self::Flow { instance, reg_id } => {
                key.sign(PURPOSE, &[aor, b"flow", instance, &reg_id.to_be_bytes()])
            }
            Self::Uri(uri) => key.sign(PURPOSE, &[aor, b"uri", uri]),
        };
        code.first_chunk().copied().unwrap_or_default()
    }

    /// The user part of its stand-in.
    fn name(&self, key: &Key, aor: &[u8]) -> Vec<u8> {
        let code = self.code(key, aor);
        encode(&[seal(key, &code, aor).as_slice(), &code, aor].concat())
    }
}

/// What shows that a name was made here.
fn seal(key: &Key, code: &[u8], aor: &[u8]) -> [u8; SEAL_LENGTH] {
    key.sign(SEAL, &[code, aor]).first_chunk().copied().unwrap_or_default()
}

/// A name that was made here, read.
pub(crate) struct Name {
    code: Vec<u8>,
    aor: Vec<u8>,
}

/// The Contacts of a REGISTER of `aor` as a registrar without Path gets them; `None` where they stay as they are: a query,
/// or `*`.
pub(crate) fn contacts(request: &Message, aor: &[u8], outgoing: &Side<'_>, key: &Key) -> Option<Vec<u8>> {
    let outbound = request.lists(HeaderName::Supported, "outbound");
    let mut values = Vec::new();
    for contact in request.contacts() {
        let Ok(Contact::Address(address)) = contact else { return None };
        let name = Identity::given(&address, outbound).name(key, aor);
        let mut value = own_uri(outgoing, Some(&name), None, false, &[]);
        value.extend_from_slice(address.parameters().as_bytes());
        values.push(value);
    }
    (!values.is_empty()).then(|| join(values.iter().map(Vec::as_slice)))
}

impl Proxy {
    /// Whether clients' contacts are stood in for at the registrar.
    pub(crate) fn writes_stand_ins(&self) -> bool {
        self.upstream().is_some_and(|upstream| !upstream.keeps_path)
    }

    /// What the user part of a contact says, if it is a stand-in's and of our making.
    pub(crate) fn stand_in(&self, user: &[u8]) -> Option<Name> {
        if !self.writes_stand_ins() || user.len() > LONGEST {
            return None;
        }
        let octets = decode(user)?;
        let (sealed, rest) = octets.split_at_checked(SEAL_LENGTH)?;
        let (code, aor) = rest.split_at_checked(CODE_LENGTH)?;
        constant_time_equal(&seal(&self.key, code, aor), sealed)
            .then(|| Name { code: code.to_vec(), aor: aor.to_vec() })
    }

    /// Where a request for a stand-in goes: to the client's own contact, over its flow. `None` if it is none.
    pub(crate) fn stand_in_target(&self, now: Instant, uri: &Uri<'_>) -> Option<Result<Target, Unroutable>> {
        let name = self.stand_in(uri.user()?)?;
        let bindings = self.location.get(&name.aor);
        let is_it = |binding: &&Binding| {
            constant_time_equal(&Identity::known(binding).code(&self.key, &name.aor), &name.code)
        };
        Some(match bindings.iter().find(is_it) {
            Some(binding) => Target::binding(now, binding),
            None => Err(Unroutable { status: 480, why: "the client is not connected" }),
        })
    }

    /// Why a REGISTER does not go to the registrar: stand-ins for its contacts would lead nowhere.
    pub(crate) fn stand_in_refusal(&self, now: Instant, request: &Message, flow: &Flow) -> Option<Refusal> {
        if !self.writes_stand_ins() || !is_register(request) {
            return None;
        }
        let Some(aor) = address_of_record(request, HeaderName::To) else {
            return Some(Refusal::new(404, "the To is no user"));
        };
        if encode(&vec![0; SEAL_LENGTH + CODE_LENGTH + aor.len()]).len() > LONGEST {
            return Some(Refusal::new(403, "the user's name is too long"));
        }
        let plan = match self.edge_plan(now, request, flow, &aor) {
            Ok(plan) => plan,
            Err(refusal) => return Some(refusal),
        };
        let grows = plan.bindings.len() > self.location.get(&aor).len();
        (grows && self.location.len() >= self.config.limits.bindings)
            .then(|| self.overloaded("the edge is full"))
    }

    /// The answer to a REGISTER as its client gets it, with contacts that the client knows: those of this REGISTER, and those
    /// that it or another device of the user registered before. A refusal, if others were faster and it cannot be kept any
    /// more. `None`: as it came.
    pub(crate) fn with_own_contacts(
        &self,
        now: Instant,
        id: ContextId,
        response: &Message,
    ) -> Option<Arc<Message>> {
        if !self.writes_stand_ins() {
            return None;
        }
        let context = self.contexts.get(id.0)?;
        let request = &context.received;
        if !is_register(request) {
            return None;
        }
        if let Some(refusal) = self.stand_in_refusal(now, request, &context.flow) {
            let refused = self.replies.refuse(request, &refusal)?;
            return Message::parse(&refused).ok().map(Arc::new);
        }
        let aor = address_of_record(request, HeaderName::To)?;
        let outbound = request.lists(HeaderName::Supported, "outbound");
        let given = request.contacts().filter_map(|contact| match contact {
            Ok(Contact::Address(address)) => {
                let name = Identity::given(&address, outbound).name(&self.key, &aor);
                Some((name, address.uri_bytes().to_vec()))
            }
            _ => None,
        });
        let bindings = self.location.get(&aor);
        let known = bindings
            .iter()
            .map(|binding| (Identity::known(binding).name(&self.key, &aor), binding.contact.clone()));
        // What this REGISTER says is newer.
        let own: Vec<(Vec<u8>, Vec<u8>)> = given.chain(known).collect();
        let mut changed = false;
        let mut values = Vec::new();
        for value in response.values(HeaderName::Contact) {
            let Ok(Contact::Address(address)) = Contact::parse(value) else { return None };
            let uri = address.uri().ok();
            let name = uri.as_ref().and_then(Uri::user);
            let Some((_, contact)) = own.iter().find(|(own, _)| Some(own.as_slice()) == name) else {
                values.push(value.to_vec());
                continue;
            };
            changed = true;
            values.push([b"<", contact.as_slice(), b">", address.parameters().as_bytes()].concat());
        }
        if !changed {
            return None;
        }
        let mut edit = response.edit();
        edit.replace(HeaderName::Contact, &join(values.iter().map(Vec::as_slice)));
        edit.message().ok().map(Arc::new)
    }
}
