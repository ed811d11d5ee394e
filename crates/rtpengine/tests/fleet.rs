//! The fleet with simulated nodes, under virtual time: datagrams are lost and doubled, nodes die, refuse and are full.
#![allow(clippy::unwrap_used, reason = "tests")]

mod nodes;

use nodes::{Behaviour, World, offer};
use rtpengine::{Description, Done, Failure, Health, Peer};
use std::time::Duration;

#[test]
fn an_offer_is_translated_and_its_answer_goes_to_the_same_node() {
    let mut world = World::new(&[1, 1, 1]);
    world.run(1);
    for call in 0..20 {
        let name = format!("call {call}");
        let offered = world.offer(offer(&name, "b1"));
        assert_eq!(world.outcome(offered), Ok(Done::Description(b"v=0 translated\r\n".to_vec())));
        let node = world.fleet.node_of(name.as_bytes()).unwrap();
        let answered = world.answer(offer(&name, "b1"));
        assert!(world.outcome(answered).is_ok());
        assert_eq!(world.asked(node).last().unwrap().0, "answer");
    }
    let used = world.fleet.nodes(world.now).filter(|node| node.statistics.calls > 0).count();
    assert_eq!(used, 3, "twenty calls spread over all nodes");
}

#[test]
fn lost_questions_and_answers_are_asked_again_and_doubled_answers_count_once() {
    let mut world = World::new(&[1]);
    world.run(1);
    for (loses, doubles) in [(0, true), (1, false), (2, true), (3, false)] {
        world.nodes[0].behaviour = Behaviour { loses, doubles, ..Behaviour::default() };
        let ticket = world.offer(offer("one", "b1"));
        assert!(world.outcome(ticket).is_ok(), "{loses} datagrams lost");
        assert_eq!(world.outcomes_of(ticket), 1);
    }
    assert_eq!(world.fleet.nodes(world.now).next().unwrap().statistics.retransmissions, 6);
}

#[test]
fn a_question_sent_again_is_the_same_octet_for_octet() {
    let mut world = World::new(&[1]);
    world.run(1);
    world.nodes[0].behaviour.loses = 2;
    let before = world.nodes[0].received.len();
    let ticket = world.offer(offer("one", "b1"));
    assert!(world.outcome(ticket).is_ok());
    let sent = &world.nodes[0].received[before..];
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|datagram| *datagram == sent[0]), "rtpengine knows it by its cookie");
}

#[test]
fn a_new_call_of_a_node_that_died_goes_to_another_one_within_seconds() {
    let mut world = World::new(&[1, 1]);
    world.run(1);
    world.nodes[0].behaviour.dead = true;
    let begun = world.now;
    // Two branches of one call, and calls enough to meet the dead node.
    let tickets: Vec<_> = (0..10)
        .flat_map(|call| ["b1", "b2"].map(|branch| (call, branch)))
        .map(|(call, branch)| world.offer(offer(&format!("call {call}"), branch)))
        .collect();
    for ticket in tickets {
        assert!(world.outcome(ticket).is_ok());
    }
    assert!(world.now.saturating_since(begun) <= Duration::from_secs(3));
    let living = world.nodes[1].address;
    assert!((0..10).all(|call| world.fleet.node_of(format!("call {call}").as_bytes()) == Some(living)));
    assert_eq!(world.health(0), Health::Down);
}

#[test]
fn a_node_that_comes_back_gets_calls_again_and_is_told_what_it_missed() {
    let mut world = World::new(&[1]);
    world.run(1);
    let ticket = world.offer(offer("one", "b1"));
    assert!(world.outcome(ticket).is_ok());
    world.nodes[0].behaviour.dead = true;
    let node = world.nodes[0].address;
    let ticket = world.delete("one");
    assert_eq!(world.outcome(ticket), Err(Failure::Unanswered { node }));
    let ticket = world.offer(offer("two", "b1"));
    assert_eq!(world.outcome(ticket), Err(Failure::NoNode), "and at once, for it is known to be dead");
    world.nodes[0].behaviour.dead = false;
    world.run(10);
    assert_eq!(world.health(0), Health::Up);
    assert!(world.asked(node).contains(&("delete".to_owned(), "one".to_owned())));
    let ticket = world.offer(offer("three", "b1"));
    assert!(world.outcome(ticket).is_ok());
}

#[test]
fn a_node_that_is_full_passes_its_calls_on_and_is_spared_for_a_while() {
    let mut world = World::new(&[1, 1]);
    world.run(1);
    world.nodes[0].behaviour.full = true;
    for call in 0..20 {
        let ticket = world.offer(offer(&format!("call {call}"), "b1"));
        assert!(world.outcome(ticket).is_ok());
    }
    let asked = world.asked(world.nodes[0].address).iter().filter(|(command, _)| command == "offer").count();
    assert_eq!(asked, 1, "it is not asked again at once");
    world.nodes[1].behaviour.full = true;
    let ticket = world.offer(offer("last", "b1"));
    assert_eq!(world.outcome(ticket), Err(Failure::LoadLimit));
}

