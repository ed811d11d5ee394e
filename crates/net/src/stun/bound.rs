//! How many answers one address gets. Who asks is not known, and the answer is longer than the question: 32 or 44 octets
//! for 20. So nobody's flood is passed on to an address that somebody else has written as his own.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;

/// The answers to one address in one second. A phone asks every half minute, and many may be behind one NAT.
const A_SECOND: u16 = 100;
/// Addresses that are told apart; those beyond share a place with others.
const PLACES: usize = 4096;

/// The answers of the current second, by address.
#[derive(Default)]
pub(crate) struct Bound {
    /// Which address has which place is not for others to know.
    keys: RandomState,
    /// The second, and its answers. Empty before the first question: most sockets never hear one.
    places: Vec<(u64, u16)>,
}

impl Bound {
    /// Whether `source` may get one more at `now`, the time since whenever.
    pub(crate) fn allows(&mut self, now: Duration, source: IpAddr) -> bool {
        if self.places.is_empty() {
            self.places.resize(PLACES, (0, 0));
        }
        let hash = self.keys.hash_one(subscriber(source));
        let Ok(index) = usize::try_from(hash % PLACES as u64) else { return false };
        let Some((second, count)) = self.places.get_mut(index) else { return false };
        if *second != now.as_secs() {
            (*second, *count) = (now.as_secs(), 0);
        }
        *count = count.saturating_add(1);
        *count <= A_SECOND
    }
}

/// The address, or for IPv6 the network of one subscriber (/64), who has more addresses than anybody can count.
fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(bound: &mut Bound, second: u64, source: &str) -> usize {
        let source = source.parse().unwrap();
        (0..1000).filter(|_| bound.allows(Duration::from_secs(second), source)).count()
    }

    #[test]
    fn one_address_gets_so_many_answers_in_a_second_and_the_next_second_as_many_again() {
        let mut bound = Bound::default();
        assert_eq!(allowed(&mut bound, 7, "192.0.2.1"), 100);
        assert_eq!(
            allowed(&mut bound, 7, "::ffff:192.0.2.1"),
            0,
            "the same, as a socket for both families sees it"
        );
        assert_eq!(allowed(&mut bound, 8, "192.0.2.1"), 100);
    }

    #[test]
    fn all_addresses_of_one_subscriber_count_as_one_and_others_are_not_held_up() {
        let mut bound = Bound::default();
        assert_eq!(allowed(&mut bound, 7, "2001:db8:0:1::1"), 100);
        assert_eq!(allowed(&mut bound, 7, "2001:db8:0:1:ffff::2"), 0);
        // Two may share a place; twenty do not.
        let others = (2..22).map(|net| allowed(&mut bound, 7, &format!("2001:db8:0:{net}::1")));
        assert!(others.filter(|answers| *answers == 100).count() > 10);
    }
}
