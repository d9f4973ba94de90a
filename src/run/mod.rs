//! Running checks: what a verdict is, how a run is recorded, and when it is tried again.

pub mod check;
pub mod options;

use std::time::Duration;

use tokio::time::Instant;

use crate::diagnosis::{Class, Diagnosis};
use crate::evidence::{Evidence, HasEvidence};
use crate::run::check::{Check, RunKind};

/// What a check found: the fact that holds, perhaps with reservations, or why it does not.
#[derive(Debug)]
pub enum Verdict<T> {
    /// The fact holds.
    Pass(T),
    /// The fact holds, but.
    Warn(T, Vec<Diagnosis>),
    /// The fact does not hold.
    Fail(Diagnosis),
}

impl<T> Verdict<T> {
    /// The fact holds, with these reservations, if there are any.
    #[must_use]
    pub fn holds(fact: T, warnings: Vec<Diagnosis>) -> Self {
        if warnings.is_empty() { Self::Pass(fact) } else { Self::Warn(fact, warnings) }
    }

    /// The same of another fact that follows from this one.
    #[must_use]
    pub fn map<U>(self, follows: impl FnOnce(T) -> U) -> Verdict<U> {
        match self {
            Self::Pass(fact) => Verdict::Pass(follows(fact)),
            Self::Warn(fact, warnings) => Verdict::Warn(follows(fact), warnings),
            Self::Fail(diagnosis) => Verdict::Fail(diagnosis),
        }
    }

    /// The fact does not hold.
    #[must_use]
    pub fn fail(entry: impl Into<Diagnosis>) -> Self {
        Self::Fail(entry.into())
    }
}

/// A fact is missing, because this check failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockedBy(pub Check);

/// A fact, or the check whose failure keeps it from being known.
pub type Fact<T> = Result<T, BlockedBy>;

/// The fact by reference.
///
/// # Errors
/// If it is missing.
pub fn need<T>(have: &Fact<T>) -> Fact<&T> {
    have.as_ref().map_err(|missing| *missing)
}

/// Both facts, or the first that is missing.
///
/// # Errors
/// If either is missing.
pub fn both<A, B>(one: Fact<A>, other: Fact<B>) -> Fact<(A, B)> {
    Ok((one?, other?))
}

/// Runs an observation on a fact, if the fact is there.
///
/// # Errors
/// If it is missing.
pub async fn with<T, U>(have: Fact<T>, observe: impl AsyncFnOnce(T) -> U) -> Fact<U> {
    Ok(observe(have?).await)
}

/// How a check ended.
#[derive(Debug)]
pub enum CheckOutcome {
    /// The fact holds.
    Pass,
    /// The fact holds, with these reservations.
    Warn(Vec<Diagnosis>),
    /// The fact does not hold.
    Fail(Diagnosis),
    /// It could not be judged, because this check failed.
    Skipped(BlockedBy),
    /// It was not begun or not ended when the run was interrupted.
    Interrupted,
}

impl CheckOutcome {
    /// Whether the fact holds with reservations, some of which are more than information.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        matches!(self, Self::Warn(found) if found.iter().any(|found| !found.name().is_information()))
    }

    /// The outcome in reports and metrics.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Warn(_) if self.is_warning() => "warn",
            Self::Pass | Self::Warn(_) => "pass",
            Self::Fail(_) => "fail",
            Self::Skipped(_) | Self::Interrupted => "skipped",
        }
    }
}

/// One check, as it went.
#[derive(Debug)]
pub struct CheckResult {
    /// Which check.
    pub check: Check,
    /// How it ended.
    pub ending: CheckOutcome,
    /// What was seen.
    pub evidence: Evidence,
    /// How long it took.
    pub took: Duration,
}

impl CheckResult {
    /// What is wrong, if the check failed.
    #[must_use]
    pub fn failure(&self) -> Option<&Diagnosis> {
        match &self.ending {
            CheckOutcome::Fail(diagnosis) => Some(diagnosis),
            _ => None,
        }
    }
}

/// One pass through the plan, check by check.
#[derive(Debug)]
pub struct CheckRun {
    steps: Vec<CheckResult>,
    expected: Vec<Check>,
    mark: Instant,
}

