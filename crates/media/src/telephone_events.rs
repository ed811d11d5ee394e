//! Digits played toward a phone as telephone events (RFC 4733), for a side that tells them by INFO.
//!
//! While a digit is played the sound of the browser is held back: all packets of an event carry the timestamp of its
//! beginning, so that nothing else fits between them (§2.5.1.2). Afterwards the sound goes on at the timestamp that
//! the clock has reached.

use crate::relay::{Outgoing, Relay};
use crate::rtp;
use sip::Instant;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Duration;

/// Between two packets of an event.
const INTERVAL: Duration = Duration::from_millis(20);
/// How often the last packet is sent (§2.5.1.4).
const ENDS: u8 = 3;
/// Between two digits, so that they are two (ITU-T Q.24 has 40 ms as the least).
const PAUSE: Duration = Duration::from_millis(60);
/// A shorter digit is not recognized everywhere, a longer one is nobody's intention.
const SHORTEST: Duration = Duration::from_millis(60);
const LONGEST: Duration = Duration::from_secs(5);
/// The most digits that wait.
const MOST: usize = 64;
/// The power level, in -dBm0 (§2.3.3).
const VOLUME: u8 = 10;

/// RFC 4733 §3.2, table 3: the codes are the positions here.
const KEYS: &[u8] = b"0123456789*#ABCD";

/// A key of a telephone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digit(u8);

impl Digit {
    /// The key with this letter: `0` to `9`, `*`, `#`, `A` to `D`. `None` for all others.
    #[must_use]
    pub fn of(letter: u8) -> Option<Self> {
        let code = KEYS.iter().position(|key| *key == letter.to_ascii_uppercase())?;
        u8::try_from(code).ok().map(Self)
    }

    /// The key that this event is; `None` for events that are no keys.
    pub(crate) fn of_event(code: u8) -> Option<Self> {
        (usize::from(code) < KEYS.len()).then_some(Self(code))
    }

    /// Its letter: `0` to `9`, `*`, `#`, `A` to `D`.
    #[must_use]
    pub fn letter(self) -> u8 {
        KEYS.get(usize::from(self.0)).copied().unwrap_or_default()
    }
}

/// How a side wants its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventFormat {
    pub(crate) payload_type: u8,
    pub(crate) clock: u32,
}

#[derive(Debug)]
struct Playing {
    digit: Digit,
    format: EventFormat,
    timestamp: u32,
    span: Duration,
    /// How much of it has been told.
    told: Duration,
    ends: u8,
}

/// The digits that are played and wait to be played in one direction of a stream.
#[derive(Debug)]
pub(crate) struct Player {
    waiting: VecDeque<(Digit, Duration)>,
    playing: Option<Playing>,
    next: Instant,
}

impl Default for Player {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), playing: None, next: Instant::ZERO }
    }
}

impl Player {
    /// One more digit. False when too many wait already.
    pub(crate) fn press(&mut self, now: Instant, digit: Digit, span: Duration) -> bool {
        if self.waiting.len() >= MOST {
            return false;
        }
        if self.playing.is_none() {
            self.next = self.next.max(now);
        }
        self.waiting.push_back((digit, span.clamp(SHORTEST, LONGEST)));
        true
    }

    /// Whether a digit is being played: nothing else may be sent.
    pub(crate) const fn is_playing(&self) -> bool {
        self.playing.is_some()
    }

    /// When the next packet is due.
    pub(crate) fn next(&self) -> Instant {
        if self.playing.is_some() || !self.waiting.is_empty() { self.next } else { Instant::NEVER }
    }

    /// Nothing more is wanted.
    pub(crate) fn stop(&mut self) {
        self.waiting.clear();
        self.playing = None;
    }

    /// The packet that is due.
    pub(crate) fn play(
        &mut self,
        now: Instant,
        format: EventFormat,
        relay: &mut Relay,
    ) -> Option<Outgoing<'static>> {
        if now < self.next() {
            return None;
        }
        let begins = self.playing.is_none();
        let mut playing = match self.playing.take() {
            Some(playing) => playing,
            None => {
                let (digit, span) = self.waiting.pop_front()?;
                let timestamp = relay.begin_event(now, format.clock);
                // The duration has 16 bits.
                let most = Duration::from_secs(u64::from(u16::MAX) / u64::from(format.clock.max(1)));
                let span = if most < INTERVAL { span } else { span.min(most) };
                Playing { digit, format, timestamp, span, told: Duration::ZERO, ends: 0 }
            }
        };
        playing.told = (playing.told + INTERVAL).min(playing.span);
        let over = playing.told == playing.span;
        let [high, low] = ticks(playing.told, playing.format.clock).to_be_bytes();
        let end = if over { 0x80 } else { 0 };
        let payload = vec![playing.digit.0, end | VOLUME, high, low];
        let begun = (playing.timestamp, playing.format.clock);
        let outgoing = relay.event(playing.format.payload_type, begins, begun, Cow::Owned(payload));
        playing.ends += u8::from(over);
        if playing.ends < ENDS {
            self.next = now + INTERVAL;
            self.playing = Some(playing);
        } else {
            self.next = now + PAUSE;
        }
        Some(outgoing)
    }
}

