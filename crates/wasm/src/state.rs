//! The one agent of this instance, and the two buffers between it and the page.

use crate::command::{self, FIRST_ERROR};
use crate::reader::Reader;
use crate::{config, event};
use agent::{Agent, Output};
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
        self.input.clear();
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

    pub(crate) fn receive(&mut self, now: Instant) {
        if let Some(agent) = &mut self.agent {
            agent.receive(now, &self.input);
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
        match agent.poll() {
            Output::Transmit { bytes } => event::write_transmit(&bytes, &mut self.output),
            Output::Event(happened) => event::write_event(&happened, &mut self.output),
            // Microseconds fit into the 53 bits of a number of JavaScript for 285 years.
            Output::Timeout(Instant::NEVER) => self.deadline = f64::INFINITY,
            Output::Timeout(at) => self.deadline = at.as_micros() as f64,
        }
        self.output.len()
    }
}
