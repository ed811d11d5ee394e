//! A server signs who calls, another one verifies it and tells the phone.

mod harness;

use std::fs;
use std::thread;

use harness::{PASSWORD, Phone, Server, add_user, text};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use sip::HeaderName;

const URL: &str = "https://cr.example.com/caller-ids.pem";

/// Takes a configuration with `more` at its end.
fn reconfigure(server: &Server, before: &str, more: &str) {
    fs::write(server.folder.join("sipweb.toml"), format!("{before}\n{more}\n")).unwrap();
    let reloads = server.log().matches("the configuration was read again").count();
    server.signal("HUP");
    let sentence = "the configuration was read again";
    while server.log().matches(sentence).count() == reloads {
        thread::yield_now();
    }
}

fn configuration(server: &Server) -> String {
    fs::read_to_string(server.folder.join("sipweb.toml")).unwrap()
}

#[test]
fn a_call_from_one_server_to_another_is_signed_there_and_verified_here() {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(Vec::new()).unwrap().signed_by(&key, &authority).unwrap();

    let ours = Server::start_beside(&[("key", &key.serialize_pem())], "");
    let files = [("certificate", certificate.pem()), ("authority", authority.pem())];
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let theirs = Server::start_beside(&files, "[numbers]\ncountry = \"49\"\n");
    add_user(&ours.folder, "+49305550");
    let verifies = |certificates: &str| {
        format!(
            "[caller_ids]\ntrust_anchors = \"authority\"\n{certificates}\n[upstreams.them]\nprobe = \"0s\"\n\
             servers = \"sip:{};transport=udp\"\ntrusted = true\nverify = \"mark\"\nincoming_to = \"bob\"",
            ours.address("udp")
        )
    };
    let (our_file, their_file) = (configuration(&ours), configuration(&theirs));
    let signs = format!(
        "[caller_ids]\nsigning_key = \"key\"\ncertificate_url = \"{URL}\"\n[numbers]\ncountry = \"49\"\n\
         [upstreams.them]\nprobe = \"0s\"\nservers = \"sip:{};transport=udp\"\nsign = true\n\
         [[routes]]\nprefix = \"+\"\nto = \"upstream:them\"",
        theirs.address("udp")
    );
    reconfigure(&ours, &our_file, &signs);
    ours.logs("the users' file changed");

    let bob = Phone::new(&theirs, "bob");
    assert_eq!(bob.authenticated("REGISTER", "sip:example.com", "", PASSWORD).status(), Some(200));
    let known = format!("certificates = \"{URL} certificate\"");
    for (certificates, expected) in [
        (known.as_str(), "<sip:+49305550;verstat=TN-Validation-Passed@example.com>"),
        ("", "<sip:+49305550;verstat=TN-Validation-Failed@example.com>"),
    ] {
        reconfigure(&theirs, &their_file, &verifies(certificates));
        let caller = Phone::new(&ours, "+49305550");
        let shown = thread::scope(|scope| {
            let rings = scope.spawn(|| {
                let invite = bob.receive();
                bob.respond(&invite, 486, "");
                invite.header(HeaderName::From).map(text).unwrap_or_default()
            });
            let answer = caller.authenticated("INVITE", "sip:089777@example.com", "", PASSWORD);
            assert_eq!(answer.status(), Some(486));
            rings.join().unwrap()
        });
        assert!(shown.starts_with(expected), "{shown}");
        // The ACK of the phone's own refusal.
        assert_eq!(bob.receive().method().map(|method| method.as_bytes().to_vec()), Some(b"ACK".to_vec()));
    }
}
