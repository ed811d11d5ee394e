//! What all calls of a gateway share: sockets, ports, the certificate, and whose packets are whose.

use super::{Event, GatewayConfig, Output, PhoneAddress, SocketId, StartError};
use crate::bad_ports::is_bad_port;
use crate::browser_leg::{Credentials, Epoch, Identity, Local};
use crate::phone_leg::PhoneLeg;
use crate::ports::Ports;
use crate::{
    BrowserTransport, Candidate, Cause, IceTransport, PhoneKeying, PhoneSecurity, PhoneTransport,
    PhoneTransports, SdesKey, SdesSuite,
};
use sip::Entropy;
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// The owner of something that arrives: a call, and one of its browser ends or branches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) call: u64,
    pub(super) part: u64,
}

pub(super) struct Shared {
    pub(super) epoch: Epoch,
    pub(super) identity: Identity,
    pub(super) entropy: Box<dyn Entropy>,
    /// What stands behind each socket for browsers.
    pub(super) locals: Arc<[Local]>,
    /// What browsers are told.
    candidates: Vec<Candidate>,
    phone_addresses: Vec<PhoneAddress>,
    ports: Ports,
    all_ports: usize,
    pub(super) transcoding: bool,
    /// The branch on each RTP port: it may have two.
    pub(super) phones: HashMap<u16, Place>,
    /// The browser end of each user fragment of ours.
    pub(super) fragments: HashMap<String, Place>,
    /// The browser end of each pair that proved itself.
    pub(super) pairs: HashMap<(SocketId, SocketAddr), Place>,
    pub(super) outputs: VecDeque<Output>,
    /// Where the protection of a packet is taken off, one at a time.
    pub(super) scratch: Vec<u8>,
    counter: u64,
}

impl Shared {
    pub(super) fn new(config: &GatewayConfig, mut entropy: Box<dyn Entropy>) -> Result<Self, StartError> {
        let unspecified = config.advertised.iter().any(|address| address.ip().is_unspecified());
        if unspecified || config.phone_addresses.iter().any(|phones| phones.advertised.is_unspecified()) {
            return Err(StartError::UnspecifiedAddress);
        }
        if let Some(bad) = config.advertised.iter().find(|address| is_bad_port(address.port())) {
            return Err(StartError::BadPort(bad.port()));
        }
        let locals = locals(config);
        let candidates = candidates(config, &locals);
        if candidates.is_empty() || config.phone_addresses.is_empty() {
            return Err(StartError::NoAddress);
        }
        let ports = Ports::new(&config.ports, &mut *entropy);
        if ports.free() == 0 {
            return Err(StartError::NoPorts);
        }
        Ok(Self {
            epoch: config.epoch,
            identity: Identity::generate().ok_or(StartError::NoCertificate)?,
            entropy,
            locals,
            candidates,
            phone_addresses: config.phone_addresses.clone(),
            all_ports: ports.free(),
            ports,
            transcoding: config.transcoding,
            phones: HashMap::new(),
            fragments: HashMap::new(),
            pairs: HashMap::new(),
            outputs: VecDeque::new(),
            scratch: Vec::new(),
            counter: 0,
        })
    }

    /// A number that nothing else has.
    pub(super) const fn number(&mut self) -> u64 {
        self.counter = self.counter.wrapping_add(1);
        self.counter
    }

    /// Credentials that no other leg has (RFC 8839 §5.4 asks for 24 and 128 random bits).
    pub(super) fn credentials(&mut self) -> Credentials {
        loop {
            let fragment = self.entropy.token(8);
            if !self.fragments.contains_key(&fragment) {
                return Credentials { fragment, password: self.entropy.token(32) };
            }
        }
    }

    /// A phone leg on a pair of ports of its own, for a phone that is reached at this address.
    pub(super) fn phone_leg(&mut self, reached_at: Option<IpAddr>) -> Result<PhoneLeg, Cause> {
        let same_family = |phones: &&PhoneAddress| {
            reached_at.is_some_and(|address| address.to_canonical().is_ipv4() == phones.bound.is_ipv4())
        };
        let alike = self.phone_addresses.iter().find(same_family);
        let address = alike.or_else(|| self.phone_addresses.first()).copied().ok_or(Cause::NoFreePort)?;
        let port = self.ports.take().ok_or(Cause::NoFreePort)?;
        let leg = PhoneLeg::new(address, port, &mut *self.entropy);
        self.open(&leg);
        Ok(leg)
    }

    fn open(&mut self, leg: &PhoneLeg) {
        let address = leg.address().bound;
        self.outputs.push_back(Output::Open { address, port: leg.port() });
        self.outputs.push_back(Output::Open { address, port: leg.control_port() });
    }

    /// The leg of another stream of the same phone, on a pair of ports of its own; `None` when none is free.
    pub(super) fn companion(&mut self, leg: &PhoneLeg, place: Place) -> Option<PhoneLeg> {
        let port = self.ports.take()?;
        let companion = leg.companion(port, &mut *self.entropy);
        self.phones.insert(port, place);
        self.open(&companion);
        Some(companion)
    }

