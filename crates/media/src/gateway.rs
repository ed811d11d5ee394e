//! The media gateway: the machine that joins browsers and phones.

mod interface;

pub use interface::{BranchKey, CallKey, Event, GatewayConfig, Output, SocketId, StartError};

use crate::ports::{self, Ports};
use crate::{Cause, Side};
use sip::{Entropy, Instant};
use std::collections::VecDeque;
use std::net::SocketAddr;

/// Joins the legs of calls between browsers and phones: descriptions in, descriptions out, packets in, packets out.
///
/// It opens no socket and reads no clock. After every call into it, [`Gateway::poll`] until it says
/// [`Output::Timeout`]; ports are to be opened before a description is sent on.
pub struct Gateway {
    ports: Ports,
    outputs: VecDeque<Output>,
}

impl Gateway {
    /// A gateway without calls.
    ///
    /// # Errors
    /// When the configuration cannot work.
    pub fn new(config: GatewayConfig, mut entropy: Box<dyn Entropy>) -> Result<Self, StartError> {
        let ports = Ports::new(&config.ports, &mut *entropy);
        if ports.free() == 0 {
            return Err(StartError::NoPorts);
        }
        if let Some(bad) = config.advertised.iter().find(|address| ports::is_bad(address.port())) {
            return Err(StartError::BadPort(bad.port()));
        }
        Ok(Self { ports, outputs: VecDeque::new() })
    }

    /// An offer, written by the side `from`, in a request or response of this branch. Returns the offer for the
    /// other side.
    ///
    /// # Errors
    /// When it cannot be converted; [`Cause::status`] says how to refuse it.
    pub fn offer(
        &mut self,
        _now: Instant,
        _call: &CallKey,
        _branch: &BranchKey,
        _from: Side,
        _description: &[u8],
    ) -> Result<Vec<u8>, Cause> {
        Err(Cause::SdpNothingToRelay)
    }

    /// An answer, written by the side `from`. Returns the answer for the other side.
    ///
    /// # Errors
    /// When it cannot be converted: the call must be ended.
    pub fn answer(
        &mut self,
        _now: Instant,
        _call: &CallKey,
        _branch: &BranchKey,
        _from: Side,
        _description: &[u8],
    ) -> Result<Vec<u8>, Cause> {
        Err(Cause::SdpUnexpectedAnswer)
    }

    /// The open offer of this branch was refused (a final error response to a re-INVITE or UPDATE).
    pub fn withdraw(&mut self, _now: Instant, _call: &CallKey, _branch: &BranchKey) {}

    /// The phone of this branch may also send from this address: the one its signalling comes from, where its
    /// description names an address behind NAT.
    pub fn expect_phone_at(&mut self, _call: &CallKey, _branch: &BranchKey, _address: std::net::IpAddr) {}

    /// This branch won: the phone legs of all others are freed.
    pub fn confirm(&mut self, _now: Instant, _call: &CallKey, _branch: &BranchKey) {}

    /// The call is over, or never came to be.
    pub fn end(&mut self, _now: Instant, _call: &CallKey) {}

    /// The branch is over: refused, or cancelled.
    pub fn end_branch(&mut self, _now: Instant, _call: &CallKey, _branch: &BranchKey) {}

    /// A datagram arrived.
    pub fn receive(&mut self, _now: Instant, _socket: SocketId, _from: SocketAddr, _bytes: &[u8]) {}

    /// The time that [`Output::Timeout`] asked for has come.
    pub fn timeout(&mut self, _now: Instant) {}

    /// What to do next.
    pub fn poll(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or(Output::Timeout(Instant::NEVER))
    }

    /// Whether nothing is left of any call.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.ports.free() > 0
    }
}
