//! A virtual network and clock around agents and proxies, replayed by seed.
