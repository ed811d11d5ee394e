//! SIP for the Web: proxy, registrar, edge and the phone page in one binary.
//!
//! This crate only assembles: rules are in `proxy`, sockets in `net`, files in `store`.

#![forbid(unsafe_code)]

mod acme;
mod certificate;
mod certificate_watch;
mod clock;
mod command_line;
mod configuration;
mod demo;
mod event_lines;
mod event_loop;
mod ice_servers;
mod kept;
mod log;
mod media_joining;
mod origin;
mod outward_address;
mod parse_command;
mod password;
mod port_owner;
mod post;
mod randomness;
mod reload;
mod run;
mod server;
mod stir;
mod taking_turns;
mod tokens;
mod user_commands;
mod web_page;

use std::fmt;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use command_line::{Command, CommandLine};
use configuration::{Configuration, ConfigurationError};

/// Gives memory back once a storm of calls is over, which the C library's keeps (bench/RESULTS-media.md).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let command_line = match CommandLine::try_parse() {
        Ok(command_line) => command_line,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let outcome = execute(command_line.command);
    log::flush();
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "{failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

fn execute(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Serve(serve) if serve.demo => demo::serve(&serve.demo_options).map(|()| ExitCode::SUCCESS),
        Command::Serve(serve) => {
            let path = serve.config.unwrap_or_default();
            run::serve_configured(Configuration::read(&path)?).map(|()| ExitCode::SUCCESS)
        }
        Command::Check { file } => {
            Configuration::read(&file)?.tell_trouble();
            print(&format!("{}: all is well\n", file.display()));
            Ok(ExitCode::SUCCESS)
        }
        Command::ConfigExample => {
            print(&configuration::example());
            Ok(ExitCode::SUCCESS)
        }
        Command::User { command } => user_commands::execute(command).map(|()| ExitCode::SUCCESS),
        Command::Parse { files, json } => Ok(parse_command::execute(&files, json)),
    }
}

/// Writes to standard output. A reader that has gone away (`| head`) is no failure.
pub(crate) fn print(text: &str) {
    let mut output = std::io::stdout().lock();
    let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
}

/// `EX_USAGE` and `EX_CONFIG` of BSD's sysexits.
const USAGE: u8 = 64;
const CONFIGURATION: u8 = 78;

/// Why a command failed, in a sentence for the person who gave it.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The configuration is wrong.
    Configuration(ConfigurationError),
    /// What was asked for cannot be meant.
    Usage(String),
    /// It did not work.
    Failed(String),
}

impl Failure {
    /// A failure that says what `error` says.
    pub(crate) fn from_error(error: impl fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }

    const fn exit_code(&self) -> u8 {
        match self {
            Self::Configuration(_) => CONFIGURATION,
            Self::Usage(_) => USAGE,
            Self::Failed(_) => 1,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(error) => error.fmt(formatter),
            Self::Usage(sentence) | Self::Failed(sentence) => write!(formatter, "sipweb: {sentence}"),
        }
    }
}

impl From<ConfigurationError> for Failure {
    fn from(error: ConfigurationError) -> Self {
        Self::Configuration(error)
    }
}
