//! What the configuration says of certificates.

use std::path::Path;

use net::{CertificateFiles, ClientCertificates, Identity, TlsConfig, TlsError, TrustRoots};

use super::file::{File, Placed};
use super::values;

/// What is wrong where certificates of others are to count, and nobody is asked for one.
pub(super) const NOT_ASKED: &str = "nobody who connects is asked for a certificate: set client_authorities in [tls], the file of who signs them";

/// Our certificates and those that we trust. Relative paths are relative to `folder`.
pub(super) fn tls(file: &mut File<'_>, folder: &Path, data: &Path, advertise: Option<&str>) -> TlsConfig {
    let certificates = file.texts("tls", "certificate").unwrap_or_default();
    let keys = file.texts("tls", "key").unwrap_or_default();
    let trust = file.text("tls", "trust");
    if certificates.len() != keys.len() {
        let message = match (certificates.len(), keys.len()) {
            (_, 0) => "a certificate needs its private key: set key too".to_owned(),
            (0, _) => "a private key needs its certificate: set certificate too".to_owned(),
            (certificates, keys) => format!(
                "there are {certificates} certificates and {keys} keys; each certificate needs its key, in the same order"
            ),
        };
        let place = if certificates.is_empty() { "key" } else { "certificate" };
        if !file.is_wrong() {
            file.report(file.place("tls", place).unwrap_or_default(), message);
        }
        return TlsConfig::default();
    }
    let identity = if certificates.is_empty() {
        let mut names: Vec<String> = advertise.map(str::to_owned).into_iter().collect();
        for domain in file.texts("", "domain").unwrap_or_default() {
            // Good for localhost it is in any case.
            names.extend(values::host(&domain.value).ok().filter(|name| name != "localhost"));
        }
        Identity::SelfSigned { directory: data.to_owned(), names }
    } else {
        let pairs = certificates.iter().zip(&keys).map(|(certificate, key)| CertificateFiles {
            certificate: folder.join(&certificate.value),
            key: folder.join(&key.value),
        });
        Identity::Files(pairs.collect())
    };
    let roots =
        trust.as_ref().map_or(TrustRoots::System, |trust| TrustRoots::File(folder.join(&trust.value)));
    let clients = clients(file, folder);
    let config = TlsConfig { identity: Some(identity), roots, clients, issued: None };
    // A self-signed certificate is made when the server starts, not when its configuration is checked.
    let checked =
        if certificates.is_empty() { TlsConfig { identity: None, ..config.clone() } } else { config.clone() };
    if let Err(error) = checked.check() {
        let authorities = file.text("tls", "client_authorities");
        let named = keys.iter().chain(&trust).chain(&certificates).chain(&authorities);
        let guilty = guilty(&error, folder, named).or(certificates.first()).or(trust.as_ref());
        file.report(guilty.map_or(0..0, |placed| placed.span.clone()), error.to_string());
    }
    config
}

/// Whether those who connect are asked for a certificate.
fn clients(file: &mut File<'_>, folder: &Path) -> Option<ClientCertificates> {
    let authorities = file.text("tls", "client_authorities");
    let required = file.parsed("tls", "client_certificate", |text| match text {
        "optional" => Ok(false),
        "required" => Ok(true),
        _ => Err(format!("\"{text}\" is neither optional nor required")),
    });
    let listeners = file.all_parsed("tls", "client_listeners", |text| match text {
        "tls" | "https" => Ok(text.to_owned()),
        _ => Err(format!("\"{text}\" is neither tls nor https")),
    });
    if authorities.is_none() {
        let first =
            file.texts("peers", "trusted_certificates").and_then(|domains| domains.into_iter().next());
        let required = required.filter(|required| required.value);
        if let Some(span) = first.map(|first| first.span).or_else(|| required.map(|required| required.span)) {
            file.report(span, NOT_ASKED.to_owned());
        }
        return None;
    }
    let asks = |name: &str| match &listeners {
        Some(listeners) => listeners.iter().any(|listener| listener.value == name),
        None => name == "tls",
    };
    Some(ClientCertificates {
        authorities: folder.join(authorities?.value),
        required: required.is_some_and(|required| required.value),
        sip: asks("tls"),
        web: asks("https"),
    })
}

/// The name of the file that the error is about, if it says which: the first of them, where it names two.
fn guilty<'p>(
    error: &TlsError,
    folder: &Path,
    mut candidates: impl Iterator<Item = &'p Placed<String>>,
) -> Option<&'p Placed<String>> {
    let sentence = error.to_string();
    candidates.find(|placed| sentence.contains(folder.join(&placed.value).display().to_string().as_str()))
}
