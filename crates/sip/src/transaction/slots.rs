//! Where transactions are kept: a slab whose keys go out of date with the transaction.

/// Names a server transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerKey(pub(super) Slot);

/// Names a client transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientKey(pub(super) Slot);

/// A place in the slab, and the how-manieth tenant of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Slot {
    pub(super) index: u32,
    generation: u32,
}

/// A slab. Places are used again, keys are not.
pub(super) struct Slots<T> {
    places: Vec<Place<T>>,
    vacant: Vec<u32>,
}

struct Place<T> {
    generation: u32,
    tenant: Option<T>,
}

impl<T> Slots<T> {
    pub(super) const fn new() -> Self {
        Self { places: Vec::new(), vacant: Vec::new() }
    }

    pub(super) const fn len(&self) -> usize {
        self.places.len() - self.vacant.len()
    }

    /// The key that the next [`Slots::insert`] gives.
    pub(super) fn next_slot(&self) -> Slot {
        match self.vacant.last() {
            Some(index) => Slot {
                index: *index,
                generation: self.places.get(*index as usize).map_or(0, |place| place.generation),
            },
            None => Slot { index: u32::try_from(self.places.len()).unwrap_or(u32::MAX), generation: 0 },
        }
    }

    pub(super) fn insert(&mut self, tenant: T) -> Slot {
        let slot = self.next_slot();
        match self.vacant.pop().and_then(|index| self.places.get_mut(index as usize)) {
            Some(place) => place.tenant = Some(tenant),
            None => self.places.push(Place { generation: slot.generation, tenant: Some(tenant) }),
        }
        slot
    }

    pub(super) fn remove(&mut self, slot: Slot) -> Option<T> {
        let place =
            self.places.get_mut(slot.index as usize).filter(|place| place.generation == slot.generation)?;
        let tenant = place.tenant.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.vacant.push(slot.index);
        Some(tenant)
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&T> {
        let place = self.places.get(slot.index as usize)?;
        place.tenant.as_ref().filter(|_| place.generation == slot.generation)
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut T> {
        let place = self.places.get_mut(slot.index as usize)?;
        place.tenant.as_mut().filter(|_| place.generation == slot.generation)
    }

    /// The key of the tenant at `index` now.
    pub(super) fn slot_at(&self, index: u32) -> Option<Slot> {
        let place = self.places.get(index as usize)?;
        place.tenant.as_ref().map(|_| Slot { index, generation: place.generation })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Slot, &T)> {
        self.places.iter().enumerate().filter_map(|(index, place)| {
            let slot = Slot { index: u32::try_from(index).ok()?, generation: place.generation };
            place.tenant.as_ref().map(|tenant| (slot, tenant))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_used_again_and_its_old_key_is_not() {
        let mut slots = Slots::new();
        let first = slots.insert('a');
        let second = slots.insert('b');
        assert_eq!(slots.remove(first), Some('a'));
        assert_eq!(slots.remove(first), None);
        assert_eq!(slots.next_slot().index, first.index);
        let third = slots.insert('c');
        assert_eq!(third.index, first.index);
        assert_eq!(slots.get(first), None);
        assert_eq!(slots.get(third), Some(&'c'));
        assert_eq!(slots.slot_at(first.index), Some(third));
        assert_eq!(slots.iter().map(|(slot, _)| slot).collect::<Vec<_>>(), [third, second]);
        assert_eq!(slots.len(), 2);
    }
}
