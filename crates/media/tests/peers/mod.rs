//! Both sides of a gateway in memory, under virtual time: browsers (str0m with full ICE, its own descriptions) and
//! phones of which every packet is scripted.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "str0m wants one moment of the operating system's clock to count from"
)]

use media::{
    BranchKey, CallKey, Epoch, Event, Gateway, GatewayConfig, IceTransport, Output, PhoneAddress, SocketId,
};
use sip::{Instant, SeededEntropy};
use std::net::SocketAddr;
use std::time::Duration;
use str0m::bwe::BweKind;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::media::{Direction, KeyframeRequestKind, MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive, TcpType};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Input, Rtc, RtcConfig};

pub(crate) const GATEWAY: &str = "192.0.2.1:40000";
pub(crate) const BROWSER: &str = "198.51.100.7:50000";
pub(crate) const PHONE: &str = "203.0.113.5:7000";
pub(crate) const START: u64 = 1_700_000_000;

/// A packet of sound that somebody got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) marker: bool,
    pub(crate) payload_type: u8,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    pub(crate) payload: Vec<u8>,
}

impl Heard {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        assert_eq!(bytes[0], 0x80, "a plain header: no padding, extension, contributing source");
        Self {
            marker: bytes[1] & 0x80 != 0,
            payload_type: bytes[1] & 0x7f,
            sequence: u16::from_be_bytes([bytes[2], bytes[3]]),
            timestamp: u32::from_be_bytes(bytes[4..8].try_into().expect("four octets")),
            ssrc: u32::from_be_bytes(bytes[8..12].try_into().expect("four octets")),
            payload: bytes[12..].to_vec(),
        }
    }
}

/// A browser.
pub(crate) struct Browser {
    pub(crate) rtc: Rtc,
    pub(crate) address: SocketAddr,
    /// No datagram gets out and none in.
    pub(crate) udp_blocked: bool,
    pub(crate) mid: Option<Mid>,
    pub(crate) pending: Option<SdpPendingOffer>,
    pub(crate) offered: Vec<u8>,
    pub(crate) heard: Vec<Heard>,
    pub(crate) connected: bool,
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
    /// Whether it has a camera, and the payload type of its pictures.
    camera: bool,
    pub(crate) pictures: u8,
    pub(crate) film: Option<Mid>,
    frame: (u64, u32),
    /// How it was asked for whole pictures.
    pub(crate) asked: Vec<KeyframeRequestKind>,
    /// How many bits a second it was told to send at most.
    pub(crate) limits: Vec<u64>,
}

impl Browser {
    pub(crate) fn new(start: std::time::Instant, address: SocketAddr, opus: bool) -> Self {
        Self::made(start, address, opus, false)
    }

    fn made(start: std::time::Instant, address: SocketAddr, opus: bool, camera: bool) -> Self {
        let config = RtcConfig::new().set_rtp_mode(true).clear_codecs();
        let config = if opus { config.enable_opus(true, false) } else { config };
        let config = if camera { config.enable_vp8(true) } else { config };
        let mut config = config.enable_pcmu(true, false).enable_pcma(true, false);
        for (payload_type, clock) in [(126, 8000), (110, 48_000)] {
            if opus || clock == 8000 {
                config.codec_config().add_config(
                    Pt::new_with_value(payload_type),
                    None,
                    str0m::format::Codec::Tele,
                    str0m::media::Frequency::new(clock).expect("a clock"),
                    None,
                    str0m::format::FormatParams::default(),
                );
            }
        }
        let mut rtc = config.build(start);
        rtc.add_local_candidate(Candidate::host(address, Protocol::Udp).expect("an address"))
            .expect("a candidate");
        Self {
            rtc,
            address,
            udp_blocked: false,
            mid: None,
            pending: None,
            offered: Vec::new(),
            heard: Vec::new(),
            connected: false,
            sequence: 1000,
            timestamp: 70_000,
            camera,
            pictures: 96,
            film: None,
            frame: (2000, 1000),
            asked: Vec::new(),
            limits: Vec::new(),
        }
    }

    /// Sends a packet of a picture, `ticks` after the last one.
    pub(crate) fn show(&mut self, at: std::time::Instant, ticks: u32, marker: bool, payload: &[u8]) {
        self.frame = (self.frame.0 + 1, self.frame.1.wrapping_add(ticks));
        let mut direct = self.rtc.direct_api();
        let stream = direct.stream_tx_by_mid(self.film.expect("a film"), None).expect("a stream");
        let payload_type = Pt::new_with_value(self.pictures);
        let write = RtpWrite::new(payload_type, self.frame.0.into(), self.frame.1, at, payload);
        stream.write_rtp(write.marker(marker).nackable(true));
        self.rtc.handle_input(Input::Timeout(at)).expect("time");
    }

