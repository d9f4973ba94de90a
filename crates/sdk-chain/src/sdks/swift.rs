//! The AWS SDK for Swift: the profile comes before the web identity, and every failure leads on.

use super::{CONFIG, CREDENTIALS, ID, LOOPBACK_NAME_ECS_EKS, SECRET, SPECIFIED};
use crate::ini::{Dialect, Faults};
use crate::rules::{
    Alone, Container, Disabled, Empty, Hosts, In, Join, Keys, LineBreak, Named, NoRegion, Process,
    ProfileKeys, ProfileName, ProfileWebIdentity, Region, Role, RoleRegion, Sdk, Sources, Step, Then, Token,
    WebIdentity, WithoutRole,
};
use crate::{Picks, SdkId};

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
    region: Region::of(&["AWS_REGION"], &[In::Both], NoRegion::Fails),
    instead: None,
    steps: &[
        Step::Keys(Keys {
            id: ID,
            secret: SECRET,
            empty_counts: false,
            trims: false,
            legacy: false,
            half: Then::Next,
            unless: None,
        }),
        // ProfileAWSCredentialIdentityResolver: credentialResolvers, each failure of which leads to the next
        Step::ProfileKeys(ProfileKeys::of(In::Both)),
        Step::Role(Role {
            file: In::Both,
            unless_token_file: false,
            without_role: WithoutRole::Ignored,
            alone: Alone::NotThis,
            both: Then::Next,
            missing: Then::Next,
            empty: Then::Next,
            circle: Then::Next,
            sources: Sources { itself: false, ..Sources::ALL },
            named: &[Named::Environment, Named::EcsContainer, Named::Ec2InstanceMetadata],
            named_in_any_case: false,
            unknown: Then::Next,
            named_empty: Then::Next,
            minds_disabled: true,
            mfa: None,
            region: RoleRegion::AsForWebIdentity,
            fails: Then::Next,
        }),
        Step::ProfileWebIdentity(ProfileWebIdentity::of(In::Both)),
        Step::Process(Process::of(In::Both)),
        // STSWebIdentityAWSCredentialIdentityResolver: the variables
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
