//! What the tests of joined media have in common: two descriptions, a gateway, an event loop.

use std::rc::Rc;

use net::Resolver;

use super::{MediaJoining, MediaPlace};
use crate::clock::Clock;
use crate::configuration::Media;

/// The description of a page.
pub(super) const OF_PAGE: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n\
    c=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=setup:actpass\r\na=mid:0\r\n\
    a=rtcp-mux\r\na=fingerprint:sha-256 \
    00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n";
/// The description of a phone on this machine.
pub(super) const OF_PHONE: &str =
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

/// A gateway for this machine.
pub(super) fn joining(media: &Media) -> Rc<MediaJoining> {
    let place = MediaPlace::of(media, &[]);
    MediaJoining::open(&place, Clock::start(), Resolver::system(), None)
        .unwrap_or_else(|_| panic!("a gateway"))
}

/// Runs on an event loop, as sockets demand.
pub(super) fn on_loop(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a loop");
    tokio::task::LocalSet::new().block_on(&runtime, test);
}
