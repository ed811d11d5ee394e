//! The server once more, built by what calls run through.
//!
//! A message runs through more code than the first cache of a processor holds, most of it once, and between two messages the
//! kernel has been there. So it matters what is compiled into one piece, and how close together lies what runs. Twice a copy of
//! the server answers the loads of the bench and counts: one for the compiler, and then one of what that has made, for
//! `llvm-bolt`, which lays the linked program out anew.

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

/// Builds the server by the counts of a copy, and lays it out by those of another.
pub(crate) fn run() -> Result<(), Failure> {
    let tools = machine::profiling()?;
    step::announce("The load (target/release/sipweb-bench)");
    step::run(step::cargo().args(["build", "--release", "--package", "sipweb-bench"]))?;
    let place = crate::target().join("arranged");
    let _ = std::fs::remove_dir_all(&place);
    std::fs::create_dir_all(&place).map_err(|error| told(&place, &error))?;
    // The compiler does not run in the root of the workspace.
    let place = place.canonicalize().map_err(|error| told(&place, &error))?;

    step::announce("A copy of the server that counts for the compiler");
    let server = built(&place, &format!("-Cprofile-generate={}", place.display()))?;
    work(&server)?;
    let profile = place.join("profile");
    let counts = counts_in(&place, "profraw")?;
    let merge = ["merge", "-o"];
    step::run(step::program(tools.join("llvm-profdata")).args(merge).arg(&profile).args(&counts))?;
    remove(counts)?;

    step::announce("The server by these counts, and a copy that counts for its layout");
    let server = built(&place, &format!("-Cprofile-use={} -Clink-arg=-Wl,--emit-relocs", profile.display()))?;
    let counting = place.join("counting");
    let bolt = |source: &Path, made: &Path| {
        let mut command = step::program(tools.join("llvm-bolt"));
        command.arg(source).arg("-o").arg(made);
        command
    };
    step::run(
        bolt(&server, &counting)
            .arg("-instrument")
            .arg(format!("--instrumentation-file={}", place.join("counts").display()))
            .arg("--instrumentation-file-append-pid"),
    )?;
    work(&counting)?;
    let all = place.join("layout");
    let counts = counts_in(&place, "fdata")?;
    let merged = step::output(step::program(tools.join("merge-fdata")).args(&counts))?;
    std::fs::write(&all, merged).map_err(|error| told(&all, &error))?;
    remove(counts)?;

    step::announce("The server, laid out anew (target/arranged/sipweb)");
    let arranged = place.join("sipweb");
    step::run(bolt(&server, &arranged).arg(format!("-data={}", all.display())).args(LAYOUT))?;
    let version = step::output(step::program(&arranged).arg("--version"))?;
    println!("{} is {}", arranged.display(), version.trim());
    Ok(())
}

/// Builds the server in one piece with these flags, apart from other builds, and returns where it is.
fn built(place: &Path, flags: &str) -> Result<PathBuf, Failure> {
    // Where a target is named the flags are not for what builds the server, which would count, too.
    let host = step::output(step::rustc().args(["--print", "host-tuple"]))?;
    let host = host.trim();
    let target = place.join("build");
    let given = std::env::var("RUSTFLAGS").unwrap_or_default();
    step::run(
        step::cargo()
            .args(["build", "--release", "--package", "sipweb", "--bin", "sipweb", "--target", host])
            .arg("--target-dir")
            .arg(&target)
            .env("RUSTFLAGS", format!("{given} {flags}"))
            .env("CARGO_PROFILE_RELEASE_LTO", "fat")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
    )?;
    Ok(target.join(host).join("release/sipweb"))
}

/// Has a server answer the loads.
fn work(server: &Path) -> Result<(), Failure> {
    step::announce("Its work (about two minutes)");
    let load = ["signalling", "--servers", "sipweb", "--busy", "yes", "--runs", "1", "--seconds", "3"];
    step::run(
        step::program(crate::target().join("release/sipweb-bench"))
            .args(load)
            .args(["--settle", "3", "--loads", LOADS, "--sipweb"])
            .arg(server),
    )
}

/// The files in `place` that servers left there with what they counted.
fn counts_in(place: &Path, extension: &str) -> Result<Vec<PathBuf>, Failure> {
    let counts: Vec<PathBuf> = std::fs::read_dir(place)
        .map_err(|error| told(place, &error))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    if counts.is_empty() {
        return Err(Failure("the copy of the server that counts has counted nothing".into()));
    }
    Ok(counts)
}

fn remove(files: Vec<PathBuf>) -> Result<(), Failure> {
    files.iter().try_for_each(|file| std::fs::remove_file(file).map_err(|error| told(file, &error)))
}

fn told(path: &Path, error: &std::io::Error) -> Failure {
    Failure(format!("{}: {error}", path.display()))
}
