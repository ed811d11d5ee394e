//! Whom a request counts against.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// Whoever is behind an address: an IPv4 address, or the /64 that an IPv6 subscriber has to himself, since he could
/// take another address of it for every try.
pub(crate) fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address => address,
    }
}

/// Requests in progress from each subscriber.
#[derive(Debug, Default)]
pub(crate) struct Sources(HashMap<IpAddr, usize>);

impl Sources {
    pub(crate) fn count(&self, address: IpAddr) -> usize {
        self.0.get(&subscriber(address)).copied().unwrap_or(0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn enter(&mut self, address: IpAddr) {
        *self.0.entry(subscriber(address)).or_default() += 1;
    }

    pub(crate) fn leave(&mut self, address: IpAddr) {
        let subscriber = subscriber(address);
        if let Some(count) = self.0.get_mut(&subscriber) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.0.remove(&subscriber);
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
        let mut sources = Sources::default();
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
