//! Reading from a stream without asking an empty socket.

use std::io;

use tokio::net::TcpStream;

/// Reads what has come, 0 at the end. A read that does not fill `into` has taken all there was, and the socket counts as
/// empty from then on: whatever comes later is told anew, and so is the end.
#[cfg(target_os = "linux")]
pub(crate) fn read(stream: &TcpStream, into: &mut [u8]) -> io::Result<usize> {
    use std::os::fd::AsRawFd as _;

    use nix::sys::socket::{MsgFlags, recv};
    use tokio::io::Interest;

    let mut taken = None;
    let outcome = stream.try_io(Interest::READABLE, || {
        let length = recv(stream.as_raw_fd(), into, MsgFlags::MSG_DONTWAIT)?;
        taken = Some(length);
        if length > 0 && length < into.len() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(length) }
    });
    taken.map_or(outcome, Ok)
}

/// Reads what has come, 0 at the end.
#[cfg(not(target_os = "linux"))]
pub(crate) fn read(stream: &TcpStream, into: &mut [u8]) -> io::Result<usize> {
    stream.try_read(into)
}
