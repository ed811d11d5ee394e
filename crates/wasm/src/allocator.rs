//! A small allocator: blocks of powers of two, and a list of free ones for each size.
//!
//! The module has one thread, lives with its page, and allocates the same few sizes again and again. What the standard one does
//! better (it joins free blocks, and wastes less of each) does not pay for the 3 kB, compressed, that every page would load.

#![allow(unsafe_code, reason = "an allocator hands out memory")]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::null_mut;

/// The least block: two addresses and then some, and the alignment of every type here.
const LEAST: usize = 16;
/// Sizes from 2^4 on.
const CLASSES: usize = 28;

/// The memory that blocks are cut from.
pub(crate) trait Memory {
    /// `length` more octets, aligned to [`LEAST`] and next to nothing in particular; null if there are none.
    fn more(&self, length: usize) -> *mut u8;
    /// How many octets to take at a time, at least.
    const STEP: usize;
}

struct Lists {
    free: [*mut u8; CLASSES],
    /// What has been taken from the memory and not been cut yet.
    rest: *mut u8,
    left: usize,
}

/// The allocator.
pub(crate) struct Blocks<M> {
    memory: M,
    lists: UnsafeCell<Lists>,
}

// SAFETY: WebAssembly without threads, which is all that this is built for, has nobody to share with.
unsafe impl<M> Sync for Blocks<M> {}

impl<M: Memory> Blocks<M> {
    pub(crate) const fn new(memory: M) -> Self {
        let lists = Lists { free: [null_mut(); CLASSES], rest: null_mut(), left: 0 };
        Self { memory, lists: UnsafeCell::new(lists) }
    }

    /// The number of the list for blocks that hold `layout`.
    const fn class(layout: Layout) -> usize {
        let size = if layout.size() < LEAST { LEAST } else { layout.size() };
        // The exponent of the next power of two, from 4 on.
        (usize::BITS - (size - 1).leading_zeros()) as usize - 4
    }
}

// SAFETY: a block that is given out is in no list and is not cut again before it comes back; blocks are aligned to 16, and no
// layout asks for more (checked).
unsafe impl<M: Memory> GlobalAlloc for Blocks<M> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let class = Self::class(layout);
        // SAFETY: one thread, and nothing below calls back into the allocator.
        let lists = unsafe { &mut *self.lists.get() };
        let Some(free) = lists.free.get_mut(class).filter(|_| layout.align() <= LEAST) else {
            return null_mut();
        };
        if !free.is_null() {
            let block = *free;
            // SAFETY: a free block begins with the address of the next one, written by `dealloc`.
            *free = unsafe { block.cast::<*mut u8>().read() };
            return block;
        }
        let size = LEAST << class;
        if lists.left < size {
            // What is left over is lost: less than one block, once in a while.
            let step = if size > M::STEP { size } else { M::STEP };
            let more = self.memory.more(step);
            if more.is_null() {
                return null_mut();
            }
            (lists.rest, lists.left) = (more, step);
        }
        let block = lists.rest;
        lists.rest = block.wrapping_add(size);
        lists.left -= size;
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as in `alloc`.
        let lists = unsafe { &mut *self.lists.get() };
        if let Some(free) = lists.free.get_mut(Self::class(layout)) {
            // SAFETY: the block is ours again, aligned, and has room for an address.
            unsafe { block.cast::<*mut u8>().write(*free) };
            *free = block;
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that `size` does not overflow with this alignment.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        if Self::class(wanted) == Self::class(layout) {
            return block;
        }
        // SAFETY: both blocks are as long as the shorter of the two sizes, and the new one is nobody else's.
        unsafe {
            let moved = self.alloc(wanted);
            if !moved.is_null() {
                core::ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

/// The memory of the module.
#[cfg(target_arch = "wasm32")]
pub(crate) struct Pages;

#[cfg(target_arch = "wasm32")]
impl Memory for Pages {
    const STEP: usize = 65_536;

    fn more(&self, length: usize) -> *mut u8 {
        let before = core::arch::wasm32::memory_grow(0, length.div_ceil(65_536));
        if before == usize::MAX { null_mut() } else { (before * 65_536) as *mut u8 }
    }
}

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: Blocks<Pages> = Blocks::new(Pages);

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;
    use sip::{Entropy, SeededEntropy};
    use std::alloc::System;

    /// So many octets of the system's, never given back.
    struct Lent(Cell<usize>);

    impl Memory for Lent {
        const STEP: usize = 4096;

        fn more(&self, length: usize) -> *mut u8 {
            if self.0.get() < length {
                return null_mut();
            }
            self.0.set(self.0.get() - length);
            // SAFETY: the layout has a size.
            unsafe { System.alloc(Layout::from_size_align(length, LEAST).unwrap()) }
        }
    }

    #[test]
    fn blocks_keep_what_is_written_into_them_whatever_happens_to_others() {
        let blocks = Blocks::new(Lent(Cell::new(1 << 24)));
        let mut chance = SeededEntropy::new(4);
        let mut held: Vec<(*mut u8, Layout, u8)> = Vec::new();
        // SAFETY: every block is used within its layout, and given back once, with it.
        unsafe {
            for round in 0..20_000_u32 {
                let fill = round as u8;
                let size = 1 + (chance.number() % 3000) as usize;
                let place = chance.number() as usize % (held.len() + 1);
                let intact = |(block, layout, fill): &(*mut u8, Layout, u8)| {
                    assert_eq!(block.addr() % layout.align(), 0);
                    core::slice::from_raw_parts(*block, layout.size()).iter().all(|octet| octet == fill)
                };
                match (chance.number() % 3, held.len()) {
                    (0, 1..) | (_, 200..) => {
                        let taken = held.swap_remove(place.min(held.len() - 1));
                        assert!(intact(&taken));
                        blocks.dealloc(taken.0, taken.1);
                    }
                    (1, 1..) => {
                        let place = place.min(held.len() - 1);
                        let (block, layout, fill) = held[place];
                        let moved = blocks.realloc(block, layout, size);
                        let kept = core::slice::from_raw_parts(moved, layout.size().min(size));
                        assert!(kept.iter().all(|octet| *octet == fill));
                        moved.write_bytes(fill, size);
                        held[place] = (moved, Layout::from_size_align(size, layout.align()).unwrap(), fill);
                    }
                    _ => {
                        let layout = Layout::from_size_align(size, 1 << (chance.number() % 5)).unwrap();
                        let block = blocks.alloc(layout);
                        block.write_bytes(fill, size);
                        held.push((block, layout, fill));
                    }
                }
                assert!(held.iter().all(intact));
            }
        }
        assert!(blocks.memory.0.get() > (1 << 24) - (1 << 21), "what was given back is used again");
    }

    #[test]
    fn when_there_is_no_more_memory_there_is_no_block() {
        let blocks = Blocks::new(Lent(Cell::new(8192)));
        let layout = |size, align| Layout::from_size_align(size, align).unwrap();
        // SAFETY: the blocks are not used.
        unsafe {
            assert!(!blocks.alloc(layout(4096, 1)).is_null());
            assert!(blocks.alloc(layout(5000, 1)).is_null());
            assert!(blocks.alloc(layout(16, 64)).is_null(), "an alignment that nothing here has");
            assert!(blocks.alloc(layout(1 << 40, 1)).is_null());
        }
    }
}
