//! The AWS SDK for C++: whatever a provider fails with, it gives empty credentials, which lead on.

use super::*;

/// The profile provider of aws-c-sdkutils.
const DIALECT: Dialect = Dialect {
    folds_names: false,
    headers: Headers { trailing: Trailing::Ignored, ..SPECIFIED.headers },
    ..SPECIFIED
};

/// The core of the SDK, as pyarrow has it. That the web identity of a profile ends the process, and that
/// only `AWS_PROFILE` selects one, was seen when it was run.
pub const CPP: Sdk = Sdk {
    name: "C++",
    version: "1.11.900",
    was_run: true,
    source: "aws/aws-sdk-cpp: src/aws-cpp-sdk-core/source/auth/AWSCredentialsProviderChain.cpp",
    profile: ProfileName { variables: &["AWS_PROFILE"], empty_counts: true },
    credentials: Some(FileRule { empty_counts: true, tilde: false, ..CREDENTIALS }),
    config: Some(FileRule { empty_counts: true, tilde: false, ..CONFIG }),
    dialect: DIALECT,
    merge: FileMerge::BySetting,
    profiles_need_config: false,
    region: Region::of(&["AWS_DEFAULT_REGION", "AWS_REGION"], &[ProfileFile::Config], NoRegion::Fails),
    overridden_by: None,
    steps: &[
        // EnvironmentAWSCredentialsProvider
        Step::Keys(EnvKeysRule::USUAL),
        Step::ProfileWebIdentity(ProfileWebIdentity {
            empty_counts: true,
            crashes: true,
            ..ProfileWebIdentity::of(ProfileFile::Both)
        }),
        // ProfileConfigFileAWSCredentialsProvider
        Step::ProfileKeys(ProfileKeys { unless_role: true, ..ProfileKeys::of(ProfileFile::Both) }),
        // ProcessCredentialsProvider
        Step::Process(ProcessRule { unless_role: true, ..ProcessRule::of(ProfileFile::Both) }),
        // STSAssumeRoleWebIdentityCredentialsProvider: each setting from its variable, or the profile
        Step::WebIdentity(WebIdentityRule {
            profile_file: Some(ProfileFile::Both),
            profile_name: Some(ProfileName {
                variables: &["AWS_DEFAULT_PROFILE", "AWS_PROFILE"],
                empty_counts: false,
            }),
            ..WebIdentityRule::usual(OnFailure::Next)
        }),
        Step::SignOn(SsoRule { any_of: SIGN_ON, on_failure: OnFailure::Next }),
        // GeneralHTTPCredentialsProvider, or InstanceProfileCredentialsProvider
        Step::Container(ContainerRule {
            token: TokenRule { line_break: LineBreak::Sent, ..TokenRule::usual(OnFailure::Nothing) },
            ..ContainerRule::usual(OnFailure::Nothing)
        }),
        Step::Imds(ImdsDisabled::True),
    ],
    at_end: CredentialSource::Nothing,
};
