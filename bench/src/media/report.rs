//! The results as a person reads them.

use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

use super::Run;
use crate::Outcome;
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

/// A figure over all runs.
struct Figure {
    median: f64,
    least: f64,
    most: f64,
}

impl Figure {
    fn of(runs: &[Run], figure: impl Fn(&Run) -> f64) -> Self {
        let mut all: Vec<f64> = runs.iter().map(figure).collect();
        all.sort_by(f64::total_cmp);
        let at = |place: usize| all.get(place).copied().unwrap_or(f64::NAN);
        Self { median: at(all.len() / 2), least: at(0), most: at(all.len().saturating_sub(1)) }
    }
}

/// The table, with the circumstances.
pub(crate) fn write(results: &[(&str, Vec<Run>)], calls: usize, seconds: Duration) -> Outcome<String> {
    let [(_, sipweb), (_, rtpengine)] = results else { return Err("two servers are compared".into()) };
    let mut text = String::from("| | Sipweb | rtpengine | ratio |\n|---|---|---|---|\n");
    let mut row = |name: &str, digits: usize, figure: &dyn Fn(&Run) -> f64| -> std::fmt::Result {
        let (ours, theirs) = (Figure::of(sipweb, figure), Figure::of(rtpengine, figure));
        let cell = |figure: &Figure| {
            format!("{:.digits$} ({:.digits$} to {:.digits$})", figure.median, figure.least, figure.most)
        };
        let ratio = ours.median / theirs.median;
        let ratio = if ratio.is_finite() { format!("{ratio:.2}") } else { "-".into() };
        writeln!(text, "| {name} | {} | {} | {ratio} |", cell(&ours), cell(&theirs))
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
    writeln!(text, "Machine: {}.", machine()?)?;
    writeln!(text, "rtpengine: {}, `{}`.", Rtpengine::version()?, rtpengine::TUNING.join(" "))?;
    Ok(text)
}

fn machine() -> Outcome<String> {
    let cpu = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let said = |program: &str, argument: &str| -> Outcome<String> {
        let output = Command::new(program).arg(argument).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let date = Command::new("date").arg("+%F").output()?.stdout;
    Ok(format!(
        "{}, {cores} cores, {} {}, {}",
        model.map_or("unknown", |(_, model)| model),
        said("uname", "-s")?,
        said("uname", "-r")?,
        String::from_utf8_lossy(&date).trim(),
    ))
}
