//! What the proxy of one event loop tells those of the others.

use std::sync::Arc;

use sip::Instant;

use crate::notifier::Package;
use crate::proxy::Proxy;
use crate::registrar::binding::Registered;

/// Something that all proxies of a server must hear.
#[derive(Clone, Debug)]
pub struct News(pub(crate) Told);

#[derive(Clone, Debug)]
pub(crate) enum Told {
    /// A client is on another flow than before.
    Moved {
        /// Its user.
        aor: Vec<u8>,
        /// What it has registered, with the flow that it is on now.
        client: Arc<Registered>,
    },
    /// A user has a new contact, which joins the calls that ring there.
    Joined {
        /// Its user.
        aor: Vec<u8>,
        /// The contact.
        contact: Vec<u8>,
    },
    /// Something is new of a user whom somebody may watch.
    Changed {
        /// The user.
        aor: Vec<u8>,
        /// What it is about.
        package: Package,
    },
}

impl Proxy {
    /// Hears what another proxy of the same server shares.
    pub fn hear(&mut self, now: Instant, news: &News) {
        self.now = now;
        match &news.0 {
            Told::Moved { aor, client } => {
                self.follow(aor, client);
                self.subscribers_back(now, aor);
            }
            Told::Changed { aor, package } => self.tell_own_watchers(now, aor, *package),
            Told::Joined { aor, contact } => self.join_ringing(now, aor, contact),
        }
    }
}
