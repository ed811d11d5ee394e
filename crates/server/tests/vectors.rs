//! The torture messages of RFC 4475 and RFC 5118 and messages of real peers, sent to the running binary: what it
//! answers, and what it forwards octet for octet.
//!
//! The binary runs as an edge that trusts loopback, in front of an upstream that only listens, and without the media
//! gateway, which would translate what browsers offer. The folder
//! `../shared/vectors` beside the workspace is not a part of the project. Without it nothing is checked here, and
//! the test says so; under `CI=true` it must be there.

mod harness;

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};

use harness::{PATIENCE, Page, Server, text};
use sip::{Framed, HeaderName, Message, Method};
use websocket::Opcode;

fn vectors() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var_os("CI").is_none(), "the vectors are missing: {}", folder.display());
    eprintln!("no vectors beside the project: nothing is checked");
    None
}

/// What came of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    Status(u16),
    Forwarded,
    Nothing,
}

use Outcome::{Forwarded, Nothing, Status};

/// What `expected.json` says in words; where it allows several outcomes, ours.
const RFC_4475: [(&str, Outcome); 49] = [
    ("wsinv", Forwarded),
    ("intmeth", Forwarded),
    ("esc01", Forwarded),
    ("escnull", Forwarded),
    ("esc02", Forwarded),
    ("lwsdisp", Forwarded),
    ("longreq", Forwarded),
    ("dblreq", Forwarded),
    ("semiuri", Forwarded),
    ("transports", Forwarded),
    ("mpart01", Forwarded),
    ("unreason", Nothing),
    ("noreason", Nothing),
    ("badinv01", Status(400)),
    ("clerr", Status(400)),
    ("ncl", Status(400)),
    ("scalar02", Status(400)),
    ("scalarlg", Nothing),
    ("quotbal", Status(400)),
    ("ltgtruri", Status(400)),
    ("lwsruri", Status(400)),
    ("lwsstart", Status(400)),
    ("trws", Status(400)),
    ("escruri", Status(400)),
    ("baddate", Forwarded),
    ("regbadct", Status(400)),
    ("badaspec", Status(400)),
    ("baddn", Status(400)),
    ("badvers", Status(505)),
    ("mismatch01", Status(400)),
    ("mismatch02", Status(400)),
    ("bigcode", Nothing),
    ("badbranch", Forwarded),
    ("insuf", Status(400)),
    ("unkscm", Status(416)),
    ("novelsc", Status(416)),
    ("unksm2", Forwarded),
    ("bext01", Status(420)),
    ("invut", Forwarded),
    ("regaut01", Forwarded),
    ("multi01", Status(400)),
    ("mcl01", Status(400)),
    ("bcast", Nothing),
    ("zeromf", Status(483)),
    ("cparam01", Forwarded),
    ("cparam02", Forwarded),
    ("regescrt", Forwarded),
    ("sdp01", Forwarded),
    ("inv2543", Forwarded),
];

