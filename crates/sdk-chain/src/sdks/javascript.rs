//! The AWS SDKs for JavaScript, version 3 and version 2, on Node.

use super::{CONFIG, CREDENTIALS, ID, LOOPBACK_NAME_ECS_EKS, SECRET, SIGN_ON};
use crate::ini::{Both, Bytes, Dialect, Faults, Gap, Headers, Indented, Names, Spaces, Trailing};
use crate::rules::{
    Alone, Container, Disabled, Empty, EmptyRegion, FileRule, Hosts, In, Instead, Join, Keys, LineBreak,
    Named, NoRegion, Process, ProfileKeys, ProfileName, ProfileWebIdentity, Region, Role, RoleRegion, Sdk,
    SignOn, Sources, Step, Then, Token, WebIdentity, WithoutRole,
};
use crate::{Picks, SdkId};

/// `parseIni` and `getConfigData` of `@smithy/shared-ini-file-loader`; a file that cannot be read is empty.
const V3_DIALECT: Dialect = Dialect {
    colon: false,
    inline_comments: true,
    folds_names: false,
    drops_empty: true,
    indented: Indented::BelowEmpty,
    faults: Faults::None,
    skips_mark: true,
    bytes: Bytes::Replaced,
    headers: Headers {
        trims: false,
        must_name: false,
        gap: Gap::Blank,
        quotes: true,
        spaces: Spaces::Never,
        trailing: Trailing::NoHeader,
        both: Both::Prefixed,
    },
    config: Names::Prefixed,
    credentials: Names::Unprefixed,
};

/// `isSsoProfile` of `@aws-sdk/credential-provider-sso`.
const V3_SIGN_ON: SignOn = SignOn { file: In::Both, any_of: SIGN_ON, then: Then::Error };

/// Version 3. What a link throws as a `CredentialsProviderError` leads on, all else ends the search:
/// `chain` of `@smithy/property-provider`.
pub const V3: Sdk = Sdk {
    id: SdkId::JsV3,
    name: "JavaScript v3",
    version: "@aws-sdk/credential-provider-node 3.972.97",
    was_run: true,
    source: "aws/aws-sdk-js-v3: packages/credential-provider-node/src/defaultProvider.ts",
    profile: ProfileName { variables: &["AWS_PROFILE"], empty_counts: false },
    credentials: Some(CREDENTIALS),
    config: Some(CONFIG),
    dialect: V3_DIALECT,
    join: Join::BySetting,
    profiles_need_config: false,
    // The nested STS client falls back to us-east-1.
    region: Region { empty: EmptyRegion::Fails, ..Region::of(&["AWS_REGION"], &[In::Both], NoRegion::Fine) },
    instead: None,
    steps: &[
        // defaultProvider: fromEnv is skipped with AWS_PROFILE
        Step::Keys(Keys {
            id: ID,
            secret: SECRET,
            empty_counts: false,
            trims: false,
            legacy: false,
            half: Then::Next,
            unless: Some("AWS_PROFILE"),
        }),
        // resolveAssumeRoleCredentials of credential-provider-ini
        Step::Role(Role {
            file: In::Both,
            unless_token_file: false,
            without_role: WithoutRole::Ignored,
            alone: Alone::NotThis,
            both: Then::LeavesProfile,
            missing: Then::LeavesProfile,
            empty: Then::LeavesProfile,
            circle: Then::LeavesProfile,
            sources: Sources { sign_on: Some(V3_SIGN_ON), ..Sources::ALL },
            named: &[Named::Environment, Named::EcsContainer, Named::Ec2InstanceMetadata],
            named_in_any_case: false,
            unknown: Then::LeavesProfile,
            named_empty: Then::LeavesProfile,
            minds_disabled: false,
            mfa: Some(Then::Error),
            region: RoleRegion::OfItsOwn,
            fails: Then::Error,
        }),
        // resolveProfileData: the order of the kinds
        Step::ProfileKeys(ProfileKeys::of(In::Both)),
        Step::ProfileWebIdentity(ProfileWebIdentity {
            fails: Then::Error,
            ..ProfileWebIdentity::of(In::Both)
        }),
        Step::Process(Process::of(In::Both)),
        Step::SignOn(V3_SIGN_ON),
        Step::SignOn(SignOn { file: In::Both, any_of: &["login_session"], then: Then::Error }),
        // fromProcess of credential-provider-process
        Step::Process(Process { is_link: true, ..Process::of(In::Both) }),
        // fromTokenFile of credential-provider-web-identity
        Step::WebIdentity(WebIdentity {
            empty: Empty::Unset,
            filled_from: None,
            filled_by: None,
            without_role: Then::Next,
            without_token: Then::Next,
            least_token: 0,
            least_role: 1,
            fails: Then::Error,
        }),
        // remoteProvider: one or the other; fromHttp and checkUrl of credential-provider-http. After a
        // failure fromContainerMetadata asks again, without the token, at localhost and 127.0.0.1 alone.
        Step::Container(Container {
            relative_first: true,
            empty_counts: false,
            hosts: LOOPBACK_NAME_ECS_EKS,
            bad_host: Then::Error,
            token: Token {
                file: true,
                variable_first: false,
                unreadable: Then::Error,
                line_break: LineBreak::WithoutIt(Then::Error),
                read_first: false,
            },
            fails: Then::Error,
        }),
        Step::Imds(Disabled::NotFalse),
    ],
    at_end: Picks::Error,
};

