//! Why IAM gave no answer, and which permission the answer needs.

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

/// Why something is not known, in words that follow "because". Texts are AWS's own, as they came.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IamErrorKind {
    #[error("{0}")]
    NoCredentials(NoCredentials),
    /// Whatever they would allow.
    #[error("AWS does not take the credentials: {code}: {message}")]
    CredentialsRejected { code: String, message: String },
    /// Another account than the role's: its roles and providers are others.
    #[error("the credentials are of account {0}")]
    OtherAccount(String),
    /// With AWS's words, which say of which policies.
    #[error("the credentials do not allow it: {0}")]
    Denied(String),
    #[error("AWS gets too many requests")]
    Throttled,
    /// AWS said no for another reason.
    #[error("AWS said {code}{}{message}", if message.is_empty() { "" } else { ": " })]
    Refused {
        /// AWS's code, or `HTTP` and the status.
        code: String,
        message: String,
    },
    #[error("what answered, with status {0}, is not AWS")]
    NotAws(u16),
    /// There is no way to AWS.
    #[error("{0}")]
    Unreachable(ServerUnreachable),
    /// With the library's words.
    #[error("the connection broke off: {0}")]
    ConnectionLost(String),
    #[error("AWS did not answer in time")]
    TimedOut,
    #[error("there is no such role")]
    NoRole,
    #[error("AWS's answer goes on after what was read of it; ask for less at once")]
    Truncated,
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
