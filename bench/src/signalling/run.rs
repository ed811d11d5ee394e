//! One run: a fresh server, the ends, a quiet moment, the load, the time until everything of it is forgotten.

use std::path::Path;
use std::time::{Duration, Instant};

use super::generator::ends::Ends;
use super::generator::faults::Faults;
use super::loads::{Kind, Load};
use super::server::{Contender, Needs, Server};
use super::stage::{self, Act, Listening, Running, Silence};
use crate::results::Record;
use crate::{Options, Outcome, machine, process};

/// How long the idle server is watched, unless it does not matter.
pub(crate) const IDLE: Duration = Duration::from_secs(1);
/// Above this share of stolen time a run is made again.
pub(crate) const STOLEN: f64 = 0.05;
/// Kamailio forgets a transaction 5 s after its end.
const SETTLING: u64 = 6;
/// How long what has begun may take after the last beginning.
const PATIENCE: Duration = Duration::from_secs(5);

/// How a run is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner<'a> {
    /// Sipweb's binary.
    pub(crate) sipweb: &'a Path,
    /// How long the load lasts.
    pub(crate) span: Duration,
    /// How long the server is watched before it, idle.
    pub(crate) idle: Duration,
    /// How long the server is watched after it: the removal of transactions is part of their cost.
    pub(crate) settling: Duration,
    /// How long after that its memory is read once more.
    pub(crate) resting: Duration,
    /// The load never sleeps.
    pub(crate) busy: bool,
    /// The cores of the server.
    pub(crate) cores: &'a str,
    /// What Kamailio is told beside its usual options.
    pub(crate) kamailio: &'a [&'a str],
}

impl<'a> Manner<'a> {
    /// As the command line says; else so many seconds of load.
    pub(crate) fn of(options: &'a Options, seconds: u64) -> Self {
        Self {
            sipweb: &options.sipweb,
            span: Duration::from_secs(options.seconds.unwrap_or(seconds)),
            idle: IDLE,
            settling: Duration::from_secs(options.settle.unwrap_or(SETTLING)),
            resting: Duration::ZERO,
            busy: options.busy,
            cores: &options.server_cores,
            kamailio: &[],
        }
    }

    /// A server as this run wants it.
    pub(crate) fn start(&self, contender: Contender, needs: Needs) -> Outcome<Server> {
        Server::start(contender, self.sipweb, needs, self.cores, self.kamailio)
    }
}

/// What one run showed.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) begun: usize,
    pub(crate) completed: usize,
    /// Processor time of an operation, in microseconds: all of it, and its parts.
    pub(crate) cpu: f64,
    pub(crate) user: f64,
    pub(crate) system: f64,
    /// Cores busy while the load lasted: the server's, and the load's own.
    pub(crate) cores: f64,
    pub(crate) load_cores: f64,
    /// Memory before the load, at its end, when it had settled and when it had rested, PSS in bytes.
    pub(crate) before: u64,
    pub(crate) loaded: u64,
    pub(crate) settled: u64,
    pub(crate) rested: u64,
    /// Share of the machine's time that the hypervisor took.
    pub(crate) stolen: f64,
    pub(crate) faults: Faults,
    pub(crate) reordered: usize,
    pub(crate) repeated: usize,
    pub(crate) trying: usize,
    pub(crate) cancelled: usize,
    /// To the first answer (180, or a registration's 200) and to the last, microseconds, in order.
    pub(crate) first: Vec<u32>,
    pub(crate) last: Vec<u32>,
    /// By how much the load was behind.
    pub(crate) late: Duration,
}

impl Run {
    /// Operations that did not come to their good end.
    pub(crate) const fn failed(&self) -> usize {
        self.begun - self.completed
    }

    /// As it is kept.
    pub(crate) fn write(&self, record: Record) -> Record {
        let times = |record: Record, name: &str, times: &[u32]| {
            if times.is_empty() {
                return record;
            }
            PARTS.into_iter().fold(record, |record, (part, of)| {
                record.with_number(&format!("{name}_{part}"), percentile(times, of))
            })
        };
        let record = record
            .with("begun", self.begun)
            .with("failed", self.failed())
            .with_number("cpu", self.cpu)
            .with_number("user", self.user)
            .with_number("system", self.system)
            .with_number("busy", self.cores)
            .with_number("load_busy", self.load_cores);
        let record = times(times(record, "first", &self.first), "last", &self.last)
            .with("before", self.before)
            .with("loaded", self.loaded)
            .with("settled", self.settled)
            .with("rested", self.rested)
            .with_number("stolen", self.stolen * 100.0)
            .with_number("late", self.late.as_secs_f64() * 1e3)
            .with("reordered", self.reordered)
            .with("repeated", self.repeated)
            .with("trying", self.trying)
            .with("faults", self.faults.count);
        match self.faults.words.first() {
            Some(words) => record.with("fault", words),
            None => record,
        }
    }
}

/// The parts of all operations whose times are kept: names, and how many are faster.
const PARTS: [(&str, f64); 3] = [("p50", 0.5), ("p99", 0.99), ("max", 1.0)];

/// The time below which so large a part of all times is, in milliseconds; the times are in order.
pub(crate) fn percentile(times: &[u32], part: f64) -> f64 {
    let place = (times.len() as f64 * part) as usize;
    times.get(place.min(times.len().saturating_sub(1))).map_or(f64::NAN, |micros| f64::from(*micros) / 1e3)
}

