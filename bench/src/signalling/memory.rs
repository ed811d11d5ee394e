//! What calls leave in memory: at the end of a storm, when it has settled, and when all timers of RFC 3261 have run out.

use std::fmt::Write as _;
use std::time::Duration;

use super::run::Manner;
use super::{Series, contenders, is_wanted, named};
use crate::results::{Record, groups, names};
use crate::{Options, Outcome};

const PART: &str = "memory";
const RUNS: usize = 1;
const SECONDS: u64 = 6;
const RATE: u32 = 4000;
const LOAD: &str = "udp-call";
/// With the time of settling more than 32 s: by then no transaction is left (RFC 3261 §17, timers D, H and J).
const RESTING: Duration = Duration::from_secs(32);

/// Measures.
pub(crate) fn measure(options: &Options) -> Outcome<Vec<Record>> {
    let manner = Manner { resting: RESTING, ..Manner::of(options, SECONDS) };
    let load = named(LOAD)?;
    let mut series = Series::new(options.runs.unwrap_or(RUNS), 1);
    for number in 1..=series.runs {
        for contender in contenders(load, options) {
            // The forwarder remembers nothing.
            if contender != super::Contender::Forwarder && is_wanted(contender, options) {
                series.run(manner, load, contender, RATE, 0, number, PART, |it| it)?;
            }
        }
    }
    Ok(series.records)
}

/// Says what was found.
pub(crate) fn table(records: &[Record]) -> Outcome<String> {
    let mut text = String::from(
        "| server | PSS, MB: before | at the end | 6 s later | 38 s later | bytes a call at the end | failed | runs |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for group in groups(records, PART) {
        for server in names(&group.runs) {
            let megabytes = |key: &str| group.figure(server, key).map_or(f64::NAN, |it| it.median / 1e6);
            let calls = group.figure(server, "begun").map_or(f64::NAN, |it| it.median);
            writeln!(
                text,
                "| {server} | {:.1} | {:.1} | {:.1} | {:.1} | {:.0} | {} | {} |",
                megabytes("before"),
                megabytes("loaded"),
                megabytes("settled"),
                megabytes("rested"),
                (megabytes("loaded") - megabytes("before")) * 1e6 / calls,
                group.figure(server, "failed").map_or("-".to_owned(), |it| it.short(0)),
                group.of(server).len(),
            )?;
        }
    }
    writeln!(
        text,
        "\n{SECONDS} s of {RATE} calls a second (`{LOAD}`). PSS of all processes of the server; the kernel's sockets are not \
         in it."
    )?;
    Ok(text)
}
