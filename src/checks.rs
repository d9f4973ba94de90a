//! One file for each check: what it observes, and how it judges that.

pub mod application_sdk;
pub mod assume_role;
pub mod caller_identity;
pub mod credential_sources;
pub mod node_role;
pub mod refusal;
pub mod role_arn;
pub mod sts_endpoint;
pub mod sts_reachable;
pub mod token;
pub mod token_file;
pub mod token_fresh;
pub mod web_identity;

/// The checks, in the order of the plan. Their names are public and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The pod carries a web identity.
    WebIdentity,
    /// The role ARN is well-formed.
    RoleArn,
    /// The token file can be read.
    TokenFile,
    /// The token is a service account token for STS.
    Token,
    /// An STS endpoint is known.
    StsEndpoint,
    /// STS can be reached.
    StsReachable,
    /// STS accepts the identity.
    AssumeRole,
    /// The token is fresh.
    TokenFresh,
    /// The credentials are the role's.
    CallerIdentity,
    /// Nothing shadows the role.
    CredentialSources,
    /// The application's SDK can use the role; made only where it is said where the application is.
    ApplicationSdk,
}

impl Check {
    /// Every check, in the order of the plan.
    pub const ALL: [Self; 11] = [
        Self::WebIdentity,
        Self::RoleArn,
        Self::TokenFile,
        Self::Token,
        Self::StsEndpoint,
        Self::StsReachable,
        Self::AssumeRole,
        Self::TokenFresh,
        Self::CallerIdentity,
        Self::CredentialSources,
        Self::ApplicationSdk,
    ];

    /// Whether it is about the application, and not about the pod's role.
    #[must_use]
    pub fn is_of_application(self) -> bool {
        matches!(self, Self::CredentialSources | Self::ApplicationSdk)
    }

    /// Whether every run makes it.
    #[must_use]
    pub fn is_always_made(self) -> bool {
        self != Self::ApplicationSdk
    }

    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::WebIdentity => "web-identity",
            Self::RoleArn => "role-arn",
            Self::TokenFile => "token-file",
            Self::Token => "token",
            Self::StsEndpoint => "sts-endpoint",
            Self::StsReachable => "sts-reachable",
            Self::AssumeRole => "assume-role",
            Self::TokenFresh => "token-fresh",
            Self::CallerIdentity => "caller-identity",
            Self::CredentialSources => "credential-sources",
            Self::ApplicationSdk => "application-sdk",
        }
    }

    /// The fact that holds when the check passes.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::WebIdentity => "the pod carries a web identity",
            Self::RoleArn => "the role ARN is well-formed",
            Self::TokenFile => "the token file can be read",
            Self::Token => "the token is a service account token for STS",
            Self::StsEndpoint => "an STS endpoint is known",
            Self::StsReachable => "STS can be reached",
            Self::AssumeRole => "STS accepts the identity",
            Self::TokenFresh => "the token is fresh",
            Self::CallerIdentity => "the credentials are the role's",
            Self::CredentialSources => "nothing shadows the role",
            Self::ApplicationSdk => "the application's SDK can use the role",
        }
    }
}
