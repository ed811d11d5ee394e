//! Proxy, edge and registrar rules, without I/O.
