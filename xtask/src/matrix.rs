//! The matrix of requirements (docs/rfc, docs/attacks.md): what each RFC asks for, whether it is done, and the tests
//! that show it.
//!
//! Every row of a table there has five cells: where, level, what, state, tests. The state is `done`, `open`, or
//! `n/a:` with the reason. What is done names its tests, and every test that is named exists.

use crate::step::{self, Failure};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Levels of RFC 2119 that a row may have.
const LEVELS: [&str; 3] = ["MUST", "SHOULD", "MAY"];

/// Checks every table, and prints how much of each is done.
pub(crate) fn check() -> Result<(), Failure> {
    step::announce("The matrix of requirements");
    let root = crate::root();
    let tests = tests_of(&root)?;
    let mut faults = Vec::new();
    let mut figures = BTreeMap::new();
    for path in tables(&root)? {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let rows = rows(&read(&path)?);
        if rows.is_empty() {
            faults.push(format!("{name}: there is no row"));
        }
        for row in &rows {
            faults
                .extend(row.faults(&tests).into_iter().map(|fault| format!("{name} {}: {fault}", row.place)));
        }
        figures.insert(name, Figures::of(&rows));
    }
    for (name, figures) in &figures {
        println!("{name}: {}", figures.sentence());
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(Failure(faults.join("\n       ")))
}

/// One requirement.
#[derive(Debug)]
struct Row {
    place: String,
    level: String,
    words: String,
    state: String,
    tests: Vec<String>,
}

impl Row {
    fn faults(&self, known: &BTreeSet<String>) -> Vec<String> {
        let mut faults = Vec::new();
        if self.place.is_empty() || self.words.is_empty() {
            faults.push("says neither where nor what".to_owned());
        }
        if !LEVELS.contains(&self.level.as_str()) {
            faults.push(format!("\"{}\" is no level; there are {}", self.level, LEVELS.join(", ")));
        }
        match self.state.as_str() {
            "done" if self.tests.is_empty() => faults.push("is done, and no test shows it".to_owned()),
            "done" | "open" => {}
            state if state.strip_prefix("n/a:").is_some_and(|because| !because.trim().is_empty()) => {}
            state => faults.push(format!("\"{state}\" is no state; there are: done, open, n/a: because")),
        }
        for test in self.tests.iter().filter(|test| !known.contains(*test)) {
            faults.push(format!("there is no test `{test}`"));
        }
        faults
    }
}

/// How much of a table is done.
#[derive(Debug, Default, PartialEq, Eq)]
struct Figures {
    musts: (usize, usize),
    others: (usize, usize),
}

impl Figures {
    fn of(rows: &[Row]) -> Self {
        let mut figures = Self::default();
        for row in rows.iter().filter(|row| !row.state.starts_with("n/a")) {
            let (done, all) = if row.level == "MUST" { &mut figures.musts } else { &mut figures.others };
            *all += 1;
            *done += usize::from(row.state == "done");
        }
        figures
    }

    fn sentence(&self) -> String {
        let ((must, musts), (other, others)) = (self.musts, self.others);
        format!("{must} of {musts} MUST, {other} of {others} SHOULD and MAY")
    }
}

/// The rows of all tables in a text. The head of a table and the line below it are none.
fn rows(text: &str) -> Vec<Row> {
    text.lines()
        .filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'))
        .map(|line| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>())
        .filter_map(|cells| <[String; 5]>::try_from(cells).ok())
        .filter(|[_, level, ..]| level != "level" && !level.starts_with('-'))
        .map(|[place, level, words, state, tests]| {
            // What stands between backticks is a name.
            let tests = tests.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            Row { place, level, words, state, tests }
        })
        .collect()
}

fn tables(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut paths = files(&root.join("docs/rfc"), "md")?;
    paths.retain(|path| path.file_name().is_none_or(|name| name != "README.md"));
    paths.push(root.join("docs/attacks.md"));
    Ok(paths)
}

/// The names of all tests: functions of Rust, and the titles of those that run in Node.js.
fn tests_of(root: &Path) -> Result<BTreeSet<String>, Failure> {
    let mut names = BTreeSet::new();
    for path in files(&root.join("crates"), "rs")? {
        names.extend(rust_tests(&read(&path)?));
    }
    for (folder, ending) in [("tests/end-to-end", "mjs"), ("web/library/test", "ts")] {
        for path in files(&root.join(folder), ending)? {
            names.extend(titles(&read(&path)?));
        }
    }
    Ok(names)
}

fn rust_tests(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") {
            is_test |= line.contains("test]") || line.contains("test(");
        } else {
            let function = ["fn ", "async fn "].into_iter().find_map(|start| line.strip_prefix(start));
            if let Some(name) = function.filter(|_| is_test).and_then(|rest| rest.split('(').next()) {
                names.push(name.to_owned());
            }
            is_test = false;
        }
    }
    names
}

fn titles(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("test("))
        .filter_map(|rest| {
            let quote = rest.chars().next()?;
            rest.get(1..)?.split(quote).next().map(str::to_owned)
        })
        .collect()
}

fn files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(found) };
    for entry in entries {
        let path = entry.map_err(|error| Failure(format!("{}: {error}", folder.display())))?.path();
        if path.is_dir() {
            found.extend(files(&path, ending)?);
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure(format!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
        | § | level | what | state | shown by |\n\
        |---|---|---|---|---|\n\
        | 1 | MUST | something | done | `a_test` |\n\
        | 2 | SHOULD | more | open | |\n\
        | 3 | MUST | other | n/a: nobody does it | |\n";

    fn faults(text: &str) -> Vec<String> {
        let known = BTreeSet::from(["a_test".to_owned()]);
        rows(text).iter().flat_map(|row| row.faults(&known)).collect()
    }

    #[test]
    fn a_matrix_counts_what_is_done() {
        assert_eq!(faults(TABLE), Vec::<String>::new());
        assert_eq!(Figures::of(&rows(TABLE)), Figures { musts: (1, 1), others: (0, 1) });
    }

    #[test]
    fn a_test_that_is_named_exists() {
        assert_eq!(faults(&TABLE.replace("a_test", "no_test")), ["there is no test `no_test`"]);
    }

    #[test]
    fn what_is_done_is_shown() {
        assert_eq!(faults(&TABLE.replace("`a_test`", "")), ["is done, and no test shows it"]);
    }

    #[test]
    fn what_does_not_apply_has_a_reason() {
        let found = faults(&TABLE.replace("n/a: nobody does it", "n/a:"));
        assert_eq!(found, ["\"n/a:\" is no state; there are: done, open, n/a: because"]);
    }

    #[test]
    fn tests_are_found_by_their_names() {
        let text = "#[test]\nfn one() {\n#[tokio::test]\nasync fn two() {\nfn three() {\n";
        assert_eq!(rust_tests(text), ["one", "two"]);
        assert_eq!(
            titles("test('it works', async () => {\ntest(\"so does it\", () => {"),
            ["it works", "so does it"]
        );
    }
}
