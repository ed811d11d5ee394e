//! Joins browsers and phones: stands between the proxy and the sockets and translates the descriptions of the calls
//! that need it, so that their media goes through the gateway. The proxy knows nothing of it.
//!
//! Descriptions in requests are translated where they leave, for only then is it known who gets them: one branch of
//! a fork may be a page, which needs no translation, and another a phone. Descriptions in responses are translated
//! where they arrive, for then the branch is still on top.

mod calls;
mod place;
mod sockets;
mod telling;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::net::IpAddr;
use std::rc::{Rc, Weak};
use std::time::Duration;

use media::{BranchKey, CallKey, Cause, Event, Gateway, GatewayConfig, Output, Side, SocketId};
use sip::{Builder, Flow, HeaderName, Hop, Instant, Message, Method};
use tokio::sync::Notify;

use crate::Failure;
use crate::clock::Clock;
use crate::log;
use crate::randomness::SystemEntropy;
use calls::{Calls, Over, Step};
pub(crate) use place::MediaPlace;
use sockets::{Receiver, Sockets};

/// What becomes of a message that leaves.
pub(crate) enum Onward {
    /// It leaves as it is.
    AsItIs,
    /// This leaves instead.
    Instead(Vec<u8>),
    /// Nothing leaves; this response comes back.
    Refused(Vec<u8>),
    /// Nothing leaves: it is the ACK to a refusal that came from here.
    Nowhere,
}

/// The gateway and what it needs around it.
pub(crate) struct MediaJoining {
    me: Weak<Self>,
    clock: Clock,
    gateway: RefCell<Gateway>,
    calls: RefCell<Calls>,
    sockets: Sockets,
    /// The branches whose INVITE was refused here and will be acknowledged.
    refused: RefCell<HashSet<Vec<u8>>>,
    /// Ports that the gateway wanted and another program has.
    unopened: Cell<bool>,
    wake_at: Cell<Instant>,
    sooner: Notify,
}

