//! Many runs, one for each seed; a seed that fails is told, with the command that replays it.

use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};

use crate::ladder::Ladder;

/// What begins the line that tells how many runs a scenario made.
const RUNS: &str = "simulated runs: ";

/// One run in so many is made twice, to see that nothing but the seed decides.
const TWICE: u64 = 20;

/// Runs `scenario` for each of `count` seeds. The scenario gives its ladder back.
///
/// `SIPWEB_SEED` names one seed to run alone, `SIPWEB_SEEDS` another number of seeds, `SIPWEB_TIMES` by how much each
/// scenario's own number is multiplied. Seeds of different scenarios are the same numbers; what they mean is the
/// scenario's.
///
/// # Panics
/// When a scenario does, and when the same seed gives another ladder the second time.
#[track_caller]
pub fn for_each_seed(count: u64, scenario: impl Fn(u64) -> Ladder) {
    let file = Location::caller().file();
    if let Some(seed) = number("SIPWEB_SEED") {
        let _ = scenario(seed);
        return;
    }
    let seeds = number("SIPWEB_SEEDS").unwrap_or_else(|| count * number("SIPWEB_TIMES").unwrap_or(1));
    for seed in 0..seeds {
        let run = || {
            let ladder = scenario(seed);
            if seed % TWICE == 0 {
                let again = scenario(seed);
                assert!(ladder == again, "the same seed made another run:\n{}", difference(&ladder, &again));
            }
        };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
            eprintln!("seed {seed} fails; replay it with\n    {}", replay(seed, file));
            resume_unwind(panic);
        }
    }
    println!("{RUNS}{seeds} of {file}");
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} must be a number, not {text:?}")))
}

fn replay(seed: u64, file: &str) -> String {
    let stem = file.rsplit('/').next().unwrap_or(file).trim_end_matches(".rs");
    let current = std::thread::current();
    let test = current.name().unwrap_or_default();
    format!("SIPWEB_SEED={seed} cargo test -p sipweb-simulator --test {stem} -- --exact {test} --nocapture")
}

fn difference(one: &Ladder, other: &Ladder) -> String {
    let (one, other) = (one.rungs(), other.rungs());
    let place = one.iter().zip(other).position(|(left, right)| left != right);
    match place {
        Some(place) => format!("{:?}\n{:?}", &one[place], &other[place]),
        None => format!("{} messages and {} messages", one.len(), other.len()),
    }
}
