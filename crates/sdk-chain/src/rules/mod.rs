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

use crate::dialect::Dialect;
use crate::situation::ChainInput;
use crate::{CredentialSource, SdkId};

/// The rules of one SDK.
#[derive(Debug)]
pub struct Sdk {
    /// Its id.
    pub id: SdkId,
    /// Its name for people.
    pub name: &'static str,
    /// The version whose rules these are.
    pub version: &'static str,
    /// Whether that version was run, instead of only read.
    pub was_run: bool,
    /// Where the rules are written.
    pub source: &'static str,
    /// Which profile is in use.
    pub profile: ProfileName,
    /// Where the credentials file is.
    pub credentials: Option<FileRule>,
    /// Where the config file is, if it is read.
    pub config: Option<FileRule>,
    /// How both are read.
    pub dialect: Dialect,
    /// How both are joined.
    pub merge: FileMerge,
    /// Whether no profile is read at all without a config file.
    pub profiles_need_config: bool,
    /// Which region there is for STS.
    pub region: Region,
    /// Which other rules a variable turns these into.
    pub overridden_by: Option<RuleOverride>,
    /// What is tried, in order.
    pub steps: &'static [Step],
    /// What there is if no step takes a source.
    pub at_end: CredentialSource,
}

impl Sdk {
    /// The rules that hold in the situation.
    #[must_use]
    pub fn for_situation(&'static self, situation: &ChainInput) -> &'static Self {
        let value = situation.filled("AWS_SDK_LOAD_CONFIG");
        match (self.overridden_by, value) {
            (Some(RuleOverride::ByAnything(id)), Some(_))
            | (Some(RuleOverride::ByTrue(id)), Some("1" | "t" | "T" | "true" | "TRUE" | "True")) => {
                id.rules()
            }
            (Some(RuleOverride::ByOptOut(rules)), _)
                if situation.variable("AWS_SDK_CONFIG_OPT_OUT").is_some() =>
            {
                rules
            }
            _ => self,
        }
    }
}

/// Which rules hold instead.
#[derive(Debug, Clone, Copy)]
pub enum RuleOverride {
    /// Those, if `AWS_SDK_LOAD_CONFIG` is set to anything.
    ByAnything(SdkId),
    /// Those, if it is set to what Go's `strconv.ParseBool` takes for true.
    ByTrue(SdkId),
    /// These, if `AWS_SDK_CONFIG_OPT_OUT` is set, even to nothing.
    ByOptOut(&'static Sdk),
}

/// What a failure leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// The next step, without a word.
    Next,
    /// The next step that is not about the profile, without a word.
    SkipProfile,
    /// Container credentials, without a word; all other steps fail likewise.
    OnlyContainer,
    /// The end: an error.
    Error,
    /// The end: no credentials, and no error either.
    Nothing,
    /// The end of the process.
    Crash,
}

/// One step of a chain.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// Both files must be readable for this SDK, from here on.
    FilesMustParse {
        /// Else.
        on_failure: OnFailure,
        /// Unless keys are in the environment and no profile is selected.
        unless_keys: bool,
    },
    /// A region must be set, whatever the source is.
    RegionMustBeSet,
    /// The selected profile must exist if one of these variables selects it.
    ProfileMustExist {
        /// The variables.
        variables: &'static [&'static str],
        /// Whether a variable that is set to nothing counts.
        empty_counts: bool,
        /// Whether `default` must exist, too.
        even_default: bool,
    },
    /// Neither file may be a directory.
    NoDirectories,
    /// The profile in use must be sound, even if it is not needed: the Go SDKs check it as they load it.
    ProfileMustBeSound(GoProfile),
    /// The config file is read for the region if no variable names one, and must exist for that.
    ConfigForRegion,
    /// Keys in the environment.
    Keys(EnvKeysRule),
    /// The web identity that the variables name.
    WebIdentity(WebIdentityRule),
    /// A profile that assumes a role with other credentials.
    Role(RoleRule),
    /// Keys in a profile.
    ProfileKeys(ProfileKeys),
    /// A web identity in a profile.
    ProfileWebIdentity(ProfileWebIdentity),
    /// A program that a profile names.
    Process(ProcessRule),
    /// A profile of IAM Identity Center.
    SignOn(SsoRule),
    /// Container credentials.
    Container(ContainerRule),
    /// The node's role.
    Imds(ImdsDisabled),
}

impl Step {
    /// Whether it is about the profile in use.
    #[must_use]
    pub fn is_of_profile(&self) -> bool {
        match self {
            Self::Role(_) | Self::ProfileKeys(_) | Self::ProfileWebIdentity(_) | Self::SignOn(_) => true,
            Self::Process(process) => !process.after_profile,
            _ => false,
        }
    }
}
