//! What a connection writes, and how it ends.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::time::Duration;

use websocket::{CloseCode, FrameHead, Opcode};

use crate::connection::{Connection, Stage, State};
use crate::handler::{ClosedFor, Event};
use crate::shared::Shared;

/// How long a peer may take to answer our end of the connection.
const FAREWELL: Duration = Duration::from_secs(2);

impl Connection {
    /// Sends a SIP message, framed as the connection's transport wants it.
    pub(crate) fn send_message(&self, net: &Shared, bytes: &[u8]) {
        if self.flow.transport.is_websocket() {
            self.send_frame(net, Opcode::for_message(bytes), bytes);
        } else {
            self.write(net, &[], bytes);
        }
    }

    pub(crate) fn send_frame(&self, net: &Shared, opcode: Opcode, payload: &[u8]) {
        self.write(net, &FrameHead::new(opcode, payload.len(), None), payload);
    }

    /// Writes to the socket what it takes, now or at the end of the turn, and keeps the rest; closes if that is too much
    /// (A7: a slow reader costs a bounded amount of memory).
    pub(crate) fn write(&self, net: &Shared, head: &[u8], payload: &[u8]) {
        if self.state() == State::Dead || self.shut.get() {
            return;
        }
        if let Some(session) = &self.session {
            let written = session.borrow_mut().write(head, payload);
            if written.is_err() {
                return self.end(net, ClosedFor::SlowReader);
            }
            if net.turn.is_on() {
                return self.hold(net);
            }
            return self.pump(net);
        }
        if net.turn.is_on() {
            let mut queue = self.queue.borrow_mut();
            queue.extend(head);
            queue.extend(payload);
            drop(queue);
            return self.hold(net);
        }
        self.write_plain(head, payload);
        self.after_write(net);
    }

    /// What was written is sent when the turn is over.
    fn hold(&self, net: &Shared) {
        if !self.holds.replace(true) {
            net.turn.hold(self.id());
        }
    }

    /// The turn is over: sends what it held back.
    pub(crate) fn release(&self, net: &Shared) {
        self.holds.set(false);
        if self.state() == State::Dead {
            return;
        }
        if self.session.is_some() {
            return self.pump(net);
        }
        let sent = self.write_queue();
        if sent.is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock) {
            return self.die();
        }
        self.after_write(net);
    }

    /// Writes to the socket what it takes of what waits.
    pub(crate) fn write_queue(&self) -> io::Result<()> {
        let mut queue = self.queue.borrow_mut();
        let (first, second) = queue.as_slices();
        let length = if second.is_empty() {
            self.stream.try_write(first)?
        } else {
            self.stream.try_write_vectored(&[IoSlice::new(first), IoSlice::new(second)])?
        };
        queue.consume(length);
        Ok(())
    }

    fn write_plain(&self, head: &[u8], payload: &[u8]) {
        let mut queue = self.queue.borrow_mut();
        let mut sent = 0;
        if queue.is_empty() {
            let outcome = if head.is_empty() {
                self.stream.try_write(payload)
            } else {
                self.stream.try_write_vectored(&[IoSlice::new(head), IoSlice::new(payload)])
            };
            match outcome {
                Ok(length) => sent = length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => {
                    drop(queue);
                    return self.die();
                }
            }
        }
        queue.extend(head.get(sent..).unwrap_or_default());
        queue.extend(payload.get(sent.saturating_sub(head.len())..).unwrap_or_default());
    }

    /// Moves what TLS has to say to the socket.
    pub(crate) fn pump(&self, net: &Shared) {
        let Some(session) = &self.session else { return };
        let mut session = session.borrow_mut();
        if !session.has_output() {
            return;
        }
        let pumped = session.pump(&self.stream, &mut self.queue.borrow_mut());
        drop(session);
        if pumped.is_err() {
            return self.die();
        }
        self.after_write(net);
    }

    /// Bounds what waits.
    fn after_write(&self, net: &Shared) {
        let waiting = self.queue.borrow().len();
        if waiting == 0 {
            return;
        }
        if waiting > net.limits.send_queue {
            return self.end(net, ClosedFor::SlowReader);
        }
        if self.deadlines.stall.get() == 0 {
            self.deadlines.stall.set(net.calendar.after(net.limits.send_stall));
            self.enter(net);
        }
        self.wake();
    }

    /// Closes in good order: what was sent is delivered first.
    pub(crate) fn close(&self, net: &Shared, code: CloseCode, reason: &str) {
        if !self.is_open() {
            return;
        }
        if self.stage.get() == Stage::WebSocket {
            let mut payload = Vec::new();
            websocket::close::write(&mut payload, code, reason);
            self.send_frame(net, Opcode::Close, &payload);
        }
        self.begin_closing(net);
    }

    /// Answers a WebSocket peer's Close with its own code (RFC 6455 §5.5.1), and ends.
    pub(crate) fn answer_close(&self, net: &Shared, code: Option<CloseCode>) {
        self.peer_closed.set(true);
        if self.is_open() {
            let mut payload = Vec::new();
            if let Some(code) = code {
                websocket::close::write(&mut payload, code, "");
            }
            self.send_frame(net, Opcode::Close, &payload);
            self.begin_closing(net);
        }
        self.wake();
    }

    /// Closes since the peer did something, and says so.
    pub(crate) fn end(&self, net: &Shared, reason: ClosedFor) {
        if self.state() != State::Dead {
            net.event(&Event::Closed { local: self.flow.local, remote: self.flow.remote, reason });
        }
        self.die();
    }

    pub(crate) fn begin_closing(&self, net: &Shared) {
        if self.is_open() {
            self.state.set(State::Closing);
            self.deadlines.farewell.set(net.calendar.after(FAREWELL));
            self.deadlines.clear_while_closing();
            self.enter(net);
            self.wake();
        }
    }

    /// All that waited is written: shuts our direction, unless a WebSocket peer still owes its Close.
    pub(crate) fn go_on_closing(&self) {
        let owes = self.stage.get() == Stage::WebSocket && !self.peer_closed.get() && !self.deaf.get();
        if self.state() != State::Closing || self.shut.get() || owes {
            return;
        }
        self.shut.set(true);
        if let Some(session) = &self.session
            && self.stage.get() != Stage::Handshake
        {
            let mut session = session.borrow_mut();
            session.close();
            let _ = session.pump(&self.stream, &mut self.queue.borrow_mut());
        }
        if self.peer_closed.get() {
            // Both have said Close: the server is the one to close the socket (RFC 6455 §7.1.1).
            return self.die();
        }
        // What the peer still sends is read until it closes: a socket that is closed with bytes unread takes
        // back what was sent last.
        let _ = socket2::SockRef::from(&self.stream).shutdown(Shutdown::Write);
    }

    /// Ends at once.
    pub(crate) fn die(&self) {
        self.state.set(State::Dead);
        self.wake();
    }

    pub(crate) fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}
