//! What will happen, in order of time; of two things at one time the one that was planned first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use sip::Instant;

/// Things that will happen.
#[derive(Debug)]
pub(crate) struct Schedule<T> {
    order: BinaryHeap<Reverse<(Instant, u64)>>,
    things: BTreeMap<u64, T>,
    planned: u64,
}

impl<T> Schedule<T> {
    pub(crate) const fn new() -> Self {
        Self { order: BinaryHeap::new(), things: BTreeMap::new(), planned: 0 }
    }

    pub(crate) fn plan(&mut self, at: Instant, thing: T) {
        self.planned += 1;
        self.order.push(Reverse((at, self.planned)));
        self.things.insert(self.planned, thing);
    }

    /// When the next thing happens.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.order.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes back what will not happen.
    pub(crate) fn retain(&mut self, keeps: impl Fn(&T) -> bool) {
        self.things.retain(|_, thing| keeps(thing));
        let things = &self.things;
        self.order.retain(|Reverse((_, number))| things.contains_key(number));
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        let Reverse((_, number)) = self.order.pop()?;
        self.things.remove(&number)
    }
}
