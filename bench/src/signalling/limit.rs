//! The highest rate at which no call fails and nearly all are answered in time.

use std::fmt::Write as _;
use std::time::Duration;

use super::loads::Load;
use super::run::{self, Manner};
use super::server::Contender;
use super::{contenders, named, report};
use crate::figure::Figure;
use crate::{Options, Outcome, process};

const RUNS: usize = 3;
const SECONDS: u64 = 5;
const LOADS: &str = "udp-call,ws-udp-call";
/// Where the search begins, and what it does not go beyond.
const FIRST_RATE: u32 = 1000;
const LAST_RATE: u32 = 64_000;
/// By how much the rate grows until it is too high; then the middle is tried so often.
const GROWTH: f64 = 1.5;
const HALVINGS: usize = 3;
/// The 99th percentile of INVITE to 180 may not be above, in milliseconds.
const IN_TIME: f64 = 1000.0;

/// Searches, and says what was found.
pub(crate) fn measure(options: &Options) -> Outcome<String> {
    let manner = Manner {
        sipweb: &options.sipweb,
        span: Duration::from_secs(options.seconds.unwrap_or(SECONDS)),
        settling: Duration::ZERO,
        busy: options.busy,
    };
    let runs = options.runs.unwrap_or(RUNS);
    let mut text = String::from(
        "| load | server | highest rate/s without a failed call, p99 below 1 s | to Kamailio |\n|---|---|---|---|\n",
    );
    for name in options.loads.as_deref().unwrap_or(LOADS).split(',') {
        let load = named(name)?;
        let mut found: Vec<(Contender, Vec<f64>)> =
            contenders(load, options).map(|contender| (contender, Vec::new())).collect();
        for number in 1..=runs {
            for (contender, rates) in &mut found {
                let rate = search(manner, load, *contender)?;
                println!("run {number}, {name}, {:<9} {rate} a second", contender.name());
                rates.push(f64::from(rate));
            }
        }
        let kamailio = found.iter().find(|(contender, _)| *contender == Contender::Kamailio);
        let kamailio = kamailio.map(|(_, rates)| Figure::of(rates, |rate| *rate).median);
        for (contender, rates) in &found {
            let figure = Figure::of(rates, |rate| *rate);
            let ratio = kamailio.map_or("-".to_owned(), |other| format!("{:.2}", figure.median / other));
            writeln!(text, "| {name} | {} | {} | {ratio} |", contender.name(), figure.cell(0))?;
        }
    }
    writeln!(
        text,
        "\n{runs} searches, the servers in turn: median (least to most); {} s at each rate, each time with a fresh server \
         on core {}. The load never repeats a request, so one lost datagram is a failed call. It has core {} for both \
         ends: the forwarder's rate is what the load itself can do.",
        manner.span.as_secs(),
        process::server_cores(),
        process::LOAD_CORE,
    )?;
    Ok(text)
}

/// The highest rate that went well.
fn search(manner: Manner<'_>, load: &Load, contender: Contender) -> Outcome<u32> {
    let (mut good, mut bad, mut number, mut halvings) = (0, None, 0, 0);
    let mut rate = FIRST_RATE;
    while halvings < HALVINGS && rate <= LAST_RATE {
        number += 1;
        if went_well(manner, load, contender, rate, number)? {
            good = rate;
        } else {
            bad = Some(rate);
        }
        rate = match bad {
            None => (f64::from(rate) * GROWTH) as u32,
            Some(bad) => {
                halvings += 1;
                u32::midpoint(good, bad)
            }
        };
    }
    Ok(good)
}

fn went_well(manner: Manner<'_>, load: &Load, contender: Contender, rate: u32, number: u32) -> Outcome<bool> {
    // A server that breaks under a rate has not gone well; that it does not start is found at the first.
    let run = match run::run(manner, load, contender, rate, number) {
        Ok(run) => run,
        Err(error) if number > 1 => {
            println!("    {} at {rate} a second: {error}", contender.name());
            return Ok(false);
        }
        Err(error) => return Err(error),
    };
    let slow = report::percentile(&run.first, 0.99);
    println!(
        "    {} at {rate} a second: {} of {} failed, p99 {slow:.0} ms, the load {} ms behind, {:.2} cores",
        contender.name(),
        run.failed(),
        run.begun,
        run.late.as_millis(),
        run.cores
    );
    Ok(run.failed() == 0 && slow <= IN_TIME)
}
