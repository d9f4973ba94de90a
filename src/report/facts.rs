//! What a run learned about the pod, as far as it came.

use std::path::PathBuf;
use std::time::SystemTime;

use crate::aws::sts::Exchange;
use crate::checks::assume_role::AssumeRoleSummary;
use crate::checks::caller_identity::CallerIdentity;
use crate::checks::sts_endpoint::StsEndpoint;
use crate::checks::sts_reachable::StsConnection;
use crate::host::FileStat;
use crate::token::Claims;

/// What a run learned about the pod.
#[derive(Debug, Clone, Default)]
pub(crate) struct PodFacts {
    /// The claims of the pod's API token.
    pub(crate) api_claims: Option<Claims>,
    /// The ARN of the role, as it is written.
    pub(crate) role_arn: Option<String>,
    pub(crate) token_file: Option<TokenFileFacts>,
    pub(crate) claims: Option<Claims>,
    pub(crate) sts: StsFacts,
    /// How the role's credentials were requested.
    pub(crate) credentials_call: Option<CredentialsCall>,
    /// Whose credentials they are, by STS.
    pub(crate) caller: Option<CallerIdentity>,
}

#[derive(Debug, Clone)]
pub(crate) struct TokenFileFacts {
    pub(crate) path: PathBuf,
    /// Its owner, group and mode.
    pub(crate) stat: FileStat,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct StsFacts {
    pub(crate) endpoint: Option<StsEndpoint>,
    pub(crate) connection: Option<StsConnection>,
    pub(crate) exchanges: Vec<Exchange>,
}

/// The call that gives the role's credentials: one arm for each kind of identity.
#[derive(Debug, Clone)]
pub(crate) enum CredentialsCall {
    AssumeRole(AssumeRoleSummary),
}

impl PodFacts {
    /// The clock of STS when it answered, if it did.
    pub(crate) fn server_time(&self) -> Option<SystemTime> {
        self.assume_role()?.server_time
    }

    /// The call of AssumeRoleWithWebIdentity, if it was made.
    pub(crate) fn assume_role(&self) -> Option<&AssumeRoleSummary> {
        self.credentials_call.as_ref().map(|CredentialsCall::AssumeRole(call)| call)
    }
}
