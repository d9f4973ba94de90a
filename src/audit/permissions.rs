//! The least IAM policy that an operator needs for an audit.

use serde_json::{Value, json};

use crate::aws::iam::Permission;

/// The policy. Its actions only read. It names no resource, because the operator's account decides which roles an
/// operator is allowed to read.
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
