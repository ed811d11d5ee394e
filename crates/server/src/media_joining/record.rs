//! The record of joined calls: one line of JSON for each, in a file.
//!
//! The file is opened anew for each line and written at its end in one go. It may be moved away, cut or removed at any
//! time, and several servers may share it. Who called whom is for its owner only, unless the file is there and says otherwise. What strangers write into it is bounded. A full disk may leave a part of a line: that
//! is ended before the next one begins.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::time::Duration;

use media::{
    BrowserFigures, CallReport, DtlsState, MediaCause, PhoneFigures, ReceptionFigures, RemoteFigures,
    Traffic, VideoFigures,
};
use serde::Serialize;
use sip::Instant;

use super::dialogs::Dialog;
use crate::clock::calendar;
use crate::{Failure, log};

/// The most octets of a Call-ID or URI that are recorded.
const MOST: usize = 256;

/// The file of the record.
pub(crate) struct CallRecords {
    path: PathBuf,
    /// The last line could not be written, and that was told.
    failing: std::cell::Cell<bool>,
}

/// One call.
#[derive(Serialize)]
pub(super) struct Record<'a> {
    start: String,
    answer: Option<String>,
    end: String,
    call_id: String,
    from: String,
    to: String,
    /// The final status of the INVITE.
    status: Option<u16>,
    /// `caller`, `callee` or `server`.
    ended_by: Option<&'static str>,
    codec: Option<&'a str>,
    cause: Option<Told<'a>>,
    browser: Option<BrowserSide>,
    phone: Option<PhoneSide>,
    /// Its pictures, if it had any at the end.
    pictures: Option<Pictures<'a>>,
    /// The two of an anchored call, in which there is neither `browser` nor `phone`.
    caller: Option<PhoneSide>,
    callee: Option<PhoneSide>,
}

/// What was wrong.
#[derive(Serialize)]
struct Told<'a> {
    code: &'a str,
    sentence: String,
}

#[derive(Serialize)]
struct BrowserSide {
    /// Our address and the browser's.
    ice_pair: Option<[String; 2]>,
    dtls: &'static str,
    #[serde(flatten)]
    figures: Side,
}

#[derive(Serialize)]
struct PhoneSide {
    port: u16,
    /// Where its packets came from.
    source: Option<String>,
    /// Where its description wanted packets.
    signalled: Option<String>,
    /// Whether its packets are protected by SRTP.
    srtp: bool,
    #[serde(flatten)]
    figures: Side,
}

#[derive(Serialize)]
struct Pictures<'a> {
    codec: Option<&'a str>,
    browser: Side,
    phone: PhoneSide,
    /// How often each was asked for a whole picture.
    asked_of_browser: u64,
    asked_of_phone: u64,
}

#[derive(Serialize)]
struct Side {
    packets_in: u64,
    octets_in: u64,
    lost_in: u64,
    jitter_ms: f64,
    packets_out: u64,
    octets_out: u64,
    /// As the other end told.
    lost_out: Option<u64>,
    round_trip_ms: Option<f64>,
    last_rtcp: Option<String>,
    dropped: u64,
}

impl CallRecords {
    /// The record in that file. Fails when it cannot be written.
    pub(crate) fn open(path: PathBuf) -> Result<Self, Failure> {
        append(&path).map_err(|error| {
            Failure::Failed(format!(
                "cannot write the record of calls to {}: {error}; see log.calls",
                path.display()
            ))
        })?;
        Ok(Self { path, failing: std::cell::Cell::new(false) })
    }

    /// Writes a line.
    pub(super) fn write(&self, record: &Record<'_>) {
        let Ok(mut line) = serde_json::to_vec(record) else { return };
        line.push(b'\n');
        let written = append(&self.path).and_then(|mut file| {
            if ends_within_a_line(&file, &self.path) {
                line.insert(0, b'\n');
            }
            file.write_all(&line)
        });
        // Once for each time that it begins to fail: a full disk needs no flood of lines.
        match &written {
            Err(error) if !self.failing.get() => {
                log::error(format!("calls are not recorded: {}: {error}", self.path.display()));
            }
            _ => {}
        }
        self.failing.set(written.is_err());
    }
}

