//! What an idle registered page costs: memory, and the processor time of keeping it.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::generator::ends::{Ends, Wire};
use super::generator::registrations::{Manner as Way, Registrations, user_name};
use super::is_wanted;
use super::run::Manner;
use super::server::{Contender, Needs};
use super::stage::{self, Silence};
use crate::results::record::Group;
use crate::results::{Record, groups, names};
use crate::{Options, Outcome, process};

const PART: &str = "idle";
const RUNS: usize = 1;
/// Memory is read at these counts, and at the greatest that the descriptors allow.
const CONNECTIONS: [usize; 3] = [1000, 5000, 10_000];
/// What a server makes only once, however many pages follow, is made by these.
const FIRST: usize = 100;
/// A moment for a server to put down its tools before its memory is read.
const BREATH: Duration = Duration::from_secs(1);
/// How long the idle pages are watched: longer than it takes to ping them all.
const WATCHED: Duration = Duration::from_secs(27);
/// Registrations a second when all pages show that they are still there.
const ROLL_CALL: u32 = 2000;
/// Descriptors that are not connections.
const OTHER_DESCRIPTORS: usize = 200;
/// Kamailio's shared memory in megabytes: 19,000 connections over TLS want more than calls do.
const KAMAILIO_MEMORY: [&str; 2] = ["-m", "8192"];

/// Measures. `--loads ws` or `--loads wss` measures these alone.
pub(crate) fn measure(options: &Options) -> Outcome<Vec<Record>> {
    let most = usize::try_from(process::take_descriptors())?.saturating_sub(OTHER_DESCRIPTORS + FIRST);
    let mut steps = options.connections.clone();
    if steps.is_empty() {
        steps.extend(CONNECTIONS);
        steps.push(most / 1000 * 1000);
        steps.retain(|step| *step > 0 && *step <= most);
        steps.dedup();
    }
    steps.sort_unstable();
    if let Some(count) = steps.last().filter(|count| **count > most) {
        return Err(format!(
            "{count} connections need more descriptors than this process may have: {most} are possible"
        )
        .into());
    }
    let wires = [("ws", Wire::Ws), ("wss", Wire::Wss)];
    let wanted =
        |name: &str| options.loads.as_ref().is_none_or(|loads| loads.split(',').any(|it| it == name));
    let manner = Manner { kamailio: &KAMAILIO_MEMORY, ..Manner::of(options, 0) };
    let mut records = Vec::new();
    for (_, wire) in wires.into_iter().filter(|(name, _)| wanted(name)) {
        for number in 1..=options.runs.unwrap_or(RUNS) {
            for contender in [Contender::Sipweb, Contender::Kamailio] {
                if is_wanted(contender, options) {
                    let record = run(manner, contender, wire, &steps, u32::try_from(number)?)?;
                    println!("run {number}, {}", line(&record));
                    records.push(record.with("run", number));
                }
            }
        }
    }
    Ok(records)
}

fn line(run: &Record) -> String {
    format!(
        "{} pages over {}, {:<9} {:.0} bytes each ({:.0} open only), {:.1} ms/s, {} pings, {} present, {} closed, {} s",
        run.text("connections"),
        run.text("wire"),
        run.text("server"),
        run.number("registered"),
        run.number("open"),
        run.number("idle"),
        run.text("pings"),
        run.text("present"),
        run.text("closed"),
        run.text("took"),
    )
}

/// Says what was found.
pub(crate) fn table(records: &[Record]) -> Outcome<String> {
    let mut text = String::from(
        "| idle pages | over | server | PSS, bytes each | to Kamailio | open, not registered | CPU, ms a second | pings \
         answered | present at the end | runs |\n|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let of = groups(records, PART);
    for group in &of {
        for server in names(&group.runs) {
            let figure = |key: &str| group.figure(server, key).ok_or("no runs");
            let ratio = group.ratio(server, "Kamailio", "registered").filter(|_| server != "Kamailio");
            writeln!(
                text,
                "| {} | {} | {server} | {} | {} | {:.0} | {} | {:.0} | {:.0} | {} |",
                group.text("connections"),
                group.text("wire"),
                figure("registered")?.short(0),
                ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.3}")),
                figure("open")?.median,
                figure("idle")?.short(1),
                figure("pings")?.median,
                figure("present")?.least,
                group.of(server).len(),
            )?;
        }
    }
    writeln!(
        text,
        "\nPSS of all processes of the server; the kernel's part of a connection is not in it. {FIRST} pages that came \
         first are not counted: what a server makes only once is no cost of a page. The pages were silent for {} s, but for \
         answering pings; then each registered once more, to show that it was still there.",
        WATCHED.as_secs()
    )?;
    Ok(text)
}

