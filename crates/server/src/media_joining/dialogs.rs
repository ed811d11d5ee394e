//! What is known of the dialogs of joined calls: as much as it takes to hang them up, to say something in them, and to
//! record them.
//!
//! The proxy keeps no dialogs, and does not need to. The gateway is the first to know that a browser is gone for good,
//! and sees every message of its calls; so what a BYE needs is noted here (RFC 3261 §12.2.1.1): the two addresses with
//! their tags, the last Contact of either side (§12.2, target refresh), the route set, and the highest CSeq number that
//! each side has used.

use std::collections::{HashMap, VecDeque};

use media::{CallKey, Side};
use sip::{Builder, HeaderName, Instant, Message, Method};

use super::hanging_up::Reason;
use super::in_dialog::Word;
use super::inserted::{Direction, Inserted};

/// The most requests of ours that one party leaves unanswered.
const MOST_UNANSWERED: u32 = 16;

/// One side of a dialog.
#[derive(Clone, Debug, Default)]
struct Party {
    /// Its From or To as it stands in messages, tag included.
    address: Vec<u8>,
    /// The URI of its Contact.
    contact: Vec<u8>,
    /// The highest CSeq number that it has used.
    sequence: Option<u32>,
    /// The CSeq number of an INVITE of its own that is not over: its ACK is still to come.
    inviting: Option<u32>,
    /// Whether it takes an INFO (RFC 2976 as RFC 6086 §9 leaves it): so its last Allow says, and it has refused none.
    takes_info: bool,
    refused_info: bool,
    /// The requests of ours that it has not answered.
    unanswered: u32,
}

impl Party {
    fn tag(&self) -> &[u8] {
        sip::NameAddress::parse(&self.address).ok().and_then(|address| address.tag()).unwrap_or_default()
    }

    /// What a message of its own says of what it takes. Info packages (RFC 6086) were not negotiated with us; who takes
    /// late candidates so (RFC 8840) has said nothing of keys.
    fn learn(&mut self, message: &Message) {
        if message.header(HeaderName::Allow).is_some() {
            let mut packages = message.values(HeaderName::RecvInfo).peekable();
            let negotiates = message.header(HeaderName::RecvInfo).is_some()
                && (packages.peek().is_none() || packages.any(|package| package != b"trickle-ice"));
            self.takes_info = message.lists(HeaderName::Allow, "INFO") && !negotiates;
        }
    }

    /// The greatest number of its own, or of an INVITE, is at least this.
    fn used(&mut self, method: Method<'_>, number: u32) {
        self.sequence = self.sequence.max(Some(number));
        match method {
            Method::Invite => self.inviting = Some(number),
            Method::Ack if self.inviting == Some(number) => self.inviting = None,
            _ => {}
        }
    }
}

