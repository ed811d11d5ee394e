//! Two flows of one agent through two edges (RFC 5626 §4): registration, calls whose edge dies, requests that come in.

use crate::common::{ANSWER, OFFER, config};
use agent::{CallOptions, Output, Payload, Via};
use core::time::Duration;
use sip::message::Message;
use sip::{Builder, HeaderName, Instant, SeededEntropy, Transport};

const T0: Instant = Instant::ZERO;
const WS: Via = Via::new(Transport::Ws);

/// An agent with two flows, and what it has sent, by flow.
struct Page {
    agent: agent::Agent,
    events: Vec<String>,
    deadline: Instant,
}

impl Page {
    fn new() -> Self {
        let mut config = config("alice");
        config.flows = 2;
        let agent = agent::Agent::new(config, Box::new(SeededEntropy::new(5))).unwrap();
        Self { agent, events: Vec::new(), deadline: Instant::NEVER }
    }

    /// One that is registered over both.
    fn registered() -> Self {
        let (mut page, requests) = Self::registering();
        for (flow, request) in requests {
            page.grant(T0, flow, &request);
        }
        assert_eq!(page.told(), ["Registered", "Registered"]);
        page
    }

    fn sent(&mut self) -> Vec<(u8, Message)> {
        let mut sent = Vec::new();
        loop {
            match self.agent.poll() {
                Output::Transmit { flow, bytes } => sent.push((flow, Message::parse(&bytes).unwrap())),
                Output::Event(event) => self.events.push(crate::common::name(&event)),
                Output::Timeout(at) => {
                    self.deadline = at;
                    return sent;
                }
            }
        }
    }

    fn only_sent(&mut self) -> (u8, Message) {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1, "one message, not {}", sent.len());
        sent.remove(0)
    }

    fn told(&mut self) -> Vec<String> {
        assert_eq!(self.sent().len(), 0, "nothing is sent");
        core::mem::take(&mut self.events)
    }

    fn answer(
        &mut self,
        now: Instant,
        flow: u8,
        request: &Message,
        status: u16,
        fields: &[(HeaderName, &str)],
    ) {
        let mut builder = Builder::response_to(request, status, "").to_tag(b"far");
        for (name, value) in fields {
            builder = builder.header(*name, value.as_bytes());
        }
        if status == 200 && request.method() == Some(sip::Method::Invite) {
            builder = builder.body(b"application/sdp", ANSWER.as_bytes());
        }
        self.agent.receive_over(now, flow, &builder.finish().unwrap());
    }

    /// A flow is lost and open again: the REGISTER that goes out over it.
    fn comes_back(&mut self, flow: u8) -> Message {
        self.agent.disconnected_over(T0, flow);
        self.agent.connected_over(T0, flow, WS);
        let (over, request) = self.only_sent();
        assert_eq!((over, request.method()), (flow, Some(sip::Method::Register)));
        request
    }

    /// Both flows are open, and their REGISTERs on their way.
    fn registering() -> (Self, Vec<(u8, Message)>) {
        let mut page = Self::new();
        page.agent.connected_over(T0, 0, WS);
        page.agent.connected_over(T0, 1, WS);
        page.agent.register(T0);
        let requests = page.sent();
        (page, requests)
    }

    /// The 200 of a registrar behind the edge of that flow.
    fn grant(&mut self, now: Instant, flow: u8, request: &Message) {
        let contact = String::from_utf8(request.header(HeaderName::Contact).unwrap().to_vec()).unwrap();
        let path = format!("<sip:edge{flow}.example;lr>, <sip:token@edge{flow}.example:8080;lr;ob>");
        let fields = [
            (HeaderName::Contact, contact.as_str()),
            (HeaderName::Path, &path),
            (HeaderName::Require, "outbound"),
        ];
        self.answer(now, flow, request, 200, &fields);
    }

    /// A call that stands, over the flow that the agent took.
    fn call(&mut self) -> (agent::CallNumber, u8) {
        let options = CallOptions::default();
        let (call, _) = self.agent.create_call(T0, "sip:bob@example.org", options).unwrap();
        self.agent.invite(T0, call, Payload::sdp(OFFER)).unwrap();
        let (flow, invite) = self.only_sent();
        let record = format!(
            "<sip:core.example;lr>, <sip:edge{flow}.example;lr>, <sip:seal@edge{flow}.example:8080;lr>"
        );
        let fields =
            [(HeaderName::RecordRoute, record.as_str()), (HeaderName::Contact, "<sip:bob@192.0.2.9>")];
        self.answer(T0, flow, &invite, 200, &fields);
        self.agent.acknowledge(T0, call, Payload::default()).unwrap();
        let (over, ack) = self.only_sent();
        assert_eq!((over, ack.method()), (flow, Some(sip::Method::Ack)));
        self.events.clear();
        (call, flow)
    }
}

