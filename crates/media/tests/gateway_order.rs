//! Whatever order things come in, whatever is repeated, forgotten or mutilated: no panic, and nothing is left.

use crate::peers::{BROWSER, PHONE, World, address, branch, call, phone_description, rtp};
use media::{Gateway, Party, Side, SocketId};
use sip::{Entropy, SeededEntropy};
use std::time::Duration;

/// One octet changed, or a piece cut off, or nothing.
fn mutilated(entropy: &mut SeededEntropy, description: &[u8]) -> Vec<u8> {
    let mut description = description.to_vec();
    let place = entropy.number() as usize % description.len().max(1);
    match entropy.number() % 4 {
        0 => description[place] = entropy.number() as u8,
        1 => description.truncate(place),
        _ => {}
    }
    description
}

fn step(world: &mut World, entropy: &mut SeededEntropy, kept: &mut Vec<Vec<u8>>) {
    let call = call(&(entropy.number() % 3).to_string());
    let branch = branch(&(entropy.number() % 3).to_string());
    let side = if entropy.number().is_multiple_of(2) { Side::Browser } else { Side::Phone };
    let party = if side == Side::Phone { Party::Caller } else { Party::Callee };
    let now = world.now;
    let place = entropy.number() as usize % kept.len();
    let description = mutilated(entropy, &kept[place]);
    let gateway: &mut Gateway = &mut world.gateway;
    match entropy.number() % 17 {
        0..=2 => kept.extend(gateway.offer(now, &call, &branch, side, &description).ok()),
        3..=5 => kept.extend(gateway.answer(now, &call, &branch, side, &description).ok()),
        6 => gateway.confirm(now, &call, &branch),
        7 => gateway.end_branch(now, &call, &branch),
        8 => gateway.withdraw(&call, &branch),
        9 => gateway.expect_phone_at(&call, &branch, address(PHONE).ip()),
        12 | 13 => kept.extend(gateway.anchor_offer(now, &call, &branch, party, &description, None).ok()),
        14 | 15 => kept.extend(gateway.anchor_answer(now, &call, &branch, party, &description).ok()),
        16 => gateway.expect_party_at(&call, &branch, party, address(PHONE).ip()),
        10 if entropy.number().is_multiple_of(4) => gateway.end(now, &call),
        _ => {
            let port = 30_000 + (entropy.number() % 100) as u16;
            gateway.receive(now, SocketId::Phone(port), address(PHONE), &rtp(0, 1, 1, 1, b"sound"));
            gateway.receive(now, SocketId::Browser(0), address(BROWSER), &[22, 1, 2, 3]);
        }
    }
    if kept.len() > 12 {
        kept.remove(3 + place % 9);
    }
}

#[test]
fn a_thousand_disorderly_evenings() {
    for seed in 0..1000 {
        let mut entropy = SeededEntropy::new(seed);
        let mut world = World::new();
        let browser = world.browser(BROWSER, seed % 2 == 0);
        let mut kept = vec![
            world.browsers[browser].offer(),
            phone_description(PHONE, "0 101", "a=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"),
            phone_description("203.0.113.9:9000", "8 0", "a=inactive\r\n"),
        ];
        for _ in 0..40 {
            step(&mut world, &mut entropy, &mut kept);
            world.settle();
            if entropy.number().is_multiple_of(8) {
                world.now += Duration::from_secs(entropy.number() % 20);
                world.gateway.timeout(world.now);
                world.settle();
                let media::Output::Timeout(at) = world.gateway.poll() else { panic!("settled") };
                assert!(at > world.now, "seed {seed}: what was due is done");
            }
        }
        for name in ["0", "1", "2"] {
            world.gateway.end(world.now, &call(name));
        }
        world.settle();
        assert!(world.gateway.is_idle() && world.open.is_empty(), "seed {seed}");
    }
}
