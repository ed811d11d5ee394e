//! Whether Kamailio is tuned as well as it can be: the same load with one setting changed.

use std::fmt::Write as _;

use super::run::Manner;
use super::{Contender, Series, named};
use crate::results::{Record, groups};
use crate::{Options, Outcome};

const PART: &str = "tuning";
const RUNS: usize = 3;
const SECONDS: u64 = 3;
const LOAD: &str = "udp-call";
const RATE: u32 = 2000;
/// What is tried: its name, and the options that say so.
const VARIANTS: [(&str, &[&str]); 5] = [
    ("as used: `-x fm -n 2`", &[]),
    ("one worker: `-n 1`", &["-n", "1"]),
    ("four workers: `-n 4`", &["-n", "4"]),
    ("another allocator: `-x tlsf`", &["-x", "tlsf"]),
    ("memory touched beforehand: `shm_force_alloc=yes -m 1024`", &["-A", "WITH_FORCED_MEMORY", "-m", "1024"]),
];

/// Measures.
pub(crate) fn measure(options: &Options) -> Outcome<Vec<Record>> {
    let load = named(LOAD)?;
    let mut series = Series::new(options.runs.unwrap_or(RUNS), 1);
    for number in 1..=series.runs {
        for (name, kamailio) in VARIANTS {
            let manner = Manner { kamailio, ..Manner::of(options, SECONDS) };
            series.run(manner, load, Contender::Kamailio, RATE, 0, number, PART, |it| {
                it.with("variant", name)
            })?;
        }
    }
    Ok(series.records)
}

/// Says what was found.
pub(crate) fn table(records: &[Record]) -> Outcome<String> {
    let mut text = String::from(
        "| Kamailio | CPU, us a call | to the first | failed | stolen, % |\n|---|---|---|---|---|\n",
    );
    for group in groups(records, PART) {
        let figure = |variant: &str, key: &str| {
            let runs: Vec<&Record> =
                group.runs.iter().copied().filter(|run| run.text("variant") == variant).collect();
            crate::figure::Figure::of(&runs, |run| run.number(key))
        };
        for (name, _) in VARIANTS {
            writeln!(
                text,
                "| {name} | {} | {:.2} | {} | {:.1} |",
                figure(name, "cpu").cell(1),
                figure(name, "cpu").median / figure(VARIANTS[0].0, "cpu").median,
                figure(name, "failed").short(0),
                figure(name, "stolen").most,
            )?;
        }
        writeln!(text, "\n`{LOAD}`, {RATE} a second.")?;
    }
    Ok(text)
}
