//! The sources of one direction, each with what was seen of it.

use crate::window::Window;

/// The most sources that are remembered at a time. A further one takes the place of the one that was silent longest;
/// only who has the key can add one.
pub const MOST_STREAMS: usize = 64;

/// One synchronisation source.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    ssrc: u32,
    /// When it was last of use, counted in packets.
    used: u64,
    pub(crate) packets: Window,
    pub(crate) control: Window,
    /// The index of the next RTCP packet, where we are the source.
    pub(crate) next_control: u32,
}

/// All sources.
#[derive(Clone, Debug, Default)]
pub(crate) struct Streams {
    streams: Vec<Stream>,
    /// Where the last one was found: nearly always that of the next packet too.
    last: usize,
    clock: u64,
}

impl Streams {
    /// What is known of a source: nothing at first.
    pub(crate) fn find(&mut self, ssrc: u32) -> Stream {
        let known = self.position(ssrc).and_then(|place| self.streams.get(place));
        known.copied().unwrap_or_else(|| Stream {
            ssrc,
            used: 0,
            packets: Window::default(),
            control: Window::default(),
            next_control: 0,
        })
    }

    /// What is known of a source, if anything is.
    pub(crate) fn get(&self, ssrc: u32) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.ssrc == ssrc)
    }

    /// Keeps what is known of a source from now on.
    pub(crate) fn keep(&mut self, mut stream: Stream) {
        self.clock = self.clock.saturating_add(1);
        stream.used = self.clock;
        let place = self.position(stream.ssrc).or_else(|| {
            let oldest = self.streams.iter().enumerate().min_by_key(|(_, stream)| stream.used);
            oldest.map(|(place, _)| place).filter(|_| self.streams.len() >= MOST_STREAMS)
        });
        match place.and_then(|place| self.streams.get_mut(place)) {
            Some(known) => *known = stream,
            None => self.streams.push(stream),
        }
    }

    fn position(&mut self, ssrc: u32) -> Option<usize> {
        if self.streams.get(self.last).is_some_and(|stream| stream.ssrc == ssrc) {
            return Some(self.last);
        }
        let found = self.streams.iter().position(|stream| stream.ssrc == ssrc)?;
        self.last = found;
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_last_sources_are_remembered() {
        let mut streams = Streams::default();
        for ssrc in 0..1000 {
            let mut stream = streams.find(ssrc);
            stream.packets.record(7);
            streams.keep(stream);
            // This one goes on talking.
            let talking = streams.find(0);
            assert!(!talking.packets.is_new(7));
            streams.keep(talking);
            assert!(streams.streams.len() <= MOST_STREAMS);
        }
        assert!(!streams.find(999).packets.is_new(7));
        assert!(streams.find(900).packets.is_new(7), "forgotten");
    }
}
