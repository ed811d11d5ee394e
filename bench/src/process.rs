//! A server's process as `/proc` shows it: processor time, memory, sockets.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

use crate::Outcome;

/// The core of the servers, unless the command line says otherwise.
pub(crate) const SERVER_CORE: &str = "1";
/// The core of the load.
pub(crate) const LOAD_CORE: usize = 0;
/// Ticks of `/proc/PID/stat` in a second (`sysconf(_SC_CLK_TCK)`, 100 on every Linux that matters).
const TICKS: u64 = 100;

/// Processor time since a process began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cpu {
    /// All of it, to the nanosecond, over all threads.
    pub(crate) total: Duration,
    /// In user mode, in ticks of 10 ms.
    pub(crate) user: Duration,
    /// In the kernel, in ticks of 10 ms.
    pub(crate) system: Duration,
}

impl Cpu {
    /// What was spent since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            total: self.total.saturating_sub(earlier.total),
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
        }
    }
}

/// How long a server has to stop by itself, asked once and once more: one that was built to record a profile writes it at
/// its end, and Kamailio takes its shared memory away.
const PATIENCE: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(5)];

/// A process that ends with us.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) child: Child,
}

impl Drop for Process {
    fn drop(&mut self) {
        for patience in PATIENCE {
            signal(self.child.id(), Signal::TERM);
            if self.ends_within(patience) {
                return;
            }
        }
        for id in self.tree() {
            signal(id, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

fn signal(id: u32, signal: Signal) {
    if let Some(id) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        let _ = kill_process(id, signal);
    }
}

impl Process {
    fn ends_within(&mut self, patience: Duration) -> bool {
        let begin = Instant::now();
        while begin.elapsed() < patience {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        false
    }

    fn path(&self, file: &str) -> PathBuf {
        path(self.child.id(), file)
    }

    /// The process and all that descend from it: a server may be many.
    pub(crate) fn tree(&self) -> Vec<u32> {
        let mut tree = vec![self.child.id()];
        let mut seen = 0;
        while let Some(&id) = tree.get(seen) {
            seen += 1;
            for task in fs::read_dir(path(id, "task")).into_iter().flatten().flatten() {
                let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
                tree.extend(children.split_whitespace().filter_map(|word| word.parse::<u32>().ok()));
            }
        }
        tree
    }

    /// Processor time so far, of the whole tree.
    pub(crate) fn cpu(&self) -> Outcome<Cpu> {
        let mut sum = Cpu::default();
        for id in self.tree() {
            let one = cpu(id)?;
            sum.total += one.total;
            sum.user += one.user;
            sum.system += one.system;
        }
        Ok(sum)
    }

    /// Bytes of memory that this tree alone accounts for (PSS: what processes share counts once).
    pub(crate) fn memory(&self) -> Outcome<u64> {
        let mut sum = 0;
        for id in self.tree() {
            let rollup = fs::read_to_string(path(id, "smaps_rollup"))?;
            let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).ok_or("no Pss")?;
            sum += line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024;
        }
        Ok(sum)
    }

    /// Open sockets.
    pub(crate) fn sockets(&self) -> Outcome<usize> {
        let mut sockets = 0;
        for entry in fs::read_dir(self.path("fd"))? {
            let target = fs::read_link(entry?.path()).unwrap_or_default();
            sockets += usize::from(target.to_string_lossy().starts_with("socket:"));
        }
        Ok(sockets)
    }
}

fn path(id: u32, file: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{id}/{file}"))
}

fn cpu(id: u32) -> Outcome<Cpu> {
    let stat = fs::read_to_string(path(id, "stat"))?;
    // The name in parentheses may hold anything; after it every field is a word.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |place: usize| -> Outcome<Duration> {
        let ticks: u64 = fields.get(place).ok_or("a short /proc/PID/stat")?.parse()?;
        Ok(Duration::from_millis(ticks * 1000 / TICKS))
    };
    let mut nanoseconds = 0;
    for task in fs::read_dir(path(id, "task"))? {
        // A thread may end while we look.
        let Ok(line) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        nanoseconds += line.split_whitespace().next().unwrap_or("0").parse::<u64>()?;
    }
    Ok(Cpu { total: Duration::from_nanos(nanoseconds), user: ticks(11)?, system: ticks(12)? })
}

/// Has a command run on these cores, as `taskset` lists them, ahead of whatever else the machine does. It ends with this
/// process, however this ends.
pub(crate) fn on_cores(cores: &str, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "nice", "-n", "-15", "taskset", "--cpu-list", cores]).arg(program);
    command
}

/// How long a server may take to start.
const STARTING: Duration = Duration::from_secs(60);

/// Starts a server that says `ready:` when it is; returns that line.
pub(crate) fn ready_line(command: &mut Command) -> Outcome<(Process, String)> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let output = BufReader::new(child.stdout.take().ok_or("no output")?);
    let process = Process { child };
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let line = output.lines().map_while(Result::ok).find(|line| line.starts_with("ready:"));
        // Nobody waits any more if it took too long.
        let _ = tell.send(line);
    });
    match told.recv_timeout(STARTING) {
        Ok(line) => Ok((process, line.ok_or("the server ended instead of starting")?)),
        Err(_) => Err(format!("the server did not start within {} s", STARTING.as_secs()).into()),
    }
}

/// Processor time of this process so far: of the load.
pub(crate) fn own_cpu() -> Outcome<Duration> {
    Ok(cpu(std::process::id())?.total)
}

/// Takes as many descriptors as this process may, and says how many: servers that it starts have as many.
pub(crate) fn take_descriptors() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Puts this process on the core of the load, ahead of whatever else the machine does.
pub(crate) fn take_load_core() {
    use rustix::thread::{CpuSet, sched_setaffinity};
    let mut cores = CpuSet::new();
    cores.set(LOAD_CORE);
    if sched_setaffinity(None, &cores).is_err() || rustix::process::setpriority_process(None, -15).is_err() {
        eprintln!("the load has no core of its own, or no right to go first: figures may be disturbed");
    }
}

/// Waits until `ready`, or says what was waited for.
pub(crate) fn wait_for(what: &str, limit: Duration, mut ready: impl FnMut() -> Outcome<bool>) -> Outcome<()> {
    let until = Instant::now() + limit;
    while !ready()? {
        if Instant::now() > until {
            return Err(format!("waited {} s in vain for {what}", limit.as_secs()).into());
        }
    }
    Ok(())
}
