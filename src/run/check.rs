//! The table of checks.

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
    /// The credentials of an audit are of the role's account.
    OperatorAccount,
    /// The role is there, and so is its trust policy.
    Role,
    /// The role's account has the provider that the token needs.
    OidcProvider,
    /// The trust policy gives the role to the token.
    TrustPolicy,
    /// The issuer publishes the key that signed the token.
    Issuer,
    /// The role has permissions, and those that are asked for.
    RolePermissions,
}

/// Who makes a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MadeBy {
    /// Every run in a pod.
    EveryRun,
    /// A run in a pod that is told where the application is.
    RunWithApplication,
    /// An audit.
    Audit,
}

impl Check {
    /// Every check, in the order of the plan.
    pub const ALL: [Self; 17] = [
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
        Self::OperatorAccount,
        Self::Role,
        Self::OidcProvider,
        Self::TrustPolicy,
        Self::Issuer,
        Self::RolePermissions,
    ];

    /// Whether it is about the application, and not about the pod's role.
    #[must_use]
    pub fn is_of_application(self) -> bool {
        matches!(self, Self::CredentialSources | Self::ApplicationSdk)
    }

    /// Who makes it. An audit also makes `WebIdentity`, `RoleArn`, `Token` and
    /// `AssumeRole`, of what it is handed.
    #[must_use]
    pub fn made_by(self) -> MadeBy {
        match self {
            Self::WebIdentity
            | Self::RoleArn
            | Self::TokenFile
            | Self::Token
            | Self::StsEndpoint
            | Self::StsReachable
            | Self::AssumeRole
            | Self::TokenFresh
            | Self::CallerIdentity
            | Self::CredentialSources => MadeBy::EveryRun,
            Self::ApplicationSdk => MadeBy::RunWithApplication,
            Self::OperatorAccount
            | Self::Role
            | Self::OidcProvider
            | Self::Issuer
            | Self::TrustPolicy
            | Self::RolePermissions => MadeBy::Audit,
        }
    }

    /// Whether every run in a pod makes it.
    #[must_use]
    pub fn is_always_made(self) -> bool {
        self.made_by() == MadeBy::EveryRun
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
            Self::OperatorAccount => "operator-account",
            Self::Role => "role",
            Self::OidcProvider => "oidc-provider",
            Self::Issuer => "issuer",
            Self::TrustPolicy => "trust-policy",
            Self::RolePermissions => "role-permissions",
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
            Self::OperatorAccount => "the credentials are of the role's account",
            Self::Role => "the role's trust policy is known",
            Self::OidcProvider => "the account has an OIDC provider for the token",
            Self::Issuer => "the issuer publishes the token's key",
            Self::TrustPolicy => "the trust policy gives the role to the token",
            Self::RolePermissions => "the role has permissions",
        }
    }
}
