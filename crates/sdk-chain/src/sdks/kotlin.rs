//! The AWS SDK for Kotlin: the chain swallows every exception of its links (`IdentityProviderChain` of
//! smithy-kotlin).

use super::{CONFIG, CREDENTIALS, ID, LOOPBACK_NAME_ECS_EKS, SECRET, SIGN_ON, SPECIFIED};
use crate::rules::{
    Alone, Container, Disabled, Empty, In, Join, Keys, LineBreak, Named, NoRegion, Process, ProfileKeys,
    ProfileName, ProfileWebIdentity, Region, Role, RoleRegion, Sdk, SignOn, Sources, Step, Then, Token,
    WebIdentity, WithoutRole,
};
use crate::{Picks, SdkId};

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
    region: Region::of(&["AWS_REGION"], &[In::Both], NoRegion::AsksImds),
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
        // StsWebIdentityProvider
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
        // loadAwsSharedConfig
        Step::FilesMustParse { then: Then::LeavesProfile, unless_keys: false },
        // ProfileCredentialsProvider; ProfileChain.kt: the order of the kinds
        Step::Role(Role {
            file: In::Both,
            unless_token_file: true,
            without_role: WithoutRole::NamedGives,
            alone: Alone::Fails(Then::LeavesProfile),
            both: Then::LeavesProfile,
            missing: Then::LeavesProfile,
            empty: Then::LeavesProfile,
            circle: Then::LeavesProfile,
            sources: Sources::ALL,
            named: &[Named::Environment, Named::EcsContainer, Named::Ec2InstanceMetadata],
            named_in_any_case: false,
            unknown: Then::LeavesProfile,
            named_empty: Then::LeavesProfile,
            minds_disabled: true,
            mfa: None,
            region: RoleRegion::AsForWebIdentity,
            fails: Then::LeavesProfile,
        }),
        Step::ProfileWebIdentity(ProfileWebIdentity {
            without_role: Then::LeavesProfile,
            fails: Then::LeavesProfile,
            ..ProfileWebIdentity::of(In::Both)
        }),
        Step::SignOn(SignOn { file: In::Both, any_of: SIGN_ON, then: Then::LeavesProfile }),
        Step::Process(Process::of(In::Both)),
        Step::ProfileKeys(ProfileKeys::of(In::Both)),
        // EcsCredentialsProvider.kt
        Step::Container(Container {
            relative_first: true,
            empty_counts: false,
            hosts: LOOPBACK_NAME_ECS_EKS,
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
        // ImdsCredentialsProvider.kt
        Step::Imds(Disabled::True),
    ],
    at_end: Picks::Error,
};
