//! What users are told of each other, and messages that wait.

use super::Value::{Default, Example};
use super::{Section, key};

pub(super) const EVENTS: Section = Section {
    name: "events",
    about: "What users may subscribe to: whether others are there, or in a call (busy lamps). The server tells what it knows itself;\n\
            subscriptions to anything else go to the user's devices.",
    keys: &[
        key(
            "packages",
            Default("[\"dialog\", \"presence\", \"message-summary\", \"reg\"]"),
            "What is told: dialog, whether a user is in a call, but not with whom (RFC 4235); presence, whether he is\n\
             there, or what he publishes himself (RFC 3856, RFC 3903); only to himself: message-summary, whether messages\n\
             wait for him (RFC 3842), and reg, where he is signed in (RFC 3680). [] is nothing.",
        ),
        key(
            "watchers",
            Default("\"users\""),
            "Who may watch a user: users, everybody who is signed in; or oneself, nobody else. Trusted peers always may.",
        ),
        key("minimum_subscription", Default("\"60s\""), "Shorter subscriptions are refused (423)."),
        key("maximum_subscription", Default("\"1h\""), "Longer subscriptions are cut to this."),
        key(
            "longest_call",
            Default("\"4h\""),
            "How long a lamp shows a call of whose end nothing is heard: neither BYE, nor session timer, nor signing out.",
        ),
    ],
};

pub(super) const MESSAGES: Section = Section {
    name: "messages",
    about: "Messages of your users to others who are signed in nowhere.",
    keys: &[
        key(
            "keep",
            Default("\"7d\""),
            "How long they are kept, up to 16 KiB each and 20 of one sender; they are delivered when the user signs in.\n\
             \"0s\": none is kept, and the sender hears that the user is not there.",
        ),
        key(
            "voicemail",
            Example("\"sip:voicemail@example.com\""),
            "Whom to call to hear voice messages: told in message summaries (RFC 3842).",
        ),
    ],
};
