//! The ports for phones: pairs of an even port for RTP and the next for RTCP (RFC 3550 §11).

use sip::Entropy;
use std::collections::VecDeque;
use std::ops::RangeInclusive;

/// The bad ports of the Fetch standard (section "Port blocking"). Browsers apply them to ICE too, silently.
const BAD_PORTS: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103,
    104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514,
    515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723,
    2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];

/// Whether no browser sends to this port.
pub(crate) fn is_bad(port: u16) -> bool {
    BAD_PORTS.binary_search(&port).is_ok()
}

/// The free pairs of a range, the longest unused first: a straggler of an old call finds a closed port, not the
/// next call.
#[derive(Debug)]
pub(crate) struct Ports {
    free: VecDeque<u16>,
}

impl Ports {
    /// All pairs of the range, in random order.
    pub(crate) fn new(range: &RangeInclusive<u16>, entropy: &mut dyn Entropy) -> Self {
        let mut free: Vec<u16> = range
            .clone()
            .filter(|port| port % 2 == 0 && *port < *range.end())
            .filter(|port| !is_bad(*port) && !is_bad(port.saturating_add(1)))
            .collect();
        for last in (1..free.len()).rev() {
            let span = u64::try_from(last).unwrap_or(0).saturating_add(1);
            free.swap(last, usize::try_from(entropy.number() % span).unwrap_or(0));
        }
        Self { free: free.into() }
    }

    /// A pair, by its even port.
    pub(crate) fn take(&mut self) -> Option<u16> {
        self.free.pop_front()
    }

    /// Gives a pair back.
    pub(crate) fn give_back(&mut self, port: u16) {
        self.free.push_back(port);
    }

    /// How many pairs are free.
    pub(crate) fn free(&self) -> usize {
        self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip::SeededEntropy;

    #[test]
    fn pairs_are_even_inside_the_range_and_never_bad_for_a_browser() {
        assert!(BAD_PORTS.is_sorted());
        let mut ports = Ports::new(&(5058..=5065), &mut SeededEntropy::new(1));
        let mut pairs =
            vec![ports.take().expect("a pair"), ports.take().expect("a pair"), ports.take().expect("a pair")];
        pairs.sort_unstable();
        assert_eq!(pairs, [5058, 5062, 5064], "5060 and 5061 are bad ports");
        assert_eq!(ports.take(), None);
    }

    #[test]
    fn a_pair_that_does_not_fit_is_no_pair() {
        assert_eq!(Ports::new(&(30000..=30002), &mut SeededEntropy::new(1)).free(), 1);
        assert_eq!(Ports::new(&(30001..=30001), &mut SeededEntropy::new(1)).free(), 0);
    }

    #[test]
    fn a_pair_given_back_is_the_last_to_be_used_again() {
        let mut ports = Ports::new(&(30000..=30005), &mut SeededEntropy::new(7));
        let first = ports.take().expect("three pairs");
        ports.give_back(first);
        assert_ne!(ports.take(), Some(first));
        assert_ne!(ports.take(), Some(first));
        assert_eq!(ports.take(), Some(first));
    }
}
