//! The sidecar: the plan again and again, when the schedule says so or when the pod changes.
//!
//! One task makes one check at a time. Once a second it looks at the token file and at the clocks. A new
//! token is judged at once, without a call to STS. STS is called once an interval, sooner after a failure,
//! and when the kubelet should have replaced the token.

mod clocks;
pub mod last_check;
pub mod metrics;
pub mod pod_status;
pub mod publish;
pub mod schedule;
pub(crate) mod server;
pub mod status;

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::aws::sts::ExchangeResult;
use crate::checks::token_fresh;
use crate::host::deadline::Budget;
use crate::host::{FileFingerprint, Pod};
use crate::plan;
use crate::plan::pass::{Memory, Pass};
use crate::report::model::{Circumstances, FailurePolicy, Report};
use crate::run::CheckResult;
use crate::run::check::Check;
use crate::run::identity::Identity;
use crate::run::options::CheckOptions;
use crate::run::probe::Probe;
use crate::token::Claims;
use clocks::Clocks;
use last_check::LastCheck;
use schedule::{CheckEnd, Schedule};
use status::WatchStatus;

/// How often the token file and the clocks are looked at.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How long it can take to look at the token file.
const FINGERPRINT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long the watch is silent while nothing changes.
const QUIET_NOTICE_INTERVAL: Duration = Duration::from_secs(3600);

/// What a watch is told besides the options of its checks.
#[derive(Debug, Clone)]
pub struct WatchSettings {
    /// The longest that one step of a check can take.
    pub timeout: Duration,
    /// Which failures do not fail the container.
    pub failure_policy: FailurePolicy,
    /// The container's name, for reports.
    pub container: Option<String>,
}

#[derive(Debug)]
pub enum Notice<'a> {
    Verdict(&'a Report),
    /// The token file has another token.
    Rotation {
        /// When the new token expires.
        expires_at: Option<SystemTime>,
    },
    /// Nothing has changed for an hour.
    Steady(&'a Report),
}

/// The loop, and what it remembers.
#[derive(Debug)]
pub struct Watch<'a> {
    pod: &'a Pod,
    options: &'a CheckOptions,
    settings: &'a WatchSettings,
    status: &'a WatchStatus,
    schedule: Schedule,
    last: Option<Report>,
    token: Option<Claims>,
    memory: Memory,
}

/// What is known of a changed token file without a call to STS.
enum TokenChange {
    /// Enough, and somebody was notified.
    Notified,
    /// Enough.
    Judged,
    /// Only STS can say more.
    AskSts,
    /// The token cannot work.
    Fails,
}

impl<'a> Watch<'a> {
    /// A watch that has not begun.
    pub fn new(
        pod: &'a Pod,
        options: &'a CheckOptions,
        settings: &'a WatchSettings,
        status: &'a WatchStatus,
        schedule: Schedule,
    ) -> Self {
        let memory = Memory::new(pod, options);
        Self { pod, options, settings, status, schedule, last: None, token: None, memory }
    }

    pub(crate) fn last(&self) -> Option<&Report> {
        self.last.as_ref()
    }

