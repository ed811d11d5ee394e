//! Real browsers and phones against the real binary (tests/end-to-end).

use crate::step::{self, Failure};
use std::path::{Path, PathBuf};

/// Builds the server and runs the scenarios, one file after the other: two cores bear no more.
pub(crate) fn run() -> Result<(), Failure> {
    step::announce("Browsers, phones and other servers against the real binary");
    step::run(step::cargo().args(["build", "--locked", "--quiet", "--package", "sipweb"]))?;
    let folder = crate::root().join("tests");
    let mut node = step::program("node");
    node.args(["--test", "--test-concurrency=1", "--test-reporter=spec"]).args(scenarios(&folder)?);
    node.env("SIPWEB", crate::target().join("debug/sipweb")).current_dir(folder);
    step::run(&mut node)
}

/// The files `*.test.mjs`, by name.
fn scenarios(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let folder = folder.join("end-to-end");
    let entries =
        std::fs::read_dir(&folder).map_err(|error| Failure(format!("{}: {error}", folder.display())))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(".test.mjs"))
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(Failure(format!("{} holds no scenario", folder.display())));
    }
    Ok(files)
}
