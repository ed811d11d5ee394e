//! The results as a person reads them.

use std::fmt::Write as _;
use std::time::Duration;

use super::Run;
use crate::Outcome;
use crate::figure::Figure;
use crate::machine;
use crate::rtpengine::{self, Rtpengine};

/// One run in a line.
pub(crate) fn line(name: &str, run: &Run) -> String {
    format!(
        "{name:<10} {:6.2} us a packet ({:.2} user, {:.2} system), {} packets, loss {:.4} %, {} wrong, {} kB and {:.2} ms a call",
        run.per_packet(run.relaying.total),
        run.per_packet(run.relaying.user),
        run.per_packet(run.relaying.system),
        run.packets,
        run.loss * 100.0,
        run.wrong,
        run.memory / 1024,
        run.setting_up.as_secs_f64() * 1e3,
    )
}

/// The table, with the circumstances.
pub(crate) fn write(results: &[(&str, Vec<Run>)], calls: usize, seconds: Duration) -> Outcome<String> {
    let [(_, sipweb), (_, rtpengine)] = results else { return Err("two servers are compared".into()) };
    let mut text = String::from("| | Sipweb | rtpengine | ratio |\n|---|---|---|---|\n");
    let mut row = |name: &str, digits: usize, figure: &dyn Fn(&Run) -> f64| -> std::fmt::Result {
        let (ours, theirs) = (Figure::of(sipweb, figure), Figure::of(rtpengine, figure));
        let ratio = ours.median / theirs.median;
        let ratio = if ratio.is_finite() { format!("{ratio:.2}") } else { "-".into() };
        writeln!(text, "| {name} | {} | {} | {ratio} |", ours.cell(digits), theirs.cell(digits))
    };
    let core = |run: &Run| 1e6 / run.per_packet(run.relaying.total) / 100.0;
    row("CPU, us a relayed packet", 2, &|run| run.per_packet(run.relaying.total))?;
    row("of it in user mode", 2, &|run| run.per_packet(run.relaying.user))?;
    row("of it in the kernel", 2, &|run| run.per_packet(run.relaying.system))?;
    row("calls a core (derived: 100 packets a second each)", 0, &core)?;
    row("memory, kB a call", 0, &|run| run.memory as f64 / 1024.0)?;
    row("CPU, ms to set a call up", 2, &|run| run.setting_up.as_secs_f64() * 1e3)?;
    row("time, ms to set a call up", 1, &|run| run.set_up.as_secs_f64() * 1e3)?;
    row("packets relayed in a run", 0, &|run| run.packets as f64)?;
    row("loss, %", 4, &|run| run.loss * 100.0)?;
    row("packets harmed", 0, &|run| run.wrong as f64)?;
    writeln!(
        text,
        "\n{calls} calls at a time, {} runs of {} s each, the servers in turn: median (least to most).",
        sipweb.len(),
        seconds.as_secs()
    )?;
    writeln!(text, "Machine: {}.", machine::description()?)?;
    writeln!(text, "rtpengine: {}, `{}`.", Rtpengine::version()?, rtpengine::TUNING.join(" "))?;
    Ok(text)
}
