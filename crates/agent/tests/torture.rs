//! Whatever arrives, an agent goes on: random octets, and messages of real calls with random damage.

use crate::common::{ANSWER, Line, OFFER, config, incoming};
use agent::{Agent, Output, Payload, Via};
use core::time::Duration;
use sip::{Entropy, Instant, SeededEntropy, Transport};

/// Every message of a call with a re-INVITE and an INFO.
fn recorded() -> Vec<Vec<u8>> {
    use std::cell::RefCell;
    use std::rc::Rc;
    let messages = Rc::new(RefCell::new(Vec::new()));
    let mut line = Line::new();
    let tape = Rc::clone(&messages);
    line.loses = Box::new(move |_, message| {
        tape.borrow_mut().push(message.as_bytes().to_vec());
        false
    });
    let alice = line.alice.call(line.now, "sip:bob@example.org");
    line.carry();
    let bob = incoming(&line.bob.take_events());
    line.bob.agent.ring(line.now, bob, 183, "", &Payload::sdp(ANSWER)).unwrap();
    line.bob.agent.accept(line.now, bob, 0, &Payload::sdp(ANSWER)).unwrap();
    line.carry();
    line.alice.agent.acknowledge(line.now, alice, Payload::default()).unwrap();
    line.carry();
    line.alice.agent.dialog_request(line.now, alice, "INFO", &Payload::default()).unwrap();
    line.bob.agent.reinvite(line.now, bob, false, Payload::sdp(OFFER)).unwrap();
    line.carry();
    line.alice.agent.end(line.now, alice, &agent::Ending::default()).unwrap();
    line.carry();
    let messages = messages.borrow().clone();
    assert!(messages.len() > 8);
    messages
}

fn drain(agent: &mut Agent) -> Instant {
    for _ in 0..10_000 {
        if let Output::Timeout(at) = agent.poll() {
            return at;
        }
    }
    panic!("the agent never falls silent");
}

#[test]
fn damaged_messages_break_nothing() {
    let messages = recorded();
    let mut chance = SeededEntropy::new(2011);
    for round in 0..300u64 {
        // The same seeds as in the recording: the damaged messages meet calls that they belong to.
        let user = if round % 2 == 0 { "alice" } else { "bob" };
        let mut agent = Agent::new(config(user), Box::new(SeededEntropy::new(1 + round % 2))).unwrap();
        let mut now = Instant::from_secs(1);
        agent.connected(now, Via::new(Transport::Ws));
        if user == "alice" {
            let (call, _) =
                agent.create_call(now, "sip:bob@example.org", agent::CallOptions::default()).unwrap();
            agent.invite(now, call, Payload::sdp(OFFER)).unwrap();
        }
        for _ in 0..60 {
            let mut bytes = messages[chance.number() as usize % messages.len()].clone();
            for _ in 0..chance.number() % 4 {
                let at = chance.number() as usize % bytes.len();
                match chance.number() % 4 {
                    0 => bytes[at] = chance.number() as u8,
                    1 => bytes.truncate(at.max(1)),
                    2 => bytes.insert(at, b"\r\n;,<>\"=: "[chance.number() as usize % 10]),
                    _ => drop(bytes.drain(at..(at + 9).min(bytes.len()))),
                }
                if bytes.is_empty() {
                    bytes.push(b' ');
                }
            }
            agent.receive(now, &bytes);
            let deadline = drain(&mut agent);
            now += Duration::from_millis(chance.number() % 3000);
            if deadline <= now {
                agent.timeout(now);
                assert!(drain(&mut agent) > now, "a deadline that is over must move on");
            }
        }
    }
}

#[test]
fn a_flood_of_calls_is_bounded() {
    let mut agent = Agent::new(config("alice"), Box::new(SeededEntropy::new(1))).unwrap();
    agent.connected(Instant::ZERO, Via::new(Transport::Ws));
    let mut rang = 0;
    for number in 0..1000 {
        let invite = format!(
            "INVITE sip:alice@example.org SIP/2.0\r\nVia: SIP/2.0/WS x.invalid;branch=z9hG4bK{number}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:x@y>;tag={number}\r\nTo: <sip:alice@example.org>\r\n\
             Call-ID: {number}\r\nCSeq: 1 INVITE\r\nContact: <sip:x@y>\r\nContent-Length: 0\r\n\r\n"
        );
        agent.receive(Instant::ZERO, invite.as_bytes());
        loop {
            match agent.poll() {
                Output::Event(agent::Event::IncomingCall { .. }) => rang += 1,
                Output::Timeout(_) => break,
                _ => {}
            }
        }
    }
    assert_eq!(rang, 32);
}
