//! Several certificates: each name that clients come by has its own (RFC 6066 §3).

mod harness;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use harness::{PATIENCE, Server, text};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A certificate that is good for one name.
struct Made {
    pem: String,
    key: String,
    der: CertificateDer<'static>,
}

fn certificate(host: &str) -> Made {
    let made = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
    Made { pem: made.cert.pem(), key: made.signing_key.serialize_pem(), der: made.cert.der().clone() }
}

/// Whether a client that believes only this certificate gets the server's page under this name.
fn is_served(server: &Server, believed: &Made, name: &str) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(believed.der.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = TcpStream::connect(server.address("https")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut stream = StreamOwned::new(session, stream);
    if stream.write_all(b"GET /config.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").is_err() {
        return false;
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    text(&answer).starts_with("HTTP/1.1 200")
}

#[test]
fn each_name_gets_its_certificate_and_sighup_brings_another_one() {
    let (one, two) = (certificate("one.example"), certificate("two.example"));
    let files = [("one.pem", &one.pem), ("one.key", &one.key), ("two.pem", &two.pem), ("two.key", &two.key)];
    let files = files.map(|(name, text)| (name, text.as_str()));
    let tls = "[tls]\ncertificate = [\"one.pem\", \"two.pem\"]\nkey = [\"one.key\", \"two.key\"]\n";
    let server = Server::start_beside(&files, tls);
    assert!(is_served(&server, &one, "one.example"));
    assert!(is_served(&server, &two, "two.example"));
    assert!(!is_served(&server, &two, "one.example"));

    let newer = certificate("two.example");
    std::fs::write(server.folder.join("two.pem"), &newer.pem).unwrap();
    std::fs::write(server.folder.join("two.key"), &newer.key).unwrap();
    server.signal("HUP");
    server.logs("the certificate files were read again");
    assert!(is_served(&server, &newer, "two.example"));
    assert!(is_served(&server, &one, "one.example"));
}
