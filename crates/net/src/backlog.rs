//! What waits for the socket of a connection.

use std::collections::VecDeque;
use std::io;

/// Octets that wait, in a box of their own: where nothing waits, which is nearly always, they cost a pointer.
#[derive(Default)]
#[expect(clippy::box_collection, reason = "thousands of idle connections have none")]
pub(crate) struct Backlog(Option<Box<VecDeque<u8>>>);

impl Backlog {
    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |waiting| waiting.len())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.0.get_or_insert_default().extend(bytes);
        }
    }

    pub(crate) fn as_slices(&self) -> (&[u8], &[u8]) {
        self.0.as_ref().map_or((&[], &[]), |waiting| waiting.as_slices())
    }

    /// So many have left. When all have, their room is given back.
    pub(crate) fn consume(&mut self, length: usize) {
        if let Some(waiting) = &mut self.0 {
            waiting.drain(..length.min(waiting.len()));
            if waiting.is_empty() {
                self.0 = None;
            }
        }
    }
}

impl io::Write for Backlog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
