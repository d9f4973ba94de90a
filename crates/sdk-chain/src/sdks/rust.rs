//! The AWS SDK for Rust: only what a provider calls "not loaded" leads on, all else ends the search.

use super::{CONFIG, CREDENTIALS, ID, LOOPBACK_NAME_ECS_EKS, SPECIFIED};
use crate::ini::{Bytes, Dialect};
use crate::rules::{
    Alone, Container, Disabled, Empty, EmptyRegion, FileRule, In, Join, Keys, LineBreak, Named, NoRegion,
    Process, ProfileKeys, ProfileName, ProfileWebIdentity, Region, Role, RoleRegion, Sdk, SignOn, Sources,
    Step, Then, Token, WebIdentity, WithoutRole,
};
use crate::{Picks, SdkId};

/// `aws-runtime`, `env_config/source.rs`: a variable that is set to nothing names no file.
const CREDENTIALS_FILE: FileRule = FileRule { empty_counts: true, ..CREDENTIALS };
const CONFIG_FILE: FileRule = FileRule { empty_counts: true, ..CONFIG };

/// aws-config.
pub const RUST: Sdk = Sdk {
    id: SdkId::Rust,
    name: "Rust",
    version: "aws-config 1.13.0",
    was_run: true,
    source: "awslabs/aws-sdk-rust: aws-config/src/default_provider/credentials.rs, profile/credentials/repr.rs",
    profile: ProfileName { variables: &["AWS_PROFILE"], empty_counts: true },
    credentials: Some(CREDENTIALS_FILE),
    config: Some(CONFIG_FILE),
    dialect: Dialect { bytes: Bytes::Empty, ..SPECIFIED },
    join: Join::BySetting,
    profiles_need_config: false,
    region: Region {
        empty: EmptyRegion::Fails,
        ..Region::of(&["AWS_REGION", "AWS_DEFAULT_REGION"], &[In::Both], NoRegion::AsksImds)
    },
    instead: None,
    steps: &[
        // environment/credentials.rs: a blank key is none
        Step::Keys(Keys {
            id: ID,
            secret: &["AWS_SECRET_ACCESS_KEY", "SECRET_ACCESS_KEY"],
            empty_counts: true,
            trims: true,
            legacy: false,
            half: Then::Next,
            unless: None,
        }),
        Step::FilesMustParse { then: Then::Error, unless_keys: false },
        // repr.rs, resolve_chain: a missing profile is "not loaded", any other flaw is an error
        Step::Role(Role {
            file: In::Both,
            unless_token_file: true,
            without_role: WithoutRole::NamedGives,
            alone: Alone::Fails(Then::Error),
            both: Then::Error,
            missing: Then::LeavesProfile,
            empty: Then::Error,
            circle: Then::Error,
            sources: Sources::ALL,
            named: &[Named::Environment, Named::EcsContainer, Named::Ec2InstanceMetadata],
            named_in_any_case: false,
            unknown: Then::Error,
            named_empty: Then::Error,
            minds_disabled: true,
            mfa: None,
            region: RoleRegion::Must,
            fails: Then::Error,
        }),
        // repr.rs, base_provider: the order of the kinds
        Step::ProfileWebIdentity(ProfileWebIdentity {
            empty_counts: true,
            without_role: Then::Error,
            fails: Then::Error,
            ..ProfileWebIdentity::of(In::Both)
        }),
        Step::SignOn(SignOn {
            file: In::Both,
            any_of: &["sso_session", "sso_account_id", "sso_role_name"],
            then: Then::Error,
        }),
        Step::SignOn(SignOn {
            file: In::Both,
            any_of: &["sso_region", "sso_start_url"],
            then: Then::LeavesProfile,
        }),
        Step::SignOn(SignOn { file: In::Both, any_of: &["login_session"], then: Then::Error }),
        Step::Process(Process { empty: Then::Error, ..Process::of(In::Both) }),
        Step::ProfileKeys(ProfileKeys {
            empty_counts: true,
            half: Then::Error,
            other_half: Then::Error,
            token_alone: Then::Error,
            ..ProfileKeys::of(In::Both)
        }),
        // web_identity_token.rs: variables that are set to nothing are set
        Step::WebIdentity(WebIdentity {
            empty: Empty::Set,
            filled_from: None,
            filled_by: None,
            without_role: Then::Next,
            without_token: Then::Next,
            least_token: 0,
            least_role: 1,
            fails: Then::Error,
        }),
        // ecs.rs: the token file is read first; a host name must lead to an allowed address
        Step::Container(Container {
            relative_first: true,
            empty_counts: true,
            hosts: LOOPBACK_NAME_ECS_EKS,
            bad_host: Then::Error,
            token: Token {
                file: true,
                variable_first: false,
                unreadable: Then::Error,
                line_break: LineBreak::Fails(Then::Error),
                read_first: true,
            },
            fails: Then::Error,
        }),
        Step::Imds(Disabled::True),
    ],
    at_end: Picks::Error,
};
