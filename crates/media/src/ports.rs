//! The ports for phones: pairs of an even port for RTP and the next for RTCP (RFC 3550 §11).

use crate::bad_ports::is_bad_port;
use sip::Entropy;
use std::collections::VecDeque;
use std::ops::RangeInclusive;

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
            .filter(|port| !is_bad_port(*port) && !is_bad_port(port.saturating_add(1)))
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
