//! An evening in two domains: phones of all kinds do what comes to their users' minds, on bad networks, while
//! connections break and servers are killed. No ladder is expected; the invariants are.

use std::time::Duration;

use simulator::places::{ATLANTA, BILOXI, add_server, config_of, phone_of, register};
use simulator::{
    Act, Conditions, Dice, Habits, NodeId, PhoneSetup, Reaction, Simulation, Span, for_each_seed,
};
use sip::Transport::{Tcp, Udp, Ws};

/// How long the evening is.
const EVENING: Span = Span::milliseconds(0, 60_000);

/// Whom one may call: users with one phone, with two, behind a NAT, signed in nowhere, and one whom nobody knows.
const TARGETS: [&str; 5] = [
    "sip:alice@atlanta.example.com",
    "sip:bob@biloxi.example.com",
    "sip:carol@atlanta.example.com",
    "sip:alice@biloxi.example.com",
    "sip:nobody@biloxi.example.com",
];

fn habits(dice: &mut Dice) -> Habits {
    let span = Span::milliseconds(0, 5000);
    let reaction = match dice.below(6) {
        0 => Reaction::Rings,
        1 => Reaction::Nothing,
        2 => Reaction::Refuses(486, dice.within(span)),
        _ => Reaction::Answers(Duration::ZERO, dice.within(span)),
    };
    let hangs_up_after = dice.falls(400).then(|| dice.within(Span::milliseconds(0, 20_000)));
    Habits { reaction, hangs_up_after, message_status: 200 }
}

fn phones(network: &mut Simulation, dice: &mut Dice) -> [NodeId; 4] {
    let setups = [
        ("alice", "alice", ATLANTA, 1, Ws),
        ("page", "bob", BILOXI, 2, Ws),
        ("desk", "bob", BILOXI, 3, Udp),
        ("carol", "carol", ATLANTA, 4, if dice.falls(500) { Udp } else { Tcp }),
    ];
    setups.map(|(name, user, domain, number, transport)| {
        let mut setup = PhoneSetup {
            name: name.to_owned(),
            habits: habits(dice),
            ..phone_of(user, domain, number, transport)
        };
        if dice.falls(200) {
            setup.own_address.set_ip([10, 0, 0, number].into());
        }
        if dice.falls(300) {
            setup.patience = 15;
        }
        network.add_phone(setup)
    })
}

/// Something that comes to the mind of a phone's user.
fn idea(dice: &mut Dice) -> Act {
    let mut target = || TARGETS[usize::try_from(dice.below(5)).unwrap()].to_owned();
    let target = target();
    match dice.below(20) {
        0..8 => Act::Call(target),
        8..11 => Act::HangUpAll,
        11..13 => Act::Reinvite,
        13..16 => Act::Write(target, "hello".to_owned()),
        16 => Act::Register,
        17 => Act::Unregister,
        18 => Act::Request("OPTIONS".to_owned(), target),
        _ => Act::Disconnect,
    }
}

fn evening(seed: u64, killed: bool) -> Simulation {
    let mut dice = Dice::new(seed, 0xeee);
    let mut network = Simulation::new(seed, Conditions::PERFECT);
    let servers = [add_server(&mut network, config_of(ATLANTA)), add_server(&mut network, config_of(BILOXI))];
    for server in servers {
        network.server_mut(server).refuses_connections = false;
    }
    let phones = phones(&mut network, &mut dice);
    register(&mut network, &phones);
    network.set_conditions(Conditions { unstored: 50, ..Conditions::bad(seed) });
    for phone in phones {
        for _ in 0..dice.below(6) {
            let (at, act) = (dice.within(EVENING), idea(&mut dice));
            if matches!(act, Act::Disconnect) {
                network.plan(at + dice.within(Span::milliseconds(0, 10_000)), phone, Act::Connect);
            }
            network.plan(at, phone, act);
        }
    }
    if killed {
        network.run_for(dice.within(EVENING));
        network.restart(servers[usize::try_from(dice.below(2)).unwrap()]);
        network.run_for(dice.within(Span::milliseconds(0, 3000)));
        for phone in phones {
            network.act(phone, Act::Connect);
        }
    }
    network.run_for(Duration::from_secs(90));
    network.set_conditions(Conditions::PERFECT);
    for phone in phones {
        network.act(phone, Act::Connect);
    }
    network
}

#[test]
fn bad_networks() {
    for_each_seed(1200, |seed| {
        let mut network = evening(seed, false);
        network.wind_up();
        network.ladder().clone()
    });
}

#[test]
fn bad_networks_and_servers_that_are_killed() {
    for_each_seed(800, |seed| {
        let mut network = evening(seed, true);
        network.wind_up();
        network.ladder().clone()
    });
}
