//! Keys that a phone presses, heard as telephone events (RFC 4733), each once.
//!
//! An event is told when it is over: then its length is known. Its end is sent more than once and may still be lost;
//! then it is told when the next one begins, or when nothing of it has come for a while and the sound goes on.

use crate::rtp::Packet;
use crate::telephone_events::Digit;
use sip::Instant;
use std::time::Duration;

/// So long after the last packet of an event it is over, end or not.
const OVER: Duration = Duration::from_millis(300);
/// So long a packet of the event before may straggle; afterwards the phone counts time anew.
const STRAGGLERS: Duration = Duration::from_secs(1);
/// Keys are further apart (ITU-T Q.24 has 40 ms as the least): nobody makes us tell more than people press.
const APART: Duration = Duration::from_millis(30);
/// So many more may come at once: what a network has held back for a while.
const AT_ONCE: u32 = 8;

/// A pressed key.
pub(crate) type Pressed = (Digit, Duration);

#[derive(Clone, Copy, Debug)]
struct Heard {
    ssrc: u32,
    timestamp: u32,
    code: u8,
    /// In ticks of its clock, all segments together.
    duration: u32,
    /// Of those the ones of the segments that are over.
    segments: u32,
    clock: u32,
    at: Instant,
    told: bool,
}

/// What was heard of the keys of one phone.
#[derive(Debug)]
pub(crate) struct HeardKeys {
    last: Option<Heard>,
    /// When the keys that were told would all have come, had they come as far apart as keys are.
    paced: Instant,
}

impl Default for HeardKeys {
    fn default() -> Self {
        Self { last: None, paced: Instant::ZERO }
    }
}

impl HeardKeys {
    /// A packet of events; `clock` is that of its payload type. The key that is over by it.
    pub(crate) fn event(&mut self, now: Instant, packet: &Packet<'_>, clock: u32) -> Option<Pressed> {
        let [code, flags, high, low] = *packet.payload.first_chunk::<4>()?;
        let (over, duration) = (flags & 0x80 != 0, u32::from(u16::from_be_bytes([high, low])));
        let fresh = Heard {
            ssrc: packet.ssrc,
            timestamp: packet.timestamp,
            code,
            duration,
            segments: 0,
            clock,
            at: now,
            told: false,
        };
        let mut lost = None;
        let mut heard = match self.last {
            None => fresh,
            Some(last) if last.ssrc != packet.ssrc => {
                lost = self.tell();
                fresh
            }
            Some(last) if last.timestamp == packet.timestamp => last,
            Some(last) if is_next_segment(&last, &fresh) => {
                Heard { timestamp: packet.timestamp, segments: last.duration, ..last }
            }
            Some(last) if is_earlier(&last, &fresh) => return None,
            Some(_) => {
                lost = self.tell();
                fresh
            }
        };
        heard.duration = heard.duration.max(heard.segments.saturating_add(duration));
        heard.at = now;
        self.last = Some(heard);
        if lost.is_some() || !over { lost } else { self.tell() }
    }

    /// A packet of sound: the key that is over by it.
    pub(crate) fn sound(&mut self, now: Instant) -> Option<Pressed> {
        let last = self.last.filter(|last| !last.told)?;
        if now.saturating_since(last.at) < OVER { None } else { self.tell() }
    }

    fn tell(&mut self) -> Option<Pressed> {
        let last = self.last.as_mut().filter(|last| !last.told)?;
        last.told = true;
        let at = last.at;
        let paced = self.paced.max(at);
        if paced.saturating_since(at) >= APART * AT_ONCE {
            return None;
        }
        let digit = Digit::of_event(last.code)?;
        self.paced = paced + APART;
        let micros = u64::from(last.duration).saturating_mul(1_000_000) / u64::from(last.clock.max(1));
        Some((digit, Duration::from_micros(micros)))
    }
}

/// RFC 4733 §2.5.1.3: what is longer than its field goes on under the timestamp at which the field was full.
fn is_next_segment(last: &Heard, next: &Heard) -> bool {
    let length = last.duration.saturating_sub(last.segments);
    !last.told
        && last.code == next.code
        && length == u32::from(u16::MAX)
        && next.timestamp == last.timestamp.wrapping_add(length)
}

