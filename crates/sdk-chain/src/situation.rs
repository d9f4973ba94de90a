//! What an SDK finds when it looks for credentials: variables, shared files, token files, and the answers of
//! STS and of the container endpoint.
//!
//! It holds values, so that a resolution depends on nothing else. Its only secrets are in the content of the
//! shared files, which is not printed and of which [`crate::ini`] keeps only whether a key is set.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::SdkId;

/// The variables that an SDK reads while it looks for credentials.
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

/// The variables whose values can be secrets. Only whether they are blank is kept.
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

/// The usual length in bytes of a token that the kubelet projects.
const USUAL_TOKEN_BYTES: usize = 1200;

/// Where a shared file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileLocation {
    /// `~/.aws/config`.
    UsualConfig,
    /// `~/.aws/credentials`.
    UsualCredentials,
    /// At the path in this variable.
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

/// The content of a shared file. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct FileContent(pub Vec<u8>);

impl fmt::Debug for FileContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[not shown]")
    }
}

/// What SDKs see of a token file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenFile {
    /// It can be read.
    Readable {
        /// Its length in bytes.
        length: usize,
        /// Whether it contains a line break, such as an editor adds at the end.
        line_break: bool,
    },
    /// It cannot be read, and why: words that follow "cannot be read".
    Unreadable(String),
}

/// What STS answers to a token and a role.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TokenExchange {
    /// Credentials.
    Given,
    /// A refusal, with its code.
    Refused(String),
    /// Nothing: it cannot be reached, and why.
    Unreachable(String),
    /// It was not asked. A resolution assumes credentials.
    #[default]
    NotTried,
}

/// What a container credentials endpoint answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum EndpointReply {
    /// Credentials, by its HTTP status.
    Given,
    /// Another HTTP status.
    Status(u16),
    /// Nothing, and why.
    Unreachable(String),
    /// It was not asked. A resolution assumes credentials.
    #[default]
    NotTried,
}

/// A container credentials endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContainerEndpoint {
    /// Its answer with the token that the variables name.
    pub with_token: EndpointReply,
    /// Its answer without a token.
    pub without_token: EndpointReply,
}

/// Why the application's copy of an SDK cannot exchange a token for a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SdkLimitation {
    /// It is older than IRSA and does not read the variables.
    TooOld {
        /// The package and its version.
        package: String,
        /// The lowest version with IRSA.
        minimum: &'static str,
    },
    /// A module with this name is missing.
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

/// The environment in which a chain is walked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChainInput {
    /// The SDKs whose copy in the application cannot use a web identity.
    pub limitations: BTreeMap<SdkId, SdkLimitation>,
    /// The variables of [`VARIABLES`] that are set. Secrets are replaced; see [`ChainInput::set_variable`].
    pub variables: BTreeMap<&'static str, String>,
    /// The shared files that could be read.
    pub files: BTreeMap<FileLocation, FileContent>,
    /// The places of shared files at which there is a directory.
    pub directories: BTreeSet<FileLocation>,
    /// The token files, by path as configured.
    pub tokens: BTreeMap<String, TokenFile>,
    /// Why STS cannot be reached, if that was tried.
    pub sts_unreachable: Option<String>,
    /// What STS answers, by role and token file.
    pub exchanges: BTreeMap<(String, String), TokenExchange>,
    /// The endpoint in `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI`.
    pub relative: ContainerEndpoint,
    /// The endpoint in `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
    pub full: ContainerEndpoint,
}

impl ChainInput {
    /// Sets a variable, if an SDK reads it. Of a secret only whether it is blank is kept.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        let Some(name) = VARIABLES.iter().copied().find(|known| *known == name) else { return };
        let secret = SECRET.contains(&name) && !value.trim().is_empty();
        self.variables.insert(name, if secret { "set" } else { value }.to_owned());
    }

    /// The value of a variable, which can be empty.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// The value of a variable that is not empty.
    #[must_use]
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.variable(name).filter(|value| !value.is_empty())
    }

    /// What STS answers to this role and the token in this file.
    #[must_use]
    pub fn exchange(&self, role_arn: &str, token_file: &str) -> TokenExchange {
        self.exchanges.get(&(role_arn.to_owned(), token_file.to_owned())).cloned().unwrap_or_default()
    }

    /// Why STS cannot be reached, if that is known.
    #[must_use]
    pub fn sts_unreachable(&self) -> Option<&str> {
        let of_exchange = self.exchanges.values().find_map(|exchange| match exchange {
            TokenExchange::Unreachable(why) => Some(why.as_str()),
            _ => None,
        });
        of_exchange.or(self.sts_unreachable.as_deref())
    }

    /// The token file at this path. One that is not listed does not exist.
    #[must_use]
    pub fn token(&self, path: &str) -> TokenFile {
        let missing = || TokenFile::Unreadable("it does not exist".to_owned());
        self.tokens.get(path).cloned().unwrap_or_else(missing)
    }

    /// The same input as if the role of the pod worked for every SDK and a region were set. What an SDK still
    /// takes then comes before the role in its chain.
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
            let readable = TokenFile::Readable { length: USUAL_TOKEN_BYTES, line_break: false };
            working.tokens.insert(file.clone(), readable);
            working.exchanges.insert((role, file), TokenExchange::Given);
        }
        working
    }

    /// The role and the token file in the variables that the webhook injects, if both are set.
    #[must_use]
    pub fn injected_role_and_token(&self) -> Option<(String, String)> {
        let role = self.filled("AWS_ROLE_ARN")?;
        Some((role.to_owned(), self.filled("AWS_WEB_IDENTITY_TOKEN_FILE")?.to_owned()))
    }

    /// Whether a variable replaces the endpoint of STS.
    #[must_use]
    pub fn has_sts_endpoint(&self) -> bool {
        let ignored = self
            .variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let set = self.filled("AWS_ENDPOINT_URL_STS").or_else(|| self.filled("AWS_ENDPOINT_URL"));
        set.is_some() && !ignored
    }
}
