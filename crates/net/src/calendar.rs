//! One clock and one timer for all connections.
//!
//! Each connection keeps its deadlines as ticks in cells, and stands in the calendar once, at the nearest of
//! them. A deadline that moves away is not moved in the calendar: the connection looks at its cells when its
//! entry comes up, and enters itself again. So a message that comes and goes costs no timer work.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sip::ConnectionId;
use tokio::time::{Instant, Sleep};

/// The calendar's resolution.
const TICK: Duration = Duration::from_millis(50);

/// A moment, in ticks since the start; 0 stands for none.
pub(crate) type Tick = u32;

pub(crate) struct Calendar {
    start: Instant,
    entries: RefCell<BTreeMap<Tick, Vec<ConnectionId>>>,
    /// The tick that the timer sleeps until.
    sleeping_until: Cell<Tick>,
    waker: Cell<Option<Waker>>,
}

impl Calendar {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            entries: RefCell::new(BTreeMap::new()),
            sleeping_until: Cell::new(Tick::MAX),
            waker: Cell::new(None),
        }
    }

    /// The present tick.
    pub(crate) fn now(&self) -> Tick {
        ticks(self.start.elapsed()).saturating_add(1)
    }

    /// The tick at which `span` has surely passed.
    pub(crate) fn after(&self, span: Duration) -> Tick {
        self.now().saturating_add(ticks(span)).saturating_add(1)
    }

    /// Enters a connection at `tick`.
    pub(crate) fn enter(&self, tick: Tick, connection: ConnectionId) {
        self.entries.borrow_mut().entry(tick).or_default().push(connection);
        if tick < self.sleeping_until.get()
            && let Some(waker) = self.waker.take()
        {
            waker.wake();
        }
    }

    /// Calls `due` with every connection whose entry has come up, for ever.
    pub(crate) async fn run(&self, mut due: impl FnMut(ConnectionId, Tick)) {
        let mut sleep = pin!(tokio::time::sleep(TICK));
        poll_fn(|cx| self.poll(cx, sleep.as_mut(), &mut due)).await
    }

    fn poll(
        &self,
        cx: &mut Context<'_>,
        mut sleep: std::pin::Pin<&mut Sleep>,
        due: &mut impl FnMut(ConnectionId, Tick),
    ) -> Poll<()> {
        loop {
            let now = self.now();
            while let Some(connections) = self.take_until(now) {
                connections.into_iter().for_each(|connection| due(connection, now));
            }
            let next = self.entries.borrow().first_key_value().map_or(Tick::MAX, |(tick, _)| *tick);
            self.sleeping_until.set(next);
            self.waker.set(Some(cx.waker().clone()));
            if next == Tick::MAX {
                return Poll::Pending;
            }
            sleep.as_mut().reset(self.start + TICK.saturating_mul(next));
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn take_until(&self, now: Tick) -> Option<Vec<ConnectionId>> {
        let mut entries = self.entries.borrow_mut();
        let first = entries.first_entry()?;
        (*first.key() <= now).then(|| first.remove())
    }
}

/// Whole ticks in `span`, rounded down.
pub(crate) fn ticks(span: Duration) -> Tick {
    Tick::try_from(span.as_millis() / TICK.as_millis()).unwrap_or(Tick::MAX / 2)
}
