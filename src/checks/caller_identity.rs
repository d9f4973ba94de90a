//! The credentials are the role's: GetCallerIdentity, on the same connection.

use std::time::Duration;

use tokio::time::Instant;

use crate::aws::arn::RoleArn;
use crate::aws::sts::{Caller, Reply};
use crate::checks::assume_role::{Asked, Opened, diagnosis_of};
use crate::checks::refusal::Call;
use crate::diagnosis::sts::IdentityMismatch;
use crate::evidence::Evidence;
use crate::run::{Budget, Observed, Verdict};

/// Whom STS takes the pod for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `arn:PARTITION:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
    pub arn: String,
    /// The account.
    pub account: String,
    /// The request's id.
    pub request_id: Option<String>,
}

impl Observed for Identity {
    fn evidence(&self) -> Evidence {
        Evidence::new()
            .text("caller_arn", &self.arn)
            .text("account", &self.account)
            .text_if("request_id", self.request_id.as_deref())
    }
}

/// What came of asking.
#[derive(Debug)]
pub struct Answer {
    reply: Reply<Caller>,
    waited: Duration,
}

/// Asks STS whose credentials these are.
pub async fn observe(asked: &Asked, opened: &Opened, budget: Budget) -> Answer {
    let started = Instant::now();
    Answer { reply: asked.sts.caller(&opened.session, budget.until()).await, waited: started.elapsed() }
}

/// Judges the answer.
#[must_use]
pub fn judge(asked: &Asked, answer: Answer) -> Verdict<Identity> {
    match answer.reply.result {
        Ok(caller) => match difference(&asked.request.role, &caller.arn) {
            None => Verdict::Pass(Identity {
                arn: caller.arn,
                account: caller.account,
                request_id: caller.request_id,
            }),
            Some(differs) => Verdict::fail(IdentityMismatch {
                role_arn: asked.request.role.text.clone(),
                caller_arn: caller.arn,
                differs,
            }),
        },
        Err(fault) => Verdict::Fail(diagnosis_of(Call::Identity, asked, &fault, answer.waited)),
    }
}

/// What a caller's ARN says otherwise than the role's. A session's ARN leaves the role's path out.
fn difference(role: &RoleArn, caller: &str) -> Option<&'static str> {
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

#[cfg(test)]
mod tests {
    use super::difference;
    use crate::aws::arn;

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
            assert_eq!(difference(&role, caller), expected, "{caller}");
        }
    }
}
