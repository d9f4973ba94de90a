//! The AWS SDKs for Java, version 1 and version 2: a chain swallows every exception of its links.

use super::{CONFIG, CREDENTIALS, ID, LOOPBACK_NAME_ECS_EKS, SECRET, SIGN_ON, SPECIFIED};
use crate::dialect::{Dialect, Faults, HeaderStyle, Headers, Indented, Trailing};
use crate::rules::{
    ContainerRule, Disabled, Empty, EmptyRegion, EnvKeysRule, FileRule, Hosts, Join, LineBreak, NamedSource,
    NoRegion, OnFailure, ProcessRule, ProfileFile, ProfileKeys, ProfileName, ProfileWebIdentity, Region,
    RoleRegion, RoleRule, RoleWithoutSource, Sdk, Sources, SsoRule, Step, TokenRule, WebIdentityRule,
    WithoutRole,
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
    join: Join::BySetting,
    profiles_need_config: false,
    // DefaultAwsRegionProviderChain: the variable, the config file's profile, IMDS
    region: Region {
        empty: EmptyRegion::Counts,
        ..Region::of(&["AWS_REGION"], &[ProfileFile::Config], NoRegion::Fails)
    },
    instead: None,
    steps: &[
        // EnvironmentVariableCredentialsProvider
        Step::Keys(EnvKeysRule {
            id: &["AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"],
            secret: &["AWS_SECRET_KEY", "AWS_SECRET_ACCESS_KEY"],
            empty_counts: false,
            trims: true,
            legacy: false,
            half: OnFailure::Next,
            unless: None,
        }),
        // WebIdentityTokenCredentialsProvider; a role without a token ends in a StackOverflowError
        Step::WebIdentity(WebIdentityRule {
            empty: Empty::Set,
            filled_from: None,
            filled_by: None,
            without_role: OnFailure::Next,
            without_token: OnFailure::Error,
            least_token: 0,
            least_role: 1,
            fails: OnFailure::Next,
        }),
        // ProfileCredentialsProvider; ProfileAssumeRoleCredentialsProvider: a source has keys
        Step::Role(RoleRule {
            file: ProfileFile::Credentials,
            unless_token_file: false,
            without_role: WithoutRole::Ignored,
            alone: RoleWithoutSource::Fails(OnFailure::LeavesProfile),
            both: OnFailure::LeavesProfile,
            missing: OnFailure::LeavesProfile,
            empty: OnFailure::LeavesProfile,
            circle: OnFailure::LeavesProfile,
            sources: Sources { web_identity: false, process: false, half_fails: true, ..Sources::ALL },
            named: &[],
            named_in_any_case: false,
            unknown: OnFailure::LeavesProfile,
            named_empty: OnFailure::LeavesProfile,
            minds_disabled: true,
            mfa: None,
            region: RoleRegion::AsForWebIdentity,
            fails: OnFailure::LeavesProfile,
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
            fails: OnFailure::Error,
        }),
        Step::Imds(Disabled::True),
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
    join: Join::BySetting,
    profiles_need_config: false,
    // StsWebIdentityCredentialsProviderFactory: us-east-1 where the default chain finds none
    region: Region::of(&["AWS_REGION"], &[ProfileFile::Both], NoRegion::Fine),
    instead: None,
    steps: &[
        // SystemSettingsCredentialsProvider
        Step::Keys(EnvKeysRule {
            id: ID,
            secret: SECRET,
            empty_counts: false,
            trims: true,
            legacy: false,
            half: OnFailure::Next,
            unless: None,
        }),
        // The STS client, the profile and IMDS's endpoint are all configured from the files.
        Step::FilesMustParse { then: OnFailure::OnlyContainer, unless_keys: false },
        // WebIdentityTokenFileCredentialsProvider
        Step::WebIdentity(WebIdentityRule {
            empty: Empty::Set,
            filled_from: None,
            filled_by: None,
            without_role: OnFailure::Next,
            without_token: OnFailure::Next,
            least_token: 0,
            least_role: 1,
            fails: OnFailure::Next,
        }),
        // ProfileCredentialsProvider; ProfileCredentialsUtils: the order of the kinds
        Step::ProfileWebIdentity(ProfileWebIdentity {
            fails: OnFailure::LeavesProfile,
            ..ProfileWebIdentity::of(ProfileFile::Both)
        }),
        Step::SignOn(SsoRule { file: ProfileFile::Both, any_of: SIGN_ON, then: OnFailure::LeavesProfile }),
        Step::Role(RoleRule {
            file: ProfileFile::Both,
            unless_token_file: true,
            without_role: WithoutRole::Ignored,
            alone: RoleWithoutSource::NotThis,
            both: OnFailure::LeavesProfile,
            missing: OnFailure::LeavesProfile,
            empty: OnFailure::LeavesProfile,
            circle: OnFailure::LeavesProfile,
            sources: Sources { half_fails: true, itself: false, ..Sources::ALL },
            named: &[NamedSource::Environment, NamedSource::EcsContainer, NamedSource::Ec2InstanceMetadata],
            named_in_any_case: false,
            unknown: OnFailure::LeavesProfile,
            named_empty: OnFailure::LeavesProfile,
            minds_disabled: true,
            mfa: None,
            region: RoleRegion::AsForWebIdentity,
            fails: OnFailure::LeavesProfile,
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
            fails: OnFailure::Next,
        }),
        // InstanceProfileCredentialsProvider; SystemSettingUtils.safeStringToBoolean throws for other words
        Step::Imds(Disabled::NotFalseInAnyCase),
    ],
    at_end: CredentialSource::Error,
};
