//! What holds for every suite: what is protected comes out once, as it was, and nothing else does.

use sip::{Entropy, SeededEntropy};
use srtp::{
    KeyError, MOST_IDENTIFIER, MOST_STREAMS, OVERHEAD, ProtectError, Receiver, Sender, Suite, UnprotectError,
};

const SUITES: [Suite; 4] =
    [Suite::AesCm128HmacSha1_80, Suite::AesCm128HmacSha1_32, Suite::AeadAes128Gcm, Suite::AeadAes256Gcm];

fn key(suite: Suite, seed: u64) -> Vec<u8> {
    let mut key = vec![0; suite.key_length() + suite.salt_length()];
    SeededEntropy::new(seed).fill(&mut key);
    key
}

fn pair(suite: Suite) -> (Sender, Receiver) {
    let key = key(suite, 1);
    (Sender::new(suite, &key).unwrap(), Receiver::new(suite, &key).unwrap())
}

fn packet(ssrc: u32, sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend_from_slice(&sequence.to_be_bytes());
    packet.extend_from_slice(&[0, 0, 0, 160]);
    packet.extend_from_slice(&ssrc.to_be_bytes());
    packet.extend((0..160).map(|octet| octet as u8 ^ sequence as u8));
    packet
}

fn report(ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 201, 0, 1];
    packet.extend_from_slice(&ssrc.to_be_bytes());
    packet.extend_from_slice(&[0x81, 202, 0, 2, 0, 0, 0, 1, 1, 0, 0, 0]);
    packet
}

fn protected(sender: &mut Sender, packet: &[u8]) -> Vec<u8> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + OVERHEAD, 0);
    let length = sender.protect(&mut buffer, packet.len()).unwrap();
    buffer.truncate(length);
    buffer
}

fn protected_control(sender: &mut Sender, packet: &[u8]) -> Vec<u8> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + OVERHEAD, 0);
    let length = sender.protect_control(&mut buffer, packet.len()).unwrap();
    buffer.truncate(length);
    buffer
}

fn opened(receiver: &mut Receiver, packet: &[u8]) -> Result<Vec<u8>, UnprotectError> {
    let mut packet = packet.to_vec();
    let length = receiver.unprotect(&mut packet)?;
    packet.truncate(length);
    Ok(packet)
}

fn opened_control(receiver: &mut Receiver, packet: &[u8]) -> Result<Vec<u8>, UnprotectError> {
    let mut packet = packet.to_vec();
    let length = receiver.unprotect_control(&mut packet)?;
    packet.truncate(length);
    Ok(packet)
}

#[test]
fn what_is_protected_comes_out_as_it_was_and_is_not_to_be_read_on_the_way() {
    for suite in SUITES {
        let (mut sender, mut receiver) = pair(suite);
        for sequence in 0..300 {
            let plain = packet(7, sequence);
            let sent = protected(&mut sender, &plain);
            assert_eq!(sent[..12], plain[..12], "{suite:?}: the header stays");
            assert_ne!(sent[12..plain.len()], plain[12..], "{suite:?}");
            assert_eq!(opened(&mut receiver, &sent), Ok(plain), "{suite:?}");
            let plain = report(7);
            let sent = protected_control(&mut sender, &plain);
            assert_ne!(sent[8..plain.len()], plain[8..], "{suite:?}");
            assert_eq!(opened_control(&mut receiver, &sent), Ok(plain), "{suite:?}");
        }
    }
}

#[test]
fn a_packet_with_contributing_sources_an_extension_and_no_payload_is_one_too() {
    for suite in SUITES {
        let (mut sender, mut receiver) = pair(suite);
        let mut plain = vec![0x91, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7];
        plain.extend_from_slice(&[0, 0, 0, 9, 0xbe, 0xde, 0, 1, 1, 2, 3, 4]);
        let sent = protected(&mut sender, &plain);
        assert_eq!(sent[..plain.len()], plain, "{suite:?}: nothing of it is secret");
        assert_eq!(opened(&mut receiver, &sent), Ok(plain), "{suite:?}");
    }
}