#[test]
fn what_one_node_refuses_another_may_do_but_never_within_a_call() {
    let mut world = World::new(&[1, 1]);
    world.run(1);
    world.nodes[0].behaviour.refuses = true;
    for call in 0..10 {
        let ticket = world.offer(offer(&format!("call {call}"), "b1"));
        assert!(world.outcome(ticket).is_ok());
    }
    assert_eq!(world.health(0), Health::Up, "it lives");
    world.nodes[0].behaviour.refuses = false;
    world.nodes[1].behaviour.refuses = true;
    let ticket = world.offer(offer("call 0", "b2"));
    let node = world.nodes[1].address;
    assert_eq!(
        world.outcome(ticket),
        Err(Failure::Refused { node, reason: "Ran out of ports".to_owned() }),
        "the other branch's leg is there"
    );
}

#[test]
fn an_offer_inside_a_call_whose_node_died_goes_to_another_node() {
    let mut world = World::new(&[1, 1]);
    world.run(1);
    let ticket = world.offer(offer("one", "b1"));
    assert!(world.outcome(ticket).is_ok());
    let first = world.fleet.node_of(b"one").unwrap();
    world.node(first).behaviour.dead = true;
    world.run(15);
    let ticket = world.answer(offer("one", "b1"));
    assert_eq!(world.outcome(ticket), Err(Failure::Unanswered { node: first }), "an answer cannot move");
    let ticket = world.offer(offer("one", "b1"));
    assert!(world.outcome(ticket).is_ok());
    assert_ne!(world.fleet.node_of(b"one"), Some(first));
}

#[test]
fn nobody_but_the_node_that_was_asked_can_answer() {
    let mut world = World::new(&[1, 1]);
    world.run(1);
    let ticket = world.offer(offer("one", "b1"));
    let asked = world.fleet.node_of(b"one").unwrap();
    let other = world.nodes.iter().map(|node| node.address).find(|address| *address != asked).unwrap();
    let question = world.flush_unanswered().pop().unwrap();
    let (cookie, _) = rtpengine::cookie(&question).unwrap();
    let forged = [cookie, b" d6:result2:ok3:sdp6:forgede"].concat();
    assert!(!world.fleet.receive(world.now, other, &forged));
    assert!(!world.fleet.receive(world.now, asked, b"1_guess d6:result2:ok3:sdp6:forgede"));
    assert_eq!(world.outcome(ticket), Ok(Done::Description(b"v=0 translated\r\n".to_vec())));
}

#[test]
fn a_call_that_is_over_is_deleted_with_its_figures_and_forgotten() {
    let mut world = World::new(&[1]);
    world.run(1);
    let ticket = world.offer(offer("one", "b1"));
    assert!(world.outcome(ticket).is_ok());
    let ticket = world.delete("one");
    let Ok(Done::Figures(figures)) = world.outcome(ticket) else { panic!("figures") };
    assert_eq!(figures.leg(b"a").unwrap().packets, 17);
    let ticket = world.delete("one");
    assert_eq!(world.outcome(ticket), Err(Failure::UnknownCall));
    assert_eq!(world.fleet.nodes(world.now).next().unwrap().statistics.calls, 0);
}

#[test]
fn a_phone_sees_nothing_of_webrtc_and_a_browser_is_not_touched_first() {
    let mut world = World::new(&[1]);
    world.run(1);
    let node = &mut world.nodes[0];
    node.behaviour.translation =
        b"v=0\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\na=ssrc:1 cname:x\r\na=ptime:20\r\n".to_vec();
    let ticket = world.offer(offer("one", "b1"));
    assert_eq!(
        world.outcome(ticket),
        Ok(Done::Description(b"v=0\r\nm=audio 9 RTP/AVP 0\r\na=ptime:20\r\n".to_vec()))
    );
    let question = world.last_question("offer");
    assert_eq!(question.get("via-branch"), Some("b1"));
    assert_eq!(question.get("transport-protocol"), Some("RTP/AVP"));
    assert_eq!(question.get("ICE-lite"), Some("backward"), "no checks toward the caller");
    assert_eq!(question.get("DTLS-reverse"), Some("passive"), "no handshake toward the caller");
    let mut back = offer("one", "b1");
    (back.writer, back.reader) = (Peer::Phone, Peer::Browser);
    let ticket = world.offer(back);
    assert!(world.outcome(ticket).is_ok());
    let question = world.last_question("offer");
    assert_eq!(question.get("transport-protocol"), Some("UDP/TLS/RTP/SAVPF"));
    assert_eq!(question.get("ICE"), Some("force"));
}

