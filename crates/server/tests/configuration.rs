//! `sipweb check`, `serve` with a wrong file, and the exit codes.

mod harness;

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use harness::{sipweb, text};

/// Checks a file of that text; gives the exit code and what was said, the folder's name left out.
fn check(folder: &Path, configuration: &str) -> (Option<i32>, String) {
    let file = folder.join("sipweb.toml").display().to_string();
    fs::write(&file, configuration).unwrap();
    let output = sipweb(&["check", &file], "");
    let said = text(&output.stdout) + &text(&output.stderr);
    (output.status.code(), said.replace(&format!("{}/", folder.display()), ""))
}

#[test]
fn a_good_file_is_said_to_be_good() {
    let folder = tempfile::tempdir().unwrap();
    let (code, said) = check(folder.path(), "domain = \"example.com\"\n[listen]\nudp = \"127.0.0.1:5060\"\n");
    assert_eq!((code, said.as_str()), (Some(0), "sipweb.toml: all is well\n"));
}

#[test]
fn the_printed_example_is_a_good_file() {
    let folder = tempfile::tempdir().unwrap();
    let example = sipweb(&["config-example"], "");
    let (code, said) = check(folder.path(), &text(&example.stdout));
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_file_in_another_encoding_is_told_with_its_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sipweb.toml").display().to_string();
    fs::write(&file, b"# the \xc3\xbcber\n# caf\xe9\n").unwrap();
    let output = sipweb(&["check", &file], "");
    let expected = format!("{file}:2:6: this is no UTF-8; save the file in that encoding\n");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(78), expected));
}

/// They would have no effect.
#[test]
fn options_of_the_demo_are_refused_beside_a_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sipweb.toml").display().to_string();
    fs::write(&file, "lisen = 1\n").unwrap();
    for (option, value) in [("--http-port", "8081"), ("--data", "x")] {
        let output = sipweb(&["serve", "--config", &file, option, value], "");
        assert_eq!(output.status.code(), Some(64), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains(option), "{}", text(&output.stderr));
    }
}

#[test]
fn a_data_directory_without_a_name_is_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let (code, said) = check(folder.path(), "data = \"\"\n");
    assert_eq!(code, Some(78), "{said}");
    assert!(said.starts_with("sipweb.toml:1:8: data is a folder"), "{said}");
}

#[test]
fn every_mistake_is_told_with_its_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let configuration = "domian = \"example.com\"\n[listen]\n  udp = \"127.0.0.1:99999\"\nhttp = [\"127.0.0.1:6000\"]\n\
                         [registrar]\nflow_grace = \"soon\"\n";
    let (code, said) = check(folder.path(), configuration);
    assert_eq!(code, Some(78));
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 4, "{said}");
    assert_eq!(lines[0], "sipweb.toml:1:1: unknown key \"domian\"; did you mean \"domain\"?");
    assert_eq!(lines[1], "sipweb.toml:3:9: \"99999\" is not a port; ports are 0 to 65535");
    assert!(
        lines[2].starts_with("sipweb.toml:4:9: no browser connects to port 6000: it is among the bad ports")
    );
    assert!(lines[3].starts_with("sipweb.toml:6:14: \"soon\" is not a time"));
}

#[test]
fn nobody_trusts_the_whole_world() {
    let folder = tempfile::tempdir().unwrap();
    for (section, key) in [("peers", "trusted"), ("edge", "addresses")] {
        for world in ["0.0.0.0/0", "::/0", "192.0.2.1/0"] {
            let (code, said) = check(
                folder.path(),
                &format!(
                    "[edge]\nupstream = \"sip:192.0.2.9\"\n{}{key} = \"{world}\"\n",
                    if section == "edge" { String::new() } else { format!("[{section}]\n") }
                ),
            );
            assert_eq!(code, Some(78), "{said}");
            assert!(said.contains("the whole world"), "{said}");
        }
    }
}

#[test]
fn a_server_does_not_start_with_a_wrong_file_or_without_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sipweb.toml").display().to_string();
    let output = sipweb(&["serve", "--config", &file], "");
    assert_eq!(output.status.code(), Some(78));
    assert!(text(&output.stderr).starts_with("cannot read "), "{}", text(&output.stderr));
    fs::write(&file, "[web]\npage = \"yes\"\n").unwrap();
    let output = sipweb(&["serve", "--config", &file], "");
    assert_eq!(output.status.code(), Some(78));
    assert!(text(&output.stderr).contains(":2:8: page is true or false, and this is a text"));
}

#[test]
fn a_command_that_cannot_be_meant_is_a_usage_error() {
    for arguments in
        [&["serve"][..], &["serve", "--demo", "--config", "x"], &["dance"], &["check"], &["parse"]]
    {
        let output = sipweb(arguments, "");
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(output.stdout.is_empty());
    }
    for arguments in [&["--version"][..], &["--help"], &["serve", "--help"]] {
        assert_eq!(sipweb(arguments, "").status.code(), Some(0), "{arguments:?}");
    }
}

