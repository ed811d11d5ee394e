//! The server registers at a provider, as a user agent would (RFC 3261 §10.2): REGISTER with digest, refreshed in time.
//!
//! Its Contact has a user part of our own making, so that the provider's calls are known by whom they are for,
//! whatever address they come from.

use core::time::Duration;

use sip::digest::{Attempts, Client, Side, Verdict};
use sip::header::HeaderName;
use sip::{Hop, Instant, Message, Method};

use crate::event::Event;
use crate::forward::own_uri;
use crate::proxy::Proxy;

use super::choice::arranged;
use super::errands::{Aim, Brought, Draft, Errand};
use super::settings::{Account, Group};

/// RFC 5626 §4.5: the first wait after a failure, and the longest.
const FIRST_WAIT: u64 = 30;
const LONGEST_WAIT: u64 = 1800;
/// A provider that grants less is asked again no sooner than this, in seconds.
const SHORTEST: u32 = 10;
/// How often one registration follows a 423, or a challenge beyond the first ones.
const TRIES: u8 = 5;

/// The registration of one group's account.
#[derive(Debug)]
pub(super) struct Registration {
    client: Client,
    attempts: Attempts,
    call_id: String,
    tag: String,
    cseq: u32,
    /// When it begins anew.
    at: Instant,
    /// It is on its way.
    busy: bool,
    /// The hop that it goes to, or went to.
    hop: Option<Hop>,
    /// What a 423 asked for, in seconds.
    least: u32,
    /// Requests of this try.
    tries: u8,
    /// How often it failed since the last success.
    failures: u32,
    pub(super) registered: bool,
    /// The failure that was told.
    told: Option<u16>,
}

impl Registration {
    pub(super) fn new(account: &Account) -> Self {
        Self {
            client: client(account),
            attempts: Attempts::default(),
            call_id: String::new(),
            tag: String::new(),
            cseq: 0,
            at: Instant::ZERO,
            busy: false,
            hop: None,
            least: 0,
            tries: 0,
            failures: 0,
            registered: false,
            told: None,
        }
    }
}

impl Registration {
    /// What was under way is forgotten, and begun anew.
    pub(super) const fn interrupt(&mut self) {
        if self.busy {
            self.busy = false;
            self.at = Instant::ZERO;
        }
    }
}

/// Somebody who knows the account's password.
pub(super) fn client(account: &Account) -> Client {
    Client::with_password(account.login().as_bytes(), account.password.0.as_bytes())
}

impl Proxy {
    /// Registers where it is time. Says when the next one has its turn.
    pub(super) fn tend_registrations(&mut self, now: Instant) -> Instant {
        let mut next = Instant::NEVER;
        for group in 0..self.trunks.groups.len() {
            if !self.registers(group) {
                continue;
            }
            let Some(registration) = self.our_registration(group) else { continue };
            if registration.busy {
                continue;
            }
            if registration.at > now {
                next = next.min(registration.at);
                continue;
            }
            registration.busy = true;
            registration.tries = 0;
            registration.attempts = Attempts::default();
            let failures = registration.failures;
            let errand = Errand { generation: self.trunks.generation, group, aim: Aim::Registration };
            let Some(known) = self.trunks.groups.get(group) else { continue };
            let order = arranged(now, &known.group, &self.common.0.health, 0);
            // After a failure the next one has its turn.
            let place = usize::try_from(failures).unwrap_or(0) % order.len().max(1);
            if let Some(server) = order.get(place).map(|(_, server)| (*server).clone()) {
                self.set_out(now, errand, &server);
            }
        }
        // One that has failed at once has its turn later.
        let later = self.trunks.groups.iter().filter_map(|known| known.registration.as_ref());
        later.filter(|it| !it.busy && it.at > now).map(|it| it.at).min().unwrap_or(Instant::NEVER).min(next)
    }

    /// Whether the account of a group is registered by this event loop.
    fn registers(&self, group: usize) -> bool {
        let account = self.trunks.groups.get(group).and_then(|known| known.group.account.as_ref());
        account.filter(|account| account.register).is_some_and(|account| {
            let record = format!("{}@{}", account.user, account.domain);
            self.common.owner_of_record(record.as_bytes()) == self.trunks.place
        })
    }

    fn our_registration(&mut self, group: usize) -> Option<&mut Registration> {
        self.trunks.groups.get_mut(group)?.registration.as_mut()
    }

