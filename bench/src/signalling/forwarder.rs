//! The physical floor: a thread that takes each datagram and sends it on, and looks at nothing.

use std::io::Write as _;
use std::net::UdpSocket;

use crate::Outcome;

/// The kernel's buffer of the socket, as the servers have it.
const SOCKET_BUFFER: usize = 4 << 20;

/// Forwards for ever: what comes from a port goes to the neighbour's, whose number differs in the last bit.
pub(crate) fn serve() -> Outcome<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    rustix::net::sockopt::set_socket_recv_buffer_size(&socket, SOCKET_BUFFER)?;
    println!("ready: udp={}", socket.local_addr()?);
    std::io::stdout().flush()?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let (length, mut address) = socket.recv_from(&mut buffer)?;
        address.set_port(address.port() ^ 1);
        // Nobody at that port any more: the load is over.
        let _ = socket.send_to(&buffer[..length], address);
    }
}
