//! The operator's own credentials, in the order of AWS's SDKs: variables, a profile, a web identity, a container's,
//! and the machine's. Those of `aws sso login` and `aws login` have to be exported first.
//!
//! Files, programs and servers are reached through our own doors, and bounded there. So no file is read without end,
//! no name is looked up by the C library, and no key reaches the SDK that it cannot sign with.

mod profile;
mod sources;

use std::path::Path;

use aws_credential_types::Credentials;
use tokio::time::{Instant, timeout_at};

use super::endpoint::Endpoints;
use super::keys::{KeyFault, describe_faults};
use super::profile::{ProfileFileError, Profiles};
use super::transport::SmithyConnector;
use crate::host::command::CommandFault;
use crate::host::{Pod, ReadError};
use crate::text::sanitize;

/// Credentials; they are never printed.
#[derive(Clone)]
pub struct OperatorCredentials(pub(super) Credentials);

/// Why there are none, in words that follow "because".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoCredentials {
    #[error("there are no AWS credentials")]
    NotFound,
    /// The login is `aws sso login` or `aws login`, which is not read here.
    #[error(
        "the AWS credentials come from a login of the AWS CLI, and have to be exported: `aws configure \
         export-credentials --format env`"
    )]
    CliLogin,
    /// The profile is to be used.
    #[error("neither ~/.aws/config nor ~/.aws/credentials has a profile {}", sanitize(.0))]
    NoProfile(String),
    /// A shared file, or the file of a token.
    #[error("{} cannot be used: {}", sanitize(&.0.path), sanitize(&.0.fault))]
    FileUnusable(ProfileFileError),
    #[error("the profile's credential_process {0}; what it says shows when you run it yourself")]
    Process(CommandFault),
    /// Keys in variables that no request can carry.
    #[error("{}", describe_faults(.0))]
    Variables(Vec<(&'static str, KeyFault)>),
    /// A key that no request can carry, with what gave it.
    #[error("a key of {place} {fault}")]
    Key { place: &'static str, fault: KeyFault },
    /// A source is set, and gives none; the words can be foreign ones.
    #[error("the AWS credentials cannot be had: {0}")]
    Failed(String),
    /// A source is set, and has not given them by the deadline.
    #[error("the AWS credentials did not come in time")]
    TimedOut,
}

impl NoCredentials {
    fn failed(words: &str) -> Self {
        Self::Failed(sanitize(words))
    }

    fn of_file(path: &Path, error: &ReadError) -> Self {
        let path = path.to_string_lossy().into_owned();
        Self::FileUnusable(ProfileFileError { path, fault: error.to_string() })
    }
}

/// Where the credentials can be.
pub(crate) struct CredentialSources<'a> {
    pub(crate) pod: &'a Pod,
    pub(crate) dialer: &'a SmithyConnector,
    /// The STS that is asked for roles.
    pub(crate) endpoints: &'a Endpoints,
    /// The profile that goes before the variables, as with the AWS CLI's `--profile`.
    pub(crate) profile: Option<&'a str>,
    pub(crate) profiles: &'a Result<Profiles, ProfileFileError>,
    pub(crate) until: Instant,
}

impl OperatorCredentials {
    /// Those of the profile that is asked for; without one the first that are found.
    pub(crate) async fn load(sources: &CredentialSources<'_>) -> Result<Self, NoCredentials> {
        let found = timeout_at(sources.until, Box::pin(sources.find())).await;
        found.unwrap_or(Err(NoCredentials::TimedOut)).map(Self)
    }

    /// These, in place of what would be found.
    pub fn from_keys(access_key_id: &str, secret_access_key: &str, session_token: Option<&str>) -> Self {
        let token = session_token.map(str::to_owned);
        Self(Credentials::new(access_key_id, secret_access_key, token, None, "given"))
    }
}

impl CredentialSources<'_> {
    async fn find(&self) -> Result<Credentials, NoCredentials> {
        if self.profile.is_none()
            && let Some(found) = self.of_variables()?
        {
            return Ok(found);
        }
        let profiles = self.profiles.as_ref().map_err(|bad| NoCredentials::FileUnusable(bad.clone()))?;
        let is_asked = self.profile.is_some() || self.pod.nonempty_variable("AWS_PROFILE").is_some();
        if is_asked && !profiles.has_selected() {
            return Err(NoCredentials::NoProfile(profiles.selected.clone()));
        }
        if let Some(found) = self.of_profile(profiles).await? {
            return Ok(found);
        }
        if self.profile.is_some() {
            return Err(NoCredentials::failed("the profile has none"));
        }
        if let Some(found) = self.of_web_identity_variables().await? {
            return Ok(found);
        }
        if let Some(found) = self.of_container().await? {
            return Ok(found);
        }
        self.of_machine().await?.ok_or(NoCredentials::NotFound)
    }
}
