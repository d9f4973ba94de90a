//! The AWS SDK for Swift: the profile comes before the web identity, and every failure leads on.

use super::{CONFIG, CREDENTIALS, ID, LOOPBACK_NAME_ECS_EKS, SECRET, SPECIFIED};
use crate::dialect::{Dialect, Faults};
use crate::rules::{
    ContainerRule, EmptyVariable, EnvKeysRule, FileMerge, Hosts, ImdsDisabled, LineBreak, NamedSource,
    NoRegion, OnFailure, ProcessRule, ProfileFile, ProfileKeys, ProfileName, ProfileWebIdentity, Region,
    RoleRegion, RoleRule, RoleWithoutSource, Sdk, Sources, Step, TokenRule, WebIdentityRule, WithoutRole,
};
use crate::{CredentialSource, SdkId};

/// Version 1.
pub const SWIFT: Sdk = Sdk {
    id: SdkId::Swift,
    name: "Swift",
    version: "1",
    was_run: false,
    source: "awslabs/aws-sdk-swift: DefaultAWSCredentialIdentityResolverChain.swift",
    profile: ProfileName { variables: &["AWS_PROFILE"], empty_counts: true },
    credentials: Some(CREDENTIALS),
    config: Some(CONFIG),
    dialect: Dialect { faults: Faults::None, ..SPECIFIED },
    merge: FileMerge::BySetting,
    profiles_need_config: false,
    region: Region::of(&["AWS_REGION"], &[ProfileFile::Both], NoRegion::Fails),
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
        // ProfileAWSCredentialIdentityResolver: credentialResolvers, each failure of which leads to the next
        Step::ProfileKeys(ProfileKeys::of(ProfileFile::Both)),
        Step::Role(RoleRule {
            file: ProfileFile::Both,
            unless_token_file: false,
            without_role: WithoutRole::Ignored,
            without_source: RoleWithoutSource::Ignored,
            two_sources: OnFailure::Next,
            source_missing: OnFailure::Next,
            source_empty: OnFailure::Next,
            source_cycle: OnFailure::Next,
            sources: Sources { own_keys: false, ..Sources::ALL },
            named_sources: &[
                NamedSource::Environment,
                NamedSource::EcsContainer,
                NamedSource::Ec2InstanceMetadata,
            ],
            named_ignore_case: false,
            named_unknown: OnFailure::Next,
            named_empty: OnFailure::Next,
            obeys_imds_disabled: true,
            mfa: None,
            region: RoleRegion::AsForWebIdentity,
            on_failure: OnFailure::Next,
        }),
        Step::ProfileWebIdentity(ProfileWebIdentity::of(ProfileFile::Both)),
        Step::Process(ProcessRule::of(ProfileFile::Both)),
        // STSWebIdentityAWSCredentialIdentityResolver: the variables
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
        // ECSAWSCredentialIdentityResolver: no IPv6 host
        Step::Container(ContainerRule {
            relative_first: true,
            empty_counts: false,
            hosts: Hosts { eks_ipv6: false, ..LOOPBACK_NAME_ECS_EKS },
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
        Step::Imds(ImdsDisabled::True),
    ],
    at_end: CredentialSource::Error,
};
