//! The floors of the house (ARCHITECTURE.md): a crate uses the floors below it, never beside or above.

use crate::step::{self, Failure};
use serde_json::Value;

/// Which floor each crate stands on, from the ground up.
const FLOORS: [&[&str]; 4] = [
    &["sipweb-sip", "sipweb-sdp", "sipweb-websocket", "sipweb-srtp"],
    &["sipweb-agent", "sipweb-proxy", "sipweb-media", "sipweb-rtpengine"],
    &["sipweb-net", "sipweb-store", "sipweb-simulator"],
    &["sipweb", "sipweb-wasm"],
];

/// What the sans-IO floors may take from outside. Whoever adds here says why in the commit.
const LIBRARIES_OF_SANS_IO_FLOORS: [&str; 13] = [
    "memchr",
    "md-5",
    "sha2",
    "sha1",
    "base64",
    "hashbrown",
    "foldhash",
    "smallvec",
    "httparse",
    "str0m",
    "rusty-opus",
    "aws-lc-rs",
    "hmac",
];

/// Checks that dependencies only point down, and that floors 0 and 1 use no library that does I/O.
pub(crate) fn check() -> Result<(), Failure> {
    step::announce("The floors");
    let metadata =
        step::output(step::cargo().args(["metadata", "--format-version", "1", "--no-deps", "--locked"]))?;
    let metadata: Value =
        serde_json::from_str(&metadata).map_err(|error| Failure(format!("cargo metadata: {error}")))?;
    let faults = faults(&metadata);
    if faults.is_empty() {
        println!("every crate stands on floors below its own");
        return Ok(());
    }
    Err(Failure(faults.join("\n       ")))
}

fn floor(name: &str) -> Option<usize> {
    FLOORS.iter().position(|crates| crates.contains(&name))
}

fn faults(metadata: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        // What no user gets stands beside the house.
        if ["xtask", "sipweb-bench", "sipweb-instructions"].contains(&name) {
            continue;
        }
        let Some(own) = floor(name) else {
            faults.push(format!("{name} stands on no floor: give it one in xtask/src/floors.rs"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            // Tests may look down from anywhere: only what ships counts.
            if dependency["kind"].as_str() == Some("dev") {
                continue;
            }
            let used = dependency["name"].as_str().unwrap_or_default();
            match floor(used) {
                Some(below) if below < own => {}
                Some(_) => faults.push(format!("{name} uses {used}, which does not stand below it")),
                None if own < 2 && !LIBRARIES_OF_SANS_IO_FLOORS.contains(&used) => {
                    faults.push(format!("{name} does no I/O and may not use the library {used}"));
                }
                None => {}
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::faults;
    use serde_json::json;

    fn package(name: &str, uses: &str, kind: Option<&str>) -> serde_json::Value {
        json!({ "packages": [{ "name": name, "dependencies": [{ "name": uses, "kind": kind }] }] })
    }

    #[test]
    fn a_crate_may_use_a_floor_below_it_and_its_tests_any_floor() {
        assert!(faults(&package("sipweb-proxy", "sipweb-sip", None)).is_empty());
        assert!(faults(&package("sipweb-proxy", "sipweb-agent", Some("dev"))).is_empty());
    }

    #[test]
    fn a_crate_that_looks_up_or_sideways_is_named() {
        for used in ["sipweb-net", "sipweb-agent"] {
            let found = faults(&package("sipweb-proxy", used, None));
            assert!(found.iter().any(|fault| fault.contains(used)), "{found:?}");
        }
    }

    #[test]
    fn a_library_that_does_io_is_refused_on_the_sans_io_floors_only() {
        assert_eq!(faults(&package("sipweb-proxy", "tokio", None)).len(), 1);
        assert!(faults(&package("sipweb-net", "tokio", None)).is_empty());
    }

    #[test]
    fn a_crate_without_a_floor_is_named() {
        assert_eq!(faults(&package("sipweb-attic", "sipweb-sip", None)).len(), 1);
    }
}
