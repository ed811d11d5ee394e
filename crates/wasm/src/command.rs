//! Commands: one number says which (`Op` in `core.ts`), then what it needs.

use crate::config::settings;
use crate::reader::Reader;
use agent::{Agent, CallNumber, Cause, CommandError, Ending, TransactionNumber, Via};
use sip::message::Message;
use sip::{Instant, Transport};

/// Results from here on are errors.
pub(crate) const FIRST_ERROR: u32 = 0xffff_fff0;

pub(crate) const fn error_code(error: CommandError) -> u32 {
    FIRST_ERROR
        + match error {
            CommandError::Unknown => 0,
            CommandError::State => 1,
            CommandError::Uri => 2,
            CommandError::Header => 3,
        }
}

/// Runs one command. Gives the number that it made (or 1 for yes, 0 for no), and puts its reply into `reply`.
pub(crate) fn run(
    agent: &mut Agent,
    now: Instant,
    words: &mut Reader<'_>,
    reply: &mut Vec<u8>,
) -> Result<u32, CommandError> {
    match words.byte() {
        op @ 1..=5 => {
            of_agent(agent, now, op, words);
            Ok(0)
        }
        op @ 6..=11 => of_call(agent, now, op, words, reply),
        op @ 12..=16 => of_dialog(agent, now, op, words, reply),
        op => others(agent, now, op, words, reply),
    }
}

fn of_agent(agent: &mut Agent, now: Instant, op: u8, words: &mut Reader<'_>) {
    match op {
        1 => agent.configure(settings(words)),
        2 => {
            let transport = Transport::ALL.get(usize::from(words.byte())).copied().unwrap_or(Transport::Ws);
            // Whatever Via names, the page has a WebSocket, which loses nothing (RFC 7118 §5).
            let (flow, via) = (words.byte(), Via { reliable: true, transport });
            if words.flag() {
                agent.opened_over(now, flow, via);
            } else {
                agent.connected_over(now, flow, via);
            }
        }
        3 => agent.disconnected_over(now, words.byte()),
        4 => agent.register(now),
        _ => agent.unregister(now, words.flag()),
    }
}

fn of_call(
    agent: &mut Agent,
    now: Instant,
    op: u8,
    words: &mut Reader<'_>,
    reply: &mut Vec<u8>,
) -> Result<u32, CommandError> {
    if op == 6 {
        let target = words.text();
        let (call, request) = agent.create_call(now, &target, words.call_options())?;
        return Ok(created(call.0, &request, reply));
    }
    if op == 9 {
        return end(agent, now, words);
    }
    let call = CallNumber(words.number());
    match op {
        7 => {
            let request = agent.invite(now, call, words.payload())?;
            return Ok(created(call.0, &request, reply));
        }
        8 => agent.acknowledge(now, call, words.payload())?,
        10 => {
            let (status, reason) = (words.status(), words.text());
            agent.ring(now, call, status, &reason, &words.payload())?;
        }
        _ => {
            let session_expires = words.number();
            agent.accept(now, call, session_expires, &words.payload())?;
        }
    }
    Ok(0)
}

fn end(agent: &mut Agent, now: Instant, words: &mut Reader<'_>) -> Result<u32, CommandError> {
    let kind = words.byte();
    let call = CallNumber(words.number());
    let mut ending = Ending {
        status: words.status(),
        reason: words.text(),
        cause: Cause::ALL.get(usize::from(words.byte())).copied(),
        cancel_reason: words.optional(),
        ..Ending::default()
    };
    let payload = words.payload();
    ending.headers = payload.headers;
    ending.body = payload.body;
    match kind {
        1 => agent.cancel(now, call, &ending)?,
        2 => agent.reject(now, call, &ending)?,
        _ => agent.end(now, call, &ending)?,
    }
    Ok(0)
}

fn of_dialog(
    agent: &mut Agent,
    now: Instant,
    op: u8,
    words: &mut Reader<'_>,
    reply: &mut Vec<u8>,
) -> Result<u32, CommandError> {
    let number = words.number();
    let call = CallNumber(number);
    match op {
        12 => {
            let update = words.flag();
            let (number, request) = agent.reinvite(now, call, update, words.payload())?;
            Ok(created(number.0, &request, reply))
        }
        14 => agent.can_reinvite(call).map(u32::from),
        15 => {
            let method = words.text();
            let (number, request) = agent.dialog_request(now, call, &method, &words.payload())?;
            Ok(created(number.0, &request, reply))
        }
        _ => {
            let identity = agent.dialog_identity(call)?;
            lines(
                [&identity.call_id, &identity.local_tag, &identity.remote_tag, &identity.remote_target],
                reply,
            );
            Ok(0)
        }
    }
}

fn others(
    agent: &mut Agent,
    now: Instant,
    op: u8,
    words: &mut Reader<'_>,
    reply: &mut Vec<u8>,
) -> Result<u32, CommandError> {
    match op {
        17 => {
            let target = words.text();
            let (call, request) = agent.create_subscription(now, &target, words.origin())?;
            Ok(created(call.0, &request, reply))
        }
        18 => agent.accept_subscription(TransactionNumber(words.number())).map(|call| call.0),
        19 => agent.close_subscription(CallNumber(words.number())).map(|()| 0),
        20 => {
            let (method, target) = (words.text(), words.text());
            let origin = words.origin();
            let (number, request) = agent.request(now, &method, &target, &origin, &words.payload())?;
            Ok(created(number.0, &request, reply))
        }
        21 => {
            let transaction = TransactionNumber(words.number());
            let (status, reason) = (words.status(), words.text());
            agent.respond(now, transaction, status, &reason, &words.payload()).map(|()| 0)
        }
        _ => {
            let names = agent.names();
            lines(
                [
                    names.contact_uri,
                    names.instance_id.as_bytes(),
                    names.via_host,
                    names.pub_gruu.unwrap_or_default(),
                    names.temp_gruu.unwrap_or_default(),
                ],
                reply,
            );
            Ok(0)
        }
    }
}

fn created(number: u32, request: &Message, reply: &mut Vec<u8>) -> u32 {
    reply.extend_from_slice(request.as_bytes());
    number
}

/// Several texts, one a line: none of them can have a line end.
fn lines<const N: usize, T: AsRef<[u8]>>(texts: [T; N], reply: &mut Vec<u8>) {
    for (position, text) in texts.iter().enumerate() {
        if position > 0 {
            reply.push(b'\n');
        }
        reply.extend_from_slice(text.as_ref());
    }
}
