//! CSeq numbers of dialogs into which this server has put requests of its own.
//!
//! A request in the name of a party takes the next number of that party (RFC 3261 §12.2.1.1), and the party, which
//! knows nothing of it, will use the same one; its receiver would answer 500 (§12.2.2). So from then on all new requests
//! of that direction get greater numbers where they leave, and their responses get the old ones back where they arrive.
//! What becomes of a number depends on nothing but the number: a retransmission, the ACK of an INVITE, its CANCEL
//! and the RAck of its PRACK (RFC 3262 §7.2) fit whatever was put in between. Dialogs in which nothing was inserted are
//! not touched.

use std::collections::HashMap;
use std::time::Duration;

use sip::{HeaderName, Instant, Message, Method};

use super::reading::tag;

/// So long after the end of its call a direction may still see retransmissions (RFC 3261 §17: 64 times T1, twice).
const LINGER: Duration = Duration::from_secs(64);
/// CSeq numbers stay below it (RFC 3261 §8.1.1.5).
const BEYOND: u32 = 1 << 31;

/// Inserted numbers that follow each other.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// The sender's own numbers from this one on give way to them.
    first: u32,
    count: u32,
}

/// The numbers of one direction of a dialog.
#[derive(Clone, Debug, Default)]
struct Numbers {
    runs: Vec<Run>,
}

impl Numbers {
    /// The number of a request of ours, where `used` is the greatest that the sender has used itself.
    fn insert(&mut self, used: Option<u32>) -> Option<u32> {
        let first = used.map_or(Some(0), |used| used.checked_add(1))?;
        let before: u32 = self.runs.iter().map(|run| run.count).sum();
        // Nobody is told 0, which some take for none.
        let count = if first == 0 && before == 0 { 2 } else { 1 };
        let number = first.checked_add(before)?.checked_add(count - 1).filter(|number| *number < BEYOND)?;
        match self.runs.last_mut() {
            Some(run) if run.first >= first => run.count += count,
            _ => self.runs.push(Run { first, count }),
        }
        Some(number)
    }

    /// What is sent instead of the sender's own number.
    fn onward(&self, own: u32) -> u32 {
        let before = self.runs.iter().take_while(|run| run.first <= own).map(|run| run.count);
        before.fold(own, u32::saturating_add)
    }

    /// The sender's own number for one that was sent. `None`: it is one of ours.
    fn back(&self, sent: u32) -> Option<u32> {
        let mut own = sent;
        for run in &self.runs {
            if own < run.first {
                break;
            }
            own = own.checked_sub(run.count).filter(|own| *own >= run.first)?;
        }
        Some(own)
    }
}

/// One direction of a dialog: who sends the requests, and to whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Direction {
    call_id: Vec<u8>,
    from: Vec<u8>,
    to: Vec<u8>,
}

impl Direction {
    /// That of a request, also of the one that a response answers. `None` outside of dialogs.
    pub(super) fn of(message: &Message) -> Option<Self> {
        let (from, to) = (tag(message.from()), tag(message.to()));
        let call_id = message.call_id().ok()?.to_vec();
        (!from.is_empty() && !to.is_empty()).then_some(Self { call_id, from, to })
    }

    /// From the party with this tag to the one with that.
    pub(super) fn between(call_id: &[u8], from: &[u8], to: &[u8]) -> Self {
        Self { call_id: call_id.to_vec(), from: from.to_vec(), to: to.to_vec() }
    }

    fn reverse(&self) -> Self {
        Self { call_id: self.call_id.clone(), from: self.to.clone(), to: self.from.clone() }
    }
}

#[derive(Debug, Default)]
struct Kept {
    numbers: Numbers,
    /// When the call ended.
    over: Option<Instant>,
}

/// The directions of dialogs into which requests were inserted.
#[derive(Debug, Default)]
pub(super) struct Inserted {
    directions: HashMap<Direction, Kept>,
}

