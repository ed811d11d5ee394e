//! Where the gateway stands: its addresses and ports, found out where nobody wrote them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;

use media::{IceTransport, SdesSuite};
use net::ListenerConfig;

use super::Sdes;
use crate::configuration::{Media, MediaNode};

/// The addresses of the gateway's sockets, and what others are told.
#[derive(Clone, Debug)]
pub(crate) struct MediaPlace {
    /// To bind for browsers.
    pub(crate) browser: Vec<SocketAddr>,
    /// To bind for phones.
    pub(crate) phone: IpAddr,
    /// What phones are told.
    pub(crate) phone_advertised: IpAddr,
    /// The ports for phones.
    pub(crate) ports: RangeInclusive<u16>,
    /// Where SRTP keys may stand in descriptions.
    pub(crate) sdes: Sdes,
    /// The suites of SRTP, the preferred one first.
    pub(crate) suites: Vec<SdesSuite>,
    /// Whether sound is transcoded where it must be.
    pub(crate) transcoding: bool,
    /// What the sockets for browsers are.
    pub(crate) transports: Vec<IceTransport>,
    /// The rtpengine nodes that join instead; none, and this process does.
    pub(crate) fleet: Vec<MediaNode>,
    advertise: Vec<IpAddr>,
}

impl MediaPlace {
    /// The place of a server that listens there.
    pub(crate) fn of(media: &Media, listeners: &[ListenerConfig]) -> Self {
        let on_loopback = listeners.iter().all(|listener| listener.address.ip().is_loopback());
        let outward = outward_address(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let outward_v6 = outward_address(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        // Some browsers send nothing from an address of the machine to loopback, so both are offered, also by a
        // server for this machine only.
        let browser = outward.into_iter().chain(outward_v6).chain([loopback]);
        let phone = outward.or(outward_v6).filter(|_| !on_loopback).unwrap_or(loopback);
        let transports = [(IceTransport::Udp, media.udp), (IceTransport::Tcp, media.tcp)];
        let told = media.advertise.iter().find(|address| address.is_ipv4() == phone.is_ipv4());
        Self {
            browser: browser.map(|address| SocketAddr::new(address, media.port)).collect(),
            phone,
            phone_advertised: told.copied().unwrap_or(phone),
            ports: media.ports.clone(),
            sdes: media.sdes,
            suites: media.suites.clone(),
            transcoding: media.transcoding,
            transports: transports.into_iter().filter(|(_, wanted)| *wanted).map(|(name, _)| name).collect(),
            fleet: media.rtpengine.clone(),
            advertise: media.advertise.clone(),
        }
    }

    /// The address that everybody is told, if it is one of a private network (RFC 1918) that nobody wrote down: from
    /// outside of that network no sound can come.
    pub(crate) fn private_address(&self) -> Option<IpAddr> {
        let is_private = matches!(self.phone_advertised, IpAddr::V4(address) if address.is_private());
        (self.advertise.is_empty() && is_private).then_some(self.phone_advertised)
    }

    /// What browsers are told of the sockets bound on these addresses.
    pub(crate) fn advertised(&self, bound: &[SocketAddr]) -> Vec<SocketAddr> {
        let instead = |address: &SocketAddr| {
            let family = |told: &&IpAddr| !address.ip().is_loopback() && told.is_ipv4() == address.is_ipv4();
            let told = self.advertise.iter().find(family);
            told.map_or(*address, |told| SocketAddr::new(*told, address.port()))
        };
        bound.iter().map(instead).collect()
    }
}

/// The machine's address on the way outward: the one that the system would send from. Nothing is sent.
fn outward_address(any: IpAddr) -> Option<IpAddr> {
    let far: IpAddr = if any.is_ipv4() {
        // Addresses for documentation (RFC 5737, RFC 3849): nobody is there.
        IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1))
    } else {
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((far, 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_unspecified() && !address.is_loopback()).then_some(address)
}