fn routes(message: &Message) -> Vec<String> {
    message.values(HeaderName::Route).map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

fn header(message: &Message, name: HeaderName) -> String {
    String::from_utf8_lossy(message.header(name).unwrap_or_default()).into_owned()
}

#[test]
fn each_flow_is_registered_under_the_same_instance_and_a_reg_id_of_its_own() {
    let mut page = Page::new();
    page.agent.connected_over(T0, 0, WS);
    page.agent.connected_over(T0, 1, WS);
    page.agent.register(T0);
    let sent = page.sent();
    assert_eq!(sent.iter().map(|(flow, _)| *flow).collect::<Vec<_>>(), [0, 1]);
    let contacts: Vec<String> = sent.iter().map(|(_, it)| header(it, HeaderName::Contact)).collect();
    assert!(contacts[0].contains(";reg-id=1;") && contacts[1].contains(";reg-id=2;"), "{contacts:?}");
    assert_eq!(contacts[0].replace("reg-id=1", "reg-id=2"), contacts[1], "one Contact, one instance");
    assert_ne!(sent[0].1.call_id(), sent[1].1.call_id());
    for (_, request) in &sent {
        assert_eq!(header(request, HeaderName::Supported), "path,gruu,outbound");
    }
}

#[test]
fn losing_one_of_two_flows_is_no_loss_of_the_registration() {
    let mut page = Page::registered();
    page.agent.disconnected_over(T0, 0);
    assert!(page.agent.is_registered());
    assert!(page.told().is_empty());
    page.agent.disconnected_over(T0, 1);
    assert!(!page.agent.is_registered());
    assert_eq!(page.told(), ["Unregistered"]);
}

#[test]
fn a_flow_that_is_back_is_registered_again_while_the_other_one_stands() {
    let mut page = Page::registered();
    page.agent.disconnected_over(T0, 0);
    page.agent.connected_over(T0, 0, WS);
    let (flow, request) = page.only_sent();
    assert_eq!((flow, request.method()), (0, Some(sip::Method::Register)));
    assert!(header(&request, HeaderName::Contact).contains(";reg-id=1;"));
    assert!(page.agent.is_registered());
    page.grant(T0, 0, &request);
    assert_eq!(page.told(), ["Registered"]);
}

#[test]
fn a_flow_that_is_refused_beside_a_registered_one_waits_longer_and_troubles_nobody() {
    let mut page = Page::registered();
    let request = page.comes_back(1);
    page.answer(T0, 1, &request, 430, &[]);
    assert!(page.told().is_empty());
    // RFC 5626 §4.5: half to all of twice 90 s, where one that is alone waits half to all of twice 30 s.
    let at = page.deadline;
    assert!(at >= T0 + Duration::from_secs(90) && at <= T0 + Duration::from_secs(180), "{at:?}");
    page.agent.timeout(page.deadline);
    let (flow, again) = page.only_sent();
    assert_eq!((flow, again.method()), (1, Some(sip::Method::Register)));
}

#[test]
fn a_flow_that_is_refused_for_good_beside_a_registered_one_is_tried_again() {
    let mut page = Page::registered();
    let request = page.comes_back(1);
    page.answer(T0, 1, &request, 403, &[]);
    assert!(page.told().is_empty());
    page.agent.timeout(page.deadline);
    assert_eq!(page.only_sent().0, 1);
}

#[test]
fn when_the_last_registered_flow_goes_the_one_that_waits_registers_at_once() {
    let mut page = Page::registered();
    let request = page.comes_back(1);
    page.answer(T0, 1, &request, 430, &[]);
    assert!(page.told().is_empty());
    page.agent.disconnected_over(T0, 0);
    let (flow, again) = page.only_sent();
    assert_eq!((flow, again.method()), (1, Some(sip::Method::Register)));
}

#[test]
fn at_a_registrar_that_does_not_keep_flows_apart_one_is_registered_and_the_other_takes_its_place() {
    let (mut page, requests) = Page::registering();
    let grant = |page: &mut Page, flow: u8, request: &Message| {
        let contact = header(request, HeaderName::Contact);
        page.answer(T0, flow, request, 200, &[(HeaderName::Contact, &contact)]);
    };
    // The second one replaces the binding of the first.
    for (flow, request) in requests {
        grant(&mut page, flow, &request);
    }
    assert_eq!(page.told(), ["Registered", "Registered"]);
    page.agent.register(T0);
    let refreshed: Vec<u8> = page.sent().iter().map(|(flow, _)| *flow).collect();
    assert_eq!(refreshed, [1], "the binding leads over flow 1");
    page.agent.disconnected_over(T0, 1);
    let (flow, request) = page.only_sent();
    assert_eq!((flow, request.method()), (0, Some(sip::Method::Register)));
    grant(&mut page, flow, &request);
    page.agent.connected_over(T0, 1, WS);
    assert!(page.sent().is_empty(), "and leaves it where it is");
}

#[test]
fn a_request_outside_dialogs_takes_a_registered_flow() {
    let mut page = Page::registered();
    page.comes_back(0);
    page.agent
        .request(T0, "MESSAGE", "sip:bob@example.org", &Default::default(), &Payload::default())
        .unwrap();
    assert_eq!(page.only_sent().0, 1);
}

#[test]
fn an_incoming_request_is_answered_on_the_flow_that_it_came_on() {
    let mut page = Page::registered();
    for flow in [1, 0] {
        let ping = format!(
            "OPTIONS {} SIP/2.0\r\nVia: SIP/2.0/WS edge;branch=z9hG4bKp{flow}\r\nMax-Forwards: 9\r\n\
             To: <sip:alice@example.org>\r\nFrom: <sip:x@example.org>;tag=x\r\nCall-ID: ping{flow}\r\n\
             CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
            String::from_utf8_lossy(page.agent.names().contact_uri)
        );
        page.agent.receive_over(T0, flow, ping.as_bytes());
        let (over, response) = page.only_sent();
        assert_eq!((over, response.status()), (flow, Some(200)));
    }
}

#[test]
fn a_call_whose_edge_died_goes_on_over_the_other_flow_past_the_dead_edge() {
    let mut page = Page::registered();
    let (call, flow) = page.call();
    page.agent.disconnected_over(T0, flow);
    let (over, ack) = page.only_sent();
    assert_eq!(
        (over, ack.method()),
        (1 - flow, Some(sip::Method::Ack)),
        "the dead edge may have swallowed it"
    );
    assert_eq!(routes(&ack), ["<sip:core.example;lr>"]);
    assert!(page.told().is_empty(), "the call stands");
    page.agent.reinvite(T0, call, false, Payload::sdp(OFFER)).unwrap();
    let (over, reinvite) = page.only_sent();
    assert_eq!(over, 1 - flow);
    assert_eq!(routes(&reinvite), ["<sip:core.example;lr>"]);
    page.answer(T0, over, &reinvite, 200, &[(HeaderName::Contact, "<sip:bob@192.0.2.9>")]);
    let (over, ack) = page.only_sent();
    assert_eq!((over, ack.method()), (1 - flow, Some(sip::Method::Ack)));
    assert_eq!(routes(&ack), ["<sip:core.example;lr>"]);
    // Back on its feet the dead edge is not needed by this call any more.
    page.agent.connected_over(T0, flow, WS);
    assert_eq!(page.only_sent().1.method(), Some(sip::Method::Register));
    page.agent.end(T0, call, &Default::default()).unwrap();
    let (over, bye) = page.only_sent();
    assert_eq!((over, bye.method()), (1 - flow, Some(sip::Method::Bye)));
    assert_eq!(routes(&bye), ["<sip:core.example;lr>"]);
}

#[test]
fn a_bye_that_the_dead_edge_swallowed_goes_out_over_the_other_flow_at_once() {
    let mut page = Page::registered();
    let (call, flow) = page.call();
    page.agent.end(T0, call, &Default::default()).unwrap();
    let (over, first) = page.only_sent();
    assert_eq!(over, flow);
    assert_eq!(routes(&first).len(), 3, "while its flow lives the route set is what it is");
    page.agent.disconnected_over(T0, flow);
    let sent = page.sent();
    let bye = sent.iter().find(|(_, it)| it.method() == Some(sip::Method::Bye)).expect("it is sent again");
    assert_eq!(bye.0, 1 - flow);
    assert_eq!(routes(&bye.1), ["<sip:core.example;lr>"]);
}

#[test]
fn over_a_flow_that_is_not_registered_yet_a_call_waits_to_know_whom_it_leads_through() {
    let mut page = Page::new();
    page.agent.connected_over(T0, 0, WS);
    page.agent.register(T0);
    let (_, request) = page.only_sent();
    page.grant(T0, 0, &request);
    let (call, _) = page.call();
    page.agent.connected_over(T0, 1, WS);
    let (_, request) = page.only_sent();
    page.agent.disconnected_over(T0, 0);
    assert!(page.sent().is_empty(), "the ACK waits");
    page.grant(T0, 1, &request);
    let (over, ack) = page.only_sent();
    assert_eq!((over, ack.method()), (1, Some(sip::Method::Ack)));
    assert_eq!(routes(&ack), ["<sip:core.example;lr>"]);
    page.agent.end(T0, call, &Default::default()).unwrap();
    assert_eq!(routes(&page.only_sent().1), ["<sip:core.example;lr>"]);
}

#[test]
fn a_flow_that_comes_back_through_another_edge_leaves_the_dead_one_out() {
    let mut page = Page::registered();
    let (call, flow) = page.call();
    assert_eq!(flow, 0);
    page.agent.disconnected_over(T0, 1);
    page.agent.disconnected_over(T0, 0);
    page.agent.connected_over(T0, 0, WS);
    let sent = page.sent();
    let register = sent.iter().find(|(_, it)| it.method() == Some(sip::Method::Register)).unwrap();
    let contact = header(&register.1, HeaderName::Contact);
    let fields = [
        (HeaderName::Contact, contact.as_str()),
        (HeaderName::Path, "<sip:edge7.example;lr>"),
        (HeaderName::Require, "outbound"),
    ];
    page.answer(T0, 0, &register.1, 200, &fields);
    page.sent();
    page.agent.end(T0, call, &Default::default()).unwrap();
    assert_eq!(routes(&page.only_sent().1), ["<sip:core.example;lr>"]);
}

#[test]
fn an_edge_that_both_flows_pass_stays_in_the_route_set() {
    let (mut page, requests) = Page::registering();
    for (flow, request) in requests {
        let contact = header(&request, HeaderName::Contact);
        let path = "<sip:edge0.example;lr>, <sip:token@edge0.example:8080;lr;ob>";
        let fields = [
            (HeaderName::Contact, contact.as_str()),
            (HeaderName::Path, path),
            (HeaderName::Require, "outbound"),
        ];
        page.answer(T0, flow, &request, 200, &fields);
    }
    let (call, flow) = page.call();
    assert_eq!(flow, 0);
    page.agent.disconnected_over(T0, 0);
    let (over, ack) = page.only_sent();
    assert_eq!((over, routes(&ack).len()), (1, 3));
    page.agent.end(T0, call, &Default::default()).unwrap();
    let (over, bye) = page.only_sent();
    assert_eq!((over, routes(&bye).len()), (1, 3));
}

#[test]
fn who_takes_the_registration_back_takes_every_flow_back() {
    let mut page = Page::registered();
    page.agent.unregister(T0, false);
    let sent = page.sent();
    assert_eq!(sent.iter().map(|(flow, _)| *flow).collect::<Vec<_>>(), [0, 1]);
    page.answer(T0, 0, &sent[0].1, 200, &[]);
    assert!(page.told().is_empty(), "one flow still stands");
    page.answer(T0, 1, &sent[1].1, 200, &[]);
    assert_eq!(page.told(), ["Unregistered"]);
}

#[test]
fn who_takes_the_registration_back_while_a_flow_comes_up_is_told_of_the_end_once() {
    for refused in [false, true] {
        let mut page = Page::registered();
        let coming = page.comes_back(1);
        page.agent.unregister(T0, false);
        let (_, leaving) = page.only_sent();
        page.answer(T0, 0, &leaving, 200, &[]);
        assert!(page.told().is_empty(), "a registration is on its way");
        if refused {
            page.answer(T0, 1, &coming, 403, &[]);
        } else {
            page.grant(T0, 1, &coming);
            let (flow, leaving) = page.only_sent();
            assert_eq!(header(&leaving, HeaderName::Expires), "0");
            page.answer(T0, flow, &leaving, 200, &[]);
        }
        assert_eq!(page.told(), ["Unregistered"]);
    }
}

#[test]
fn each_flow_is_refreshed_by_itself() {
    let mut page = Page::registered();
    let mut refreshed = Vec::new();
    let end = T0 + Duration::from_secs(600);
    while page.deadline <= end && refreshed.len() < 2 {
        let now = page.deadline;
        page.agent.timeout(now);
        for (flow, request) in page.sent() {
            assert_eq!(request.method(), Some(sip::Method::Register));
            refreshed.push(flow);
            page.grant(now, flow, &request);
        }
    }
    refreshed.sort_unstable();
    assert_eq!(refreshed, [0, 1]);
    assert!(page.agent.is_registered());
}
