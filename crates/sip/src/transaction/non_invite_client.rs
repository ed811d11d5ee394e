//! The non-INVITE client transaction (RFC 3261 §17.1.2 and Figure 6).

use core::time::Duration;
use std::sync::Arc;

use super::NextHop;
use super::context::{Alarm, Context, Handing};

const TIMER_E: Alarm = Alarm::Again;
const TIMER_F: Alarm = Alarm::End;

/// ```text
///                        │ request
///                        ▼ request sent
///            ┌──────────────────────┐
///       E: ┌─┤        Trying        ├──────────────────┐
///    again └►│                      │                  │
///            └───┬────────────────┬─┘                  │
///     200-699: up│            1xx:│up                  │ F, transport
///                │                ▼                    │ error: tell
///                │    E: ┌─┌──────────────┐            │
///                │ again └►│  Proceeding  ├────────────┤
///                │  1xx: ┌─┤              │            │
///                │    up └►└──────┬───────┘            │
///                │                │ 200-699: up        │
///                ▼                ▼                    │
///            ┌──────────────────────┐                  │
///            │      Completed       │                  │
///            └──────────┬───────────┘                  │
///                     K │                              │
///                       ▼                              ▼
///            ┌────────────────────────────────────────────┐
///            │                 Terminated                 │
///            └────────────────────────────────────────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Trying,
    Proceeding,
    Completed,
    Terminated,
}

#[derive(Clone, Debug)]
pub(super) struct NonInviteClient {
    state: State,
    /// The request, until its final response.
    request: Arc<[u8]>,
    /// Timer E's interval.
    interval: Duration,
}

impl NonInviteClient {
    /// The user's request (RFC 3261 §17.1.2.2).
    pub(super) fn start<H: NextHop>(request: Arc<[u8]>, context: &mut Context<'_, H>) -> Self {
        context.transmit(&request);
        let interval = context.timers.t1;
        if !context.is_reliable() {
            context.set(TIMER_E, interval);
        }
        context.set(TIMER_F, context.timers.patience());
        Self { state: State::Trying, request, interval }
    }

    pub(super) fn response<H: NextHop>(&mut self, status: u16, context: &mut Context<'_, H>) -> Handing {
        match status {
            100..=199 => self.provisional(),
            _ => self.final_response(context),
        }
    }

    /// 1xx. Timers E and F run on.
    fn provisional(&mut self) -> Handing {
        match self.state {
            State::Trying | State::Proceeding => {
                self.state = State::Proceeding;
                Handing::Up
            }
            State::Completed | State::Terminated => Handing::Absorbed,
        }
    }

    /// 200-699.
    fn final_response<H: NextHop>(&mut self, context: &mut Context<'_, H>) -> Handing {
        match self.state {
            State::Trying | State::Proceeding => {
                self.request = Arc::default();
                context.stop(TIMER_E);
                if context.is_reliable() {
                    self.state = State::Terminated;
                } else {
                    self.state = State::Completed;
                    context.end_after(context.timers.t4);
                }
                Handing::Up
            }
            State::Completed | State::Terminated => Handing::Absorbed,
        }
    }

    pub(super) fn alarm<H: NextHop>(&mut self, alarm: Alarm, context: &mut Context<'_, H>) {
        match (alarm, self.state) {
            (TIMER_E, State::Trying | State::Proceeding) => self.timer_e(context),
            (TIMER_F, State::Trying | State::Proceeding) => self.timer_f(context),
            // Timer K.
            (Alarm::End, State::Completed) => self.state = State::Terminated,
            _ => {}
        }
    }

    fn timer_e<H: NextHop>(&mut self, context: &mut Context<'_, H>) {
        context.transmit(&self.request);
        self.interval = match self.state {
            State::Proceeding => context.timers.t2,
            _ => context.timers.doubled(self.interval),
        };
        context.set(TIMER_E, self.interval);
    }

    fn timer_f<H: NextHop>(&mut self, context: &mut Context<'_, H>) {
        context.tell_timed_out();
        self.state = State::Terminated;
    }

    /// The transport says that the hop cannot be reached.
    pub(super) fn transport_error<H: NextHop>(&mut self, context: &mut Context<'_, H>) {
        if matches!(self.state, State::Trying | State::Proceeding) {
            context.tell_unreachable();
            self.state = State::Terminated;
        }
    }

    pub(super) fn is_terminated(&self) -> bool {
        self.state == State::Terminated
    }
}