/// Whether it belongs to an event before the last one.
fn is_earlier(last: &Heard, next: &Heard) -> bool {
    next.timestamp.wrapping_sub(last.timestamp).cast_signed() < 0
        && next.at.saturating_since(last.at) < STRAGGLERS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A phone's events, 20 ms apart.
    struct Phone {
        keys: HeardKeys,
        now: Instant,
        ssrc: u32,
    }

    impl Phone {
        fn new() -> Self {
            Self { keys: HeardKeys::default(), now: Instant::from_secs(1), ssrc: 1 }
        }

        fn event(&mut self, code: u8, timestamp: u32, duration: u16, end: bool) -> Option<(u8, u128)> {
            self.now += Duration::from_millis(20);
            let [high, low] = duration.to_be_bytes();
            let payload = [code, if end { 0x8a } else { 0x0a }, high, low];
            let packet = Packet {
                marker: false,
                payload_type: 101,
                sequence: 0,
                timestamp,
                ssrc: self.ssrc,
                payload: &payload,
            };
            self.keys.event(self.now, &packet, 8000).map(named)
        }
    }

    fn named((digit, duration): Pressed) -> (u8, u128) {
        (digit.letter(), duration.as_millis())
    }

    #[test]
    fn a_key_is_told_once_when_it_is_over_although_its_end_comes_three_times() {
        let mut phone = Phone::new();
        assert_eq!(phone.event(4, 1000, 160, false), None);
        assert_eq!(phone.event(4, 1000, 320, false), None);
        assert_eq!(phone.event(4, 1000, 480, true), Some((b'4', 60)));
        assert_eq!(phone.event(4, 1000, 480, true), None);
        assert_eq!(phone.event(4, 1000, 480, true), None);
        assert_eq!(phone.keys.sound(phone.now + OVER), None);
    }

    #[test]
    fn the_same_key_twice_is_two_keys() {
        let mut phone = Phone::new();
        assert_eq!(phone.event(11, 1000, 800, true), Some((b'#', 100)));
        assert_eq!(phone.event(11, 3000, 160, false), None);
        assert_eq!(phone.event(11, 3000, 800, true), Some((b'#', 100)));
    }

    #[test]
    fn a_key_whose_end_was_lost_is_told_with_the_next_or_when_the_sound_goes_on() {
        let mut phone = Phone::new();
        phone.event(4, 1000, 480, false);
        assert_eq!(phone.event(2, 3000, 160, false), Some((b'4', 60)));
        phone.event(2, 3000, 320, false);
        assert_eq!(phone.keys.sound(phone.now), None, "a phone may send sound beside its events");
        assert_eq!(phone.keys.sound(phone.now + OVER).map(named), Some((b'2', 40)));
        assert_eq!(phone.event(2, 3000, 480, true), None, "it has been told");
    }

    #[test]
    fn keys_that_the_network_held_back_and_delivers_at_once_are_all_told() {
        let mut phone = Phone::new();
        let arrived = phone.now;
        let told: Vec<_> = (0..6)
            .flat_map(|key| (0..3).map(move |_copy| key))
            .filter_map(|key| {
                phone.now = arrived;
                phone.event(key, 1000 + 1120 * u32::from(key), 560, true)
            })
            .map(|(letter, _)| letter)
            .collect();
        assert_eq!(told, b"012345");
    }

    #[test]
    fn a_straggler_of_the_key_before_is_nothing_new() {
        let mut phone = Phone::new();
        phone.event(4, 1000, 480, true);
        phone.event(2, 3000, 160, false);
        assert_eq!(phone.event(4, 1000, 480, true), None);
        assert_eq!(phone.event(2, 3000, 480, true), Some((b'2', 60)));
    }

    #[test]
    fn another_source_counts_time_anew() {
        let mut phone = Phone::new();
        phone.event(4, 900_000, 480, true);
        phone.ssrc = 2;
        phone.event(4, 1000, 160, false);
        assert_eq!(phone.event(4, 1000, 480, true), Some((b'4', 60)));
    }

    #[test]
    fn a_key_longer_than_its_field_is_one_key() {
        let mut phone = Phone::new();
        phone.event(5, 1000, u16::MAX, false);
        assert_eq!(phone.event(5, 1000 + u32::from(u16::MAX), 800, false), None);
        assert_eq!(phone.event(5, 1000 + u32::from(u16::MAX), 1601, true), Some((b'5', 8392)));
    }

    #[test]
    fn nobody_makes_us_tell_more_keys_than_people_press() {
        let mut phone = Phone::new();
        let told = (0..100).filter(|key| phone.event(5, 1000 * key, 160, true).is_some()).count();
        assert!(told <= 75, "one in 30 ms and eight more, where one comes every 20 ms: {told}");
    }

    #[test]
    fn what_is_no_key_is_not_told() {
        let mut phone = Phone::new();
        assert_eq!(phone.event(16, 1000, 480, true), None, "a flash");
        let packet =
            Packet { marker: false, payload_type: 101, sequence: 0, timestamp: 1, ssrc: 1, payload: &[4] };
        assert_eq!(phone.keys.event(phone.now, &packet, 8000), None);
    }
}
