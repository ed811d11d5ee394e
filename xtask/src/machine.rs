//! What the machine must have: installed where we can, named exactly where we cannot.

use crate::step::{self, Failure};
use std::path::{Path, PathBuf};

/// The Debian packages that the tests use. Those that are not named as their program stand in [`PROGRAMS`], too.
const TEST_PACKAGES: [&str; 17] = [
    "chromium",
    "firefox-esr",
    "baresip",
    "kamailio",
    "kamailio-websocket-modules",
    "kamailio-outbound-modules",
    "kamailio-tls-modules",
    "sip-tester",
    "openssl",
    "rtpengine-daemon",
    "linphone-cli",
    "ffmpeg",
    "iptables",
    "sipvicious",
    "haproxy",
    "pebble",
    "valgrind",
];

/// By which program a package is told where there is no dpkg.
const PROGRAMS: [(&str, &str); 7] = [
    ("kamailio-websocket-modules", "kamailio"),
    ("kamailio-outbound-modules", "kamailio"),
    ("kamailio-tls-modules", "kamailio"),
    ("sip-tester", "sipp"),
    ("rtpengine-daemon", "rtpengine"),
    ("linphone-cli", "linphonec"),
    ("sipvicious", "svmap"),
];

/// Kamailio with all that the benchmark gives it to do.
const KAMAILIO_PACKAGES: [&str; 3] = ["kamailio", "kamailio-websocket-modules", "kamailio-tls-modules"];

/// The same with the other load, by which ours is checked.
const KAMAILIO_AND_SIPP_PACKAGES: [&str; 4] =
    ["kamailio", "kamailio-websocket-modules", "kamailio-tls-modules", "sip-tester"];

/// Debian's own compiler for WebAssembly, for machines whose Rust cannot add the target.
const DEBIAN_WASM_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-22"];

/// How WebAssembly can be built on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WasmToolchain {
    /// The Rust that runs us has the target.
    Ours,
    /// Debian's Rust, which brings the standard library as source.
    Debian,
}

/// Finds a compiler for WebAssembly, and installs one if there is none.
pub(crate) fn wasm_toolchain() -> Result<WasmToolchain, Failure> {
    if has_wasm_target() {
        return Ok(WasmToolchain::Ours);
    }
    let add = ["target", "add", "wasm32-unknown-unknown"];
    if step::succeeds(step::program("rustup").args(add)) && has_wasm_target() {
        return Ok(WasmToolchain::Ours);
    }
    if !Path::new("/usr/bin/wasm-ld-22").exists() || !Path::new("/usr/bin/cargo").exists() {
        install_packages(&DEBIAN_WASM_PACKAGES).map_err(|Failure(why)| {
            Failure(format!(
                "no compiler for WebAssembly: `rustup target add wasm32-unknown-unknown` did not work, and {why}"
            ))
        })?;
    }
    Ok(WasmToolchain::Debian)
}

fn has_wasm_target() -> bool {
    let print = ["--print", "target-libdir", "--target", "wasm32-unknown-unknown"];
    step::output(step::rustc().args(print)).is_ok_and(|folder| Path::new(folder.trim()).exists())
}

/// What the server's libraries in C are built with. A C compiler came with Rust, as its linker.
pub(crate) fn require_make() -> Result<(), Failure> {
    if step::succeeds(step::program("make").arg("--version")) {
        return Ok(());
    }
    install_packages(&["make"])
}

/// Node.js and npm, which nothing here can install.
pub(crate) fn require_node() -> Result<(), Failure> {
    let version = step::output(step::program("node").arg("--version"))
        .map_err(|_| Failure("Node.js is missing: install version 20 or later (it brings npm)".into()))?;
    let major =
        version.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    match major {
        Some(20..) => Ok(()),
        _ => Err(Failure(format!("Node.js {} is too old: version 20 or later is needed", version.trim()))),
    }
}

