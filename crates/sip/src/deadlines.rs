//! Deadlines in the order of time: which of many things is due next.
//!
//! Each thing is a small number, its slot (such as its index in a table), and has at most one deadline. Those of the
//! present second stand in a heap. The others lie in one pile for each second, unsorted, and are sorted when their
//! second comes: many are moved or cancelled before, and of a hundred thousand finished transactions, which all wait for
//! half a minute, only a few thousand are ever compared with each other. So setting, moving and cancelling cost the same
//! however many there are, and the next one costs nothing to read. Equal deadlines come out in the order in which they
//! were set, so that a run under virtual time always replays.

use core::cmp::Ordering;

use crate::time::Instant;

/// The place of a slot that has no deadline.
const ABSENT: u32 = u32::MAX;
/// The place of a slot whose deadline lies in a pile.
const PILED: u32 = u32::MAX - 1;
/// What a pile holds, in microseconds: about a second.
const PILE: u64 = 1 << 20;
/// A pile as small as this is searched for its earliest deadline when that is cancelled.
const SMALL_PILE: usize = 16;

/// Deadlines by slot, the earliest first.
#[derive(Clone, Debug, Default)]
pub struct Deadlines {
    /// By slot.
    entries: Vec<Entry>,
    /// The slots whose deadlines are in piles before `horizon`, as a binary heap.
    heap: Vec<u32>,
    /// The others, by the number of their pile: a few hundred at the most, for nobody waits much longer than that many
    /// seconds.
    piles: Vec<(u64, Pile)>,
    /// The first pile that is not in the heap.
    horizon: u64,
    /// How many slots have a deadline.
    count: usize,
    /// Counts the calls of `set`: the tie-breaker.
    sequence: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Instant,
    sequence: u64,
    /// In the heap, or [`PILED`], or [`ABSENT`].
    place: u32,
}

const NO_DEADLINE: Entry = Entry { at: Instant::NEVER, sequence: 0, place: ABSENT };

/// The deadlines of a second that is to come.
#[derive(Clone, Debug)]
struct Pile {
    /// Also those whose deadline has been cancelled or moved since.
    slots: Vec<u32>,
    /// How many have not.
    live: usize,
    /// No deadline of the pile is earlier.
    earliest: Instant,
}

const fn pile_of(at: Instant) -> u64 {
    at.as_micros() / PILE
}

impl Deadlines {
    /// No deadlines.
    #[must_use]
    pub const fn new() -> Self {
        Self { entries: Vec::new(), heap: Vec::new(), piles: Vec::new(), horizon: 0, count: 0, sequence: 0 }
    }

    /// Sets the deadline of `slot`, in place of the one it may have. [`Instant::NEVER`] cancels.
    ///
    /// Memory is taken for every number up to the highest slot: slots are indices, not identities.
    pub fn set(&mut self, slot: u32, at: Instant) {
        if at == Instant::NEVER {
            return self.cancel(slot);
        }
        let needed = slot as usize + 1;
        if self.entries.len() < needed {
            self.entries.resize(needed, NO_DEADLINE);
        }
        self.sequence += 1;
        let sequence = self.sequence;
        let Some(entry) = self.entries.get_mut(slot as usize) else { return };
        let is_near = pile_of(at) < self.horizon;
        if is_near && entry.place < PILED {
            (entry.at, entry.sequence) = (at, sequence);
            let place = entry.place as usize;
            let place = self.rise(place);
            return self.sink(place);
        }
        self.cancel(slot);
        self.count += 1;
        let place = if is_near { ABSENT } else { PILED };
        if let Some(entry) = self.entries.get_mut(slot as usize) {
            *entry = Entry { at, sequence, place };
        }
        if is_near {
            self.put_in(slot);
        } else {
            let place = self.find_pile(at).unwrap_or_else(|place| {
                let pile = Pile { slots: Vec::new(), live: 0, earliest: at };
                self.piles.insert(place, (pile_of(at), pile));
                place
            });
            if let Some((_, pile)) = self.piles.get_mut(place) {
                pile.slots.push(slot);
                pile.live += 1;
                pile.earliest = pile.earliest.min(at);
            }
            self.sweep_pile(place);
        }
    }

