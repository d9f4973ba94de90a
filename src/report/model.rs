//! What a run found, before it is put into any form.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::facts::PodFacts;
use crate::audit::AuditResult;
use crate::diagnosis::{Class, Diagnosis};
use crate::host::process::Process;
use crate::host::{Pod, ProcessUser};
use crate::run::check::Check;
use crate::run::{CheckOutcome, CheckResult, CheckRun};
use crate::text::shell_quote;
use crate::token::{Claims, ServiceAccount};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The role works.
    Pass,
    /// The role works, with warnings.
    Warn,
    /// The role does not work, or the run was interrupted before this was known.
    Fail,
}

impl Outcome {
    /// The name in reports.
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
    /// No failure does.
    pub(crate) observe: bool,
    /// Failures of these classes do not.
    pub(crate) tolerate: Vec<Class>,
}

#[derive(Debug)]
pub(crate) struct Circumstances {
    /// When the run began, by the wall clock and by the steady one.
    pub(crate) started: (SystemTime, Instant),
    pub(crate) attempts: u32,
    /// Whether the last attempt was interrupted.
    pub(crate) interrupted: bool,
    /// The name of the container, if the pod spec says it.
    pub(crate) container: Option<String>,
    /// Which failures do not fail the container.
    pub(crate) failure_policy: FailurePolicy,
}

/// What a run found.
#[derive(Debug)]
pub struct Report {
    /// When the run began.
    pub(crate) started: SystemTime,
    /// How long it took, all attempts together.
    pub(crate) took: Duration,
    pub(crate) attempts: u32,
    /// Whether SIGTERM ended it.
    pub(crate) interrupted: bool,
    /// Where the process failed, if a fault of its own ended the run.
    pub(crate) fault: Option<String>,
    /// The name of the container, if the pod spec says it.
    pub(crate) container: Option<String>,
    pub(crate) user: ProcessUser,
    /// The process whose variables and files were read, if not this one.
    pub(crate) target: Option<Process>,
    /// Whether the target has another network than this process, which called STS.
    pub(crate) another_network: bool,
    /// What is known about the pod.
    pub(crate) facts: PodFacts,
    /// The checks of the last attempt.
    pub(crate) checks: Vec<CheckResult>,
    /// Which failures do not fail the container.
    pub(crate) failure_policy: FailurePolicy,
    /// What an audit found beside its checks.
    pub(crate) audit: Option<Box<AuditResult>>,
}

impl Report {
    /// The report of a run that ends now.
    pub(crate) fn new(
        pod: &Pod,
        circumstances: Circumstances,
        facts: PodFacts,
        checks: Vec<CheckResult>,
    ) -> Self {
        let Circumstances { started, attempts, interrupted, container, failure_policy } = circumstances;
        Self {
            started: started.0,
            took: started.1.elapsed(),
            attempts,
            interrupted,
            fault: None,
            container,
            user: pod.own_user(),
            target: pod.target().cloned(),
            another_network: pod.has_another_network(),
            facts,
            checks,
            failure_policy,
            audit: None,
        }
    }

    /// The report of a run that a fault of the process ends now, at this place.
    pub(crate) fn of_fault(pod: &Pod, circumstances: Circumstances, place: String) -> Self {
        Self { fault: Some(place), ..Self::new(pod, circumstances, PodFacts::default(), Vec::new()) }
    }

    /// The report of an audit that ends now.
    pub(crate) fn of_audit(
        audit: AuditResult,
        pod: &Pod,
        started: (SystemTime, Instant),
        run: CheckRun,
    ) -> Self {
        let circumstances = Circumstances {
            started,
            attempts: 1,
            interrupted: false,
            container: audit.pod.container.clone(),
            failure_policy: FailurePolicy::default(),
        };
        let role_arn = audit.subject.as_ref().map(|subject| subject.role.value.text.clone());
        let facts = PodFacts { role_arn, ..PodFacts::default() };
        let audit = Some(Box::new(audit));
        Self { audit, ..Self::new(pod, circumstances, facts, run.into_recorded()) }
    }

