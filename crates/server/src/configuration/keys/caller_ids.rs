//! The keys of `[caller_ids]`.

use super::{Example, Section, key};

pub(super) const CALLER_IDS: Section = Section {
    name: "caller_ids",
    about: "Signed caller ids (STIR/SHAKEN), for upstreams that have sign or verify. SIGHUP makes a running server read\n\
            the files again.",
    keys: &[
        key(
            "signing_key",
            Example("\"/etc/ssl/caller-ids.key\""),
            "The key that your users' calls are signed with: PEM, PKCS #8, of the curve P-256.",
        ),
        key(
            "certificate_url",
            Example("\"https://example.com/caller-ids.pem\""),
            "Where others get its certificate. You publish it there; this server does not look.",
        ),
        key(
            "signing_certificate",
            Example("\"/etc/ssl/caller-ids.pem\""),
            "The certificate itself. With it the server sees at once whether it is that of the key, and signs nothing while it\n\
             is not valid.",
        ),
        key(
            "certificates",
            Example("[\"https://cr.example.net/sti.pem /etc/ssl/example.net.pem\"]"),
            "The certificates of those who sign: each the URL that signatures name, a blank, and the file with it (PEM, with\n\
             those between it and who is trusted). Nothing is fetched.",
        ),
        key(
            "trust_anchors",
            Example("[\"/etc/ssl/sti-pa.pem\"]"),
            "Files with the certificates of those who vouch for them (PEM).",
        ),
    ],
};
