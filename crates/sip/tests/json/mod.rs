//! Enough JSON to read the tables beside the vectors.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// A JSON value.
#[derive(Debug)]
pub(crate) enum Json {
    Object(BTreeMap<String, Self>),
    Array(Vec<Self>),
    Text(String),
    /// A number, `true`, `false` or `null`, as written.
    Plain,
}

static NOTHING: Json = Json::Plain;

impl Json {
    /// Reads `text`; panics where it is no JSON.
    pub(crate) fn parse(text: &str) -> Self {
        value(&mut text.chars().peekable())
    }

    /// A member of an object.
    pub(crate) fn get(&self, name: &str) -> &Self {
        let Self::Object(members) = self else { panic!("no object") };
        members.get(name).unwrap_or(&NOTHING)
    }

    /// The items of an array.
    pub(crate) fn items(&self) -> &[Self] {
        let Self::Array(items) = self else { panic!("no array") };
        items
    }

    /// A string; empty for anything else.
    pub(crate) fn text(&self) -> &str {
        let Self::Text(text) = self else { return "" };
        text
    }
}

fn skip(text: &mut Peekable<Chars<'_>>) {
    while text.next_if(|letter| letter.is_whitespace() || matches!(letter, ',' | ':')).is_some() {}
}

fn value(text: &mut Peekable<Chars<'_>>) -> Json {
    skip(text);
    match text.next().expect("a value") {
        '{' => {
            let mut members = BTreeMap::new();
            loop {
                skip(text);
                if text.next_if_eq(&'}').is_some() {
                    return Json::Object(members);
                }
                assert_eq!(text.next(), Some('"'));
                let name = string(text);
                members.insert(name, value(text));
            }
        }
        '[' => {
            let mut items = vec![];
            loop {
                skip(text);
                if text.next_if_eq(&']').is_some() {
                    return Json::Array(items);
                }
                items.push(value(text));
            }
        }
        '"' => Json::Text(string(text)),
        _ => {
            while text.next_if(|letter| !matches!(letter, ',' | '}' | ']')).is_some() {}
            Json::Plain
        }
    }
}

fn string(text: &mut Peekable<Chars<'_>>) -> String {
    let mut found = String::new();
    loop {
        match text.next().expect("the string ends") {
            '"' => return found,
            '\\' => match text.next().expect("an escape") {
                'u' => {
                    let digits: String = text.by_ref().take(4).collect();
                    let code = u32::from_str_radix(&digits, 16).expect("four digits");
                    found.push(char::from_u32(code).unwrap_or('\u{fffd}'));
                }
                'n' => found.push('\n'),
                'r' => found.push('\r'),
                't' => found.push('\t'),
                other => found.push(other),
            },
            letter => found.push(letter),
        }
    }
}