    /// The first failure in the order of the checks that is not tolerated, or else the first failure.
    pub fn diagnosis(&self) -> Option<&Diagnosis> {
        let mut failures = self.checks.iter().filter_map(CheckResult::failure);
        let counts = |failure: &&Diagnosis| !self.failure_policy.tolerate.contains(&failure.name().class());
        failures.clone().find(counts).or_else(|| failures.next())
    }

    /// The first failure of the role itself.
    pub(crate) fn role_failure(&self) -> Option<&Diagnosis> {
        let of_role = self.checks.iter().filter(|result| !result.check.is_of_application());
        of_role.into_iter().find_map(CheckResult::failure)
    }

    pub(crate) fn failure_of(&self, check: Check) -> Option<&Diagnosis> {
        self.checks.iter().find(|result| result.check == check).and_then(CheckResult::failure)
    }

    /// Whether the pod gets its role, whatever the application does with it.
    pub(crate) fn role_works(&self) -> bool {
        !self.interrupted && self.fault.is_none() && self.role_failure().is_none()
    }

    /// Everything else that was found: warnings, and the other failures. What has the name of the diagnosis is
    /// left out.
    pub fn warnings(&self) -> Vec<&Diagnosis> {
        let main = self.diagnosis();
        let mut found: Vec<&Diagnosis> = Vec::new();
        for result in &self.checks {
            match &result.outcome {
                CheckOutcome::Warn(warnings) => found.extend(warnings),
                CheckOutcome::Fail(diagnosis) => found.push(diagnosis),
                CheckOutcome::Pass | CheckOutcome::Skipped(_) | CheckOutcome::Interrupted => {}
            }
        }
        found.extend(self.audit.iter().flat_map(|audit| &audit.others));
        found.retain(|warning| main.is_none_or(|main| main.name() != warning.name()));
        found
    }

    /// Whether a finding is a failure of its own, and not a warning.
    pub(crate) fn is_failure(&self, found: &Diagnosis) -> bool {
        let of_check = || {
            self.checks.iter().filter_map(CheckResult::failure).any(|failure| failure.name() == found.name())
        };
        let refuses = || self.audit.is_some() && found.name().class() == Class::Refused;
        of_check() || refuses()
    }

    /// How the run ended.
    pub(crate) fn outcome(&self) -> Outcome {
        if self.diagnosis().is_some() || self.interrupted || self.fault.is_some() {
            Outcome::Fail
        } else if self.warnings().iter().all(|warning| warning.name().is_information()) {
            Outcome::Pass
        } else {
            Outcome::Warn
        }
    }

    /// The exit code: that of the diagnosis, unless it is tolerated.
    pub(crate) fn exit_code(&self) -> u8 {
        if self.failure_policy.observe {
            return 0;
        }
        if self.fault.is_some() {
            return Class::NotJudged.exit_code();
        }
        if self.interrupted {
            return INTERRUPTED;
        }
        match self.diagnosis().map(|diagnosis| diagnosis.name().class()) {
            Some(class) if !self.failure_policy.tolerate.contains(&class) => class.exit_code(),
            _ => 0,
        }
    }

    /// The claims of the pod's token, or else of its API token.
    fn claims(&self) -> Option<&Claims> {
        self.facts.claims.as_ref().or(self.facts.api_claims.as_ref())
    }

    /// The pod's namespace and service account.
    pub(crate) fn service_account(&self) -> Option<ServiceAccount> {
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

    /// What to do about a diagnosis. In the commands, what is known about the pod replaces the placeholders.
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
        let filled = diagnosis.remedy().into_iter().map(|step| fill_placeholders(&step, &known));
        filled.map(|step| announce_placeholders(&step)).collect()
    }
}

/// What a reader has to replace in commands.
const PLACEHOLDERS: [&str; 14] = [
    "APP_UID",
    "NAMESPACE",
    "SERVICE_ACCOUNT",
    "POD",
    "NODE",
    "CONTAINER",
    "PROBE_CONTAINER",
    "PID",
    "CLUSTER",
    "REGION",
    "ROLE",
    "INSTANCE",
    "POLICY_ARN",
    "THUMBPRINT",
];