    /// It cannot go on without a whole picture.
    pub(crate) fn want_picture(&mut self) {
        let film = self.film.expect("a film");
        let mut direct = self.rtc.direct_api();
        let stream = direct.stream_rx_by_mid(film, None).expect("a stream");
        stream.request_keyframe(KeyframeRequestKind::Pli);
    }

    /// Its offer.
    pub(crate) fn offer(&mut self) -> Vec<u8> {
        let mut change = self.rtc.sdp_api();
        if self.mid.is_none() {
            self.mid = Some(change.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None));
        }
        if self.camera && self.film.is_none() {
            self.film = Some(change.add_media(MediaKind::Video, Direction::SendRecv, None, None, None));
        }
        let (offer, pending) = change.apply().expect("a change");
        self.pending = Some(pending);
        self.offered = offer.to_sdp_string().into_bytes();
        self.offered.clone()
    }

    /// The same offer, for another branch.
    pub(crate) fn offer_again(&self) -> Vec<u8> {
        self.offered.clone()
    }

    /// An offer with new ICE credentials.
    pub(crate) fn restart(&mut self) -> Vec<u8> {
        let mut change = self.rtc.sdp_api();
        change.ice_restart(true);
        let (offer, pending) = change.apply().expect("a change");
        self.pending = Some(pending);
        offer.to_sdp_string().into_bytes()
    }

    /// An answer came.
    pub(crate) fn accept(&mut self, answer: &[u8]) {
        let text = &readable(answer);
        let answer = SdpAnswer::from_sdp_string(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let pending = self.pending.take().expect("an offer");
        self.rtc.sdp_api().accept_answer(pending, answer).unwrap_or_else(|error| panic!("{error}: {text}"));
    }

    /// An offer came.
    pub(crate) fn answer(&mut self, offer: &[u8]) -> Vec<u8> {
        let text = &readable(offer);
        let offer = SdpOffer::from_sdp_string(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let answer = self.rtc.sdp_api().accept_offer(offer).unwrap_or_else(|error| panic!("{error}: {text}"));
        answer.to_sdp_string().into_bytes()
    }

    /// Sends a packet of sound of `ticks` after the last one.
    pub(crate) fn send(
        &mut self,
        at: std::time::Instant,
        payload_type: u8,
        ticks: u32,
        marker: bool,
        payload: &[u8],
    ) {
        self.sequence += 1;
        self.timestamp = self.timestamp.wrapping_add(ticks);
        let mid = self.mid.expect("a stream");
        let mut direct = self.rtc.direct_api();
        let stream = direct.stream_tx_by_mid(mid, None).expect("a stream");
        let payload_type = Pt::new_with_value(payload_type);
        stream.write_rtp(
            RtpWrite::new(payload_type, self.sequence.into(), self.timestamp, at, payload).marker(marker),
        );
        self.rtc.handle_input(Input::Timeout(at)).expect("time");
    }

    pub(crate) fn receive(
        &mut self,
        at: std::time::Instant,
        proto: Protocol,
        from: SocketAddr,
        bytes: &[u8],
    ) {
        let Ok(contents) = bytes.try_into() else { return };
        let receive = Receive { proto, source: from, destination: self.address, contents };
        let _ = self.rtc.handle_input(Input::Receive(at, receive));
    }

    /// What it wants to send.
    pub(crate) fn poll(&mut self) -> Vec<(Protocol, SocketAddr, Vec<u8>)> {
        let mut out = Vec::new();
        loop {
            match self.rtc.poll_output() {
                Ok(str0m::Output::Timeout(_)) | Err(_) => return out,
                Ok(str0m::Output::Transmit(transmit)) => {
                    out.push((transmit.proto, transmit.destination, transmit.contents.to_vec()));
                }
                Ok(str0m::Output::Event(str0m::Event::Connected)) => self.connected = true,
                Ok(str0m::Output::Event(str0m::Event::RtpPacket(packet))) => self.heard.push(Heard {
                    marker: packet.header.marker,
                    payload_type: *packet.header.payload_type,
                    sequence: packet.header.sequence_number,
                    timestamp: packet.header.timestamp,
                    ssrc: *packet.header.ssrc,
                    payload: packet.payload.to_vec(),
                }),
                Ok(str0m::Output::Event(str0m::Event::MediaAdded(added))) => match added.kind {
                    MediaKind::Audio => self.mid = Some(added.mid),
                    MediaKind::Video => self.film = Some(added.mid),
                },
                Ok(str0m::Output::Event(str0m::Event::KeyframeRequest(request))) => {
                    self.asked.push(request.kind);
                }
                Ok(str0m::Output::Event(str0m::Event::EgressBitrateEstimate(BweKind::Remb {
                    estimate,
                    ..
                }))) => {
                    self.limits.push(estimate.as_u64());
                }
                Ok(str0m::Output::Event(_)) => {}
            }
        }
    }
}

/// A datagram that the gateway sent to something that is no browser.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) from: u16,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

/// The gateway, and the network around it.
pub(crate) struct World {
    pub(crate) gateway: Gateway,
    pub(crate) now: Instant,
    pub(crate) start: std::time::Instant,
    pub(crate) browsers: Vec<Browser>,
    /// What was sent from ports for phones, RTCP included.
    pub(crate) sent: Vec<Sent>,
    pub(crate) open: Vec<u16>,
    /// Everything that was ever opened for a phone.
    pub(crate) bound: Vec<SocketAddr>,
    pub(crate) events: Vec<Event>,
    /// Everything that was sent to addresses where nobody is.
    pub(crate) astray: Vec<(SocketId, SocketAddr, Vec<u8>)>,
    /// How many of the next packets of media toward browsers, and of browsers, are lost.
    pub(crate) drop_next_to_browser: usize,
    pub(crate) drop_next_of_browser: usize,
    /// Connections that the gateway wanted closed.
    pub(crate) disconnected: Vec<SocketAddr>,
}

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

pub(crate) fn call(name: &str) -> CallKey {
    CallKey::new(name.as_bytes())
}

pub(crate) fn branch(name: &str) -> BranchKey {
    BranchKey::new(name.as_bytes())
}

/// Where the gateway has ports for phones: an address that is told, and another family's, behind address translation.
pub(crate) fn phone_addresses() -> Vec<PhoneAddress> {
    let ip = |text: &str| text.parse().expect("an address");
    let v4 = address(GATEWAY).ip();
    vec![
        PhoneAddress { bound: v4, advertised: v4 },
        PhoneAddress { bound: ip("fd00::1"), advertised: ip("2001:db8::1") },
    ]
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_ports(30_000..=30_099)
    }

    pub(crate) fn with_ports(ports: std::ops::RangeInclusive<u16>) -> Self {
        let now = Instant::from_secs(START);
        let start = std::time::Instant::now();
        let config = GatewayConfig {
            transcoding: true,
            browser_addresses: vec![address("0.0.0.0:40000")],
            browser_transports: vec![IceTransport::Udp, IceTransport::Tcp],
            advertised: vec![address(GATEWAY)],
            phone_addresses: phone_addresses(),
            ports,
            epoch: Epoch::new(now, start),
        };
        Self {
            gateway: Gateway::new(&config, Box::new(SeededEntropy::new(11))).expect("a gateway"),
            now,
            start,
            browsers: Vec::new(),
            sent: Vec::new(),
            open: Vec::new(),
            bound: Vec::new(),
            events: Vec::new(),
            astray: Vec::new(),
            drop_next_to_browser: 0,
            drop_next_of_browser: 0,
            disconnected: Vec::new(),
        }
    }

    pub(crate) fn at(&self) -> std::time::Instant {
        self.start + self.now.saturating_since(Instant::from_secs(START))
    }

    /// A browser joins; returns its number.
    pub(crate) fn browser(&mut self, at: &str, opus: bool) -> usize {
        self.browsers.push(Browser::new(self.at(), address(at), opus));
        self.browsers.len() - 1
    }

    /// A browser with a camera joins; returns its number.
    pub(crate) fn film(&mut self, at: &str) -> usize {
        self.browsers.push(Browser::made(self.at(), address(at), false, true));
        self.browsers.len() - 1
    }

    /// A browser joins that opens TCP connections too.
    pub(crate) fn browser_with_tcp(&mut self, at: &str) -> usize {
        let index = self.browser(at, false);
        let browser = &mut self.browsers[index];
        let tcp = Candidate::builder().tcp().host(browser.address).tcptype(TcpType::Active).build();
        browser.rtc.add_local_candidate(tcp.expect("an address")).expect("a candidate");
        index
    }

    /// Carries datagrams until nobody has any.
    pub(crate) fn settle(&mut self) {
        loop {
            let mut moved = false;
            loop {
                match self.gateway.poll() {
                    Output::Timeout(_) => break,
                    Output::Open { address, port } => {
                        self.open.push(port);
                        self.bound.push(SocketAddr::new(address, port));
                    }
                    Output::Close { port } => self.open.retain(|open| *open != port),
                    Output::Event(event) => self.events.push(event),
                    Output::Disconnect { from, .. } => self.disconnected.push(from),
                    Output::Transmit { socket: SocketId::Phone(from), to, bytes } => {
                        assert!(self.open.contains(&from), "sent from a closed port");
                        self.sent.push(Sent { from, to, bytes });
                    }
                    Output::Transmit { socket, to, bytes } => {
                        let at = self.at();
                        if is_media(&bytes) && self.drop_next_to_browser > 0 {
                            self.drop_next_to_browser -= 1;
                            continue;
                        }
                        let proto = match socket {
                            SocketId::BrowserStream(_) => Protocol::Tcp,
                            _ => Protocol::Udp,
                        };
                        match self.browsers.iter_mut().find(|browser| browser.address == to) {
                            Some(browser) if browser.udp_blocked && proto == Protocol::Udp => {}
                            Some(browser) => browser.receive(at, proto, address(GATEWAY), &bytes),
                            None => self.astray.push((socket, to, bytes)),
                        }
                        moved = true;
                    }
                }
            }
            for index in 0..self.browsers.len() {
                let from = self.browsers[index].address;
                for (proto, to, bytes) in self.browsers[index].poll() {
                    if is_media(&bytes) && self.drop_next_of_browser > 0 {
                        self.drop_next_of_browser -= 1;
                        continue;
                    }
                    let datagram = proto == Protocol::Udp;
                    let socket = if datagram { SocketId::Browser(0) } else { SocketId::BrowserStream(0) };
                    if to == address(GATEWAY) && !(datagram && self.browsers[index].udp_blocked) {
                        self.gateway.receive(self.now, socket, from, &bytes);
                        moved = true;
                    }
                }
            }
            if !moved {
                return;
            }
        }
    }

    /// Lets time pass, in steps of five milliseconds.
    pub(crate) fn pass(&mut self, span: Duration) {
        let until = self.now + span;
        self.settle();
        while self.now < until {
            self.now += Duration::from_millis(5);
            let at = self.at();
            for browser in &mut self.browsers {
                let _ = browser.rtc.handle_input(Input::Timeout(at));
            }
            self.gateway.timeout(self.now);
            self.settle();
        }
    }

    /// A phone sends from `from` to a port of the gateway.
    pub(crate) fn phone_sends(&mut self, from: &str, port: u16, bytes: &[u8]) {
        self.gateway.receive(self.now, SocketId::Phone(port), address(from), bytes);
        self.settle();
    }

    /// A browser sends sound.
    pub(crate) fn browser_sends(&mut self, browser: usize, payload_type: u8, ticks: u32, payload: &[u8]) {
        let at = self.at();
        self.browsers[browser].send(at, payload_type, ticks, false, payload);
        self.settle();
    }

    /// The packets of sound that were sent to `to` since the last call.
    pub(crate) fn phone_heard(&mut self, to: &str) -> Vec<Heard> {
        let (sound, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.sent)
            .into_iter()
            .partition(|sent| sent.to == address(to) && !(192..=223).contains(&sent.bytes[1]));
        self.sent = rest;
        sound.iter().map(|sent| Heard::parse(&sent.bytes)).collect()
    }
}

