//! What the configuration says of certificates that the server gets by itself.

use std::net::IpAddr;
use std::path::Path;

use net::{ListenerConfig, Protocol};

use super::file::File;
use super::values;
use crate::acme::{Acme, Proof};

const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Which certificates are got, and from whom; `None` if none are. What is kept is kept in the folder `data`.
pub(super) fn acme(
    file: &mut File<'_>,
    folder: &Path,
    data: &Path,
    listeners: &[ListenerConfig],
) -> Option<Acme> {
    let placed = file.place("acme", "acme_domains");
    let domains = file.all_parsed("acme", "acme_domains", domain).unwrap_or_default();
    let agreed = file.truth("acme", "acme_terms_agreed").unwrap_or(false);
    let contact = file.parsed("acme", "acme_contact", mail).map(|contact| contact.value);
    let directory = file.parsed("acme", "acme_directory", |text| match text.starts_with("https://") {
        true => Ok(text.to_owned()),
        false => Err(format!("\"{text}\" is no directory of an authority; it begins with https://")),
    });
    let authority = file.parsed("acme", "acme_authority", |text| {
        let path = folder.join(text);
        std::fs::metadata(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        Ok(path)
    });
    let proof = file.parsed("acme", "acme_proof", |text| match text {
        "tls-alpn-01" => Ok(Proof::Https),
        "http-01" => Ok(Proof::Http),
        _ => Err(format!("\"{text}\" is neither tls-alpn-01 nor http-01")),
    });
    let proof = proof.map_or(Proof::Https, |proof| proof.value);
    let place = placed.filter(|_| !domains.is_empty())?;
    for (index, repeated) in domains.iter().enumerate() {
        if domains.iter().take(index).any(|earlier| earlier.value == repeated.value) {
            file.report(repeated.span.clone(), "this domain is already in the list".to_owned());
        }
    }
    if !agreed {
        let message = "an authority gives certificates to those who agree to its terms: read them, and set \
                       acme_terms_agreed = true";
        file.report(place.clone(), message.to_owned());
    }
    let (wanted, message) = match proof {
        Proof::Https => (
            Protocol::Https,
            "the authority looks for its proof on port 443: listen for https, such as https = \"0.0.0.0:443\"",
        ),
        Proof::Http => (
            Protocol::Http,
            "the authority looks for its proof on port 80: listen for http, such as http = \"0.0.0.0:80\"",
        ),
    };
    if !listeners.iter().any(|listener| listener.protocol == wanted) && !file.is_wrong() {
        file.report(place, message.to_owned());
    }
    Some(Acme {
        domains: domains.into_iter().map(|domain| domain.value).collect(),
        proof,
        contact,
        directory: directory.map_or_else(|| LETS_ENCRYPT.to_owned(), |directory| directory.value),
        authority: authority.map(|authority| authority.value),
        folder: data.join("acme"),
    })
}

/// A name of public DNS.
fn domain(text: &str) -> Result<String, String> {
    let name = values::host(text)?;
    if name.parse::<IpAddr>().is_ok() || !name.contains('.') || name.contains('_') {
        return Err(format!(
            "\"{text}\" is no name of public DNS, and authorities give certificates for those"
        ));
    }
    Ok(name)
}

fn mail(text: &str) -> Result<String, String> {
    let plain = |letter: char| letter.is_ascii_graphic() && !"<>,\"".contains(letter);
    let good =
        text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && values::host(host).is_ok());
    (good && text.chars().all(plain))
        .then(|| text.to_owned())
        .ok_or_else(|| format!("\"{text}\" is no mail address; write it as \"admin@example.com\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str, protocols: &[Protocol]) -> Vec<String> {
        let at = |protocol: &Protocol| ListenerConfig::new(*protocol, "127.0.0.1:443".parse().unwrap());
        let listeners: Vec<_> = protocols.iter().map(at).collect();
        let mut file = File::parse(text);
        acme(&mut file, Path::new(""), Path::new("data"), &listeners);
        file.problems().into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn what_would_lead_to_no_certificate_is_told() {
        let domain = "[acme]\nacme_domains = \"sip.example.com\"\n";
        let agreed = "acme_terms_agreed = true\n";
        let secure = [Protocol::Https];
        assert_eq!(problems(&format!("{domain}{agreed}"), &secure), Vec::<String>::new());
        assert!(problems(domain, &secure)[0].contains("set acme_terms_agreed = true"));
        assert!(problems(&format!("{domain}{agreed}"), &[Protocol::Http])[0].contains("listen for https"));
        let by_http = format!("{domain}{agreed}acme_proof = \"http-01\"\n");
        assert_eq!(problems(&by_http, &[Protocol::Http]), Vec::<String>::new());
        assert!(problems(&by_http, &secure)[0].contains("listen for http,"));
        for wrong in ["localhost", "192.0.2.1", "_sip.example.com", "*.example.com"] {
            let text = format!("[acme]\nacme_domains = \"{wrong}\"\n{agreed}");
            assert_eq!(problems(&text, &secure).len(), 1, "{wrong}");
        }
        let text =
            format!("{domain}{agreed}acme_contact = \"admin\"\nacme_directory = \"http://example.com\"");
        assert_eq!(problems(&text, &secure).len(), 2);
    }
}
