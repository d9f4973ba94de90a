//! The catalogue: everything that can be wrong, with one row and one page for each diagnosis.
//!
//! A row names the diagnosis, its class, its owner and the version that introduced it. A struct of the same name
//! holds the facts, and puts the cause, the remedy and the evidence into words. It does not judge: the
//! checks and the audit decide which diagnosis holds. The page of the same name is the documentation, the text of
//! `explain` and a test. Names are public: they are never changed, and never used again for something else.

use std::ops::Deref;

use crate::evidence::Evidence;

/// The steps of a remedy: literals and texts that were put together.
macro_rules! steps {
    ($($step:expr),* $(,)?) => { vec![$(String::from($step)),*] };
}

/// Diagnoses that differ only in their words: the facts of each are the same struct.
macro_rules! wordings {
    ($facts:ident: $($(#[$doc:meta])* $name:ident;
        |$in_cause:pat_param| $cause:expr; |$in_remedy:pat_param| $remedy:expr;)*) => {
        $($(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name(pub(crate) $facts);

        impl Entry for $name {
            fn cause(&self) -> String {
                let $in_cause = &self.0;
                $cause
            }

            fn remedy(&self) -> Vec<String> {
                let $in_remedy = &self.0;
                $remedy
            }

            fn evidence(&self) -> Evidence {
                self.0.evidence()
            }
        })*
    };
}

pub mod audit;
pub(crate) mod aws_cli;
pub(crate) mod dns;
pub(crate) mod endpoint;
pub(crate) mod identity;
pub(crate) mod injection;
pub(crate) mod issuer;
pub(crate) mod network;
pub(crate) mod oidc_provider;
pub(crate) mod proxy;
pub(crate) mod role;
pub(crate) mod role_arn;
pub(crate) mod sdk;
pub(crate) mod sources;
pub mod sts;
pub(crate) mod target;
pub(crate) mod tls;
pub(crate) mod token;
pub(crate) mod token_file;
pub(crate) mod trust;

/// What kind of failure a diagnosis is. The class decides the exit code and whether waiting can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Class {
    /// The pod was admitted without its identity.
    NotInjected = 10,
    /// Something in the pod, the service account or the cluster must be changed.
    Misconfigured = 11,
    /// Something in IAM, the account or the organisation must be changed.
    Refused = 12,
    /// The network, AWS or the issuer did not answer as they should, for now.
    Unreachable = 13,
    /// A failure that the catalogue does not know, or a set-up that is not tested.
    NotJudged = 14,
}

impl Class {
    /// Every class, in the order of their exit codes.
    pub const ALL: [Self; 5] =
        [Self::NotInjected, Self::Misconfigured, Self::Refused, Self::Unreachable, Self::NotJudged];

    /// The name in reports and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotInjected => "not-injected",
            Self::Misconfigured => "misconfigured",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::NotJudged => "not-judged",
        }
    }

    /// The exit code of a run whose diagnosis has this class.
    pub fn exit_code(self) -> u8 {
        self as u8
    }
}

/// Who must change something, so that a reader knows whom to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The author of the pod spec.
    Workload,
    /// The operator of the cluster.
    Cluster,
    /// The administrator of IAM in the role's account.
    Iam,
    /// The administrator of the AWS organization.
    Organization,
    /// The operator of DNS, routes, proxies and VPC endpoints.
    Network,
    /// The operator of the node.
    Node,
    /// AWS itself.
    Aws,
}

