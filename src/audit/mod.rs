//! Why AWS refuses a role, for an operator who has permission to read IAM.
//!
//! Data flows one way. Files ([`inputs`]), IAM ([`iam`]) and the token's issuer ([`issuer`]) are the evidence.
//! [`subject`] puts together who asks for which role. `role`, `provider`, [`trust`] and `refusal` compare that with
//! what AWS has. `crate::plan::audit` has the order.

use std::time::SystemTime;

use crate::aws::iam::SimulatedDecision;
use crate::diagnosis::Diagnosis;
use crate::diagnosis::audit::Unavailable;
use crate::run::Verdict;
use crate::token::ServiceAccount;
use iam::IamSnapshot;
use inputs::Inputs;
use inputs::log::LogEnd;
use inputs::report::PodRef;
use options::AuditOptions;
use subject::{AuditSubject, Disagreement};

mod client_id;
pub mod iam;
pub mod inputs;
pub mod issuer;
pub mod options;
pub(crate) mod provider;
pub(crate) mod refusal;
pub(crate) mod role;
pub mod subject;
pub mod trust;
pub mod web_identity;

impl AuditOptions {
    /// Whether to query IAM. A trust policy or a provider in a file makes that unnecessary, unless `--profile` or
    /// `--action` requires it.
    pub(crate) fn asks_iam(&self, inputs: &Inputs) -> bool {
        let is_handed_in = inputs.trust_policy.is_some() || inputs.oidc_provider.is_some();
        !is_handed_in || self.lookup.profile.is_some() || !self.lookup.action.is_empty()
    }
}

/// The verdict of a check, and what else was found.
#[derive(Debug)]
pub struct Findings<T> {
    pub verdict: Verdict<T>,
    /// Diagnoses beside the verdict's own.
    pub others: Vec<Diagnosis>,
}

impl<T> Findings<T> {
    /// The verdict is the first of the failures, the gravest; without any, the fact with its warnings.
    fn of(fact: T, failures: Vec<Diagnosis>, warnings: Vec<Diagnosis>) -> Self {
        let mut failures = failures.into_iter();
        match failures.next() {
            Some(gravest) => {
                Self { verdict: Verdict::Fail(gravest), others: failures.chain(warnings).collect() }
            }
            None => Self { verdict: Verdict::holds(fact, warnings), others: Vec::new() },
        }
    }
}

/// What an audit found beside its checks, for the report.
#[derive(Debug, Default)]
pub struct AuditResult {
    /// Who asks for which role. `None` if the pod has no identity.
    pub(crate) subject: Option<AuditSubject>,
    pub(crate) pod: PodRef,
    pub(crate) policy: Option<trust::PolicyExhibit>,
    pub(crate) simulated: Vec<SimulatedDecision>,
    /// Diagnoses beside the failures of the checks.
    pub(crate) others: Vec<Diagnosis>,
    pub(crate) unavailable: Vec<Unavailable>,
    pub(crate) notes: Vec<Note>,
}

/// Something to know about the inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Two sources disagree, and one of them counts.
    SourcesDisagree(Disagreement),
    /// The log has a later report on this line, which is cut off or of another version.
    LaterReport(usize),
    LogIncomplete(LogEnd),
    /// The token expired at this time, which no policy depends on.
    TokenExpired(SystemTime),
    /// The issuer publishes keys, and none of them verified the token's signature.
    SignatureNotVerified {
        signature: issuer::Signature,
        /// Whether the id of the token's key is known, and a key with that id is published.
        has_key_id: bool,
    },
    /// The report is of another call, so its answer of STS does not count.
    ReportOfOtherCall,
    /// The report is this member of the log's line, as a collector writes it.
    ReportInMember {
        line: usize,
        member: &'static str,
    },
    /// By the report STS gave the role at this time, and by the policy it does not.
    RefusedAfterAccepted(Option<SystemTime>),
    /// The report has this diagnosis, which is not a refusal of the role by STS.
    ReportOfOtherFailure(String),
}

impl AuditResult {
    /// Starts a result from the inputs.
    pub(crate) fn new(subject: Option<AuditSubject>, inputs: &Inputs) -> Self {
        let is_of_report = subject.as_ref().is_none_or(AuditSubject::matches_report);
        let of_report = inputs.report.as_ref().filter(|_| is_of_report).map(|found| &found.report.pod);
        let of_pod = inputs.pod.as_ref();
        let of_subject =
            subject.as_ref().and_then(|subject| ServiceAccount::of_subject(&subject.subject.value));
        let account = of_subject.or_else(|| of_pod.and_then(|pod| pod.service_account.clone()));
        let pod = PodRef {
            namespace: account.as_ref().map(|account| account.namespace.clone()),
            service_account: account.map(|account| account.name),
            pod: of_report.and_then(|pod| pod.pod.clone()).or_else(|| of_pod?.name.clone()),
            container: of_report.and_then(|pod| pod.container.clone()),
        };
        let disagreements = subject.iter().flat_map(|subject| subject.disagreements.iter().cloned());
        let mut notes: Vec<Note> = disagreements.map(Note::SourcesDisagree).collect();
        if let Some(found) = &inputs.report {
            notes.extend(found.later.map(Note::LaterReport));
            notes.extend((found.end != LogEnd::Complete).then_some(Note::LogIncomplete(found.end)));
            notes.extend((!is_of_report).then_some(Note::ReportOfOtherCall));
            let is_other =
                found.report.refusal.as_ref().is_none_or(|refusal| refusal::refusal_kind(refusal).is_none());
            let failed = found.report.diagnosis.clone().filter(|_| is_other && is_of_report);
            notes.extend(failed.map(Note::ReportOfOtherFailure));
            notes.extend(found.member.map(|member| Note::ReportInMember { line: found.line, member }));
        }
        Self { subject, pod, notes, ..Self::default() }
    }

    pub(crate) fn service_account(&self) -> Option<ServiceAccount> {
        let PodRef { namespace, service_account, .. } = &self.pod;
        Some(ServiceAccount { namespace: namespace.clone()?, name: service_account.clone()? })
    }

    /// Adds the other diagnoses, and returns the verdict.
    pub(crate) fn add_findings<T>(&mut self, findings: Findings<T>) -> Verdict<T> {
        self.others.extend(findings.others);
        findings.verdict
    }
}

/// What is not known of AWS, while the rest was judged.
pub(crate) fn unavailable_facts(provider_was_seen: bool, aws: Option<&IamSnapshot>) -> Vec<Unavailable> {
    let mut all = aws.map(IamSnapshot::unavailable).unwrap_or_default();
    if !provider_was_seen {
        all.push(Unavailable::not_given(iam::PROVIDER, provider::OIDC_PROVIDER));
    }
    all
}
