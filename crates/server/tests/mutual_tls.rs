//! Peers that are trusted for the certificate that they show (RFC 5922), at the real binary.

mod harness;

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::sync::Arc;

use harness::{PATIENCE, Server, sipweb, text};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// An authority, the server's certificate of it, and a server that trusts two of its domains.
struct Scene {
    authority: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
    server: Server,
    /// A phone elsewhere, to which only those get who may relay.
    phone: UdpSocket,
}

fn authority(name: &str) -> (Issuer<'static, KeyPair>, rcgen::Certificate) {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    (Issuer::new(parameters, key), certificate)
}

/// Certificate and key, PEM.
fn signed(authority: &Issuer<'static, KeyPair>, name: SanType) -> (String, String) {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.subject_alt_names = vec![name];
    let key = KeyPair::generate().unwrap();
    (parameters.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
}

fn domain(name: &str) -> SanType {
    SanType::URI(format!("sip:{name}").as_str().try_into().unwrap())
}

impl Scene {
    fn set(more: &str) -> Self {
        let (authority, root) = authority("ours");
        let (certificate, key) = signed(&authority, SanType::IpAddress([127, 0, 0, 1].into()));
        let root_pem = root.pem();
        let files = [("ca.pem", root_pem.as_str()), ("own.pem", &certificate), ("own.key", &key)];
        let server = Server::start_beside(
            &files,
            &format!(
                "[tls]\ncertificate = \"own.pem\"\nkey = \"own.key\"\nclient_authorities = \"ca.pem\"\n{more}\n\
                 [peers]\ntrusted_certificates = \"peer.example\"\n\
                 [upstreams.pstn]\nservers = \"sip:192.0.2.1\"\nprobe = \"0s\"\ncertificates = \"carrier.example\"\n\
                 trusted = true\nincoming = \"anywhere\"\n"
            ),
        );
        let phone = UdpSocket::bind("127.0.0.2:0").unwrap();
        phone.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { authority, root: root.der().clone(), server, phone }
    }

    /// Connects, with a certificate or without one, and calls the phone. What the server answers, if it relays
    /// nothing.
    fn relays(&self, shown: Option<(String, String)>) -> Result<(), String> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let config =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots);
        let config = match shown {
            Some((certificate, key)) => config
                .with_client_auth_cert(
                    vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                    PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
                )
                .unwrap(),
            None => config.with_no_client_auth(),
        };
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let session = ClientConnection::new(Arc::new(config), name).unwrap();
        let stream = TcpStream::connect(self.server.address("tls")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut stream = StreamOwned::new(session, stream);
        let (phone, from) = (self.phone.local_addr().unwrap(), stream.sock.local_addr().unwrap().port());
        let request = format!(
            "INVITE sip:bob@{phone} SIP/2.0\r\nVia: SIP/2.0/TLS peer.example;branch=z9hG4bK{from}\r\nMax-Forwards: 70\r\n\
             From: <sip:carol@peer.example>;tag=c\r\nTo: <sip:bob@{phone}>\r\nCall-ID: relayed{from}\r\nCSeq: 1 INVITE\r\n\
             Contact: <sip:carol@peer.example;transport=tls>\r\nContent-Length: 0\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
        let mut bytes = [0; 4096];
        let length = stream.read(&mut bytes).map_err(|error| error.to_string())?;
        let first = text(&bytes[..length]);
        if !first.starts_with("SIP/2.0 100") {
            return Err(first.lines().next().unwrap_or_default().to_owned());
        }
        let length = self.phone.recv(&mut bytes).unwrap();
        assert!(text(&bytes[..length]).starts_with("INVITE sip:bob@"));
        Ok(())
    }
}

#[test]
fn who_shows_the_certificate_of_a_trusted_domain_relays_and_others_of_the_authority_are_strangers() {
    let scene = Scene::set("");
    let shown = |name: &str| Some(signed(&scene.authority, domain(name)));
    assert_eq!(scene.relays(shown("peer.example")), Ok(()));
    assert_eq!(scene.relays(shown("carrier.example")), Ok(()), "a trusted group");
    let stranger = "SIP/2.0 407 Proxy Authentication Required";
    assert_eq!(scene.relays(shown("other.example")), Err(stranger.to_owned()));
    assert_eq!(scene.relays(None), Err(stranger.to_owned()));
}

#[test]
fn another_authority_and_where_it_is_required_no_certificate_are_refused() {
    let scene = Scene::set("client_certificate = \"required\"");
    let (other, _) = authority("another");
    assert!(scene.relays(Some(signed(&other, domain("peer.example")))).is_err());
    scene
        .server
        .logs("the client's certificate is signed by none of the authorities in tls.client_authorities");
    assert!(scene.relays(None).is_err());
    scene.server.logs("the client shows no certificate, and tls.client_certificate requires one");
}

#[test]
fn certificates_that_nobody_is_asked_for_are_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sipweb.toml");
    std::fs::write(&file, "[peers]\ntrusted_certificates = \"peer.example\"\n").unwrap();
    let output = sipweb(&["check", &file.display().to_string()], "");
    assert!(text(&output.stderr).contains("set client_authorities in [tls]"), "{}", text(&output.stderr));
}
