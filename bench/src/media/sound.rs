//! What the calls carry: 20 ms of PCMU a packet, each told from all others, so that none can be counted twice and
//! none can be counted that was harmed.

/// PCMU (RFC 3551).
pub(crate) const PAYLOAD_TYPE: u8 = 0;
/// Ticks of the clock of 8 kHz in a packet, and octets.
pub(crate) const TICKS: u64 = 160;
/// Milliseconds in a packet.
pub(crate) const MILLISECONDS: u64 = 20;

/// The payload of a packet of a call.
pub(crate) fn payload(call: u32, index: u64) -> [u8; 160] {
    let mut payload = [0xd5; 160];
    payload[..4].copy_from_slice(&call.to_be_bytes());
    payload[4..12].copy_from_slice(&index.to_be_bytes());
    for (place, octet) in payload[12..].iter_mut().enumerate() {
        *octet = (index as u8).wrapping_mul(31).wrapping_add(place as u8);
    }
    payload
}

/// What one side of a call heard.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heard {
    /// Packets that arrived as they were sent, each counted once.
    pub(crate) intact: u64,
    /// Packets that arrived otherwise, or twice.
    pub(crate) wrong: u64,
    next: u64,
}

impl Heard {
    /// A packet arrived in this call.
    pub(crate) fn packet(&mut self, call: u32, bytes: &[u8]) {
        // Silence that a server made up while nothing was sent is neither.
        if bytes.iter().all(|octet| *octet == 0xff) {
            return;
        }
        let index =
            bytes.get(4..12).and_then(|field| field.try_into().ok()).map_or(u64::MAX, u64::from_be_bytes);
        // Loopback keeps the order, and so must a relay.
        if index < self.next || payload(call, index) != bytes {
            self.wrong += 1;
            return;
        }
        self.intact += 1;
        self.next = index + 1;
    }
}
