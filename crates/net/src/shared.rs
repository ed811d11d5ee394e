//! What all sockets of one event loop share.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use sip::{ConnectionId, Flow, Hop, Transport};
use websocket::MAX_HEAD;

use crate::calendar::{Calendar, Tick};
use crate::config::Limits;
use crate::connection::Connection;
use crate::datagrams::Datagrams;
use crate::datagrams::port::{Inlet, Outlet, Port};
use crate::handler::{Event, Handler};
use crate::joint::{self, Admission, Joint, Unnamed};
use crate::network::{Counters, Listener};
use crate::tls::{Acceptors, Connector};
use crate::turn::Turns;

/// How much is read at once.
pub(crate) const READ: usize = 64 * 1024;

/// Room for a WebSocket frame's head in front of a message.
const FRAME_HEAD: usize = 14;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Running,
    Draining,
    Over,
}

/// What is told later, from the top of the loop and never from inside a call of the user's.
pub(crate) enum Notice {
    Unreachable(Hop),
    Closed(Rc<Connection>),
    Connect(Target),
}

/// What an outgoing connection is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    pub(crate) transport: Transport,
    pub(crate) address: SocketAddr,
    pub(crate) server_name: Option<Arc<str>>,
}

impl From<Target> for Hop {
    fn from(target: Target) -> Self {
        Self::Address {
            transport: target.transport,
            address: target.address,
            server_name: target.server_name,
        }
    }
}

/// How a target is reached.
pub(crate) enum Way {
    Open(ConnectionId),
    /// The messages that wait for the connection, and how many bytes they are.
    Connecting(Vec<Box<[u8]>>, usize),
}

pub(crate) struct Shared {
    /// Which event loop this is, counted from 0.
    pub(crate) place: usize,
    /// What it has in common with the others.
    pub(crate) joint: Arc<Joint>,
    pub(crate) limits: Limits,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) datagrams: Vec<Rc<Datagrams>>,
    pub(crate) acceptors: RefCell<Option<Acceptors>>,
    pub(crate) connector: RefCell<Connector>,
    pub(crate) calendar: Calendar,
    pub(crate) connections: RefCell<HashMap<ConnectionId, Rc<Connection>>>,
    pub(crate) ways: RefCell<HashMap<Target, Way>>,
    /// The connections that we opened to a name: there the peer has shown whose it is.
    pub(crate) named: RefCell<HashMap<SocketAddr, ConnectionId>>,
    pub(crate) counters: Cell<Counters>,
    pub(crate) life: Cell<Life>,
    pub(crate) turn: Turns,
    /// Woken when a connection is gone.
    pub(crate) gone: tokio::sync::Notify,
    handler: OnceCell<Rc<dyn Handler>>,
    notices: RefCell<VecDeque<Notice>>,
    notice_waker: Cell<Option<Waker>>,
    last_connection: Cell<u64>,
    buffer: Cell<Option<Box<[u8]>>>,
    inlet: Cell<Option<Box<Inlet>>>,
    outlet: RefCell<Option<Outlet>>,
    random: RandomState,
}

impl Shared {
    pub(crate) fn new(
        place: usize,
        joint: Arc<Joint>,
        limits: Limits,
        listeners: Vec<Listener>,
        datagrams: Vec<Rc<Datagrams>>,
        acceptors: Option<Acceptors>,
        connector: Connector,
    ) -> Self {
        Self {
            place,
            joint,
            limits,
            listeners,
            datagrams,
            acceptors: RefCell::new(acceptors),
            connector: RefCell::new(connector),
            calendar: Calendar::new(),
            connections: RefCell::default(),
            ways: RefCell::default(),
            named: RefCell::default(),
            counters: Cell::default(),
            life: Cell::new(Life::Running),
            turn: Turns::default(),
            gone: tokio::sync::Notify::new(),
            handler: OnceCell::new(),
            notices: RefCell::default(),
            notice_waker: Cell::new(None),
            last_connection: Cell::new(0),
            buffer: Cell::new(None),
            inlet: Cell::new(None),
            outlet: RefCell::new(None),
            random: RandomState::new(),
        }
    }

    // ---- The user --------------------------------------------------------------------------------------

    pub(crate) fn set_handler(&self, handler: Rc<dyn Handler>) {
        let _ = self.handler.set(handler);
    }

    /// Calls the user. A panic there costs one connection, not the loop: `None`.
    pub(crate) fn call<R>(&self, call: impl FnOnce(&dyn Handler) -> R) -> Option<R> {
        let handler = self.handler.get()?;
        let outcome = catch_unwind(AssertUnwindSafe(|| call(&**handler))).ok();
        if outcome.is_none() {
            let _ = catch_unwind(AssertUnwindSafe(|| handler.event(&Event::HandlerPanicked)));
        }
        outcome
    }

    pub(crate) fn event(&self, event: &Event) {
        self.call(|handler| handler.event(event));
    }

    /// Tells the user later.
    pub(crate) fn notice(&self, notice: Notice) {
        self.notices.borrow_mut().push_back(notice);
        self.wake();
    }