/// A certificate for localhost and its key, as files of that name.
fn certificate(folder: &Path, name: &str) {
    certificate_for(folder, name, "localhost");
}

fn certificate_for(folder: &Path, name: &str, host: &str) {
    let made = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
    fs::write(folder.join(format!("{name}.pem")), made.cert.pem()).unwrap();
    fs::write(folder.join(format!("{name}.key")), made.signing_key.serialize_pem()).unwrap();
}

#[test]
fn certificates_are_looked_at_before_a_server_needs_them() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path(), "one");
    certificate(folder.path(), "other");
    fs::write(folder.path().join("text.pem"), "this is not a certificate\n").unwrap();
    let tls = |certificate: &str, key: &str| {
        check(folder.path(), &format!("[tls]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\n"))
    };
    let (code, said) = tls("one.pem", "one.key");
    assert_eq!(code, Some(0), "{said}");
    for (certificate, key, place, file) in [
        ("missing.pem", "one.key", ":2:15: ", "missing.pem"),
        ("one.pem", "missing.key", ":3:7: ", "missing.key"),
        ("text.pem", "one.key", ":2:15: ", "text.pem"),
        ("one.pem", "text.pem", ":3:7: ", "text.pem"),
    ] {
        let (code, said) = tls(certificate, key);
        assert_eq!(code, Some(78), "{certificate} {key}");
        assert!(said.contains(place) && said.contains(file), "{certificate} {key}: {said}");
    }
    let (code, said) = tls("one.pem", "other.key");
    assert_eq!(code, Some(78));
    assert!(said.contains("key"), "{said}");
}

#[test]
fn a_certificate_that_clients_will_refuse_is_told_before_they_come() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path(), "one");
    let said_for = |domain: &str| {
        let configuration = format!(
            "domain = \"{domain}\"\n[listen]\nhttps = \"127.0.0.1:0\"\n[tls]\ncertificate = \"one.pem\"\nkey = \"one.key\"\n"
        );
        let (code, said) = check(folder.path(), &configuration);
        assert_eq!(code, Some(0), "{said}");
        said
    };
    let said = said_for("pbx.example.com");
    assert!(
        said.contains("TLS-CERT-NAME: ")
            && said.contains("for localhost")
            && said.contains("pbx.example.com"),
        "{said}"
    );
    assert!(!said_for("localhost").contains("TLS-CERT"));
}

#[test]
fn of_several_certificates_each_needs_its_key_and_each_domain_one_of_them() {
    let folder = tempfile::tempdir().unwrap();
    certificate_for(folder.path(), "one", "one.example");
    certificate_for(folder.path(), "two", "two.example");
    let said_for = |domains: &str, certificates: &str, keys: &str| {
        let configuration = format!(
            "domain = {domains}\n[listen]\nhttps = \"127.0.0.1:0\"\n[tls]\ncertificate = {certificates}\nkey = {keys}\n"
        );
        check(folder.path(), &configuration)
    };
    let (certificates, keys) = ("[\"one.pem\", \"two.pem\"]", "[\"one.key\", \"two.key\"]");
    let (code, said) = said_for("[\"one.example\", \"two.example\"]", certificates, keys);
    assert!(code == Some(0) && !said.contains("TLS-CERT"), "{said}");
    let (_, said) = said_for("[\"one.example\", \"three.example\"]", certificates, keys);
    assert!(said.contains("TLS-CERT-NAME: ") && said.contains("come to three.example"), "{said}");
    assert!(!said.contains("come to one.example"), "{said}");

    let (code, said) = said_for("\"one.example\"", certificates, "\"one.key\"");
    assert!(code == Some(78) && said.contains(":5:15: there are 2 certificates and 1 keys"), "{said}");
    let (code, said) = said_for("\"one.example\"", certificates, "[\"two.key\", \"one.key\"]");
    assert!(code == Some(78) && said.contains("does not belong to the certificate"), "{said}");
}

#[test]
fn a_taken_port_is_told_with_its_owner_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let file = folder.path().join("sipweb.toml").display().to_string();
    fs::write(&file, format!("[listen]\nhttp = \"127.0.0.1:{port}\"\n")).unwrap();
    let output = sipweb(&["serve", "--config", &file], "");
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains(&format!("port {port} (HTTP) is in use by ")), "{said}");
    assert!(said.contains(&format!("(process {})", std::process::id())), "{said}");
    assert!(said.contains("change listen.http"), "{said}");
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let server = harness::Server::start();
    let file = server.folder.join("sipweb.toml").display().to_string();
    let output = sipweb(&["serve", "--config", &file], "");
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains(&format!("in use by another server (process {})", server.process())), "{said}");
    server.serves();
}
