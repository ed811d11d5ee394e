//! Where users and bindings live: files that survive a kill.
