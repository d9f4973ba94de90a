//! The AWS SDK for Swift: the profile comes before the web identity, and every failure leads on.

use super::super::ini::{Dialect, Faults};
use super::super::rules::{
    Alone, Container, Disabled, Empty, Hosts, In, Join, Keys, LineBreak, Named, NoRegion, Process,
    ProfileKeys, ProfileName, ProfileWebIdentity, Region, Role, RoleRegion, Sdk, Sources, Step, Then, Token,
    WebIdentity,
};
use super::super::{Picks, SdkId};
use super::{CONFIG, CREDENTIALS, ID, LOOPBACK_NAME_ECS_EKS, SECRET, SPECIFIED};

/// Version 1.
pub const SWIFT: Sdk = Sdk {
    id: SdkId::Swift,
    name: "Swift",
    version: "1",
    was_run: false,
    source: "awslabs/aws-sdk-swift: DefaultAWSCredentialIdentityResolverChain.swift",
    profile: ProfileName { variables: &["AWS_PROFILE"], empty_counts: false },
    credentials: Some(CREDENTIALS),
    config: Some(CONFIG),
    dialect: Dialect { faults: Faults::None, ..SPECIFIED },
    join: Join::BySetting,
    profiles_need_config: false,
    region: Region { variables: &["AWS_REGION"], file: Some(In::Both), missing: NoRegion::Fails },
    load_config: None,
    steps: &[
        Step::Keys(Keys {
            id: ID,
            secret: SECRET,
            empty_counts: false,
            legacy: false,
            half: Then::Next,
            unless: None,
        }),
        // ProfileAWSCredentialIdentityResolver
        Step::Role(Role {
            file: In::Both,
            unless_token_file: true,
            without_role: false,
            alone: Alone::Fails(Then::LeavesProfile),
            both: Then::LeavesProfile,
            missing: Then::LeavesProfile,
            empty: Then::LeavesProfile,
            sources: Sources { web_identity: false, process: false, half_fails: false, itself: true },
            named: &[Named::Environment, Named::EcsContainer, Named::Ec2InstanceMetadata],
            unknown: Then::LeavesProfile,
            named_empty: Then::LeavesProfile,
            minds_disabled: true,
            mfa: None,
            region: RoleRegion::AsForWebIdentity,
            fails: Then::LeavesProfile,
        }),
        Step::Process(Process::of(In::Both)),
        Step::ProfileKeys(ProfileKeys {
            file: In::Both,
            empty_counts: false,
            half: Then::Next,
            other_half: Then::Next,
            unless_role: false,
        }),
        // STSWebIdentityAWSCredentialIdentityResolver: the variables, and then the profile
        Step::WebIdentity(WebIdentity {
            empty: Empty::Unset,
            filled_from: None,
            filled_by: None,
            without_role: Then::Next,
            without_token: Then::Next,
            least_token: 0,
            least_role: 1,
            fails: Then::Next,
        }),
        Step::ProfileWebIdentity(ProfileWebIdentity {
            file: In::Both,
            without_role: Then::Next,
            least_token: 0,
            fails: Then::LeavesProfile,
            crashes: false,
        }),
        // ECSAWSCredentialIdentityResolver: no IPv6 host
        Step::Container(Container {
            relative_first: true,
            empty_counts: false,
            hosts: Hosts { eks_ipv6: false, ..LOOPBACK_NAME_ECS_EKS },
            bad_host: Then::Next,
            token: Token {
                file: true,
                variable_first: false,
                unreadable: Then::Next,
                line_break: LineBreak::Fails(Then::Next),
                read_first: false,
            },
            fails: Then::Next,
        }),
        Step::Imds(Disabled::True),
    ],
    at_end: Picks::Error,
};
