//! Which phones are offered SRTP, whose keys are taken, and what is offered to one that has refused.
//!
//! Keys in a description protect nothing where the description can be read on its way. So they are exchanged with
//! phones whose signalling is encrypted, unless the configuration says otherwise: such a phone is offered SRTP first.
//! Phones differ, though: some refuse SRTP and others refuse anything else. One that refuses the first offer gets the
//! other one within the same call, and what a contact took or offered itself is remembered for the next.

use core::time::Duration;
use std::collections::{HashMap, VecDeque};

use media::{MediaClass, PhoneKeying, SdesSuite};
use sdp::{Description, Profile};
use sip::{HeaderName, Instant, Message, Method, NameAddress, Transport, Via};

use super::reading::description;

/// The most contacts that are remembered.
const MOST_CONTACTS: usize = 10_000;
/// The most INVITEs that are remembered until they are answered.
const MOST_ATTEMPTS: usize = 20_000;
/// Longer than an INVITE may ring.
const PATIENCE: Duration = Duration::from_secs(300);

/// Where SRTP keys may stand in descriptions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sdes {
    /// Where the signalling is encrypted.
    #[default]
    Encrypted,
    /// Everywhere: somebody vouches for the network.
    Anywhere,
    /// Nowhere.
    Nowhere,
}

impl Sdes {
    const fn allows(self, transport: Transport) -> bool {
        match self {
            Self::Encrypted => transport.is_secure(),
            Self::Anywhere => true,
            Self::Nowhere => false,
        }
    }
}

/// What a contact takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taste {
    /// RTP in clear.
    Clear,
    /// SRTP and nothing else.
    Srtp,
    /// Either: it writes keys on a profile without (RFC 8643).
    Either,
}

impl Taste {
    /// What to try when this was refused.
    const fn other(self) -> Self {
        match self {
            Self::Srtp => Self::Clear,
            Self::Clear | Self::Either => Self::Srtp,
        }
    }
}

/// An INVITE on its way to a phone.
#[derive(Debug)]
struct Attempt {
    contact: Vec<u8>,
    offered: Taste,
    /// Keys might have been offered.
    allowed: bool,
    is_second: bool,
    begun: Instant,
}

/// What is known of phones and SRTP.
#[derive(Debug)]
pub(crate) struct Keying {
    policy: Sdes,
    suites: Vec<SdesSuite>,
    tastes: HashMap<Vec<u8>, Taste>,
    /// The contacts of `tastes`, the one that was learnt first in front.
    learnt: VecDeque<Vec<u8>>,
    /// By the branch of our Via.
    attempts: HashMap<Vec<u8>, Attempt>,
    /// The contact whose second attempt is about to leave.
    again: Option<Vec<u8>>,
}

impl Keying {
    pub(crate) fn new(policy: Sdes, suites: &[SdesSuite]) -> Self {
        Self {
            policy: if suites.is_empty() { Sdes::Nowhere } else { policy },
            suites: suites.to_vec(),
            tastes: HashMap::new(),
            learnt: VecDeque::new(),
            attempts: HashMap::new(),
            again: None,
        }
    }

    /// The keying of a branch that begins with this request, which leaves for a hop of this transport.
    pub(crate) fn of_request(&mut self, now: Instant, request: &Message, to: Transport) -> PhoneKeying {
        let opens = request.method() == Some(Method::Invite) && is_outside(request);
        if to.is_websocket() {
            let Some(from) = transport_before(request) else { return PhoneKeying::Clear };
            if opens && self.policy.allows(from) {
                self.learn_from_offer(request);
            }
            return self.of_writer(from);
        }
        if opens { self.invite(now, request, to) } else { PhoneKeying::Clear }
    }

    /// The keying of a branch that begins with a description of a device whose signalling comes by this transport.
    pub(crate) fn of_writer(&self, from: Transport) -> PhoneKeying {
        let allowed = self.policy.allows(from) && !from.is_websocket();
        if allowed { PhoneKeying::Accepted(self.suites.clone()) } else { PhoneKeying::Clear }
    }

    /// The keying of a branch that begins with the offer in a response, which came by this transport.
    pub(crate) fn of_response(&self, response: &Message, from: Transport) -> PhoneKeying {
        let caller = transport_before(response).filter(|caller| !caller.is_websocket());
        match caller {
            // Nothing is known of the caller, who has offered nothing: it may take the keys or leave them.
            Some(caller) if from.is_websocket() && self.policy.allows(caller) => {
                PhoneKeying::Invited(self.suites.clone())
            }
            _ => self.of_writer(from),
        }
    }

