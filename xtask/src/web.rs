//! The browser's half: WebAssembly by cargo, then the library and the page by Node.

use crate::machine::{self, WasmToolchain};
use crate::step::{self, Failure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the browser must hand to the core. Anything else would be a hidden dependency on its host.
const ALLOWED_IMPORTS: [&str; 1] = ["sipweb.entropy"];

/// Builds the WebAssembly core, the library and the page into `web/dist`.
pub(crate) fn build() -> Result<(), Failure> {
    let core = wasm()?;
    machine::npm_packages("web")?;
    step::announce("The library and the page (web/dist)");
    step::run(build_script().arg("--wasm").arg(core))
}

/// Prints what the library and the page weigh.
pub(crate) fn sizes() -> Result<(), Failure> {
    let core = wasm()?;
    step::run(build_script().arg("--sizes").arg("--wasm").arg(core))
}

/// Measures the library beside those that pages use today.
pub(crate) fn bench(arguments: &[String]) -> Result<(), Failure> {
    let core = wasm()?;
    machine::npm_packages("web")?;
    machine::npm_packages("bench/library")?;
    step::announce("The library (web/dist/library)");
    step::run(build_script().arg("--library").arg("--wasm").arg(core))?;
    step::announce("The measurement");
    let script = ["--expose-gc", "bench/library/main.mjs"];
    step::run(step::program("node").args(script).args(arguments).current_dir(crate::root()))
}

fn build_script() -> Command {
    let mut command = step::program("node");
    command.arg("build.mjs").current_dir(crate::root().join("web"));
    command
}

fn wasm() -> Result<PathBuf, Failure> {
    step::announce("The user agent in WebAssembly");
    let toolchain = machine::wasm_toolchain()?;
    let path = match toolchain {
        // Debian's compiler brings no standard library for this target, only its source: build that too.
        WasmToolchain::Debian => with_own_std(debian_cargo(), step::program("/usr/bin/rustc"))?,
        WasmToolchain::Ours if has_std_source() => {
            with_own_std(step::cargo(), step::rustc()).or_else(|Failure(why)| {
                println!("with a standard library of its own: {why}; now with the one that Rust brings");
                with_given_std()
            })?
        }
        WasmToolchain::Ours => with_given_std()?,
    };
    check_imports(&path)?;
    Ok(path)
}

const BUILD: [&str; 7] =
    ["build", "--profile", "browser", "--package", "sipweb-wasm", "--target", "wasm32-unknown-unknown"];

/// What is left out of a standard library built for size: texts of panics, which nobody could read there.
const SMALL: &str = "-Zunstable-options -Cpanic=immediate-abort -Zlocation-detail=none -Zfmt-debug=none \
                     -Cllvm-args=-inline-threshold=0";

fn with_given_std() -> Result<PathBuf, Failure> {
    step::run(step::cargo().args(BUILD))?;
    Ok(module_below(crate::target()))
}

/// Builds the standard library for size too, which takes 3 kB off the module.
fn with_own_std(mut cargo: Command, mut rustc: Command) -> Result<PathBuf, Failure> {
    let target = crate::target().join("wasm");
    cargo.args(BUILD).args(["-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size"]);
    cargo.arg("--target-dir").arg(&target).env("RUSTC_BOOTSTRAP", "1");
    // Compilers before 1.91 do not know this kind of panic.
    rustc.args(SMALL.split_whitespace()).args(["--print", "cfg"]).env("RUSTC_BOOTSTRAP", "1");
    if step::output(&mut rustc).is_ok() {
        cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", SMALL);
    }
    step::run(&mut cargo)?;
    Ok(module_below(target))
}

fn debian_cargo() -> Command {
    let mut cargo = step::program("/usr/bin/cargo");
    cargo.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN");
    cargo.env("RUSTC", "/usr/bin/rustc").env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld-22");
    cargo
}

/// Whether the compiler that runs us has the source of its standard library, or gets it now.
fn has_std_source() -> bool {
    std_source_exists()
        || step::succeeds(step::program("rustup").args(["component", "add", "rust-src"]))
            && std_source_exists()
}

fn std_source_exists() -> bool {
    step::output(step::rustc().args(["--print", "sysroot"])).is_ok_and(|sysroot| {
        Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/std/Cargo.toml").exists()
    })
}

fn module_below(target: PathBuf) -> PathBuf {
    target.join("wasm32-unknown-unknown/browser/sipweb_wasm.wasm")
}

/// The core may ask its host for randomness and for nothing else: no clock, no console, no random `env`.
fn check_imports(path: &PathBuf) -> Result<(), Failure> {
    let script = "const m = new WebAssembly.Module(require('fs').readFileSync(process.argv[1]));\
        for (const i of WebAssembly.Module.imports(m)) console.log(i.module + '.' + i.name);";
    let imports = step::output(step::program("node").arg("-e").arg(script).arg(path))?;
    let foreign: Vec<&str> = imports.lines().filter(|import| !ALLOWED_IMPORTS.contains(import)).collect();
    if foreign.is_empty() {
        return Ok(());
    }
    Err(Failure(format!(
        "the WebAssembly core asks its host for {}: only {ALLOWED_IMPORTS:?} may be",
        foreign.join(", ")
    )))
}
