//! The AWS SDKs for Java, version 1 and version 2: a chain swallows every exception of its links.

use super::{CONFIG, CREDENTIALS, ID, LOOPBACK_NAME_ECS_EKS, SECRET, SIGN_ON, SPECIFIED};
use crate::ini::{Dialect, Faults, Headers, Indented, Names, Trailing};
use crate::rules::{
    Alone, Container, Disabled, Empty, EmptyRegion, FileRule, Hosts, In, Join, Keys, LineBreak, Named,
    NoRegion, Process, ProfileKeys, ProfileName, ProfileWebIdentity, Region, Role, RoleRegion, Sdk, SignOn,
    Sources, Step, Then, Token, WebIdentity, WithoutRole,
};
use crate::{Picks, SdkId};

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
    config: Names::AsWritten,
    credentials: Names::AsWritten,
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
        ..Region::of(&["AWS_REGION"], &[In::Config], NoRegion::Fails)
    },
    instead: None,
    steps: &[
        // EnvironmentVariableCredentialsProvider
        Step::Keys(Keys {
            id: &["AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"],
            secret: &["AWS_SECRET_KEY", "AWS_SECRET_ACCESS_KEY"],
            empty_counts: false,
            trims: true,
            legacy: false,
            half: Then::Next,
            unless: None,
        }),
        // WebIdentityTokenCredentialsProvider; a role without a token ends in a StackOverflowError
        Step::WebIdentity(WebIdentity {
            empty: Empty::Set,
            filled_from: None,
            filled_by: None,
            without_role: Then::Next,
            without_token: Then::Error,
            least_token: 0,
            least_role: 1,
            fails: Then::Next,
        }),
        // ProfileCredentialsProvider; ProfileAssumeRoleCredentialsProvider: a source has keys
        Step::Role(Role {
            file: In::Credentials,
            unless_token_file: false,
            without_role: WithoutRole::Ignored,
            alone: Alone::Fails(Then::LeavesProfile),
            both: Then::LeavesProfile,
            missing: Then::LeavesProfile,
            empty: Then::LeavesProfile,
            circle: Then::LeavesProfile,
            sources: Sources { web_identity: false, process: false, half_fails: true, ..Sources::ALL },
            named: &[],
            named_in_any_case: false,
            unknown: Then::LeavesProfile,
            named_empty: Then::LeavesProfile,
            minds_disabled: true,
            mfa: None,
            region: RoleRegion::AsForWebIdentity,
            fails: Then::LeavesProfile,
        }),
        Step::Process(Process::of(In::Credentials)),
        Step::ProfileKeys(ProfileKeys { unless_role: true, ..ProfileKeys::of(In::Credentials) }),
        // EC2ContainerCredentialsProviderWrapper: one or the other; no token file
        Step::Container(Container {
            relative_first: true,
            empty_counts: true,
            hosts: Hosts { loopback: true, localhost: true, ecs: false, eks: false, eks_ipv6: false },
            bad_host: Then::Error,
            token: Token {
                file: false,
                variable_first: true,
                unreadable: Then::Error,
                line_break: LineBreak::Sent,
                read_first: false,
            },
            fails: Then::Error,
        }),
        Step::Imds(Disabled::True),
    ],
    at_end: Picks::Error,
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
    region: Region::of(&["AWS_REGION"], &[In::Both], NoRegion::Fine),
    instead: None,
    steps: &[
        // SystemSettingsCredentialsProvider
        Step::Keys(Keys {
            id: ID,
            secret: SECRET,
            empty_counts: false,
            trims: true,
            legacy: false,
            half: Then::Next,
            unless: None,
        }),
        // The STS client, the profile and IMDS's endpoint are all configured from the files.
        Step::FilesMustParse { then: Then::OnlyContainer, unless_keys: false },
        // WebIdentityTokenFileCredentialsProvider
        Step::WebIdentity(WebIdentity {
            empty: Empty::Set,
            filled_from: None,
            filled_by: None,
            without_role: Then::Next,
            without_token: Then::Next,
            least_token: 0,
            least_role: 1,
            fails: Then::Next,
        }),
        // ProfileCredentialsProvider; ProfileCredentialsUtils: the order of the kinds
        Step::ProfileWebIdentity(ProfileWebIdentity {
            fails: Then::LeavesProfile,
            ..ProfileWebIdentity::of(In::Both)
        }),
        Step::SignOn(SignOn { file: In::Both, any_of: SIGN_ON, then: Then::LeavesProfile }),
        Step::Role(Role {
            file: In::Both,
            unless_token_file: true,
            without_role: WithoutRole::Ignored,
            alone: Alone::NotThis,
            both: Then::LeavesProfile,
            missing: Then::LeavesProfile,
            empty: Then::LeavesProfile,
            circle: Then::LeavesProfile,
            sources: Sources { half_fails: true, itself: false, ..Sources::ALL },
            named: &[Named::Environment, Named::EcsContainer, Named::Ec2InstanceMetadata],
            named_in_any_case: false,
            unknown: Then::LeavesProfile,
            named_empty: Then::LeavesProfile,
            minds_disabled: true,
            mfa: None,
            region: RoleRegion::AsForWebIdentity,
            fails: Then::LeavesProfile,
        }),
        Step::Process(Process::of(In::Both)),
        Step::ProfileKeys(ProfileKeys::of(In::Both)),
        // ContainerCredentialsProvider
        Step::Container(Container {
            relative_first: true,
            empty_counts: false,
            hosts: LOOPBACK_NAME_ECS_EKS,
            bad_host: Then::Next,
            token: Token {
                file: true,
                variable_first: true,
                unreadable: Then::Next,
                line_break: LineBreak::Fails(Then::Next),
                read_first: false,
            },
            fails: Then::Next,
        }),
        // InstanceProfileCredentialsProvider; SystemSettingUtils.safeStringToBoolean throws for other words
        Step::Imds(Disabled::NotFalseInAnyCase),
    ],
    at_end: Picks::Error,
};
