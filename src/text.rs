//! Text for people: what comes from outside, made safe to print, and times in words.

use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
pub use foreign_text::*;

/// A time as `2026-11-24T05:37:25Z`, to the second.
pub(crate) fn format_utc(time: SystemTime) -> String {
    let seconds = DateTime::from(time).secs();
    DateTime::from_secs(seconds).fmt(Format::DateTime).unwrap_or_else(|_| format!("@{seconds}"))
}

/// A time of RFC 3339, as reports, Kubernetes and the AWS CLI write it.
pub(crate) fn parse_timestamp(text: &str) -> Option<SystemTime> {
    SystemTime::try_from(DateTime::from_str(text, Format::DateTimeWithOffset).ok()?).ok()
}

/// Everything in a sentence.
pub(crate) fn join(values: &[impl ToString]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Texts in a sentence: the first `most` of them, and how many more there are.
pub(crate) fn list(texts: &[String], most: usize) -> String {
    match texts.split_at_checked(most) {
        Some((named, more @ [_, ..])) => format!("{} and {} more", named.join(", "), more.len()),
        _ => texts.join(", "),
    }
}

/// A span of time in words, to the second from two seconds on.
pub fn format_duration(duration: Duration) -> String {
    let coarse = if duration >= Duration::from_secs(2) {
        Duration::from_secs(duration.as_secs())
    } else {
        Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    };
    humantime::format_duration(coarse).to_string()
}
