//! The report as JSON, `irsa-probe.report/v1`: one object on one line.
//!
//! These structs are the public form. They change only by additions.

use crate::wire::SCHEMA;
use serde::Serialize;

use super::audit;
use super::model::Report;
use crate::audit::subject::AuditSubject;
use crate::diagnosis::Diagnosis;
use crate::evidence::Evidence;
use crate::host::process::Process;
use crate::run::{CheckOutcome, CheckResult};
use crate::text::{escape_json, sanitize, utc};

#[derive(Serialize)]
struct Wire<'a> {
    schema: &'static str,
    version: &'static str,
    time: String,
    outcome: &'static str,
    exit_code: u8,
    interrupted: bool,
    attempts: u32,
    duration_ms: u64,
    diagnosis: Option<WireDiagnosis>,
    warnings: Vec<WireDiagnosis>,
    pod: WirePod,
    role_arn: Option<String>,
    token: Option<WireToken>,
    sts: Option<WireSts>,
    identity: Option<WireIdentity>,
    checks: Vec<WireCheck<'a>>,
    /// Only in the report of an audit.
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<audit::Wire<'a>>,
}

/// A diagnosis in its public form.
#[derive(Serialize)]
pub struct WireDiagnosis {
    name: &'static str,
    class: &'static str,
    owner: &'static str,
    title: &'static str,
    cause: String,
    remedy: Vec<String>,
    evidence: Evidence,
}

#[derive(Serialize)]
struct WirePod {
    container: Option<String>,
    uid: u32,
    gid: u32,
    namespace: Option<String>,
    service_account: Option<String>,
    pod: Option<String>,
    node: Option<String>,
    /// Only where another process's world was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<WireTarget>,
}

#[derive(Serialize)]
pub(super) struct WireTarget {
    pid: u32,
    name: String,
    uid: u32,
    gid: u32,
    /// Only where it is so: what was asked of the network was asked from another network than its.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    another_network: bool,
}

impl WireTarget {
    pub(super) fn new(process: &Process, another_network: bool) -> Self {
        let Process { pid, ref name, ref who, .. } = *process;
        Self { pid, name: sanitize(name), uid: who.uid, gid: who.gid, another_network }
    }
}

#[derive(Serialize)]
struct WireToken {
    file: Option<String>,
    file_owner: Option<u32>,
    file_group: Option<u32>,
    file_mode: Option<String>,
    issuer: Option<String>,
    subject: Option<String>,
    audience: Vec<String>,
    key_id: Option<String>,
    issued_at: Option<String>,
    expires_at: Option<String>,
}

#[derive(Serialize)]
struct WireSts {
    endpoint: String,
    region: String,
    addresses: Vec<String>,
    connected_to: Option<String>,
    proxy: Option<String>,
    tls_version: Option<&'static str>,
    session_name: Option<String>,
    request_id: Option<String>,
    server_time: Option<String>,
}

#[derive(Serialize)]
struct WireIdentity {
    arn: String,
    account: String,
}

#[derive(Serialize)]
struct WireCheck<'a> {
    name: &'static str,
    title: &'static str,
    outcome: &'static str,
    skipped_because: Option<&'static str>,
    duration_ms: u64,
    evidence: &'a Evidence,
    diagnosis: Option<&'static str>,
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl WireToken {
    /// What an audit knows of the token.
    fn asked(asked: &AuditSubject) -> Self {
        Self {
            file: None,
            file_owner: None,
            file_group: None,
            file_mode: None,
            issuer: Some(sanitize(&asked.issuer.value)),
            subject: Some(sanitize(&asked.subject.value)),
            audience: asked.audience.value.iter().take(16).map(|audience| sanitize(audience)).collect(),
            key_id: asked.key_id.as_ref().map(|id| sanitize(&id.value)),
            issued_at: None,
            expires_at: None,
        }
    }
}

impl WireDiagnosis {
    /// The diagnosis with these steps to take.
    #[must_use]
    pub fn new(diagnosis: &Diagnosis, remedy: Vec<String>) -> Self {
        let name = diagnosis.name();
        Self {
            name: name.as_str(),
            class: name.class().as_str(),
            owner: name.owner().as_str(),
            title: name.title(),
            cause: diagnosis.cause(),
            remedy,
            evidence: diagnosis.evidence(),
        }
    }
}