/// The dialog of a joined call.
#[derive(Clone, Debug)]
pub(super) struct Dialog {
    pub(super) call_id: Vec<u8>,
    caller: Party,
    callee: Party,
    /// The Record-Routes of the answer, in its order: the callee's route set. The caller's is the reverse.
    routes: Vec<Vec<u8>>,
    /// The CSeq number of the INVITE.
    invite: u32,
    pub(super) begun: Instant,
    pub(super) answered: Option<Instant>,
    /// The final status of the INVITE, once there is one.
    pub(super) status: Option<u16>,
    /// Who hung up.
    pub(super) ended_by: Option<&'static str>,
    /// The codecs of the last offer, by name, and who got it.
    pub(super) offered: Vec<String>,
    pub(super) offered_to: Side,
    /// Why a description of the call could not be translated: code and sentence.
    pub(super) refused: Option<(&'static str, String)>,
    /// The CSeq number of the last INFO with a pressed key.
    digits_sent: Option<u32>,
    /// It was refused.
    pub(super) digits_refused: bool,
    /// What the server itself has to say, since when.
    pub(super) words: VecDeque<(Instant, Word)>,
}

/// The dialogs of all joined calls.
#[derive(Debug, Default)]
pub(super) struct Dialogs {
    by_call: HashMap<CallKey, Dialog>,
}

/// The name of a call: its Call-ID, the caller's tag, and how often it has passed us before.
pub(super) fn key(call_id: &[u8], caller_tag: &[u8], passage: usize) -> CallKey {
    let mut key = [call_id, b"\0", caller_tag].concat();
    key.extend(core::iter::repeat_n(0, passage));
    CallKey::new(key)
}

/// The caller's tag in the name of a call.
pub(super) fn caller_tag(call: &CallKey) -> &[u8] {
    call.as_bytes().split(|octet| *octet == 0).nth(1).unwrap_or_default()
}

fn tag(message: &Message, name: HeaderName) -> &[u8] {
    message.name_address(name).ok().and_then(|address| address.tag()).unwrap_or_default()
}

fn value(message: &Message, name: HeaderName) -> Vec<u8> {
    message.header(name).unwrap_or_default().to_vec()
}

/// The callee's route set, as far as an INVITE inside the dialog knows it where it leaves us: the Routes that lead on to
/// the callee, backwards, and the Record-Routes of all who are before us, ours among them. Not every proxy writes one
/// inside a dialog.
fn routes_of(invite: &Message) -> Vec<Vec<u8>> {
    let mut routes: Vec<Vec<u8>> = invite.values(HeaderName::Route).map(<[u8]>::to_vec).collect();
    routes.reverse();
    routes.extend(invite.values(HeaderName::RecordRoute).map(<[u8]>::to_vec));
    routes
}

/// The URI of the first Contact.
fn contact(message: &Message) -> Option<Vec<u8>> {
    let contact = message.contacts().next()?.ok()?;
    contact.address().map(|address| address.uri_bytes().to_vec())
}

/// Whether a message with a Contact moves its sender's end of the dialog (RFC 3261 §12.2, RFC 3311 §5.1).
fn refreshes(method: Method<'_>) -> bool {
    matches!(method, Method::Invite | Method::Update)
}

/// Whether an INFO carries a pressed key, in one of the two ways that phones know.
fn carries_digits(info: &Message) -> bool {
    let kind = info.header(HeaderName::ContentType).unwrap_or_default();
    kind.get(..16).is_some_and(|start| start.eq_ignore_ascii_case(b"application/dtmf"))
}

impl Dialogs {
    /// An INVITE that will be joined is on its way to a branch. One inside a dialog joins a call anew that was answered
    /// before our restart: of that it says all that is needed.
    pub(super) fn begin(&mut self, now: Instant, call: &CallKey, invite: &Message) {
        let is_inside = !tag(invite, HeaderName::To).is_empty();
        let mut caller = Party {
            address: value(invite, HeaderName::From),
            contact: contact(invite).unwrap_or_default(),
            ..Party::default()
        };
        caller.learn(invite);
        if let Ok(cseq) = invite.cseq() {
            caller.used(Method::Invite, cseq.number);
        }
        self.by_call.entry(call.clone()).or_insert_with(|| Dialog {
            call_id: invite.call_id().unwrap_or_default().to_vec(),
            caller,
            callee: Party {
                address: value(invite, HeaderName::To),
                contact: if is_inside { invite.request_uri().to_vec() } else { Vec::new() },
                ..Party::default()
            },
            routes: if is_inside { routes_of(invite) } else { Vec::new() },
            invite: invite.cseq().map_or(0, |cseq| cseq.number),
            begun: now,
            answered: is_inside.then_some(now),
            status: None,
            ended_by: None,
            offered: Vec::new(),
            offered_to: Side::Phone,
            refused: None,
            digits_sent: None,
            digits_refused: false,
            words: VecDeque::new(),
        });
    }

    /// A request of either side inside a dialog is on its way.
    pub(super) fn request(&mut self, request: &Message) {
        let Some((dialog, from_caller)) = self.of_request(request) else { return };
        let (Ok(cseq), Some(method)) = (request.cseq(), request.method()) else { return };
        if method == Method::Info && carries_digits(request) {
            dialog.digits_sent = Some(cseq.number);
        }
        if method == Method::Bye && dialog.ended_by.is_none() {
            dialog.ended_by = Some(if from_caller { "caller" } else { "callee" });
        }
        let sender = if from_caller { &mut dialog.caller } else { &mut dialog.callee };
        sender.used(method, cseq.number);
        if !refreshes(method) {
            return;
        }
        sender.learn(request);
        if let Some(contact) = contact(request) {
            sender.contact = contact;
        }
    }