/// The running binary between a client and an upstream that only listens.
struct Bench {
    server: Server,
    /// What arrives at the upstream, which answers it at once.
    upstream: Receiver<Message>,
    client: UdpSocket,
    sentinels: u32,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let upstream = UdpSocket::bind("127.0.0.1:0").unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let any = "\"127.0.0.1:0\"";
        let configuration = format!(
            "domain = \"sipweb.test\"\ndata = \"data\"\n[listen]\nudp = {any}\ntcp = {any}\nhttp = {any}\n\
             [edge]\nupstream = \"sip:{}\"\n[peers]\ntrusted = [\"127.0.0.1\"]\n\
             [media]\ngateway = false\n",
            upstream.local_addr().unwrap()
        );
        fs::write(folder.path().join("sipweb.toml"), configuration).unwrap();
        let server = Server::start_in(folder.path());
        let (arrivals, arrived) = channel();
        std::thread::spawn(move || answer_everything(&upstream, &arrivals));
        Self { server, upstream: arrived, client, sentinels: 0, _folder: folder }
    }

    fn address(&self, key: &str) -> SocketAddr {
        self.server.address(key)
    }

    fn serves(&mut self) {
        self.flush(0);
    }

    /// A request that is certainly forwarded: when it has arrived, so has everything sent before it.
    /// As long as that message, for long ones go another way (RFC 3261 §18.1.1).
    fn sentinel(&mut self, length: usize) -> (String, String) {
        self.sentinels += 1;
        let name = format!("sentinel-{}", self.sentinels);
        let message = format!(
            "MESSAGE sip:x@example.net SIP/2.0\r\nVia: SIP/2.0/UDP {};rport;branch=z9hG4bK{name}\r\nMax-Forwards: 70\r\n\
             From: <sip:s@example.net>;tag=s\r\nTo: <sip:x@example.net>\r\nCall-ID: {name}\r\nCSeq: 1 MESSAGE\r\n\
             Content-Length: {length}\r\n\r\n{:length$}",
            self.client.local_addr().unwrap(),
            ""
        );
        (name, message)
    }

    /// All that arrives at the upstream before the sentinel of that name.
    fn forwarded_before(&self, sentinel: &str) -> Vec<Message> {
        let mut found = Vec::new();
        loop {
            let message = self.upstream.recv_timeout(PATIENCE).expect("the sentinel at the upstream");
            if message.call_id() == Ok(sentinel.as_bytes()) {
                return found;
            }
            found.push(message);
        }
    }

    /// Sends a message over UDP and gives what was forwarded and what was answered.
    fn over_udp(&mut self, bytes: &[u8]) -> (Vec<Message>, Vec<Message>) {
        let (name, sentinel) = self.sentinel(bytes.len());
        let to = self.address("udp");
        self.client.send_to(bytes, to).unwrap();
        self.client.send_to(sentinel.as_bytes(), to).unwrap();
        let forwarded = self.forwarded_before(&name);
        let mut answers = Vec::new();
        let mut buffer = vec![0; 65536];
        loop {
            let length = self.client.recv(&mut buffer).expect("the sentinel's answer");
            let message = Message::parse(&buffer[..length]).unwrap();
            if message.call_id() == Ok(name.as_bytes()) {
                return (forwarded, answers);
            }
            answers.push(message);
        }
    }

    /// The same over a WebSocket of its own. Binary frames: some of these messages are no UTF-8.
    fn over_websocket(&mut self, bytes: &[u8]) -> (Vec<Message>, Vec<Message>) {
        let mut page = Page::open(&self.server);
        let (name, sentinel) = self.sentinel(0);
        page.send_frame(Opcode::Binary, bytes);
        page.send_frame(Opcode::Binary, sentinel.as_bytes());
        let mut answers = Vec::new();
        // Nobody registered here, so the sentinel is refused at once; or the connection ends.
        while let Some(Ok(message)) = page.receive() {
            if message.call_id() == Ok(name.as_bytes()) {
                break;
            }
            answers.push(message);
        }
        (self.flush(bytes.len()), answers)
    }

    /// The same over a TCP connection of its own.
    fn over_tcp(&mut self, bytes: &[u8]) -> (Vec<Message>, Vec<Message>) {
        let mut stream = TcpStream::connect(self.address("tcp")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (name, sentinel) = self.sentinel(bytes.len());
        stream.write_all(bytes).unwrap();
        // The server may have closed already; then the reading says so.
        let _ = stream.write_all(sentinel.as_bytes());
        if bytes.starts_with(b"INVITE") && text(bytes).contains("9999") {
            // A body that never comes: what follows is taken for it.
            stream.shutdown(Shutdown::Write).unwrap();
        }
        let (mut received, mut part, mut answers) = (Vec::new(), vec![0; 65536], Vec::new());
        loop {
            let length = stream.read(&mut part).unwrap_or(0);
            received.extend_from_slice(&part[..length]);
            while let Framed::Message(end) = sip::frame(&received) {
                let message = Message::parse(&received[..end]).unwrap();
                received.drain(..end);
                if message.call_id() == Ok(name.as_bytes()) {
                    return (self.flush(bytes.len()), answers);
                }
                answers.push(message);
            }
            if length == 0 {
                return (self.flush(bytes.len()), answers);
            }
        }
    }

    /// All that was forwarded until now, of messages up to that length.
    fn flush(&mut self, length: usize) -> Vec<Message> {
        let (name, sentinel) = self.sentinel(length);
        self.client.send_to(sentinel.as_bytes(), self.address("udp")).unwrap();
        let forwarded = self.forwarded_before(&name);
        let mut buffer = vec![0; 65536];
        while self.client.recv(&mut buffer).is_ok_and(|length| !text(&buffer[..length]).contains(&name)) {}
        forwarded
    }
}

