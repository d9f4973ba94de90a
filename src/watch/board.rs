//! What is known now. The loop writes it after each check; the server, and whoever tells Kubernetes,
//! read it. Nobody waits for anybody: it is a little memory behind a lock that is held for moments.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::Instant;

use crate::aws::sts::{Exchange, ExchangeResult};
use crate::diagnosis::{Diagnosis, Name};
use crate::report::model::Report;
use crate::report::termination;
use crate::run::check::Check;
use crate::text::{format_duration, sanitize};

use super::status::{PodStatus, ROLE_WORKS, Warning};

/// How late a check may be until the loop is taken for dead.
const OVERDUE_AFTER: Duration = Duration::from_secs(60);

/// What the last check found.
#[derive(Debug, Clone)]
pub struct LastCheck {
    /// What is wrong; nothing, if the role works, and the application takes it.
    pub diagnosis: Option<Name>,
    /// Whether the role works, whatever the application does with it.
    pub(crate) role_works: bool,
    /// What was found beside that, and each in words.
    pub(crate) warnings: Vec<Warning>,
    /// Whether the container would not fail by it: the role works, or the failure is tolerated.
    pub(crate) accepted: bool,
    pub(crate) checks: Vec<(Check, &'static str)>,
    /// The role, as it may be printed.
    pub(crate) role_arn: Option<String>,
    pub(crate) token_expires_at: Option<SystemTime>,
    pub(crate) message: String,
}

impl LastCheck {
    /// What of a report has to be at hand.
    pub(crate) fn from_report(report: &Report) -> Self {
        Self {
            diagnosis: report.diagnosis().map(Diagnosis::name),
            role_works: report.role_works(),
            warnings: report.warnings().into_iter().map(Warning::from_diagnosis).collect(),
            accepted: report.exit_code() == 0,
            checks: report.checks.iter().map(|step| (step.check, step.outcome.as_str())).collect(),
            role_arn: report.facts.role_arn.as_deref().map(sanitize),
            token_expires_at: report.facts.claims.as_ref().map(|claims| claims.expires_at),
            message: termination::message(report),
        }
    }

    /// Whether the other says the same, as far as a person has to be told.
    pub(crate) fn says_the_same_as(&self, other: &Self) -> bool {
        let what = |found: &Self| (found.diagnosis, warning_names(&found.warnings), found.role_arn.clone());
        what(self) == what(other)
    }
}

pub(crate) fn warning_names(warnings: &[Warning]) -> Vec<Name> {
    warnings.iter().map(|warned| warned.name).collect()
}

impl Warning {
    fn from_diagnosis(warning: &Diagnosis) -> Self {
        Self { name: warning.name(), cause: warning.cause() }
    }
}

/// Everything that is known.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// What the last check found; nothing before the first has ended.
    pub last_check: Option<LastCheck>,
    /// When the role last worked.
    pub(crate) last_success: Option<SystemTime>,
    /// How many requests to STS ended how.
    pub(crate) requests_by_result: BTreeMap<ExchangeResult, u64>,
    /// How long the last of them took.
    pub(crate) last_request_took: Option<Duration>,
    /// How often another token was found in the file.
    pub rotations: u64,
    /// When the loop will have given its next sign of life.
    pub heartbeat_deadline: Instant,
    has_worked: bool,
    failing_since: Option<Instant>,
}

/// Whether the pod may be sent work, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Readiness {
    pub(crate) ready: bool,
    /// One line that says why.
    pub(crate) reason: String,
}

impl Snapshot {
    /// Whether the pod may be sent work: not before the role has worked, and from then on unless a
    /// failure has lasted for `grace`, since applications hold credentials that still work.
    pub(crate) fn readiness(&self, grace: Duration, now: Instant) -> Readiness {
        let Some(found) = &self.last_check else {
            return Readiness { ready: false, reason: "starting: no check has ended yet".to_owned() };
        };
        let Some(name) = found.diagnosis else {
            let warnings: Vec<&str> = found.warnings.iter().map(|warned| warned.name.as_str()).collect();
            let but =
                if warnings.is_empty() { String::new() } else { format!(", but: {}", warnings.join(", ")) };
            return Readiness { ready: true, reason: format!("ready: the role works{but}") };
        };
        let wrong = format!("{}: {}", name.as_str(), name.title());
        if found.accepted {
            return Readiness { ready: true, reason: format!("{wrong} (ready, since this is tolerated)") };
        }
        let failing = self.failing_since.map_or(grace, |since| now.saturating_duration_since(since));
        match grace.checked_sub(failing).filter(|left| self.has_worked && !left.is_zero()) {
            Some(left) => Readiness {
                ready: true,
                reason: format!("{wrong} (ready for another {})", format_duration(left)),
            },
            None => Readiness { ready: false, reason: wrong },
        }
    }

