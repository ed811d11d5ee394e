//! The handshake, with one thing added to it: what it exports is kept for the leg.
//!
//! str0m takes its cryptography from a provider. Ours is its own, but for DTLS: every association that it makes is
//! its own too, watched when it hands out the keys of SRTP. With these the leg does the SRTP of sound by itself.
#![allow(
    clippy::disallowed_types,
    reason = "str0m speaks std::time::Instant: what it hands us is handed on; no clock is read"
)]

use srtp::{KeyError, Receiver, Sender, Suite};
use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Instant;
use str0m::config::{CryptoProvider, DtlsCert};
use str0m::crypto::CryptoError;
use str0m::crypto::dtls::{
    DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, ProtocolVersion, SrtpProfile,
};

/// What a handshake exported (RFC 5764 §4.2).
pub(super) struct Exported {
    suite: Suite,
    material: Vec<u8>,
    client: bool,
}

impl Exported {
    /// Both directions: ours to send, the browser's to receive.
    pub(super) fn directions(&self) -> Result<(Sender, Receiver), KeyError> {
        let (key, salt) = (self.suite.key_length(), self.suite.salt_length());
        let part =
            |at: usize, length: usize| self.material.get(at..at.saturating_add(length)).ok_or(KeyError);
        let salts = key.saturating_mul(2);
        // The client's key, the server's key, the client's salt, the server's salt.
        let client = [part(0, key)?, part(salts, salt)?].concat();
        let server = [part(key, key)?, part(salts.saturating_add(salt), salt)?].concat();
        let (ours, theirs) = if self.client { (client, server) } else { (server, client) };
        Ok((Sender::new(self.suite, &ours)?, Receiver::new(self.suite, &theirs)?))
    }
}

impl fmt::Debug for Exported {
    /// Without the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exported").field("suite", &self.suite).finish_non_exhaustive()
    }
}

/// Where the keys of one association appear.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys(Arc<Mutex<Option<Exported>>>);

impl Keys {
    /// Takes them, once the handshake has exported them.
    pub(super) fn take(&self) -> Option<Exported> {
        self.0.lock().ok()?.take()
    }
}

thread_local! {
    /// The keys of the association that is being made: the provider has no other way to hand them to its caller.
    static MADE: RefCell<Option<Keys>> = const { RefCell::new(None) };
}

/// Calls `make`, which makes one association, and gives where its keys will appear.
pub(super) fn watched<T>(make: impl FnOnce() -> T) -> (T, Option<Keys>) {
    MADE.set(None);
    let made = make();
    (made, MADE.take())
}

/// The usual provider, its handshakes watched.
pub(super) fn provider() -> CryptoProvider {
    static WATCHED: LazyLock<Watched> =
        LazyLock::new(|| Watched(str0m::crypto::from_feature_flags().dtls_provider));
    CryptoProvider { dtls_provider: &*WATCHED, ..str0m::crypto::from_feature_flags() }
}

#[derive(Debug)]
struct Watched(&'static dyn DtlsProvider);

impl DtlsProvider for Watched {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        self.0.generate_certificate()
    }

    fn new_dtls(
        &self,
        certificate: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let keys = Keys::default();
        MADE.set(Some(keys.clone()));
        let usual = self.0.new_dtls(certificate, now, version, mtu)?;
        Ok(Box::new(WatchedHandshake { usual, keys }))
    }
}

#[derive(Debug)]
struct WatchedHandshake {
    usual: Box<dyn DtlsInstance>,
    keys: Keys,
}

impl DtlsInstance for WatchedHandshake {
    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        let output = self.usual.poll_output(buffer);
        if let DtlsOutput::KeyingMaterial(material, profile) = &output
            && let Some(suite) = suite(*profile)
            && let Ok(mut keys) = self.keys.0.lock()
        {
            *keys = Some(Exported { suite, material: material.to_vec(), client: self.usual.is_active() });
        }
        output
    }

    fn set_active(&mut self, active: bool) {
        self.usual.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.usual.handle_packet(packet)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.usual.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.usual.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.usual.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.usual.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.usual.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.usual.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.usual.close()
    }
}

const fn suite(profile: SrtpProfile) -> Option<Suite> {
    match profile {
        SrtpProfile::AES128_CM_SHA1_80 => Some(Suite::AesCm128HmacSha1_80),
        SrtpProfile::AEAD_AES_128_GCM => Some(Suite::AeadAes128Gcm),
        SrtpProfile::AEAD_AES_256_GCM => Some(Suite::AeadAes256Gcm),
        _ => None,
    }
}
