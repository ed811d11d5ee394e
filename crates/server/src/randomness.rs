//! Where the server's randomness comes from.

use sip::Entropy;

use crate::log;

/// Randomness of the operating system.
pub(crate) struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&mut self, bytes: &mut [u8]) {
        // Without randomness nothing here is safe: tags and nonces could be guessed. Linux never fails once it
        // has booted.
        if let Err(error) = getrandom::fill(bytes) {
            log::error(format!("the operating system gave no random bytes: {error}"));
            std::process::exit(1);
        }
    }
}
