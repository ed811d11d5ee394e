//! TLS on which both sides show certificates, and whose they are (RFC 5922).

mod support;

use std::path::{Path, PathBuf};

use net::{CertificateFiles, ClientCertificates, Event, Identity, Limits, Protocol, TlsConfig, TrustRoots};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use sip::{Hop, Transport};
use support::{House, Told, message, run};

/// An authority, and the folder in which it keeps what it signs.
struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let folder =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        std::fs::write(folder.join("ca.pem"), parameters.self_signed(&key).unwrap().pem()).unwrap();
        Self { folder, issuer: Issuer::new(parameters, key) }
    }

    fn file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// A certificate for `sip:` URIs, as `sip:example.com`, and names.
    fn signs(&self, names: &[&str]) -> Identity {
        let name = |name: &&str| match name.starts_with("sip:") {
            true => SanType::URI((*name).try_into().unwrap()),
            false => SanType::DnsName((*name).try_into().unwrap()),
        };
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.subject_alt_names = names.iter().map(name).collect();
        let key = KeyPair::generate().unwrap();
        let place = |end: &str| self.folder.join(format!("{}.{end}", names[0].replace([':', '*'], "-")));
        let files = CertificateFiles { certificate: place("pem"), key: place("key") };
        std::fs::write(&files.certificate, parameters.signed_by(&key, &self.issuer).unwrap().pem()).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        Identity::Files(vec![files])
    }
}

/// A server for example.com that asks its clients for certificates of `authorities`.
fn asks(authority: &Authority, authorities: &Path, required: bool) -> House {
    let clients = ClientCertificates { authorities: authorities.to_owned(), required, sip: true, web: false };
    let identity = Some(authority.signs(&["sip:example.com", "host7.example.net"]));
    let tls = TlsConfig {
        identity,
        roots: TrustRoots::File(authority.file()),
        clients: Some(clients),
        issued: None,
    };
    House::with_tls(&[Protocol::Tls], &tls, Limits::default())
}

/// One that connects, and shows this certificate if it is asked.
fn shows(authority: &Authority, identity: Option<Identity>) -> House {
    let tls = TlsConfig { identity, roots: TrustRoots::File(authority.file()), clients: None, issued: None };
    House::with_tls(&[], &tls, Limits::default())
}

fn send(from: &House, to: &House, name: &str) {
    let address = to.address(Protocol::Tls);
    let hop = Hop::Address { transport: Transport::Tls, address, server_name: Some(name.into()) };
    from.network.send(&hop, &message(500));
}

async fn failure(house: &House) -> String {
    match house.recorder.event(|event| matches!(event, Event::TlsFailed { .. })).await {
        Event::TlsFailed { reason, .. } => reason,
        other => panic!("{other}"),
    }
}

#[test]
fn a_peer_is_known_by_the_certificate_that_it_shows() {
    run(async {
        let authority = Authority::new("known");
        let server = asks(&authority, &authority.file(), false);
        let client = shows(&authority, Some(authority.signs(&["sip:peer.example", "host9.example"])));
        send(&client, &server, "example.com");
        let flow = server.recorder.opened().await;
        server.recorder.message().await;
        assert!(
            server.recorder.rest().contains(&Told::Identified(flow, vec!["peer.example".to_owned()])),
            "{:?}",
            server.recorder.rest()
        );
    });
}

#[test]
fn who_shows_no_certificate_is_nobody_or_refused() {
    run(async {
        let authority = Authority::new("none");
        let client = shows(&authority, None);
        let server = asks(&authority, &authority.file(), false);
        send(&client, &server, "example.com");
        server.recorder.message().await;
        let identified = server.recorder.rest().iter().any(|told| matches!(told, Told::Identified(..)));
        assert!(!identified);

        let server = asks(&authority, &authority.file(), true);
        send(&client, &server, "example.com");
        let reason = failure(&server).await;
        assert_eq!(reason, "the client shows no certificate, and tls.client_certificate requires one");
    });
}

#[test]
fn a_certificate_of_another_authority_is_refused_and_the_log_says_so() {
    run(async {
        let (authority, other) = (Authority::new("ours"), Authority::new("another"));
        let server = asks(&authority, &authority.file(), false);
        let client = shows(&authority, Some(other.signs(&["sip:peer.example"])));
        send(&client, &server, "example.com");
        let reason = failure(&server).await;
        assert!(reason.contains("signed by none of the authorities in tls.client_authorities"), "{reason}");
    });
}

/// RFC 5922 §7.1: the server's certificate is for the domain that was asked for, whatever the host is called that DNS led to.
#[test]
fn a_server_is_believed_for_the_domain_of_its_sip_uri_and_not_for_the_name_of_its_host() {
    run(async {
        let authority = Authority::new("domain");
        let server = asks(&authority, &authority.file(), false);
        let client = shows(&authority, None);
        send(&client, &server, "EXAMPLE.com");
        server.recorder.message().await;
        send(&client, &server, "host7.example.net");
        let reason = failure(&client).await;
        assert_eq!(reason, "the server's certificate is for example.com, and not for host7.example.net");
    });
}

/// What is said in a dialog goes to Routes and Contacts, and many servers write their address there, which no certificate has.
#[test]
fn who_has_shown_a_certificate_for_a_name_is_believed_at_his_address_over_that_connection_and_no_other() {
    run(async {
        let authority = Authority::new("address");
        let server = asks(&authority, &authority.file(), false);
        let client = shows(&authority, None);
        let address = server.address(Protocol::Tls);
        let at_his_address = Hop::Address { transport: Transport::Tls, address, server_name: None };
        send(&client, &server, "example.com");
        let (first, _) = server.recorder.message().await;
        client.network.send(&at_his_address, &message(600));
        let (second, received) = server.recorder.message().await;
        assert_eq!((first.connection, received), (second.connection, message(600)));
        let stranger = shows(&authority, None);
        stranger.network.send(&at_his_address, &message(600));
        let reason = failure(&stranger).await;
        assert!(reason.contains("certificate"), "{reason}");
    });
}

/// RFC 5922 §7.2.
#[test]
fn a_star_in_a_servers_certificate_stands_for_no_domain() {
    run(async {
        let authority = Authority::new("star");
        let identity = Some(authority.signs(&["*.example.com"]));
        let tls = TlsConfig { identity, ..TlsConfig::default() };
        let server = House::with_tls(&[Protocol::Tls], &tls, Limits::default());
        let client = shows(&authority, None);
        send(&client, &server, "sip.example.com");
        let reason = failure(&client).await;
        assert!(reason.contains("a name with a star is none"), "{reason}");
    });
}
