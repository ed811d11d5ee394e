//! The keys of session timers.

use super::{Default, Section, key};

pub(super) const CALLS: Section = Section {
    name: "calls",
    about: "Session timers (RFC 4028): calls of whose end nobody hears, since a phone lost its power, end by themselves. With\n\
            nothing written here, what the two sides say of them passes as it is.",
    keys: &[
        key(
            "session_interval",
            Default("\"0s\""),
            "The interval of calls that ask for none, so that a phone with timers watches a call with one that has none; longer\n\
             ones are cut to it. 30m is usual, 0s is off.",
        ),
        key(
            "minimum_session_interval",
            Default("\"0s\""),
            "Shorter ones are refused (422), or raised where the caller has no timers. 90s at the least; 0s is any.",
        ),
    ],
};
