//! The one agent of this instance, and the two buffers between it and the page.

use crate::command::{self, FIRST_ERROR};
use crate::reader::Reader;
use crate::{config, event};
use agent::{Agent, Output};
use sip::message::Message;
use sip::{Entropy, Instant};

/// Nothing before `create`, and nothing after it if the configuration was refused.
pub(crate) struct State {
    agent: Option<Agent>,
    /// What the page has written.
    pub(crate) input: Vec<u8>,
    /// What the page reads.
    pub(crate) output: Vec<u8>,
    /// When to call `timeout`, in microseconds.
    pub(crate) deadline: f64,
}

impl State {
    pub(crate) const fn new() -> Self {
        Self { agent: None, input: Vec::new(), output: Vec::new(), deadline: f64::INFINITY }
    }

    /// Makes room for `length` octets of input.
    pub(crate) fn make_room(&mut self, length: usize) {
        self.input.resize(length, 0);
    }

    pub(crate) fn create(&mut self, entropy: Box<dyn Entropy>) -> u32 {
        let config = config::config(&mut Reader::new(&self.input));
        match Agent::new(config, entropy) {
            Ok(agent) => {
                self.agent = Some(agent);
                0
            }
            // Whatever is wrong with the configuration, to the page it is a URI that cannot be used.
            Err(_) => command::error_code(agent::CommandError::Uri),
        }
    }

    pub(crate) fn command(&mut self, now: Instant) -> u32 {
        self.output.clear();
        let Some(agent) = &mut self.agent else { return FIRST_ERROR };
        match command::run(agent, now, &mut Reader::new(&self.input), &mut self.output) {
            Ok(number) => number,
            Err(error) => command::error_code(error),
        }
    }

    pub(crate) fn receive(&mut self, flow: u8, now: Instant) {
        if let Some(agent) = &mut self.agent {
            agent.receive_over(now, flow, &self.input);
        }
    }

    /// The length of the message that the input is; 0 if it is none that may be processed.
    pub(crate) fn message_length(&self) -> usize {
        match Message::parse(&self.input) {
            Ok(message) if message.check().is_ok() => message.as_bytes().len(),
            _ => 0,
        }
    }

    pub(crate) fn timeout(&mut self, now: Instant) {
        if let Some(agent) = &mut self.agent {
            agent.timeout(now);
        }
    }

    /// Writes the next output and gives its length; 0 when there is nothing more for now.
    pub(crate) fn poll(&mut self) -> usize {
        self.output.clear();
        let Some(agent) = &mut self.agent else { return 0 };
        while self.output.is_empty() {
            match agent.poll() {
                Output::Transmit { flow, bytes } => event::write_transmit(flow, &bytes, &mut self.output),
                Output::Event(happened) => event::write_event(&happened, &mut self.output),
                Output::Timeout(at) => {
                    // Microseconds fit into the 53 bits of a number of JavaScript for 285 years.
                    let never = at == Instant::NEVER;
                    self.deadline = if never { f64::INFINITY } else { at.as_micros() as f64 };
                    break;
                }
            }
        }
        self.output.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip::SeededEntropy;

    /// A command as the page writes it.
    #[derive(Default)]
    struct Words(Vec<u8>);

    impl Words {
        fn byte(mut self, value: u8) -> Self {
            self.0.push(value);
            self
        }

        fn number(mut self, value: u32) -> Self {
            self.0.extend_from_slice(&value.to_le_bytes());
            self
        }

        fn text(self, value: &str) -> Self {
            let mut words = self.number(value.len() as u32);
            words.0.extend_from_slice(value.as_bytes());
            words
        }

        fn absent(self, times: usize) -> Self {
            (0..times).fold(self, |words, _| words.number(u32::MAX))
        }
    }

    /// The least that `create` needs; what follows reads as absent, zero or empty.
    fn page() -> State {
        let mut state = State::new();
        state.input = Words::default()
            .text("sip:alice@example.org")
            .absent(4)
            .number(600)
            .text("")
            .absent(1)
            .byte(1)
            .byte(0)
            .byte(0)
            .byte(0)
            .number(60)
            .text("Test")
            .absent(6)
            .number(0)
            .number(0)
            .text("")
            .byte(31)
            .byte(1)
            .0;
        assert_eq!(state.create(Box::new(SeededEntropy::new(1))), 0);
        state
    }

    fn command(state: &mut State, words: Words) -> u32 {
        state.input = words.0;
        state.command(Instant::ZERO)
    }

    #[test]
    fn a_connected_page_that_registers_sends_register_and_sets_its_clock() {
        let mut state = page();
        assert_eq!(command(&mut state, Words::default().byte(2).byte(3)), 0, "connected over WS");
        assert_eq!(command(&mut state, Words::default().byte(4)), 0, "register");
        assert!(state.poll() > 0);
        assert!(state.output.starts_with(b"\0\0REGISTER sip:example.org SIP/2.0\r\nVia: SIP/2.0/WS "));
        assert_eq!(state.poll(), 0);
        assert_eq!(state.deadline, 32_000_000.0, "Timer F: 64*T1");
    }

    #[test]
    fn what_cannot_be_done_has_a_code_of_its_own() {
        let mut state = page();
        let call = |op, number| Words::default().byte(op).number(number);
        assert_eq!(command(&mut state, call(8, 77).number(0).absent(1)), FIRST_ERROR, "no such call");
        let bad_target = Words::default().byte(6).text("mailto:bob@example.org");
        assert_eq!(command(&mut state, bad_target), FIRST_ERROR + 2);
    }

    #[test]
    fn nonsense_from_the_page_breaks_nothing() {
        let mut chance = SeededEntropy::new(9);
        for _ in 0..200 {
            let mut state = page();
            for _ in 0..40 {
                let mut bytes = vec![0; (chance.number() % 40) as usize];
                chance.fill(&mut bytes);
                for byte in bytes.iter_mut().skip(1).step_by(2) {
                    *byte = 0;
                }
                if let Some(op) = bytes.first_mut() {
                    *op %= 24;
                }
                state.input = bytes;
                state.command(Instant::ZERO);
                state.message_length();
                state.receive(0, Instant::ZERO);
                while state.poll() > 0 {}
            }
        }
    }
}
