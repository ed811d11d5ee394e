//! The users' file: changed by commands, edited by hand, read again by the server.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::time::{Duration, Instant};

use store::{Change, Refreshed, User, UserFile, Users, UsersError};

fn user(name: &str, octet: u8) -> User {
    User {
        name: name.into(),
        realm: "home".into(),
        md5: Some([octet; 16]),
        sha256: Some([octet; 32]),
        sha512_256: None,
    }
}

#[test]
fn users_are_added_changed_listed_and_removed() {
    let place = tempfile::tempdir().unwrap();
    let file = UserFile::of(&place.path().join("data")).unwrap();
    assert!(file.list().unwrap().is_empty());
    assert_eq!(file.set(&user("alice", 1)).unwrap(), Change::Added);
    assert_eq!(file.set(&user("bob", 2)).unwrap(), Change::Added);
    assert_eq!(file.set(&user("alice", 3)).unwrap(), Change::Replaced);
    assert_eq!(file.list().unwrap(), [user("alice", 3), user("bob", 2)]);
    assert_eq!(file.remove("alice", Some("elsewhere")).unwrap(), 0);
    assert_eq!(file.remove("alice", None).unwrap(), 1);
    assert_eq!(file.list().unwrap(), [user("bob", 2)]);
}

#[test]
fn the_file_is_private_and_keeps_the_comments_of_its_reader() {
    let place = tempfile::tempdir().unwrap();
    let file = UserFile::of(place.path()).unwrap();
    file.set(&user("alice", 1)).unwrap();
    let text = fs::read_to_string(file.path()).unwrap();
    fs::write(file.path(), format!("{text}\n# bob is on leave\n")).unwrap();
    file.set(&user("carol", 2)).unwrap();
    file.remove("alice", None).unwrap();
    let text = fs::read_to_string(file.path()).unwrap();
    assert!(text.starts_with("# The users of this server"), "{text}");
    assert!(text.contains("# bob is on leave\ncarol:home:"), "{text}");
    assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
}

/// `sudo sipweb user add`, where the server has an account of its own.
#[test]
fn what_root_writes_belongs_to_the_owner_of_the_directory() {
    const OTHER: u32 = 65_534;
    let place = tempfile::tempdir().unwrap();
    if chown(place.path(), Some(OTHER), Some(OTHER)).is_err() {
        return; // Only root can do it, and only root needs it.
    }
    let file = UserFile::of(place.path()).unwrap();
    for octet in [1, 2] {
        file.set(&user("alice", octet)).unwrap();
        for path in [file.path(), &place.path().join("users.lock")] {
            let metadata = fs::metadata(path).unwrap();
            assert_eq!((metadata.uid(), metadata.gid()), (OTHER, OTHER), "{}", path.display());
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        }
    }
}

#[test]
fn a_wrong_line_is_named_by_its_number_and_nothing_is_overwritten() {
    let place = tempfile::tempdir().unwrap();
    let file = UserFile::of(place.path()).unwrap();
    let text = "# users\n\nalice:home:nonsense::\n";
    fs::write(file.path(), text).unwrap();
    let error = file.set(&user("bob", 1)).unwrap_err();
    assert!(matches!(error, UsersError::Line { line: 3, .. }), "{error}");
    assert!(error.to_string().ends_with("users:3: the MD5 hash is not 32 hexadecimal digits"), "{error}");
    assert_eq!(fs::read_to_string(file.path()).unwrap(), text);
}

#[test]
fn a_line_in_another_encoding_is_named_by_its_number() {
    let place = tempfile::tempdir().unwrap();
    let file = UserFile::of(place.path()).unwrap();
    fs::write(file.path(), b"# one\n# two\nJos\xe9:home::\n").unwrap();
    let error = file.list().unwrap_err().to_string();
    assert!(error.ends_with("users:3: is not written in UTF-8; save the file in that encoding"), "{error}");
}

#[test]
fn a_user_named_twice_is_an_error() {
    let place = tempfile::tempdir().unwrap();
    let file = UserFile::of(place.path()).unwrap();
    fs::write(file.path(), format!("{}\n{}\n", user("alice", 1).line(), user("alice", 2).line())).unwrap();
    let error = file.list().unwrap_err();
    assert!(error.to_string().ends_with("users:2: alice is already named in line 1"), "{error}");
}

