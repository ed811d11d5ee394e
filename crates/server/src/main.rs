//! SIP for the Web: proxy, registrar, edge and the phone page in one binary.

fn main() {}
