//! The keys of a session, and what is done with them: one cipher for RTP, one for RTCP.

use crate::derivation::{Derivation, Label, Part, counter_key};
use crate::packet::RTCP_HEADER;
use crate::{KeyError, Suite};
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{EncryptingKey, EncryptionContext};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// The word after an RTCP packet says by its first bit that the packet is encrypted, by the others its index.
pub(crate) const ENCRYPTED: u32 = 1 << 31;
/// The longest tag.
pub(crate) const MOST_TAG: usize = 16;

/// The keys of one direction.
pub(crate) struct Session {
    pub(crate) media: Cipher,
    pub(crate) control: Cipher,
}

impl Session {
    /// From a master key with its salt behind it.
    pub(crate) fn new(suite: Suite, master: &[u8]) -> Result<Self, KeyError> {
        let (key, salt) = master.split_at_checked(suite.key_length()).ok_or(KeyError)?;
        if salt.len() != suite.salt_length() {
            return Err(KeyError);
        }
        let derivation = Derivation::new(key, salt)?;
        Ok(Self {
            media: Cipher::derive(suite, Part::Media, &derivation)?,
            control: Cipher::derive(suite, Part::Control, &derivation)?,
        })
    }
}

/// Encrypts and authenticates.
pub(crate) enum Cipher {
    /// AES in counter mode, HMAC-SHA1.
    Counter {
        key: Box<EncryptingKey>,
        salt: [u8; 14],
        authentication: Box<Hmac<Sha1>>,
        /// How much of the HMAC is sent, in octets.
        tag: usize,
    },
    /// AES in Galois/counter mode.
    Galois { key: Box<LessSafeKey>, salt: [u8; 12] },
}

/// The packet is not authentic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAuthentic;

/// A tag, as long as the cipher has it.
pub(crate) struct Tag {
    octets: [u8; MOST_TAG],
    length: usize,
}

impl Tag {
    fn new(octets: &[u8]) -> Self {
        let mut tag = Self { octets: [0; MOST_TAG], length: octets.len().min(MOST_TAG) };
        for (place, octet) in tag.octets.iter_mut().zip(octets) {
            *place = *octet;
        }
        tag
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }
}

impl Cipher {
    fn derive(suite: Suite, part: Part, derivation: &Derivation) -> Result<Self, KeyError> {
        let tag = match part {
            Part::Media => suite.tag_length(),
            Part::Control => suite.control_tag_length(),
        };
        match suite {
            Suite::AesCm128HmacSha1_80 | Suite::AesCm128HmacSha1_32 => Self::counter(
                &derivation.derive::<16>(part, Label::Encryption)?,
                derivation.derive(part, Label::Salt)?,
                &derivation.derive::<20>(part, Label::Authentication)?,
                tag,
            ),
            Suite::AeadAes128Gcm => Self::galois(
                &derivation.derive::<16>(part, Label::Encryption)?,
                derivation.derive(part, Label::Salt)?,
            ),
            Suite::AeadAes256Gcm => Self::galois(
                &derivation.derive::<32>(part, Label::Encryption)?,
                derivation.derive(part, Label::Salt)?,
            ),
        }
    }

    fn counter(key: &[u8], salt: [u8; 14], authentication: &[u8], tag: usize) -> Result<Self, KeyError> {
        let authentication = Hmac::new_from_slice(authentication).map_err(|_| KeyError)?;
        let key = Box::new(counter_key(key)?);
        Ok(Self::Counter { key, salt, authentication: Box::new(authentication), tag })
    }

    pub(crate) fn galois(key: &[u8], salt: [u8; 12]) -> Result<Self, KeyError> {
        let algorithm = if key.len() == 32 { &AES_256_GCM } else { &AES_128_GCM };
        let key = UnboundKey::new(algorithm, key).map_err(|_| KeyError)?;
        Ok(Self::Galois { key: Box::new(LessSafeKey::new(key)), salt })
    }