    /// Takes out of a pile what has left it, if that is most of it: things may be moved over and over, long before
    /// their time.
    fn sweep_pile(&mut self, place: usize) {
        let Some((number, pile)) = self.piles.get_mut(place) else { return };
        if pile.slots.len() <= 4 * (pile.live + SMALL_PILE) {
            return;
        }
        let is_here = |entry: &Entry| entry.place == PILED && pile_of(entry.at) == *number;
        pile.slots.retain(|slot| self.entries.get(*slot as usize).is_some_and(is_here));
        if pile.slots.len() > pile.live {
            // Some stand here twice.
            pile.slots.sort_unstable();
            pile.slots.dedup();
        }
    }

    /// Takes the deadline of `slot` away, if it has one.
    pub fn cancel(&mut self, slot: u32) {
        let Some(entry) = self.entries.get_mut(slot as usize) else { return };
        let (at, place) = (entry.at, entry.place);
        entry.place = ABSENT;
        match place {
            ABSENT => return,
            PILED => self.leave_pile(at),
            place => self.take_out(place as usize),
        }
        self.count -= 1;
    }

    /// The deadline of `slot`.
    #[must_use]
    pub fn get(&self, slot: u32) -> Option<Instant> {
        self.entries.get(slot as usize).filter(|entry| entry.place != ABSENT).map(|entry| entry.at)
    }

