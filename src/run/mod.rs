//! The record of a run: which checks it makes, and how each of them ended.
//!
//! The record only grows. A check is made once, and nothing changes its result. What IMDS says of the node's role
//! after the last attempt is kept beside the record, and the report shows it with `credential-sources`.

pub mod check;
pub(crate) mod identity;
pub mod options;
pub mod probe;
mod verdict;

use std::cell::RefCell;
use std::time::Duration;

use tokio::time::Instant;

use crate::diagnosis::{Class, Diagnosis};
use crate::evidence::{Evidence, HasEvidence};
use crate::run::check::Check;

pub use verdict::{BlockedBy, Fact, Verdict};

#[derive(Debug, Clone)]
pub(crate) enum CheckOutcome {
    Pass,
    /// The fact holds, with these warnings.
    Warn(Vec<Diagnosis>),
    Fail(Diagnosis),
    /// The check was not made, because this other check failed.
    Skipped(BlockedBy),
    /// The check had not ended when the run was interrupted.
    Interrupted,
}

impl CheckOutcome {
    /// Whether the fact holds with warnings, some of which are more than information.
    pub(crate) fn is_warning(&self) -> bool {
        matches!(self, Self::Warn(found) if found.iter().any(|found| !found.name().is_information()))
    }

    /// The outcome in reports and metrics.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Warn(_) if self.is_warning() => "warn",
            Self::Pass | Self::Warn(_) => "pass",
            Self::Fail(_) => "fail",
            Self::Skipped(_) | Self::Interrupted => "skipped",
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct CheckResult {
    pub(crate) check: Check,
    pub(crate) outcome: CheckOutcome,
    pub(crate) evidence: Evidence,
    pub(crate) took: Duration,
}

impl CheckResult {
    /// What is wrong, if the check failed.
    pub(crate) fn failure(&self) -> Option<&Diagnosis> {
        match &self.outcome {
            CheckOutcome::Fail(diagnosis) => Some(diagnosis),
            _ => None,
        }
    }

    /// What is odd, if the check passed with warnings.
    pub(crate) fn warnings(&self) -> &[Diagnosis] {
        match &self.outcome {
            CheckOutcome::Warn(warnings) => warnings,
            _ => &[],
        }
    }

    fn interrupted(check: Check) -> Self {
        Self { check, outcome: CheckOutcome::Interrupted, evidence: Evidence::new(), took: Duration::ZERO }
    }
}

/// One run of checks. Checks that run side by side share it.
#[derive(Debug)]
pub(crate) struct CheckRun {
    /// The results of checks that are not made.
    unmade: Vec<CheckResult>,
    results: RefCell<Vec<CheckResult>>,
}

impl CheckRun {
    /// A run that will make these checks, and perhaps others.
    pub(crate) fn of(planned: impl IntoIterator<Item = Check>) -> Self {
        let unmade = planned.into_iter().map(CheckResult::interrupted).collect();
        Self { unmade, results: RefCell::default() }
    }

    /// A run that makes some checks again. The others keep their earlier results.
    pub(crate) fn after(earlier: &[CheckResult]) -> Self {
        Self { unmade: earlier.to_vec(), results: RefCell::default() }
    }

    /// Makes a check, records how it ended, and hands on its fact.
    pub(crate) fn check<T: HasEvidence>(
        &self,
        check: Check,
        judged: impl Future<Output = Result<Verdict<T>, BlockedBy>>,
    ) -> impl Future<Output = Fact<T>> {
        // On the heap, or a plan of many checks would be a huge future.
        let judged = Box::pin(judged);
        async move {
            let started = Instant::now();
            self.record(check, judged.await, started.elapsed())
        }
    }

