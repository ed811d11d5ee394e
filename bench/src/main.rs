//! What Sipweb costs, measured beside others in the same run.
//!
//! ```text
//! cargo xtask bench                   # all of signalling: every slice of `slices`, one after the other
//! cargo xtask bench signalling        # calls and registrations, beside Kamailio and a bare forwarder
//! cargo xtask bench idle              # the memory of idle pages, beside Kamailio
//! cargo xtask bench limit             # the highest rate without a failed call, beside Kamailio
//! cargo xtask bench media             # a relayed packet and a call, beside rtpengine
//! cargo xtask bench short-calls       # ten thousand calls, and what is left of them
//! cargo xtask bench slice NAME        # one slice of a few minutes
//! cargo xtask bench report            # the pages of results, of what was kept with --results
//! ```
//!
//! All print what they measured, and keep it in a file with `--results FILE`, where it takes the place of what was
//! measured of the same before. The servers run in processes of their own, on one core; the load runs on another.

mod figure;
mod machine;
mod media;
mod process;
mod results;
mod rtpengine;
mod short_calls;
mod signalling;
mod sipweb;
mod slices;
mod user_agent;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use results::{Record, Results, report};
use slices::{SLICES, Slice};

/// What went well, or why it did not.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

const USAGE: &str = "\
Usage: sipweb-bench COMMAND --sipweb PATH [--seconds N] [--runs N] [--results FILE] [..]

  signalling    the cost of calls and registrations, beside Kamailio and a bare forwarder
                [--loads udp-call,..] [--rates 2000,..] [--servers sipweb,kamailio,forwarder]
                [--settle SECONDS] [--busy yes] [--server-cores 0-1]
  idle          the memory of idle registered pages, beside Kamailio [--loads ws,wss]
                [--connections 1000,10000,..]
  memory        what a storm of calls leaves in memory, beside Kamailio
  limit         the highest rate without a failed call, beside Kamailio [--loads udp-call,..]
  bindings      the cost of a call among many bindings [--connections 1000,1000000,..]
  cores         the cost of a call on two cores, beside that on one
  sipp          the same calls by sipp, to see whether our load can be believed
  tuning        Kamailio with one setting changed, to see whether it is tuned well
  media         the cost of a relayed packet and of a call, beside rtpengine [--calls N]
  short-calls   what many short calls leave behind in the server [--calls N]

  slices        the names of all slices of the whole measurement of signalling
  slice NAME..  these slices, each a few minutes
  all           all of them
  report        the pages and pictures beside the results: [--results bench/results.txt]
";

/// A command that measures.
type Measure = fn(&Options) -> Outcome<Vec<Record>>;
const COMMANDS: [(&str, Measure); 10] = [
    ("signalling", signalling::loads),
    ("idle", signalling::idle),
    ("memory", signalling::memory),
    ("limit", signalling::limit),
    ("bindings", signalling::bindings),
    ("cores", signalling::cores),
    ("sipp", signalling::sipp),
    ("tuning", signalling::tuning),
    ("media", media::measure),
    ("short-calls", short_calls::measure),
];
/// Where `report` looks for the results.
const RESULTS: &str = "bench/results.txt";

