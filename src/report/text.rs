//! The report as text, for a person.

use super::style::{ANOTHER_NETWORK, Color, WIDTH};
use std::fmt::Write;

use serde_json::Value;

use super::audit;
use super::facts::TokenFileFacts;
use super::model::{Outcome, Report};
use crate::diagnosis::{Class, Diagnosis, Name};
use crate::evidence::Evidence;
use crate::host::process::Process;
use crate::run::check::Check;
use crate::run::{CheckOutcome, CheckResult};
use crate::text::{format_utc, sanitize};

/// Whom the checks are about, where that is another process.
const WHOSE: &str = "Everything below is of that process and its container, except the network.";

/// What an audit says where nothing that it looked at refuses.
const ALLOWED: &str = "Nothing that was looked at keeps this pod from this role.";

pub(crate) fn page(report: &Report, colour: Color) -> String {
    let mut page = String::new();
    let _ = writeln!(page, "{}", headline(report));
    if report.target.is_some() {
        let _ = writeln!(page, "{}", colour.faint(WHOSE));
    }
    if report.another_network {
        let _ = writeln!(page, "{}", colour.warning(ANOTHER_NETWORK));
    }
    page.push('\n');
    for step in &report.steps {
        let _ = writeln!(page, "{}", check_line(step, colour));
    }
    page.push_str(&seen(report, colour));
    if let Some(audit) = &report.audit {
        page.push_str(&audit::notes(audit, &told_by_diagnoses(report), colour));
    }
    let trust =
        report.steps.iter().find(|step| step.check == Check::TrustPolicy).and_then(CheckResult::failure);
    let policy = report.audit.as_ref().and_then(|audit| audit.policy.as_ref());
    let beside = |diagnosis: &Diagnosis| Beside {
        told: if report.audit.is_some() { audit::ROWS } else { &[] },
        exhibit: match (trust, policy) {
            (Some(trust), Some(policy)) if trust.name() == diagnosis.name() => audit::exhibit(policy, colour),
            _ => String::new(),
        },
    };
    if let Some(diagnosis) = report.diagnosis() {
        page.push_str(&section(diagnosis, &report.remedy(diagnosis), "FAIL", &beside(diagnosis), colour));
    }
    for warning in report.warnings() {
        let word = match warning {
            found if found.name().is_information() => "INFO",
            found if report.is_failure(found) => "FAIL",
            _ => "WARN",
        };
        page.push_str(&section(warning, &report.remedy(warning), word, &beside(warning), colour));
    }
    let _ = writeln!(page, "\n{}", verdict(report, colour));
    page
}

fn headline(report: &Report) -> String {
    if let Some(audit) = &report.audit {
        let asked = audit.subject.as_ref();
        let role = asked.map_or_else(|| "no role".to_owned(), |asked| sanitize(&asked.role.value.text));
        let whom = match (report.pod_name(), report.service_account()) {
            (Some(pod), Some(account)) => format!(
                "pod {}/{} (service account {})",
                sanitize(&account.namespace),
                sanitize(pod),
                sanitize(&account.name)
            ),
            (None, Some(account)) => {
                format!("service account {}/{}", sanitize(&account.namespace), sanitize(&account.name))
            }
            (_, None) => asked.map(|asked| sanitize(&asked.subject.value)).unwrap_or_default(),
        };
        return format!("irsa-probe {}: audit of {role} for {whom}", env!("CARGO_PKG_VERSION"));
    }
    let container = report
        .container
        .as_deref()
        .map_or_else(|| "this container".to_owned(), |name| format!("container {}", sanitize(name)));
    let account = report.service_account();
    let pod = match (report.pod_name(), &account) {
        (Some(pod), Some(account)) => {
            format!(
                " of pod {}/{} (service account {})",
                sanitize(&account.namespace),
                sanitize(pod),
                sanitize(&account.name)
            )
        }
        (None, Some(account)) => {
            format!(", service account {}/{}", sanitize(&account.namespace), sanitize(&account.name))
        }
        _ => String::new(),
    };
    let whose = report.target.as_ref().map_or_else(String::new, |process| format!("{}, ", of(process)));
    format!(
        "irsa-probe {}: {whose}seen from {container}, user {}{pod}",
        env!("CARGO_PKG_VERSION"),
        report.who.uid
    )
}

