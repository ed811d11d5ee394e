//! The keys of sections that may be there several times: `[upstreams.NAME]` and `[[routes]]`. And of numbers.

use super::{Default, Example, Key, Section, key};

pub(super) const NUMBERS: Section = Section {
    name: "numbers",
    about: "How your users dial, so that routes know one number however it is written: +49 30 1234 is also 0049301234 and\n\
            0301234 then.",
    keys: &[
        key(
            "country",
            Example("\"49\""),
            "Your country's code. Without it only numbers with + are known everywhere.",
        ),
        key("national", Default("\"0\""), "What is dialled before a number of the country; \"\" is nothing."),
        key(
            "length",
            Example("9"),
            "How many digits a number of the country has, where all have as many: then it is known without anything\n\
             before it, as in Spain (9) and North America (10). Shorter ones are extensions.",
        ),
        key("international", Default("\"00\""), "What is dialled before a country's code."),
    ],
};

/// A section whose name is chosen by its writer, or that is written once for each element of a list.
pub(crate) struct Kind {
    /// The name before the dot.
    pub(crate) name: &'static str,
    /// How its header is written.
    header: &'static str,
    about: &'static str,
    /// Its keys.
    pub(crate) keys: &'static [Key],
}

pub(super) const KINDS: [Kind; 2] = [
    Kind {
        name: "upstreams",
        header: "[upstreams.pstn]",
        about: "Other servers that calls are handed to: a provider, or PBXs. Each group has a name; routes lead there.\n\
                docs/trunks.md has whole examples.",
        keys: &[
            key(
                "servers",
                Example(
                    "[\"sip:10.0.0.5:5060;transport=udp;weight=3\", \"sip:10.0.0.6\", \"sip:backup.example.net;priority=2\"]",
                ),
                "Its servers. Those of the lowest priority (1 if none is written) share the calls by weight (1); one that is\n\
                 silent, refuses or says 503 is passed over, see [next_hop].",
            ),
            key(
                "domain",
                Example("\"provider.example.net\""),
                "The host in what it is called by (sip:+49301234@provider.example.net); the server's own if it is not written.",
            ),
            key(
                "trusted",
                Default("false"),
                "Whether requests from its servers need no password and count against no bounds, and what they say of who\n\
                 calls (P-Asserted-Identity) is passed on. A datagram's source can be forged: write true where only they can\n\
                 send from their addresses.",
            ),
            key(
                "addresses",
                Default("[]"),
                "Addresses or ranges that its requests come from, beside those of its servers: \"192.0.2.0/24\".",
            ),
            key(
                "certificates",
                Default("[]"),
                "Or domains whose certificate they show when they connect over TLS: \"sip.provider.example.net\" (RFC 5922);\n\
                 see tls.client_authorities.",
            ),
            key(
                "incoming",
                Default("\"users\""),
                "What its requests may reach: nobody; users, your own; or anywhere, so that it relays through this server,\n\
                 for which it must be trusted.",
            ),
            key(
                "incoming_to",
                Example("\"reception\""),
                "The user who gets its calls that no route matches; without it whom they name.",
            ),
            key(
                "probe",
                Default("\"30s\""),
                "How often each server is asked whether it works (OPTIONS). One that does not answer is asked for calls after\n\
                 the others until it does. \"0s\": never.",
            ),
            key(
                "account",
                Example("\"sip:49305550@provider.example.net\""),
                "The account that this server has at a provider. The servers are registered at, and their challenges answered.",
            ),
            key("password", Example("\"secret\""), "Its password."),
            key("password_file", Example("\"pstn.password\""), "Or a file with it in its first line."),
            key(
                "login",
                Example("\"49305550\""),
                "The name in credentials, if it is not that before the @ of the account.",
            ),
            key(
                "register",
                Default("true"),
                "Whether the account is registered, so that the provider knows where to call. Without it the password is for\n\
                 challenges only.",
            ),
            key(
                "caller",
                Default("\"own\""),
                "Who calls, in the From of your users' calls: own, the user as he wrote it; account, that of the line account;\n\
                 or number, the user's number in global form ([numbers]) at the account's domain, and the account if he has none.",
            ),
            key(
                "sign",
                Default("false"),
                "Whether your users' calls to it are signed (STIR/SHAKEN), so that others can see that the number is not forged.\n\
                 Needs [caller_ids]. docs/signed-caller-ids.md has a whole example.",
            ),
            key(
                "attest_users",
                Default("\"A\""),
                "The most that is said of them: A, the number is the caller's; B, the caller is known; C, the call came in here.\n\
                 Users whose name is no number get B at the most.",
            ),
            key(
                "attest_others",
                Default("\"none\""),
                "What is said of other calls to it, of trusted peers and upstreams: A, B, C, or none, and they go unsigned. What\n\
                 somebody has signed already stays as it is.",
            ),
            key(
                "verify",
                Default("\"off\""),
                "What becomes of its calls by their signature: off; mark, the called phone is told (verstat); refuse, one that\n\
                 is worth nothing is refused; require, one without any is refused, too. Needs [caller_ids].",
            ),
            key("expires", Default("\"10m\""), "For how long it is registered, if the provider agrees."),
        ],
    },
    Kind {
        name: "routes",
        header: "[[routes]]",
        about: "Where calls and messages go, one section for each route: the first that matches in all it says counts.\n\
                Without any, your users are reached by their names and other domains by theirs.",
        keys: &[
            key(
                "domain",
                Example("\"example.com\""),
                "The domain that is called, or several; \"*\" is every one. Without it: your own, and tel: numbers.",
            ),
            key(
                "prefix",
                Example("[\"+\", \"00\"]"),
                "How the called number begins, or several: with +, however it was dialled (see [numbers]); else as dialled.",
            ),
            key(
                "source",
                Example("\"users\""),
                "Who calls, or several: users, yours; strangers; an address or a range; or upstream:NAME.",
            ),
            key(
                "header",
                Example("\"X-Tenant: blue*\""),
                "A header that must be there, or several; * in its value is anything.",
            ),
            key("method", Example("\"INVITE\""), "The method, or several. Without it: every one."),
            key(
                "strip",
                Default("0"),
                "How many characters are taken off the number's start, in the form that prefix speaks of.",
            ),
            key("prepend", Default("\"\""), "What is then put before it."),
            key(
                "to",
                Example("\"upstream:pstn\""),
                "Where it goes: upstream:NAME; users, whoever of them is called, and on to the next route if there is nobody\n\
                 of that name; or user:NAME. To an upstream get only your users, who prove who they are, and trusted peers.",
            ),
            key(
                "reject",
                Example("\"403 not from here\""),
                "In place of to: the status that is answered, 400 to 699, and why.",
            ),
            key(
                "without_password",
                Default("false"),
                "Whether source, which are addresses or upstreams then, may go to the upstream without a password.",
            ),
        ],
    },
];

/// The section of several of that name.
pub(crate) fn kind(name: &str) -> Option<&'static Kind> {
    const { &KINDS }.iter().find(|kind| kind.name == name)
}

/// What the example says of them. Nothing of it holds before its writer takes the marks away.
pub(super) fn write_examples(text: &mut String) {
    for kind in const { &KINDS } {
        text.push('\n');
        super::comment(text, kind.about);
        text.push_str("# Not set; for example:\n# \n");
        text.push_str(&format!("#     {}\n", kind.header));
        for key in kind.keys {
            for line in key.about.lines() {
                text.push_str(&format!("#     # {line}\n"));
            }
            let (Default(value) | Example(value)) = key.value;
            // One of two that exclude each other.
            let mark = if matches!(key.name, "reject" | "password_file") { "# " } else { "" };
            text.push_str(&format!("#     {mark}{} = {value}\n", key.name));
        }
    }
}