    fn invite(&mut self, now: Instant, request: &Message, to: Transport) -> PhoneKeying {
        let contact = request.request_uri().to_vec();
        let allowed = self.policy.allows(to);
        let first = if to.is_secure() { Taste::Srtp } else { Taste::Clear };
        let offered = self.tastes.get(&contact).copied().filter(|_| allowed);
        let offered = offered.unwrap_or(if allowed { first } else { Taste::Clear });
        let is_second = self.again.take_if(|again| *again == contact).is_some();
        let branch = request.top_via().ok().and_then(|via| via.branch());
        if let Some(branch) = branch.filter(|_| self.attempts.len() < MOST_ATTEMPTS) {
            let attempt = Attempt { contact, offered, allowed, is_second, begun: now };
            self.attempts.insert(branch.to_vec(), attempt);
        }
        let suites = self.suites.clone();
        match offered {
            _ if !allowed => PhoneKeying::Clear,
            Taste::Clear => PhoneKeying::Accepted(suites),
            Taste::Srtp => PhoneKeying::Demanded(suites),
            Taste::Either => PhoneKeying::Invited(suites),
        }
    }

    /// Whether a message that has arrived refuses the media of an INVITE that may be tried in another way. Then the
    /// next INVITE to that contact is the second attempt.
    pub(crate) fn wants_second_attempt(&mut self, bytes: &[u8]) -> bool {
        if self.attempts.is_empty() || !is_refusal_of_media(bytes) {
            return false;
        }
        let Ok(response) = Message::parse(bytes) else { return false };
        let Some(attempt) = branch(&response).and_then(|branch| self.attempts.get(branch)) else {
            return false;
        };
        let (contact, other) = (attempt.contact.clone(), attempt.offered.other());
        if !attempt.allowed {
            return false;
        }
        if attempt.is_second {
            // Neither is to its taste: what was learnt was wrong.
            self.tastes.remove(&contact);
            return false;
        }
        self.learn(contact.clone(), other);
        self.again = Some(contact);
        true
    }

    /// A response has arrived. True when it refuses RTP in clear where keys were not to be offered.
    pub(crate) fn response(&mut self, response: &Message) -> bool {
        // A second attempt has left by now, or never will.
        self.again = None;
        if self.attempts.is_empty() || response.status().is_none_or(|status| status < 200) {
            return false;
        }
        let Some(attempt) = branch(response).and_then(|branch| self.attempts.remove(branch)) else {
            return false;
        };
        !attempt.allowed && self.policy != Sdes::Nowhere && is_refusal_of_media(response.as_bytes())
    }

    /// The answer to this offer of ours is of no use: the next offer is another.
    pub(crate) fn unusable(&mut self, response: &Message) {
        let attempt = branch(response).and_then(|branch| self.attempts.get(branch));
        if let Some(attempt) = attempt.filter(|attempt| attempt.allowed) {
            let (contact, other) = (attempt.contact.clone(), attempt.offered.other());
            self.learn(contact, other);
        }
    }

    /// An INVITE that nobody answered is over.
    pub(crate) fn sweep(&mut self, now: Instant) {
        self.attempts.retain(|_, attempt| now <= attempt.begun + PATIENCE);
    }

    /// What a phone offers itself it also takes.
    fn learn_from_offer(&mut self, request: &Message) {
        let contact = request.header(HeaderName::Contact).and_then(|value| NameAddress::parse(value).ok());
        let Some(contact) = contact.map(|contact| contact.uri_bytes().to_vec()) else { return };
        let Some(Ok(description)) = description(request).map(Description::parse) else { return };
        let secured = description.media().any(|section| section.profile() == Profile::Sdes);
        let taste = match MediaClass::of(&description) {
            Some(MediaClass::Sdes) if secured => Taste::Srtp,
            Some(MediaClass::Sdes) => Taste::Either,
            Some(MediaClass::Plain) => Taste::Clear,
            _ => return,
        };
        self.learn(contact, taste);
    }

