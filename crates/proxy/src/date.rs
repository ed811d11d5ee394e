//! The Date header (RFC 3261 §20.17): an RFC 1123 date in GMT.

use core::cell::Cell;

use sip::Instant;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A date as text.
pub(crate) type Date = [u8; 29];

/// Writes dates, each second's once.
#[derive(Clone, Debug)]
pub(crate) struct Dates(Cell<(u64, Date)>);

impl Default for Dates {
    fn default() -> Self {
        Self(Cell::new((0, write(0))))
    }
}

impl Dates {
    /// The date of `now`, which counts from the Unix epoch.
    pub(crate) fn write(&self, now: Instant) -> Date {
        let (second, date) = self.0.get();
        if second == now.as_secs() {
            return date;
        }
        let date = write(now.as_secs());
        self.0.set((now.as_secs(), date));
        date
    }
}

/// The date of so many seconds since the Unix epoch.
pub(crate) fn date_of(seconds: u64) -> Date {
    write(seconds)
}

fn write(seconds: u64) -> Date {
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let mut date = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    // The epoch was a Thursday.
    put(&mut date, 0, DAYS.get((days % 7) as usize).copied().unwrap_or_default().as_bytes());
    put(&mut date, 5, &two_digits(day));
    put(&mut date, 8, MONTHS.get(month as usize).copied().unwrap_or_default().as_bytes());
    put(&mut date, 12, &two_digits(year / 100));
    put(&mut date, 14, &two_digits(year % 100));
    put(&mut date, 17, &two_digits(time / 3600));
    put(&mut date, 20, &two_digits(time / 60 % 60));
    put(&mut date, 23, &two_digits(time % 60));
    date
}

fn put(date: &mut Date, at: usize, text: &[u8]) {
    if let Some(place) = date.get_mut(at..at + text.len()) {
        place.copy_from_slice(text);
    }
}

const fn two_digits(number: u64) -> [u8; 2] {
    [b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8]
}

/// The year, the month from 0 and the day from 1 of a day counted from 1 January 1970, in the Gregorian calendar.
fn civil(mut days: u64) -> (u64, u64, u64) {
    let mut year = 1970;
    // 400 years have 146,097 days, whenever they begin.
    year += days / 146_097 * 400;
    days %= 146_097;
    loop {
        let length = if is_leap(year) { 366 } else { 365 };
        if days < length {
            break;
        }
        days -= length;
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    for length in lengths {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let dates = Dates::default();
        let date = |second| dates.write(Instant::from_secs(second));
        for _ in 0..2 {
            assert_eq!(&date(0), b"Thu, 01 Jan 1970 00:00:00 GMT");
            // The example of RFC 3261 §20.17.
            assert_eq!(&date(1_289_690_940), b"Sat, 13 Nov 2010 23:29:00 GMT");
            assert_eq!(&date(1_709_208_000), b"Thu, 29 Feb 2024 12:00:00 GMT");
            assert_eq!(&date(1_709_208_000), b"Thu, 29 Feb 2024 12:00:00 GMT");
        }
    }
}
