//! Which node gets a call.
//!
//! Weighted rendezvous hashing: each node draws a number from the call's name and its own, and the highest wins, so
//! that every server with the same configuration thinks the same, and a node that comes or goes moves no other
//! node's calls. Of the two that draw best, the one with less to do gets the call.

use crate::node::{Health, Node};
use sha2::{Digest, Sha256};
use sip::Instant;

/// The node for a call, but none of those in `tried`.
pub(crate) fn choose(nodes: &[Node], call_id: &[u8], tried: &[usize], now: Instant) -> Option<usize> {
    let mut candidates: Vec<(Rank, f64, usize)> = nodes
        .iter()
        .enumerate()
        .filter(|(index, node)| node.health != Health::Down && !tried.contains(index))
        .map(|(index, node)| (Rank::of(node, now), draw(node, call_id), index))
        .collect();
    candidates.sort_by(|one, other| one.0.cmp(&other.0).then(other.1.total_cmp(&one.1)));
    let (rank, _, first) = candidates.first()?;
    let second = candidates.get(1).filter(|(second_rank, ..)| second_rank == rank);
    match second {
        Some((_, _, second)) if load(nodes, *second) < load(nodes, *first) => Some(*second),
        _ => Some(*first),
    }
}

/// The better ones first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Answers,
    /// It may be there: it has not been heard yet.
    Unknown,
    /// It was full a moment ago.
    Limited,
}

impl Rank {
    fn of(node: &Node, now: Instant) -> Self {
        match node.health {
            _ if node.is_limited(now) => Self::Limited,
            Health::Up => Self::Answers,
            _ => Self::Unknown,
        }
    }
}

/// Calls in relation to the weight.
fn load(nodes: &[Node], index: usize) -> f64 {
    nodes.get(index).map_or(0.0, |node| {
        // Exact up to 2^53 calls.
        node.statistics.calls as f64 / f64::from(node.config.weight.max(1))
    })
}

/// A number that grows with the weight and is otherwise up to chance: `-weight / ln(uniform)`.
fn draw(node: &Node, call_id: &[u8]) -> f64 {
    let mut hasher = Sha256::new();
    hasher.update(node.config.address.to_string().as_bytes());
    hasher.update([0]);
    hasher.update(call_id);
    let digest = hasher.finalize();
    let number = digest.iter().take(8).fold(0u64, |number, octet| (number << 8) | u64::from(*octet));
    // Between 0 and 1, neither of them reached.
    let uniform = ((number >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    -f64::from(node.config.weight.max(1)) / uniform.ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::NodeConfig;

    fn nodes(weights: &[u32]) -> Vec<Node> {
        let node = |(index, weight): (usize, &u32)| {
            let address = format!("192.0.2.{}:2223", index + 1).parse().expect("an address");
            let mut node = Node::new(NodeConfig { address, weight: *weight }, Instant::ZERO);
            node.health = Health::Up;
            node
        };
        weights.iter().enumerate().map(node).collect()
    }

    fn spread(nodes: &mut [Node], calls: usize, carried: bool) -> Vec<usize> {
        let mut counts = vec![0; nodes.len()];
        for call in 0..calls {
            let chosen =
                choose(nodes, format!("call {call}").as_bytes(), &[], Instant::ZERO).expect("a node");
            counts[chosen] += 1;
            nodes[chosen].statistics.calls += u64::from(carried);
        }
        counts
    }

    #[test]
    fn calls_spread_by_weight() {
        let counts = spread(&mut nodes(&[1, 3]), 4000, false);
        assert!((700..1300).contains(&counts[0]), "a quarter of 4000 is expected: {counts:?}");
    }

    #[test]
    fn the_less_loaded_of_two_gets_the_call() {
        let counts = spread(&mut nodes(&[1, 1, 1]), 3000, true);
        assert!(counts.iter().all(|count| (990..=1010).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_node_that_dies_moves_no_other_nodes_calls() {
        let (whole, mut less) = (nodes(&[1, 1, 1]), nodes(&[1, 1, 1]));
        less[2].health = Health::Down;
        for call in 0..200 {
            let name = format!("call {call}");
            let before = choose(&whole, name.as_bytes(), &[], Instant::ZERO).expect("a node");
            let after = choose(&less, name.as_bytes(), &[], Instant::ZERO).expect("a node");
            assert!(before == 2 || before == after);
        }
    }

    #[test]
    fn one_that_is_full_or_unheard_of_comes_last_and_a_dead_one_never() {
        let mut nodes = nodes(&[1, 1, 1]);
        nodes[0].limited_until = Instant::from_secs(5);
        nodes[1].health = Health::Unknown;
        nodes[2].health = Health::Down;
        assert_eq!(choose(&nodes, b"one", &[], Instant::ZERO), Some(1));
        assert_eq!(choose(&nodes, b"one", &[1], Instant::ZERO), Some(0));
        assert_eq!(choose(&nodes, b"one", &[0, 1], Instant::ZERO), None);
    }
}
