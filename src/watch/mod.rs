//! The sidecar's loop: the plan again and again, when the schedule says so or the pod changes.
//!
//! One task, one check at a time. Once a second it looks at the token file and at the clock. Another
//! token is judged at once, without STS; STS is asked once an interval, sooner after a
//! failure, and when the time has come at which the token should have been replaced.

pub mod board;
pub mod metrics;
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
use board::{LastCheck, WatchStatus};
use schedule::{CheckEnd, Schedule};

/// How often the token file and the clock are looked at.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How long the file system may take to tell about the token file.
const FINGERPRINT_TIMEOUT: Duration = Duration::from_secs(1);
/// How often a sidecar with nothing to say says so.
const QUIET_NOTICE_INTERVAL: Duration = Duration::from_secs(3600);
/// By how much the wall clock may leave the time that has passed, until it is taken for set.
const CLOCK_JUMP: Duration = Duration::from_secs(60);

/// What the loop is to know besides what the plan wants.
#[derive(Debug, Clone)]
pub struct WatchSettings {
    /// The most that one step of a check may take.
    pub timeout: Duration,
    /// Which failures do not fail the container.
    pub failure_policy: FailurePolicy,
    /// The container's name, for reports.
    pub container: Option<String>,
}

/// What somebody may want to be told.
#[derive(Debug)]
pub enum Notice<'a> {
    /// The verdict is another than before.
    Verdict(&'a Report),
    /// Another token is in the file.
    Rotation {
        /// When it expires.
        expires_at: Option<SystemTime>,
    },
    /// Nothing has happened for an hour.
    Steady(&'a Report),
}

/// The loop and what it remembers.
#[derive(Debug)]
pub struct Watch<'a> {
    pod: &'a Pod,
    wanted: &'a CheckOptions,
    settings: &'a WatchSettings,
    board: &'a WatchStatus,
    schedule: Schedule,
    last: Option<Report>,
    token: Option<Claims>,
    memory: Memory,
}

/// What is known of a file that is another than before, without STS.
enum TokenChange {
    /// All that has to be, and somebody was told something.
    Told,
    /// All that has to be.
    Whole,
    /// The rest is STS's to say.
    AskSts,
    Fails,
}

/// The two clocks at one moment.
#[derive(Debug, Clone, Copy)]
struct Moment {
    steady: Instant,
    wall: SystemTime,
}

impl Moment {
    fn of(pod: &Pod) -> Self {
        Self { steady: Instant::now(), wall: pod.now() }
    }

    /// Whether the wall clock was set between then and now.
    fn clock_jumped_since(&self, then: &Self) -> bool {
        let passed = self.steady.saturating_duration_since(then.steady);
        let expected = then.wall + passed;
        let off = expected.duration_since(self.wall).or_else(|_| self.wall.duration_since(expected));
        off.is_ok_and(|off| off > CLOCK_JUMP)
    }
}

impl<'a> Watch<'a> {
    /// A loop that has not begun.
    #[must_use]
    pub fn new(
        pod: &'a Pod,
        wanted: &'a CheckOptions,
        settings: &'a WatchSettings,
        board: &'a WatchStatus,
        schedule: Schedule,
    ) -> Self {
        Self {
            pod,
            wanted,
            settings,
            board,
            schedule,
            last: None,
            token: None,
            memory: Memory::new(pod, wanted),
        }
    }

    /// The last report, if a check has ended.
    pub(crate) fn last(&self) -> Option<&Report> {
        self.last.as_ref()
    }

