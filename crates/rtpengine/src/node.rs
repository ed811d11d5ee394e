//! One rtpengine of the fleet: how it is, and what it has done.

use crate::command::Leg;
use sip::Instant;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

/// A node as the configuration has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeConfig {
    /// Where its ng port is.
    pub address: SocketAddr,
    /// How many calls it gets beside the others: one with 2 gets twice as many as one with 1. Not 0.
    pub weight: u32,
}

/// How a node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// It was asked and has not answered yet.
    #[default]
    Unknown,
    /// It answers.
    Up,
    /// It does not answer.
    Down,
}

/// What a node has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeStatistics {
    /// Calls that it carries now.
    pub calls: u64,
    /// What it was asked, pings not counted.
    pub requests: u64,
    /// Datagrams that were sent again.
    pub retransmissions: u64,
    /// What it never answered.
    pub unanswered: u64,
    /// What it answered with an error.
    pub errors: u64,
    /// How often it took no call because it was full.
    pub load_limits: u64,
    /// From the last question that was answered at once to its answer.
    pub round_trip: Option<Duration>,
}

/// A node, for somebody who looks at the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeStatus {
    /// Where its ng port is.
    pub address: SocketAddr,
    /// How it is.
    pub health: Health,
    /// Whether it said of late that it is full.
    pub limited: bool,
    /// What it has done.
    pub statistics: NodeStatistics,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) config: NodeConfig,
    pub(crate) health: Health,
    /// Full until then.
    pub(crate) limited_until: Instant,
    /// When it is to be pinged next; a ping under way has none.
    pub(crate) ping_at: Instant,
    /// What is to be deleted there once it answers again, the oldest first.
    pub(crate) owed: VecDeque<Leg>,
    pub(crate) statistics: NodeStatistics,
}

impl Node {
    pub(crate) fn new(config: NodeConfig, now: Instant) -> Self {
        Self {
            config,
            health: Health::Unknown,
            limited_until: Instant::ZERO,
            ping_at: now,
            owed: VecDeque::new(),
            statistics: NodeStatistics::default(),
        }
    }

    pub(crate) fn is_limited(&self, now: Instant) -> bool {
        now < self.limited_until
    }

    pub(crate) fn status(&self, now: Instant) -> NodeStatus {
        NodeStatus {
            address: self.config.address,
            health: self.health,
            limited: self.is_limited(now),
            statistics: self.statistics,
        }
    }

    /// Remembers what it must still be told. What is forgotten for want of room ends by rtpengine's own timeouts.
    pub(crate) fn owe(&mut self, leg: Leg) {
        const MOST: usize = 10_000;
        if self.owed.len() == MOST {
            self.owed.pop_front();
        }
        self.owed.push_back(leg);
    }
}
