//! A connection's deadlines.

use std::cell::Cell;
use std::rc::Rc;

use websocket::{CloseCode, Opcode};

use crate::calendar::Tick;
use crate::connection::{Connection, State};
use crate::handler::{ClosedFor, Event};
use crate::shared::Shared;

/// When something is over, each 0 if it is not under way.
#[derive(Default)]
pub(crate) struct Deadlines {
    pub(crate) handshake: Cell<Tick>,
    pub(crate) message: Cell<Tick>,
    pub(crate) stall: Cell<Tick>,
    pub(crate) farewell: Cell<Tick>,
    pub(crate) ping: Cell<Tick>,
    pub(crate) idle: Cell<Tick>,
    /// Pings sent since the peer was last heard.
    pub(crate) unanswered: Cell<u8>,
}

impl Deadlines {
    /// Forgets what matters only to a connection that goes on.
    pub(crate) fn clear_while_closing(&self) {
        for deadline in [&self.ping, &self.idle, &self.message, &self.handshake] {
            deadline.set(0);
        }
    }

    fn nearest(&self) -> Tick {
        [&self.handshake, &self.message, &self.stall, &self.farewell, &self.ping, &self.idle]
            .into_iter()
            .map(Cell::get)
            .filter(|tick| *tick != 0)
            .min()
            .unwrap_or(0)
    }
}

impl Connection {
    /// Enters the nearest deadline in the calendar, unless an entry as early stands there.
    pub(crate) fn enter(&self, net: &Shared) {
        let nearest = self.deadlines.nearest();
        let entered = self.entered.get();
        if nearest != 0 && (entered == 0 || nearest < entered) {
            self.entered.set(nearest);
            net.calendar.enter(nearest, self.id());
        }
    }

    /// The entry in the calendar has come up.
    pub(crate) fn due(&self, net: &Rc<Shared>, now: Tick) {
        if self.entered.get() > now || self.state() == State::Dead {
            return;
        }
        self.entered.set(0);
        let over = |deadline: &Cell<Tick>| deadline.get() != 0 && deadline.get() <= now;
        let deadlines = &self.deadlines;
        if over(&deadlines.farewell) {
            self.die();
        } else if over(&deadlines.handshake) {
            self.end(net, ClosedFor::SlowHandshake);
        } else if over(&deadlines.stall) {
            self.end(net, ClosedFor::SlowReader);
        } else if over(&deadlines.idle) {
            self.end(net, ClosedFor::Idle);
        } else if over(&deadlines.message) {
            deadlines.message.set(0);
            let (local, remote) = (self.flow.local, self.flow.remote);
            net.event(&Event::Closed { local, remote, reason: ClosedFor::SlowMessage });
            self.close(net, CloseCode::POLICY_VIOLATION, "one message took too long");
        } else if over(&deadlines.ping) {
            self.ping(net);
        }
        self.enter(net);
    }

    /// Asks a WebSocket peer whether it is there; gives it up after two questions without a sign of life.
    fn ping(&self, net: &Rc<Shared>) {
        if self.deadlines.unanswered.get() >= 2 {
            return self.end(net, ClosedFor::NoPong);
        }
        self.deadlines.unanswered.set(self.deadlines.unanswered.get().saturating_add(1));
        self.deadlines.ping.set(net.next_ping());
        self.send_frame(net, Opcode::Ping, &[]);
    }
}
