//! Whether the load can be believed: the same calls by sipp, at the same servers, in turn with ours.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::generator::ends::Wire;
use super::loads::{Dialled, Kind, Load, PHONES};
use super::run::{self, Manner};
use super::server::{Contender, Needs, Server};
use crate::process::{self, LOAD_CORE, Process};
use crate::results::{Record, groups};
use crate::{Options, Outcome, machine};

const PART: &str = "sipp";
const RUNS: usize = 3;
const SECONDS: u64 = 4;
const RATES: [u32; 2] = [1000, 2000];
const CALLER: &str = include_str!("../../sipp/caller.xml");
const CALLEE: &str = include_str!("../../sipp/callee.xml");
/// How long sipp may take for what has begun, after the last beginning.
const PATIENCE: Duration = Duration::from_secs(5);
/// The kernel's buffer of its sockets, as ours have it.
const SOCKET_BUFFER: &str = "4194304";

/// The calls: as `udp-call`, but that it rings longer (sipp 3.6.1 fails a call whose 180 and 200 arrive swapped), and
/// between two sockets, as sipp has them.
static LOAD: Load = Load {
    name: "udp-call of two sockets",
    about: "calls between two phones on UDP",
    rates: &RATES,
    kind: Kind::Calls {
        caller: Wire::Udp,
        callee: Wire::Udp,
        dialled: Dialled::Address,
        pause: Duration::from_millis(50),
        description: PHONES,
        phones: 1,
    },
};

/// sipp's version.
pub(crate) fn version() -> Outcome<String> {
    let said = Command::new("sipp").arg("-v").output()?.stdout;
    let said = String::from_utf8_lossy(&said);
    Ok(said.trim().lines().next().unwrap_or_default().trim().trim_end_matches('.').to_owned())
}

/// Measures.
pub(crate) fn measure(options: &Options) -> Outcome<Vec<Record>> {
    version().map_err(|_| "sipp is missing. On Debian or Ubuntu: `sudo apt-get install sip-tester`")?;
    let manner = Manner::of(options, SECONDS);
    let rates = if options.rates.is_empty() { &RATES } else { options.rates.as_slice() };
    let (mut records, mut serial) = (Vec::new(), 0);
    for number in 1..=options.runs.unwrap_or(RUNS) {
        for rate in rates {
            for contender in [Contender::Sipweb, Contender::Kamailio] {
                for load in ["ours", "sipp"] {
                    serial += 1;
                    let made = if load == "ours" {
                        let made = run::run(manner, &LOAD, contender, *rate, serial)?;
                        Made { begun: made.begun, failed: made.failed(), cpu: made.cpu, stolen: made.stolen }
                    } else {
                        by_sipp(manner, contender, *rate)?
                    };
                    println!(
                        "run {number}, {rate}/s, {:<9} {load}: {:.1} us a call, {} of {} failed, {:.1} % stolen",
                        contender.name(),
                        made.cpu,
                        made.failed,
                        made.begun,
                        made.stolen * 100.0
                    );
                    let record = Record::new(PART, contender.name())
                        .with("rate", rate)
                        .with("run", number)
                        .with("by", load)
                        .with("begun", made.begun)
                        .with("failed", made.failed)
                        .with_number("cpu", made.cpu)
                        .with_number("stolen", made.stolen * 100.0);
                    records.push(record);
                }
            }
        }
    }
    Ok(records)
}

struct Made {
    begun: usize,
    failed: usize,
    cpu: f64,
    stolen: f64,
}

/// A run with sipp as the load, measured as ours is.
fn by_sipp(manner: Manner<'_>, contender: Contender, rate: u32) -> Outcome<Made> {
    let begun = usize::try_from(u64::from(rate) * manner.span.as_secs())?;
    let server = manner.start(contender, Needs::default())?;
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("caller.xml"), CALLER)?;
    fs::write(folder.path().join("callee.xml"), CALLEE)?;
    let callee_port = super::server::free_port()?.to_string();
    let callee = sipp(folder.path(), "callee.xml").args(["-p", &callee_port]).spawn()?;
    let _callee = Process { child: callee };

    let (cpu, at) = (server.process.cpu()?, Instant::now());
    std::thread::sleep(manner.idle);
    let idle = server.process.cpu()?.since(&cpu).total.as_secs_f64() / at.elapsed().as_secs_f64();

    let (stolen, cpu, at) = (machine::Time::now()?, server.process.cpu()?, Instant::now());
    let failed = call(&server, folder.path(), &callee_port, rate, begun, manner.span + PATIENCE)?;
    let stolen = machine::Time::now()?.stolen_since(&stolen);
    std::thread::sleep(manner.settling);
    let spent = server.process.cpu()?.since(&cpu).total.as_secs_f64() - idle * at.elapsed().as_secs_f64();
    Ok(Made { begun, failed, cpu: spent * 1e6 / (begun - failed).max(1) as f64, stolen })
}

