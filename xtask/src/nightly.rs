//! What is too long for each change: the simulator over a million runs.

use crate::step::{self, Failure};
use std::time::Instant;

/// The suite makes some 10,500 runs, so that these are over a million.
const TIMES: &str = "100";
/// How many runs there must have been.
const RUNS: u64 = 1_000_000;

/// Runs each scenario of the simulator over many more seeds than the suite does, and counts the runs.
///
/// `SIPWEB_TIMES` takes the place of the usual factor; then the number of runs is told and not asked for.
pub(crate) fn run() -> Result<(), Failure> {
    step::announce("The simulator, for the whole night if it must be");
    let (times, least) = match std::env::var("SIPWEB_TIMES") {
        Ok(times) => (times, 0),
        Err(_) => (TIMES.to_owned(), RUNS),
    };
    let begun = Instant::now();
    let mut tests = step::cargo();
    tests.args([
        "test",
        "--release",
        "--locked",
        "--no-fail-fast",
        "--package",
        "sipweb-simulator",
        "--tests",
        "--",
        "--show-output",
    ]);
    let said = step::output_shown(tests.env("SIPWEB_TIMES", &times))?;
    let runs = count(&said);
    println!("{runs} runs without a fault, in {} s.", begun.elapsed().as_secs());
    if runs < least {
        return Err(Failure(format!("only {runs} runs were counted, of {least} at least")));
    }
    Ok(())
}

/// The runs that the scenarios told of.
fn count(said: &str) -> u64 {
    said.lines()
        .filter_map(|line| {
            line.trim().strip_prefix("simulated runs: ")?.split(' ').next()?.parse::<u64>().ok()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn the_runs_of_all_scenarios_are_counted() {
        let said = "test bad_networks ... ok\n\n---- bad_networks stdout ----\nsimulated runs: 700 of tests/a.rs\n\
                    simulated runs: 50 of tests/b.rs\nanything else\n";
        assert_eq!(count(said), 750);
    }
}
