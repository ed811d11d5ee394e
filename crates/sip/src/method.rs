//! Request methods (RFC 3261 §7.1). Method names are compared by case.

/// A request method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method<'a> {
    /// RFC 3261 §13.
    Invite,
    /// RFC 3261 §13.
    Ack,
    /// RFC 3261 §15.
    Bye,
    /// RFC 3261 §9.
    Cancel,
    /// RFC 3261 §10.
    Register,
    /// RFC 3261 §11.
    Options,
    /// RFC 3428.
    Message,
    /// RFC 6665.
    Subscribe,
    /// RFC 6665.
    Notify,
    /// RFC 3903.
    Publish,
    /// RFC 3515.
    Refer,
    /// RFC 6086.
    Info,
    /// RFC 3311.
    Update,
    /// RFC 3262.
    Prack,
    /// Any other token.
    Other(&'a [u8]),
}

impl<'a> Method<'a> {
    /// The methods known by name, in the order an `Allow` header lists them.
    pub const KNOWN: [Method<'static>; 14] = [
        Method::Invite,
        Method::Ack,
        Method::Cancel,
        Method::Options,
        Method::Bye,
        Method::Register,
        Method::Message,
        Method::Subscribe,
        Method::Notify,
        Method::Publish,
        Method::Refer,
        Method::Info,
        Method::Update,
        Method::Prack,
    ];

    /// The method that `name` names.
    #[must_use]
    pub fn from_bytes(name: &'a [u8]) -> Self {
        match name {
            b"INVITE" => Self::Invite,
            b"ACK" => Self::Ack,
            b"BYE" => Self::Bye,
            b"CANCEL" => Self::Cancel,
            b"REGISTER" => Self::Register,
            b"OPTIONS" => Self::Options,
            b"MESSAGE" => Self::Message,
            b"SUBSCRIBE" => Self::Subscribe,
            b"NOTIFY" => Self::Notify,
            b"PUBLISH" => Self::Publish,
            b"REFER" => Self::Refer,
            b"INFO" => Self::Info,
            b"UPDATE" => Self::Update,
            b"PRACK" => Self::Prack,
            other => Self::Other(other),
        }
    }

    /// The method's name as written in a message.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        match self {
            Self::Invite => b"INVITE",
            Self::Ack => b"ACK",
            Self::Bye => b"BYE",
            Self::Cancel => b"CANCEL",
            Self::Register => b"REGISTER",
            Self::Options => b"OPTIONS",
            Self::Message => b"MESSAGE",
            Self::Subscribe => b"SUBSCRIBE",
            Self::Notify => b"NOTIFY",
            Self::Publish => b"PUBLISH",
            Self::Refer => b"REFER",
            Self::Info => b"INFO",
            Self::Update => b"UPDATE",
            Self::Prack => b"PRACK",
            Self::Other(name) => name,
        }
    }

    /// Whether the method is one of [`Method::KNOWN`].
    #[must_use]
    pub fn is_known(&self) -> bool {
        !matches!(self, Self::Other(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn method_names_are_read_and_written_by_case() {
        for method in Method::KNOWN {
            assert_eq!(Method::from_bytes(method.as_bytes()), method);
        }
        assert_eq!(Method::from_bytes(b"invite"), Method::Other(b"invite"));
        assert_eq!(Method::from_bytes(b"RE%47IST%45R"), Method::Other(b"RE%47IST%45R"));
    }
}
