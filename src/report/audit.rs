//! What an audit's report has beside the checks, as text and as JSON: the subject with its sources, the trust policy
//! with the decisive lines marked, and what is not known.

use std::fmt::Write;

use super::style::{Color, wrap};
use crate::audit::inputs::log::LogEnd;
use crate::audit::issuer::Signature;
use crate::audit::subject::{AuditSubject, Disagreement, Sourced};
use crate::audit::trust::PolicyExhibit;
use crate::audit::{AuditResult, Note};
use crate::aws::iam::{Decision, SimulatedDecision};
use crate::diagnosis::audit::Unavailable;
use crate::diagnosis::role::{action_list, caveat, decision_name};
use crate::text::{format_utc, sanitize};
use crate::wire;
use iam_trust::render::Line;

/// The most audiences of a token that the text names.
const MAX_AUDIENCES: usize = 8;

/// The audit in its public form.
pub(super) fn to_wire(audit: &AuditResult) -> wire::Audit {
    wire::Audit {
        sources: audit.subject.as_ref().map(|subject| wire::Sources {
            role_arn: subject.role.source.name().to_owned(),
            issuer: subject.issuer.source.name().to_owned(),
            subject: subject.subject.source.name().to_owned(),
            audience: subject.audience.source.name().to_owned(),
        }),
        trust_policy: audit.policy.as_ref().map(|policy| wire::TrustPolicy {
            document: policy.document.clone(),
            marked: policy.lines.iter().map(Line::to_string).collect(),
            corrected: policy.corrected.as_ref().map(|(document, _)| document.clone()),
            diff: policy.corrected.as_ref().map(|(_, diff)| diff.clone()),
        }),
        simulation: audit.simulated.iter().map(simulated).collect(),
        not_known: audit.unavailable.iter().map(unknown).collect(),
        notes: note_sentences(audit).collect(),
    }
}

fn simulated(result: &SimulatedDecision) -> wire::SimulatedAction {
    let policies = result.matched.iter().map(|wire::MatchedPolicy { policy, kind }| wire::MatchedPolicy {
        policy: sanitize(policy),
        kind: kind.as_deref().map(sanitize),
    });
    wire::SimulatedAction {
        action: sanitize(&result.action),
        resource: sanitize(&result.resource),
        decision: sanitize(decision_name(&result.decision)),
        policies: policies.collect(),
        missing_context: result.missing_context.iter().map(|key| sanitize(key)).collect(),
        boundary_allows: result.boundary_allows,
        organization_allows: result.organization_allows,
    }
}

fn unknown(unknown: &Unavailable) -> wire::Unknown {
    wire::Unknown {
        what: unknown.what.to_owned(),
        because: unknown.reason.because(),
        permission: unknown.permission().map(str::to_owned),
    }
}

/// The notes as sentences, and what the simulation allows.
fn note_sentences(audit: &AuditResult) -> impl Iterator<Item = String> {
    audit.notes.iter().map(note_sentence).chain(allowed_actions(&audit.simulated))
}

/// What the simulation allows, and how much that means. What it does not allow is a diagnosis of its own.
fn allowed_actions(simulated: &[SimulatedDecision]) -> Option<String> {
    let allowed = simulated.iter().filter(|result| result.decision == Decision::Allowed).cloned();
    let allowed: Vec<SimulatedDecision> = allowed.collect();
    let (actions, caveat) = (action_list(&allowed), caveat(&allowed));
    (!allowed.is_empty()).then(|| format!("By IAM's simulation the role's policies allow {actions}.{caveat}"))
}

