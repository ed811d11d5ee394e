//! The registrar (RFC 3261 §10.3, RFC 5626 §6, RFC 5627, RFC 3327): bindings, the table of them, and what a
//! REGISTER does to it.

pub(crate) mod address_of_record;
pub(crate) mod binding;
pub(crate) mod location;
pub(crate) mod register;
mod service;
pub(crate) mod temporary_gruu;
mod whereabouts;
