//! The table of bindings: by address-of-record, by connection, by contact, and by the time they end.

use core::time::Duration;
use std::collections::{BTreeSet, HashMap};

use sip::uri::Uri;
use sip::{ConnectionId, Flow, Instant};

use super::address_of_record::host_text;
use super::binding::Binding;

/// All bindings.
#[derive(Debug)]
pub(crate) struct Location {
    grace: Duration,
    records: HashMap<Vec<u8>, Vec<Binding>>,
    by_connection: HashMap<ConnectionId, BTreeSet<Vec<u8>>>,
    by_contact: HashMap<Vec<u8>, Vec<Vec<u8>>>,
    deadlines: BTreeSet<(Instant, Vec<u8>)>,
    count: usize,
}

/// The bindings of one address-of-record that ended, and those that are left.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) aor: Vec<u8>,
    pub(crate) gone: Vec<Binding>,
}

impl Location {
    /// An empty table; a binding outlives its connection by `grace`.
    pub(crate) fn new(grace: Duration) -> Self {
        Self {
            grace,
            records: HashMap::new(),
            by_connection: HashMap::new(),
            by_contact: HashMap::new(),
            deadlines: BTreeSet::new(),
            count: 0,
        }
    }

    /// Another grace: when each binding ends is worked out anew.
    pub(crate) fn regrace(&mut self, grace: Duration) {
        if grace == self.grace {
            return;
        }
        let records: Vec<Vec<u8>> = self.records.keys().cloned().collect();
        let bindings: Vec<Vec<Binding>> = records.iter().map(|aor| self.remove(aor)).collect();
        self.grace = grace;
        for (aor, bindings) in records.iter().zip(bindings) {
            self.replace(aor, bindings);
        }
    }

    /// How many bindings there are.
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// The bindings of `aor`, also those that cannot be reached at present.
    pub(crate) fn get(&self, aor: &[u8]) -> &[Binding] {
        self.records.get(aor).map_or(&[], Vec::as_slice)
    }

    /// Puts `bindings` in the place of those that `aor` has.
    pub(crate) fn replace(&mut self, aor: &[u8], bindings: Vec<Binding>) {
        self.remove(aor);
        if bindings.is_empty() {
            return;
        }
        self.count += bindings.len();
        for binding in &bindings {
            if binding.lost.is_none() && binding.flow.transport.is_reliable() {
                self.by_connection.entry(binding.flow.connection).or_default().insert(aor.to_vec());
            }
            if let Some(key) = contact_key(&binding.contact) {
                let owners = self.by_contact.entry(key).or_default();
                if !owners.iter().any(|owner| owner == aor) {
                    owners.push(aor.to_vec());
                }
            }
        }
        if let Some(first) = bindings.iter().map(|binding| binding.deadline(self.grace)).min() {
            self.deadlines.insert((first, aor.to_vec()));
        }
        self.records.insert(aor.to_vec(), bindings);
    }

    fn remove(&mut self, aor: &[u8]) -> Vec<Binding> {
        let Some(bindings) = self.records.remove(aor) else { return Vec::new() };
        self.count = self.count.saturating_sub(bindings.len());
        for binding in &bindings {
            if let Some(owners) = self.by_connection.get_mut(&binding.flow.connection) {
                owners.remove(aor);
                if owners.is_empty() {
                    self.by_connection.remove(&binding.flow.connection);
                }
            }
            if let Some(key) = contact_key(&binding.contact)
                && let Some(owners) = self.by_contact.get_mut(&key)
            {
                owners.retain(|owner| owner != aor);
                if owners.is_empty() {
                    self.by_contact.remove(&key);
                }
            }
        }
        if let Some(first) = bindings.iter().map(|binding| binding.deadline(self.grace)).min() {
            self.deadlines.remove(&(first, aor.to_vec()));
        }
        bindings
    }

    /// Marks the bindings on a closed connection as lost. They end when the grace is over.
    pub(crate) fn flow_closed(&mut self, now: Instant, flow: &Flow) {
        for aor in self.by_connection.remove(&flow.connection).unwrap_or_default() {
            let mut bindings = self.remove(&aor);
            for binding in &mut bindings {
                if binding.flow.connection == flow.connection && binding.flow.transport.is_reliable() {
                    binding.lost.get_or_insert(now);
                }
            }
            self.replace(&aor, bindings);
        }
    }

