//! What a run found, before it is put into any form.

use crate::host::Pod;
use crate::report::facts::PodFacts;
use crate::run::CheckRun;
use crate::token::Claims;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

use crate::audit::AuditResult;
use crate::diagnosis::{Class, Diagnosis};
use crate::host::ProcessUser;
use crate::host::process::Process;
use crate::run::{CheckOutcome, CheckResult};
use crate::text::shell_quote;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Pass,
    /// The role works, with reservations.
    Warn,
    /// It does not, or the run was interrupted before it was known.
    Fail,
}

impl Outcome {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// The exit code after SIGTERM: 128 and the signal's number.
pub const INTERRUPTED: u8 = 143;

/// Which failures do not fail the container.
#[derive(Debug, Clone, Default)]
pub struct FailurePolicy {
    pub(crate) observe: bool,
    /// Those of these classes do not.
    pub(crate) tolerate: Vec<Class>,
}

/// What a run found.
#[derive(Debug)]
pub struct Report {
    pub(crate) started: SystemTime,
    /// How long it took, all attempts together.
    pub(crate) took: Duration,
    /// How many attempts there were.
    pub(crate) attempts: u32,
    /// Whether it was ended by SIGTERM.
    pub(crate) interrupted: bool,
    /// The name of the container, where the pod spec tells it.
    pub(crate) container: Option<String>,
    pub(crate) who: ProcessUser,
    /// The other process whose world was looked at, if it was not ours.
    pub(crate) target: Option<Process>,
    /// Whether that one has another network than we, who called STS.
    pub(crate) another_network: bool,
    /// What is known of the pod.
    pub(crate) facts: PodFacts,
    /// The checks of the last attempt.
    pub(crate) steps: Vec<CheckResult>,
    /// Which failures do not fail the container.
    pub(crate) leniency: FailurePolicy,
    /// What an audit found beside its checks, if it is one's report.
    pub(crate) audit: Option<Box<AuditResult>>,
}

impl Report {
    /// The report of it, which began at these two times, of which one only grows.
    pub(crate) fn of_audit(
        audited: AuditResult,
        pod: &Pod,
        began: (SystemTime, Instant),
        run: CheckRun,
    ) -> Self {
        let role_arn = audited.subject.as_ref().map(|asked| asked.role.value.text.clone());
        Self {
            started: began.0,
            took: began.1.elapsed(),
            attempts: 1,
            interrupted: false,
            container: audited.pod.container.clone(),
            who: pod.own_user(),
            target: None,
            another_network: false,
            facts: PodFacts { role_arn, ..PodFacts::default() },
            steps: run.into_recorded(),
            leniency: FailurePolicy::default(),
            audit: Some(Box::new(audited)),
        }
    }

    /// The first failure in the order of the plan that is not tolerated, or else the first of all.
    #[must_use]
    pub fn diagnosis(&self) -> Option<&Diagnosis> {
        let mut failures = self.steps.iter().filter_map(CheckResult::failure);
        let counts = |failure: &&Diagnosis| !self.leniency.tolerate.contains(&failure.name().class());
        failures.clone().find(counts).or_else(|| failures.next())
    }

    /// The first failure of the role itself.
    pub(crate) fn role_failure(&self) -> Option<&Diagnosis> {
        let of_role = self.steps.iter().filter(|step| !step.check.is_of_application());
        of_role.into_iter().find_map(CheckResult::failure)
    }

    /// Whether the pod gets its role, whatever the application does with it.
    pub(crate) fn role_works(&self) -> bool {
        !self.interrupted && self.role_failure().is_none()
    }

    /// Everything else that was found: reservations, and failures after the first. What bears the
    /// diagnosis's own name is left out.
    #[must_use]
    pub fn warnings(&self) -> Vec<&Diagnosis> {
        let main = self.diagnosis();
        let mut found: Vec<&Diagnosis> = Vec::new();
        for step in &self.steps {
            match &step.outcome {
                CheckOutcome::Warn(warnings) => found.extend(warnings),
                CheckOutcome::Fail(diagnosis) => found.push(diagnosis),
                CheckOutcome::Pass | CheckOutcome::Skipped(_) | CheckOutcome::Interrupted => {}
            }
        }
        found.extend(self.audit.iter().flat_map(|audit| &audit.others));
        found.retain(|warning| main.is_none_or(|main| main.name() != warning.name()));
        found
    }