    /// Runs until it is dropped.
    pub async fn run(&mut self, mut notify: impl AsyncFnMut(Notice<'_>)) -> Infallible {
        let path = Identity::of(self.pod, self.options).token_file().map(Path::to_owned);
        let mut fingerprint = self.fingerprint(path.as_ref()).await;
        let mut checked = Clocks::now(self.pod);
        let mut notified = checked.steady;
        let mut next = checked.steady;
        let mut before = checked;
        loop {
            if Instant::now() >= next {
                if Box::pin(self.check()).await {
                    notified = Instant::now();
                    self.notify_verdict(&mut notify).await;
                }
                checked = Clocks::now(self.pod);
                next = checked.steady + self.schedule.pause_after(self.last_check_end());
            }
            if notified.elapsed() >= QUIET_NOTICE_INTERVAL
                && let Some(report) = &self.last
            {
                notified = Instant::now();
                notify(Notice::Steady(report)).await;
            }

            let wake = next.min(Instant::now() + POLL_INTERVAL);
            self.status.set_heartbeat_deadline(wake + FINGERPRINT_TIMEOUT);
            tokio::time::sleep_until(wake).await;

            let found = self.fingerprint(path.as_ref()).await;
            let now = Clocks::now(self.pod);
            let since_check = now.steady - checked.steady;
            let planned = next.saturating_duration_since(now.steady);
            let soon = now.steady + self.schedule.remaining_after_change(since_check, planned);
            if let Some(found) = found.filter(|found| fingerprint != Some(*found)) {
                fingerprint = Some(found);
                match self.check_changed_token(&mut notify).await {
                    TokenChange::Notified => notified = Instant::now(),
                    TokenChange::Judged => {}
                    TokenChange::AskSts => next = soon,
                    // A token that cannot work causes no call, so STS cannot be overloaded by it.
                    TokenChange::Fails => next = now.steady + Schedule::remaining_without_sts(since_check),
                }
            }
            if now.jumped_since(&before) || self.token_verdict_changed(checked.wall, now.wall) {
                next = next.min(soon);
                checked.wall = now.wall;
            }
            before = now;
        }
    }

    /// Makes every check. Returns whether the verdict is news.
    async fn check(&mut self) -> bool {
        let probe = self.probe();
        self.status.set_heartbeat_deadline(probe.budget.deadline);
        let started = (self.pod.now(), Instant::now());
        let mut pass = Pass::new(self.pod, self.options, Some(&self.memory));
        plan::check(&probe, &mut self.memory, &mut pass).await;
        plan::node_role(&probe, &mut self.memory, &mut pass).await;
        self.token = pass.facts.claims.clone().or(self.token.take());
        self.status.count_requests(&pass.facts.sts.exchanges);
        self.replace_last(pass, started, true)
    }

    /// Judges a token file that changed, without a call to STS. The file has another token, or the same, or none.
    async fn check_changed_token(&mut self, notify: &mut impl AsyncFnMut(Notice<'_>)) -> TokenChange {
        let probe = self.probe();
        self.status.set_heartbeat_deadline(probe.budget.deadline);
        let started = (self.pod.now(), Instant::now());
        let mut pass = match &self.last {
            Some(last) => Pass::after(self.pod, self.options, last),
            None => Pass::new(self.pod, self.options, Some(&self.memory)),
        };
        plan::check_token(&probe, &self.memory, &mut pass).await;

        let claims = pass.facts.claims.clone();
        let is_other = claims.is_some() && self.token.is_some() && claims != self.token;
        self.token = claims.or(self.token.take());
        if is_other {
            self.status.count_rotation();
            let expires_at = pass.facts.claims.as_ref().map(|claims| claims.expires_at);
            notify(Notice::Rotation { expires_at }).await;
        }
        if pass.run.role_fails() {
            return TokenChange::Fails;
        }
        // If the clocks differ, only the clock of STS shows how old a token is.
        let is_fresh =
            |result: &CheckResult| result.check != Check::TokenFresh || result.warnings().is_empty();
        let is_enough = |last: &Report| last.role_works() && last.checks.iter().all(is_fresh);
        if pass.run.warns(Check::TokenFresh) || !self.last.as_ref().is_some_and(is_enough) {
            return TokenChange::AskSts;
        }
        let is_news = self.replace_last(pass, started, false);
        if is_news {
            self.notify_verdict(notify).await;
        }
        if is_news || is_other { TokenChange::Notified } else { TokenChange::Judged }
    }

    /// Makes a pass the last report. Returns whether its verdict is news.
    fn replace_last(&mut self, pass: Pass, started: (SystemTime, Instant), asked_sts: bool) -> bool {
        let circumstances = Circumstances {
            started,
            attempts: 1,
            interrupted: false,
            container: self.settings.container.clone(),
            failure_policy: self.settings.failure_policy.clone(),
        };
        let report = pass.into_report(self.pod, circumstances);
        let is_news = self.status.record(LastCheck::from_report(&report), asked_sts, self.pod.now());
        self.last = Some(report);
        is_news
    }

    async fn notify_verdict(&self, notify: &mut impl AsyncFnMut(Notice<'_>)) {
        if let Some(report) = &self.last {
            notify(Notice::Verdict(report)).await;
        }
    }

    /// How the last check ended, for the schedule. A failure of the application causes no more calls to STS.
    fn last_check_end(&self) -> CheckEnd {
        let Some(report) = &self.last else { return CheckEnd::Fails };
        let last_exchange = report.facts.sts.exchanges.last();
        match report.role_works() {
            true => CheckEnd::Works,
            false if last_exchange.is_some_and(|last| last.result == ExchangeResult::Throttled) => {
                CheckEnd::Throttled
            }
            false => CheckEnd::Fails,
        }
    }

    /// Whether a time has passed since `then` that changes the verdict on the token: it expired, or the kubelet
    /// should have replaced it.
    fn token_verdict_changed(&self, then: SystemTime, now: SystemTime) -> bool {
        let claims = self.last.as_ref().and_then(|report| report.facts.claims.as_ref());
        claims.is_some_and(|claims| {
            token_fresh::verdict_change_times(claims).into_iter().any(|time| then < time && time <= now)
        })
    }

    fn probe(&self) -> Probe<'a> {
        let budget = Budget::single_pass(self.settings.timeout);
        Probe { pod: self.pod, options: self.options, budget }
    }

    async fn fingerprint(&self, path: Option<&PathBuf>) -> Option<FileFingerprint> {
        self.pod.fingerprint(path?, Instant::now() + FINGERPRINT_TIMEOUT).await
    }
}