/// `util.ini.parse` of `lib/util.js` and `getProfiles` of `lib/shared-ini/ini-loader.js`.
const V2_DIALECT: Dialect = Dialect {
    indented: Indented::Line,
    headers: Headers {
        gap: Gap::Blank,
        quotes: false,
        spaces: Spaces::Always,
        both: Both::Spoils,
        ..V3_DIALECT.headers
    },
    config: Names::Either,
    credentials: Names::AsWritten,
    ..V3_DIALECT
};

/// `getProfilesFromSharedConfig` of `lib/util.js`: no variable without `AWS_SDK_LOAD_CONFIG`.
const V2_CREDENTIALS: FileRule =
    FileRule { variable: None, empty_counts: false, tilde: false, or_config: false };

const V2_KEYS: Step = Step::Keys(Keys {
    id: ID,
    secret: SECRET,
    empty_counts: false,
    trims: false,
    legacy: false,
    half: Then::Next,
    unless: None,
});
const V2_AMAZON_KEYS: Step = Step::Keys(Keys {
    id: &["AMAZON_ACCESS_KEY_ID"],
    secret: &["AMAZON_SECRET_ACCESS_KEY"],
    empty_counts: false,
    trims: false,
    legacy: true,
    half: Then::Next,
    unless: None,
});
/// `SsoCredentials.load`: a profile without all of it, or without a token, is an error that leads on.
const V2_SIGN_ON: Step = Step::SignOn(SignOn { file: In::Both, any_of: SIGN_ON, then: Then::Next });
/// `SharedIniFileCredentials.load`.
const V2_ROLE: Step = Step::Role(Role {
    file: In::Both,
    unless_token_file: false,
    without_role: WithoutRole::Ignored,
    alone: Alone::Fails(Then::LeavesProfile),
    both: Then::LeavesProfile,
    missing: Then::LeavesProfile,
    empty: Then::LeavesProfile,
    circle: Then::Crash,
    sources: Sources { web_identity: false, process: false, ..Sources::ALL },
    named: &[],
    named_in_any_case: false,
    unknown: Then::LeavesProfile,
    named_empty: Then::LeavesProfile,
    minds_disabled: true,
    mfa: None,
    region: RoleRegion::OfItsOwn,
    fails: Then::LeavesProfile,
});
const V2_PROFILE_KEYS: Step =
    Step::ProfileKeys(ProfileKeys { unless_role: true, ..ProfileKeys::of(In::Both) });
