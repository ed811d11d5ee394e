//! The table of loads, as a person reads it.

use std::fmt::Write as _;

use super::loads::{LOADS, Load};
use super::run::STOLEN;
use crate::Outcome;
use crate::results::record::Group;
use crate::results::{Record, groups, names};

/// One run in a line.
pub(crate) fn line(run: &Record) -> String {
    format!(
        "{:<9} {:7.1} us ({:.0} user, {:.0} system), {} of {} failed, {} faults, p50/p99/max {} ms, late {:.0} ms, load \
         {:.2} cores, PSS {:.1} MB, stolen {:.1} %",
        run.text("server"),
        run.number("cpu"),
        run.number("user"),
        run.number("system"),
        run.text("failed"),
        run.text("begun"),
        run.text("faults"),
        ["first_p50", "first_p99", "first_max"].map(|key| format!("{:.1}", run.number(key))).join(" / "),
        run.number("late"),
        run.number("load_busy"),
        run.number("loaded") / 1e6,
        run.number("stolen"),
    )
}

const HEAD: &str = "\
| load | rate/s | server | CPU, us/op | user | system | to Kamailio | to forwarder | failed | out of order | p50 / p99 / \
max, ms, first answer | last answer | stolen, % | runs |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
";

/// The table, with what the loads are and what is to be known of single rows.
pub(crate) fn table(records: &[Record]) -> Outcome<String> {
    let mut groups = groups(records, "signalling");
    // In the order of the loads, whatever was measured first.
    let place = |group: &Group<'_>| {
        let load = LOADS.iter().position(|load| load.name == group.text("load"));
        (load, group.text("rate").parse::<u32>().ok(), group.text("cores").to_owned())
    };
    groups.sort_by_key(place);
    let mut text = String::from(HEAD);
    for group in &groups {
        for server in names(&group.runs) {
            write_row(&mut text, group, server)?;
        }
    }
    text.push('\n');
    let mut told: Vec<&str> = Vec::new();
    for group in &groups {
        let name = group.text("load");
        if let (false, Some(load)) = (told.contains(&name), Load::named(name)) {
            told.push(name);
            writeln!(text, "- `{name}`: {}; an operation is one {}.", load.about, load.operation())?;
        }
    }
    for group in &groups {
        write_notes(&mut text, group)?;
    }
    Ok(text)
}

fn write_row(text: &mut String, group: &Group<'_>, server: &str) -> Outcome<()> {
    let figure = |key: &str| group.figure(server, key).ok_or("no runs");
    let ratio = |other: &str| {
        let ratio = group.ratio(server, other, "cpu").filter(|_| server != other);
        ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}"))
    };
    let times = |name: &str| -> Outcome<String> {
        let all = ["p50", "p99", "max"].map(|part| format!("{name}_{part}"));
        if figure(&all[0])?.median.is_nan() {
            return Ok("-".to_owned());
        }
        let all = all.iter().map(|key| Ok(format!("{:.1}", figure(key)?.median)));
        Ok(all.collect::<Outcome<Vec<_>>>()?.join(" / "))
    };
    let stolen = figure("stolen")?.most;
    let mark = if stolen > STOLEN * 100.0 { " (!)" } else { "" };
    writeln!(
        text,
        "| {} | {} | {server} | {} | {:.1} | {:.1} | {} | {} | {} | {} | {} | {} | {stolen:.1}{mark} | {} |",
        group.text("load"),
        group.text("rate"),
        figure("cpu")?.cell(1),
        figure("user")?.median,
        figure("system")?.median,
        ratio("Kamailio"),
        ratio("forwarder"),
        figure("failed")?.short(0),
        figure("reordered")?.short(0),
        times("first")?,
        times("last")?,
        group.of(server).len(),
    )?;
    Ok(())
}

/// How many responses 100 a call gets: a server may leave out those that it expects to be overtaken (RFC 3261
/// §17.2.1), and saves a message.
pub(crate) fn trying(records: &[Record]) -> Outcome<String> {
    let mut text = String::new();
    for server in ["Sipweb", "Kamailio"] {
        let calls = records.iter().filter(|run| {
            run.text("part") == "signalling"
                && run.text("server") == server
                && !run.text("last_p50").is_empty()
        });
        let (trying, begun) =
            calls.fold((0.0, 0.0), |sum, run| (sum.0 + run.number("trying"), sum.1 + run.number("begun")));
        if begun > 0.0 {
            writeln!(
                text,
                "- {server} sent {:.2} responses 100 a call, over all calls of the table.",
                trying / begun
            )?;
        }
    }
    Ok(text)
}

/// What is not as it should be, and what tells how far a row can be trusted.
fn write_notes(text: &mut String, group: &Group<'_>) -> Outcome<()> {
    for server in names(&group.runs) {
        let place = format!("{} {}/s, {server}", group.text("load"), group.text("rate"));
        let runs = group.of(server);
        let sum = |key: &str| runs.iter().map(|run| run.number(key)).sum::<f64>();
        let most = |key: &str| runs.iter().map(|run| run.number(key)).fold(0.0, f64::max);
        if sum("faults") > 0.0 {
            let words = runs.iter().map(|run| run.text("fault")).find(|words| !words.is_empty());
            writeln!(
                text,
                "- {place}: {} messages were wrong, such as: {}",
                sum("faults"),
                words.unwrap_or_default()
            )?;
        }
        if sum("repeated") > 0.0 {
            writeln!(text, "- {place}: {} messages came twice.", sum("repeated"))?;
        }
        if most("late") > 100.0 {
            writeln!(text, "- {place}: the load was up to {:.0} ms behind.", most("late"))?;
        }
        if sum("again") > 0.0 {
            writeln!(text, "- {place}: {} runs were made again because time was stolen.", sum("again"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(load: &str, server: &str, cpu: f64, stolen: f64) -> Record {
        let record = Record::new("signalling", server).with("load", load).with("rate", 500);
        ["user", "system", "failed", "reordered", "first_p50", "first_p99", "first_max"]
            .iter()
            .fold(record.with("cpu", cpu).with("stolen", stolen), |record, key| record.with(key, 0))
    }

    #[test]
    fn rows_come_in_the_order_of_the_loads_and_stolen_time_is_marked() {
        let records = [
            run("tcp-call", "Sipweb", 50.0, 0.0),
            run("udp-call", "Sipweb", 60.0, 7.5),
            run("udp-call", "Kamailio", 200.0, 1.0),
        ];
        let text = table(&records).unwrap();
        let rows: Vec<&str> = text.lines().filter(|line| line.contains("-call | 500")).collect();
        assert!(rows[0].starts_with("| udp-call | 500 | Sipweb | 60.0") && rows[0].contains("| 0.30 |"));
        assert!(rows[0].contains("7.5 (!)") && !rows[1].contains("(!)"));
        assert!(rows[2].starts_with("| tcp-call"));
    }
}
