//! What Sipweb costs, measured beside others in the same run.
//!
//! ```text
//! cargo xtask bench                   # all of the next three
//! cargo xtask bench signalling        # calls and registrations, beside Kamailio and a bare forwarder
//! cargo xtask bench idle              # the memory of idle pages, beside Kamailio
//! cargo xtask bench limit             # the highest rate without a failed call, beside Kamailio
//! cargo xtask bench media             # a relayed packet and a call, beside rtpengine
//! cargo xtask bench short-calls       # ten thousand calls, and what is left of them
//! ```
//!
//! All print what they measured, and write it into a file with `--results FILE`. The servers run in processes of their
//! own, on one core; the load runs on another.

mod figure;
mod machine;
mod media;
mod process;
mod rtpengine;
mod short_calls;
mod signalling;
mod sipweb;
mod user_agent;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

/// What went well, or why it did not.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

const USAGE: &str = "\
Usage: sipweb-bench COMMAND --sipweb PATH [--seconds N] [--runs N] [--results FILE] [..]

  signalling    the cost of calls and registrations, beside Kamailio and a bare forwarder
                [--loads udp-call,..] [--rates 2000,..] [--servers sipweb,kamailio,forwarder]
                [--settle SECONDS] [--busy yes] [--server-cores 0-1]
  idle          the memory of idle registered pages, beside Kamailio [--connections 10000,..]
  limit         the highest rate without a failed call, beside Kamailio [--loads udp-call,..]
  all           these three
  media         the cost of a relayed packet and of a call, beside rtpengine [--calls N]
  short-calls   what many short calls leave behind in the server [--calls N]
";

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
    /// Where the results are written.
    pub(crate) results: Option<PathBuf>,
    /// Which loads, at which rates, against which servers; all if not said.
    pub(crate) loads: Option<String>,
    pub(crate) rates: Vec<u32>,
    pub(crate) servers: Option<String>,
    /// For how many seconds after a load the server is watched.
    pub(crate) settle: Option<u64>,
    /// Whether the load never sleeps, so that no server is charged with waking it.
    pub(crate) busy: bool,
    /// How many connections are held, one count after the other.
    pub(crate) connections: Vec<usize>,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let outcome = match (command.as_str(), options(arguments)) {
        ("all", Ok(options)) => {
            signalling::publish(&options, &[signalling::loads, signalling::idle, signalling::limit])
        }
        ("signalling", Ok(options)) => signalling::publish(&options, &[signalling::loads]),
        ("idle", Ok(options)) => signalling::publish(&options, &[signalling::idle]),
        ("limit", Ok(options)) => signalling::publish(&options, &[signalling::limit]),
        // The bare forwarder, which `signalling` starts as a process of its own.
        ("forward", Ok(_)) => signalling::forward(),
        ("media", Ok(options)) => media::measure(&options),
        ("short-calls", Ok(options)) => short_calls::measure(&options),
        (_, Err(error)) => Err(error),
        _ => Err(USAGE.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sipweb-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut arguments: impl Iterator<Item = String>) -> Outcome<Options> {
    let mut options = Options {
        sipweb: "target/release/sipweb".into(),
        calls: None,
        seconds: None,
        runs: None,
        results: None,
        loads: None,
        rates: Vec::new(),
        servers: None,
        settle: None,
        busy: false,
        connections: Vec::new(),
    };
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} wants a value"))?;
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
            "--server-cores" => process::set_server_cores(value),
            _ => return Err(USAGE.into()),
        }
    }
    Ok(options)
}
