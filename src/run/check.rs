//! The table of checks: one row a check, in the order in which a report lists them.
//!
//! To add a check, add a row. Names are public and never change; titles can improve.

/// A kind of run. What a run checks follows from its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunKind {
    /// A run in a pod whose role comes from IRSA.
    Irsa,
    /// What a run in a pod adds if it knows where the application is, or which SDK it has.
    Application,
    Audit,
}

impl RunKind {
    /// The checks of such a run, in order.
    pub(crate) fn checks(self) -> impl Iterator<Item = Check> {
        Check::ALL.into_iter().filter(move |check| check.kinds().contains(&self))
    }
}

macro_rules! checks {
    ($($check:ident = $name:literal, $title:literal, [$($kind:ident),+];)+) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Check {
            $(#[doc = $title] $check,)+
        }

        impl Check {
            /// Every check, in order.
            pub const ALL: [Self; [$(Self::$check),+].len()] = [$(Self::$check),+];

            pub fn name(self) -> &'static str {
                match self { $(Self::$check => $name,)+ }
            }

            /// The fact that holds when the check passes.
            pub fn title(self) -> &'static str {
                match self { $(Self::$check => $title,)+ }
            }

            /// The kinds of run that make the check.
            pub fn kinds(self) -> &'static [RunKind] {
                match self { $(Self::$check => &[$(RunKind::$kind),+],)+ }
            }
        }
    };
}

checks! {
    WebIdentity = "web-identity", "the pod carries a web identity", [Irsa, Audit];
    RoleArn = "role-arn", "the role ARN is well-formed", [Irsa, Audit];
    TokenFile = "token-file", "the token file can be read", [Irsa];
    Token = "token", "the token is a service account token for STS", [Irsa, Audit];
    StsEndpoint = "sts-endpoint", "an STS endpoint is known", [Irsa];
    StsReachable = "sts-reachable", "STS can be reached", [Irsa];
    AssumeRole = "assume-role", "STS accepts the identity", [Irsa, Audit];
    TokenFresh = "token-fresh", "the token is fresh", [Irsa];
    CallerIdentity = "caller-identity", "the credentials are the role's", [Irsa];
    CredentialSources = "credential-sources", "nothing shadows the role", [Irsa];
    ApplicationSdk = "application-sdk", "the application's SDK can use the role", [Application];
    OperatorAccount = "operator-account", "the credentials are of the role's account", [Audit];
    Role = "role", "the role's trust policy is known", [Audit];
    OidcProvider = "oidc-provider", "the account has an OIDC provider for the token", [Audit];
    TrustPolicy = "trust-policy", "the trust policy gives the role to the token", [Audit];
    Issuer = "issuer", "the issuer publishes the token's key", [Audit];
    RolePermissions = "role-permissions", "the role has permissions", [Audit];
}

impl Check {
    /// Whether the check is about the application, and not about the pod's role.
    pub(crate) fn is_of_application(self) -> bool {
        matches!(self, Self::CredentialSources | Self::ApplicationSdk)
    }
}
