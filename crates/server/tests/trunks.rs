//! A running server gets an upstream and a route: it registers there, and users reach it.

mod harness;

use std::fs;
use std::thread;

use harness::{PASSWORD, Phone, Server, text};
use sip::HeaderName;

#[test]
fn sighup_brings_a_trunk_and_its_routes_to_every_event_loop_and_one_registers() {
    let server = Server::start_with_loops(3, "");
    let carrier = Phone::new(&server, "carrier");
    let file = server.folder.join("sipweb.toml");
    let before = fs::read_to_string(&file).unwrap();
    let trunk = format!(
        "[numbers]\ncountry = \"49\"\n[upstreams.provider]\nservers = \"sip:{};transport=udp\"\nprobe = \"0s\"\n\
         account = \"sip:4930555@provider.test\"\npassword = \"sesame\"\n\
         [[routes]]\nsource = \"users\"\nprefix = \"+\"\nto = \"upstream:provider\"\n",
        carrier.address()
    );
    fs::write(&file, format!("{before}\n{trunk}")).unwrap();
    server.signal("HUP");
    let register = carrier.receive();
    assert_eq!(text(register.request_uri()), "sip:provider.test");
    carrier.respond(&register, 200, "Expires: 300\r\n");
    server.logs("upstream provider: registered as sip:4930555@provider.test for 300 s");
    // Each has a Call-ID of its own, and so a loop of its own.
    for _ in 0..6 {
        let alice = Phone::new(&server, "alice");
        thread::scope(|scope| {
            scope.spawn(|| {
                let message = carrier.receive();
                let expected = format!("sip:+49301234@{};user=phone", carrier.address());
                assert_eq!(text(message.request_uri()), expected);
                carrier.respond(&message, 200, "");
            });
            let response = alice.authenticated("MESSAGE", "sip:0301234@example.com", "", PASSWORD);
            assert_eq!(response.status(), Some(200));
        });
    }
    fs::write(&file, before).unwrap();
    server.signal("HUP");
    let farewell = carrier.receive();
    assert_eq!(farewell.header(HeaderName::Expires).map(text).as_deref(), Some("0"));
    carrier.respond(&farewell, 200, "");
    server.serves();
}