impl Inserted {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.directions.is_empty()
    }

    /// A number for a request of ours, where `used` is the greatest that the sender has used itself.
    pub(super) fn insert(&mut self, direction: Direction, used: Option<u32>) -> Option<u32> {
        self.directions.entry(direction).or_default().numbers.insert(used)
    }

    /// Whether this is an inserted INFO, or a response to one, by its number. A request of the sender may have the same
    /// number until it leaves.
    pub(super) fn is_ours(&self, message: &Message) -> bool {
        let Ok(cseq) = message.cseq() else { return false };
        cseq.method == Method::Info
            && Direction::of(message)
                .and_then(|direction| self.directions.get(&direction))
                .is_some_and(|kept| kept.numbers.back(cseq.number).is_none())
    }

    /// A request of a party as its receiver must see it. `None`: as it is.
    pub(super) fn onward(&self, request: &Message) -> Option<Vec<u8>> {
        let direction = Direction::of(request)?;
        let numbers = |direction: &Direction| self.directions.get(direction).map(|kept| &kept.numbers);
        let (ahead, behind) = (numbers(&direction), numbers(&direction.reverse()));
        let mut edit = request.edit();
        if let Some(ahead) = ahead {
            let cseq = request.cseq().ok()?;
            edit.replace(HeaderName::CSeq, &renumbered(request, ahead.onward(cseq.number))?);
            if let Some(value) = request.header(HeaderName::RAck) {
                let acknowledged = sip::header::RAck::parse(value).ok()?;
                let number = ahead.onward(acknowledged.number);
                let value = format!("{} {number} ", acknowledged.response).into_bytes();
                edit.replace(HeaderName::RAck, &[&value, acknowledged.method.as_bytes()].concat());
            }
        }
        // RFC 3515 §2.4.6: an id is the CSeq number of the REFER, which the one who is notified has sent.
        let named = match request.method()? {
            Method::Notify => behind.and_then(|numbers| numbers.back(referred(request)?)),
            Method::Subscribe => ahead.and_then(|numbers| Some(numbers.onward(referred(request)?))),
            _ => None,
        };
        if let Some(number) = named {
            edit.replace(HeaderName::Event, format!("refer;id={number}").as_bytes());
        }
        if ahead.is_none() && named.is_none() {
            return None;
        }
        edit.finish().ok()
    }

    /// A response as the one who gets it must see it. `None`: as it is.
    pub(super) fn back(&self, response: &Message) -> Option<Vec<u8>> {
        let kept = self.directions.get(&Direction::of(response)?)?;
        let sent = response.cseq().ok()?.number;
        let own = kept.numbers.back(sent).filter(|own| *own != sent)?;
        let mut edit = response.edit();
        edit.replace(HeaderName::CSeq, &renumbered(response, own)?);
        edit.finish().ok()
    }

    /// The call with this Call-ID is over.
    pub(super) fn over(&mut self, now: Instant, call_id: &[u8]) {
        let of_call = self.directions.iter_mut().filter(|(direction, _)| direction.call_id == call_id);
        of_call.for_each(|(_, kept)| kept.over = kept.over.or(Some(now)));
    }

    /// Forgets what has been over for long.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.directions.retain(|_, kept| kept.over.is_none_or(|over| now.saturating_since(over) < LINGER));
    }
}

/// The CSeq of a message with another number.
fn renumbered(message: &Message, number: u32) -> Option<Vec<u8>> {
    let method = message.cseq().ok()?.method;
    Some([format!("{number} ").as_bytes(), method.as_bytes()].concat())
}

