//! From the master key to the keys of a session (RFC 3711 §4.3, RFC 7714 §11).

use crate::KeyError;
use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};

/// What a key is for (RFC 3711 §4.3.1, §4.3.2).
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(crate) enum Label {
    Encryption = 0,
    Authentication = 1,
    Salt = 2,
}

/// Whether the keys are for RTCP: three labels further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Media,
    Control,
}

/// A key for AES in counter mode.
pub(crate) fn counter_key(key: &[u8]) -> Result<EncryptingKey, KeyError> {
    let algorithm = if key.len() == 32 { &AES_256 } else { &AES_128 };
    let key = UnboundCipherKey::new(algorithm, key).map_err(|_| KeyError)?;
    EncryptingKey::ctr(key).map_err(|_| KeyError)
}

/// Derives keys from one master key, which never changes here: the key derivation rate of `a=crypto` is zero, and
/// so is that of DTLS-SRTP.
pub(crate) struct Derivation {
    key: EncryptingKey,
    salt: [u8; 14],
}

impl Derivation {
    /// From a master key and a master salt. A salt of 12 octets is padded at its end (RFC 7714 §11).
    pub(crate) fn new(key: &[u8], salt: &[u8]) -> Result<Self, KeyError> {
        let mut padded = [0; 14];
        padded.get_mut(..salt.len()).ok_or(KeyError)?.copy_from_slice(salt);
        Ok(Self { key: counter_key(key)?, salt: padded })
    }

    /// The key of `N` octets for this purpose.
    pub(crate) fn derive<const N: usize>(&self, part: Part, label: Label) -> Result<[u8; N], KeyError> {
        let label = label as u8 + if part == Part::Control { 3 } else { 0 };
        let mut block = [0; 16];
        for (octet, salt) in block.iter_mut().zip(self.salt) {
            *octet = salt;
        }
        if let Some(octet) = block.get_mut(7) {
            *octet ^= label;
        }
        let mut derived = [0; N];
        self.key
            .less_safe_encrypt(&mut derived, EncryptionContext::Iv128((&block).into()))
            .map_err(|_| KeyError)?;
        Ok(derived)
    }
}