#[test]
fn the_same_packet_is_heard_once() {
    for suite in SUITES {
        let (mut sender, mut receiver) = pair(suite);
        let sent: Vec<_> = (0..200).map(|sequence| protected(&mut sender, &packet(7, sequence))).collect();
        // Out of order, as far as the window reaches.
        for pair in sent.chunks(2) {
            assert!(opened(&mut receiver, &pair[1]).is_ok());
            assert!(opened(&mut receiver, &pair[0]).is_ok());
        }
        for again in &sent {
            assert_eq!(opened(&mut receiver, again), Err(UnprotectError::Replayed), "{suite:?}");
        }
        let sent = protected_control(&mut sender, &report(7));
        assert!(opened_control(&mut receiver, &sent).is_ok());
        assert_eq!(opened_control(&mut receiver, &sent), Err(UnprotectError::Replayed), "{suite:?}");
    }
}

#[test]
fn a_stream_goes_on_over_many_wraps_of_its_sequence_numbers_with_losses_on_the_way() {
    for suite in SUITES {
        let (mut sender, mut receiver) = pair(suite);
        for step in 0..60u32 {
            let sequence = (65_000 + step * 9_001) as u16;
            let plain = packet(7, sequence);
            let sent = protected(&mut sender, &plain);
            if step % 3 != 1 {
                assert_eq!(opened(&mut receiver, &sent), Ok(plain), "{suite:?} step {step}");
            }
        }
    }
}

/// What happens on the way: the sender goes on from one sequence number to another, and nothing in between arrives.
fn silence(sender: &mut Sender, from: u32, packets: u32) {
    (from + 1..=from + packets).step_by(9_001).for_each(|sequence| {
        protected(sender, &packet(7, sequence as u16));
    });
}

#[test]
fn a_source_is_heard_again_after_more_than_half_a_turn_was_lost() {
    for suite in SUITES {
        for (first, lost) in [(100, 33_000), (40_000, 40_000), (65_535, 60_000), (9, 65_400)] {
            let (mut sender, mut receiver) = pair(suite);
            opened(&mut receiver, &protected(&mut sender, &packet(7, first as u16))).unwrap();
            silence(&mut sender, first, lost);
            for next in 1..4 {
                let plain = packet(7, (first + lost + next) as u16);
                let sent = protected(&mut sender, &plain);
                assert_eq!(opened(&mut receiver, &sent), Ok(plain), "{suite:?}: {lost} after {first}");
                assert_eq!(opened(&mut receiver, &sent), Err(UnprotectError::Replayed), "{suite:?}");
            }
        }
    }
}

#[test]
fn a_source_is_heard_again_after_a_whole_turn_was_lost() {
    // Under the Galois suites a wrong guess leaves nothing of the packet to guess again with.
    for suite in [Suite::AesCm128HmacSha1_80, Suite::AesCm128HmacSha1_32] {
        let (mut sender, mut receiver) = pair(suite);
        opened(&mut receiver, &protected(&mut sender, &packet(7, 100))).unwrap();
        silence(&mut sender, 100, 80_000);
        let plain = packet(7, 80_101_u32 as u16);
        assert_eq!(opened(&mut receiver, &protected(&mut sender, &plain)), Ok(plain), "{suite:?}");
    }
}

#[test]
fn a_source_whose_sequence_numbers_wrapped_before_anybody_heard_it_is_heard() {
    // It began near the end of its first turn, and what came before our answer was lost.
    for suite in SUITES {
        let (mut sender, mut receiver) = pair(suite);
        for early in [65_500, 65_535] {
            protected(&mut sender, &packet(7, early));
        }
        for next in 0..3 {
            let plain = packet(7, next);
            assert_eq!(opened(&mut receiver, &protected(&mut sender, &plain)), Ok(plain), "{suite:?}");
        }
    }
}

#[test]
fn under_a_new_key_a_source_goes_on_counting_or_begins_anew_and_is_heard_either_way() {
    for suite in SUITES {
        for goes_on in [true, false] {
            let (mut sender, mut before) = pair(suite);
            for step in (0..200_000u32).step_by(9_001) {
                opened(&mut before, &protected(&mut sender, &packet(7, step as u16))).unwrap();
            }
            let renewed = key(suite, 2);
            let mut sender = Sender::new(suite, &renewed).unwrap();
            let mut receiver = Receiver::new(suite, &renewed).unwrap();
            receiver.follow(&before);
            if goes_on {
                silence(&mut sender, 0, 200_000);
            }
            for next in [200_001u32, 200_002, 200_100] {
                let plain = packet(7, next as u16);
                let sent = protected(&mut sender, &plain);
                assert_eq!(opened(&mut receiver, &sent), Ok(plain), "{suite:?}, goes on: {goes_on}");
                assert_eq!(opened(&mut receiver, &sent), Err(UnprotectError::Replayed), "{suite:?}");
            }
        }
    }
}

