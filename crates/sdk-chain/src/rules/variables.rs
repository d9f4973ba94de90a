//! The steps that read variables: keys in the environment, and the web identity of the pod.

use super::OnFailure;
use super::files::{ProfileFile, ProfileName};

/// Keys in the environment.
#[derive(Debug, Clone, Copy)]
pub struct EnvKeysRule {
    /// The variables for the key id, in order. The first is the usual one.
    pub id: &'static [&'static str],
    /// The variables for the secret.
    pub secret: &'static [&'static str],
    /// Whether an empty variable hides those after it.
    pub empty_counts: bool,
    /// Whether a value of white space counts as empty.
    pub trims: bool,
    /// Whether these are variables of an older spelling.
    pub legacy: bool,
    /// What an id without a secret leads to.
    pub secret_missing: OnFailure,
    /// The variable that, if it is not empty, makes the SDK skip the step.
    pub unless: Option<&'static str>,
}

impl EnvKeysRule {
    /// The usual two variables.
    pub const USUAL: Self = Self {
        id: &["AWS_ACCESS_KEY_ID"],
        secret: &["AWS_SECRET_ACCESS_KEY"],
        empty_counts: false,
        trims: false,
        legacy: false,
        secret_missing: OnFailure::Next,
        unless: None,
    };
}

/// The web identity in the variables.
#[derive(Debug, Clone, Copy)]
pub struct WebIdentityRule {
    /// What an empty variable means.
    pub empty: EmptyVariable,
    /// The file whose profile sets what no variable sets.
    pub profile_file: Option<ProfileFile>,
    /// How that profile is selected, if not as usual.
    pub profile_name: Option<ProfileName>,
    /// What a token file without a role leads to.
    pub without_role: OnFailure,
    /// What a role without a token file leads to.
    pub without_token: OnFailure,
    /// The shortest token that is sent, in bytes. 0 if an empty token is sent.
    pub min_token_bytes: usize,
    /// The shortest role ARN that is sent, in characters.
    pub min_role_chars: usize,
    /// What a refusal, an STS out of reach, or an unreadable token leads to.
    pub on_failure: OnFailure,
}

impl WebIdentityRule {
    /// The rule of most SDKs: the variables alone, and both of them.
    #[must_use]
    pub const fn usual(on_failure: OnFailure) -> Self {
        Self {
            empty: EmptyVariable::Unset,
            profile_file: None,
            profile_name: None,
            without_role: OnFailure::Next,
            without_token: OnFailure::Next,
            min_token_bytes: 0,
            min_role_chars: 1,
            on_failure,
        }
    }
}

/// What an empty variable means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyVariable {
    /// It is not set.
    Unset,
    /// It is not set, but hides the setting of the profile.
    Hides,
    /// It is set.
    Set,
}
