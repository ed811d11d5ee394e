//! Contacts that stand in for those of clients, at a registrar that keeps no Path (RFC 3327).
//!
//! Such a registrar would send a call to the host in a page's Contact, which is made up. So an edge before it writes
//! Contacts of its own into the REGISTER, each with a name for the client's contact as user part: whose it is, and a code
//! over what tells the contact from others of the same user. A call to that name goes where the client is now, under the
//! Request-URI that it registered; in the 200 the client finds its own contacts again.
//!
//! The name says nothing of the flow. It stays what it is when a page is loaded anew (the same flow number of the same
//! instance, RFC 5626 §4.2), so the registrar has one contact of it and no dead ones, and when the edge is restarted, for
//! bindings are stored. Nothing else is kept. A code that no binding of the user has leads nowhere.

use std::sync::Arc;

use sip::digest::constant_time_equal;
use sip::header::{Contact, HeaderName, NameAddress};
use sip::text::parse_decimal;
use sip::uri::Uri;
use sip::{Instant, Message};

use crate::edge::address_of_record;
use crate::forward::own_uri;
use crate::inbound::is_register;
use crate::keyed_hash::{Key, decode, encode};
use crate::listeners::Side;
use crate::proxy::Proxy;
use crate::registrar::binding::{Binding, Registered};
use crate::response_context::ContextId;
use crate::target::{Target, Unroutable};
use crate::validation::join;

const PURPOSE: &[u8] = b"contact that stands in";
const CODE_LENGTH: usize = 12;
/// No address-of-record of a client is longer.
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
        encode(&[self.code(key, aor).as_slice(), aor].concat())
    }
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

    /// The binding that a stand-in's user part names; `None` if it is none of ours, or its client is not registered.
    pub(crate) fn stood_in_for(&self, name: &[u8]) -> Option<Binding> {
        if !self.writes_stand_ins() || name.len() > LONGEST {
            return None;
        }
        let octets = decode(name)?;
        let (code, aor) = octets.split_at_checked(CODE_LENGTH)?;
        let bindings = self.location.get(aor);
        bindings
            .iter()
            .find(|binding| constant_time_equal(&Identity::known(binding).code(&self.key, aor), code))
            .cloned()
    }

    /// Where a request for a stand-in goes: to the client's own contact, over its flow.
    pub(crate) fn stand_in_target(&self, now: Instant, uri: &Uri<'_>) -> Option<Result<Target, Unroutable>> {
        let binding = self.stood_in_for(uri.user()?)?;
        Some(Target::binding(now, &binding))
    }

    /// The answer to a REGISTER as its client gets it, with contacts that the client knows: those of this REGISTER, and those
    /// that it or another device of the user registered before. `None`: as it came.
    pub(crate) fn with_own_contacts(&self, id: ContextId, response: &Message) -> Option<Arc<Message>> {
        if !self.writes_stand_ins() {
            return None;
        }
        let request = &self.contexts.get(id.0)?.received;
        if !is_register(request) {
            return None;
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