/// The upstream: it knows nobody, and says so at once, so that nothing is sent again. Only of an INVITE it says that
/// it tries, for a refusal would bring one more ACK.
fn answer_everything(socket: &UdpSocket, arrivals: &Sender<Message>) {
    let mut buffer = vec![0; 65536];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        let Ok(message) = Message::parse(&buffer[..length]) else { panic!("forwarded what nobody can read") };
        let status = if message.method() == Some(Method::Invite) { 100 } else { 404 };
        if message.method().is_some_and(|method| method != Method::Ack)
            && let Ok(response) = sip::Builder::response_to(&message, status, "").finish()
        {
            socket.send_to(&response, from).unwrap();
        }
        if arrivals.send(message).is_err() {
            return;
        }
    }
}

/// What was forwarded of a request: nothing else of its Call-ID and method comes before the sentinel.
fn onward<'a>(sent: &Message, forwarded: &'a [Message]) -> Option<&'a Message> {
    forwarded.iter().find(|found| {
        found.is_request() && found.method() == sent.method() && found.call_id() == sent.call_id()
    })
}

/// What the forwarded and the answered say of the message that was sent.
fn outcome(sent: &[u8], forwarded: &[Message], answers: &[Message]) -> Outcome {
    let readable = Message::parse(sent).ok();
    if readable.is_some_and(|message| message.is_request() && onward(&message, forwarded).is_some()) {
        return Forwarded;
    }
    // A 404 is the upstream's own.
    let status = answers.iter().filter_map(Message::status).find(|status| ![100, 404].contains(status));
    status.map_or(Nothing, Status)
}

/// Asks for the answer at the port that the message comes from, which RFC 3261 without RFC 3581 does not give, and
/// makes the branch one of its own: several of these messages have the same.
fn as_datagram(bytes: &[u8], number: u32) -> Vec<u8> {
    let find = |what: &[u8]| bytes.windows(what.len()).position(|window| window == what);
    if let Some(place) = find(b"branch=") {
        let (before, after) = bytes.split_at(place);
        let cookie = b"branch=z9hG4bK";
        return match after.strip_prefix(cookie).filter(|rest| rest[0].is_ascii_alphanumeric()) {
            Some(rest) => [before, b"rport;", cookie, format!("n{number}").as_bytes(), rest].concat(),
            None => [before, b"rport;", after].concat(),
        };
    }
    let Some(line) = find(b"Via: ") else { return bytes.to_vec() };
    let end = line + bytes[line..].iter().position(|octet| *octet == b'\r').unwrap();
    [&bytes[..end], b";rport", &bytes[end..]].concat()
}

