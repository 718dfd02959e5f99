//! The origination date.

use super::zone;
use jiff::{Timestamp, Zoned};
use std::fmt;

/// `orig-date`, the value of the `Date:` field: a date and time with the offset of its zone.
///
/// [RFC 5322 section 3.6.1](https://www.rfc-editor.org/rfc/rfc5322#section-3.6.1)
///
/// # Example
/// ```
/// use map_core::message::OriginationDate;
///
/// let date = OriginationDate::try_from("2026-11-22T01:40:00+01:00[Europe/Berlin]".parse::<jiff::Zoned>()?)?;
/// assert_eq!(date.to_string(), "Sun, 22 Nov 2026 01:40:00 +0100");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginationDate(Zoned);

/// Why a date cannot stand in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DateError {
    /// Before 1900: give a later date.
    #[error("the year {0} is before 1900, the first that a message can carry")]
    Year(i16),
}

impl OriginationDate {
    /// The time of this call, in the local zone.
    pub fn now() -> Self {
        Self(Timestamp::now().to_zoned(zone::local()))
    }
}

impl TryFrom<Zoned> for OriginationDate {
    type Error = DateError;

    /// # Errors
    /// A year before 1900.
    fn try_from(date: Zoned) -> Result<Self, DateError> {
        // https://www.rfc-editor.org/rfc/rfc5322#section-3.3
        // > The year is any numeric year 1900 or later.
        if date.year() < 1900 {
            Err(DateError::Year(date.year()))
        } else {
            Ok(Self(date))
        }
    }
}

/// As it stands in the field.
impl fmt::Display for OriginationDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.0.strftime("%a, %-d %b %Y %H:%M:%S"))?;
        // https://www.rfc-editor.org/rfc/rfc5322#section-3.3
        // > Though "-0000" also indicates Universal Time, it is used to indicate that the time was generated on a
        // > system that may be in a local time zone other than Universal Time
        if self.0.time_zone().is_unknown() {
            return f.write_str("-0000");
        }
        // Zones of before 1937 have seconds in their offset, and the field has no room for them.
        let seconds = self.0.offset().seconds();
        let minutes = (seconds.unsigned_abs() + 30) / 60;
        let sign = if seconds < 0 { '-' } else { '+' };
        write!(f, "{sign}{:02}{:02}", minutes / 60, minutes % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil;
    use jiff::tz::{Offset, TimeZone};

    fn shown(date: civil::DateTime, zone: TimeZone) -> String {
        OriginationDate::try_from(date.to_zoned(zone).unwrap())
            .unwrap()
            .to_string()
    }

    #[test]
    fn the_offset_is_that_of_the_zone() {
        let fixed = |seconds| TimeZone::fixed(Offset::from_seconds(seconds).unwrap());
        let date = civil::datetime(2024, 2, 3, 4, 5, 6, 700_000_000);
        assert_eq!(shown(date, TimeZone::UTC), "Sat, 3 Feb 2024 04:05:06 +0000");
        assert_eq!(shown(date, fixed(19_800)), "Sat, 3 Feb 2024 04:05:06 +0530");
        assert_eq!(shown(date, fixed(-12_600)), "Sat, 3 Feb 2024 04:05:06 -0330");
        assert_eq!(shown(date, fixed(1_172)), "Sat, 3 Feb 2024 04:05:06 +0020");
        assert_eq!(shown(date, TimeZone::unknown()), "Sat, 3 Feb 2024 04:05:06 -0000");
    }

    #[test]
    fn years_before_1900_are_refused() {
        let date = |year| {
            civil::datetime(year, 1, 1, 0, 0, 0, 0)
                .to_zoned(TimeZone::UTC)
                .unwrap()
        };
        assert_eq!(OriginationDate::try_from(date(1899)), Err(DateError::Year(1899)));
        assert_eq!(OriginationDate::try_from(date(-5)), Err(DateError::Year(-5)));
        assert_eq!(
            shown(civil::datetime(1900, 1, 1, 0, 0, 0, 0), TimeZone::UTC),
            "Mon, 1 Jan 1900 00:00:00 +0000"
        );
    }

    #[test]
    fn now_is_a_date_that_reads_back() {
        let before = jiff::Timestamp::now();
        let read = jiff::fmt::rfc2822::parse(&OriginationDate::now().to_string())
            .unwrap()
            .timestamp();
        let since = read.duration_since(before).as_secs();
        assert!((-1..60).contains(&since), "{read} is not about {before}");
    }
}
