//! How many instructions the hot path takes, beside the counts that are committed (bench/instructions.txt).
//!
//! Counts do not depend on what else the machine does, so a change of a few hundredths is a change of the code. They do
//! depend on the compiler, and on the maker of the processor, by which valgrind and libraries choose their instructions:
//! each pair of them has a baseline of its own, and where there is none the counts are shown, and judged by nobody.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use crate::step::{self, Failure};

/// By how much a count may grow without a reason, in hundredths; and shrink without being accepted.
const TOLERANCE: f64 = 3.0;
/// Replays of the two counts whose difference is what is sought.
const REPLAYS: [u64; 2] = [1, 4];
const HEAD: &str = "\
# Instructions of one operation of the hot path, counted by valgrind: `cargo xtask instructions` compares, and with
# --accept writes those of its compiler and processor anew. A count that grows by more than 3 % needs a reason in the commit.
";

/// What is committed, or was counted.
#[derive(Default)]
struct Counts {
    /// Compiler and processor.
    conditions: String,
    cases: BTreeMap<String, f64>,
}

/// The command.
pub(crate) fn command(arguments: &[String]) -> Result<(), Failure> {
    match arguments {
        [] => check(),
        [word] if word == "--accept" => {
            let (mut baselines, counts) = (read()?, count()?);
            print(of_the_same(&baselines, &counts), &counts);
            baselines.retain(|baseline| baseline.conditions != counts.conditions);
            baselines.push(counts);
            let path = path();
            std::fs::write(&path, write(&baselines))
                .map_err(|error| Failure(format!("{}: {error}", path.display())))
        }
        _ => Err(Failure("instructions takes --accept, or nothing".to_owned())),
    }
}

