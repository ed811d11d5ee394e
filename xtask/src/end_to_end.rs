//! Real browsers and phones against the real binary (tests/end-to-end).

use crate::step::{self, Failure};
use std::path::{Path, PathBuf};

/// What mostly waits, and so may run beside the others.
const WAITING: &[&str] = &[
    "a_minute.test.mjs",
    "acme.test.mjs",
    "balancer.test.mjs",
    "edge.test.mjs",
    "edge_without_path.test.mjs",
    "guests.test.mjs",
    "kamailio_edge.test.mjs",
    "kept_messages.test.mjs",
    "lamps.test.mjs",
    "recipes.test.mjs",
    "shared_tabs.test.mjs",
    "sipp.test.mjs",
    "sipvicious.test.mjs",
    "sleep.test.mjs",
    "tokens.test.mjs",
    "trunk.test.mjs",
    "two_edges.test.mjs",
];

/// Builds the server and runs the scenarios: two files at a time, which mostly wait for each other's sound and not for
/// the processor, and one of those that only wait.
pub(crate) fn run() -> Result<(), Failure> {
    step::announce("Browsers, phones and other servers against the real binary");
    step::run(step::cargo().args(["build", "--locked", "--quiet", "--package", "sipweb"]))?;
    let folder = crate::root().join("tests");
    let (waiting, others): (Vec<_>, Vec<_>) =
        scenarios(&folder)?.into_iter().partition(|path| WAITING.iter().any(|name| path.ends_with(name)));
    let node = |at_a_time: u8, files: &[PathBuf]| {
        let mut node = step::program("node");
        node.args(["--test", &format!("--test-concurrency={at_a_time}"), "--test-reporter=spec"]).args(files);
        node.env("SIPWEB", crate::target().join("debug/sipweb")).current_dir(&folder);
        node
    };
    let beside = step::start_beside(node(1, &waiting))?;
    step::run(&mut node(2, &others)).and(beside.finish())
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
