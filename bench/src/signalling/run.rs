//! One run: a fresh server, the ends, a quiet moment, the load, the time until everything of it is forgotten.

use std::path::Path;
use std::time::{Duration, Instant};

use super::generator::ends::Ends;
use super::generator::faults::Faults;
use super::loads::{Kind, Load};
use super::server::{Contender, Server};
use super::stage::{self, Listening, Running, Silence};
use crate::Outcome;
use crate::machine;

/// How long the idle server is watched.
const IDLE: Duration = Duration::from_secs(2);
/// How long what has begun may take after the last beginning.
const PATIENCE: Duration = Duration::from_secs(5);

/// How a run is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner<'a> {
    /// Sipweb's binary.
    pub(crate) sipweb: &'a Path,
    /// How long the load lasts.
    pub(crate) span: Duration,
    /// How long the server is watched after it: the removal of transactions is part of their cost.
    pub(crate) settling: Duration,
    /// The load never sleeps.
    pub(crate) busy: bool,
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
    /// Cores busy while the load lasted.
    pub(crate) cores: f64,
    /// Memory at the end of the load, and when it had settled, PSS in bytes.
    pub(crate) loaded: u64,
    pub(crate) settled: u64,
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
    let server = Server::start(contender, manner.sipweb, load.needs(stage::users(load, count)))?;
    let mut ends = Ends::new(manner.busy)?;
    let act = stage::set_up(load, contender, &server, &mut ends, rate, count, number)?;

    let (cpu, begun) = (server.process.cpu()?, Instant::now());
    ends.run(&mut Silence, begun + IDLE)?;
    let idle = server.process.cpu()?.since(&cpu).total.as_secs_f64() / begun.elapsed().as_secs_f64();

    let (stolen, cpu, begun) = (machine::Time::now()?, server.process.cpu()?, Instant::now());
    let mut running = stage::begin(act, number);
    ends.run(running.work(), begun + manner.span + PATIENCE)?;
    let (stolen, at_end) = (machine::Time::now()?.stolen_since(&stolen), server.process.cpu()?);
    let cores = at_end.since(&cpu).total.as_secs_f64() / begun.elapsed().as_secs_f64();
    let loaded = server.process.memory()?;
    let settled_at = Instant::now() + manner.settling;
    ends.run(&mut Listening(running.work()), settled_at)?;
    let spent = server.process.cpu()?.since(&cpu);
    let own = (spent.total.as_secs_f64() - idle * begun.elapsed().as_secs_f64()).max(0.0);
    let settled = server.process.memory()?;

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
    (run.cores, run.loaded, run.settled, run.stolen) = (cores, loaded, settled, stolen);
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
        loaded: 0,
        settled: 0,
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
