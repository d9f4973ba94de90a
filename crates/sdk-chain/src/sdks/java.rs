//! The AWS SDKs for Java, version 1 and version 2: a chain swallows every exception of its links.

use super::*;

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
            trims: true,
            ..EnvKeysRule::USUAL
        }),
        // WebIdentityTokenCredentialsProvider; a role without a token ends in a StackOverflowError
        Step::WebIdentity(WebIdentityRule {
            empty: EmptyVariable::Set,
            without_token: OnFailure::Error,
            ..WebIdentityRule::usual(OnFailure::Next)
        }),
        // ProfileCredentialsProvider; ProfileAssumeRoleCredentialsProvider: a source has keys
        Step::Role(RoleRule {
            file: ProfileFile::Credentials,
            sources: Sources { web_identity: false, process: false, half_pair_fails: true, ..Sources::ALL },
            named_sources: &[],
            ..RoleRule::usual(OnFailure::SkipProfile)
        }),
        Step::Process(ProcessRule::of(ProfileFile::Credentials)),
        Step::ProfileKeys(ProfileKeys { unless_role: true, ..ProfileKeys::of(ProfileFile::Credentials) }),
        // EC2ContainerCredentialsProviderWrapper: one or the other; no token file
        Step::Container(ContainerRule {
            empty_counts: true,
            hosts: Hosts { loopback: true, localhost: true, ecs: false, eks: false, eks_ipv6: false },
            token: TokenRule {
                file: false,
                variable_first: true,
                line_break: LineBreak::Sent,
                ..TokenRule::usual(OnFailure::Error)
            },
            ..ContainerRule::usual(OnFailure::Error)
        }),
        Step::Imds(ImdsDisabled::True),
    ],
    at_end: CredentialSource::Error,
};

/// Version 2, with the sts module.
pub const V2: Sdk = Sdk {
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
        Step::Keys(EnvKeysRule { trims: true, ..EnvKeysRule::USUAL }),
        // The STS client, the profile and IMDS's endpoint are all configured from the files.
        Step::FilesMustParse { on_failure: OnFailure::OnlyContainer, unless_keys: false },
        // WebIdentityTokenFileCredentialsProvider
        Step::WebIdentity(WebIdentityRule {
            empty: EmptyVariable::Set,
            ..WebIdentityRule::usual(OnFailure::Next)
        }),
        // ProfileCredentialsProvider; ProfileCredentialsUtils: the order of the kinds
        Step::ProfileWebIdentity(ProfileWebIdentity {
            on_failure: OnFailure::SkipProfile,
            ..ProfileWebIdentity::of(ProfileFile::Both)
        }),
        Step::SignOn(SsoRule { any_of: SIGN_ON, on_failure: OnFailure::SkipProfile }),
        Step::Role(RoleRule {
            unless_token_file: true,
            without_source: RoleWithoutSource::Ignored,
            sources: Sources { half_pair_fails: true, own_keys: false, ..Sources::ALL },
            ..RoleRule::usual(OnFailure::SkipProfile)
        }),
        Step::Process(ProcessRule::of(ProfileFile::Both)),
        Step::ProfileKeys(ProfileKeys::of(ProfileFile::Both)),
        // ContainerCredentialsProvider
        Step::Container(ContainerRule {
            token: TokenRule { variable_first: true, ..TokenRule::usual(OnFailure::Next) },
            ..ContainerRule::usual(OnFailure::Next)
        }),
        // InstanceProfileCredentialsProvider; SystemSettingUtils.safeStringToBoolean throws for other words
        Step::Imds(ImdsDisabled::NotFalseInAnyCase),
    ],
    at_end: CredentialSource::Error,
};
