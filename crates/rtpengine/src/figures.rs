//! What rtpengine knows of a call: the packets of each leg.

use crate::bencode::Value;

/// What rtpengine knows of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallFigures {
    /// One for each tag that it knows.
    pub legs: Vec<LegFigures>,
}

/// What rtpengine knows of one leg.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LegFigures {
    /// Whose.
    pub tag: Vec<u8>,
    /// Packets of RTP that arrived from there.
    pub packets: u64,
    /// Their octets.
    pub octets: u64,
    /// Packets that could not be relayed.
    pub errors: u64,
}

impl CallFigures {
    /// Reads the answer to a query or a delete. What is not understood counts nothing.
    pub(crate) fn of(answer: &Value<'_>) -> Self {
        let tags = answer.get("tags").map(Value::entries).unwrap_or_default();
        Self { legs: tags.iter().map(|(tag, leg)| leg_of(tag, leg)).collect() }
    }

    /// The leg of that tag.
    #[must_use]
    pub fn leg(&self, tag: &[u8]) -> Option<&LegFigures> {
        self.legs.iter().find(|leg| leg.tag == tag)
    }
}

fn leg_of(tag: &[u8], leg: &Value<'_>) -> LegFigures {
    let mut figures = LegFigures { tag: tag.to_vec(), ..LegFigures::default() };
    for media in leg.get("medias").map(Value::items).unwrap_or_default() {
        // The first stream of a section is that of RTP.
        let Some(stats) = media.get("streams").and_then(|streams| streams.items().first()?.get("stats"))
        else {
            continue;
        };
        let count = |name| stats.get(name).and_then(Value::count).unwrap_or(0);
        figures.packets = figures.packets.saturating_add(count("packets"));
        figures.octets = figures.octets.saturating_add(count("bytes"));
        figures.errors = figures.errors.saturating_add(count("errors"));
    }
    figures
}
