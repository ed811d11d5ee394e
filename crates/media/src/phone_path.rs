//! Where a phone is: which packets on our ports are its own, and where ours go.
//!
//! A description says where a phone wants its packets; behind NAT they come from elsewhere, and only there ours get
//! through. So the first fitting packet teaches where the phone is (symmetric RTP, RFC 4961; latching, RFC 7362). Who
//! else sits behind the same address could be first, so little is believed: only an address that the signalling named
//! counts, only once, and whoever sends from exactly the described address and port is the phone and takes over from
//! anybody who was quicker (RFC 7362 §5 leaves the choice to us). A new description allows one more move.
//!
//! A NAT that begins anew gives a phone another port in the middle of a call, and the phone knows nothing of it. So when
//! the learnt place has fallen silent, the same party is followed to another port if the packet shows that it is the
//! same phone: it is authentic, or, in clear, of the same source (SSRC), which nobody knows who has not heard the call.

use sip::Instant;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// How long after a new description the phone may move.
const MOVING: Duration = Duration::from_secs(10);
/// So long after its last packet another source may take the place of a source.
const QUIET: Duration = Duration::from_millis(100);
/// So long after the last packet of the place that was learnt the phone may be elsewhere.
const SILENT: Duration = Duration::from_millis(500);

/// Where packets of one kind come from and go to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Path {
    signalled: Option<SocketAddr>,
    latched: Option<SocketAddr>,
    /// When it was heard there last.
    heard_at: Instant,
    /// Until then another source of the same party may take over.
    moving_until: Option<Instant>,
}

impl Path {
    /// A new description: keeps what was learnt unless the phone now wants packets elsewhere.
    pub(crate) fn describe(&mut self, now: Instant, signalled: SocketAddr) {
        if self.signalled.is_some_and(|before| before != signalled) {
            self.latched = None;
        }
        if self.signalled.is_some() {
            self.moving_until = Some(now + MOVING);
        }
        self.signalled = Some(signalled);
    }

    /// Whether anything is known of the phone.
    pub(crate) const fn is_described(&self) -> bool {
        self.signalled.is_some()
    }

    /// Whether a packet from there may be the phone's. `second` is where its signalling comes from.
    pub(crate) fn admits(&self, now: Instant, from: SocketAddr, second: Option<IpAddr>) -> bool {
        let Some(signalled) = self.signalled else { return false };
        if from == signalled || self.latched == Some(from) {
            return true;
        }
        let free = match self.latched {
            None => true,
            // It is where it said: nobody takes its place.
            Some(latched) if latched == signalled => false,
            Some(_) => self.moving_until.is_some_and(|until| now < until),
        };
        free && is_party(signalled, from, second)
    }

    /// Whether a packet that is not admitted may come from where the phone is now, if it is the same phone's.
    pub(crate) fn may_have_moved(&self, now: Instant, from: SocketAddr, second: Option<IpAddr>) -> bool {
        let silent = self.latched.is_some() && now.saturating_since(self.heard_at) >= SILENT;
        silent && self.signalled.is_some_and(|signalled| is_party(signalled, from, second))
    }

    /// The phone is there.
    pub(crate) fn learn(&mut self, now: Instant, from: SocketAddr) {
        self.heard_at = now;
        if self.latched != Some(from) {
            self.latched = Some(from);
            self.moving_until = None;
        }
    }

    /// Where its packets come from.
    pub(crate) const fn latched(&self) -> Option<SocketAddr> {
        self.latched
    }

    /// Where its description wants packets.
    pub(crate) const fn signalled(&self) -> Option<SocketAddr> {
        self.signalled
    }

    /// Where to send.
    pub(crate) fn destination(&self) -> Option<SocketAddr> {
        self.latched
            .or(self.signalled)
            .filter(|address| address.port() != 0 && !address.ip().is_unspecified())
    }
}

/// Whether an address is one that the signalling named.
fn is_party(signalled: SocketAddr, from: SocketAddr, second: Option<IpAddr>) -> bool {
    signalled.ip() == from.ip() || second.is_some_and(|second| second == from.ip())
}

/// The source (SSRC) whose packets are taken. In clear anybody who knows the addresses can forge a packet; while the
/// phone's own packets flow, one of another source is not believed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Source(Option<(u32, Instant)>);

