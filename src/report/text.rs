//! The report as text, for a person.

use std::fmt::Write;

use serde_json::Value;

use super::audit;
use super::facts::TokenFileFacts;
use super::model::{Outcome, Report};
use super::style::{Color, wrap};
use crate::diagnosis::{Class, Diagnosis, Name};
use crate::evidence::Evidence;
use crate::host::process::Process;
use crate::run::check::Check;
use crate::run::{CheckOutcome, CheckResult};
use crate::text::{format_utc, sanitize};
use crate::token::ServiceAccount;

/// What follows the headline if another process was inspected.
const OF_TARGET: &str = "Everything below is of that process and its container, except the network.";

/// What follows the headline if that process has another network.
pub(super) const ANOTHER_NETWORK: &str =
    "Its network is another than this container's, from which all was asked.";

/// The verdict of an audit that found nothing.
const NOTHING_REFUSES: &str = "Nothing that was looked at keeps this pod from this role.";

/// The most audiences of a token that the text names.
const MAX_AUDIENCES: usize = 8;

pub(crate) fn render(report: &Report, color: Color) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}", headline(report));
    if report.target.is_some() {
        let _ = writeln!(text, "{}", color.faint(OF_TARGET));
    }
    if report.another_network {
        let _ = writeln!(text, "{}", color.warning(ANOTHER_NETWORK));
    }
    text.push('\n');
    for result in &report.checks {
        let _ = writeln!(text, "{}", check_line(result, color));
    }
    text.push_str(&facts_table(report, color));
    if let Some(audit) = &report.audit {
        text.push_str(&audit::notes(audit, &unknowns_in_diagnoses(report), color));
    }
    if let Some(diagnosis) = report.diagnosis() {
        text.push_str(&section_in(report, diagnosis, "FAIL", color));
    }
    for warning in report.warnings() {
        let word = match warning {
            warning if warning.name().is_information() => "INFO",
            warning if report.is_failure(warning) => "FAIL",
            _ => "WARN",
        };
        text.push_str(&section_in(report, warning, word, color));
    }
    let _ = writeln!(text, "\n{}", verdict(report, color));
    text
}

pub(crate) fn render_diagnosis(diagnosis: &Diagnosis, color: Color) -> String {
    section(diagnosis, &diagnosis.remedy(), "FAIL", &Context::default(), color)
}

fn headline(report: &Report) -> String {
    if report.audit.is_some() { audit_headline(report) } else { run_headline(report) }
}

fn audit_headline(report: &Report) -> String {
    let subject = report.audit.as_ref().and_then(|audit| audit.subject.as_ref());
    let role = subject.map_or_else(|| "no role".to_owned(), |subject| sanitize(&subject.role.value.text));
    let pod = match (report.pod_name(), report.service_account()) {
        (Some(pod), Some(account)) => pod_words(pod, &account),
        (None, Some(account)) => format!("service account {account}"),
        (_, None) => subject.map(|subject| sanitize(&subject.subject.value)).unwrap_or_default(),
    };
    format!("irsa-probe {}: audit of {role} for {pod}", env!("CARGO_PKG_VERSION"))
}

fn pod_words(pod: &str, ServiceAccount { namespace, name }: &ServiceAccount) -> String {
    format!("pod {}/{} (service account {})", sanitize(namespace), sanitize(pod), sanitize(name))
}

fn run_headline(report: &Report) -> String {
    let container = report
        .container
        .as_deref()
        .map_or_else(|| "this container".to_owned(), |name| format!("container {}", sanitize(name)));
    let pod = match (report.pod_name(), report.service_account()) {
        (Some(pod), Some(account)) => format!(" of {}", pod_words(pod, &account)),
        (None, Some(account)) => format!(", service account {account}"),
        _ => String::new(),
    };
    let target =
        report.target.as_ref().map_or_else(String::new, |process| format!("{}, ", describe_process(process)));
    format!(
        "irsa-probe {}: {target}seen from {container}, user {}{pod}",
        env!("CARGO_PKG_VERSION"),
        report.user.uid
    )
}

pub(super) fn describe_process(process: &Process) -> String {
    format!("process {} ({}), user {}", process.pid, sanitize(&process.name), process.user.uid)
}

