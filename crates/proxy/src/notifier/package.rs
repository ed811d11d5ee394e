//! The event packages that the server knows something for.

/// An event package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Package {
    /// Whether a user is in a call (RFC 4235): busy lamps.
    Dialog,
    /// Whether a user is there (RFC 3856), as the registrar knows it or as he says himself (PUBLISH, RFC 3903).
    Presence,
    /// Whether messages wait for a user (RFC 3842); told to himself and to trusted peers.
    MessageSummary,
    /// Where a user is signed in (RFC 3680); told to himself and to trusted peers.
    Registration,
}

impl Package {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Dialog, Self::Presence, Self::MessageSummary, Self::Registration];

    /// Its name in Event and Allow-Events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dialog => "dialog",
            Self::Presence => "presence",
            Self::MessageSummary => "message-summary",
            Self::Registration => "reg",
        }
    }

    /// The package of that name. Names are compared octet by octet (RFC 6665 §8.2.1), but phones differ in their case.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|package| package.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// The type of its documents.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Dialog => "application/dialog-info+xml",
            Self::Presence => super::presence::PIDF,
            Self::MessageSummary => "application/simple-message-summary",
            Self::Registration => "application/reginfo+xml",
        }
    }
}