/// What is to be measured, and how much of it.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The server's binary.
    pub(crate) sipweb: PathBuf,
    /// Calls at a time for `media`, calls in all for `short-calls`.
    pub(crate) calls: Option<usize>,
    /// How long each run is measured.
    pub(crate) seconds: Option<u64>,
    /// How often.
    pub(crate) runs: Option<usize>,
    /// Where the results are kept.
    pub(crate) results: Option<PathBuf>,
    /// Which loads, at which rates, against which servers; all if not said.
    pub(crate) loads: Option<String>,
    pub(crate) rates: Vec<u32>,
    pub(crate) servers: Option<String>,
    /// The cores that the servers may run on, as `taskset` lists them.
    pub(crate) server_cores: String,
    /// For how many seconds after a load the server is watched.
    pub(crate) settle: Option<u64>,
    /// Whether the load never sleeps, so that no server is charged with waking it.
    pub(crate) busy: bool,
    /// How many connections or bindings there are, one count after the other.
    pub(crate) connections: Vec<usize>,
}

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let command = if arguments.is_empty() { String::new() } else { arguments.remove(0) };
    match run(&command, &arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sipweb-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &str, arguments: &[String]) -> Outcome<()> {
    let words = arguments.iter().take_while(|word| !word.starts_with('-')).count();
    let (names, arguments) = arguments.split_at(words);
    let options = options(arguments)?;
    match command {
        "all" => SLICES.iter().try_for_each(|slice| make(slice, arguments)),
        "slices" => {
            SLICES.iter().for_each(|slice| println!("{}", slice.name));
            Ok(())
        }
        "slice" if !names.is_empty() => names.iter().try_for_each(|name| {
            let slice = SLICES.iter().find(|slice| slice.name == name);
            make(slice.ok_or_else(|| format!("there is no slice {name:?}"))?, arguments)
        }),
        "report" => report::publish(options.results.as_deref().unwrap_or(Path::new(RESULTS))),
        // The bare forwarder, which `signalling` starts as a process of its own.
        "forward" => signalling::forward(),
        _ => {
            let (_, measure) = COMMANDS.iter().find(|(name, _)| *name == command).ok_or(USAGE)?;
            publish(command, *measure, &options)
        }
    }
}

/// Makes a slice; what the command line says holds where the slice says nothing else.
fn make(slice: &Slice, arguments: &[String]) -> Outcome<()> {
    println!("-- {}", slice.name);
    let begun = Instant::now();
    let of_slice = slice.options.iter().map(|word| (*word).to_owned());
    let all: Vec<String> = arguments.iter().cloned().chain(of_slice).collect();
    let (_, measure) = COMMANDS.iter().find(|(name, _)| *name == slice.command).ok_or(USAGE)?;
    publish(slice.command, *measure, &options(&all)?)?;
    println!("-- {}: {} s\n", slice.name, begun.elapsed().as_secs());
    Ok(())
}

/// Measures, prints and keeps.
fn publish(part: &str, measure: Measure, options: &Options) -> Outcome<()> {
    // Better refused now than after minutes of measuring.
    options.results.as_deref().map(Results::of_here).transpose()?;
    process::take_load_core();
    process::take_descriptors();
    let records = measure(options)?;
    println!("\n{}", report::part(part, &records)?);
    match &options.results {
        Some(path) => Results::keep(path, records),
        None => Ok(()),
    }
}

fn options(arguments: &[String]) -> Outcome<Options> {
    let mut options = Options {
        sipweb: "target/release/sipweb".into(),
        calls: None,
        seconds: None,
        runs: None,
        results: None,
        loads: None,
        rates: Vec::new(),
        servers: None,
        server_cores: process::SERVER_CORE.to_owned(),
        settle: None,
        busy: false,
        connections: Vec::new(),
    };
    let mut arguments = arguments.iter();
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} wants a value"))?.clone();
        match name.as_str() {
            "--sipweb" => options.sipweb = value.into(),
            "--calls" => options.calls = Some(value.parse()?),
            "--seconds" => options.seconds = Some(value.parse()?),
            "--runs" => options.runs = Some(value.parse()?),
            "--results" => options.results = Some(value.into()),
            "--loads" => options.loads = Some(value),
            "--rates" => options.rates = value.split(',').map(str::parse).collect::<Result<_, _>>()?,
            "--servers" => options.servers = Some(value),
            "--settle" => options.settle = Some(value.parse()?),
            "--busy" => options.busy = value == "yes",
            "--connections" => {
                options.connections = value.split(',').map(str::parse).collect::<Result<_, _>>()?;
            }
            "--server-cores" => options.server_cores = value,
            _ => return Err(USAGE.into()),
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slice_is_a_command_with_options_that_it_knows() {
        for slice in &SLICES {
            let words: Vec<String> = slice.options.iter().map(|word| (*word).to_owned()).collect();
            let options = options(&words).unwrap();
            assert!(COMMANDS.iter().any(|(name, _)| *name == slice.command), "{}", slice.name);
            for name in options.loads.iter().flat_map(|loads| loads.split(',')) {
                let known = signalling::Load::named(name).is_some() || slice.command == "idle";
                assert!(known, "{}: {name}", slice.name);
            }
        }
    }
}