fn append(path: &std::path::Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// Whether the last line of the file has no end. What is no file, or may not be read, is not asked.
fn ends_within_a_line(file: &File, path: &std::path::Path) -> bool {
    let last = |metadata: Metadata| {
        let mut octet = [0];
        let place = metadata.len().checked_sub(1)?;
        File::open(path).and_then(|file| file.read_exact_at(&mut octet, place)).ok()?;
        Some(octet != *b"\n")
    };
    file.metadata().ok().filter(Metadata::is_file).and_then(last).unwrap_or(false)
}

impl<'a> Record<'a> {
    /// What is known of a call that is over.
    pub(super) fn of(
        now: Instant,
        dialog: &Dialog,
        report: Option<&'a CallReport>,
        cause: Option<(&'a str, String)>,
    ) -> Self {
        let [from, to] = dialog.parties().map(text);
        let joined = report.filter(|report| report.caller.is_none());
        let anchored = report.filter(|report| report.caller.is_some());
        Self {
            start: time(dialog.begun),
            answer: dialog.answered.map(time),
            end: time(now),
            call_id: text(&dialog.call_id),
            from,
            to,
            status: dialog.status,
            ended_by: dialog.ended_by,
            codec: report.and_then(|report| report.codec),
            cause: cause.map(|(code, sentence)| Told { code, sentence }),
            browser: joined.map(|report| BrowserSide::of(&report.browser)),
            phone: joined.map(|report| PhoneSide::of(&report.phone)),
            pictures: joined.and_then(|report| report.video.as_ref()).map(Pictures::of),
            caller: anchored.and_then(|report| report.caller.as_ref()).map(PhoneSide::of),
            callee: anchored.map(|report| PhoneSide::of(&report.phone)),
        }
    }
}

/// The one cause of a call: what its media say, else why it could not be joined, else keys that nobody took.
pub(super) fn cause(dialog: &Dialog, report: Option<&CallReport>) -> Option<(&'static str, String)> {
    let of_media = |cause: MediaCause| (cause.code(), cause.to_string());
    let digits = (dialog.digits_refused).then(|| of_media(MediaCause::NoDigits));
    report
        .and_then(|report| report.cause)
        .map(of_media)
        .or_else(|| dialog.refused.clone().filter(|_| dialog.answered.is_none()))
        .or(digits)
}

impl BrowserSide {
    fn of(figures: &BrowserFigures) -> Self {
        Self {
            ice_pair: figures.pair.map(|(ours, theirs)| [ours.to_string(), theirs.to_string()]),
            dtls: match figures.dtls {
                DtlsState::New => "new",
                DtlsState::Connected => "connected",
                DtlsState::Failed => "failed",
                DtlsState::Closed => "closed",
            },
            figures: Side::of(
                &figures.received,
                figures.sent,
                figures.remote,
                figures.rtcp_heard,
                figures.dropped,
            ),
        }
    }
}

impl PhoneSide {
    fn of(figures: &PhoneFigures) -> Self {
        Self {
            port: figures.port,
            source: figures.source.map(|address| address.to_string()),
            signalled: figures.signalled.map(|address| address.to_string()),
            srtp: figures.secured,
            figures: Side::of(
                &figures.received,
                figures.sent,
                figures.remote,
                figures.rtcp_heard,
                figures.dropped,
            ),
        }
    }
}

impl<'a> Pictures<'a> {
    fn of(figures: &'a VideoFigures) -> Self {
        let browser = &figures.browser;
        Self {
            codec: figures.codec,
            // When RTCP came and what was dropped is counted for the whole leg, with the sound.
            browser: Side::of(&browser.received, browser.sent, browser.remote, None, 0),
            phone: PhoneSide::of(&figures.phone),
            asked_of_browser: figures.asked_of_browser,
            asked_of_phone: figures.asked_of_phone,
        }
    }
}

impl Side {
    fn of(
        received: &ReceptionFigures,
        sent: Traffic,
        remote: Option<RemoteFigures>,
        rtcp_heard: Option<Instant>,
        dropped: u64,
    ) -> Self {
        Self {
            packets_in: received.traffic.packets,
            octets_in: received.traffic.octets,
            lost_in: received.lost,
            jitter_ms: milliseconds(received.jitter),
            packets_out: sent.packets,
            octets_out: sent.octets,
            lost_out: remote.map(|remote| remote.lost),
            round_trip_ms: remote.and_then(|remote| remote.round_trip).map(milliseconds),
            last_rtcp: rtcp_heard.map(time),
            dropped,
        }
    }
}

/// To the tenth.
fn milliseconds(span: Duration) -> f64 {
    (span.as_secs_f64() * 10_000.0).round() / 10.0
}

fn time(at: Instant) -> String {
    log::Time(calendar(at)).to_string()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets.get(..MOST).unwrap_or(octets)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip::Message;
    use std::os::unix::fs::MetadataExt as _;

    fn dialog(text: &str) -> Dialog {
        let invite = Message::parse(text.as_bytes()).unwrap();
        let mut dialogs = super::super::dialogs::Dialogs::default();
        let call = super::super::dialogs::key(b"one", b"a", 0);
        dialogs.begin(Instant::from_secs(1_700_000_000), &call, &invite);
        dialogs.remove(&call).unwrap()
    }

    const INVITE: &str = "INVITE sip:bob@example.com SIP/2.0\r\nFrom: \"Alice\" <sip:alice@example.com>;tag=a\r\n\
                          To: <sip:bob@example.com>\r\nCall-ID: one\r\nCSeq: 1 INVITE\r\n\r\n";

    fn written(folder: &std::path::Path, dialog: &Dialog) -> Vec<serde_json::Value> {
        let path = folder.join("calls.jsonl");
        let records = CallRecords::open(path.clone()).unwrap();
        let cause = cause(dialog, None);
        let cause = cause.as_ref().map(|(code, sentence)| (*code, sentence.clone()));
        records.write(&Record::of(Instant::from_secs(1_700_000_005), dialog, None, cause));
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_refused_call_is_one_line_with_its_cause() {
        let folder = tempfile::tempdir().unwrap();
        let mut dialog = dialog(INVITE);
        dialog.status = Some(488);
        dialog.refused = Some(("SDP-NO-COMMON-CODEC", "the \"lists\"\n".to_owned()));
        let lines = written(folder.path(), &dialog);
        assert_eq!(lines.len(), 1);
        let line = &lines[0];
        assert_eq!(line["start"], "2023-11-14T22:13:20.000Z");
        assert_eq!(line["end"], "2023-11-14T22:13:25.000Z");
        assert_eq!(
            (&line["from"], &line["to"]),
            (&"sip:alice@example.com".into(), &"sip:bob@example.com".into())
        );
        assert_eq!((&line["status"], &line["answer"]), (&488.into(), &serde_json::Value::Null));
        assert_eq!(line["cause"]["code"], "SDP-NO-COMMON-CODEC");
    }

    #[test]
    fn the_pictures_of_a_call_are_told_beside_its_sound() {
        let mut report = CallReport { codec: Some("PCMU"), ..CallReport::default() };
        let mut video = VideoFigures { codec: Some("VP8"), asked_of_browser: 3, ..VideoFigures::default() };
        video.browser.received.traffic.packets = 700;
        video.phone.sent.packets = 699;
        report.video = Some(video);
        let dialog = dialog(INVITE);
        let record = Record::of(Instant::from_secs(1_700_000_005), &dialog, Some(&report), None);
        let line = serde_json::to_value(record).unwrap();
        let pictures = &line["pictures"];
        assert_eq!((&line["codec"], &pictures["codec"]), (&"PCMU".into(), &"VP8".into()));
        assert_eq!(pictures["browser"]["packets_in"], 700);
        assert_eq!(pictures["phone"]["packets_out"], 699);
        assert_eq!(pictures["asked_of_browser"], 3);
    }

    #[test]
    fn lines_are_added_and_the_file_may_be_moved_away() {
        let folder = tempfile::tempdir().unwrap();
        let dialog = dialog(INVITE);
        let path = folder.path().join("calls.jsonl");
        let records = CallRecords::open(path.clone()).unwrap();
        let write = || records.write(&Record::of(Instant::from_secs(2), &dialog, None, None));
        write();
        write();
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
        std::fs::rename(&path, folder.path().join("calls.1")).unwrap();
        write();
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);
    }

    #[test]
    fn a_new_file_is_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calls.jsonl");
        CallRecords::open(path.clone()).unwrap();
        assert_eq!(std::fs::metadata(path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_line_is_not_joined_to_one_that_a_full_disk_left_unfinished() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calls.jsonl");
        std::fs::write(&path, "{\"start\":\"2023-1").unwrap();
        let records = CallRecords::open(path.clone()).unwrap();
        records.write(&Record::of(Instant::from_secs(2), &dialog(INVITE), None, None));
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "{\"start\":\"2023-1");
        assert!(serde_json::from_str::<serde_json::Value>(lines[1]).is_ok(), "{}", lines[1]);
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn strangers_cannot_fill_the_disk_with_one_call() {
        let folder = tempfile::tempdir().unwrap();
        let long = INVITE.replace("alice", &"a".repeat(50_000));
        let lines = written(folder.path(), &dialog(&long));
        assert_eq!(lines[0]["from"].as_str().unwrap().len(), MOST);
    }

    #[test]
    fn keys_that_were_refused_are_the_cause_when_nothing_worse_is() {
        let mut dialog = dialog(INVITE);
        dialog.digits_refused = true;
        assert_eq!(cause(&dialog, None).unwrap().0, "DTMF-NONE");
        dialog.refused = Some(("SDP-GLARE", String::new()));
        assert_eq!(cause(&dialog, None).unwrap().0, "SDP-GLARE");
    }
}
