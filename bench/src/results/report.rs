//! The pages of results: what people wrote stays, and the tables between their marks are made anew.

use std::path::Path;

use super::plot::{Chart, Series};
use super::{Record, Results, groups, marks};
use crate::results::record::Group;
use crate::{Outcome, media, short_calls, signalling};

/// The pages, beside the file of results.
const PAGES: [&str; 3] = ["RESULTS.md", "RESULTS-ordinary.md", "RESULTS-media.md"];
/// What begins and ends a part that is made: `<!-- made: NAME -->`, and the end.
const BEGIN: &str = "<!-- made: ";
const END: &str = "<!-- end -->";

/// Beside the file of results: what was measured of the server that `cargo xtask arrange` builds, and the beginning of
/// the names of its parts.
const ARRANGED: (&str, &str) = ("results-arranged.txt", "arranged ");

/// A part of a page.
type Make = fn(&[Record]) -> Outcome<String>;
const PARTS: [(&str, Make); 13] = [
    ("circumstances", circumstances),
    ("marks", marks::table),
    ("signalling", signalling::table::table),
    ("trying", signalling::table::trying),
    ("idle", signalling::idle_table),
    ("memory", signalling::memory_table),
    ("limit", signalling::limit_table),
    ("bindings", signalling::bindings_table),
    ("cores", signalling::cores_table),
    ("sipp", signalling::sipp_table),
    ("tuning", signalling::tuning_table),
    ("media", media::table),
    ("short-calls", short_calls::table),
];

/// The table of what one command measured.
pub(crate) fn part(name: &str, records: &[Record]) -> Outcome<String> {
    let (_, make) =
        PARTS.iter().find(|(known, _)| *known == name).ok_or_else(|| format!("no part {name}"))?;
    make(records)
}

/// Makes all pages and pictures beside a file of results.
pub(crate) fn publish(file: &Path) -> Outcome<()> {
    let results = Results::read(file)?;
    if results.records.is_empty() {
        return Err(format!("{} has no results", file.display()).into());
    }
    let folder = file.parent().ok_or("the results lie in no folder")?;
    let (beside, arranged) = ARRANGED;
    let of_arranged = Results::read(&folder.join(beside))?;
    for name in PAGES {
        let path = folder.join(name);
        let page = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let made = fill(&page, |part| match part.strip_prefix(arranged) {
            Some("marks") => marks::of_measured(&of_arranged.records),
            Some(part) => self::part(part, &of_arranged.records),
            None => self::part(part, &results.records),
        });
        std::fs::write(&path, made.map_err(|error| format!("{}: {error}", path.display()))?)?;
        println!("{}", path.display());
    }
    for (name, chart) in pictures(&of_arranged.records) {
        if let Some(picture) = chart.draw() {
            let path = folder.join(name);
            std::fs::write(&path, picture)?;
            println!("{}", path.display());
        }
    }
    Ok(())
}

/// Puts what `make` makes between the marks of a page.
fn fill(page: &str, make: impl Fn(&str) -> Outcome<String>) -> Outcome<String> {
    let (mut text, mut rest) = (String::new(), page);
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let (name, after) = after.split_once(" -->").ok_or("a mark without its end")?;
        let (_, after) = after.split_once(END).ok_or_else(|| format!("{name} has no {END}"))?;
        text.push_str(&format!("{before}{BEGIN}{name} -->\n{}\n{END}", make(name)?.trim_end()));
        rest = after;
    }
    Ok(text + rest)
}

fn circumstances(records: &[Record]) -> Outcome<String> {
    let here =
        records.iter().find(|record| record.text("part") == "circumstances").ok_or("no circumstances")?;
    let all = |key: &str| {
        let mut values: Vec<&str> =
            records.iter().map(|record| record.text(key)).filter(|it| !it.is_empty()).collect();
        values.sort_unstable();
        values.dedup();
        values.join(", ")
    };
    Ok(format!(
        "- Machine: {}.\n- Dates: {}. Revisions of Sipweb: {}.\n- Kamailio: {}, started with `{}` and \
         [kamailio.cfg](kamailio.cfg).\n- sipp: {}. rtpengine: {}.\n",
        here.text("machine"),
        all("date"),
        all("revision"),
        here.text("kamailio"),
        signalling::KAMAILIO_TUNING.join(" "),
        here.text("sipp"),
        here.text("rtpengine"),
    ))
}

fn pictures(records: &[Record]) -> [(&'static str, Chart<'static>); 3] {
    let loads = groups(records, "signalling");
    let mut calls: Vec<&Group<'_>> = loads.iter().filter(|group| group.text("load") == "udp-call").collect();
    calls.sort_by_key(|group| group.text("rate").parse::<u32>().unwrap_or_default());
    // Where calls failed, their cost is that of something else.
    let line = |server: &str, scale: fn(f64, f64) -> f64| Series {
        name: server.to_owned(),
        points: calls
            .iter()
            .filter(|group| group.figure(server, "failed").is_some_and(|failed| failed.median == 0.0))
            .filter_map(|group| {
                let (rate, cost) = (group.text("rate").parse().ok()?, group.figure(server, "cpu")?);
                Some((rate, scale(rate, cost.median), scale(rate, cost.least), scale(rate, cost.most)))
            })
            .collect(),
    };
    let lines = |scale: fn(f64, f64) -> f64| {
        ["Sipweb", "Kamailio", "forwarder"].into_iter().map(|server| line(server, scale)).collect()
    };
    let idle = groups(records, "idle");
    let memory = ["Sipweb", "Kamailio"].into_iter().flat_map(|server| {
        idle.iter().map(move |group| Series {
            name: format!("{server}, {}", group.text("wire")),
            points: signalling::idle_points(group, server).into_iter().map(|(x, y)| (x, y, y, y)).collect(),
        })
    });
    [
        (
            "cost-of-a-call.svg",
            Chart {
                title: "What a call costs, by load",
                x: "calls a second (UDP, by logarithm)",
                y: "CPU, microseconds a call",
                logarithmic: true,
                series: lines(|_, cost| cost),
            },
        ),
        (
            "cost-of-load.svg",
            Chart {
                title: "What the load costs",
                x: "calls a second (UDP)",
                y: "CPU, milliseconds a second",
                logarithmic: false,
                series: lines(|rate, cost| rate * cost / 1e3),
            },
        ),
        (
            "memory-of-pages.svg",
            Chart {
                title: "What idle registered pages hold",
                x: "pages",
                y: "PSS, MB",
                logarithmic: false,
                series: memory.collect(),
            },
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_marks_is_made_anew_and_the_rest_stays() {
        let page = "Before.\n<!-- made: one -->\nold\n<!-- end -->\nBetween.\n<!-- made: two --><!-- end -->\nAfter.\n";
        let made = fill(page, |name| Ok(format!("new {name}\n\n"))).unwrap();
        assert_eq!(
            made,
            "Before.\n<!-- made: one -->\nnew one\n<!-- end -->\nBetween.\n<!-- made: two -->\nnew two\n<!-- end -->\nAfter.\n"
        );
        assert_eq!(fill(&made, |name| Ok(format!("new {name}"))).unwrap(), made);
        assert!(fill("<!-- made: one -->", |_| Ok(String::new())).is_err());
    }
}