    fn record<T: HasEvidence>(
        &self,
        check: Check,
        judged: Result<Verdict<T>, BlockedBy>,
        took: Duration,
    ) -> Fact<T> {
        let (outcome, evidence, fact) = match judged {
            Ok(Verdict::Pass(fact)) => (CheckOutcome::Pass, fact.evidence(), Ok(fact)),
            Ok(Verdict::Warn(fact, warnings)) => (CheckOutcome::Warn(warnings), fact.evidence(), Ok(fact)),
            Ok(Verdict::Fail(diagnosis)) => {
                let evidence = diagnosis.evidence();
                (CheckOutcome::Fail(diagnosis), evidence, Err(BlockedBy(check)))
            }
            Err(blocked) => (CheckOutcome::Skipped(blocked), Evidence::new(), Err(blocked)),
        };
        self.add(CheckResult { check, outcome, evidence, took });
        fact.into()
    }

    /// Fails a check, and skips all others that are planned: nothing can be known without this one.
    pub(crate) fn fail_all(&self, check: Check, diagnosis: Diagnosis) {
        let evidence = diagnosis.evidence();
        let outcome = CheckOutcome::Fail(diagnosis);
        self.add(CheckResult { outcome, evidence, ..CheckResult::interrupted(check) });
        for planned in self.unmade.iter().filter(|planned| planned.check != check) {
            self.skip(planned.check, BlockedBy(check));
        }
    }

    /// Records that a check is not made, and why.
    pub(crate) fn skip(&self, check: Check, blocked: BlockedBy) {
        let outcome = CheckOutcome::Skipped(blocked);
        self.add(CheckResult { outcome, ..CheckResult::interrupted(check) });
    }

    /// Records a result. The first result of a check stays.
    fn add(&self, result: CheckResult) {
        let mut results = self.results.borrow_mut();
        if results.iter().all(|earlier| earlier.check != result.check) {
            results.push(result);
        }
    }

    /// The results in the order in which the checks were made.
    pub(crate) fn into_recorded(self) -> Vec<CheckResult> {
        self.results.into_inner()
    }

    /// The results in the order of checks. A planned check that was not made was interrupted, or has its
    /// earlier result.
    pub(crate) fn into_results(self) -> Vec<CheckResult> {
        let mut results = self.results.into_inner();
        let made: Vec<Check> = results.iter().map(|result| result.check).collect();
        results.extend(self.unmade.into_iter().filter(|unmade| !made.contains(&unmade.check)));
        results.sort_by_key(|result| result.check);
        results
    }

    /// The first failure, if it satisfies the condition on its check.
    pub(crate) fn first_failure(&self, of: impl Fn(Check) -> bool) -> Option<(Check, Diagnosis)> {
        let results = self.results.borrow();
        let mut failures = results.iter().filter(|result| of(result.check));
        failures.find_map(|result| Some((result.check, result.failure()?.clone())))
    }

    pub(crate) fn passes(&self, check: Check) -> bool {
        let passes = |outcome: &CheckOutcome| matches!(outcome, CheckOutcome::Pass | CheckOutcome::Warn(_));
        self.results.borrow().iter().any(|result| result.check == check && passes(&result.outcome))
    }

    /// The check whose failure kept this one from being made.
    pub(crate) fn blocked_by(&self, check: Check) -> Option<BlockedBy> {
        self.results.borrow().iter().find_map(|result| match result.outcome {
            CheckOutcome::Skipped(blocked) if result.check == check => Some(blocked),
            _ => None,
        })
    }

    /// Whether a check was made, and passed with warnings.
    pub(crate) fn warns(&self, check: Check) -> bool {
        self.results.borrow().iter().any(|result| result.check == check && !result.warnings().is_empty())
    }

    pub(crate) fn role_fails(&self) -> bool {
        self.first_failure(|check| !check.is_of_application()).is_some()
    }

    /// Whether another attempt can end better: the role fails, and only by what can pass without a change.
    /// A failure of the application does not pass, and prevents no attempt.
    pub(crate) fn is_worth_another(&self, wait_for_access: bool) -> bool {
        let can_pass = |diagnosis: &Diagnosis| {
            diagnosis.may_pass() || wait_for_access && diagnosis.name().class() == Class::Refused
        };
        let results = self.results.borrow();
        let of_role = results.iter().filter(|result| !result.check.is_of_application());
        let mut failures = of_role.filter_map(CheckResult::failure).peekable();
        failures.peek().is_some() && failures.all(can_pass)
    }
}

#[cfg(test)]
mod tests {
    use super::{BlockedBy, CheckRun, Evidence, HasEvidence, Verdict};
    use crate::diagnosis::Diagnosis;
    use crate::diagnosis::dns::DnsUnavailable;
    use crate::diagnosis::tls::TrustRootsMissing;
    use crate::diagnosis::token_file::TokenFileVarHoldsToken;
    use crate::net::dns::DnsFault;
    use crate::run::check::{Check, RunKind};

