//! The results as a person reads them.

use std::fmt::Write as _;

use super::loads::Load;
use super::run::{Manner, Run};
use super::server::{Contender, KAMAILIO_TUNING, kamailio_version};
use crate::Outcome;
use crate::figure::Figure;
use crate::machine;
use crate::process;

/// All runs of one load at one rate.
pub(crate) struct Row {
    pub(crate) load: &'static Load,
    pub(crate) rate: u32,
    pub(crate) runs: Vec<(Contender, Vec<Run>)>,
}

/// One run in a line.
pub(crate) fn line(contender: Contender, run: &Run) -> String {
    format!(
        "{:<9} {:7.1} us ({:.0} user, {:.0} system), {} of {} failed, {} faults, p50/p99/max {} ms, late {:.0} ms, \
         PSS {:.1} MB, stolen {:.0} %",
        contender.name(),
        run.cpu,
        run.user,
        run.system,
        run.failed(),
        run.begun,
        run.faults.count,
        percentiles(&run.first),
        run.late.as_secs_f64() * 1e3,
        megabytes(run.loaded),
        run.stolen * 100.0,
    )
}

const HEAD: &str = "\
| load | rate/s | server | CPU, us/op | user | system | to Kamailio | failed | out of order | p50 / p99 / max, ms, \
first answer | last answer | PSS, MB: loaded, settled | stolen, % |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
";

/// The table, with the circumstances.
pub(crate) fn write(rows: &[Row], runs: usize, manner: &Manner<'_>) -> Outcome<String> {
    let mut text = String::from(HEAD);
    for row in rows {
        let cost = |of: Contender| {
            let (_, runs) = row.runs.iter().find(|(contender, _)| *contender == of)?;
            Some(Figure::of(runs, |run| run.cpu).median)
        };
        let kamailio = cost(Contender::Kamailio);
        for (contender, runs) in &row.runs {
            let figure = |figure: &dyn Fn(&Run) -> f64| Figure::of(runs, figure);
            let cpu = figure(&|run| run.cpu);
            let ratio = kamailio.map_or("-".to_owned(), |other| format!("{:.2}", cpu.median / other));
            writeln!(
                text,
                "| {} | {} | {} | {} | {:.1} | {:.1} | {ratio} | {} | {} | {} | {} | {:.1}, {:.1} | {:.0} |",
                row.load.name,
                row.rate,
                contender.name(),
                cpu.cell(1),
                figure(&|run| run.user).median,
                figure(&|run| run.system).median,
                figure(&|run| run.failed() as f64).cell(0),
                figure(&|run| run.reordered as f64).cell(0),
                median_percentiles(runs, |run| &run.first),
                median_percentiles(runs, |run| &run.last),
                figure(&|run| megabytes(run.loaded)).median,
                figure(&|run| megabytes(run.settled)).median,
                figure(&|run| run.stolen * 100.0).most,
            )?;
        }
    }
    text.push('\n');
    let mut told: Vec<&str> = Vec::new();
    for row in rows {
        if !told.contains(&row.load.name) {
            told.push(row.load.name);
            writeln!(
                text,
                "- `{}`: {}; an operation is one {}.",
                row.load.name,
                row.load.about,
                row.load.operation()
            )?;
        }
    }
    write_trying(&mut text, rows)?;
    write_notes(&mut text, rows)?;
    writeln!(
        text,
        "\n{runs} runs of {} s each, the servers in turn, each started afresh: median (least to most). CPU is that of all \
         processes of the server, from the first operation until {} s after the last, less what the idle server spends; a \
         server that keeps transactions for longer (RFC 3261 has 32 s for some over UDP) is not charged with forgetting \
         them. First answer: INVITE to 180, or REGISTER to 200. Last: INVITE to 200, ringing included. The load runs on \
         core {}, the server on {}{}.",
        manner.span.as_secs(),
        manner.settling.as_secs(),
        process::LOAD_CORE,
        process::server_cores(),
        if manner.busy { "; the load never sleeps" } else { "" },
    )?;
    Ok(text)
}

/// Machine and versions.
pub(crate) fn circumstances() -> Outcome<String> {
    Ok(format!(
        "Machine: {}.\nKamailio: {}, `{}`, bench/kamailio.cfg.\n",
        machine::description()?,
        kamailio_version()?,
        KAMAILIO_TUNING.join(" ")
    ))
}

/// A server may leave out the 100 that it expects to be overtaken (RFC 3261 §17.2.1), and saves a message.
fn write_trying(text: &mut String, rows: &[Row]) -> Outcome<()> {
    for contender in Contender::ALL {
        let runs = || {
            let of = rows.iter().flat_map(|row| &row.runs).filter(|(which, _)| *which == contender);
            of.flat_map(|(_, runs)| runs).filter(|run| !run.last.is_empty())
        };
        let (begun, trying): (usize, usize) =
            runs().fold((0, 0), |sum, run| (sum.0 + run.begun, sum.1 + run.trying));
        if begun > 0 {
            writeln!(
                text,
                "- {} sent {:.2} responses 100 a call.",
                contender.name(),
                trying as f64 / begun as f64
            )?;
        }
    }
    Ok(())
}

/// What is not as it should be, and what tells how far a row can be trusted.
fn write_notes(text: &mut String, rows: &[Row]) -> Outcome<()> {
    for row in rows {
        for (contender, runs) in &row.runs {
            let place = format!("{} {}/s, {}", row.load.name, row.rate, contender.name());
            let faults: usize = runs.iter().map(|run| run.faults.count).sum();
            if faults > 0 {
                let words = runs.iter().flat_map(|run| &run.faults.words).next();
                writeln!(
                    text,
                    "- {place}: {faults} messages were wrong, such as: {}",
                    words.map_or("", |w| w)
                )?;
            }
            let repeated: usize = runs.iter().map(|run| run.repeated).sum();
            if repeated > 0 {
                writeln!(text, "- {place}: {repeated} messages came twice.")?;
            }
            let late = runs.iter().map(|run| run.late).max().unwrap_or_default();
            if late.as_millis() > 100 {
                writeln!(text, "- {place}: the load was up to {} ms behind.", late.as_millis())?;
            }
        }
    }
    Ok(())
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// The time below which so large a part of all times is, in milliseconds; the times are in order.
pub(crate) fn percentile(times: &[u32], part: f64) -> f64 {
    let place = (times.len() as f64 * part) as usize;
    times.get(place.min(times.len().saturating_sub(1))).map_or(f64::NAN, |micros| f64::from(*micros) / 1e3)
}

const PARTS: [f64; 3] = [0.5, 0.99, 1.0];

fn percentiles(times: &[u32]) -> String {
    PARTS.map(|part| format!("{:.1}", percentile(times, part))).join(" / ")
}

fn median_percentiles(runs: &[Run], times: impl Fn(&Run) -> &[u32]) -> String {
    if runs.iter().all(|run| times(run).is_empty()) {
        return "-".to_owned();
    }
    PARTS
        .map(|part| format!("{:.1}", Figure::of(runs, |run| percentile(times(run), part)).median))
        .join(" / ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_time_that_was_measured() {
        let times: Vec<u32> = (1..=1000).map(|millisecond| millisecond * 1000).collect();
        assert_eq!(percentiles(&times), "501.0 / 991.0 / 1000.0");
        assert_eq!(percentiles(&[7000]), "7.0 / 7.0 / 7.0");
        assert!(percentile(&[], 0.5).is_nan());
    }
}
