//! The AWS SDK for Ruby: an exception ends the search, credentials that are not set lead on.

use super::super::ini::{Both, Dialect, Faults, Headers, Indented, Names, Spaces, Trailing};
use super::super::rules::{
    Alone, Container, Disabled, Empty, In, Join, Keys, LineBreak, Named, NoRegion, Process, ProfileKeys,
    ProfileName, ProfileWebIdentity, Region, Role, RoleRegion, Sdk, SignOn, Sources, Step, Then, Token,
    WebIdentity,
};
use super::super::{Picks, SdkId};
use super::{CONFIG, CREDENTIALS, LOOPBACK_NAME_ECS_EKS, SPECIFIED};

/// `ini_parser.rb`: lenient; `profile NAME` is NAME in either file.
const DIALECT: Dialect = Dialect {
    colon: false,
    inline_comments: true,
    folds_names: false,
    drops_empty: true,
    indented: Indented::Nested,
    faults: Faults::None,
    headers: Headers {
        spaces: Spaces::Always,
        trailing: Trailing::NoHeader,
        both: Both::Merged,
        ..SPECIFIED.headers
    },
    config: Names::Either,
    credentials: Names::Either,
    ..SPECIFIED
};

/// aws-sdk-core.
pub const RUBY: Sdk = Sdk {
    id: SdkId::Ruby,
    name: "Ruby",
    version: "aws-sdk-core 3.211.0",
    was_run: true,
    source: "aws/aws-sdk-ruby: gems/aws-sdk-core/lib/aws-sdk-core/credential_provider_chain.rb, shared_config.rb",
    profile: ProfileName { variables: &["AWS_PROFILE", "AWS_DEFAULT_PROFILE"], empty_counts: true },
    credentials: Some(CREDENTIALS),
    config: Some(CONFIG),
    dialect: DIALECT,
    join: Join::BySetting,
    profiles_need_config: false,
    region: Region {
        variables: &["AWS_REGION", "AMAZON_REGION", "AWS_DEFAULT_REGION"],
        file: Some(In::Both),
        missing: NoRegion::Fails,
    },
    load_config: None,
    steps: &[
        // env_credentials: the first variable that is set at all
        Step::Keys(Keys {
            id: &["AWS_ACCESS_KEY_ID", "AMAZON_ACCESS_KEY_ID", "AWS_ACCESS_KEY"],
            secret: &["AWS_SECRET_ACCESS_KEY", "AMAZON_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"],
            empty_counts: true,
            legacy: false,
            half: Then::Next,
            unless: None,
        }),
        // assume_role_web_identity_credentials: the variables, or else the config file's profile
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
        Step::ProfileWebIdentity(ProfileWebIdentity {
            file: In::Config,
            without_role: Then::Next,
            least_token: 0,
            fails: Then::Error,
            crashes: false,
        }),
        // sso_credentials_from_profile
        Step::SignOn(SignOn {
            file: In::Both,
            any_of: &["sso_account_id", "sso_role_name"],
            then: Then::Error,
        }),
        // assume_role_from_profile
        Step::Role(Role {
            file: In::Both,
            unless_token_file: false,
            without_role: true,
            alone: Alone::Fails(Then::Error),
            both: Then::Error,
            missing: Then::Error,
            empty: Then::Error,
            sources: Sources { web_identity: true, process: true, half_fails: false, itself: true },
            named: &[Named::EcsContainer, Named::Ec2InstanceMetadata],
            unknown: Then::Error,
            named_empty: Then::Error,
            minds_disabled: false,
            mfa: None,
            region: RoleRegion::AsForWebIdentity,
            fails: Then::Error,
        }),
        // shared_credentials: the credentials file, or else the config file
        Step::ProfileKeys(ProfileKeys {
            file: In::Credentials,
            empty_counts: false,
            half: Then::Next,
            other_half: Then::Next,
            unless_role: false,
        }),
        Step::ProfileKeys(ProfileKeys {
            file: In::Config,
            empty_counts: false,
            half: Then::Next,
            other_half: Then::Next,
            unless_role: false,
        }),
        Step::Process(Process::of(In::Both)),
        // instance_profile_credentials: one or the other; ecs_credentials.rb
        Step::Container(Container {
            relative_first: true,
            empty_counts: true,
            hosts: LOOPBACK_NAME_ECS_EKS,
            bad_host: Then::Error,
            token: Token {
                file: true,
                variable_first: false,
                unreadable: Then::Error,
                line_break: LineBreak::Sent,
                read_first: false,
            },
            fails: Then::Nothing,
        }),
        Step::Imds(Disabled::True),
    ],
    at_end: Picks::Nothing,
};
