//! The keys of certificates that the server gets by itself.

use super::{Default, Example, Section, key};

pub(super) const ACME: Section = Section {
    name: "acme",
    about: "Certificates that the server gets by itself from an authority such as Let's Encrypt, and renews (ACME). The\n\
            authority looks for the proof on port 443 of each domain (or 80): https must listen there, or be reached by it.\n\
            See docs/certificates.md.",
    keys: &[
        key(
            "acme_domains",
            Example("[\"sip.example.com\"]"),
            "The names, one or a list; each gets a certificate of its own. Public DNS must lead them here.",
        ),
        key(
            "acme_terms_agreed",
            Example("true"),
            "That you agree to the terms of the authority, without which it gives nothing.",
        ),
        key(
            "acme_proof",
            Default("\"tls-alpn-01\""),
            "Where the authority looks: tls-alpn-01, at https, which it comes to on port 443; or http-01, at http, on port 80.",
        ),
        key(
            "acme_contact",
            Example("\"admin@example.com\""),
            "The mail address that the authority may write to.",
        ),
        key(
            "acme_directory",
            Default("\"https://acme-v02.api.letsencrypt.org/directory\""),
            "The authority. To try: \"https://acme-staging-v02.api.letsencrypt.org/directory\".",
        ),
        key(
            "acme_authority",
            Example("\"/etc/ssl/our-own-authority.pem\""),
            "Who has signed the certificate of that directory, PEM, if it is none that the system believes.",
        ),
    ],
};