    /// A fact about which nothing is seen.
    #[derive(Debug, Clone, Copy, PartialEq)]
    struct Holds;

    impl HasEvidence for Holds {
        fn evidence(&self) -> Evidence {
            Evidence::new()
        }
    }

    fn run() -> CheckRun {
        CheckRun::of(RunKind::Irsa.checks())
    }

    fn transient() -> Diagnosis {
        DnsUnavailable { host: "h".to_owned(), servers: Vec::new(), fault: DnsFault::TimedOut }.into()
    }

    #[tokio::test]
    async fn only_what_can_pass_without_a_change_is_tried_again() {
        let cases: [(Vec<Diagnosis>, bool); 4] = [
            (vec![], false),
            (vec![transient()], true),
            (vec![TokenFileVarHoldsToken.into(), transient()], false),
            (vec![TrustRootsMissing { tried: Vec::new() }.into()], false),
        ];
        for (failures, again) in cases {
            let run = run();
            for (check, failure) in Check::ALL.into_iter().zip(failures) {
                let _ = run.check::<Holds>(check, async { Ok(Verdict::Fail(failure)) }).await;
            }
            assert_eq!(run.is_worth_another(false), again);
        }
    }

    #[tokio::test]
    async fn an_unknown_fact_names_the_check_that_failed_first() {
        let run = run();
        let identity =
            run.check::<Holds>(Check::WebIdentity, async { Ok(Verdict::fail(TokenFileVarHoldsToken)) });
        let identity = identity.await;
        let file = run.check(Check::TokenFile, async { Ok(Verdict::Pass(*identity.get()?)) }).await;
        let token = run.check(Check::Token, async { Ok(Verdict::Pass(*file.get()?)) }).await;
        assert_eq!(token.take(), Err(BlockedBy(Check::WebIdentity)));
    }

    #[tokio::test]
    async fn a_second_result_of_a_check_changes_nothing() {
        let run = run();
        let _ = run.check(Check::Token, async { Ok(Verdict::Pass(Holds)) }).await;
        run.fail_all(Check::Token, transient());
        assert!(run.passes(Check::Token));
        assert_eq!(run.into_recorded().iter().filter(|result| result.check == Check::Token).count(), 1);
    }

    #[tokio::test]
    async fn results_are_in_order_and_what_was_planned_is_not_lost() {
        let run = run();
        for check in [Check::CredentialSources, Check::StsEndpoint] {
            let _ = run.check(check, async { Ok(Verdict::Pass(Holds)) }).await;
        }
        let outcomes: Vec<_> =
            run.into_results().iter().map(|result| (result.check, result.outcome.as_str())).collect();
        let checks: Vec<Check> = outcomes.iter().map(|(check, _)| *check).collect();
        assert_eq!(checks, RunKind::Irsa.checks().collect::<Vec<_>>());
        let passed = outcomes.iter().filter(|(_, outcome)| *outcome == "pass").count();
        assert_eq!(passed, 2, "{outcomes:?}");
    }

    #[tokio::test]
    async fn a_check_that_is_not_made_again_keeps_its_earlier_result() {
        let earlier = run();
        earlier.fail_all(Check::WebIdentity, transient());
        let later = CheckRun::after(&earlier.into_results());
        let _ = later.check(Check::WebIdentity, async { Ok(Verdict::Pass(Holds)) }).await;
        let results = later.into_results();
        let outcomes: Vec<_> = results.iter().map(|result| result.outcome.as_str()).collect();
        assert_eq!(outcomes.len(), RunKind::Irsa.checks().count());
        assert_eq!(outcomes[..2], ["pass", "skipped"]);
    }
}
