//! What a receiver may rely on, whatever the sources do.

use super::*;
use sip::SeededEntropy;

const A: Source = Source { leg: 1, ssrc: 100 };
const B: Source = Source { leg: 2, ssrc: 200 };

fn table() -> Table {
    let codec = |from, to, clock| Mapping {
        from,
        to,
        clock_in: clock,
        clock_out: clock,
        event: false,
        quiet: false,
        transcoded: None,
    };
    let event = |from, to, clock_in, clock_out| Mapping {
        from,
        to,
        clock_in,
        clock_out,
        event: true,
        quiet: false,
        transcoded: None,
    };
    Table(vec![
        codec(0, 0, 8000),
        codec(111, 96, 48_000),
        event(126, 101, 8000, 8000),
        event(110, 101, 48_000, 8000),
    ])
}

fn packet(payload_type: u8, sequence: u16, timestamp: u32) -> Packet<'static> {
    Packet { marker: false, payload_type, sequence, timestamp, ssrc: 0, payload: b"sound" }
}

fn at(milliseconds: u64) -> Instant {
    Instant::from_millis(10_000 + milliseconds)
}

fn relay() -> Relay {
    Relay::new(&mut SeededEntropy::new(3))
}

#[test]
fn one_source_keeps_its_steps_and_gets_the_other_sides_payload_type() {
    let (mut relay, table) = (relay(), table());
    let first = relay.forward(at(0), A, &packet(111, 65535, 1000), &table).expect("sent");
    let second = relay.forward(at(20), A, &packet(111, 0, 1960), &table).expect("sent");
    assert_eq!((first.payload_type, first.marker, second.marker), (96, true, false));
    assert_eq!(second.sequence, first.sequence + 1);
    assert_eq!(second.timestamp, first.timestamp.wrapping_add(960));
}

#[test]
fn another_source_goes_on_where_the_last_one_was() {
    let (mut relay, table) = (relay(), table());
    let last = relay.forward(at(0), A, &packet(0, 500, 9000), &table).expect("sent");
    let next = relay.forward(at(100), B, &packet(0, 40_000, 7), &table).expect("sent");
    assert!(next.marker, "a new talkspurt");
    assert_eq!(next.sequence, last.sequence + 1);
    assert_eq!(next.timestamp, last.timestamp.wrapping_add(800), "the time that passed, in ticks");
    let after = relay.forward(at(120), B, &packet(0, 40_001, 167), &table).expect("sent");
    assert_eq!((after.sequence, after.marker), (next.sequence + 1, false));
}

#[test]
fn stragglers_of_the_replaced_source_do_not_bring_it_back() {
    let (mut relay, table) = (relay(), table());
    relay.forward(at(0), A, &packet(0, 1, 0), &table).expect("sent");
    let next = relay.forward(at(20), B, &packet(0, 1, 0), &table).expect("sent");
    assert_eq!(relay.forward(at(25), A, &packet(0, 2, 160), &table), None);
    let after = relay.forward(at(40), B, &packet(0, 2, 160), &table).expect("sent");
    assert_eq!(after.sequence, next.sequence + 1);
    assert!(relay.forward(at(400), A, &packet(0, 20, 3200), &table).is_some(), "it is back for good");
}

#[test]
fn packets_out_of_order_stay_out_of_order_and_no_number_is_used_twice() {
    let (mut relay, table) = (relay(), table());
    let sent: Vec<u64> = [10u16, 12, 11, 11, 12, 13]
        .into_iter()
        .filter_map(|sequence| relay.forward(at(0), A, &packet(0, sequence, 0), &table))
        .map(|outgoing| outgoing.sequence)
        .collect();
    let first = sent[0];
    assert_eq!(sent, [first, first + 2, first + 1, first + 3]);
}

#[test]
fn a_packet_from_before_the_switch_cannot_take_a_number_that_was_used() {
    let (mut relay, table) = (relay(), table());
    relay.forward(at(0), A, &packet(0, 100, 0), &table).expect("sent");
    let first = relay.forward(at(20), B, &packet(0, 50, 0), &table).expect("sent");
    assert_eq!(relay.forward(at(25), B, &packet(0, 49, 0), &table), None);
    let next = relay.forward(at(30), B, &packet(0, 51, 0), &table).expect("sent");
    assert_eq!(next.sequence, first.sequence + 1);
}

#[test]
fn what_is_not_relayed_leaves_no_gap() {
    let (mut relay, table) = (relay(), table());
    let first = relay.forward(at(0), A, &packet(0, 1, 0), &table).expect("sent");
    assert_eq!(relay.forward(at(20), A, &packet(77, 2, 160), &table), None, "an unknown payload type");
    let next = relay.forward(at(40), A, &packet(0, 3, 320), &table).expect("sent");
    assert_eq!(next.sequence, first.sequence + 1);
    assert_eq!(next.timestamp, first.timestamp.wrapping_add(320));
}

