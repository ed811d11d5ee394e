//! Whom a request counts against.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::Pieces;

/// Whoever is behind an address: an IPv4 address, or the /64 that an IPv6 subscriber has to himself, since he could
/// take another address of it for every try.
pub(crate) fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address => address,
    }
}

/// Requests in progress, in all and from each subscriber.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    total: AtomicUsize,
    subscribers: Pieces<IpAddr, usize>,
}

impl Sources {
    pub(crate) fn count(&self, address: IpAddr) -> usize {
        let subscriber = subscriber(address);
        self.subscribers.read(&subscriber).get(&subscriber).copied().unwrap_or(0)
    }

    /// From everybody.
    pub(crate) fn total(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.total() == 0 && self.subscribers.is_empty()
    }

    pub(crate) fn enter(&self, address: IpAddr) {
        let subscriber = subscriber(address);
        self.total.fetch_add(1, Ordering::Relaxed);
        *self.subscribers.write(&subscriber).entry(subscriber).or_default() += 1;
    }

    pub(crate) fn leave(&self, address: IpAddr) {
        let subscriber = subscriber(address);
        let mut subscribers = self.subscribers.write(&subscriber);
        if let Some(count) = subscribers.get_mut(&subscriber) {
            self.total.fetch_sub(1, Ordering::Relaxed);
            *count = count.saturating_sub(1);
            if *count == 0 {
                subscribers.remove(&subscriber);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_one_subscriber_count_together() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let sources = Sources::default();
        sources.enter(address("2001:db8:1:2::3"));
        sources.enter(address("2001:db8:1:2:ffff::9"));
        sources.enter(address("192.0.2.1"));
        sources.enter(address("::ffff:192.0.2.1"));
        assert_eq!(sources.count(address("2001:db8:1:2::")), 2);
        assert_eq!(sources.count(address("2001:db8:1:3::3")), 0);
        assert_eq!(sources.count(address("192.0.2.1")), 2);
        assert_eq!(sources.count(address("192.0.2.2")), 0);
        for text in ["2001:db8:1:2::3", "2001:db8:1:2::4", "192.0.2.1", "192.0.2.1"] {
            sources.leave(address(text));
        }
        assert!(sources.is_empty());
    }
}
