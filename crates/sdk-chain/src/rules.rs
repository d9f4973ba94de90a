//! The words in which an SDK's rules are declared. What they mean is in [`super::walk`].
//!
//! An SDK is a list of steps that are tried in order. A step finds nothing, takes a source, or fails;
//! what a failure leads to is the [`Then`] of the step.

use super::dialect::Dialect;
use super::situation::ChainInput;
use super::{CredentialSource, SdkId};

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
    pub join: Join,
    /// Whether no profile is read at all without a config file.
    pub profiles_need_config: bool,
    /// Which region there is for STS.
    pub region: Region,
    /// Which other rules a variable turns these into.
    pub instead: Option<RuleOverride>,
    /// What is tried, in order.
    pub steps: &'static [Step],
    /// What there is if no step takes a source.
    pub at_end: CredentialSource,
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

impl Step {
    /// Whether it is about the profile in use.
    #[must_use]
    pub fn is_of_profile(&self) -> bool {
        match self {
            Self::Role(_) | Self::ProfileKeys(_) | Self::ProfileWebIdentity(_) | Self::SignOn(_) => true,
            Self::Process(process) => !process.is_link,
            _ => false,
        }
    }
}

impl Sdk {
    /// The rules that hold in the situation.
    #[must_use]
    pub fn for_situation(&'static self, situation: &ChainInput) -> &'static Self {
        let value = situation.filled("AWS_SDK_LOAD_CONFIG");
        match (self.instead, value) {
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

/// What a failure leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// The next step, without a word.
    Next,
    /// The next step that is not about the profile, without a word.
    LeavesProfile,
    /// Container credentials, without a word; all other steps fail likewise.
    OnlyContainer,
    /// The end: an error.
    Error,
    /// The end: no credentials, and no error either.
    Nothing,
    /// The end of the process.
    Crash,
}

/// Which profile is in use: that of the first variable that counts, or `default`.
#[derive(Debug, Clone, Copy)]
pub struct ProfileName {
    /// The variables, in order.
    pub variables: &'static [&'static str],
    /// Whether a variable that is set to nothing counts.
    pub empty_counts: bool,
}

/// Where a shared file is.
#[derive(Debug, Clone, Copy)]
pub struct FileRule {
    /// The variable that names it, if the SDK reads one.
    pub variable: Option<&'static str>,
    /// Whether that variable, set to nothing, counts; there is no file then.
    pub empty_counts: bool,
    /// Whether `~/` at its beginning is the home directory.
    pub tilde: bool,
    /// Whether `~/.aws/config` takes its place if it does not exist.
    pub or_config: bool,
}

/// How the two files are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// Setting by setting, where the credentials file comes first.
    BySetting,
    /// The same, but a pair of keys only as a pair.
    ByPair,
    /// Profile by profile, where the credentials file comes first; the config file's `profile NAME` is NAME.
    ByProfile,
}

/// Which file a step reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileFile {
    /// Both, joined.
    Both,
    /// The credentials file.
    Credentials,
    /// The config file.
    Config,
    /// The config file, where the profile is headed `profile NAME`, and its sources are named by their
    /// headers.
    ConfigAsWritten,
}

/// Which region there is for STS, and what happens without one.
#[derive(Debug, Clone, Copy)]
pub struct Region {
    /// The variables, in order.
    pub variables: &'static [&'static str],
    /// What a variable is that is set to nothing.
    pub empty: EmptyRegion,
    /// The files whose profile may name it.
    pub files: &'static [ProfileFile],
    /// Which profile that is, if it is another than the one in use.
    pub by: Option<ProfileName>,
    /// What happens without one.
    pub missing: NoRegion,
}

impl Region {
    /// That of the first variable with a value, or of the profile in use.
    #[must_use]
    pub const fn of(
        variables: &'static [&'static str],
        files: &'static [ProfileFile],
        missing: NoRegion,
    ) -> Self {
        Self { variables, empty: EmptyRegion::Unset, files, by: None, missing }
    }
}

/// What a variable for the region is that is set to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyRegion {
    /// Not set.
    Unset,
    /// Not set, and yet it hides the variables after it.
    Hides,
    /// As good as a region.
    Counts,
    /// A region with which STS cannot be called.
    Fails,
}