    /// Whether the loop is alive: it has not missed the time by which it was to give a sign.
    pub(crate) fn is_alive(&self, now: Instant) -> bool {
        now <= self.heartbeat_deadline + OVERDUE_AFTER
    }
}

/// Where it is written.
#[derive(Debug)]
pub struct WatchStatus {
    snapshot: Mutex<Snapshot>,
    grace: Duration,
    pod_status: watch::Sender<Option<PodStatus>>,
}

impl WatchStatus {
    /// Nothing is known yet. A failure makes the pod unready when it has lasted for `grace`.
    #[must_use]
    pub fn new(grace: Duration) -> Self {
        let known = Snapshot {
            last_check: None,
            last_success: None,
            requests_by_result: ExchangeResult::ALL.into_iter().map(|answered| (answered, 0)).collect(),
            last_request_took: None,
            rotations: 0,
            has_worked: false,
            failing_since: None,
            heartbeat_deadline: Instant::now(),
        };
        Self { snapshot: Mutex::new(known), grace, pod_status: watch::Sender::new(None) }
    }

    fn lock(&self) -> MutexGuard<'_, Snapshot> {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.lock().clone()
    }

    /// Whether the pod may be sent work now.
    pub(crate) fn readiness(&self) -> Readiness {
        self.lock().readiness(self.grace, Instant::now())
    }

    /// How the sidecar stands, each time that this changes; nothing before the first verdict.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Option<PodStatus>> {
        self.pod_status.subscribe()
    }

    /// The loop gives its next sign by then. What has changed by the passing of time alone is told.
    pub(crate) fn set_heartbeat_deadline(&self, by: Instant) {
        let mut known = self.lock();
        known.heartbeat_deadline = by;
        let standing = known.last_check.as_ref().map(|found| PodStatus {
            ready: known.readiness(self.grace, Instant::now()).ready,
            works: found.diagnosis.is_none(),
            reason: found.diagnosis.map_or(ROLE_WORKS, Name::as_str).to_owned(),
            message: found.message.clone(),
            warnings: found.warnings.clone(),
        });
        drop(known);
        // A message alone, in which a time may be another, is no news.
        let what = |standing: &Option<PodStatus>| {
            standing.as_ref().map(|standing| {
                (standing.ready, standing.works, standing.reason.clone(), warning_names(&standing.warnings))
            })
        };
        self.pod_status.send_if_modified(|before| {
            let is_news = what(before) != what(&standing);
            if is_news {
                *before = standing;
            }
            is_news
        });
    }

    /// Another token was found in the file.
    pub(crate) fn count_rotation(&self) {
        self.lock().rotations += 1;
    }

    pub(crate) fn count_requests(&self, exchanges: &[Exchange]) {
        let mut known = self.lock();
        for exchange in exchanges {
            *known.requests_by_result.entry(exchange.result).or_default() += 1;
            known.last_request_took = Some(exchange.took);
        }
    }

    /// A check ended at `now`, and STS was asked in it, or not. Says whether a person has to be told.
    pub(crate) fn record(&self, found: LastCheck, asked: bool, now: SystemTime) -> bool {
        let mut known = self.lock();
        if found.role_works && asked {
            known.last_success = Some(now);
        }
        if found.diagnosis.is_none() || found.role_works && found.accepted {
            known.has_worked = true;
            known.failing_since = None;
        } else if known.failing_since.is_none() {
            // From then on the credentials that applications hold run out, tolerated or not.
            known.failing_since = Some(Instant::now());
        }
        let is_news = known.last_check.as_ref().is_none_or(|before| !before.says_the_same_as(&found));
        known.last_check = Some(found);
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::{LastCheck, OVERDUE_AFTER, Warning, WatchStatus};
    use crate::diagnosis::Name;
    use std::time::{Duration, SystemTime};
    use tokio::time::{Instant, advance};

    const GRACE: Duration = Duration::from_secs(3600);

    fn found(diagnosis: Option<Name>) -> LastCheck {
        LastCheck {
            role_works: diagnosis.is_none(),
            diagnosis,
            warnings: Vec::new(),
            accepted: diagnosis.is_none(),
            checks: Vec::new(),
            role_arn: None,
            token_expires_at: None,
            message: String::new(),
        }
    }

    fn write(board: &WatchStatus, diagnosis: Option<Name>) -> bool {
        board.record(found(diagnosis), true, SystemTime::UNIX_EPOCH)
    }

    #[tokio::test(start_paused = true)]
    async fn ready_from_the_first_pass_until_a_failure_has_lasted() {
        let board = WatchStatus::new(GRACE);
        let is = |ready: bool, why: &str| {
            let readiness = board.readiness();
            assert!(readiness.ready == ready && readiness.reason.starts_with(why), "{readiness:?}");
        };
        is(false, "starting");
        write(&board, Some(Name::Throttled));
        is(false, "Throttled: ");
        advance(GRACE * 2).await;
        is(false, "Throttled: ");
        write(&board, None);
        is(true, "ready");
        write(&board, Some(Name::AssumeRoleNotAuthorized));
        advance(GRACE / 2).await;
        // Another failure is still the same time without the role.
        write(&board, Some(Name::StsTimedOut));
        is(true, "StsTimedOut: ");
        assert!(board.readiness().reason.ends_with("(ready for another 30m)"));
        advance(GRACE / 2).await;
        is(false, "StsTimedOut: ");
        write(&board, None);
        is(true, "ready");
        write(&board, Some(Name::StsTimedOut));
        is(true, "StsTimedOut");
    }

    #[tokio::test(start_paused = true)]
    async fn without_grace_a_failure_counts_at_once_and_a_tolerated_one_never() {
        let board = WatchStatus::new(Duration::ZERO);
        write(&board, None);
        write(&board, Some(Name::StsTimedOut));
        assert!(!board.readiness().ready);
        board.record(
            LastCheck { accepted: true, ..found(Some(Name::StsTimedOut)) },
            true,
            SystemTime::UNIX_EPOCH,
        );
        assert!(board.readiness().ready);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_tolerated_neither_begins_the_grace_nor_ends_it() {
        let tolerated = || LastCheck { accepted: true, ..found(Some(Name::StsTimedOut)) };
        let board = WatchStatus::new(GRACE);
        board.record(tolerated(), true, SystemTime::UNIX_EPOCH);
        write(&board, Some(Name::AssumeRoleNotAuthorized));
        assert!(!board.readiness().ready, "the role has never worked");
        write(&board, None);
        for _ in 0..3 {
            assert!(board.readiness().ready);
            write(&board, Some(Name::AssumeRoleNotAuthorized));
            advance(GRACE / 3).await;
            board.record(tolerated(), true, SystemTime::UNIX_EPOCH);
        }
        write(&board, Some(Name::AssumeRoleNotAuthorized));
        assert!(!board.readiness().ready, "the role has not worked for as long as the grace lasts");
    }

    #[tokio::test(start_paused = true)]
    async fn a_role_that_works_beside_a_fault_of_the_application_that_is_tolerated_has_its_grace() {
        let application =
            || LastCheck { accepted: true, role_works: true, ..found(Some(Name::FallsToNodeRole)) };
        let board = WatchStatus::new(GRACE);
        board.record(application(), true, SystemTime::UNIX_EPOCH);
        advance(GRACE * 2).await;
        write(&board, Some(Name::StsTimedOut));
        assert!(board.readiness().ready);
        advance(GRACE).await;
        assert!(!board.readiness().ready);
    }

    #[tokio::test]
    async fn only_what_is_new_is_news() {
        let board = WatchStatus::new(GRACE);
        assert!(write(&board, None) && !write(&board, None));
        assert!(write(&board, Some(Name::Throttled)) && !write(&board, Some(Name::Throttled)));
        let warning = Warning { name: Name::TokenNotRotated, cause: String::new() };
        let warned = LastCheck { warnings: vec![warning], ..found(Some(Name::Throttled)) };
        assert!(board.record(warned, true, SystemTime::UNIX_EPOCH));
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_is_overdue_is_dead() {
        let board = WatchStatus::new(GRACE);
        board.set_heartbeat_deadline(Instant::now() + GRACE);
        advance(GRACE + OVERDUE_AFTER).await;
        assert!(board.snapshot().is_alive(Instant::now()));
        advance(Duration::from_secs(1)).await;
        assert!(!board.snapshot().is_alive(Instant::now()));
    }
}