    /// Protects the payload of an RTP packet, behind a header of `header` octets, in place.
    pub(crate) fn seal(&self, packet: &mut [u8], header: usize, ssrc: u32, index: u64) -> Option<Tag> {
        let (head, payload) = packet.split_at_mut_checked(header)?;
        match self {
            Self::Counter { key, salt, .. } => {
                encrypt(key, counter_block(salt, ssrc, index), payload)?;
                self.authenticate(packet, turn(index))
            }
            Self::Galois { key, salt } => {
                let nonce = nonce(salt, ssrc, index);
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(&*head), payload).ok()?;
                Some(Tag::new(tag.as_ref()))
            }
        }
    }

    /// Takes the protection off the payload of an RTP packet, in place.
    pub(crate) fn open(
        &self,
        packet: &mut [u8],
        header: usize,
        tag: &[u8],
        ssrc: u32,
        index: u64,
    ) -> Result<(), NotAuthentic> {
        if matches!(self, Self::Counter { .. }) {
            self.verify(packet, turn(index), tag)?;
        }
        let (head, payload) = packet.split_at_mut_checked(header).ok_or(NotAuthentic)?;
        match self {
            Self::Counter { key, salt, .. } => {
                encrypt(key, counter_block(salt, ssrc, index), payload).ok_or(NotAuthentic)
            }
            Self::Galois { key, salt } => open_galois(key, nonce(salt, ssrc, index), head, payload, tag),
        }
    }

    /// Protects an RTCP packet in place. `word` is what will stand behind it.
    pub(crate) fn seal_control(&self, packet: &mut [u8], ssrc: u32, word: u32) -> Option<Tag> {
        let index = u64::from(word & !ENCRYPTED);
        let (head, body) = packet.split_at_mut_checked(RTCP_HEADER)?;
        match self {
            Self::Counter { key, salt, .. } => {
                encrypt(key, counter_block(salt, ssrc, index), body)?;
                self.authenticate(packet, word)
            }
            Self::Galois { key, salt } => {
                let associated = associated(head, word);
                let nonce = nonce(salt, ssrc, index);
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(associated), body).ok()?;
                Some(Tag::new(tag.as_ref()))
            }
        }
    }

    /// Takes the protection off an RTCP packet, in place.
    pub(crate) fn open_control(
        &self,
        packet: &mut [u8],
        tag: &[u8],
        ssrc: u32,
        word: u32,
    ) -> Result<(), NotAuthentic> {
        let index = u64::from(word & !ENCRYPTED);
        if matches!(self, Self::Counter { .. }) {
            self.verify(packet, word, tag)?;
        }
        let (head, body) = packet.split_at_mut_checked(RTCP_HEADER).ok_or(NotAuthentic)?;
        match self {
            Self::Counter { .. } if word & ENCRYPTED == 0 => Ok(()),
            Self::Counter { key, salt, .. } => {
                encrypt(key, counter_block(salt, ssrc, index), body).ok_or(NotAuthentic)
            }
            // RFC 7714 §9.3: what is not encrypted is all associated data, and would have to be copied together.
            // Nobody agreed to send it.
            Self::Galois { .. } if word & ENCRYPTED == 0 => Err(NotAuthentic),
            Self::Galois { key, salt } => {
                open_galois(key, nonce(salt, ssrc, index), &associated(head, word), body, tag)
            }
        }
    }

    /// RFC 3711 §4.2: over the packet, and behind it the rollover counter, or the word of an RTCP packet.
    fn authenticate(&self, packet: &[u8], behind: u32) -> Option<Tag> {
        let Self::Counter { authentication, tag, .. } = self else { return None };
        let mut authentication = Hmac::clone(authentication);
        authentication.update(packet);
        authentication.update(&behind.to_be_bytes());
        authentication.finalize().into_bytes().get(..*tag).map(Tag::new)
    }

    fn verify(&self, packet: &[u8], behind: u32, received: &[u8]) -> Result<(), NotAuthentic> {
        let Self::Counter { authentication, tag, .. } = self else { return Err(NotAuthentic) };
        if received.len() != *tag {
            return Err(NotAuthentic);
        }
        let mut authentication = Hmac::clone(authentication);
        authentication.update(packet);
        authentication.update(&behind.to_be_bytes());
        // In constant time.
        authentication.verify_truncated_left(received).map_err(|_| NotAuthentic)
    }
}

/// The rollover counter of an index.
const fn turn(index: u64) -> u32 {
    (index >> 16) as u32
}

/// Counter mode: encrypting and decrypting are the same.
fn encrypt(key: &EncryptingKey, block: [u8; 16], octets: &mut [u8]) -> Option<()> {
    key.less_safe_encrypt(octets, EncryptionContext::Iv128((&block).into())).ok().map(|_| ())
}

fn open_galois(
    key: &LessSafeKey,
    nonce: Nonce,
    associated: &[u8],
    body: &mut [u8],
    tag: &[u8],
) -> Result<(), NotAuthentic> {
    let opened = key.open_in_place_separate_tag(nonce, Aad::from(associated), tag, body);
    opened.map(|_| ()).map_err(|_| NotAuthentic)
}

/// RFC 3711 §4.1.1: salt, source and index; the last two octets count blocks.
fn counter_block(salt: &[u8; 14], ssrc: u32, index: u64) -> [u8; 16] {
    let mut block = [0; 16];
    for (octet, salt) in block.iter_mut().zip(salt) {
        *octet = *salt;
    }
    mix(block.get_mut(4..14), ssrc, index);
    block
}

/// RFC 7714 §8.1, §9.1: two zero octets, source and index, mixed with the salt.
fn nonce(salt: &[u8; 12], ssrc: u32, index: u64) -> Nonce {
    let mut nonce = *salt;
    mix(nonce.get_mut(2..12), ssrc, index);
    Nonce::assume_unique_for_key(nonce)
}

/// Four octets of the source, six of the index.
fn mix(octets: Option<&mut [u8]>, ssrc: u32, index: u64) {
    let [_, _, index @ ..] = index.to_be_bytes();
    let mixed = ssrc.to_be_bytes().into_iter().chain(index);
    for (octet, mixed) in octets.into_iter().flatten().zip(mixed) {
        *octet ^= mixed;
    }
}

/// RFC 7714 §9.2: the header of the RTCP packet, and the word behind it.
fn associated(head: &[u8], word: u32) -> [u8; RTCP_HEADER + 4] {
    let mut associated = [0; RTCP_HEADER + 4];
    for (place, octet) in associated.iter_mut().zip(head.iter().copied().chain(word.to_be_bytes())) {
        *place = octet;
    }
    associated
}
