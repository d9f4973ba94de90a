//! The operator's own credentials, by AWS's ordinary chain: variables, profiles, a process, a web identity,
//! a container's, and the machine's. Those of `aws sso login` and `aws login` have to be exported first.
//!
//! The chain is AWS's own library. It reads the variables and files of this process itself, for they are
//! the operator's, and its clock and its calls are ours.

use std::error::Error;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_types::region::Region;
use tokio::time::{Instant, timeout_at};

use super::dial::Dialer;
use crate::pod::Pod;
use crate::shown::shown;

/// The library's words for a profile with a login, the keeping of which it was built without.
const OF_LOGIN: &str = "cargo feature(s) enabled";

/// Credentials; they are never printed.
#[derive(Clone)]
pub struct Operator(pub(super) Credentials);

impl std::fmt::Debug for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Operator")
    }
}

/// Why the operator has no credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoCredentials {
    /// None are set.
    NotFound,
    /// They come from a login of the AWS CLI, `aws sso login` or `aws login`, which is not read here:
    /// `aws configure export-credentials --format env` prints them.
    OfLogin,
    /// A source is set, and gives none; the library's words, which may be foreign ones.
    Failed(String),
    /// A source is set, and has not given them by the deadline.
    TimedOut,
}

impl std::fmt::Display for NoCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotFound => f.write_str("there are no AWS credentials"),
            Self::OfLogin => f.write_str(
                "the AWS credentials come from a login of the AWS CLI, and have to be exported: \
                 `aws configure export-credentials --format env`",
            ),
            Self::Failed(words) => write!(f, "the AWS credentials cannot be had: {words}"),
            Self::TimedOut => f.write_str("the AWS credentials did not come in time"),
        }
    }
}

impl Operator {
    /// Those of the profile, whatever the variables say, as with the AWS CLI's `--profile`; without one the
    /// first that the chain gives. The region is the one in which STS is asked, where the chain asks
    /// it for a role.
    ///
    /// # Errors
    /// Why there are none.
    pub async fn find(
        pod: &Pod,
        dialer: &Dialer,
        profile: Option<&str>,
        region: &str,
        until: Instant,
    ) -> Result<Self, NoCredentials> {
        let config = ProviderConfig::without_region()
            .with_region(Some(Region::new(region.to_owned())))
            .with_http_client(dialer.client())
            .with_time_source(pod.clone());
        let find = async {
            if let Some(profile) = profile {
                let found =
                    ProfileFileCredentialsProvider::builder().configure(&config).profile_name(profile);
                return found.build().provide_credentials().await;
            }
            let chain = DefaultCredentialsChain::builder().region(Region::new(region.to_owned()));
            chain.configure(config).build().await.provide_credentials().await
        };
        match timeout_at(until, Box::pin(find)).await {
            Err(_) => Err(NoCredentials::TimedOut),
            Ok(Ok(credentials)) => Ok(Self(credentials)),
            Ok(Err(CredentialsError::CredentialsNotLoaded(_))) if profile.is_none() => {
                Err(NoCredentials::NotFound)
            }
            Ok(Err(error)) => {
                let words = in_words(&error);
                let is_of_login = words.contains(OF_LOGIN);
                Err(if is_of_login { NoCredentials::OfLogin } else { NoCredentials::Failed(words) })
            }
        }
    }

    /// These, in place of what the chain would give.
    #[must_use]
    pub fn given(access_key_id: &str, secret_access_key: &str, session_token: Option<&str>) -> Self {
        let token = session_token.map(str::to_owned);
        Self(Credentials::new(access_key_id, secret_access_key, token, None, "given"))
    }
}

/// An error and its sources. A process's own words are among them.
fn in_words(error: &CredentialsError) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut next: Option<&dyn Error> = Some(error);
    while let Some(error) = next {
        let said = error.to_string();
        if words.last().is_none_or(|last| !last.contains(&said)) {
            words.push(said);
        }
        next = error.source();
    }
    shown(&words.join(": "))
}
