//! The text of a configuration as values that know their place.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::Problem;
use super::keys;

/// A configuration file, parsed, every key of it known.
pub(crate) struct File<'a> {
    text: &'a str,
    table: DeTable<'a>,
    problems: Vec<Problem>,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Placed<T> {
    pub(crate) value: T,
    pub(crate) span: Range<usize>,
}

impl<'a> File<'a> {
    /// Parses `text`. Whatever is wrong is kept for [`File::problems`].
    pub(crate) fn parse(text: &'a str) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut file = Self { text, table: table.into_inner(), problems: Vec::new() };
        for error in errors {
            file.report(error.span().unwrap_or_default(), error.message().to_owned());
        }
        // After an error in the form itself, what follows from it would only confuse.
        if file.problems.is_empty() {
            file.refuse_unknown_keys();
        }
        file
    }

    /// Adds a problem at a place in the text.
    pub(crate) fn report(&mut self, span: Range<usize>, message: String) {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|letter| *letter != '\n').count() + 1;
        self.problems.push(Problem { line, column, message });
    }

    /// All problems so far, in the order of the text.
    pub(crate) fn problems(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(|problem| (problem.line, problem.column));
        // A value that is read for two purposes is complained of once.
        self.problems.dedup();
        self.problems
    }

    pub(crate) fn is_wrong(&self) -> bool {
        !self.problems.is_empty()
    }

    fn refuse_unknown_keys(&mut self) {
        let mut found = Vec::new();
        for (key, value) in &self.table {
            let name = key.get_ref().as_ref();
            if let Some(kind) = keys::kind(name) {
                refuse_unknown_in(kind, value, &mut found);
                continue;
            }
            match (keys::section(name), value.get_ref()) {
                (Some(section), DeValue::Table(inner)) => {
                    let known: Vec<&str> = section.keys.iter().map(|known| known.name).collect();
                    for unknown in inner.keys().filter(|inner| !known.contains(&inner.get_ref().as_ref())) {
                        let name = unknown.get_ref();
                        let elsewhere = keys::home(name).filter(|home| *home != section.name);
                        let advice = advice(name, &known, elsewhere);
                        found.push((
                            unknown.span(),
                            format!("unknown key \"{name}\" in [{}]{advice}", section.name),
                        ));
                    }
                }
                (Some(section), other) => {
                    let what = kind(other);
                    found
                        .push((value.span(), format!("[{}] is a section, and this is {what}", section.name)));
                }
                (None, DeValue::Table(_)) => {
                    let mut known: Vec<&str> = keys::sections().map(|section| section.name).collect();
                    known.extend(["upstreams", "routes"]);
                    let advice = advice(name, &known, None);
                    found.push((key.span(), format!("unknown section [{name}]{advice}")));
                }
                (None, _) => {
                    let known: Vec<&str> = keys::top().keys.iter().map(|known| known.name).collect();
                    if !known.contains(&name) {
                        let elsewhere = keys::home(name).filter(|home| !home.is_empty());
                        let advice = advice(name, &known, elsewhere);
                        found.push((key.span(), format!("unknown key \"{name}\"{advice}")));
                    }
                }
            }
        }
        for (span, message) in found {
            self.report(span, message);
        }
    }

    /// The value at `section`.`key`; the section "" is the top of the file.
    fn value(&self, section: &str, key: &str) -> Option<&Spanned<DeValue<'a>>> {
        debug_assert!(keys::is_known(section, key), "{section}.{key} is not in the table of keys");
        if section.is_empty() {
            return self.table.get(key);
        }
        if let Some((kind, one)) = section.split_once('.') {
            return self.one_of(kind, one)?.get_ref().as_table()?.get(key);
        }
        self.table.get(section)?.get_ref().as_table()?.get(key)
    }

    /// The section `[kind.one]`, or the element `one` of `[[kind]]`, counted from 0.
    fn one_of(&self, kind: &str, one: &str) -> Option<&Spanned<DeValue<'a>>> {
        match self.table.get(kind)?.get_ref() {
            DeValue::Table(table) => table.get(one),
            DeValue::Array(elements) => elements.get(one.parse::<usize>().ok()?),
            _ => None,
        }
    }

    /// The names of the sections `[kind.NAME]`, in the order of the file.
    pub(crate) fn names(&self, kind: &str) -> Vec<Placed<String>> {
        let Some(DeValue::Table(table)) = self.table.get(kind).map(Spanned::get_ref) else {
            return Vec::new();
        };
        let named = table.keys().map(|name| Placed { value: name.get_ref().to_string(), span: name.span() });
        let mut names: Vec<Placed<String>> = named.collect();
        names.sort_by_key(|name| name.span.start);
        names
    }

    /// How many sections `[[kind]]` there are.
    pub(crate) fn count(&self, kind: &str) -> usize {
        match self.table.get(kind).map(Spanned::get_ref) {
            Some(DeValue::Array(elements)) => elements.len(),
            _ => 0,
        }
    }

    /// Where the section `kind.one` begins, if it is there.
    pub(crate) fn whole(&self, section: &str) -> Option<Range<usize>> {
        let (kind, one) = section.split_once('.')?;
        self.one_of(kind, one).map(Spanned::span)
    }

    /// A text, or a whole number as it is written.
    pub(crate) fn written(&mut self, section: &str, key: &str) -> Option<Placed<String>> {
        let value = self.value(section, key)?;
        if let DeValue::Integer(digits) = value.get_ref() {
            return Some(Placed { value: digits.as_str().to_owned(), span: value.span() });
        }
        self.text(section, key)
    }

    /// Where the key itself stands, if it is there.
    pub(crate) fn place(&self, section: &str, key: &str) -> Option<Range<usize>> {
        self.value(section, key).map(Spanned::span)
    }

    /// A text.
    pub(crate) fn text(&mut self, section: &str, key: &str) -> Option<Placed<String>> {
        let value = self.value(section, key)?;
        let span = value.span();
        match value.get_ref() {
            DeValue::String(text) => Some(Placed { value: text.clone().into_owned(), span }),
            other => {
                let message = format!("{key} is a text in quotes, and this is {}", kind(other));
                self.report(span, message);
                None
            }
        }
    }

    /// A list of texts, or one text alone.
    pub(crate) fn texts(&mut self, section: &str, key: &str) -> Option<Vec<Placed<String>>> {
        let value = self.value(section, key)?;
        let elements: Vec<&Spanned<DeValue<'a>>> = match value.get_ref() {
            DeValue::Array(elements) => elements.iter().collect(),
            _ => vec![value],
        };
        let mut texts = Vec::new();
        let mut wrong = Vec::new();
        for element in elements {
            match element.get_ref() {
                DeValue::String(text) => {
                    texts.push(Placed { value: text.clone().into_owned(), span: element.span() });
                }
                other => wrong.push((
                    element.span(),
                    format!("{key} is a list of texts in quotes, and this is {}", kind(other)),
                )),
            }
        }
        for (span, message) in wrong {
            self.report(span, message);
        }
        Some(texts)
    }

    /// `true` or `false`.
    pub(crate) fn truth(&mut self, section: &str, key: &str) -> Option<bool> {
        let value = self.value(section, key)?;
        if let DeValue::Boolean(truth) = value.get_ref() {
            return Some(*truth);
        }
        let (span, message) =
            (value.span(), format!("{key} is true or false, and this is {}", kind(value.get_ref())));
        self.report(span, message);
        None
    }

    /// A whole number within `range`.
    pub(crate) fn number(&mut self, section: &str, key: &str, range: Range<usize>) -> Option<usize> {
        let value = self.value(section, key)?;
        let span = value.span();
        let message = match value.get_ref() {
            DeValue::Integer(digits) => {
                match usize::from_str_radix(&digits.as_str().replace('_', ""), digits.radix()) {
                    Ok(number) if range.contains(&number) => return Some(number),
                    _ => format!("{key} is a whole number from {} to {}", range.start, range.end - 1),
                }
            }
            other => format!("{key} is a whole number, and this is {}", kind(other)),
        };
        self.report(span, message);
        None
    }

    /// A text that `parse` understands; what `parse` says is reported.
    pub(crate) fn parsed<T>(
        &mut self,
        section: &str,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Placed<T>> {
        // A bare number where "30s" is meant deserves the same advice as "30".
        if let Some(DeValue::Integer(digits)) = self.value(section, key).map(Spanned::get_ref)
            && let Err(message) = parse(digits.as_str())
        {
            let span = self.place(section, key).unwrap_or_default();
            self.report(span, message);
            return None;
        }
        let text = self.text(section, key)?;
        match parse(&text.value) {
            Ok(value) => Some(Placed { value, span: text.span }),
            Err(message) => {
                self.report(text.span, message);
                None
            }
        }
    }

    /// A list of texts that `parse` understands, or one alone.
    pub(crate) fn all_parsed<T>(
        &mut self,
        section: &str,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<Placed<T>>> {
        let mut values = Vec::new();
        for text in self.texts(section, key)? {
            match parse(&text.value) {
                Ok(value) => values.push(Placed { value, span: text.span }),
                Err(message) => self.report(text.span, message),
            }
        }
        Some(values)
    }
}

/// The keys that none of the sections of a kind may have.
fn refuse_unknown_in(
    kind: &keys::Kind,
    value: &Spanned<DeValue<'_>>,
    found: &mut Vec<(Range<usize>, String)>,
) {
    let sections: Vec<&Spanned<DeValue<'_>>> = match (kind.name, value.get_ref()) {
        ("routes", DeValue::Array(elements)) => elements.iter().collect(),
        ("upstreams", DeValue::Table(table)) => table.values().collect(),
        (name, other) => {
            let header = if name == "routes" { "[[routes]]" } else { "[upstreams.NAME]" };
            return found.push((value.span(), format!("write {header}; this is {}", self::kind(other))));
        }
    };
    let known: Vec<&str> = kind.keys.iter().map(|known| known.name).collect();
    for section in sections {
        let DeValue::Table(table) = section.get_ref() else {
            let what = self::kind(section.get_ref());
            found.push((section.span(), format!("{} has sections, and this is {what}", kind.name)));
            continue;
        };
        for unknown in table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let name = unknown.get_ref();
            let advice = advice(name, &known, None);
            found.push((unknown.span(), format!("unknown key \"{name}\" in {}{advice}", kind.name)));
        }
    }
}