    /// Gives the ports of a leg back.
    pub(super) fn free(&mut self, port: u16) {
        self.phones.remove(&port);
        self.ports.give_back(port);
        self.outputs.push_back(Output::Close { port });
        self.outputs.push_back(Output::Close { port: port.saturating_add(1) });
    }

    /// Whose port this is, if it is one of ours for phones.
    pub(super) fn place_of(&self, address: SocketAddr) -> Option<Place> {
        let ip = address.ip().to_canonical();
        let ours = self.phone_addresses.iter().any(|phones| [phones.bound, phones.advertised].contains(&ip));
        self.phones.get(&(address.port() & !1)).copied().filter(|_| ours)
    }

    pub(super) fn browser_transport(&self, credentials: &Credentials) -> BrowserTransport {
        BrowserTransport {
            ufrag: credentials.fragment.clone(),
            password: credentials.password.clone(),
            fingerprint: self.identity.fingerprint.clone(),
            candidates: self.candidates.clone(),
        }
    }

    pub(super) fn phone_transports(&mut self, leg: &PhoneLeg, keying: &PhoneKeying) -> PhoneTransports {
        PhoneTransports { audio: self.phone_transport(leg, keying), video: None }
    }

    /// Our end of one stream toward a phone.
    pub(super) fn phone_transport(&mut self, leg: &PhoneLeg, keying: &PhoneKeying) -> PhoneTransport {
        PhoneTransport {
            address: leg.address().advertised,
            rtp_port: leg.port(),
            security: self.security(keying),
        }
    }

    /// Keys for one stream toward a phone. No other stream may have the same (RFC 4568 §6.4).
    fn security(&mut self, keying: &PhoneKeying) -> PhoneSecurity {
        let keys = keying.suites().iter().map(|suite| self.key(*suite)).collect();
        match keying {
            PhoneKeying::Clear => PhoneSecurity::Plain,
            PhoneKeying::Demanded(_) => PhoneSecurity::Sdes(keys),
            PhoneKeying::Invited(_) => PhoneSecurity::Opportunistic(keys),
            PhoneKeying::Accepted(_) => PhoneSecurity::Accepting(keys),
        }
    }

    /// A key of ours.
    pub(super) fn key(&mut self, suite: SdesSuite) -> SdesKey {
        let mut key = vec![0; suite.master_length()];
        self.entropy.fill(&mut key);
        SdesKey { suite, key, identifier: Vec::new() }
    }

    pub(super) fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Whether no call holds anything.
    pub(super) fn is_idle(&self) -> bool {
        self.ports.free() == self.all_ports
            && self.phones.is_empty()
            && self.fragments.is_empty()
            && self.pairs.is_empty()
    }
}

/// What browsers are told: everything over UDP, then everything over TCP (RFC 6544 §4.2).
fn candidates(config: &GatewayConfig, locals: &[Local]) -> Vec<Candidate> {
    let advertised = |transport: IceTransport| {
        let stands = move |address: &SocketAddr| {
            locals
                .iter()
                .any(|local| local.transport == transport && local.address.is_ipv4() == address.is_ipv4())
        };
        let addresses = config.advertised.iter().copied().filter(stands);
        addresses.map(move |address| Candidate { address, transport })
    };
    advertised(IceTransport::Udp).chain(advertised(IceTransport::Tcp)).collect()
}

/// What each socket for browsers is known as.
fn locals(config: &GatewayConfig) -> Arc<[Local]> {
    let stands = |transport| config.browser_transports.contains(&transport);
    let known = || (0..).zip(known_as(config)).filter_map(|(index, address)| Some((index, address?)));
    let datagrams = known().filter(|_| stands(IceTransport::Udp)).map(|(index, address)| Local {
        socket: SocketId::Browser(index),
        address,
        transport: IceTransport::Udp,
    });
    let streams = known().filter(|_| stands(IceTransport::Tcp)).map(|(index, address)| Local {
        socket: SocketId::BrowserStream(index),
        address,
        transport: IceTransport::Tcp,
    });
    datagrams.chain(streams).collect()
}

/// The advertised address that stands for each bound one.
fn known_as(config: &GatewayConfig) -> Vec<Option<SocketAddr>> {
    let one_for_each = config.advertised.len() == config.browser_addresses.len();
    let mut taken: Vec<SocketAddr> = Vec::new();
    let mut locals = Vec::new();
    for (index, bound) in config.browser_addresses.iter().enumerate() {
        let local = if one_for_each {
            config.advertised.get(index)
        } else {
            let family =
                |address: &&SocketAddr| address.is_ipv4() == bound.is_ipv4() && !taken.contains(address);
            config.advertised.iter().find(family)
        };
        taken.extend(local);
        locals.push(local.copied());
    }
    locals
}
