//! The packets of all calls, spread over time as calls that began at any moment spread them.

use std::time::{Duration, Instant};

use super::sound::{self, Heard};
use super::{Browser, Contender, Phone};
use crate::Outcome;

/// How long the load sleeps when nothing is to be sent.
const NAP: Duration = Duration::from_micros(100);

/// All calls of a run.
#[derive(Default)]
pub(crate) struct Traffic {
    /// The two ends of each.
    pub(crate) calls: Vec<(Browser, Phone)>,
}

impl Traffic {
    /// Sends a packet from both ends of every call each 20 ms, for so long. The ends read what arrived when they
    /// send: nothing waits for a server's packet, so none is charged with waking anybody up.
    pub(crate) fn flow(&mut self, server: &mut dyn Contender, span: Duration) -> Outcome<()> {
        let calls = self.calls.len();
        let frame = Duration::from_millis(sound::MILLISECONDS);
        let slots = u32::try_from(2 * calls)?;
        let frames = u32::try_from(span.as_millis() / frame.as_millis())?;
        let begun = Instant::now();
        for number in 0..frames * slots {
            let due = begun + frame * (number / slots) + frame * (number % slots) / slots;
            let mut now = Instant::now();
            while now < due {
                std::thread::sleep(NAP.min(due - now));
                now = Instant::now();
            }
            let slot = usize::try_from(number % slots)?;
            let (browser, phone) = &mut self.calls[slot / 2];
            if slot % 2 == 0 {
                browser.turn(now)?;
                browser.send(now)?;
            } else {
                phone.turn();
                phone.send()?;
            }
            if slot == 0 && (number / slots) % 5 == 0 {
                server.turn()?;
            }
        }
        Ok(())
    }

    /// Takes in what is still on its way.
    pub(crate) fn settle(&mut self, server: &mut dyn Contender) -> Outcome<()> {
        for _ in 0..10 {
            std::thread::sleep(Duration::from_millis(10));
            for (browser, phone) in &mut self.calls {
                browser.turn(Instant::now())?;
                phone.turn();
            }
            server.turn()?;
        }
        Ok(())
    }

    /// What all ends heard.
    pub(crate) fn heard(&self) -> Heard {
        let mut heard = Heard::default();
        for end in self.calls.iter().flat_map(|(browser, phone)| [&browser.heard, &phone.heard]) {
            heard.intact += end.intact;
            heard.wrong += end.wrong;
        }
        heard
    }

    /// What all ends sent.
    pub(crate) fn sent(&self) -> u64 {
        self.calls.iter().map(|(browser, phone)| browser.sent() + phone.sent()).sum()
    }
}
