//! A text to compare with, in which `*` stands for anything.

/// A pattern: literal parts, between which anything may stand. Letters count in either case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// The pattern that `text` writes.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_ascii_lowercase())
    }

    /// Whether `value` is such a text.
    #[must_use]
    pub fn matches(&self, value: &[u8]) -> bool {
        let value = value.trim_ascii().to_ascii_lowercase();
        let mut parts = self.0.as_bytes().split(|octet| *octet == b'*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = value.strip_prefix(first) else { return false };
        let mut parts: Vec<&[u8]> = parts.collect();
        // Without a star the whole text is the first part; with one the last part ends the value.
        let Some(last) = parts.pop() else { return rest.is_empty() };
        for part in parts {
            match memchr::memmem::find(rest, part) {
                Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, value, expected) in [
            ("blue", "Blue ", true),
            ("blue", "blues", false),
            ("*", "", true),
            ("blue*", "bluebird", true),
            ("*bird", "bluebird", true),
            ("b*r*d", "bluebird", true),
            ("b*x*d", "bluebird", false),
            ("ab*b", "ab", false),
            ("a**b", "ab", true),
        ] {
            assert_eq!(Pattern::new(pattern).matches(value.as_bytes()), expected, "{pattern} {value}");
        }
    }
}
