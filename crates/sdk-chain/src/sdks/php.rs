//! The AWS SDK for PHP: each link of the chain is the "otherwise" of the one before it.

use super::{CONFIG, CREDENTIALS, ID, LOOPBACK_NAME_ECS_EKS, SECRET, SIGN_ON, SPECIFIED};
use crate::ini::{Dialect, Faults, Headers, Indented, Names, Trailing};
use crate::rules::{
    Alone, Container, Disabled, Empty, FileRule, In, Join, Keys, LineBreak, Named, NoRegion, Process,
    ProfileKeys, ProfileName, ProfileWebIdentity, Region, Role, RoleRegion, Sdk, SignOn, Sources, Step, Then,
    Token, WebIdentity, WithoutRole,
};
use crate::{Picks, SdkId};

/// `ini`, for one of the two files.
const fn role(file: In) -> Step {
    Step::Role(Role {
        file,
        unless_token_file: false,
        without_role: WithoutRole::Ignored,
        alone: Alone::Fails(Then::LeavesProfile),
        both: Then::LeavesProfile,
        missing: Then::LeavesProfile,
        empty: Then::LeavesProfile,
        circle: Then::LeavesProfile,
        sources: Sources { web_identity: false, process: false, ..Sources::ALL },
        named: &[Named::Environment, Named::EcsContainer, Named::Ec2InstanceMetadata],
        named_in_any_case: false,
        unknown: Then::LeavesProfile,
        named_empty: Then::LeavesProfile,
        minds_disabled: true,
        mfa: None,
        region: RoleRegion::OfItsOwn,
        fails: Then::LeavesProfile,
    })
}

const fn keys(file: In) -> Step {
    Step::ProfileKeys(ProfileKeys { unless_role: true, ..ProfileKeys::of(file) })
}

/// PHP's `parse_ini_file`: a profile is asked for by its header.
const DIALECT: Dialect = Dialect {
    indented: Indented::Line,
    faults: Faults::None,
    headers: Headers { trailing: Trailing::Ignored, ..SPECIFIED.headers },
    config: Names::AsWritten,
    credentials: Names::AsWritten,
    ..SPECIFIED
};

/// Version 3.
pub const PHP: Sdk = Sdk {
    id: SdkId::Php,
    name: "PHP",
    version: "3",
    was_run: false,
    source: "aws/aws-sdk-php: src/Credentials/CredentialProvider.php, defaultProvider",
    profile: ProfileName { variables: &["AWS_PROFILE"], empty_counts: false },
    credentials: Some(FileRule { tilde: false, ..CREDENTIALS }),
    // defaultProvider: getHomeDir() . '/.aws/config', whatever AWS_CONFIG_FILE says
    config: Some(FileRule { variable: None, tilde: false, ..CONFIG }),
    dialect: DIALECT,
    // loadDefaultProfiles, for the web identity; all else looks into one file
    join: Join::ByProfile,
    profiles_need_config: false,
    // us-east-1, unless the client's own is passed on
    region: Region::of(&["AWS_REGION"], &[], NoRegion::Fine),
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
        // assumeRoleWithWebIdentityCredentialProvider: the variables, or else the profile
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
            unless_variables: true,
            fails: Then::LeavesProfile,
            ..ProfileWebIdentity::of(In::Both)
        }),
        Step::SignOn(SignOn { file: In::Both, any_of: SIGN_ON, then: Then::Next }),
        Step::Process(Process::of(In::Credentials)),
        role(In::Credentials),
        keys(In::Credentials),
        Step::Process(Process::of(In::ConfigAsWritten)),
        role(In::ConfigAsWritten),
        keys(In::ConfigAsWritten),
        // shouldUseEcs: one or the other; EcsCredentialProvider.php
        Step::Container(Container {
            relative_first: true,
            empty_counts: false,
            hosts: LOOPBACK_NAME_ECS_EKS,
            bad_host: Then::Error,
            token: Token {
                file: true,
                variable_first: false,
                unreadable: Then::Error,
                line_break: LineBreak::Fails(Then::Error),
                read_first: false,
            },
            fails: Then::Error,
        }),
        // InstanceProfileProvider.php
        Step::Imds(Disabled::True),
    ],
    at_end: Picks::Error,
};
