//! Bencode, in which the ng protocol writes its messages: octet strings, integers, lists and dictionaries.
//!
//! A value borrows the octets it was read from. What is read is bounded by the datagram it came in and by
//! [`MAX_DEPTH`]; no input makes the reader panic.

use std::fmt;

/// How deep lists and dictionaries may be nested. A report of rtpengine needs eight.
pub const MAX_DEPTH: usize = 24;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A whole number.
    Integer(i64),
    /// A string of octets.
    Octets(&'a [u8]),
    /// Values in order.
    List(Vec<Self>),
    /// Names and values, as they came: rtpengine does not sort them.
    Dictionary(Vec<(&'a [u8], Self)>),
}

/// Why octets are not a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BencodeError {
    /// They end within a value.
    Incomplete,
    /// An octet that can begin no value, or that cannot stand there.
    Unexpected {
        /// Where it stands.
        offset: usize,
    },
    /// A number that is none, or that is too large.
    BadNumber {
        /// Where it begins.
        offset: usize,
    },
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// Something follows the value.
    Trailing {
        /// Where it begins.
        offset: usize,
    },
}

impl fmt::Display for BencodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete => f.write_str("it ends within a value"),
            Self::Unexpected { offset } => write!(f, "no value begins with octet {offset}"),
            Self::BadNumber { offset } => write!(f, "no number at octet {offset}"),
            Self::TooDeep => f.write_str("it is nested too deep"),
            Self::Trailing { offset } => write!(f, "octet {offset} follows the end"),
        }
    }
}

impl std::error::Error for BencodeError {}

impl<'a> Value<'a> {
    /// Reads the one value that these octets are.
    ///
    /// # Errors
    /// They are not exactly one value.
    pub fn parse(octets: &'a [u8]) -> Result<Self, BencodeError> {
        let mut reader = Reader { octets, position: 0 };
        let value = reader.value(MAX_DEPTH)?;
        if reader.position < octets.len() {
            return Err(BencodeError::Trailing { offset: reader.position });
        }
        Ok(value)
    }

    /// Appends the value to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Integer(number) => {
                out.push(b'i');
                out.extend_from_slice(number.to_string().as_bytes());
                out.push(b'e');
            }
            Self::Octets(octets) => write_octets(octets, out),
            Self::List(values) => {
                out.push(b'l');
                values.iter().for_each(|value| value.write(out));
                out.push(b'e');
            }
            Self::Dictionary(entries) => {
                out.push(b'd');
                for (name, value) in entries {
                    write_octets(name, out);
                    value.write(out);
                }
                out.push(b'e');
            }
        }
    }

    /// What a dictionary has under that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.entries().iter().find(|(key, _)| *key == name.as_bytes()).map(|(_, value)| value)
    }

    /// The entries of a dictionary; none of anything else.
    #[must_use]
    pub fn entries(&self) -> &[(&'a [u8], Self)] {
        if let Self::Dictionary(entries) = self { entries } else { &[] }
    }

    /// The values of a list; none of anything else.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        if let Self::List(values) = self { values } else { &[] }
    }

    /// The octets of a string.
    #[must_use]
    pub const fn octets(&self) -> Option<&'a [u8]> {
        if let Self::Octets(octets) = self { Some(octets) } else { None }
    }

    /// A number that is not negative.
    #[must_use]
    pub fn count(&self) -> Option<u64> {
        if let Self::Integer(number) = self { u64::try_from(*number).ok() } else { None }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Octets(text.as_bytes())
    }
}

fn write_octets(octets: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(octets.len().to_string().as_bytes());
    out.push(b':');
    out.extend_from_slice(octets);
}

struct Reader<'a> {
    octets: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Result<u8, BencodeError> {
        self.octets.get(self.position).copied().ok_or(BencodeError::Incomplete)
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, BencodeError> {
        let below = depth.checked_sub(1).ok_or(BencodeError::TooDeep);
        match self.peek()? {
            b'0'..=b'9' => Ok(Value::Octets(self.string()?)),
            b'i' => {
                self.position += 1;
                Ok(Value::Integer(self.number(b'e')?))
            }
            b'l' => {
                let (below, mut values) = (below?, Vec::new());
                self.position += 1;
                while !self.ends()? {
                    values.push(self.value(below)?);
                }
                Ok(Value::List(values))
            }
            b'd' => {
                let (below, mut entries) = (below?, Vec::new());
                self.position += 1;
                while !self.ends()? {
                    entries.push((self.string()?, self.value(below)?));
                }
                Ok(Value::Dictionary(entries))
            }
            _ => Err(BencodeError::Unexpected { offset: self.position }),
        }
    }

    /// Whether the list or dictionary ends here: then its end is read.
    fn ends(&mut self) -> Result<bool, BencodeError> {
        let ends = self.peek()? == b'e';
        self.position += usize::from(ends);
        Ok(ends)
    }

    fn string(&mut self) -> Result<&'a [u8], BencodeError> {
        if !self.peek()?.is_ascii_digit() {
            return Err(BencodeError::Unexpected { offset: self.position });
        }
        let begin = self.position;
        let length =
            usize::try_from(self.number(b':')?).map_err(|_| BencodeError::BadNumber { offset: begin })?;
        let end = self.position.checked_add(length).ok_or(BencodeError::Incomplete)?;
        let string = self.octets.get(self.position..end).ok_or(BencodeError::Incomplete)?;
        self.position = end;
        Ok(string)
    }

    /// The number that ends with that octet, which is read too.
    fn number(&mut self, end: u8) -> Result<i64, BencodeError> {
        // No number of 64 bits is longer.
        const LONGEST: usize = 20;
        let begin = self.position;
        let rest = self.octets.get(begin..).unwrap_or_default();
        let length =
            rest.iter().take(LONGEST + 1).position(|octet| *octet == end).ok_or(if rest.len() > LONGEST {
                BencodeError::BadNumber { offset: begin }
            } else {
                BencodeError::Incomplete
            })?;
        let digits = rest.get(..length).unwrap_or_default();
        self.position = begin + length + 1;
        // A plus sign is no part of a number here.
        let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'));
        digits.and_then(|digits| digits.parse().ok()).ok_or(BencodeError::BadNumber { offset: begin })
    }
}
