//! What IAM knows of a call of `AssumeRoleWithWebIdentity` when it looks at a role's trust policy.
//!
//! Source of the keys: "Keys available for AWS web identity federation" and "AWS global condition context
//! keys" in the IAM User Guide.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::issuer_in_iam;
use crate::aws::arn::RoleArn;
use crate::token::Claims;

/// The action that a token is traded by.
pub const ACTION: &str = "sts:AssumeRoleWithWebIdentity";

/// A call, as far as it is known.
#[derive(Debug, Clone)]
pub struct Request {
    /// The role that is asked for.
    pub role: RoleArn,
    /// The token's issuer.
    pub issuer: String,
    /// The token's subject.
    pub subject: String,
    /// The token's audiences.
    pub audience: Vec<String>,
    /// The session's name, if it is known.
    pub session_name: Option<String>,
    /// When the call was made, if that is known.
    pub at: Option<SystemTime>,
    /// Keys that are known besides, in small letters, with their values; none is one that is not there.
    pub others: BTreeMap<String, Vec<String>>,
}

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// It has these values.
    Values(Vec<String>),
    /// It is not there.
    Absent,
    /// That is not known; why.
    Unknown(&'static str),
}

/// Keys about the caller, who has no identity of AWS yet: they are not there.
const OF_CALLERS: [&str; 8] = [
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principalaccount",
    "aws:multifactorauthpresent",
    "aws:multifactorauthage",
    "aws:username",
    "aws:tokenissuetime",
    "sts:externalid",
];

impl Request {
    /// The call that a pod with this token makes.
    #[must_use]
    pub fn of(role: &RoleArn, claims: &Claims) -> Self {
        Self {
            role: role.clone(),
            issuer: claims.issuer.clone(),
            subject: claims.subject.clone(),
            audience: claims.audience.clone(),
            session_name: None,
            at: None,
            others: BTreeMap::new(),
        }
    }

    /// The issuer as IAM writes it in keys and ARNs.
    #[must_use]
    pub fn provider(&self) -> &str {
        issuer_in_iam(&self.issuer)
    }

    /// The ARN of the provider, in the role's account.
    #[must_use]
    pub fn provider_arn(&self) -> String {
        format!("arn:{}:iam::{}:oidc-provider/{}", self.role.partition.id, self.role.account, self.provider())
    }

    /// What is known of a key, which is written in any case.
    #[must_use]
    pub fn key(&self, key: &str) -> Known {
        let key = key.to_lowercase();
        if let Some(values) = self.others.get(&key) {
            return if values.is_empty() { Known::Absent } else { Known::Values(values.clone()) };
        }
        if let Some(claim) = self.claim_of(&key) {
            return match claim {
                "sub" => Known::Values(vec![self.subject.clone()]),
                "aud" => match self.audience.as_slice() {
                    [] => Known::Absent,
                    audience => Known::Values(audience.to_vec()),
                },
                _ => Known::Unknown("which other claims IAM passes on is not documented"),
            };
        }
        match key.as_str() {
            "sts:rolesessionname" => self
                .session_name
                .clone()
                .map_or(Known::Unknown("the session's name is not known"), |name| Known::Values(vec![name])),
            "aws:currenttime" | "aws:epochtime" => {
                let since = self.at.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
                since.map_or(Known::Unknown("when the call is made is not known"), |since: Duration| {
                    Known::Values(vec![since.as_secs().to_string()])
                })
            }
            "aws:securetransport" => Known::Values(vec!["true".to_owned()]),
            key if OF_CALLERS.contains(&key) || key.starts_with("aws:principaltag/") => Known::Absent,
            // The claims of other providers are not there.
            key if key.contains('/') && !key.starts_with("aws:") && !key.starts_with("sts:") => Known::Absent,
            key if is_claim(key) => Known::Absent,
            _ => Known::Unknown("nothing here says what the call has there"),
        }
    }

    /// The claim of the token that a key is about.
    fn claim_of<'k>(&self, key: &'k str) -> Option<&'k str> {
        let (provider, claim) = key.rsplit_once(':')?;
        (provider == self.provider().to_lowercase()).then_some(claim)
    }
}

/// Whether a key is a claim of some provider.
fn is_claim(key: &str) -> bool {
    let Some((provider, claim)) = key.rsplit_once(':') else { return false };
    let is_host = provider.contains('.');
    is_host && matches!(claim, "sub" | "aud" | "amr" | "azp" | "oaud" | "email" | "app_id" | "id" | "user_id")
}