    /// Runs until it is dropped.
    pub async fn run(&mut self, mut tell: impl AsyncFnMut(Notice<'_>)) -> Infallible {
        let path = Identity::of(self.pod, self.wanted).token_file().map(Path::to_owned);
        let mut stamp = self.fingerprint(path.as_ref()).await;
        let mut checked = Moment::of(self.pod);
        let mut told = checked.steady;
        let mut next = checked.steady;
        let mut moment = checked;
        loop {
            if Instant::now() >= next {
                if Box::pin(self.check()).await {
                    told = Instant::now();
                    self.notify_verdict(&mut tell).await;
                }
                checked = Moment::of(self.pod);
                next = checked.steady + self.schedule.pause_after(self.last_check_end());
            }
            if told.elapsed() >= QUIET_NOTICE_INTERVAL
                && let Some(report) = &self.last
            {
                told = Instant::now();
                tell(Notice::Steady(report)).await;
            }

            let wake = next.min(Instant::now() + POLL_INTERVAL);
            self.board.set_heartbeat_deadline(wake + FINGERPRINT_TIMEOUT);
            tokio::time::sleep_until(wake).await;

            let seen = self.fingerprint(path.as_ref()).await;
            let now = Moment::of(self.pod);
            let sooner = now.steady
                + self.schedule.remaining_after_change(
                    now.steady - checked.steady,
                    next.saturating_duration_since(now.steady),
                );
            if let Some(seen) = seen.filter(|seen| stamp != Some(*seen)) {
                stamp = Some(seen);
                match self.check_changed_token(&mut tell).await {
                    TokenChange::Told => told = Instant::now(),
                    TokenChange::Whole => {}
                    TokenChange::AskSts => next = sooner,
                    // No request is made for what cannot work.
                    TokenChange::Fails => {
                        next = now.steady + Schedule::remaining_without_sts(now.steady - checked.steady)
                    }
                }
            }
            if now.clock_jumped_since(&moment) || self.token_verdict_changed(checked.wall, now.wall) {
                next = next.min(sooner);
                checked.wall = now.wall;
            }
            moment = now;
        }
    }

    /// Makes every check; says whether what it found is news.
    async fn check(&mut self) -> bool {
        let probe = self.probe();
        self.board.set_heartbeat_deadline(probe.budget.deadline);
        let started = (self.pod.now(), Instant::now());
        let mut pass = Pass::new(self.pod, self.wanted, Some(&self.memory));
        plan::check(&probe, &mut self.memory, &mut pass).await;
        plan::node_role(&probe, &mut self.memory, &mut pass).await;
        self.token = pass.facts.claims.clone().or(self.token.take());
        self.board.count_requests(&pass.facts.sts.exchanges);
        self.replace_last(pass, started, true)
    }

    /// The token file changed: it has another token, or the same, or none. Judges it as far as that needs
    /// no STS.
    async fn check_changed_token(&mut self, tell: &mut impl AsyncFnMut(Notice<'_>)) -> TokenChange {
        let probe = self.probe();
        self.board.set_heartbeat_deadline(probe.budget.deadline);
        let started = (self.pod.now(), Instant::now());
        let mut pass = match &self.last {
            Some(last) => Pass::after(self.pod, self.wanted, last),
            None => Pass::new(self.pod, self.wanted, Some(&self.memory)),
        };
        plan::check_token(&probe, &mut pass).await;
        let claims = pass.facts.claims.clone();
        let is_other = claims.is_some() && self.token.is_some() && claims != self.token;
        self.token = claims.or(self.token.take());
        if is_other {
            self.board.count_rotation();
            let expires_at = pass.facts.claims.as_ref().map(|claims| claims.expires_at);
            tell(Notice::Rotation { expires_at }).await;
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
            self.notify_verdict(tell).await;
        }
        if is_news || is_other { TokenChange::Told } else { TokenChange::Whole }
    }

    /// Makes a pass the last report. Says whether its verdict is news.
    fn replace_last(&mut self, pass: Pass, started: (SystemTime, Instant), asked_sts: bool) -> bool {
        let circumstances = Circumstances {
            started,
            attempts: 1,
            interrupted: false,
            container: self.settings.container.clone(),
            failure_policy: self.settings.failure_policy.clone(),
        };
        let report = pass.into_report(self.pod, circumstances);
        let is_news = self.board.record(LastCheck::from_report(&report), asked_sts, self.pod.now());
        self.last = Some(report);
        is_news
    }

    async fn notify_verdict(&self, tell: &mut impl AsyncFnMut(Notice<'_>)) {
        if let Some(report) = &self.last {
            tell(Notice::Verdict(report)).await;
        }
    }

    /// How the last check ended, for the schedule.
    fn last_check_end(&self) -> CheckEnd {
        let Some(report) = &self.last else { return CheckEnd::Fails };
        let throttled = |report: &Report| {
            report.facts.sts.exchanges.last().is_some_and(|last| last.result == ExchangeResult::Throttled)
        };
        // What the application does with a role that works is not asked of STS.
        match report.role_works() {
            true => CheckEnd::Works,
            false if throttled(report) => CheckEnd::Throttled,
            false => CheckEnd::Fails,
        }
    }

    /// Whether, since the check at `then`, a time has passed at which the token may be judged otherwise:
    /// it should have been replaced, or it has expired.
    fn token_verdict_changed(&self, then: SystemTime, now: SystemTime) -> bool {
        let claims = self.last.as_ref().and_then(|report| report.facts.claims.as_ref());
        claims.is_some_and(|claims| {
            token_fresh::verdict_change_times(claims).into_iter().any(|turn| then < turn && turn <= now)
        })
    }

    fn probe(&self) -> Probe<'a> {
        let budget = Budget::single_pass(self.settings.timeout);
        Probe { pod: self.pod, options: self.wanted, budget }
    }

    async fn fingerprint(&self, path: Option<&PathBuf>) -> Option<FileFingerprint> {
        self.pod.fingerprint(path?, Instant::now() + FINGERPRINT_TIMEOUT).await
    }
}