/// What a value is, with its article.
const fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}

/// The end of a sentence about an unknown name.
fn advice(name: &str, known: &[&str], elsewhere: Option<&str>) -> String {
    if let Some(home) = elsewhere {
        return if home.is_empty() {
            "; it belongs to the top of the file, before the first section".to_owned()
        } else {
            format!("; it belongs to [{home}]")
        };
    }
    match nearest(name, known) {
        Some(nearest) => format!("; did you mean \"{nearest}\"?"),
        None => format!("; known here: {}", known.join(", ")),
    }
}

/// The known name that differs from `name` by the fewest letters, if it is near at all.
fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let tolerated = name.chars().count().max(3) / 3;
    known
        .iter()
        .map(|candidate| (distance(&name.to_ascii_lowercase(), candidate), *candidate))
        .filter(|(distance, candidate)| {
            *distance <= tolerated || candidate.contains(name) && name.len() > 2 || name.contains(*candidate)
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be added, removed, changed or swapped with their neighbour to turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_the_one_that_was_meant() {
        let known = ["minimum_expires", "default_expires", "maximum_expires", "max_contacts", "flow_grace"];
        assert_eq!(nearest("flow_grase", &known), Some("flow_grace"));
        assert_eq!(nearest("flowgrace", &known), Some("flow_grace"));
        assert_eq!(nearest("max_contatcs", &known), Some("max_contacts"));
        assert_eq!(nearest("Maximum_Expires", &known), Some("maximum_expires"));
        assert_eq!(nearest("colour", &known), None);
    }

    #[test]
    fn swapped_letters_are_one_mistake() {
        assert_eq!(distance("upd", "udp"), 1);
        assert_eq!(distance("", "udp"), 3);
        assert_eq!(distance("udp", "udp"), 0);
    }
}
