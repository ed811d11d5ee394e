//! What the configuration says of signed caller ids.

use std::path::Path;
use std::sync::Arc;

use proxy::stir::{Attestation, Signing, Verification};
use proxy::trunk_settings::Trunks;

use super::file::{File, Placed};
use crate::stir::{CertificateError, Signer, Stir};

/// What the upstreams want of it.
#[derive(Clone, Copy)]
pub(super) struct Uses {
    signs: bool,
    verifies: bool,
}

impl Uses {
    pub(super) fn of(trunks: &Trunks) -> Self {
        Self {
            signs: trunks.groups.iter().any(|group| group.signing.is_some()),
            verifies: trunks.groups.iter().any(|group| group.verification != Verification::Off),
        }
    }
}

/// Keys and certificates. Relative paths are relative to `folder`.
pub(super) fn stir(file: &mut File<'_>, folder: &Path, uses: &Uses) -> Arc<Stir> {
    let mut stir = Stir { signer: signer(file, folder), ..Stir::default() };
    let entries = file.all_parsed("caller_ids", "certificates", url_and_path).unwrap_or_default();
    for (place, entry) in entries.iter().enumerate() {
        let (url, path) = &entry.value;
        if entries.iter().take(place).any(|other| other.value.0 == *url) {
            file.report(
                entry.span.clone(),
                format!("{url} is there twice: one certificate is published at one URL"),
            );
            continue;
        }
        add(file, folder, &entry.span, path, |pem| stir.certificates.add(url, pem));
    }
    let anchors = file.texts("caller_ids", "trust_anchors").unwrap_or_default();
    for path in &anchors {
        add(file, folder, &path.span, &path.value, |pem| stir.certificates.trust(pem));
    }
    let mut needs = |wanted: bool, has: bool, message: &str| {
        if wanted && !has && !file.is_wrong() {
            let place = file.names("upstreams").into_iter().map(|name| name.span).next().unwrap_or_default();
            file.report(place, message.to_owned());
        }
    };
    needs(
        uses.signs,
        stir.signer.is_some(),
        "an upstream has sign = true: write signing_key and certificate_url in [caller_ids]",
    );
    needs(
        uses.verifies,
        !anchors.is_empty(),
        "an upstream has verify: write trust_anchors (and certificates) in [caller_ids]",
    );
    Arc::new(stir)
}

fn signer(file: &mut File<'_>, folder: &Path) -> Option<Signer> {
    let key = file.text("caller_ids", "signing_key");
    let url = file.parsed("caller_ids", "certificate_url", url);
    let (key, url) = match (key, url) {
        (Some(key), Some(url)) => (key, url),
        (Some(key), None) => {
            if !file.is_wrong() {
                let message = "others need its certificate: write certificate_url, where you publish it";
                file.report(key.span, message.to_owned());
            }
            return None;
        }
        (None, Some(url)) => {
            file.report(url.span, "there is no key to it: write signing_key".to_owned());
            return None;
        }
        (None, None) => return None,
    };
    let certificate = file.text("caller_ids", "signing_certificate");
    let path = folder.join(&key.value);
    let made = match std::fs::read_to_string(&path) {
        Ok(pem) => Signer::new(&pem, &url.value).map_err(|error| format!("{}: {error}", path.display())),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    };
    let signer = made.map_err(|message| file.report(key.span, message)).ok()?;
    let Some(certificate) = certificate else { return Some(signer) };
    let path = folder.join(&certificate.value);
    let made = match std::fs::read(&path) {
        Ok(pem) => signer.with_certificate(&pem).map_err(|error| format!("{}: {error}", path.display())),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    };
    made.map_err(|message| file.report(certificate.span, message)).ok()
}

fn add(
    file: &mut File<'_>,
    folder: &Path,
    span: &std::ops::Range<usize>,
    path: &str,
    add: impl FnOnce(&[u8]) -> Result<(), CertificateError>,
) {
    let full = folder.join(path);
    let problem = match std::fs::read(&full) {
        Ok(pem) => add(&pem).err().map(|error| format!("{}: {error}", full.display())),
        Err(error) => Some(format!("cannot read {}: {error}", full.display())),
    };
    if let Some(problem) = problem {
        file.report(span.clone(), problem);
    }
}

/// Whether calls to the group of `section` are signed.
pub(super) fn signing(file: &mut File<'_>, section: &str) -> Option<Signing> {
    let signs = file.truth(section, "sign").unwrap_or(false);
    let users = file.parsed(section, "attest_users", attestation);
    let others = file.parsed(section, "attest_others", attestation_or_none);
    if !signs {
        return None;
    }
    if file.text(section, "caller").is_some_and(|caller| caller.value == "account")
        && let Some(place) = file.place(section, "sign")
    {
        let message =
            "From names the account (caller), and the signature whoever calls: write caller = \"own\"";
        file.report(place, message.to_owned());
    }
    Some(Signing {
        users: users.map_or(Attestation::Full, |users| users.value),
        others: others.and_then(|others| others.value),
    })
}

