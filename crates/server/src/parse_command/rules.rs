//! Where the rule stands that a message breaks.

use sip::header::HeaderName;

/// The start line.
pub(super) const START_LINE: &str = "RFC 3261 §7.1, §7.2";
/// Where a message ends.
pub(super) const CONTENT_LENGTH: &str = "RFC 3261 §18.3";
/// The body.
pub(super) const SESSION_DESCRIPTION: &str = "RFC 8866 §5";
/// Header lines as such.
const LINES: &str = "RFC 3261 §7.3";

/// The section that a fault is about: that of the header, or that of the line it is in.
pub(super) fn broken(header: Option<HeaderName>, line: usize) -> &'static str {
    if header.is_none() && line == 1 { START_LINE } else { of(header) }
}

/// The section that defines a header.
pub(super) fn of(header: Option<HeaderName>) -> &'static str {
    match header {
        None => LINES,
        Some(HeaderName::Via) => "RFC 3261 §20.42",
        Some(HeaderName::From) => "RFC 3261 §20.20",
        Some(HeaderName::To) => "RFC 3261 §20.39",
        Some(HeaderName::CallId) => "RFC 3261 §20.8",
        Some(HeaderName::CSeq) => "RFC 3261 §20.16",
        Some(HeaderName::MaxForwards) => "RFC 3261 §20.22",
        Some(HeaderName::Contact) => "RFC 3261 §20.10",
        Some(HeaderName::Route) => "RFC 3261 §20.34",
        Some(HeaderName::RecordRoute) => "RFC 3261 §20.30",
        Some(HeaderName::ContentLength) => "RFC 3261 §20.14",
        Some(HeaderName::ContentType) => "RFC 3261 §20.15",
        Some(HeaderName::Path) => "RFC 3327 §4",
        Some(HeaderName::ServiceRoute) => "RFC 3608 §5",
        Some(HeaderName::Expires) => "RFC 3261 §20.19",
        Some(HeaderName::MinExpires) => "RFC 3261 §20.23",
        Some(HeaderName::Authorization) => "RFC 3261 §20.7",
        Some(HeaderName::ProxyAuthorization) => "RFC 3261 §20.28",
        Some(HeaderName::WwwAuthenticate) => "RFC 3261 §20.44",
        Some(HeaderName::ProxyAuthenticate) => "RFC 3261 §20.27",
        Some(HeaderName::AuthenticationInfo | HeaderName::ProxyAuthenticationInfo) => "RFC 7616 §3.5",
        Some(HeaderName::Require) => "RFC 3261 §20.32",
        Some(HeaderName::ProxyRequire) => "RFC 3261 §20.29",
        Some(HeaderName::Supported) => "RFC 3261 §20.37",
        Some(HeaderName::Unsupported) => "RFC 3261 §20.40",
        Some(HeaderName::Allow) => "RFC 3261 §20.5",
        Some(HeaderName::Date) => "RFC 3261 §20.17",
        Some(HeaderName::Warning) => "RFC 3261 §20.43",
        Some(HeaderName::Reason) => "RFC 3326 §2",
        Some(HeaderName::Event) => "RFC 6665 §8.2.1",
        Some(HeaderName::SubscriptionState) => "RFC 6665 §8.2.3",
        Some(HeaderName::ReferTo) => "RFC 3515 §2.1",
        Some(HeaderName::ReferredBy) => "RFC 3892 §3",
        Some(HeaderName::Replaces) => "RFC 3891 §6.1",
        Some(HeaderName::SessionExpires) => "RFC 4028 §4",
        Some(HeaderName::MinSe) => "RFC 4028 §5",
        Some(HeaderName::RSeq) => "RFC 3262 §7.1",
        Some(HeaderName::RAck) => "RFC 3262 §7.2",
        Some(_) => "RFC 3261 §20, §25.1",
    }
}
