//! What a kill, a power cut or a careless hand can leave in the log of bindings, and what is made of it.

use std::fs;
use std::path::Path;

use store::{Bindings, Directory, LARGEST_RECORD, StoreError};

/// A log with three names, one of them changed and one removed again; and its bytes.
fn filled(place: &Path) -> Vec<u8> {
    let directory = Directory::open(place).unwrap();
    let mut bindings = Bindings::open(&directory).unwrap();
    bindings.put(b"alice", b"at home").unwrap();
    bindings.put(b"bob", b"at work").unwrap();
    bindings.put(b"alice", b"on the train").unwrap();
    bindings.put(b"carol", b"").unwrap();
    bindings.remove(b"bob").unwrap();
    // The value is forgotten, not dropped: a killed process runs no destructors.
    let bytes = fs::read(place.join("bindings.log")).unwrap();
    std::mem::forget(bindings);
    bytes
}

fn found(bindings: &mut Bindings) -> Vec<(String, String)> {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let mut found: Vec<_> =
        bindings.load().into_iter().map(|(name, value)| (text(name), text(value))).collect();
    found.sort();
    found
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn acknowledged_bindings_are_there_after_a_kill() {
    let place = tempfile::tempdir().unwrap();
    filled(place.path());
    let directory = Directory::open(place.path()).unwrap();
    let mut bindings = Bindings::open(&directory).unwrap();
    assert_eq!(found(&mut bindings), pairs(&[("alice", "on the train"), ("carol", "")]));
    assert_eq!(bindings.recovery().records, 5);
    assert_eq!(bindings.recovery().names, 2);
    assert_eq!(bindings.recovery().cut, None);
    assert!(bindings.load().is_empty(), "they are handed over once");
}

#[test]
fn a_log_torn_at_any_byte_opens_to_a_state_that_once_was() {
    let states: [&[(&str, &str)]; 6] = [
        &[],
        &[("alice", "at home")],
        &[("alice", "at home"), ("bob", "at work")],
        &[("alice", "on the train"), ("bob", "at work")],
        &[("alice", "on the train"), ("bob", "at work"), ("carol", "")],
        &[("alice", "on the train"), ("carol", "")],
    ];
    let source = tempfile::tempdir().unwrap();
    let bytes = filled(source.path());
    let mut records_before = 0;
    for length in 0..=bytes.len() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("bindings.log"), &bytes[..length]).unwrap();
        let directory = Directory::open(place.path()).unwrap();
        let mut bindings = Bindings::open(&directory).unwrap();
        let recovery = bindings.recovery();
        assert!(recovery.records == records_before || recovery.records == records_before + 1, "at {length}");
        records_before = recovery.records;
        assert_eq!(found(&mut bindings), pairs(states[recovery.records]), "at {length}");
        if let Some(cut) = recovery.cut {
            assert_eq!(cut.offset + cut.bytes, length as u64);
        }
        // And the server goes on from there.
        bindings.put(b"dave", b"new").unwrap();
        drop(bindings);
        let bindings = Bindings::open(&directory).unwrap();
        assert_eq!(bindings.recovery().records, recovery.records + 1, "at {length}");
        assert_eq!(bindings.recovery().cut, None);
    }
    assert_eq!(records_before, 5);
}

