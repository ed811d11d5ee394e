//! A call between two phones that are registered, up to the ACK and to the BYE.

use sip::{HeaderName, Message};

use super::*;

/// Two phones that are registered, and the call between them up to the ACK.
pub(crate) struct Call {
    pub(crate) house: House,
    pub(crate) caller: Phone,
    pub(crate) callee: Phone,
    pub(crate) invite: Message,
    pub(crate) answer: Message,
}

pub(crate) fn established(caller: Phone, callee: Phone) -> Call {
    let mut house = house(config());
    house.register(&caller);
    house.register(&callee);
    call(house, caller, callee)
}

pub(crate) fn call(mut house: House, caller: Phone, callee: Phone) -> Call {
    let uri = format!("sip:{}@example.com", callee.user);
    house.receive(&caller.flow, &caller.invite(&uri, "call"));
    let mut got = house.take(&caller.flow);
    if let Some(challenge) = got.iter().find(|message| message.status() == Some(407)) {
        let credentials = answer(challenge, "INVITE", &uri, caller.user, &house.users[caller.user].clone());
        let more = format!("Proxy-Authorization: {credentials}\r\n");
        house.receive(&caller.flow, &caller.request("INVITE", &uri, &format!("<{uri}>"), "call", 2, &more));
        got = house.take(&caller.flow);
    }
    assert_eq!(got.last().and_then(Message::status), Some(100), "Trying at once");
    let invite = house.one(&callee.flow);
    assert_eq!(method(&invite), "INVITE");
    assert_eq!(invite.header(HeaderName::ProxyAuthorization), None, "credentials for us stay here");
    house.receive(&callee.flow, &callee.respond(&invite, 180, ""));
    assert_eq!(house.one(&caller.flow).status(), Some(180));
    house.receive(&callee.flow, &callee.respond(&invite, 200, ""));
    let answer = house.one(&caller.flow);
    assert_eq!(answer.status(), Some(200));
    assert_eq!(values(&answer, HeaderName::Via).len(), 1, "our Via is taken off");
    let mut call = Call { house, caller, callee, invite, answer };
    call.caller_sends("ACK", 1);
    let ack = call.house.one(&call.callee.flow);
    assert_eq!(method(&ack), "ACK");
    assert_eq!(ack.header(HeaderName::Route), None);
    call
}

impl Call {
    pub(crate) fn caller_sends(&mut self, method: &str, cseq: u32) {
        let to = format!("<sip:{0}@example.com>;tag=to-{0}", self.callee.user);
        let routes = routes(&self.answer, true);
        let text = self.caller.request(method, &self.callee.contact, &to, "call", cseq, &routes);
        self.house.receive(&self.caller.flow, &text);
    }

    pub(crate) fn callee_sends(&mut self, method: &str, cseq: u32) {
        let to = format!("<sip:{0}@example.com>;tag=from-{0}", self.caller.user);
        let routes = routes(&self.invite, false);
        let text = self
            .callee
            .request(method, &self.caller.contact, &to, "call", cseq, &routes)
            .replace(&format!("tag=from-{}", self.callee.user), &format!("tag=to-{}", self.callee.user));
        let text = text.replace(
            &format!("To: <sip:{}@example.com>;tag=to-", self.caller.user),
            &format!("To: <sip:{}@example.com>;tag=from-", self.caller.user),
        );
        self.house.receive(&self.callee.flow, &text);
    }

    pub(crate) fn hang_up_by_caller(&mut self) {
        self.caller_sends("BYE", 3);
        let bye = self.house.one(&self.callee.flow);
        assert_eq!(method(&bye), "BYE");
        assert_eq!(bye.request_uri(), self.callee.contact.as_bytes());
        assert_eq!(bye.header(HeaderName::Route), None);
        let ok = self.callee.respond(&bye, 200, "");
        self.house.receive(&self.callee.flow, &ok);
        assert_eq!(self.house.one(&self.caller.flow).status(), Some(200));
        assert!(self.house.events.iter().any(|event| matches!(event, Event::CallEnded { .. })));
    }

    pub(crate) fn hang_up_by_callee(&mut self) {
        self.callee_sends("BYE", 1);
        let bye = self.house.one(&self.caller.flow);
        assert_eq!(method(&bye), "BYE");
        assert_eq!(bye.request_uri(), self.caller.contact.as_bytes());
        let ok = self.caller.respond(&bye, 200, "");
        self.house.receive(&self.caller.flow, &ok);
        assert_eq!(self.house.one(&self.callee.flow).status(), Some(200));
    }
}

pub(crate) fn bob() -> Phone {
    desk_phone("bob", "198.51.100.7:5062")
}
