//! Lets the kernel hand a datagram to the socket of the event loop that its call belongs to.
//!
//! The sockets of one port form a group (`SO_REUSEPORT`). A classic packet filter chooses among them: it looks for the
//! Call-ID and reckons as [`sip::spread`] does. Datagrams whose Call-ID it does not find are spread by their addresses;
//! whoever gets one that belongs to another loop hands it over, so a wrong choice costs only time.
//!
//! Such a filter cannot go back, so it has a step for every eight octets of a message, each of which compares four
//! octets with all that can stand there if the Call-ID's name is near. A filter that looks behind the end of a datagram has
//! chosen the first socket, so before every other step it asks how long the datagram is.

use nix::libc::{sock_filter, sock_fprog};
use nix::sys::socket::{setsockopt, sockopt};
use sip::spread::{BETWEEN_WORDS, COUNTING, FINISH};
use socket2::Socket;

/// What stands before a Call-ID as nearly everybody writes it.
const NAME: &[u8; 11] = b"\r\nCall-ID: ";

/// Octets between two looks, so that one of them always falls into the name.
const STRIDE: u32 = 8;

/// After so many looks it is asked how long the message is.
const TOGETHER: usize = 2;

/// How far into a message the name is looked for.
const FARTHEST: u32 = 1400;

/// The instructions of a classic packet filter that are used here (linux/bpf_common.h).
#[derive(Clone, Copy)]
enum Op {
    /// A = the word at this place of the datagram.
    Load = 0x20,
    /// A = the word so far behind X.
    LoadBehind = 0x40,
    /// A = the length of the datagram.
    Length = 0x80,
    /// X = the number.
    SetX = 0x01,
    /// X = what was kept in this cell.
    LoadX = 0x61,
    /// A is kept in this cell.
    Keep = 0x02,
    /// X is kept in this cell.
    KeepX = 0x03,
    Subtract = 0x14,
    Multiply = 0x24,
    Remainder = 0x94,
    ShiftRight = 0x74,
    /// A = A xor X.
    XorX = 0xac,
    /// X = A.
    ToX = 0x07,
    /// A = X.
    FromX = 0x87,
    /// Over so many instructions.
    Jump = 0x05,
    /// Over so many if A is not the number.
    UnlessEqual = 0x15,
    /// Over so many if A is the number, or greater.
    IfAtLeast = 0x35,
    /// The socket of this number.
    Choose = 0x06,
    /// The socket of the number in A.
    ChooseA = 0x16,
}

const fn instruction(op: Op, number: u32) -> sock_filter {
    sock_filter { code: op as u16, jt: 0, jf: 0, k: number }
}

/// Over one instruction if A is not the number.
const fn unless_equal(number: u32) -> sock_filter {
    sock_filter { code: Op::UnlessEqual as u16, jt: 0, jf: 1, k: number }
}

/// Lets the kernel choose among the sockets of a group, in the order in which they were bound. Where it cannot, it goes
/// on to spread by addresses.
pub(crate) fn steer(sockets: &[Socket]) {
    let Some(first) = sockets.first().filter(|_| sockets.len() > 1) else { return };
    let mut program = program(u32::try_from(sockets.len()).unwrap_or(1));
    let Ok(len) = u16::try_from(program.len()) else { return };
    let _ =
        setsockopt(first, sockopt::AttachReusePortCbpf, &sock_fprog { len, filter: program.as_mut_ptr() });
}

/// The filter for so many sockets.
fn program(sockets: u32) -> Vec<sock_filter> {
    /// For each place in the name that a look may fall on: what it sees there.
    const LOOKS: usize = STRIDE as usize;
    let word = |at: usize| NAME.get(at..at + 4).and_then(|octets| octets.first_chunk::<4>());
    let looks: Vec<u32> = (0..LOOKS).filter_map(word).map(|octets| u32::from_be_bytes(*octets)).collect();
    let steps: Vec<u32> = (1..FARTHEST / STRIDE).map(|step| step * STRIDE).collect();
    let length_of_step = 2 + 2 * looks.len();
    let length_of_question = 3;
    let length_of_landing = 4;
    // The landings follow the last step and the word for "not found".
    let landings = steps.len() * length_of_step + steps.len().div_ceil(TOGETHER) * length_of_question + 1;
    let reckoning = landings + looks.len() * length_of_landing;
    let mut program = Vec::new();
    let jump = |program: &Vec<sock_filter>, to: usize| {
        instruction(Op::Jump, u32::try_from(to.saturating_sub(program.len() + 1)).unwrap_or(0))
    };
    for together in steps.chunks(TOGETHER) {
        // From the last of these places on there must be a name and what counts of a Call-ID.
        let last = together.last().copied().unwrap_or(0);
        let needed = last + u32::try_from(NAME.len() + COUNTING).unwrap_or(0);
        program.push(instruction(Op::Length, 0));
        program.push(sock_filter { code: Op::IfAtLeast as u16, jt: 1, jf: 0, k: needed });
        program.push(instruction(Op::Choose, u32::MAX));
        for step in together {
            program.push(instruction(Op::SetX, *step));
            program.push(instruction(Op::Load, *step));
            for (place, look) in looks.iter().enumerate() {
                program.push(unless_equal(*look));
                program.push(jump(&program, landings + place * length_of_landing));
            }
        }
    }
    program.push(instruction(Op::Choose, u32::MAX));
    for place in 0..looks.len() {
        program.push(instruction(Op::FromX, 0));
        program.push(instruction(Op::Subtract, u32::try_from(place).unwrap_or(0)));
        program.push(instruction(Op::ToX, 0));
        program.push(jump(&program, reckoning));
    }
    // X is where the name would begin: it must be there as a whole.
    for at in [2, 6] {
        program.push(instruction(Op::LoadBehind, u32::try_from(at).unwrap_or(0)));
        let expected = word(at).map_or(0, |octets| u32::from_be_bytes(*octets));
        program.push(sock_filter { code: Op::UnlessEqual as u16, jt: 1, jf: 0, k: expected });
        program.push(instruction(Op::Choose, u32::MAX));
    }
    reckon(&mut program, sockets);
    program
}

