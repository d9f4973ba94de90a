//! How the values of flags are read, where that takes more than their type.

use std::time::Duration;

use crate::kubernetes;
use crate::sdk_scan::ExpectedSdk;
use crate::text::format_duration;
use sdk_chain::SdkId;

/// The longest duration: longer than any pod waits, and short enough that no clock overflows.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The shortest interval: everybody in the account shares STS.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(10);

/// The longest name of a condition after its prefix.
/// Source: `k8s.io/apimachinery`, `IsQualifiedName`.
const MAX_CONDITION_CHARS: usize = 63;

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration > LONGEST { Err("at most 24h".to_owned()) } else { Ok(duration) }
}

pub(super) fn longer_than_zero(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("more than 0s".to_owned()),
        more => Ok(more),
    }
}

pub(super) fn interval(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        short if short < SHORTEST_INTERVAL => Err(format!("at least {}", format_duration(SHORTEST_INTERVAL))),
        interval => Ok(interval),
    }
}

pub(super) fn sdk(text: &str) -> Result<ExpectedSdk, String> {
    let (name, version) = match text.split_once('@') {
        Some((name, version)) => (name, Some(version)),
        None => (text, None),
    };
    let sdk = SdkId::parse(name).ok_or_else(|| {
        let ids: Vec<&str> = SdkId::ALL.iter().map(|id| id.as_str()).collect();
        format!("one of {}", ids.join(", "))
    })?;
    match version {
        Some("") => Err("a version after the @".to_owned()),
        version => Ok(ExpectedSdk { sdk, version: version.map(str::to_owned) }),
    }
}

/// The type of a condition of our own: with a prefix, since those without belong to Kubernetes.
pub(super) fn condition_type(text: &str) -> Result<String, String> {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_condition = |name: &str| {
        name.len() <= MAX_CONDITION_CHARS
            && name.chars().all(inner)
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.ends_with(|c: char| c.is_ascii_alphanumeric())
    };
    match text.split_once('/') {
        Some((prefix, name)) if kubernetes::is_object_name(prefix) && is_condition(name) => {
            Ok(text.to_owned())
        }
        _ => Err("a name with a prefix, like irsa-probe/ready".to_owned()),
    }
}