#[test]
fn what_two_phones_write_to_each_other_keeps_its_profile_and_its_attributes() {
    let mut world = World::new(&[1]);
    world.run(1);
    let translation = b"v=0\r\nm=audio 9 RTP/SAVP 0\r\na=mid:0\r\na=rtcp-fb:* nack\r\n".to_vec();
    world.nodes[0].behaviour.translation = translation.clone();
    let mut between = offer("one", "b1");
    (between.writer, between.reader) = (Peer::Alike, Peer::Alike);
    let ticket = world.offer(between);
    assert_eq!(world.outcome(ticket), Ok(Done::Description(translation)));
    let question = world.last_question("offer");
    for name in ["transport-protocol", "DTLS", "SDES", "rtcp-mux", "ICE-lite", "codec"] {
        assert_eq!(question.get(name), None, "{name}");
    }
    assert_eq!(question.get("ICE"), Some("remove"), "no candidates that lead past it");
}

/// Many calls on bad lines: each question is answered once, and nothing is left.
#[test]
fn whatever_the_network_does_each_question_has_one_outcome() {
    for seed in 0..20 {
        let mut world = World::with_chance(&[1, 2, 1], seed);
        let tickets: Vec<_> = (0..100)
            .flat_map(|call| {
                let name = format!("call {}", call % 40);
                world.run_for(Duration::from_millis(70));
                world.meddle();
                match call % 3 {
                    0 => vec![world.offer(offer(&name, "b1")), world.offer(offer(&name, "b2"))],
                    1 => vec![world.answer(offer(&name, "b1"))],
                    _ => vec![world.delete(&name)],
                }
            })
            .collect();
        world.heal();
        world.run(30);
        for ticket in tickets {
            assert_eq!(world.outcomes_of(ticket), 1, "seed {seed}");
        }
        assert!((0..3).all(|node| world.health(node) == Health::Up), "seed {seed}");
    }
}

/// What alice's browser says inside the dialog with bob's phone, and what his phone answers.
fn within(sdp: &str) -> Description {
    let mut description = offer("one", "b1");
    description.leg.to_tag = Some(b"b".to_vec());
    description.leg.via_branch = None;
    description.sdp = sdp.into();
    description
}

fn agreed() -> World {
    let mut world = World::new(&[1]);
    world.run(1);
    let offered = world.offer(Description { sdp: b"first offer".to_vec(), ..offer("one", "b1") });
    assert!(world.outcome(offered).is_ok());
    let mut answer = within("first answer");
    answer.leg.via_branch = Some(b"b1".to_vec());
    let answered = world.answer(answer);
    assert!(world.outcome(answered).is_ok());
    world
}

#[test]
fn what_was_agreed_is_told_again_when_a_later_offer_is_refused() {
    let mut world = agreed();
    let hold = world.offer(within("hold"));
    assert!(world.outcome(hold).is_ok());
    world.fleet.withdraw(world.now, b"one");
    world.run(1);
    let (offer, answer) = (world.last_question("offer"), world.last_question("answer"));
    let told = |question: &nodes::Question| {
        ["sdp", "from-tag", "to-tag", "via-branch"]
            .map(|name| question.get(name).unwrap_or("none").to_owned())
    };
    assert_eq!(told(&offer), ["first offer", "a", "b", "none"]);
    assert_eq!(told(&answer), ["first answer", "a", "b", "none"]);
    let asked = world.asked(world.nodes[0].address).len();
    world.fleet.withdraw(world.now, b"one");
    world.run(1);
    assert_eq!(world.asked(world.nodes[0].address).len(), asked, "once");
}

#[test]
fn what_was_agreed_in_the_dialog_holds_on_and_a_new_offer_is_not_overtaken_by_it() {
    let mut world = agreed();
    for (offered, answered) in [("second offer", Some("second answer")), ("third offer", None)] {
        let ticket = world.offer(within(offered));
        assert!(world.outcome(ticket).is_ok());
        if let Some(answered) = answered {
            let ticket = world.answer(within(answered));
            assert!(world.outcome(ticket).is_ok());
        }
    }
    world.fleet.withdraw(world.now, b"one");
    let ticket = world.offer(within("fourth offer"));
    assert!(world.outcome(ticket).is_ok());
    world.run(1);
    let asked = world.asked(world.nodes[0].address);
    let last: Vec<&str> = asked.iter().rev().take(3).rev().map(|(command, _)| command.as_str()).collect();
    assert_eq!(last, ["offer", "offer", "offer"], "third, second again, fourth, and no answer between");
    assert_eq!(world.last_question("offer").get("sdp"), Some("fourth offer"));
}
