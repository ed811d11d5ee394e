//! The INVITE client transaction (RFC 3261 §17.1.1, RFC 6026 §7.2 and Figure 5).

use core::time::Duration;
use std::sync::Arc;

use super::NextHop;
use super::context::{Alarm, Context, Handing};
use super::derived;
use crate::message::Message;

const TIMER_A: Alarm = Alarm::Again;
const TIMER_B: Alarm = Alarm::End;
/// RFC 3261 §9.1 gives it no letter: how long a cancelled INVITE waits for its final response.
const CANCELLED: Alarm = Alarm::Other;

/// ```text
///                        │ request
///                        ▼ INVITE sent
///            ┌──────────────────────┐  B, transport error: tell
///       A: ┌─┤       Calling        ├─────────────────────────────┐
///    again └►│                      ├───────────────┐             │
///            └───┬────────────────┬─┘ 2xx: up       │             │
///   300-699: ACK,│            1xx:│up               │             │
///             up │                ▼                 │             │
///                │  1xx: ┌─┌──────────────┐         │             │
///                │    up └►│  Proceeding  ├─────────┤  transport  │
///                │         │              ├───────────── error, ──┤
///                │         └──────┬───────┘ 2xx: up │  cancelled  │
///                │                │ 300-699: ACK, up│  64*T1 ago: │
///                ▼                ▼                 │  tell       │
///            ┌──────────────────────┐      ┌────────▼────────┐    │
///   300-699:┌┤      Completed       │ 2xx:┌┤    Accepted     │    │
///        ACK└►                      │   up└►                 │    │
///            └──────────┬───────────┘      └────────┬────────┘    │
///                     D │ transport error         M │             │
///                       ▼                           ▼             ▼
///            ┌────────────────────────────────────────────────────────┐
///            │                      Terminated                        │
///            └────────────────────────────────────────────────────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Calling,
    Proceeding,
    Completed,
    Accepted,
    Terminated,
}

/// How far the wish to cancel has come (RFC 3261 §9.1).
#[derive(Clone, Debug)]
enum Cancellation {
    None,
    /// Held until a provisional response; with the value of a Reason header, or nothing.
    Held(Box<[u8]>),
    Sent,
}

#[derive(Clone, Debug)]
pub(super) struct InviteClient {
    state: State,
    /// The INVITE, until its final response; then the ACK, if it is one that we send.
    bytes: Arc<[u8]>,
    /// Timer A's interval.
    interval: Duration,
    cancellation: Cancellation,
}

impl InviteClient {
    /// The user's INVITE (RFC 3261 §17.1.1.2).
    pub(super) fn start<H: NextHop>(invite: Arc<[u8]>, context: &mut Context<'_, H>) -> Self {
        context.transmit(&invite);
        let interval = context.timers.t1;
        if !context.is_reliable() {
            context.set(TIMER_A, interval);
        }
        context.set(TIMER_B, context.timers.patience());
        Self { state: State::Calling, bytes: invite, interval, cancellation: Cancellation::None }
    }

    pub(super) fn response<H: NextHop>(
        &mut self,
        status: u16,
        response: &Message,
        context: &mut Context<'_, H>,
    ) -> Handing {
        match status {
            100..=199 => self.provisional(context),
            200..=299 => self.success(context),
            _ => self.failure(response, context),
        }
    }

    /// 1xx.
    fn provisional<H: NextHop>(&mut self, context: &mut Context<'_, H>) -> Handing {
        match self.state {
            State::Calling | State::Proceeding => {
                // RFC 3261 §17.1.1.2: no more retransmissions, and Timer B belongs to Calling.
                context.stop(TIMER_A);
                if self.state == State::Calling {
                    context.stop(TIMER_B);
                }
                self.state = State::Proceeding;
                Handing::Up
            }
            State::Completed | State::Accepted | State::Terminated => Handing::Absorbed,
        }
    }

