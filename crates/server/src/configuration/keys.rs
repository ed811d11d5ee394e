//! The table of keys: what may stand in a configuration file, and what it means.
//!
//! Unknown keys are refused by this table, and `sipweb config-example` prints it: what is known and what is
//! documented cannot drift apart.

mod acme;
mod caller_ids;
mod calls;
mod events;
mod ice;
mod log;
mod registrar;
mod trunks;

pub(crate) use trunks::{Kind, kind};

/// A part of the file: what stands before the first `[section]`, or one section.
pub(crate) struct Section {
    /// The name; empty for the top of the file.
    pub(crate) name: &'static str,
    about: &'static str,
    /// Its keys.
    pub(crate) keys: &'static [Key],
}

/// One key.
pub(crate) struct Key {
    /// The name.
    pub(crate) name: &'static str,
    value: Value,
    about: &'static str,
}

/// What the example shows behind a key.
enum Value {
    /// What holds when the key is not written.
    Default(&'static str),
    /// Nothing holds by default; this is what one would write.
    Example(&'static str),
}

use Value::{Default, Example};

const fn key(name: &'static str, value: Value, about: &'static str) -> Key {
    Key { name, value, about }
}

const TABLE: [Section; 19] = [
    Section {
        name: "",
        about: "",
        keys: &[
            key(
                "domain",
                Default("\"localhost\""),
                "Your users' domain: the part behind @ in sip:alice@example.com. A list if there are more; the first is\n\
                 the main one. The server's own addresses and localhost always count as it too.",
            ),
            key(
                "data",
                Default("\"sipweb-data\""),
                "Where users, registrations and the server's key are kept. Relative to this file's folder.",
            ),
            key(
                "loops",
                Default("1"),
                "How many event loops the server runs, a thread each. 0 is as many as it may use cores; but one, if media.port\n\
                 is written, since every loop needs a port for browsers of its own, and fewer, if media.ports has less than\n\
                 1000 for each.",
            ),
        ],
    },
    Section {
        name: "listen",
        about: "Where the server listens: IP addresses with ports, one or a list. 0.0.0.0 is every IPv4 address of the\n\
                machine, [::] every IPv6 one. What is not written is off; but if this section names no listener at all,\n\
                the server listens on loopback only, as shown.",
        keys: &[
            key("udp", Default("[\"127.0.0.1:5060\", \"[::1]:5060\"]"), "SIP phones, datagrams."),
            key("tcp", Default("[\"127.0.0.1:5060\", \"[::1]:5060\"]"), "SIP phones, streams."),
            key("tls", Default("[\"127.0.0.1:5061\", \"[::1]:5061\"]"), "SIP phones, encrypted."),
            key(
                "http",
                Default("[\"127.0.0.1:8080\", \"[::1]:8080\"]"),
                "The phone page and WebSockets. Browsers give a page the microphone only over HTTPS or on localhost.",
            ),
            key(
                "https",
                Default("[\"127.0.0.1:8443\", \"[::1]:8443\"]"),
                "The phone page and WebSockets, encrypted.",
            ),
            key(
                "advertise",
                Example("\"sip.example.com\""),
                "The host name or address that other servers and phones are told to come back to, if the machine's own\n\
                 addresses are not reachable from there (NAT, containers).",
            ),
            key(
                "balancers",
                Default("[]"),
                "Addresses or ranges of load balancers before this server: \"10.0.0.5\". Each of their connections to tcp, tls,\n\
                 http and https must begin with a PROXY header (HAProxy: send-proxy or send-proxy-v2), and counts as one of\n\
                 the client that it names.",
            ),
        ],
    },
    Section {
        name: "tls",
        about: "The certificate for tls and https. Without one the server makes a self-signed certificate at its first\n\
                start. A running server sees within two minutes that they were renewed; SIGHUP makes it read the files\n\
                again at once, and this one too.",
        keys: &[
            key(
                "certificate",
                Example("\"/etc/ssl/sip.example.com.pem\""),
                "The certificate and its chain, PEM. A list if there are more, such as one for each domain: a client gets the\n\
                 first that is good for the name that it asks for, and the first of all if it asks for none.",
            ),
            key(
                "key",
                Example("\"/etc/ssl/sip.example.com.key\""),
                "Its private key, PEM; a list in the same order if there are more.",
            ),
            key(
                "trust",
                Example("\"/etc/ssl/our-own-authority.pem\""),
                "Authorities believed when this server connects to others, PEM, instead of the system's.",
            ),
            key(
                "client_authorities",
                Example("\"/etc/ssl/peers-authority.pem\""),
                "Authorities of other servers' certificates, PEM. With it, who connects is asked for a certificate; what it is\n\
                 good for say peers.trusted_certificates and certificates in [upstreams.NAME].",
            ),
            key(
                "client_certificate",
                Default("\"optional\""),
                "optional: who shows none is as anybody; required: he is refused.",
            ),
            key(
                "client_listeners",
                Default("[\"tls\"]"),
                "Where they are asked: tls, https. Browsers would ask people which certificate to show.",
            ),
        ],
    },
    Section {
        name: "web",
        about: "The phone page, and which other pages may open a WebSocket.",
        keys: &[
            key("page", Default("true"), "Whether the phone page is served."),
            key(
                "origins",
                Default("[]"),
                "Pages of other hosts that may connect, such as \"https://www.example.com\"; \"*\" is every page.\n\
                 Pages of this server and of localhost always may.",
            ),
        ],
    },
    registrar::REGISTRAR,
    Section {
        name: "forking",
        about: "In which order the devices of a user ring.",
        keys: &[
            key(
                "serial",
                Default("true"),
                "Whether devices of a lower preference (q) wait until those of a higher one have failed. Devices that name\n\
                 none ring all at once in any case.",
            ),
            key(
                "next_after",
                Default("\"20s\""),
                "How long those of one preference ring before the next ones do.",
            ),
            key(
                "late",
                Default("true"),
                "Whether a device that signs in while its user is called rings too, and a page that is loaded anew again.",
            ),
            key(
                "redirections",
                Default("\"passed\""),
                "What becomes of a device's word to call elsewhere (3xx): passed, the caller hears it; users, the call goes\n\
                 there, if that is one of your users; followed, wherever it is, but not for strangers.",
            ),
            key("ring_time", Default("\"3m\""), "How long a device may ring without any news (Timer C)."),
        ],
    },
    Section {
        name: "next_hop",
        about: "Other servers that have several addresses (RFC 3263).",
        keys: &[
            key(
                "patience",
                Default("\"2s\""),
                "How long one may be silent to a call before the next one is asked; the last one has all the time.",
            ),
            key(
                "avoid",
                Default("\"60s\""),
                "How long one that failed comes after the others; one that says so itself (503 with Retry-After) as long as\n\
                 it says, ten minutes at the most.",
            ),
        ],
    },
    Section {
        name: "authentication",
        about: "How users prove who they are: digest (RFC 8760).",
        keys: &[
            key(
                "realm",
                Default("\"sipweb\""),
                "The name that passwords are bound to. Change it, and every password must be set anew.",
            ),
            key(
                "algorithms",
                Default("[\"SHA-256\", \"MD5\"]"),
                "Offered in this order: SHA-512-256, SHA-256, MD5. Many phones know MD5 only.",
            ),
            key(
                "md5_only_clients",
                Default("[\"JsSIP\", \"SIP.js\", \"baresip\"]"),
                "Clients, by the start of their User-Agent, that give up when they see another algorithm: they are\n\
                 offered MD5 alone, if it is among the algorithms.",
            ),
            key("nonce_lifetime", Default("\"5m\""), "How long a challenge can be answered."),
        ],
    },
    Section {
        name: "tokens",
        about: "Users who show a token of another system, mostly of the web site that signed them in, instead of a\n\
                password: JSON Web Tokens, in each request (Authorization: Bearer) or when a page opens its WebSocket.",
        keys: &[
            key(
                "public_keys",
                Example("[\"/etc/ssl/site-tokens.pem\", \"/etc/ssl/sso.jwks\"]"),
                "Files with the public keys of whoever signs them: PEM (RSA, EC, Ed25519) or JSON Web Key sets. This line or\n\
                 the next is the switch. SIGHUP makes a running server read them again.",
            ),
            key(
                "shared_secret",
                Example("\"/etc/ssl/token-secret\""),
                "A file with a secret that whoever signs them has too (HS256), 32 octets at the least.",
            ),
            key("issuer", Example("\"https://www.example.com\""), "Only those of this issuer count (iss)."),
            key("audience", Example("\"sip\""), "Only those for this audience count (aud)."),
            key(
                "user_claim",
                Default("\"sub\""),
                "The claim that has the user's name, alone or with a domain of ours.",
            ),
            key(
                "cookie",
                Example("\"sip_token\""),
                "The cookie in which pages show theirs when they open a WebSocket. When it ends, the connection is closed,\n\
                 and the page comes back with a newer one.",
            ),
            key(
                "query",
                Example("\"access_token\""),
                "The parameter of the WebSocket's URL in which pages show theirs: wss://example.com/sip?access_token=...",
            ),
            key(
                "token_required",
                Default("false"),
                "Whether a page that shows none that counts gets no WebSocket at all.",
            ),
            key(
                "authorization_server",
                Example("\"https://sso.example.com\""),
                "Where clients are told to get one (RFC 8898), beside the challenge for a password.",
            ),
        ],
    },
    caller_ids::CALLER_IDS,
    Section {
        name: "guests",
        about: "Accounts whose password stands in a public page (<sipweb-phone target=..>), so that its visitors can call.",
        keys: &[
            key(
                "accounts",
                Default("[]"),
                "Their names. They are not registered, and call nobody but those of the next line.",
            ),
            key("may_call", Default("[]"), "Users, or names that routes know, whom they may call."),
            key(
                "guest_calls",
                Default("6"),
                "Calls that one visitor's address may begin in a minute; 0 is any number.",
            ),
        ],
    },
    Section {
        name: "edge",
        about: "Makes this server an edge in front of an existing SIP server: registrations and calls go there.",
        keys: &[
            key(
                "upstream",
                Example("\"sip:pbx.example.com:5060;transport=udp\""),
                "That server. This line is the switch.",
            ),
            key(
                "addresses",
                Default("[]"),
                "Addresses it sends from, beside those its name has: \"192.0.2.0/24\".",
            ),
            key(
                "keeps_path",
                Default("true"),
                "Whether it keeps Path and goes back by it (RFC 3327). With false it is given Contacts that lead to this server:\n\
                 for an Asterisk without support_path, and for a PBX that knows nothing of edges.",
            ),
        ],
    },
    Section {
        name: "peers",
        about: "Other SIP servers and strangers.",
        keys: &[
            key(
                "trusted",
                Default("[]"),
                "Addresses or ranges whose word is taken: they may call and relay without a password.",
            ),
            key(
                "trusted_certificates",
                Default("[]"),
                "Domains whose word is taken just so, from wherever they come: they show a certificate for sip:DOMAIN or DOMAIN\n\
                 (RFC 5922), signed by one of tls.client_authorities.",
            ),
            key(
                "strangers",
                Default("true"),
                "Whether people of foreign domains may call your users and send them messages. They can never relay.",
            ),
            key(
                "identity",
                Default("\"peers\""),
                "Who is told which user calls (P-Asserted-Identity): never anybody; peers, the trusted ones and the upstream;\n\
                 or users, also those who are called, unless the caller asks for privacy.",
            ),
        ],
    },
    calls::CALLS,
    events::EVENTS,
    events::MESSAGES,
    Section {
        name: "media",
        about: "The media gateway: joins browsers, which speak ICE and DTLS-SRTP only, and phones, which speak RTP or SRTP.\n\
                Calls between browsers and calls between phones do not go through it.",
        keys: &[
            key("gateway", Default("true"), "Whether such calls are joined."),
            key(
                "port",
                Default("0"),
                "The port for all browsers, UDP and TCP; open both in the firewall. 0 is any free one. A server of several\n\
                 event loops (loops) takes the ports that follow, too, one for each loop.",
            ),
            key(
                "browser_udp",
                Default("true"),
                "Whether browsers may send their media over UDP. Without it everything goes over TCP, which is worse\n\
                 for sound: only where UDP cannot get through at all.",
            ),
            key(
                "browser_tcp",
                Default("true"),
                "Whether browsers from which no UDP gets through may connect over TCP (RFC 6544).",
            ),
            key(
                "ports",
                Default("\"16384-32767\""),
                "The UDP ports for phones, two for each call; four for one between two phones (anchor).",
            ),
            key(
                "sdes",
                Default("\"tls\""),
                "With which phones SRTP keys are exchanged in session descriptions (SDES): tls, those whose signalling is\n\
                 encrypted; always, also where the keys can be read on their way; or never. A phone that refuses what it is\n\
                 offered is offered the other, SRTP or RTP in clear, within the same call.",
            ),
            key(
                "sdes_suites",
                Default(
                    "[\"AES_CM_128_HMAC_SHA1_80\", \"AES_CM_128_HMAC_SHA1_32\", \"AEAD_AES_256_GCM\", \"AEAD_AES_128_GCM\"]",
                ),
                "The SRTP suites for phones, the preferred one first.",
            ),
            key(
                "transcoding",
                Default("true"),
                "Whether Opus and G.711 are turned into each other for calls whose two sides have no codec in common.",
            ),
            key(
                "digits_to_pages",
                Default("true"),
                "Whether a page is told by INFO which keys a phone presses: its script learns nothing of telephone events\n\
                 in the sound.",
            ),
            key(
                "anchor",
                Default("\"never\""),
                "Which calls go through the gateway although their two sides could talk directly: never any; phones, those\n\
                 between two phones, which behind NAT often do not reach each other; or always, those between two browsers,\n\
                 too, for which rtpengine is needed. What two phones send each other passes as it is.",
            ),
            key(
                "public_address",
                Example("[\"203.0.113.7\", \"2001:db8::7\"]"),
                "The IP address that browsers and phones are told to send media to, if it is not the machine's own (NAT,\n\
                 cloud); one of each family at the most.",
            ),
            key(
                "rtpengine",
                Example("[\"udp:10.0.0.5:2223\", \"udp:10.0.0.6:2223=2\"]"),
                "The ng ports of rtpengine daemons that join instead of this server; one with =2 gets twice as many calls.\n\
                 The keys above for ports, transcoding and the address are without effect then: rtpengine has its own.",
            ),
        ],
    },
    Section {
        name: "timers",
        about: "Waits of the transaction layer.",
        keys: &[key(
            "trying_after",
            Default("\"180ms\""),
            "How long a call may wait for another response before the caller gets 100 (Trying): up to 200ms, which\n\
             RFC 3261 allows where another response may come sooner. \"0ms\": it gets one at once.",
        )],
    },
    Section {
        name: "limits",
        about: "Bounds. Beyond them requests are refused with 503 and a time to wait.",
        keys: &[
            key("transactions", Default("100_000"), "Requests in progress, in total."),
            key("transactions_per_source", Default("2_000"), "Requests in progress from one address."),
            key(
                "tries",
                Default("20"),
                "After how many wrong passwords, or calls of strangers to users who are not there, an address is not heard\n\
                 for a while; ten times as many from one where somebody has signed in. 0 is never.",
            ),
            key(
                "ban",
                Default("\"10m\""),
                "For how long. Who is signed in on a connection is heard all the same.",
            ),
            key(
                "stranger_requests",
                Default("500"),
                "How many requests of strangers are taken from one address in a second, ten times as many at once; 0 is any\n\
                 number.",
            ),
            key(
                "account_calls",
                Default("60"),
                "Calls to other servers that one account may begin in a minute, so that a stolen password is worth little; 0 is\n\
                 any number. Those to your users are not counted.",
            ),
            key("bindings", Default("1_000_000"), "Registered devices."),
            key("messages", Default("100_000"), "Messages that are kept, in total."),
            key("messages_per_user", Default("100"), "Messages that are kept for one user."),
            key("subscriptions", Default("100_000"), "Subscriptions of watchers, in total."),
            key("subscriptions_per_user", Default("500"), "Subscriptions of one user."),
            key("connections", Default("100_000"), "Open connections."),
            key("connections_per_source", Default("20_000"), "Open connections from one address."),
        ],
    },
];

/// Every section, the top of the file not included.
pub(crate) fn sections() -> impl Iterator<Item = &'static Section> {
    const { &TABLE }.iter().skip(1).chain([
        const { &trunks::NUMBERS },
        const { &acme::ACME },
        const { &ice::ICE },
        const { &log::LOG },
    ])
}

/// The top of the file.
pub(crate) fn top() -> &'static Section {
    const { &TABLE[0] }
}

