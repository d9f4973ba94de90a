//! The steps that look at a profile: keys, a program, a web identity, a sign-on, and a role that is assumed
//! with the credentials of another source.

use super::OnFailure;
use super::files::{ProfileFile, ProfileName};

/// What the Go SDKs check in a profile as they load it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoProfile {
    /// Whether they read the settings of roles.
    pub roles: bool,
    /// Whether half a pair of keys is an error.
    pub half_pair_fails: bool,
    /// Whether they skip the check if keys are in the environment and no profile is selected.
    pub unless_keys: bool,
}

/// A web identity in a profile.
#[derive(Debug, Clone, Copy)]
pub struct ProfileWebIdentity {
    /// The file with the profile.
    pub file: ProfileFile,
    /// How the profile is selected, if not as usual.
    pub profile_name: Option<ProfileName>,
    /// Whether the step is skipped if the variables set a role and a token file.
    pub unless_variables: bool,
    /// Whether the web identity of a source profile counts. The roles are then assumed one after the other.
    pub through_sources: bool,
    /// Whether an empty token file setting counts as set.
    pub empty_counts: bool,
    /// What a token file without a role leads to.
    pub without_role: OnFailure,
    /// The shortest token that is sent, in bytes.
    pub min_token_bytes: usize,
    /// What a failure leads to.
    pub on_failure: OnFailure,
    /// Whether the process ends as the SDK reads it.
    pub crashes: bool,
}

impl ProfileWebIdentity {
    /// A web identity in a profile of this file. Every failure leads to the next step.
    #[must_use]
    pub const fn of(file: ProfileFile) -> Self {
        Self {
            file,
            profile_name: None,
            unless_variables: false,
            through_sources: false,
            empty_counts: false,
            without_role: OnFailure::Next,
            min_token_bytes: 0,
            on_failure: OnFailure::Next,
            crashes: false,
        }
    }
}

/// A profile that assumes a role with the credentials of another profile or of a named source.
#[derive(Debug, Clone, Copy)]
pub struct RoleRule {
    /// The file with the profile.
    pub file: ProfileFile,
    /// Whether the step is skipped for a profile with a token file.
    pub unless_token_file: bool,
    /// What a source without a role means.
    pub without_role: WithoutRole,
    /// What a role without a source means.
    pub without_source: RoleWithoutSource,
    /// What both a source profile and a named source lead to.
    pub two_sources: OnFailure,
    /// What a missing source profile leads to.
    pub source_missing: OnFailure,
    /// What a source profile without credentials leads to.
    pub source_empty: OnFailure,
    /// What a cycle of source profiles leads to.
    pub source_cycle: OnFailure,
    /// The kinds of credentials that a source profile can have.
    pub sources: Sources,
    /// The named sources that the SDK knows.
    pub named_sources: &'static [NamedSource],
    /// Whether the case of their names is ignored.
    pub named_ignore_case: bool,
    /// What an unknown named source leads to.
    pub named_unknown: OnFailure,
    /// What a named source without credentials leads to.
    pub named_empty: OnFailure,
    /// Whether `Ec2InstanceMetadata` has no credentials if IMDS is disabled.
    pub obeys_imds_disabled: bool,
    /// What a profile that requires a one-time password leads to, if the SDK asks for one.
    pub mfa: Option<OnFailure>,
    /// The region in which STS is called.
    pub region: RoleRegion,
    /// What a refusal, or an STS out of reach, leads to.
    pub on_failure: OnFailure,
}

impl RoleRule {
    /// The rule of most SDKs. Every failure leads to the same.
    #[must_use]
    pub const fn usual(on_failure: OnFailure) -> Self {
        Self {
            file: ProfileFile::Both,
            unless_token_file: false,
            without_role: WithoutRole::Ignored,
            without_source: RoleWithoutSource::Fails(on_failure),
            two_sources: on_failure,
            source_missing: on_failure,
            source_empty: on_failure,
            source_cycle: on_failure,
            sources: Sources::ALL,
            named_sources: &[
                NamedSource::Environment,
                NamedSource::EcsContainer,
                NamedSource::Ec2InstanceMetadata,
            ],
            named_ignore_case: false,
            named_unknown: on_failure,
            named_empty: on_failure,
            obeys_imds_disabled: true,
            mfa: None,
            region: RoleRegion::AsForWebIdentity,
            on_failure,
        }
    }
}

