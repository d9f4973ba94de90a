//! The words in which the rules of an SDK are declared. What they mean is in [`crate::walk`].
//!
//! The rules of an SDK are a list of steps, tried in order. A step finds nothing, takes a source, or fails.
//! [`OnFailure`] says what a failure leads to.

mod container;
mod files;
mod profile;
mod region;
mod variables;

pub use container::{ContainerRule, Hosts, ImdsDisabled, LineBreak, TokenRule};
pub use files::{FileMerge, FileRule, ProfileFile, ProfileName};
pub use profile::{
    GoProfile, NamedSource, ProcessRule, ProfileKeys, ProfileWebIdentity, RoleRegion, RoleRule,
    RoleWithoutSource, Sources, SsoRule, WithoutRole,
};
pub use region::{EmptyRegion, NoRegion, Region};
pub use variables::{EmptyVariable, EnvKeysRule, WebIdentityRule};

use crate::CredentialSource;
use crate::dialect::Dialect;

/// The rules of one SDK.
#[derive(Debug)]
pub struct Sdk {
    /// The name in sentences.
    pub name: &'static str,
    /// The version whose rules these are.
    pub version: &'static str,
    /// Whether that version was run; otherwise its source was read.
    pub was_run: bool,
    /// The repository and the files that the rules come from.
    pub source: &'static str,
    /// Which profile is in use.
    pub profile: ProfileName,
    /// Where the credentials file is.
    pub credentials: Option<FileRule>,
    /// Where the config file is, if it is read.
    pub config: Option<FileRule>,
    /// How both are read.
    pub dialect: Dialect,
    /// How both are merged.
    pub merge: FileMerge,
    /// Whether profiles are ignored without a config file.
    pub profiles_need_config: bool,
    /// How the region for STS is found.
    pub region: Region,
    /// The rules that a variable puts in place of these.
    pub overridden_by: Option<RuleOverride>,
    /// The steps, in order.
    pub steps: &'static [Step],
    /// The result if no step takes a source.
    pub at_end: CredentialSource,
}

/// When other rules apply.
#[derive(Debug, Clone, Copy)]
pub enum RuleOverride {
    /// These, if `AWS_SDK_LOAD_CONFIG` is not empty.
    ByAnything(&'static Sdk),
    /// These, if Go's `strconv.ParseBool` reads the variable as true.
    ByTrue(&'static Sdk),
    /// These, if `AWS_SDK_CONFIG_OPT_OUT` is set, even to an empty value.
    ByOptOut(&'static Sdk),
}

/// What an SDK does when a step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// It tries the next step.
    Next,
    /// It tries the next step that does not read the profile.
    SkipProfile,
    /// It tries container credentials. All other steps fail in the same way.
    OnlyContainer,
    /// It stops with an error.
    Error,
    /// It goes on without credentials.
    Nothing,
    /// The process ends.
    Crash,
}

/// One step of a chain.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// Neither file may be malformed for this SDK.
    FilesMustParse {
        /// What a malformed file leads to.
        on_failure: OnFailure,
        /// Whether the step is skipped if keys are in the environment and no profile is selected.
        unless_keys: bool,
    },
    /// A region must be set.
    RegionMustBeSet,
    /// The profile must exist if one of these variables selects it.
    ProfileMustExist {
        /// The variables.
        variables: &'static [&'static str],
        /// Whether an empty variable counts.
        empty_counts: bool,
        /// Whether that also applies to `default`.
        even_default: bool,
    },
    /// Neither file may be a directory.
    NoDirectories,
    /// The selected profile must be consistent, even if it is not needed. The Go SDKs check it as they load it.
    ProfileMustBeSound(GoProfile),
    /// The config file must exist if no variable sets a region.
    ConfigForRegion,
    /// Keys in the environment.
    Keys(EnvKeysRule),
    /// The web identity in the variables.
    WebIdentity(WebIdentityRule),
    /// A profile that assumes a role with the credentials of another source.
    Role(RoleRule),
    /// Keys in a profile.
    ProfileKeys(ProfileKeys),
    /// A web identity in a profile.
    ProfileWebIdentity(ProfileWebIdentity),
    /// A program in a profile (`credential_process`).
    Process(ProcessRule),
    /// A profile with a sign-on (IAM Identity Center).
    SignOn(SsoRule),
    /// Container credentials.
    Container(ContainerRule),
    /// The node's role.
    Imds(ImdsDisabled),
}

impl Step {
    /// Whether the step reads the selected profile.
    #[must_use]
    pub fn is_of_profile(&self) -> bool {
        match self {
            Self::Role(_) | Self::ProfileKeys(_) | Self::ProfileWebIdentity(_) | Self::SignOn(_) => true,
            Self::Process(process) => !process.after_profile,
            _ => false,
        }
    }
}
