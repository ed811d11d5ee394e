//! What a packet costs: `cargo run --release -p sipweb-srtp --example packets`.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a measurement reads the clock, which the library never does"
)]

use srtp::{OVERHEAD, Receiver, Sender, Suite};
use std::time::Instant;

const PACKETS: u32 = 200_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("nanoseconds for a packet: protected, unprotected");
    for payload in [160, 1100] {
        for suite in [
            Suite::AesCm128HmacSha1_80,
            Suite::AesCm128HmacSha1_32,
            Suite::AeadAes128Gcm,
            Suite::AeadAes256Gcm,
        ] {
            let key = vec![7; suite.key_length() + suite.salt_length()];
            let (mut sender, mut receiver) = (Sender::new(suite, &key)?, Receiver::new(suite, &key)?);
            let length = 12 + payload;
            let mut buffers = vec![vec![0u8; length + OVERHEAD]; PACKETS as usize];
            for (sequence, buffer) in buffers.iter_mut().enumerate() {
                buffer[0] = 0x80;
                buffer[2..4].copy_from_slice(&(sequence as u16).to_be_bytes());
            }
            let begun = Instant::now();
            for buffer in &mut buffers {
                let protected = sender.protect(buffer, length)?;
                buffer.truncate(protected);
            }
            let sent = begun.elapsed() / PACKETS;
            let begun = Instant::now();
            for buffer in &mut buffers {
                receiver.unprotect(buffer)?;
            }
            let received = begun.elapsed() / PACKETS;
            println!("{payload:5} octets, {suite:?}: {} {}", sent.as_nanos(), received.as_nanos());
        }
    }
    Ok(())
}