/// What happens without a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRegion {
    /// STS is called all the same, at its global endpoint.
    Fine,
    /// The call fails.
    Fails,
    /// The call fails unless an endpoint is set.
    FailsWithoutEndpoint,
    /// The call fails if an endpoint is set, or a regional one is wanted; else it is the global one.
    FailsWithEndpoint,
    /// IMDS is asked for it unless an endpoint is set; the call fails where IMDS is disabled.
    AsksImds,
}

/// One step of a chain.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// Both files must be readable for this SDK, from here on.
    FilesMustParse {
        /// Else.
        then: OnFailure,
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
    Imds(Disabled),
}

/// How the Go SDKs check a profile as they load it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoProfile {
    /// Whether the settings for roles are read.
    pub roles: bool,
    /// Whether half a pair of keys is an error.
    pub half: bool,
    /// Whether the check is passed over if keys are in the environment and no profile is selected.
    pub unless_keys: bool,
}

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
    pub half: OnFailure,
    /// The step is left out if this variable is not empty.
    pub unless: Option<&'static str>,
}

/// The web identity that the variables name.
#[derive(Debug, Clone, Copy)]
pub struct WebIdentityRule {
    /// What a variable is that is set to nothing.
    pub empty: Empty,
    /// The file whose profile gives what no variable says.
    pub filled_from: Option<ProfileFile>,
    /// Which profile that is, if it is another than the one in use.
    pub filled_by: Option<ProfileName>,
    /// A token file without a role.
    pub without_role: OnFailure,
    /// A role without a token file.
    pub without_token: OnFailure,
    /// The shortest token that is sent, in bytes; 0 if an empty one is.
    pub least_token: usize,
    /// The shortest role ARN that is sent, in characters.
    pub least_role: usize,
    /// STS refuses or cannot be reached, or the token cannot be read.
    pub fails: OnFailure,
}

/// What a variable is that is set to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Empty {
    /// Not set.
    Unset,
    /// Not set, and yet it hides what the profile says.
    Hides,
    /// Set.
    Set,
}

/// A web identity in a profile.
#[derive(Debug, Clone, Copy)]
pub struct ProfileWebIdentity {
    /// Where the profile is.
    pub file: ProfileFile,
    /// Which profile that is, if it is another than the one in use.
    pub by: Option<ProfileName>,
    /// Whether it is passed over if the pod's variables name a role and a token file.
    pub unless_variables: bool,
    /// Whether that of a source profile counts, with which the roles are assumed one after the other.
    pub through_sources: bool,
    /// Whether a token file that is set to nothing counts as there.
    pub empty_counts: bool,
    /// A token file without a role.
    pub without_role: OnFailure,
    /// The shortest token that is sent, in bytes.
    pub least_token: usize,
    /// It cannot be used.
    pub fails: OnFailure,
    /// It is not even tried.
    pub crashes: bool,
}

impl ProfileWebIdentity {
    /// One in this file's profile, of which every failure leads on.
    #[must_use]
    pub const fn of(file: ProfileFile) -> Self {
        Self {
            file,
            by: None,
            unless_variables: false,
            through_sources: false,
            empty_counts: false,
            without_role: OnFailure::Next,
            least_token: 0,
            fails: OnFailure::Next,
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
    pub alone: RoleWithoutSource,
    /// Both sources.
    pub both: OnFailure,
    /// The source profile does not exist.
    pub missing: OnFailure,
    /// The source profile exists, and has no credentials.
    pub empty: OnFailure,
    /// The source profiles lead in a circle.
    pub circle: OnFailure,
    /// Which kinds of credentials a source profile may have.
    pub sources: Sources,
    /// The named sources that there are.
    pub named: &'static [NamedSource],
    /// Whether their names count in any case.
    pub named_in_any_case: bool,
    /// A named source that is not known.
    pub unknown: OnFailure,
    /// A named source that has nothing.
    pub named_empty: OnFailure,
    /// Whether `Ec2InstanceMetadata` minds that IMDS is disabled.
    pub minds_disabled: bool,
    /// A profile that wants a one-time password.
    pub mfa: Option<OnFailure>,
    /// Which region STS is called in.
    pub region: RoleRegion,
    /// STS refuses, or cannot be reached.
    pub fails: OnFailure,
}

/// Which region STS is called in to assume a profile's role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleRegion {
    /// That for the web identity.
    AsForWebIdentity,
    /// The same, and there must be one, even for an endpoint that is set.
    Must,
    /// One of its own, if there is none.
    OfItsOwn,
}

/// A source without a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutRole {
    /// It is passed over.
    Ignored,
    /// If it is a named one, it gives the credentials.
    NamedGives,
    /// A failure.
    Fails(OnFailure),
}

