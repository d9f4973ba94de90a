//! The AWS SDK for .NET, version 3 and version 4: a source is chosen by what is configured, and what it
//! then fails with ends the search.

use super::{CONFIG, CREDENTIALS, ID, LOOPBACK_NAME_ECS_EKS, SECRET, SIGN_ON, SPECIFIED};
use crate::dialect::{Dialect, Faults};
use crate::rules::{
    ContainerRule, EmptyVariable, EnvKeysRule, FileMerge, ImdsDisabled, LineBreak, NamedSource, NoRegion,
    OnFailure, ProcessRule, ProfileFile, ProfileKeys, ProfileName, ProfileWebIdentity, Region, RoleRegion,
    RoleRule, RoleWithoutSource, Sdk, Sources, SsoRule, Step, TokenRule, WebIdentityRule, WithoutRole,
};
use crate::{CredentialSource, SdkId};

/// `EnvironmentVariablesAWSCredentials`.
const KEYS: Step = Step::Keys(EnvKeysRule {
    id: ID,
    secret: SECRET,
    empty_counts: false,
    trims: false,
    legacy: false,
    secret_missing: OnFailure::Next,
    unless: None,
});
/// `AssumeRoleWithWebIdentityCredentials.FromEnvironmentVariables`: its constructor takes neither null nor
/// nothing; the call is made when the credentials are used.
const WEB_IDENTITY: Step = Step::WebIdentity(WebIdentityRule {
    empty: EmptyVariable::Unset,
    profile_file: None,
    profile_name: None,
    without_role: OnFailure::Next,
    without_token: OnFailure::Next,
    min_token_bytes: 0,
    min_role_chars: 1,
    on_failure: OnFailure::Error,
});
/// `CredentialProfileTypeDetector` and `AWSCredentialsFactory`: the chain goes on after what is thrown
/// before STS is called.
const ROLE: Step = Step::Role(RoleRule {
    file: ProfileFile::Both,
    unless_token_file: true,
    without_role: WithoutRole::Ignored,
    without_source: RoleWithoutSource::Ignored,
    two_sources: OnFailure::SkipProfile,
    source_missing: OnFailure::SkipProfile,
    source_empty: OnFailure::SkipProfile,
    source_cycle: OnFailure::SkipProfile,
    sources: Sources { own_keys: false, ..Sources::ALL },
    named_sources: &[NamedSource::Environment, NamedSource::EcsContainer, NamedSource::Ec2InstanceMetadata],
    named_ignore_case: true,
    named_unknown: OnFailure::SkipProfile,
    named_empty: OnFailure::SkipProfile,
    obeys_imds_disabled: true,
    mfa: Some(OnFailure::SkipProfile),
    region: RoleRegion::AsForWebIdentity,
    on_failure: OnFailure::Error,
});
const PROFILE_WEB_IDENTITY: Step = Step::ProfileWebIdentity(ProfileWebIdentity {
    on_failure: OnFailure::Error,
    ..ProfileWebIdentity::of(ProfileFile::Both)
});
const PROFILE_SIGN_ON: Step =
    Step::SignOn(SsoRule { file: ProfileFile::Both, any_of: SIGN_ON, on_failure: OnFailure::SkipProfile });
const PROFILE_KEYS: Step = Step::ProfileKeys(ProfileKeys::of(ProfileFile::Both));
/// `GenericContainerCredentials`, or the instance profile.
const CONTAINER: Step = Step::Container(ContainerRule {
    relative_first: true,
    empty_counts: false,
    hosts: LOOPBACK_NAME_ECS_EKS,
    bad_host: OnFailure::Error,
    token: TokenRule {
        file: true,
        variable_first: false,
        unreadable: OnFailure::Error,
        line_break: LineBreak::Fails(OnFailure::Error),
        read_first: false,
    },
    on_failure: OnFailure::Error,
});

/// Version 3: the web identity and the profile come before keys in the environment.
pub const V3: Sdk = Sdk {
    id: SdkId::DotNet3,
    name: ".NET v3",
    version: "AWSSDK.Core 3.7",
    was_run: false,
    source: "aws/aws-sdk-net (v3): sdk/src/Core/Amazon.Runtime/Credentials/FallbackCredentialsFactory.cs",
    profile: ProfileName { variables: &["AWS_PROFILE"], empty_counts: false },
    credentials: Some(CREDENTIALS),
    config: Some(CONFIG),
    dialect: Dialect { faults: Faults::None, ..SPECIFIED },
    merge: FileMerge::BySetting,
    profiles_need_config: false,
    region: Region::of(&["AWS_REGION"], &[ProfileFile::Both], NoRegion::Global),
    overridden_by: None,
    steps: &[
        WEB_IDENTITY,
        ROLE,
        PROFILE_WEB_IDENTITY,
        PROFILE_SIGN_ON,
        Step::Process(ProcessRule::of(ProfileFile::Both)),
        PROFILE_KEYS,
        KEYS,
        CONTAINER,
        Step::Imds(ImdsDisabled::True),
    ],
    at_end: CredentialSource::Error,
};

/// Version 4.
pub const V4: Sdk = Sdk {
    id: SdkId::DotNet4,
    name: ".NET v4",
    version: "AWSSDK.Core 4.0",
    source: "aws/aws-sdk-net: sdk/src/Core/Amazon.Runtime/Credentials/DefaultAWSCredentialsIdentityResolver.cs",
    steps: &[
        KEYS,
        WEB_IDENTITY,
        // ProfileNotFoundException
        Step::ProfileMustExist { variables: &["AWS_PROFILE"], empty_counts: false, even_default: false },
        ROLE,
        PROFILE_WEB_IDENTITY,
        PROFILE_SIGN_ON,
        Step::Process(ProcessRule::of(ProfileFile::Both)),
        PROFILE_KEYS,
        CONTAINER,
        Step::Imds(ImdsDisabled::True),
    ],
    ..V3
};
