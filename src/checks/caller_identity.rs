//! The credentials are the role's: GetCallerIdentity, on the same connection if it is still open.

use std::time::Duration;

use tokio::time::Instant;

use crate::aws::sts::{CallFault, Exchange, Reply, StsCaller};
use crate::checks::assume_role::{RoleSession, call_fault_diagnosis};
use crate::checks::refusal::StsCall;
use crate::checks::sts_endpoint::StsEndpoint;
use crate::checks::sts_reachable;
use crate::diagnosis::sts::IdentityMismatch;
use crate::diagnosis::{Diagnosis, Name};
use crate::evidence::{Evidence, HasEvidence};
use crate::run::Verdict;
use crate::run::probe::Probe;
use iam_trust::arn::RoleArn;

/// Whose credentials STS gave the pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CallerIdentity {
    /// `arn:PARTITION:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
    pub(crate) arn: String,
    pub(crate) account: String,
    pub(crate) request_id: Option<String>,
    /// Whether GetCallerIdentity confirmed it. If not, it is the name that STS gave the session.
    pub(crate) confirmed: bool,
}

impl HasEvidence for CallerIdentity {
    fn evidence(&self) -> Evidence {
        Evidence::new()
            .text("caller_arn", &self.arn)
            .text("account", &self.account)
            .text_if("request_id", self.request_id.as_deref())
            .value("confirmed", self.confirmed)
    }
}

#[derive(Debug)]
pub(crate) struct CallerAnswer {
    reply: Reply<StsCaller>,
    waited: Duration,
    /// The requests as they are counted.
    pub(crate) exchanges: Vec<Exchange>,
}

/// Asks STS whose credentials these are. If the connection was lost, asks once more over a new one, because a
/// server can close it after any answer.
///
/// # Errors
/// STS could not be reached again.
pub(crate) async fn observe(
    probe: &Probe<'_>,
    endpoint: &StsEndpoint,
    role: &RoleSession,
) -> Result<CallerAnswer, Diagnosis> {
    let started = Instant::now();
    let mut reply = role.sts.caller_identity(&role.session, probe.step_deadline()).await;
    let mut exchanges = vec![reply.exchange(started.elapsed())];
    if matches!(reply.result, Err(CallFault::ConnectionLost(_))) {
        let attempt = sts_reachable::observe(probe, endpoint).await;
        let (connection, _) = match sts_reachable::judge(attempt, probe.pod.now()) {
            Verdict::Pass(connection) | Verdict::Warn(connection, _) => connection.split(),
            Verdict::Fail(diagnosis) => return Err(diagnosis),
        };
        let again = Instant::now();
        reply =
            role.sts.over_connection(connection).caller_identity(&role.session, probe.step_deadline()).await;
        exchanges.push(reply.exchange(again.elapsed()));
    }
    Ok(CallerAnswer { reply, waited: started.elapsed(), exchanges })
}

/// Judges the answer. STS gave the role before, so a throttled GetCallerIdentity is only a warning.
pub(crate) fn judge(role: &RoleSession, answer: Result<CallerAnswer, Diagnosis>) -> Verdict<CallerIdentity> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(unreachable) => return Verdict::Fail(unreachable),
    };
    let role_arn = &role.request.role;
    match answer.reply.result {
        Ok(caller) => match difference_from_role(role_arn, &caller.arn) {
            None => Verdict::Pass(CallerIdentity {
                arn: caller.arn,
                account: caller.account,
                request_id: caller.request_id,
                confirmed: true,
            }),
            Some(differs) => Verdict::fail(IdentityMismatch {
                role_arn: role_arn.text.clone(),
                caller_arn: caller.arn,
                differs,
                endpoint_source: role.request.endpoint_source.clone(),
            }),
        },
        Err(fault) => {
            let (request, server) = (&role.request, role.server.clone());
            let diagnosis = call_fault_diagnosis(StsCall::Identity, request, server, &fault, answer.waited);
            match caller_by_assume_role(role).filter(|_| diagnosis.name() == Name::Throttled) {
                Some(identity) => Verdict::Warn(identity, vec![diagnosis]),
                None => Verdict::Fail(diagnosis),
            }
        }
    }
}

/// The caller as STS named it in its answer to AssumeRole, if that is the role.
fn caller_by_assume_role(role: &RoleSession) -> Option<CallerIdentity> {
    let arn = role.session.assumed_role_arn.clone()?;
    let RoleArn { account, .. } = &role.request.role;
    let is_role = difference_from_role(&role.request.role, &arn).is_none();
    is_role.then(|| CallerIdentity { arn, account: account.clone(), request_id: None, confirmed: false })
}

/// The part in which a caller's ARN differs from the role's. The ARN of a session has no path.
fn difference_from_role(role: &RoleArn, caller: &str) -> Option<&'static str> {
    let mut parts = caller.splitn(6, ':');
    let (partition, account) = (parts.nth(1), parts.nth(2));
    let mut resource = parts.next().unwrap_or_default().split('/');
    if partition != Some(role.partition.id) {
        Some("partition")
    } else if account != Some(role.account.as_str()) {
        Some("account")
    } else if resource.next() != Some("assumed-role") {
        Some("kind of identity")
    } else if resource.next() != Some(role.name.as_str()) {
        Some("role")
    } else {
        None
    }
}

impl CallerIdentity {
    /// Whether STS named the session so, so that GetCallerIdentity is not needed.
    pub(crate) fn owns(&self, session: &RoleSession) -> bool {
        session.session.assumed_role_arn.as_ref() == Some(&self.arn)
    }
}

#[cfg(test)]
mod tests {
    use super::difference_from_role;
    use iam_trust::arn;

    #[test]
    fn partition_account_and_last_segment_are_compared() {
        let role = arn::parse("arn:aws:iam::111122223333:role/team/checkout").unwrap();
        for (caller, expected) in [
            ("arn:aws:sts::111122223333:assumed-role/checkout/s", None),
            ("arn:aws-cn:sts::111122223333:assumed-role/checkout/s", Some("partition")),
            ("arn:aws:sts::999999999999:assumed-role/checkout/s", Some("account")),
            ("arn:aws:sts::111122223333:assumed-role/other/s", Some("role")),
            ("arn:aws:iam::111122223333:user/checkout", Some("kind of identity")),
            ("", Some("partition")),
        ] {
            assert_eq!(difference_from_role(&role, caller), expected, "{caller}");
        }
    }
}