/// The number in an Event that names a REFER (`refer;id=7`).
fn referred(request: &Message) -> Option<u32> {
    let value = std::str::from_utf8(request.header(HeaderName::Event)?).ok()?;
    let (event, id) = value.split_once(';')?;
    let (name, number) = id.split_once('=')?;
    let named = event.trim().eq_ignore_ascii_case("refer") && name.trim().eq_ignore_ascii_case("id");
    number.trim().parse().ok().filter(|_| named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(start: &str, from: &str, to: &str, cseq: &str, more: &str) -> Message {
        let text = format!(
            "{start} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:x@example.com>;tag={from}\r\n\
             To: <sip:y@example.com>;tag={to}\r\nCall-ID: one\r\nCSeq: {cseq}\r\n{more}Content-Length: 0\r\n\r\n"
        );
        Message::parse(text.replace("SIP/2.0 200 OK SIP/2.0", "SIP/2.0 200 OK").as_bytes()).unwrap()
    }

    /// A request of b to a, or a response to one.
    fn of_b(start: &str, cseq: &str) -> Message {
        message(start, "b", "a", cseq, "")
    }

    fn header(bytes: Option<Vec<u8>>, name: HeaderName) -> Option<String> {
        let message = Message::parse(&bytes?).unwrap();
        Some(String::from_utf8(message.header(name)?.to_vec()).unwrap())
    }

    fn onward(inserted: &Inserted, cseq: &str) -> String {
        let start = format!("{} sip:a@x", cseq.split(' ').nth(1).unwrap());
        let sent = inserted.onward(&of_b(&start, cseq));
        header(sent, HeaderName::CSeq).unwrap_or_else(|| cseq.to_owned())
    }

    fn back(inserted: &Inserted, cseq: &str) -> String {
        header(inserted.back(&of_b("SIP/2.0 200 OK", cseq)), HeaderName::CSeq)
            .unwrap_or_else(|| cseq.to_owned())
    }

    /// After b has used the numbers up to 6, two requests were inserted.
    fn inserted() -> Inserted {
        let mut inserted = Inserted::default();
        let direction = || Direction::between(b"one", b"b", b"a");
        assert_eq!(inserted.insert(direction(), Some(6)), Some(7));
        assert_eq!(inserted.insert(direction(), Some(6)), Some(8));
        inserted
    }

    #[test]
    fn new_requests_get_greater_numbers_and_their_responses_the_old_ones() {
        let inserted = inserted();
        assert_eq!(onward(&inserted, "7 INVITE"), "9 INVITE");
        assert_eq!(onward(&inserted, "7 ACK"), "9 ACK");
        assert_eq!(onward(&inserted, "7 CANCEL"), "9 CANCEL");
        assert_eq!(onward(&inserted, "8 BYE"), "10 BYE");
        assert_eq!(back(&inserted, "9 INVITE"), "7 INVITE");
        assert_eq!(back(&inserted, "10 BYE"), "8 BYE");
    }

    #[test]
    fn what_was_sent_before_keeps_its_number() {
        let inserted = inserted();
        for cseq in ["6 INVITE", "6 ACK", "5 INFO"] {
            assert_eq!(onward(&inserted, cseq), cseq, "sent again");
            assert_eq!(back(&inserted, cseq), cseq);
        }
    }

    #[test]
    fn requests_inserted_later_leave_earlier_numbers_as_they_became() {
        let mut inserted = inserted();
        let direction = Direction::between(b"one", b"b", b"a");
        assert_eq!(inserted.insert(direction.clone(), Some(7)), Some(10));
        assert_eq!(inserted.insert(direction, Some(20)), Some(24));
        let sent = ["6 INVITE", "7 INVITE", "8 INVITE", "20 INVITE", "21 INVITE"];
        let became = sent.map(|cseq| onward(&inserted, cseq));
        assert_eq!(became, ["6 INVITE", "9 INVITE", "11 INVITE", "23 INVITE", "25 INVITE"]);
        assert_eq!(became.map(|cseq| back(&inserted, &cseq)), sent);
    }

    #[test]
    fn a_party_that_has_sent_nothing_may_begin_with_any_number() {
        let mut inserted = Inserted::default();
        assert_eq!(inserted.insert(Direction::between(b"one", b"b", b"a"), None), Some(1));
        assert_eq!(inserted.insert(Direction::between(b"one", b"b", b"a"), None), Some(2));
        for (own, sent) in [("0 BYE", "3 BYE"), ("1 BYE", "4 BYE"), ("4711 BYE", "4714 BYE")] {
            assert_eq!(onward(&inserted, own), sent);
            assert_eq!(back(&inserted, sent), own);
        }
    }

    #[test]
    fn responses_to_inserted_requests_are_known() {
        let inserted = inserted();
        for (cseq, ours) in
            [("6 INFO", false), ("7 INFO", true), ("8 INFO", true), ("9 INFO", false), ("8 BYE", false)]
        {
            assert_eq!(inserted.is_ours(&of_b("SIP/2.0 200 OK", cseq)), ours, "{cseq}");
        }
        assert!(!inserted.is_ours(&message("SIP/2.0 200 OK", "a", "b", "7 INFO", "")), "the other direction");
    }

    #[test]
    fn a_prack_acknowledges_the_number_that_its_invite_got() {
        let prack = message("PRACK sip:a@x", "b", "a", "8 PRACK", "RAck: 5 7 INVITE\r\n");
        assert_eq!(header(inserted().onward(&prack), HeaderName::RAck), Some("5 9 INVITE".to_owned()));
    }

    #[test]
    fn a_notify_names_its_refer_by_the_number_that_the_referrer_knows() {
        let notify =
            |event: &str| message("NOTIFY sip:b@x", "a", "b", "3 NOTIFY", &format!("Event: {event}\r\n"));
        let inserted = inserted();
        assert_eq!(
            header(inserted.onward(&notify("refer;id=9")), HeaderName::Event),
            Some("refer;id=7".to_owned())
        );
        assert_eq!(inserted.onward(&notify("refer")), None);
        assert_eq!(inserted.onward(&notify("presence;id=9")), None);
    }

    #[test]
    fn other_directions_and_dialogs_are_not_touched() {
        let inserted = inserted();
        assert_eq!(inserted.onward(&message("BYE sip:b@x", "a", "b", "9 BYE", "")), None);
        assert_eq!(inserted.onward(&message("BYE sip:a@x", "b", "c", "9 BYE", "")), None);
        assert_eq!(inserted.back(&message("SIP/2.0 200 OK", "a", "b", "9 BYE", "")), None);
    }

    #[test]
    fn numbers_are_remembered_until_the_last_retransmission_of_the_call() {
        let mut inserted = inserted();
        inserted.sweep(Instant::from_secs(10_000));
        inserted.over(Instant::from_secs(10_000), b"one");
        inserted.sweep(Instant::from_secs(10_063));
        assert_eq!(onward(&inserted, "7 BYE"), "9 BYE");
        inserted.sweep(Instant::from_secs(10_064));
        assert!(inserted.is_empty());
    }

    #[test]
    fn a_direction_whose_numbers_are_used_up_gets_no_request() {
        let mut inserted = Inserted::default();
        assert_eq!(inserted.insert(Direction::between(b"one", b"b", b"a"), Some(u32::MAX)), None);
        assert_eq!(inserted.insert(Direction::between(b"one", b"b", b"a"), Some(BEYOND - 1)), None);
        assert_eq!(onward(&inserted, "7 BYE"), "7 BYE");
    }
}