fn ticks(span: Duration, clock: u32) -> u16 {
    let ticks = rtp::ticks(u64::try_from(span.as_micros()).unwrap_or(u64::MAX), clock);
    u16::try_from(ticks).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip::SeededEntropy;

    const FORMAT: EventFormat = EventFormat { payload_type: 101, clock: 8000 };

    /// All packets of what is played, with their times.
    fn played(player: &mut Player, relay: &mut Relay) -> Vec<(Instant, Outgoing<'static>)> {
        let mut packets = Vec::new();
        while player.next() != Instant::NEVER {
            let now = player.next();
            packets.extend(player.play(now, FORMAT, relay).map(|packet| (now, packet)));
        }
        packets
    }

    fn fresh() -> (Player, Relay) {
        (Player::default(), Relay::new(&mut SeededEntropy::new(1)))
    }

    #[test]
    fn a_digit_grows_and_ends_three_times_under_one_timestamp() {
        let (mut player, mut relay) = fresh();
        assert!(player.press(Instant::from_secs(1), Digit::of(b'5').unwrap(), Duration::from_millis(100)));
        let packets = played(&mut player, &mut relay);
        let durations: Vec<(bool, u16)> = packets
            .iter()
            .map(|(_, packet)| {
                (packet.payload[1] & 0x80 != 0, u16::from_be_bytes([packet.payload[2], packet.payload[3]]))
            })
            .collect();
        let expected =
            [(false, 160), (false, 320), (false, 480), (false, 640), (true, 800), (true, 800), (true, 800)];
        assert_eq!(durations, expected);
        assert!(packets.iter().all(|(_, packet)| packet.payload[0] == 5 && packet.payload_type == 101));
        assert!(packets.iter().all(|(_, packet)| packet.timestamp == packets[0].1.timestamp));
        let markers: Vec<bool> = packets.iter().map(|(_, packet)| packet.marker).collect();
        assert_eq!(markers, [true, false, false, false, false, false, false]);
        for pair in packets.windows(2) {
            assert_eq!(pair[1].1.sequence, pair[0].1.sequence + 1);
            assert_eq!(pair[1].0, pair[0].0 + INTERVAL);
        }
    }

    #[test]
    fn two_digits_are_apart_in_time_and_timestamp() {
        let (mut player, mut relay) = fresh();
        for key in [b'1', b'#'] {
            player.press(Instant::from_secs(1), Digit::of(key).unwrap(), Duration::from_millis(100));
        }
        let packets = played(&mut player, &mut relay);
        let second = packets.iter().position(|(_, packet)| packet.payload[0] == 11).unwrap();
        let (first, second) = (&packets[0], &packets[second]);
        assert_eq!(second.0.saturating_since(first.0), Duration::from_millis(180));
        assert_eq!(second.1.timestamp.wrapping_sub(first.1.timestamp), 180 * 8);
        assert!(second.1.marker);
    }

    #[test]
    fn the_longest_event_of_a_fast_clock_fits_its_field() {
        let (mut player, mut relay) = fresh();
        player.press(Instant::ZERO, Digit::of(b'0').unwrap(), Duration::from_secs(60));
        let format = EventFormat { payload_type: 110, clock: 48_000 };
        let mut last = 0;
        while player.next() != Instant::NEVER {
            let packet = player.play(player.next(), format, &mut relay).unwrap();
            let duration = u16::from_be_bytes([packet.payload[2], packet.payload[3]]);
            assert!(duration >= last);
            last = duration;
        }
        assert_eq!(last, 48_000);
    }

    #[test]
    fn what_is_no_key_is_no_digit() {
        assert_eq!(Digit::of(b'd'), Digit::of(b'D'));
        assert_eq!((Digit::of(b'E'), Digit::of(b' ')), (None, None));
    }

    #[test]
    fn nobody_makes_digits_wait_without_end() {
        let (mut player, _) = fresh();
        let digit = Digit::of(b'1').unwrap();
        let taken = (0..1000).filter(|_| player.press(Instant::ZERO, digit, SHORTEST)).count();
        assert_eq!(taken, MOST);
    }
}