    /// A response has arrived.
    pub(super) fn response(&mut self, now: Instant, response: &Message) {
        let (Some(status), Ok(cseq)) = (response.status(), response.cseq()) else { return };
        let Some((dialog, from_caller)) = self.of_request(response) else { return };
        if cseq.method == Method::Invite && dialog.answered.is_none() && status >= 200 {
            dialog.status = Some(status);
        }
        if cseq.method == Method::Info && status >= 400 && dialog.digits_sent == Some(cseq.number) {
            dialog.digits_refused = true;
        }
        if cseq.method == Method::Invite && status >= 300 && cseq.number != dialog.invite {
            let asker = if from_caller { &mut dialog.caller } else { &mut dialog.callee };
            asker.inviting = asker.inviting.filter(|number| *number != cseq.number);
        }
        if !(200..300).contains(&status) || !refreshes(cseq.method) {
            return;
        }
        if dialog.answered.is_none() && cseq.method == Method::Invite {
            dialog.answered = Some(now);
            dialog.callee.address = value(response, HeaderName::To);
            dialog.routes = response.values(HeaderName::RecordRoute).map(<[u8]>::to_vec).collect();
        }
        // The one who answers a request of the caller is the callee.
        let answerer = if from_caller { &mut dialog.callee } else { &mut dialog.caller };
        // Another branch that answers too is another dialog.
        if tag(response, HeaderName::To) != answerer.tag() {
            return;
        }
        answerer.learn(response);
        if let Some(contact) = contact(response) {
            answerer.contact = contact;
        }
    }

    /// A response to a request of ours. One that says that its party has no use for such a request is heeded.
    pub(super) fn answered_ours(&mut self, response: &Message) {
        let Some(status) = response.status().filter(|status| *status >= 200) else { return };
        let Some((dialog, by_caller)) = self.of_request(response) else { return };
        let answerer = if by_caller { &mut dialog.callee } else { &mut dialog.caller };
        answerer.unanswered = answerer.unanswered.saturating_sub(1);
        answerer.refused_info |= matches!(status, 405 | 415 | 481 | 501);
    }

    /// A response is on its way to the caller. If it is the last word on its INVITE and no answer, the call is over,
    /// also for those branches that never said a word. So it is when a BYE is refused: who sent it takes its dialog for
    /// ended (RFC 3261 §15.1.1), and if the other side could not be reached it has never left.
    pub(super) fn last_word(&mut self, response: &Message) -> Option<CallKey> {
        let (status, cseq) = (response.status()?, response.cseq().ok()?);
        let call = self.call_of(response)?;
        let dialog = self.by_call.get_mut(&call)?;
        if cseq.method == Method::Bye {
            let ends = !matches!(status, 401 | 407) && dialog.answered.is_some() && dialog.is_of(response);
            if ends && dialog.ended_by.is_none() {
                dialog.ended_by = Some(if dialog.is_callers(response) { "caller" } else { "callee" });
            }
            return ends.then_some(call);
        }
        let is_last = status >= 300
            && cseq.method == Method::Invite
            && cseq.number == dialog.invite
            && dialog.answered.is_none()
            && dialog.is_callers(response);
        is_last.then(|| {
            dialog.status = Some(status);
            call
        })
    }

    /// The dialog of a message, and whether its request is the caller's.
    fn of_request(&mut self, message: &Message) -> Option<(&mut Dialog, bool)> {
        let call = self.call_of(message)?;
        let dialog = self.by_call.get_mut(&call)?;
        let from_caller = dialog.is_callers(message);
        Some((dialog, from_caller))
    }

    /// The call that a message belongs to.
    pub(super) fn call_of(&self, message: &Message) -> Option<CallKey> {
        let call_id = message.call_id().ok()?;
        let keys = [HeaderName::From, HeaderName::To].map(|side| key(call_id, tag(message, side), 0));
        keys.into_iter().find(|call| self.by_call.contains_key(call))
    }

    /// The call of that name.
    pub(super) fn get(&self, call: &CallKey) -> Option<&Dialog> {
        self.by_call.get(call)
    }

