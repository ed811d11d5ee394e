//! What is wrong with a configuration, and where.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// One thing that is wrong, at its place in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// The column, counted from 1 in characters.
    pub(crate) column: usize,
    /// What is wrong, and what to do.
    pub(crate) message: String,
}

impl Problem {
    /// What follows these octets is no UTF-8.
    pub(super) fn no_text(before: &[u8]) -> Self {
        let line = before.iter().filter(|octet| **octet == b'\n').count() + 1;
        let start = before.iter().rposition(|octet| *octet == b'\n').map_or(0, |end| end + 1);
        let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
        Self { line, column, message: "this is no UTF-8; save the file in that encoding".to_owned() }
    }
}

/// Why there is no configuration.
#[derive(Debug)]
pub(crate) enum ConfigurationError {
    /// The file cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file is wrong.
    Wrong {
        /// The file.
        path: PathBuf,
        /// All that is wrong with it, in the file's order.
        problems: Vec<Problem>,
    },
}

impl fmt::Display for ConfigurationError {
    /// One problem a line, in the form that editors jump to: `FILE:LINE:COLUMN: message`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, source } => {
                write!(formatter, "cannot read {}: {source}", path.display())
            }
            Self::Wrong { path, problems } => {
                for (index, problem) in problems.iter().enumerate() {
                    let separator = if index == 0 { "" } else { "\n" };
                    let Problem { line, column, message } = problem;
                    write!(formatter, "{separator}{}:{line}:{column}: {message}", path.display())?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for ConfigurationError {}

/// What is wrong with a text, as a person sees it: the files of `folder` under their names alone.
#[cfg(test)]
pub(super) fn problems_in(text: &str, folder: &std::path::Path) -> Vec<String> {
    let Err(problems) = super::Configuration::parse(text, folder) else { return Vec::new() };
    let place = format!("{}/", folder.display());
    problems
        .into_iter()
        .map(|problem| {
            format!("{}:{}: {}", problem.line, problem.column, problem.message).replace(&place, "")
        })
        .collect()
}
