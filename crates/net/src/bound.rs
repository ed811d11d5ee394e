//! Sockets that are bound and not yet served: made on one thread, served on others.

use std::rc::Rc;
use std::sync::Arc;

use socket2::Socket;

use crate::config::{Limits, ListenerConfig, Protocol};
use crate::error::BindError;
use crate::joint::{Joint, MOST_LOOPS};
use crate::listen::{self, Incoming};
use crate::network::{Listener, Network};
use crate::shared::Shared;
use crate::tls::{LoadedTls, TlsConfig};

/// The listening sockets of one event loop.
pub struct Bound {
    place: usize,
    joint: Arc<Joint>,
    limits: Limits,
    tls: LoadedTls,
    sockets: Vec<(ListenerConfig, Socket)>,
}

impl Bound {
    /// Binds every listener once for each of `loops` event loops ([`MOST_LOOPS`] at most), or none.
    /// The bounds hold for all loops together.
    ///
    /// # Errors
    /// The first listener that cannot be opened, or what is wrong with the TLS files.
    pub fn open(
        listeners: &[ListenerConfig],
        tls: &TlsConfig,
        limits: Limits,
        loops: usize,
    ) -> Result<Vec<Self>, BindError> {
        let loops = loops.clamp(1, MOST_LOOPS);
        let loaded = LoadedTls::load(tls)?;
        if let Some(listener) = listeners.iter().find(|listener| listener.protocol.is_secure())
            && loaded.acceptors.is_none()
        {
            return Err(BindError::NoCertificate { listener: *listener });
        }
        let joint = Arc::new(Joint::default());
        let mut bound: Vec<Self> = (0..loops)
            .map(|place| Self {
                place,
                joint: Arc::clone(&joint),
                limits: limits.clone(),
                tls: loaded.clone(),
                sockets: Vec::new(),
            })
            .collect();
        for listener in listeners {
            let sockets = listen::bind(*listener, loops)?;
            for (bound, socket) in bound.iter_mut().zip(sockets) {
                bound.sockets.push((*listener, socket));
            }
        }
        Ok(bound)
    }

    /// The network of these sockets. To be called inside the runtime that will run it.
    ///
    /// # Errors
    /// A listener that the event loop cannot have.
    pub fn start(self) -> Result<Network, BindError> {
        let mut listeners = Vec::new();
        let mut datagrams = Vec::new();
        let mut incoming = Vec::new();
        for (listener, socket) in self.sockets {
            let failed = |error| BindError::from_io(listener, error);
            let address = if listener.protocol == Protocol::Udp {
                let socket = listen::datagrams(socket).map_err(failed)?;
                let local = socket.local();
                datagrams.push(Rc::new(socket));
                local
            } else {
                let socket = Incoming::new(socket, listener.protocol).map_err(failed)?;
                let local = socket.local;
                incoming.push(socket);
                local
            };
            listeners.push(Listener { protocol: listener.protocol, address });
        }
        let LoadedTls { acceptors, connector } = self.tls;
        let shared =
            Shared::new(self.place, self.joint, self.limits, listeners, datagrams, acceptors, connector);
        Ok(Network { shared: Rc::new(shared), incoming: Rc::new(incoming.into()) })
    }
}
