//! The keys of the log.

use super::{Default, Example, Section, key};

pub(super) const LOG: Section = Section {
    name: "log",
    about: "What is written to standard error, and the record of calls.",
    keys: &[
        key("level", Default("\"info\""), "error, warning, info or debug."),
        key(
            "calls",
            Example("\"/var/log/sipweb/calls.jsonl\""),
            "A file that gets one line of JSON for each call that the media gateway joins: when, who, the figures of both\n\
             legs, and what was wrong. It is opened anew for each line, so it may be moved away at any time.",
        ),
    ],
};
