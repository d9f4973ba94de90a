//! The shared config and credentials files, read by AWS's own rules.

use std::path::PathBuf;

use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_runtime::env_config::section::EnvConfigSections;
use aws_runtime::env_config::source;
use aws_types::os_shim_internal::{Env, Fs};
use tokio::time::Instant;

use crate::host::{Pod, ProcFault, ReadError};

/// The most bytes of a shared file that are read.
const LONGEST_FILE: usize = 128 << 10;

/// The keys that make a profile a source of credentials.
/// Source: the AWS SDKs and Tools reference guide, settings of the shared files.
const CREDENTIAL_KEYS: [&str; 7] = [
    "aws_access_key_id",
    "aws_secret_access_key",
    "role_arn",
    "web_identity_token_file",
    "credential_process",
    "credential_source",
    "sso_account_id",
];

/// What the shared files say, and which of them there are.
#[derive(Debug)]
pub struct Profiles {
    sections: EnvConfigSections,
    /// The profile in use.
    pub selected: String,
    /// The files that exist and could be read.
    pub files: Vec<String>,
}

/// A shared file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileFileError {
    /// Its path, or both paths if the parser does not say which.
    pub path: String,
    /// What is wrong with it.
    pub fault: String,
}

impl Profiles {
    /// Reads the files that the pod's variables and home directory name.
    ///
    /// # Errors
    /// If a file is there but cannot be read or parsed.
    pub async fn load(pod: &Pod, until: Instant) -> Result<Self, ProfileFileError> {
        Self::of(pod, None, until).await
    }

    /// The same with this profile in use, in place of the one that the variables name.
    ///
    /// # Errors
    /// As of [`Profiles::load`].
    pub async fn of(pod: &Pod, profile: Option<&str>, until: Instant) -> Result<Self, ProfileFileError> {
        let mut builder = EnvConfigFiles::builder();
        let mut files = Vec::new();
        for (kind, variable, usual) in [
            (EnvConfigFileKind::Config, "AWS_CONFIG_FILE", "~/.aws/config"),
            (EnvConfigFileKind::Credentials, "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
        ] {
            let path = pod.filled(variable).unwrap_or_else(|| usual.to_owned());
            let Some(path) = expand_home(pod, &path) else {
                continue;
            };
            let contents = match pod.read(&path, LONGEST_FILE, until).await {
                Ok(file) => String::from_utf8(file.bytes).map_err(|_| "it is not UTF-8 text".to_owned()),
                Err(ReadError::Missing(_)) => continue,
                // That the process has ended is said where its token is read.
                Err(ReadError::Blocked(blocked)) if blocked.fault == ProcFault::Gone => continue,
                Err(error) => Err(error.to_string()),
            };
            let path = path.to_string_lossy().into_owned();
            match contents {
                Ok(contents) => builder = builder.with_contents(kind, contents),
                Err(fault) => return Err(ProfileFileError { path, fault }),
            }
            files.push(path);
        }

        if files.is_empty() {
            // The library panics if it is given no file at all.
            builder = builder.with_contents(EnvConfigFileKind::Config, "");
        }

        let mut variables = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"].into_iter();
        let selected = profile.map(str::to_owned).or_else(|| variables.find_map(|name| pod.filled(name)));
        let selected = selected.unwrap_or_else(|| "default".to_owned());
        let env = Env::from_slice(&[("AWS_PROFILE", selected.as_str())]);
        let bad = |fault: String| ProfileFileError { path: files.join(" or "), fault };
        let source = source::load(&env, &Fs::from_slice(&[]), &builder.build())
            .await
            .map_err(|error| bad(error.to_string()))?;
        // The parser's own words quote the line, which may hold a key.
        let sections = EnvConfigSections::parse(source)
            .map_err(|_| bad("it does not follow the format of AWS's shared files".to_owned()))?;
        Ok(Self { sections, selected, files })
    }

    /// Whether the files have the profile in use.
    #[must_use]
    pub fn has_selected(&self) -> bool {
        self.sections.get_profile(&self.selected).is_some()
    }

    /// A setting of the profile in use.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.sections.get(key).filter(|value| !value.is_empty())
    }

    /// The endpoint that the profile in use sets for STS, in its services section or for all.
    #[must_use]
    pub fn sts_endpoint(&self) -> Option<String> {
        self.endpoint("sts")
    }

    /// The same for another service, by its id in lower case.
    #[must_use]
    pub fn endpoint(&self, service: &'static str) -> Option<String> {
        aws_runtime::env_config::EnvConfigValue::new()
            .profile("endpoint_url")
            .service_id(service)
            .load(&Env::from_slice(&[]), Some(&self.sections))
            .map(|(url, _)| url.into_owned())
            .filter(|url| !url.is_empty())
    }

    /// The keys, never the values, that make the profile in use a source of credentials.
    #[must_use]
    pub fn credential_keys(&self) -> Vec<String> {
        CREDENTIAL_KEYS.iter().filter(|key| self.get(key).is_some()).map(|key| (*key).to_owned()).collect()
    }
}

fn expand_home(pod: &Pod, path: &str) -> Option<PathBuf> {
    match path.strip_prefix("~/") {
        Some(rest) => Some(PathBuf::from(pod.raw_variable("HOME")?).join(rest)),
        None => Some(PathBuf::from(path)),
    }
}
