//! Whose certificate a peer shows: the SIP domains that it is for (RFC 5922 §7), and whether it is one that we ask for.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

use super::{ClientCertificates, TlsError, read_certificates};

/// The SIP domains that a certificate is for, in small letters (RFC 5922 §7.1): the hosts of its `sip` URIs; only if it has
/// none, its DNS names. One with a star is a form of its own, and no domain.
pub(super) fn domains(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, parsed)) = parse_x509_certificate(certificate) else { return Vec::new() };
    let names = match parsed.subject_alternative_name() {
        Ok(Some(names)) => &names.value.general_names,
        _ => return Vec::new(),
    };
    let of_uris: Vec<String> = names
        .iter()
        .filter_map(|name| if let GeneralName::URI(uri) = name { domain_of(uri) } else { None })
        .collect();
    if !of_uris.is_empty() {
        return of_uris;
    }
    let of_names = names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) if !name.contains('*') => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    of_names.collect()
}

/// The domain that a `sip` URI stands for: it names no user, and no other scheme counts.
fn domain_of(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once(':')?;
    if !scheme.eq_ignore_ascii_case("sip") || rest.contains('@') {
        return None;
    }
    let host = rest.split([';', '?']).next()?;
    // A certificate of a domain has no port; what has one is none.
    (!host.is_empty() && !host.contains([':', '*'])).then(|| host.to_ascii_lowercase())
}

/// Believes a server that shows a certificate for the domain that was asked for (RFC 5922 §7.2: the whole name, no star).
#[derive(Debug)]
pub(super) struct SipServers {
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
}

impl SipServers {
    pub(super) const fn new(roots: RootCertStore, provider: Arc<CryptoProvider>) -> Self {
        Self { roots, provider }
    }
}

impl ServerCertVerifier for SipServers {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, intermediates, now, algorithms)?;
        let ServerName::DnsName(wanted) = server else {
            // An address is no domain; it stands in a certificate as such.
            rustls::client::verify_server_name(&parsed, server)?;
            return Ok(ServerCertVerified::assertion());
        };
        let presented = domains(certificate);
        let wanted_name = wanted.as_ref().trim_end_matches('.').to_ascii_lowercase();
        if presented.contains(&wanted_name) {
            return Ok(ServerCertVerified::assertion());
        }
        let expected = server.to_owned();
        Err(CertificateError::NotValidForNameContext { expected, presented }.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// What asks clients for a certificate, and looks at it.
pub(super) fn client_verifier(
    clients: &ClientCertificates,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let unusable = |reason: String| TlsError::Unusable { path: clients.authorities.clone(), reason };
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(&clients.authorities)? {
        roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = if clients.required { builder } else { builder.allow_unauthenticated() };
    builder.build().map_err(|error| unusable(error.to_string()))
}

/// What a handshake failed for, for a log: where we are the server, the peer's certificate is a client's.
pub(super) fn reason(error: &Error, is_server: bool) -> String {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) if is_server => {
            "the client's certificate is signed by none of the authorities in tls.client_authorities"
                .to_owned()
        }
        Error::NoCertificatesPresented => {
            "the client shows no certificate, and tls.client_certificate requires one".to_owned()
        }
        Error::InvalidCertificate(error) if is_server => {
            format!("the client's certificate counts for nothing: {error}")
        }
        Error::InvalidCertificate(CertificateError::NotValidForNameContext { expected, presented }) => {
            let presented = match presented.is_empty() {
                true => "no domain (a name with a star is none, RFC 5922 §7.2)".to_owned(),
                false => presented.join(", "),
            };
            format!("the server's certificate is for {presented}, and not for {}", expected.to_str())
        }
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    fn domains_of(names: Vec<SanType>) -> Vec<String> {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.subject_alt_names = names;
        domains(parameters.self_signed(&KeyPair::generate().unwrap()).unwrap().der())
    }

    fn uri(text: &str) -> SanType {
        SanType::URI(text.try_into().unwrap())
    }

    fn dns(text: &str) -> SanType {
        SanType::DnsName(text.try_into().unwrap())
    }

    #[test]
    fn a_sip_uri_names_the_domain_and_then_no_dns_name_does() {
        assert_eq!(domains_of(vec![dns("host7.example.net"), uri("sip:Example.com")]), ["example.com"]);
        assert_eq!(
            domains_of(vec![dns("sip.example.com"), dns("EXAMPLE.com")]),
            ["sip.example.com", "example.com"]
        );
    }

    #[test]
    fn a_user_another_scheme_and_a_star_are_no_domain() {
        let others = vec![uri("sip:alice@example.com"), uri("sips:example.com"), uri("https://example.com")];
        assert_eq!(domains_of(others), Vec::<String>::new());
        assert_eq!(domains_of(vec![uri("sips:example.com"), dns("sip.example.net")]), ["sip.example.net"]);
        assert_eq!(domains_of(vec![dns("*.example.com"), uri("sip:*.example.com")]), Vec::<String>::new());
        assert_eq!(domains_of(Vec::new()), Vec::<String>::new());
    }
}