impl Default for CheckRun {
    fn default() -> Self {
        Self { steps: Vec::new(), expected: Vec::new(), mark: Instant::now() }
    }
}

impl CheckRun {
    /// Records how a check ended, and hands on the fact.
    pub fn record<T: HasEvidence>(&mut self, check: Check, verdict: Fact<Verdict<T>>) -> Fact<T> {
        let now = Instant::now();
        let took = now.saturating_duration_since(self.mark);
        self.mark = now;
        self.add(check, verdict, took)
    }

    fn add<T: HasEvidence>(&mut self, check: Check, verdict: Fact<Verdict<T>>, took: Duration) -> Fact<T> {
        let (ending, evidence, have) = match verdict {
            Ok(Verdict::Pass(fact)) => (CheckOutcome::Pass, fact.evidence(), Ok(fact)),
            Ok(Verdict::Warn(fact, warnings)) => (CheckOutcome::Warn(warnings), fact.evidence(), Ok(fact)),
            Ok(Verdict::Fail(diagnosis)) => {
                let evidence = diagnosis.evidence();
                (CheckOutcome::Fail(diagnosis), evidence, Err(BlockedBy(check)))
            }
            Err(missing) => (CheckOutcome::Skipped(missing), Evidence::new(), Err(missing)),
        };
        self.steps.push(CheckResult { check, ending, evidence, took });
        have
    }

    /// Says that this run makes a check that not every run makes.
    pub fn expect(&mut self, check: Check) {
        self.expected.push(check);
    }

    /// Records a check that went on beside others, and took so long.
    pub fn record_beside<T: HasEvidence>(&mut self, check: Check, verdict: Verdict<T>, took: Duration) {
        let _ = self.add(check, Ok(verdict), took);
    }

    /// Judges a check anew that was recorded when less was known.
    pub fn revise<T: HasEvidence>(&mut self, check: Check, verdict: Verdict<T>) {
        if let Some(place) = self.steps.iter().position(|step| step.check == check) {
            let took = self.steps.remove(place).took;
            let _ = self.add(check, Ok(verdict), took);
        }
    }

    /// The steps in the order of the plan; those that the run did not come to are interrupted.
    #[must_use]
    pub fn into_steps(mut self) -> Vec<CheckResult> {
        let is_made = |check: &Check| check.is_made_by(RunKind::Irsa) || self.expected.contains(check);
        for check in Check::ALL.into_iter().filter(is_made) {
            if !self.steps.iter().any(|step| step.check == check) {
                let (ending, evidence) = (CheckOutcome::Interrupted, Evidence::new());
                self.steps.push(CheckResult { check, ending, evidence, took: Duration::ZERO });
            }
        }
        self.steps.sort_by_key(|step| step.check);
        self.steps
    }

    /// What is wrong by a check, to add what became known later.
    pub fn failure_mut(&mut self, check: Check) -> Option<&mut Diagnosis> {
        let step = self.steps.iter_mut().find(|step| step.check == check)?;
        match &mut step.ending {
            CheckOutcome::Fail(diagnosis) => Some(diagnosis),
            _ => None,
        }
    }

    /// Whether a check was made, and held.
    #[must_use]
    pub fn holds(&self, check: Check) -> bool {
        let holds = |ending: &CheckOutcome| matches!(ending, CheckOutcome::Pass | CheckOutcome::Warn(_));
        self.steps.iter().any(|step| step.check == check && holds(&step.ending))
    }

    /// Adds reservations to a check that held.
    pub fn add_warnings(&mut self, check: Check, more: Vec<Diagnosis>) {
        let step = self.steps.iter_mut().find(|step| step.check == check);
        match step.map(|step| &mut step.ending) {
            Some(CheckOutcome::Warn(warnings)) => warnings.extend(more),
            Some(ending @ CheckOutcome::Pass) if !more.is_empty() => *ending = CheckOutcome::Warn(more),
            _ => {}
        }
    }

    /// The steps so far.
    #[must_use]
    pub fn steps(&self) -> &[CheckResult] {
        &self.steps
    }

    /// The steps that were made.
    #[must_use]
    pub fn into_recorded(self) -> Vec<CheckResult> {
        self.steps
    }

