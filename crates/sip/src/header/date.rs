//! Date (RFC 3261 §20.17): an RFC 1123 date, always in GMT.

use super::HeaderName;
use crate::error::HeaderError;
use crate::text;

/// A Date value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// The year, four digits.
    pub year: u16,
    /// The month, 1 to 12.
    pub month: u8,
    /// The day of the month, 1 to 31.
    pub day: u8,
    /// The hour, 0 to 23.
    pub hour: u8,
    /// The minute, 0 to 59.
    pub minute: u8,
    /// The second, 0 to 60.
    pub second: u8,
}

const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

impl Date {
    /// Reads the value.
    ///
    /// # Errors
    /// If it is no RFC 1123 date, or in another zone than GMT.
    pub fn parse(value: &[u8]) -> Result<Self, HeaderError> {
        Self::read(value).ok_or(HeaderError::malformed(HeaderName::Date, "the value is no date in GMT"))
    }

    fn read(value: &[u8]) -> Option<Self> {
        // Sat, 13 Nov 2010 23:29:00 GMT
        let mut words = value.split(|&byte| text::is_linear_space(byte)).filter(|word| !word.is_empty());
        words.next().filter(|day| day.len() == 4 && day.ends_with(b","))?;
        let day = number(words.next()?, 1, 31)?;
        let month = words.next()?;
        let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))? + 1;
        let year = text::parse_decimal(words.next().filter(|year| year.len() == 4)?)?;
        let mut time = words.next()?.split(|&byte| byte == b':');
        let hour = number(time.next()?, 0, 23)?;
        let minute = number(time.next()?, 0, 59)?;
        let second = number(time.next()?, 0, 60)?;
        let zone = words.next()?;
        let complete = time.next().is_none() && words.next().is_none() && zone == b"GMT";
        complete.then_some(Self {
            year: u16::try_from(year).ok()?,
            month: u8::try_from(month).ok()?,
            day,
            hour,
            minute,
            second,
        })
    }
}

fn number(text: &[u8], least: u64, greatest: u64) -> Option<u8> {
    let number = text::parse_decimal(text).filter(|_| text.len() == 2)?;
    u8::try_from(number).ok().filter(|_| (least..=greatest).contains(&number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_in_gmt_is_read_and_any_other_refused() {
        let date = Date::parse(b"Sat, 13 Nov 2010 23:29:00 GMT").unwrap();
        assert_eq!((date.year, date.month, date.day, date.hour), (2010, 11, 13, 23));
        for wrong in
            [&b""[..], b"Fri, 01 Jan 2010 16:00:00 EST", b"13 Nov 2010 23:29:00 GMT", b"Sat, 13 Nov 2010"]
        {
            assert!(Date::parse(wrong).is_err());
        }
    }
}
