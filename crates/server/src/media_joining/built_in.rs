//! The gateway of this process: its answers come at once, its sockets are ours.

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use media::{BranchKey, CallKey, Cause, Digit, Gateway, GatewayConfig, MediaCause, Output, Side, SocketId};
use sip::Instant;

use super::calls::{Consequence, Step};
use super::place::MediaPlace;
use super::sockets::{self, Bound, Receiver, Sockets};
use super::streams::{Gone, Streams};
use super::{MediaJoining, Phone};
use crate::Failure;
use crate::clock::Clock;
use crate::log;
use crate::randomness::SystemEntropy;

/// How many pairs of ports are tried for an offer before it is refused.
const PORT_TRIES: usize = 16;

/// The gateway and its sockets.
pub(super) struct BuiltIn {
    gateway: RefCell<Gateway>,
    sockets: Sockets,
    streams: Rc<Streams>,
    /// Ports that the gateway wanted and another program has.
    unopened: Cell<bool>,
}

impl BuiltIn {
    /// Opens the sockets for browsers; [`BuiltIn::listen`] reads from them.
    pub(super) fn open(place: &MediaPlace, clock: &Clock) -> Result<(Self, Vec<Bound>), Failure> {
        let mut bound = Vec::new();
        for address in &place.browser {
            bound.push(sockets::bind_for_browsers(*address, &place.transports).map_err(|error| {
                Failure::Failed(format!(
                    "cannot open {address} for the media of browsers: {error}; see media.port"
                ))
            })?);
        }
        let addresses: Vec<SocketAddr> = bound.iter().map(|bound| bound.address).collect();
        let advertised = place.advertised(&addresses);
        let config = GatewayConfig {
            browser_addresses: addresses,
            browser_transports: place.transports.clone(),
            advertised,
            phone_addresses: place.phones.clone(),
            ports: place.ports.clone(),
            transcoding: place.transcoding,
            epoch: media::Epoch::new(clock.now(), std::time::Instant::now()),
        };
        let gateway = Gateway::new(&config, Box::new(SystemEntropy))
            .map_err(|error| Failure::Failed(format!("media: {error}")))?;
        let sockets = Sockets::new().map_err(|error| Failure::Failed(format!("media: {error}")))?;
        let built_in = Self {
            gateway: RefCell::new(gateway),
            sockets,
            streams: Streams::new(),
            unopened: Cell::new(false),
        };
        Ok((built_in, bound))
    }

    /// Reads from the sockets for browsers from now on.
    pub(super) fn listen(&self, bound: Vec<Bound>, receiver: &Receiver, gone: &Gone) {
        for (index, bound) in bound.into_iter().enumerate() {
            if let Some(socket) = bound.datagrams
                && let Err(error) = self.sockets.listen(SocketId::Browser(index), socket, receiver)
            {
                log::error(format!("a media socket cannot be read: {error}"));
            }
            if let Some(listener) = bound.streams {
                self.streams.listen(SocketId::BrowserStream(index), listener, receiver, gone);
            }
        }
    }

    /// A packet has arrived.
    pub(super) fn receive(&self, hub: &MediaJoining, socket: SocketId, from: SocketAddr, bytes: &[u8]) {
        self.gateway.borrow_mut().receive(hub.clock.now(), socket, from, bytes);
        self.drain(hub);
    }

    /// A connection of a browser is closed.
    pub(super) fn disconnected(&self, socket: SocketId, from: SocketAddr) {
        self.gateway.borrow_mut().disconnected(socket, from);
    }

    /// Time has passed.
    pub(super) fn timeout(&self, hub: &MediaJoining, now: Instant) {
        self.gateway.borrow_mut().timeout(now);
        self.drain(hub);
    }

