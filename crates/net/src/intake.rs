//! What received bytes mean, by the connection's stage.

use std::rc::Rc;

use sip::{Framed, KeepAlive};
use websocket::{CloseCode, Decoded, Event as Frame, Head, HeadError, Opcode, Request};

use crate::connection::{Connection, Stage, State};
use crate::handler::{AfterFault, ClosedFor, Event, Malformed};
use crate::shared::Shared;
use crate::upgrade::{self, Refused};

/// How much of the bytes was used.
enum Taken {
    /// None: more must come.
    Nothing,
    /// So many, and the message goes on.
    Part(usize),
    /// So many, and a message ended.
    Whole(usize),
}

impl Connection {
    /// Takes in what has come, and keeps what is not yet a message.
    pub(crate) fn take_in(&self, net: &Rc<Shared>, bytes: &mut [u8]) {
        let mut used = 0;
        let mut ended = false;
        let mut turn = None;
        while self.wants_input() {
            let Some(rest @ [_, ..]) = bytes.get_mut(used..) else { break };
            if ended {
                // More than one message: from here on it pays to answer them together.
                turn = turn.or_else(|| net.turn.begin(net));
            }
            let taken = match self.stage.get() {
                Stage::Sip => self.take_stream(net, rest),
                Stage::WebSocket => self.take_frame(net, rest),
                Stage::Head => self.take_head(net, rest),
                Stage::Handshake | Stage::Http => Taken::Nothing,
            };
            match taken {
                Taken::Nothing => break,
                Taken::Part(length) => used = used.saturating_add(length),
                Taken::Whole(length) => {
                    used = used.saturating_add(length);
                    ended = true;
                }
            }
        }
        drop(turn);
        let rest = bytes.get(used..).unwrap_or_default();
        if !rest.is_empty() && self.wants_input() {
            self.partial.set(rest.into());
        }
        self.watch_message(net, ended, !rest.is_empty());
    }

    /// A closing WebSocket still waits for the peer's Close; everything else that closes reads no more.
    fn wants_input(&self) -> bool {
        match self.state() {
            State::Open => true,
            State::Closing => {
                self.stage.get() == Stage::WebSocket && !self.peer_closed.get() && !self.deaf.get()
            }
            State::Dead => false,
        }
    }

    /// Holds each message to its time, from its first byte to its last (A6: a byte now and then).
    fn watch_message(&self, net: &Shared, ended: bool, has_rest: bool) {
        if !self.is_open() || !matches!(self.stage.get(), Stage::Sip | Stage::WebSocket) {
            return;
        }
        if !has_rest && !self.decoder.borrow().is_within_message() {
            self.deadlines.message.set(0);
        } else if ended || self.deadlines.message.get() == 0 {
            self.deadlines.message.set(net.calendar.after(net.limits.message_time));
            self.enter(net);
        }
    }

    // ---- A stream of SIP messages ----------------------------------------------------------------------

    fn take_stream(&self, net: &Rc<Shared>, bytes: &[u8]) -> Taken {
        let mut framer = self.framer.get();
        let framed = framer.next(bytes);
        self.framer.set(framer);
        let fault = match framed {
            Framed::Message(length) if length <= net.limits.message => {
                let message = bytes.get(..length).unwrap_or_default();
                self.hand_over(net, message);
                return Taken::Whole(length);
            }
            Framed::KeepAlive(length) => {
                self.write(net, b"\r\n", &[]);
                return Taken::Whole(length);
            }
            Framed::Pong(length) => return Taken::Whole(length),
            Framed::Incomplete if bytes.len() <= net.limits.message => return Taken::Nothing,
            Framed::Message(_) | Framed::Incomplete => Malformed::TooLarge,
            Framed::Broken(fault) => Malformed::Framing(fault),
        };
        net.call(|handler| handler.malformed(&self.flow, &fault, bytes));
        self.report(net, ClosedFor::Malformed);
        self.begin_closing(net);
        Taken::Part(bytes.len())
    }

    fn hand_over(&self, net: &Shared, message: &[u8]) {
        if net.call(|handler| handler.message(&self.flow, message)).is_none() {
            self.close(net, CloseCode::INTERNAL_ERROR, "");
        }
    }

    fn report(&self, net: &Shared, reason: ClosedFor) {
        net.event(&Event::Closed { local: self.flow.local, remote: self.flow.remote, reason });
    }

    // ---- A WebSocket -----------------------------------------------------------------------------------

