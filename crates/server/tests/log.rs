//! The log of the real binary, and those who do not read it.

mod harness;

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
