//! The credentials of a profile: its own, or those of the roles that it and its sources name, one after the other.
//! Source: the AWS SDKs and Tools reference guide, "Assume role credential provider", in the order of the SDK for Rust.

use aws_config::profile::{Profile, ProfileFileLoadError, ProfileSet, load};
use aws_credential_types::Credentials;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_types::os_shim_internal::{Env, Fs};
use sdk_chain::ini::SharedFileKind;

use super::sources::{Role, sendable};
use super::{CredentialSources, NoCredentials};
use crate::aws::profile::Profiles;

/// The settings of a login of the AWS CLI.
const LOGIN_SETTINGS: [&str; 6] =
    ["sso_account_id", "sso_region", "sso_role_name", "sso_start_url", "sso_session", "login_session"];

impl CredentialSources<'_> {
    /// The credentials of the selected profile, if it has any.
    pub(super) async fn of_profile(&self, profiles: &Profiles) -> Result<Option<Credentials>, NoCredentials> {
        if profiles.texts.is_empty() {
            return Ok(None);
        }
        let set =
            parse(profiles).await.map_err(|_| NoCredentials::failed("the shared files are malformed"))?;
        let (mut roles, mut seen) = (Vec::new(), Vec::new());
        let mut name = profiles.selected.as_str();
        let base = loop {
            let Some(profile) = set.get_profile(name) else {
                return if seen.is_empty() {
                    Ok(None)
                } else {
                    Err(NoCredentials::NoProfile(name.to_owned()))
                };
            };
            if seen.contains(&name) {
                return Err(NoCredentials::failed("the profiles name each other as their source"));
            }
            seen.push(name);
            // The keys of a source go before its role.
            if seen.len() > 1
                && let Some(keys) = self.keys_of(profile)?
            {
                break Some(keys);
            }
            let is_role = profile.get("web_identity_token_file").is_none();
            let Some(arn) = profile.get("role_arn").filter(|_| is_role) else {
                break self.base_of(profile).await?;
            };
            let (external_id, session_name) = (profile.get("external_id"), profile.get("role_session_name"));
            roles.push(Role { arn, external_id, session_name });
            match (profile.get("source_profile"), profile.get("credential_source")) {
                (Some(source), None) if source != name => name = source,
                (Some(_), None) | (None, Some(_)) => break self.base_of(profile).await?,
                _ => {
                    let words = "the profile of a role needs either source_profile or credential_source";
                    return Err(NoCredentials::failed(words));
                }
            }
        };
        let Some(mut credentials) = base else {
            return if roles.is_empty() {
                Ok(None)
            } else {
                Err(NoCredentials::failed("the profile's source has none"))
            };
        };
        for role in roles.iter().rev() {
            credentials = self.assume_role(role, credentials).await?;
        }
        Ok(Some(credentials))
    }

    /// The credentials of a profile without its role.
    async fn base_of(&self, profile: &Profile) -> Result<Option<Credentials>, NoCredentials> {
        match profile.get("credential_source") {
            Some("Environment") => return self.of_variables(),
            Some("EcsContainer") => return self.of_container().await,
            Some("Ec2InstanceMetadata") => return self.of_machine().await,
            Some(_) => return Err(NoCredentials::failed("the profile's credential_source is not known")),
            None => {}
        }
        if let Some(file) = profile.get("web_identity_token_file") {
            let role = profile.get("role_arn").ok_or_else(|| {
                NoCredentials::failed("the profile has a web_identity_token_file and no role_arn")
            })?;
            return self.of_web_identity(role, file, profile.get("role_session_name")).await.map(Some);
        }
        if LOGIN_SETTINGS.iter().any(|setting| profile.get(setting).is_some()) {
            return Err(NoCredentials::CliLogin);
        }
        match profile.get("credential_process") {
            Some(command) => self.of_process(command).await.map(Some),
            None => self.keys_of(profile),
        }
    }

    fn keys_of(&self, profile: &Profile) -> Result<Option<Credentials>, NoCredentials> {
        let keys = (profile.get("aws_access_key_id"), profile.get("aws_secret_access_key"));
        match keys {
            (Some(id), Some(secret)) => {
                let token = profile.get("aws_session_token").map(str::to_owned);
                sendable(Credentials::new(id, secret, token, None, "profile"), "the profile").map(Some)
            }
            (None, None) => Ok(None),
            _ => Err(NoCredentials::failed("the profile has half of a pair of keys")),
        }
    }
}

/// The files as AWS's library reads them, from what was read of them. It panics over none.
async fn parse(profiles: &Profiles) -> Result<ProfileSet, ProfileFileLoadError> {
    let files = profiles.texts.iter().fold(EnvConfigFiles::builder(), |files, (kind, text)| {
        let kind = match kind {
            SharedFileKind::Config => EnvConfigFileKind::Config,
            SharedFileKind::Credentials => EnvConfigFileKind::Credentials,
        };
        files.with_contents(kind, text.expose())
    });
    let (nothing, no_variables) = (Fs::from_slice(&[]), Env::from_slice(&[]));
    load(&nothing, &no_variables, &files.build(), Some(profiles.selected.clone().into())).await
}
