//! SIGHUP: the configuration and the certificates are read again, with calls up. What is wrong changes nothing.

use std::path::Path;
use std::sync::Arc;

use net::LoadedTls;
use proxy::Role;

use crate::certificate::Certificate;
use crate::configuration::Configuration;
use crate::log;
use crate::post::Reconfiguration;
use crate::server::Server;

/// Reads the file again that `running` came from, and takes what can change while the server runs. `server` is one of
/// its event loops, which tells the others.
pub(crate) fn reload(running: &mut Configuration, server: &Server) {
    if let Some(file) = running.file.as_deref().filter(|file| is_empty(file)) {
        log::error(format!(
            "{} is empty, as after a write to a full disk; the configuration and the certificates stay as they were",
            file.display()
        ));
        return;
    }
    let read = running.file.as_deref().map_or_else(|| Ok(running.clone()), Configuration::read);
    let mut new = match read {
        Ok(new) => new,
        Err(error) => {
            log::error(format!("{error}; the configuration and the certificates stay as they were"));
            return;
        }
    };
    // What has come while the server runs stays.
    new.tls.issued.clone_from(&running.tls.issued);
    let tls = match LoadedTls::load(&new.tls) {
        Ok(tls) => tls,
        Err(error) => {
            log::error(format!("{error}; the configuration and the certificates stay as they were"));
            return;
        }
    };
    log::info("the certificate files were read again");
    Certificate::of(&new).tell_trouble();
    let waiting = changes_for_the_next_start(running, &new);
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

/// Takes certificate files that another program has renewed.
pub(crate) fn take_renewal(running: &Configuration, server: &Server) {
    match LoadedTls::load(&running.tls) {
        Ok(tls) => {
            log::info("the certificate files have changed, and were read again");
            Certificate::of(running).tell_trouble();
            server.replace_certificates(tls);
        }
        Err(error) => {
            log::error(format!(
                "the certificate files have changed: {error}; the certificates stay as they were"
            ));
        }
    }
}

/// An empty file is a configuration, but hardly what somebody wants of a server that runs by another one.
fn is_empty(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|metadata| metadata.len() == 0)
}

/// The sections of what cannot change while the server runs, and has changed.
fn changes_for_the_next_start(running: &Configuration, new: &Configuration) -> Vec<&'static str> {
    let is_edge = |configuration: &Configuration| matches!(configuration.proxy.role, Role::Edge { .. });
    [
        ("data", running.data != new.data),
        ("loops", running.loops() != new.loops()),
        ("listen", running.listeners != new.listeners || running.advertise != new.advertise),
        ("web.page", running.web.page != new.web.page),
        ("edge", is_edge(running) != is_edge(new)),
        ("media", running.media != new.media),
        ("acme", running.acme != new.acme),
        ("limits.connections", running.limits != new.limits),
        ("log.calls", running.calls != new.calls),
    ]
    .into_iter()
    .filter_map(|(name, changed)| changed.then_some(name))
    .collect()
}
