//! `sipweb parse`: SIP messages explained.
//!
//! [`explain`] makes of a message what we understand of it, with the same code that the server receives with;
//! [`text`] writes that for people, and serde for programs.

mod body;
mod details;
mod explain;
mod rules;
mod text;

use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use explain::Explanation;

/// Explains every file. Success only if all are acceptable.
pub(crate) fn execute(files: &[PathBuf], json: bool) -> ExitCode {
    let mut all_acceptable = true;
    for (index, path) in files.iter().enumerate() {
        let name =
            if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
        let bytes = match read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                // Where nobody reads what went wrong, the exit code says it.
                let _ = writeln!(std::io::stderr(), "sipweb: cannot read {name}: {error}");
                all_acceptable = false;
                continue;
            }
        };
        let explanation = explain::explain(&name, &bytes);
        all_acceptable &= explanation.acceptable;
        crate::print(&written(&explanation, json, index > 0));
    }
    if all_acceptable { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn written(explanation: &Explanation, json: bool, another: bool) -> String {
    if json {
        let mut line = serde_json::to_string(explanation).unwrap_or_default();
        line.push('\n');
        return line;
    }
    let separator = if another { "\n" } else { "" };
    format!("{separator}{}", text::write(explanation))
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    std::fs::read(path)
}
