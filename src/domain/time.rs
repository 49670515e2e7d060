//! Instants and durations: milliseconds inside the program, RFC 3339 and ISO 8601 in its texts.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::limits::{INSTANT_MAX_MS, VALID_FOR_MAX_MS};

/// The form of an instant, with an example: most refused ones lack the offset, or its colon.
pub const INSTANT_FORM: &str =
    "an RFC 3339 instant with its offset, such as 2026-12-01T12:00:00+09:00";

/// Milliseconds since 1970-01-01 UTC; 0..=[`INSTANT_MAX_MS`] when parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMs(pub i64);

impl UnixMs {
    /// Reads an RFC 3339 instant; `None` when the text is not one, or the year is not 1970..=9999.
    pub fn parse(text: &str) -> Option<Self> {
        let instant = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        let ms = i64::try_from(instant.unix_timestamp_nanos().div_euclid(1_000_000)).ok()?;
        (0..=INSTANT_MAX_MS).contains(&ms).then_some(Self(ms))
    }

    /// The instant `ms` milliseconds later.
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for UnixMs {
    /// RFC 3339 in UTC with milliseconds: `2026-12-01T03:00:01.482Z`. Every answer with a ticket
    /// has one, so for speed the digits are written in place instead of formatted.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, ms) = (self.0.div_euclid(1_000), self.0.rem_euclid(1_000) as u32);
        let instant = OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| fmt::Error)?;
        let (year, month, day) = instant.to_calendar_date();
        let year = u32::try_from(year).map_err(|_| fmt::Error)?;
        let (hour, minute, second) = instant.to_hms();
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let mut put = |place: Range<usize>, mut number: u32| {
            for digit in text[place].iter_mut().rev() {
                *digit = b'0' + (number % 10) as u8;
                number /= 10;
            }
        };
        put(0..4, year);
        put(5..7, u32::from(u8::from(month)));
        put(8..10, u32::from(day));
        put(11..13, u32::from(hour));
        put(14..16, u32::from(minute));
        put(17..19, u32::from(second));
        put(20..23, ms);
        out.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for UnixMs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UnixMs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(InstantVisitor)
    }
}

struct InstantVisitor;

impl de::Visitor<'_> for InstantVisitor {
    type Value = UnixMs;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(INSTANT_FORM)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<UnixMs, E> {
        UnixMs::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

/// How long a ticket is valid: 1 ms..=[`VALID_FOR_MAX_MS`], written as an ISO 8601 duration of
/// weeks, days, hours, minutes and seconds (`P7D`, `PT12H30M`). Years and months have no fixed
/// length and are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValidFor(u64);

impl ValidFor {
    /// A duration in milliseconds; `None` outside 1..=[`VALID_FOR_MAX_MS`].
    pub fn from_ms(ms: u64) -> Option<Self> {
        (1..=VALID_FOR_MAX_MS).contains(&ms).then_some(Self(ms))
    }

    /// The duration in milliseconds.
    pub fn as_ms(self) -> u64 {
        self.0
    }

    /// Reads `P[nW][nD][T[nH][nM][nS]]`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix('P')?;
        let (date, clock) = rest.split_once('T').map_or((rest, None), |(d, c)| (d, Some(c)));
        if clock == Some("") {
            return None;
        }
        let date_ms = sum_of(date, &[('W', 604_800_000), ('D', 86_400_000)])?;
        let units = [('H', 3_600_000), ('M', 60_000), ('S', 1_000)];
        let clock_ms = sum_of(clock.unwrap_or_default(), &units)?;
        Self::from_ms(date_ms.checked_add(clock_ms)?)
    }
}

/// Sums `<digits><unit>` pairs; every unit at most once and in the given order.
fn sum_of(mut text: &str, units: &[(char, u64)]) -> Option<u64> {
    let mut total = 0_u64;
    for (unit, ms) in units {
        let Some((digits, rest)) = text.split_once(*unit) else { continue };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        total = total.checked_add(digits.parse::<u64>().ok()?.checked_mul(*ms)?)?;
        text = rest;
    }
    text.is_empty().then_some(total)
}

impl fmt::Display for ValidFor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1_000;
        let (days, clock) = (seconds / 86_400, seconds % 86_400);
        out.write_str("P")?;
        if days > 0 {
            write!(out, "{days}D")?;
        }
        if clock > 0 || days == 0 {
            write!(out, "T{}H{}M{}S", clock / 3_600, clock / 60 % 60, clock % 60)?;
        }
        Ok(())
    }
}

impl Serialize for ValidFor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ValidFor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(DurationVisitor)
    }
}

struct DurationVisitor;

impl de::Visitor<'_> for DurationVisitor {
    type Value = ValidFor;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an ISO 8601 duration such as P7D or PT12H")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<ValidFor, E> {
        ValidFor::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_written_in_utc_with_milliseconds() {
        let instant = UnixMs::parse("2026-12-01T12:00:01.4829+09:00").unwrap();
        assert_eq!(instant.to_string(), "2026-12-01T03:00:01.482Z");
    }

    #[test]
    fn an_instant_outside_the_calendar_is_refused() {
        for text in [
            "1969-12-31T23:59:59Z",
            "1969-12-31T23:59:59.9999Z",
            "2026-12-01",
            "tomorrow",
            "",
            "1764558001482",
        ] {
            assert_eq!(UnixMs::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_duration_survives_being_written_and_read() {
        for text in ["P7D", "PT12H", "P1W", "P1DT2H3M4S", "PT90S"] {
            let read = ValidFor::parse(text).unwrap();
            assert_eq!(ValidFor::parse(&read.to_string()), Some(read), "{text}");
        }
    }

    #[test]
    fn a_duration_without_fixed_length_or_out_of_bounds_is_refused() {
        for text in ["P1Y", "P1M", "7D", "P", "PT", "P0D", "P-1D", "P1.5D", "P99999999W", "PT1M1H"]
        {
            assert_eq!(ValidFor::parse(text), None, "{text}");
        }
    }
}
