//! One run in words: `key=value`, separated by tabs.

use std::fmt::{self, Display, Write as _};

use crate::figure::Figure;

/// What tells measurements apart; runs that agree in all of these, and servers beside each other in the same run, form
/// one group. What a group has of them is part of what it is called.
const IDENTITY: [&str; 7] = ["part", "load", "rate", "cores", "wire", "connections", "bindings"];

/// One run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    fields: Vec<(String, String)>,
}

impl Record {
    /// Of a part of the benchmark, and of a server.
    pub(crate) fn new(part: &str, server: &str) -> Self {
        Self::default().with("part", part).with("server", server)
    }

    /// The same with one field more.
    #[must_use]
    pub(crate) fn with(mut self, key: &str, value: impl Display) -> Self {
        let value = value.to_string().replace(['\t', '\n', '\r'], " ");
        self.fields.push((key.to_owned(), value));
        self
    }

    /// The same with a number more, in six digits.
    #[must_use]
    pub(crate) fn with_number(self, key: &str, value: f64) -> Self {
        let digits = if value == 0.0 || !value.is_finite() {
            0
        } else {
            (5.0 - value.abs().log10().floor()).clamp(0.0, 9.0) as usize
        };
        let text = format!("{value:.digits$}");
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        self.with(key, text)
    }

    /// The text of a field; empty if there is none.
    pub(crate) fn text(&self, key: &str) -> &str {
        self.fields.iter().find(|(known, _)| known == key).map_or("", |(_, value)| value)
    }

    /// The number in a field; NaN if there is none.
    pub(crate) fn number(&self, key: &str) -> f64 {
        self.text(key).parse().unwrap_or(f64::NAN)
    }

    /// What it is a run of, whatever the server.
    pub(crate) fn identity(&self) -> [&str; IDENTITY.len()] {
        IDENTITY.map(|key| self.text(key))
    }

    /// From its line.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let field = |word: &str| word.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
        Some(Self { fields: line.split('\t').map(field).collect::<Option<_>>()? })
    }
}

impl Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (key, value)) in self.fields.iter().enumerate() {
            if place > 0 {
                f.write_char('\t')?;
            }
            write!(f, "{key}={value}")?;
        }
        Ok(())
    }
}

/// All runs of one thing, of all servers.
pub(crate) struct Group<'a> {
    /// The runs, in the order in which they were made.
    pub(crate) runs: Vec<&'a Record>,
}

impl Group<'_> {
    /// A field that all runs agree in.
    pub(crate) fn text(&self, key: &str) -> &str {
        self.runs.first().map_or("", |run| run.text(key))
    }

    /// The runs of a server.
    pub(crate) fn of(&self, server: &str) -> Vec<&Record> {
        self.runs.iter().copied().filter(|run| run.text("server") == server).collect()
    }

    /// A figure over the runs of a server, if it has any.
    pub(crate) fn figure(&self, server: &str, key: &str) -> Option<Figure> {
        let runs = self.of(server);
        (!runs.is_empty()).then(|| Figure::of(&runs, |run| run.number(key)))
    }

    /// The ratio of the medians of a figure of two servers.
    pub(crate) fn ratio(&self, server: &str, other: &str, key: &str) -> Option<f64> {
        Some(self.figure(server, key)?.median / self.figure(other, key)?.median)
    }
}

/// The runs of a part, what belongs together beside each other, in the order of first appearance.
pub(crate) fn groups<'a>(records: &'a [Record], part: &str) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for record in records.iter().filter(|record| record.text("part") == part) {
        match groups.iter_mut().find(|group| group.runs[0].identity() == record.identity()) {
            Some(group) => group.runs.push(record),
            None => groups.push(Group { runs: vec![record] }),
        }
    }
    groups
}

/// The servers among these runs, in the order of first appearance.
pub(crate) fn names<'a>(runs: &[&'a Record]) -> Vec<&'a str> {
    let mut names = Vec::new();
    for run in runs {
        if !names.contains(&run.text("server")) {
            names.push(run.text("server"));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_read_as_it_was_written() {
        let run = Record::new("signalling", "Sipweb").with("words", "a\tb").with_number("cpu", 61.234_567_8);
        assert_eq!(run.to_string(), "part=signalling\tserver=Sipweb\twords=a b\tcpu=61.2346");
        assert_eq!(Record::parse(&run.to_string()), Some(run));
        assert_eq!(Record::parse("no pairs"), None);
    }

    #[test]
    fn a_number_keeps_six_digits_whatever_its_size() {
        let text = |number| Record::default().with_number("n", number).text("n").to_owned();
        assert_eq!(text(0.000_123_456_7), "0.000123457");
        assert_eq!(text(64_000.0), "64000");
        assert_eq!(text(12_345_678.9), "12345679");
    }

    #[test]
    fn servers_measured_beside_each_other_are_compared_by_their_medians() {
        let run = |server: &str, cpu: f64| Record::new("signalling", server).with_number("cpu", cpu);
        let other = run("Sipweb", 1.0).with("rate", 500);
        let records =
            [run("Sipweb", 50.0), run("Kamailio", 200.0), run("Sipweb", 70.0), run("Sipweb", 60.0), other];
        let groups = groups(&records, "signalling");
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0].ratio("Sipweb", "Kamailio", "cpu"), Some(0.3));
        assert_eq!(groups[1].ratio("Sipweb", "Kamailio", "cpu"), None);
    }
}