    /// What was found beside failures.
    pub fn warnings(&self) -> impl Iterator<Item = &Diagnosis> {
        self.steps.iter().flat_map(|step| match &step.ending {
            CheckOutcome::Warn(warnings) => warnings.as_slice(),
            _ => &[],
        })
    }

    /// What failed, in order.
    pub fn failures(&self) -> impl Iterator<Item = &Diagnosis> {
        self.steps.iter().filter_map(CheckResult::failure)
    }

    /// Whether something about the role failed.
    #[must_use]
    pub fn role_fails(&self) -> bool {
        self.steps.iter().any(|step| step.failure().is_some() && !step.check.is_of_application())
    }

    /// Whether another pass may end better: something about the role failed, and all of that may mend
    /// itself. What is wrong with the application does not mend, and keeps nothing from being tried.
    #[must_use]
    pub fn is_worth_another(&self, wait_for_access: bool) -> bool {
        let may_pass = |diagnosis: &Diagnosis| {
            diagnosis.may_pass() || wait_for_access && diagnosis.name().class() == Class::Refused
        };
        let of_role = self.steps.iter().filter(|step| !step.check.is_of_application());
        let mut failures = of_role.filter_map(CheckResult::failure).peekable();
        failures.peek().is_some() && failures.all(may_pass)
    }
}

#[cfg(test)]
mod tests {
    use super::{BlockedBy, CheckRun, Evidence, HasEvidence, Verdict};
    use crate::diagnosis::Diagnosis;
    use crate::diagnosis::dns::DnsUnavailable;
    use crate::diagnosis::identity::RoleArnVarMissing;
    use crate::diagnosis::tls::TrustRootsMissing;
    use crate::net::dns::DnsFault;
    use crate::run::check::{Check, RunKind};
    use std::time::Duration;

    impl HasEvidence for () {
        fn evidence(&self) -> Evidence {
            Evidence::new()
        }
    }

    fn transient() -> Diagnosis {
        DnsUnavailable { host: "h".to_owned(), servers: Vec::new(), fault: DnsFault::TimedOut }.into()
    }

    #[test]
    fn only_what_may_mend_itself_is_tried_again() {
        let cases: [(Vec<Diagnosis>, bool); 4] = [
            (vec![], false),
            (vec![transient()], true),
            (vec![RoleArnVarMissing.into(), transient()], false),
            (vec![TrustRootsMissing { tried: Vec::new() }.into()], false),
        ];
        for (failures, again) in cases {
            let mut run = CheckRun::default();
            for failure in failures {
                let _ = run.record::<()>(Check::StsReachable, Ok(Verdict::Fail(failure)));
            }
            assert_eq!(run.is_worth_another(false), again);
        }
    }

    #[test]
    fn a_check_that_is_judged_anew_is_recorded_once() {
        let mut run = CheckRun::default();
        let _ = run.record(Check::CredentialSources, Ok(Verdict::Pass(())));
        let _ = run.record(Check::StsEndpoint, Ok(Verdict::Pass(())));
        run.record_beside(Check::ApplicationSdk, Verdict::Pass(()), Duration::from_secs(2));
        run.revise(Check::CredentialSources, Verdict::<()>::Fail(RoleArnVarMissing.into()));
        let steps = run.into_recorded();
        let ends: Vec<_> = steps.iter().map(|step| (step.check, step.ending.outcome())).collect();
        assert_eq!(
            ends,
            [
                (Check::StsEndpoint, "pass"),
                (Check::ApplicationSdk, "pass"),
                (Check::CredentialSources, "fail")
            ]
        );
        assert_eq!(steps.get(1).map(|step| step.took), Some(Duration::from_secs(2)));
    }

    #[test]
    fn a_missing_fact_names_the_check_that_failed_first() {
        let mut run = CheckRun::default();
        let first = run.record::<()>(Check::WebIdentity, Ok(Verdict::fail(RoleArnVarMissing)));
        let second = run.record::<()>(Check::TokenFile, first.map(Verdict::Pass));
        assert_eq!(second, Err(BlockedBy(Check::WebIdentity)));
        let always = RunKind::Irsa.checks().count();
        assert_eq!(run.into_steps().len(), always);
    }
}