impl MediaJoining {
    /// Opens the sockets for browsers. To be called on the event loop.
    pub(crate) fn open(place: &MediaPlace, clock: Clock) -> Result<Rc<Self>, Failure> {
        let mut bound = Vec::new();
        for address in &place.browser {
            bound.push(sockets::bind(*address).map_err(|error| {
                Failure::Failed(format!(
                    "cannot open {address} for the media of browsers: {error}; see media.port"
                ))
            })?);
        }
        let addresses = bound.iter().map(std::net::UdpSocket::local_addr).collect::<Result<Vec<_>, _>>();
        let addresses = addresses.map_err(|error| Failure::Failed(format!("media: {error}")))?;
        let advertised = place.advertised(&addresses);
        let config = GatewayConfig {
            browser_addresses: addresses,
            advertised,
            phone_address: place.phone,
            phone_advertised: place.phone_advertised,
            ports: place.ports.clone(),
            epoch: media::Epoch::new(clock.now(), std::time::Instant::now()),
        };
        let gateway = Gateway::new(&config, Box::new(SystemEntropy))
            .map_err(|error| Failure::Failed(format!("media: {error}")))?;
        let joining = Rc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            clock,
            gateway: RefCell::new(gateway),
            calls: RefCell::default(),
            sockets: Sockets::new(place.phone),
            refused: RefCell::default(),
            unopened: Cell::new(false),
            wake_at: Cell::new(Instant::NEVER),
            sooner: Notify::new(),
        });
        for (index, socket) in bound.into_iter().enumerate() {
            joining.sockets.listen(SocketId::Browser(index), socket, &joining.receiver());
        }
        Ok(joining)
    }

    fn receiver(&self) -> Receiver {
        let me = Weak::clone(&self.me);
        Rc::new(move |socket, from, bytes| {
            if let Some(joining) = me.upgrade() {
                joining.gateway.borrow_mut().receive(joining.clock.now(), socket, from, bytes);
                joining.drain();
            }
        })
    }

    /// Wakes the gateway whenever it asked for it, and gives back what nobody used. Ends never: it is dropped with
    /// the loop.
    pub(crate) async fn keep_time(self: Rc<Self>) {
        let mut sweep = tokio::time::interval(Duration::from_secs(30));
        loop {
            let wait = self.wake_at.get().saturating_since(self.clock.now()).min(Duration::from_secs(3600));
            tokio::select! {
                () = tokio::time::sleep(wait) => {
                    let now = self.clock.now();
                    if now >= self.wake_at.get() {
                        self.gateway.borrow_mut().timeout(now);
                        self.drain();
                    }
                }
                () = self.sooner.notified() => {}
                _ = sweep.tick() => {
                    let stale = self.calls.borrow_mut().stale(self.clock.now());
                    self.all_over(stale);
                }
            }
        }
    }

    /// A message is about to leave for a hop.
    pub(crate) fn outgoing(&self, hop: &Hop, bytes: &[u8]) -> Onward {
        let opens = bytes.starts_with(b"INVITE ");
        let continues =
            [b"UPDATE ".as_slice(), b"ACK ", b"BYE "].iter().any(|start| bytes.starts_with(start));
        let idle = self.calls.borrow().is_empty() && self.refused.borrow().is_empty();
        if !opens && (!continues || idle) {
            return Onward::AsItIs;
        }
        let Ok(request) = Message::parse(bytes) else { return Onward::AsItIs };
        let branch = request.top_via().ok().and_then(|via| via.branch()).unwrap_or_default();
        if request.method() == Some(Method::Ack) && self.refused.borrow_mut().remove(branch) {
            return Onward::Nowhere;
        }
        let step = self.calls.borrow_mut().request(self.clock.now(), &request, hop.transport());
        let onward = match step {
            None => Onward::AsItIs,
            Some(step) => match self.translate(&request, &step, caller_address(&request)) {
                Ok(bytes) => Onward::Instead(bytes),
                Err(cause) => {
                    log::warning(format!("{}: {}", cause.code(), cause));
                    if request.method() == Some(Method::Invite) {
                        self.refused.borrow_mut().insert(branch.to_vec());
                    }
                    refusal(&request, &cause)
                }
            },
        };
        let over = self.calls.borrow_mut().after_request(&request);
        self.all_over(over);
        onward
    }

    /// A message has arrived. What the proxy should see instead, if not the message itself.
    pub(crate) fn incoming(&self, flow: &Flow, bytes: &[u8]) -> Option<Vec<u8>> {
        if self.calls.borrow().is_empty() || !bytes.starts_with(b"SIP/2.0 ") {
            return None;
        }
        let response = Message::parse(bytes).ok()?;
        let step = self.calls.borrow_mut().response(&response);
        let instead = step.and_then(|step| {
            self.translate(&response, &step, Some(flow.remote.ip()))
                .inspect_err(|cause| log::warning(format!("{}: {}", cause.code(), cause)))
                .ok()
        });
        let over = self.calls.borrow_mut().after_response(&response);
        self.all_over(over);
        instead
    }

    /// The message with its description translated. `writer` is where the writer's signalling comes from.
    fn translate(&self, message: &Message, step: &Step, writer: Option<IpAddr>) -> Result<Vec<u8>, Cause> {
        let now = self.clock.now();
        let translated = {
            let mut gateway = self.gateway.borrow_mut();
            match step {
                Step::Offer { call, branch, from } => {
                    let translated = gateway.offer(now, call, branch, *from, message.body())?;
                    expect_phone(&mut gateway, call, branch, *from, writer);
                    translated
                }
                Step::Answer { call, branch, from, confirms } => {
                    let translated = gateway.answer(now, call, branch, *from, message.body())?;
                    expect_phone(&mut gateway, call, branch, *from, writer);
                    if *confirms {
                        gateway.confirm(now, call, branch);
                    }
                    translated
                }
            }
        };
        // Ports must be open before anybody is told of them.
        self.unopened.set(false);
        self.drain();
        if self.unopened.get() {
            return Err(Cause::NoFreePort);
        }
        let mut edit = message.edit();
        edit.body(message.header(HeaderName::ContentType).unwrap_or(b"application/sdp"), &translated);
        edit.finish().map_err(|_| Cause::SdpNothingToRelay)
    }

    fn all_over(&self, over: impl IntoIterator<Item = Over>) {
        let mut any = false;
        for over in over {
            any = true;
            let (now, mut gateway) = (self.clock.now(), self.gateway.borrow_mut());
            match over {
                Over::Call(call) => gateway.end(now, &call),
                Over::Branch(call, branch) => gateway.end_branch(now, &call, &branch),
                Over::Offer(call, branch) => gateway.withdraw(&call, &branch),
            }
        }
        if any {
            self.drain();
        }
    }

    fn drain(&self) {
        loop {
            // The gateway is borrowed for this line only.
            let output = self.gateway.borrow_mut().poll();
            match output {
                Output::Open { port } => {
                    if let Err(error) = self.sockets.open_port(port, &self.receiver()) {
                        log::warning(format!("media port {port} cannot be opened: {error}"));
                        self.unopened.set(true);
                    }
                }
                Output::Close { port } => self.sockets.close(SocketId::Phone(port)),
                Output::Transmit { socket, to, bytes } => self.sockets.send(socket, to, &bytes),
                Output::Event(event) => {
                    telling::tell(&event);
                    if let Event::Ended { call, .. } = event {
                        self.calls.borrow_mut().lost(&call);
                    }
                }
                Output::Timeout(at) => {
                    if at < self.wake_at.replace(at) {
                        self.sooner.notify_one();
                    }
                    return;
                }
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

/// Where a request came from before it came to us: what we wrote into its Via (RFC 3261 §18.2.1).
fn caller_address(request: &Message) -> Option<IpAddr> {
    let before = sip::Via::parse(request.values(HeaderName::Via).nth(1)?).ok()?;
    before.received().or_else(|| match before.host() {
        sip::Host::V4(address) => Some(address.into()),
        sip::Host::V6(address) => Some(address.into()),
        sip::Host::Name(_) => None,
    })
}

fn refusal(request: &Message, cause: &Cause) -> Onward {
    let warning = format!("399 sipweb \"{}: {}\"", cause.code(), cause.to_string().replace(['"', '\\'], "'"));
    let response = Builder::response_to(request, cause.status(), "")
        .to_tag(b"media")
        .header(HeaderName::Warning, warning.as_bytes())
        .finish();
    response.map_or(Onward::AsItIs, Onward::Refused)
}
