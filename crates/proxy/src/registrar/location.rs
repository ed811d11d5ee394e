//! The table of bindings: by address-of-record, by connection, by contact, and by the time they end.
//!
//! Every event loop looks into the same records. Only the loop that owns an address-of-record changes its record, and
//! it alone keeps what else is known of it: the connections that the bindings are on, and when they end.

use core::ops::Deref;
use core::time::Duration;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sip::uri::Uri;
use sip::{ConnectionId, Deadlines, Flow, Instant, Slot, Slots};

use super::address_of_record::{write_host, write_unescaped};
use super::binding::Binding;
use crate::common::{Common, Pieces};

/// The bindings of all addresses-of-record.
#[derive(Debug, Default)]
pub(crate) struct Records {
    bindings: Pieces<Vec<u8>, Record>,
    /// The addresses-of-record that have a binding of that contact.
    by_contact: Pieces<Vec<u8>, Vec<Vec<u8>>>,
    count: AtomicUsize,
}

/// The bindings of one address-of-record.
#[derive(Debug)]
struct Record {
    bindings: Arc<[Binding]>,
    /// Its place in the [`Location`] of the loop that owns it.
    slot: Slot,
}

/// All bindings, as one event loop sees them.
#[derive(Debug)]
pub(crate) struct Location {
    grace: Duration,
    common: Common,
    by_connection: HashMap<ConnectionId, BTreeSet<Vec<u8>>>,
    /// The addresses-of-record that this loop owns and that have bindings.
    owned: Slots<Vec<u8>>,
    /// When the first binding of each ends.
    deadlines: Deadlines,
}

/// The bindings of one address-of-record, as they were when they were asked for.
#[derive(Clone, Debug)]
pub(crate) struct Bindings(Option<Arc<[Binding]>>);

impl Deref for Bindings {
    type Target = [Binding];

    fn deref(&self) -> &[Binding] {
        self.0.as_deref().unwrap_or_default()
    }
}

/// A binding that was found by its contact.
#[derive(Debug)]
pub(crate) struct Found {
    /// Whose it is.
    pub(crate) aor: Vec<u8>,
    bindings: Arc<[Binding]>,
    place: usize,
}

impl Found {
    /// The binding.
    pub(crate) fn binding(&self) -> Option<&Binding> {
        self.bindings.get(self.place)
    }
}

/// The bindings of one address-of-record that ended, and those that are left.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) aor: Vec<u8>,
    pub(crate) gone: Vec<Binding>,
}

impl Location {
    /// The table; a binding outlives its connection by `grace`.
    pub(crate) fn new(grace: Duration, common: &Common) -> Self {
        Self {
            grace,
            common: common.clone(),
            by_connection: HashMap::new(),
            owned: Slots::new(),
            deadlines: Deadlines::new(),
        }
    }

    fn records(&self) -> &Records {
        &self.common.0.records
    }

    /// Another grace: when each binding ends that this loop owns is worked out anew.
    pub(crate) fn regrace(&mut self, grace: Duration) {
        if grace == self.grace {
            return;
        }
        self.grace = grace;
        for (slot, aor) in self.owned.iter() {
            let first = first_deadline(&self.get(aor), grace);
            self.deadlines.set(slot.index(), first);
        }
    }

    /// How many bindings there are.
    pub(crate) fn len(&self) -> usize {
        self.records().count.load(Ordering::Relaxed)
    }

    /// The bindings of `aor`, also those that cannot be reached at present.
    pub(crate) fn get(&self, aor: &[u8]) -> Bindings {
        Bindings(self.records().bindings.read(aor).get(aor).map(|record| Arc::clone(&record.bindings)))
    }

    /// Puts `bindings` in the place of those that `aor` has. To be called on the event loop that owns `aor`.
    pub(crate) fn replace(&mut self, aor: &[u8], mut bindings: Vec<Binding>) {
        if self.refresh(aor, &mut bindings) {
            return;
        }
        let before = self.get(aor);
        self.forget(aor, &before);
        for binding in &bindings {
            if binding.lost.is_none() && binding.flow.transport.is_reliable() {
                self.by_connection.entry(binding.flow.connection).or_default().insert(aor.to_vec());
            }
        }
        let first = first_deadline(&bindings, self.grace);
        let records = &self.common.0.records;
        records.count.fetch_add(bindings.len(), Ordering::Relaxed);
        // A contact that stays is found at every moment: first the new ones are added, then the old ones go.
        for key in bindings.iter().filter_map(|binding| contact_key(&binding.contact)) {
            let mut contacts = records.by_contact.write(&key);
            let owners = contacts.entry(key).or_default();
            if !owners.iter().any(|owner| owner == aor) {
                owners.push(aor.to_vec());
            }
        }
        let stays = |key: &[u8]| {
            bindings.iter().any(|binding| contact_key(&binding.contact).is_some_and(|other| other == key))
        };
        let gone = before.iter().filter_map(|binding| contact_key(&binding.contact));
        for key in gone.filter(|key| !stays(key)).collect::<Vec<_>>() {
            let mut contacts = records.by_contact.write(&key);
            if let Some(owners) = contacts.get_mut(&key) {
                owners.retain(|owner| owner != aor);
                if owners.is_empty() {
                    contacts.remove(&key);
                }
            }
        }
        let mut records = records.bindings.write(aor);
        if bindings.is_empty() {
            if let Some(record) = records.remove(aor) {
                self.owned.remove(record.slot);
                self.deadlines.cancel(record.slot.index());
            }
        } else if let Some(record) = records.get_mut(aor) {
            record.bindings = bindings.into();
            self.deadlines.set(record.slot.index(), first);
        } else {
            let slot = self.owned.insert(aor.to_vec());
            self.deadlines.set(slot.index(), first);
            records.insert(aor.to_vec(), Record { bindings: bindings.into(), slot });
        }
    }