#[test]
fn the_running_server_sees_a_change_at_its_next_look_and_keeps_its_users_over_a_bad_edit() {
    let place = tempfile::tempdir().unwrap();
    let file = UserFile::of(place.path()).unwrap();
    let start = Instant::now();
    let later = |seconds: u64| start + Duration::from_secs(seconds);
    let mut users = Users::open(place.path(), start).unwrap();
    assert!(users.lookup("alice", "home").is_none());

    file.set(&user("alice", 1)).unwrap();
    assert!(matches!(users.refresh(start + Duration::from_millis(900)), Refreshed::Unchanged));
    assert!(matches!(users.refresh(later(1)), Refreshed::Reloaded(1)));
    assert_eq!(users.lookup("alice", "home"), Some(&user("alice", 1)));
    assert!(users.lookup("alice", "elsewhere").is_none());
    assert!(users.lookup("Alice", "home").is_none());
    assert!(matches!(users.refresh(later(2)), Refreshed::Unchanged));

    let good = fs::read_to_string(file.path()).unwrap();
    fs::write(file.path(), "what is this?\n").unwrap();
    assert!(matches!(users.refresh(later(3)), Refreshed::Failed(_)));
    assert_eq!(users.lookup("alice", "home"), Some(&user("alice", 1)));
    assert!(matches!(users.refresh(later(4)), Refreshed::Unchanged), "one edit is complained of once");

    fs::write(file.path(), good).unwrap();
    assert!(matches!(users.refresh(later(5)), Refreshed::Reloaded(1)));
    file.remove("alice", None).unwrap();
    assert!(
        matches!(users.refresh(later(6)), Refreshed::Reloaded(0)),
        "the last one was removed, and is gone"
    );
}

/// Editors and scripts remove or empty a file before they write it anew.
#[test]
fn users_stay_known_while_another_program_writes_their_file_anew() {
    let place = tempfile::tempdir().unwrap();
    let file = UserFile::of(place.path()).unwrap();
    file.set(&user("alice", 1)).unwrap();
    let text = fs::read_to_string(file.path()).unwrap();
    let start = Instant::now();
    let later = |seconds: u64| start + Duration::from_secs(seconds);
    let mut users = Users::open(place.path(), start).unwrap();

    fs::remove_file(file.path()).unwrap();
    assert!(matches!(users.refresh(later(1)), Refreshed::Unchanged));
    assert!(users.lookup("alice", "home").is_some());
    fs::write(file.path(), "").unwrap();
    assert!(matches!(users.refresh(later(2)), Refreshed::Unchanged));
    assert!(users.lookup("alice", "home").is_some());
    fs::write(file.path(), format!("{text}{}\n", user("bob", 2).line())).unwrap();
    assert!(matches!(users.refresh(later(3)), Refreshed::Reloaded(2)));
    assert!(users.lookup("bob", "home").is_some());
}

#[test]
fn users_whose_file_stays_away_are_gone_in_the_end() {
    let place = tempfile::tempdir().unwrap();
    let file = UserFile::of(place.path()).unwrap();
    file.set(&user("alice", 1)).unwrap();
    let start = Instant::now();
    let later = |seconds: u64| start + Duration::from_secs(seconds);
    let mut users = Users::open(place.path(), start).unwrap();

    fs::remove_file(file.path()).unwrap();
    assert!(matches!(users.refresh(later(1)), Refreshed::Unchanged));
    assert!(matches!(users.refresh(later(10)), Refreshed::Unchanged));
    assert!(matches!(users.refresh(later(11)), Refreshed::Gone(time) if time == Duration::from_secs(10)));
    assert!(users.lookup("alice", "home").is_none());
    assert!(matches!(users.refresh(later(12)), Refreshed::Unchanged), "it is told once");

    // What was away once and came back does not count towards the next time.
    file.set(&user("alice", 1)).unwrap();
    assert!(matches!(users.refresh(later(13)), Refreshed::Reloaded(1)));
    let aside = place.path().join("aside");
    fs::rename(file.path(), &aside).unwrap();
    assert!(matches!(users.refresh(later(14)), Refreshed::Unchanged));
    fs::rename(&aside, file.path()).unwrap();
    assert!(matches!(users.refresh(later(20)), Refreshed::Unchanged));
    fs::remove_file(file.path()).unwrap();
    assert!(matches!(users.refresh(later(25)), Refreshed::Unchanged));
    assert!(users.lookup("alice", "home").is_some());
}

/// As a file that belongs to somebody else: a line of log for each second would bury everything.
#[test]
fn a_file_that_cannot_be_read_is_tried_again_and_told_once() {
    let place = tempfile::tempdir().unwrap();
    let file = UserFile::of(place.path()).unwrap();
    let start = Instant::now();
    let later = |seconds: u64| start + Duration::from_secs(seconds);
    let mut users = Users::open(place.path(), start).unwrap();
    fs::create_dir(file.path()).unwrap();
    assert!(matches!(users.refresh(later(1)), Refreshed::Failed(_)));
    assert!(matches!(users.refresh(later(2)), Refreshed::Unchanged));
    assert!(matches!(users.refresh(later(3)), Refreshed::Unchanged));
    fs::remove_dir(file.path()).unwrap();
    file.set(&user("alice", 1)).unwrap();
    assert!(matches!(users.refresh(later(4)), Refreshed::Reloaded(1)));
}

#[test]
fn two_commands_at_once_lose_no_user() {
    let place = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..16).map(|number| format!("user{number}")).collect();
    std::thread::scope(|scope| {
        for name in &names {
            let file = UserFile::of(place.path()).unwrap();
            scope.spawn(move || file.set(&user(name, 9)).unwrap());
        }
    });
    let mut found: Vec<String> =
        UserFile::of(place.path()).unwrap().list().unwrap().into_iter().map(|user| user.name).collect();
    found.sort();
    let mut expected = names;
    expected.sort();
    assert_eq!(found, expected);
}
