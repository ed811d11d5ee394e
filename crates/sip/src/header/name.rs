//! Header names: one enum, found by a hash that is laid out at compile time (RFC 3261 §7.3.1, §7.3.3, §20).
//!
//! Names are compared without regard to case; the one-letter compact forms are the same headers.

macro_rules! header_names {
    ($($variant:ident $text:literal $compact:literal),* $(,)?) => {
        /// The name of a header field. [`HeaderName::Other`] stands for every name that is not listed; its text
        /// is in the message ([`Field::text`](crate::message::Field)).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum HeaderName {
            $(#[doc = concat!("`", $text, "`")] $variant,)*
            /// Any other name.
            Other,
        }

        /// Full names, in the order of the enum.
        const NAMES: &[&str] = &[$($text),*];
        /// Compact forms, in the order of the enum; empty where there is none.
        const COMPACT: &[&str] = &[$($compact),*];
        const VARIANTS: &[HeaderName] = &[$(HeaderName::$variant),*];
    };
}

header_names! {
    Via "Via" "v",
    From "From" "f",
    To "To" "t",
    CallId "Call-ID" "i",
    CSeq "CSeq" "",
    MaxForwards "Max-Forwards" "",
    Contact "Contact" "m",
    Route "Route" "",
    RecordRoute "Record-Route" "",
    ContentLength "Content-Length" "l",
    ContentType "Content-Type" "c",
    ContentEncoding "Content-Encoding" "e",
    ContentDisposition "Content-Disposition" "",
    ContentLanguage "Content-Language" "",
    Path "Path" "",
    ServiceRoute "Service-Route" "",
    Expires "Expires" "",
    MinExpires "Min-Expires" "",
    Authorization "Authorization" "",
    WwwAuthenticate "WWW-Authenticate" "",
    ProxyAuthenticate "Proxy-Authenticate" "",
    ProxyAuthorization "Proxy-Authorization" "",
    AuthenticationInfo "Authentication-Info" "",
    ProxyAuthenticationInfo "Proxy-Authentication-Info" "",
    Require "Require" "",
    ProxyRequire "Proxy-Require" "",
    Supported "Supported" "k",
    Unsupported "Unsupported" "",
    Allow "Allow" "",
    Accept "Accept" "",
    AcceptEncoding "Accept-Encoding" "",
    AcceptLanguage "Accept-Language" "",
    AcceptContact "Accept-Contact" "a",
    RejectContact "Reject-Contact" "j",
    RequestDisposition "Request-Disposition" "d",
    UserAgent "User-Agent" "",
    Server "Server" "",
    Reason "Reason" "",
    Warning "Warning" "",
    RetryAfter "Retry-After" "",
    Event "Event" "o",
    AllowEvents "Allow-Events" "u",
    SubscriptionState "Subscription-State" "",
    SipETag "SIP-ETag" "",
    SipIfMatch "SIP-If-Match" "",
    ReferTo "Refer-To" "r",
    ReferredBy "Referred-By" "b",
    ReferSub "Refer-Sub" "",
    Replaces "Replaces" "",
    SessionExpires "Session-Expires" "x",
    MinSe "Min-SE" "",
    RSeq "RSeq" "",
    RAck "RAck" "",
    Date "Date" "",
    Subject "Subject" "s",
    Timestamp "Timestamp" "",
    Priority "Priority" "",
    Organization "Organization" "",
    InReplyTo "In-Reply-To" "",
    ReplyTo "Reply-To" "",
    AlertInfo "Alert-Info" "",
    CallInfo "Call-Info" "",
    ErrorInfo "Error-Info" "",
    MimeVersion "MIME-Version" "",
    PAssertedIdentity "P-Asserted-Identity" "",
    PPreferredIdentity "P-Preferred-Identity" "",
    Privacy "Privacy" "",
    Identity "Identity" "y",
    HistoryInfo "History-Info" "",
    Diversion "Diversion" "",
    FlowTimer "Flow-Timer" "",
    MaxBreadth "Max-Breadth" "",
    InfoPackage "Info-Package" "",
    RecvInfo "Recv-Info" "",
    GeoLocation "Geolocation" "",
}

const SLOTS: usize = 256;
const EMPTY: u8 = u8::MAX;

/// Slot to variant, by open addressing.
static TABLE: [u8; SLOTS] = table();

/// Length, first, middle and last letter tell most names apart.
const fn hash(length: usize, first: u8, middle: u8, last: u8) -> usize {
    let mixed = (length as u32)
        .wrapping_mul(0x9e37_79b1)
        .wrapping_add(((first | 0x20) as u32).wrapping_mul(0x85eb_ca6b))
        .wrapping_add(((middle | 0x20) as u32).wrapping_mul(0xc2b2_ae35))
        .wrapping_add(((last | 0x20) as u32).wrapping_mul(0x27d4_eb2f));
    (mixed >> 24) as usize
}

