//! The non-INVITE server transaction (RFC 3261 §17.2.2 and Figure 8, RFC 4320).

use std::sync::Arc;

use super::NextHop;
use super::context::{Alarm, Context};
use crate::builder::Builder;
use crate::message::Message;
use crate::time::Instant;

/// The client's Timer F as we can know it: after it nobody waits for a response.
const LATE: Alarm = Alarm::End;
/// When 100 (Trying) is due (RFC 4320 §4.1).
const TRYING: Alarm = Alarm::Other;

/// ```text
///                  │ request: up
///                  ▼
///           ┌─────────────┐
///           │   Trying    ├───────────┐ 200-699: send
///           └──────┬──────┘           │
///                  │ 1xx: send        │
///                  ▼                  │
///   1xx:  ┌─┌─────────────┐           │
///    send └►│ Proceeding  │           │
///           │             ├─┐ request:│
///           └──┬───┬──────┘◄┘ last 1xx│
///        64*T1 │   │ 200-699: send    │
///    (RFC 4320)│   ▼                  ▼
///           │  │ ┌────────────────────────┐─┐ request:
///   64*T1   │  │ │       Completed        │◄┘ the response
///  (Trying) │  │ └───────────┬────────────┘
///           │  │           J │
///           ▼  ▼             ▼
///           ┌──────────────────┐
///           │    Terminated    │
///           └──────────────────┘
/// ```
///
/// A transport error changes nothing, as for INVITE (RFC 6026 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Trying,
    Proceeding,
    Completed,
    Terminated,
}

#[derive(Clone, Debug)]
pub(super) struct NonInviteServer {
    state: State,
    /// The last response.
    response: Option<Arc<[u8]>>,
    /// The request, as long as a 100 may have to be made from it.
    request: Option<Arc<Message>>,
    /// When a 100 may be sent over an unreliable transport.
    trying_from: Instant,
}

impl NonInviteServer {
    /// A request from the network.
    pub(super) fn start<H: NextHop>(request: &Arc<Message>, context: &mut Context<'_, H>) -> Self {
        let span = context.timers.until_e_is_t2();
        let mut held = None;
        if context.timers.trying_after.is_some() {
            context.set(TRYING, span);
            held = Some(Arc::clone(request));
        }
        // RFC 4320 §4.2: who cannot answer before the client gives up answers nothing.
        context.set(LATE, context.timers.patience());
        Self { state: State::Trying, response: None, request: held, trying_from: context.now + span }
    }

    /// The user's response.
    pub(super) fn respond<H: NextHop>(&mut self, status: u16, bytes: Vec<u8>, context: &mut Context<'_, H>) {
        match (self.state, status) {
            (State::Trying | State::Proceeding, 100..=199) => self.provisional(status, bytes.into(), context),
            (State::Trying | State::Proceeding, 200..=699) => {
                self.final_response(status, bytes.into(), context)
            }
            // RFC 3261 §17.2.2: other final responses are discarded.
            _ => {}
        }
    }

    fn provisional<H: NextHop>(&mut self, status: u16, response: Arc<[u8]>, context: &mut Context<'_, H>) {
        self.state = State::Proceeding;
        // RFC 4320 §4.1: no provisional response but 100; and that, over an unreliable transport, not before the
        // client's retransmissions have become rare: it would only make them rarer and the final response later.
        if status != 100 || (!context.is_reliable() && context.now < self.trying_from) {
            return;
        }
        context.stop(TRYING);
        self.request = None;
        context.transmit(&response);
        self.response = Some(response);
    }

    fn final_response<H: NextHop>(&mut self, status: u16, response: Arc<[u8]>, context: &mut Context<'_, H>) {
        context.stop(TRYING);
        self.request = None;
        self.response = None;
        // RFC 4320 §4.2: a 408 tells the client what it knows already, when it knows it already.
        if status != 408 {
            context.transmit(&response);
            self.response = Some(response);
        }
        if context.is_reliable() {
            self.state = State::Terminated;
        } else {
            self.state = State::Completed;
            context.end_after(context.timers.patience());
        }
    }

    /// The request again.
    pub(super) fn retransmission<H: NextHop>(&self, context: &mut Context<'_, H>) {
        if let (State::Proceeding | State::Completed, Some(response)) = (self.state, &self.response) {
            context.transmit(response);
        }
    }

    pub(super) fn alarm<H: NextHop>(&mut self, alarm: Alarm, context: &mut Context<'_, H>) {
        match (alarm, self.state) {
            (TRYING, State::Trying | State::Proceeding) => self.trying(context),
            // Timer J, or a response that would come too late.
            (Alarm::End, _) => self.state = State::Terminated,
            _ => {}
        }
    }

    fn trying<H: NextHop>(&mut self, context: &mut Context<'_, H>) {
        let trying =
            self.request.take().and_then(|request| Builder::response_to(&request, 100, "").finish().ok());
        if let Some(trying) = trying {
            self.provisional(100, trying.into(), context);
        }
    }

    pub(super) fn is_terminated(&self) -> bool {
        self.state == State::Terminated
    }
}
