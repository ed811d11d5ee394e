//! Temporary GRUUs (RFC 5627 §3.1.2, appendix A.2): addresses of one device that say nobody's name.
//!
//! The user part holds the address-of-record, the instance and a mark of the registration's Call-ID, encrypted and
//! signed under the server's secret with a fresh number each time. So nothing is kept of them, they outlive a restart,
//! and no two of them look alike. They end with the registration: another Call-ID makes all of before invalid (§5.4).

use sip::Entropy;
use sip::digest::constant_time_equal;

use crate::keyed_hash::{Key, decode, encode};

/// What the user part begins with.
const START: &[u8] = b"tgruu.";
const NUMBER: usize = 12;
const CODE: usize = 10;
const MARK: usize = 6;
/// The longest that is looked at.
const LONGEST: usize = 1024;

/// Whom a temporary GRUU means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meant {
    /// The address-of-record.
    pub(crate) aor: Vec<u8>,
    /// The instance, with its angle brackets.
    pub(crate) instance: Vec<u8>,
    mark: Vec<u8>,
}

impl Meant {
    /// Whether the registration that it was made for is the one with this Call-ID.
    pub(crate) fn is_of(&self, key: &Key, call_id: &[u8]) -> bool {
        self.mark == mark(key, call_id)
    }
}

/// Whether a user part looks like one.
pub(crate) fn is_temporary(user: &[u8]) -> bool {
    user.starts_with(START)
}

/// A new one: the user part.
pub(crate) fn write(
    key: &Key,
    aor: &[u8],
    instance: &[u8],
    call_id: &[u8],
    entropy: &mut dyn Entropy,
) -> Vec<u8> {
    let mut number = [0; NUMBER];
    entropy.fill(&mut number);
    let length = u8::try_from(aor.len().min(255)).unwrap_or(u8::MAX);
    let mut content = vec![length];
    content.extend_from_slice(aor);
    content.extend_from_slice(instance);
    content.extend_from_slice(&mark(key, call_id));
    mask(key, &number, &mut content);
    let code = key.sign(b"temporary gruu", &[&number, &content]);
    let octets = [number.as_slice(), code.get(..CODE).unwrap_or(&code), &content].concat();
    [START, &encode(&octets)].concat()
}

/// Whom it means; `None` for what is none of ours.
pub(crate) fn read(key: &Key, user: &[u8]) -> Option<Meant> {
    let text = user.strip_prefix(START).filter(|text| text.len() <= LONGEST)?;
    let octets = decode(text)?;
    let (number, rest) = octets.split_at_checked(NUMBER)?;
    let (code, content) = rest.split_at_checked(CODE)?;
    let expected = key.sign(b"temporary gruu", &[number, content]);
    if !expected.get(..CODE).is_some_and(|expected| constant_time_equal(expected, code)) {
        return None;
    }
    let mut content = content.to_vec();
    mask(key, number, &mut content);
    let (length, rest) = content.split_first()?;
    let (aor, rest) = rest.split_at_checked(usize::from(*length))?;
    let (instance, mark) = rest.split_at_checked(rest.len().checked_sub(MARK)?)?;
    Some(Meant { aor: aor.to_vec(), instance: instance.to_vec(), mark: mark.to_vec() })
}

fn mark(key: &Key, call_id: &[u8]) -> Vec<u8> {
    let code = key.sign(b"registration of a temporary gruu", &[call_id]);
    code.get(..MARK).unwrap_or_default().to_vec()
}

/// Encrypts or decrypts: a key stream that the secret makes of the number and a count.
fn mask(key: &Key, number: &[u8], content: &mut [u8]) {
    for (count, block) in (0u32..).zip(content.chunks_mut(32)) {
        let stream = key.sign(b"key stream of a temporary gruu", &[number, &count.to_be_bytes()]);
        for (octet, other) in block.iter_mut().zip(stream) {
            *octet ^= other;
        }
    }
}

#[cfg(test)]
mod tests {
    use sip::SeededEntropy;

    use super::*;

    const AOR: &[u8] = b"alice@example.com";
    const INSTANCE: &[u8] = b"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>";

    #[test]
    fn it_means_one_device_and_says_no_name() {
        let (key, mut entropy) = (Key::new([5; 32]), SeededEntropy::new(3));
        let one = write(&key, AOR, INSTANCE, b"call", &mut entropy);
        let other = write(&key, AOR, INSTANCE, b"call", &mut entropy);
        assert_ne!(one, other);
        for user in [&one, &other] {
            let meant = read(&key, user).unwrap();
            assert_eq!((meant.aor.as_slice(), meant.instance.as_slice()), (AOR, INSTANCE));
            assert!(meant.is_of(&key, b"call") && !meant.is_of(&key, b"another"));
            assert!(!user.windows(5).any(|window| window == b"alice"));
        }
        let same = one.iter().zip(&other).skip(START.len()).filter(|(one, other)| one == other).count();
        assert!(same < one.len() / 4, "two of them have nothing in common: {same}");
    }

    #[test]
    fn a_forged_one_means_nobody() {
        let (key, mut entropy) = (Key::new([5; 32]), SeededEntropy::new(3));
        let user = write(&key, AOR, INSTANCE, b"call", &mut entropy);
        assert_eq!(read(&Key::new([6; 32]), &user), None);
        for place in START.len()..user.len() {
            let mut changed = user.clone();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            assert!(changed == user || read(&key, &changed).is_none(), "{place}");
        }
        for noise in [&b"tgruu."[..], b"tgruu.AAAA", b"alice", &[b't'; 5000]] {
            assert_eq!(read(&key, noise), None);
        }
    }
}
