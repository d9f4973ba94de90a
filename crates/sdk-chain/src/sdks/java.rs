//! The AWS SDKs for Java, version 1 and version 2: a chain swallows every exception of its links.

use super::{CONFIG, CREDENTIALS, ID, LOOPBACK_NAME_ECS_EKS, SECRET, SIGN_ON, SPECIFIED};
use crate::dialect::{Dialect, Faults, HeaderStyle, Headers, Indented, Trailing};
use crate::rules::{
    ContainerRule, EmptyRegion, EmptyVariable, EnvKeysRule, FileMerge, FileRule, Hosts, ImdsDisabled,
    LineBreak, NamedSource, NoRegion, OnFailure, ProcessRule, ProfileFile, ProfileKeys, ProfileName,
    ProfileWebIdentity, Region, RoleRegion, RoleRule, RoleWithoutSource, Sdk, Sources, SsoRule, Step,
    TokenRule, WebIdentityRule, WithoutRole,
};
use crate::{CredentialSource, SdkId};

/// `AbstractProfilesConfigFileScanner` and `BasicProfileConfigLoader`: a header is a profile's name,
/// with or without `profile `.
const V1_DIALECT: Dialect = Dialect {
    colon: false,
    inline_comments: false,
    folds_names: false,
    drops_empty: true,
    indented: Indented::Line,
    faults: Faults::Specification,
    headers: Headers { must_name: true, trailing: Trailing::NoHeader, ..SPECIFIED.headers },
    config: HeaderStyle::AsWritten,
    credentials: HeaderStyle::AsWritten,
    ..SPECIFIED
};

/// Version 1, with the sts module.
pub const V1: Sdk = Sdk {
    id: SdkId::JavaV1,
    name: "Java v1",
    version: "1.11.901",
    was_run: true,
    source: "aws/aws-sdk-java: aws-java-sdk-core, com.amazonaws.auth.DefaultAWSCredentialsProviderChain",
    profile: ProfileName { variables: &["AWS_PROFILE"], empty_counts: false },
    // AwsProfileFileLocationProvider.DEFAULT_CREDENTIALS_LOCATION_PROVIDER
    credentials: Some(FileRule {
        variable: Some("AWS_CREDENTIAL_PROFILES_FILE"),
        empty_counts: false,
        tilde: false,
        or_config: true,
    }),
    config: Some(FileRule { variable: Some("AWS_CONFIG_FILE"), tilde: false, ..CREDENTIALS }),
    dialect: V1_DIALECT,
    merge: FileMerge::BySetting,
    profiles_need_config: false,
    // DefaultAwsRegionProviderChain: the variable, the config file's profile, IMDS
    region: Region {
        empty: EmptyRegion::Counts,
        ..Region::of(&["AWS_REGION"], &[ProfileFile::Config], NoRegion::Fails)
    },
    overridden_by: None,
    steps: &[
        // EnvironmentVariableCredentialsProvider
        Step::Keys(EnvKeysRule {
            id: &["AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"],
            secret: &["AWS_SECRET_KEY", "AWS_SECRET_ACCESS_KEY"],
            empty_counts: false,
            trims: true,
            legacy: false,
            secret_missing: OnFailure::Next,
            unless: None,
        }),
        // WebIdentityTokenCredentialsProvider; a role without a token ends in a StackOverflowError
        Step::WebIdentity(WebIdentityRule {
            empty: EmptyVariable::Set,
            profile_file: None,
            profile_name: None,
            without_role: OnFailure::Next,
            without_token: OnFailure::Error,
            min_token_bytes: 0,
            min_role_chars: 1,
            on_failure: OnFailure::Next,
        }),
        // ProfileCredentialsProvider; ProfileAssumeRoleCredentialsProvider: a source has keys
        Step::Role(RoleRule {
            file: ProfileFile::Credentials,
            unless_token_file: false,
            without_role: WithoutRole::Ignored,
            without_source: RoleWithoutSource::Fails(OnFailure::SkipProfile),
            two_sources: OnFailure::SkipProfile,
            source_missing: OnFailure::SkipProfile,
            source_empty: OnFailure::SkipProfile,
            source_cycle: OnFailure::SkipProfile,
            sources: Sources { web_identity: false, process: false, half_pair_fails: true, ..Sources::ALL },
            named_sources: &[],
            named_ignore_case: false,
            named_unknown: OnFailure::SkipProfile,
            named_empty: OnFailure::SkipProfile,
            obeys_imds_disabled: true,
            mfa: None,
            region: RoleRegion::AsForWebIdentity,
            on_failure: OnFailure::SkipProfile,
        }),
        Step::Process(ProcessRule::of(ProfileFile::Credentials)),
        Step::ProfileKeys(ProfileKeys { unless_role: true, ..ProfileKeys::of(ProfileFile::Credentials) }),
        // EC2ContainerCredentialsProviderWrapper: one or the other; no token file
        Step::Container(ContainerRule {
            relative_first: true,
            empty_counts: true,
            hosts: Hosts { loopback: true, localhost: true, ecs: false, eks: false, eks_ipv6: false },
            bad_host: OnFailure::Error,
            token: TokenRule {
                file: false,
                variable_first: true,
                unreadable: OnFailure::Error,
                line_break: LineBreak::Sent,
                read_first: false,
            },
            on_failure: OnFailure::Error,
        }),
        Step::Imds(ImdsDisabled::True),
    ],
    at_end: CredentialSource::Error,
};