/// A process in a sentence.
pub(super) fn of(process: &Process) -> String {
    format!("process {} ({}), user {}", process.pid, sanitize(&process.name), process.user.uid)
}

fn check_line(step: &CheckResult, colour: Color) -> String {
    let title = step.check.title();
    let names = |warnings: &[Diagnosis]| {
        warnings.iter().map(|warning| warning.name().as_str()).collect::<Vec<_>>().join(", ")
    };
    match &step.outcome {
        CheckOutcome::Pass => format!("  {}  {title}", colour.good("pass")),
        CheckOutcome::Warn(warnings) => {
            let word = if step.outcome.is_warning() { "warn" } else { "info" };
            format!("  {}  {title}: {}", colour.warning(word), colour.warning(&names(warnings)))
        }
        CheckOutcome::Fail(diagnosis) => {
            format!("  {}  {title}: {}", colour.bad("FAIL"), colour.bad(diagnosis.name().as_str()))
        }
        CheckOutcome::Skipped(missing) => {
            colour.faint(&format!("  skip  {title} (needs: {})", missing.0.title()))
        }
        CheckOutcome::Interrupted => colour.faint(&format!("  skip  {title} (interrupted)")),
    }
}

/// What was seen of the pod, the token and STS, whatever the outcome.
fn seen(report: &Report, colour: Color) -> String {
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
            claims.audience.iter().take(8).map(|aud| sanitize(aud)).collect::<Vec<_>>().join(", "),
        ));
        rows.push((
            "valid",
            format!("{} to {}", format_utc(claims.issued_at), format_utc(claims.expires_at)),
        ));
    }
    if let Some(asked) = report.audit.as_ref().and_then(|audit| audit.subject.as_ref()) {
        rows.extend(audit::rows(asked));
    }
    if let Some(endpoint) = &facts.sts.endpoint {
        let at = facts.sts.connection.as_ref().map_or_else(String::new, |reached| match &reached.proxy {
            Some(proxy) => format!(", through the proxy {}", sanitize(proxy)),
            None => format!(", at {}", reached.peer),
        });
        rows.push(("STS", format!("{}{at}", sanitize(&endpoint.endpoint.origin()))));
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
        let _ = writeln!(text, "  {}{value}", colour.faint(&format!("{name:<12}")));
    }
    text
}

/// A diagnosis that is all there is to say.
pub(crate) fn failure(diagnosis: &Diagnosis, colour: Color) -> String {
    section(diagnosis, &diagnosis.remedy(), "FAIL", &Beside::default(), colour)
}

/// What is shown beside a diagnosis.
#[derive(Default)]
struct Beside {
    /// Facts that are told elsewhere.
    told: &'static [&'static str],
    exhibit: String,
}

fn section(diagnosis: &Diagnosis, remedy: &[String], word: &str, beside: &Beside, colour: Color) -> String {
    let name = diagnosis.name();
    let painted = if word == "FAIL" { colour.bad(word) } else { colour.warning(word) };
    let mut text = format!("\n{painted}  {}: {}\n", colour.strong(name.as_str()), name.title());
    let _ = writeln!(
        text,
        "      who must act: {}; class: {}\n",
        colour.strong(name.owner().as_str()),
        name.class().as_str()
    );
    text.push_str(&wrapped(&diagnosis.cause(), "  ", "  "));
    text.push_str(&facts(&diagnosis.evidence(), beside.told, colour));
    text.push_str(&beside.exhibit);
    text.push('\n');
    for (place, step) in remedy.iter().enumerate() {
        let (say, paste) = step.split_once('\n').unwrap_or((step, ""));
        text.push_str(&wrapped(say, &format!("  {}. ", place + 1), "     "));
        for line in paste.lines() {
            let _ = writeln!(text, "       {line}");
        }
    }
    let _ = writeln!(text, "\n  {}", colour.faint(&format!("more: irsa-probe explain {}", name.as_str())));
    text
}

