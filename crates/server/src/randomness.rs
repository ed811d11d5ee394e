//! Where the server's randomness comes from.

use std::cell::RefCell;

use sip::Entropy;

use crate::log;

/// Octets fetched at once: branches and nonces take a few each, and a system call costs more than making them.
const POOL: usize = 2048;

/// Randomness of the operating system, fetched by the pool. Each octet is given out once and wiped.
pub(crate) struct SystemEntropy;

struct Pool {
    octets: [u8; POOL],
    /// How many of them have been given out.
    used: usize,
}

thread_local! {
    static FETCHED: RefCell<Pool> = const { RefCell::new(Pool { octets: [0; POOL], used: POOL }) };
}

impl Entropy for SystemEntropy {
    fn fill(&mut self, bytes: &mut [u8]) {
        if bytes.len() > POOL {
            return fetch(bytes);
        }
        FETCHED.with_borrow_mut(|pool| {
            if pool.octets.len() - pool.used < bytes.len() {
                fetch(&mut pool.octets);
                pool.used = 0;
            }
            let given = &mut pool.octets[pool.used..][..bytes.len()];
            bytes.copy_from_slice(given);
            given.fill(0);
            pool.used += bytes.len();
        });
    }
}

fn fetch(bytes: &mut [u8]) {
    // Without randomness nothing here is safe: tags and nonces could be guessed. Linux never fails once it has
    // booted.
    if let Err(error) = getrandom::fill(bytes) {
        log::error(format!("the operating system gave no random bytes: {error}"));
        log::flush();
        std::process::exit(1);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_octets_are_given_out_twice() {
        let draws = 3 * POOL / 16;
        let mut seen = HashSet::new();
        for _ in 0..draws {
            let mut drawn = [0; 16];
            SystemEntropy.fill(&mut drawn);
            seen.insert(drawn);
        }
        assert_eq!(seen.len(), draws);
        let mut long = vec![0; 2 * POOL];
        SystemEntropy.fill(&mut long);
        assert!(long.iter().any(|octet| *octet != 0));
    }
}
