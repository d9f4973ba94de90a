//! The steps that look at a profile: keys, a program, a web identity, a sign-on, and a role that is assumed
//! with the credentials of another source.

use super::OnFailure;
use super::files::{ProfileFile, ProfileName};

/// How the Go SDKs check a profile as they load it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoProfile {
    /// Whether the settings for roles are read.
    pub roles: bool,
    /// Whether half a pair of keys is an error.
    pub half_pair_fails: bool,
    /// Whether the check is passed over if keys are in the environment and no profile is selected.
    pub unless_keys: bool,
}

/// A web identity in a profile.
#[derive(Debug, Clone, Copy)]
pub struct ProfileWebIdentity {
    /// Where the profile is.
    pub file: ProfileFile,
    /// Which profile that is, if it is another than the one in use.
    pub profile_name: Option<ProfileName>,
    /// Whether it is passed over if the pod's variables name a role and a token file.
    pub unless_variables: bool,
    /// Whether that of a source profile counts, with which the roles are assumed one after the other.
    pub through_sources: bool,
    /// Whether a token file that is set to nothing counts as there.
    pub empty_counts: bool,
    /// A token file without a role.
    pub without_role: OnFailure,
    /// The shortest token that is sent, in bytes.
    pub min_token_bytes: usize,
    /// It cannot be used.
    pub on_failure: OnFailure,
    /// It is not even tried.
    pub crashes: bool,
}

impl ProfileWebIdentity {
    /// One in this file's profile, of which every failure leads on.
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
    /// Where the profile is.
    pub file: ProfileFile,
    /// Whether a profile with a token file is none of this kind.
    pub unless_token_file: bool,
    /// A source without a role.
    pub without_role: WithoutRole,
    /// A role without either source.
    pub without_source: RoleWithoutSource,
    /// Both sources.
    pub two_sources: OnFailure,
    /// The source profile does not exist.
    pub source_missing: OnFailure,
    /// The source profile exists, and has no credentials.
    pub source_empty: OnFailure,
    /// The source profiles lead in a circle.
    pub source_cycle: OnFailure,
    /// Which kinds of credentials a source profile may have.
    pub sources: Sources,
    /// The named sources that there are.
    pub named_sources: &'static [NamedSource],
    /// Whether their names count in any case.
    pub named_ignore_case: bool,
    /// A named source that is not known.
    pub named_unknown: OnFailure,
    /// A named source that has nothing.
    pub named_empty: OnFailure,
    /// Whether `Ec2InstanceMetadata` minds that IMDS is disabled.
    pub obeys_imds_disabled: bool,
    /// A profile that wants a one-time password.
    pub mfa: Option<OnFailure>,
    /// Which region STS is called in.
    pub region: RoleRegion,
    /// STS refuses, or cannot be reached.
    pub on_failure: OnFailure,
}

/// Which region STS is called in to assume a profile's role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleRegion {
    /// That for the web identity.
    AsForWebIdentity,
    /// The same, and there must be one, even for an endpoint that is set.
    Required,
    /// One of its own, if there is none.
    Own,
}

/// A source without a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutRole {
    /// It is passed over.
    Ignored,
    /// If it is a named one, it gives the credentials.
    NamedSourceUsed,
    /// A failure.
    Fails(OnFailure),
}

/// A role without a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleWithoutSource {
    /// The profile is none of this kind.
    Ignored,
    /// A failure.
    Fails(OnFailure),
    /// Whatever source is found later assumes the role: the Go SDKs, to which a source that is set to
    /// nothing is none.
    AssumedLater,
}

/// Which kinds of credentials a source profile may have, beside keys and a role with a source profile.
#[derive(Debug, Clone, Copy)]
pub struct Sources {
    /// A web identity.
    pub web_identity: bool,
    /// A program.
    pub process: bool,
    /// A role with a named source.
    pub named_sources: bool,
    /// A sign-on, which fails.
    pub sign_on: Option<SsoRule>,
    /// Whether half a pair of keys is a failure, instead of nothing.
    pub half_pair_fails: bool,
    /// Whether a profile may be its own source, by its keys.
    pub own_keys: bool,
}

impl Sources {
    /// Each kind that gives credentials, and the profile itself.
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
    /// Where the profile is.
    pub file: ProfileFile,
    /// Whether a key that is set to nothing counts as there.
    pub empty_counts: bool,
    /// An id without a secret.
    pub secret_missing: OnFailure,
    /// A secret without an id.
    pub id_missing: OnFailure,
    /// A session token without either.
    pub only_session_token: OnFailure,
    /// Whether a profile with a role has no keys of its own.
    pub unless_role: bool,
}

impl ProfileKeys {
    /// Those in this file's profile, of which half a pair leads on.
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

/// A program that a profile names.
#[derive(Debug, Clone, Copy)]
pub struct ProcessRule {
    /// Where the profile is.
    pub file: ProfileFile,
    /// A program that is set to nothing.
    pub empty: OnFailure,
    /// Whether a profile with a role has no program.
    pub unless_role: bool,
    /// Whether it is a link of the chain, which is tried also if the profile was passed over.
    pub after_profile: bool,
}

impl ProcessRule {
    /// A program in this file's profile.
    #[must_use]
    pub const fn of(file: ProfileFile) -> Self {
        Self { file, empty: OnFailure::Next, unless_role: false, after_profile: false }
    }
}

/// A profile of IAM Identity Center. Nobody signs on in a pod, so that it never gives credentials.
#[derive(Debug, Clone, Copy)]
pub struct SsoRule {
    /// Where the profile is.
    pub file: ProfileFile,
    /// The settings of which any makes the profile one of this kind.
    pub any_of: &'static [&'static str],
    /// What it leads to.
    pub on_failure: OnFailure,
}