impl Owner {
    /// The name in reports.
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

/// A struct with a row in the catalogue. The catalogue implements it.
pub trait Catalogued {
    /// The name in its row.
    fn name(&self) -> Name;
}

/// The words of a diagnosis, made from its facts.
pub trait Entry: Catalogued {
    /// What is wrong, in full sentences that claim no more than the facts show.
    fn cause(&self) -> String;
    /// The steps that fix it, in order. The lines after the first line of a step can be pasted.
    fn remedy(&self) -> Vec<String>;
    /// The facts themselves.
    fn evidence(&self) -> Evidence {
        Evidence::new()
    }
    /// Who must act: usually the owner of the name, unless these facts say otherwise.
    fn owner(&self) -> Owner {
        self.name().owner()
    }
    /// Whether the same attempt can succeed a little later, without a change.
    fn may_pass(&self) -> bool {
        self.name().may_pass()
    }
}

macro_rules! catalogue {
    ($($module:ident { $($name:ident: $class:ident, $owner:ident, since $since:literal;)* })*) => {
        /// The name of a diagnosis: the same spelling in code, pages, reports and metrics.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Name {
            $($(#[doc = concat!("See its page, `pages/", stringify!($name), ".md`.")] $name,)*)*
        }

        impl Name {
            /// Every name, in the order of the checks.
            pub const ALL: &[Self] = &[$($(Self::$name,)*)*];

            /// The name as it is written everywhere.
            pub fn as_str(self) -> &'static str {
                match self { $($(Self::$name => stringify!($name),)*)* }
            }

            /// The page that documents it.
            pub fn page(self) -> &'static str {
                match self {
                    $($(Self::$name => include_str!(concat!("pages/", stringify!($name), ".md")),)*)*
                }
            }

            /// Its class.
            pub fn class(self) -> Class {
                match self { $($(Self::$name => Class::$class,)*)* }
            }

            /// Who usually must act.
            pub fn owner(self) -> Owner {
                match self { $($(Self::$name => Owner::$owner,)*)* }
            }

            /// The version of irsa-probe that introduced it.
            pub fn since(self) -> &'static str {
                match self { $($(Self::$name => $since,)*)* }
            }
        }

        /// A diagnosis: what is wrong, with the facts that show it.
        #[derive(Debug, Clone)]
        pub enum Diagnosis {
            $($(#[doc = concat!("See its page, `pages/", stringify!($name), ".md`.")]
                $name(Box<$module::$name>),)*)*
        }

        impl Deref for Diagnosis {
            type Target = dyn Entry;

            fn deref(&self) -> &Self::Target {
                match self { $($(Self::$name(entry) => entry.as_ref(),)*)* }
            }
        }

        $($(
            impl Catalogued for $module::$name {
                fn name(&self) -> Name {
                    Name::$name
                }
            }

            impl From<$module::$name> for Diagnosis {
                fn from(entry: $module::$name) -> Self {
                    Self::$name(Box::new(entry))
                }
            }
        )*)*

        /// Calls a macro with the name of every diagnosis, in the order of the checks: `each! { NotInjected … }`.
        #[macro_export]
        macro_rules! for_each_diagnosis {
            ($callback:ident) => {
                $callback! { $($($name)*)* }
            };
        }
    };
}

