//! What was to be shown, beside what was measured.

use std::fmt::Write as _;

use super::record::Group;
use super::{Record, groups};
use crate::Outcome;

const US: &str = "Sipweb";
const THEM: &str = "Kamailio";

/// Processor time of an operation, as a part of Kamailio's in the same run: load, rate, at most, and what is aimed at.
const COSTS: [(&str, u32, f64, f64); 13] = [
    ("udp-call", 500, 0.50, 0.50),
    ("udp-call", 1000, 0.50, 0.50),
    ("udp-call", 2000, 0.38, 0.33),
    ("udp-call", 4000, 0.38, 0.33),
    ("tcp-call", 2000, 0.45, 0.35),
    ("ws-udp-call", 1000, 0.40, 0.33),
    ("udp-ws-call", 1000, 0.40, 0.33),
    ("ws-ws-call", 1000, 0.40, 0.33),
    ("wss-udp-call", 1000, 0.50, 0.50),
    ("udp-register", 2000, 0.50, 0.40),
    ("udp-register-challenge", 2000, 0.50, 0.40),
    ("ws-handshake", 500, 0.40, 0.30),
    ("ws-register", 1000, 0.40, 0.30),
];
/// Loads with messages sent back to back.
const ORDERS: [&str; 5] = ["udp-order", "tcp-order", "ws-udp-order", "udp-ws-order", "ws-ws-order"];

/// Whether less is better, or more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Better {
    Less,
    More,
}

/// The table.
pub(crate) fn table(records: &[Record]) -> Outcome<String> {
    let mut table = Table { text: "| what | measured | mark | aim | |\n|---|---|---|---|---|\n".to_owned() };
    let loads = groups(records, "signalling");
    let row = |load: &str, rate: u32| {
        let rate = rate.to_string();
        loads.iter().find(|group| group.text("load") == load && group.text("rate") == rate)
    };
    for (load, rate, most, aim) in COSTS {
        let ratio = row(load, rate).and_then(|group| group.ratio(US, THEM, "cpu"));
        table.row(&format!("CPU, `{load}` at {rate}/s, to Kamailio"), ratio, 2, Better::Less, most, aim)?;
    }
    for rate in [2000, 4000] {
        let group = row("udp-call", rate);
        let ratio = group.and_then(|group| group.ratio(US, "forwarder", "cpu"));
        table.row(
            &format!("CPU, `udp-call` at {rate}/s, to the bare forwarder"),
            ratio,
            2,
            Better::Less,
            1.5,
            1.5,
        )?;
        let user = group.and_then(|group| group.figure(US, "user")).map(|it| it.median);
        table.row(&format!("user time, us, `udp-call` at {rate}/s"), user, 1, Better::Less, 20.0, 20.0)?;
    }
    for load in ["ws-udp-call", "udp-ws-call", "ws-ws-call"] {
        let ratio = row(load, 1000).and_then(|group| group.ratio(US, THEM, "first_p99"));
        table.row(
            &format!("p99 of INVITE to 180, `{load}`, to Kamailio"),
            ratio,
            2,
            Better::Less,
            0.5,
            0.5,
        )?;
    }
    idle(&mut table, records)?;
    let memory = groups(records, "memory");
    let loaded = memory.first().and_then(|group| group.figure(US, "loaded")).map(|it| it.median / 1e6);
    table.row("PSS, MB, after 6 s of 4000 calls a second", loaded, 1, Better::Less, 64.0, 64.0)?;
    for group in &groups(records, "limit") {
        let ratio = group.ratio(US, THEM, "highest");
        let name = format!("highest rate, `{}`, to Kamailio", group.text("load"));
        table.row(&name, ratio, 2, Better::More, 2.0, 2.0)?;
    }
    let ordered: Vec<&Group<'_>> =
        loads.iter().filter(|group| ORDERS.contains(&group.text("load"))).collect();
    let swapped = ordered.iter().flat_map(|group| group.of(US)).map(|run| run.number("reordered")).sum();
    let swapped = (ordered.len() == ORDERS.len()).then_some(swapped);
    table.row(
        "messages delivered out of order, all five kinds of calls",
        swapped,
        0,
        Better::Less,
        0.0,
        0.0,
    )?;
    growth(&mut table, records, &loads)?;
    Ok(table.text)
}

/// The rows of the [`table`] that were measured, where not all was.
pub(crate) fn of_measured(records: &[Record]) -> Outcome<String> {
    let all = table(records)?;
    Ok(all.lines().filter(|row| !row.ends_with("| not measured |")).map(|row| format!("{row}\n")).collect())
}

