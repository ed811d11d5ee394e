//! Who sent what to whom, and when: the ladder of a run.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use sip::{Instant, Message, Transport};

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives.
    Arrives,
    /// The network loses it.
    Lost,
    /// It arrives twice.
    Doubled,
    /// There is nobody at that address, or the connection is closed.
    Nobody,
}

/// One message on the network.
#[derive(Clone, PartialEq, Eq)]
pub struct Rung {
    /// When it was sent.
    pub at: Instant,
    /// Who sent it.
    pub from: Arc<str>,
    /// Who it is for.
    pub to: Arc<str>,
    /// Over which transport.
    pub transport: Transport,
    /// The message.
    pub bytes: Arc<[u8]>,
    /// What became of it.
    pub fate: Fate,
}

impl Rung {
    /// `INVITE`, or `200 INVITE`.
    #[must_use]
    pub fn label(&self) -> String {
        let Ok(message) = Message::parse(&self.bytes) else { return "(no message)".to_owned() };
        let method = match message.cseq() {
            Ok(cseq) => String::from_utf8_lossy(cseq.method.as_bytes()).into_owned(),
            Err(_) => "(no CSeq)".to_owned(),
        };
        message.status().map_or_else(|| method.clone(), |status| format!("{status} {method}"))
    }

    /// `alice -> atlanta INVITE`.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} -> {} {}", self.from, self.to, self.label())
    }
}

impl fmt::Debug for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line())
    }
}

/// Everything that was sent or noted, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ladder {
    rungs: Vec<Rung>,
    notes: Vec<(usize, Instant, String)>,
}

impl Ladder {
    /// A message was sent.
    pub(crate) fn climb(&mut self, rung: Rung) {
        self.rungs.push(rung);
    }

    /// Something else happened that a reader wants to know.
    pub(crate) fn note(&mut self, at: Instant, note: String) {
        self.notes.push((self.rungs.len(), at, note));
    }

    /// The messages.
    #[must_use]
    pub fn rungs(&self) -> &[Rung] {
        &self.rungs
    }

    /// The messages as lines `alice -> atlanta INVITE`.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.rungs.iter().map(Rung::line).collect()
    }

    /// Forgets what was before.
    pub fn clear(&mut self) {
        self.rungs.clear();
        self.notes.clear();
    }

    /// The ladder for people: time in seconds since `start`, parties, messages, notes.
    #[must_use]
    pub fn render(&self, start: Instant) -> String {
        let mut text = String::new();
        let mut notes = self.notes.iter().peekable();
        for (place, rung) in self.rungs.iter().enumerate() {
            while let Some((_, at, note)) = notes.next_if(|(before, ..)| *before <= place) {
                let _ = writeln!(text, "{:>12.3}  {note}", seconds(*at, start));
            }
            let fate = match rung.fate {
                Fate::Arrives => "",
                Fate::Lost => "  x lost",
                Fate::Doubled => "  x2",
                Fate::Nobody => "  x nobody there",
            };
            let _ = writeln!(
                text,
                "{:>12.3}  {:>10} --{:-<16}-> {:<10} {}{}{fate}",
                seconds(rung.at, start),
                rung.from,
                rung.label(),
                rung.to,
                rung.transport.via_token(),
                details(&rung.bytes),
            );
        }
        for (_, at, note) in notes {
            let _ = writeln!(text, "{:>12.3}  {note}", seconds(*at, start));
        }
        text
    }
}

/// What tells one transaction and one dialog from another.
fn details(bytes: &[u8]) -> String {
    let Ok(message) = Message::parse(bytes) else { return String::new() };
    let short =
        |text: &[u8]| String::from_utf8_lossy(text.get(..6.min(text.len())).unwrap_or_default()).into_owned();
    let call = message.call_id().map(short).unwrap_or_default();
    let number = message.cseq().map(|cseq| cseq.number).unwrap_or_default();
    let tag = message.to().ok().and_then(|to| to.tag()).map(short).unwrap_or_default();
    format!("  call {call} cseq {number} to-tag {tag}")
}

fn seconds(at: Instant, start: Instant) -> f64 {
    at.saturating_since(start).as_secs_f64()
}

/// Compares the messages of a ladder with what a scenario expects: one `alice -> atlanta INVITE` a line, blanks
/// as wanted, empty lines and lines that start with `#` left out.
///
/// # Panics
/// When they differ; both are shown.
#[track_caller]
pub fn assert_ladder(ladder: &Ladder, expected: &str) {
    let expected: Vec<String> = expected
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let seen = ladder.lines();
    assert!(
        seen == expected,
        "expected:\n    {}\n\nseen:\n    {}",
        expected.join("\n    "),
        seen.join("\n    ")
    );
}
