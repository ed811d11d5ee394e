//! What was measured, as it is kept: one line a run, so that parts can be measured apart and tables made of all of them.

mod file;
pub(crate) mod marks;
pub(crate) mod plot;
pub(crate) mod record;
pub(crate) mod report;

pub(crate) use file::Results;
pub(crate) use record::{Record, groups, names};