/// Version 2, with the sts module.
pub const V2: Sdk = Sdk {
    id: SdkId::JavaV2,
    name: "Java v2",
    version: "2.57.8",
    was_run: true,
    source: "aws/aws-sdk-java-v2: core/auth, DefaultCredentialsProvider, AwsCredentialsProviderChain",
    profile: ProfileName { variables: &["AWS_PROFILE"], empty_counts: true },
    credentials: Some(FileRule { empty_counts: true, ..CREDENTIALS }),
    config: Some(FileRule { empty_counts: true, ..CONFIG }),
    dialect: Dialect { folds_names: false, ..SPECIFIED },
    merge: FileMerge::BySetting,
    profiles_need_config: false,
    // StsWebIdentityCredentialsProviderFactory: us-east-1 where the default chain finds none
    region: Region::of(&["AWS_REGION"], &[ProfileFile::Both], NoRegion::Global),
    overridden_by: None,
    steps: &[
        // SystemSettingsCredentialsProvider
        Step::Keys(EnvKeysRule {
            id: ID,
            secret: SECRET,
            empty_counts: false,
            trims: true,
            legacy: false,
            secret_missing: OnFailure::Next,
            unless: None,
        }),
        // The STS client, the profile and IMDS's endpoint are all configured from the files.
        Step::FilesMustParse { on_failure: OnFailure::OnlyContainer, unless_keys: false },
        // WebIdentityTokenFileCredentialsProvider
        Step::WebIdentity(WebIdentityRule {
            empty: EmptyVariable::Set,
            profile_file: None,
            profile_name: None,
            without_role: OnFailure::Next,
            without_token: OnFailure::Next,
            min_token_bytes: 0,
            min_role_chars: 1,
            on_failure: OnFailure::Next,
        }),
        // ProfileCredentialsProvider; ProfileCredentialsUtils: the order of the kinds
        Step::ProfileWebIdentity(ProfileWebIdentity {
            on_failure: OnFailure::SkipProfile,
            ..ProfileWebIdentity::of(ProfileFile::Both)
        }),
        Step::SignOn(SsoRule {
            file: ProfileFile::Both,
            any_of: SIGN_ON,
            on_failure: OnFailure::SkipProfile,
        }),
        Step::Role(RoleRule {
            file: ProfileFile::Both,
            unless_token_file: true,
            without_role: WithoutRole::Ignored,
            without_source: RoleWithoutSource::Ignored,
            two_sources: OnFailure::SkipProfile,
            source_missing: OnFailure::SkipProfile,
            source_empty: OnFailure::SkipProfile,
            source_cycle: OnFailure::SkipProfile,
            sources: Sources { half_pair_fails: true, own_keys: false, ..Sources::ALL },
            named_sources: &[
                NamedSource::Environment,
                NamedSource::EcsContainer,
                NamedSource::Ec2InstanceMetadata,
            ],
            named_ignore_case: false,
            named_unknown: OnFailure::SkipProfile,
            named_empty: OnFailure::SkipProfile,
            obeys_imds_disabled: true,
            mfa: None,
            region: RoleRegion::AsForWebIdentity,
            on_failure: OnFailure::SkipProfile,
        }),
        Step::Process(ProcessRule::of(ProfileFile::Both)),
        Step::ProfileKeys(ProfileKeys::of(ProfileFile::Both)),
        // ContainerCredentialsProvider
        Step::Container(ContainerRule {
            relative_first: true,
            empty_counts: false,
            hosts: LOOPBACK_NAME_ECS_EKS,
            bad_host: OnFailure::Next,
            token: TokenRule {
                file: true,
                variable_first: true,
                unreadable: OnFailure::Next,
                line_break: LineBreak::Fails(OnFailure::Next),
                read_first: false,
            },
            on_failure: OnFailure::Next,
        }),
        // InstanceProfileCredentialsProvider; SystemSettingUtils.safeStringToBoolean throws for other words
        Step::Imds(ImdsDisabled::NotFalseInAnyCase),
    ],
    at_end: CredentialSource::Error,
};
