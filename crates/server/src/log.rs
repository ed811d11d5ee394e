//! Log lines that a person can read: time, level, sentence. To standard error, which is where service managers
//! and terminals expect them.

use std::fmt;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Something does not work.
    Error,
    /// Something is odd or was refused.
    Warning,
    /// What a server does all day: registrations, calls.
    Info,
    /// For the search for a fault.
    Debug,
}

impl Level {
    /// The level of that name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "error" => Some(Self::Error),
            "warning" | "warn" => Some(Self::Warning),
            "info" => Some(Self::Info),
            "debug" => Some(Self::Debug),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

static LEVEL: AtomicU8 = AtomicU8::new(Level::Info as u8);

/// Lines above this level are not written from now on.
pub(crate) fn set_level(level: Level) {
    LEVEL.store(level as u8, Ordering::Relaxed);
}

/// Whether lines of this level are written: for those that cost something to make.
pub(crate) fn writes(level: Level) -> bool {
    level as u8 <= LEVEL.load(Ordering::Relaxed)
}

pub(crate) fn error(sentence: impl fmt::Display) {
    write(Level::Error, &sentence);
}

pub(crate) fn warning(sentence: impl fmt::Display) {
    write(Level::Warning, &sentence);
}

pub(crate) fn info(sentence: impl fmt::Display) {
    write(Level::Info, &sentence);
}

pub(crate) fn debug(sentence: impl fmt::Display) {
    write(Level::Debug, &sentence);
}

fn write(level: Level, sentence: &dyn fmt::Display) {
    if !writes(level) {
        return;
    }
    let line = line(level, sentence, style(), SystemTime::now());
    match WRITER.get() {
        None => print(&line),
        Some(writer) if QUEUED.fetch_add(1, Ordering::Relaxed) < WAITING => {
            let _ = writer.send(Task::Write(line));
        }
        Some(_) => {
            QUEUED.fetch_sub(1, Ordering::Relaxed);
            LOST.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn print(line: &str) {
    // A log that cannot be written stops nothing.
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

/// Lines that wait for a reader of the log who is slow.
const WAITING: u64 = 8192;
/// How long the end of the server waits for one.
const FAREWELL: Duration = Duration::from_secs(1);

/// What the thread that writes is told.
enum Task {
    Write(String),
    /// To answer when all before is written.
    Flush(Sender<()>),
}

static WRITER: OnceLock<Sender<Task>> = OnceLock::new();
/// Lines that wait. A channel that bounds them itself would take the room for all at once.
static QUEUED: AtomicU64 = AtomicU64::new(0);
/// Lines that found no place any more.
static LOST: AtomicU64 = AtomicU64::new(0);

/// From now on a thread of its own writes the lines: a service manager that is stuck, a pager, or a terminal that was told to wait
/// takes none, and calls are to go on all the same.
pub(crate) fn write_aside() {
    let (writer, tasks) = mpsc::channel();
    if std::thread::Builder::new().name("log".to_owned()).spawn(move || write_all(&tasks)).is_ok() {
        let _ = WRITER.set(writer);
    }
}

fn write_all(tasks: &Receiver<Task>) {
    for task in tasks {
        match task {
            Task::Write(text) => {
                print(&text);
                QUEUED.fetch_sub(1, Ordering::Relaxed);
            }
            Task::Flush(done) => {
                let _ = done.send(());
            }
        }
        let lost = LOST.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let sentence = format!("nobody took the lines of this log for a while: {lost} of them are lost");
            print(&line(Level::Warning, &sentence, style(), SystemTime::now()));
        }
    }
}

/// Waits until the lines are written; not for ever. For whoever is about to end the process.
pub(crate) fn flush() {
    let (done, is_done) = mpsc::channel();
    if WRITER.get().is_some_and(|writer| writer.send(Task::Flush(done)).is_ok()) {
        let _ = is_done.recv_timeout(FAREWELL);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// A file or a pipe.
    Plain,
    /// A person is watching.
    Terminal,
    /// systemd's journal: it adds the time, and reads the level from a prefix (sd-daemon(3)).
    Journal,
}

fn style() -> Style {
    static STYLE: OnceLock<Style> = OnceLock::new();
    *STYLE.get_or_init(|| {
        if is_the_journal() {
            Style::Journal
        } else if std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
            Style::Terminal
        } else {
            Style::Plain
        }
    })
}

/// Whether our error output is what systemd names as the journal, by device and inode (systemd.exec(5), `JOURNAL_STREAM`). The
/// variable alone says nothing: whatever a service starts inherits it, wherever its own output goes.
fn is_the_journal() -> bool {
    let named = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    let named = named.split_once(':').map(|(device, inode)| (device.parse::<u64>(), inode.parse::<u64>()));
    let Some((Ok(device), Ok(inode))) = named else { return false };
    let ours = std::io::stderr().as_fd().try_clone_to_owned().map(File::from);
    let ours = ours.and_then(|ours| ours.metadata());
    ours.is_ok_and(|ours| (ours.dev(), ours.ino()) == (device, inode))
}

fn line(level: Level, sentence: &dyn fmt::Display, style: Style, time: SystemTime) -> String {
    // Whatever a peer sent has been escaped where it was put in; this guards against what was overlooked.
    let sentence = Escaped(sentence.to_string().as_bytes()).to_string();
    let name = level.name();
    match style {
        Style::Plain => format!("{} {name:<7} {sentence}\n", Time(time)),
        Style::Terminal => {
            let colour = match level {
                Level::Error => "31;1",
                Level::Warning => "33",
                Level::Info => "32",
                Level::Debug => "2",
            };
            format!("\x1b[2m{}\x1b[0m \x1b[{colour}m{name:<7}\x1b[0m {sentence}\n", Time(time))
        }
        Style::Journal => {
            let priority = match level {
                Level::Error => 3,
                Level::Warning => 4,
                Level::Info => 6,
                Level::Debug => 7,
            };
            format!("<{priority}>{sentence}\n")
        }
    }
}

/// A time in UTC, to the millisecond.
pub(crate) struct Time(pub(crate) SystemTime);

impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.0.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let (days, seconds) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
        // Days are counted from 1 March of the year 0, so that the leap day is the last of its year.
        let days = days + 719_468;
        let era = days / 146_097;
        let day_of_era = days % 146_097;
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(
            formatter,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
            since.subsec_millis()
        )
    }
}

/// Octets from a peer, fit for a log line and a terminal: control characters, marks that turn the direction of
/// writing, and what is not UTF-8 are shown as `\xNN` or `\u{N}`.
pub(crate) struct Escaped<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        for chunk in self.0.utf8_chunks() {
            for letter in chunk.valid().chars() {
                match letter {
                    '\u{0}'..='\u{1f}' | '\u{7f}' => write!(formatter, "\\x{:02x}", u32::from(letter))?,
                    '\u{80}'..='\u{9f}'
                    | '\u{200b}'..='\u{200f}'
                    | '\u{2028}'..='\u{202e}'
                    | '\u{2066}'..='\u{2069}'
                    | '\u{feff}' => write!(formatter, "\\u{{{:x}}}", u32::from(letter))?,
                    other => formatter.write_char(other)?,
                }
            }
            for octet in chunk.invalid() {
                write!(formatter, "\\x{octet:02x}")?;
            }
        }
        Ok(())
    }
}