fn check_line(result: &CheckResult, color: Color) -> String {
    let title = result.check.title();
    match &result.outcome {
        CheckOutcome::Pass => format!("  {}  {title}", color.good("pass")),
        CheckOutcome::Warn(warnings) => {
            let word = if result.outcome.is_warning() { "warn" } else { "info" };
            let names: Vec<&str> = warnings.iter().map(|warning| warning.name().as_str()).collect();
            format!("  {}  {title}: {}", color.warning(word), color.warning(&names.join(", ")))
        }
        CheckOutcome::Fail(diagnosis) => {
            format!("  {}  {title}: {}", color.bad("FAIL"), color.bad(diagnosis.name().as_str()))
        }
        CheckOutcome::Skipped(blocked) => {
            color.faint(&format!("  skip  {title} (needs: {})", blocked.0.title()))
        }
        CheckOutcome::Interrupted => color.faint(&format!("  skip  {title} (interrupted)")),
    }
}

/// What is known about the pod, the token and STS, whatever the outcome.
fn facts_table(report: &Report, color: Color) -> String {
    let facts = &report.facts;
    let mut rows: Vec<(&str, String)> = Vec::new();
    if let Some(role) = &facts.role_arn {
        rows.push(("role", sanitize(role)));
    }
    if let Some(TokenFileFacts { path, stat }) = &facts.token_file {
        let file = sanitize(&path.to_string_lossy());
        rows.push((
            "token file",
            format!("{file} (owner {}, group {}, mode {})", stat.uid, stat.gid, stat.octal_mode()),
        ));
    }
    if let Some(claims) = &facts.claims {
        rows.push(("issuer", sanitize(&claims.issuer)));
        rows.push(("subject", sanitize(&claims.subject)));
        rows.push((
            "audience",
            claims
                .audience
                .iter()
                .take(MAX_AUDIENCES)
                .map(|audience| sanitize(audience))
                .collect::<Vec<_>>()
                .join(", "),
        ));
        rows.push((
            "valid",
            format!("{} to {}", format_utc(claims.issued_at), format_utc(claims.expires_at)),
        ));
    }
    if let Some(subject) = report.audit.as_ref().and_then(|audit| audit.subject.as_ref()) {
        rows.extend(audit::subject_rows(subject));
    }
    if let Some(endpoint) = &facts.sts.endpoint {
        let connection = facts.sts.connection.as_ref();
        let way = connection.map_or_else(String::new, |connection| match &connection.proxy {
            Some(proxy) => format!(", through the proxy {}", sanitize(proxy)),
            None => format!(", at {}", connection.peer),
        });
        rows.push(("STS", format!("{}{way}", sanitize(&endpoint.endpoint.origin()))));
    }
    if let Some(call) = facts.assume_role() {
        rows.push(("session", sanitize(&call.session_name)));
        rows.extend(call.request_id.as_deref().map(|id| ("request id", sanitize(id))));
    }
    if let Some(caller) = &facts.caller {
        rows.push(("identity", sanitize(&caller.arn)));
    }
    let mut text = String::new();
    if !rows.is_empty() {
        text.push('\n');
    }
    for (name, value) in rows {
        let _ = writeln!(text, "  {}{value}", color.faint(&format!("{name:<12}")));
    }
    text
}

/// What the report adds to the section of a diagnosis.
#[derive(Default)]
struct Context {
    /// Names of evidence that the report shows elsewhere.
    shown_elsewhere: &'static [&'static str],
    /// What the diagnosis is about, to look at.
    exhibit: String,
}

fn section_in(report: &Report, diagnosis: &Diagnosis, word: &str, color: Color) -> String {
    let trust = report.failure_of(Check::TrustPolicy);
    let policy = report.audit.as_ref().and_then(|audit| audit.policy.as_ref());
    let context = Context {
        shown_elsewhere: if report.audit.is_some() { audit::ROWS } else { &[] },
        exhibit: match (trust, policy) {
            (Some(trust), Some(policy)) if trust.name() == diagnosis.name() => {
                audit::marked_policy(policy, color)
            }
            _ => String::new(),
        },
    };
    section(diagnosis, &report.remedy(diagnosis), word, &context, color)
}

fn section(diagnosis: &Diagnosis, remedy: &[String], word: &str, context: &Context, color: Color) -> String {
    let name = diagnosis.name();
    let painted = if word == "FAIL" { color.bad(word) } else { color.warning(word) };
    let mut text = format!("\n{painted}  {}: {}\n", color.strong(name.as_str()), name.title());
    let _ = writeln!(
        text,
        "      who must act: {}; class: {}\n",
        color.strong(diagnosis.owner().as_str()),
        name.class().as_str()
    );
    let _ = writeln!(text, "{}", wrap(&diagnosis.cause(), "  ", "  "));
    text.push_str(&evidence_table(&diagnosis.evidence(), context.shown_elsewhere, color));
    text.push_str(&context.exhibit);
    text.push('\n');
    for (index, step) in remedy.iter().enumerate() {
        let (sentence, commands) = step.split_once('\n').unwrap_or((step, ""));
        let _ = writeln!(text, "{}", wrap(sentence, &format!("  {}. ", index + 1), "     "));
        for line in commands.lines() {
            let _ = writeln!(text, "       {line}");
        }
    }
    let _ = writeln!(text, "\n  {}", color.faint(&format!("more: irsa-probe explain {}", name.as_str())));
    text
}

