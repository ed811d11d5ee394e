//! The whole test suite, cheapest questions first.

use crate::step::{self, Failure};
use crate::{end_to_end, floors, instructions, machine, matrix, scenarios, web};
use std::time::Instant;

type Part = (&'static str, fn() -> Result<(), Failure>);

/// The parts in their order. `rust` needs the page that `web` built, for the server embeds it.
const PARTS: [Part; 8] = [
    ("lint", lint),
    ("floors", floors::check),
    ("scenarios", scenarios::check),
    ("matrix", matrix::check),
    ("web", browser_library),
    ("rust", rust),
    ("instructions", instructions::check),
    ("end-to-end", end_to_end::run),
];

/// Runs the parts that were asked for, or all.
pub(crate) fn run(asked: &[String]) -> Result<(), Failure> {
    if let Some(unknown) = asked.iter().find(|name| PARTS.iter().all(|(known, _)| known != name)) {
        let known: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
        return Err(Failure(format!(
            "there is no part `{unknown}` of the suite; there are: {}",
            known.join(" ")
        )));
    }
    let begun = Instant::now();
    machine::prepare_for_tests()?;
    for (name, part) in PARTS {
        if asked.is_empty() || asked.iter().any(|wanted| wanted == name) {
            let part_begun = Instant::now();
            part()?;
            println!("-- {name}: passed in {} s", part_begun.elapsed().as_secs());
        }
    }
    println!("\nAll passed in {} s.", begun.elapsed().as_secs());
    Ok(())
}

fn lint() -> Result<(), Failure> {
    step::announce("Format and lints");
    step::run(step::cargo().args(["fmt", "--all", "--check"]))?;
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--quiet", "--", "-D", "warnings"];
    step::run(step::cargo().args(clippy))
}

fn rust() -> Result<(), Failure> {
    step::announce("Rust tests");
    step::run(step::cargo().args(["test", "--workspace", "--locked", "--quiet"]))
}

fn browser_library() -> Result<(), Failure> {
    web::build()?;
    let folder = crate::root().join("web");
    step::announce("Types of the library and the page");
    step::run(step::program("npm").args(["run", "--silent", "types"]).current_dir(&folder))?;
    step::announce("Library tests (Node.js)");
    step::run(step::program("npm").args(["test", "--silent"]).current_dir(&folder))
}
