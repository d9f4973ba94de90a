//! The catalogue: everything that can be wrong, one entry and one page for each name.
//!
//! An entry (in the folder beside this file) is a struct of typed facts with its class, its owner,
//! the cause in one paragraph and the steps that mend it. The page of the same name, embedded
//! here, is the documentation, the text of `explain` and a test. Names are public: they are
//! never changed, and never used again for something else.

use crate::evidence::Evidence;

pub mod audit;
pub mod aws_cli;
pub mod dns;
pub mod endpoint;
pub mod identity;
pub mod injection;
pub mod issuer;
pub mod network;
pub mod oidc_provider;
pub mod proxy;
pub mod role;
pub mod role_arn;
pub mod sdk;
pub mod sources;
pub mod sts;
pub mod target;
pub mod tls;
pub mod token;
pub mod token_file;
pub mod trust;

/// What kind of failure it is. Decides the exit code and whether waiting can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Class {
    /// The pod was admitted without its identity.
    NotInjected,
    /// Something in the pod, the service account or the cluster must be changed.
    Misconfigured,
    /// Something in IAM, the account or the organisation must be changed.
    Refused,
    /// The network, AWS or the issuer did not answer as they should, for now.
    Unreachable,
    /// A failure that the catalogue does not know, or a set-up that is not tested.
    NotJudged,
}

impl Class {
    /// Every class, in the order of their exit codes.
    pub const ALL: [Self; 5] =
        [Self::NotInjected, Self::Misconfigured, Self::Refused, Self::Unreachable, Self::NotJudged];

    /// The name in reports and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotInjected => "not-injected",
            Self::Misconfigured => "misconfigured",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::NotJudged => "not-judged",
        }
    }

    /// The exit code of a run whose diagnosis is of this class.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::NotInjected => 10,
            Self::Misconfigured => 11,
            Self::Refused => 12,
            Self::Unreachable => 13,
            Self::NotJudged => 14,
        }
    }
}

/// Who has to change something, so that a reader knows whom to wake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// Whoever writes the pod spec.
    Workload,
    /// Whoever runs the cluster.
    Cluster,
    /// Whoever manages IAM in the role's account.
    Iam,
    /// Whoever manages the AWS organisation.
    Organization,
    /// Whoever runs DNS, routes, proxies and VPC endpoints.
    Network,
    /// Whoever runs the node.
    Node,
    /// AWS itself.
    Aws,
}

impl Owner {
    /// The name in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Workload => "workload",
            Self::Cluster => "cluster",
            Self::Iam => "iam",
            Self::Organization => "organization",
            Self::Network => "network",
            Self::Node => "node",
            Self::Aws => "aws",
        }
    }
}

/// One entry of the catalogue: typed facts, and what they mean.
pub trait Entry {
    /// Its class.
    const CLASS: Class;
    /// Who has to act.
    const OWNER: Owner;
    /// What [`Entry::may_pass`] says where the facts do not matter.
    const MAY_PASS: bool = matches!(Self::CLASS, Class::Unreachable);
    /// What is wrong, in full sentences, claiming no more than the facts carry.
    fn cause(&self) -> String;
    /// What to do, in order. What follows the first line of a step is meant to be pasted.
    fn remedy(&self) -> Vec<String>;
    /// The facts themselves.
    fn evidence(&self) -> Evidence {
        Evidence::new()
    }
    /// Whether the same attempt, made again a little later, may end otherwise.
    fn may_pass(&self) -> bool {
        Self::MAY_PASS
    }
}

macro_rules! catalogue {
    ($($module:ident { $($name:ident),* $(,)? })*) => {
        /// The name of a diagnosis: the same spelling in code, pages, reports and metrics.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Name {
            $($(#[doc = concat!("See [`", stringify!($module), "::", stringify!($name), "`].")] $name,)*)*
        }

        impl Name {
            /// Whether it is told for information alone: nobody has to do anything about it.
            #[must_use]
            pub fn is_information(self) -> bool {
                self == Self::SdkUnknown
            }

            /// Every name, in the order of the checks.
            pub const ALL: &[Self] = &[$($(Self::$name,)*)*];

            /// The name as it is written everywhere.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $($(Self::$name => stringify!($name),)*)* }
            }

            /// The page that documents it.
            #[must_use]
            pub fn page(self) -> &'static str {
                match self {
                    $($(Self::$name => include_str!(concat!("pages/", stringify!($name), ".md")),)*)*
                }
            }

            /// Its class.
            #[must_use]
            pub fn class(self) -> Class {
                match self { $($(Self::$name => <$module::$name as Entry>::CLASS,)*)* }
            }

            /// Who has to act.
            #[must_use]
            pub fn owner(self) -> Owner {
                match self { $($(Self::$name => <$module::$name as Entry>::OWNER,)*)* }
            }
        }

        /// A diagnosis: what is wrong, with the facts that show it.
        #[derive(Debug, Clone)]
        pub enum Diagnosis {
            $($(#[doc = concat!("See [`", stringify!($module), "::", stringify!($name), "`].")]
                $name(Box<$module::$name>),)*)*
        }

        impl Diagnosis {
            /// Its name.
            #[must_use]
            pub fn name(&self) -> Name {
                match self { $($(Self::$name(_) => Name::$name,)*)* }
            }

            fn entry(&self) -> &dyn DynEntry {
                match self { $($(Self::$name(entry) => entry.as_ref(),)*)* }
            }
        }

        $($(impl From<$module::$name> for Diagnosis {
            fn from(entry: $module::$name) -> Self {
                Self::$name(Box::new(entry))
            }
        })*)*
    };
}