    /// When the next binding ends.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Takes out the bindings of one address-of-record whose time is over. Call until it says `None`.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Ended> {
        let (at, aor) = self.deadlines.first()?;
        if *at > now {
            return None;
        }
        let aor = aor.clone();
        let grace = self.grace;
        let (gone, left) =
            self.remove(&aor).into_iter().partition(|binding: &Binding| binding.deadline(grace) <= now);
        self.replace(&aor, left);
        Some(Ended { aor, gone })
    }

    /// The binding whose contact is `uri`: one that can be reached now before one that cannot.
    pub(crate) fn find_contact(&self, now: Instant, uri: &[u8]) -> Option<(&[u8], &Binding)> {
        let owners = self.by_contact.get(&contact_key(uri)?)?;
        let wanted = contact_key(uri);
        let mut found: Option<(&[u8], &Binding)> = None;
        for owner in owners {
            for binding in self.get(owner).iter().filter(|binding| contact_key(&binding.contact) == wanted) {
                let better = found.is_none_or(|(_, other)| {
                    (binding.is_reachable(now), binding.expires) > (other.is_reachable(now), other.expires)
                });
                if better {
                    found = Some((owner.as_slice(), binding));
                }
            }
        }
        found
    }
}

/// What tells contacts apart for the look-up of a Request-URI: user, host, port.
fn contact_key(uri: &[u8]) -> Option<Vec<u8>> {
    let uri = Uri::parse(uri).ok()?;
    let mut key = uri.user().map(super::address_of_record::unescape).unwrap_or_default();
    key.push(b'@');
    key.extend_from_slice(&host_text(uri.host()));
    if let Some(port) = uri.port() {
        key.push(b':');
        key.extend_from_slice(&port.to_be_bytes());
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::super::binding::tests::binding;
    use super::*;
    use sip::Transport;

    const GRACE: Duration = Duration::from_secs(30);

    #[test]
    fn a_contact_is_found_by_its_uri_whatever_its_parameters() {
        let mut location = Location::new(GRACE);
        location
            .replace(b"bob@example.com", vec![binding("sip:x1@abc.invalid;transport=ws", Transport::Ws, 4)]);
        let (aor, found) = location.find_contact(Instant::ZERO, b"sip:x1@ABC.invalid").unwrap();
        assert_eq!((aor, found.flow.connection), (&b"bob@example.com"[..], ConnectionId(4)));
        assert!(location.find_contact(Instant::ZERO, b"sip:x2@abc.invalid").is_none());
    }

    #[test]
    fn a_binding_outlives_its_connection_by_the_grace() {
        let mut location = Location::new(GRACE);
        let websocket = binding("sip:x1@abc.invalid;transport=ws", Transport::Ws, 4);
        location.replace(b"bob@example.com", vec![websocket.clone()]);
        location.flow_closed(Instant::from_secs(10), &websocket.flow);
        assert!(!location.get(b"bob@example.com")[0].is_reachable(Instant::from_secs(10)));
        assert_eq!(location.next_deadline(), Some(Instant::from_secs(40)));
        assert!(location.expire(Instant::from_secs(39)).is_none());
        assert_eq!(location.expire(Instant::from_secs(40)).unwrap().gone.len(), 1);
        assert_eq!(location.len(), 0);
        assert!(location.by_contact.is_empty() && location.by_connection.is_empty());
        assert!(location.deadlines.is_empty());
    }

    #[test]
    fn only_what_is_over_expires() {
        let mut location = Location::new(GRACE);
        let early = binding("sip:a@192.0.2.1", Transport::Udp, 0);
        let mut late = binding("sip:b@192.0.2.1", Transport::Udp, 0);
        late.expires = Instant::from_secs(2000);
        location.replace(b"bob@example.com", vec![early, late]);
        let ended = location.expire(Instant::from_secs(1000)).unwrap();
        assert_eq!(ended.gone[0].contact, b"sip:a@192.0.2.1");
        assert_eq!(location.get(b"bob@example.com").len(), 1);
        assert_eq!(location.next_deadline(), Some(Instant::from_secs(2000)));
    }
}