/// Makes a run, and makes it again while the hypervisor takes too much of the machine and `repeats` are left. Says how
/// often it was made again.
pub(crate) fn calm_run(
    manner: Manner<'_>,
    load: &Load,
    contender: Contender,
    rate: u32,
    serial: &mut u32,
    repeats: &mut usize,
) -> Outcome<(Run, usize)> {
    let mut again = 0;
    loop {
        *serial += 1;
        let run = run(manner, load, contender, rate, *serial)?;
        if run.stolen <= STOLEN || *repeats == 0 {
            return Ok((run, again));
        }
        println!("    {:.0} % of the machine's time was stolen: once more", run.stolen * 100.0);
        *repeats -= 1;
        again += 1;
    }
}

/// Makes a run.
pub(crate) fn run(
    manner: Manner<'_>,
    load: &Load,
    contender: Contender,
    rate: u32,
    number: u32,
) -> Outcome<Run> {
    let count = usize::try_from(u64::from(rate) * manner.span.as_secs())?;
    let server = manner.start(contender, load.needs(stage::users(load, count)))?;
    let mut ends = Ends::new(manner.busy)?;
    let act = stage::set_up(load, contender, &server, &mut ends, rate, count, number)?;
    measure(manner, load, act, &server, &mut ends, number)
}

/// Makes a run with a server and ends that are ready.
pub(crate) fn measure(
    manner: Manner<'_>,
    load: &Load,
    act: Act,
    server: &Server,
    ends: &mut Ends,
    number: u32,
) -> Outcome<Run> {
    let (cpu, begun) = (server.process.cpu()?, Instant::now());
    ends.run(&mut Silence, begun + manner.idle)?;
    let idle = if manner.idle.is_zero() {
        0.0
    } else {
        server.process.cpu()?.since(&cpu).total.as_secs_f64() / begun.elapsed().as_secs_f64()
    };
    let before = server.process.memory()?;

    let (stolen, own_cpu) = (machine::Time::now()?, process::own_cpu()?);
    let (cpu, begun) = (server.process.cpu()?, Instant::now());
    let mut running = stage::begin(act, number);
    ends.run(running.work(), begun + manner.span + PATIENCE)?;
    let (stolen, at_end) = (machine::Time::now()?.stolen_since(&stolen), server.process.cpu()?);
    let lasted = begun.elapsed().as_secs_f64();
    let cores = at_end.since(&cpu).total.as_secs_f64() / lasted;
    let load_cores = (process::own_cpu()? - own_cpu).as_secs_f64() / lasted;
    let loaded = server.process.memory()?;
    let settled_at = Instant::now() + manner.settling;
    ends.run(&mut Listening(running.work()), settled_at)?;
    let spent = server.process.cpu()?.since(&cpu);
    let own = (spent.total.as_secs_f64() - idle * begun.elapsed().as_secs_f64()).max(0.0);
    let settled = server.process.memory()?;
    ends.run(&mut Listening(running.work()), Instant::now() + manner.resting)?;
    let rested = server.process.memory()?;

    let mut run = figures(running);
    // RFC 3261 §16.7: who did not answer is cancelled.
    if let Kind::Forks { contacts } = load.kind
        && run.cancelled != run.completed * (contacts - 1)
    {
        let (cancelled, completed) = (run.cancelled, run.completed);
        run.faults.note(|| format!("{cancelled} branches were cancelled in {completed} calls"));
    }
    if ends.closed > 0 {
        let closed = ends.closed;
        run.faults.note(|| format!("the server closed {closed} connections"));
    }
    // The kernel's own split is by ticks; its shares are laid on the exact sum.
    let ticks = (spent.user + spent.system).as_secs_f64();
    let user = if ticks > 0.0 { spent.user.as_secs_f64() / ticks } else { 0.0 };
    run.cpu = own * 1e6 / run.completed.max(1) as f64;
    (run.user, run.system) = (run.cpu * user, run.cpu * (1.0 - user));
    (run.cores, run.load_cores, run.stolen) = (cores, load_cores, stolen);
    (run.before, run.loaded, run.settled, run.rested) = (before, loaded, settled, rested);
    Ok(run)
}

fn figures(running: Running) -> Run {
    let empty = Run {
        begun: 0,
        completed: 0,
        cpu: 0.0,
        user: 0.0,
        system: 0.0,
        cores: 0.0,
        load_cores: 0.0,
        before: 0,
        loaded: 0,
        settled: 0,
        rested: 0,
        stolen: 0.0,
        faults: Faults::default(),
        reordered: 0,
        repeated: 0,
        trying: 0,
        cancelled: 0,
        first: Vec::new(),
        last: Vec::new(),
        late: Duration::ZERO,
    };
    let mut run = match running {
        Running::Calls(calls) => {
            let figures = calls.figures;
            Run {
                begun: figures.begun,
                completed: figures.completed,
                faults: figures.faults,
                reordered: figures.reordered,
                repeated: figures.repeated,
                trying: figures.trying,
                cancelled: figures.cancelled,
                first: figures.ringing,
                last: figures.answered,
                late: figures.late,
                ..empty
            }
        }
        Running::Registrations(registrations) => {
            let figures = registrations.figures;
            Run {
                begun: figures.begun,
                completed: figures.completed,
                faults: figures.faults,
                first: figures.times,
                late: figures.late,
                ..empty
            }
        }
        Running::Handshakes(handshakes) => {
            let figures = handshakes.figures;
            Run {
                begun: figures.begun,
                completed: figures.completed,
                faults: figures.faults,
                first: figures.times,
                late: figures.late,
                ..empty
            }
        }
    };
    run.first.sort_unstable();
    run.last.sort_unstable();
    run
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_time_that_was_measured() {
        let times: Vec<u32> = (1..=1000).map(|millisecond| millisecond * 1000).collect();
        assert_eq!(PARTS.map(|(_, part)| percentile(&times, part)), [501.0, 991.0, 1000.0]);
        assert_eq!(percentile(&[7000], 0.99), 7.0);
        assert!(percentile(&[], 0.5).is_nan());
    }
}
