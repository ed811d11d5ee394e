//! A system that gives no more descriptors: what was acknowledged is kept all the same, and all is well again afterwards.
//!
//! Each test runs a second time in a process of its own, which may have few.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use store::{Bindings, Directory, Refreshed, User, UserFile, Users};

/// The folder that a test's second run works on.
const PLACE: &str = "SIPWEB_TEST_FEW_DESCRIPTORS";

/// Runs `work` on the folder in a process that may have few descriptors, and waits for its end.
fn with_few_descriptors(test: &str, place: &Path, work: impl FnOnce(&Path)) {
    if let Some(place) = std::env::var_os(PLACE) {
        work(Path::new(&place));
        std::process::exit(0);
    }
    let limited = "ulimit -n 40 && exec \"$0\" --exact --nocapture \"$1\"";
    let program = std::env::current_exe().unwrap();
    let output =
        Command::new("sh").arg("-c").arg(limited).arg(program).arg(test).env(PLACE, place).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Takes all descriptors but so many.
fn leave(free: usize) -> Vec<File> {
    let mut taken: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    taken.truncate(taken.len() - free);
    taken
}

/// Writes until the log has been rewritten, or could not be: that is told.
fn until_rewritten(bindings: &mut Bindings) -> Option<String> {
    for round in 0..200u8 {
        bindings.put(b"alice", &[round; 64 * 1024]).unwrap();
        // The worker has done what it was asked for, and the next write hears of it.
        bindings.flush().unwrap();
        if let Some(trouble) = bindings.take_trouble() {
            return Some(trouble.to_string());
        }
    }
    None
}

fn value_of(place: &Path, name: &[u8]) -> Option<Vec<u8>> {
    let mut bindings = Bindings::open(&Directory::open(place).unwrap()).unwrap();
    bindings.load().into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// Two descriptors are enough for the new file, and not for its folder beside the old one.
#[test]
fn what_is_acknowledged_after_a_rewriting_is_found_though_descriptors_ran_out_in_the_middle() {
    let place = tempfile::tempdir().unwrap();
    let test = "what_is_acknowledged_after_a_rewriting_is_found_though_descriptors_ran_out_in_the_middle";
    with_few_descriptors(test, place.path(), |place| {
        let directory = Directory::open(place).unwrap();
        let mut bindings = Bindings::open(&directory).unwrap();
        let taken = leave(2);
        until_rewritten(&mut bindings);
        drop(taken);
        bindings.put(b"bob", b"acknowledged").unwrap();
    });
    assert_eq!(value_of(place.path(), b"bob").as_deref(), Some(&b"acknowledged"[..]));
}

#[test]
fn a_rewriting_that_failed_leaves_nothing_that_takes_room_on_the_disk() {
    let place = tempfile::tempdir().unwrap();
    let test = "a_rewriting_that_failed_leaves_nothing_that_takes_room_on_the_disk";
    with_few_descriptors(test, place.path(), |place| {
        let directory = Directory::open(place).unwrap();
        let mut bindings = Bindings::open(&directory).unwrap();
        // Enough for the new file, and not for a second handle to it.
        let taken = leave(1);
        assert!(until_rewritten(&mut bindings).is_some(), "the log was rewritten");
        drop(taken);
        bindings.put(b"bob", b"acknowledged").unwrap();
    });
    assert!(!place.path().join("bindings.log.new").exists());
    assert_eq!(value_of(place.path(), b"bob").as_deref(), Some(&b"acknowledged"[..]));
}

#[test]
fn a_changed_file_of_users_that_could_not_be_read_is_read_when_it_can_be() {
    let place = tempfile::tempdir().unwrap();
    let test = "a_changed_file_of_users_that_could_not_be_read_is_read_when_it_can_be";
    with_few_descriptors(test, place.path(), |place| {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let file = UserFile::of(place).unwrap();
        let mut users = Users::open(place, start).unwrap();
        let alice = User {
            name: "alice".into(),
            realm: "home".into(),
            md5: Some([1; 16]),
            sha256: None,
            sha512_256: None,
        };
        file.set(&alice).unwrap();
        let taken = leave(0);
        assert!(matches!(users.refresh(after(2)), Refreshed::Failed(_)));
        drop(taken);
        assert!(matches!(users.refresh(after(4)), Refreshed::Reloaded(1)));
    });
}
