//! When two H.264 formats are the same configuration (RFC 6184 §8.1, §8.2.2).

/// The parameters of a format that its identity hangs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Configuration {
    pub(super) profile: Profile,
    pub(super) level: u8,
    /// 0: one NAL unit a packet; 1: non-interleaved.
    pub(super) packetization: u8,
}

/// A profile, or a subset of one, as Table 5 of RFC 6184 tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Profile {
    ConstrainedBaseline,
    Baseline,
    /// Any other: `profile_idc` and `profile-iop` must be equal.
    Other(u8, u8),
}

impl Configuration {
    /// Reads the parameters of a format. Where nothing is written, RFC 6184 §8.1 says Baseline at level 1 and
    /// packetization mode 0; a level of 1 is of no use to anybody, so that such a peer is taken for level 3.1.
    pub(super) fn read(parameters: &[u8]) -> Self {
        let packetization =
            value(parameters, b"packetization-mode").and_then(|text| text.parse().ok()).unwrap_or(0);
        let id = value(parameters, b"profile-level-id")
            .and_then(|text| u32::from_str_radix(text, 16).ok())
            .map_or([0x42, 0xe0, 0x1f], |id| {
                let [_, idc, iop, level] = id.to_be_bytes();
                [idc, iop, level]
            });
        let [idc, iop, level] = id;
        Self { profile: Profile::of(idc, iop), level, packetization }
    }

    /// Whether a stream of one configuration is one of the other: the same profile and the same packetization
    /// mode. Levels may differ (RFC 6184 §8.2.2).
    pub(super) fn same(&self, other: &Self) -> bool {
        self.profile == other.profile && self.packetization == other.packetization
    }

    /// As [`Configuration::same`], but Baseline passes for Constrained Baseline. It may use error resilience
    /// tools that the other lacks; no encoder in use does, and phones write the one and mean the other.
    pub(super) fn alike(&self, other: &Self) -> bool {
        let folded =
            |profile| if profile == Profile::Baseline { Profile::ConstrainedBaseline } else { profile };
        folded(self.profile) == folded(other.profile) && self.packetization == other.packetization
    }
}

impl Profile {
    const fn of(idc: u8, iop: u8) -> Self {
        match (idc, iop) {
            // Rows CB and B of Table 5; constraint_set1 is what makes Baseline constrained.
            (0x42, iop) if iop & 0x4f == 0x40 => Self::ConstrainedBaseline,
            (0x4d, iop) if iop & 0x8f == 0x80 => Self::ConstrainedBaseline,
            (0x58, iop) if iop & 0xcf == 0xc0 => Self::ConstrainedBaseline,
            (0x42, iop) if iop & 0x4f == 0 => Self::Baseline,
            (0x58, iop) if iop & 0xcf == 0x80 => Self::Baseline,
            (idc, iop) => Self::Other(idc, iop),
        }
    }

    const fn octets(self) -> [u8; 2] {
        match self {
            Self::ConstrainedBaseline => [0x42, 0xe0],
            Self::Baseline => [0x42, 0x00],
            Self::Other(idc, iop) => [idc, iop],
        }
    }
}

/// The parameters of an answer toward the side that offered `offer`: what the other side answered, with the
/// profile spelt as the offer spelt it (RFC 6184 §8.2.2 wants the same) and the answer's level.
pub(super) fn answer(offer: &[u8], answer: &[u8]) -> Vec<u8> {
    let offered = Configuration::read(offer);
    let answered = Configuration::read(answer);
    let [idc, iop] = spelling(offer).unwrap_or_else(|| offered.profile.octets());
    // Unless both allow asymmetry, what is received must not exceed what was offered.
    let asymmetric = [offer, answer].iter().all(|side| value(side, b"level-asymmetry-allowed") == Some("1"));
    let level = if asymmetric { answered.level } else { answered.level.min(offered.level) };
    rewritten(answer, [idc, iop, level], offered.packetization)
}

/// The parameters of an offer to a browser. Every browser has Constrained Baseline and not every one has
/// Baseline, so that the one is offered for the other.
pub(super) fn offer_to_browser(parameters: &[u8]) -> Vec<u8> {
    let configuration = Configuration::read(parameters);
    let profile = match configuration.profile {
        Profile::Baseline => Profile::ConstrainedBaseline,
        other => other,
    };
    let [idc, iop] = profile.octets();
    rewritten(parameters, [idc, iop, configuration.level], configuration.packetization)
}

fn rewritten(parameters: &[u8], profile_level: [u8; 3], packetization: u8) -> Vec<u8> {
    let [idc, iop, level] = profile_level;
    let mut out =
        format!("profile-level-id={idc:02x}{iop:02x}{level:02x};packetization-mode={packetization}")
            .into_bytes();
    for parameter in split(parameters) {
        let name = parameter.split(|octet| *octet == b'=').next().unwrap_or_default();
        let ours = [b"profile-level-id".as_slice(), b"packetization-mode"];
        if !parameter.is_empty() && !ours.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            out.push(b';');
            out.extend_from_slice(parameter);
        }
    }
    out
}

fn spelling(parameters: &[u8]) -> Option<[u8; 2]> {
    let id = u32::from_str_radix(value(parameters, b"profile-level-id")?, 16).ok()?;
    let [_, idc, iop, _] = id.to_be_bytes();
    Some([idc, iop])
}

fn split(parameters: &[u8]) -> impl Iterator<Item = &[u8]> {
    parameters.split(|octet| *octet == b';').map(<[u8]>::trim_ascii)
}

fn value<'a>(parameters: &'a [u8], name: &[u8]) -> Option<&'a str> {
    split(parameters).find_map(|parameter| {
        let equals = parameter.iter().position(|octet| *octet == b'=')?;
        let (found, value) = (parameter.get(..equals)?, parameter.get(equals + 1..)?);
        found.eq_ignore_ascii_case(name).then(|| std::str::from_utf8(value).ok().map(str::trim))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(text: &str) -> Configuration {
        Configuration::read(text.as_bytes())
    }

    #[test]
    fn levels_may_differ_profiles_and_packetization_may_not() {
        let offer = configuration("level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f");
        assert!(offer.same(&configuration("profile-level-id=42E00D; packetization-mode=1")));
        assert!(
            offer.same(&configuration("profile-level-id=4d8015; packetization-mode=1")),
            "the same subset"
        );
        assert!(!offer.same(&configuration("profile-level-id=42e01f")), "packetization mode 0");
        assert!(!offer.alike(&configuration("profile-level-id=64001f;packetization-mode=1")), "High");
        let baseline = configuration("profile-level-id=42801F; packetization-mode=1");
        assert!(!offer.same(&baseline) && offer.alike(&baseline));
    }

    #[test]
    fn an_answer_spells_the_profile_as_its_offer_did() {
        let offer = b"level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f";
        let phone = b"profile-level-id=42801E; packetization-mode=1; max-br=500";
        assert_eq!(answer(offer, phone), b"profile-level-id=42e01e;packetization-mode=1;max-br=500");
        assert_eq!(
            offer_to_browser(b"profile-level-id=42800d"),
            b"profile-level-id=42e00d;packetization-mode=0"
        );
    }
}