/// `lib/credentials/remote_credentials.js`; what it throws while it reads the token is caught nowhere.
const V2_CONTAINER: Step = Step::Container(Container {
    relative_first: true,
    empty_counts: false,
    hosts: Hosts { loopback: false, localhost: true, ecs: false, eks: true, eks_ipv6: false },
    bad_host: Then::Next,
    token: Token {
        file: true,
        variable_first: true,
        unreadable: Then::Crash,
        line_break: LineBreak::Fails(Then::Crash),
        read_first: false,
    },
    fails: Then::Next,
});
/// `TokenFileWebIdentityCredentials.load`: the variables, or else the profile.
const V2_WEB_IDENTITY: Step = Step::WebIdentity(WebIdentity {
    empty: Empty::Unset,
    filled_from: None,
    filled_by: None,
    without_role: Then::Next,
    without_token: Then::Next,
    least_token: 0,
    least_role: 1,
    fails: Then::Next,
});
const V2_PROFILE_WEB_IDENTITY: Step = Step::ProfileWebIdentity(ProfileWebIdentity {
    unless_variables: true,
    through_sources: true,
    fails: Then::LeavesProfile,
    ..ProfileWebIdentity::of(In::Both)
});

/// Version 2. Every failure leads on: `CredentialProviderChain.resolve`.
pub const V2: Sdk = Sdk {
    id: SdkId::JsV2,
    name: "JavaScript v2",
    version: "2.1693.0",
    was_run: true,
    source: "aws/aws-sdk-js: lib/node_loader.js, CredentialProviderChain.defaultProviders",
    profile: ProfileName { variables: &["AWS_PROFILE"], empty_counts: false },
    credentials: Some(V2_CREDENTIALS),
    config: None,
    dialect: V2_DIALECT,
    join: Join::BySetting,
    profiles_need_config: false,
    region: Region::of(&["AWS_REGION", "AMAZON_REGION"], &[], NoRegion::FailsWithEndpoint),
    instead: Some(Instead::ByAnything(SdkId::JsV2LoadConfig)),
    steps: &[
        V2_KEYS,
        V2_AMAZON_KEYS,
        V2_SIGN_ON,
        V2_ROLE,
        V2_PROFILE_KEYS,
        V2_CONTAINER,
        Step::Process(Process::of(In::Both)),
        V2_WEB_IDENTITY,
        V2_PROFILE_WEB_IDENTITY,
        // lib/metadata_service.js
        Step::Imds(Disabled::Anything),
    ],
    at_end: Picks::Error,
};

/// Version 2 with `AWS_SDK_LOAD_CONFIG`: the config file is read, too, and must exist, or no profile is
/// read at all.
pub const V2_LOAD_CONFIG: Sdk = Sdk {
    id: SdkId::JsV2LoadConfig,
    name: "JavaScript v2 with AWS_SDK_LOAD_CONFIG",
    source: "aws/aws-sdk-js: lib/node_loader.js; lib/util.js, getProfilesFromSharedConfig",
    credentials: Some(FileRule { tilde: false, ..CREDENTIALS }),
    config: Some(FileRule { tilde: false, ..CONFIG }),
    profiles_need_config: true,
    region: Region { files: &[In::Credentials, In::Config], ..V2.region },
    instead: None,
    steps: &[
        // getRegion of lib/node_loader.js, as the module is loaded
        Step::ConfigForRegion,
        V2_KEYS,
        V2_AMAZON_KEYS,
        V2_SIGN_ON,
        V2_ROLE,
        V2_PROFILE_KEYS,
        V2_CONTAINER,
        Step::Process(Process::of(In::Both)),
        V2_WEB_IDENTITY,
        V2_PROFILE_WEB_IDENTITY,
        Step::Imds(Disabled::Anything),
    ],
    ..V2
};
