//! A scripted peer: it answers as its script says, right or wrong.

use core::time::Duration;
use std::net::SocketAddr;

use sip::Message;

/// What a script makes of a message: datagrams back to where it came from, each after a while.
pub type Script = Box<dyn FnMut(&Message) -> Vec<(Duration, Vec<u8>)>>;

/// A peer on UDP without any protocol of its own.
pub struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) script: Script,
    /// What it received.
    pub received: Vec<Message>,
}

impl Peer {
    pub(crate) const fn new(address: SocketAddr, script: Script) -> Self {
        Self { address, script, received: Vec::new() }
    }
}

/// A script that never answers.
#[must_use]
pub fn silent() -> Script {
    Box::new(|_| Vec::new())
}