/// The evidence of a diagnosis, without what the report shows elsewhere.
fn evidence_table(evidence: &Evidence, shown_elsewhere: &[&str], color: Color) -> String {
    let mut text = String::new();
    let rows = || evidence.iter().filter(|(name, _)| !shown_elsewhere.contains(name));
    if rows().next().is_some() {
        text.push('\n');
    }
    let width = rows().map(|(name, _)| name.len() + 2).max().unwrap_or_default().max(18);
    for (name, value) in rows() {
        let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let value = match value {
            Value::Array(values) if values.is_empty() => "none".to_owned(),
            Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
            other => plain(other),
        };
        let _ = writeln!(text, "  {}{value}", color.faint(&format!("{:<width$}", name.replace('_', " "))));
    }
    text
}

/// Whether an audit with this diagnosis cannot say that the role is refused.
fn is_open(diagnosis: &Diagnosis) -> bool {
    let name = diagnosis.name();
    name.class() == Class::NotJudged || matches!(name, Name::TrustPolicyMalformed | Name::IssuerUnreachable)
}

/// What is not known and has a diagnosis of its own.
fn unknowns_in_diagnoses(report: &Report) -> Vec<&'static str> {
    let all = report.diagnosis().into_iter().chain(report.warnings());
    let what = |diagnosis: &Diagnosis| match diagnosis {
        Diagnosis::AuditIncomplete(incomplete) => Some(incomplete.unavailable.what),
        _ => None,
    };
    all.filter_map(what).collect()
}

fn verdict(report: &Report, color: Color) -> String {
    let code = report.exit_code();
    let attempts =
        if report.attempts > 1 { format!(", after {} attempts", report.attempts) } else { String::new() };
    let tolerated = match report.diagnosis() {
        Some(_) if code == 0 => " (tolerated)",
        _ => "",
    };
    let verdict =
        if report.audit.is_some() { audit_verdict(report, color) } else { run_verdict(report, color) };
    format!("{verdict} Exit code {code}{tolerated}{attempts}.")
}

fn audit_verdict(report: &Report, color: Color) -> String {
    // What the role may do is another question than who gets it.
    let is_of_permissions = |diagnosis: &Diagnosis| {
        report.failure_of(Check::RolePermissions).is_some_and(|failure| failure.name() == diagnosis.name())
    };
    match (report.outcome(), report.diagnosis()) {
        (Outcome::Pass, _) => color.good(NOTHING_REFUSES),
        (Outcome::Warn, _) => color.warning(&format!("{NOTHING_REFUSES} There are warnings.")),
        (Outcome::Fail, Some(diagnosis)) if is_open(diagnosis) => {
            color.bad("Whether AWS gives this role to this pod is not known.")
        }
        (Outcome::Fail, Some(diagnosis)) if is_of_permissions(diagnosis) => {
            color.bad("AWS gives this role to this pod, but the role may not do what it should.")
        }
        (Outcome::Fail, Some(Diagnosis::RefusedOutsideTrust(_))) => color
            .bad("STS refused this pod this role, and the trust policy as it is now does not explain it."),
        (Outcome::Fail, _) => color.bad("This pod does not get this role as it is."),
    }
}

fn run_verdict(report: &Report, color: Color) -> String {
    match report.outcome() {
        Outcome::Pass => color.good("This pod gets its role."),
        Outcome::Warn => color.warning("This pod gets its role, with warnings."),
        Outcome::Fail if report.fault.is_some() => color.bad("irsa-probe failed by a fault of its own."),
        Outcome::Fail if report.interrupted => color.bad("Interrupted."),
        Outcome::Fail if report.role_works() => {
            color.bad("This pod gets its role, but the application's SDK does not take it.")
        }
        Outcome::Fail => color.bad(match report.role_failure().map(|diagnosis| diagnosis.name().class()) {
            Some(Class::NotJudged) => "Whether this pod gets its role is not known.",
            Some(Class::Unreachable) => "This pod does not get its role now.",
            _ => "This pod does not get its role.",
        }),
    }
}