/// A role without a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleWithoutSource {
    /// The profile is none of this kind.
    NotThis,
    /// A failure.
    Fails(OnFailure),
    /// Whatever source is found later assumes the role: the Go SDKs, to which a source that is set to
    /// nothing is none.
    Later,
}

/// Which kinds of credentials a source profile may have, beside keys and a role with a source profile.
#[derive(Debug, Clone, Copy)]
pub struct Sources {
    /// A web identity.
    pub web_identity: bool,
    /// A program.
    pub process: bool,
    /// A role with a named source.
    pub named: bool,
    /// A sign-on, which fails.
    pub sign_on: Option<SsoRule>,
    /// Whether half a pair of keys is a failure, instead of nothing.
    pub half_fails: bool,
    /// Whether a profile may be its own source, by its keys.
    pub itself: bool,
}

impl Sources {
    /// Each kind that gives credentials, and the profile itself.
    pub const ALL: Self = Self {
        web_identity: true,
        process: true,
        named: true,
        sign_on: None,
        half_fails: false,
        itself: true,
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
    pub half: OnFailure,
    /// A secret without an id.
    pub other_half: OnFailure,
    /// A session token without either.
    pub token_alone: OnFailure,
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
            half: OnFailure::Next,
            other_half: OnFailure::Next,
            token_alone: OnFailure::Next,
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
    pub is_link: bool,
}

impl ProcessRule {
    /// A program in this file's profile.
    #[must_use]
    pub const fn of(file: ProfileFile) -> Self {
        Self { file, empty: OnFailure::Next, unless_role: false, is_link: false }
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
    pub then: OnFailure,
}

/// Container credentials.
#[derive(Debug, Clone, Copy)]
pub struct ContainerRule {
    /// Whether the relative variable decides, if both are set.
    pub relative_first: bool,
    /// Whether a variable that is set to nothing counts.
    pub empty_counts: bool,
    /// Which hosts may be called without TLS, beside 169.254.170.2 through the relative variable.
    pub hosts: Hosts,
    /// Another host.
    pub bad_host: OnFailure,
    /// How the token is read and sent.
    pub token: TokenRule,
    /// The endpoint refuses, or cannot be reached.
    pub fails: OnFailure,
}

/// Which hosts may be called without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hosts {
    /// Every loopback address, instead of 127.0.0.1 alone.
    pub loopback: bool,
    /// `localhost`.
    pub localhost: bool,
    /// 169.254.170.2.
    pub ecs: bool,
    /// 169.254.170.23.
    pub eks: bool,
    /// `[fd00:ec2::23]`.
    pub eks_ipv6: bool,
}

/// How the token for the container endpoint is read and sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenRule {
    /// Whether a token file is read at all; else the request has none.
    pub file: bool,
    /// Whether the token in the variable comes before the file.
    pub variable_first: bool,
    /// A file that cannot be read.
    pub unreadable: OnFailure,
    /// A token with a line break.
    pub line_break: LineBreak,
    /// Whether the file is read before it is known whether the source is wanted.
    pub read_first: bool,
}

/// What happens to a token with a line break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineBreak {
    /// It is sent.
    Sent,
    /// It is a failure.
    Fails(OnFailure),
    /// The request is made again without it at `localhost` and 127.0.0.1, and fails elsewhere.
    WithoutIt(OnFailure),
}

/// When IMDS counts as disabled by `AWS_EC2_METADATA_DISABLED`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disabled {
    /// By `true` in any case.
    True,
    /// By anything.
    Anything,
    /// By anything but `false`.
    NotFalse,
    /// By anything but `false` in any case, and also by nothing.
    NotFalseInAnyCase,
}