/// For the picture: how many pages were registered, and how much memory they took in megabytes; by the runs' medians.
pub(crate) fn points(group: &Group<'_>, server: &str) -> Vec<(f64, f64)> {
    let runs = group.of(server);
    let of_run = |run: &Record| -> Vec<(f64, f64)> {
        let pairs = run.text("points").split(',').filter_map(|pair| pair.split_once(':'));
        pairs
            .filter_map(|(count, bytes)| Some((count.parse().ok()?, bytes.parse::<f64>().ok()? / 1e6)))
            .collect()
    };
    let all: Vec<Vec<(f64, f64)>> = runs.iter().map(|run| of_run(run)).collect();
    let first = all.first().cloned().unwrap_or_default();
    let median = |place: usize| {
        let found: Vec<f64> =
            all.iter().filter_map(|points| points.get(place).map(|point| point.1)).collect();
        crate::figure::Figure::of(&found, |bytes| *bytes).median
    };
    first.iter().enumerate().map(|(place, (count, _))| (*count, median(place))).collect()
}

fn run(
    manner: Manner<'_>,
    contender: Contender,
    wire: Wire,
    steps: &[usize],
    number: u32,
) -> Outcome<Record> {
    let took = Instant::now();
    let count = steps.last().copied().unwrap_or_default();
    let needs = Needs { websocket: true, tls: wire == Wire::Wss, users: count + FIRST, ..Needs::default() };
    let server = manner.start(contender, needs)?;
    let mut ends = Ends::new(false)?;
    let memory = |ends: &mut Ends| -> Outcome<f64> {
        ends.run(&mut Silence, Instant::now() + BREATH)?;
        Ok(server.process.memory()? as f64)
    };
    // Each with a user of its own.
    let pages = |from: usize, to: usize, ends: &mut Ends| -> Outcome<Vec<(String, usize)>> {
        (from..to).map(|user| Ok((user_name(user), stage::page(wire, &server, ends)?))).collect()
    };
    let first = pages(count, count + FIRST, &mut ends)?;
    stage::register(Registrations::of(first, number * 100), &mut ends)?;
    let before = memory(&mut ends)?;
    let (mut registered, mut opening, mut opened) = (before, 0.0, 0);
    let (mut users, mut points) = (Vec::new(), Vec::new());
    for (place, step) in steps.iter().enumerate() {
        let pages = pages(opened, *step, &mut ends)?;
        opening += memory(&mut ends)? - registered;
        let serial = number * 100 + u32::try_from(place)? + 1;
        users.push(stage::register(Registrations::of(pages, serial), &mut ends)?);
        registered = memory(&mut ends)?;
        opened = *step;
        points.push(format!("{step}:{:.0}", registered - before));
    }

    let (cpu, begun) = (server.process.cpu()?, Instant::now());
    ends.run(&mut Silence, begun + WATCHED)?;
    let idle = server.process.cpu()?.since(&cpu).total.as_secs_f64() * 1e3 / begun.elapsed().as_secs_f64();
    let (pings, closed) = (ends.pings, ends.closed);

    let mut present = 0;
    for users in &mut users {
        let count = users.users();
        users.begin(Way::Refreshed, ROLL_CALL, count);
        let patience = Duration::from_secs(5 + 2 * count as u64 / u64::from(ROLL_CALL));
        ends.run(users, Instant::now() + patience)?;
        present += users.figures.completed;
    }
    let each = |bytes: f64| bytes / count as f64;
    Ok(Record::new(PART, contender.name())
        .with("wire", wire.via())
        .with("connections", count)
        .with_number("open", each(opening))
        .with_number("registered", each(registered - before))
        .with_number("idle", idle)
        .with("pings", pings)
        .with("present", present)
        .with("closed", closed)
        .with("points", points.join(","))
        .with("took", took.elapsed().as_secs()))
}
