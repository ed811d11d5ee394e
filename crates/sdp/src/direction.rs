//! Which way media flows (RFC 8866 §6.7, RFC 3264 §5.1, §6.1).

/// The direction attribute of a media section.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Both ways; also what holds where nothing is written.
    #[default]
    SendReceive,
    /// Only from the one who wrote it.
    SendOnly,
    /// Only to the one who wrote it.
    ReceiveOnly,
    /// Neither way.
    Inactive,
}

impl Direction {
    /// The attribute's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SendReceive => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::ReceiveOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// The direction that an attribute of this name says.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        [Self::SendReceive, Self::SendOnly, Self::ReceiveOnly, Self::Inactive]
            .into_iter()
            .find(|direction| direction.name().as_bytes() == name)
    }

    /// Whether the one who wrote it wants to receive.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendReceive | Self::ReceiveOnly)
    }

    /// Whether the one who wrote it wants to send.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendReceive | Self::SendOnly)
    }

    /// The direction of one who sends or not, and receives or not.
    #[must_use]
    pub const fn of(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendReceive,
            (true, false) => Self::SendOnly,
            (false, true) => Self::ReceiveOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// What of this direction an answer may keep toward an offer of that direction (RFC 3264 §6.1): it sends
    /// only what the other receives, and receives only what the other sends.
    #[must_use]
    pub const fn answering(self, offer: Self) -> Self {
        Self::of(self.sends() && offer.receives(), self.receives() && offer.sends())
    }
}