#[allow(clippy::indexing_slicing, reason = "evaluated at compile time")]
const fn insert(table: &mut [u8; SLOTS], name: &[u8], variant: u8) {
    if name.is_empty() {
        return;
    }
    let mut slot = hash(name.len(), name[0], name[name.len() / 2], name[name.len() - 1]);
    while table[slot] != EMPTY {
        slot = (slot + 1) % SLOTS;
    }
    table[slot] = variant;
}

#[allow(clippy::indexing_slicing, reason = "evaluated at compile time")]
const fn table() -> [u8; SLOTS] {
    let mut table = [EMPTY; SLOTS];
    let mut variant = 0;
    while variant < NAMES.len() {
        insert(&mut table, NAMES[variant].as_bytes(), variant as u8);
        insert(&mut table, COMPACT[variant].as_bytes(), variant as u8);
        variant += 1;
    }
    table
}

impl HeaderName {
    /// How many names there are, [`HeaderName::Other`] not counted.
    pub(crate) const COUNT: usize = NAMES.len();

    /// The header that `name` names, in any case of letters, in full or compact form.
    #[must_use]
    pub fn parse(name: &[u8]) -> Self {
        let (Some(&first), Some(&middle), Some(&last)) =
            (name.first(), name.get(name.len() / 2), name.last())
        else {
            return Self::Other;
        };
        let mut slot = hash(name.len(), first, middle, last);
        while let Some(&variant) = TABLE.get(slot).filter(|&&variant| variant != EMPTY) {
            let index = usize::from(variant);
            let text = if name.len() == 1 { COMPACT.get(index) } else { NAMES.get(index) };
            // Nearly everybody writes them as the RFC does.
            if text.is_some_and(|text| text.as_bytes() == name || text.as_bytes().eq_ignore_ascii_case(name))
            {
                return VARIANTS.get(index).copied().unwrap_or(Self::Other);
            }
            slot = (slot + 1) % SLOTS;
        }
        Self::Other
    }

    /// The name as this crate writes it; empty for [`HeaderName::Other`].
    #[must_use]
    pub fn as_str(self) -> &'static str {
        NAMES.get(self as usize).copied().unwrap_or_default()
    }

    /// Every known name.
    pub fn all() -> impl Iterator<Item = Self> {
        VARIANTS.iter().copied()
    }

    /// Whether the header's value is a comma-separated list that may be spread over several fields
    /// (RFC 3261 §7.3.1). The four authentication headers repeat too, but their commas part parameters.
    #[must_use]
    pub const fn is_list(self) -> bool {
        matches!(
            self,
            Self::Via
                | Self::Contact
                | Self::Route
                | Self::RecordRoute
                | Self::Path
                | Self::ServiceRoute
                | Self::ContentEncoding
                | Self::ContentLanguage
                | Self::Require
                | Self::ProxyRequire
                | Self::Supported
                | Self::Unsupported
                | Self::Allow
                | Self::Accept
                | Self::AcceptEncoding
                | Self::AcceptLanguage
                | Self::AcceptContact
                | Self::RejectContact
                | Self::RequestDisposition
                | Self::Reason
                | Self::Warning
                | Self::AllowEvents
                | Self::InReplyTo
                | Self::AlertInfo
                | Self::CallInfo
                | Self::ErrorInfo
                | Self::PAssertedIdentity
                | Self::PPreferredIdentity
                | Self::HistoryInfo
                | Self::Diversion
                | Self::RecvInfo
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case_and_in_its_compact_form() {
        for name in HeaderName::all() {
            assert_eq!(HeaderName::parse(name.as_str().as_bytes()), name);
            assert_eq!(HeaderName::parse(name.as_str().to_ascii_uppercase().as_bytes()), name);
            assert_eq!(HeaderName::parse(name.as_str().to_ascii_lowercase().as_bytes()), name);
            let compact = COMPACT[name as usize];
            if !compact.is_empty() {
                assert_eq!(HeaderName::parse(compact.as_bytes()), name);
            }
        }
    }

    #[test]
    fn other_names_are_other() {
        for name in ["", "X-Something", "z", "Vi", "Viaa", "Call_ID", "\u{fc}"] {
            assert_eq!(HeaderName::parse(name.as_bytes()), HeaderName::Other);
        }
        assert_eq!(HeaderName::Other.as_str(), "");
    }
}
