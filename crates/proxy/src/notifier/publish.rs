//! PUBLISH: a user says himself whether he is there (RFC 3903 §6).

use core::time::Duration;

use sip::Instant;
use sip::header::HeaderName;
use sip::text::decimal;

use super::package::Package;
use super::presence::PIDF;
use super::publications::{Unpublished, Wanted};
use crate::inbound::Job;
use crate::proxy::Proxy;
use crate::reply::Refusal;

/// The largest document that is taken, in octets.
const LARGEST: usize = 8192;

impl Proxy {
    pub(super) fn publish(&mut self, now: Instant, job: &Job, aor: &[u8]) -> Result<(), Refusal> {
        let request = &job.received;
        let seconds = self.granted(now, job)?;
        let replaces = request.header(HeaderName::SipIfMatch);
        let document = request.body();
        if document.is_empty() && replaces.is_none() && seconds > 0 {
            return Err(Refusal::new(400, "a first PUBLISH needs a document"));
        }
        if document.len() > LARGEST {
            return Err(Refusal::new(413, "the document is larger than the server takes"));
        }
        let kind = request.header(HeaderName::ContentType).unwrap_or_default();
        let kind = kind.split(|octet| *octet == b';').next().unwrap_or_default().trim_ascii();
        if !document.is_empty() && !kind.eq_ignore_ascii_case(PIDF.as_bytes()) {
            let refusal = Refusal::new(415, "presence is published as a PIDF document");
            return Err(refusal.header(HeaderName::Accept, PIDF.as_bytes()));
        }
        let tag = self.entropy.token(16);
        let until = now + Duration::from_secs(u64::from(seconds));
        let wanted = Wanted { replaces, tag: tag.as_bytes(), document, until };
        let most = self.config.events.subscriptions;
        let review =
            self.common.0.publications.publish(now, aor, &wanted, most).map_err(|why| match why {
                Unpublished::NoSuchTag => Refusal::new(412, "nothing was published under this tag"),
                Unpublished::Full => self.overloaded("as much is published as there may be"),
            })?;
        if let Some(at) = review {
            self.notifier.reviews.note(at, aor);
        }
        let headers = [
            (HeaderName::SipETag, tag.into_bytes()),
            (HeaderName::Expires, decimal(u64::from(seconds)).as_bytes().to_vec()),
        ];
        self.respond(now, job, 200, &headers);
        self.tell_watchers(now, aor, Package::Presence);
        Ok(())
    }
}
