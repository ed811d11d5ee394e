//! What a machine may touch while it makes one step: its alarms, its way out, the time.

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use super::names::{ClientKey, ServerKey};
use super::timers::Timers;
use super::{NextHop, Output};
use crate::slots::Slot;
use crate::time::Instant;

/// The three alarms of a transaction. Each machine gives them the letters of the RFC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alarm {
    /// When to send again: Timers A, E, G.
    Again,
    /// When to give up or to forget: Timers B, D, F, H, I, J, K, L, M.
    End,
    /// What the RFC gives no letter: 100 (Trying), and the patience after a CANCEL.
    Other,
}

/// When the alarms ring. A small array: most transactions have two of them set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alarms([Instant; 3]);

impl Alarms {
    pub(super) const fn none() -> Self {
        Self([Instant::NEVER; 3])
    }

    /// The earliest: the transaction's one entry in the table's deadlines.
    pub(super) fn next(&self) -> Instant {
        self.0.iter().copied().min().unwrap_or(Instant::NEVER)
    }

    /// Takes an alarm that is due. The end comes first: who gives up sends nothing more.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Alarm> {
        [Alarm::End, Alarm::Other, Alarm::Again].into_iter().find(|alarm| {
            let due = self.place(*alarm).is_some_and(|at| *at <= now);
            if due {
                self.set(*alarm, Instant::NEVER);
            }
            due
        })
    }

    fn set(&mut self, alarm: Alarm, at: Instant) {
        if let Some(place) = self.place(alarm) {
            *place = at;
        }
    }

    fn place(&mut self, alarm: Alarm) -> Option<&mut Instant> {
        self.0.get_mut(alarm as usize)
    }
}

/// Whether a received response goes up to the transaction user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handing {
    /// It does.
    Up,
    /// The transaction layer has dealt with it.
    Absorbed,
}

/// The surroundings of one step.
pub(super) struct Context<'a, H> {
    pub(super) now: Instant,
    pub(super) timers: &'a Timers,
    pub(super) hop: &'a H,
    pub(super) slot: Slot,
    /// Whether the table made this transaction for itself: a CANCEL, whose fate concerns nobody.
    pub(super) private: bool,
    pub(super) alarms: &'a mut Alarms,
    pub(super) outputs: &'a mut VecDeque<Output<H>>,
}

impl<H: NextHop> Context<'_, H> {
    /// Whether the transport repairs loss by itself.
    pub(super) fn is_reliable(&self) -> bool {
        self.hop.is_reliable()
    }

    /// Passes a message to the transport.
    pub(super) fn transmit(&mut self, bytes: &Arc<[u8]>) {
        self.outputs.push_back(Output::Transmit { to: self.hop.clone(), bytes: Arc::clone(bytes) });
    }

    /// Sets an alarm to ring after `span`, at the earliest a millisecond from now: whatever the timers' lengths are
    /// set to, time goes on between two rings.
    pub(super) fn set(&mut self, alarm: Alarm, span: Duration) {
        self.alarms.set(alarm, self.now + span.max(Duration::from_millis(1)));
    }

    /// Sets the end of a transaction that is only kept to absorb what comes late (Timers D, I, J, K, L, M): nobody
    /// notices when it goes, so it goes with others ([`Timers::ended_together`]).
    pub(super) fn end_after(&mut self, span: Duration) {
        let exact = self.now + span.max(Duration::from_millis(1));
        self.alarms.set(Alarm::End, exact.rounded_up(self.timers.ended_together));
    }

    /// Stops an alarm.
    pub(super) fn stop(&mut self, alarm: Alarm) {
        self.alarms.set(alarm, Instant::NEVER);
    }

    /// Informs the user of a client transaction that no final response came.
    pub(super) fn tell_timed_out(&mut self) {
        self.tell(Output::TimedOut { key: ClientKey(self.slot) });
    }

    /// Informs the user of a client transaction that the request could not be sent.
    pub(super) fn tell_unreachable(&mut self) {
        self.tell(Output::Unreachable { key: ClientKey(self.slot) });
    }

    /// Informs the user of a server transaction that no ACK came.
    pub(super) fn tell_no_ack(&mut self) {
        self.tell(Output::NoAck { key: ServerKey(self.slot) });
    }

    fn tell(&mut self, output: Output<H>) {
        if !self.private {
            self.outputs.push_back(output);
        }
    }
}
