//! The file of all runs.

use std::path::Path;

use super::Record;
use crate::{Outcome, machine, signalling};

const HEAD: &str = "\
# What was measured, one line a run; `cargo xtask bench NAME --results FILE` replaces the runs of what it measures, and
# `cargo xtask bench report` makes the tables of RESULTS.md and RESULTS-media.md, and their pictures, of this file.
";

/// All runs.
#[derive(Debug, Default)]
pub(crate) struct Results {
    pub(crate) records: Vec<Record>,
}

impl Results {
    /// Those of a file; none if it does not exist yet.
    pub(crate) fn read(path: &Path) -> Outcome<Self> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = std::fs::read_to_string(path)?;
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let records = lines.map(|line| Record::parse(line).ok_or_else(|| format!("no run: {line}")));
        Ok(Self { records: records.collect::<Result<_, _>>()? })
    }

    /// Takes in new runs; earlier ones of the same things, of whatever server, are given up: servers are compared only
    /// within a measurement.
    pub(crate) fn merge(&mut self, new: Vec<Record>) {
        let replaced = |old: &Record| new.iter().any(|new| new.identity() == old.identity());
        let place = self.records.iter().position(replaced).unwrap_or(self.records.len());
        let place = self.records[..place].iter().filter(|old| !replaced(old)).count();
        self.records.retain(|old| !new.iter().any(|new| new.identity() == old.identity()));
        self.records.splice(place..place, new);
    }

    fn write(&self, path: &Path) -> Outcome<()> {
        let lines: String = self.records.iter().map(|record| format!("{record}\n")).collect();
        Ok(std::fs::write(path, format!("{HEAD}{lines}"))?)
    }

    /// What is kept in a file, if new results may be added to it: those of another machine would be of no use beside them.
    pub(crate) fn of_here(path: &Path) -> Outcome<Self> {
        let results = Self::read(path)?;
        let here = circumstances()?;
        let known = results.records.iter().find(|record| record.text("part") == "circumstances");
        match known {
            Some(known) if known.text("machine") != here.text("machine") => Err(format!(
                "{} tells of another machine ({}): ratios of two machines do not belong into one table; begin another \
                 file",
                path.display(),
                known.text("machine")
            )
            .into()),
            _ => Ok(results),
        }
    }

    /// Merges new runs into a file, with what they were made on. One file tells of one machine.
    pub(crate) fn keep(path: &Path, new: Vec<Record>) -> Outcome<()> {
        let mut results = Self::of_here(path)?;
        let here = circumstances()?;
        let date = machine::date()?;
        let version = machine::revision();
        let stamped = new.into_iter().map(|record| record.with("date", &date).with("revision", &version));
        results.merge(stamped.collect());
        results.merge(vec![here]);
        results.write(path)
    }
}

/// Machine and versions.
pub(crate) fn circumstances() -> Outcome<Record> {
    let version = |found: Outcome<String>| found.unwrap_or_else(|_| "not installed".to_owned());
    Ok(Record::new("circumstances", "")
        .with("machine", machine::description()?)
        .with("kamailio", version(signalling::kamailio_version()))
        .with("sipp", version(signalling::sipp_version()))
        .with("rtpengine", version(crate::rtpengine::Rtpengine::version())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_again_takes_the_place_of_what_was_measured_before() {
        let run = |rate: u32, server: &str, run: u32| {
            Record::new("signalling", server).with("rate", rate).with("run", run)
        };
        let mut results = Results::default();
        results.merge(vec![run(500, "Sipweb", 1), run(500, "Kamailio", 1)]);
        results.merge(vec![run(1000, "Sipweb", 1)]);
        results.merge(vec![run(500, "Sipweb", 2)]);
        assert_eq!(results.records, [run(500, "Sipweb", 2), run(1000, "Sipweb", 1)]);
    }
}