    /// A description for the other side. `dialog` is the callee's tag, empty while there is none; `phone` is who may be at
    /// its end.
    pub(super) fn translate(
        &self,
        hub: &MediaJoining,
        step: &Step,
        description: &[u8],
        dialog: &[u8],
        phone: &Phone,
    ) -> Result<Vec<u8>, Cause> {
        let now = hub.clock.now();
        let (call, branch, from) = match step {
            Step::Offer { call, branch, from, .. } | Step::Answer { call, branch, from } => {
                (call, branch, *from)
            }
            Step::Overtaken | Step::Crossing { .. } | Step::Full => return Err(Cause::SdpGlare),
        };
        for _ in 0..PORT_TRIES {
            let translated = {
                let mut gateway = self.gateway.borrow_mut();
                gateway.enter_dialog(now, call, branch, dialog);
                if matches!(step, Step::Offer { replaces: true, .. }) {
                    gateway.withdraw(call, branch);
                }
                match phone.anchored {
                    Some(anchored) => {
                        let party = anchored.writer;
                        let translated = match step {
                            Step::Offer { .. } => gateway.anchor_offer(
                                now,
                                call,
                                branch,
                                party,
                                description,
                                phone.known.reached_at,
                            )?,
                            _ => gateway.anchor_answer(now, call, branch, party, description)?,
                        };
                        if let Some(address) = phone.writes_from {
                            gateway.expect_party_at(call, branch, party, address);
                        }
                        translated
                    }
                    None => {
                        let translated = match step {
                            Step::Offer { .. } => {
                                gateway.offer_knowing(now, call, branch, from, description, &phone.known)?
                            }
                            _ => gateway.answer(now, call, branch, from, description)?,
                        };
                        expect_phone(&mut gateway, call, branch, from, phone.writes_from);
                        translated
                    }
                }
            };
            // Ports must be open before anybody is told of them: where another program has one, others are tried.
            self.unopened.set(false);
            self.drain(hub);
            if !self.unopened.get() {
                return Ok(translated);
            }
            let again = self.gateway.borrow_mut().unopened(now, call, branch);
            self.drain(hub);
            if !again {
                break;
            }
        }
        Err(Cause::NoFreePort)
    }

    /// A key of the browser's side; false when the phone has no telephone events.
    pub(super) fn press(
        &self,
        hub: &MediaJoining,
        call: &CallKey,
        branch: &BranchKey,
        digit: Digit,
        span: Duration,
    ) -> bool {
        let pressed = self.gateway.borrow_mut().press(hub.clock.now(), call, branch, digit, span);
        self.drain(hub);
        pressed
    }

    /// What is wrong with the media of a call so far.
    pub(super) fn cause(&self, now: Instant, call: &CallKey) -> Option<MediaCause> {
        self.gateway.borrow().figures(now, call)?.cause
    }

    /// How many calls have media here.
    #[cfg(test)]
    pub(super) fn calls(&self) -> usize {
        self.gateway.borrow().calls()
    }

    /// The phone of this call asks for a whole picture in the dialog.
    pub(super) fn picture_wanted(&self, hub: &MediaJoining, call: &CallKey) {
        self.gateway.borrow_mut().picture_wanted(hub.clock.now(), call);
        self.drain(hub);
    }

    /// What a message brought about, once it was translated.
    pub(super) fn follow(&self, hub: &MediaJoining, consequence: &Consequence) {
        {
            let (now, mut gateway) = (hub.clock.now(), self.gateway.borrow_mut());
            match consequence {
                Consequence::CallOver(call) => gateway.end(now, call),
                Consequence::BranchOver(call, branch) => gateway.end_branch(now, call, branch),
                Consequence::BranchWon(call, branch, dialog) => {
                    gateway.enter_dialog(now, call, branch, dialog);
                    gateway.confirm(now, call, branch);
                }
                Consequence::OfferRefused(call, branch) => gateway.withdraw(call, branch),
            }
        }
        self.drain(hub);
    }

    fn drain(&self, hub: &MediaJoining) {
        loop {
            // The gateway is borrowed for this line only.
            let output = self.gateway.borrow_mut().poll();
            match output {
                Output::Open { address, port } => {
                    if let Err(error) = self.sockets.open_port(address, port, &hub.receiver()) {
                        log::warning(format!("media port {port} on {address} cannot be opened: {error}"));
                        self.unopened.set(true);
                    }
                }
                Output::Close { port } => self.sockets.close(SocketId::Phone(port)),
                Output::Transmit { socket: socket @ SocketId::BrowserStream(_), to, bytes } => {
                    self.streams.send(socket, to, &bytes);
                }
                Output::Disconnect { socket, from } => self.streams.disconnect(socket, from),
                Output::Transmit { socket, to, bytes } => self.sockets.send(socket, to, bytes),
                Output::Event(event) => hub.happened(event),
                Output::Timeout(at) => return hub.wake(at),
            }
        }
    }
}

/// Who a phone is behind NAT is told by where its signalling comes from.
fn expect_phone(
    gateway: &mut Gateway,
    call: &CallKey,
    branch: &BranchKey,
    from: Side,
    writer: Option<IpAddr>,
) {
    if let (Side::Phone, Some(address)) = (from, writer) {
        gateway.expect_phone_at(call, branch, address);
    }
}
