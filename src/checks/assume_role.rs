//! STS accepts the identity: AssumeRoleWithWebIdentity, for credentials that are denied every action.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::aws::sts::{CallFault, Exchange, Reply, SESSION_SECONDS, Session, Sts};
use crate::checks::refusal::{self, StsCall};
use crate::checks::sts_endpoint::StsEndpoint;
use crate::diagnosis::Diagnosis;
use crate::diagnosis::endpoint::StsServer;
use crate::diagnosis::identity::SessionNameMalformed;
use crate::diagnosis::network::{ConnectPhase, NotStsReply, StsConnectionLost, StsTimedOut};
use crate::diagnosis::sts::RoleRequest;
use crate::evidence::{Evidence, HasEvidence};
use crate::net::http::HttpConnection;
use crate::run::Verdict;
use crate::run::probe::Probe;
use crate::text::format_utc;
use crate::token::Token;
use iam_trust::arn::RoleArn;

/// The longest name of a session. Source: the STS API model.
const MAX_SESSION_NAME_LENGTH: usize = 64;
/// The variable that names the session.
const SESSION_NAME_VARIABLE: &str = "AWS_ROLE_SESSION_NAME";

/// A call of AssumeRoleWithWebIdentity, and its answer.
#[derive(Debug)]
pub(crate) struct AssumeRoleCall {
    request: RoleRequest,
    sts: Sts,
    server: StsServer,
    /// The session name in the environment, if STS would refuse it.
    bad_session_name: Option<String>,
    reply: Reply<Session>,
    waited: Duration,
}

/// What a report says about the call.
#[derive(Debug, Clone)]
pub(crate) struct AssumeRoleSummary {
    /// The name of the session, which CloudTrail shows.
    pub(crate) session_name: String,
    /// The id of the request, also of a refused one.
    pub(crate) request_id: Option<String>,
    /// The clock of STS when it answered.
    pub(crate) server_time: Option<SystemTime>,
    pub(crate) exchange: Exchange,
}

impl AssumeRoleCall {
    pub(crate) fn summary(&self) -> AssumeRoleSummary {
        let request_id = match &self.reply.result {
            Ok(session) => session.request_id.clone(),
            Err(CallFault::Refused(refusal)) => refusal.request_id.clone(),
            Err(CallFault::NotSts { .. } | CallFault::ConnectionLost(_) | CallFault::TimedOut) => None,
        };
        AssumeRoleSummary {
            session_name: self.request.session_name.clone(),
            request_id,
            server_time: self.reply.server_time,
            exchange: self.reply.exchange(self.waited),
        }
    }
}

/// A session of the role, and the STS that gave it.
#[derive(Debug)]
pub(crate) struct RoleSession {
    pub(crate) session: Session,
    pub(crate) request: RoleRequest,
    pub(crate) sts: Sts,
    pub(crate) server: StsServer,
    /// When STS answered, by the local clock.
    pub(crate) at: SystemTime,
}

impl HasEvidence for RoleSession {
    fn evidence(&self) -> Evidence {
        Evidence::new()
            .text_if("assumed_role_arn", self.session.assumed_role_arn.as_deref())
            .text("session_name", &self.request.session_name)
            .value("session_seconds", SESSION_SECONDS)
            .value("session_policy", "denies everything")
            .text_if("request_id", self.session.request_id.as_deref())
            .value("answered_at", format_utc(self.at))
    }
}

/// Calls STS for the role.
pub(crate) async fn observe(
    probe: &Probe<'_>,
    role: &RoleArn,
    token: &Token,
    endpoint: &StsEndpoint,
    connection: HttpConnection,
) -> AssumeRoleCall {
    let pod = probe.pod;
    let requested = pod.nonempty_variable(SESSION_NAME_VARIABLE);
    let pod_name = token.claims.bound.pod.clone().or_else(|| pod.pod_name());
    let session_name = session_name(requested.as_deref(), pod_name.as_deref());
    let mut sts =
        Sts::new(pod, connection, endpoint.endpoint.uri.to_string(), endpoint.signing_region.clone());
    let started = Instant::now();
    let reply = sts.assume_role(&role.text, &token.text, &session_name, probe.step_deadline()).await;
    AssumeRoleCall {
        bad_session_name: requested.filter(|requested| *requested != session_name),
        request: RoleRequest {
            role: role.clone(),
            claims: token.claims.clone(),
            session_name,
            region: Some(endpoint.signing_region.clone()),
            endpoint_source: endpoint.url.as_ref().map(|(_, source)| source.to_string()),
        },
        sts,
        server: endpoint.server(),
        reply,
        waited: started.elapsed(),
    }
}

/// The name of the session: that of the environment, or one with the pod's name, cut to what STS accepts.
fn session_name(requested: Option<&str>, pod: Option<&str>) -> String {
    let text = match (requested, pod) {
        (Some(requested), _) => requested.to_owned(),
        (None, Some(pod)) => format!("irsa-probe-{pod}"),
        (None, None) => "irsa-probe".to_owned(),
    };
    let legal = |c: char| {
        if c.is_ascii_alphanumeric() || "_=,.@+-".contains(c) { c } else { '-' }
    };
    let name: String = text.chars().map(legal).take(MAX_SESSION_NAME_LENGTH).collect();
    if name.len() < 2 { format!("irsa-probe-{name}") } else { name }
}

pub(crate) fn judge(call: AssumeRoleCall) -> Verdict<RoleSession> {
    let AssumeRoleCall { request, sts, server, bad_session_name, reply, waited } = call;
    match reply.result {
        Ok(session) => {
            let warnings = bad_session_name.map(|name| SessionNameMalformed { name }.into());
            let session = RoleSession { session, request, sts, server, at: reply.at };
            Verdict::holds(session, warnings.into_iter().collect())
        }
        Err(fault) => Verdict::Fail(call_fault_diagnosis(StsCall::Assume, &request, server, &fault, waited)),
    }
}

/// The diagnosis of a fault in one of the two calls to STS.
pub(crate) fn call_fault_diagnosis(
    call: StsCall,
    request: &RoleRequest,
    server: StsServer,
    fault: &CallFault,
    waited: Duration,
) -> Diagnosis {
    match fault {
        CallFault::Refused(refused) => refusal::diagnose(call, request, refused),
        CallFault::NotSts { status, content_type, server: server_header, length } => NotStsReply {
            server,
            status: *status,
            content_type: content_type.clone(),
            server_header: server_header.clone(),
            length: *length,
        }
        .into(),
        CallFault::ConnectionLost(error) => {
            StsConnectionLost { server, phase: ConnectPhase::Reply, error: error.clone() }.into()
        }
        CallFault::TimedOut => {
            StsTimedOut { server, addresses: Vec::new(), phase: ConnectPhase::Reply, waited }.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::session_name;

    #[test]
    fn a_session_has_a_legal_name() {
        let long = "x".repeat(100);
        for (wished, pod, expected) in [
            (Some("app"), Some("pod"), "app".to_owned()),
            (None, Some("checkout-6d5f9c7b8-abcde"), "irsa-probe-checkout-6d5f9c7b8-abcde".to_owned()),
            (None, None, "irsa-probe".to_owned()),
            (Some("a b/ü"), None, "a-b--".to_owned()),
            (Some("a"), None, "irsa-probe-a".to_owned()),
            (Some(&long), None, "x".repeat(64)),
        ] {
            assert_eq!(session_name(wished, pod), expected);
        }
    }
}
