//! The server under test: its process, a page and a desk phone on it, and calls from one to the other.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use agent::{CallNumber, CallOptions, Ending, Event, Payload};
use tempfile::TempDir;

use crate::Outcome;
use crate::media::{Browser, Contender, Phone};
use crate::process::{self, Process};
use crate::user_agent::UserAgent;

const PASSWORD: &str = "correct horse";

/// A running Sipweb with a page of alice and a desk phone of bob.
pub(crate) struct Sipweb {
    process: Process,
    page: UserAgent,
    desk_phone: UserAgent,
    calls: Vec<CallNumber>,
    _folder: TempDir,
}

impl Sipweb {
    /// Starts the server; both users register with it.
    pub(crate) fn start(binary: &Path) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let any = "[\"127.0.0.1:0\"]";
        let configuration = format!(
            "domain = \"example.com\"\ndata = \"data\"\n[listen]\nudp = {any}\nhttp = {any}\n\
             [media]\nports = \"30000-49999\"\n[log]\nlevel = \"error\"\n\
             [limits]\ntransactions_per_source = 100_000\n"
        );
        let path = folder.path().join("sipweb.toml");
        std::fs::write(&path, configuration)?;
        for user in ["alice", "bob"] {
            add_user(binary, &path, user)?;
        }
        let mut command = process::on_cores(process::SERVER_CORE, binary);
        let (process, ready) = process::ready_line(command.args(["serve", "--config"]).arg(&path))?;
        let address = |key: &str| -> Outcome<SocketAddr> {
            let prefix = format!("{key}=");
            let found = ready.split_whitespace().find_map(|word| word.strip_prefix(&prefix));
            Ok(found.ok_or("no such listener")?.parse()?)
        };
        let mut page = UserAgent::page(address("http")?, "alice", PASSWORD)?;
        let mut desk_phone = UserAgent::desk_phone(address("udp")?, "bob", PASSWORD)?;
        for user in [&mut page, &mut desk_phone] {
            user.wait("a registration", |event| match event {
                Event::Registered { .. } => Some(Ok(())),
                Event::RegistrationFailed { cause, .. } => Some(Err(format!("not registered: {cause:?}"))),
                _ => None,
            })??;
        }
        Ok(Self { process, page, desk_phone, calls: Vec::new(), _folder: folder })
    }
}

impl Contender for Sipweb {
    fn process(&self) -> &Process {
        &self.process
    }

    fn connect(&mut self, browser: &mut Browser, phone: &mut Phone) -> Outcome<()> {
        let now = self.page.now();
        let (call, _) = self.page.agent.create_call(now, "sip:bob@example.com", CallOptions::default())?;
        let offer = browser.offer();
        self.page.agent.invite(now, call, Payload::sdp(&offer))?;
        self.page.turn()?;
        let page = &mut self.page;
        let (incoming, offer) = self.desk_phone.wait("the INVITE at the phone", |event| {
            // The challenge must be answered while we wait.
            let _ = page.turn();
            match event {
                Event::IncomingCall { call, request, .. } => Some((call, text(request.body()))),
                _ => None,
            }
        })?;
        let now = self.desk_phone.now();
        self.desk_phone.agent.accept(now, incoming, 0, &Payload::sdp(&phone.answer(&offer)?))?;
        self.desk_phone.turn()?;
        let answer = self.page.wait("the answer at the page", |event| match event {
            Event::Accepted { call: accepted, response, .. } if accepted == call => {
                Some(Ok(text(response.body())))
            }
            Event::Failed { cause, message, .. } => {
                let status = message.and_then(|message| message.status());
                Some(Err(format!("the call failed: {cause:?} {status:?}")))
            }
            _ => None,
        })??;
        let now = self.page.now();
        self.page.agent.acknowledge(now, call, Payload::default())?;
        self.page.turn()?;
        self.calls.push(call);
        browser.answered(Instant::now(), &answer)
    }

    fn turn(&mut self) -> Outcome<()> {
        self.page.turn()?;
        self.desk_phone.turn()
    }

    fn hang_up(&mut self) -> Outcome<()> {
        for call in std::mem::take(&mut self.calls) {
            let now = self.page.now();
            self.page.agent.end(now, call, &Ending::default())?;
            self.page.turn()?;
            self.desk_phone
                .wait("the BYE at the phone", |event| matches!(event, Event::Ended { .. }).then_some(()))?;
        }
        self.turn()?;
        while self.page.event().or_else(|| self.desk_phone.event()).is_some() {}
        Ok(())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn add_user(binary: &Path, configuration: &Path, name: &str) -> Outcome<()> {
    let mut child = Command::new(binary)
        .args(["user", "add", name, "--config"])
        .arg(configuration)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    child.stdin.take().ok_or("no input")?.write_all(format!("{PASSWORD}\n").as_bytes())?;
    if child.wait()?.success() { Ok(()) } else { Err(format!("user {name} could not be added").into()) }
}
