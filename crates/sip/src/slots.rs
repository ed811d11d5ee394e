//! Where things are kept that come and go: a slab whose keys go out of date with what they name, and a table beside it.

/// A key: a place in a slab, and the how-manieth tenant of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    index: u32,
    generation: u32,
}

impl Slot {
    /// The place.
    #[must_use]
    pub const fn index(self) -> u32 {
        self.index
    }
}

/// A slab. Places are used again, keys are not.
#[derive(Debug)]
pub struct Slots<T> {
    places: Vec<Place<T>>,
    vacant: Vec<u32>,
    count: usize,
}

#[derive(Debug)]
struct Place<T> {
    generation: u32,
    tenant: Option<T>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Slots<T> {
    /// Nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { places: Vec::new(), vacant: Vec::new(), count: 0 }
    }

    /// Whether nothing is there.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many are there.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// The key that the next [`Slots::insert`] gives.
    #[must_use]
    pub fn next_slot(&self) -> Slot {
        match self.vacant.last() {
            Some(index) => Slot {
                index: *index,
                generation: self.places.get(*index as usize).map_or(0, |place| place.generation),
            },
            None => Slot { index: u32::try_from(self.places.len()).unwrap_or(u32::MAX), generation: 0 },
        }
    }

    /// Takes a tenant in.
    pub fn insert(&mut self, tenant: T) -> Slot {
        let slot = self.next_slot();
        self.count += 1;
        match self.vacant.pop().and_then(|index| self.places.get_mut(index as usize)) {
            Some(place) => place.tenant = Some(tenant),
            None => self.places.push(Place { generation: slot.generation, tenant: Some(tenant) }),
        }
        slot
    }

    /// Takes a tenant out. Its key means nothing any more.
    pub fn remove(&mut self, slot: Slot) -> Option<T> {
        let tenant = self.retire(slot)?;
        self.release(slot);
        Some(tenant)
    }

    /// Takes a tenant out whose key others still know: nobody gets its place until [`Slots::release`].
    pub fn retire(&mut self, slot: Slot) -> Option<T> {
        let place =
            self.places.get_mut(slot.index as usize).filter(|place| place.generation == slot.generation)?;
        let tenant = place.tenant.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.count -= 1;
        Some(tenant)
    }

    /// Lets others have the place of a tenant that was retired. To be called once for each.
    pub fn release(&mut self, slot: Slot) {
        self.vacant.push(slot.index);
    }

    /// The tenant of that key.
    #[must_use]
    pub fn get(&self, slot: Slot) -> Option<&T> {
        let place = self.places.get(slot.index as usize)?;
        place.tenant.as_ref().filter(|_| place.generation == slot.generation)
    }

    /// The tenant of that key.
    pub fn get_mut(&mut self, slot: Slot) -> Option<&mut T> {
        let place = self.places.get_mut(slot.index as usize)?;
        place.tenant.as_mut().filter(|_| place.generation == slot.generation)
    }

    /// The key of the tenant at `index` now.
    #[must_use]
    pub fn slot_at(&self, index: u32) -> Option<Slot> {
        let place = self.places.get(index as usize)?;
        place.tenant.as_ref().map(|_| Slot { index, generation: place.generation })
    }

    /// All tenants, in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, &T)> {
        self.places.iter().enumerate().filter_map(|(index, place)| {
            let slot = Slot { index: u32::try_from(index).ok()?, generation: place.generation };
            place.tenant.as_ref().map(|tenant| (slot, tenant))
        })
    }
}

/// What somebody else knows of the tenants of a slab, by their keys.
#[derive(Debug)]
pub struct SlotMap<T> {
    places: Vec<Option<(u32, T)>>,
    count: usize,
}

impl<T> Default for SlotMap<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> SlotMap<T> {
    /// Nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { places: Vec::new(), count: 0 }
    }

    /// How many values are there.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is no value.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Puts a value there, in place of what its place had.
    pub fn insert(&mut self, key: impl Into<Slot>, value: T) {
        let key = key.into();
        let needed = key.index as usize + 1;
        if self.places.len() < needed {
            self.places.resize_with(needed, || None);
        }
        if let Some(place) = self.places.get_mut(key.index as usize) {
            self.count += usize::from(place.is_none());
            *place = Some((key.generation, value));
        }
    }

    /// Takes the value of a key away.
    pub fn remove(&mut self, key: impl Into<Slot>) -> Option<T> {
        let key = key.into();
        let place = self.places.get_mut(key.index as usize)?;
        let (_, value) = place.take_if(|(generation, _)| *generation == key.generation)?;
        self.count -= 1;
        Some(value)
    }

    /// The value of a key.
    pub fn get(&self, key: impl Into<Slot>) -> Option<&T> {
        let key = key.into();
        let place = self.places.get(key.index as usize)?.as_ref();
        place.filter(|(generation, _)| *generation == key.generation).map(|(_, value)| value)
    }

    /// The value of a key.
    pub fn get_mut(&mut self, key: impl Into<Slot>) -> Option<&mut T> {
        let key = key.into();
        let place = self.places.get_mut(key.index as usize)?.as_mut();
        place.filter(|(generation, _)| *generation == key.generation).map(|(_, value)| value)
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

    #[test]
    fn what_is_known_of_a_tenant_goes_with_it() {
        let mut slots = Slots::new();
        let mut beside = SlotMap::new();
        let first = slots.insert('a');
        beside.insert(first, 1);
        slots.remove(first);
        let second = slots.insert('b');
        assert_eq!((beside.get(first), beside.get(second)), (Some(&1), None));
        beside.insert(second, 2);
        assert_eq!((beside.remove(first), beside.get(first), beside.len()), (None, None, 1));
        assert_eq!(beside.remove(second), Some(2));
        assert!(beside.is_empty());
    }
}