/// The facts, without those that are told elsewhere.
fn facts(evidence: &Evidence, elsewhere: &[&str], colour: Color) -> String {
    let mut text = String::new();
    let told = || evidence.iter().filter(|(name, _)| !elsewhere.contains(name));
    if told().next().is_some() {
        text.push('\n');
    }
    let width = told().map(|(name, _)| name.len() + 2).max().unwrap_or_default().max(18);
    for (name, value) in told() {
        let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let value = match value {
            Value::Array(values) if values.is_empty() => "none".to_owned(),
            Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
            other => plain(other),
        };
        let _ = writeln!(text, "  {}{value}", colour.faint(&format!("{:<width$}", name.replace('_', " "))));
    }
    text
}

fn wrapped(text: &str, first: &str, rest: &str) -> String {
    let options = textwrap::Options::new(WIDTH)
        .initial_indent(first)
        .subsequent_indent(rest)
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    format!("{}\n", textwrap::fill(text, options))
}

/// Whether a diagnosis of an audit leaves it open whether the role is given.
fn is_open(diagnosis: &Diagnosis) -> bool {
    let name = diagnosis.name();
    name.class() == Class::NotJudged || matches!(name, Name::TrustPolicyMalformed | Name::IssuerUnreachable)
}

/// What is not known, and is told by a diagnosis already.
fn told_by_diagnoses(report: &Report) -> Vec<&'static str> {
    let all = report.diagnosis().into_iter().chain(report.warnings());
    let what = |diagnosis: &Diagnosis| match diagnosis {
        Diagnosis::AuditIncomplete(incomplete) => Some(incomplete.unavailable.what),
        _ => None,
    };
    all.filter_map(what).collect()
}

/// Whether a diagnosis is about what the role may do, and not about who gets it.
fn is_of_permissions(report: &Report, diagnosis: &Diagnosis) -> bool {
    let step = report.steps.iter().find(|step| step.check == Check::RolePermissions);
    step.and_then(CheckResult::failure).is_some_and(|failure| failure.name() == diagnosis.name())
}

fn verdict(report: &Report, colour: Color) -> String {
    let code = report.exit_code();
    let attempts =
        if report.attempts > 1 { format!(", after {} attempts", report.attempts) } else { String::new() };
    let lenient = match report.diagnosis() {
        Some(_) if code == 0 => " (tolerated)",
        _ => "",
    };
    let text = match report.outcome() {
        outcome if report.audit.is_some() => match (outcome, report.diagnosis()) {
            (Outcome::Pass, _) => colour.good(ALLOWED),
            (Outcome::Warn, _) => colour.warning(&format!("{} There are warnings.", ALLOWED)),
            (Outcome::Fail, Some(diagnosis)) if is_open(diagnosis) => {
                colour.bad("Whether AWS gives this role to this pod is not known.")
            }
            (Outcome::Fail, Some(diagnosis)) if is_of_permissions(report, diagnosis) => {
                colour.bad("AWS gives this role to this pod, but the role may not do what it should.")
            }
            (Outcome::Fail, Some(Diagnosis::RefusedOutsideTrust(_))) => colour.bad(
                "STS refused this pod this role, and the trust policy as it is now does not explain it.",
            ),
            (Outcome::Fail, _) => colour.bad("This pod does not get this role as it is."),
        },
        Outcome::Pass => colour.good("This pod gets its role."),
        Outcome::Warn => colour.warning("This pod gets its role, with warnings."),
        Outcome::Fail if report.interrupted => colour.bad("Interrupted."),
        Outcome::Fail if report.role_works() => {
            colour.bad("This pod gets its role, but the application's SDK does not take it.")
        }
        Outcome::Fail => colour.bad(match report.role_failure().map(|diagnosis| diagnosis.name().class()) {
            Some(Class::NotJudged) => "Whether this pod gets its role is not known.",
            Some(Class::Unreachable) => "This pod does not get its role now.",
            _ => "This pod does not get its role.",
        }),
    };
    format!("{text} Exit code {code}{lenient}{attempts}.")
}
