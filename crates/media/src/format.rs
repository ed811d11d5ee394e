//! The formats of a stream: payload type, codec, clock rate and parameters (RFC 8866 §6.6, RFC 3551 §6).

/// What a payload type carries, as far as the gateway relays it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Opus (RFC 7587).
    Opus,
    /// G.722: 16 kHz sound under a clock rate that is written 8000 (RFC 3551 §4.5.2).
    G722,
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// Comfort noise (RFC 3389).
    ComfortNoise,
    /// Keys pressed, as events (RFC 4733).
    TelephoneEvent,
    /// VP8 (RFC 7741).
    Vp8,
    /// H.264 (RFC 6184).
    H264,
    /// Anything else: not relayed.
    Other,
}

/// One format of a media section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// The RTP payload type.
    pub payload_type: u8,
    /// What it carries.
    pub codec: Codec,
    /// The RTP clock rate, in hertz.
    pub clock: u32,
    /// The number of channels; 1 where nothing is written.
    pub channels: u8,
    /// The value of `a=fmtp` after the payload type; empty when there is none.
    pub parameters: Vec<u8>,
}