/// Lets so many lines through in an interval and counts the rest, so that a flood of bad messages does not
/// become a flood of log lines.
#[derive(Debug)]
pub(crate) struct RateLimit {
    most: u32,
    interval: Duration,
    began: Option<Instant>,
    passed: u32,
    held_back: u64,
}

/// What is to become of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// It is written; before it, how many were held back since the last one.
    Yes {
        /// Lines held back.
        held_back: u64,
    },
    /// It is held back.
    No,
}

impl RateLimit {
    pub(crate) const fn new(most: u32, interval: Duration) -> Self {
        Self { most, interval, began: None, passed: 0, held_back: 0 }
    }

    pub(crate) fn pass(&mut self, now: Instant) -> Pass {
        let over = self.began.is_none_or(|began| now.saturating_duration_since(began) >= self.interval);
        if over {
            self.began = Some(now);
            self.passed = 0;
        }
        if self.passed >= self.most {
            self.held_back += 1;
            return Pass::No;
        }
        self.passed += 1;
        Pass::Yes { held_back: std::mem::take(&mut self.held_back) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_time_level_and_sentence() {
        let time = UNIX_EPOCH + Duration::from_millis(1_709_210_096_789);
        let plain = line(Level::Info, &"alice calls bob", Style::Plain, time);
        assert_eq!(plain, "2024-02-29T12:34:56.789Z info    alice calls bob\n");
        assert_eq!(line(Level::Warning, &"odd", Style::Journal, time), "<4>odd\n");
    }

    #[test]
    fn the_calendar_holds_at_its_edges() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (951_868_800, "2000-03-01T00:00:00.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
            (1_798_761_599, "2026-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(Time(UNIX_EPOCH + Duration::from_secs(seconds)).to_string(), expected);
        }
    }

    #[test]
    fn what_a_peer_sends_cannot_forge_lines_or_drive_the_terminal() {
        let evil = b"a\r\n2024 info all is well\x1b[2J\0\xff\xc3\xa9 \xe2\x80\xae";
        assert_eq!(
            Escaped(evil).to_string(),
            "a\\x0d\\x0a2024 info all is well\\x1b[2J\\x00\\xffé \\u{202e}"
        );
        let line = line(Level::Info, &"forged\nline", Style::Plain, UNIX_EPOCH);
        assert_eq!(line.matches('\n').count(), 1);
    }

    #[test]
    fn a_flood_becomes_a_few_lines_and_a_number() {
        let mut limit = RateLimit::new(2, Duration::from_secs(1));
        let start = Instant::now();
        assert_eq!(limit.pass(start), Pass::Yes { held_back: 0 });
        assert_eq!(limit.pass(start), Pass::Yes { held_back: 0 });
        for _ in 0..100 {
            assert_eq!(limit.pass(start), Pass::No);
        }
        assert_eq!(limit.pass(start + Duration::from_secs(1)), Pass::Yes { held_back: 100 });
    }
}