/// Has sipp make the calls. Returns how many failed.
fn call(
    server: &Server,
    folder: &Path,
    callee_port: &str,
    rate: u32,
    count: usize,
    longest: Duration,
) -> Outcome<usize> {
    let mut command = sipp(folder, "caller.xml");
    command
        .arg(format!("127.0.0.1:{callee_port}"))
        .args(["-rsa", &server.addresses.udp.to_string(), "-r", &rate.to_string(), "-m", &count.to_string()])
        .args(["-p", &super::server::free_port()?.to_string(), "-l", "1000000"])
        .args(["-trace_stat", "-stf", "statistics.csv", "-fd", "1"]);
    let mut process = Process { child: command.spawn()? };
    // It can hang past its own deadlines, so ours counts.
    let waited = process::wait_for("sipp to end", longest, || {
        std::thread::sleep(Duration::from_millis(10));
        Ok(process.child.try_wait()?.is_some())
    });
    drop(process);
    let statistics = fs::read_to_string(folder.join("statistics.csv"))
        .map_err(|error| format!("sipp left no statistics ({error}); {waited:?}"))?;
    Ok(count - successful(&statistics).ok_or("sipp's statistics have no SuccessfulCall(C)")?.min(count))
}

/// The number of successful calls in sipp's table: the last line has the sums.
fn successful(statistics: &str) -> Option<usize> {
    let mut lines = statistics.lines();
    let place = lines.next()?.split(';').position(|name| name == "SuccessfulCall(C)")?;
    lines.next_back()?.split(';').nth(place)?.parse().ok()
}

fn sipp(folder: &Path, scenario: &str) -> Command {
    let mut command = process::on_cores(&LOAD_CORE.to_string(), "sipp");
    command
        .args([
            "-sf",
            scenario,
            "-i",
            "127.0.0.1",
            "-t",
            "u1",
            "-nostdin",
            "-nr",
            "-buff_size",
            SOCKET_BUFFER,
        ])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Says what was found.
pub(crate) fn table(records: &[Record]) -> Outcome<String> {
    let mut text = String::from(
        "| rate/s | server | CPU, us a call, our load | failed | sipp | failed | ours to sipp | stolen, % | runs |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for group in groups(records, PART) {
        for server in crate::results::names(&group.runs) {
            let figure = |by: &str, key: &str| {
                let runs: Vec<&Record> =
                    group.of(server).into_iter().filter(|run| run.text("by") == by).collect();
                crate::figure::Figure::of(&runs, |run| run.number(key))
            };
            let (ours, theirs) = (figure("ours", "cpu"), figure("sipp", "cpu"));
            writeln!(
                text,
                "| {} | {server} | {} | {} | {} | {} | {:.2} | {:.1} | {} |",
                group.text("rate"),
                ours.cell(1),
                figure("ours", "failed").short(0),
                theirs.cell(1),
                figure("sipp", "failed").short(0),
                ours.median / theirs.median,
                figure("ours", "stolen").most.max(figure("sipp", "stolen").most),
                group.of(server).len() / 2,
            )?;
        }
    }
    text.push_str(
        "\nOne socket a side, 50 ms of ringing and of talking, the same headers and descriptions (bench/sipp), nothing \
         repeated, on the same core.\n",
    );
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_of_sipp_stand_in_the_last_line() {
        let text = "StartTime;SuccessfulCall(P);SuccessfulCall(C);FailedCall(C)\nx;0;10;0\nx;90;100;2\n";
        assert_eq!(successful(text), Some(100));
        assert_eq!(successful("StartTime\n"), None);
    }
}
