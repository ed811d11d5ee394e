//! What only one at a time may do, and who has it.

use std::cell::Cell;

/// A turn at something that one at a time may do. It ends however its holder ends: the network catches a panic, and
/// the server is to go on after it.
pub(crate) struct Turn<'a>(&'a Cell<bool>);

impl<'a> Turn<'a> {
    /// `None` if another has it.
    pub(crate) fn take(taken: &'a Cell<bool>) -> Option<Self> {
        // Not `then_some`: it would make a turn, and give back with it the one that another has.
        (!taken.replace(true)).then(|| Self(taken))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn a_panic_gives_its_turn_back() {
        let taken = Cell::new(false);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let _turn = Turn::take(&taken);
            assert!(Turn::take(&taken).is_none(), "one at a time");
            assert!(Turn::take(&taken).is_none(), "asking for it takes it from nobody");
            std::panic::resume_unwind(Box::new(()));
        }));
        assert!(outcome.is_err());
        assert!(Turn::take(&taken).is_some());
    }
}
