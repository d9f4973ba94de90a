//! The AWS SDK for .NET, version 3 and version 4: a source is chosen by what is configured, and what it
//! then fails with ends the search.

use super::*;

/// `EnvironmentVariablesAWSCredentials`.
const KEYS: Step = Step::Keys(EnvKeysRule::USUAL);
/// `AssumeRoleWithWebIdentityCredentials.FromEnvironmentVariables`: its constructor takes neither null nor
/// nothing; the call is made when the credentials are used.
const WEB_IDENTITY: Step = Step::WebIdentity(WebIdentityRule::usual(OnFailure::Error));
/// `CredentialProfileTypeDetector` and `AWSCredentialsFactory`: the chain goes on after what is thrown
/// before STS is called.
const ROLE: Step = Step::Role(RoleRule {
    unless_token_file: true,
    without_source: RoleWithoutSource::Ignored,
    two_sources: OnFailure::SkipProfile,
    source_missing: OnFailure::SkipProfile,
    source_empty: OnFailure::SkipProfile,
    source_cycle: OnFailure::SkipProfile,
    sources: Sources { own_keys: false, ..Sources::ALL },
    named_ignore_case: true,
    named_unknown: OnFailure::SkipProfile,
    named_empty: OnFailure::SkipProfile,
    mfa: Some(OnFailure::SkipProfile),
    ..RoleRule::usual(OnFailure::Error)
});
const PROFILE_WEB_IDENTITY: Step = Step::ProfileWebIdentity(ProfileWebIdentity {
    on_failure: OnFailure::Error,
    ..ProfileWebIdentity::of(ProfileFile::Both)
});
const PROFILE_SIGN_ON: Step = Step::SignOn(SsoRule { any_of: SIGN_ON, on_failure: OnFailure::SkipProfile });
const PROFILE_KEYS: Step = Step::ProfileKeys(ProfileKeys::of(ProfileFile::Both));
/// `GenericContainerCredentials`, or the instance profile.
const CONTAINER: Step = Step::Container(ContainerRule::usual(OnFailure::Error));

/// Version 3: the web identity and the profile come before keys in the environment.
pub const V3: Sdk = Sdk {
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
