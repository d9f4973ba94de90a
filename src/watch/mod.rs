//! The sidecar's loop: the plan again and again, when the schedule says so or the pod changes.
//!
//! One task, one check at a time. Once a second it looks at the token file and at the clock. Another
//! token is judged at once, without STS; STS is asked once an interval, sooner after a
//! failure, and when the time has come at which the token should have been replaced.

pub mod board;
pub mod metrics;
pub mod publish;
pub mod schedule;
pub mod server;
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
use crate::plan::pass::{Circumstances, Memory, Pass};
use crate::report::model::{FailurePolicy, Report};
use crate::run::CheckResult;
use crate::run::check::Check;
use crate::run::identity::Identity;
use crate::run::options::CheckOptions;
use crate::run::probe::Probe;
use crate::token::Claims;
use board::{LastCheck, WatchStatus};
use schedule::{CheckEnd, Schedule};

/// How often the token file and the clock are looked at.
const TICK: Duration = Duration::from_secs(1);
/// How long the file system may take to tell about the token file.
const LOOK: Duration = Duration::from_secs(1);
/// How often a sidecar with nothing to say says so.
const SIGN_OF_LIFE: Duration = Duration::from_secs(3600);
/// By how much the wall clock may leave the time that has passed, until it is taken for set.
const CLOCK_SET: Duration = Duration::from_secs(60);

/// What the loop is to know besides what the plan wants.
#[derive(Debug, Clone)]
pub struct WatchSettings {
    /// The most that one step of a check may take.
    pub timeout: Duration,
    /// Which failures do not fail the container.
    pub leniency: FailurePolicy,
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
enum CheckedPod {
    /// All that has to be, and somebody was told something.
    Told,
    /// All that has to be.
    Whole,
    /// The rest is STS's to say.
    AskSts,
    /// That it cannot work.
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
    fn is_torn_from(&self, then: &Self) -> bool {
        let passed = self.steady.saturating_duration_since(then.steady);
        let expected = then.wall + passed;
        let off = expected.duration_since(self.wall).or_else(|_| self.wall.duration_since(expected));
        off.is_ok_and(|off| off > CLOCK_SET)
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
    #[must_use]
    pub fn last(&self) -> Option<&Report> {
        self.last.as_ref()
    }

    /// Runs until it is dropped.
    pub async fn run(&mut self, mut tell: impl AsyncFnMut(Notice<'_>)) -> Infallible {
        let path = Identity::of(self.pod, self.wanted).token_file().map(Path::to_owned);
        let mut stamp = self.look(path.as_ref()).await;
        let mut checked = Moment::of(self.pod);
        let mut told = checked.steady;
        let mut next = checked.steady;
        let mut moment = checked;
        loop {
            if Instant::now() >= next {
                if Box::pin(self.check()).await {
                    told = Instant::now();
                    self.tell_verdict(&mut tell).await;
                }
                checked = Moment::of(self.pod);
                next = checked.steady + self.schedule.after(self.ended());
            }
            if told.elapsed() >= SIGN_OF_LIFE
                && let Some(report) = &self.last
            {
                told = Instant::now();
                tell(Notice::Steady(report)).await;
            }

            let wake = next.min(Instant::now() + TICK);
            self.board.promise(wake + LOOK);
            tokio::time::sleep_until(wake).await;

            let seen = self.look(path.as_ref()).await;
            let now = Moment::of(self.pod);
            let sooner = now.steady
                + self
                    .schedule
                    .sooner(now.steady - checked.steady, next.saturating_duration_since(now.steady));
            if let Some(seen) = seen.filter(|seen| stamp != Some(*seen)) {
                stamp = Some(seen);
                match self.rotated(&mut tell).await {
                    CheckedPod::Told => told = Instant::now(),
                    CheckedPod::Whole => {}
                    CheckedPod::AskSts => next = sooner,
                    // No request is made for what cannot work.
                    CheckedPod::Fails => next = now.steady + Schedule::soonest(now.steady - checked.steady),
                }
            }
            if now.is_torn_from(&moment) || self.is_past_a_turn(checked.wall, now.wall) {
                next = next.min(sooner);
                checked.wall = now.wall;
            }
            moment = now;
        }
    }

    /// Makes every check; says whether what it found is news.
    async fn check(&mut self) -> bool {
        let probe = self.probe();
        self.board.promise(probe.budget.deadline);
        let started = (self.pod.now(), Instant::now());
        let mut pass = Pass::new(self.pod, self.wanted, Some(&self.memory));
        plan::check(&probe, &mut self.memory, &mut pass).await;
        plan::node_role(&probe, &mut self.memory, &mut pass).await;
        self.token = pass.facts.claims.clone().or(self.token.take());
        self.board.count_requests(&pass.facts.sts.exchanges);
        self.publish(pass, started, true)
    }

    /// The token file changed: it has another token, or the same, or none. Judges it as far as that needs
    /// no STS.
    async fn rotated(&mut self, tell: &mut impl AsyncFnMut(Notice<'_>)) -> CheckedPod {
        let probe = self.probe();
        self.board.promise(probe.budget.deadline);
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
            return CheckedPod::Fails;
        }
        // If the clocks differ, only the clock of STS shows how old a token is.
        let is_fresh =
            |result: &CheckResult| result.check != Check::TokenFresh || result.warnings().is_empty();
        let is_enough = |last: &Report| last.role_works() && last.steps.iter().all(is_fresh);
        if pass.run.warns(Check::TokenFresh) || !self.last.as_ref().is_some_and(is_enough) {
            return CheckedPod::AskSts;
        }
        let is_news = self.publish(pass, started, false);
        if is_news {
            self.tell_verdict(tell).await;
        }
        if is_news || is_other { CheckedPod::Told } else { CheckedPod::Whole }
    }

    /// Makes a pass the last report. Says whether its verdict is news.
    fn publish(&mut self, pass: Pass, started: (SystemTime, Instant), asked_sts: bool) -> bool {
        let circumstances = Circumstances {
            started,
            attempts: 1,
            interrupted: false,
            container: self.settings.container.clone(),
            leniency: self.settings.leniency.clone(),
        };
        let report = pass.into_report(self.pod, circumstances);
        let is_news = self.board.write(LastCheck::of(&report), asked_sts, self.pod.now());
        self.last = Some(report);
        is_news
    }

    async fn tell_verdict(&self, tell: &mut impl AsyncFnMut(Notice<'_>)) {
        if let Some(report) = &self.last {
            tell(Notice::Verdict(report)).await;
        }
    }

    /// How the last check ended, for the schedule.
    fn ended(&self) -> CheckEnd {
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
    fn is_past_a_turn(&self, then: SystemTime, now: SystemTime) -> bool {
        let claims = self.last.as_ref().and_then(|report| report.facts.claims.as_ref());
        claims.is_some_and(|claims| {
            token_fresh::turns(claims).into_iter().any(|turn| then < turn && turn <= now)
        })
    }

    fn probe(&self) -> Probe<'a> {
        let budget = Budget::single_pass(self.settings.timeout);
        Probe { pod: self.pod, options: self.wanted, budget }
    }

    async fn look(&self, path: Option<&PathBuf>) -> Option<FileFingerprint> {
        self.pod.fingerprint(path?, Instant::now() + LOOK).await
    }
}
