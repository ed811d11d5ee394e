//! What signalling costs: the same load against Sipweb, Kamailio and a bare forwarder, in turn, over and over.

mod forwarder;
mod generator;
mod idle;
mod limit;
mod loads;
mod report;
mod run;
mod server;
mod stage;

use std::time::{Duration, Instant};

use crate::process;
use crate::{Options, Outcome};
pub(crate) use forwarder::serve as forward;
pub(crate) use idle::measure as idle;
pub(crate) use limit::measure as limit;
use loads::{LOADS, Load};
use report::Row;
use run::Manner;
use server::Contender;

const RUNS: usize = 5;
const SECONDS: u64 = 10;
/// Kamailio forgets a transaction 5 s after its end.
const SETTLING: u64 = 6;

/// Does all `parts`, prints and writes down what they say.
pub(crate) fn publish(options: &Options, parts: &[fn(&Options) -> Outcome<String>]) -> Outcome<()> {
    process::take_load_core();
    process::take_descriptors();
    let mut text = String::new();
    for part in parts {
        text.push_str(&part(options)?);
        text.push('\n');
        if let Some(path) = &options.results {
            std::fs::write(path, &text)?;
        }
    }
    text.push_str(&report::circumstances()?);
    println!("\n{text}");
    if let Some(path) = &options.results {
        std::fs::write(path, text)?;
    }
    Ok(())
}

/// Measures the loads at their rates.
pub(crate) fn loads(options: &Options) -> Outcome<String> {
    let manner = Manner {
        sipweb: &options.sipweb,
        span: Duration::from_secs(options.seconds.unwrap_or(SECONDS)),
        settling: Duration::from_secs(options.settle.unwrap_or(SETTLING)),
        busy: options.busy,
    };
    let runs = options.runs.unwrap_or(RUNS);
    let mut rows = rows(options)?;
    let all: usize = rows.iter().map(|row| row.runs.len() * runs).sum();
    let (mut done, begun) = (0, Instant::now());
    for number in 1..=runs {
        for row in &mut rows {
            for (contender, results) in &mut row.runs {
                done += 1;
                let serial = u32::try_from(done)?;
                let run = run::run(manner, row.load, *contender, row.rate, serial).map_err(|error| {
                    format!("{} at {}/s, {}: {error}", row.load.name, row.rate, contender.name())
                })?;
                println!(
                    "[{done}/{all}, {} s] run {number}, {} {}/s, {}",
                    begun.elapsed().as_secs(),
                    row.load.name,
                    row.rate,
                    report::line(*contender, &run)
                );
                for words in &run.faults.words {
                    println!("    {words}");
                }
                results.push(run);
            }
        }
    }
    report::write(&rows, runs, &manner)
}

/// What is to be measured, as the command line says.
fn rows(options: &Options) -> Outcome<Vec<Row>> {
    let loads: Vec<&'static Load> = match &options.loads {
        None => const { &LOADS }.iter().collect(),
        Some(names) => names.split(',').map(named).collect::<Outcome<_>>()?,
    };
    let mut rows = Vec::new();
    for load in loads {
        let rates = if options.rates.is_empty() { load.rates } else { options.rates.as_slice() };
        for rate in rates {
            let runs = contenders(load, options).map(|contender| (contender, Vec::new())).collect();
            rows.push(Row { load, rate: *rate, runs });
        }
    }
    Ok(rows)
}

/// Who is measured with a load.
fn contenders(load: &Load, options: &Options) -> impl Iterator<Item = Contender> {
    load.contenders().into_iter().filter(|contender| is_wanted(*contender, options))
}

fn is_wanted(contender: Contender, options: &Options) -> bool {
    let name = contender.name().to_lowercase();
    options.servers.as_ref().is_none_or(|servers| servers.split(',').any(|it| it == name))
}

fn named(name: &str) -> Outcome<&'static Load> {
    Load::named(name).ok_or_else(|| {
        let known: Vec<&str> = const { &LOADS }.iter().map(|load| load.name).collect();
        format!("there is no load {name:?}; there are: {}", known.join(" ")).into()
    })
}