    /// Puts `bindings` in the place of those that `aor` has, if nothing but their times is new: then they are where
    /// they were, and found as they were.
    fn refresh(&mut self, aor: &[u8], bindings: &mut [Binding]) -> bool {
        let mut records = self.common.0.records.bindings.write(aor);
        let Some(record) = records.get_mut(aor) else { return false };
        let is_same = |one: &Binding, other: &Binding| {
            Arc::ptr_eq(&one.registered, &other.registered) && one.lost == other.lost
        };
        let stays = |old: &Binding| bindings.iter().any(|new| is_same(old, new));
        if bindings.len() != record.bindings.len() || !record.bindings.iter().all(stays) {
            return false;
        }
        self.deadlines.set(record.slot.index(), first_deadline(bindings, self.grace));
        match Arc::get_mut(&mut record.bindings) {
            Some(place) => place.swap_with_slice(bindings),
            // Somebody is looking at them.
            None => record.bindings = (&*bindings).into(),
        }
        true
    }

    /// Forgets what this loop keeps beside the record.
    fn forget(&mut self, aor: &[u8], before: &[Binding]) {
        self.records().count.fetch_sub(before.len(), Ordering::Relaxed);
        for binding in before {
            if let Some(owners) = self.by_connection.get_mut(&binding.flow.connection) {
                owners.remove(aor);
                if owners.is_empty() {
                    self.by_connection.remove(&binding.flow.connection);
                }
            }
        }
    }

    /// Marks the bindings on a closed connection as lost. They end when the grace is over.
    pub(crate) fn flow_closed(&mut self, now: Instant, flow: &Flow) {
        for aor in self.by_connection.remove(&flow.connection).unwrap_or_default() {
            let mut bindings = self.get(&aor).to_vec();
            for binding in &mut bindings {
                if binding.flow.connection == flow.connection && binding.flow.transport.is_reliable() {
                    binding.lost.get_or_insert(now);
                }
            }
            self.replace(&aor, bindings);
        }
    }

    /// When the next binding ends that this loop owns.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// Takes out the bindings of one address-of-record whose time is over. Call until it says `None`.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Ended> {
        let index = self.deadlines.pop(now)?;
        let aor = self.owned.get(self.owned.slot_at(index)?)?.clone();
        let (gone, left) =
            self.get(&aor).iter().cloned().partition(|binding: &Binding| binding.deadline(self.grace) <= now);
        self.replace(&aor, left);
        Some(Ended { aor, gone })
    }

    /// The binding whose contact is `uri`: one that can be reached now before one that cannot.
    pub(crate) fn find_contact(&self, now: Instant, uri: &Uri<'_>) -> Option<Found> {
        let wanted = key_of(uri);
        let owners = self.records().by_contact.read(&wanted).get(&wanted)?.clone();
        let mut best: Option<(bool, Instant, Found)> = None;
        for owner in owners {
            let Bindings(Some(bindings)) = self.get(&owner) else { continue };
            for (place, binding) in bindings.iter().enumerate() {
                let (reachable, expires) = (binding.is_reachable(now), binding.expires);
                let better = best.as_ref().is_none_or(|best| (reachable, expires) > (best.0, best.1));
                if better && contact_key(&binding.contact).as_ref() == Some(&wanted) {
                    let found = Found { aor: owner.clone(), bindings: Arc::clone(&bindings), place };
                    best = Some((reachable, expires, found));
                }
            }
        }
        best.map(|(_, _, found)| found)
    }
}

/// When the first of them ends; never if there is none.
fn first_deadline(bindings: &[Binding], grace: Duration) -> Instant {
    bindings.iter().map(|binding| binding.deadline(grace)).min().unwrap_or(Instant::NEVER)
}

/// What tells contacts apart for the look-up of a Request-URI: user, host, port.
fn contact_key(uri: &[u8]) -> Option<Vec<u8>> {
    Uri::parse(uri).ok().map(|uri| key_of(&uri))
}

