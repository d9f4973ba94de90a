//! What the last pass found, as far as the server, the metrics and the cluster are told.

use std::time::SystemTime;

use super::pod_status::Warning;
use crate::diagnosis::{Diagnosis, Name};
use crate::report::model::Report;
use crate::report::termination;
use crate::run::check::Check;
use crate::text::sanitize;

/// What the last pass found.
#[derive(Debug, Clone)]
pub struct LastCheck {
    /// What is wrong; `None` if the role works and the application takes it.
    pub diagnosis: Option<Name>,
    /// Whether the role works, whatever the application does with it.
    pub(super) role_works: bool,
    pub(super) warnings: Vec<Warning>,
    /// Whether this would not fail the container: the role works, or the failure is tolerated.
    pub(super) accepted: bool,
    pub(super) checks: Vec<(Check, &'static str)>,
    /// The ARN of the role, sanitized.
    pub(super) role_arn: Option<String>,
    pub(super) token_expires_at: Option<SystemTime>,
    pub(super) message: String,
}

impl LastCheck {
    pub(super) fn from_report(report: &Report) -> Self {
        let warning = |found: &Diagnosis| Warning { name: found.name(), cause: found.cause() };
        Self {
            diagnosis: report.diagnosis().map(|found| found.name()),
            role_works: report.role_works(),
            warnings: report.warnings().into_iter().map(warning).collect(),
            accepted: report.exit_code() == 0,
            checks: report.checks.iter().map(|result| (result.check, result.outcome.as_str())).collect(),
            role_arn: report.facts.role_arn.as_deref().map(sanitize),
            token_expires_at: report.facts.claims.as_ref().map(|claims| claims.expires_at),
            message: termination::message(report),
        }
    }

    /// Whether a person who knows one of the two learns nothing from the other.
    pub(super) fn says_the_same_as(&self, other: &Self) -> bool {
        self.diagnosis == other.diagnosis
            && self.role_arn == other.role_arn
            && Warning::names(&self.warnings).eq(Warning::names(&other.warnings))
    }
}
