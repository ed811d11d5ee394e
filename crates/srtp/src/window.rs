//! Which packets of a source were seen, and which rollover counter a packet belongs to (RFC 3711 §3.3.1, §3.3.2).

/// How many packets back are remembered. RFC 3711 §3.3.2 asks for 64.
const SIZE: u64 = 128;
/// RFC 3711 §9.2: no more RTP packets of a source than that under one key.
pub(crate) const MOST_PACKETS: u64 = 1 << 48;

/// The packets of one source, by their index: the sequence number, with the rollover counter before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    /// The highest index.
    highest: Option<u64>,
    /// Bit `n`: `n` before the highest was seen.
    seen: u128,
}

impl Window {
    /// The index that a packet with this sequence number most likely has. `None` when it is from before the first.
    pub(crate) fn estimate(&self, sequence: u16) -> Option<u64> {
        const HALF: u16 = 1 << 15;
        let Some(highest) = self.highest else { return Some(u64::from(sequence)) };
        let (turn, last) = (highest >> 16, (highest & 0xffff) as u16);
        // RFC 3711 appendix A.
        let turn = if last < HALF {
            if sequence.saturating_sub(last) > HALF { turn.checked_sub(1)? } else { turn }
        } else if last.wrapping_sub(HALF) > sequence {
            turn.checked_add(1)?
        } else {
            turn
        };
        Some(turn << 16 | u64::from(sequence))
    }

    /// The index with this sequence number one turn after the one that it most likely has.
    pub(crate) fn one_turn_on(&self, sequence: u16) -> Option<u64> {
        // None is from before the first turn.
        self.estimate(sequence).map_or(Some(u64::from(sequence)), |likely| likely.checked_add(1 << 16))
    }

    /// Whether nothing was seen yet.
    pub(crate) const fn is_empty(&self) -> bool {
        self.highest.is_none()
    }

    /// Whether an index lies so far back that nobody knows whether it was seen.
    pub(crate) fn is_too_old(&self, index: u64) -> bool {
        self.highest.is_some_and(|highest| highest.saturating_sub(index) >= SIZE)
    }

    /// Whether a packet of this index was not seen yet, and is not too old to know.
    pub(crate) fn is_new(&self, index: u64) -> bool {
        let Some(highest) = self.highest else { return true };
        match highest.checked_sub(index) {
            None => true,
            Some(behind) => behind < SIZE && self.seen & (1 << behind) == 0,
        }
    }

    /// Remembers an authentic packet.
    pub(crate) fn record(&mut self, index: u64) {
        match self.highest {
            Some(highest) if index <= highest => {
                let behind = highest - index;
                if behind < SIZE {
                    self.seen |= 1 << behind;
                }
            }
            Some(highest) => {
                let ahead = index - highest;
                self.seen = if ahead < SIZE { self.seen << ahead | 1 } else { 1 };
                self.highest = Some(index);
            }
            None => {
                self.seen = 1;
                self.highest = Some(index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(indices: &[u64]) -> Window {
        let mut window = Window::default();
        indices.iter().for_each(|index| window.record(*index));
        window
    }

    #[test]
    fn a_sequence_number_past_the_wrap_belongs_to_the_next_turn() {
        assert_eq!(seen(&[65_535]).estimate(0), Some(65_536));
        assert_eq!(seen(&[65_000]).estimate(200), Some(65_736));
        assert_eq!(seen(&[65_536 + 3]).estimate(65_530), Some(65_530));
        assert_eq!(seen(&[3 * 65_536 + 40_000]).estimate(41_000), Some(3 * 65_536 + 41_000));
    }

    #[test]
    fn what_would_lie_before_the_first_turn_has_no_index() {
        assert_eq!(seen(&[3]).estimate(65_530), None);
    }

    #[test]
    fn a_packet_is_new_once_in_any_order() {
        let mut window = seen(&[100]);
        for index in [101, 99, 228, 227, 102, 500] {
            assert!(window.is_new(index), "{index}");
            window.record(index);
            assert!(!window.is_new(index), "{index}");
        }
    }

    #[test]
    fn a_packet_is_known_for_as_long_as_the_window_reaches() {
        let window = seen(&[1000, 1000 + SIZE - 1]);
        assert!(!window.is_new(1000));
        assert!(window.is_new(1001));
        let window = seen(&[1000, 1000 + SIZE]);
        assert!(!window.is_new(1000), "too old to know");
        assert!(!window.is_new(999), "too old to know");
        assert!(window.is_new(1001));
    }
}
