//! Calls: INVITE, 180, 200, ACK, BYE, 200. Both ends of each are ours, so both are checked.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use sip::{HeaderName, Message, Method};

use super::ends::{Ends, Work};
use super::faults::Faults;
use super::messages::{self, ELSEWHERE, Parties};
use super::pace::Pace;
use crate::Outcome;

/// What all calls of a load have in common.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Calls a second, and how many.
    pub(crate) rate: u32,
    pub(crate) count: usize,
    /// How long it rings; zero sends 180 and 200 back to back.
    pub(crate) ringing: Duration,
    /// How long a call lasts; zero sends ACK and BYE back to back.
    pub(crate) talking: Duration,
    /// Who calls whom: the calls take these in turn.
    pub(crate) pairs: Vec<Pair>,
    /// Octets of the session descriptions.
    pub(crate) description: usize,
    /// Something between the ends speaks SIP: it takes itself off Via, and records its route.
    pub(crate) through_proxy: bool,
}

/// A caller, and whom it calls.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    /// The caller's end, user and domain.
    pub(crate) caller: usize,
    pub(crate) from: String,
    /// What is dialled: `user@host`.
    pub(crate) to: String,
    /// The callee's end, and the Request-URI that arrives there.
    pub(crate) callee: usize,
    pub(crate) contact: String,
    /// Further ends and contacts of the callee: they ring, and do not answer.
    pub(crate) others: Vec<(usize, String)>,
}

impl Pair {
    fn is_contact(&self, end: usize, uri: &[u8]) -> bool {
        let first = std::iter::once((self.callee, &self.contact));
        let mut all = first.chain(self.others.iter().map(|(end, contact)| (*end, contact)));
        all.any(|(of, contact)| of == end && contact.as_bytes() == uri)
    }
}

/// What came of all calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) begun: usize,
    pub(crate) completed: usize,
    /// Messages that were not as they had to be.
    pub(crate) faults: Faults,
    /// 200 before its 180, BYE before its ACK.
    pub(crate) reordered: usize,
    /// Messages that came twice.
    pub(crate) repeated: usize,
    /// 100s.
    pub(crate) trying: usize,
    /// Branches that were cancelled, and answered 487.
    pub(crate) cancelled: usize,
    /// INVITE to 180, and to 200, in microseconds.
    pub(crate) ringing: Vec<u32>,
    pub(crate) answered: Vec<u32>,
    /// By how much the load was behind.
    pub(crate) late: Duration,
}

#[derive(Default)]
struct Call {
    sent: Option<Instant>,
    pair: usize,
    callee: usize,
    /// The 200 that is sent when it has rung, and the BYE.
    answer: Vec<u8>,
    bye: Vec<u8>,
    /// The 487s of those who ring in vain.
    refusals: Vec<(usize, Vec<u8>)>,
    /// At the callee.
    invited: bool,
    acknowledged: bool,
    hung_up: bool,
    /// At the caller.
    rung: bool,
    answered: bool,
    ended: bool,
}

/// The calls of a run.
pub(crate) struct Calls {
    plan: Plan,
    run: u32,
    pace: Pace,
    calls: Vec<Call>,
    open: usize,
    to_answer: VecDeque<(Instant, usize)>,
    to_end: VecDeque<(Instant, usize)>,
    offer: String,
    /// What came of them.
    pub(crate) figures: Figures,
}

impl Work for Calls {
    fn due(&mut self, now: Instant, ends: &mut Ends) -> Outcome<Option<Instant>> {
        while let Some(number) = self.pace.begin(now) {
            self.begin(number, ends)?;
        }
        while let Some(number) = pop_due(&mut self.to_answer, now) {
            let answer = std::mem::take(&mut self.calls[number].answer);
            ends.send(self.calls[number].callee, &answer)?;
        }
        while let Some(number) = pop_due(&mut self.to_end, now) {
            let bye = std::mem::take(&mut self.calls[number].bye);
            ends.send(self.plan.pairs[self.calls[number].pair].caller, &bye)?;
        }
        self.figures.late = self.pace.late;
        if self.pace.next().is_none() && self.open == 0 {
            return Ok(None);
        }
        let dues = [
            self.pace.next(),
            self.to_answer.front().map(|(at, _)| *at),
            self.to_end.front().map(|(at, _)| *at),
        ];
        Ok(Some(dues.into_iter().flatten().min().unwrap_or(now + Duration::from_millis(100))))
    }

