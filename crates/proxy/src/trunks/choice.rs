//! Which server of a group is asked first (RFC 2782: by priority, within one by weight), and which ones last.

use core::time::Duration;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sip::Instant;

use super::settings::{Group, Server};

/// How many servers are remembered.
const PLACES: usize = 4096;

/// The servers that failed lately, for all event loops.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// How many there are: where none is, nothing is locked.
    count: AtomicUsize,
    ill: Mutex<HashMap<String, Ill>>,
}

/// Why a server is asked last.
#[derive(Clone, Copy, Debug)]
struct Ill {
    until: Instant,
    /// It has said so itself.
    said: bool,
}

impl Health {
    /// Puts a server aside for so long; whether it was not yet.
    pub(crate) fn avoid(&self, now: Instant, server: &Server, span: Duration, said: bool) -> bool {
        let mut ill = self.ill();
        if ill.len() >= PLACES {
            ill.retain(|_, place| place.until > now);
        }
        let before = if ill.len() < PLACES {
            ill.insert(server.to_string(), Ill { until: now + span, said })
        } else {
            None
        };
        self.count.store(ill.len(), Ordering::Relaxed);
        before.is_none_or(|before| before.until <= now)
    }

    /// It works; whether it was aside.
    pub(crate) fn works(&self, server: &Server) -> bool {
        if self.count.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let mut ill = self.ill();
        let before = ill.remove(&server.to_string());
        self.count.store(ill.len(), Ordering::Relaxed);
        before.is_some()
    }

    /// Whether it is asked after the others.
    fn is_ill(&self, now: Instant, server: &Server) -> bool {
        self.count.load(Ordering::Relaxed) != 0
            && self.ill().get(&server.to_string()).is_some_and(|place| place.until > now)
    }

    /// Whether it has said itself that it is not to be asked.
    pub(crate) fn has_said(&self, now: Instant, server: &Server) -> bool {
        !self.is_empty()
            && self.ill().get(&server.to_string()).is_some_and(|place| place.said && place.until > now)
    }

    /// Whether none has failed.
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    fn ill(&self) -> MutexGuard<'_, HashMap<String, Ill>> {
        self.ill.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The servers of a group in the order in which they are asked. `lot` decides among those of one priority: it is a
/// function of the call, so that all of a call's requests have the same order.
pub(crate) fn arranged<'g>(
    now: Instant,
    group: &'g Group,
    health: &Health,
    lot: u64,
) -> Vec<(usize, &'g Server)> {
    let mut left: Vec<(usize, &Server)> = group.servers.iter().enumerate().collect();
    left.sort_by_key(|(_, server)| server.priority);
    let mut order: Vec<(usize, &Server)> = Vec::with_capacity(left.len());
    let mut lot = lot;
    while let Some(priority) = left.first().map(|(_, server)| server.priority) {
        let count = left.iter().take_while(|(_, server)| server.priority == priority).count();
        let place = draw(left.get(..count).unwrap_or_default(), lot);
        order.push(left.remove(place));
        // Another number for the next draw: the steps of SplitMix64.
        lot = (lot ^ (lot >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        lot ^= lot >> 31;
    }
    let (ill, well): (Vec<_>, Vec<_>) = order.into_iter().partition(|(_, server)| health.is_ill(now, server));
    well.into_iter().chain(ill).collect()
}

/// Draws one of them by weight.
fn draw(servers: &[(usize, &Server)], lot: u64) -> usize {
    let sum: u64 = servers.iter().map(|(_, server)| u64::from(server.weight)).sum();
    if sum == 0 {
        return usize::try_from(lot % servers.len().max(1) as u64).unwrap_or(0);
    }
    let mut rest = lot % sum;
    for (place, (_, server)) in servers.iter().enumerate() {
        match rest.checked_sub(u64::from(server.weight)) {
            Some(less) => rest = less,
            None => return place,
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::super::settings::Incoming;
    use super::*;

    fn group(servers: &[(&str, u16, u16)]) -> Group {
        let server = |(host, priority, weight): &(&str, u16, u16)| Server {
            host: (*host).to_owned(),
            port: None,
            transport: None,
            priority: *priority,
            weight: *weight,
        };
        Group {
            name: "pstn".to_owned(),
            servers: servers.iter().map(server).collect(),
            domain: None,
            addresses: Vec::new(),
            certificates: Vec::new(),
            trusted: false,
            incoming: Incoming::Users,
            incoming_to: None,
            probe: None,
            account: None,
            signing: None,
            verification: crate::stir::Verification::Off,
        }
    }

    fn hosts(group: &Group, health: &Health, lot: u64) -> String {
        arranged(Instant::ZERO, group, health, lot).iter().map(|(_, server)| server.host.as_str()).collect()
    }

    #[test]
    fn the_lowest_priority_is_first_and_within_one_the_weights_decide() {
        let group = group(&[("z", 2, 1), ("a", 1, 3), ("b", 1, 1)]);
        let mut counts = HashMap::new();
        for lot in 0..4000_u64 {
            let lot = lot.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 3;
            *counts.entry(hosts(&group, &Health::default(), lot)).or_insert(0) += 1;
        }
        let count = |order: &str| counts.get(order).copied().unwrap_or(0);
        assert_eq!(count("abz") + count("baz"), 4000, "{counts:?}");
        assert!((2850..3150).contains(&count("abz")), "{counts:?}");
    }

    #[test]
    fn what_failed_is_asked_last_whatever_its_priority() {
        let group = group(&[("a", 1, 1), ("b", 2, 1)]);
        let health = Health::default();
        health.avoid(Instant::ZERO, &group.servers[0], Duration::from_secs(60), false);
        assert_eq!(hosts(&group, &health, 7), "ba");
        health.works(&group.servers[0]);
        assert_eq!(hosts(&group, &health, 7), "ab");
    }

    #[test]
    fn servers_without_weight_share_alike() {
        let group = group(&[("a", 1, 0), ("b", 1, 0)]);
        assert_eq!(hosts(&group, &Health::default(), 0), "ab");
        assert_eq!(hosts(&group, &Health::default(), 1), "ba");
    }
}
