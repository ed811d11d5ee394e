//! Two cores against one: what a call costs when two cores get twice the calls.

use std::fmt::Write as _;

use super::run::Manner;
use super::{Contender, Series, named};
use crate::results::{Record, groups};
use crate::{Options, Outcome};

const PART: &str = "cores";
const RUNS: usize = 3;
const SECONDS: u64 = 4;
/// What is tried, at this rate on one core and at twice the rate on two.
const ROWS: [(&str, u32); 3] = [("udp-call", 2000), ("udp-call", 4000), ("ws-udp-call", 1000)];
/// One core, and two; the load keeps to the first, which it then shares. And how many they are.
const CORES: [(&str, u32); 2] = [("1", 1), ("0-1", 2)];

/// Measures.
pub(crate) fn measure(options: &Options) -> Outcome<Vec<Record>> {
    let mut series = Series::new(options.runs.unwrap_or(RUNS), ROWS.len());
    for number in 1..=series.runs {
        for (place, (name, rate)) in ROWS.into_iter().enumerate() {
            for (cores, many) in CORES {
                let manner = Manner { cores, ..Manner::of(options, SECONDS) };
                let rate = rate * many;
                series.run(manner, named(name)?, Contender::Sipweb, rate, place, number, PART, |it| it)?;
            }
        }
    }
    Ok(series.records)
}

/// Says what was found.
pub(crate) fn table(records: &[Record]) -> Outcome<String> {
    let mut text = String::from(
        "| load | rate/s on one core | CPU, us a call | rate/s on two | CPU, us a call | ratio | two cores do the work of | \
         failed on two | out of order on two | stolen, % | runs |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let groups = groups(records, PART);
    for (name, rate) in ROWS {
        let on = |(cores, many): (&str, u32)| {
            groups.iter().find(|group| {
                group.text("load") == name
                    && group.text("rate") == (rate * many).to_string()
                    && group.text("cores") == cores
            })
        };
        let [Some(one), Some(two)] = CORES.map(on) else { continue };
        let figure =
            |of: &crate::results::record::Group<'_>, key: &str| of.figure("Sipweb", key).ok_or("no runs");
        let (alone, both) = (figure(one, "cpu")?, figure(two, "cpu")?);
        writeln!(
            text,
            "| {name} | {rate} | {} | {} | {} | {:.2} | {:.2} cores | {} | {} | {:.1} | {} |",
            alone.cell(1),
            2 * rate,
            both.cell(1),
            both.median / alone.median,
            2.0 * alone.median / both.median,
            figure(two, "failed")?.short(0),
            figure(two, "reordered")?.short(0),
            figure(one, "stolen")?.most.max(figure(two, "stolen")?.most),
            two.runs.len(),
        )?;
    }
    text.push_str(
        "\nOn two cores the load shares one of them with the server, so the highest rate cannot be told; what can be told is \
         what a call costs where two cores get twice the calls. If it costs as much as on one, two carry twice as many.\n",
    );
    Ok(text)
}
