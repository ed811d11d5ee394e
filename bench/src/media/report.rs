//! The results as a person reads them.

use std::fmt::Write as _;

use super::Run;
use crate::Outcome;
use crate::figure::Figure;
use crate::results::{Record, groups};
use crate::rtpengine;

/// One run as it is kept.
pub(crate) fn record(part: &str, name: &str, run: &Run) -> Record {
    Record::new(part, name)
        .with_number("packet", run.per_packet(run.relaying.total))
        .with_number("user", run.per_packet(run.relaying.user))
        .with_number("system", run.per_packet(run.relaying.system))
        .with_number("memory", run.memory as f64)
        .with_number("set_up_cpu", run.setting_up.as_secs_f64() * 1e3)
        .with_number("set_up_time", run.set_up.as_secs_f64() * 1e3)
        .with("packets", run.packets)
        .with_number("loss", run.loss * 100.0)
        .with("wrong", run.wrong)
        .with_number("stolen", run.stolen * 100.0)
}

/// One run in a line.
pub(crate) fn line(run: &Record) -> String {
    format!(
        "{:<10} {:6.2} us a packet ({:.2} user, {:.2} system), {} packets, loss {:.4} %, {} wrong, {:.0} kB and {:.2} ms a \
         call, {:.1} % stolen",
        run.text("server"),
        run.number("packet"),
        run.number("user"),
        run.number("system"),
        run.text("packets"),
        run.number("loss"),
        run.text("wrong"),
        run.number("memory") / 1024.0,
        run.number("set_up_cpu"),
        run.number("stolen"),
    )
}

/// A figure of a run.
type Of = fn(&Record) -> f64;
/// What the table has: its name, digits, and where it comes from.
const ROWS: [(&str, usize, Of); 11] = [
    ("CPU, us a relayed packet", 2, |run| run.number("packet")),
    ("of it in user mode", 2, |run| run.number("user")),
    ("of it in the kernel", 2, |run| run.number("system")),
    ("calls a core (derived: 100 packets a second each)", 0, |run| 1e6 / run.number("packet") / 100.0),
    ("memory, kB a call", 0, |run| run.number("memory") / 1024.0),
    ("CPU, ms to set a call up", 2, |run| run.number("set_up_cpu")),
    ("time, ms to set a call up", 1, |run| run.number("set_up_time")),
    ("packets relayed in a run", 0, |run| run.number("packets")),
    ("loss, %", 4, |run| run.number("loss")),
    ("packets harmed", 0, |run| run.number("wrong")),
    ("stolen, %", 1, |run| run.number("stolen")),
];

/// The tables, one for each number of calls.
pub(crate) fn table(records: &[Record]) -> Outcome<String> {
    let mut text = String::new();
    for group in groups(records, super::PART) {
        let (sipweb, rtpengine) = (group.of("Sipweb"), group.of("rtpengine"));
        text.push_str("| | Sipweb | rtpengine | ratio |\n|---|---|---|---|\n");
        for (name, digits, of) in ROWS {
            let (ours, theirs) = (Figure::of(&sipweb, |run| of(run)), Figure::of(&rtpengine, |run| of(run)));
            let ratio = ours.median / theirs.median;
            // What the hypervisor took is the machine's doing, of which no ratio says anything.
            let compared = ratio.is_finite() && !name.starts_with("stolen");
            let ratio = if compared { format!("{ratio:.2}") } else { "-".into() };
            writeln!(text, "| {name} | {} | {} | {ratio} |", ours.cell(digits), theirs.cell(digits))?;
        }
        writeln!(
            text,
            "\n{} calls at a time, {} runs of {} s each, the servers in turn: median (least to most). rtpengine runs with \
             `{}`.\n",
            group.text("connections"),
            sipweb.len(),
            group.text("seconds"),
            rtpengine::TUNING.join(" ")
        )?;
    }
    Ok(text)
}
