//! What happened, as sentences for the log. Refusals, which anybody can cause, are limited in number.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use net::Event as NetEvent;
use proxy::Event;
use proxy::event::Unregistration;

use crate::log::{self, Escaped, Level, Pass, RateLimit};

/// Refusals that are told in one second; the rest is counted.
const REFUSALS: u32 = 10;

/// Registrations and calls that are told in one second. Strangers may call, so these too need a bound.
const NEWS: u32 = 1000;

/// Writes the log lines of one server.
pub(crate) struct EventLines {
    refusals: RefCell<RateLimit>,
    bans: RefCell<RateLimit>,
    news: RefCell<RateLimit>,
}

impl EventLines {
    /// Of one of so many event loops, which share what may be told.
    pub(crate) fn new(loops: usize) -> Self {
        let part = |most: u32| most.div_ceil(u32::try_from(loops).unwrap_or(most).max(1));
        let limit = |most| RefCell::new(RateLimit::new(part(most), Duration::from_secs(1)));
        Self { refusals: limit(REFUSALS), bans: limit(REFUSALS), news: limit(NEWS) }
    }

    /// A refusal, a malformed message, a failed handshake: a warning, unless there are too many.
    pub(crate) fn refused(&self, sentence: &str) {
        Self::warn(&self.refusals, sentence);
    }

    fn warn(limit: &RefCell<RateLimit>, sentence: &str) {
        if !log::writes(Level::Warning) {
            return;
        }
        match limit.borrow_mut().pass(Instant::now()) {
            Pass::Yes { held_back: 0 } => log::warning(sentence),
            Pass::Yes { held_back } => {
                log::warning(format!("{sentence} (and {held_back} such lines were held back)"))
            }
            Pass::No => {}
        }
    }

    /// What a server does all day: an information, unless there are too many. The sentence is made only for a log
    /// that has a place for it.
    fn news(&self, sentence: impl FnOnce() -> String) {
        if !log::writes(Level::Info) {
            return;
        }
        match self.news.borrow_mut().pass(Instant::now()) {
            Pass::Yes { held_back: 0 } => log::info(sentence()),
            Pass::Yes { held_back } => {
                log::info(format!("{} (and {held_back} such lines were held back)", sentence()))
            }
            Pass::No => {}
        }
    }

    /// What the proxy tells.
    pub(crate) fn tell(&self, event: &Event) {
        match event {
            Event::Registered { .. } | Event::Unregistered { .. } => self.registration(event),
            Event::CallStarted { .. }
            | Event::CallRinging { .. }
            | Event::CallAnswered { .. }
            | Event::CallFailed { .. }
            | Event::CallEnded { .. } => self.call(event),
            Event::RegistrationRefused { to, source, status, why } => {
                self.refused(&format!("refused to register {} from {source}: {status}, {why}", Escaped(to)));
            }
            Event::Refused { method, source, status, why } => {
                self.refused(&format!("refused {} from {source}: {status}, {why}", Escaped(method)));
            }
            Event::Malformed { flow, status, why, offset } => {
                let answer =
                    status.map_or_else(|| "dropped".to_owned(), |status| format!("answered {status}"));
                let transport = flow.transport.via_token();
                self.refused(&format!(
                    "malformed message from {} over {transport}, {answer}: {why} (octet {offset})",
                    flow.remote
                ));
            }
            Event::Banned { source, seconds, why } => {
                // Many refusals come before it, and it must not be held back with them.
                let source = source.ip();
                Self::warn(
                    &self.bans,
                    &format!("strangers at {source} are not heard for {seconds} s: {why}"),
                );
            }
            Event::Server { group, server, works: true } => {
                log::info(format!("upstream {group}: {server} answers again"));
            }
            Event::Server { group, server, works: false } => {
                log::warning(format!(
                    "upstream {group}: {server} does not answer; the others are asked first"
                ));
            }
            Event::TrunkRegistered { group, account, expires } => {
                log::info(format!("upstream {group}: registered as {account} for {expires} s"));
            }
            Event::TrunkNotRegistered { group, account, status, again } => {
                let why = match status {
                    401 | 407 => "the password is not taken",
                    403 => "it is forbidden",
                    404 => "there is no such name or account",
                    408 => "nobody answers",
                    503 => "the server cannot be reached, or is out of service",
                    _ => "it is refused",
                };
                log::warning(format!(
                    "upstream {group}: cannot register as {account}: {status}, {why}; tried again in {again} s"
                ));
            }
            Event::UnreadableBinding { aor } if proxy::is_message(aor) => {
                log::warning("a message that waits cannot be read and is left out");
            }
            Event::UnreadableBinding { aor } => {
                log::warning(format!(
                    "the stored registration of {} cannot be read and is left out",
                    Escaped(aor)
                ));
            }
            Event::StoreFailed { aor } if proxy::is_message(aor) => {
                log::error("a message that was delivered could not be forgotten; it is tried again");
            }
            Event::StoreFailed { aor } => {
                log::error(format!(
                    "what was to be kept of {} could not be stored, and was refused",
                    Escaped(aor)
                ));
            }
            other => log::debug(format_args!("{other:?}")),
        }
    }