#[test]
fn a_damaged_byte_loses_the_record_that_it_is_in_and_no_other() {
    let changes = [
        ("alice", Some("at home")),
        ("bob", Some("at work")),
        ("alice", Some("on the train")),
        ("carol", Some("")),
        ("bob", None),
    ];
    let source = tempfile::tempdir().unwrap();
    let bytes = filled(source.path());
    let length = |change: &(&str, Option<&str>)| 13 + change.0.len() + change.1.unwrap_or_default().len();
    let mut begin = bytes.len() - changes.iter().map(length).sum::<usize>();
    for (lost, change) in changes.iter().enumerate() {
        let mut expected = std::collections::BTreeMap::new();
        for (_, (name, value)) in changes.iter().enumerate().filter(|(place, _)| *place != lost) {
            match value {
                Some(value) => expected.insert(*name, *value),
                None => expected.remove(name),
            };
        }
        let expected: Vec<_> = expected.into_iter().collect();
        let end = begin + length(change);
        for position in begin..end {
            let place = tempfile::tempdir().unwrap();
            let mut damaged = bytes.clone();
            damaged[position] ^= 0x04;
            fs::write(place.path().join("bindings.log"), damaged).unwrap();
            let directory = Directory::open(place.path()).unwrap();
            let mut bindings = Bindings::open(&directory).unwrap();
            assert_eq!(found(&mut bindings), pairs(&expected), "byte {position}");
            let recovery = bindings.recovery();
            assert_eq!(recovery.records, 4);
            let told = recovery.damage.map(|damage| (damage.offset, damage.bytes));
            let told = told.or_else(|| recovery.cut.map(|cut| (cut.offset, cut.bytes)));
            assert_eq!(told, Some((begin as u64, (end - begin) as u64)), "byte {position}");
            // It is told once, and the server goes on from there.
            bindings.put(b"dave", b"new").unwrap();
            drop(bindings);
            let recovery = Bindings::open(&directory).unwrap().recovery();
            assert_eq!((recovery.damage, recovery.cut), (None, None));
            assert_eq!(recovery.names, expected.len() + 1);
        }
        begin = end;
    }
}

#[test]
fn a_garbage_tail_is_cut_away_and_reported() {
    let tails: [&[u8]; 5] = [
        b"x",
        &[0; 4096],
        &[0xff; 100],
        b"\x10\0\0\0\0\0\0\0garbage of the right length",
        &[0x05, 0, 0, 0, 1, 2, 3, 4, 5],
    ];
    for tail in tails {
        let place = tempfile::tempdir().unwrap();
        let bytes = filled(place.path());
        let other = tempfile::tempdir().unwrap();
        fs::write(other.path().join("bindings.log"), [&bytes, tail].concat()).unwrap();
        let directory = Directory::open(other.path()).unwrap();
        let mut bindings = Bindings::open(&directory).unwrap();
        let cut = bindings.recovery().cut.unwrap();
        assert_eq!((cut.offset, cut.bytes), (bytes.len() as u64, tail.len() as u64));
        assert_eq!(found(&mut bindings), pairs(&[("alice", "on the train"), ("carol", "")]));
        assert_eq!(fs::read(other.path().join("bindings.log")).unwrap(), bytes);
    }
}

#[test]
fn a_file_that_is_no_log_is_left_alone() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("bindings.log"), "Dear diary, today nobody called.\n").unwrap();
    let directory = Directory::open(place.path()).unwrap();
    let error = Bindings::open(&directory).unwrap_err();
    assert!(matches!(error, StoreError::NotALog { .. }), "{error}");
    assert!(fs::read_to_string(place.path().join("bindings.log")).unwrap().starts_with("Dear diary"));
}

#[test]
fn a_record_over_the_limit_is_refused_and_one_at_the_limit_is_kept() {
    let place = tempfile::tempdir().unwrap();
    let directory = Directory::open(place.path()).unwrap();
    let mut bindings = Bindings::open(&directory).unwrap();
    let value = vec![7; LARGEST_RECORD];
    assert!(matches!(bindings.put(b"a", &value), Err(StoreError::TooLarge { .. })));
    bindings.put(b"a", &value[1..]).unwrap();
    drop(bindings);
    assert_eq!(Bindings::open(&directory).unwrap().load(), [(b"a".to_vec(), value[1..].to_vec())]);
}

#[test]
fn any_octets_make_a_name_and_a_value() {
    let place = tempfile::tempdir().unwrap();
    let directory = Directory::open(place.path()).unwrap();
    let mut bindings = Bindings::open(&directory).unwrap();
    let all: Vec<u8> = (0..=255).collect();
    bindings.put(&all, &all).unwrap();
    bindings.put(b"", b"").unwrap();
    bindings.flush().unwrap();
    drop(bindings);
    let mut loaded = Bindings::open(&directory).unwrap().load();
    loaded.sort();
    assert_eq!(loaded, [(vec![], vec![]), (all.clone(), all)]);
}