catalogue! {
    identity {
        NotInjected, RoleArnVarMissing, RoleArnVarEmpty, TokenFileVarMissing, TokenFileVarEmpty,
        PodIdentityOnly, RoleArnUnexpected, SessionNameMalformed,
    }
    injection {
        InjectionSuppressed, RoleAnnotationMisplaced, ServiceAccountNotAnnotated, ServiceAccountMissing,
        AnnotatedAfterPod, WebhookMissed, AnnotationDiffersFromEnv,
    }
    target { TargetNotFound, TargetNotReadable, TargetHasNoIdentity }
    role_arn { RoleArnMalformed }
    token_file {
        TokenFileVarHoldsToken, TokenFileMissing, TokenFileUnreadable, TokenFileNotRegular,
        TokenFileEmpty, TokenFileTooLarge, TokenFileCorrupt, TokenFileReadFailed,
    }
    token {
        TokenNotAJwt, TokenIsLegacySecret, TokenClaimMissing, TokenAlgorithmUnsupported,
        TokenAudienceUnexpected, TokenIsApiToken, TokenAudienceUnusual, TokenFromAnotherPod,
        TokenExpired, TokenNotYetValid, TokenNotRotated, ClockSkewed,
    }
    endpoint {
        RegionMissing, RegionMalformed, RegionsDisagree, PartitionMismatch, EndpointMalformed,
        EndpointOptionsConflict, EndpointInsecure,
    }
    tls { CaBundleUnusable, TrustRootsMissing }
    proxy { ProxyMalformed, ProxyFailed }
    dns { DnsUnavailable, StsNameNotResolved }
    network { StsConnectionRefused, StsNoRoute, StsTimedOut, StsConnectionLost }
    tls { TlsNotSpoken, TlsUntrusted, TlsNameMismatch, TlsExpired, TlsFailed }
    network { NotStsReply }
    oidc_provider { OidcProviderMissing, OidcProviderAudienceMissing }
    sts {
        VerificationKeyUnavailable, ThumbprintMismatch, IdentityTokenRejected, AssumeRoleNotAuthorized,
        VpcEndpointPolicyDenied, OrganizationPolicyDenied, RegionNotActivated, RoleArnRejected,
        SessionParametersRejected, Throttled, IdpUnreachable, StsFault, CredentialsRejected,
        IdentityMismatch, Unclassified,
    }
    audit { AuditWrongAccount, AuditIncomplete }
    role { RoleNotFound }
    trust {
        TrustPolicyMalformed, TrustPrincipalWrong, TrustPartitionMismatch, TrustAccountMismatch,
        TrustIssuerMismatch, TrustActionMissing, TrustKeySwapped, TrustSubjectWildcard,
        TrustSubjectMismatch, TrustAudienceMismatch, TrustConditionUnmet, TrustDenied,
        TrustUndecidable, TrustTooWide,
    }
    issuer { IssuerUnreachable, SigningKeyNotPublished }
    role {
        RoleHasNoPermissions, ActionDenied, ActionOutsideOrganization, ActionOutsideBoundary,
        ActionNotGranted,
    }
    audit { RefusedOutsideTrust }
    sources {
        ShadowedByStaticKeys, ShadowedByProfile, ShadowedBySharedFile,
        ShadowedByContainerCredentials, SharedConfigMalformed, SdkCredentialError,
        FallsToNodeRole, NodeRoleReachable,
    }
    sdk { SdkTooOldForIrsa, SdkLacksStsModule, SdkUnknown }
}

/// [`Entry`] without its constants, so that a diagnosis of any name can be asked.
trait DynEntry {
    fn cause(&self) -> String;
    fn remedy(&self) -> Vec<String>;
    fn evidence(&self) -> Evidence;
    fn may_pass(&self) -> bool;
}

impl<T: Entry> DynEntry for T {
    fn cause(&self) -> String {
        Entry::cause(self)
    }
    fn remedy(&self) -> Vec<String> {
        Entry::remedy(self)
    }
    fn evidence(&self) -> Evidence {
        Entry::evidence(self)
    }
    fn may_pass(&self) -> bool {
        Entry::may_pass(self)
    }
}

impl Diagnosis {
    /// What is wrong, in full sentences.
    #[must_use]
    pub fn cause(&self) -> String {
        self.entry().cause()
    }

    /// What to do, in order; what follows the first line of a step is meant to be pasted.
    #[must_use]
    pub fn remedy(&self) -> Vec<String> {
        self.entry().remedy()
    }

    /// The facts that show it.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        self.entry().evidence()
    }

    /// Whether the same attempt, made again a little later, may end otherwise.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        self.entry().may_pass()
    }
}

impl Name {
    /// The title of its page: what is wrong, in one line.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.page().lines().map(str::trim).filter(|line| !line.is_empty()).nth(1).unwrap_or_default()
    }

    /// The entry with this name, in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|name| name.as_str().eq_ignore_ascii_case(text))
    }
}