/// What becomes of calls of the group of `section`.
pub(super) fn verification(file: &mut File<'_>, section: &str) -> Verification {
    let found: Option<Placed<Verification>> = file.parsed(section, "verify", |text| match text {
        "off" => Ok(Verification::Off),
        "mark" => Ok(Verification::Mark),
        "refuse" => Ok(Verification::Refuse),
        "require" => Ok(Verification::Require),
        _ => Err(format!("\"{text}\" is none of off, mark, refuse and require")),
    });
    found.map_or(Verification::Off, |found| found.value)
}

fn attestation(text: &str) -> Result<Attestation, String> {
    match text {
        "A" => Ok(Attestation::Full),
        "B" => Ok(Attestation::Partial),
        "C" => Ok(Attestation::Gateway),
        _ => Err(format!("\"{text}\" is none of A, B and C")),
    }
}

fn attestation_or_none(text: &str) -> Result<Option<Attestation>, String> {
    if text == "none" { Ok(None) } else { attestation(text).map(Some) }
}

fn url(text: &str) -> Result<String, String> {
    let is_plain = |letter: char| letter.is_ascii_graphic() && !"\"<>\\".contains(letter);
    if text.starts_with("https://") && text.chars().all(is_plain) {
        Ok(text.to_owned())
    } else {
        Err(format!("\"{text}\" is no URL such as \"https://example.com/caller-ids.pem\""))
    }
}

fn url_and_path(text: &str) -> Result<(String, String), String> {
    let (name, path) = text.split_once(' ').ok_or_else(|| {
        format!("\"{text}\" is not a URL, a blank and a file: \"https://cr.example.net/sti.pem sti.pem\"")
    })?;
    Ok((url(name)?, path.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::error::problems_in;

    const UPSTREAM: &str = "[upstreams.pstn]\nservers = \"sip:10.0.0.5\"\n";

    fn problems(text: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        std::fs::write(folder.path().join("key"), key.serialize_pem()).unwrap();
        std::fs::write(folder.path().join("anchor"), include_str!("../stir/vector/anchor.pem")).unwrap();
        problems_in(text, folder.path())
    }

    #[test]
    fn a_key_and_its_url_sign_and_an_anchor_verifies() {
        let keys = "[caller_ids]\nsigning_key = \"key\"\ncertificate_url = \"https://a.example/b.pem\"\n\
                    trust_anchors = \"anchor\"\ncertificates = \"https://c.example/d.pem anchor\"\n";
        let text = format!("{keys}{UPSTREAM}sign = true\nattest_others = \"C\"\nverify = \"require\"\n");
        assert_eq!(problems(&text), [""; 0]);
    }

    #[test]
    fn two_certificates_are_not_published_at_one_url() {
        let twice = "[caller_ids]\ncertificates = [\"https://c.example/d.pem anchor\", \"https://c.example/e.pem anchor\", \
                     \"https://c.example/d.pem other\"]\n";
        let message = "2:85: https://c.example/d.pem is there twice: one certificate is published at one URL";
        assert_eq!(problems(twice), [message]);
    }

    #[test]
    fn what_is_missing_or_wrong_is_told_with_its_place() {
        for (text, expected) in [
            (format!("{UPSTREAM}sign = true"), "1:12: an upstream has sign = true: write signing_key"),
            (format!("{UPSTREAM}verify = \"mark\""), "1:12: an upstream has verify: write trust_anchors"),
            (format!("{UPSTREAM}verify = \"yes\""), "3:10: \"yes\" is none of off, mark, refuse and require"),
            (format!("{UPSTREAM}sign = true\nattest_users = \"D\""), "4:16: \"D\" is none of A, B and C"),
            (
                format!(
                    "{UPSTREAM}account = \"sip:a@b\"\npassword = \"x\"\ncaller = \"account\"\nsign = true"
                ),
                "6:8: From names the account",
            ),
            ("[caller_ids]\nsigning_key = \"key\"".to_owned(), "2:15: others need its certificate"),
            (
                "[caller_ids]\ncertificate_url = \"https://a.example/b\"".to_owned(),
                "2:19: there is no key to it: write signing_key",
            ),
            (
                "[caller_ids]\ncertificate_url = \"http://a.example/b\"".to_owned(),
                "2:19: \"http://a.example/b\" is no URL such as",
            ),
            (
                "[caller_ids]\nsigning_key = \"anchor\"\ncertificate_url = \"https://a.example/b\""
                    .to_owned(),
                "2:15: anchor: it has no private key of the curve P-256",
            ),
            (
                "[caller_ids]\ncertificates = [\"https://a.example/b\"]".to_owned(),
                "2:17: \"https://a.example/b\" is not a URL, a blank and a file",
            ),
            (
                "[caller_ids]\nsigning_key = \"key\"\ncertificate_url = \"https://a.example/b\"\n\
                 signing_certificate = \"anchor\""
                    .to_owned(),
                "4:23: anchor: it is the certificate of another key than signing_key",
            ),
            ("[caller_ids]\ntrust_anchors = \"key\"".to_owned(), "2:17: key: it has no certificate in PEM"),
        ] {
            let found = problems(&text);
            assert!(found.len() == 1 && found[0].starts_with(expected), "{text}\n{found:#?}");
        }
    }
}
