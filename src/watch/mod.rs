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
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::aws::sts::ExchangeResult;
use crate::checks::application_sdk::Application;
use crate::checks::caller_identity::CallerIdentity;
use crate::checks::node_role::NodeRoleProbe;
use crate::checks::{token_fresh, web_identity};
use crate::host::deadline::Budget;
use crate::host::{FileFingerprint, Pod};
use crate::plan;
use crate::report::model::PodFacts;
use crate::report::model::{FailurePolicy, Report};
use crate::run::check::Check;
use crate::run::options::CheckOptions;
use crate::run::{CheckOutcome, CheckResult, CheckRun};
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
    identity: Option<CallerIdentity>,
    application: Option<Application>,
    imds: NodeRoleProbe,
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
            identity: None,
            application: Application::of(pod, wanted),
            imds: NodeRoleProbe::new(wanted.network.dns_server),
        }
    }

    /// The last report, if a check has ended.
    #[must_use]
    pub fn last(&self) -> Option<&Report> {
        self.last.as_ref()
    }

    /// Runs until it is dropped.
    pub async fn run(&mut self, mut tell: impl AsyncFnMut(Notice<'_>)) -> Infallible {
        let path =
            web_identity::token_file(self.pod, self.wanted).filter(|path| !path.as_os_str().is_empty());
        let mut stamp = self.look(path.as_ref()).await;
        let mut checked = Moment::of(self.pod);
        let mut told = checked.steady;
        let mut next = checked.steady;
        let mut moment = checked;
        loop {
            if Instant::now() >= next {
                if self.check().await {
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
        let budget = self.budget();
        self.board.promise(budget.deadline);
        let started = (self.pod.now(), Instant::now());
        let (mut run, mut facts) = (CheckRun::default(), PodFacts::default());
        let known = self.identity.as_ref();
        let application = self.application.as_ref();
        let outlook =
            plan::check(self.pod, self.wanted, known, application, budget, &mut run, &mut facts).await;
        if run.failures().next().is_none() {
            self.imds = NodeRoleProbe::new(self.wanted.network.dns_server);
        }
        plan::hidden(self.pod, &outlook, &mut self.imds, &mut run).await;
        if let Some(identity) = facts.identity.clone().filter(|identity| identity.confirmed) {
            self.identity = Some(identity);
        }
        self.token = facts.claims.clone().or(self.token.take());
        self.board.count_requests(&facts.exchanges);
        let report = self.report(started, run.into_steps(), facts);
        let is_news = self.board.write(LastCheck::of(&report), true, self.pod.now());
        self.last = Some(report);
        is_news
    }

    /// The file is another than before: another token is in it, or the same, or none. It is judged
    /// without STS, as far as that goes.
    async fn rotated(&mut self, tell: &mut impl AsyncFnMut(Notice<'_>)) -> CheckedPod {
        let budget = self.budget();
        self.board.promise(budget.deadline);
        let started = (self.pod.now(), Instant::now());
        let (mut run, mut facts) = (CheckRun::default(), PodFacts::default());
        plan::without_sts(self.pod, self.wanted, budget, &mut run, &mut facts).await;
        let claims = facts.claims.clone();
        let is_other = claims.is_some() && self.token.is_some() && claims != self.token;
        self.token = claims.or(self.token.take());
        if is_other {
            self.board.count_rotation();
            tell(Notice::Rotation { expires_at: facts.claims.as_ref().map(|claims| claims.expires_at) })
                .await;
        }
        if run.role_fails() {
            return CheckedPod::Fails;
        }
        // Where the clocks differ, only STS's can tell how old a token is.
        let is_doubtful = |step: &CheckResult| {
            step.check == Check::TokenFresh && matches!(step.ending, CheckOutcome::Warn(_))
        };
        let fresh: Vec<CheckResult> = run.into_recorded();
        let is_enough =
            |report: &mut Report| report.role_works() && !report.steps.iter().chain(&fresh).any(is_doubtful);
        let Some(Report { mut steps, facts: of_sts, .. }) = self.last.take_if(is_enough) else {
            return CheckedPod::AskSts;
        };
        // What keeps the application from the role was found with more than is looked at here.
        let stands = |step: &CheckResult| step.check == Check::CredentialSources && step.failure().is_some();
        let keeps = steps.iter().any(stands);
        let fresh = fresh.into_iter().filter(|step| !(keeps && step.check == Check::CredentialSources));
        let fresh: Vec<CheckResult> = fresh.collect();
        steps.retain(|step| !fresh.iter().any(|other| other.check == step.check));
        steps.extend(fresh);
        steps.sort_by_key(|step| step.check);
        let report = self.report(started, steps, of_sts.with_pod_of(facts));
        let is_news = self.board.write(LastCheck::of(&report), false, self.pod.now());
        self.last = Some(report);
        if is_news {
            self.tell_verdict(tell).await;
        }
        if is_news || is_other { CheckedPod::Told } else { CheckedPod::Whole }
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
            report.facts.exchanges.last().is_some_and(|last| last.result == ExchangeResult::Throttled)
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

    fn report(&self, started: (SystemTime, Instant), steps: Vec<CheckResult>, facts: PodFacts) -> Report {
        Report {
            started: started.0,
            took: started.1.elapsed(),
            attempts: 1,
            interrupted: false,
            container: self.settings.container.clone(),
            who: self.pod.own_user(),
            target: None,
            another_network: false,
            facts,
            steps,
            leniency: self.settings.leniency.clone(),
            audit: None,
        }
    }

    fn budget(&self) -> Budget {
        Budget::single_pass(self.settings.timeout)
    }

    async fn look(&self, path: Option<&PathBuf>) -> Option<FileFingerprint> {
        self.pod.fingerprint(path?, Instant::now() + LOOK).await
    }
}