    pub(super) fn send_registration(&mut self, now: Instant, errand: Errand, hop: Hop) {
        let Some(group) = self.trunks.groups.get(errand.group).map(|known| known.group.clone()) else {
            return;
        };
        let Some(account) = &group.account else { return };
        let user = self.contact_user(&group);
        let contact = own_uri(&self.listeners.side_of_hop(&hop), Some(user.as_bytes()), None, false, &[]);
        let (call_id, tag) = (self.entropy.token(22), self.entropy.token(10));
        let Some(registration) = self.our_registration(errand.group) else { return };
        if registration.call_id.is_empty() {
            // RFC 3261 §10.2: one Call-ID for all registrations.
            registration.call_id = call_id;
            registration.tag = tag;
        }
        registration.cseq = registration.cseq.saturating_add(1);
        registration.tries = registration.tries.saturating_add(1);
        registration.hop = Some(hop.clone());
        let seconds = match errand.aim {
            Aim::Farewell => 0,
            _ => account.expires_seconds().max(registration.least),
        };
        let uri = format!("sip:{}", account.domain);
        let mut fields = vec![
            (HeaderName::Contact, [contact.as_slice(), format!(";expires={seconds}").as_bytes()].concat()),
            (HeaderName::Expires, seconds.to_string().into_bytes()),
        ];
        for (side, value) in
            registration.client.authorize(b"REGISTER", uri.as_bytes(), b"").unwrap_or_default()
        {
            fields.push((side.credentials(), value));
        }
        let (call_id, cseq) = (registration.call_id.clone(), registration.cseq);
        let from = format!("<{}>;tag={}", account.uri(), registration.tag);
        let draft = Draft {
            method: Method::Register,
            uri: &uri,
            from: &from,
            to: &format!("<{}>", account.uri()),
            call_id: &call_id,
            cseq,
            fields: &fields,
        };
        if self.send_own(now, errand, hop, &draft).is_none() && errand.aim == Aim::Registration {
            self.registration_returned(now, errand, &Brought::Nothing(500));
        }
    }

    /// What a REGISTER has brought.
    pub(super) fn registration_returned(&mut self, now: Instant, errand: Errand, brought: &Brought<'_>) {
        let status = match brought {
            Brought::Response(response) => response.status().unwrap_or(500),
            Brought::Nothing(status) => *status,
        };
        match (brought, status) {
            (Brought::Response(response), 200..=299) => self.registration_granted(now, errand, response),
            (Brought::Response(response), 401 | 407 | 423) => {
                let hop =
                    self.our_registration(errand.group).and_then(|registration| registration.hop.clone());
                let again = self.may_register_again(errand.group, status, response);
                match hop.filter(|_| again) {
                    Some(hop) => self.send_registration(now, errand, hop),
                    None => self.registration_failed(now, errand, status, None),
                }
            }
            (Brought::Response(response), _) => {
                let wait = response.header(HeaderName::RetryAfter);
                let wait = wait.and_then(|value| sip::header::leading_number(value).ok());
                self.registration_failed(now, errand, status, wait.map(u64::from));
            }
            (Brought::Nothing(_), _) => self.registration_failed(now, errand, status, None),
        }
    }

    /// Whether a challenge can be answered, or a longer time asked for.
    fn may_register_again(&mut self, group: usize, status: u16, response: &Message) -> bool {
        let Some(known) = self.trunks.groups.get_mut(group) else { return false };
        let Some(registration) = known.registration.as_mut() else { return false };
        if registration.tries > TRIES {
            return false;
        }
        if status == 423 {
            let least = response.number(HeaderName::MinExpires).ok().flatten().unwrap_or(0);
            let asked = known.group.account.as_ref().map_or(0, Account::expires_seconds);
            let more = least > asked.max(registration.least);
            registration.least = registration.least.max(least);
            return more;
        }
        let verdict = registration.client.challenged(
            challenges(response),
            &mut registration.attempts,
            &mut *self.entropy,
        );
        verdict == Verdict::Retry
    }

