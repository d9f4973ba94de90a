//! The AWS SDK for Swift: the profile comes before the web identity, and every failure leads on.

use super::{CONFIG, CREDENTIALS, ID, LOOPBACK_NAME_ECS_EKS, SECRET, SPECIFIED};
use crate::dialect::{Dialect, Faults};
use crate::rules::{
    ContainerRule, Disabled, Empty, EnvKeysRule, Hosts, Join, LineBreak, NamedSource, NoRegion, OnFailure,
    ProcessRule, ProfileFile, ProfileKeys, ProfileName, ProfileWebIdentity, Region, RoleRegion, RoleRule,
    RoleWithoutSource, Sdk, Sources, Step, TokenRule, WebIdentityRule, WithoutRole,
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
    join: Join::BySetting,
    profiles_need_config: false,
    region: Region::of(&["AWS_REGION"], &[ProfileFile::Both], NoRegion::Fails),
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
        // ProfileAWSCredentialIdentityResolver: credentialResolvers, each failure of which leads to the next
        Step::ProfileKeys(ProfileKeys::of(ProfileFile::Both)),
        Step::Role(RoleRule {
            file: ProfileFile::Both,
            unless_token_file: false,
            without_role: WithoutRole::Ignored,
            alone: RoleWithoutSource::NotThis,
            both: OnFailure::Next,
            missing: OnFailure::Next,
            empty: OnFailure::Next,
            circle: OnFailure::Next,
            sources: Sources { itself: false, ..Sources::ALL },
            named: &[NamedSource::Environment, NamedSource::EcsContainer, NamedSource::Ec2InstanceMetadata],
            named_in_any_case: false,
            unknown: OnFailure::Next,
            named_empty: OnFailure::Next,
            minds_disabled: true,
            mfa: None,
            region: RoleRegion::AsForWebIdentity,
            fails: OnFailure::Next,
        }),
        Step::ProfileWebIdentity(ProfileWebIdentity::of(ProfileFile::Both)),
        Step::Process(ProcessRule::of(ProfileFile::Both)),
        // STSWebIdentityAWSCredentialIdentityResolver: the variables
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
            fails: OnFailure::Next,
        }),
        Step::Imds(Disabled::True),
    ],
    at_end: CredentialSource::Error,
};
