//! What Sipweb costs, measured beside others in the same run.
//!
//! ```text
//! cargo xtask bench media             # a relayed packet and a call, beside rtpengine
//! cargo xtask bench short-calls       # ten thousand calls, and what is left of them
//! ```
//!
//! Both print what they measured, and write it into a file with `--results FILE`. The servers run in processes of their own, on one core;
//! the load runs on another.

mod media;
mod process;
mod rtpengine;
mod short_calls;
mod sipweb;
mod user_agent;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

/// What went well, or why it did not.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

const USAGE: &str = "\
Usage: sipweb-bench COMMAND --sipweb PATH [--calls N] [--seconds N] [--runs N] [--results FILE]

  media         the cost of a relayed packet and of a call, beside rtpengine
  short-calls   what many short calls leave behind in the server
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
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let outcome = match (command.as_str(), options(arguments)) {
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
    };
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} wants a value"))?;
        match name.as_str() {
            "--sipweb" => options.sipweb = value.into(),
            "--calls" => options.calls = Some(value.parse()?),
            "--seconds" => options.seconds = Some(value.parse()?),
            "--runs" => options.runs = Some(value.parse()?),
            "--results" => options.results = Some(value.into()),
            _ => return Err(USAGE.into()),
        }
    }
    Ok(options)
}
