//! What the server answers itself (RFC 3261 §8.2.1, §11.2).

use sip::header::HeaderName;
use sip::{Instant, Method};

use crate::inbound::Job;
use crate::proxy::Proxy;
use crate::reply::Refusal;
use crate::validation::join;

impl Proxy {
    /// OPTIONS and whatever else is addressed to the server itself (RFC 3261 §11.2, §8.2.1).
    pub(crate) fn answer_ourselves(&mut self, now: Instant, job: &Job) {
        const ALLOW: &[u8] = b"REGISTER, OPTIONS, ACK, CANCEL";
        let request = &job.received;
        let required = join(request.values(HeaderName::Require));
        let method = request.method();
        if !required.is_empty() {
            let refusal = Refusal::new(420, "the request needs an extension that this server does not have");
            return self.refuse(now, job, &refusal.header(HeaderName::Unsupported, required));
        }
        match method {
            Some(Method::Options) => {
                let headers = [
                    (HeaderName::Allow, ALLOW.to_vec()),
                    (HeaderName::Supported, b"path, outbound, gruu".to_vec()),
                    (HeaderName::Accept, b"application/sdp".to_vec()),
                ];
                self.respond(now, job, 200, &headers);
            }
            Some(Method::Subscribe) if job.is_in_dialog() => self.resubscribe(now, job),
            Some(method) if !method.is_known() => {
                let refusal = Refusal::new(501, "the server does not know the method");
                self.refuse(now, job, &refusal.header(HeaderName::Allow, ALLOW));
            }
            _ => {
                let refusal = Refusal::new(405, "the server itself does not take such requests; name a user");
                self.refuse(now, job, &refusal.header(HeaderName::Allow, ALLOW));
            }
        }
    }
}
