//! The log of the real binary, and those who do not read it.

mod harness;

use std::os::unix::fs::MetadataExt as _;

use harness::{Phone, Server};

/// As behind a service manager that is stuck, or at a terminal that was told to wait.
#[test]
fn a_log_that_nobody_reads_keeps_nobody_waiting() {
    let server = Server::start_unread("[log]\nlevel = \"debug\"");
    let phone = Phone::new(&server, "alice");
    // Each is told in two lines; a pipe takes 64 KiB.
    for number in 1..1000 {
        phone.send(&phone.request("OPTIONS", "sip:example.com", number, ""));
        assert!(phone.receive().status().is_some());
    }
}

/// As of a shell in a service that starts the server with its log in a file.
#[test]
fn a_log_in_a_file_has_its_times_where_the_variable_of_the_journal_is_inherited() {
    let mut server = Server::start();
    server.start_again_with_variables(&[("JOURNAL_STREAM", "1:1")]);
    server.signal("HUP");
    server.logs("the configuration was read again");
    for line in server.log().lines() {
        assert!(line.starts_with("20"), "{line}");
    }
}

#[test]
fn a_log_that_is_the_journal_has_levels_in_place_of_times() {
    let mut server = Server::start();
    let log = std::fs::metadata(server.folder.join("log")).unwrap();
    let named = format!("{}:{}", log.dev(), log.ino());
    server.start_again_with_variables(&[("JOURNAL_STREAM", &named)]);
    server.signal("HUP");
    server.logs("<6>the configuration was read again");
}
