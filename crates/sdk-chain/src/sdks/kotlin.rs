//! The AWS SDK for Kotlin: the chain swallows every exception of its links (`IdentityProviderChain` of
//! smithy-kotlin).

use super::{CONFIG, CREDENTIALS, ID, LOOPBACK_NAME_ECS_EKS, SECRET, SIGN_ON, SPECIFIED};
use crate::rules::{
    ContainerRule, Disabled, Empty, EnvKeysRule, Join, LineBreak, NamedSource, NoRegion, OnFailure,
    ProcessRule, ProfileFile, ProfileKeys, ProfileName, ProfileWebIdentity, Region, RoleRegion, RoleRule,
    RoleWithoutSource, Sdk, Sources, SsoRule, Step, TokenRule, WebIdentityRule, WithoutRole,
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
    join: Join::BySetting,
    profiles_need_config: false,
    // IMDS is asked last
    region: Region::of(&["AWS_REGION"], &[ProfileFile::Both], NoRegion::AsksImds),
    instead: None,
    steps: &[
        Step::Keys(EnvKeysRule {
            id: ID,
            secret: SECRET,
            empty_counts: false,
            trims: false,
            legacy: false,
            half: OnFailure::Next,
            unless: None,
        }),
        // StsWebIdentityProvider
        Step::WebIdentity(WebIdentityRule {
            empty: Empty::Unset,
            filled_from: None,
            filled_by: None,
            without_role: OnFailure::Next,
            without_token: OnFailure::Next,
            least_token: 0,
            least_role: 1,
            fails: OnFailure::Next,
        }),
        // loadAwsSharedConfig
        Step::FilesMustParse { then: OnFailure::LeavesProfile, unless_keys: false },
        // ProfileCredentialsProvider; ProfileChain.kt: the order of the kinds
        Step::Role(RoleRule {
            file: ProfileFile::Both,
            unless_token_file: true,
            without_role: WithoutRole::NamedGives,
            alone: RoleWithoutSource::Fails(OnFailure::LeavesProfile),
            both: OnFailure::LeavesProfile,
            missing: OnFailure::LeavesProfile,
            empty: OnFailure::LeavesProfile,
            circle: OnFailure::LeavesProfile,
            sources: Sources::ALL,
            named: &[NamedSource::Environment, NamedSource::EcsContainer, NamedSource::Ec2InstanceMetadata],
            named_in_any_case: false,
            unknown: OnFailure::LeavesProfile,
            named_empty: OnFailure::LeavesProfile,
            minds_disabled: true,
            mfa: None,
            region: RoleRegion::AsForWebIdentity,
            fails: OnFailure::LeavesProfile,
        }),
        Step::ProfileWebIdentity(ProfileWebIdentity {
            without_role: OnFailure::LeavesProfile,
            fails: OnFailure::LeavesProfile,
            ..ProfileWebIdentity::of(ProfileFile::Both)
        }),
        Step::SignOn(SsoRule { file: ProfileFile::Both, any_of: SIGN_ON, then: OnFailure::LeavesProfile }),
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
            fails: OnFailure::Next,
        }),
        // ImdsCredentialsProvider.kt
        Step::Imds(Disabled::True),
    ],
    at_end: CredentialSource::Error,
};
