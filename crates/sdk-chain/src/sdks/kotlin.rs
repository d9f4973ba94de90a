//! The AWS SDK for Kotlin: the chain swallows every exception of its links (`IdentityProviderChain` of
//! smithy-kotlin).

use super::{CONFIG, CREDENTIALS, ID, LOOPBACK_NAME_ECS_EKS, SECRET, SIGN_ON, SPECIFIED};
use crate::rules::{
    ContainerRule, EmptyVariable, EnvKeysRule, FileMerge, ImdsDisabled, LineBreak, NamedSource, NoRegion,
    OnFailure, ProcessRule, ProfileFile, ProfileKeys, ProfileName, ProfileWebIdentity, Region, RoleRegion,
    RoleRule, RoleWithoutSource, Sdk, Sources, SsoRule, Step, TokenRule, WebIdentityRule, WithoutRole,
};
use crate::{CredentialSource, SdkId};

/// Version 1.5.
pub const KOTLIN: Sdk = Sdk {
    id: SdkId::Kotlin,
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
        Step::Keys(EnvKeysRule {
            id: ID,
            secret: SECRET,
            empty_counts: false,
            trims: false,
            legacy: false,
            secret_missing: OnFailure::Next,
            unless: None,
        }),
        // StsWebIdentityProvider
        Step::WebIdentity(WebIdentityRule {
            empty: EmptyVariable::Unset,
            profile_file: None,
            profile_name: None,
            without_role: OnFailure::Next,
            without_token: OnFailure::Next,
            min_token_bytes: 0,
            min_role_chars: 1,
            on_failure: OnFailure::Next,
        }),
        // loadAwsSharedConfig
        Step::FilesMustParse { on_failure: OnFailure::SkipProfile, unless_keys: false },
        // ProfileCredentialsProvider; ProfileChain.kt: the order of the kinds
        Step::Role(RoleRule {
            file: ProfileFile::Both,
            unless_token_file: true,
            without_role: WithoutRole::NamedSourceUsed,
            without_source: RoleWithoutSource::Fails(OnFailure::SkipProfile),
            two_sources: OnFailure::SkipProfile,
            source_missing: OnFailure::SkipProfile,
            source_empty: OnFailure::SkipProfile,
            source_cycle: OnFailure::SkipProfile,
            sources: Sources::ALL,
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
        Step::ProfileWebIdentity(ProfileWebIdentity {
            without_role: OnFailure::SkipProfile,
            on_failure: OnFailure::SkipProfile,
            ..ProfileWebIdentity::of(ProfileFile::Both)
        }),
        Step::SignOn(SsoRule {
            file: ProfileFile::Both,
            any_of: SIGN_ON,
            on_failure: OnFailure::SkipProfile,
        }),
        Step::Process(ProcessRule::of(ProfileFile::Both)),
        Step::ProfileKeys(ProfileKeys::of(ProfileFile::Both)),
        // EcsCredentialsProvider.kt
        Step::Container(ContainerRule {
            relative_first: true,
            empty_counts: false,
            hosts: LOOPBACK_NAME_ECS_EKS,
            bad_host: OnFailure::Next,
            token: TokenRule {
                file: true,
                variable_first: false,
                unreadable: OnFailure::Next,
                line_break: LineBreak::Fails(OnFailure::Next),
                read_first: false,
            },
            on_failure: OnFailure::Next,
        }),
        // ImdsCredentialsProvider.kt
        Step::Imds(ImdsDisabled::True),
    ],
    at_end: CredentialSource::Error,
};
