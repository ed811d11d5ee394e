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
    use rustls::pki_types::PrivateKeyDer;

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
}
