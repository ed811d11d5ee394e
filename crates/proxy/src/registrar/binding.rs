//! A binding: one contact of a user, and all that is known about the way to it.

use core::ops::Deref;
use core::time::Duration;
use std::sync::Arc;

use sip::{Flow, Instant, Transport};

use crate::flow_token::{read_address, transport_octet, transport_of, write_address};

/// One contact of an address-of-record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binding {
    /// What the client registered. A refresh that says the same leaves it as it is.
    pub(crate) registered: Arc<Registered>,
    /// The CSeq number of the REGISTER that made or refreshed it.
    pub(crate) cseq: u32,
    /// When it ends.
    pub(crate) expires: Instant,
    /// Since when the connection of its flow is closed.
    pub(crate) lost: Option<Instant>,
}

impl Deref for Binding {
    type Target = Registered;

    fn deref(&self) -> &Registered {
        &self.registered
    }
}

/// What a client registered: all of a binding that a refresh seldom changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registered {
    /// The contact URI as registered.
    pub(crate) contact: Vec<u8>,
    /// The Contact's header parameters as written, without `expires`: empty, or starting with a semicolon.
    pub(crate) parameters: Vec<u8>,
    /// The preference in thousandths (RFC 3261 §20.10: `q`).
    pub(crate) quality: u16,
    /// The Call-ID of the REGISTER that made or refreshed it.
    pub(crate) call_id: Vec<u8>,
    /// The flow that the REGISTER came over.
    pub(crate) flow: Flow,
    /// How it is reached.
    pub(crate) reach: Reach,
    /// The Path of the REGISTER, one URI with its brackets each, the nearest to us first (RFC 3327).
    pub(crate) path: Vec<Vec<u8>>,
    /// The instance (RFC 5626 §4.1), with its angle brackets and without quotes.
    pub(crate) instance: Option<Vec<u8>>,
    /// The flow number of the instance, if outbound is in use (RFC 5626 §4.2).
    pub(crate) reg_id: Option<u32>,
    /// The client's `User-Agent`.
    pub(crate) user_agent: Vec<u8>,
    /// What kind of media it speaks.
    pub(crate) media: MediaClass,
}

/// How a contact is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Over the flow that it registered on, and no other way: pages, clients behind a NAT, outbound clients.
    Flow,
    /// Over the flow that it registered on, or, when that is closed, where its URI says.
    FlowOrContact,
    /// Where its URI says: the REGISTER came from elsewhere.
    Contact,
    /// Through the Path.
    Path,
}

/// What kind of media a contact speaks, as far as its registration tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaClass {
    /// WebRTC: ICE, DTLS-SRTP.
    Browser,
    /// Not known before its first offer or answer.
    Unknown,
}

impl Binding {
    /// Whether a request can be sent to it now.
    pub(crate) fn is_reachable(&self, now: Instant) -> bool {
        self.expires > now && (self.lost.is_none() || self.can_be_opened())
    }

    /// Whether a connection that is gone can be opened from our side: not to a page, not through a NAT.
    pub(crate) fn can_be_opened(&self) -> bool {
        match self.reach {
            Reach::FlowOrContact | Reach::Contact | Reach::Path => true,
            Reach::Flow => false,
        }
    }

    /// Whether the flow that it registered on and its contact alone say how it is reached: the flow is a WebSocket, or
    /// leads to where the contact's URI says.
    pub(crate) fn is_by_flow(&self) -> bool {
        let by_flow = self.flow.transport.is_websocket() && self.reach == Reach::Flow;
        self.reg_id.is_none() && (by_flow || self.reach == Reach::FlowOrContact)
    }

    /// When it ends by itself: by its expiry, or by the grace after its flow was lost.
    pub(crate) fn deadline(&self, grace: Duration) -> Instant {
        match self.lost {
            Some(since) if !self.can_be_opened() => self.expires.min(since + grace),
            _ => self.expires,
        }
    }
}

/// The version of the encoding, and its first octet.
const VERSION: u8 = 1;

/// Writes the bindings of one address-of-record, with the times that they end at as `date` says them. Read by [`decode`] only;
/// the store takes it as it is.
pub(crate) fn encode(bindings: &[Binding], date: impl Fn(Instant) -> Instant) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + bindings.iter().map(room).sum::<usize>());
    out.push(VERSION);
    for binding in bindings {
        write_field(&mut out, &binding.contact);
        write_field(&mut out, &binding.parameters);
        out.extend_from_slice(&binding.quality.to_be_bytes());
        write_field(&mut out, &binding.call_id);
        out.extend_from_slice(&binding.cseq.to_be_bytes());
        out.extend_from_slice(&date(binding.expires).as_micros().to_be_bytes());
        out.push(transport_octet(binding.flow.transport));
        write_address(&mut out, binding.flow.local);
        write_address(&mut out, binding.flow.remote);
        out.push(match binding.reach {
            Reach::Flow => 0,
            Reach::FlowOrContact => 1,
            Reach::Contact => 2,
            Reach::Path => 3,
        });
        out.extend_from_slice(&u16::try_from(binding.path.len()).unwrap_or(u16::MAX).to_be_bytes());
        for hop in binding.path.iter().take(usize::from(u16::MAX)) {
            write_field(&mut out, hop);
        }
        write_field(&mut out, binding.instance.as_deref().unwrap_or_default());
        out.push(u8::from(binding.reg_id.is_some()));
        out.extend_from_slice(&binding.reg_id.unwrap_or(0).to_be_bytes());
        write_field(&mut out, &binding.user_agent);
        out.push(match binding.media {
            MediaClass::Browser => 1,
            MediaClass::Unknown => 0,
        });
    }
    out
}

