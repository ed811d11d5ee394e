//! The keys of the STUN and TURN servers that pages are told.

use super::{Default, Example, Section, key};

pub(super) const ICE: Section = Section {
    name: "ice",
    about: "STUN and TURN servers for browsers, told to a page when it has registered over WebSocket. TURN servers get\n\
            a name and a password that are made for the user and end by themselves; see docs/turn.md.",
    keys: &[
        key(
            "ice_servers",
            Example("[\"turn:turn.example.com:3478\", \"turns:turn.example.com:443?transport=tcp\"]"),
            "URLs, as browsers take them: stun:, stuns:, turn: and turns: (RFC 7064, RFC 7065).",
        ),
        key(
            "turn_secret",
            Example("\"/etc/ssl/turn-secret\""),
            "A file with the secret that the TURN servers have too (coturn: use-auth-secret, static-auth-secret).",
        ),
        key(
            "turn_lifetime",
            Default("\"24h\""),
            "How long a name and its password are good; a page gets new ones with each registration. Longer than the\n\
             longest call, and no shorter than maximum_expires, which is the default where it is more than a day.",
        ),
    ],
};