    fn learn(&mut self, contact: Vec<u8>, taste: Taste) {
        if self.tastes.insert(contact.clone(), taste).is_some() {
            return;
        }
        self.learnt.push_back(contact);
        if self.learnt.len() > MOST_CONTACTS
            && let Some(oldest) = self.learnt.pop_front()
        {
            self.tastes.remove(&oldest);
        }
    }
}

/// 415, 488 and 606 say that the description is not to somebody's taste (RFC 3261 §21).
fn is_refusal_of_media(bytes: &[u8]) -> bool {
    [b"SIP/2.0 415".as_slice(), b"SIP/2.0 488", b"SIP/2.0 606"].iter().any(|start| bytes.starts_with(start))
}

fn branch(message: &Message) -> Option<&[u8]> {
    message.top_via().ok()?.branch()
}

fn is_outside(request: &Message) -> bool {
    request.to().is_ok_and(|to| to.tag().is_none())
}

/// The transport by which a request came to us, or its response goes back: that of the Via below ours.
fn transport_before(request: &Message) -> Option<Transport> {
    Via::parse(request.values(HeaderName::Via).nth(1)?).ok()?.transport()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUITES: [SdesSuite; 1] = [SdesSuite::AesCm128HmacSha1_80];

    fn message(start: &str, branch: &str, from: &str, body: &str) -> Message {
        let text = format!(
            "{start}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch={branch}\r\nVia: SIP/2.0/{from} 192.0.2.9;branch=z9hG4bKx\r\n\
             From: <sip:x@example.com>;tag=a\r\nTo: <sip:y@example.com>\r\nCall-ID: one\r\nCSeq: 1 INVITE\r\n\
             Contact: <sip:bob@192.0.2.9>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Message::parse(text.as_bytes()).unwrap()
    }

    fn invite(keying: &mut Keying, branch: &str, to: Transport) -> PhoneKeying {
        let request = message("INVITE sip:bob@192.0.2.9 SIP/2.0", branch, "WSS", "");
        keying.of_request(Instant::ZERO, &request, to)
    }

    fn refused(keying: &mut Keying, branch: &str, status: &str) -> bool {
        let response = message(&format!("SIP/2.0 {status}"), branch, "WSS", "");
        let again = keying.wants_second_attempt(response.as_bytes());
        if !again {
            keying.response(&response);
        }
        again
    }

    fn demanded() -> PhoneKeying {
        PhoneKeying::Demanded(SUITES.to_vec())
    }

    fn clear() -> PhoneKeying {
        PhoneKeying::Accepted(SUITES.to_vec())
    }

    #[test]
    fn a_phone_on_tls_is_offered_srtp_and_no_other() {
        let mut keying = Keying::new(Sdes::Encrypted, &SUITES);
        assert_eq!(invite(&mut keying, "z1", Transport::Tls), demanded());
        assert_eq!(invite(&mut keying, "z2", Transport::Udp), PhoneKeying::Clear);
        assert_eq!(invite(&mut keying, "z3", Transport::Tcp), PhoneKeying::Clear);
    }

    #[test]
    fn a_phone_that_refuses_srtp_is_offered_rtp_at_once_and_from_then_on() {
        for status in ["488 Not Acceptable Here", "415 Unsupported Media Type", "606 Not Acceptable"] {
            let mut keying = Keying::new(Sdes::Encrypted, &SUITES);
            invite(&mut keying, "z1", Transport::Tls);
            assert!(refused(&mut keying, "z1", status));
            assert_eq!(invite(&mut keying, "z2", Transport::Tls), clear(), "{status}");
            keying.response(&message("SIP/2.0 200 OK", "z2", "WSS", ""));
            assert_eq!(invite(&mut keying, "z3", Transport::Tls), clear(), "{status}");
        }
    }

    #[test]
    fn a_phone_that_refuses_rtp_is_offered_srtp_where_keys_may_be_read() {
        let mut keying = Keying::new(Sdes::Anywhere, &SUITES);
        assert_eq!(invite(&mut keying, "z1", Transport::Udp), clear());
        assert!(refused(&mut keying, "z1", "488 No"));
        assert_eq!(invite(&mut keying, "z2", Transport::Udp), demanded());
    }

    #[test]
    fn a_phone_that_refuses_both_is_not_asked_a_third_time_and_next_time_anew() {
        let mut keying = Keying::new(Sdes::Encrypted, &SUITES);
        invite(&mut keying, "z1", Transport::Tls);
        assert!(refused(&mut keying, "z1", "488 No"));
        invite(&mut keying, "z2", Transport::Tls);
        assert!(!refused(&mut keying, "z2", "488 No"));
        assert_eq!(invite(&mut keying, "z3", Transport::Tls), demanded());
    }

    #[test]
    fn another_refusal_says_nothing_of_media() {
        let mut keying = Keying::new(Sdes::Encrypted, &SUITES);
        invite(&mut keying, "z1", Transport::Tls);
        assert!(!refused(&mut keying, "z1", "486 Busy Here"));
        assert!(!refused(&mut keying, "z1", "488 No"), "it is over");
    }

    #[test]
    fn a_phone_that_refuses_rtp_where_keys_would_be_read_is_explained() {
        let mut keying = Keying::new(Sdes::Encrypted, &SUITES);
        invite(&mut keying, "z1", Transport::Udp);
        let refusal = message("SIP/2.0 488 No", "z1", "WSS", "");
        assert!(!keying.wants_second_attempt(refusal.as_bytes()));
        assert!(keying.response(&refusal));
        assert!(!keying.response(&refusal), "once");
    }

    #[test]
    fn what_a_phone_offers_it_is_offered_too() {
        let section = |protocol: &str, keys: &str| {
            format!(
                "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 {protocol} 0\r\n{keys}"
            )
        };
        let crypto = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA\r\n";
        for (protocol, keys, expected) in [
            ("RTP/SAVP", crypto, demanded()),
            ("RTP/AVP", crypto, PhoneKeying::Invited(SUITES.to_vec())),
            ("RTP/AVP", "", clear()),
        ] {
            let mut keying = Keying::new(Sdes::Encrypted, &SUITES);
            let request =
                message("INVITE sip:alice@example.com SIP/2.0", "z1", "TLS", &section(protocol, keys));
            assert_eq!(keying.of_request(Instant::ZERO, &request, Transport::Wss), clear());
            assert_eq!(invite(&mut keying, "z2", Transport::Tls), expected, "{protocol} {keys}");
        }
    }

    #[test]
    fn a_caller_who_leaves_the_offer_to_a_page_may_take_keys_where_they_may_be_sent() {
        let keying = Keying::new(Sdes::Encrypted, &SUITES);
        let response = |from| message("SIP/2.0 200 OK", "z1", from, "");
        assert_eq!(
            keying.of_response(&response("TLS"), Transport::Wss),
            PhoneKeying::Invited(SUITES.to_vec())
        );
        assert_eq!(keying.of_response(&response("UDP"), Transport::Wss), PhoneKeying::Clear);
        assert_eq!(keying.of_response(&response("WSS"), Transport::Tls), clear());
    }

    #[test]
    fn keys_that_came_in_clear_are_not_taken() {
        let mut keying = Keying::new(Sdes::Encrypted, &SUITES);
        let request = message("INVITE sip:alice@example.com SIP/2.0", "z1", "UDP", "");
        assert_eq!(keying.of_request(Instant::ZERO, &request, Transport::Wss), PhoneKeying::Clear);
        let mut keying = Keying::new(Sdes::Anywhere, &SUITES);
        assert_eq!(keying.of_request(Instant::ZERO, &request, Transport::Wss), clear());
        let mut keying = Keying::new(Sdes::Nowhere, &SUITES);
        assert_eq!(invite(&mut keying, "z1", Transport::Tls), PhoneKeying::Clear);
    }

    #[test]
    fn no_more_than_so_many_contacts_are_remembered() {
        let mut keying = Keying::new(Sdes::Encrypted, &SUITES);
        for number in 0..MOST_CONTACTS + 10 {
            keying.learn(number.to_string().into_bytes(), Taste::Clear);
        }
        assert_eq!((keying.tastes.len(), keying.learnt.len()), (MOST_CONTACTS, MOST_CONTACTS));
    }

    #[test]
    fn what_nobody_answers_is_forgotten() {
        let mut keying = Keying::new(Sdes::Encrypted, &SUITES);
        invite(&mut keying, "z1", Transport::Tls);
        keying.sweep(Instant::ZERO + PATIENCE);
        assert_eq!(keying.attempts.len(), 1);
        keying.sweep(Instant::ZERO + PATIENCE + Duration::from_secs(1));
        assert!(keying.attempts.is_empty());
    }
}