/// The number of the socket, of the words behind the name.
fn reckon(program: &mut Vec<sock_filter>, sockets: u32) {
    const SO_FAR: u32 = 0;
    const PLACE: u32 = 1;
    let words = (0..COUNTING / 4).map(|word| u32::try_from(NAME.len() + 4 * word).unwrap_or(0));
    program.push(instruction(Op::KeepX, PLACE));
    for (number, at) in words.enumerate() {
        if number > 0 {
            program.push(instruction(Op::Multiply, BETWEEN_WORDS));
            program.push(instruction(Op::Keep, SO_FAR));
        }
        program.push(instruction(Op::LoadX, PLACE));
        program.push(instruction(Op::LoadBehind, at));
        if number > 0 {
            program.push(instruction(Op::LoadX, SO_FAR));
            program.push(instruction(Op::XorX, 0));
        }
    }
    for (shift, factor) in FINISH {
        program.push(instruction(Op::ToX, 0));
        program.push(instruction(Op::ShiftRight, shift));
        program.push(instruction(Op::XorX, 0));
        program.push(instruction(Op::Multiply, factor));
    }
    program.push(instruction(Op::Remainder, sockets));
    program.push(instruction(Op::ChooseA, 0));
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::time::Duration;

    use crate::config::{ListenerConfig, Protocol};
    use crate::listen;

    /// Sends messages from one port, and gives the number of the socket that got each.
    fn chosen(sockets: usize, message: &dyn Fn(usize) -> String, count: usize) -> Vec<usize> {
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        chosen_for(sockets, &|number| (sender.try_clone().unwrap(), message(number)), count)
    }

    /// The same, each from the socket that sends it.
    fn chosen_for(sockets: usize, sent: &dyn Fn(usize) -> (UdpSocket, String), count: usize) -> Vec<usize> {
        let listener = ListenerConfig::new(Protocol::Udp, "127.0.0.1:0".parse().unwrap());
        let group: Vec<UdpSocket> =
            listen::bind(listener, sockets).unwrap().into_iter().map(UdpSocket::from).collect();
        for socket in &group {
            socket.set_nonblocking(true).unwrap();
        }
        let to = group[0].local_addr().unwrap();
        let got = |number| {
            let (sender, message) = sent(number);
            sender.send_to(message.as_bytes(), to).unwrap();
            for _ in 0..1000 {
                let mut buffer = [0; 4096];
                if let Some(place) = group.iter().position(|socket| socket.recv(&mut buffer).is_ok()) {
                    return place;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            panic!("nobody got it");
        };
        (0..count).map(got).collect()
    }

    fn call_id(number: usize) -> String {
        format!("{number}-0123456789abcdef@192.0.2.1")
    }

    #[test]
    fn the_kernel_hands_a_datagram_to_the_loop_of_its_call() {
        for sockets in [2, 3] {
            // However long what stands before it is.
            let message = |number: usize| {
                let before = "x".repeat(number);
                format!(
                    "INVITE sip:b@x SIP/2.0\r\nSubject: Call {before}\r\nCall-ID: {}\r\nCSeq: 1 INVITE\r\n\r\n",
                    call_id(number)
                )
            };
            let expected: Vec<usize> =
                (0..200).map(|number| sip::spread::part_of(call_id(number).as_bytes(), sockets)).collect();
            assert_eq!(chosen(sockets, &message, 200), expected);
        }
    }

    #[test]
    fn short_datagrams_in_which_no_call_id_is_found_are_spread_by_their_senders() {
        for message in ["\r\n\r\n", "OPTIONS sip:x SIP/2.0\r\ni: 1\r\n\r\n", "x\r\nCall-ID: 1\r\n\r\n"] {
            let sent = |_| (UdpSocket::bind("127.0.0.1:0").unwrap(), message.to_owned());
            let chosen = chosen_for(2, &sent, 64);
            assert!(chosen.contains(&0) && chosen.contains(&1), "{message:?}: {chosen:?}");
        }
    }

    #[test]
    fn a_datagram_without_a_call_id_goes_where_all_of_its_sender_go() {
        let message = |number: usize| {
            format!("INVITE sip:b@x SIP/2.0\r\nX-Other-ID: {number}\r\n{}\r\n\r\n", "y".repeat(2000))
        };
        let chosen = chosen(2, &message, 20);
        assert!(chosen.iter().all(|place| *place == chosen[0]), "{chosen:?}");
    }
}
