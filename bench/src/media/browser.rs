//! A browser as a server sees it: a full ICE agent, DTLS-SRTP, one stream of sound on a port of its own.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use str0m::format::{Codec, FormatParams};
use str0m::ice::IceCreds;
use str0m::media::{Frequency, MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpWrite, Ssrc};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

use super::sound::{self, Heard};
use crate::Outcome;

const MEDIA: &str = "0";

/// One browser in one call.
pub(crate) struct Browser {
    socket: UdpSocket,
    address: SocketAddr,
    rtc: Rtc,
    ssrc: u32,
    number: u32,
    sent: u64,
    expected: Option<u32>,
    connected: bool,
    due: Instant,
    /// What arrived.
    pub(crate) heard: Heard,
}

impl Browser {
    /// The browser of this call.
    pub(crate) fn new(number: u32, now: Instant) -> Outcome<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let mut config =
            RtcConfig::new().set_rtp_mode(true).clear_codecs().clear_extension_map().set_stats_interval(None);
        config.codec_config().add_config(
            Pt::new_with_value(sound::PAYLOAD_TYPE),
            None,
            Codec::PCMU,
            Frequency::new(8000).ok_or("a clock of 8 kHz")?,
            None,
            FormatParams::default(),
        );
        let mut rtc = config.build(now);
        let candidate = Candidate::host(address, Protocol::Udp)?;
        rtc.add_local_candidate(candidate).ok_or("no candidate")?;
        Ok(Self {
            socket,
            address,
            rtc,
            ssrc: 0x1000_0000 + number,
            number,
            sent: 0,
            expected: None,
            connected: false,
            due: now,
            heard: Heard::default(),
        })
    }

    /// Its offer.
    pub(crate) fn offer(&mut self) -> String {
        let direct = self.rtc.direct_api();
        let credentials = direct.local_ice_credentials();
        let fingerprint = direct.local_dtls_fingerprint().to_string();
        format!(
            "v=0\r\no=- {session} 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
             m=audio {port} UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 127.0.0.1\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
             a=candidate:1 1 udp 2130706431 127.0.0.1 {port} typ host generation 0\r\n\
             a=ice-ufrag:{fragment}\r\na=ice-pwd:{password}\r\na=fingerprint:{fingerprint}\r\na=setup:actpass\r\n\
             a=mid:0\r\na=sendrecv\r\na=msid:s t\r\na=rtcp-mux\r\na=rtpmap:0 PCMU/8000\r\n\
             a=ssrc:{ssrc} cname:browser{number}\r\n",
            session = 1_000_000 + self.number,
            port = self.address.port(),
            fragment = credentials.ufrag,
            password = credentials.pass,
            ssrc = self.ssrc,
            number = self.number,
        )
    }

    /// Takes the answer and begins to connect.
    pub(crate) fn answered(&mut self, now: Instant, answer: &str) -> Outcome<()> {
        let value = |name: &str| {
            let found = answer.lines().find_map(|line| line.trim().strip_prefix("a=")?.strip_prefix(name));
            found.ok_or_else(|| format!("no a={name} in the answer:\n{answer}"))
        };
        let remote = IceCreds { ufrag: value("ice-ufrag:")?.into(), pass: value("ice-pwd:")?.into() };
        let fingerprint = value("fingerprint:")?.trim().parse()?;
        // Who is passive there lets us begin.
        let active = value("setup:")?.trim() != "active";
        let mut direct = self.rtc.direct_api();
        direct.set_ice_controlling(true);
        direct.set_remote_ice_credentials(remote);
        direct.set_remote_fingerprint(fingerprint);
        direct.declare_media(Mid::from(MEDIA), MediaKind::Audio);
        direct.declare_stream_tx(Ssrc::from(self.ssrc), None, Mid::from(MEDIA), None);
        direct.start_dtls(active)?;
        for line in answer.lines().filter_map(|line| line.trim().strip_prefix("a=candidate:")) {
            if line.split(' ').nth(1) == Some("1") && line.contains(" 127.0.0.1 ") {
                let candidate = Candidate::from_sdp_string(&format!("candidate:{line}"))?;
                self.rtc.add_remote_candidate(candidate);
            }
        }
        self.rtc.handle_input(Input::Timeout(now))?;
        self.drain(now)
    }

    /// Whether ICE and DTLS stand.
    pub(crate) const fn is_connected(&self) -> bool {
        self.connected
    }

    /// How many packets were sent.
    pub(crate) const fn sent(&self) -> u64 {
        self.sent
    }

    /// Sends the next packet of sound.
    pub(crate) fn send(&mut self, now: Instant) -> Outcome<()> {
        let payload = sound::payload(self.number, self.sent);
        let sequence = 1000 + self.sent;
        let timestamp = u32::try_from((self.sent * sound::TICKS) & 0xffff_ffff)?;
        let write = RtpWrite::new(
            Pt::new_with_value(sound::PAYLOAD_TYPE),
            sequence.into(),
            timestamp,
            now,
            &payload[..],
        );
        let mut direct = self.rtc.direct_api();
        let stream = direct.stream_tx(&Ssrc::from(self.ssrc)).ok_or("no stream")?;
        stream.write_rtp(write);
        self.sent += 1;
        self.rtc.handle_input(Input::Timeout(now))?;
        self.drain(now)
    }

    /// Takes in all that arrived, and does what is due.
    pub(crate) fn turn(&mut self, now: Instant) -> Outcome<()> {
        let mut packet = [0; 2048];
        let mut any = false;
        while let Ok((length, from)) = self.socket.recv_from(&mut packet) {
            let bytes = &packet[..length];
            self.expect(bytes);
            let Ok(contents) = bytes.try_into() else { continue };
            let receive = Receive { proto: Protocol::Udp, source: from, destination: self.address, contents };
            self.rtc.handle_input(Input::Receive(now, receive))?;
            self.drain(now)?;
            any = true;
        }
        if !any && now >= self.due {
            self.rtc.handle_input(Input::Timeout(now))?;
            self.drain(now)?;
        }
        Ok(())
    }

    /// Makes the source known before its first packet is read.
    fn expect(&mut self, bytes: &[u8]) {
        let is_rtp = bytes.len() > 12 && bytes[0] >> 6 == 2 && !(192..=223).contains(&bytes[1]);
        if !is_rtp {
            return;
        }
        let ssrc = u32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
        if self.expected != Some(ssrc) {
            let mut direct = self.rtc.direct_api();
            direct.expect_stream_rx(Ssrc::from(ssrc), None, Mid::from(MEDIA), None).suppress_nack(true);
            self.expected = Some(ssrc);
        }
    }

    fn drain(&mut self, now: Instant) -> Outcome<()> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(at) => {
                    self.due = at.max(now + Duration::from_millis(1));
                    return Ok(());
                }
                Output::Transmit(transmit) => {
                    // A full buffer is a loss, and shows as one.
                    let _ = self.socket.send_to(&transmit.contents, transmit.destination);
                }
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(Event::RtpPacket(packet)) => self.heard.packet(self.number, &packet.payload),
                Output::Event(_) => {}
            }
        }
    }
}
