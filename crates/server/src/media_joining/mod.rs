//! Joins browsers and phones: stands between the proxy and the sockets and translates the descriptions of the calls
//! that need it, so that their media goes through the gateway. The proxy knows nothing of it.
//!
//! Descriptions in requests are translated where they leave, for only then is it known who gets them: one branch of
//! a fork may be a page, which needs no translation, and another a phone. Descriptions in responses are translated
//! where they arrive, for then the branch is still on top.
//!
//! The gateway of this process translates at once. A fleet of rtpengine needs a moment: the messages of that call wait
//! meanwhile, in their order, and go on through the [`Outlet`].

mod anchor;
mod arriving;
mod branch;
mod built_in;
mod calls;
mod codec_lists;
mod dialogs;
mod digits;
mod fleet;
mod hanging_up;
mod held;
mod in_dialog;
mod inserted;
mod joiner;
mod keying;
mod names;
#[cfg(test)]
mod names_tests;
mod negotiation;
mod parts;
mod pictures;
mod place;
mod reading;
mod record;
mod refusal;
#[cfg(test)]
mod refusal_tests;
#[cfg(test)]
mod rejoined_tests;
#[cfg(test)]
mod serial_tests;
mod sockets;
mod streams;
mod telling;
#[cfg(test)]
mod test_support;
#[cfg(test)]
mod tests;
mod unended;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::rc::{Rc, Weak};
use std::time::Duration;

use media::{CallKey, CallReport, Cause, Event, KnownPhone, MediaCause, Party, PhoneKeying, Side};
use net::Resolver;
use sip::{Flow, HeaderName, Hop, Instant, Message, Method};
use tokio::sync::Notify;

use crate::Failure;
use crate::clock::Clock;
use crate::log;
pub(crate) use anchor::Anchor;
use built_in::BuiltIn;
use calls::{Calls, Consequence, Step};
use codec_lists::codecs;
use dialogs::Dialogs;
use fleet::FleetJoiner;
pub(crate) use hanging_up::Reason;
use hanging_up::{quoted, told};
use held::{Held, Waiting};
use in_dialog::Word;
use inserted::Inserted;
use joiner::{Joiner, Translation};
use keying::Keying;
pub(crate) use keying::Sdes;
pub(crate) use place::MediaPlace;
use reading::description;
pub(crate) use record::CallRecords;
use record::Record;
use refusal::Refusal;
use sockets::Receiver;
use streams::Gone;

/// The most BYEs whose answers are told what was wrong, at a time.
const MOST_FAREWELLS: usize = 1000;

/// What a refusal of RTP may mean where SRTP could not be offered.
const REFUSED_IN_CLEAR: &str = "the phone refuses RTP in clear; if it insists on SRTP let it register over TLS, for keys are \
                                exchanged only where its signalling is encrypted";

/// The phone at the end of a branch.
struct Phone {
    /// Where its signalling comes from, if it wrote the message.
    writes_from: Option<IpAddr>,
    known: KnownPhone,
    /// In an anchored branch what both sides are; the message is then that of either.
    anchored: Option<Anchored>,
}

/// An anchored branch: its media goes through us, though its two sides speak the same.
#[derive(Clone, Copy)]
struct Anchored {
    /// What both are.
    kind: Side,
    /// Who wrote the message.
    writer: Party,
}

/// What becomes of a message that leaves.
pub(crate) enum Onward {
    /// It leaves as it is.
    AsItIs,
    /// This leaves instead.
    Instead(Vec<u8>),
    /// Nothing leaves; this response comes back: a refusal, or the answer to what ended here.
    Refused(Vec<u8>),
    /// Nothing leaves: it is the ACK to a refusal that came from here, or it waits and comes through the outlet.
    Nowhere,
}

/// What becomes of a message that has arrived.
pub(crate) enum Inward {
    /// The proxy gets it as it is.
    AsItIs,
    /// The proxy gets this instead.
    Instead(Vec<u8>),
    /// It waits and comes through the outlet.
    Later,
}

