//! Deadlines in the order of time: which of many things is due next.
//!
//! Each thing is a small number, its slot (such as its index in a table), and has at most one deadline. Setting,
//! moving and cancelling a deadline cost O(log n); the next one costs nothing to read. Equal deadlines come out in
//! the order in which they were set, so that a run under virtual time always replays.

use crate::time::Instant;

/// The place of a slot that has no deadline.
const ABSENT: u32 = u32::MAX;

/// A binary heap of deadlines that knows where each slot's entry is.
#[derive(Clone, Debug, Default)]
pub struct Deadlines {
    heap: Vec<Entry>,
    /// By slot: the place in `heap`, or [`ABSENT`].
    places: Vec<u32>,
    /// Counts the calls of `set`: the tie-breaker.
    sequence: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at: Instant,
    sequence: u64,
    slot: u32,
}

impl Deadlines {
    /// No deadlines.
    #[must_use]
    pub const fn new() -> Self {
        Self { heap: Vec::new(), places: Vec::new(), sequence: 0 }
    }

    /// Sets the deadline of `slot`, in place of the one it may have. [`Instant::NEVER`] cancels.
    ///
    /// Memory is taken for every number up to the highest slot: slots are indices, not identities.
    pub fn set(&mut self, slot: u32, at: Instant) {
        if at == Instant::NEVER {
            self.cancel(slot);
            return;
        }
        self.sequence += 1;
        let entry = Entry { at, sequence: self.sequence, slot };
        match self.place(slot) {
            Some(place) => {
                if let Some(held) = self.heap.get_mut(place) {
                    *held = entry;
                }
                let place = self.rise(place);
                self.sink(place);
            }
            None => {
                let needed = slot as usize + 1;
                if self.places.len() < needed {
                    self.places.resize(needed, ABSENT);
                }
                self.heap.push(entry);
                let place = self.heap.len() - 1;
                self.note(place);
                self.rise(place);
            }
        }
    }

    /// Takes the deadline of `slot` away, if it has one.
    pub fn cancel(&mut self, slot: u32) {
        let Some(place) = self.place(slot) else { return };
        self.heap.swap_remove(place);
        if let Some(held) = self.places.get_mut(slot as usize) {
            *held = ABSENT;
        }
        if place < self.heap.len() {
            self.note(place);
            let place = self.rise(place);
            self.sink(place);
        }
    }

    /// The deadline of `slot`.
    #[must_use]
    pub fn get(&self, slot: u32) -> Option<Instant> {
        self.place(slot).and_then(|place| self.heap.get(place)).map(|entry| entry.at)
    }

    /// The earliest deadline.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.heap.first().map(|entry| entry.at)
    }

    /// Takes the earliest deadline if it is due at `now`, and gives its slot.
    pub fn pop(&mut self, now: Instant) -> Option<u32> {
        let first = *self.heap.first()?;
        if first.at > now {
            return None;
        }
        self.cancel(first.slot);
        Some(first.slot)
    }

    /// How many slots have a deadline.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether no slot has a deadline.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    fn place(&self, slot: u32) -> Option<usize> {
        self.places.get(slot as usize).copied().filter(|place| *place != ABSENT).map(|place| place as usize)
    }

    /// Writes down where the entry at `place` is now.
    fn note(&mut self, place: usize) {
        let Some(entry) = self.heap.get(place) else { return };
        if let Some(held) = self.places.get_mut(entry.slot as usize) {
            *held = u32::try_from(place).unwrap_or(ABSENT);
        }
    }

    fn exchange(&mut self, one: usize, other: usize) {
        self.heap.swap(one, other);
        self.note(one);
        self.note(other);
    }

    /// Moves the entry at `place` towards the front as far as it belongs, and gives its new place.
    fn rise(&mut self, mut place: usize) -> usize {
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.heap.get(parent) <= self.heap.get(place) {
                break;
            }
            self.exchange(parent, place);
            place = parent;
        }
        place
    }

    /// Moves the entry at `place` towards the back as far as it belongs.
    fn sink(&mut self, mut place: usize) {
        loop {
            let mut least = place;
            for child in [place * 2 + 1, place * 2 + 2] {
                if child < self.heap.len() && self.heap.get(child) < self.heap.get(least) {
                    least = child;
                }
            }
            if least == place {
                return;
            }
            self.exchange(least, place);
            place = least;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::{Entropy, SeededEntropy};
    use std::collections::BTreeMap;

    #[test]
    fn the_earliest_deadline_comes_first_and_never_before_its_time() {
        let mut deadlines = Deadlines::new();
        deadlines.set(7, Instant::from_millis(30));
        deadlines.set(1, Instant::from_millis(10));
        deadlines.set(4, Instant::from_millis(20));
        assert_eq!(deadlines.next(), Some(Instant::from_millis(10)));
        assert_eq!(deadlines.pop(Instant::from_millis(9)), None);
        assert_eq!(deadlines.pop(Instant::from_millis(25)), Some(1));
        assert_eq!(deadlines.pop(Instant::from_millis(25)), Some(4));
        assert_eq!(deadlines.pop(Instant::from_millis(25)), None);
        assert_eq!(deadlines.get(7), Some(Instant::from_millis(30)));
    }

    #[test]
    fn equal_deadlines_come_in_the_order_in_which_they_were_set() {
        let mut deadlines = Deadlines::new();
        for slot in [5, 3, 9, 1] {
            deadlines.set(slot, Instant::from_millis(1));
        }
        deadlines.set(3, Instant::from_millis(1));
        let order: Vec<u32> = std::iter::from_fn(|| deadlines.pop(Instant::from_millis(1))).collect();
        assert_eq!(order, [5, 9, 1, 3]);
    }

    #[test]
    fn never_is_no_deadline() {
        let mut deadlines = Deadlines::new();
        deadlines.set(0, Instant::from_millis(1));
        deadlines.set(0, Instant::NEVER);
        deadlines.set(1, Instant::NEVER);
        assert!(deadlines.is_empty());
        assert_eq!(deadlines.next(), None);
    }

    #[test]
    fn a_hundred_thousand_random_steps_agree_with_an_ordered_map() {
        let mut entropy = SeededEntropy::new(17);
        let mut deadlines = Deadlines::new();
        let mut model: BTreeMap<u32, Instant> = BTreeMap::new();
        let mut now = Instant::ZERO;
        for _ in 0..100_000 {
            let slot = (entropy.number() % 64) as u32;
            match entropy.number() % 4 {
                0 | 1 => {
                    let at = now + core::time::Duration::from_micros(entropy.number() % 500);
                    deadlines.set(slot, at);
                    model.insert(slot, at);
                }
                2 => {
                    deadlines.cancel(slot);
                    model.remove(&slot);
                }
                _ => {
                    now += core::time::Duration::from_micros(entropy.number() % 50);
                    while let Some(due) = deadlines.pop(now) {
                        assert!(model.remove(&due).is_some_and(|at| at <= now));
                    }
                    assert!(model.values().all(|at| *at > now));
                }
            }
            assert_eq!(deadlines.len(), model.len());
            assert_eq!(deadlines.next(), model.values().min().copied());
        }
    }
}
