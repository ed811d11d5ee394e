//! SIGHUP: the configuration and the certificates are read again, with calls up. What is wrong changes nothing.

use std::path::Path;
use std::sync::Arc;

use net::LoadedTls;
use proxy::Role;

use crate::certificate::Certificate;
use crate::certificate_watch::CertificateWatch;
use crate::configuration::Configuration;
use crate::log;
use crate::post::Reconfiguration;
use crate::server::Server;

/// Reads the file again that `running` came from, and takes what can change while the server runs; of the rest it goes on as it was
/// `started`. `server` is one of its event loops, which tells the others.
pub(crate) fn reload(
    started: &Configuration,
    running: &mut Configuration,
    watch: &mut CertificateWatch,
    server: &Server,
) {
    let (new, tls) = match read_again(running, watch) {
        Ok(read) => read,
        Err(trouble) => {
            log::error(format!("{trouble}; the configuration and the certificates stay as they were"));
            return;
        }
    };
    log::info("the certificate files were read again");
    new.tell_trouble();
    let waiting = changes_for_the_next_start(started, &new);
    if !waiting.is_empty() {
        log::warning(format!("changes of {} count from the next start on", waiting.join(", ")));
    }
    log::set_level(new.level);
    server.reconfigure_all(Reconfiguration {
        proxy: new.proxy.clone(),
        origins: new.web.origins.clone(),
        tokens: new.tokens.clone(),
        ice: new.ice.clone(),
        stir: Arc::clone(&new.stir),
        tls,
    });
    log::info("the configuration was read again");
    *running = new;
}

/// The configuration of the same file as it is now, and its certificates; or why they cannot be taken. Only certificates that are
/// taken count as such for the watch: what was renewed meanwhile is still to come.
fn read_again(
    running: &Configuration,
    watch: &mut CertificateWatch,
) -> Result<(Configuration, LoadedTls), String> {
    if let Some(file) = running.file.as_deref().filter(|file| is_empty(file)) {
        return Err(format!("{} is empty, as after a write to a full disk", file.display()));
    }
    let read = running.file.as_deref().map_or_else(|| Ok(running.clone()), Configuration::read);
    let mut new = read.map_err(|error| error.to_string())?;
    // What has come while the server runs stays.
    new.tls.issued.clone_from(&running.tls.issued);
    let files = CertificateWatch::new(&new.tls);
    let tls = LoadedTls::load(&new.tls).map_err(|error| error.to_string())?;
    *watch = files;
    Ok((new, tls))
}

/// Takes certificate files that another program has renewed.
pub(crate) fn take_renewal(running: &Configuration, watch: &mut CertificateWatch, server: &Server) {
    match read_renewal(running, watch) {
        Ok(tls) => {
            log::info("the certificate files have changed, and were read again");
            Certificate::of(running).tell_trouble();
            server.replace_certificates(tls);
        }
        Err(Some(trouble)) => log::error(format!("the certificate files have changed: {trouble}")),
        Err(None) => {}
    }
}

/// The renewed certificates; or why they cannot be taken, if that was not told before.
fn read_renewal(running: &Configuration, watch: &mut CertificateWatch) -> Result<LoadedTls, Option<String>> {
    LoadedTls::load(&running.tls).map_err(|error| {
        watch.has_failed_anew().then(|| {
            format!("{error}; tried again each minute, and until then the certificates stay as they were")
        })
    })
}

/// An empty file is a configuration, but hardly what somebody wants of a server that runs by another one.
fn is_empty(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|metadata| metadata.len() == 0)
}

/// What cannot change while the server runs, and differs from how it was started.
fn changes_for_the_next_start(started: &Configuration, new: &Configuration) -> Vec<&'static str> {
    differences(started, new).into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect()
}