#[test]
fn a_source_that_jumps_is_a_new_one() {
    let (mut relay, table) = (relay(), table());
    let last = relay.forward(at(0), A, &packet(0, 1, 0), &table).expect("sent");
    let next = relay.forward(at(20), A, &packet(0, 30_000, 999_999), &table).expect("sent");
    assert_eq!(next.sequence, last.sequence + 1);
    assert_eq!(next.timestamp, last.timestamp.wrapping_add(160));
    assert!(next.marker);
}

#[test]
fn silence_of_ours_is_part_of_the_stream() {
    let (mut relay, table) = (relay(), table());
    let last = relay.forward(at(0), A, &packet(0, 1, 0), &table).expect("sent");
    let filled = relay.fill(at(1000), 0, 8000, b"silence");
    assert_eq!(filled.sequence, last.sequence + 1);
    assert_eq!(filled.timestamp, last.timestamp.wrapping_add(8000));
    let next = relay.forward(at(1500), A, &packet(0, 2, 12_000), &table).expect("sent");
    assert_eq!(next.sequence, filled.sequence + 1);
    assert_eq!(next.timestamp, filled.timestamp.wrapping_add(4000));
    assert!(next.marker);
}

#[test]
fn an_event_of_another_clock_has_its_duration_and_its_one_timestamp_converted() {
    let (mut relay, table) = (relay(), table());
    let sound = relay.forward(at(0), A, &packet(111, 1, 0), &table).expect("sent");
    let event = |sequence, duration: u16| {
        let [high, low] = duration.to_be_bytes();
        (sequence, vec![5, 0x0a, high, low])
    };
    let mut sent = Vec::new();
    for (index, (sequence, payload)) in [event(2, 960), event(3, 1920), event(4, 2880)].iter().enumerate() {
        let packet = Packet { marker: index == 0, payload, ..packet(110, *sequence, 960) };
        let outgoing = relay.forward(at(20 * (index as u64 + 1)), A, &packet, &table).expect("sent");
        let duration = u16::from_be_bytes([outgoing.payload[2], outgoing.payload[3]]);
        sent.push((
            outgoing.payload_type,
            outgoing.sequence - sound.sequence,
            outgoing.timestamp,
            duration,
            outgoing.marker,
        ));
    }
    let begin = sent[0].2;
    assert_eq!(
        sent,
        [(101, 1, begin, 160, true), (101, 2, begin, 320, false), (101, 3, begin, 480, false)],
        "a sixth of 48 kHz"
    );
}

#[test]
fn the_marker_is_on_the_first_packet_of_an_event_only() {
    // Three packets that end a short event, each marked as if it began one: as Chromium sends them.
    let (mut relay, table) = (relay(), table());
    let mut markers = Vec::new();
    for (sequence, timestamp) in [(1, 800), (2, 800), (3, 800), (4, 2400), (5, 2400)] {
        let end = Packet { marker: true, payload: &[7, 0x8a, 3, 0xc0], ..packet(126, sequence, timestamp) };
        markers.push(relay.forward(at(0), A, &end, &table).expect("sent").marker);
    }
    assert_eq!(markers, [true, false, false, true, false], "two keys");
}

#[test]
fn an_event_of_the_same_clock_is_left_as_it_is() {
    let (mut relay, table) = (relay(), table());
    let payload = [5, 0x8a, 0x03, 0xc0];
    let packet = Packet { payload: &payload, ..packet(126, 2, 960) };
    let sent = relay.forward(at(0), A, &packet, &table).expect("sent");
    assert_eq!((&*sent.payload, sent.marker), (&payload[..], false));
}

#[test]
fn random_sources_never_make_a_number_go_twice_or_a_timestamp_jump() {
    for seed in 0..200 {
        let mut entropy = SeededEntropy::new(seed);
        let (mut relay, table) = (Relay::new(&mut entropy), table());
        let mut used = std::collections::HashSet::new();
        let mut highest: Option<(u64, u32)> = None;
        let mut sequences = [entropy.number() as u16, entropy.number() as u16];
        let mut source = 0;
        for step in 0..400u64 {
            let dice = entropy.number();
            if dice.is_multiple_of(50) {
                source = 1 - source;
            }
            sequences[source] =
                sequences[source].wrapping_add([1, 1, 1, 2, 0, 65535][(dice >> 8) as usize % 6]);
            let timestamp = u32::from(sequences[source]).wrapping_mul(160);
            let from = if source == 0 { A } else { B };
            let payload_type = if dice.is_multiple_of(17) { 77 } else { 0 };
            let packet = packet(payload_type, sequences[source], timestamp);
            let Some(sent) = relay.forward(at(20 * step), from, &packet, &table) else { continue };
            assert!(used.insert(sent.sequence), "seed {seed}: {} twice", sent.sequence);
            if let Some((sequence, _)) = highest {
                let step = sent.sequence.abs_diff(sequence);
                assert!(step < 64, "seed {seed}: a step of {step}");
            }
            if highest.is_none_or(|(sequence, _)| sent.sequence > sequence) {
                highest = Some((sent.sequence, sent.timestamp));
            }
        }
    }
}
