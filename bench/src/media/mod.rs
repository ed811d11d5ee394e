//! What a relayed packet and a call of browser<->phone audio cost, beside rtpengine.
//!
//! Both servers get the same calls from the same peers, one server after the other, over and over: starting, calls
//! set up, a few seconds of packets both ways to warm up, the measured seconds, the end.

mod browser;
mod phone;
mod report;
mod sound;
mod traffic;

use std::time::{Duration, Instant};

pub(crate) use browser::Browser;
pub(crate) use phone::Phone;
pub(crate) use report::table;

use crate::process::{self, Cpu, Process};
use crate::results::Record;
use crate::rtpengine::Rtpengine;
use crate::sipweb::Sipweb;
use crate::{Options, Outcome, machine};
use traffic::Traffic;

const PART: &str = "media";
const CALLS: usize = 200;
const SECONDS: u64 = 10;
const RUNS: usize = 5;
/// Packets before the measured ones.
const WARM_UP: Duration = Duration::from_secs(3);

/// A server that joins a browser and a phone.
pub(crate) trait Contender {
    /// Its process.
    fn process(&self) -> &Process;
    /// Sets a call up, up to the answer at the browser.
    fn connect(&mut self, browser: &mut Browser, phone: &mut Phone) -> Outcome<()>;
    /// Keeps its signalling alive.
    fn turn(&mut self) -> Outcome<()>;
    /// Ends all calls.
    fn hang_up(&mut self) -> Outcome<()>;
}

/// What one run of one server showed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// Processor time while the packets were counted.
    pub(crate) relaying: Cpu,
    /// Packets that arrived intact meanwhile.
    pub(crate) packets: u64,
    /// Of all packets sent in the run, the part that did not arrive.
    pub(crate) loss: f64,
    /// Packets that arrived otherwise than they were sent.
    pub(crate) wrong: u64,
    /// Processor time of a call from its INVITE or offer until ICE and DTLS stood.
    pub(crate) setting_up: Duration,
    /// The time that it took, the median call.
    pub(crate) set_up: Duration,
    /// Memory of a call with media flowing.
    pub(crate) memory: u64,
    /// Share of the machine's time that the hypervisor took while the packets were counted.
    pub(crate) stolen: f64,
}

impl Run {
    /// Processor time of a packet.
    pub(crate) fn per_packet(&self, time: Duration) -> f64 {
        time.as_secs_f64() * 1e6 / self.packets.max(1) as f64
    }
}

/// Measures.
pub(crate) fn measure(options: &Options) -> Outcome<Vec<Record>> {
    let calls = options.calls.unwrap_or(CALLS);
    let seconds = Duration::from_secs(options.seconds.unwrap_or(SECONDS));
    let mut records = Vec::new();
    for number in 1..=options.runs.unwrap_or(RUNS) {
        for name in ["Sipweb", "rtpengine"] {
            let mut contender: Box<dyn Contender> = match name {
                "Sipweb" => Box::new(Sipweb::start(&options.sipweb)?),
                _ => Box::new(Rtpengine::start()?),
            };
            let run = run(contender.as_mut(), calls, seconds)?;
            let record = report::record(PART, name, &run)
                .with("connections", calls)
                .with("seconds", seconds.as_secs())
                .with("run", number);
            println!("run {number}, {}", report::line(&record));
            records.push(record);
        }
    }
    Ok(records)
}

fn run(server: &mut dyn Contender, calls: usize, seconds: Duration) -> Outcome<Run> {
    // What is made only once, however many calls follow, is no cost of a call.
    let mut traffic = Traffic::default();
    connect(server, &mut traffic, 4)?;
    let (memory, cpu) = (server.process().memory()?, server.process().cpu()?);
    let mut times = connect(server, &mut traffic, calls - 4)?;
    let setting_up = server.process().cpu()?.since(&cpu).total / u32::try_from(calls - 4)?;
    times.sort_unstable();

    traffic.flow(server, WARM_UP)?;
    let stolen = machine::Time::now()?;
    let (cpu, heard) = (server.process().cpu()?, traffic.heard());
    traffic.flow(server, seconds)?;
    let relaying = server.process().cpu()?.since(&cpu);
    let packets = traffic.heard().intact - heard.intact;
    let stolen = machine::Time::now()?.stolen_since(&stolen);
    let memory = server.process().memory()?.saturating_sub(memory) / u64::try_from(calls - 4)?;
    traffic.settle(server)?;
    let all = traffic.heard();
    let run = Run {
        relaying,
        packets,
        loss: 1.0 - all.intact as f64 / traffic.sent() as f64,
        wrong: all.wrong,
        setting_up,
        set_up: times[times.len() / 2],
        memory,
        stolen,
    };
    server.hang_up()?;
    Ok(run)
}

/// Sets calls up, one after the other, until media can flow. Returns how long each took.
fn connect(server: &mut dyn Contender, traffic: &mut Traffic, calls: usize) -> Outcome<Vec<Duration>> {
    let mut times = Vec::new();
    for _ in 0..calls {
        let begun = Instant::now();
        let number = u32::try_from(traffic.calls.len())?;
        let (mut browser, mut phone) = (Browser::new(number, begun)?, Phone::new(number)?);
        server.connect(&mut browser, &mut phone)?;
        process::wait_for("ICE and DTLS", Duration::from_secs(10), || {
            browser.turn(Instant::now())?;
            Ok(browser.is_connected())
        })?;
        times.push(begun.elapsed());
        traffic.calls.push((browser, phone));
        if number % 20 == 0 {
            traffic.settle(server)?;
        }
    }
    Ok(times)
}
