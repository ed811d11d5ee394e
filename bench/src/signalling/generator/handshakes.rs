//! WebSockets opened one after the other, and kept.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ends::{Ends, Work};
use super::faults::Faults;
use super::pace::Pace;
use crate::Outcome;

/// What came of all handshakes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) begun: usize,
    pub(crate) completed: usize,
    pub(crate) faults: Faults,
    /// Microseconds from the connection to the 101.
    pub(crate) times: Vec<u32>,
    pub(crate) late: Duration,
}

/// Handshakes at a pace.
pub(crate) struct Handshakes {
    server: SocketAddr,
    tls: Option<Arc<rustls::ClientConfig>>,
    pace: Pace,
    /// What came of them.
    pub(crate) figures: Figures,
}

impl Handshakes {
    /// They begin now.
    pub(crate) fn new(
        server: SocketAddr,
        tls: Option<Arc<rustls::ClientConfig>>,
        rate: u32,
        count: usize,
    ) -> Self {
        Self { server, tls, pace: Pace::new(rate, count), figures: Figures::default() }
    }
}

impl Work for Handshakes {
    fn due(&mut self, now: Instant, ends: &mut Ends) -> Outcome<Option<Instant>> {
        if self.pace.begin(now).is_some() {
            self.figures.begun += 1;
            let begun = Instant::now();
            match ends.page(self.server, self.tls.as_ref()) {
                Ok(_) => {
                    self.figures.completed += 1;
                    self.figures.times.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
                }
                Err(error) => self.figures.faults.note(|| error.to_string()),
            }
        }
        self.figures.late = self.pace.late;
        Ok(self.pace.next())
    }

    fn message(&mut self, _: Instant, _: usize, _: &[u8], _: &mut Ends) -> Outcome<()> {
        self.figures.faults.note(|| "a message nobody waited for".to_owned());
        Ok(())
    }
}
