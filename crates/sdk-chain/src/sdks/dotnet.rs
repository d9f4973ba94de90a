//! The AWS SDK for .NET, version 3 and version 4: a source is chosen by what is configured, and what it
//! then fails with ends the search.

use super::{CONFIG, CREDENTIALS, ID, LOOPBACK_NAME_ECS_EKS, SECRET, SIGN_ON, SPECIFIED};
use crate::ini::{Dialect, Faults};
use crate::rules::{
    Alone, Container, Disabled, Empty, In, Join, Keys, LineBreak, Named, NoRegion, Process, ProfileKeys,
    ProfileName, ProfileWebIdentity, Region, Role, RoleRegion, Sdk, SignOn, Sources, Step, Then, Token,
    WebIdentity, WithoutRole,
};
use crate::{Picks, SdkId};

/// `EnvironmentVariablesAWSCredentials`.
const KEYS: Step = Step::Keys(Keys {
    id: ID,
    secret: SECRET,
    empty_counts: false,
    trims: false,
    legacy: false,
    half: Then::Next,
    unless: None,
});
/// `AssumeRoleWithWebIdentityCredentials.FromEnvironmentVariables`: its constructor takes neither null nor
/// nothing; the call is made when the credentials are used.
const WEB_IDENTITY: Step = Step::WebIdentity(WebIdentity {
    empty: Empty::Unset,
    filled_from: None,
    filled_by: None,
    without_role: Then::Next,
    without_token: Then::Next,
    least_token: 0,
    least_role: 1,
    fails: Then::Error,
});
/// `CredentialProfileTypeDetector` and `AWSCredentialsFactory`: the chain goes on after what is thrown
/// before STS is called.
const ROLE: Step = Step::Role(Role {
    file: In::Both,
    unless_token_file: true,
    without_role: WithoutRole::Ignored,
    alone: Alone::NotThis,
    both: Then::LeavesProfile,
    missing: Then::LeavesProfile,
    empty: Then::LeavesProfile,
    circle: Then::LeavesProfile,
    sources: Sources { itself: false, ..Sources::ALL },
    named: &[Named::Environment, Named::EcsContainer, Named::Ec2InstanceMetadata],
    named_in_any_case: true,
    unknown: Then::LeavesProfile,
    named_empty: Then::LeavesProfile,
    minds_disabled: true,
    mfa: Some(Then::LeavesProfile),
    region: RoleRegion::AsForWebIdentity,
    fails: Then::Error,
});
const PROFILE_WEB_IDENTITY: Step =
    Step::ProfileWebIdentity(ProfileWebIdentity { fails: Then::Error, ..ProfileWebIdentity::of(In::Both) });
const PROFILE_SIGN_ON: Step =
    Step::SignOn(SignOn { file: In::Both, any_of: SIGN_ON, then: Then::LeavesProfile });
const PROFILE_KEYS: Step = Step::ProfileKeys(ProfileKeys::of(In::Both));
/// `GenericContainerCredentials`, or the instance profile.
const CONTAINER: Step = Step::Container(Container {
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
});

/// Version 3: the web identity and the profile come before keys in the environment.
pub const V3: Sdk = Sdk {
    id: SdkId::DotNet3,
    name: ".NET v3",
    version: "AWSSDK.Core 3.7",
    was_run: false,
    source: "aws/aws-sdk-net (v3): sdk/src/Core/Amazon.Runtime/Credentials/FallbackCredentialsFactory.cs",
    profile: ProfileName { variables: &["AWS_PROFILE"], empty_counts: false },
    credentials: Some(CREDENTIALS),
    config: Some(CONFIG),
    dialect: Dialect { faults: Faults::None, ..SPECIFIED },
    join: Join::BySetting,
    profiles_need_config: false,
    region: Region::of(&["AWS_REGION"], &[In::Both], NoRegion::Fine),
    instead: None,
    steps: &[
        WEB_IDENTITY,
        ROLE,
        PROFILE_WEB_IDENTITY,
        PROFILE_SIGN_ON,
        Step::Process(Process::of(In::Both)),
        PROFILE_KEYS,
        KEYS,
        CONTAINER,
        Step::Imds(Disabled::True),
    ],
    at_end: Picks::Error,
};

/// Version 4.
pub const V4: Sdk = Sdk {
    id: SdkId::DotNet4,
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
        Step::Process(Process::of(In::Both)),
        PROFILE_KEYS,
        CONTAINER,
        Step::Imds(Disabled::True),
    ],
    ..V3
};
