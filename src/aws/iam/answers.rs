//! What is known of a role and of an OIDC provider: by an answer of IAM, or by what was handed in.

use std::time::{Duration, SystemTime};

/// A role and its trust policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Role {
    /// The ARN, with the path.
    pub arn: Option<String>,
    /// The text of the trust policy. IAM gives it percent-encoded.
    pub trust_policy: String,
    /// The longest session that it allows.
    pub max_session: Option<Duration>,
    /// The ARN of the policy that bounds its permissions.
    pub boundary_arn: Option<String>,
    pub(crate) created_at: Option<SystemTime>,
    /// When it was last used, within AWS's tracking period of 400 days.
    pub last_used: Option<SystemTime>,
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

/// A list, as far as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PagedList<T> {
    /// What was read.
    pub entries: Vec<T>,
    /// Whether that is all.
    pub is_complete: bool,
}
