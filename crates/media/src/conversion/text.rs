//! Writing a description of our own: lines, and the origin that tells one version from the next.

use std::net::IpAddr;

/// The lines of a description after its origin.
#[derive(Debug, Default)]
pub(super) struct Text(Vec<u8>);

impl Text {
    /// Writes one line. A control character ends the value: what a side wrote cannot smuggle in a second line.
    pub(super) fn line(&mut self, letter: char, value: impl AsRef<[u8]>) {
        self.0.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        self.0.push(b'=');
        self.0.extend(value.as_ref().iter().copied().take_while(|octet| *octet >= b' '));
        self.0.extend_from_slice(b"\r\n");
    }

    /// Writes an attribute with a value.
    pub(super) fn attribute(&mut self, name: &str, value: impl AsRef<[u8]>) {
        let mut line = name.as_bytes().to_vec();
        line.push(b':');
        line.extend_from_slice(value.as_ref());
        self.line('a', line);
    }
}

/// The `o=` line of one leg, owned by us whatever the other side writes into its own (RFC 8866 §5.2).
#[derive(Clone, Debug)]
pub(super) struct Origin {
    session: u64,
    version: u64,
    /// What the description of this version said.
    written: Vec<u8>,
}

impl Origin {
    /// An origin with a random session number.
    pub(super) const fn new(random: u64) -> Self {
        // Many readers keep the number in 63 bits or fewer.
        Self { session: random >> 8, version: 0, written: Vec::new() }
    }

    /// The whole description. Its version grows by one if, and only if, it says something new (RFC 3264 §8).
    pub(super) fn describe(&mut self, address: IpAddr, text: Text) -> Vec<u8> {
        if text.0 != self.written {
            self.version += 1;
            self.written = text.0;
        }
        let mut whole =
            format!("v=0\r\no=- {} {} {}\r\n", self.session, self.version, connection(address)).into_bytes();
        whole.extend_from_slice(&self.written);
        whole
    }
}

/// The value of a `c=` line.
pub(super) fn connection(address: IpAddr) -> String {
    let family = if address.is_ipv4() { "IP4" } else { "IP6" };
    format!("IN {family} {address}")
}

/// What a side wrote, as text fit to be shown or repeated: cut, and without control characters.
pub(super) fn shown(value: &[u8]) -> String {
    const LONGEST: usize = 64;
    let text = String::from_utf8_lossy(value);
    text.chars().filter(|character| !character.is_control()).take(LONGEST).collect()
}
