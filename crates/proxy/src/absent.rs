//! Users of ours who have no binding: does the list of users know them?

use sip::{Instant, Method};

use crate::authorization::Sender;
use crate::inbound::Job;
use crate::output::Question;
use crate::proxy::{Proxy, Waiting};
use crate::registrar::address_of_record::unescape;
use crate::reply::Refusal;

/// The user of ours whom a request is for, or about.
#[derive(Clone, Debug)]
pub(crate) struct Callee {
    /// The user part.
    pub(crate) user: Vec<u8>,
    /// The address-of-record. A route may have led to another one than the Request-URI names.
    pub(crate) aor: Vec<u8>,
    /// The route that is looked at if there is no such user; 0 if none has led here.
    pub(crate) next_route: usize,
}

impl Callee {
    /// A user behind whom no route is looked at.
    pub(crate) fn new(user: &[u8], aor: &[u8]) -> Self {
        Self { user: user.to_vec(), aor: aor.to_vec(), next_route: 0 }
    }
}

impl Proxy {
    /// 404 or 480? Only the list of users knows.
    pub(crate) fn ask_whether_known(&mut self, job: Job, callee: Callee) {
        let user = String::from_utf8_lossy(&unescape(&callee.user)).into_owned();
        let question = Question::Credentials { user, realm: self.authenticator.realm().to_owned() };
        let id = self.outbox.ask(question);
        let job = Job { routes_passed: callee.next_route, ..job };
        self.waiting.insert(id, Waiting::Known { job, aor: callee.aor });
    }

    /// The list of users has said whether it knows the one who is called.
    pub(crate) fn known(&mut self, now: Instant, job: Job, aor: Vec<u8>, known: bool) {
        if !known && job.routes_passed > 0 {
            return self.decide(now, job);
        }
        if job.sender == Sender::Stranger {
            return self.nobody_for_strangers(now, &job);
        }
        let is_served = self.is_served(&job);
        let is_kept = self.may_leave_message(&job);
        let known = known || ((is_served || is_kept) && self.may_have_a_token(&job));
        if known && is_served {
            return self.serve_known(now, &job, aor);
        }
        if known && is_kept {
            return self.keep_message(now, job, aor);
        }
        let refusal = if known && matches!(job.received.method(), Some(Method::Subscribe)) {
            self.bad_event()
        } else if known {
            Refusal::new(480, "the user is not signed in anywhere")
        } else {
            Refusal::new(404, "there is no such user")
        };
        self.refuse(now, &job, &refusal);
    }

    /// Whether the one who is asked for may be a user all the same: who signs in with tokens is on no list. Users are
    /// believed that he is.
    fn may_have_a_token(&self, job: &Job) -> bool {
        self.config.authentication.tokens.is_some() && matches!(job.sender, Sender::Account(_))
    }
}