fn idle(table: &mut Table, records: &[Record]) -> Outcome<()> {
    let groups = groups(records, "idle");
    for (wire, most, aim) in [("WS", 3000.0, 2000.0), ("WSS", 11_000.0, 11_000.0)] {
        let of_wire = groups.iter().filter(|group| group.text("wire") == wire);
        let group = of_wire.max_by_key(|group| group.text("connections").parse::<u64>().unwrap_or_default());
        let bytes = group.and_then(|group| group.figure(US, "registered")).map(|it| it.median);
        table.row(&format!("PSS, bytes, of an idle page over {wire}"), bytes, 0, Better::Less, most, aim)?;
        let present = group.and_then(|group| group.figure(US, "present")).map(|it| it.least);
        let name = format!("pages held over {wire}, and there at the end");
        table.row(&name, present, 0, Better::More, 19_000.0, 19_000.0)?;
    }
    Ok(())
}

fn growth(table: &mut Table, records: &[Record], loads: &[Group<'_>]) -> Outcome<()> {
    let cost = |rate: &str| {
        let group =
            loads.iter().find(|group| group.text("load") == "udp-call" && group.text("rate") == rate)?;
        group.figure(US, "cpu").map(|it| it.median)
    };
    let ratio = |of: Option<f64>, to: Option<f64>| of.zip(to).map(|(of, to)| of / to);
    for (low, high) in [("100", "1000"), ("1000", "10000")] {
        let name = format!("CPU of a call at {high}/s, to that at {low}/s");
        table.row(&name, ratio(cost(high), cost(low)), 2, Better::Less, 1.05, 1.05)?;
    }
    let bindings = groups(records, "bindings");
    let of = |count: &str| {
        let group = bindings.iter().find(|group| group.text("bindings") == count)?;
        group.figure(US, "cpu").map(|it| it.median)
    };
    for many in ["100000", "1000000"] {
        let name = format!("CPU of a call among {many} bindings, to that among 1000");
        table.row(&name, ratio(of(many), of("1000")), 2, Better::Less, 1.05, 1.05)?;
    }
    let cores = groups(records, "cores");
    for (load, one, two) in
        [("udp-call", "2000", "4000"), ("udp-call", "4000", "8000"), ("ws-udp-call", "1000", "2000")]
    {
        let on = |which: &str, rate: &str| {
            let group = cores.iter().find(|group| {
                group.text("load") == load && group.text("rate") == rate && group.text("cores") == which
            })?;
            group.figure(US, "cpu").map(|it| it.median)
        };
        let worth = ratio(on("1", one), on("0-1", two)).map(|ratio| 2.0 * ratio);
        let name = format!("two cores do the work of so many, `{load}` at {one}/s and {two}/s");
        table.row(&name, worth, 2, Better::More, 1.8, 1.8)?;
    }
    Ok(())
}

struct Table {
    text: String,
}

impl Table {
    fn row(
        &mut self,
        what: &str,
        measured: Option<f64>,
        digits: usize,
        better: Better,
        mark: f64,
        aim: f64,
    ) -> Outcome<()> {
        let than = if better == Better::Less { "at most" } else { "at least" };
        let Some(measured) = measured.filter(|it| it.is_finite()) else {
            writeln!(self.text, "| {what} | - | {than} {mark} | {aim} | not measured |")?;
            return Ok(());
        };
        let reaches = |goal: f64| match better {
            Better::Less => measured <= goal,
            Better::More => measured >= goal,
        };
        let word = if reaches(aim) {
            "reached".to_owned()
        } else if reaches(mark) {
            "reached, the aim not".to_owned()
        } else if mark == 0.0 {
            "**missed**".to_owned()
        } else {
            format!("**missed by {:.0} %**", (measured / mark - 1.0).abs() * 100.0)
        };
        writeln!(self.text, "| {what} | {measured:.digits$} | {than} {mark} | {aim} | {word} |")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_reached_missed_or_not_measured() {
        let run = |server: &str, rate: u32, cpu: u32| {
            Record::new("signalling", server).with("load", "udp-call").with("rate", rate).with("cpu", cpu)
        };
        let records = [
            run(US, 2000, 35),
            run(THEM, 2000, 100),
            run(US, 4000, 57),
            run(THEM, 4000, 100),
            run(US, 500, 40),
            run(THEM, 500, 100),
        ];
        let text = table(&records).unwrap();
        let verdict = |start: &str| {
            let line = text.lines().find(|line| line.starts_with(start)).unwrap();
            line.rsplit('|').nth(1).unwrap().trim().to_owned()
        };
        assert_eq!(verdict("| CPU, `udp-call` at 500/s, to K"), "reached");
        assert_eq!(verdict("| CPU, `udp-call` at 2000/s, to K"), "reached, the aim not");
        assert_eq!(verdict("| CPU, `udp-call` at 4000/s, to K"), "**missed by 50 %**");
        assert_eq!(verdict("| CPU, `tcp-call`"), "not measured");
    }
}
