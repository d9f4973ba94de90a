//! The least IAM policy that an operator needs for an audit.

use serde_json::{Value, json};

use crate::aws::iam::Permission;

/// The policy. None of its actions changes anything, and none takes less than any resource: of which account's
/// roles an operator may ask is for the operator's own account to say.
#[must_use]
pub fn operator_policy() -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "IrsaProbeAudit",
            "Effect": "Allow",
            "Action": Permission::ALL.map(Permission::as_str),
            "Resource": "*",
        }],
    })
}