/// A description as str0m's own reader wants it: it asks for the encodings of refused sections too.
fn readable(description: &[u8]) -> String {
    let text = std::str::from_utf8(description).expect("text");
    let refused = "m=video 0 UDP/TLS/RTP/SAVPF ";
    let line = |line: &str| match line.strip_prefix(refused) {
        Some(_) => format!("{refused}96\r\na=rtpmap:96 VP8/90000\r\n"),
        None => format!("{line}\r\n"),
    };
    text.lines().map(line).collect()
}

/// Whether this is a packet of media, protected or not, and no report.
fn is_media(bytes: &[u8]) -> bool {
    bytes.len() > 12 && bytes[0] >> 6 == 2 && !(192..=223).contains(&bytes[1])
}

/// The start of the world, on both clocks.
pub(crate) fn epoch(after: Duration) -> Epoch {
    Epoch::new(Instant::from_secs(START) + after, std::time::Instant::now() + after)
}

/// A packet of sound.
pub(crate) fn rtp(payload_type: u8, sequence: u16, timestamp: u32, ssrc: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80, payload_type];
    bytes.extend_from_slice(&sequence.to_be_bytes());
    bytes.extend_from_slice(&timestamp.to_be_bytes());
    bytes.extend_from_slice(&ssrc.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A phone's description: its sound comes and goes at this address.
pub(crate) fn phone_description(at: &str, formats: &str, attributes: &str) -> Vec<u8> {
    let at = address(at);
    format!(
        "v=0\r\no=phone 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP {formats}\r\n{attributes}",
        family = if at.is_ipv4() { "IP4" } else { "IP6" },
        ip = at.ip(),
        port = at.port(),
    )
    .into_bytes()
}

/// The port of a description's first section.
pub(crate) fn port_of(description: &[u8]) -> u16 {
    let text = std::str::from_utf8(description).expect("text");
    let line = text.lines().find(|line| line.starts_with("m=audio ")).unwrap_or_else(|| panic!("{text}"));
    line.split(' ').nth(1).and_then(|port| port.parse().ok()).unwrap_or_else(|| panic!("{text}"))
}
