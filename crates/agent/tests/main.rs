//! The scenarios of the user agent, in one program: what they run is compiled into it once, and not into each of them.

mod calls;
mod common;
mod door;
mod flows;
mod registration;
mod reliable;
mod sleep;
mod torture;
mod trickle;

/// A file that is not named above would be run by nobody.
#[test]
fn every_scenario_is_part_of_this_program() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(module) = name.strip_suffix(".rs").filter(|module| *module != "main") {
            let line = format!("mod {module};");
            assert!(
                include_str!("main.rs").lines().any(|known| known == line),
                "tests/main.rs lacks `{line}`"
            );
        }
    }
}
