//! Users of ours who have no binding: does the list of users know them?

use sip::{Instant, Method};

use crate::inbound::Job;
use crate::output::Question;
use crate::proxy::{Proxy, Waiting};
use crate::registrar::address_of_record::unescape;
use crate::reply::Refusal;

impl Proxy {
    /// 404 or 480? Only the list of users knows.
    pub(crate) fn ask_whether_known(&mut self, job: Job, user: &[u8]) {
        let user = String::from_utf8_lossy(&unescape(user)).into_owned();
        let question = Question::Credentials { user, realm: self.authenticator.realm().to_owned() };
        let id = self.outbox.ask(question);
        self.waiting.insert(id, Waiting::Known { job });
    }

    /// The list of users has said whether it knows the one who is called.
    pub(crate) fn known(&mut self, now: Instant, job: Job, known: bool) {
        if !known && job.routes_passed > 0 {
            return self.decide(now, job);
        }
        if known && let Some(aor) = self.served_user(&job) {
            return self.serve_known(now, &job, aor);
        }
        if known && let Some(aor) = self.inbox(&job) {
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
}