    fn take_frame(&self, net: &Rc<Shared>, bytes: &mut [u8]) -> Taken {
        let decoded = self.decoder.borrow_mut().decode(bytes);
        let (length, event) = match decoded {
            Ok(Decoded::Incomplete { .. }) => return Taken::Nothing,
            Ok(Decoded::Frame { length, event }) => (length, event),
            Err(violation) => {
                if self.is_open() {
                    self.report(net, ClosedFor::WebSocket(violation.code));
                }
                self.close(net, violation.code, violation.reason);
                self.deaf.set(true);
                return Taken::Nothing;
            }
        };
        match event {
            Frame::Close { code, .. } => {
                self.answer_close(net, code);
                return Taken::Whole(length);
            }
            _ if !self.is_open() => return Taken::Whole(length),
            Frame::Ping(payload) => self.send_frame(net, Opcode::Pong, payload),
            Frame::Pong(_) => {}
            Frame::Fragment => return Taken::Part(length),
            Frame::Message { payload, .. } => {
                self.take_websocket_message(net, &payload);
                return Taken::Whole(length);
            }
        }
        Taken::Part(length)
    }

    /// RFC 7118 §5: one SIP message in one WebSocket message, and nothing else.
    fn take_websocket_message(&self, net: &Rc<Shared>, payload: &[u8]) {
        match sip::keep_alive(payload) {
            Some(KeepAlive::Ping) => return self.send_frame(net, Opcode::Text, b"\r\n"),
            Some(KeepAlive::Pong | KeepAlive::Silent) => return,
            None => {}
        }
        let fault = match sip::frame(payload) {
            Framed::Message(length) => {
                let rest = payload.get(length..).unwrap_or_default();
                if rest.iter().all(u8::is_ascii_whitespace) {
                    return self.hand_over(net, payload.get(..length).unwrap_or_default());
                }
                Malformed::NotOneMessage
            }
            // Framed by the WebSocket, a message needs no Content-Length and may even have a wrong one: that
            // is for the handler to answer, as with a datagram.
            Framed::Broken(fault) if sip::Message::parse(payload).is_err() => Malformed::Framing(fault),
            _ => return self.hand_over(net, payload),
        };
        let after = net.call(|handler| handler.malformed(&self.flow, &fault, payload));
        if after != Some(AfterFault::Keep) {
            self.report(net, ClosedFor::Malformed);
            match fault {
                Malformed::NotOneMessage => {
                    self.close(net, CloseCode::PROTOCOL_ERROR, "one SIP message per WebSocket message");
                }
                _ => self.close(net, CloseCode::INVALID_DATA, "not a SIP message"),
            }
        }
    }

    // ---- The head of an HTTP request -------------------------------------------------------------------

    fn take_head(&self, net: &Rc<Shared>, bytes: &[u8]) -> Taken {
        match Request::parse(bytes) {
            Ok(Head::Incomplete) => Taken::Nothing,
            Ok(Head::Complete { request, length }) if request.asks_for_websocket() => {
                match upgrade::decide(net, self, &request) {
                    Ok(upgrade) => {
                        let mut response = Vec::new();
                        upgrade.write_response(&mut response);
                        self.write(net, &response, &[]);
                        self.begin_websocket(net);
                    }
                    Err(refused) => self.refuse(net, &refused),
                }
                Taken::Whole(length)
            }
            Ok(Head::Complete { .. }) => {
                self.deadlines.handshake.set(0);
                self.stage.set(Stage::Http);
                Taken::Nothing
            }
            Err(error) => {
                self.refuse(net, &Refused::from(error));
                Taken::Part(bytes.len())
            }
        }
    }

    /// The 101 is written: from now on this is a WebSocket.
    pub(crate) fn begin_websocket(&self, net: &Rc<Shared>) {
        self.stage.set(Stage::WebSocket);
        self.eager.set(true);
        self.deadlines.handshake.set(0);
        self.deadlines.ping.set(net.next_ping());
        self.opened.set(true);
        self.enter(net);
        self.announce(net);
    }

    fn refuse(&self, net: &Shared, refused: &Refused) {
        upgrade::report(net, self, refused);
        self.write(net, &refused.response(), &[]);
        self.begin_closing(net);
    }
}

impl From<HeadError> for Refused {
    fn from(error: HeadError) -> Self {
        let reason = match error {
            HeadError::TooLarge => "the request's head is too large",
            HeadError::Malformed => "this port speaks HTTP/1.1",
        };
        Self { status: error.status(), reason: reason.into(), header: None }
    }
}
