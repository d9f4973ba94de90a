//! The token is fresh, by the clock of STS if that is known.
//!
//! The local clock alone never makes this fail: STS decides whether a token has expired. A clock that is wrong
//! is reported.

use std::time::{Duration, SystemTime};

use crate::diagnosis::Diagnosis;
use crate::diagnosis::token::{ClockSkewed, ExpiryWitness, TokenExpired, TokenNotRotated, TokenNotYetValid};
use crate::evidence::{Evidence, HasEvidence};
use crate::run::Verdict;
use crate::text::format_duration;
use crate::token::Claims;

/// The difference above which clock skew is reported. AWS refuses signatures that are off by more than 15 minutes,
/// for some services 5.
pub(crate) const MAX_CLOCK_SKEW: Duration = Duration::from_secs(300);
/// The difference between the clocks of a node and of the API server that is ignored.
pub(crate) const CLOCK_LEEWAY: Duration = Duration::from_secs(60);
/// The kubelet replaces a token after 80% of its lifetime, and after this time at the latest.
/// Source: Kubernetes, `pkg/kubelet/token`.
const LATEST_ROTATION: Duration = Duration::from_secs(24 * 3600);
/// How long the kubelet can take for that.
const ROTATION_LEEWAY: Duration = Duration::from_secs(180);

/// The age of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Freshness {
    /// The time since it was issued.
    pub(crate) age: Duration,
    /// The time until it expires.
    pub(crate) remaining: Duration,
    /// The clock of STS minus the local one, in seconds, if STS gave a time.
    pub(crate) sts_clock_ahead: Option<i64>,
}

impl HasEvidence for Freshness {
    fn evidence(&self) -> Evidence {
        Evidence::new()
            .value("age", format_duration(self.age))
            .value("valid_for", format_duration(self.remaining))
            .value_if("sts_clock_ahead_seconds", self.sts_clock_ahead)
    }
}

pub(crate) fn is_skewed(local: SystemTime, server: SystemTime) -> bool {
    seconds_ahead(local, server).unsigned_abs() > MAX_CLOCK_SKEW.as_secs()
}

fn seconds_ahead(local: SystemTime, server: SystemTime) -> i64 {
    match server.duration_since(local) {
        Ok(ahead) => i64::try_from(ahead.as_secs()).unwrap_or(i64::MAX),
        Err(behind) => i64::try_from(behind.duration().as_secs()).map_or(i64::MIN, |seconds| -seconds),
    }
}

/// When the kubelet should replace the token.
fn rotation_due_at(claims: &Claims) -> SystemTime {
    claims.issued_at + claims.lifetime().mul_f64(0.8).min(LATEST_ROTATION)
}

/// The times at which the verdict on a token can change, by the local clock.
pub(crate) fn verdict_change_times(claims: &Claims) -> [SystemTime; 2] {
    // The verdict depends on whole seconds, so it is certain a second later.
    let later = Duration::from_secs(1);
    [rotation_due_at(claims) + ROTATION_LEEWAY + later, claims.expires_at + later]
}

/// Judges the token's times. `server_time` is the clock of STS, if it answered.
pub(crate) fn judge(claims: &Claims, server_time: Option<SystemTime>, now: SystemTime) -> Verdict<Freshness> {
    let mut warnings: Vec<Diagnosis> = Vec::new();
    if let Some(server) = server_time.filter(|server| is_skewed(now, *server)) {
        warnings.push(ClockSkewed { local: now, server, refusal: None }.into());
    }
    // If the clocks differ, that is the problem. Nothing is said about the token that only one of them shows.
    let server = server_time.unwrap_or(now);
    let (earlier, later) = (now.min(server), now.max(server));
    let witness = if server_time.is_some() { ExpiryWitness::StsClock } else { ExpiryWitness::OwnClock };
    let (issued_at, expires_at) = (claims.issued_at, claims.expires_at);
    let valid_from = claims.not_before.unwrap_or(issued_at);
    let due_at = rotation_due_at(claims);
    if expires_at <= earlier {
        warnings.push(TokenExpired { expired_at: expires_at, issued_at, now: server, witness }.into());
    } else if valid_from > later + CLOCK_LEEWAY {
        warnings
            .push(TokenNotYetValid { valid_from, now: server, is_sts_clock: server_time.is_some() }.into());
    } else if earlier > due_at + ROTATION_LEEWAY {
        warnings.push(TokenNotRotated { issued_at, due_at, expires_at }.into());
    }
    let fresh = Freshness {
        age: server.duration_since(issued_at).unwrap_or_default(),
        remaining: expires_at.duration_since(server).unwrap_or_default(),
        sts_clock_ahead: server_time.map(|server| seconds_ahead(now, server)),
    };
    Verdict::holds(fresh, warnings)
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::run::Verdict;
    use crate::token::decode;
    use std::time::Duration;

    const PROJECTED: &str = include_str!("../../tests/recorded/projected-token.jwt");
    const HOUR: i64 = 3600;

    #[test]
    fn whose_clock_says_what() {
        let claims = decode(PROJECTED).unwrap();
        let at = |seconds: i64| {
            let by = Duration::from_secs(seconds.unsigned_abs());
            if seconds < 0 { claims.issued_at - by } else { claims.issued_at + by }
        };
        for (local, server, expected) in [
            (300, Some(301), vec![]),
            (300, None, vec![]),
            (-30, None, vec![]),
            (-90, None, vec!["TokenNotYetValid"]),
            (19 * HOUR, Some(19 * HOUR), vec![]),
            (19 * HOUR + 1200, Some(19 * HOUR + 1200), vec!["TokenNotRotated"]),
            (25 * HOUR, None, vec!["TokenExpired"]),
            (25 * HOUR, Some(25 * HOUR), vec!["TokenExpired"]),
            (25 * HOUR, Some(HOUR), vec!["ClockSkewed"]),
            (HOUR, Some(25 * HOUR), vec!["ClockSkewed"]),
            (-2 * HOUR, Some(HOUR), vec!["ClockSkewed"]),
        ] {
            let names: Vec<_> = match judge(&claims, server.map(at), at(local)) {
                Verdict::Warn(_, warnings) => {
                    warnings.iter().map(|warning| warning.name().as_str()).collect()
                }
                Verdict::Pass(_) => vec![],
                Verdict::Fail(_) => vec!["never"],
            };
            assert_eq!(names, expected, "{local} {server:?}");
        }
    }
}