#[test]
fn what_is_too_old_to_know_stays_unheard_and_harms_nobody() {
    for suite in SUITES {
        let (mut sender, mut receiver) = pair(suite);
        let old = protected(&mut sender, &packet(7, 3));
        let plain = packet(7, 9_000);
        assert_eq!(opened(&mut receiver, &protected(&mut sender, &plain)), Ok(plain));
        assert_eq!(opened(&mut receiver, &old), Err(UnprotectError::Replayed), "{suite:?}");
        let plain = packet(7, 9_001);
        assert_eq!(opened(&mut receiver, &protected(&mut sender, &plain)), Ok(plain), "{suite:?}");
    }
}

#[test]
fn a_packet_from_before_a_wrap_that_arrives_after_it_is_understood() {
    for suite in SUITES {
        let (mut sender, mut receiver) = pair(suite);
        let sent: Vec<_> = [65_534, 65_535, 0, 1]
            .map(|sequence| protected(&mut sender, &packet(7, sequence)))
            .into_iter()
            .collect();
        for order in [0, 3, 1, 2] {
            assert!(opened(&mut receiver, &sent[order]).is_ok(), "{suite:?} {order}");
        }
    }
}

#[test]
fn a_packet_changed_anywhere_is_dropped_and_the_true_one_is_still_taken() {
    for suite in SUITES {
        let (mut sender, mut receiver) = pair(suite);
        let plain = packet(7, 5);
        let sent = protected(&mut sender, &plain);
        for place in 0..sent.len() {
            let mut changed = sent.clone();
            changed[place] ^= 1;
            assert!(opened(&mut receiver, &changed).is_err(), "{suite:?}: octet {place}");
        }
        for length in 0..sent.len() {
            assert!(opened(&mut receiver, &sent[..length]).is_err(), "{suite:?}: {length} octets");
        }
        assert_eq!(opened(&mut receiver, &sent), Ok(plain), "{suite:?}");

        let plain = report(7);
        let sent = protected_control(&mut sender, &plain);
        for place in 0..sent.len() {
            let mut changed = sent.clone();
            changed[place] ^= 0x80;
            assert!(opened_control(&mut receiver, &changed).is_err(), "{suite:?}: octet {place}");
        }
        for length in 0..sent.len() {
            assert!(opened_control(&mut receiver, &sent[..length]).is_err(), "{suite:?}: {length} octets");
        }
        assert_eq!(opened_control(&mut receiver, &sent), Ok(plain), "{suite:?}");
    }
}

#[test]
fn another_key_opens_nothing() {
    for suite in SUITES {
        let (mut sender, _) = pair(suite);
        let mut stranger = Receiver::new(suite, &key(suite, 2)).unwrap();
        let sent = protected(&mut sender, &packet(7, 5));
        assert_eq!(opened(&mut stranger, &sent), Err(UnprotectError::NotAuthentic), "{suite:?}");
        let sent = protected_control(&mut sender, &report(7));
        assert_eq!(opened_control(&mut stranger, &sent), Err(UnprotectError::NotAuthentic), "{suite:?}");
    }
}

#[test]
fn a_key_of_another_length_is_none() {
    for suite in SUITES {
        let key = key(suite, 1);
        for wrong in [&key[..key.len() - 1], &[&key[..], &[0]].concat(), &[]] {
            assert_eq!(Sender::new(suite, wrong).err(), Some(KeyError), "{suite:?}");
            assert_eq!(Receiver::new(suite, wrong).err(), Some(KeyError), "{suite:?}");
        }
    }
}

#[test]
fn a_sequence_number_is_protected_once() {
    for suite in SUITES {
        let (mut sender, _) = pair(suite);
        protected(&mut sender, &packet(7, 5));
        let mut again = packet(7, 5);
        let length = again.len();
        again[20] ^= 1;
        again.resize(length + OVERHEAD, 0);
        assert_eq!(sender.protect(&mut again, length), Err(ProtectError::Repeated), "{suite:?}");
    }
}