    /// The call of that name, to note something.
    pub(super) fn get_mut(&mut self, call: &CallKey) -> Option<&mut Dialog> {
        self.by_call.get_mut(call)
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.by_call.is_empty()
    }

    /// Forgets a call.
    pub(super) fn remove(&mut self, call: &CallKey) -> Option<Dialog> {
        self.by_call.remove(call)
    }

    /// The calls that were answered.
    pub(super) fn answered(&self) -> Vec<CallKey> {
        let answered = self.by_call.iter().filter(|(_, dialog)| dialog.answered.is_some());
        answered.map(|(call, _)| call.clone()).collect()
    }
}

impl Dialog {
    /// The URIs of the caller and the callee.
    pub(super) fn parties(&self) -> [&[u8]; 2] {
        [&self.caller, &self.callee].map(|party| {
            sip::NameAddress::parse(&party.address).map(|address| address.uri_bytes()).unwrap_or_default()
        })
    }

    /// Whether a message is between the two parties.
    fn is_of(&self, message: &Message) -> bool {
        let tags = [HeaderName::From, HeaderName::To].map(|side| tag(message, side));
        let [caller, callee] = [self.caller.tag(), self.callee.tag()];
        tags == [caller, callee] || tags == [callee, caller]
    }

    /// Whether a request is the caller's.
    fn is_callers(&self, request: &Message) -> bool {
        tag(request, HeaderName::From) == self.caller.tag()
    }

    /// The BYE of each side to the other. None before the answer: there is no dialog yet.
    pub(super) fn byes(&self, reason: &Reason) -> Vec<Vec<u8>> {
        if self.answered.is_none() {
            return Vec::new();
        }
        let bye = |by_caller: bool| {
            let from = if by_caller { &self.caller } else { &self.callee };
            let number = from.sequence.map_or(Some(1), |used| used.checked_add(1))?;
            let bye = self.request(Method::Bye, number, by_caller);
            bye.header(HeaderName::Reason, reason.value().as_bytes()).finish().ok()
        };
        [true, false].into_iter().filter_map(bye).collect()
    }

    /// Whether an INFO to this party must wait: the ACK of an INVITE with a smaller number would look late.
    pub(super) fn must_wait(&self, by_caller: bool) -> bool {
        let from = if by_caller { &self.caller } else { &self.callee };
        from.inviting.is_some()
    }

    /// An INFO to one party, in the name of the other. `None` before the answer, and where it would be of no use.
    pub(super) fn info(
        &mut self,
        by_caller: bool,
        (kind, body): (&str, &str),
        inserted: &mut Inserted,
    ) -> Option<Vec<u8>> {
        let (from, to) = if by_caller { (&self.caller, &self.callee) } else { (&self.callee, &self.caller) };
        let useful = to.takes_info && !to.refused_info && to.unanswered < MOST_UNANSWERED;
        if self.answered.is_none() || !useful {
            return None;
        }
        let direction = Direction::between(&self.call_id, from.tag(), to.tag());
        let number = inserted.insert(direction, from.sequence)?;
        let info = self.request(Method::Info, number, by_caller);
        let info = info.body(kind.as_bytes(), body.as_bytes()).finish().ok()?;
        let to = if by_caller { &mut self.callee } else { &mut self.caller };
        to.unanswered += 1;
        Some(info)
    }

    /// The beginning of a request of one party to the other.
    fn request(&self, method: Method<'_>, number: u32, by_caller: bool) -> Builder {
        let (from, to) = if by_caller { (&self.caller, &self.callee) } else { (&self.callee, &self.caller) };
        let sequence = [format!("{number} ").as_bytes(), method.as_bytes()].concat();
        let mut builder = Builder::request(method, &to.contact)
            .header(HeaderName::MaxForwards, b"70")
            .header(HeaderName::From, &from.address)
            .header(HeaderName::To, &to.address)
            .header(HeaderName::CallId, &self.call_id)
            .header(HeaderName::CSeq, &sequence);
        let mut routes: Vec<&[u8]> = self.routes.iter().map(Vec::as_slice).collect();
        if by_caller {
            routes.reverse();
        }
        for route in routes {
            builder = builder.header(HeaderName::Route, route);
        }
        builder
    }
}

#[cfg(test)]
#[path = "dialogs_tests.rs"]
mod tests;
