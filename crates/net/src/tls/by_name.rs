//! Which of several certificates a client gets: the one for the name that it asks for (SNI, RFC 6066 §3).

use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use webpki::EndEntityCert;

use super::issued::{IssuedCertificates, PROOF_PROTOCOL};

/// Certificates, in the order of their preference.
#[derive(Debug)]
pub(super) struct ByName {
    first: Arc<CertifiedKey>,
    others: Vec<Arc<CertifiedKey>>,
    /// Those that come while the server runs.
    issued: Option<IssuedCertificates>,
    /// Whether the first is of our own making: then any other is better.
    own_making: bool,
}

impl ByName {
    /// The first one is for clients that name nobody, or somebody whom no certificate is good for.
    pub(super) const fn new(first: Arc<CertifiedKey>, others: Vec<Arc<CertifiedKey>>) -> Self {
        Self { first, others, issued: None, own_making: false }
    }

    pub(super) fn with_issued(self, issued: Option<IssuedCertificates>, own_making: bool) -> Self {
        Self { issued, own_making, ..self }
    }

    /// What is shown to who names `name`.
    fn shown(&self, name: Option<&str>) -> Arc<CertifiedKey> {
        let Some(issued) = &self.issued else { return Arc::clone(self.choose(name)) };
        let server = name.and_then(|name| ServerName::try_from(name).ok());
        server
            .and_then(|server| issued.find(|key| is_good_for(key, &server)))
            .or_else(|| self.own_making.then(|| issued.find(|_| true)).flatten())
            .unwrap_or_else(|| Arc::clone(self.choose(name)))
    }

    fn choose(&self, name: Option<&str>) -> &Arc<CertifiedKey> {
        let Some(name) = name.and_then(|name| ServerName::try_from(name).ok()) else { return &self.first };
        if self.others.is_empty() || is_good_for(&self.first, &name) {
            return &self.first;
        }
        self.others.iter().find(|other| is_good_for(other, &name)).unwrap_or(&self.first)
    }
}

fn is_good_for(key: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let certificate = key.end_entity_cert().ok().and_then(|end| EndEntityCert::try_from(end).ok());
    certificate.is_some_and(|certificate| certificate.verify_is_valid_for_subject_name(name).is_ok())
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // RFC 8737 §3: who offers nothing but this protocol asks for a proof.
        let asks = |issued: &&IssuedCertificates| {
            let mut offered = hello.alpn().into_iter().flatten();
            issued.is_proving() && offered.next() == Some(PROOF_PROTOCOL) && offered.next().is_none()
        };
        if let Some(issued) = self.issued.as_ref().filter(asks) {
            return issued.proof(hello.server_name());
        }
        Some(self.shown(hello.server_name()))
    }
}

/// What we show a server that asks: the first one, whoever it would like to have signed it.
impl ResolvesClientCert for ByName {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        match self.issued.as_ref().filter(|_| self.own_making) {
            Some(issued) => issued.find(|_| true),
            None => Some(Arc::clone(&self.first)),
        }
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
    use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, ServerConnection};

    use super::super::{Acceptors, Identity, TlsConfig};
    use super::*;

    fn certified(names: &[&str]) -> Arc<CertifiedKey> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = super::super::provider();
        Arc::new(CertifiedKey::from_der(vec![made.cert.der().clone()], key, &provider).unwrap())
    }

    #[test]
    fn a_client_gets_the_certificate_for_the_name_that_it_asks_for() {
        let (first, shop, others) = (
            certified(&["sip.example.com"]),
            certified(&["sip.shop.example"]),
            certified(&["*.example.net"]),
        );
        let certificates = ByName::new(Arc::clone(&first), vec![Arc::clone(&shop), Arc::clone(&others)]);
        let gets = |name, wanted: &Arc<CertifiedKey>| Arc::ptr_eq(certificates.choose(name), wanted);
        assert!(gets(Some("sip.example.com"), &first));
        assert!(gets(Some("SIP.Shop.example"), &shop));
        assert!(gets(Some("pbx.example.net"), &others));
        // A star stands for one label.
        assert!(gets(Some("a.pbx.example.net"), &first));
        assert!(gets(Some("unknown.example"), &first));
        assert!(gets(None, &first));
    }

    /// Believes everybody, and remembers nothing.
    #[derive(Debug)]
    struct Anybody;

    impl ServerCertVerifier for Anybody {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, rustls::Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            super::super::provider().signature_verification_algorithms.supported_schemes()
        }
    }

    /// The certificate that a client gets at the HTTPS port that comes by this name and offers these protocols, and the protocol
    /// that is agreed on.
    fn met(acceptors: &Acceptors, name: &str, protocols: &[&[u8]]) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
        let mut config = ClientConfig::builder_with_provider(super::super::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody))
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut server = ServerConnection::new(Arc::clone(&acceptors.web)).unwrap();
        while client.is_handshaking() || server.is_handshaking() {
            let mut wire = Vec::new();
            client.write_tls(&mut wire).unwrap();
            server.read_tls(&mut wire.as_slice()).unwrap();
            server.process_new_packets().ok()?;
            let mut wire = Vec::new();
            server.write_tls(&mut wire).unwrap();
            client.read_tls(&mut wire.as_slice()).unwrap();
            client.process_new_packets().ok()?;
        }
        let shown = client.peer_certificates()?.first()?.to_vec();
        Some((shown, server.alpn_protocol().map(<[u8]>::to_vec)))
    }

    #[test]
    fn a_proof_is_shown_to_who_asks_for_nothing_else() {
        let directory = std::env::temp_dir().join(format!("sipweb-proof-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let issued = IssuedCertificates::default();
        let identity = Identity::SelfSigned { directory: directory.clone(), names: Vec::new() };
        let config =
            TlsConfig { identity: Some(identity), issued: Some(issued.clone()), ..TlsConfig::default() };
        let acceptors = Acceptors::load(&config).unwrap().unwrap();
        std::fs::remove_dir_all(directory).unwrap();
        let proof_protocol: &[u8] = PROOF_PROTOCOL;
        let usual = met(&acceptors, "sip.example.com", &[b"http/1.1"]).unwrap();
        assert_eq!(usual.1.as_deref(), Some(&b"http/1.1"[..]));

        issued.prove("sip.example.com", &[7; 32]).unwrap();
        let (proof, protocol) = met(&acceptors, "sip.example.com", &[proof_protocol]).unwrap();
        assert_eq!(protocol.as_deref(), Some(proof_protocol));
        assert_eq!(proof, issued.proof(Some("sip.example.com")).unwrap().cert[0].to_vec());
        // RFC 8737 §3: nobody else sees it, and there is none for another name.
        assert_eq!(met(&acceptors, "sip.example.com", &[b"http/1.1", proof_protocol]), Some(usual.clone()));
        assert_eq!(met(&acceptors, "sip.example.com", &[]).unwrap().0, usual.0);
        assert_eq!(met(&acceptors, "other.example.com", &[proof_protocol]), None);
    }
}
