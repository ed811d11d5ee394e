//! Digest authentication, both sides (RFC 3261 §22, RFC 2617, RFC 7616, RFC 8760).
//!
//! * [`Challenge`] and [`Credentials`] read the header values of WWW-Authenticate, Proxy-Authenticate,
//!   Authorization and Proxy-Authorization, in any order of parameters, any case, quoted or not.
//! * [`Client`] remembers challenges and answers them: one user's side.
//! * [`Nonces`], [`ReplayWindow`] and [`verify`] are the server's side. Nonces hold no state: each proves by itself
//!   when and for whom it was made.
//! * [`Ha1`] is the secret that both sides share, without the password.
//!
//! What lies between quotes is taken as it is written: the hashes run over the text without its quotes and with
//! its backslashes (`unq`, RFC 2617 §3.2.1), and no byte of it is ever interpreted here.

mod algorithm;
mod challenge;
mod client;
mod credentials;
mod ha1;
mod hmac;
mod nonces;
mod parameters;
mod replay;
mod response;

pub use algorithm::{Algorithm, Hash, Hex};
pub use challenge::{Challenge, ChallengeText};
pub use client::{Attempts, Client, Side, Verdict};
pub use credentials::Credentials;
pub use ha1::Ha1;
pub use hmac::{HmacSha256, constant_time_equal, hmac_sha256};
pub use nonces::{NonceState, Nonces};
pub use parameters::DigestError;
pub use replay::{ReplayWindow, Use};
pub use response::{Qop, Unproven, verify};
