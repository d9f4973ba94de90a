//! The server's own clock, which may be wrong on purpose, and the spellings of time that AWS uses.

use time::{Date, Duration, Month, OffsetDateTime, PrimitiveDateTime, Time};

/// A clock that is ahead of the real one by a fixed time, or behind it if negative.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    /// How far this clock is ahead.
    pub ahead: Duration,
}

impl Clock {
    /// What this clock shows now.
    #[must_use]
    pub fn now(self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + self.ahead
    }
}

/// As in the `Date` header: `Tue, 24 Nov 2026 05:43:00 GMT`.
#[must_use]
pub fn http_date(at: OffsetDateTime) -> String {
    let day = at.weekday().to_string();
    let month = at.month().to_string();
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
        &day[..3],
        at.day(),
        &month[..3],
        at.year(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// As in STS's XML: `2026-11-24T05:43:00Z`.
#[must_use]
pub fn xml_date(at: OffsetDateTime) -> String {
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// As in the `X-Amz-Date` header: `20261124T054300Z`.
#[must_use]
pub fn amz_date(at: OffsetDateTime) -> String {
    xml_date(at).replace(['-', ':'], "")
}

/// Reads what [`amz_date`] writes.
#[must_use]
pub fn parse_amz_date(text: &str) -> Option<OffsetDateTime> {
    let shape = |index: usize, byte: u8| match index {
        8 => byte == b'T',
        15 => byte == b'Z',
        _ => byte.is_ascii_digit(),
    };
    if text.len() != 16 || !text.bytes().enumerate().all(|(index, byte)| shape(index, byte)) {
        return None;
    }
    let part = |from: usize, to: usize| text[from..to].parse::<u8>().ok();
    let month = Month::try_from(part(4, 6)?).ok()?;
    let date = Date::from_calendar_date(text[..4].parse().ok()?, month, part(6, 8)?).ok()?;
    let time = Time::from_hms(part(9, 11)?, part(11, 13)?, part(13, 15)?).ok()?;
    Some(PrimitiveDateTime::new(date, time).assume_utc())
}