/// A step whose sentence names the placeholders that are left in its commands.
fn announce_placeholders(step: &str) -> String {
    let Some((sentence, commands)) = step.split_once('\n') else { return step.to_owned() };
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_command = |line: &&str| {
        ["kubectl ", "aws ", "printf '%s' '{\"securityContext", "- {name:"]
            .iter()
            .any(|start| line.starts_with(start))
    };
    // The titles of columns are no placeholders.
    let is_columns = |word: &&str| word.starts_with("custom-columns=");
    let words: Vec<&str> = commands
        .lines()
        .filter(is_command)
        .flat_map(|line| line.split(' '))
        .filter(|word| !is_columns(word))
        .flat_map(|word| word.split(|c| !is_word(c)))
        .collect();
    let left: Vec<&str> = PLACEHOLDERS
        .into_iter()
        .filter(|placeholder| {
            words.contains(placeholder) && !sentence.split(|c| !is_word(c)).any(|word| word == *placeholder)
        })
        .collect();
    match (left.as_slice(), sentence.strip_suffix(':')) {
        ([], _) => step.to_owned(),
        (left, Some(sentence)) => format!("{sentence} (replace {}):\n{commands}", left.join(" and ")),
        (left, None) => format!("{sentence} Replace {}:\n{commands}", left.join(" and ")),
    }
}

/// A step with the placeholders in its commands about the cluster filled in. The commands follow the first line; other text
/// that follows, such as a policy, stays as it is.
fn fill_placeholders(step: &str, known: &[(&str, String)]) -> String {
    let mut lines = step.split_inclusive('\n');
    let mut text = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        if ["kubectl ", "aws eks "].iter().any(|start| line.starts_with(start)) {
            fill_line(line, known, &mut text)
        } else {
            text.push_str(line)
        }
    }
    text
}

fn fill_line(line: &str, known: &[(&str, String)], text: &mut String) {
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
    use super::{announce_placeholders, fill_placeholders};

    #[test]
    fn placeholders_that_are_left_are_announced() {
        for (step, expected) in [
            ("Look:\nkubectl -n a get pod POD", "Look (replace POD):\nkubectl -n a get pod POD"),
            (
                "Look.\naws x --region REGION --role ROLE",
                "Look. Replace REGION and ROLE:\naws x --region REGION --role ROLE",
            ),
            ("Look (replace POD):\nkubectl get POD", "Look (replace POD):\nkubectl get POD"),
            (
                "Look:\n{\"a\": \"POD\"}\naws x --filter RESOURCE_CONTROL_POLICY",
                "Look:\n{\"a\": \"POD\"}\naws x --filter RESOURCE_CONTROL_POLICY",
            ),
            ("Delete the POD.", "Delete the POD."),
            (
                "Look:\nkubectl -n a get serviceaccounts -o custom-columns='NAME:.metadata.name,ROLE:.metadata.x'",
                "Look:\nkubectl -n a get serviceaccounts -o custom-columns='NAME:.metadata.name,ROLE:.metadata.x'",
            ),
        ] {
            assert_eq!(announce_placeholders(step), expected);
        }
    }

    #[test]
    fn placeholders_are_filled_in_commands_only() {
        let known = [("NAMESPACE", "payments".to_owned()), ("POD", "'a b'".to_owned())];
        let step = "See the POD:\nkubectl -n NAMESPACE get pod/POD -o name # PODS, AWS_POD and NODE";
        let expected = "See the POD:\nkubectl -n payments get pod/'a b' -o name # PODS, AWS_POD and NODE";
        assert_eq!(fill_placeholders(step, &known), expected);
        assert_eq!(fill_placeholders("Delete the POD.", &known), "Delete the POD.");
        let policy = "{\n  \"StringLike\": {\"a:sub\": \"POD\"}\n}\naws iam get-role --role-name POD\n";
        let step = format!("See:\n{policy}kubectl get pod POD");
        assert_eq!(fill_placeholders(&step, &known), format!("See:\n{policy}kubectl get pod 'a b'"));
    }
}
