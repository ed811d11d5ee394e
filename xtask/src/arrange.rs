//! The server's code in the order in which calls run through it.
//!
//! A message runs through more code than the first cache of a processor holds, most of it once, and between two messages the
//! kernel has been there. So it matters how close together lies what runs: `llvm-bolt` counts that in a copy of the server
//! that answers the loads of the bench, and lays the linked program out anew.

use crate::machine;
use crate::step::{self, Failure};
use std::path::{Path, PathBuf};

/// What the copy that counts is asked to do: everything that is hot in some server.
const LOADS: &str = "udp-call,tcp-call,ws-udp-call,udp-ws-call,ws-ws-call,wss-udp-call,udp-fork-5,\
                     udp-register,udp-register-challenge,ws-register,ws-handshake";

/// Functions that are called together lie together, the likely way through each is straight, and the rest of it elsewhere.
const LAYOUT: [&str; 5] = [
    "-reorder-blocks=ext-tsp",
    "-reorder-functions=cdsort",
    "-split-functions",
    "-split-all-cold",
    "-split-eh",
];

/// Builds the server, runs a copy of it that counts, and lays it out by what was counted.
pub(crate) fn run() -> Result<(), Failure> {
    let bolt = machine::bolt()?;
    step::announce("The server, with what is needed to lay it out anew");
    let linked = ["rustc", "--release", "--package", "sipweb", "--bin", "sipweb", "--"];
    step::run(step::cargo().args(linked).arg("-Clink-arg=-Wl,--emit-relocs"))?;
    step::run(step::cargo().args(["build", "--release", "--package", "sipweb-bench"]))?;
    let place = crate::target().join("arranged");
    let _ = std::fs::remove_dir_all(&place);
    std::fs::create_dir_all(&place).map_err(|error| Failure(format!("{}: {error}", place.display())))?;
    let (server, counting) = (crate::target().join("release/sipweb"), place.join("counting"));
    let counts = place.join("counts");
    step::announce("A copy that counts what runs");
    step::run(
        step::program(bolt.join("llvm-bolt"))
            .arg(&server)
            .arg("-instrument")
            .arg("-o")
            .arg(&counting)
            .arg(format!("--instrumentation-file={}", counts.display()))
            .arg("--instrumentation-file-append-pid"),
    )?;
    step::announce("Its work (about three minutes)");
    let bench = crate::target().join("release/sipweb-bench");
    let load = [
        "signalling",
        "--servers",
        "sipweb",
        "--runs",
        "1",
        "--seconds",
        "3",
        "--settle",
        "3",
        "--busy",
        "yes",
    ];
    step::run(step::program(bench).args(load).args(["--loads", LOADS]).arg("--sipweb").arg(&counting))?;
    step::announce("The server, laid out anew (target/arranged/sipweb)");
    let all = merged(&bolt, &place)?;
    let arranged = place.join("sipweb");
    step::run(
        step::program(bolt.join("llvm-bolt"))
            .arg(&server)
            .arg("-o")
            .arg(&arranged)
            .arg(format!("-data={}", all.display()))
            .args(LAYOUT),
    )?;
    let version = step::output(step::program(&arranged).arg("--version"))?;
    println!("{} is {}", arranged.display(), version.trim());
    Ok(())
}

/// The counts of all servers that ran, in one file.
fn merged(bolt: &Path, place: &Path) -> Result<PathBuf, Failure> {
    let told = |error: std::io::Error| Failure(format!("{}: {error}", place.display()));
    let counts: Vec<PathBuf> = std::fs::read_dir(place)
        .map_err(told)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "fdata"))
        .collect();
    if counts.is_empty() {
        return Err(Failure("the copy of the server that counts has counted nothing".into()));
    }
    let all = step::output(step::program(bolt.join("merge-fdata")).args(&counts))?;
    let path = place.join("all.fdata");
    std::fs::write(&path, all).map_err(told)?;
    for each in counts {
        std::fs::remove_file(each).map_err(told)?;
    }
    Ok(path)
}
