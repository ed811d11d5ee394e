//! Session descriptions (RFC 8866): lossless line editing and a media summary.
