//! A turn: what is received together is answered together. What is sent meanwhile leaves when the turn is over, with one
//! system call for each UDP socket and each connection.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::task::{Context, Poll};

use sip::ConnectionId;

use crate::shared::Shared;

/// Whether there is a turn, and who has something to say at its end.
#[derive(Default)]
pub(crate) struct Turns {
    on: Cell<bool>,
    /// Connections that hold something back, in the order in which they began to.
    connections: RefCell<Vec<ConnectionId>>,
}

impl Turns {
    /// Whether what is sent now is to be held back.
    pub(crate) const fn is_on(&self) -> bool {
        self.on.get()
    }

    /// Begins a turn, which ends with the value. One within another is a part of it.
    pub(crate) fn begin<'n>(&self, net: &'n Shared) -> Option<Turn<'n>> {
        // Not `then_some`: it would make a turn and end it at once.
        (!self.on.replace(true)).then(|| Turn(net))
    }

    /// This connection has something to say when the turn is over.
    pub(crate) fn hold(&self, connection: ConnectionId) {
        self.connections.borrow_mut().push(connection);
    }
}

/// For a task that could go on: it is woken when the others have had their turn, and the sockets have been asked for news.
pub(crate) fn after_the_others<T>(cx: &mut Context<'_>) -> Poll<T> {
    // Not `wake_by_ref`: a task that is woken at once may run many times before the sockets are asked.
    match pin!(tokio::task::yield_now()).poll(cx) {
        Poll::Ready(()) => cx.waker().wake_by_ref(),
        Poll::Pending => {}
    }
    Poll::Pending
}

/// A turn that goes on. However it ends, what was held back is sent.
pub(crate) struct Turn<'n>(&'n Shared);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let net = self.0;
        net.call(|handler| handler.turn_over());
        for datagrams in &net.datagrams {
            datagrams.release(net);
        }
        let mut connections = net.turn.connections.take();
        // Whatever follows from what is sent now is sent at once, behind it.
        net.turn.on.set(false);
        for id in connections.drain(..) {
            if let Some(connection) = net.connection(id) {
                connection.release(net);
            }
        }
        let mut kept = net.turn.connections.borrow_mut();
        if kept.is_empty() {
            *kept = connections;
        }
    }
}
