//! Running other programs, step by step, with a word to the person who waits.

use std::ffi::OsStr;
use std::io::BufRead as _;
use std::process::{Command, Stdio};

/// Why a command of ours failed, in a sentence.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

/// Says what comes next.
pub(crate) fn announce(what: &str) {
    println!("\n== {what}");
}

/// A program, run in the root of the workspace.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(crate::root());
    command
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The compiler that cargo uses.
pub(crate) fn rustc() -> Command {
    program(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}

/// Runs a program to its end, its output shown.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command.status().map_err(|error| not_started(command, &error))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure(format!("`{}` failed ({status})", line(command))))
}

/// Runs a program and returns what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String, Failure> {
    let output = command.output().map_err(|error| not_started(command, &error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failure(format!("`{}` failed ({}): {}", line(command), output.status, said.trim())))
}

/// Runs a program, shows what it prints while it runs, and returns it.
pub(crate) fn output_shown(command: &mut Command) -> Result<String, Failure> {
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| not_started(command, &error))?;
    let mut said = String::new();
    if let Some(stdout) = child.stdout.take() {
        for text in std::io::BufReader::new(stdout).lines().map_while(Result::ok) {
            println!("{text}");
            said.push_str(&text);
            said.push('\n');
        }
    }
    let status = child.wait().map_err(|error| Failure(format!("`{}` was lost: {error}", line(command))))?;
    if status.success() {
        return Ok(said);
    }
    Err(Failure(format!("`{}` failed ({status})", line(command))))
}

/// A program that runs beside whatever else is done.
pub(crate) struct Beside {
    line: String,
    child: std::process::Child,
}

/// Starts a program whose output is shown when it is waited for.
pub(crate) fn start_beside(mut command: Command) -> Result<Beside, Failure> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().map_err(|error| not_started(&command, &error))?;
    Ok(Beside { line: line(&command), child })
}

impl Beside {
    /// Waits for its end and shows what it printed.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let ended = self.child.wait_with_output();
        let output = ended.map_err(|error| Failure(format!("`{}` was lost: {error}", self.line)))?;
        print!("{}", String::from_utf8_lossy(&output.stdout));
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        if output.status.success() {
            return Ok(());
        }
        Err(Failure(format!("`{}` failed ({})", self.line, output.status)))
    }
}

/// Whether a program can be started and succeeds, without showing its output.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

fn not_started(command: &Command, error: &std::io::Error) -> Failure {
    Failure(format!("`{}` could not be started: {error}", line(command)))
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
