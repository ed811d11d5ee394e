//! Embeds the phone page and the library, as `cargo xtask build` left them in `web/dist`, into the binary.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use sha2::{Digest, Sha256};

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let dist = here.join("../../web/dist");
    println!("cargo::rerun-if-changed=build.rs");
    if dist.is_dir() {
        println!("cargo::rerun-if-changed={}", dist.display());
    } else {
        // What is not there cannot be watched; the folder that it will appear in can.
        println!("cargo::rerun-if-changed={}", here.join("../../web/library").display());
        println!("cargo::rerun-if-changed={}", here.join("../../web/phone").display());
    }
    if !dist.join("page/index.html").is_file() {
        println!(
            "cargo::warning=the phone page is not built, so this server will have none; run: cargo xtask web"
        );
    }

    let mut files = Vec::new();
    collect(&dist.join("page"), "", &mut files)?;
    collect(&dist.join("library"), "library/", &mut files)?;
    files.sort();
    let mut code = String::from("static FILES: &[File] = &[\n");
    for (path, source) in &files {
        embed(path, source, &out, &mut code)?;
    }
    code.push_str("];\n");
    fs::write(out.join("page.rs"), code)
}

/// Every file below `folder`, with the path it is served under.
fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // Type declarations are for npm; no browser asks for them.
        if name.ends_with(".d.ts") || name.ends_with(".map") {
            continue;
        }
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{prefix}{name}/"), files)?;
        } else {
            files.push((format!("/{prefix}{name}"), entry.path()));
        }
    }
    Ok(())
}

/// Writes the compressed forms that are worth it, and the line of code that includes all forms.
fn embed(path: &str, source: &Path, out: &Path, code: &mut String) -> io::Result<()> {
    let bytes = fs::read(source)?;
    let tag: String = Sha256::digest(&bytes).iter().take(10).map(|byte| format!("{byte:02x}")).collect();
    let worth = |compressed: &Vec<u8>| compressed.len() + 200 < bytes.len();
    let include = |compressed: Vec<u8>, extension: &str| -> io::Result<String> {
        if !worth(&compressed) {
            return Ok("None".to_owned());
        }
        let place = out.join(format!("{tag}.{extension}"));
        fs::write(&place, compressed)?;
        Ok(format!("Some(include_bytes!({place:?}))"))
    };
    let brotli = include(brotli(&bytes)?, "br")?;
    let gzip = include(gzip(&bytes)?, "gz")?;
    let source = source.canonicalize()?;
    let _ = writeln!(
        code,
        "    File {{ path: {path:?}, tag: \"\\\"{tag}\\\"\", identity: include_bytes!({source:?}), \
         brotli: {brotli}, gzip: {gzip} }},"
    );
    Ok(())
}

fn brotli(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut compressed = Vec::new();
    let mut writer = brotli::CompressorWriter::new(&mut compressed, 4096, 10, 22);
    writer.write_all(bytes)?;
    writer.flush()?;
    drop(writer);
    Ok(compressed)
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    writer.write_all(bytes)?;
    writer.finish()
}
