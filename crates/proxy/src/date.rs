//! The Date header (RFC 3261 §20.17): an RFC 1123 date in GMT.

use sip::Instant;

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The date of `now`, which counts from the Unix epoch.
pub(crate) fn write(now: Instant) -> Vec<u8> {
    let seconds = now.as_secs();
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let mut out = Vec::with_capacity(29);
    // The epoch was a Thursday.
    out.extend_from_slice(DAYS.get((days % 7) as usize).copied().unwrap_or_default().as_bytes());
    out.extend_from_slice(b", ");
    two_digits(&mut out, day);
    out.push(b' ');
    out.extend_from_slice(MONTHS.get(month as usize).copied().unwrap_or_default().as_bytes());
    out.push(b' ');
    sip::text::write_decimal(&mut out, year);
    for (separator, number) in [(b' ', time / 3600), (b':', time / 60 % 60), (b':', time % 60)] {
        out.push(separator);
        two_digits(&mut out, number);
    }
    out.extend_from_slice(b" GMT");
    out
}

fn two_digits(out: &mut Vec<u8>, number: u64) {
    if number < 10 {
        out.push(b'0');
    }
    sip::text::write_decimal(out, number);
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
        assert_eq!(write(Instant::ZERO), b"Thu, 01 Jan 1970 00:00:00 GMT");
        // The example of RFC 3261 §20.17.
        assert_eq!(write(Instant::from_secs(1_289_690_940)), b"Sat, 13 Nov 2010 23:29:00 GMT");
        assert_eq!(write(Instant::from_secs(1_709_208_000)), b"Thu, 29 Feb 2024 12:00:00 GMT");
    }
}