/// Reads what [`encode`] wrote. Connections are of an earlier run of the process, hence lost `now`.
pub(crate) fn decode(record: &[u8], now: Instant) -> Option<Vec<Binding>> {
    let (version, rest) = record.split_first()?;
    if *version != VERSION {
        return None;
    }
    let mut reader = Reader(rest);
    let mut bindings = Vec::new();
    while !reader.0.is_empty() {
        bindings.push(reader.binding(now)?);
    }
    Some(bindings)
}

/// At least as many octets as a binding takes.
fn room(binding: &Binding) -> usize {
    // Eight lengths, the numbers, two addresses.
    let texts = [&binding.contact, &binding.parameters, &binding.call_id, &binding.user_agent];
    let path: usize = binding.path.iter().map(|hop| hop.len() + 4).sum();
    128 + texts.map(Vec::len).into_iter().sum::<usize>()
        + path
        + binding.instance.as_ref().map_or(0, Vec::len)
}

fn write_field(out: &mut Vec<u8>, field: &[u8]) {
    // Every field is a part of a message of at most 64 KiB.
    out.extend_from_slice(&u32::try_from(field.len()).unwrap_or(0).to_be_bytes());
    out.extend_from_slice(field);
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn binding(&mut self, now: Instant) -> Option<Binding> {
        let contact = self.field()?;
        let parameters = self.field()?;
        let quality = u16::from_be_bytes(self.octets()?);
        let call_id = self.field()?;
        let cseq = u32::from_be_bytes(self.octets()?);
        let expires = Instant::from_micros(u64::from_be_bytes(self.octets()?));
        let flow = self.flow()?;
        let reach = match self.octets()? {
            [0] => Reach::Flow,
            [1] => Reach::FlowOrContact,
            [2] => Reach::Contact,
            [3] => Reach::Path,
            _ => return None,
        };
        let hops = u16::from_be_bytes(self.octets()?);
        let path = (0..hops).map(|_| self.field()).collect::<Option<Vec<_>>>()?;
        let instance = Some(self.field()?).filter(|instance| !instance.is_empty());
        let [has_reg_id] = self.octets()?;
        let number = u32::from_be_bytes(self.octets()?);
        let reg_id = (has_reg_id != 0).then_some(number);
        let user_agent = self.field()?;
        let media = if self.octets()? == [1] { MediaClass::Browser } else { MediaClass::Unknown };
        let lost = flow.transport.is_reliable().then_some(now);
        let registered = Registered {
            contact,
            parameters,
            quality,
            call_id,
            flow,
            reach,
            path,
            instance,
            reg_id,
            user_agent,
            media,
        };
        Some(Binding { registered: Arc::new(registered), cseq, expires, lost })
    }

    fn flow(&mut self) -> Option<Flow> {
        let [transport] = self.octets()?;
        let transport: Transport = transport_of(transport)?;
        let (local, rest) = read_address(self.0)?;
        let (remote, rest) = read_address(rest)?;
        self.0 = rest;
        Some(Flow { transport, connection: sip::ConnectionId(0), local, remote })
    }

    fn field(&mut self) -> Option<Vec<u8>> {
        let length = usize::try_from(u32::from_be_bytes(self.octets()?)).ok()?;
        let (field, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(field.to_vec())
    }

    fn octets<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (octets, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*octets)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn binding(contact: &str, transport: Transport, connection: u64) -> Binding {
        let registered = Registered {
            contact: contact.as_bytes().to_vec(),
            parameters: b";q=0.5;+sip.instance=\"<urn:uuid:1>\"".to_vec(),
            quality: 500,
            call_id: b"call".to_vec(),
            flow: Flow {
                transport,
                connection: sip::ConnectionId(connection),
                local: "192.0.2.1:5060".parse().unwrap(),
                remote: "[2001:db8::9]:40000".parse().unwrap(),
            },
            reach: Reach::Flow,
            path: vec![b"<sip:edge.example;lr>".to_vec()],
            instance: Some(b"<urn:uuid:1>".to_vec()),
            reg_id: Some(1),
            user_agent: b"phone \xff".to_vec(),
            media: MediaClass::Browser,
        };
        Binding { registered: Arc::new(registered), cseq: 7, expires: Instant::from_secs(1000), lost: None }
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let mut plain = binding("sip:bob@192.0.2.4", Transport::Udp, 0);
        let registered = Arc::make_mut(&mut plain.registered);
        registered.instance = None;
        registered.reg_id = None;
        registered.path.clear();
        registered.reach = Reach::Contact;
        let bindings = vec![binding("sip:bob@x.invalid", Transport::Udp, 0), plain];
        assert_eq!(decode(&encode(&bindings, |at| at), Instant::ZERO), Some(bindings));
    }

    #[test]
    fn connections_are_lost_with_the_process() {
        let stored = encode(&[binding("sip:bob@x.invalid;transport=ws", Transport::Wss, 8)], |at| at);
        let read = decode(&stored, Instant::from_secs(50)).unwrap();
        assert_eq!(read[0].lost, Some(Instant::from_secs(50)));
        assert!(!read[0].is_reachable(Instant::from_secs(50)));
        assert_eq!(read[0].deadline(Duration::from_secs(30)), Instant::from_secs(80));
    }

    #[test]
    fn a_torn_record_is_refused() {
        let stored = encode(&[binding("sip:bob@x.invalid", Transport::Udp, 0)], |at| at);
        for length in 0..stored.len() {
            let read = decode(&stored[..length], Instant::ZERO);
            assert!(read.is_none() || length == 1, "{length}");
        }
        assert_eq!(decode(&[2], Instant::ZERO), None);
    }
}