/// The section of that name.
pub(crate) fn section(name: &str) -> Option<&'static Section> {
    sections().find(|section| section.name == name)
}

/// Whether the table has the key.
pub(crate) fn is_known(section: &str, key: &str) -> bool {
    if let Some(kind) = section.split_once('.').and_then(|(name, _)| kind(name)) {
        return kind.keys.iter().any(|known| known.name == key);
    }
    std::iter::once(top())
        .chain(sections())
        .any(|known| known.name == section && known.keys.iter().any(|known| known.name == key))
}

/// The section that a key belongs to.
pub(crate) fn home(key: &str) -> Option<&'static str> {
    std::iter::once(top())
        .chain(sections())
        .find(|section| section.keys.iter().any(|known| known.name == key))
        .map(|section| section.name)
}

/// A configuration file that says what each key means and changes nothing: every key is commented out.
pub(crate) fn example() -> String {
    let mut text = String::from(
        "# Configuration of sipweb. Every key is shown with what holds when it is not written; remove the # to\n\
         # change one. `sipweb check FILE` says what is wrong with a file before a server does.\n\
         # SIGHUP makes a running server read the file again, with calls up; if anything is wrong with it, nothing\n\
         # changes. Only data, loops, listen, web.page, media, acme, log.calls, limits.connections,\n\
         # limits.connections_per_source, and whether this is an edge, wait for the next start.\n",
    );
    for section in std::iter::once(top()).chain(sections()) {
        text.push('\n');
        comment(&mut text, section.about);
        if !section.name.is_empty() {
            text.push_str(&format!("[{}]\n", section.name));
        }
        for (index, key) in section.keys.iter().enumerate() {
            if index > 0 {
                text.push('\n');
            }
            let value = match key.value {
                Default(value) => value,
                Example(value) => {
                    comment(&mut text, key.about);
                    text.push_str(&format!("# Not set; for example:\n#{} = {value}\n", key.name));
                    continue;
                }
            };
            comment(&mut text, key.about);
            text.push_str(&format!("#{} = {value}\n", key.name));
        }
    }
    trunks::write_examples(&mut text);
    text
}

fn comment(text: &mut String, about: &str) {
    for line in about.lines() {
        text.push_str("# ");
        text.push_str(line);
        text.push('\n');
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The example with its keys switched on; those without a default only if `examples`.
    pub(crate) fn example_switched_on(examples: bool) -> String {
        let mut text = String::new();
        let mut lines = example().lines().map(str::to_owned).collect::<Vec<_>>().into_iter();
        while let Some(line) = lines.next() {
            if line == "# Not set; for example:" {
                let set = lines.next().unwrap();
                text.push_str(if examples { set.trim_start_matches('#') } else { "" });
            } else if line.starts_with('#') && !line.starts_with("# ") {
                text.push_str(&line[1..]);
            } else {
                text.push_str(&line);
            }
            text.push('\n');
        }
        text
    }

    #[test]
    fn every_key_is_named_once() {
        let mut names: Vec<&str> = std::iter::once(top())
            .chain(sections())
            .flat_map(|section| section.keys)
            .map(|key| key.name)
            .collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "`home` needs names that are told apart");
    }
}
