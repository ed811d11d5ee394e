//! What signalling costs: the same load against Sipweb, Kamailio and a bare forwarder, in turn, over and over.

mod bindings;
mod cores;
mod forwarder;
mod generator;
mod idle;
mod limit;
mod loads;
mod memory;
mod run;
mod server;
mod sipp;
mod stage;
pub(crate) mod table;
mod tuning;

use std::time::Instant;

use crate::results::Record;
use crate::{Options, Outcome};
pub(crate) use bindings::{measure as bindings, table as bindings_table};
pub(crate) use cores::{measure as cores, table as cores_table};
pub(crate) use forwarder::serve as forward;
pub(crate) use idle::{measure as idle, points as idle_points, table as idle_table};
pub(crate) use limit::{measure as limit, table as limit_table};
use loads::LOADS;
pub(crate) use loads::Load;
pub(crate) use memory::{measure as memory, table as memory_table};
use run::{Manner, Run};
use server::Contender;
pub(crate) use server::{KAMAILIO_TUNING, kamailio_version};
pub(crate) use sipp::{measure as sipp, table as sipp_table, version as sipp_version};
pub(crate) use tuning::{measure as tuning, table as tuning_table};

/// Runs of each row, and seconds of each run, unless the command line says otherwise.
const RUNS: usize = 5;
const SECONDS: u64 = 5;

/// Measures the loads at their rates.
pub(crate) fn loads(options: &Options) -> Outcome<Vec<Record>> {
    let manner = Manner::of(options, SECONDS);
    let rows = rows(options)?;
    let mut series = Series::new(options.runs.unwrap_or(RUNS), rows.len());
    for number in 1..=series.runs {
        for (place, row) in rows.iter().enumerate() {
            for contender in contenders(row.load, options) {
                series.run(manner, row.load, contender, row.rate, place, number, "signalling", |it| it)?;
            }
        }
    }
    Ok(series.records)
}

/// Runs, one after the other, of several rows.
struct Series {
    runs: usize,
    begun: Instant,
    serial: u32,
    /// How many runs of each row may yet be made again because of stolen time.
    repeats: Vec<usize>,
    records: Vec<Record>,
}

impl Series {
    fn new(runs: usize, rows: usize) -> Self {
        let repeats = vec![runs.div_ceil(2); rows];
        Self { runs, begun: Instant::now(), serial: 0, repeats, records: Vec::new() }
    }

    /// One run of a row, printed and kept; `more` adds what the part has to say.
    #[expect(clippy::too_many_arguments, reason = "what a run is, in one place")]
    fn run(
        &mut self,
        manner: Manner<'_>,
        load: &Load,
        contender: Contender,
        rate: u32,
        row: usize,
        number: usize,
        part: &str,
        more: impl FnOnce(Record) -> Record,
    ) -> Outcome<()> {
        let made = run::calm_run(manner, load, contender, rate, &mut self.serial, &mut self.repeats[row]);
        let (run, again) =
            made.map_err(|error| format!("{} at {rate}/s, {}: {error}", load.name, contender.name()))?;
        let record = Record::new(part, contender.name())
            .with("load", load.name)
            .with("rate", rate)
            .with("cores", manner.cores)
            .with("run", number)
            .with("seconds", manner.span.as_secs())
            .with("settling", manner.settling.as_secs())
            .with("again", again);
        self.keep(&run, more(record), &format!("run {number}, {} {rate}/s", load.name));
        Ok(())
    }

    fn keep(&mut self, run: &Run, record: Record, what: &str) {
        let record = run.write(record);
        println!("[{} s] {what}, {}", self.begun.elapsed().as_secs(), table::line(&record));
        for words in &run.faults.words {
            println!("    {words}");
        }
        self.records.push(record);
    }
}

/// A load at a rate.
struct Row {
    load: &'static Load,
    rate: u32,
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
        rows.extend(rates.iter().map(|rate| Row { load, rate: *rate }));
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