    fn message(&mut self, now: Instant, end: usize, bytes: &[u8], ends: &mut Ends) -> Outcome<()> {
        let Ok(message) = Message::parse(bytes) else {
            self.figures.faults.note(|| format!("no SIP message: {}", text(bytes)));
            return Ok(());
        };
        let number = message.call_id().ok().and_then(|id| messages::number_of(id, self.run));
        let Some(number) = number.filter(|number| *number < self.calls.len()) else {
            // A straggler of an earlier run, or a request of the server's own.
            self.figures.faults.note(|| format!("of no call: {}", text(bytes)));
            return Ok(());
        };
        if message.is_request() {
            self.at_callee(now, number, end, &message, ends)
        } else {
            self.at_caller(now, number, end, &message, ends)
        }
    }
}

impl Calls {
    /// Begins a run. Runs are told apart by their numbers.
    pub(crate) fn new(plan: Plan, run: u32) -> Self {
        Self {
            run,
            pace: Pace::new(plan.rate, plan.count),
            calls: Vec::with_capacity(plan.count),
            open: 0,
            to_answer: VecDeque::new(),
            to_end: VecDeque::new(),
            offer: messages::description(plan.description),
            figures: Figures::default(),
            plan,
        }
    }

    fn parties(&self, number: usize) -> Parties<'_> {
        let pair = &self.plan.pairs[number % self.plan.pairs.len()];
        Parties { call: number, run: self.run, from: &pair.from, to: &pair.to }
    }

    fn begin(&mut self, number: usize, ends: &mut Ends) -> Outcome<()> {
        let place = number % self.plan.pairs.len();
        let pair = &self.plan.pairs[place];
        let end = ends.get(pair.caller);
        let user = pair.from.split('@').next().unwrap_or_default();
        let invite = messages::invite(&self.parties(number), end, &end.contact(user), &self.offer);
        self.calls.push(Call { sent: Some(Instant::now()), pair: place, ..Call::default() });
        self.figures.begun += 1;
        self.open += 1;
        ends.send(pair.caller, &invite)
    }

    fn at_callee(
        &mut self,
        now: Instant,
        number: usize,
        end: usize,
        request: &Message,
        ends: &mut Ends,
    ) -> Outcome<()> {
        self.check_request(number, ends.known_as(end), request);
        let call = &mut self.calls[number];
        let pair = &self.plan.pairs[call.pair];
        if !pair.others.is_empty() && ends.known_as(end) != pair.callee {
            return self.at_other(number, end, request, ends);
        }
        match request.method() {
            Some(Method::Invite) => {
                if std::mem::replace(&mut call.invited, true) {
                    self.figures.repeated += 1;
                    return Ok(());
                }
                call.callee = end;
                let contact = &self.plan.pairs[call.pair].contact;
                let tag = format!("t{number}");
                let answer = messages::response(request, "200 OK", &tag, Some(contact), &self.offer);
                let ringing = messages::response(request, "180 Ringing", &tag, Some(contact), "");
                ends.send(end, &ringing)?;
                if self.plan.ringing.is_zero() {
                    return ends.send(end, &answer);
                }
                call.answer = answer;
                self.to_answer.push_back((now + self.plan.ringing, number));
            }
            Some(Method::Ack) => {
                if std::mem::replace(&mut call.acknowledged, true) {
                    self.figures.repeated += 1;
                }
            }
            Some(Method::Bye) => {
                if std::mem::replace(&mut call.hung_up, true) {
                    self.figures.repeated += 1;
                    return Ok(());
                }
                self.figures.reordered += usize::from(!call.acknowledged);
                ends.send(end, &messages::response(request, "200 OK", "", None, ""))?;
            }
            method => self.figures.faults.note(|| format!("{method:?} at the callee")),
        }
        Ok(())
    }

    /// At a contact that rings in vain.
    fn at_other(&mut self, number: usize, end: usize, request: &Message, ends: &mut Ends) -> Outcome<()> {
        let call = &mut self.calls[number];
        let tag = format!("t{number}");
        match request.method() {
            Some(Method::Invite) => {
                let contact = String::from_utf8_lossy(request.request_uri()).into_owned();
                let refusal = messages::response(request, "487 Request Terminated", &tag, None, "");
                call.refusals.push((end, refusal));
                ends.send(end, &messages::response(request, "180 Ringing", &tag, Some(&contact), ""))?;
            }
            Some(Method::Cancel) => {
                ends.send(end, &messages::response(request, "200 OK", &tag, None, ""))?;
                match call.refusals.iter().position(|(of, _)| *of == end) {
                    Some(place) => {
                        let (_, refusal) = call.refusals.swap_remove(place);
                        self.figures.cancelled += 1;
                        ends.send(end, &refusal)?;
                    }
                    None => self.figures.repeated += 1,
                }
            }
            Some(Method::Ack) => {}
            method => self.figures.faults.note(|| format!("{method:?} at a callee that did not answer")),
        }
        Ok(())
    }

    fn at_caller(
        &mut self,
        now: Instant,
        number: usize,
        end: usize,
        response: &Message,
        ends: &mut Ends,
    ) -> Outcome<()> {
        let status = response.status().unwrap_or_default();
        let is_bye = matches!(response.cseq().map(|cseq| cseq.method), Ok(Method::Bye));
        self.check_response(number, end, response, status, is_bye);
        let call = &mut self.calls[number];
        let micros = call
            .sent
            .map(|sent| u32::try_from((now - sent).as_micros()).unwrap_or(u32::MAX))
            .unwrap_or_default();
        match (is_bye, status) {
            (false, 100) => self.figures.trying += 1,
            (false, 180) => {
                let forked = !self.plan.pairs[call.pair].others.is_empty();
                self.figures.reordered += usize::from(call.answered && !forked);
                if std::mem::replace(&mut call.rung, true) {
                    // Each branch of a fork may ring once.
                    self.figures.repeated += usize::from(self.plan.pairs[call.pair].others.is_empty());
                } else {
                    self.figures.ringing.push(micros);
                }
            }
            (false, 200) => {
                if std::mem::replace(&mut call.answered, true) {
                    self.figures.repeated += 1;
                    return Ok(());
                }
                self.figures.answered.push(micros);
                let caller = self.plan.pairs[call.pair].caller;
                let (parties, at) = (self.parties(number), ends.get(caller));
                let ack = messages::in_dialog("ACK", &parties, at, response);
                let bye = messages::in_dialog("BYE", &parties, at, response);
                ends.send(caller, &ack)?;
                if self.plan.talking.is_zero() {
                    return ends.send(caller, &bye);
                }
                self.calls[number].bye = bye;
                self.to_end.push_back((now + self.plan.talking, number));
            }
            (true, 200) => {
                if std::mem::replace(&mut call.ended, true) {
                    self.figures.repeated += 1;
                    return Ok(());
                }
                self.open -= 1;
                // A call whose 180 was swallowed is no whole call, nor one whose ACK was.
                self.figures.completed += usize::from(call.rung && call.acknowledged);
            }
            _ => {
                if !is_bye && status >= 300 && !std::mem::replace(&mut call.ended, true) {
                    self.open -= 1;
                }
            }
        }
        Ok(())
    }

    fn check_request(&mut self, number: usize, end: usize, request: &Message) {
        let call = &self.calls[number];
        let pair = &self.plan.pairs[call.pair];
        let method = request.method().unwrap_or(Method::Options);
        // What a server says for itself: CANCEL, and the ACK of a branch that lost. It has one Via.
        let end_to_end = method != Method::Cancel && !(method == Method::Ack && end != pair.callee);
        let sequence = request.cseq().is_ok_and(|cseq| {
            cseq.method == method && cseq.number == if method == Method::Bye { 2 } else { 1 }
        });
        let proxied = !self.plan.through_proxy
            || (pair.is_contact(end, request.request_uri())
                && request.header(HeaderName::Route).is_none()
                && (!end_to_end || request.header(HeaderName::MaxForwards) != Some(b"70"))
                && request.values(HeaderName::Via).count() > usize::from(end_to_end));
        let recorded = !self.plan.through_proxy
            || method != Method::Invite
            || request.header(HeaderName::RecordRoute).is_some();
        let body = if method == Method::Invite { self.offer.as_bytes() } else { b"" };
        let tagged =
            matches!(method, Method::Invite | Method::Cancel) || tag_is(request, HeaderName::To, 't', number);
        let right = [
            ("end", end == pair.callee || pair.others.iter().any(|(other, _)| *other == end)),
            ("CSeq", sequence),
            ("way", proxied),
            ("Record-Route", recorded),
            ("tags", tagged && tag_is(request, HeaderName::From, 'f', number)),
            ("body", request.body() == body),
            ("form", request.check().is_ok()),
        ];
        for (what, _) in right.iter().filter(|(_, right)| !right) {
            self.figures.faults.note(|| format!("wrong {what} at the callee: {}", text(request.as_bytes())));
        }
    }

    fn check_response(&mut self, number: usize, end: usize, response: &Message, status: u16, is_bye: bool) {
        let call = &self.calls[number];
        let expected = if is_bye { status == 200 } else { matches!(status, 100 | 180 | 200) };
        let sequence = response.cseq().is_ok_and(|cseq| {
            (cseq.method, cseq.number) == if is_bye { (Method::Bye, 2) } else { (Method::Invite, 1) }
        });
        let branch = messages::branch(number, self.run, if is_bye { 'b' } else { 'i' });
        let via = response.values(HeaderName::Via).count() == 1
            && response.top_via().is_ok_and(|via| via.branch() == Some(branch.as_bytes()));
        let body = if status == 200 && !is_bye { self.offer.as_bytes() } else { b"" };
        let tagged = status == 100 || tag_is(response, HeaderName::To, 't', number);
        let right = [
            ("status", expected),
            ("end", end == self.plan.pairs[call.pair].caller),
            ("CSeq", sequence),
            ("Via", via),
            ("tags", tagged && tag_is(response, HeaderName::From, 'f', number)),
            ("body", response.body() == body),
            ("form", response.check().is_ok()),
        ];
        for (what, _) in right.iter().filter(|(_, right)| !right) {
            self.figures.faults.note(|| format!("wrong {what} at the caller: {}", text(response.as_bytes())));
        }
    }
}

/// A user that is called by its contact only, or calls from outside.
pub(crate) fn outsider(name: &str) -> String {
    format!("{name}@{ELSEWHERE}")
}

fn pop_due(queue: &mut VecDeque<(Instant, usize)>, now: Instant) -> Option<usize> {
    let (at, number) = *queue.front()?;
    (at <= now).then(|| queue.pop_front().map(|_| number)).flatten()
}

/// Whether From or To ends in the tag that we gave it.
fn tag_is(message: &Message, name: HeaderName, kind: char, number: usize) -> bool {
    let value = message.header(name).unwrap_or_default();
    let tag = format!(";tag={kind}{number}");
    value.ends_with(tag.as_bytes())
}

fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    head.replace("\r\n", " | ")
}
