//! `sipweb serve --demo`: what it prints works.

mod harness;

use std::net::TcpListener;
use std::path::Path;

use harness::{Phone, Server, sipweb, text};

const FREE: [&str; 10] =
    ["serve", "--demo", "--http-port", "0", "--https-port", "0", "--sip-port", "0", "--sips-port", "0"];

/// The password in the sign-in link of `user`.
fn password(printed: &str, user: &str) -> String {
    let start = format!("/#{user}:");
    let link = printed.split_whitespace().find(|word| word.contains(&start)).unwrap();
    link.split(&start).nth(1).unwrap().to_owned()
}

#[test]
fn it_prints_links_phones_and_where_it_listens_on_loopback_only() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::spawn(folder.path(), &FREE);
    let http = server.address("http");
    for user in ["alice", "bob"] {
        let link = format!("http://{http}/#{user}:{}", password(&server.printed, user));
        assert!(server.printed.contains(&link), "{}", server.printed);
    }
    for (key, transport) in [("udp", "udp"), ("tcp", "tcp"), ("tls", "tls")] {
        let line = format!(
            "<sip:bob@127.0.0.1;transport={transport}>;auth_pass={};outbound=\"sip:{};transport={transport}\";regint=600",
            password(&server.printed, "bob"),
            server.address(key)
        );
        assert!(server.printed.contains(&line), "{line}\n{}", server.printed);
    }
    for key in ["udp", "tcp", "tls", "http", "https"] {
        assert!(server.address(key).ip().is_loopback());
    }
    server.serves();
}

#[test]
fn the_printed_password_registers_a_phone() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::spawn(folder.path(), &FREE);
    let phone = Phone::of(&server, "bob", "127.0.0.1");
    let right = password(&server.printed, "bob");
    assert_eq!(phone.authenticated("REGISTER", "sip:127.0.0.1", "", &right).status(), Some(200));
    let stranger = Phone::of(&server, "bob", "127.0.0.1");
    assert_eq!(stranger.authenticated("REGISTER", "sip:127.0.0.1", "", "guess").status(), Some(401));
}

#[test]
fn passwords_are_fresh_each_time_unless_the_data_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let one = password(&Server::spawn(folder.path(), &FREE).printed, "alice");
    let other = password(&Server::spawn(folder.path(), &FREE).printed, "alice");
    assert_ne!(one, other);
    let data = folder.path().join("kept").display().to_string();
    let kept: Vec<&str> = FREE.into_iter().chain(["--data", &data]).collect();
    let one = password(&Server::spawn(folder.path(), &kept).printed, "alice");
    let other = password(&Server::spawn(folder.path(), &kept).printed, "alice");
    assert_eq!(one, other);
    assert!(sipweb(&["user", "passwd", "alice", "--data", &data], "mine\n").status.success());
    let printed = Server::spawn(folder.path(), &kept).printed.clone();
    assert!(printed.contains("with the password that you have set"), "{printed}");
}

#[test]
fn nothing_is_left_behind_when_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let entries = |path: &Path| std::fs::read_dir(path).unwrap().count();
    let temporary = folder.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let child = std::process::Command::new(env!("CARGO_BIN_EXE_sipweb"))
        .args(FREE)
        .env("TMPDIR", &temporary)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn();
    let mut child = child.unwrap();
    let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("ready:") {
        line.clear();
        assert_ne!(std::io::BufRead::read_line(&mut output, &mut line).unwrap(), 0);
    }
    assert_eq!(entries(&temporary), 1);
    assert!(std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(entries(&temporary), 0);
}

#[test]
fn a_taken_port_is_told_with_the_option_that_changes_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let arguments =
        ["serve", "--demo", "--http-port", &port, "--https-port", "0", "--sip-port", "0", "--sips-port", "0"];
    let output = sipweb(&arguments, "");
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(
        said.contains(&format!("port {port} (HTTP) is in use by ")) && said.contains("--http-port 8081"),
        "{said}"
    );
}

#[test]
fn a_port_to_which_no_browser_connects_is_refused() {
    for option in ["--http-port", "--https-port"] {
        let output = sipweb(&["serve", "--demo", option, "6000"], "");
        assert_eq!(output.status.code(), Some(64));
        let said = text(&output.stderr);
        assert!(said.contains("no browser connects to port 6000"), "{said}");
    }
}