impl<'a> From<&'a CheckResult> for WireCheck<'a> {
    fn from(step: &'a CheckResult) -> Self {
        let (skipped_because, diagnosis) = match &step.ending {
            CheckOutcome::Pass => (None, None),
            CheckOutcome::Warn(warnings) => (None, warnings.first()),
            CheckOutcome::Fail(diagnosis) => (None, Some(diagnosis)),
            CheckOutcome::Skipped(missing) => (Some(missing.0.name()), None),
            CheckOutcome::Interrupted => (Some("interrupted"), None),
        };
        Self {
            name: step.check.name(),
            title: step.check.title(),
            outcome: step.ending.outcome(),
            skipped_because,
            duration_ms: millis(step.took),
            evidence: &step.evidence,
            diagnosis: diagnosis.map(|diagnosis| diagnosis.name().as_str()),
        }
    }
}

/// The report as one line of JSON, without its newline.
#[must_use]
pub fn line(report: &Report) -> String {
    let facts = &report.facts;
    let account = report.service_account();
    let text = |text: &str| sanitize(text);
    let wire = |diagnosis: &Diagnosis| WireDiagnosis::new(diagnosis, report.remedy(diagnosis));
    let of_pod = (facts.token_file.is_some() || facts.claims.is_some()).then(|| {
        let (file, claims) = (facts.token_file.as_ref(), facts.claims.as_ref());
        WireToken {
            file: file.map(|(path, _)| text(&path.to_string_lossy())),
            file_owner: file.map(|(_, stat)| stat.uid),
            file_group: file.map(|(_, stat)| stat.gid),
            file_mode: file.map(|(_, stat)| stat.octal()),
            issuer: claims.map(|claims| text(&claims.issuer)),
            subject: claims.map(|claims| text(&claims.subject)),
            audience: claims.map_or_else(Vec::new, |claims| {
                claims.audience.iter().take(16).map(|audience| text(audience)).collect()
            }),
            key_id: claims.and_then(|claims| claims.key_id.as_deref()).map(text),
            issued_at: claims.map(|claims| utc(claims.issued_at)),
            expires_at: claims.map(|claims| utc(claims.expires_at)),
        }
    });
    let token = of_pod.or_else(|| report.audit.as_ref()?.asked.as_ref().map(WireToken::asked));
    let sts = facts.endpoint.as_ref().map(|endpoint| {
        let connection = facts.connection.as_ref();
        WireSts {
            endpoint: text(&endpoint.endpoint.shown()),
            region: text(&endpoint.region),
            addresses: connection.map_or_else(Vec::new, |reached| reached.addresses.clone()),
            connected_to: connection.map(|reached| reached.peer.clone()),
            proxy: connection.and_then(|reached| reached.proxy.clone()),
            tls_version: connection.and_then(|reached| reached.tls_version),
            session_name: facts.asked.as_ref().map(|(name, _)| text(name)),
            request_id: facts.request_id.as_deref().map(text),
            server_time: facts.asked.as_ref().and_then(|(_, time)| *time).map(utc),
        }
    });
    let report = Wire {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION"),
        time: utc(report.started),
        outcome: report.outcome().as_str(),
        exit_code: report.exit_code(),
        interrupted: report.interrupted,
        attempts: report.attempts,
        duration_ms: millis(report.took),
        diagnosis: report.diagnosis().map(wire),
        warnings: report.warnings().into_iter().map(wire).collect(),
        pod: WirePod {
            container: report.container.as_deref().map(text),
            uid: report.who.uid,
            gid: report.who.gid,
            namespace: account.as_ref().map(|account| text(&account.namespace)),
            service_account: account.as_ref().map(|account| text(&account.name)),
            pod: report.pod_name().map(text),
            node: report.node().map(text),
            target: report.target.as_ref().map(|process| WireTarget::new(process, report.another_network)),
        },
        role_arn: facts.role_arn.as_deref().map(text),
        token,
        sts,
        identity: facts
            .identity
            .as_ref()
            .map(|identity| WireIdentity { arn: text(&identity.arn), account: text(&identity.account) }),
        checks: report.steps.iter().map(WireCheck::from).collect(),
        audit: report.audit.as_deref().map(audit::Wire::new),
    };
    serde_json::to_string(&report)
        .map(|line| escape_json(&line))
        .unwrap_or_else(|error| format!(r#"{{"schema":"{SCHEMA}","error":"{error}"}}"#))
}
