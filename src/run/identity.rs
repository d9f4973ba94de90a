//! How EKS gives the pod its role.
//!
//! Everything that differs between the ways follows from the arms of [`Identity`].
//! There is one arm today; EKS Pod Identity would be the second.

use std::path::{Path, PathBuf};

use sdk_chain::CredentialSource;
use sdk_chain::situation::{ChainInput, TokenExchange};

use crate::env::{ROLE_ARN_VARIABLE, TOKEN_FILE_VARIABLE};
use crate::host::Pod;
use crate::run::check::{Check, RunKind};
use crate::run::options::CheckOptions;

/// How the pod gets its role, as its variables and the flags say; they can be incomplete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// IAM roles for service accounts: the pod exchanges a token for a role at STS.
    Irsa(WebIdentitySettings),
}

/// A role and the file of the token for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RoleAndTokenFile {
    /// The ARN of the role, as it is written.
    pub(crate) role_arn: Option<String>,
    pub(crate) token_file: Option<PathBuf>,
}

/// What the flags set, and what the pod's variables set. A flag takes precedence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct WebIdentitySettings {
    pub(crate) flags: RoleAndTokenFile,
    /// By the variables, which an empty value does not unset.
    pub(crate) variables: RoleAndTokenFile,
}

impl WebIdentitySettings {
    fn of(pod: &Pod, options: &CheckOptions) -> Self {
        Self {
            flags: RoleAndTokenFile {
                role_arn: options.identity.role_arn.clone(),
                token_file: options.identity.token_file.clone(),
            },
            variables: RoleAndTokenFile {
                role_arn: pod.variable(ROLE_ARN_VARIABLE),
                token_file: pod.raw_variable(TOKEN_FILE_VARIABLE).map(PathBuf::from),
            },
        }
    }

    pub(crate) fn role_arn(&self) -> Option<&str> {
        self.flags.role_arn.as_deref().or(self.variables.role_arn.as_deref())
    }

    pub(crate) fn token_file(&self) -> Option<&Path> {
        self.flags.token_file.as_deref().or(self.variables.token_file.as_deref())
    }
}

impl Identity {
    pub(crate) fn of(pod: &Pod, options: &CheckOptions) -> Self {
        Self::Irsa(WebIdentitySettings::of(pod, options))
    }

    fn run_kind(&self) -> RunKind {
        match self {
            Self::Irsa(_) => RunKind::Irsa,
        }
    }

    /// The checks of a run, in order. The first judges whether the pod has this identity.
    pub(crate) fn checks(&self) -> impl Iterator<Item = Check> + use<> {
        self.run_kind().checks()
    }

    /// The check that judges whether the pod has this identity.
    pub(crate) fn first_check(&self) -> Check {
        match self {
            Self::Irsa(_) => Check::WebIdentity,
        }
    }

    /// The file whose token is replaced while the pod runs.
    pub(crate) fn token_file(&self) -> Option<&Path> {
        let Self::Irsa(settings) = self;
        settings.token_file().filter(|path| !path.as_os_str().is_empty())
    }

    /// The credential source that an SDK uses if it takes the pod's role.
    pub(crate) fn credential_source(&self) -> CredentialSource {
        match self {
            Self::Irsa(_) => CredentialSource::WebIdentity,
        }
    }

    /// Whether SDKs find this identity in the pod. They see variables only, and no flags.
    pub(crate) fn is_found_by_sdks(&self, input: &ChainInput) -> bool {
        match self {
            Self::Irsa(_) => input.injected_role_and_token().is_some(),
        }
    }

    /// What SDKs find if this identity works.
    pub(crate) fn works_in(&self, input: &ChainInput) -> ChainInput {
        match self {
            Self::Irsa(_) => input.with_working_role(),
        }
    }

    /// What SDKs find if this identity ends so at STS.
    pub(crate) fn ends_in(&self, input: &ChainInput, exchange: TokenExchange) -> ChainInput {
        let mut input = input.clone();
        match self {
            Self::Irsa(_) => {
                if let Some(role_and_token) = input.injected_role_and_token() {
                    input.exchanges.insert(role_and_token, exchange);
                }
            }
        }
        input
    }
}
