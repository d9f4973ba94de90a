//! The AWS SDK for Kotlin: the chain swallows every exception of its links (`IdentityProviderChain` of
//! smithy-kotlin).

use super::*;

/// Version 1.5.
pub const KOTLIN: Sdk = Sdk {
    name: "Kotlin",
    version: "1.5",
    was_run: false,
    source: "awslabs/aws-sdk-kotlin: aws-runtime/aws-config, DefaultChainCredentialsProvider.kt, profile/ProfileChain.kt",
    profile: ProfileName { variables: &["AWS_PROFILE"], empty_counts: false },
    credentials: Some(CREDENTIALS),
    config: Some(CONFIG),
    dialect: SPECIFIED,
    merge: FileMerge::BySetting,
    profiles_need_config: false,
    // IMDS is asked last
    region: Region::of(&["AWS_REGION"], &[ProfileFile::Both], NoRegion::AsksImds),
    overridden_by: None,
    steps: &[
        Step::Keys(EnvKeysRule::USUAL),
        // StsWebIdentityProvider
        Step::WebIdentity(WebIdentityRule::usual(OnFailure::Next)),
        // loadAwsSharedConfig
        Step::FilesMustParse { on_failure: OnFailure::SkipProfile, unless_keys: false },
        // ProfileCredentialsProvider; ProfileChain.kt: the order of the kinds
        Step::Role(RoleRule {
            unless_token_file: true,
            without_role: WithoutRole::NamedSourceUsed,
            ..RoleRule::usual(OnFailure::SkipProfile)
        }),
        Step::ProfileWebIdentity(ProfileWebIdentity {
            without_role: OnFailure::SkipProfile,
            on_failure: OnFailure::SkipProfile,
            ..ProfileWebIdentity::of(ProfileFile::Both)
        }),
        Step::SignOn(SsoRule { any_of: SIGN_ON, on_failure: OnFailure::SkipProfile }),
        Step::Process(ProcessRule::of(ProfileFile::Both)),
        Step::ProfileKeys(ProfileKeys::of(ProfileFile::Both)),
        // EcsCredentialsProvider.kt
        Step::Container(ContainerRule::usual(OnFailure::Next)),
        // ImdsCredentialsProvider.kt
        Step::Imds(ImdsDisabled::True),
    ],
    at_end: CredentialSource::Error,
};