    /// 2xx (RFC 6026 §8.4). The user sends the ACK.
    fn success<H: NextHop>(&mut self, context: &mut Context<'_, H>) -> Handing {
        match self.state {
            State::Calling | State::Proceeding => {
                self.state = State::Accepted;
                // Nothing is sent any more.
                self.bytes = Arc::default();
                context.stop(TIMER_A);
                context.stop(CANCELLED);
                context.end_after(context.timers.patience());
                Handing::Up
            }
            // Retransmissions, and the responses of other branches of a fork.
            State::Accepted => Handing::Up,
            State::Completed | State::Terminated => Handing::Absorbed,
        }
    }

    /// 300-699 (RFC 3261 §17.1.1.2, RFC 6026 §8.4).
    fn failure<H: NextHop>(&mut self, response: &Message, context: &mut Context<'_, H>) -> Handing {
        match self.state {
            State::Calling | State::Proceeding => {
                // RFC 3261 §17.1.1.3: also over reliable transports.
                self.bytes = derived::ack(&self.bytes, response).unwrap_or_default();
                self.acknowledge(context);
                context.stop(TIMER_A);
                context.stop(CANCELLED);
                if context.is_reliable() {
                    self.state = State::Terminated;
                } else {
                    self.state = State::Completed;
                    context.end_after(context.timers.d());
                }
                Handing::Up
            }
            State::Completed => {
                self.acknowledge(context);
                Handing::Absorbed
            }
            State::Accepted | State::Terminated => Handing::Absorbed,
        }
    }

    pub(super) fn alarm<H: NextHop>(&mut self, alarm: Alarm, context: &mut Context<'_, H>) {
        match (alarm, self.state) {
            (TIMER_A, State::Calling) => self.timer_a(context),
            (TIMER_B, State::Calling) => self.timer_b(context),
            // Timers D and M.
            (Alarm::End, State::Completed | State::Accepted) => self.state = State::Terminated,
            (CANCELLED, State::Proceeding) => self.cancelled(context),
            _ => {}
        }
    }

    fn timer_a<H: NextHop>(&mut self, context: &mut Context<'_, H>) {
        context.transmit(&self.bytes);
        self.interval = self.interval.saturating_mul(2);
        context.set(TIMER_A, self.interval);
    }

    fn timer_b<H: NextHop>(&mut self, context: &mut Context<'_, H>) {
        context.tell_timed_out();
        self.state = State::Terminated;
    }

    /// RFC 3261 §9.1: a peer as old as RFC 2543 sends no 487 after a CANCEL; after 64*T1 the INVITE counts as
    /// cancelled.
    fn cancelled<H: NextHop>(&mut self, context: &mut Context<'_, H>) {
        context.tell_timed_out();
        self.state = State::Terminated;
    }

    /// The transport says that the hop cannot be reached. Figure 5 draws this for Calling and Completed, the states
    /// that send; over a hop that is gone no response to a ringing INVITE can come either.
    pub(super) fn transport_error<H: NextHop>(&mut self, context: &mut Context<'_, H>) {
        match self.state {
            State::Calling | State::Proceeding => {
                context.tell_unreachable();
                self.state = State::Terminated;
            }
            // The user has the final response already.
            State::Completed => self.state = State::Terminated,
            State::Accepted | State::Terminated => {}
        }
    }

    /// The user wishes to cancel. The first wish counts; one after the final response has no effect.
    pub(super) fn cancel(&mut self, reason: &[u8]) {
        if matches!(self.state, State::Calling | State::Proceeding)
            && matches!(self.cancellation, Cancellation::None)
        {
            self.cancellation = Cancellation::Held(reason.into());
        }
    }

    /// The CANCEL to be sent now, once (RFC 3261 §9.1: not before a provisional response).
    pub(super) fn release_cancel<H: NextHop>(&mut self, context: &mut Context<'_, H>) -> Option<Arc<[u8]>> {
        let Cancellation::Held(reason) = &self.cancellation else { return None };
        if self.state != State::Proceeding {
            return None;
        }
        let cancel = derived::cancel(&self.bytes, reason);
        self.cancellation = Cancellation::Sent;
        context.set(CANCELLED, context.timers.patience());
        cancel
    }

    pub(super) fn is_terminated(&self) -> bool {
        self.state == State::Terminated
    }

    fn acknowledge<H: NextHop>(&self, context: &mut Context<'_, H>) {
        if !self.bytes.is_empty() {
            context.transmit(&self.bytes);
        }
    }
}
