//! Which calls between two of a kind go through us all the same.

use media::Side;

/// The calls whose media goes through the gateway although the two could talk directly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// None: what needs no translation passes untouched.
    #[default]
    Never,
    /// Those between two phones: one that is behind NAT can rarely send to another.
    Phones,
    /// Those between two browsers, too.
    Always,
}

impl Anchor {
    /// Whether a call between two of this kind goes through us.
    pub(super) const fn covers(self, kind: Side) -> bool {
        match (self, kind) {
            (Self::Never, _) | (Self::Phones, Side::Browser) => false,
            (Self::Phones, Side::Phone) | (Self::Always, _) => true,
        }
    }
}