/// What cannot change while the server runs, by section or key, and whether it differs.
fn differences(started: &Configuration, new: &Configuration) -> [(&'static str, bool); 11] {
    let is_edge = |configuration: &Configuration| matches!(configuration.proxy.role, Role::Edge { .. });
    let (limits, new_limits) = (&started.limits, &new.limits);
    [
        ("data", started.data != new.data),
        ("loops", started.loops() != new.loops()),
        ("listen", started.listeners != new.listeners || started.advertise != new.advertise),
        ("listen.balancers", limits.balancers != new_limits.balancers),
        ("web.page", started.web.page != new.web.page),
        ("edge", is_edge(started) != is_edge(new)),
        ("media", started.media != new.media),
        ("acme", started.acme != new.acme),
        ("limits.connections", limits.connections != new_limits.connections),
        ("limits.connections_per_source", limits.connections_per_source != new_limits.connections_per_source),
        ("log.calls", started.calls != new.calls),
    ]
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A server's folder with a configuration and a certificate.
    fn folder() -> (tempfile::TempDir, Configuration) {
        let place = tempfile::tempdir().unwrap();
        let configuration = "data = \"data\"\n[listen]\nhttps = [\"127.0.0.1:0\"]\n[tls]\ncertificate = \"one.pem\"\nkey = \"one.key\"\n";
        fs::write(place.path().join("sipweb.toml"), configuration).unwrap();
        renew(place.path());
        let running = Configuration::read(&place.path().join("sipweb.toml")).unwrap();
        (place, running)
    }

    fn renew(folder: &Path) {
        let made = rcgen::generate_simple_self_signed(["one.example".to_owned()]).unwrap();
        fs::write(folder.join("one.pem"), made.cert.pem()).unwrap();
        fs::write(folder.join("one.key"), made.signing_key.serialize_pem()).unwrap();
    }

    #[test]
    fn certificates_that_a_wrong_configuration_kept_from_being_taken_are_taken_later() {
        let (place, running) = folder();
        let mut watch = CertificateWatch::new(&running.tls);
        let file = place.path().join("sipweb.toml");
        renew(place.path());
        fs::write(&file, "[lisen]\n").unwrap();
        assert!(read_again(&running, &mut watch).is_err());
        assert!(!watch.has_renewal(&running.tls), "they may still be written");
        assert!(watch.has_renewal(&running.tls));
    }

    #[test]
    fn certificates_that_were_taken_are_no_renewal_though_the_configuration_names_other_files() {
        let (place, running) = folder();
        let mut watch = CertificateWatch::new(&running.tls);
        let file = place.path().join("sipweb.toml");
        fs::create_dir(place.path().join("new")).unwrap();
        renew(&place.path().join("new"));
        fs::write(&file, fs::read_to_string(&file).unwrap().replace("one.", "new/one.")).unwrap();
        let (new, _) = read_again(&running, &mut watch).unwrap();
        assert!(!watch.has_renewal(&new.tls));
        assert!(!watch.has_renewal(&new.tls));
    }

    /// A renewal whose key nobody can read: a folder is in its place.
    fn renew_without_key(folder: &Path) {
        renew(folder);
        fs::remove_file(folder.join("one.key")).unwrap();
        fs::create_dir(folder.join("one.key")).unwrap();
    }

    #[test]
    fn a_renewal_that_cannot_be_read_for_a_moment_is_tried_again_though_no_file_changes() {
        let (place, running) = folder();
        let mut watch = CertificateWatch::new(&running.tls);
        renew_without_key(place.path());
        assert!(!watch.has_renewal(&running.tls), "it may still be written");
        assert!(watch.has_renewal(&running.tls));
        assert!(read_renewal(&running, &mut watch).is_err());
        assert!(watch.has_renewal(&running.tls));
    }

    #[test]
    fn that_a_renewal_cannot_be_taken_is_told_once_until_it_is_to_be_told_again() {
        let (place, running) = folder();
        let mut watch = CertificateWatch::new(&running.tls);
        renew_without_key(place.path());
        let mut told_at = Vec::new();
        for look in 0..10 {
            if look == 6 {
                watch.tell_again();
            }
            if watch.has_renewal(&running.tls) && read_renewal(&running, &mut watch).unwrap_err().is_some() {
                told_at.push(look);
            }
        }
        assert_eq!(told_at, [1, 6]);
    }

    fn configured(text: &str) -> Configuration {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("sipweb.toml"), format!("data = \"/data\"\n{text}")).unwrap();
        Configuration::read(&place.path().join("sipweb.toml")).unwrap()
    }

    #[test]
    fn what_waits_for_the_next_start_is_called_by_the_name_that_it_has_in_the_file() {
        let started = configured("");
        for (text, name) in [
            ("[listen]\nudp = \"127.0.0.1:5070\"", "listen"),
            ("[listen]\nbalancers = \"10.0.0.5\"", "listen.balancers"),
            ("[limits]\nconnections = 7", "limits.connections"),
            ("[limits]\nconnections_per_source = 7", "limits.connections_per_source"),
        ] {
            assert_eq!(changes_for_the_next_start(&started, &configured(text)), [name]);
        }
    }

    #[test]
    fn the_example_says_at_its_head_all_that_waits_for_the_next_start() {
        let example = crate::configuration::example();
        let head = example.split("\n\n").next().unwrap();
        let words: Vec<&str> = head.split([' ', ',', '\n']).collect();
        let started = configured("");
        for (name, _) in differences(&started, &started) {
            let section = name.split('.').next().unwrap();
            assert!(words.contains(&name) || words.contains(&section), "{name}");
        }
    }
}
