//! The status of the watch: written by its loop, read by the server and by what publishes it.
//!
//! Nobody waits for anybody here: the status is a small value behind a lock that is held for moments.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::Instant;

use super::last_check::LastCheck;
use super::pod_status::{PodStatus, ROLE_WORKS, Warning};
use crate::aws::sts::{Exchange, ExchangeResult};
use crate::diagnosis::Name;
use crate::text::format_duration;

/// How late a heartbeat can be before the loop counts as dead.
const OVERDUE_AFTER: Duration = Duration::from_secs(60);

/// Everything that is known at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// `None` before the first check has ended.
    pub last_check: Option<LastCheck>,
    /// When the role last worked.
    pub(super) last_success: Option<SystemTime>,
    /// How many requests to STS ended in which way.
    pub(super) requests_by_result: BTreeMap<ExchangeResult, u64>,
    pub(super) last_request_took: Option<Duration>,
    /// How often the token file had another token.
    pub rotations: u64,
    /// When the next heartbeat of the loop is due.
    pub heartbeat_deadline: Instant,
    has_worked: bool,
    failing_since: Option<Instant>,
}

/// Whether the pod can be sent work, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Readiness {
    pub(super) ready: bool,
    pub(super) reason: String,
}

impl Snapshot {
    /// Whether the pod can be sent work: from the first time the role works, until a failure has lasted for
    /// `grace`. Until then applications hold credentials that still work.
    fn readiness(&self, grace: Duration, now: Instant) -> Readiness {
        let Some(last) = &self.last_check else {
            return Readiness { ready: false, reason: "starting: no check has ended yet".to_owned() };
        };
        let Some(name) = last.diagnosis else {
            let warnings: Vec<&str> = Warning::names(&last.warnings).map(Name::as_str).collect();
            let but =
                if warnings.is_empty() { String::new() } else { format!(", but: {}", warnings.join(", ")) };
            return Readiness { ready: true, reason: format!("ready: the role works{but}") };
        };
        let wrong = format!("{}: {}", name.as_str(), name.title());
        if last.accepted {
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

    /// Whether the loop is alive: its heartbeat is not overdue.
    pub(super) fn is_alive(&self, now: Instant) -> bool {
        now <= self.heartbeat_deadline + OVERDUE_AFTER
    }
}

#[derive(Debug)]
pub struct WatchStatus {
    snapshot: Mutex<Snapshot>,
    grace: Duration,
    pod_status: watch::Sender<Option<PodStatus>>,
}

impl WatchStatus {
    /// Before the first check. A failure makes the pod unready when it has lasted for `grace`.
    pub fn new(grace: Duration) -> Self {
        let snapshot = Snapshot {
            last_check: None,
            last_success: None,
            requests_by_result: ExchangeResult::ALL.into_iter().map(|result| (result, 0)).collect(),
            last_request_took: None,
            rotations: 0,
            heartbeat_deadline: Instant::now(),
            has_worked: false,
            failing_since: None,
        };
        Self { snapshot: Mutex::new(snapshot), grace, pod_status: watch::Sender::new(None) }
    }

    fn lock(&self) -> MutexGuard<'_, Snapshot> {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known now.
    pub fn snapshot(&self) -> Snapshot {
        self.lock().clone()
    }

    /// Whether the pod can be sent work now.
    pub(super) fn readiness(&self) -> Readiness {
        self.lock().readiness(self.grace, Instant::now())
    }

    /// The status for the cluster, each time it changes; `None` before the first verdict.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Option<PodStatus>> {
        self.pod_status.subscribe()
    }

    /// Sets when the loop's next heartbeat is due. Publishes what time alone has changed, such as a grace that
    /// is over.
    pub(super) fn set_heartbeat_deadline(&self, deadline: Instant) {
        let mut snapshot = self.lock();
        snapshot.heartbeat_deadline = deadline;
        let now = snapshot.last_check.as_ref().map(|last| PodStatus {
            ready: snapshot.readiness(self.grace, Instant::now()).ready,
            reason: last.diagnosis.map_or(ROLE_WORKS, Name::as_str).to_owned(),
            message: last.message.clone(),
            warnings: last.warnings.clone(),
        });
        drop(snapshot);
        self.pod_status.send_if_modified(|before| {
            let is_same = match (&*before, &now) {
                (Some(before), Some(now)) => before.says_the_same_as(now),
                (before, now) => before.is_none() && now.is_none(),
            };
            if !is_same {
                *before = now;
            }
            !is_same
        });
    }

    /// The token file had another token.
    pub(super) fn count_rotation(&self) {
        self.lock().rotations += 1;
    }

    pub(super) fn count_requests(&self, exchanges: &[Exchange]) {
        let mut snapshot = self.lock();
        for exchange in exchanges {
            *snapshot.requests_by_result.entry(exchange.result).or_default() += 1;
            snapshot.last_request_took = Some(exchange.took);
        }
    }

    /// Records a check that ended at `now`, with a call to STS or without. Returns whether its verdict is news.
    pub(super) fn record(&self, check: LastCheck, asked_sts: bool, now: SystemTime) -> bool {
        let mut snapshot = self.lock();
        if check.role_works && asked_sts {
            snapshot.last_success = Some(now);
        }
        if check.diagnosis.is_none() || check.role_works && check.accepted {
            snapshot.has_worked = true;
            snapshot.failing_since = None;
        } else if snapshot.failing_since.is_none() {
            // From now on the credentials that applications hold run out, even if the failure is tolerated.
            snapshot.failing_since = Some(Instant::now());
        }
        let is_news = snapshot.last_check.as_ref().is_none_or(|before| !before.says_the_same_as(&check));
        snapshot.last_check = Some(check);
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

    fn last_check(diagnosis: Option<Name>) -> LastCheck {
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

    fn write(status: &WatchStatus, diagnosis: Option<Name>) -> bool {
        status.record(last_check(diagnosis), true, SystemTime::UNIX_EPOCH)
    }

    #[tokio::test(start_paused = true)]
    async fn ready_from_the_first_pass_until_a_failure_has_lasted() {
        let status = WatchStatus::new(GRACE);
        let is = |ready: bool, why: &str| {
            let readiness = status.readiness();
            assert!(readiness.ready == ready && readiness.reason.starts_with(why), "{readiness:?}");
        };
        is(false, "starting");
        write(&status, Some(Name::Throttled));
        is(false, "Throttled: ");
        advance(GRACE * 2).await;
        is(false, "Throttled: ");
        write(&status, None);
        is(true, "ready");
        write(&status, Some(Name::AssumeRoleNotAuthorized));
        advance(GRACE / 2).await;
        // Another failure is still the same time without the role.
        write(&status, Some(Name::StsTimedOut));
        is(true, "StsTimedOut: ");
        assert!(status.readiness().reason.ends_with("(ready for another 30m)"));
        advance(GRACE / 2).await;
        is(false, "StsTimedOut: ");
        write(&status, None);
        is(true, "ready");
        write(&status, Some(Name::StsTimedOut));
        is(true, "StsTimedOut");
    }

    #[tokio::test(start_paused = true)]
    async fn without_grace_a_failure_counts_at_once_and_a_tolerated_one_never() {
        let status = WatchStatus::new(Duration::ZERO);
        write(&status, None);
        write(&status, Some(Name::StsTimedOut));
        assert!(!status.readiness().ready);
        status.record(
            LastCheck { accepted: true, ..last_check(Some(Name::StsTimedOut)) },
            true,
            SystemTime::UNIX_EPOCH,
        );
        assert!(status.readiness().ready);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_tolerated_neither_begins_the_grace_nor_ends_it() {
        let tolerated = || LastCheck { accepted: true, ..last_check(Some(Name::StsTimedOut)) };
        let status = WatchStatus::new(GRACE);
        status.record(tolerated(), true, SystemTime::UNIX_EPOCH);
        write(&status, Some(Name::AssumeRoleNotAuthorized));
        assert!(!status.readiness().ready, "the role has never worked");
        write(&status, None);
        for _ in 0..3 {
            assert!(status.readiness().ready);
            write(&status, Some(Name::AssumeRoleNotAuthorized));
            advance(GRACE / 3).await;
            status.record(tolerated(), true, SystemTime::UNIX_EPOCH);
        }
        write(&status, Some(Name::AssumeRoleNotAuthorized));
        assert!(!status.readiness().ready, "the role has not worked for as long as the grace lasts");
    }

    #[tokio::test(start_paused = true)]
    async fn a_role_that_works_beside_a_fault_of_the_application_that_is_tolerated_has_its_grace() {
        let application =
            || LastCheck { accepted: true, role_works: true, ..last_check(Some(Name::FallsToNodeRole)) };
        let status = WatchStatus::new(GRACE);
        status.record(application(), true, SystemTime::UNIX_EPOCH);
        advance(GRACE * 2).await;
        write(&status, Some(Name::StsTimedOut));
        assert!(status.readiness().ready);
        advance(GRACE).await;
        assert!(!status.readiness().ready);
    }

    #[tokio::test]
    async fn only_what_is_new_is_news() {
        let status = WatchStatus::new(GRACE);
        assert!(write(&status, None) && !write(&status, None));
        assert!(write(&status, Some(Name::Throttled)) && !write(&status, Some(Name::Throttled)));
        let warning = Warning { name: Name::TokenNotRotated, cause: String::new() };
        let warned = LastCheck { warnings: vec![warning], ..last_check(Some(Name::Throttled)) };
        assert!(status.record(warned, true, SystemTime::UNIX_EPOCH));
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_is_overdue_is_dead() {
        let status = WatchStatus::new(GRACE);
        status.set_heartbeat_deadline(Instant::now() + GRACE);
        advance(GRACE + OVERDUE_AFTER).await;
        assert!(status.snapshot().is_alive(Instant::now()));
        advance(Duration::from_secs(1)).await;
        assert!(!status.snapshot().is_alive(Instant::now()));
    }
}
