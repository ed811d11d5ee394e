//! Packets out of sockets: one at a time, or many with one system call, also several of one peer that the system
//! handed over as one (generic receive offload).

use std::io::IoSliceMut;
use std::net::UdpSocket;
use std::os::fd::AsRawFd as _;

use nix::cmsg_space;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrStorage, recvmmsg, setsockopt, sockopt,
};

use crate::batches::address;
use crate::media_sockets::{PACKET, Receive};

/// Packets read with one call. The buffers for them are large, since each may bring many packets of one peer.
const BATCH: usize = 64;
/// The most that the system hands over as one.
const MOST: usize = 1 << 16;
/// A packet as large is of a picture, and the rest of the picture is right behind it; one of sound is alone.
const LARGE: usize = 500;

/// Has the system hand over together what one peer sent together. It may not know how: then each comes alone.
pub(super) fn allow_joined(socket: &UdpSocket) {
    let _ = setsockopt(socket, sockopt::UdpGroSegment, &true);
}

/// Room for what is read, used again in every turn. The system gives memory only to what was written once.
pub(super) struct Reading {
    buffers: Vec<Vec<u8>>,
}

impl Reading {
    pub(super) fn new() -> Self {
        Self { buffers: vec![vec![0; MOST]; BATCH] }
    }

    /// Reads from the socket of a phone: one packet, for of sound there is rarely another; all the packets of a
    /// picture. Returns how many.
    pub(super) fn one(&mut self, key: u64, socket: &UdpSocket, receive: &mut impl Receive) -> usize {
        let Some(buffer) = self.buffers.first_mut().and_then(|buffer| buffer.get_mut(..PACKET)) else {
            return 0;
        };
        // A refusal that came back for what was sent (ICMP) is an error of the next read, and no reason to stop.
        let Ok((length, from)) = socket.recv_from(buffer) else { return 0 };
        receive(key, from, buffer.get(..length).unwrap_or_default());
        if length < LARGE { 1 } else { 1 + self.many(key, socket, receive) }
    }

    /// Reads what is there, up to a bound. Returns how many packets that was.
    pub(super) fn many(&mut self, key: u64, socket: &UdpSocket, receive: &mut impl Receive) -> usize {
        // Made anew each time: the system writes into it how much it told, and would tell no more the next time.
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, Some(cmsg_space!(i32)));
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            self.buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let flags = MsgFlags::MSG_DONTWAIT;
        let Ok(messages) = recvmmsg(socket.as_raw_fd(), &mut headers, slices.iter_mut(), flags, None) else {
            return 0;
        };
        let mut packets = 0;
        for message in messages {
            let Some((from, bytes)) = message.address.and_then(address).zip(message.iovs().next()) else {
                continue;
            };
            let each = segment(&message).unwrap_or(bytes.len()).max(1);
            for packet in bytes.chunks(each) {
                packets += 1;
                receive(key, from, packet);
            }
        }
        packets
    }
}

/// How long each packet is of several that came as one; the last may be shorter.
fn segment(message: &RecvMsg<'_, '_, SockaddrStorage>) -> Option<usize> {
    message.cmsgs().ok()?.find_map(|told| match told {
        ControlMessageOwned::UdpGroSegments(length) => usize::try_from(length).ok(),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A phone has sent ten packets of that length: how many are read in one turn?
    fn read_of_ten(length: usize) -> usize {
        let phone = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let ours = UdpSocket::bind("127.0.0.1:0").expect("a port");
        for _ in 0..10 {
            phone.send_to(&vec![1; length], ours.local_addr().expect("bound")).expect("sent");
        }
        let mut heard = 0;
        let read = Reading::new().one(1, &ours, &mut |_, _, bytes: &[u8]| {
            assert_eq!(bytes.len(), length);
            heard += 1;
        });
        assert_eq!(read, heard);
        heard
    }

    #[test]
    fn of_a_phones_sound_one_packet_is_read_in_a_turn() {
        assert_eq!(read_of_ten(172), 1);
    }

    #[test]
    fn of_a_phones_picture_all_packets_are_read_in_a_turn() {
        assert_eq!(read_of_ten(900), 10);
    }
}
