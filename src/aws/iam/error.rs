//! Why IAM gave no answer, and which permission the answer needs.

use std::fmt;

use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use serde_json::{Value, json};

use crate::aws::operator::NoCredentials;
use crate::aws::sts_errors::{self, Meaning};
use crate::aws::transport::{ServerUnreachable, find_source};
use crate::net::http::ResponseError;

/// The permissions that answers need, by their names in a policy.
pub mod permission {
    /// Whose the credentials are. AWS answers it to everyone.
    pub const GET_CALLER_IDENTITY: &str = "sts:GetCallerIdentity";
    pub const GET_ROLE: &str = "iam:GetRole";
    pub const GET_OIDC_PROVIDER: &str = "iam:GetOpenIDConnectProvider";
    pub const LIST_OIDC_PROVIDERS: &str = "iam:ListOpenIDConnectProviders";
    pub const LIST_ATTACHED_POLICIES: &str = "iam:ListAttachedRolePolicies";
    pub const LIST_INLINE_POLICIES: &str = "iam:ListRolePolicies";
    pub const SIMULATE: &str = "iam:SimulatePrincipalPolicy";

    pub const ALL: [&str; 7] = [
        GET_CALLER_IDENTITY,
        GET_ROLE,
        GET_OIDC_PROVIDER,
        LIST_OIDC_PROVIDERS,
        LIST_ATTACHED_POLICIES,
        LIST_INLINE_POLICIES,
        SIMULATE,
    ];
}

/// The least IAM policy that an operator needs. It names no resource, because the operator's account decides which
/// roles an operator is allowed to read.
pub fn operator_policy() -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "IrsaProbeAudit",
            "Effect": "Allow",
            "Action": permission::ALL,
            "Resource": "*",
        }],
    })
}

pub type IamResult<T> = Result<T, IamError>;

#[derive(Debug, Clone)]
pub struct IamError {
    pub permission: &'static str,
    pub kind: IamErrorKind,
}

impl IamError {
    /// The account has no OIDC provider of this ARN, in AWS's word.
    pub(crate) fn no_such_provider() -> Self {
        let kind = IamErrorKind::Refused { code: NO_SUCH.to_owned(), message: String::new() };
        Self { permission: permission::GET_OIDC_PROVIDER, kind }
    }
}

/// Why something is not known. Texts are AWS's own, as they came.
#[derive(Debug, Clone)]
pub enum IamErrorKind {
    NoCredentials(NoCredentials),
    /// AWS does not take the credentials, whatever they would allow.
    CredentialsRejected {
        code: String,
        message: String,
    },
    /// The credentials are of this other account, whose roles and providers are others.
    OtherAccount(String),
    /// The credentials do not allow it; AWS's words, which say of which policies.
    Denied(String),
    /// There are too many requests.
    Throttled,
    /// AWS said no for another reason.
    Refused {
        /// AWS's code, or `HTTP` and the status.
        code: String,
        message: String,
    },
    /// What answered, with this HTTP status, is not AWS.
    NotAws(u16),
    /// There is no way to AWS.
    Unreachable(ServerUnreachable),
    /// The connection broke off; the library's words.
    ConnectionLost(String),
    /// No answer until the deadline.
    TimedOut,
    NoRole,
    /// The answer goes on after what was read of it.
    Truncated,
}

/// In words that follow "because".
impl fmt::Display for IamErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCredentials(why) => why.fmt(f),
            Self::CredentialsRejected { code, message } => {
                write!(f, "AWS does not take the credentials: {code}: {message}")
            }
            Self::OtherAccount(account) => write!(f, "the credentials are of account {account}"),
            Self::Denied(message) => write!(f, "the credentials do not allow it: {message}"),
            Self::Throttled => f.write_str("AWS gets too many requests"),
            Self::Refused { code, message } if message.is_empty() => write!(f, "AWS said {code}"),
            Self::Refused { code, message } => write!(f, "AWS said {code}: {message}"),
            Self::NotAws(status) => write!(f, "what answered, with status {status}, is not AWS"),
            Self::Unreachable(unreached) => unreached.fmt(f),
            Self::ConnectionLost(words) => write!(f, "the connection broke off: {words}"),
            Self::TimedOut => f.write_str("AWS did not answer in time"),
            Self::NoRole => f.write_str("there is no such role"),
            Self::Truncated => {
                f.write_str("AWS's answer goes on after what was read of it; ask for less at once")
            }
        }
    }
}

/// IAM's code for what does not exist. Where the thing itself was not asked for, it is the role.
const NO_SUCH: &str = "NoSuchEntity";

pub(super) fn error_kind<E>(error: &SdkError<E, HttpResponse>) -> IamErrorKind
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    if let Some(raw) = error.raw_response() {
        let status = raw.status().as_u16();
        let message = error.message().unwrap_or_default().to_owned();
        return match error.code() {
            Some(NO_SUCH) => IamErrorKind::NoRole,
            Some(code) => match sts_errors::meaning(code, &message) {
                Some(meaning) if meaning.is_access_denied() => IamErrorKind::Denied(message),
                Some(Meaning::Throttled) => IamErrorKind::Throttled,
                Some(meaning) if meaning.is_about_credentials() => {
                    IamErrorKind::CredentialsRejected { code: code.to_owned(), message }
                }
                _ => IamErrorKind::Refused { code: code.to_owned(), message },
            },
            None if status == 429 => IamErrorKind::Throttled,
            None if status >= 500 => IamErrorKind::Refused { code: format!("HTTP {status}"), message },
            None => IamErrorKind::NotAws(status),
        };
    }
    if let Some(unreachable) = find_source::<ServerUnreachable>(error) {
        return IamErrorKind::Unreachable(unreachable.clone());
    }
    match find_source(error) {
        Some(ResponseError::ConnectionLost(message)) => IamErrorKind::ConnectionLost(message.clone()),
        Some(ResponseError::TooLong(_)) => IamErrorKind::NotAws(200),
        None => IamErrorKind::ConnectionLost(error.to_string()),
    }
}

/// An answer without what AWS's always has.
pub(super) fn incomplete_answer(permission: &'static str) -> IamError {
    IamError { permission, kind: IamErrorKind::NotAws(200) }
}
