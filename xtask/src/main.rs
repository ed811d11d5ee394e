//! The developer commands of this project. Run them as `cargo xtask COMMAND`.

mod arrange;
mod end_to_end;
mod floors;
mod instructions;
mod machine;
mod matrix;
mod nightly;
mod scenarios;
mod step;
mod suite;
mod web;

use std::path::PathBuf;
use std::process::ExitCode;
use step::Failure;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  run [ARGUMENTS]   build everything and start the server with a demo one can call on;
                    the arguments go to `sipweb serve --demo`
  test [NAME..]     the whole test suite: lints, floors, unit tests, the library, and real
                    browsers and phones; NAME.. runs only these parts:
                    lint floors scenarios matrix rust instructions web end-to-end
  nightly           what is too long for each change: a million runs of the simulator
  build             the WebAssembly library, the page and the server (target/release/sipweb)
  web               the WebAssembly library and the page only
  setup             install or name what `run` and `test` need
  bench [NAME]      what it costs, measured on this machine, beside Kamailio and rtpengine:
                    signalling idle memory limit bindings cores sipp tuning media short-calls;
                    [--runs N] [--seconds N] [--results FILE], signalling and limit also
                    [--loads udp-call,..] [--rates 2000,..] [--servers sipweb,kamailio,forwarder].
                    library: the browser library beside JsSIP and SIP.js; with --write into
                    bench/RESULTS-library.md.
                    Without NAME all of signalling, in the slices that `bench slices` names;
                    `bench slice NAME..` makes some of them, and `bench report` makes
                    bench/RESULTS.md of what was kept with --results bench/results.txt
  instructions      the instructions of the hot path, counted by valgrind, beside bench/instructions.txt;
                    with --accept they become the new baseline
  arrange           the server once more, compiled and laid out by what calls run through
                    (target/arranged/sipweb): a third of its own processor time less, for some
                    twenty minutes of building; Linux, needs llvm-bolt and llvm-profdata
  sizes             build, then print the sizes that ARCHITECTURE.md quotes
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let result = match command.as_str() {
        "run" => run(&rest),
        "test" => suite::run(&rest),
        "nightly" => nightly::run(),
        "build" => build(),
        "web" => web::build(),
        "setup" => machine::prepare_for_tests(),
        "bench" => bench(&rest),
        "instructions" => instructions::command(&rest),
        "arrange" => arrange::run(),
        "sizes" => sizes(),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(64);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(sentence)) => {
            eprintln!("\nxtask: {sentence}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the workspace.
fn root() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().map_or_else(|| PathBuf::from("."), PathBuf::from)
}

/// Where cargo puts what it builds.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

fn build() -> Result<(), Failure> {
    machine::require_make()?;
    web::build()?;
    step::announce("The server (target/release/sipweb)");
    step::run(step::cargo().args(["build", "--release", "--package", "sipweb"]))
}

fn run(arguments: &[String]) -> Result<(), Failure> {
    build()?;
    step::announce("The demo");
    step::run(step::program(target().join("release/sipweb")).args(["serve", "--demo"]).args(arguments))
}

fn bench(arguments: &[String]) -> Result<(), Failure> {
    let (name, rest) = match arguments.split_first() {
        Some((name, rest)) if !name.starts_with('-') => (name.as_str(), rest),
        _ => ("all", arguments),
    };
    if name == "library" {
        return web::bench(rest);
    }
    machine::prepare_for_bench(name)?;
    step::announce("The server and the load");
    let packages: &[&str] = match name {
        "report" | "slices" => &["--package", "sipweb-bench"],
        _ => &["--package", "sipweb", "--package", "sipweb-bench"],
    };
    step::run(step::cargo().args(["build", "--release"]).args(packages))?;
    step::announce("The measurement");
    let release = target().join("release");
    step::run(
        step::program(release.join("sipweb-bench"))
            .arg(name)
            .args(rest)
            .args(["--sipweb".as_ref(), release.join("sipweb").as_os_str()])
            .current_dir(root()),
    )
}

fn sizes() -> Result<(), Failure> {
    build()?;
    let server = target().join("release/sipweb");
    let length =
        std::fs::metadata(&server).map_err(|error| Failure(format!("{}: {error}", server.display())))?.len();
    println!("server binary (release): {length} bytes");
    web::sizes()
}
