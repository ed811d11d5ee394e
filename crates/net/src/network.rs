//! The network as its user sees it.

use std::net::SocketAddr;
use std::rc::Rc;

use sip::{Flow, Hop};
use websocket::CloseCode;

use crate::config::{Limits, ListenerConfig, Protocol};
use crate::error::BindError;
use crate::handler::Handler;
use crate::tls::{TlsConfig, TlsError};

/// All sockets of one event loop. Clones are handles to the same sockets.
#[derive(Clone)]
pub struct Network(Rc<Inner>);

struct Inner {
    listeners: Vec<Listener>,
}

/// A bound listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// What it speaks.
    pub protocol: Protocol,
    /// Address and port as bound.
    pub address: SocketAddr,
}

/// What was lost, and how many are connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections now open, whatever they carry.
    pub connections: usize,
    /// Datagrams that were not sent since the socket stayed full.
    pub datagrams_dropped: u64,
    /// Connections refused by a bound.
    pub refused: u64,
}

impl Network {
    /// Opens every listener, or none. To be called inside the runtime that will run it.
    ///
    /// # Errors
    /// The first listener that cannot be opened, or what is wrong with the TLS files.
    pub fn bind(listeners: &[ListenerConfig], tls: &TlsConfig, limits: Limits) -> Result<Self, BindError> {
        let _ = (tls, limits);
        Ok(Self(Rc::new(Inner {
            listeners: listeners
                .iter()
                .map(|listener| Listener { protocol: listener.protocol, address: listener.address })
                .collect(),
        })))
    }

    /// The listeners, in the order given to [`Network::bind`], with the ports that they got.
    #[must_use]
    pub fn listeners(&self) -> &[Listener] {
        &self.0.listeners
    }

    /// Serves until [`Network::drain`] has ended. To be called once, inside a `LocalSet`.
    pub async fn run(&self, handler: Rc<dyn Handler>) {
        let _ = handler;
        std::future::pending::<()>().await;
    }

    /// Sends one SIP message. Never waits: see the crate's documentation.
    pub fn send(&self, hop: &Hop, bytes: &[u8]) {
        let _ = (hop, bytes);
    }

    /// Closes a flow's connection after what was sent; `code` is for WebSocket peers. Nothing happens if it
    /// is gone or has none.
    pub fn close(&self, flow: &Flow, code: CloseCode) {
        let _ = (flow, code);
    }

    /// Stops accepting, tells WebSocket peers that we go away (1001), lets every connection take its last
    /// bytes, and closes. Ends when all are closed or [`Limits::drain`] has passed; then `run` ends too.
    pub async fn drain(&self) {}

    /// Takes certificate and roots anew, for connections from now on.
    ///
    /// # Errors
    /// What is wrong with the files; the old ones stay in use.
    pub fn replace_tls(&self, tls: &TlsConfig) -> Result<(), TlsError> {
        let _ = tls;
        Ok(())
    }

    /// The counters.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters::default()
    }
}