/// The region in which STS is called to assume the role of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleRegion {
    /// As for a web identity.
    AsForWebIdentity,
    /// The same, and one is required even if an endpoint is set.
    Required,
    /// A default of the SDK, if none is set.
    Own,
}

/// What a source without a role means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutRole {
    /// The SDK ignores it.
    Ignored,
    /// A named source gives the credentials. A source profile is ignored.
    NamedSourceUsed,
    /// A failure.
    Fails(OnFailure),
}

/// What a role without a source means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleWithoutSource {
    /// The SDK ignores it.
    Ignored,
    /// A failure.
    Fails(OnFailure),
    /// The source that a later step takes assumes the role. An empty source setting counts as none. The Go
    /// SDKs do so.
    AssumedLater,
}

/// The kinds of credentials that a source profile can have, besides keys and a role with a source profile.
#[derive(Debug, Clone, Copy)]
pub struct Sources {
    /// A web identity.
    pub web_identity: bool,
    /// A program.
    pub process: bool,
    /// A role with a named source.
    pub named_sources: bool,
    /// A sign-on, and what it leads to.
    pub sign_on: Option<SsoRule>,
    /// Whether half a pair of keys is a failure.
    pub half_pair_fails: bool,
    /// Whether a profile can be its own source, by its keys.
    pub own_keys: bool,
}

impl Sources {
    /// Every kind that gives credentials.
    pub const ALL: Self = Self {
        web_identity: true,
        process: true,
        named_sources: true,
        sign_on: None,
        half_pair_fails: false,
        own_keys: true,
    };
}

/// A source that `credential_source` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedSource {
    /// `Environment`.
    Environment,
    /// `EcsContainer`.
    EcsContainer,
    /// `Ec2InstanceMetadata`.
    Ec2InstanceMetadata,
}

impl NamedSource {
    /// The name in a profile.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Environment => "Environment",
            Self::EcsContainer => "EcsContainer",
            Self::Ec2InstanceMetadata => "Ec2InstanceMetadata",
        }
    }
}

/// Keys in a profile.
#[derive(Debug, Clone, Copy)]
pub struct ProfileKeys {
    /// The file with the profile.
    pub file: ProfileFile,
    /// Whether an empty key counts as set.
    pub empty_counts: bool,
    /// What an id without a secret leads to.
    pub secret_missing: OnFailure,
    /// What a secret without an id leads to.
    pub id_missing: OnFailure,
    /// What a session token without keys leads to.
    pub only_session_token: OnFailure,
    /// Whether the step is skipped for a profile with a role.
    pub unless_role: bool,
}

impl ProfileKeys {
    /// Keys in a profile of this file. Half a pair leads to the next step.
    #[must_use]
    pub const fn of(file: ProfileFile) -> Self {
        Self {
            file,
            empty_counts: false,
            secret_missing: OnFailure::Next,
            id_missing: OnFailure::Next,
            only_session_token: OnFailure::Next,
            unless_role: false,
        }
    }
}

/// A program in a profile (`credential_process`).
#[derive(Debug, Clone, Copy)]
pub struct ProcessRule {
    /// The file with the profile.
    pub file: ProfileFile,
    /// What an empty setting leads to.
    pub empty: OnFailure,
    /// Whether the step is skipped for a profile with a role.
    pub unless_role: bool,
    /// Whether the step is made even if the SDK skips the profile.
    pub after_profile: bool,
}

impl ProcessRule {
    /// A program in a profile of this file.
    #[must_use]
    pub const fn of(file: ProfileFile) -> Self {
        Self { file, empty: OnFailure::Next, unless_role: false, after_profile: false }
    }
}

/// A profile with a sign-on, as for IAM Identity Center. In a pod nobody signs on, so it gives no credentials.
#[derive(Debug, Clone, Copy)]
pub struct SsoRule {
    /// The settings that each mark a profile as one with a sign-on.
    pub any_of: &'static [&'static str],
    /// What a sign-on leads to.
    pub on_failure: OnFailure,
}