    /// Whether something that was found is a failure by itself, too, and not a reservation.
    pub(crate) fn is_failure(&self, found: &Diagnosis) -> bool {
        let of_check = || {
            self.steps.iter().filter_map(CheckResult::failure).any(|failure| failure.name() == found.name())
        };
        let refuses = || self.audit.is_some() && found.name().class() == Class::Refused;
        of_check() || refuses()
    }

    pub(crate) fn outcome(&self) -> Outcome {
        if self.diagnosis().is_some() || self.interrupted {
            Outcome::Fail
        } else if self.warnings().iter().all(|warning| warning.name().is_information()) {
            Outcome::Pass
        } else {
            Outcome::Warn
        }
    }

    /// The exit code: that of the diagnosis, unless it is tolerated.
    pub(crate) fn exit_code(&self) -> u8 {
        if self.leniency.observe {
            return 0;
        }
        if self.interrupted {
            return INTERRUPTED;
        }
        match self.diagnosis().map(|diagnosis| diagnosis.name().class()) {
            Some(class) if !self.leniency.tolerate.contains(&class) => class.exit_code(),
            _ => 0,
        }
    }

    /// The claims of the pod's token, or else of its API token.
    fn claims(&self) -> Option<&Claims> {
        self.facts.claims.as_ref().or(self.facts.api_claims.as_ref())
    }

    /// The pod's namespace and service account.
    pub(crate) fn service_account(&self) -> Option<crate::token::ServiceAccount> {
        if let Some(audit) = &self.audit {
            return audit.service_account();
        }
        self.claims().and_then(Claims::service_account)
    }

    pub(crate) fn pod_name(&self) -> Option<&str> {
        if let Some(audit) = &self.audit {
            return audit.pod.pod.as_deref();
        }
        self.facts.api_claims.as_ref().or(self.claims()).and_then(|claims| claims.bound.pod.as_deref())
    }

    pub(crate) fn node(&self) -> Option<&str> {
        self.facts.api_claims.as_ref().or(self.claims()).and_then(|claims| claims.bound.node.as_deref())
    }

    /// What to do about a diagnosis, with what is known of the pod in place of the placeholders of
    /// the commands.
    pub(crate) fn remedy(&self, diagnosis: &Diagnosis) -> Vec<String> {
        let account = self.service_account();
        let known = [
            ("NAMESPACE", account.as_ref().map(|account| account.namespace.as_str())),
            ("SERVICE_ACCOUNT", account.as_ref().map(|account| account.name.as_str())),
            ("POD", self.pod_name()),
            ("NODE", self.node()),
            ("PROBE_CONTAINER", self.container.as_deref()),
        ];
        let known: Vec<_> =
            known.into_iter().filter_map(|(word, value)| Some((word, shell_quote(value?)))).collect();
        diagnosis.remedy().iter().map(|step| filled(step, &known)).collect()
    }
}

/// A step with the placeholders in its commands of `kubectl`, which follow its first line, filled in. What else
/// may follow, such as a policy, means what it says.
fn filled(step: &str, known: &[(&str, String)]) -> String {
    let mut lines = step.split_inclusive('\n');
    let mut text = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        if line.starts_with("kubectl ") { fill(line, known, &mut text) } else { text.push_str(line) }
    }
    text
}

fn fill(line: &str, known: &[(&str, String)], text: &mut String) {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut rest = line;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let value = known.iter().find(|(placeholder, _)| *placeholder == word);
        text.push_str(value.map_or(word, |(_, value)| value));
        let next = after.find(is_word).unwrap_or(after.len());
        let (gap, after) = after.split_at(next);
        text.push_str(gap);
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::filled;

    #[test]
    fn placeholders_are_filled_in_commands_only() {
        let known = [("NAMESPACE", "payments".to_owned()), ("POD", "'a b'".to_owned())];
        let step = "See the POD:\nkubectl -n NAMESPACE get pod/POD -o name # PODS, AWS_POD and NODE";
        let expected = "See the POD:\nkubectl -n payments get pod/'a b' -o name # PODS, AWS_POD and NODE";
        assert_eq!(filled(step, &known), expected);
        assert_eq!(filled("Delete the POD.", &known), "Delete the POD.");
        let policy = "{\n  \"StringLike\": {\"a:sub\": \"POD\"}\n}\naws iam get-role --role-name POD\n";
        let step = format!("See:\n{policy}kubectl get pod POD");
        assert_eq!(filled(&step, &known), format!("See:\n{policy}kubectl get pod 'a b'"));
    }
}