/// A message that waits no longer.
pub(crate) enum Released {
    /// It leaves for that hop, unless `onward` says otherwise.
    Leaves { hop: Hop, bytes: Vec<u8>, onward: Onward },
    /// The proxy gets it.
    Arrives { flow: Flow, bytes: Vec<u8> },
}

/// Where messages go that had to wait.
pub(crate) type Outlet = Rc<dyn Fn(Released)>;

/// Who joins, the calls that are joined, and the messages that wait.
pub(crate) struct MediaJoining {
    me: Weak<Self>,
    clock: Clock,
    /// Finds the hosts that phones write in their descriptions, and how many look-ups there were.
    resolver: Resolver,
    look_ups: Cell<u64>,
    joiner: Joiner,
    calls: RefCell<Calls>,
    held: RefCell<Held>,
    outlet: RefCell<Option<Outlet>>,
    /// The branches whose INVITE was refused here and will be acknowledged.
    refused: RefCell<HashSet<Vec<u8>>>,
    dialogs: RefCell<Dialogs>,
    /// Which phones are offered SRTP.
    keying: RefCell<Keying>,
    /// The BYEs of calls that were hung up here.
    byes: RefCell<Vec<Vec<u8>>>,
    /// The calls in whose dialogs there is something to say.
    talkative: RefCell<Vec<CallKey>>,
    requests_wait: Notify,
    /// The requests that were put into dialogs.
    inserted: RefCell<Inserted>,
    /// Whether pages are told the keys that phones press.
    digits_to_pages: bool,
    /// What was wrong with the media of calls whose BYE is on its way, by its branch.
    farewells: RefCell<HashMap<Vec<u8>, MediaCause>>,
    records: Option<CallRecords>,
    wake_at: Cell<Instant>,
    sooner: Notify,
}

impl MediaJoining {
    /// Opens the sockets for browsers, or those toward the fleet. To be called on the event loop.
    pub(crate) fn open(
        place: &MediaPlace,
        clock: Clock,
        resolver: Resolver,
        records: Option<CallRecords>,
    ) -> Result<Rc<Self>, Failure> {
        if place.fleet.is_empty() {
            if place.is_told {
                telling::tell_place(place);
            }
            let (gateway, bound) = BuiltIn::open(place, &clock)?;
            let joining = Self::with(Joiner::BuiltIn(gateway), place, clock, resolver, records);
            if let Joiner::BuiltIn(gateway) = &joining.joiner {
                gateway.listen(bound, &joining.receiver(), &joining.gone());
            }
            return Ok(joining);
        }
        let fleet = FleetJoiner::open(&place.fleet, &clock)?;
        let joining = Self::with(Joiner::Fleet(fleet), place, clock, resolver, records);
        if let Joiner::Fleet(fleet) = &joining.joiner {
            fleet.listen(&joining);
        }
        Ok(joining)
    }

