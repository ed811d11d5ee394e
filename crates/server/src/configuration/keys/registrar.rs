//! The keys of `[registrar]`.

use super::{Default, Section, key};

pub(super) const REGISTRAR: Section = Section {
    name: "registrar",
    about: "How long clients stay registered.",
    keys: &[
        key("minimum_expires", Default("\"60s\""), "Shorter registrations are refused (423)."),
        key("default_expires", Default("\"10m\""), "What a client gets that asks for nothing."),
        key("maximum_expires", Default("\"2h\""), "Longer registrations are cut to this."),
        key("max_contacts", Default("20"), "How many devices one user may have."),
        key(
            "flow_grace",
            Default("\"30s\""),
            "How long a page is expected back after its connection closed.",
        ),
        key(
            "flow_key_every",
            Default("\"1d\""),
            "How often the key changes by which the server knows its own Record-Routes and Paths again. Servers with the same\n\
             secret (in data) need the same value here. A change of it breaks calls that are up.",
        ),
        key(
            "flow_keys_kept",
            Default("\"30d\""),
            "How long an old key is known: longer than any call lasts, and no shorter than maximum_expires. At the most 250\n\
             times as long as it is in use.",
        ),
        key(
            "flow_timer",
            Default("\"0s\""),
            "How often outbound clients are told to show that they are there (Flow-Timer, RFC 5626); 0s leaves it to them.",
        ),
        key(
            "service_route",
            Default("[]"),
            "Servers that clients are told to send their requests through (Service-Route, RFC 3608):\n\
             \"<sip:edge.example.com;lr>\".",
        ),
    ],
};