fn key_of(uri: &Uri<'_>) -> Vec<u8> {
    let mut key = Vec::with_capacity(uri.as_bytes().len());
    write_unescaped(&mut key, uri.user().unwrap_or_default());
    key.push(b'@');
    write_host(&mut key, uri.host());
    if let Some(port) = uri.port() {
        key.push(b':');
        key.extend_from_slice(&port.to_be_bytes());
    }
    key
}

#[cfg(test)]
mod tests {
    use super::super::binding::tests::binding;
    use super::*;
    use sip::Transport;

    const GRACE: Duration = Duration::from_secs(30);

    #[test]
    fn a_contact_is_found_by_its_uri_whatever_its_parameters() {
        let common = Common::new(1, &mut sip::SeededEntropy::new(1));
        let mut location = Location::new(GRACE, &common);
        location
            .replace(b"bob@example.com", vec![binding("sip:x1@abc.invalid;transport=ws", Transport::Ws, 4)]);
        let found =
            location.find_contact(Instant::ZERO, &Uri::parse(b"sip:x1@ABC.invalid").unwrap()).unwrap();
        assert_eq!(found.aor, b"bob@example.com");
        assert_eq!(found.binding().unwrap().flow.connection, ConnectionId(4));
        assert!(location.find_contact(Instant::ZERO, &Uri::parse(b"sip:x2@abc.invalid").unwrap()).is_none());
    }

    #[test]
    fn a_binding_outlives_its_connection_by_the_grace() {
        let common = Common::new(1, &mut sip::SeededEntropy::new(1));
        let mut location = Location::new(GRACE, &common);
        let websocket = binding("sip:x1@abc.invalid;transport=ws", Transport::Ws, 4);
        location.replace(b"bob@example.com", vec![websocket.clone()]);
        location.flow_closed(Instant::from_secs(10), &websocket.flow);
        assert!(!location.get(b"bob@example.com")[0].is_reachable(Instant::from_secs(10)));
        assert_eq!(location.next_deadline(), Some(Instant::from_secs(40)));
        assert!(location.expire(Instant::from_secs(39)).is_none());
        assert_eq!(location.expire(Instant::from_secs(40)).unwrap().gone.len(), 1);
        assert_eq!(location.len(), 0);
        assert!(location.records().by_contact.is_empty() && location.records().bindings.is_empty());
        assert!(location.by_connection.is_empty());
        assert!(location.deadlines.is_empty() && location.owned.is_empty());
    }

    #[test]
    fn a_refresh_moves_the_end_and_nothing_else() {
        let common = Common::new(1, &mut sip::SeededEntropy::new(1));
        let mut location = Location::new(GRACE, &common);
        let (one, mut other) =
            (binding("sip:a@192.0.2.1", Transport::Ws, 4), binding("sip:b@192.0.2.1", Transport::Ws, 5));
        location.replace(b"bob@example.com", vec![one.clone(), other.clone()]);
        for (round, seconds) in [(1, 3000), (2, 2000)] {
            other.expires = Instant::from_secs(seconds);
            // Once while nobody has hold of them, and once while somebody has.
            let held = (round == 2).then(|| location.get(b"bob@example.com"));
            location.replace(b"bob@example.com", vec![other.clone(), one.clone()]);
            drop(held);
            let expiries: Vec<_> = location.get(b"bob@example.com").iter().map(|it| it.expires).collect();
            assert_eq!(expiries, [Instant::from_secs(seconds), Instant::from_secs(1000)]);
            assert_eq!(location.len(), 2);
        }
        assert_eq!(location.expire(Instant::from_secs(1000)).unwrap().gone, [one]);
        assert!(location.expire(Instant::from_secs(1999)).is_none());
        assert_eq!(location.expire(Instant::from_secs(2000)).unwrap().gone, [other]);
        assert!(location.by_connection.is_empty() && location.owned.is_empty());
    }

    #[test]
    fn a_binding_that_is_found_again_on_a_new_connection_is_no_mere_refresh() {
        let common = Common::new(1, &mut sip::SeededEntropy::new(1));
        let mut location = Location::new(GRACE, &common);
        let before = binding("sip:a@192.0.2.1", Transport::Ws, 4);
        location.replace(b"bob@example.com", vec![before.clone()]);
        location.flow_closed(Instant::from_secs(10), &before.flow);
        location.replace(b"bob@example.com", vec![binding("sip:a@192.0.2.1", Transport::Ws, 5)]);
        assert_eq!(location.next_deadline(), Some(Instant::from_secs(1000)));
        assert_eq!(location.by_connection.keys().collect::<Vec<_>>(), [&ConnectionId(5)]);
    }

    #[test]
    fn only_what_is_over_expires() {
        let common = Common::new(1, &mut sip::SeededEntropy::new(1));
        let mut location = Location::new(GRACE, &common);
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