    fn with(
        joiner: Joiner,
        place: &MediaPlace,
        clock: Clock,
        resolver: Resolver,
        records: Option<CallRecords>,
    ) -> Rc<Self> {
        Rc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            clock,
            resolver,
            look_ups: Cell::default(),
            joiner,
            calls: RefCell::new(Calls::new(place.anchor)),
            held: RefCell::default(),
            outlet: RefCell::default(),
            refused: RefCell::default(),
            dialogs: RefCell::default(),
            keying: RefCell::new(Keying::new(place.sdes, &place.suites)),
            byes: RefCell::default(),
            talkative: RefCell::default(),
            requests_wait: Notify::new(),
            inserted: RefCell::default(),
            digits_to_pages: place.digits_to_pages,
            farewells: RefCell::default(),
            records,
            wake_at: Cell::new(Instant::NEVER),
            sooner: Notify::new(),
        })
    }

    /// From now on, messages that had to wait go there.
    pub(crate) fn release_to(&self, outlet: Outlet) {
        self.outlet.replace(Some(outlet));
    }

    fn receiver(&self) -> Receiver {
        let me = Weak::clone(&self.me);
        Rc::new(move |socket, from, bytes| {
            if let Some(joining) = me.upgrade()
                && let Joiner::BuiltIn(gateway) = &joining.joiner
            {
                gateway.receive(&joining, socket, from, bytes);
            }
        })
    }

    fn gone(&self) -> Gone {
        let me = Weak::clone(&self.me);
        Rc::new(move |socket, from| {
            if let Some(joining) = me.upgrade()
                && let Joiner::BuiltIn(gateway) = &joining.joiner
            {
                gateway.disconnected(socket, from);
            }
        })
    }

    /// Wakes the joiner whenever it asked for it, and gives back what nobody used. Ends never: it is dropped with
    /// the loop.
    pub(crate) async fn keep_time(self: Rc<Self>) {
        let mut sweep = tokio::time::interval(Duration::from_secs(30));
        loop {
            let wait = self.wake_at.get().saturating_since(self.clock.now()).min(Duration::from_secs(3600));
            tokio::select! {
                () = tokio::time::sleep(wait) => {
                    let now = self.clock.now();
                    if now >= self.wake_at.get() {
                        self.joiner.timeout(&self, now);
                    }
                }
                () = self.sooner.notified() => {}
                _ = sweep.tick() => {
                    self.sweep(self.clock.now());
                }
            }
        }
    }

    /// Gives back what nobody used.
    fn sweep(&self, now: Instant) {
        // A BYE is answered or given up within 32 seconds.
        self.farewells.borrow_mut().clear();
        self.keying.borrow_mut().sweep(now);
        self.inserted.borrow_mut().sweep(now);
        let stale = self.calls.borrow_mut().stale(now);
        self.follow(stale);
        self.joiner.look_for_unended(self, now);
    }

    /// A message is about to leave for a hop.
    pub(crate) fn outgoing(&self, hop: &Hop, bytes: &[u8]) -> Onward {
        if bytes.starts_with(b"SIP/2.0 ") {
            self.answering(bytes);
            return Onward::AsItIs;
        }
        if self.is_own(bytes) {
            return Onward::AsItIs;
        }
        // Whatever is sent inside a dialog counts there; only these are sent outside of dialogs all day long.
        let foreign = [b"REGISTER ".as_slice(), b"PUBLISH "];
        let opens = bytes.starts_with(b"INVITE ");
        let idle = self.is_idle() && self.refused.borrow().is_empty();
        if !opens && (idle || foreign.iter().any(|start| bytes.starts_with(start))) {
            return Onward::AsItIs;
        }
        let is_request = !bytes.starts_with(b"SIP/2.0 ");
        if is_request && self.waits(bytes, || Waiting::Leaves { hop: hop.clone(), bytes: bytes.to_vec() }) {
            return Onward::Nowhere;
        }
        self.leave(hop, bytes)
    }

    fn leave(&self, hop: &Hop, bytes: &[u8]) -> Onward {
        let Ok(request) = Message::parse(bytes) else { return Onward::AsItIs };
        let branch = request.top_via().ok().and_then(|via| via.branch()).unwrap_or_default();
        if request.method() == Some(Method::Ack) && self.refused.borrow_mut().remove(branch) {
            return Onward::Nowhere;
        }
        self.dialogs.borrow_mut().request(&request);
        self.say_what_waits(&request);
        if hop.transport().is_websocket() && pictures::is_asked_for(&request) {
            let call = self.dialogs.borrow().call_of(&request);
            call.iter().for_each(|call| self.joiner.picture_wanted(self, call));
        }
        if let Some(answer) = self.play_digit(&request) {
            return Onward::Refused(answer);
        }
        let step = self.calls.borrow_mut().request(self.clock.now(), &request, hop.transport());
        if let Some(call) = self.calls.borrow().begun_by(&request) {
            self.dialogs.borrow_mut().begin(self.clock.now(), &call, &request);
        }
        let anchored = step.as_ref().and_then(|step| self.anchored(step));
        if let Some(Step::Offer { call, from, .. }) = step.as_ref().filter(|_| anchored.is_none())
            && let Some(dialog) = self.dialogs.borrow_mut().get_mut(call)
        {
            dialog.offered = description(&request).map(codecs).unwrap_or_default();
            dialog.offered_to = if *from == Side::Phone { Side::Browser } else { Side::Phone };
        }
        let onward = match step {
            None => self.farewell(&request, branch),
            Some(Step::Overtaken) => without_description(&request).map_or(Onward::AsItIs, Onward::Instead),
            Some(Step::Crossing { own }) => {
                self.await_ack(&request);
                refusal::crossing(&request, own)
            }
            Some(Step::Full) => self.refuse_for_now(&request),
            Some(step) => {
                let phone = self.phone_of(&request, hop, anchored);
                match self.translate(step, &request, phone) {
                    Translation::Now(outcome) => return self.translated_request(&request, outcome),
                    Translation::Later(ticket) => {
                        let message = Waiting::Leaves { hop: hop.clone(), bytes: bytes.to_vec() };
                        self.held.borrow_mut().wait(request.call_id().unwrap_or_default(), ticket, message);
                        return Onward::Nowhere;
                    }
                }
            }
        };
        self.left(&request);
        onward
    }

    /// What becomes of a request whose description was translated.
    fn translated_request(&self, request: &Message, outcome: Result<Vec<u8>, Refusal>) -> Onward {
        let onward = match outcome.and_then(|translated| with_description(request, &translated)) {
            Ok(bytes) => Onward::Instead(bytes),
            Err(refusal) => {
                self.not_joined(request, &refusal);
                self.refuse(request, &refusal)
            }
        };
        self.left(request);
        onward
    }

    fn left(&self, request: &Message) {
        let consequences = self.calls.borrow_mut().after_request(request);
        self.follow(consequences);
    }

    /// A response is about to leave. Of branches that were never heard of again, this is the only end.
    fn answering(&self, bytes: &[u8]) {
        if self.is_idle() || !matches!(bytes.get(8), Some(b'3'..=b'6')) {
            return;
        }
        let over =
            Message::parse(bytes).ok().and_then(|response| self.dialogs.borrow_mut().last_word(&response));
        if let Some(call) = over {
            self.calls.borrow_mut().lost(&call);
            self.follow([Consequence::CallOver(call)]);
        }
    }

    /// Whether no call is joined.
    fn is_idle(&self) -> bool {
        self.calls.borrow().is_empty() && self.dialogs.borrow().is_empty()
    }

    /// A description could not be translated.
    fn not_joined(&self, message: &Message, refusal: &Refusal) {
        self.note(message, refusal.code, &refusal.sentence);
    }

    /// Why a call cannot be joined: for the log, and for its record.
    fn note(&self, message: &Message, code: &'static str, sentence: &str) {
        log::warning(told(code, &sentence));
        let mut dialogs = self.dialogs.borrow_mut();
        let call = dialogs.call_of(message);
        if let Some(dialog) = call.and_then(|call| dialogs.get_mut(&call)) {
            dialog.refused = Some((code, sentence.to_owned()));
        }
    }

    /// A BYE says what was wrong with the media of its call, and so will its answer.
    fn farewell(&self, request: &Message, branch: &[u8]) -> Onward {
        if request.method() != Some(Method::Bye) {
            return Onward::AsItIs;
        }
        let call = self.dialogs.borrow().call_of(request);
        let cause = call.and_then(|call| self.joiner.cause(self.clock.now(), &call));
        let Some(cause) = cause else { return Onward::AsItIs };
        let mut farewells = self.farewells.borrow_mut();
        if farewells.len() < MOST_FAREWELLS {
            farewells.insert(branch.to_vec(), cause);
        }
        let reason = format!("sipweb;text={}", quoted(&told(cause.code(), &cause)));
        let mut edit = request.edit();
        edit.append(HeaderName::Reason, reason.as_bytes());
        edit.finish().map_or(Onward::AsItIs, Onward::Instead)
    }

    /// What is known of the phone to which, or from which, this request goes.
    fn phone_of(&self, request: &Message, to: &Hop, anchored: Option<Anchored>) -> Phone {
        // Two phones agree on their keys by themselves: there is nothing to learn of them.
        let keying = match anchored {
            Some(_) => PhoneKeying::Clear,
            None => self.keying.borrow_mut().of_request(self.clock.now(), request, to.transport()),
        };
        let writes_from = caller_address(request);
        let reached_at = if to.transport().is_websocket() { writes_from } else { Some(to.address().ip()) };
        Phone { writes_from, known: KnownPhone { keying, reached_at }, anchored }
    }

    /// What a step's branch is, if it is anchored.
    fn anchored(&self, step: &Step) -> Option<Anchored> {
        let (Step::Offer { call, branch, from, .. } | Step::Answer { call, branch, from }) = step else {
            return None;
        };
        let kind = self.calls.borrow().anchored(call, branch)?;
        let writer = if *from == kind { Party::Caller } else { Party::Callee };
        Some(Anchored { kind, writer })
    }

    fn follow(&self, consequences: impl IntoIterator<Item = Consequence>) {
        for consequence in consequences {
            let told_later = self.joiner.follow(self, &consequence);
            if let (Consequence::CallOver(call), false) = (consequence, told_later) {
                self.ended(&call, None);
            }
        }
    }

    /// A call is over, with a report if anything was ever agreed.
    fn ended(&self, call: &CallKey, report: Option<&CallReport>) {
        self.calls.borrow_mut().lost(call);
        let Some(dialog) = self.dialogs.borrow_mut().remove(call) else { return };
        self.inserted.borrow_mut().over(self.clock.now(), &dialog.call_id);
        if let Some(records) = &self.records {
            let cause = record::cause(&dialog, report);
            records.write(&Record::of(self.clock.now(), &dialog, report, cause));
        }
    }

    /// Something happened to the media of a call.
    fn happened(&self, event: Event) {
        telling::tell(&event);
        match event {
            Event::Ended { call, report } => self.ended(&call, Some(&report)),
            Event::Failed { call, cause, .. } => self.hang_up(&call, &Reason::of(cause)),
            Event::Digit { call, digit, duration, .. } if self.digits_to_pages => {
                self.say(&call, Word::Key(digit, duration));
            }
            Event::PictureWanted { call, .. } => self.say(&call, Word::Picture),
            _ => {}
        }
    }

    /// The joiner wants to be woken then.
    fn wake(&self, at: Instant) {
        if at < self.wake_at.replace(at) {
            self.sooner.notify_one();
        }
    }
}

fn with_description(message: &Message, description: &[u8]) -> Result<Vec<u8>, Refusal> {
    reading::with_description(message, description).ok_or_else(|| Refusal::from(Cause::SdpNothingToRelay))
}

/// Where a request came from before it came to us: what we wrote into its Via (RFC 3261 §18.2.1).
fn caller_address(request: &Message) -> Option<IpAddr> {
    let before = sip::Via::parse(request.values(HeaderName::Via).nth(1)?).ok()?;
    before.received().or_else(|| match before.host() {
        sip::Host::V4(address) => Some(address.into()),
        sip::Host::V6(address) => Some(address.into()),
        sip::Host::Name(_) => None,
    })
}

/// The message without a description that nobody may take for news.
fn without_description(message: &Message) -> Option<Vec<u8>> {
    let mut edit = message.edit();
    edit.body(b"", b"");
    edit.finish().ok()
}
