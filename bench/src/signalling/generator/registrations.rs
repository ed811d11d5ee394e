//! Registrations, each of a user of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sip::digest::{Attempts, Client, Side, Verdict};
use sip::{HeaderName, Message, SeededEntropy};

use super::ends::{Ends, Work};
use super::faults::Faults;
use super::messages::{self, DOMAIN};
use super::pace::Pace;
use crate::Outcome;

/// The password of every user.
pub(crate) const PASSWORD: &str = "correct horse";

/// The name of a user.
pub(crate) fn user_name(number: usize) -> String {
    format!("u{number}")
}

/// How a registration goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Without credentials first; the challenge is answered: two requests.
    Challenged,
    /// With credentials for a nonce that is known: one request.
    Refreshed,
    /// As [`Manner::Challenged`], on a WebSocket that is opened just before: pages that come back after their server
    /// was away.
    Arriving,
}

/// A user at an end.
pub(crate) struct User {
    name: String,
    end: usize,
    client: Client,
    attempts: Attempts,
    sequence: u32,
    sent: Option<Instant>,
}

/// What came of all registrations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) begun: usize,
    pub(crate) completed: usize,
    pub(crate) faults: Faults,
    /// Microseconds from the first REGISTER to the 200.
    pub(crate) times: Vec<u32>,
    pub(crate) late: Duration,
}

/// Registrations at a pace.
pub(crate) struct Registrations {
    users: Vec<User>,
    /// Where WebSockets are opened for those who arrive.
    opens: Option<(SocketAddr, Option<Arc<rustls::ClientConfig>>)>,
    run: u32,
    manner: Manner,
    pace: Pace,
    open: usize,
    entropy: SeededEntropy,
    /// What came of them.
    pub(crate) figures: Figures,
}

impl Registrations {
    /// One user for each of `ends`: `u0`, `u1` and so on.
    pub(crate) fn new(ends: impl IntoIterator<Item = usize>, run: u32) -> Self {
        Self::of(ends.into_iter().enumerate().map(|(number, end)| (user_name(number), end)), run)
    }

    /// So many users whose pages are not connected yet.
    pub(crate) fn away(
        users: usize,
        run: u32,
        server: SocketAddr,
        tls: Option<Arc<rustls::ClientConfig>>,
    ) -> Self {
        Self { opens: Some((server, tls)), ..Self::new(vec![0; users], run) }
    }

    /// These users at these ends.
    pub(crate) fn of(users: impl IntoIterator<Item = (String, usize)>, run: u32) -> Self {
        let users = users.into_iter().map(|(name, end)| {
            let client = Client::with_password(name.as_bytes(), PASSWORD.as_bytes());
            User { name, end, client, attempts: Attempts::default(), sequence: 0, sent: None }
        });
        Self {
            users: users.collect(),
            opens: None,
            run,
            manner: Manner::Challenged,
            pace: Pace::new(1, 0),
            open: 0,
            entropy: SeededEntropy::new(u64::from(run)),
            figures: Figures::default(),
        }
    }

    /// How many users there are.
    pub(crate) const fn users(&self) -> usize {
        self.users.len()
    }

    /// The next so many registrations, the users in turn, begin now.
    pub(crate) fn begin(&mut self, manner: Manner, rate: u32, count: usize) {
        self.manner = manner;
        self.pace = Pace::new(rate, count);
        self.figures = Figures::default();
        for user in &mut self.users {
            user.sent = None;
        }
        self.open = 0;
    }

    fn send(&mut self, number: usize, authorized: bool, ends: &mut Ends) -> Outcome<()> {
        let user = &mut self.users[number];
        user.sequence += 1;
        let credentials = if authorized {
            user.client.authorize(b"REGISTER", format!("sip:{DOMAIN}").as_bytes(), b"")?
        } else {
            Vec::new()
        };
        let value = credentials.first().map(|(_, value)| value.as_slice());
        let end = ends.get(user.end);
        let message = messages::register(&user.name, number, user.sequence, self.run, end, value);
        ends.send(user.end, &message)
    }

    fn challenged(&mut self, number: usize, response: &Message, ends: &mut Ends) -> Outcome<()> {
        let user = &mut self.users[number];
        let offered = response.headers(HeaderName::WwwAuthenticate).map(|value| (Side::User, value));
        match user.client.challenged(offered, &mut user.attempts, &mut self.entropy) {
            Verdict::Retry => self.send(number, true, ends),
            verdict => {
                self.figures.faults.note(|| format!("a challenge that cannot be answered: {verdict:?}"));
                Ok(())
            }
        }
    }
}

impl Work for Registrations {
    fn due(&mut self, now: Instant, ends: &mut Ends) -> Outcome<Option<Instant>> {
        while let Some(turn) = self.pace.begin(now) {
            let number = turn % self.users.len();
            self.figures.begun += 1;
            let user = &mut self.users[number];
            if user.sent.replace(Instant::now()).is_none() {
                self.open += 1;
            }
            user.attempts = Attempts::default();
            if let Some((server, tls)) = &self.opens {
                user.end = ends.page(*server, tls.as_ref())?;
            }
            self.send(number, self.manner == Manner::Refreshed, ends)?;
        }
        self.figures.late = self.pace.late;
        Ok(match self.pace.next() {
            Some(next) => Some(next),
            None if self.open == 0 => None,
            None => Some(now + Duration::from_millis(100)),
        })
    }

    fn message(&mut self, now: Instant, end: usize, bytes: &[u8], ends: &mut Ends) -> Outcome<()> {
        let response = Message::parse(bytes)?;
        let number = response.call_id().ok().and_then(|id| messages::number_of(id, self.run));
        let Some(number) = number.filter(|number| *number < self.users.len()) else {
            self.figures.faults.note(|| "an answer to nobody".to_owned());
            return Ok(());
        };
        let user = &mut self.users[number];
        let current = response.cseq().is_ok_and(|cseq| cseq.number == user.sequence) && user.end == end;
        match response.status() {
            Some(100) => Ok(()),
            Some(401) if current && self.manner != Manner::Refreshed => {
                self.challenged(number, &response, ends)
            }
            Some(200) if current => {
                let contact = ends.get(end).contact(&user.name);
                let stored = response.contacts().filter_map(Result::ok).any(|stored| {
                    stored.address().is_some_and(|address| address.uri_bytes() == contact.as_bytes())
                });
                let Some(sent) = user.sent.take() else {
                    self.figures.faults.note(|| "a 200 that came twice".to_owned());
                    return Ok(());
                };
                self.open -= 1;
                self.figures.completed += usize::from(stored);
                self.figures.times.push(u32::try_from((now - sent).as_micros()).unwrap_or(u32::MAX));
                Ok(())
            }
            status => {
                self.figures.faults.note(|| {
                    format!("{} was answered {status:?}: {}", user.name, String::from_utf8_lossy(bytes))
                });
                Ok(())
            }
        }
    }
}
