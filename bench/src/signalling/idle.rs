//! What an idle registered page costs: memory, and the processor time of keeping it.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::generator::ends::{Ends, Wire};
use super::generator::registrations::{Manner, Registrations};
use super::is_wanted;
use super::server::{Contender, Needs, Server};
use super::stage::{self, Silence};
use crate::figure::Figure;
use crate::process;
use crate::{Options, Outcome};

const RUNS: usize = 3;
const CONNECTIONS: [usize; 2] = [5000, 10_000];
/// What a server makes only once, however many pages follow, is made by these.
const FIRST: usize = 100;
/// A moment for a server to put down its tools before its memory is read.
const BREATH: Duration = Duration::from_secs(2);
/// How long the idle pages are watched: longer than it takes to ping them all.
const WATCHED: Duration = Duration::from_secs(25);
/// Registrations a second when all pages show that they are still there.
const ROLL_CALL: u32 = 1000;
/// Descriptors that are not connections.
const OTHER_DESCRIPTORS: usize = 200;

/// What one run showed.
struct Run {
    /// PSS in bytes a connection: open, and registered.
    open: f64,
    registered: f64,
    /// Processor time a second, of all connections, in milliseconds.
    idle: f64,
    /// Pages that answered at the end.
    present: usize,
    pings: usize,
}

const HEAD: &str = "\
| idle pages | of them | server | PSS, bytes each | to Kamailio | open only | CPU, ms a second | pings answered | \
present at the end |
|---|---|---|---|---|---|---|---|---|
";

/// Measures, and says what came of it.
pub(crate) fn measure(options: &Options) -> Outcome<String> {
    let counts = if options.connections.is_empty() { &CONNECTIONS } else { options.connections.as_slice() };
    let most = usize::try_from(process::take_descriptors())?.saturating_sub(OTHER_DESCRIPTORS + FIRST);
    let runs = options.runs.unwrap_or(RUNS);
    let mut text = String::from(HEAD);
    for wire in [Wire::Ws, Wire::Wss] {
        for count in counts {
            if *count > most {
                return Err(format!(
                    "{count} connections need more descriptors than this process may have: {most} are possible"
                )
                .into());
            }
            let contenders = [Contender::Sipweb, Contender::Kamailio];
            let contenders = contenders.into_iter().filter(|contender| is_wanted(*contender, options));
            let mut results: Vec<(Contender, Vec<Run>)> =
                contenders.map(|contender| (contender, Vec::new())).collect();
            for number in 1..=runs {
                for (contender, runs) in &mut results {
                    let run = run(options, *contender, wire, *count, u32::try_from(number)?)?;
                    println!(
                        "run {number}, {count} idle pages over {}, {}",
                        wire.via(),
                        line(*contender, &run)
                    );
                    runs.push(run);
                }
            }
            write_rows(&mut text, wire, *count, &results)?;
        }
    }
    writeln!(
        text,
        "\n{runs} runs, the servers in turn, each started afresh: median (least to most). PSS is that of all processes of \
         the server; the kernel's part of a connection is not in it. The pages were silent for {} s; then each registered \
         once more, to show that it was still there.",
        WATCHED.as_secs()
    )?;
    Ok(text)
}

fn line(contender: Contender, run: &Run) -> String {
    format!(
        "{:<9} {:.0} bytes each ({:.0} open only), {:.1} ms/s, {} pings, {} present",
        contender.name(),
        run.registered,
        run.open,
        run.idle,
        run.pings,
        run.present
    )
}

fn write_rows(text: &mut String, wire: Wire, count: usize, results: &[(Contender, Vec<Run>)]) -> Outcome<()> {
    let kamailio = results.iter().find(|(contender, _)| *contender == Contender::Kamailio);
    let kamailio = kamailio.map(|(_, runs)| Figure::of(runs, |run| run.registered).median);
    for (contender, runs) in results {
        let each = Figure::of(runs, |run| run.registered);
        let ratio = kamailio.map_or("-".to_owned(), |other| format!("{:.3}", each.median / other));
        writeln!(
            text,
            "| {count} | {} | {} | {} | {ratio} | {:.0} | {} | {:.0} | {:.0} |",
            wire.via(),
            contender.name(),
            each.cell(0),
            Figure::of(runs, |run| run.open).median,
            Figure::of(runs, |run| run.idle).cell(1),
            Figure::of(runs, |run| run.pings as f64).median,
            Figure::of(runs, |run| run.present as f64).least,
        )?;
    }
    Ok(())
}

fn run(options: &Options, contender: Contender, wire: Wire, count: usize, number: u32) -> Outcome<Run> {
    let needs = Needs { websocket: true, tls: wire == Wire::Wss, users: count + FIRST };
    let server = Server::start(contender, &options.sipweb, needs)?;
    let mut ends = Ends::new(false)?;
    let pages = |count: usize, ends: &mut Ends| -> Outcome<Vec<usize>> {
        (0..count).map(|_| stage::page(wire, &server, ends)).collect()
    };
    let memory = |ends: &mut Ends| -> Outcome<f64> {
        ends.run(&mut Silence, Instant::now() + BREATH)?;
        Ok(server.process.memory()? as f64)
    };
    let first = pages(FIRST, &mut ends)?;
    stage::register(Registrations::new(first, number), &mut ends)?;
    let before = memory(&mut ends)?;
    let all = pages(count, &mut ends)?;
    let open = memory(&mut ends)?;
    let mut users = stage::register(Registrations::new(all, number + 1000), &mut ends)?;
    let registered = memory(&mut ends)?;

    let (cpu, begun) = (server.process.cpu()?, Instant::now());
    ends.run(&mut Silence, begun + WATCHED)?;
    let idle = server.process.cpu()?.since(&cpu).total.as_secs_f64() * 1e3 / begun.elapsed().as_secs_f64();
    let pings = ends.pings;

    users.begin(Manner::Refreshed, ROLL_CALL, count);
    let patience = Duration::from_secs(5 + count as u64 / u64::from(ROLL_CALL));
    ends.run(&mut users, Instant::now() + patience)?;
    let each = |bytes: f64| (bytes - before) / count as f64;
    Ok(Run { open: each(open), registered: each(registered), idle, present: users.figures.completed, pings })
}
