//! The scenarios of the proxy, in one program: what they run is compiled into it once, and not into each of them.

mod attacks;
mod caller_shown;
mod calls;
mod cancel;
mod certified_peers;
mod edge;
mod edge_without_path;
mod flow_token_keys;
mod forged_sources;
mod forking;
mod guests;
mod hang_up;
mod identity;
mod kept_messages;
mod lost_connections;
mod malformed_and_endless;
mod next_hop;
mod outbound;
mod policy;
mod presence;
mod reconfigure;
mod registration;
mod routes_to_users;
mod second_attempt;
mod sent_by;
mod session_timers;
mod several_loops;
mod signed_callers;
mod spending;
mod strangers;
mod subscription_ends;
mod subscriptions;
mod support;
mod tokens;
mod trunk_accounts;
mod trunks;
mod trunks_over_streams;
mod vectors;

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
