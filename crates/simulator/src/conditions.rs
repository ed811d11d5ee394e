//! What the network does to messages.

use crate::dice::{Dice, Span};

/// The network's manners. Loss, duplication and overtaking happen to datagrams only; on a connection everything
/// arrives once and in order, late at worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conditions {
    /// Of a thousand datagrams so many are lost.
    pub lost: u32,
    /// Of a thousand datagrams so many arrive twice.
    pub doubled: u32,
    /// Of a thousand datagrams so many are held up, so that later ones overtake them.
    pub overtaken: u32,
    /// How long a message is on its way.
    pub delay: Span,
    /// How much longer one that is held up takes.
    pub hold_up: Span,
    /// How long a server's store, list of users and resolver take to answer.
    pub answer: Span,
    /// Of a thousand records so many are not stored.
    pub unstored: u32,
}

impl Conditions {
    /// Everything arrives once, in order, after 10 ms; questions are answered at once.
    pub const PERFECT: Self = Self {
        lost: 0,
        doubled: 0,
        overtaken: 0,
        delay: Span::milliseconds(10, 10),
        hold_up: Span::NONE,
        answer: Span::NONE,
        unstored: 0,
    };

    /// Some bad network, drawn by `seed`: up to 30 % loss, up to 20 % doubled, up to 30 % overtaken, up to 2 s on
    /// the way. Each of them is left out at times, so that no fault hides behind another.
    #[must_use]
    pub fn bad(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 0xbad);
        let mut share = |most: u64| {
            let wanted = dice.below(4) > 0;
            let share = u32::try_from(dice.below(most + 1)).unwrap_or(0);
            if wanted { share } else { 0 }
        };
        let (lost, doubled, overtaken) = (share(300), share(200), share(300));
        let most = [20, 200, 1000, 2000][usize::try_from(dice.below(4)).unwrap_or(0)];
        Self {
            lost,
            doubled,
            overtaken,
            delay: Span::milliseconds(1, most),
            hold_up: Span::milliseconds(0, 2000),
            answer: Span::milliseconds(0, [0, 50, 500][usize::try_from(dice.below(3)).unwrap_or(0)]),
            unstored: 0,
        }
    }
}
