//! How far an address is known, and which of several addresses is near to another: which of ours has the way to a peer, as
//! far as addresses alone tell (RFC 6724 §5).

use core::net::{IpAddr, Ipv4Addr};

/// How far an address is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// On its link, or within the machine.
    Link,
    /// In a private network (RFC 1918, RFC 4193) or behind the NAT of a carrier (RFC 6598).
    Site,
    /// Everywhere.
    World,
}

impl Scope {
    /// That of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) if address.is_loopback() || address.is_link_local() => Self::Link,
            IpAddr::V4(address) if address.is_private() || is_shared(address) => Self::Site,
            IpAddr::V6(address) if address.is_loopback() || address.is_unicast_link_local() => Self::Link,
            IpAddr::V6(address) if address.is_unique_local() => Self::Site,
            _ => Self::World,
        }
    }
}

/// RFC 6598: 100.64.0.0/10.
const fn is_shared(address: Ipv4Addr) -> bool {
    matches!(address.octets(), [100, 64..=127, ..])
}

/// How near two addresses are: the greater, the nearer. Those of different scopes are not near, for a private network is not
/// reached from a public address; of one scope those are nearer that have more leading bits in common (RFC 6724 §5 rule 8), if
/// these are as many as a network's. Fewer are chance.
#[must_use]
pub fn nearness(one: IpAddr, other: IpAddr) -> u32 {
    let (common, network) = match (one.to_canonical(), other.to_canonical()) {
        (IpAddr::V4(one), IpAddr::V4(other)) => ((one.to_bits() ^ other.to_bits()).leading_zeros(), 8),
        (IpAddr::V6(one), IpAddr::V6(other)) => ((one.to_bits() ^ other.to_bits()).leading_zeros(), 32),
        _ => return 0,
    };
    match Scope::of(one) == Scope::of(other) {
        true if common >= network => 1 + common,
        true => 1,
        false => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of two addresses of ours is nearer to a peer, whichever stands first; neither if they are equally far.
    #[track_caller]
    fn nearer<'a>(ours: [&'a str; 2], peer: &str) -> Option<&'a str> {
        let [one, other] = ours.map(|ours| nearness(ours.parse().unwrap(), peer.parse().unwrap()));
        let [first, second] = ours;
        (one != other).then_some(if one > other { first } else { second })
    }

    #[test]
    fn a_private_network_is_reached_from_a_private_address_and_the_internet_from_a_public_one() {
        for [public, private, peer_outside, peer_inside] in [
            ["203.0.113.7", "10.0.0.11", "198.51.100.1", "10.0.0.5"],
            // The public one has more bits in common with that private network.
            ["11.0.0.1", "192.168.1.1", "198.51.100.1", "10.0.0.5"],
            ["203.0.113.7", "100.64.0.1", "198.51.100.1", "100.100.0.1"],
            ["2001:db8::1", "fd00::1", "2001:db8:ffff::1", "fd12::1"],
        ] {
            assert_eq!(nearer([public, private], peer_outside), Some(public), "{peer_outside}");
            assert_eq!(nearer([public, private], peer_inside), Some(private), "{peer_inside}");
        }
    }

    #[test]
    fn of_two_private_networks_the_peers_own_is_nearer() {
        let ours = ["10.0.0.11", "192.168.1.11"];
        assert_eq!(nearer(ours, "192.168.1.5"), Some(ours[1]));
        assert_eq!(nearer(ours, "10.200.0.5"), Some(ours[0]));
        let ours = ["192.168.1.11", "192.168.2.11"];
        assert_eq!(nearer(ours, "192.168.2.5"), Some(ours[1]));
    }

    #[test]
    fn a_few_bits_that_happen_to_be_equal_make_no_address_near() {
        assert_eq!(nearer(["203.0.113.7", "64.0.0.1"], "96.0.0.1"), None);
        assert_eq!(nearer(["2001:db8::1", "2a00::1"], "2a01:1::1"), None);
        assert_eq!(nearer(["10.0.0.11", "192.168.1.11"], "172.16.0.5"), None);
    }
}
