//! The steps that look at variables alone: keys in the environment, and the web identity of the pod.

use super::OnFailure;
use super::files::{ProfileFile, ProfileName};

/// Keys in the environment.
#[derive(Debug, Clone, Copy)]
pub struct EnvKeysRule {
    /// The variables for the key's id, in order; the first is the usual one.
    pub id: &'static [&'static str],
    /// The variables for the secret.
    pub secret: &'static [&'static str],
    /// Whether the first of them that is set decides, even if it is set to nothing.
    pub empty_counts: bool,
    /// Whether white space is nothing.
    pub trims: bool,
    /// Whether these variables are of an old kind.
    pub legacy: bool,
    /// An id without a secret.
    pub secret_missing: OnFailure,
    /// The step is left out if this variable is not empty.
    pub unless: Option<&'static str>,
}

/// The web identity that the variables name.
#[derive(Debug, Clone, Copy)]
pub struct WebIdentityRule {
    /// What a variable is that is set to nothing.
    pub empty: EmptyVariable,
    /// The file whose profile gives what no variable says.
    pub profile_file: Option<ProfileFile>,
    /// Which profile that is, if it is another than the one in use.
    pub profile_name: Option<ProfileName>,
    /// A token file without a role.
    pub without_role: OnFailure,
    /// A role without a token file.
    pub without_token: OnFailure,
    /// The shortest token that is sent, in bytes; 0 if an empty one is.
    pub min_token_bytes: usize,
    /// The shortest role ARN that is sent, in characters.
    pub min_role_chars: usize,
    /// STS refuses or cannot be reached, or the token cannot be read.
    pub on_failure: OnFailure,
}

/// What a variable is that is set to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyVariable {
    /// Not set.
    Unset,
    /// Not set, and yet it hides what the profile says.
    Hides,
    /// Set.
    Set,
}
