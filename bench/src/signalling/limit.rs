//! The highest rate at which no call fails and nearly all are answered in time.

use std::fmt::Write as _;
use std::time::Duration;

use super::loads::Load;
use super::run::{self, Manner};
use super::server::Contender;
use super::{contenders, named};
use crate::results::{Record, groups, names};
use crate::{Options, Outcome};

const PART: &str = "limit";
const RUNS: usize = 2;
const SECONDS: u64 = 4;
const LOADS: &str = "udp-call,ws-udp-call";
/// Where the search begins, and what it does not go beyond.
const FIRST_RATE: u32 = 2000;
const LAST_RATE: u32 = 64_000;
/// By how much the rate grows until it is too high; then the middle is tried so often.
const GROWTH: u32 = 2;
const HALVINGS: usize = 5;
/// The 99th percentile of INVITE to 180 may not be above, in milliseconds.
const IN_TIME: f64 = 1000.0;

/// Searches.
pub(crate) fn measure(options: &Options) -> Outcome<Vec<Record>> {
    let manner = Manner { idle: Duration::ZERO, settling: Duration::ZERO, ..Manner::of(options, SECONDS) };
    let mut records = Vec::new();
    for name in options.loads.as_deref().unwrap_or(LOADS).split(',') {
        let load = named(name)?;
        for number in 1..=options.runs.unwrap_or(RUNS) {
            for contender in contenders(load, options) {
                let found = search(manner, load, contender)?;
                println!("run {number}, {name}, {:<9} {} a second", contender.name(), found.rate);
                let record = Record::new(PART, contender.name())
                    .with("load", name)
                    .with("cores", manner.cores)
                    .with("run", number)
                    .with("seconds", manner.span.as_secs())
                    .with("highest", found.rate)
                    .with_number("busy", found.busy)
                    .with_number("load_busy", found.load_busy)
                    .with("failing", found.failing)
                    .with("why", found.why);
                records.push(record);
            }
        }
    }
    Ok(records)
}

/// Says what was found.
pub(crate) fn table(records: &[Record]) -> Outcome<String> {
    let mut text = String::from(
        "| load | server | highest rate/s without a failed call, p99 below 1 s | to Kamailio | of its core, the server used | \
         and the load, of its own | the next rate tried, and what went wrong there | searches |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for group in groups(records, PART) {
        for server in names(&group.runs) {
            let figure = |key: &str| group.figure(server, key).ok_or("no runs");
            let ratio = group.ratio(server, "Kamailio", "highest").filter(|_| server != "Kamailio");
            let last = group.of(server).last().map_or("", |run| run.text("why"));
            writeln!(
                text,
                "| {} | {server} | {} | {} | {:.2} | {:.2} | {last} | {} |",
                group.text("load"),
                figure("highest")?.short(0),
                ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}")),
                figure("busy")?.median,
                figure("load_busy")?.median,
                group.of(server).len(),
            )?;
        }
    }
    text.push_str(
        "\nThe load never repeats a request, so one lost datagram is a failed call. It has one core for both ends of all calls: \
         where it uses all of it, or the forwarder stops at the same rate, the limit is the load's and not the server's.\n",
    );
    Ok(text)
}

/// What a search came to.
#[derive(Clone, Debug, Default)]
struct Found {
    rate: u32,
    /// Cores busy at that rate: the server's, the load's.
    busy: f64,
    load_busy: f64,
    /// The lowest rate that did not go well, and why.
    failing: u32,
    why: String,
}

/// The highest rate that went well.
fn search(manner: Manner<'_>, load: &Load, contender: Contender) -> Outcome<Found> {
    let (mut found, mut bad, mut number, mut halvings) = (Found::default(), None, 0, 0);
    let mut rate = FIRST_RATE;
    while halvings < HALVINGS && rate <= LAST_RATE {
        number += 1;
        match attempt(manner, load, contender, rate, number)? {
            Ok((busy, load_busy)) => found = Found { rate, busy, load_busy, ..found },
            Err(why) => {
                (found.failing, found.why) = (rate, format!("{rate}/s: {why}"));
                bad = Some(rate);
            }
        }
        rate = match bad {
            None => rate * GROWTH,
            Some(bad) => {
                halvings += 1;
                u32::midpoint(found.rate, bad)
            }
        };
    }
    Ok(found)
}

/// Tries a rate: the cores that were busy, or what went wrong.
fn attempt(
    manner: Manner<'_>,
    load: &Load,
    contender: Contender,
    rate: u32,
    number: u32,
) -> Outcome<Result<(f64, f64), String>> {
    // A server that breaks under a rate has not gone well; that it does not start is found at the first.
    let run = match run::run(manner, load, contender, rate, number) {
        Ok(run) => run,
        Err(error) if number > 1 => {
            println!("    {} at {rate} a second: {error}", contender.name());
            return Ok(Err(error.to_string()));
        }
        Err(error) => return Err(error),
    };
    let slow = run::percentile(&run.first, 0.99);
    let said = format!(
        "{} of {} failed, p99 {slow:.0} ms, the load {} ms behind, {:.1} % stolen",
        run.failed(),
        run.begun,
        run.late.as_millis(),
        run.stolen * 100.0,
    );
    println!(
        "    {} at {rate} a second: {said}, {:.2} cores, the load {:.2}",
        contender.name(),
        run.cores,
        run.load_cores
    );
    let well = run.failed() == 0 && slow <= IN_TIME;
    Ok(if well { Ok((run.cores, run.load_cores)) } else { Err(said) })
}
