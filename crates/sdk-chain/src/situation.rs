//! What an SDK finds when it looks for credentials: variables, shared files, token files, and what
//! STS, the container endpoint and IMDS answer. By value, so that the chain is a pure function of it.
//!
//! No secret is in it but the content of the shared files, of which [`super::ini`] keeps only that
//! there is one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::SdkId;

/// The variables that some SDK reads while it looks for credentials.
pub const VARIABLES: [&str; 30] = [
    "AMAZON_ACCESS_KEY_ID",
    "AMAZON_REGION",
    "AMAZON_SECRET_ACCESS_KEY",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_CONFIG_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CREDENTIAL_PROFILES_FILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_DEFAULT_REGION",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_STS",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_ROLE_ARN",
    "AWS_SDK_CONFIG_OPT_OUT",
    "AWS_SDK_LOAD_CONFIG",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_STS_REGIONAL_ENDPOINTS",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "HOME",
    "SECRET_ACCESS_KEY",
];

/// Those of them whose values are secrets, or may be: of these only whether they are blank is kept.
const SECRET: [&str; 9] = [
    "AMAZON_ACCESS_KEY_ID",
    "AMAZON_SECRET_ACCESS_KEY",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "SECRET_ACCESS_KEY",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
];

/// The length of a token such as the kubelet projects, in bytes, about.
const LIKELY_TOKEN: usize = 1200;

/// Where a shared file may lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileLocation {
    /// `~/.aws/config`.
    UsualConfig,
    /// `~/.aws/credentials`.
    UsualCredentials,
    /// Where this variable says, as it is written.
    Variable(&'static str),
}

impl fmt::Display for FileLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UsualConfig => f.write_str("~/.aws/config"),
            Self::UsualCredentials => f.write_str("~/.aws/credentials"),
            Self::Variable(name) => write!(f, "The file in {name}"),
        }
    }
}

/// The content of a shared file, which is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct FileContent(pub Vec<u8>);

impl fmt::Debug for FileContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[not shown]")
    }
}

/// A token file, as far as SDKs differ about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenFile {
    /// It can be read.
    Readable {
        /// Its length in bytes.
        length: usize,
        /// Whether there is a line break in it, as an editor leaves one at the end.
        line_break: bool,
    },
    /// It cannot; why, in words that follow its name.
    Unreadable(String),
}

/// What STS says to a token and a role.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TokenExchange {
    /// It gives credentials.
    Given,
    /// It says no; the code.
    Refused(String),
    /// It cannot be asked; why.
    Unreachable(String),
    /// It was not asked; taken as given.
    #[default]
    NotTried,
}

/// What a container credentials endpoint answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum EndpointReply {
    /// Credentials, or so its status says.
    Given,
    /// Another HTTP status.
    Status(u16),
    /// Nothing; why.
    Unreachable(String),
    /// It was not asked; taken as given.
    #[default]
    NotTried,
}

/// A container credentials endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContainerEndpoint {
    /// What it answers to the token that the variables name.
    pub with_token: EndpointReply,
    /// What it answers without one.
    pub without_token: EndpointReply,
}

/// Why the application's copy of an SDK cannot trade a token for a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SdkLimitation {
    /// It is older than IRSA, and does not look at the variables.
    TooOld {
        /// The package and its version.
        package: String,
        /// The least version with IRSA.
        minimum: &'static str,
    },
    /// The module for it is not there; its name.
    MissingModule(&'static str),
}

impl fmt::Display for SdkLimitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooOld { package, minimum: least } => {
                write!(f, "The application has {package}, which is older than IRSA (from {least} on)")
            }
            Self::MissingModule(module) => {
                write!(f, "The application lacks {module}, without which no token is traded for a role")
            }
        }
    }
}

/// What an SDK finds when it looks for credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChainInput {
    /// The SDKs that the application has in copies that cannot use a web identity.
    pub limitations: BTreeMap<SdkId, SdkLimitation>,
    /// The variables among [`VARIABLES`] that are set; of secrets only whether they are blank.
    pub variables: BTreeMap<&'static str, String>,
    /// The shared files that could be read.
    pub files: BTreeMap<FileLocation, FileContent>,
    /// The places of shared files where there is a directory.
    pub directories: BTreeSet<FileLocation>,
    /// The token files by the path that names them.
    pub tokens: BTreeMap<String, TokenFile>,
    /// Why STS cannot be reached, if it was tried in vain.
    pub sts_unreachable: Option<String>,
    /// What STS says, by role and token file.
    pub exchanges: BTreeMap<(String, String), TokenExchange>,
    /// The endpoint for container credentials that the relative variable names.
    pub relative: ContainerEndpoint,
    /// The one that the full variable names.
    pub full: ContainerEndpoint,
}

impl ChainInput {
    /// Sets a variable, if it is one that an SDK reads.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        let Some(name) = VARIABLES.iter().copied().find(|known| *known == name) else { return };
        let secret = SECRET.contains(&name) && !value.trim().is_empty();
        self.variables.insert(name, if secret { "set" } else { value }.to_owned());
    }

    /// A variable's value, if it is set at all.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// A variable's value, where an empty one counts as not set.
    #[must_use]
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.variable(name).filter(|value| !value.is_empty())
    }

    /// What STS says to this role and the token in this file.
    #[must_use]
    pub fn exchange(&self, role_arn: &str, token_file: &str) -> TokenExchange {
        self.exchanges.get(&(role_arn.to_owned(), token_file.to_owned())).cloned().unwrap_or_default()
    }

    /// Why STS cannot be asked at all, if that is known.
    #[must_use]
    pub fn sts_unreachable(&self) -> Option<&str> {
        let of_trade = self.exchanges.values().find_map(|exchange| match exchange {
            TokenExchange::Unreachable(why) => Some(why.as_str()),
            _ => None,
        });
        of_trade.or(self.sts_unreachable.as_deref())
    }

    /// A token file.
    #[must_use]
    pub fn token(&self, path: &str) -> TokenFile {
        let missing = || TokenFile::Unreadable("it does not exist".to_owned());
        self.tokens.get(path).cloned().unwrap_or_else(missing)
    }

    /// The same, if the pod's role worked for every SDK, and a region were set where none is: what is left then is what
    /// comes before the role.
    #[must_use]
    pub fn with_working_role(&self) -> Self {
        let mut working = Self { limitations: BTreeMap::new(), ..self.clone() };
        let regions = ["AWS_REGION", "AWS_DEFAULT_REGION"];
        if regions.iter().all(|name| working.filled(name).is_none()) {
            for name in regions {
                working.set_variable(name, "us-east-1");
            }
        }
        if let Some((role, file)) = self.injected_role_and_token() {
            let readable = TokenFile::Readable { length: LIKELY_TOKEN, line_break: false };
            working.tokens.insert(file.clone(), readable);
            working.exchanges.insert((role, file), TokenExchange::Given);
        }
        working
    }

    /// The role and the token file that the pod's variables name, if both are there.
    #[must_use]
    pub fn injected_role_and_token(&self) -> Option<(String, String)> {
        let role = self.filled("AWS_ROLE_ARN")?;
        Some((role.to_owned(), self.filled("AWS_WEB_IDENTITY_TOKEN_FILE")?.to_owned()))
    }

    /// Whether an endpoint for STS is set in place of the region's own.
    #[must_use]
    pub fn has_sts_endpoint(&self) -> bool {
        let ignored = self
            .variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let set = self.filled("AWS_ENDPOINT_URL_STS").or_else(|| self.filled("AWS_ENDPOINT_URL"));
        set.is_some() && !ignored
    }
}
