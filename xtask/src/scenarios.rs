//! Crates whose scenarios are one program (`tests/main.rs`): each file beside it is to be a part of it, or nobody would run it.

use crate::step::{self, Failure};
use std::fs;
use std::path::Path;

/// Checks all crates.
pub(crate) fn check() -> Result<(), Failure> {
    step::announce("The scenarios");
    let crates = crate::root().join("crates");
    let mut faults = Vec::new();
    for name in names(&crates)? {
        let folder = crates.join(name).join("tests");
        if let Ok(program) = fs::read_to_string(folder.join("main.rs")) {
            let left_out = left_out(&program, &names(&folder)?);
            faults.extend(
                left_out.iter().map(|line| format!("{} lacks `{line}`", folder.join("main.rs").display())),
            );
        }
    }
    if faults.is_empty() {
        println!("every file is a part of its program");
        return Ok(());
    }
    Err(Failure(faults.join("\n       ")))
}

/// The lines that a program lacks, whose folder holds these files.
fn left_out(program: &str, files: &[String]) -> Vec<String> {
    let modules = files.iter().filter_map(|file| file.strip_suffix(".rs")).filter(|module| *module != "main");
    let lines = modules.map(|module| format!("mod {module};"));
    lines.filter(|line| program.lines().all(|known| known != line)).collect()
}

/// What a folder holds, in order.
fn names(folder: &Path) -> Result<Vec<String>, Failure> {
    let told = |error: std::io::Error| Failure(format!("{}: {error}", folder.display()));
    let entries = fs::read_dir(folder).map_err(told)?.collect::<Result<Vec<_>, _>>().map_err(told)?;
    let mut names: Vec<String> =
        entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_part_of_its_program_is_told() {
        let files = ["calls.rs", "common", "flows.rs", "main.rs", "README.md"].map(str::to_owned);
        assert_eq!(left_out("mod calls;\nmod common;\n", &files), ["mod flows;"]);
        assert!(left_out("mod calls;\nmod common;\nmod flows;\n", &files).is_empty());
    }
}