/// The packages of a `package-lock.json`, as they are locked.
pub(crate) fn npm_packages(folder: &str) -> Result<(), Failure> {
    require_node()?;
    let folder = crate::root().join(folder);
    let lock = folder.join("package-lock.json");
    let installed = folder.join("node_modules/.package-lock.json");
    let newer = |a: &Path, b: &Path| {
        let time = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
        time(a) > time(b)
    };
    if installed.exists() && !newer(&lock, &installed) {
        return Ok(());
    }
    step::run(step::program("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(folder))
}

/// Everything that the test suite drives.
pub(crate) fn prepare_for_tests() -> Result<(), Failure> {
    step::announce("What the tests need");
    require_make()?;
    wasm_toolchain()?;
    npm_packages("web")?;
    npm_packages("tests")?;
    install_missing(&TEST_PACKAGES)
}

/// What a benchmark is measured beside.
pub(crate) fn prepare_for_bench(name: &str) -> Result<(), Failure> {
    require_make()?;
    let needed: &[&str] = match name {
        "signalling" | "idle" | "limit" | "memory" | "tuning" => &KAMAILIO_PACKAGES,
        "all" | "slice" | "sipp" => &KAMAILIO_AND_SIPP_PACKAGES,
        "media" => &["rtpengine-daemon"],
        _ => &[],
    };
    install_missing(needed)
}

/// What builds a program by what was counted of its runs.
const PROFILING_TOOLS: [&str; 3] = ["llvm-bolt", "merge-fdata", "llvm-profdata"];

/// The folder with [`PROFILING_TOOLS`].
pub(crate) fn profiling() -> Result<PathBuf, Failure> {
    require_make()?;
    if let Some(folder) = profiling_folder() {
        return Ok(folder);
    }
    install_packages(&["bolt-22", "llvm-22"])?;
    let missing = "llvm-bolt or llvm-profdata is missing, though their packages are installed";
    profiling_folder().ok_or_else(|| Failure(missing.into()))
}

fn profiling_folder() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian has each version in a folder of its own; the last is the newest.
    let mut folders: Vec<PathBuf> = std::fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    folders.sort();
    std::env::split_paths(&path)
        .chain(folders.into_iter().rev())
        .find(|folder| PROFILING_TOOLS.iter().all(|tool| folder.join(tool).exists()))
}

fn install_missing(packages: &[&str]) -> Result<(), Failure> {
    let missing: Vec<&str> = packages.iter().filter(|package| !is_installed(package)).copied().collect();
    if missing.is_empty() { Ok(()) } else { install_packages(&missing) }
}

/// Whether the package's files are there: as Debian knows it, or else by its program.
fn is_installed(package: &str) -> bool {
    if Path::new("/usr/bin/dpkg-query").exists() {
        let status = step::output(step::program("dpkg-query").args(["-W", "-f", "${Status}", package]));
        return status.is_ok_and(|status| status.contains("install ok installed"));
    }
    let told = PROGRAMS.iter().find(|(name, _)| *name == package).map(|(_, program)| *program);
    let program = told.unwrap_or(package);
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")])
        .any(|folder| folder.join(program).exists())
}

/// Installs Debian packages when we are root on a Debian; otherwise says what to install.
fn install_packages(packages: &[&str]) -> Result<(), Failure> {
    let list = packages.join(" ");
    let is_root = step::output(step::program("id").arg("-u")).is_ok_and(|user| user.trim() == "0");
    if !is_root || !Path::new("/usr/bin/apt-get").exists() {
        return Err(Failure(format!(
            "these are missing: {list}. On Debian or Ubuntu: `sudo apt-get install {list}`; \
             on other systems install the programs of the same names"
        )));
    }
    println!("Installing {list} (this takes a while once)");
    let _no_daemons = NoDaemons::begin();
    // A list of packages that is hours old may name versions that are gone.
    step::run(step::program("apt-get").args(["update", "-qq"]))?;
    let install = ["install", "-y", "-qq", "--no-install-recommends"];
    step::run(step::program("apt-get").args(install).args(packages).env("DEBIAN_FRONTEND", "noninteractive"))
}

/// Keeps freshly installed packages from starting their daemons, for as long as it lives.
struct NoDaemons {
    ours: bool,
}

const POLICY: &str = "/usr/sbin/policy-rc.d";

impl NoDaemons {
    fn begin() -> Self {
        if Path::new(POLICY).exists() {
            return Self { ours: false };
        }
        let written = std::fs::write(POLICY, "#!/bin/sh\nexit 101\n").is_ok();
        let ours = written && step::succeeds(step::program("chmod").args(["755", POLICY]));
        Self { ours }
    }
}

impl Drop for NoDaemons {
    fn drop(&mut self) {
        if self.ours && std::fs::remove_file(POLICY).is_err() {
            eprintln!("{POLICY} could not be removed: please remove it");
        }
    }
}
