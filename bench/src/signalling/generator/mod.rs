//! The load: open loop, many sockets, every message checked. It never sends a request twice, so whatever a server
//! loses is a failed call.

pub(crate) mod calls;
pub(crate) mod ends;
pub(crate) mod faults;
pub(crate) mod handshakes;
pub(crate) mod messages;
pub(crate) mod pace;
pub(crate) mod registrations;

#[cfg(test)]
mod tests;