    /// What the network tells.
    pub(crate) fn tell_network(&self, event: &NetEvent) {
        match event {
            NetEvent::TooManyConnections { remote, from_one_source } => {
                let whose = if *from_one_source { "of that address" } else { "in total" };
                self.refused(&format!("refused a connection from {remote}: too many connections {whose}"));
            }
            NetEvent::AcceptFailed { local, reason } => {
                self.refused(&format!("cannot accept connections at {local}: {reason}"));
            }
            NetEvent::NoClientNamed { local, balancer, reason } => {
                self.refused(&format!(
                    "refused a connection of the balancer {balancer} at {local}: {reason}"
                ));
            }
            NetEvent::TlsFailed { local, remote, reason } => {
                self.refused(&format!("TLS with {remote} at {local} failed: {}", Escaped(reason.as_bytes())));
            }
            NetEvent::TlsOnPlainPort { local, remote } => {
                self.refused(&format!(
                    "{remote} speaks TLS at {local}, which is a port without; use the TLS port"
                ));
            }
            NetEvent::PlainOnTlsPort { local, remote } => {
                self.refused(&format!("{remote} does not speak TLS at {local}, which is a TLS port"));
            }
            NetEvent::UpgradeRefused { remote, status, reason } => {
                let reason = Escaped(reason.as_bytes());
                self.refused(&format!("refused a WebSocket from {remote}: {status}, {reason}"));
            }
            NetEvent::Closed { local, remote, reason } => {
                log::debug(format!("closed the connection of {remote} at {local}: {reason:?}"));
            }
            NetEvent::ConnectFailed { remote, reason } => {
                self.refused(&format!("cannot connect to {remote}: {reason}"));
            }
            other => log::debug(format_args!("{other:?}")),
        }
    }

    fn registration(&self, event: &Event) {
        match event {
            Event::Registered { aor, contact, transport, source, user_agent, expires, refresh } => {
                let (aor, transport) = (Escaped(aor), transport.via_token());
                if *refresh {
                    return log::debug(format_args!("{aor} refreshed {} for {expires} s", Escaped(contact)));
                }
                let agent = if user_agent.is_empty() {
                    String::new()
                } else {
                    format!(" with {}", Escaped(user_agent))
                };
                self.news(|| {
                    format!("{aor} registered from {source} over {transport}{agent} for {expires} s")
                });
            }
            Event::Unregistered { aor, contact, why } => {
                let why = match why {
                    Unregistration::Asked => "signed out",
                    Unregistration::Expired => "its time ran out",
                    Unregistration::FlowClosed => "its connection closed",
                    Unregistration::Replaced => {
                        return log::debug(format!("{} moved to a new contact", Escaped(aor)));
                    }
                };
                self.news(|| {
                    format!("{} is no longer registered at {}: {why}", Escaped(aor), Escaped(contact))
                });
            }
            _ => {}
        }
    }

    fn call(&self, event: &Event) {
        match event {
            Event::CallStarted { call_id, from, to, source, transport } => {
                let (from, to, transport) = (Escaped(from), Escaped(to), transport.via_token());
                self.news(|| {
                    format!("call {}: {from} calls {to}, from {source} over {transport}", short(call_id))
                });
            }
            Event::CallRinging { call_id, status } => {
                let what = if *status == 183 { "progress" } else { "ringing" };
                self.news(|| format!("call {}: {what}", short(call_id)));
            }
            Event::CallAnswered { call_id, contact } => {
                self.news(|| format!("call {}: answered by {}", short(call_id), Escaped(contact)));
            }
            Event::CallFailed { call_id, from, to, status, why } => {
                let (from, to) = (Escaped(from), Escaped(to));
                self.news(|| format!("call {}: {from} did not reach {to}: {status}, {why}", short(call_id)));
            }
            Event::CallEnded { call_id } => self.news(|| format!("call {}: ended", short(call_id))),
            _ => {}
        }
    }
}

/// Enough of a Call-ID to follow a call through the log.
fn short(call_id: &[u8]) -> String {
    let start = call_id.split(|octet| *octet == b'@').next().unwrap_or_default();
    Escaped(start.get(..12).unwrap_or(start)).to_string()
}
