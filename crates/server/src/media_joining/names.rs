//! Host names where a phone wants its media: a `c=` may have one in place of an address (RFC 8866 §5.7). They are found
//! before the description is translated, and the message waits meanwhile, as it does for rtpengine.

use std::net::IpAddr;
use std::rc::Weak;

use media::{Cause, Side};
use net::Resolver;
use sdp::Description;
use sip::{Message, Transport};

use super::calls::Step;
use super::held::Awaited;
use super::joiner::Translation;
use super::reading::{description, with_description};
use super::refusal::Refusal;
use super::{MediaJoining, Phone};

/// The most names of one description that are looked up.
const MOST: usize = 4;
/// A name with a port needs an address and no SRV record (RFC 3263 §4.2); which port, is of no matter.
const ANY_PORT: u16 = 9;

/// A name where an address is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    host: String,
    is_ipv4: bool,
}

/// Reads the value of a `c=`; `None` when it has an address, or is of another network.
fn name(connection: &[u8]) -> Option<Name> {
    let text = std::str::from_utf8(connection).ok()?;
    let mut fields = text.split_ascii_whitespace();
    let (network, family, host) = (fields.next()?, fields.next()?, fields.next()?);
    let is_address = host.split('/').next()?.parse::<IpAddr>().is_ok();
    (network == "IN" && !is_address).then(|| Name { host: host.to_owned(), is_ipv4: family != "IP6" })
}

/// The names in a description, each once.
fn names(text: &[u8]) -> Vec<Name> {
    let mut names = Vec::new();
    for line in text.split(|octet| matches!(octet, b'\r' | b'\n')) {
        if let Some(name) = line.strip_prefix(b"c=").and_then(name)
            && !names.contains(&name)
            && names.len() < MOST
        {
            names.push(name);
        }
    }
    names
}

/// The description with the addresses that were found.
fn with_addresses(text: &[u8], found: &[(Name, IpAddr)]) -> Vec<u8> {
    let Ok(mut description) = Description::parse(text) else { return text.to_vec() };
    for index in 0..description.len() {
        let line = description.line(index).filter(|line| line.letter == b'c');
        let Some(name) = line.and_then(|line| name(line.value)) else { continue };
        if let Some((_, address)) = found.iter().find(|(known, _)| *known == name) {
            let family = if address.is_ipv4() { "IP4" } else { "IP6" };
            description.replace(index, b'c', format!("IN {family} {address}").as_bytes());
        }
    }
    let mut written = Vec::with_capacity(text.len());
    description.write(&mut written);
    written
}

/// The addresses of these names, of the family that is written beside them if they have one; or the name that leads nowhere.
async fn find(resolver: &Resolver, names: Vec<Name>) -> Result<Vec<(Name, IpAddr)>, Name> {
    let mut found = Vec::new();
    for name in names {
        let hops = resolver.resolve(&name.host, Some(ANY_PORT), Some(Transport::Udp), false).await;
        let addresses: Vec<IpAddr> = hops.iter().flatten().map(|hop| hop.address().ip()).collect();
        let alike = addresses.iter().find(|address| address.is_ipv4() == name.is_ipv4);
        match alike.or_else(|| addresses.first()) {
            Some(address) => found.push((name, *address)),
            None => return Err(name),
        }
    }
    Ok(found)
}

impl MediaJoining {
    /// The description of a message for the other side, as soon as it is known where its writer's media goes.
    pub(super) fn translate(&self, step: Step, message: &Message, phone: Phone) -> Translation {
        let names = if is_of_phone(&step, &phone) {
            description(message).map(names).unwrap_or_default()
        } else {
            // A browser is found by ICE.
            Vec::new()
        };
        if names.is_empty() {
            return self.joiner.translate(self, &step, message, &phone);
        }
        let ticket = Awaited::Names(self.look_ups.get());
        self.look_ups.set(self.look_ups.get().wrapping_add(1));
        let (me, resolver) = (Weak::clone(&self.me), self.resolver.clone());
        let bytes = message.as_bytes().to_vec();
        tokio::task::spawn_local(async move {
            let found = find(&resolver, names).await;
            if let (Some(joining), Ok(message)) = (me.upgrade(), Message::parse(&bytes)) {
                joining.named(ticket, &step, &message, &phone, found);
            }
        });
        Translation::Later(ticket)
    }

    fn named(
        &self,
        ticket: Awaited,
        step: &Step,
        message: &Message,
        phone: &Phone,
        found: Result<Vec<(Name, IpAddr)>, Name>,
    ) {
        if !self.lives(step) {
            // The joiner would begin a call that nobody ends.
            return self.translated(ticket, Err(Refusal::call_over()));
        }
        let found = match found {
            Ok(found) => found,
            Err(name) => return self.translated(ticket, Err(Refusal::unknown_host(&name.host))),
        };
        let text = with_addresses(description(message).unwrap_or_default(), &found);
        let message = with_description(message, &text).and_then(|bytes| Message::parse(&bytes).ok());
        let Some(message) = message else {
            return self.translated(ticket, Err(Cause::SdpNothingToRelay.into()));
        };
        match self.joiner.translate(self, step, &message, phone) {
            Translation::Now(outcome) => self.translated(ticket, outcome),
            Translation::Later(next) => self.held.borrow_mut().wait_on(ticket, next),
        }
    }

    /// Whether the branch of this step is still there: a call may be hung up, or given up, meanwhile.
    fn lives(&self, step: &Step) -> bool {
        let (Step::Offer { call, branch, .. } | Step::Answer { call, branch, .. }) = step else {
            return false;
        };
        self.calls.borrow().has(call, branch)
    }
}

/// Whether a phone wrote the description of this step.
fn is_of_phone(step: &Step, phone: &Phone) -> bool {
    let (Step::Offer { from, .. } | Step::Answer { from, .. }) = step else { return false };
    phone.anchored.map_or(*from, |anchored| anchored.kind) == Side::Phone
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "v=0\r\no=- 1 1 IN IP4 phone.example.com\r\ns=-\r\nc=IN IP4 phone.example.com\r\nt=0 0\r\n\
                        m=audio 4000 RTP/AVP 0\r\nm=video 4002 RTP/AVP 96\r\nc=IN IP6 film.example.com\r\n";

    #[test]
    fn names_stand_for_addresses_in_connection_lines_alone() {
        let names = names(TEXT.as_bytes());
        let hosts: Vec<&str> = names.iter().map(|name| name.host.as_str()).collect();
        assert_eq!(hosts, ["phone.example.com", "film.example.com"]);
        let addresses = ["192.0.2.9", "2001:db8::9"].map(|text| text.parse::<IpAddr>().unwrap());
        let found: Vec<_> = names.into_iter().zip(addresses).collect();
        let expected = TEXT
            .replace("c=IN IP4 phone.example.com", "c=IN IP4 192.0.2.9")
            .replace("c=IN IP6 film.example.com", "c=IN IP6 2001:db8::9");
        assert_eq!(with_addresses(TEXT.as_bytes(), &found), expected.as_bytes());
    }

    #[test]
    fn an_address_is_no_name() {
        for connection in
            ["IN IP4 192.0.2.9", "IN IP4 224.2.1.1/127/3", "IN IP6 2001:db8::9", "ATM NSAP x", "IN IP4"]
        {
            assert_eq!(name(connection.as_bytes()), None, "{connection}");
        }
    }
}
