//! The AWS SDK for Swift: the profile comes before the web identity, and every failure leads on.

use super::*;

/// Version 1.
pub const SWIFT: Sdk = Sdk {
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
        Step::Keys(EnvKeysRule::USUAL),
        // ProfileAWSCredentialIdentityResolver: credentialResolvers, each failure of which leads to the next
        Step::ProfileKeys(ProfileKeys::of(ProfileFile::Both)),
        Step::Role(RoleRule {
            without_source: RoleWithoutSource::Ignored,
            sources: Sources { own_keys: false, ..Sources::ALL },
            ..RoleRule::usual(OnFailure::Next)
        }),
        Step::ProfileWebIdentity(ProfileWebIdentity::of(ProfileFile::Both)),
        Step::Process(ProcessRule::of(ProfileFile::Both)),
        // STSWebIdentityAWSCredentialIdentityResolver: the variables
        Step::WebIdentity(WebIdentityRule::usual(OnFailure::Next)),
        // ECSAWSCredentialIdentityResolver: no IPv6 host
        Step::Container(ContainerRule {
            hosts: Hosts { eks_ipv6: false, ..Hosts::LOOPBACK_NAME_ECS_EKS },
            ..ContainerRule::usual(OnFailure::Next)
        }),
        Step::Imds(ImdsDisabled::True),
    ],
    at_end: CredentialSource::Error,
};
