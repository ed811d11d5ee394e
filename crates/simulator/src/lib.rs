//! A virtual network and clock around agents and proxies, replayed by seed. For tests only.
//!
//! A [`Simulation`] holds nodes: [phones](Phone) (an agent and somebody who uses it), [servers](Server) (a proxy,
//! its store, its users, its resolver) and [scripted peers](Peer). Between them go datagrams, which the network may
//! lose, double, delay and let overtake each other, and connections, which keep the order and may break. Nothing
//! runs by itself: [`Simulation::run_for`] moves the clock from one deadline or arrival to the next.
//!
//! ```text
//!    Phone: Agent ──┐                      ┌── Server: Proxy ── store, users, resolver
//!    Phone: Agent ──┼── Simulation ────────┼── Server: Proxy
//!    Peer: script ──┘   clock, schedule,   └── ...
//!                       conditions, ladder
//! ```
//!
//! Everything that is left to chance comes from one seed, so the same seed makes the same run.
//! [`for_each_seed`] makes many runs; one that fails shows its [`Ladder`] (who sent what when) and the command that
//! replays it:
//!
//! ```text
//! SIPWEB_SEED=42 cargo test -p sipweb-simulator --test session -- --exact bad_networks --nocapture
//! ```
//!
//! | variable | meaning |
//! |---|---|
//! | `SIPWEB_SEED` | run this seed alone |
//! | `SIPWEB_SEEDS` | run so many seeds of each scenario |
//! | `SIPWEB_TIMES` | run so many times as many seeds as the suite does: `cargo xtask nightly` |
//! | `SIPWEB_LADDER` | show the ladder of runs that succeed too |
//!
//! [`Simulation::wind_up`] ends a run and checks what must hold whatever the network did.

mod carriage;
mod conditions;
mod dice;
mod invariants;
mod ladder;
mod peer;
mod phone;
pub mod places;
mod schedule;
mod seeds;
mod server;
mod simulation;

pub use conditions::Conditions;
pub use dice::{Dice, Span};
pub use ladder::{Fate, Ladder, Rung, assert_ladder};
pub use peer::{Peer, Script, silent};
pub use phone::{Act, CallRecord, Habits, Phone, PhoneSetup, Reaction};
pub use seeds::for_each_seed;
pub use server::{Server, listening_port, server_config};
pub use simulation::{NodeId, START, Simulation};
