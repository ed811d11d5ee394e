//! What should not have come, counted; the first few in words.

const WORDS: usize = 5;

/// Faults of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    /// How many.
    pub(crate) count: usize,
    /// The first of them.
    pub(crate) words: Vec<String>,
}

impl Faults {
    /// One more.
    pub(crate) fn note(&mut self, words: impl FnOnce() -> String) {
        self.count += 1;
        if self.words.len() < WORDS {
            self.words.push(words());
        }
    }
}
