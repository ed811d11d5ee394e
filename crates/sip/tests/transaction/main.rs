//! The transaction layer as RFC 3261 §17 and RFC 6026 draw it: every transition, under virtual time.

mod cancel;
mod invite_client;
mod invite_server;
mod matching;
mod non_invite_client;
mod non_invite_server;
mod stage;
mod table;
mod torture;
