//! Why a role is refused, for an operator who may look at AWS's side.
//!
//! Data flows one way: what is given in files ([`inputs`]) and what IAM ([`iam`]) and the token's issuer
//! ([`issuer`]) say is evidence; for whom a role is asked is put together of it ([`claims`]), and what AWS has
//! is laid beside that ([`role`], [`provider`], [`trust`], [`refusal`]). The order of it is in
//! [`crate::plan`].

use std::time::SystemTime;

use crate::aws::iam::SimulatedDecision;
use crate::diagnosis::Diagnosis;
use crate::diagnosis::audit::Unavailable;
use crate::run::Verdict;
use crate::token::ServiceAccount;
use iam::IamSnapshot;
use iam_trust::request::Request;
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
pub mod permissions;
pub(crate) mod provider;
pub(crate) mod refusal;
pub(crate) mod role;
pub mod subject;
pub mod trust;
pub mod trust_findings;
pub(crate) mod web_identity;

impl AuditOptions {
    /// Whether IAM is asked: not where its side was handed in, unless something else needs it.
    pub(crate) fn asks_iam(&self, inputs: &Inputs) -> bool {
        let is_handed_in = inputs.trust_policy.is_some() || inputs.oidc_provider.is_some();
        !is_handed_in || self.lookup.profile.is_some() || !self.lookup.action.is_empty()
    }
}

/// What came of a check, and what is wrong besides where it failed.
#[derive(Debug)]
pub struct Findings<T> {
    /// Whether the fact holds.
    pub verdict: Verdict<T>,
    /// What is wrong besides.
    pub others: Vec<Diagnosis>,
}

/// What an audit found out, for the report, beside its checks.
#[derive(Debug)]
pub(crate) struct AuditResult {
    /// For whom which role is asked; unless that is not known, since the pod has no identity.
    pub(crate) subject: Option<AuditSubject>,
    /// Which pod it is, as far as that is known.
    pub(crate) pod: PodRef,
    pub(crate) policy: Option<trust::PolicyExhibit>,
    pub(crate) simulated: Vec<SimulatedDecision>,
    /// What is wrong beside the failures of the checks.
    pub(crate) further: Vec<Diagnosis>,
    /// What is not known, and why.
    pub(crate) unavailable: Vec<Unavailable>,
    /// What a reader should know of what was handed in.
    pub(crate) notes: Vec<Note>,
}

/// What a reader should know of what was handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Note {
    /// Two sources say otherwise; one of them counts.
    SourcesDisagree(Disagreement),
    /// The log has a later report, on this line, that is cut off or of another version.
    LaterReport(usize),
    /// The log was not read to its end.
    LogIncomplete(LogEnd),
    /// The token that was handed in expired then, which no policy looks at.
    TokenExpired(SystemTime),
    /// The report is of another call, so what STS said of that does not count.
    ReportOfOtherCall,
    /// The log has so many reports, not all of the same pod and role.
    ReportsOfSeveralPods(usize),
    /// The report failed for another reason than STS's refusal of the role: this diagnosis.
    ReportOfOtherFailure(String),
}

impl AuditOptions {
    pub(crate) fn iam_query(&self, request: &Request) -> iam::IamQuery {
        iam::IamQuery {
            role: request.role.clone(),
            issuer: request.issuer.clone(),
            actions: self.lookup.action.clone(),
            resources: self.lookup.resource.clone(),
            profile: self.lookup.profile.clone(),
            network: self.network.clone(),
        }
    }

    /// What the issuer is asked.
    pub(crate) fn issuer_query(&self, request: &Request) -> issuer::IssuerQuery {
        issuer::IssuerQuery { issuer: request.issuer.clone(), network: self.network.clone() }
    }
}

impl AuditResult {
    /// What was handed in says this much.
    pub(crate) fn new(asked: Option<AuditSubject>, inputs: &Inputs) -> Self {
        let is_of_report = asked.as_ref().is_none_or(AuditSubject::matches_report);
        let of_report = inputs.report.as_ref().filter(|_| is_of_report).map(|found| &found.report.pod);
        let of_pod = inputs.pod.as_ref();
        let of_subject = asked.as_ref().and_then(|asked| ServiceAccount::of_subject(&asked.subject.value));
        let account = of_subject.or_else(|| of_pod.and_then(|pod| pod.service_account.clone()));
        let pod = PodRef {
            namespace: account.as_ref().map(|account| account.namespace.clone()),
            service_account: account.map(|account| account.name),
            pod: of_report.and_then(|pod| pod.pod.clone()).or_else(|| of_pod?.name.clone()),
            container: of_report.and_then(|pod| pod.container.clone()),
        };
        let differing = asked.iter().flat_map(|asked| asked.disagreements.iter().cloned());
        let mut notes: Vec<Note> = differing.map(Note::SourcesDisagree).collect();
        if let Some(found) = &inputs.report {
            notes.extend(found.later.map(Note::LaterReport));
            notes.extend((found.end != LogEnd::Complete).then_some(Note::LogIncomplete(found.end)));
            notes.extend((!is_of_report).then_some(Note::ReportOfOtherCall));
            let is_other = found.report.refusal.as_ref().is_none_or(|it| refusal::refusal_kind(it).is_none());
            let failed = found.report.diagnosis.clone().filter(|_| is_other && is_of_report);
            notes.extend(failed.map(Note::ReportOfOtherFailure));
            notes.extend(found.is_one_of_several.then_some(Note::ReportsOfSeveralPods(found.reports)));
        }
        Self {
            subject: asked,
            pod,
            policy: None,
            simulated: Vec::new(),
            further: Vec::new(),
            unavailable: Vec::new(),
            notes,
        }
    }

    /// The service account that is to have the role.
    pub(crate) fn service_account(&self) -> Option<ServiceAccount> {
        let PodRef { namespace, service_account, .. } = &self.pod;
        Some(ServiceAccount { namespace: namespace.clone()?, name: service_account.clone()? })
    }

    /// Keeps what is wrong besides, and hands on the verdict.
    pub(crate) fn add_findings<T>(&mut self, judged: Findings<T>) -> Verdict<T> {
        self.further.extend(judged.others);
        judged.verdict
    }
}

/// What is not known of AWS's side, where the rest was judged.
pub(crate) fn unavailable_facts(provider_was_seen: bool, aws: Option<&IamSnapshot>) -> Vec<Unavailable> {
    let mut all = aws.map(IamSnapshot::unavailable).unwrap_or_default();
    if !provider_was_seen {
        all.push(Unavailable::not_given(iam::PROVIDER, provider::OIDC_PROVIDER));
    }
    all
}
