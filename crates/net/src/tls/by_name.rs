//! Which of several certificates a client gets: the one for the name that it asks for (SNI, RFC 6066 §3).

use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use webpki::EndEntityCert;

/// Certificates, in the order of their preference.
#[derive(Debug)]
pub(super) struct ByName {
    first: Arc<CertifiedKey>,
    others: Vec<Arc<CertifiedKey>>,
}

impl ByName {
    /// The first one is for clients that name nobody, or somebody whom no certificate is good for.
    pub(super) const fn new(first: Arc<CertifiedKey>, others: Vec<Arc<CertifiedKey>>) -> Self {
        Self { first, others }
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
        Some(Arc::clone(self.choose(hello.server_name())))
    }
}

/// What we show a server that asks: the first one, whoever it would like to have signed it.
impl ResolvesClientCert for ByName {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.first))
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