    /// The earliest deadline; or an earlier moment, if many were set and the earliest of them cancelled.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        let near = self.heap.first().and_then(|slot| self.get(*slot));
        near.or_else(|| self.piles.first().map(|(_, pile)| pile.earliest))
    }

    /// Takes the earliest deadline if it is due at `now`, and gives its slot.
    pub fn pop(&mut self, now: Instant) -> Option<u32> {
        self.look_ahead(now);
        let slot = *self.heap.first()?;
        if self.get(slot)? > now {
            return None;
        }
        self.cancel(slot);
        Some(slot)
    }

    /// How many slots have a deadline.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether no slot has a deadline.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Sorts the piles whose second has come.
    fn look_ahead(&mut self, now: Instant) {
        while self.piles.first().is_some_and(|(number, _)| *number <= pile_of(now)) {
            let (number, pile) = self.piles.remove(0);
            self.horizon = number + 1;
            for slot in pile.slots {
                // It may have been cancelled or moved; or stand here twice, if it was set anew.
                let is_here = |entry: &Entry| entry.place == PILED && pile_of(entry.at) == number;
                if self.entries.get(slot as usize).is_some_and(is_here) {
                    self.put_in(slot);
                }
            }
        }
    }

    /// A deadline that lay in a pile has gone.
    fn leave_pile(&mut self, at: Instant) {
        let Ok(place) = self.find_pile(at) else { return };
        let Some((number, pile)) = self.piles.get_mut(place) else { return };
        let number = *number;
        pile.live -= 1;
        if pile.live == 0 {
            self.piles.remove(place);
        } else if at == pile.earliest && pile.slots.len() <= SMALL_PILE {
            let entries = pile.slots.iter().filter_map(|slot| self.entries.get(*slot as usize));
            let here = entries.filter(|entry| entry.place == PILED && pile_of(entry.at) == number);
            pile.earliest = here.map(|entry| entry.at).min().unwrap_or(at);
        } else {
            self.sweep_pile(place);
        }
    }

    /// Where the pile of a deadline is, or would be.
    fn find_pile(&self, at: Instant) -> Result<usize, usize> {
        self.piles.binary_search_by_key(&pile_of(at), |(number, _)| *number)
    }

    /// Puts a slot into the heap.
    fn put_in(&mut self, slot: u32) {
        self.heap.push(slot);
        let place = self.heap.len() - 1;
        self.note(place);
        self.rise(place);
    }

    /// Takes what stands at `place` out of the heap.
    fn take_out(&mut self, place: usize) {
        self.heap.swap_remove(place);
        if place < self.heap.len() {
            self.note(place);
            let place = self.rise(place);
            self.sink(place);
        }
    }

    /// Writes down where the slot at `place` is now.
    fn note(&mut self, place: usize) {
        let Some(slot) = self.heap.get(place) else { return };
        if let Some(entry) = self.entries.get_mut(*slot as usize) {
            entry.place = u32::try_from(place).unwrap_or(ABSENT);
        }
    }

    fn exchange(&mut self, one: usize, other: usize) {
        self.heap.swap(one, other);
        self.note(one);
        self.note(other);
    }

    /// Which of two places of the heap comes first.
    fn order(&self, one: usize, other: usize) -> Ordering {
        let key = |place: usize| {
            let slot = self.heap.get(place)?;
            self.entries.get(*slot as usize).map(|entry| (entry.at, entry.sequence))
        };
        key(one).cmp(&key(other))
    }

    /// Moves the entry at `place` towards the front as far as it belongs, and gives its new place.
    fn rise(&mut self, mut place: usize) -> usize {
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.order(parent, place).is_lt() {
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
                if child < self.heap.len() && self.order(child, least).is_lt() {
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
    fn what_is_moved_over_and_over_leaves_nothing_behind() {
        let mut deadlines = Deadlines::new();
        for second in 0..10_000u64 {
            deadlines.set(1, Instant::from_secs(3600 + second % 5));
            deadlines.set(2, Instant::from_secs(3600));
            deadlines.set(3, Instant::from_secs(3600 + second / 100));
        }
        let kept: usize = deadlines.piles.iter().map(|(_, pile)| pile.slots.len()).sum();
        assert!(kept < 500, "{kept}");
        let now = Instant::from_secs(4000);
        assert_eq!(std::iter::from_fn(|| deadlines.pop(now)).collect::<Vec<_>>(), [2, 1, 3]);
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
    fn the_next_one_is_known_to_the_microsecond_where_there_are_few() {
        let mut deadlines = Deadlines::new();
        deadlines.set(0, Instant::from_millis(32_500));
        deadlines.set(1, Instant::from_millis(32_400));
        deadlines.set(1, Instant::from_millis(40_000));
        assert_eq!(deadlines.next(), Some(Instant::from_millis(32_500)));
        deadlines.cancel(0);
        assert_eq!(deadlines.next(), Some(Instant::from_millis(40_000)));
        assert_eq!(deadlines.pop(Instant::from_millis(39_999)), None);
        assert_eq!(deadlines.pop(Instant::from_millis(40_000)), Some(1));
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
                    // Near ones and far ones, seconds away.
                    let span = if entropy.number().is_multiple_of(2) { 500 } else { 5_000_000 };
                    let at = now + core::time::Duration::from_micros(entropy.number() % span);
                    deadlines.set(slot, at);
                    model.insert(slot, at);
                }
                2 => {
                    deadlines.cancel(slot);
                    model.remove(&slot);
                }
                _ => {
                    let span = if entropy.number().is_multiple_of(16) { 700_000 } else { 50 };
                    now += core::time::Duration::from_micros(entropy.number() % span);
                    while let Some(due) = deadlines.pop(now) {
                        assert!(model.remove(&due).is_some_and(|at| at <= now));
                    }
                    assert!(model.values().all(|at| *at > now));
                    assert!(
                        deadlines.next().is_none_or(|next| next > now),
                        "whoever waits until then can wait"
                    );
                }
            }
            assert_eq!(deadlines.len(), model.len());
            match (deadlines.next(), model.values().min()) {
                (Some(next), Some(earliest)) => assert!(next <= *earliest),
                (next, earliest) => assert_eq!(next, earliest.copied()),
            }
        }
    }
}
