//! What strangers are not told, and strangers who are not heard (`scanners`).

use sip::{Flow, Instant};

use crate::authentication::Proof;
use crate::authorization::Sender;
use crate::event::Event;
use crate::inbound::Job;
use crate::proxy::Proxy;
use crate::reply::Refusal;

impl Proxy {
    /// Whether a request is looked at: not a stranger's from a banned address, nor one too many of a second. What
    /// belongs to a dialog that goes through us is heard from everywhere.
    pub(crate) fn is_heard(&self, now: Instant, job: &Job) -> bool {
        if job.sender != Sender::Stranger || job.onward.sealed || job.onward.destination.is_some() {
            return true;
        }
        // A provider is no scanner, though it does not count as trusted.
        if self.group_of(&job.flow).is_some() {
            return true;
        }
        let address = job.flow.remote.ip();
        let scanners = &self.common.0.scanners;
        !scanners.is_banned(now, address) && scanners.may_ask(&self.config.strangers, now, address)
    }

    /// No answer to a datagram: it would only tell that somebody is here, and its source may be forged. On a
    /// connection an answer costs nobody else anything, and somebody may sit there who has forgotten his password.
    pub(crate) fn leave_unheard(&mut self, now: Instant, job: &Job) {
        let Some(key) = job.key else { return };
        if job.flow.transport.is_reliable() {
            let why = "too much was tried from this address; try again later";
            self.refuse(now, job, &Refusal::new(403, why));
        } else {
            self.transactions.forget_request(key);
        }
    }

    /// Known or not, signed out or connected no more: a stranger hears one and the same, and it counts as a try.
    pub(crate) fn nobody_for_strangers(&mut self, now: Instant, job: &Job) {
        if self.group_of(&job.flow).is_none() {
            let banned = self.common.0.scanners.tried(&self.config.strangers, now, job.flow.remote.ip());
            self.tell_ban(banned, &job.flow, "they call users who are not there");
        }
        self.refuse(now, job, &Refusal::new(480, "nobody can be reached there"));
    }

    /// Credentials were looked at.
    pub(crate) fn note_proof(&mut self, now: Instant, flow: &Flow, proof: Proof) {
        let (scanners, limits) = (&self.common.0.scanners, &self.config.strangers);
        let address = flow.remote.ip();
        match proof {
            Proof::Right => scanners.proved(limits, now, address),
            Proof::Used => scanners.answered(address),
            Proof::Wrong => {
                scanners.answered(address);
                let banned = scanners.tried(limits, now, address);
                self.tell_ban(banned, flow, "they try passwords");
            }
        }
    }

    pub(crate) fn tell_ban(&mut self, banned: bool, flow: &Flow, why: &'static str) {
        if banned {
            let seconds = self.config.strangers.ban.as_secs();
            self.outbox.event(Event::Banned { source: flow.remote, seconds, why });
        }
    }
}
