//! The machine: what it is, and how much of its time others took.

use std::fs;
use std::process::Command;

use crate::Outcome;

/// The machine's processor time so far, in ticks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time {
    all: u64,
    stolen: u64,
}

impl Time {
    /// So far.
    pub(crate) fn now() -> Outcome<Self> {
        let stat = fs::read_to_string("/proc/stat")?;
        let line = stat.lines().next().unwrap_or_default();
        let ticks: Vec<u64> = line.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
        // user, nice, system, idle, iowait, irq, softirq, steal; what follows is in these already.
        Ok(Self { all: ticks.iter().take(8).sum(), stolen: ticks.get(7).copied().unwrap_or(0) })
    }

    /// The share that the hypervisor took since `earlier`.
    pub(crate) fn stolen_since(&self, earlier: &Self) -> f64 {
        (self.stolen - earlier.stolen) as f64 / (self.all - earlier.all).max(1) as f64
    }
}

/// Processor, cores, system.
pub(crate) fn description() -> Outcome<String> {
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    Ok(format!(
        "{}, {cores} cores, {} {}",
        model.map_or("unknown", |(_, model)| model),
        said("uname", &["-s"])?,
        said("uname", &["-r"])?,
    ))
}

/// Today.
pub(crate) fn date() -> Outcome<String> {
    said("date", &["+%F"])
}

/// The revision of the source that is measured, as far as git knows; with a plus if the crates were changed since.
pub(crate) fn revision() -> String {
    let revision = said("git", &["rev-parse", "--short=10", "HEAD"]).unwrap_or_default();
    let changed = said("git", &["status", "--porcelain", "--", "crates"]).is_ok_and(|list| !list.is_empty());
    match (revision.as_str(), changed) {
        ("", _) => "unknown".to_owned(),
        (_, true) => format!("{revision}+"),
        (_, false) => revision,
    }
}

fn said(program: &str, arguments: &[&str]) -> Outcome<String> {
    let output = Command::new(program).args(arguments).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
