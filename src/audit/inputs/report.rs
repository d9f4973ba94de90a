//! What a report of `check` or `watch` says, as far as an audit needs it.

use std::time::SystemTime;

use serde_json::Value;

use crate::run::check::Check;
use crate::text::{join, parse_timestamp, sanitize};
use crate::wire;

/// What a report says. A report cuts long texts; those are left out here, and named in `cut`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParsedReport {
    pub(crate) at: Option<SystemTime>,
    pub(crate) diagnosis: Option<String>,
    pub(crate) issuer: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) audience: Vec<String>,
    pub(crate) key_id: Option<String>,
    pub(crate) role_arn: Option<String>,
    pub(crate) session_name: Option<String>,
    /// The account of the identity that STS confirmed.
    pub(crate) account: Option<String>,
    /// The region of the STS endpoint.
    pub(crate) region: Option<String>,
    pub(crate) endpoint: Option<String>,
    /// The address and port of the STS endpoint, unless a proxy was between.
    pub(crate) connected_to: Option<String>,
    /// The error of STS, if STS refused the role.
    pub(crate) refusal: Option<StsRefusal>,
    pub(crate) pod: PodRef,
    /// What the report itself cut.
    pub(crate) cut: Vec<&'static str>,
}

/// What two reports say differently of the pod, its token or its role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {what} ({} and {})", said(one), said(other))]
pub struct Difference {
    what: &'static str,
    one: Option<String>,
    other: Option<String>,
}

fn said(text: &Option<String>) -> String {
    text.as_ref().map_or_else(|| "none".to_owned(), |text| format!("\"{}\"", sanitize(text)))
}

impl ParsedReport {
    /// How the pod, the token or the role of another report differs. One run of a container has only one of each.
    pub(super) fn differences(&self, other: &Self) -> Vec<Difference> {
        let differing = self.identity().into_iter().zip(other.identity()).filter(|(one, other)| one != other);
        differing.map(|((what, one), (_, other))| Difference { what, one, other }).collect()
    }

    /// Who asks for which role. The account and the session are left out: they are known only once STS was asked.
    fn identity(&self) -> [(&'static str, Option<String>); 8] {
        let audience = Some(join(&self.audience)).filter(|audience| !audience.is_empty());
        [
            ("namespace", self.pod.namespace.clone()),
            ("service account", self.pod.service_account.clone()),
            ("pod", self.pod.pod.clone()),
            ("container", self.pod.container.clone()),
            ("role ARN", self.role_arn.clone()),
            ("issuer", self.issuer.clone()),
            ("subject", self.subject.clone()),
            ("audience", audience),
        ]
    }
}

/// The error with which STS refused the role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StsRefusal {
    pub(crate) code: String,
    pub(crate) message: Option<String>,
    pub(crate) request_id: Option<String>,
    /// When STS answered, by its own clock.
    pub(crate) at: Option<SystemTime>,
}

/// The pod of a report or an audit, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PodRef {
    pub(crate) namespace: Option<String>,
    pub(crate) service_account: Option<String>,
    pub(crate) pod: Option<String>,
    pub(crate) container: Option<String>,
}

impl From<wire::Report> for ParsedReport {
    fn from(report: wire::Report) -> Self {
        let refusal = refusal(&report.checks);
        let token = report.token.unwrap_or_default();
        let sts = report.sts.unwrap_or_default();
        let pod = report.pod;
        let mut cut = Vec::new();
        let mut whole = |name: &'static str, text: Option<String>| {
            let text = text.filter(|text| !text.is_empty())?;
            if is_cut(&text) {
                cut.push(name);
                return None;
            }
            Some(text)
        };
        let mut parsed = Self {
            at: whole("time", Some(report.time)).as_deref().and_then(parse_timestamp),
            diagnosis: whole("diagnosis", report.diagnosis.map(|diagnosis| diagnosis.name)),
            issuer: whole("issuer", token.issuer),
            subject: whole("subject", token.subject),
            // An empty id is an id, too.
            key_id: whole("key id", token.key_id.clone()).or(token.key_id.filter(String::is_empty)),
            role_arn: whole("role ARN", report.role_arn),
            session_name: whole("session name", sts.session_name),
            account: whole("account", report.identity.map(|identity| identity.account)),
            region: whole("region", Some(sts.region)),
            endpoint: whole("endpoint", Some(sts.endpoint)),
            connected_to: whole("address", sts.connected_to).filter(|_| sts.proxy.is_none()),
            refusal,
            pod: PodRef {
                namespace: whole("namespace", pod.namespace),
                service_account: whole("service account", pod.service_account),
                pod: whole("pod", pod.pod),
                container: whole("container", pod.container),
            },
            audience: token.audience,
            cut: Vec::new(),
        };
        if parsed.audience.iter().any(|audience| is_cut(audience)) {
            cut.push("audience");
            parsed.audience.clear();
        }
        parsed.cut = cut;
        parsed
    }
}

fn refusal(checks: &[wire::Check]) -> Option<StsRefusal> {
    let check =
        checks.iter().find(|check| check.name == Check::AssumeRole.name() && check.outcome == "fail")?;
    let text = |name| check.evidence.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(StsRefusal {
        code: text("code")?,
        message: text("message"),
        request_id: text("request_id"),
        at: text("answered_at").as_deref().and_then(parse_timestamp),
    })
}

/// Whether [`crate::text::sanitize`] cut a text: it then says how long the text was.
fn is_cut(text: &str) -> bool {
    let length = text.strip_suffix(" characters)").and_then(|text| text.rsplit_once("… ("));
    length.is_some_and(|(_, length)| !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit()))
}
