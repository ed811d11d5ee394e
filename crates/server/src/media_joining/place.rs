//! Where the gateway stands: its addresses and ports, found out where nobody wrote them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;

use media::{IceTransport, PhoneAddress, SdesSuite};
use net::ListenerConfig;

use super::{Anchor, Sdes};
use crate::configuration::{Media, MediaNode};
use crate::outward_address::outward_address;

/// The addresses of the gateway's sockets, and what others are told.
#[derive(Clone, Debug)]
pub(crate) struct MediaPlace {
    /// To bind for browsers.
    pub(crate) browser: Vec<SocketAddr>,
    /// To bind for phones, and what they are told: of each family that this machine has.
    pub(crate) phones: Vec<PhoneAddress>,
    /// The ports for phones.
    pub(crate) ports: RangeInclusive<u16>,
    /// Where SRTP keys may stand in descriptions.
    pub(crate) sdes: Sdes,
    /// The suites of SRTP, the preferred one first.
    pub(crate) suites: Vec<SdesSuite>,
    /// Whether sound is transcoded where it must be.
    pub(crate) transcoding: bool,
    /// Whether pages are told by INFO which keys phones press.
    pub(crate) digits_to_pages: bool,
    /// Which calls go through us without need.
    pub(crate) anchor: Anchor,
    /// What the sockets for browsers are.
    pub(crate) transports: Vec<IceTransport>,
    /// The rtpengine nodes that join instead; none, and this process does.
    pub(crate) fleet: Vec<MediaNode>,
    advertise: Vec<IpAddr>,
    /// Whether the log is told of it: not by every event loop.
    pub(crate) is_told: bool,
}

impl MediaPlace {
    /// The place of a server that listens there.
    pub(crate) fn of(media: &Media, listeners: &[ListenerConfig]) -> Self {
        let on_loopback = listeners.iter().all(|listener| listener.address.ip().is_loopback());
        let outward = outward_address(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let outward_v6 = outward_address(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let loopback_v6 = Some(IpAddr::V6(Ipv6Addr::LOCALHOST)).filter(|_| on_loopback && has_loopback_v6());
        // Some browsers send nothing from an address of the machine to loopback, so both are offered, also by a
        // server for this machine only.
        let browser = outward.into_iter().chain(outward_v6).chain([loopback]).chain(loopback_v6);
        let (v4, v6) = if on_loopback { (Some(loopback), loopback_v6) } else { (outward, outward_v6) };
        let mut phones: Vec<IpAddr> = v4.into_iter().chain(v6).collect();
        if phones.is_empty() {
            phones.push(loopback);
        }
        let transports = [(IceTransport::Udp, media.udp), (IceTransport::Tcp, media.tcp)];
        let phones = phones.into_iter().map(|bound| {
            let told = media.advertise.iter().find(|address| address.is_ipv4() == bound.is_ipv4());
            PhoneAddress { bound, advertised: told.copied().unwrap_or(bound) }
        });
        Self {
            browser: browser.map(|address| SocketAddr::new(address, media.port)).collect(),
            phones: phones.collect(),
            ports: media.ports.clone(),
            sdes: media.sdes,
            suites: media.suites.clone(),
            transcoding: media.transcoding,
            digits_to_pages: media.digits_to_pages,
            anchor: media.anchor,
            transports: transports.into_iter().filter(|(_, wanted)| *wanted).map(|(name, _)| name).collect(),
            fleet: media.rtpengine.clone(),
            advertise: media.advertise.clone(),
            is_told: true,
        }
    }

    /// The part of one of several event loops, counted from 0: a port for browsers of its own, and its share of those
    /// for phones.
    pub(crate) fn part(mut self, place: usize, loops: usize) -> Self {
        let number = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
        for address in self.browser.iter_mut().filter(|address| address.port() != 0) {
            address.set_port(address.port().saturating_add(number(place)));
        }
        let (first, last) = (usize::from(*self.ports.start()), usize::from(*self.ports.end()));
        // Pairs of RTP and RTCP stay together: an even number of ports for each.
        let each = (last + 1).saturating_sub(first) / loops / 2 * 2;
        let begin = first + place * each;
        let end = if place + 1 == loops { last } else { begin + each - 1 };
        if each > 0 {
            self.ports = number(begin)..=number(end);
        }
        self.is_told = place == 0;
        self
    }

    /// The address that everybody is told, if it is one of a private network (RFC 1918) that nobody wrote down: from
    /// outside of that network no sound can come.
    pub(crate) fn private_address(&self) -> Option<IpAddr> {
        let is_private = |address: &IpAddr| matches!(address, IpAddr::V4(address) if address.is_private());
        let told = self.phones.iter().map(|phones| phones.advertised);
        told.filter(|_| self.advertise.is_empty()).find(is_private)
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

/// Whether this machine knows IPv6 at all.
fn has_loopback_v6() -> bool {
    UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_loops_share_the_ports_and_no_port_is_of_two() {
        let media = Media { port: 40_000, ports: 20_000..=20_099, ..Media::default() };
        let place = MediaPlace::of(&media, &[]);
        let parts: Vec<MediaPlace> = (0..3).map(|number| place.clone().part(number, 3)).collect();
        let ranges: Vec<_> = parts.iter().map(|part| part.ports.clone()).collect();
        assert_eq!(ranges, [20_000..=20_031, 20_032..=20_063, 20_064..=20_099]);
        for (part, port) in parts.iter().zip([40_000, 40_001, 40_002]) {
            assert!(part.browser.iter().all(|address| address.port() == port));
        }
        assert_eq!(place.clone().part(0, 1).ports, media.ports);
    }
}