catalogue! {
    identity {
        NotInjected: NotInjected, Workload, since "0.1.0";
        RoleArnVarMissing: Misconfigured, Workload, since "0.1.0";
        RoleArnVarEmpty: Misconfigured, Workload, since "0.1.0";
        TokenFileVarMissing: Misconfigured, Workload, since "0.1.0";
        TokenFileVarEmpty: Misconfigured, Workload, since "0.1.0";
        PodIdentityOnly: NotJudged, Workload, since "0.1.0";
        RoleArnUnexpected: Misconfigured, Workload, since "0.1.0";
        SessionNameMalformed: Misconfigured, Workload, since "0.1.0";
    }
    injection {
        InjectionSuppressed: NotInjected, Workload, since "0.1.0";
        RoleAnnotationMisplaced: NotInjected, Workload, since "0.1.0";
        ServiceAccountNotAnnotated: NotInjected, Workload, since "0.1.0";
        ServiceAccountMissing: NotInjected, Workload, since "0.1.0";
        AnnotatedAfterPod: NotInjected, Workload, since "0.1.0";
        WebhookMissed: NotInjected, Cluster, since "0.1.0";
        AnnotationDiffersFromEnv: Misconfigured, Workload, since "0.1.0";
    }
    target {
        TargetNotFound: NotJudged, Workload, since "0.1.0";
        TargetNotReadable: NotJudged, Workload, since "0.1.0";
        TargetHasNoIdentity: NotInjected, Workload, since "0.1.0";
    }
    role_arn {
        RoleArnMalformed: Misconfigured, Workload, since "0.1.0";
    }
    token_file {
        TokenFileVarHoldsToken: Misconfigured, Workload, since "0.1.0";
        TokenFileMissing: Misconfigured, Workload, since "0.1.0";
        TokenFileUnreadable: Misconfigured, Workload, since "0.1.0";
        TokenFileNotRegular: Misconfigured, Workload, since "0.1.0";
        TokenFileEmpty: Misconfigured, Workload, since "0.1.0";
        TokenFileTooLarge: Misconfigured, Workload, since "0.1.0";
        TokenFileCorrupt: Misconfigured, Workload, since "0.1.0";
        TokenFileReadFailed: Misconfigured, Node, since "0.1.0";
    }
    token {
        TokenNotAJwt: Misconfigured, Workload, since "0.1.0";
        TokenIsLegacySecret: Misconfigured, Workload, since "0.1.0";
        TokenClaimMissing: Misconfigured, Cluster, since "0.1.0";
        TokenAlgorithmUnsupported: Misconfigured, Cluster, since "0.1.0";
        TokenAudienceUnexpected: Misconfigured, Workload, since "0.1.0";
        TokenIsApiToken: Misconfigured, Workload, since "0.1.0";
        TokenAudienceUnusual: Misconfigured, Workload, since "0.1.0";
        TokenFromAnotherPod: Misconfigured, Workload, since "0.1.0";
        TokenExpired: Misconfigured, Node, since "0.1.0";
        TokenNotYetValid: Misconfigured, Node, since "0.1.0";
        TokenNotRotated: Misconfigured, Node, since "0.1.0";
        ClockSkewed: Misconfigured, Node, since "0.1.0";
    }
    endpoint {
        RegionMissing: Misconfigured, Workload, since "0.1.0";
        RegionMalformed: Misconfigured, Workload, since "0.1.0";
        RegionsDisagree: Misconfigured, Workload, since "0.1.0";
        PartitionMismatch: Misconfigured, Workload, since "0.1.0";
        EndpointMalformed: Misconfigured, Workload, since "0.1.0";
        EndpointOptionsConflict: Misconfigured, Workload, since "0.1.0";
        EndpointInsecure: Misconfigured, Workload, since "0.1.0";
    }
    tls {
        CaBundleUnusable: Misconfigured, Workload, since "0.1.0";
        TrustRootsMissing: Misconfigured, Workload, since "0.1.0";
    }
    proxy {
        ProxyMalformed: Misconfigured, Workload, since "0.1.0";
        ProxyFailed: Unreachable, Network, since "0.1.0";
    }
    dns {
        DnsUnavailable: Unreachable, Cluster, since "0.1.0";
        StsNameNotResolved: Unreachable, Network, since "0.1.0";
    }
    network {
        StsConnectionRefused: Unreachable, Network, since "0.1.0";
        StsNoRoute: Unreachable, Network, since "0.1.0";
        StsTimedOut: Unreachable, Network, since "0.1.0";
        StsConnectionLost: Unreachable, Network, since "0.1.0";
    }
    tls {
        TlsNotSpoken: Unreachable, Network, since "0.1.0";
        TlsUntrusted: Unreachable, Network, since "0.1.0";
        TlsNameMismatch: Unreachable, Network, since "0.1.0";
        TlsExpired: Unreachable, Network, since "0.1.0";
        TlsFailed: Unreachable, Network, since "0.1.0";
    }
    network {
        NotStsReply: Unreachable, Network, since "0.1.0";
    }
    oidc_provider {
        OidcProviderMissing: Refused, Iam, since "0.1.0";
        OidcProviderAudienceMissing: Refused, Iam, since "0.1.0";
    }
    sts {
        VerificationKeyUnavailable: Unreachable, Cluster, since "0.1.0";
        ThumbprintMismatch: Refused, Iam, since "0.1.0";
        IdentityTokenRejected: Refused, Iam, since "0.1.0";
        AssumeRoleNotAuthorized: Refused, Iam, since "0.1.0";
        VpcEndpointPolicyDenied: Refused, Network, since "0.1.0";
        OrganizationPolicyDenied: Refused, Organization, since "0.1.0";
        RegionNotActivated: Refused, Iam, since "0.1.0";
        RoleArnRejected: Misconfigured, Workload, since "0.1.0";
        SessionParametersRejected: Misconfigured, Workload, since "0.1.0";
        Throttled: Unreachable, Iam, since "0.1.0";
        IdpUnreachable: Unreachable, Aws, since "0.1.0";
        StsFault: Unreachable, Aws, since "0.1.0";
        CredentialsRejected: Refused, Iam, since "0.1.0";
        IdentityMismatch: Misconfigured, Workload, since "0.1.0";
        Unclassified: NotJudged, Aws, since "0.1.0";
    }
    audit {
        AuditWrongAccount: NotJudged, Iam, since "0.1.0";
        AuditIncomplete: NotJudged, Iam, since "0.1.0";
    }
    role {
        RoleNotFound: Refused, Iam, since "0.1.0";
    }
    trust {
        TrustPolicyMalformed: Refused, Iam, since "0.1.0";
        TrustPrincipalWrong: Refused, Iam, since "0.1.0";
        TrustPartitionMismatch: Refused, Iam, since "0.1.0";
        TrustAccountMismatch: Refused, Iam, since "0.1.0";
        TrustIssuerMismatch: Refused, Iam, since "0.1.0";
        TrustActionMissing: Refused, Iam, since "0.1.0";
        TrustKeySwapped: Refused, Iam, since "0.1.0";
        TrustSubjectWildcard: Refused, Iam, since "0.1.0";
        TrustSubjectMismatch: Refused, Iam, since "0.1.0";
        TrustAudienceMismatch: Refused, Iam, since "0.1.0";
        TrustConditionUnmet: Refused, Iam, since "0.1.0";
        TrustDenied: Refused, Iam, since "0.1.0";
        TrustUndecidable: NotJudged, Iam, since "0.1.0";
        TrustTooWide: Misconfigured, Iam, since "0.1.0";
    }
    issuer {
        IssuerUnreachable: Unreachable, Cluster, since "0.1.0";
        SigningKeyNotPublished: Refused, Cluster, since "0.1.0";
    }
    role {
        RoleHasNoPermissions: Misconfigured, Iam, since "0.1.0";
        ActionDenied: Refused, Iam, since "0.1.0";
        ActionOutsideOrganization: Refused, Organization, since "0.1.0";
        ActionOutsideBoundary: Refused, Iam, since "0.1.0";
        ActionNotGranted: Refused, Iam, since "0.1.0";
    }
    audit {
        RefusedOutsideTrust: Refused, Iam, since "0.1.0";
    }
    sources {
        ShadowedByStaticKeys: Misconfigured, Workload, since "0.1.0";
        StaticKeysMalformed: Misconfigured, Workload, since "0.2.0";
        ShadowedByProfile: Misconfigured, Workload, since "0.1.0";
        ShadowedBySharedFile: Misconfigured, Workload, since "0.1.0";
        ShadowedByContainerCredentials: Misconfigured, Workload, since "0.1.0";
        SharedConfigMalformed: Misconfigured, Workload, since "0.1.0";
        SdkCredentialError: Misconfigured, Workload, since "0.1.0";
        FallsToNodeRole: Misconfigured, Workload, since "0.1.0";
        NodeRoleReachable: Misconfigured, Node, since "0.1.0";
    }
    sdk {
        SdkTooOldForIrsa: Misconfigured, Workload, since "0.1.0";
        SdkLacksStsModule: Misconfigured, Workload, since "0.1.0";
        SdkUnknown: NotJudged, Workload, since "0.1.0";
    }
}

impl Name {
    /// The title of its page: what is wrong, in one line.
    pub fn title(self) -> &'static str {
        self.page().lines().map(str::trim).filter(|line| !line.is_empty()).nth(1).unwrap_or_default()
    }

    /// The name with this spelling, in upper or lower case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|name| name.as_str().eq_ignore_ascii_case(text))
    }

    /// Whether the same attempt can usually succeed a little later, without a change.
    fn may_pass(self) -> bool {
        use Name::{NotStsReply, TlsExpired, TlsFailed, TlsNameMismatch, TlsNotSpoken, TlsUntrusted};
        let lasts = [NotStsReply, TlsExpired, TlsFailed, TlsNameMismatch, TlsNotSpoken, TlsUntrusted];
        self.class() == Class::Unreachable && !lasts.contains(&self)
    }

    /// Whether it only informs, so that nobody must act.
    pub fn is_information(self) -> bool {
        self == Self::SdkUnknown
    }
}
