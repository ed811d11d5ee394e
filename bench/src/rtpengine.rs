//! rtpengine beside us: its process, and calls set up over its ng protocol (one UDP datagram with a cookie and a
//! bencoded dictionary, answered by another).

use std::net::UdpSocket;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::media::{Browser, Contender, Phone};
use crate::process::{self, Process};

/// How it is started, beside its addresses. `--table=-1`: no kernel module. Threads as it likes. `--dtls-cert-cipher`:
/// the load's browsers know ECDSA only, as its later versions prefer themselves.
pub(crate) const TUNING: [&str; 7] = [
    "--table=-1",
    "--port-min=30000",
    "--port-max=49999",
    "--log-level=3",
    "--delete-delay=0",
    "--dtls-cert-cipher=prime256v1",
    "--no-redis-required",
];

/// A running rtpengine.
pub(crate) struct Rtpengine {
    process: Process,
    control: UdpSocket,
    calls: Vec<String>,
    cookie: u64,
}

impl Rtpengine {
    /// Starts it.
    pub(crate) fn start() -> Outcome<Self> {
        let free = UdpSocket::bind("127.0.0.1:0")?;
        let listen = free.local_addr()?;
        drop(free);
        let child = process::on_cores(process::SERVER_CORE, "rtpengine")
            .args(["--config-file=none", "--foreground", "--log-stderr", "--interface=127.0.0.1"])
            .arg(format!("--listen-ng={listen}"))
            .args(TUNING)
            .stdout(Stdio::null())
            .spawn()?;
        let process = Process { child };
        let control = UdpSocket::bind("127.0.0.1:0")?;
        control.connect(listen)?;
        control.set_read_timeout(Some(Duration::from_millis(200)))?;
        let mut engine = Self { process, control, calls: Vec::new(), cookie: 0 };
        process::wait_for("rtpengine to start", Duration::from_secs(20), || {
            Ok(engine.ask(&[("command", Value::Text("ping"))]).is_ok())
        })?;
        Ok(engine)
    }

    /// Its version, as it prints it.
    pub(crate) fn version() -> Outcome<String> {
        let output = std::process::Command::new("rtpengine").arg("--version").output()?;
        let said = [output.stdout, output.stderr].concat();
        Ok(String::from_utf8_lossy(&said).trim().trim_start_matches("Version: ").to_owned())
    }

    fn ask(&mut self, dictionary: &[(&str, Value<'_>)]) -> Outcome<String> {
        self.cookie += 1;
        let cookie = format!("{:x} ", self.cookie);
        let mut request = cookie.clone().into_bytes();
        write(&mut request, dictionary);
        let mut answer = vec![0; 65_536];
        for _ in 0..10 {
            self.control.send(&request)?;
            while let Ok(length) = self.control.recv(&mut answer) {
                if let Some(found) = answer[..length].strip_prefix(cookie.as_bytes()) {
                    return Ok(String::from_utf8_lossy(found).into_owned());
                }
            }
        }
        Err("rtpengine does not answer".into())
    }

    /// Has a description rewritten.
    fn rewrite(&mut self, dictionary: &[(&str, Value<'_>)]) -> Outcome<String> {
        let answer = self.ask(dictionary)?;
        let (_, after) = answer.split_once("3:sdp").ok_or_else(|| format!("rtpengine refused: {answer}"))?;
        let (length, after) = after.split_once(':').ok_or("no length")?;
        Ok(after.get(..length.parse()?).ok_or("a short description")?.to_owned())
    }
}

impl Contender for Rtpengine {
    fn process(&self) -> &Process {
        &self.process
    }

    fn connect(&mut self, browser: &mut Browser, phone: &mut Phone) -> Outcome<()> {
        let call = format!("bench-{}", self.calls.len());
        // The flags with which proxies send a browser's call to a phone.
        let offer = self.rewrite(&[
            ("ICE", Value::Text("remove")),
            ("call-id", Value::Text(&call)),
            ("command", Value::Text("offer")),
            ("from-tag", Value::Text("browser")),
            ("rtcp-mux", Value::List(&["demux"])),
            ("sdp", Value::Text(&browser.offer())),
            ("transport-protocol", Value::Text("RTP/AVP")),
        ])?;
        let answer = phone.answer(&offer)?;
        let answer = self.rewrite(&[
            ("ICE", Value::Text("force")),
            ("call-id", Value::Text(&call)),
            ("command", Value::Text("answer")),
            ("from-tag", Value::Text("browser")),
            ("rtcp-mux", Value::List(&["require"])),
            ("sdp", Value::Text(&answer)),
            ("to-tag", Value::Text("phone")),
            ("transport-protocol", Value::Text("UDP/TLS/RTP/SAVPF")),
        ])?;
        self.calls.push(call);
        browser.answered(Instant::now(), &answer)
    }

    fn turn(&mut self) -> Outcome<()> {
        Ok(())
    }

    fn hang_up(&mut self) -> Outcome<()> {
        for call in std::mem::take(&mut self.calls) {
            self.ask(&[
                ("call-id", Value::Text(&call)),
                ("command", Value::Text("delete")),
                ("from-tag", Value::Text("browser")),
            ])?;
        }
        Ok(())
    }
}

/// What a dictionary of ours may hold.
#[derive(Clone, Copy)]
enum Value<'a> {
    Text(&'a str),
    List(&'a [&'a str]),
}

/// Bencode; the keys must come in order.
fn write(out: &mut Vec<u8>, dictionary: &[(&str, Value<'_>)]) {
    let text =
        |out: &mut Vec<u8>, text: &str| out.extend_from_slice(format!("{}:{text}", text.len()).as_bytes());
    out.push(b'd');
    for (key, value) in dictionary {
        text(out, key);
        match value {
            Value::Text(value) => text(out, value),
            Value::List(values) => {
                out.push(b'l');
                values.iter().for_each(|value| text(out, value));
                out.push(b'e');
            }
        }
    }
    out.push(b'e');
}
