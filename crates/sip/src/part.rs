//! Where a part stands in a text: offsets instead of slices, so that what was read once can be kept beside the text.

use crate::text;

/// A range of a text that has at most [`Part::LIMIT`] octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Part {
    start: u16,
    end: u16,
}

impl Part {
    /// The longest text that parts are told of.
    pub(crate) const LIMIT: usize = u16::MAX as usize;

    /// From `start` to `end`; both at most [`Part::LIMIT`].
    pub(crate) const fn new(start: usize, end: usize) -> Self {
        debug_assert!(start <= end && end <= Self::LIMIT, "a part of a text that is short enough");
        Self { start: start as u16, end: end as u16 }
    }

    /// Where `inner`, a slice of `text`, stands in it.
    pub(crate) fn within(text: &[u8], inner: &[u8]) -> Self {
        let start = (inner.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        Self::new(start.min(Self::LIMIT), (start + inner.len()).min(Self::LIMIT))
    }

    pub(crate) fn of(self, text: &[u8]) -> &[u8] {
        text::part(text, usize::from(self.start), usize::from(self.end))
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.start == self.end
    }

    pub(crate) const fn start(self) -> usize {
        self.start as usize
    }

    pub(crate) const fn end(self) -> u16 {
        self.end
    }

    /// Where the part is once `length` octets have been put into the text at `at`, before it or within it.
    pub(crate) const fn after_insertion(self, at: u16, length: u16) -> Self {
        let start = if self.start < at { self.start } else { self.start + length };
        let end = if self.end < at { self.end } else { self.end + length };
        Self { start, end }
    }

    pub(crate) const fn len(self) -> usize {
        (self.end - self.start) as usize
    }
}
