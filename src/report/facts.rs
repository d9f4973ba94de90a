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
pub struct PodFacts {
    /// The claims of the pod's API token.
    pub api_claims: Option<Claims>,
    /// The ARN of the role, as it is written.
    pub role_arn: Option<String>,
    /// The token file.
    pub token_file: Option<TokenFileFacts>,
    /// The claims of the token.
    pub claims: Option<Claims>,
    /// How STS was called.
    pub sts: StsFacts,
    /// How the role's credentials were requested.
    pub credentials_call: Option<CredentialsCall>,
    /// Whose credentials they are, by STS.
    pub caller: Option<CallerIdentity>,
}

/// A token file that was read.
#[derive(Debug, Clone)]
pub struct TokenFileFacts {
    /// Its path.
    pub path: PathBuf,
    /// Its owner, group and mode.
    pub stat: FileStat,
}

/// How STS was called.
#[derive(Debug, Clone, Default)]
pub struct StsFacts {
    /// Its endpoint.
    pub endpoint: Option<StsEndpoint>,
    /// The connection to it.
    pub connection: Option<StsConnection>,
    /// The requests to it.
    pub exchanges: Vec<Exchange>,
}

/// The call that gives the role's credentials: one arm for each kind of identity.
#[derive(Debug, Clone)]
pub enum CredentialsCall {
    /// IRSA: AssumeRoleWithWebIdentity.
    AssumeRole(AssumeRoleSummary),
}

impl PodFacts {
    /// The clock of STS when it answered, if it did.
    #[must_use]
    pub fn server_time(&self) -> Option<SystemTime> {
        self.assume_role()?.server_time
    }

    /// The call of AssumeRoleWithWebIdentity, if it was made.
    #[must_use]
    pub fn assume_role(&self) -> Option<&AssumeRoleSummary> {
        self.credentials_call.as_ref().map(|CredentialsCall::AssumeRole(call)| call)
    }
}