#[test]
fn a_buffer_without_room_is_said_and_nothing_is_lost() {
    for suite in SUITES {
        let (mut sender, mut receiver) = pair(suite);
        let mut tight = packet(7, 5);
        let length = tight.len();
        assert_eq!(sender.protect(&mut tight, length), Err(ProtectError::NoRoom), "{suite:?}");
        assert_eq!(sender.protect(&mut tight, length + 1), Err(ProtectError::NoRoom), "{suite:?}");
        assert_eq!(tight, packet(7, 5));
        assert!(opened(&mut receiver, &protected(&mut sender, &tight)).is_ok(), "{suite:?}");
    }
}

#[test]
fn many_sources_are_heard_and_each_has_its_own_count() {
    for suite in SUITES {
        let (mut sender, mut receiver) = pair(suite);
        for sequence in 65_530..65_540u32 {
            for ssrc in 1..=MOST_STREAMS as u32 {
                let plain = packet(ssrc, (sequence + ssrc) as u16);
                let sent = protected(&mut sender, &plain);
                assert_eq!(opened(&mut receiver, &sent), Ok(plain), "{suite:?}");
            }
        }
    }
}

#[test]
fn sources_without_end_are_heard_and_only_the_last_are_remembered() {
    for suite in SUITES {
        let (mut sender, mut receiver) = pair(suite);
        let talking = |sequence| packet(1, sequence);
        for step in 0..1000u32 {
            let sent = protected(&mut sender, &packet(1000 + step, 1));
            assert!(opened(&mut receiver, &sent).is_ok());
            // Who goes on talking is not forgotten for it.
            let sent = protected(&mut sender, &talking(step as u16));
            assert!(opened(&mut receiver, &sent).is_ok());
            assert_eq!(opened(&mut receiver, &sent), Err(UnprotectError::Replayed), "{suite:?}");
        }
    }
}

#[test]
fn a_key_identifier_is_demanded_in_each_packet() {
    let suite = Suite::AesCm128HmacSha1_80;
    let key = key(suite, 1);
    let mut sender = Sender::new(suite, &key).unwrap();
    let mut receiver = Receiver::with_identifier(suite, &key, &[0, 0, 0, 9]).unwrap();
    let sent = protected(&mut sender, &packet(7, 5));
    assert!(opened(&mut receiver, &sent).is_err(), "without");
    let (rest, tag) = sent.split_at(sent.len() - 10);
    let with = |identifier: &[u8]| [rest, identifier, tag].concat();
    assert_eq!(opened(&mut receiver, &with(&[0, 0, 0, 8])), Err(UnprotectError::NotAuthentic), "another");
    assert_eq!(opened(&mut receiver, &with(&[0, 0, 0, 9])), Ok(packet(7, 5)));

    let sent = protected_control(&mut sender, &report(7));
    let (rest, tag) = sent.split_at(sent.len() - 10);
    assert!(opened_control(&mut receiver, &sent).is_err(), "without");
    let with = [rest, &[0, 0, 0, 9], tag].concat();
    assert_eq!(opened_control(&mut receiver, &with), Ok(report(7)));
}

#[test]
fn a_key_identifier_stands_at_the_end_of_a_galois_packet() {
    // RFC 7714 §8.2, §9.2.
    let suite = Suite::AeadAes256Gcm;
    let key = key(suite, 1);
    let mut sender = Sender::new(suite, &key).unwrap();
    let mut receiver = Receiver::with_identifier(suite, &key, &[9]).unwrap();
    let with = |sent: Vec<u8>| [&sent[..], &[9]].concat();
    let sent = with(protected(&mut sender, &packet(7, 5)));
    assert_eq!(opened(&mut receiver, &sent), Ok(packet(7, 5)));
    let sent = with(protected_control(&mut sender, &report(7)));
    assert_eq!(opened_control(&mut receiver, &sent), Ok(report(7)));
    assert_eq!(Receiver::with_identifier(suite, &key, &[0; MOST_IDENTIFIER + 1]).err(), Some(KeyError));
}

#[test]
fn noise_is_dropped_and_leaves_nothing() {
    let mut entropy = SeededEntropy::new(3);
    for suite in SUITES {
        let (mut sender, mut receiver) = pair(suite);
        for length in 0..400 {
            let mut noise = vec![0; length];
            entropy.fill(&mut noise);
            assert!(receiver.unprotect(&mut noise.clone()).is_err(), "{suite:?}");
            assert!(receiver.unprotect_control(&mut noise).is_err(), "{suite:?}");
        }
        assert!(opened(&mut receiver, &protected(&mut sender, &packet(7, 5))).is_ok(), "{suite:?}");
    }
}