    fn registration_granted(&mut self, now: Instant, errand: Errand, response: &Message) {
        let Some(group) = self.trunks.groups.get(errand.group).map(|known| known.group.clone()) else {
            return;
        };
        let Some(account) = &group.account else { return };
        let name = self.contact_user(&group);
        let ours = response.contacts().filter_map(Result::ok).find(|contact| {
            contact.uri().is_some_and(|uri| uri.is_ok_and(|uri| uri.user() == Some(name.as_bytes())))
        });
        let of_header = response.number(HeaderName::Expires).ok().flatten();
        let Some(registration) = self.our_registration(errand.group) else { return };
        let asked = account.expires_seconds().max(registration.least);
        let granted = ours.and_then(|contact| contact.expires()).or(of_header).unwrap_or(asked).max(SHORTEST);
        // Early enough for another try, and not all providers at the same time of the hour.
        let refresh = if granted > 60 { granted - granted / 4 } else { granted.saturating_sub(5).max(5) };
        registration.busy = false;
        registration.failures = 0;
        registration.told = None;
        registration.at = now + Duration::from_secs(u64::from(refresh));
        let first = !core::mem::replace(&mut registration.registered, true);
        let at = registration.at;
        self.due_at(at);
        if first {
            let (group, account) = (group.name.clone(), account.uri());
            self.outbox.event(Event::TrunkRegistered { group, account, expires: granted });
        }
    }

    fn registration_failed(&mut self, now: Instant, errand: Errand, status: u16, wait: Option<u64>) {
        let lot = self.entropy.number();
        let Some(group) = self.trunks.groups.get(errand.group).map(|known| known.group.clone()) else {
            return;
        };
        let Some(account) = &group.account else { return };
        let Some(registration) = self.our_registration(errand.group) else { return };
        registration.failures = registration.failures.saturating_add(1);
        let servers = u32::try_from(group.servers.len()).unwrap_or(u32::MAX).max(1);
        // A password that is wrong at one server is so at the next.
        let silent = matches!(status, 404 | 408 | 500..=599);
        let round = registration.failures / servers;
        let others = silent && !registration.failures.is_multiple_of(servers);
        let wait = match wait {
            _ if others => 0,
            Some(seconds) => seconds.clamp(1, LONGEST_WAIT),
            None => {
                let longest =
                    FIRST_WAIT.saturating_mul(1 << round.saturating_sub(1).min(10)).min(LONGEST_WAIT);
                longest / 2 + lot % (longest / 2 + 1)
            }
        };
        registration.busy = false;
        registration.at = now + Duration::from_secs(wait).max(Duration::from_millis(1));
        let at = registration.at;
        let tells = !others && registration.told != Some(status);
        if tells {
            registration.told = Some(status);
            registration.registered = false;
        }
        self.due_at(at);
        if tells {
            let (group, account) = (group.name.clone(), account.uri());
            self.outbox.event(Event::TrunkNotRegistered { group, account, status, again: wait });
        }
    }

    /// Tells the provider that a registration is over. What it answers counts for nothing.
    pub(super) fn say_farewell(&mut self, now: Instant, group: usize) {
        let Some(registration) = self.our_registration(group).filter(|registration| registration.registered)
        else {
            return;
        };
        registration.registered = false;
        if let Some(hop) = registration.hop.clone() {
            let errand = Errand { generation: self.trunks.generation, group, aim: Aim::Farewell };
            self.send_registration(now, errand, hop);
        }
    }

    /// The user part of our Contact at a provider: small letters and digits that nobody can guess.
    pub(super) fn contact_user(&self, group: &Group) -> String {
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let code = self.key.sign(b"contact at a provider", &[group.name.as_bytes()]);
        let letter = |octet: &u8| char::from(ALPHABET.get(usize::from(octet % 32)).copied().unwrap_or(b'a'));
        code.iter().take(20).map(letter).collect()
    }

    /// The group whose registration a user part belongs to.
    pub(super) fn group_of_contact(&self, user: &[u8]) -> Option<&std::sync::Arc<Group>> {
        let registers = |group: &Group| group.account.as_ref().is_some_and(|account| account.register);
        let known = self.trunks.groups.iter().filter(|known| registers(&known.group));
        let mut groups = known.map(|known| &known.group);
        groups.find(|group| self.contact_user(group).as_bytes() == user)
    }
}

/// The challenges of a response, each with the side that it comes from.
pub(super) fn challenges(response: &Message) -> impl Iterator<Item = (Side, &[u8])> {
    let users = response.headers(HeaderName::WwwAuthenticate).map(|value| (Side::User, value));
    users.chain(response.headers(HeaderName::ProxyAuthenticate).map(|value| (Side::Proxy, value)))
}
