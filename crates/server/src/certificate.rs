//! Our certificate as those will see it to whom it is shown.

use std::time::SystemTime;

use net::TlsConfig;

use crate::configuration::Configuration;
use crate::log;

/// The certificate, and the names by which clients come.
pub(crate) struct Certificate {
    files: TlsConfig,
    names: Vec<String>,
}

impl Certificate {
    /// The certificate of a configuration. Clients come by the name that it advertises, else by one of its domains.
    pub(crate) fn of(configuration: &Configuration) -> Self {
        let shown = configuration.listeners.iter().any(|listener| listener.protocol.is_secure());
        let mut names = match &configuration.advertise {
            _ if !shown => Vec::new(),
            Some(advertised) => vec![advertised.clone()],
            None => configuration.proxy.domains.clone(),
        };
        // For these another one comes, in place of what the files hold.
        let own = configuration.acme.as_ref().map_or(&[][..], |acme| &acme.domains);
        names.retain(|name| !own.contains(name));
        Self { files: configuration.tls.clone(), names }
    }

    /// Says in the log why clients will refuse it.
    pub(crate) fn tell_trouble(&self) {
        // That it cannot be read is told where it is loaded.
        let troubles = self.files.examine(&self.names, SystemTime::now());
        for trouble in troubles.unwrap_or_default() {
            log::warning(format!("{}: {trouble}", trouble.code()));
        }
    }
}