    pub(crate) fn take_notice(&self) -> Option<Notice> {
        self.notices.borrow_mut().pop_front()
    }

    pub(crate) fn remember(&self, waker: &Waker) {
        self.notice_waker.set(Some(waker.clone()));
    }

    pub(crate) fn wake(&self) {
        if let Some(waker) = self.notice_waker.take() {
            waker.wake();
        }
    }

    /// A datagram could not be sent: tells both of the ways that it may have been sent.
    pub(crate) fn unreachable_datagram(&self, flow: Flow) {
        let address = Hop::Address { transport: Transport::Udp, address: flow.remote, server_name: None };
        self.notice(Notice::Unreachable(address));
        self.notice(Notice::Unreachable(flow.into()));
    }

    // ---- The buffer that all reads share ---------------------------------------------------------------

    /// The buffer: room for an unfinished message and for what is read behind it.
    pub(crate) fn take_buffer(&self) -> Box<[u8]> {
        self.buffer.take().unwrap_or_else(|| {
            let unfinished = self.limits.message.max(MAX_HEAD).saturating_add(FRAME_HEAD);
            vec![0; unfinished.saturating_add(READ)].into_boxed_slice()
        })
    }

    pub(crate) fn give_buffer(&self, buffer: Box<[u8]>) {
        self.buffer.set(Some(buffer));
    }

    /// Room for datagrams that are read together.
    pub(crate) fn take_inlet(&self) -> Box<Inlet> {
        self.inlet.take().unwrap_or_else(|| Box::new(Inlet::new()))
    }

    pub(crate) fn give_inlet(&self, inlet: Box<Inlet>) {
        self.inlet.set(Some(inlet));
    }

    /// Sends the first of these datagrams, from an address of ours that is not the socket's if one is named, and returns how
    /// many; fails if it is wrong with the very first.
    pub(crate) fn send_together<'d>(
        &self,
        port: &Port,
        source: Option<SocketAddr>,
        datagrams: impl Iterator<Item = (SocketAddr, &'d [u8])>,
    ) -> io::Result<usize> {
        port.send_together(self.outlet.borrow_mut().get_or_insert_with(Outlet::new), source, datagrams)
    }

    // ---- Connections -----------------------------------------------------------------------------------

    pub(crate) fn next_connection(&self) -> ConnectionId {
        let next = self.last_connection.get().wrapping_add(1);
        self.last_connection.set(next);
        joint::connection_id(self.place, next)
    }

    /// The connection to an address whose peer has shown a certificate, though for a name: what is said in a dialog often goes
    /// to the peer's address, which stands in no certificate (RFC 5922 §7.1 asks for the domain, and that was shown).
    pub(crate) fn proven(&self, target: &Target) -> Option<Rc<Connection>> {
        if target.transport != Transport::Tls || target.server_name.is_some() {
            return None;
        }
        let id = *self.named.borrow().get(&target.address)?;
        self.connection(id).filter(|connection| connection.opened.get() && connection.is_open())
    }

    pub(crate) fn connection(&self, id: ConnectionId) -> Option<Rc<Connection>> {
        self.connections.borrow().get(&id).cloned()
    }

    /// Admits one more connection from `remote`, or says that there are too many.
    pub(crate) fn admit(&self, remote: SocketAddr) -> bool {
        match self.joint.admit(remote, &self.limits) {
            Admission::Granted => {
                self.count(|counters| counters.connections = counters.connections.saturating_add(1));
                true
            }
            Admission::Refused { from_one_source } => {
                self.refused(remote, from_one_source);
                false
            }
        }
    }

    /// Admits one more connection of a `balancer` that has not said yet for whom it is, or says that there are too many.
    pub(crate) fn admit_unnamed(&self, balancer: SocketAddr) -> Option<Unnamed> {
        let unnamed = self.joint.admit_unnamed(&self.limits);
        if unnamed.is_none() {
            self.refused(balancer, false);
        }
        unnamed
    }

    fn refused(&self, remote: SocketAddr, from_one_source: bool) {
        self.count(|counters| counters.refused = counters.refused.saturating_add(1));
        self.event(&Event::TooManyConnections { remote, from_one_source });
    }

    /// A connection of an admitted peer is gone.
    pub(crate) fn dismiss(&self, remote: SocketAddr) {
        self.joint.dismiss(remote);
        self.count(|counters| counters.connections = counters.connections.saturating_sub(1));
    }

    pub(crate) fn count(&self, change: impl FnOnce(&mut Counters)) {
        let mut counters = self.counters.get();
        change(&mut counters);
        self.counters.set(counters);
    }

    /// When a WebSocket peer is to be pinged next: the interval less up to a fifth, so that connections that
    /// were opened together do not ping together. 0 if never.
    pub(crate) fn next_ping(&self) -> Tick {
        let Some(interval) = self.limits.websocket_ping else { return 0 };
        let draw = u32::try_from(self.random.hash_one(self.last_connection.get()) % 1000).unwrap_or(0);
        // A fresh number for the next draw too.
        let draw = draw.wrapping_add(self.calendar.now()) % 1000;
        self.calendar.after(interval.saturating_sub(interval / 5 * draw / 1000))
    }
}
