//! The operator's own credentials, by AWS's ordinary chain: variables, profiles, a process, a web identity,
//! a container's, and the machine's. Those of `aws sso login` and `aws login` have to be exported first.
//!
//! The chain is AWS's own library. It reads the variables and files of this process itself, for they are
//! the operator's, and its clock and its calls are ours.

use std::error::Error;

use aws_config::Region;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::profile::{ProfileFileError, Profiles};
use super::transport::SmithyConnector;
use crate::host::Pod;
use crate::text::sanitize;

/// The library's words for a profile with a login, the keeping of which it was built without.
const LOGIN_NOT_SUPPORTED: &str = "cargo feature(s) enabled";

/// The library's words for a program that failed, which go before what the program itself said.
const PROCESS_FAILED: &str = "external process exited with code";

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
    /// A shared file.
    #[error("{} cannot be used: {}", sanitize(&.0.path), sanitize(&.0.fault))]
    FileUnusable(ProfileFileError),
    #[error("the profile's credential_process failed; what it says shows when you run it yourself")]
    ProcessFailed,
    /// A source is set, and gives none; the library's words, which may be foreign ones.
    #[error("the AWS credentials cannot be had: {0}")]
    Failed(String),
    /// A source is set, and has not given them by the deadline.
    #[error("the AWS credentials did not come in time")]
    TimedOut,
}

impl OperatorCredentials {
    /// Those of the profile, whatever the variables say, as with the AWS CLI's `--profile`; without one the
    /// first that the chain gives. The region is the one in which STS is asked, where the chain asks
    /// it for a role.
    pub(crate) async fn load(
        pod: &Pod,
        dialer: &SmithyConnector,
        profile: Option<&str>,
        profiles: &Result<Profiles, ProfileFileError>,
        region: &str,
        until: Instant,
    ) -> Result<Self, NoCredentials> {
        // The variables go before the files, unless a profile is asked for.
        if profile.is_some() || pod.nonempty_variable("AWS_ACCESS_KEY_ID").is_none() {
            let is_asked = profile.is_some() || pod.nonempty_variable("AWS_PROFILE").is_some();
            match profiles {
                Err(bad) => return Err(NoCredentials::FileUnusable(bad.clone())),
                Ok(profiles) if is_asked && !profiles.has_selected() => {
                    return Err(NoCredentials::NoProfile(profiles.selected.clone()));
                }
                Ok(_) => {}
            }
        }
        // The library reads files as if none could hang, so it does that in a thread that may stay behind.
        let (sender, found) = oneshot::channel();
        let (pod, dialer) = (pod.clone(), dialer.for_other_runtime());
        let (profile, region) = (profile.map(str::to_owned), Region::new(region.to_owned()));
        let find = move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            let found = runtime.map(|runtime| runtime.block_on(load_in_thread(pod, dialer, profile, region)));
            let found = found.unwrap_or_else(|error| Err(NoCredentials::Failed(error.to_string())));
            // Nobody waits any more if it took too long.
            let _ = sender.send(found);
        };
        if let Err(error) = std::thread::Builder::new().spawn(find) {
            return Err(NoCredentials::Failed(error.to_string()));
        }
        match timeout_at(until, found).await {
            Err(_) => Err(NoCredentials::TimedOut),
            Ok(Ok(found)) => found,
            Ok(Err(_)) => Err(NoCredentials::Failed("the library failed".to_owned())),
        }
    }

    /// These, in place of what the chain would give.
    pub fn from_keys(access_key_id: &str, secret_access_key: &str, session_token: Option<&str>) -> Self {
        let token = session_token.map(str::to_owned);
        Self(Credentials::new(access_key_id, secret_access_key, token, None, "given"))
    }
}

async fn load_in_thread(
    pod: Pod,
    dialer: SmithyConnector,
    profile: Option<String>,
    region: Region,
) -> Result<OperatorCredentials, NoCredentials> {
    let config = ProviderConfig::without_region()
        .with_region(Some(region.clone()))
        .with_http_client(dialer.http_client())
        .with_time_source(pod);
    let found = match &profile {
        Some(profile) => {
            let provider = ProfileFileCredentialsProvider::builder().configure(&config).profile_name(profile);
            Box::pin(provider.build().provide_credentials()).await
        }
        None => {
            let chain = DefaultCredentialsChain::builder().region(region).configure(config);
            Box::pin(async { chain.build().await.provide_credentials().await }).await
        }
    };
    match found {
        Ok(credentials) => Ok(OperatorCredentials(credentials)),
        Err(CredentialsError::CredentialsNotLoaded(_)) if profile.is_none() => Err(NoCredentials::NotFound),
        Err(error) => {
            let words = credentials_error_text(&error);
            Err(if words.contains(LOGIN_NOT_SUPPORTED) {
                NoCredentials::CliLogin
            } else if words.contains(PROCESS_FAILED) {
                NoCredentials::ProcessFailed
            } else {
                NoCredentials::Failed(words)
            })
        }
    }
}

/// An error and its sources. A process's own words are among them.
fn credentials_error_text(error: &CredentialsError) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut next: Option<&dyn Error> = Some(error);
    while let Some(error) = next {
        let said = error.to_string();
        if words.last().is_none_or(|last| !last.contains(&said)) {
            words.push(said);
        }
        next = error.source();
    }
    sanitize(&words.join(": "))
}