fn note_sentence(note: &Note) -> String {
    match note {
        Note::SourcesDisagree(Disagreement { what, chosen, other }) => format!(
            "The {what} is \"{}\" by {}; \"{}\", by {}, was not followed.",
            sanitize(&chosen.value),
            chosen.source,
            sanitize(&other.value),
            other.source
        ),
        Note::LaterReport(line) => format!(
            "Line {line} of the log has a later report, which is cut off or of another version; the one before \
             it was taken."
        ),
        Note::LogIncomplete(LogEnd::TooLong) => {
            "The log is too long to be read whole, and may have a later report.".to_owned()
        }
        Note::LogIncomplete(LogEnd::TimedOut | LogEnd::Complete) => {
            "The log went on when the time was over, and may have a later report.".to_owned()
        }
        Note::TokenExpired(at) => format!(
            "The token that was given expired at {}: STS takes it no more, whatever the policies allow.",
            format_utc(*at)
        ),
        Note::SignatureNotVerified { signature, has_key_id } => {
            let compared = match has_key_id {
                true => "Of the issuer's keys only the id was compared with the token's",
                false => "The issuer publishes keys, and nothing was compared with the token",
            };
            match signature {
                Signature::NotChecked(why) => {
                    format!("{compared}: its signature was not verified, because {why}.")
                }
                Signature::NoToken | Signature::Verified => {
                    format!(
                        "{compared}: its signature was not verified. Add --token TOKEN_FILE to verify it."
                    )
                }
            }
        }
        Note::ReportOfOtherCall => {
            "So the report is of another call, and what STS said of that does not count here.".to_owned()
        }
        Note::ReportInMember { line, member } => format!(
            "The report is the member \"{member}\" of line {line}, as a log collector writes lines. Check that the \
             line is of the probe's container."
        ),
        Note::RefusedAfterAccepted(at) => format!(
            "By the report STS gave the role to this token{}. So the policy was changed after that, or it is not the \
             role's policy.",
            at.map(|at| format!(" at {}", format_utc(at))).unwrap_or_default()
        ),
        Note::ReportOfOtherFailure(name) => {
            let name = sanitize(name);
            format!(
                "The report itself says {name}, which is not about the role's trust: irsa-probe explain {name}"
            )
        }
    }
}

/// The evidence of a diagnosis that the rows have already.
pub(super) const ROWS: &[&str] = &["role_arn", "issuer", "subject", "audience"];

/// The subject of the audit, each value with its source.
pub(super) fn subject_rows(subject: &AuditSubject) -> Vec<(&'static str, String)> {
    let AuditSubject { issuer, subject, audience, session_name, .. } = subject;
    let sourced = |text: &Sourced<String>| format!("{} (from {})", sanitize(&text.value), text.source.name());
    let audiences: Vec<String> =
        audience.value.iter().take(MAX_AUDIENCES).map(|audience| sanitize(audience)).collect();
    let mut rows = vec![
        ("issuer", sourced(issuer)),
        ("subject", sourced(subject)),
        ("audience", format!("{} (from {})", audiences.join(", "), audience.source.name())),
    ];
    rows.extend(session_name.as_ref().map(|name| ("session", sourced(name))));
    rows
}

/// What is not known, without what the diagnoses say already, and what to know about the input.
pub(super) fn notes(audit: &AuditResult, in_diagnoses: &[&str], color: Color) -> String {
    let unknown = audit.unavailable.iter().filter(|unknown| !in_diagnoses.contains(&unknown.what));
    let unknown = unknown.map(|unknown| {
        let needs =
            unknown.permission().map_or_else(String::new, |permission| format!(" (needs {permission})"));
        format!("Not known: {}, because {}{needs}.", unknown.what, unknown.reason.because())
    });
    let mut text = String::new();
    for sentence in unknown.chain(note_sentences(audit)) {
        if text.is_empty() {
            text.push('\n');
        }
        let _ = writeln!(text, "{}", color.warning(&wrap(&sentence, "  ", "  ")));
    }
    text
}

/// The policy with the decisive lines marked, and what the correction changes.
pub(super) fn marked_policy(policy: &PolicyExhibit, color: Color) -> String {
    let mut text = "\n  The trust policy; > stands before what decides:\n\n".to_owned();
    for line in &policy.lines {
        let marked = line.to_string();
        let _ = writeln!(text, "    {}", if line.is_marked { color.bad(&marked) } else { marked });
    }
    if let Some((_, diff)) = &policy.corrected {
        text.push_str("\n  What the corrected policy changes:\n\n");
        for line in diff.lines() {
            let painted = match line.chars().next() {
                Some('+') => color.good(line),
                Some('-') => color.bad(line),
                _ => line.to_owned(),
            };
            let _ = writeln!(text, "    {painted}");
        }
    }
    text
}
