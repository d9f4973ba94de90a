//! The report as JSON: one object on one line.

use std::time::Duration;

use super::audit;
use super::model::Report;
use crate::audit::subject::AuditSubject;
use crate::diagnosis::Diagnosis;
use crate::host::process::Process;
use crate::run::{CheckOutcome, CheckResult};
use crate::text::{escape_json, format_utc, sanitize};
use crate::wire;

/// The most audiences of a token that are printed.
const MAX_AUDIENCES: usize = 16;

/// The report as one line of JSON, without its newline.
pub(crate) fn line(report: &Report) -> String {
    serde_json::to_string(&to_wire(report))
        .map(|line| escape_json(&line))
        .unwrap_or_else(|error| format!(r#"{{"schema":"{}","error":"{error}"}}"#, wire::SCHEMA))
}

fn to_wire(report: &Report) -> wire::Report {
    let with_remedy = |found: &Diagnosis| diagnosis(found, report.remedy(found));
    wire::Report {
        schema: wire::SCHEMA.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        time: format_utc(report.started),
        outcome: report.outcome().as_str().to_owned(),
        exit_code: report.exit_code(),
        interrupted: report.interrupted,
        fault: report.fault.clone(),
        attempts: report.attempts,
        duration_ms: millis(report.took),
        diagnosis: report.diagnosis().map(with_remedy),
        warnings: report.warnings().into_iter().map(with_remedy).collect(),
        pod: pod(report),
        role_arn: report.facts.role_arn.as_deref().map(sanitize),
        token: token(report).or_else(|| report.audit.as_ref()?.subject.as_ref().map(token_of_audit)),
        sts: sts(report),
        identity: report.facts.caller.as_ref().map(|identity| wire::Identity {
            arn: sanitize(&identity.arn),
            account: sanitize(&identity.account),
        }),
        checks: report.checks.iter().map(check).collect(),
        audit: report.audit.as_deref().map(audit::to_wire),
    }
}

/// A diagnosis with these steps to take.
pub(crate) fn diagnosis(found: &Diagnosis, remedy: Vec<String>) -> wire::Diagnosis {
    let name = found.name();
    wire::Diagnosis {
        name: name.as_str().to_owned(),
        class: name.class().as_str().to_owned(),
        owner: found.owner().as_str().to_owned(),
        title: name.title().to_owned(),
        cause: found.cause(),
        remedy,
        evidence: found.evidence().into(),
    }
}

fn pod(report: &Report) -> wire::Pod {
    let account = report.service_account();
    wire::Pod {
        container: report.container.as_deref().map(sanitize),
        uid: report.user.uid,
        gid: report.user.gid,
        namespace: account.as_ref().map(|account| sanitize(&account.namespace)),
        service_account: account.as_ref().map(|account| sanitize(&account.name)),
        pod: report.pod_name().map(sanitize),
        node: report.node().map(sanitize),
        target: report.target.as_ref().map(|process| target(process, report.another_network)),
    }
}

pub(super) fn target(process: &Process, another_network: bool) -> wire::Target {
    let Process { pid, ref name, ref user, .. } = *process;
    wire::Target { pid, name: sanitize(name), uid: user.uid, gid: user.gid, another_network }
}

/// What a run in the pod knows of the token.
fn token(report: &Report) -> Option<wire::Token> {
    let (file, claims) = (report.facts.token_file.as_ref(), report.facts.claims.as_ref());
    if file.is_none() && claims.is_none() {
        return None;
    }
    Some(wire::Token {
        file: file.map(|file| sanitize(&file.path.to_string_lossy())),
        file_owner: file.map(|file| file.stat.uid),
        file_group: file.map(|file| file.stat.gid),
        file_mode: file.map(|file| file.stat.octal_mode()),
        issuer: claims.map(|claims| sanitize(&claims.issuer)),
        subject: claims.map(|claims| sanitize(&claims.subject)),
        audience: claims.map(|claims| audiences(&claims.audience)).unwrap_or_default(),
        key_id: claims.and_then(|claims| claims.key_id.as_deref()).map(sanitize),
        issued_at: claims.map(|claims| format_utc(claims.issued_at)),
        expires_at: claims.map(|claims| format_utc(claims.expires_at)),
    })
}

fn token_of_audit(subject: &AuditSubject) -> wire::Token {
    wire::Token {
        issuer: Some(sanitize(&subject.issuer.value)),
        subject: Some(sanitize(&subject.subject.value)),
        audience: audiences(&subject.audience.value),
        key_id: subject.key_id.as_deref().map(sanitize),
        ..wire::Token::default()
    }
}

fn audiences(audiences: &[String]) -> Vec<String> {
    audiences.iter().take(MAX_AUDIENCES).map(|audience| sanitize(audience)).collect()
}

fn sts(report: &Report) -> Option<wire::Sts> {
    let facts = &report.facts;
    let endpoint = facts.sts.endpoint.as_ref()?;
    let connection = facts.sts.connection.as_ref();
    let call = facts.assume_role();
    Some(wire::Sts {
        endpoint: sanitize(&endpoint.endpoint.origin()),
        region: sanitize(&endpoint.region),
        addresses: connection.map(|reached| reached.addresses.clone()).unwrap_or_default(),
        connected_to: connection.map(|reached| reached.peer.clone()),
        proxy: connection.and_then(|reached| reached.proxy.clone()),
        tls_version: connection.and_then(|reached| reached.tls_version).map(str::to_owned),
        session_name: call.map(|call| sanitize(&call.session_name)),
        request_id: call.and_then(|call| call.request_id.as_deref()).map(sanitize),
        server_time: call.and_then(|call| call.server_time).map(format_utc),
    })
}

fn check(result: &CheckResult) -> wire::Check {
    let (skipped_because, diagnosis) = match &result.outcome {
        CheckOutcome::Pass => (None, None),
        CheckOutcome::Warn(warnings) => (None, warnings.first()),
        CheckOutcome::Fail(diagnosis) => (None, Some(diagnosis)),
        CheckOutcome::Skipped(blocked) => (Some(blocked.0.name()), None),
        CheckOutcome::Interrupted => (Some("interrupted"), None),
    };
    wire::Check {
        name: result.check.name().to_owned(),
        title: result.check.title().to_owned(),
        outcome: result.outcome.as_str().to_owned(),
        skipped_because: skipped_because.map(str::to_owned),
        duration_ms: millis(result.took),
        evidence: result.evidence.clone().into(),
        diagnosis: diagnosis.map(|diagnosis| diagnosis.name().as_str().to_owned()),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