/// Sends the 49 messages and holds what comes of them against what is expected.
fn torture(
    send: impl Fn(&mut Bench, &[u8]) -> (Vec<Message>, Vec<Message>),
    expect: impl Fn(&str, Outcome) -> Outcome,
) {
    let Some(folder) = vectors() else { return };
    let mut bench = Bench::new();
    let mut wrong = Vec::new();
    for (number, (name, expected)) in (0..).zip(RFC_4475) {
        let bytes = fs::read(folder.join("rfc4475").join(format!("{name}.dat"))).unwrap();
        let bytes = as_datagram(&bytes, number);
        let (forwarded, answers) = send(&mut bench, &bytes);
        let (found, expected) = (outcome(&bytes, &forwarded, &answers), expect(name, expected));
        if found != expected {
            wrong.push(format!("{name}: {found:?} instead of {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of 49 differ:\n{}", wrong.len(), wrong.join("\n"));
    bench.serves();
}

#[test]
fn the_torture_messages_of_rfc_4475_have_their_outcomes_over_udp() {
    torture(Bench::over_udp, |_, expected| expected);
}

#[test]
fn the_torture_messages_of_rfc_4475_have_their_outcomes_over_tcp() {
    torture(Bench::over_tcp, |name, expected| match name {
        // The body never comes: nobody can be answered, and nothing is forwarded.
        "clerr" => Nothing,
        // A stream needs a length (RFC 3261 §18.3).
        "inv2543" => Status(400),
        _ => expected,
    });
}

#[test]
fn the_torture_messages_of_rfc_4475_have_their_outcomes_over_websocket() {
    // Strangers may only register here: what is right is refused for that reason, not for its form.
    let registers = ["escnull", "unksm2", "regaut01", "cparam01", "cparam02", "regescrt"];
    torture(Bench::over_websocket, |name, expected| match expected {
        // One SIP message in one WebSocket message (RFC 7118 §5): what follows the body is a fault here.
        _ if name == "dblreq" => Status(400),
        Forwarded if !registers.contains(&name) => Status(403),
        _ => expected,
    });
}

#[test]
fn the_ipv6_messages_of_rfc_5118_are_forwarded_but_for_the_one_without_brackets() {
    let Some(folder) = vectors() else { return };
    let mut bench = Bench::new();
    let mut count = 0;
    for file in fs::read_dir(folder.join("rfc5118/wire")).unwrap() {
        let path = file.unwrap().path();
        let bytes = as_datagram(&framed(&fs::read(&path).unwrap()), count);
        let is_request = Message::parse(&bytes).is_ok_and(|message| message.is_request());
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let expected = match (name.as_str(), is_request) {
            ("ipv6-bad", _) => Status(400),
            (_, true) => Forwarded,
            (_, false) => Nothing,
        };
        let (forwarded, answers) = bench.over_udp(&bytes);
        assert_eq!(outcome(&bytes, &forwarded, &answers), expected, "{name}");
        count += 1;
    }
    assert_eq!(count, 12);
}

/// The archive has bare line feeds; as CRLF the bodies are longer than their Content-Length says, or shorter.
fn framed(bytes: &[u8]) -> Vec<u8> {
    let text = text(bytes);
    let Some((headers, body)) = text.split_once("\r\n\r\n") else { return bytes.to_vec() };
    let line = |line: &str| match line.split_once(':') {
        Some((name, _)) if name.trim().eq_ignore_ascii_case("content-length") => {
            format!("Content-Length: {}", body.len())
        }
        _ => line.to_owned(),
    };
    let headers: Vec<String> = headers.split("\r\n").map(line).collect();
    format!("{}\r\n\r\n{body}", headers.join("\r\n")).into_bytes()
}

/// The headers that a proxy must or may change (RFC 3261 §16.6), and Content-Length, which it may add.
const PROXY_HEADERS: [HeaderName; 7] = [
    HeaderName::Via,
    HeaderName::MaxForwards,
    HeaderName::RecordRoute,
    HeaderName::Route,
    HeaderName::Path,
    HeaderName::ContentLength,
    HeaderName::Supported,
];

/// The messages of real peers that are answered and not forwarded, and why.
const ANSWERED: [(&str, &str); 17] = [
    ("0066", "an ACK to a refusal, which ends at us: its INVITE came before, with this branch"),
    ("0070", "an ACK to a refusal, which ends at us: its INVITE came before, with this branch"),
    ("0206", "an ACK to a refusal, which ends at us: its INVITE came before, with this branch"),
    ("0302", "single headers twice, as in multi01 of RFC 4475"),
    ("0306", "white space in a URI, as in badaspec"),
    ("0313", "Max-Forwards is 0"),
    ("0314", "headers in the Request-URI, as in escruri"),
    ("0323", "a comma in a display name without quotes, as in baddn"),
    ("0361", "the request before it again: no branch, the rest the same"),
    ("0362", "the request before it again: no branch, the rest the same"),
    ("0363", "the request before it again: no branch, the rest the same"),
    ("0368", "the request before it again: the same branch"),
    ("0377", "a scheme that is not ours"),
    ("0378", "CSeq has another method, as in mismatch01"),
    ("0398", "CSeq has another method, as in mismatch01"),
    ("0438", "CSeq has another method, as in mismatch01"),
    ("0440", "CSeq has another method, as in mismatch01"),
];

fn other_fields(message: &Message) -> Vec<(Vec<u8>, Vec<u8>)> {
    let fields = message.fields().filter(|field| !PROXY_HEADERS.contains(&field.name));
    fields.map(|field| (field.text.to_vec(), field.value.to_vec())).collect()
}

#[test]
fn messages_of_real_peers_pass_octet_for_octet() {
    let Some(folder) = vectors() else { return };
    let mut bench = Bench::new();
    let manifest = fs::read_to_string(folder.join("MANIFEST.jsonl")).unwrap();
    let (mut passed, mut responses, mut answered) = (0, 0, Vec::new());
    for (number, line) in (0..).zip(manifest.lines()) {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let name = record["file"].as_str().unwrap();
        if !name.starts_with("sip/") || record["cls"] != "wellformed" {
            continue;
        }
        let bytes = fs::read(folder.join(name)).unwrap();
        let sent = as_datagram(&bytes, number);
        let Ok(message) = Message::parse(&sent) else { panic!("{name} cannot be read") };
        let (forwarded, answers) = bench.over_udp(&sent);
        if !message.is_request() {
            responses += 1;
            assert_eq!(
                outcome(&sent, &forwarded, &answers),
                Nothing,
                "{name}: a response to nothing that we sent"
            );
            continue;
        }
        let Some(onward) = onward(&message, &forwarded) else {
            let number = name.trim_start_matches("sip/").split('-').next().unwrap();
            answered
                .push((number.to_owned(), answers.iter().filter_map(Message::status).collect::<Vec<_>>()));
            continue;
        };
        assert_eq!(onward.body(), message.body(), "{name}: the body");
        // A strict router ahead takes the place of the Request-URI (RFC 3261 §16.6 item 6).
        let strict = message.header(HeaderName::Route).is_some_and(|route| !text(route).contains(";lr"));
        assert!(strict || onward.request_uri() == message.request_uri(), "{name}: the Request-URI");
        assert_eq!(other_fields(onward), other_fields(&message), "{name}: the headers");
        passed += 1;
    }
    eprintln!("{passed} requests forwarded, {responses} responses dropped, {} answered", answered.len());
    let numbers: Vec<&str> = answered.iter().map(|(number, _)| number.as_str()).collect();
    assert_eq!(numbers, ANSWERED.map(|(number, _)| number), "{answered:?}");
    bench.serves();
}

#[test]
fn nothing_that_anybody_sent_stops_the_server() {
    let Some(folder) = vectors() else { return };
    let mut bench = Bench::new();
    for file in fs::read_dir(folder.join("sip")).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        bench.over_websocket(&bytes);
        if bytes.len() < 60_000 {
            bench.over_udp(&bytes);
        }
    }
}
