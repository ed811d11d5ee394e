//! The SIP user agent: registration, calls and messages, without I/O.
