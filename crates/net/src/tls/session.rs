//! One TLS connection, driven without an adapter between rustls and the socket.

use std::io::{self, Read as _, Write as _};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};
use tokio::net::TcpStream;

use super::peers::{domains, reason};
use crate::backlog::Backlog;
use crate::stream;

/// A TLS connection's state.
pub(crate) struct Session(rustls::Connection);

/// Why a session cannot go on, or cannot go on now.
#[derive(Debug)]
pub(crate) enum SessionError {
    /// The socket: `WouldBlock` means later.
    Socket(io::Error),
    /// The protocol: what is still to be written is an alert.
    Tls(String),
}

impl From<rustls::Error> for SessionError {
    fn from(error: rustls::Error) -> Self {
        Self::Tls(error.to_string())
    }
}

impl Session {
    pub(super) fn server(config: Arc<ServerConfig>) -> Result<Self, SessionError> {
        let mut connection = ServerConnection::new(config)?;
        connection.set_buffer_limit(None);
        Ok(Self(connection.into()))
    }

    pub(super) fn client(config: Arc<ClientConfig>, name: ServerName<'static>) -> Result<Self, SessionError> {
        let mut connection = ClientConnection::new(config, name)?;
        connection.set_buffer_limit(None);
        Ok(Self(connection.into()))
    }

    /// Bounds what may wait for the end of the handshake.
    pub(crate) fn bound_waiting(&mut self, bytes: usize) {
        self.0.set_buffer_limit(Some(bytes));
    }

    /// The handshake is over: from now on what waits is what the socket does not take, and that is bounded there.
    pub(crate) fn nothing_waits(&mut self) {
        self.0.set_buffer_limit(None);
    }

    /// The SIP domains of the certificate that a client has shown and that counts (RFC 5922 §7.1).
    pub(crate) fn client_domains(&self) -> Vec<String> {
        match (&self.0, self.0.peer_certificates()) {
            (rustls::Connection::Server(_), Some([first, ..])) => domains(first),
            _ => Vec::new(),
        }
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.0.is_handshaking()
    }

    /// Whether [`Session::pump`] has something to do.
    pub(crate) fn has_output(&self) -> bool {
        self.0.wants_write()
    }

    /// Reads what the peer said into `into`; 0 at its end. `WouldBlock` if the socket has no more, also when
    /// only a part of the handshake came.
    pub(crate) fn read(&mut self, socket: &TcpStream, into: &mut [u8]) -> Result<usize, SessionError> {
        loop {
            match self.0.reader().read(into) {
                Ok(length) => return Ok(length),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The peer closed without saying so. SIP and WebSocket know their own ends.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                Err(error) => return Err(SessionError::Socket(error)),
            }
            match self.0.read_tls(&mut Socket(socket)) {
                Ok(0) => return Ok(0),
                Ok(_) => {}
                Err(error) => return Err(SessionError::Socket(error)),
            }
            let is_server = matches!(self.0, rustls::Connection::Server(_));
            self.0.process_new_packets().map_err(|error| SessionError::Tls(reason(&error, is_server)))?;
            if self.0.wants_write() {
                // The caller pumps before it reads again.
                return match self.0.reader().read(into) {
                    Ok(length) => Ok(length),
                    Err(_) => Err(SessionError::Socket(io::ErrorKind::Interrupted.into())),
                };
            }
        }
    }

    /// Encrypts `head` and `payload` together, in one record if they fit in one, or keeps them until the handshake is
    /// over. Fails if too many wait.
    pub(crate) fn write(&mut self, head: &[u8], payload: &[u8]) -> io::Result<()> {
        let length = head.len().saturating_add(payload.len());
        let parts = [io::IoSlice::new(head), io::IoSlice::new(payload)];
        if self.0.writer().write_vectored(&parts)? < length {
            return Err(io::ErrorKind::WriteZero.into());
        }
        Ok(())
    }

    /// Says that nothing more will be written.
    pub(crate) fn close(&mut self) {
        self.0.send_close_notify();
    }

    /// Moves what is to be sent into the socket, or into `queue` if the socket is full or others wait there.
    pub(crate) fn pump(&mut self, socket: &TcpStream, queue: &mut Backlog) -> io::Result<()> {
        while self.0.wants_write() && queue.is_empty() {
            match self.0.write_tls(&mut Socket(socket)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        while self.0.wants_write() {
            self.0.write_tls(queue)?;
        }
        Ok(())
    }
}

/// The socket as rustls wants to see it.
struct Socket<'a>(&'a TcpStream);

impl io::Read for Socket<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        stream::read(self.0, into)
    }
}

impl io::Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, parts: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
