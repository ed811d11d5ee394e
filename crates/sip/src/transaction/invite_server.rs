//! The INVITE server transaction (RFC 3261 §17.2.1, RFC 6026 §7.1 and Figure 7).

use core::time::Duration;
use std::sync::Arc;

use super::NextHop;
use super::context::{Alarm, Context, Handing};
use crate::builder::Builder;
use crate::message::Message;

const TIMER_G: Alarm = Alarm::Again;
const TIMER_H: Alarm = Alarm::End;
/// RFC 3261 §17.2.1 gives it no letter: when 100 (Trying) is due.
const TRYING: Alarm = Alarm::Other;

/// ```text
///                         │ INVITE: up
///                         ▼
///   INVITE: last ┌─┌─────────────┐─┐ 101-199: send
///       response └►│ Proceeding  │◄┘
///                  │             │─┐ 200 ms without a
///                  └──┬───────┬──┘◄┘ response: 100
///      300-699: send  │       │  2xx: send
///             ┌───────┘       └────────┐
///             ▼                        ▼
///      ┌─────────────┐          ┌─────────────┐─┐ INVITE: -
///   ┌─►│  Completed  │          │  Accepted   │◄┘
///   └──┤             │          │             │─┐ ACK: up
///   G, └──┬───────┬──┘          └──────┬──────┘◄┘ 2xx: send
///   INVITE│       │ ACK: -             │
///   send  │       ▼                    │
///      H: │  ┌─────────────┐           │
///    tell │  │  Confirmed  │           │
///         │  └──────┬──────┘           │
///         │       I │                L │
///         ▼         ▼                  ▼
///      ┌──────────────────────────────────┐
///      │            Terminated            │
///      └──────────────────────────────────┘
/// ```
///
/// A transport error changes nothing (RFC 6026 §7.1): the INVITE's retransmissions must be recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Proceeding,
    Completed,
    Confirmed,
    Accepted,
    Terminated,
}

#[derive(Clone, Debug)]
pub(super) struct InviteServer {
    state: State,
    /// The last response, as long as it may have to be sent again.
    response: Option<Arc<[u8]>>,
    /// The INVITE, as long as a 100 may have to be made from it.
    invite: Option<Arc<Message>>,
    /// Timer G's interval.
    interval: Duration,
}

impl InviteServer {
    /// An INVITE from the network.
    pub(super) fn start<H: NextHop>(invite: &Arc<Message>, context: &mut Context<'_, H>) -> Self {
        let mut held = None;
        if let Some(span) = context.timers.trying_after {
            context.set(TRYING, span);
            held = Some(Arc::clone(invite));
        }
        Self { state: State::Proceeding, response: None, invite: held, interval: context.timers.t1 }
    }

    /// The user's response.
    pub(super) fn respond<H: NextHop>(&mut self, status: u16, bytes: Vec<u8>, context: &mut Context<'_, H>) {
        match (self.state, status) {
            (State::Proceeding, 100..=199) => self.provisional(bytes.into(), context),
            (State::Proceeding, 200..=299) => self.success(bytes.into(), context),
            (State::Proceeding, 300..=699) => self.failure(bytes.into(), context),
            // RFC 6026 §7.1: the user's retransmissions, and the 2xx of other branches.
            (State::Accepted, 200..=299) => context.transmit(&bytes.into()),
            _ => {}
        }
    }

    fn provisional<H: NextHop>(&mut self, response: Arc<[u8]>, context: &mut Context<'_, H>) {
        context.stop(TRYING);
        self.invite = None;
        context.transmit(&response);
        self.response = Some(response);
    }

    fn success<H: NextHop>(&mut self, response: Arc<[u8]>, context: &mut Context<'_, H>) {
        context.stop(TRYING);
        self.invite = None;
        context.transmit(&response);
        // RFC 6026 §7.1: the user retransmits it, not we.
        self.response = None;
        self.state = State::Accepted;
        context.end_after(context.timers.patience());
    }

    fn failure<H: NextHop>(&mut self, response: Arc<[u8]>, context: &mut Context<'_, H>) {
        context.stop(TRYING);
        self.invite = None;
        context.transmit(&response);
        self.response = Some(response);
        self.state = State::Completed;
        if !context.is_reliable() {
            context.set(TIMER_G, self.interval);
        }
        context.set(TIMER_H, context.timers.patience());
    }

    /// The INVITE again.
    pub(super) fn retransmission<H: NextHop>(&self, context: &mut Context<'_, H>) {
        if let (State::Proceeding | State::Completed, Some(response)) = (self.state, &self.response) {
            context.transmit(response);
        }
    }

    /// An ACK with the INVITE's branch.
    pub(super) fn ack<H: NextHop>(&mut self, context: &mut Context<'_, H>) -> Handing {
        match self.state {
            State::Completed => {
                self.response = None;
                context.stop(TIMER_G);
                if context.is_reliable() {
                    self.state = State::Terminated;
                } else {
                    self.state = State::Confirmed;
                    context.end_after(context.timers.t4);
                }
                Handing::Absorbed
            }
            // RFC 6026 §7.1: for the user, who retransmits the 2xx.
            State::Accepted => Handing::Up,
            State::Proceeding | State::Confirmed | State::Terminated => Handing::Absorbed,
        }
    }

    /// Whether the To tag of an ACK is that of the response that it would acknowledge. Asked only where the branch
    /// does not tell (RFC 3261 §17.2.3).
    pub(super) fn is_acknowledged_by(&self, ack: &Message) -> bool {
        let Some(response) = self.response.as_deref().and_then(|bytes| Message::parse(bytes).ok()) else {
            return true;
        };
        match (response.to(), ack.to()) {
            (Ok(ours), Ok(theirs)) => ours.tag() == theirs.tag(),
            _ => true,
        }
    }

    pub(super) fn alarm<H: NextHop>(&mut self, alarm: Alarm, context: &mut Context<'_, H>) {
        match (alarm, self.state) {
            (TIMER_G, State::Completed) => self.timer_g(context),
            (TIMER_H, State::Completed) => self.timer_h(context),
            // Timers I and L.
            (Alarm::End, State::Confirmed | State::Accepted) => self.state = State::Terminated,
            (TRYING, State::Proceeding) => self.trying(context),
            _ => {}
        }
    }

    fn timer_g<H: NextHop>(&mut self, context: &mut Context<'_, H>) {
        if let Some(response) = &self.response {
            context.transmit(response);
        }
        self.interval = context.timers.doubled(self.interval);
        context.set(TIMER_G, self.interval);
    }

    fn timer_h<H: NextHop>(&mut self, context: &mut Context<'_, H>) {
        context.tell_no_ack();
        self.state = State::Terminated;
    }

    fn trying<H: NextHop>(&mut self, context: &mut Context<'_, H>) {
        let trying =
            self.invite.take().and_then(|invite| Builder::response_to(&invite, 100, "").finish().ok());
        if let Some(trying) = trying {
            self.provisional(trying.into(), context);
        }
    }

    pub(super) fn is_terminated(&self) -> bool {
        self.state == State::Terminated
    }
}
