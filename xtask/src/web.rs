//! The browser's half: WebAssembly by cargo, then the library and the page by Node.

use crate::machine::{self, WasmToolchain};
use crate::step::{self, Failure};
use std::path::PathBuf;

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
    let core = wasm_path(machine::wasm_toolchain()?);
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

fn build_script() -> std::process::Command {
    let mut command = step::program("node");
    command.arg("build.mjs").current_dir(crate::root().join("web"));
    command
}

fn wasm() -> Result<PathBuf, Failure> {
    step::announce("The user agent in WebAssembly");
    let toolchain = machine::wasm_toolchain()?;
    let build =
        ["build", "--profile", "browser", "--package", "sipweb-wasm", "--target", "wasm32-unknown-unknown"];
    match toolchain {
        WasmToolchain::Ours => step::run(step::cargo().args(build))?,
        WasmToolchain::Debian => {
            // Debian's compiler brings no standard library for this target, only its source: build that too.
            let mut cargo = step::program("/usr/bin/cargo");
            cargo
                .args(build)
                .arg("-Zbuild-std=std,panic_abort")
                .arg("--target-dir")
                .arg(crate::target().join("wasm"));
            cargo.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN").env("RUSTC_BOOTSTRAP", "1");
            cargo
                .env("RUSTC", "/usr/bin/rustc")
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld-22");
            step::run(&mut cargo)?;
        }
    }
    let path = wasm_path(toolchain);
    check_imports(&path)?;
    Ok(path)
}

fn wasm_path(toolchain: WasmToolchain) -> PathBuf {
    let folder = match toolchain {
        WasmToolchain::Ours => crate::target(),
        WasmToolchain::Debian => crate::target().join("wasm"),
    };
    folder.join("wasm32-unknown-unknown/browser/sipweb_wasm.wasm")
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
