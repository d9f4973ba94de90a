//! The servers' own clock, which may be wrong on purpose and can be moved while they run, and the
//! spellings of time that AWS and Kubernetes use.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use time::format_description::well_known::Rfc3339;
use time::{Date, Duration, Month, OffsetDateTime, PrimitiveDateTime, Time};

/// A clock that is ahead of the real one, or behind it. Its clones are the same clock: who moves one
/// moves all.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    ahead_ms: Arc<AtomicI64>,
}

impl Clock {
    /// A clock that is ahead of the real one by this time, or behind it if negative.
    ///
    /// # Panics
    /// If the time is longer than 292 million years.
    #[must_use]
    pub fn ahead_by(ahead: Duration) -> Self {
        let clock = Self::default();
        clock.set_ahead(ahead);
        clock
    }

    /// Moves the clock: from now on it is ahead of the real one by this time, to the millisecond.
    ///
    /// # Panics
    /// If the time is longer than 292 million years.
    pub fn set_ahead(&self, ahead: Duration) {
        let ahead = ahead.whole_milliseconds().try_into().expect("nobody lives so long");
        self.ahead_ms.store(ahead, Ordering::SeqCst);
    }

    /// How far the clock is ahead.
    #[must_use]
    pub fn ahead(&self) -> Duration {
        Duration::milliseconds(self.ahead_ms.load(Ordering::SeqCst))
    }

    /// What the clock shows now.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + self.ahead()
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

/// As in STS's XML and Kubernetes' JSON: `2026-11-24T05:43:00Z`.
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

/// Whether a text is a time as RFC 3339 writes it.
#[must_use]
pub fn is_rfc3339(text: &str) -> bool {
    OffsetDateTime::parse(text, &Rfc3339).is_ok()
}