/// Counts and compares.
pub(crate) fn check() -> Result<(), Failure> {
    step::announce("Instructions of the hot path");
    let (baselines, counts) = (read()?, count()?);
    let baseline = of_the_same(&baselines, &counts);
    print(baseline, &counts);
    let Some(baseline) = baseline else {
        println!("There is no baseline of `{}`: not compared.", counts.conditions);
        return Ok(());
    };
    match verdict(baseline, &counts) {
        (grown, _) if !grown.is_empty() => Err(Failure(format!(
            "more than {TOLERANCE} % more instructions than the baseline: {}. Find out why; if the reason is good, \
             `cargo xtask instructions --accept`, and say it in the commit",
            grown.join(", ")
        ))),
        (_, shrunk) if !shrunk.is_empty() => {
            println!("Better: {}. Keep it with `cargo xtask instructions --accept`.", shrunk.join(", "));
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The baseline of this compiler and this maker of processors.
fn of_the_same<'b>(baselines: &'b [Counts], counts: &Counts) -> Option<&'b Counts> {
    baselines.iter().find(|baseline| baseline.conditions == counts.conditions)
}

/// The cases that take more instructions than they may, and those that take fewer than they did.
fn verdict(baseline: &Counts, counts: &Counts) -> (Vec<String>, Vec<String>) {
    let (mut grown, mut shrunk) = (Vec::new(), Vec::new());
    for (case, now) in &counts.cases {
        match baseline.cases.get(case).map(|before| change(*before, *now)) {
            None => grown.push(format!("{case} (which has no baseline)")),
            Some(change) if change > TOLERANCE => grown.push(format!("{case} (+{change:.1} %)")),
            Some(change) if change < -TOLERANCE => shrunk.push(format!("{case} ({change:.1} %)")),
            Some(_) => {}
        }
    }
    (grown, shrunk)
}

fn change(before: f64, now: f64) -> f64 {
    (now / before - 1.0) * 100.0
}

fn count() -> Result<Counts, Failure> {
    step::run(step::cargo().args([
        "build",
        "--release",
        "--locked",
        "--quiet",
        "--package",
        "sipweb-instructions",
    ]))?;
    let binary = crate::target().join("release/sipweb-instructions");
    let cases = step::output(step::program(&binary).arg("cases"))?;
    let mut lines = cases.lines();
    let operations = lines.next().and_then(|line| line.strip_prefix("operations ")?.parse::<f64>().ok());
    let operations = operations.ok_or_else(|| Failure("no operations to count".to_owned()))?;
    let compiler = step::output(step::rustc().arg("--version"))?;
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let maker = processor.lines().find_map(|line| line.strip_prefix("vendor_id")?.split_once(": "));
    let conditions =
        format!("{}, {}", compiler.trim(), maker.map_or(std::env::consts::ARCH, |(_, maker)| maker));
    let mut counts = Counts { conditions, ..Counts::default() };
    for case in lines {
        let [few, many] =
            [instructions(&binary, case, REPLAYS[0])?, instructions(&binary, case, REPLAYS[1])?];
        let replay = (many - few) / (REPLAYS[1] - REPLAYS[0]) as f64;
        counts.cases.insert(case.to_owned(), (replay / operations).round());
    }
    Ok(counts)
}

/// All instructions of a run.
fn instructions(binary: &PathBuf, case: &str, replays: u64) -> Result<f64, Failure> {
    let mut command = step::program("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(binary);
    command.arg(case).arg(replays.to_string());
    let output = command.output().map_err(|error| {
        Failure(format!("valgrind could not be started: {error}. On Debian: `sudo apt-get install valgrind`"))
    })?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected =
        said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse::<f64>().ok());
    match collected {
        Some(collected) if output.status.success() => Ok(collected),
        _ => Err(Failure(format!("valgrind did not count {case}: {said}"))),
    }
}

fn print(baseline: Option<&Counts>, counts: &Counts) {
    for (case, now) in &counts.cases {
        match baseline.and_then(|baseline| baseline.cases.get(case)) {
            Some(before) => println!("{case:<10} {now:>9}  ({:+.1} %)", change(*before, *now)),
            None => println!("{case:<10} {now:>9}"),
        }
    }
}

fn path() -> PathBuf {
    crate::root().join("bench/instructions.txt")
}

/// The committed counts; none if there is no file yet.
fn read() -> Result<Vec<Counts>, Failure> {
    let path = path();
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text =
        std::fs::read_to_string(&path).map_err(|error| Failure(format!("{}: {error}", path.display())))?;
    parse(&text).ok_or_else(|| Failure(format!("{} is not what was written", path.display())))
}

fn parse(text: &str) -> Option<Vec<Counts>> {
    let mut baselines: Vec<Counts> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        match line.split_once(' ').and_then(|(case, count)| Some((case, count.trim().parse().ok()?))) {
            Some((case, count)) => {
                baselines.last_mut()?.cases.insert(case.to_owned(), count);
            }
            None => baselines.push(Counts { conditions: line.to_owned(), ..Counts::default() }),
        }
    }
    Some(baselines)
}

fn write(baselines: &[Counts]) -> String {
    let mut text = HEAD.to_owned();
    for counts in baselines {
        let _ = writeln!(text, "{}", counts.conditions);
        for (case, count) in &counts.cases {
            let _ = writeln!(text, "{case} {count}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(cases: &[(&str, f64)]) -> Counts {
        let cases = cases.iter().map(|(case, count)| ((*case).to_owned(), *count)).collect();
        Counts { conditions: "rustc 1.1 (of a day), one maker".to_owned(), cases }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let other =
            Counts { conditions: "rustc 1.1 (of a day), another".to_owned(), ..counts(&[("parse", 4000.0)]) };
        let text = write(&[counts(&[("parse", 5000.0), ("forward", 90_000.0)]), other]);
        let read = parse(&text).unwrap();
        let found = of_the_same(&read, &counts(&[])).unwrap();
        assert_eq!((read.len(), found.cases["forward"]), (2, 90_000.0));
    }

    #[test]
    fn three_hundredths_are_tolerated_and_four_are_not() {
        let baseline = counts(&[("parse", 1000.0), ("forward", 1000.0), ("respond", 1000.0)]);
        let now = counts(&[("parse", 1029.0), ("forward", 1040.0), ("respond", 900.0)]);
        let (grown, shrunk) = verdict(&baseline, &now);
        assert_eq!(grown, ["forward (+4.0 %)"]);
        assert_eq!(shrunk, ["respond (-10.0 %)"]);
    }

    #[test]
    fn a_case_without_a_baseline_must_be_accepted() {
        assert_eq!(verdict(&counts(&[]), &counts(&[("parse", 1.0)])).0.len(), 1);
    }
}
