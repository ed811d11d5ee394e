//! An explanation for people.

use std::fmt::Write;

use super::body::{Body, Content};
use super::details::Details;
use super::explain::{Explanation, Header, Problem, Start};

/// The explanation as text, its last line ended.
pub(super) fn write(explanation: &Explanation) -> String {
    let mut text = String::new();
    let verdict = if explanation.acceptable { "acceptable" } else { "NOT acceptable" };
    let _ = writeln!(text, "{}: {verdict}", explanation.file);
    for fault in &explanation.faults {
        problem(&mut text, &explanation.file, "wrong", fault);
    }
    for remark in &explanation.remarks {
        problem(&mut text, &explanation.file, "odd", remark);
    }
    if let Some(start) = &explanation.start {
        text.push('\n');
        start_line(&mut text, start);
    }
    for header in &explanation.headers {
        header_field(&mut text, header);
    }
    if let Some(body) = &explanation.body {
        text.push('\n');
        write_body(&mut text, body);
    }
    text
}

fn problem(text: &mut String, file: &str, kind: &str, problem: &Problem) {
    let place = problem.place;
    let header = problem.header.map_or_else(String::new, |header| format!("{header}: "));
    let answer = match (kind, problem.status) {
        ("wrong", Some(status)) => format!("; answered {status} {}", sip::reason_phrase(status)),
        ("wrong", None) => "; dropped".to_owned(),
        _ => String::new(),
    };
    let _ = writeln!(
        text,
        "{file}:{}:{}: {kind}: {header}{} (octet {}; {}{answer})",
        place.line, place.column, problem.reason, place.offset, problem.rule
    );
}

fn start_line(text: &mut String, start: &Start) {
    match start {
        Start::Request { method, known, uri, parts, version } => {
            let _ = writeln!(text, "{method} {uri} {version}");
            if !known {
                let _ = writeln!(text, "    {method} is not a method we know; it is passed on");
            }
            details(text, parts);
        }
        Start::Response { status, reason, meaning, version } => {
            let _ = writeln!(text, "{version} {status} {reason}");
            if !meaning.is_empty() && meaning != reason {
                let _ = writeln!(text, "    {status} means {meaning}");
            }
        }
    }
}

fn header_field(text: &mut String, header: &Header) {
    let written = header.written.as_ref().map_or_else(String::new, |written| format!(" (written {written})"));
    let _ = writeln!(text, "{:>4}  {}{written}: {}", header.place.line, header.name, header.value);
    for value in &header.values {
        details(text, value);
    }
}

/// The parts on one line; on several where it would be too long.
fn details(text: &mut String, details: &Details) {
    const WIDTH: usize = 100;
    let mut line = String::new();
    for (name, value) in &details.0 {
        let part = format!("{name}={value}");
        if !line.is_empty() && line.len() + part.len() > WIDTH {
            let _ = writeln!(text, "        {line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push_str(" · ");
        }
        line.push_str(&part);
    }
    if !line.is_empty() {
        let _ = writeln!(text, "        {line}");
    }
}

fn write_body(text: &mut String, body: &Body) {
    let kind = body.content_type.as_deref().unwrap_or("of no declared type");
    let _ = writeln!(text, "body: {} octets, {kind}", body.octets);
    match &body.content {
        Content::Description(lines) => {
            for line in lines {
                let _ = writeln!(text, "        {:<60}  {}", line.text, line.about);
            }
        }
        Content::Text(lines) => {
            for line in lines {
                let _ = writeln!(text, "        {line}");
            }
        }
        Content::Binary => {}
    }
}
