//! `sipweb user`, and a running server that notices.

mod harness;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use harness::{Phone, Server, sipweb, text};

#[test]
fn users_are_added_listed_changed_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let user = |words: &[&str], input: &str| {
        let output = sipweb(&[&["user"], words, &["--data", &data]].concat(), input);
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    assert_eq!(user(&["list"], ""), (Some(0), format!("No users yet in {data}.\n")));
    assert_eq!(
        user(&["add", "alice"], "wonderland\n"),
        (Some(0), "alice is added (realm sipweb).\n".to_owned())
    );
    assert_eq!(user(&["add", "bob", "--realm", "example.com"], "builder\n").0, Some(0));
    assert_eq!(user(&["list"], "").1, "alice  sipweb\nbob    example.com\n");

    let file = format!("{data}/users");
    let before = fs::read_to_string(&file).unwrap();
    assert!(!before.contains("wonderland"), "passwords are not stored");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let (code, said) = user(&["add", "alice"], "again\n");
    assert_eq!(code, Some(1));
    assert!(said.contains("alice is there already; use: sipweb user passwd alice"), "{said}");
    assert_eq!(fs::read_to_string(&file).unwrap(), before);

    assert_eq!(user(&["passwd", "alice"], "looking-glass\n").0, Some(0));
    assert_ne!(fs::read_to_string(&file).unwrap(), before);
    assert_eq!(user(&["remove", "alice"], "").0, Some(0));
    assert_eq!(user(&["list"], "").1, "bob  example.com\n");
    assert_eq!(user(&["remove", "alice"], "").0, Some(1));
    assert_eq!(user(&["passwd", "alice"], "x\n").0, Some(1));
}

#[test]
fn a_password_is_made_up_if_none_is_given_and_shown_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let output = sipweb(&["user", "add", "alice", "--data", &data], "");
    let said = text(&output.stdout);
    let password = said.lines().find_map(|line| line.strip_prefix("password: ")).unwrap();
    assert_eq!(password.len(), 24);
    assert!(!fs::read_to_string(folder.path().join("users")).unwrap().contains(password));
}

#[test]
fn who_only_looks_for_users_makes_no_directory() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("mistyped");
    let place = data.display().to_string();
    for (words, code) in [(&["list"][..], 0), (&["remove", "alice"], 1), (&["passwd", "alice"], 1)] {
        let output = sipweb(&[&["user"], words, &["--data", &place]].concat(), "x\n");
        assert_eq!(output.status.code(), Some(code), "{words:?}");
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(said.contains(&place), "{said}");
        assert!(!data.exists(), "{words:?}");
    }
}

#[test]
fn who_does_not_say_where_the_users_are_hears_of_both_ways() {
    let output = sipweb(&["user", "add", "alice"], "x\n");
    assert_eq!(output.status.code(), Some(64));
    let said = text(&output.stderr);
    assert!(said.contains("--config <FILE>") && said.contains("--data <DIR>"), "{said}");
}

#[test]
fn names_that_no_uri_can_have_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    for name in ["al ice", "al:ice", "alice@example.com", ""] {
        assert_eq!(
            sipweb(&["user", "add", name, "--data", &data], "x\n").status.code(),
            Some(64),
            "{name:?}"
        );
    }
}

#[test]
fn a_running_server_notices_a_new_user() {
    let server = Server::start();
    harness::add_user(&server.folder, "carol");
    server.logs("the users' file changed: it has 3 users");
    let phone = Phone::new(&server, "carol");
    phone.register();
}
