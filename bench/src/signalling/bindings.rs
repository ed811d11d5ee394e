//! Whether a call costs the same among a thousand bindings and among a million.
//!
//! A million registrations would take minutes. So eight phones register, the server is ended, and what its store has of
//! them is written there again under as many names as are wanted: a million users who share eight phones, each with a
//! contact of its own. Then the server
//! is started again, and all of them are called, one after the other.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::generator::calls::Plan;
use super::generator::ends::{Ends, Wire};
use super::generator::messages::DOMAIN;
use super::generator::registrations::{Registrations, user_name};
use super::loads::{PHONES, SOCKETS};
use super::run::{self, Manner};
use super::server::{Contender, Needs, Server};
use super::stage::{self, Act};
use super::{Series, named};
use crate::results::{Record, groups};
use crate::{Options, Outcome};

const PART: &str = "bindings";
const RUNS: usize = 3;
const SECONDS: u64 = 3;
const RATE: u32 = 2000;
const BINDINGS: [usize; 4] = [1000, 10_000, 100_000, 1_000_000];
/// The number of the first user: with it, all names are of the same length, so that one can stand in another's place.
const FIRST: usize = 1_000_000;
/// How long it rings, and how long a call lasts.
const PAUSE: Duration = Duration::from_millis(20);
/// Far from each other among the users, whatever their number: the calls go all over the table.
const STRIDE: usize = 7919;

/// Measures. `--connections` names other numbers of bindings.
pub(crate) fn measure(options: &Options) -> Outcome<Vec<Record>> {
    let counts: &[usize] = if options.connections.is_empty() { &BINDINGS } else { &options.connections };
    let manner = Manner::of(options, SECONDS);
    let mut series = Series::new(options.runs.unwrap_or(RUNS), counts.len());
    for number in 1..=series.runs {
        for count in counts {
            series.serial += 1;
            let (run, started, memory) = one(manner, *count, series.serial)?;
            let record = Record::new(PART, Contender::Sipweb.name())
                .with("bindings", count)
                .with("rate", RATE)
                .with("run", number)
                .with_number("start", started.as_secs_f64())
                .with("memory", memory);
            series.keep(&run, record, &format!("run {number}, {count} bindings"));
        }
    }
    Ok(series.records)
}

fn one(manner: Manner<'_>, bindings: usize, serial: u32) -> Outcome<(run::Run, Duration, u64)> {
    let needs = Needs { users: SOCKETS, first_user: FIRST, ..Needs::default() };
    let server = manner.start(Contender::Sipweb, needs)?;
    let empty = server.process.memory()?;
    let mut ends = Ends::new(manner.busy)?;
    let phones = stage::callees(Wire::Udp, SOCKETS, &server, &mut ends)?;
    let callers = stage::callers(Wire::Udp, SOCKETS, &server, &mut ends)?;
    let users = phones.iter().enumerate().map(|(user, end)| (user_name(FIRST + user), *end));
    stage::register(Registrations::of(users, 1_000_000 + serial), &mut ends)?;

    // The flow of a binding has the server's address in it.
    let needs = Needs { udp: Some(server.addresses.udp), ..needs };
    let folder = server.stop();
    write_bindings(&folder.path().join("data"), bindings)?;
    let begun = Instant::now();
    let server =
        Server::start_in(folder, Contender::Sipweb, manner.sipweb, needs, manner.cores, manner.kamailio)?;
    let started = begun.elapsed();
    let memory = server.process.memory()?.saturating_sub(empty);

    let calls = usize::try_from(u64::from(RATE) * manner.span.as_secs())?;
    let pairs = (0..calls.min(bindings)).map(|call| {
        let user = (call * STRIDE) % bindings;
        let mut pair = stage::pair(FIRST + user, callers[call % SOCKETS], phones[user % SOCKETS], &ends);
        pair.to = format!("{}@{DOMAIN}", user_name(FIRST + user));
        pair
    });
    let plan = Plan {
        rate: RATE,
        count: calls,
        ringing: PAUSE,
        talking: PAUSE,
        pairs: pairs.collect(),
        description: PHONES,
        through_proxy: true,
    };
    let run = run::measure(manner, named("udp-call-user")?, Act::Calls(plan), &server, &mut ends, serial)?;
    Ok((run, started, memory))
}

/// Writes what the store has of the first users again, under as many names, each with a contact of its own.
fn write_bindings(data: &Path, count: usize) -> Outcome<()> {
    let directory = store::Directory::open(data)?;
    let mut bindings = store::Bindings::open(&directory)?;
    let known = bindings.load();
    for user in SOCKETS..count {
        let (before, name) = (user_name(FIRST + user % SOCKETS), user_name(FIRST + user));
        let found = known.iter().find(|(aor, _)| find(aor, before.as_bytes()).is_some());
        let (aor, record) = found.ok_or_else(|| format!("{before} has no binding in the store"))?;
        bindings.put(&renamed(aor, before.as_bytes(), &name), &renamed(record, before.as_bytes(), &name))?;
    }
    bindings.flush()?;
    Ok(())
}

/// The same bytes with another name in them, which is as long.
fn renamed(bytes: &[u8], before: &[u8], name: &str) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    while let Some(place) = find(&bytes, before) {
        bytes[place..place + before.len()].copy_from_slice(name.as_bytes());
    }
    bytes
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

/// Says what was found.
pub(crate) fn table(records: &[Record]) -> Outcome<String> {
    let mut text = String::from(
        "| bindings | CPU, us a call | to the first | failed | p99, ms, INVITE to 180 | PSS, bytes a binding | start, s | \
         stolen, % | runs |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    let groups = groups(records, PART);
    let server = Contender::Sipweb.name();
    let cost = |at: usize| groups.get(at).and_then(|group| group.figure(server, "cpu"));
    for (place, group) in groups.iter().enumerate() {
        let figure = |key: &str| group.figure(server, key).ok_or("no runs");
        let bindings: f64 = group.text("bindings").parse()?;
        let ratio = cost(place).zip(cost(0)).map_or(f64::NAN, |(here, first)| here.median / first.median);
        writeln!(
            text,
            "| {bindings:.0} | {} | {ratio:.2} | {} | {:.1} | {:.0} | {:.2} | {:.1} | {} |",
            figure("cpu")?.cell(1),
            figure("failed")?.short(0),
            figure("first_p99")?.median,
            figure("memory")?.median / bindings,
            figure("start")?.median,
            figure("stolen")?.most,
            group.runs.len(),
        )?;
    }
    writeln!(
        text,
        "\n{RATE} calls a second between phones on UDP, each to another user of those who have a binding. The start is that \
         of a server that finds them all in its store."
    )?;
    Ok(text)
}
