//! Writing what the agent puts out (`readEvent` in `core.ts`).
//!
//! A message to send is the octet 0, the number of its flow and the message. An event has 16 octets before its message: kind, originator,
//! cause, flag; then three numbers of 32 bits: call, other number, value.

use agent::{CallNumber, Cause, Event, Originator, RequestNumber};
use sip::message::Message;
use std::sync::Arc;

/// No cause, and no number of seconds.
const NONE: u8 = 0xff;
const ABSENT: u32 = u32::MAX;

pub(crate) fn write_transmit(flow: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&[0, flow]);
    out.extend_from_slice(bytes);
}

/// The fields of every event.
struct Record<'a> {
    kind: u8,
    originator: u8,
    cause: u8,
    flag: bool,
    call: u32,
    number: u32,
    value: u32,
    message: Option<&'a Arc<Message>>,
}

/// Writes nothing for what a page has no use for: provisional responses that do not concern its calls.
pub(crate) fn write_event(event: &Event, out: &mut Vec<u8>) {
    if matches!(
        event,
        Event::Trying { .. } | Event::Provisional { .. } | Event::ProvisionalAcknowledged { .. }
    ) {
        return;
    }
    let record = record(event);
    out.extend_from_slice(&[record.kind, record.originator, record.cause, u8::from(record.flag)]);
    for number in [record.call, record.number, record.value] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    if let Some(message) = record.message {
        out.extend_from_slice(message.as_bytes());
    }
}

impl<'a> Record<'a> {
    const fn new(kind: u8) -> Self {
        Self { kind, originator: 0, cause: NONE, flag: false, call: 0, number: 0, value: 0, message: None }
    }

    const fn call(mut self, call: CallNumber) -> Self {
        self.call = call.0;
        self
    }

    fn maybe_call(mut self, call: Option<CallNumber>) -> Self {
        self.call = call.map_or(0, |call| call.0);
        self
    }

    const fn number(mut self, number: u32) -> Self {
        self.number = number;
        self
    }

    const fn message(mut self, message: &'a Arc<Message>) -> Self {
        self.message = Some(message);
        self
    }

    const fn maybe_message(mut self, message: Option<&'a Arc<Message>>) -> Self {
        self.message = message;
        self
    }

    const fn cause(mut self, cause: Cause) -> Self {
        self.cause = cause as u8;
        self
    }

    const fn flag(mut self, flag: bool) -> Self {
        self.flag = flag;
        self
    }

    const fn value(mut self, value: u32) -> Self {
        self.value = value;
        self
    }

    const fn by(mut self, originator: Originator) -> Self {
        self.originator = originator as u8;
        self
    }
}

fn record(event: &Event) -> Record<'_> {
    match event {
        Event::Registered { response, first, expires } => {
            Record::new(1).message(response).flag(*first).value(*expires)
        }
        Event::RegistrationFailed { response, cause, retry_in } => {
            Record::new(2).maybe_message(response.as_ref()).cause(*cause).value(retry_in.unwrap_or(ABSENT))
        }
        Event::Unregistered { response, cause } => {
            let record = Record::new(3).maybe_message(response.as_ref());
            match cause {
                Some(cause) => record.cause(*cause),
                None => record,
            }
        }
        Event::RegistrationExpiring => Record::new(4),
        Event::IncomingCall { call, request, replaces } => {
            Record::new(5).call(*call).message(request).number(replaces.map_or(0, |call| call.0))
        }
        Event::Progress { call, response, .. } => Record::new(7).call(*call).message(response),
        Event::Authenticated { call, number, request } => {
            Record::new(8).maybe_call(*call).number(of(*number)).message(request)
        }
        Event::Accepted { call, response, .. } => Record::new(9).call(*call).message(response),
        Event::Confirmed { call, originator, request } => {
            Record::new(10).call(*call).by(*originator).maybe_message(request.as_ref())
        }
        Event::Failed { call, originator, message, cause } => {
            Record::new(11).call(*call).by(*originator).maybe_message(message.as_ref()).cause(*cause)
        }
        Event::Ended { call, originator, message, cause } => {
            Record::new(12).call(*call).by(*originator).maybe_message(message.as_ref()).cause(*cause)
        }
        other => record_of_request(other),
    }
}

fn record_of_request(event: &Event) -> Record<'_> {
    match event {
        Event::Reoffer { call, transaction, request } => {
            Record::new(13).call(*call).number(transaction.0).message(request)
        }
        Event::ReofferAcknowledged { call, transaction, request } => {
            Record::new(14).call(*call).number(transaction.0).message(request)
        }
        Event::SessionRefresh { call } => Record::new(15).call(*call),
        Event::DialogRequest { call, transaction, request } => {
            Record::new(16).call(*call).number(transaction.0).message(request)
        }
        Event::IncomingRequest { transaction, request } => {
            Record::new(17).number(transaction.0).message(request)
        }
        Event::Notify { request } => Record::new(18).message(request),
        Event::Response { number, call, response, .. } => {
            Record::new(19).maybe_call(*call).number(number.0).message(response)
        }
        Event::RequestFailed { number, call, cause } => {
            Record::new(21).maybe_call(*call).number(number.0).cause(*cause)
        }
        // Every other event is written by `record`.
        _ => Record::new(4),
    }
}

fn of(number: Option<RequestNumber>) -> u32 {
    number.map_or(0, |number| number.0)
}