impl Source {
    /// A new description: the phone may begin with another source at once.
    pub(crate) const fn describe(&mut self) {
        self.0 = None;
    }

    /// Whether a packet of this source is taken.
    pub(crate) fn admits(&mut self, now: Instant, ssrc: u32) -> bool {
        let flows = self.0.is_some_and(|(known, at)| known != ssrc && now.saturating_since(at) < QUIET);
        if !flows {
            self.0 = Some((ssrc, now));
        }
        !flows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_secs(1000);

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn described() -> Path {
        let mut path = Path::default();
        path.describe(NOW, address("203.0.113.5:7000"));
        path
    }

    /// A packet from there: whether it was taken.
    fn packet(path: &mut Path, now: Instant, from: &str) -> bool {
        let admitted = path.admits(now, address(from), Some(address("198.51.100.1:0").ip()));
        if admitted {
            path.learn(now, address(from));
        }
        admitted
    }

    #[test]
    fn before_a_description_nobody_is_the_phone() {
        assert!(!packet(&mut Path::default(), NOW, "203.0.113.5:7000"));
    }

    #[test]
    fn the_described_place_takes_over_from_who_was_quicker_and_keeps_it() {
        let mut path = described();
        assert!(packet(&mut path, NOW, "203.0.113.5:6666"), "behind NAT it would be the phone");
        assert_eq!(path.destination(), Some(address("203.0.113.5:6666")));
        assert!(packet(&mut path, NOW, "203.0.113.5:7000"));
        assert_eq!(path.destination(), Some(address("203.0.113.5:7000")));
        assert!(!packet(&mut path, NOW, "203.0.113.5:6666"));
        path.describe(NOW, address("203.0.113.5:7000"));
        assert!(!packet(&mut path, NOW, "203.0.113.5:6666"), "also after the same description once more");
        assert!(!packet(&mut path, NOW, "198.51.100.1:6666"));
        assert_eq!(path.destination(), Some(address("203.0.113.5:7000")));
    }

    #[test]
    fn a_phone_behind_nat_is_latched_once_and_moves_once_after_a_new_description() {
        let mut path = described();
        assert!(packet(&mut path, NOW, "198.51.100.1:4000"));
        assert!(!packet(&mut path, NOW, "198.51.100.1:5000"));
        path.describe(NOW, address("203.0.113.5:7000"));
        assert!(!packet(&mut path, NOW + MOVING, "198.51.100.1:5000"), "too late");
        assert!(packet(&mut path, NOW, "198.51.100.1:5000"));
        assert!(!packet(&mut path, NOW, "198.51.100.1:6000"));
        assert_eq!(path.destination(), Some(address("198.51.100.1:5000")));
    }

    #[test]
    fn a_place_that_fell_silent_may_be_left_for_another_port_of_the_party() {
        let mut path = described();
        let second = Some(address("198.51.100.1:0").ip());
        let moved = |path: &Path, now, from| path.may_have_moved(now, address(from), second);
        assert!(!moved(&path, NOW + SILENT, "198.51.100.1:5000"), "nothing was learnt");
        packet(&mut path, NOW, "198.51.100.1:4000");
        assert!(!moved(&path, NOW + SILENT / 2, "198.51.100.1:5000"));
        assert!(moved(&path, NOW + SILENT, "198.51.100.1:5000"));
        assert!(!moved(&path, NOW + SILENT, "192.0.2.66:5000"), "a stranger");
        packet(&mut path, NOW + SILENT, "198.51.100.1:4000");
        assert!(!moved(&path, NOW + SILENT, "198.51.100.1:5000"), "it is still there");
    }

    #[test]
    fn an_address_that_nobody_named_is_a_strangers() {
        assert!(!packet(&mut described(), NOW, "192.0.2.66:7000"));
    }

    #[test]
    fn another_source_is_taken_once_the_first_is_quiet_or_a_new_description_came() {
        let mut source = Source::default();
        assert!(source.admits(NOW, 1));
        assert!(!source.admits(NOW + QUIET / 2, 2));
        assert!(source.admits(NOW + QUIET / 2, 1));
        assert!(!source.admits(NOW + QUIET, 2), "the first was heard since");
        assert!(source.admits(NOW + QUIET * 2, 2));
        assert!(!source.admits(NOW + QUIET * 2, 1));
        source.describe();
        assert!(source.admits(NOW + QUIET * 2, 1));
    }
}
