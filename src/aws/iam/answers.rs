//! What IAM answers of a role, its policies and an OIDC provider.

use std::time::SystemTime;

/// A role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// The ARN, with the path.
    pub arn: String,
    /// The trust policy as IAM gives it: percent-encoded.
    pub trust_policy: String,
    /// The longest session that it allows, in seconds.
    pub max_session_seconds: Option<i32>,
    /// The ARN of the policy that bounds its permissions.
    pub boundary_arn: Option<String>,
    pub(crate) created: Option<SystemTime>,
    /// When it was last used, within AWS's tracking period of 400 days, and in which region.
    pub last_used: Option<(SystemTime, Option<String>)>,
}

/// An OIDC provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcProvider {
    /// Its ARN, if known: what the AWS CLI prints of one provider does not have it.
    pub(crate) arn: Option<String>,
    /// The issuer, without `https://`, as IAM has it.
    pub(crate) url: String,
    /// Its client ids, which are the audiences that it accepts.
    pub client_ids: Vec<String>,
    pub(crate) created_at: Option<SystemTime>,
}

/// A managed policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachedPolicy {
    /// Its name.
    pub name: String,
    pub(crate) arn: Option<String>,
}

/// A list, as far as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PagedList<T> {
    /// What was read.
    pub entries: Vec<T>,
    /// Whether that is all.
    pub is_complete: bool,
}
