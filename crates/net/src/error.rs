//! Why a listener could not be opened, and what to do about it.

use std::io;

use crate::config::ListenerConfig;
use crate::tls::TlsError;

/// Why listening failed. The text names the listener and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Another program, or another listener of ours, has the port.
    #[error(
        "cannot listen for {listener}: the port is in use; stop the other program or choose another port"
    )]
    PortInUse {
        /// The listener.
        listener: ListenerConfig,
    },
    /// The system does not let this process have the port.
    #[error(
        "cannot listen for {listener}: permission denied; ports below 1024 need the CAP_NET_BIND_SERVICE \
         capability, or choose a port of 1024 or more"
    )]
    PermissionDenied {
        /// The listener.
        listener: ListenerConfig,
    },
    /// No interface of this machine has the address.
    #[error(
        "cannot listen for {listener}: this machine does not have that address; use one of its own addresses, \
         or 0.0.0.0 or [::] for all of them"
    )]
    AddressNotAvailable {
        /// The listener.
        listener: ListenerConfig,
    },
    /// The system refused for another reason.
    #[error("cannot listen for {listener}: {source}")]
    Other {
        /// The listener.
        listener: ListenerConfig,
        /// What the system said.
        source: io::Error,
    },
    /// A listener needs TLS and no certificate is configured.
    #[error("cannot listen for {listener}: no certificate is configured; name one, or let one be made")]
    NoCertificate {
        /// The listener.
        listener: ListenerConfig,
    },
    /// The TLS configuration cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl BindError {
    /// Sorts the error of a `bind` or `listen` call.
    pub(crate) fn from_io(listener: ListenerConfig, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::PortInUse { listener },
            io::ErrorKind::PermissionDenied => Self::PermissionDenied { listener },
            io::ErrorKind::AddrNotAvailable => Self::AddressNotAvailable { listener },
            _ => Self::Other { listener, source },
        }
    }
}
