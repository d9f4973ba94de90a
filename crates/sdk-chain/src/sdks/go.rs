//! The AWS SDKs for Go, version 2, and version 1 in its three ways to a session. Both choose a source
//! once; what it then fails with ends the search.

use super::{CONFIG, CREDENTIALS, LOOPBACK_NAME_ECS_EKS, SPECIFIED};
use crate::ini::{Both, Dialect, Faults, Gap, Headers, Indented, Names, Spaces, Trailing};
use crate::rules::{
    Alone, Container, Disabled, Empty, FileRule, GoProfile, In, Instead, Join, Keys, LineBreak, Named,
    NoRegion, Process, ProfileKeys, ProfileName, ProfileWebIdentity, Region, Role, RoleRegion, Sdk, SignOn,
    Sources, Step, Then, Token, WebIdentity, WithoutRole,
};
use crate::{Picks, SdkId};

/// `aws-sdk-go-v2/internal/ini`: lenient; a header without `profile` in the config file is passed over.
const V2_DIALECT: Dialect = Dialect {
    colon: true,
    indented: Indented::BelowEmpty,
    faults: Faults::None,
    headers: Headers { spaces: Spaces::Always, trailing: Trailing::NoHeader, ..SPECIFIED.headers },
    ..SPECIFIED
};
/// `aws-sdk-go/internal/ini`, and `setFromIniFile`: NAME or `profile NAME` in either file.
const V1_DIALECT: Dialect = Dialect {
    colon: true,
    folds_names: false,
    indented: Indented::BelowEmpty,
    faults: Faults::Brackets,
    headers: Headers {
        gap: Gap::Space,
        spaces: Spaces::Always,
        trailing: Trailing::Ignored,
        both: Both::Plain,
        must_name: true,
        ..SPECIFIED.headers
    },
    config: Names::Either,
    credentials: Names::Either,
    ..SPECIFIED
};
/// Neither expands `~/`.
const CREDENTIALS_FILE: FileRule = FileRule { tilde: false, ..CREDENTIALS };
const CONFIG_FILE: FileRule = FileRule { tilde: false, ..CONFIG };

/// `config/env_config.go`, and `aws/session/env_config.go`.
const KEYS: Step = Step::Keys(Keys {
    id: &["AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"],
    secret: &["AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"],
    empty_counts: false,
    trims: false,
    legacy: false,
    half: Then::Next,
    unless: None,
});
/// `assumeWebIdentity`.
const WEB_IDENTITY: WebIdentity = WebIdentity {
    empty: Empty::Unset,
    filled_from: None,
    filled_by: None,
    without_role: Then::Error,
    without_token: Then::Next,
    least_token: 0,
    least_role: 1,
    fails: Then::Error,
};
/// Version 1 checks the lengths in the STS model before it calls.
const V1_WEB_IDENTITY: WebIdentity = WebIdentity { least_token: 4, least_role: 20, ..WEB_IDENTITY };
/// `resolveCredsFromProfile`, with `source_profile` first, and a role for whatever was found at the end.
const ROLE: Role = Role {
    file: In::Both,
    unless_token_file: false,
    without_role: WithoutRole::Ignored,
    alone: Alone::Later,
    both: Then::Error,
    missing: Then::Error,
    empty: Then::Error,
    circle: Then::Error,
    sources: Sources::ALL,
    named: &[Named::Environment, Named::EcsContainer, Named::Ec2InstanceMetadata],
    named_in_any_case: false,
    unknown: Then::Error,
    named_empty: Then::Error,
    minds_disabled: true,
    mfa: Some(Then::Error),
    region: RoleRegion::AsForWebIdentity,
    fails: Then::Error,
};
const PROFILE_KEYS: Step = Step::ProfileKeys(ProfileKeys::of(In::Both));
const PROFILE_WEB_IDENTITY: ProfileWebIdentity =
    ProfileWebIdentity { without_role: Then::Error, fails: Then::Error, ..ProfileWebIdentity::of(In::Both) };
const SIGN_ON: Step = Step::SignOn(SignOn { file: In::Both, any_of: super::SIGN_ON, then: Then::Error });
/// `resolveHTTPCredProvider` and `isAllowedHost`; a name must lead to such an address.
const CONTAINER: Container = Container {
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
};
/// `defaults.RemoteCredProvider`: the full variable first.
const V1_CONTAINER: Step = Step::Container(Container { relative_first: false, ..CONTAINER });

/// Version 2.
pub const V2: Sdk = Sdk {
    id: SdkId::GoV2,
    name: "Go v2",
    version: "config 1.33.16",
    was_run: true,
    source: "aws/aws-sdk-go-v2: config/resolve_credentials.go, config/shared_config.go",
    profile: ProfileName { variables: &["AWS_PROFILE", "AWS_DEFAULT_PROFILE"], empty_counts: false },
    credentials: Some(CREDENTIALS_FILE),
    config: Some(CONFIG_FILE),
    dialect: V2_DIALECT,
    join: Join::ByPair,
    profiles_need_config: false,
    region: Region::of(&["AWS_REGION", "AWS_DEFAULT_REGION"], &[In::Both], NoRegion::FailsWithoutEndpoint),
    instead: None,
    steps: &[
        // loadIniFiles: what cannot be opened is not there, what cannot be read is an error
        Step::NoDirectories,
        // resolveConfigLoaders: only AWS_PROFILE makes the profile obligatory
        Step::ProfileMustExist { variables: &["AWS_PROFILE"], empty_counts: false, even_default: true },
        Step::ProfileMustBeSound(GoProfile { roles: true, half: true, unless_keys: false }),
        KEYS,
        Step::WebIdentity(WEB_IDENTITY),
        Step::Role(ROLE),
        PROFILE_KEYS,
        Step::ProfileWebIdentity(PROFILE_WEB_IDENTITY),
        SIGN_ON,
        Step::SignOn(SignOn { file: In::Both, any_of: &["login_session"], then: Then::Error }),
        Step::Process(Process::of(In::Both)),
        Step::Container(CONTAINER),
        Step::Imds(Disabled::True),
    ],
    at_end: Picks::Error,
};

/// Version 1, `session.NewSession`: the credentials file alone, and of it no roles.
pub const V1: Sdk = Sdk {
    id: SdkId::GoV1,
    name: "Go v1",
    version: "1.55.8",
    was_run: true,
    source: "aws/aws-sdk-go: aws/session/credentials.go, aws/session/session.go, aws/defaults/defaults.go",
    profile: ProfileName { variables: &["AWS_PROFILE"], empty_counts: false },
    credentials: Some(CREDENTIALS_FILE),
    config: None,
    dialect: V1_DIALECT,
    join: Join::ByPair,
    profiles_need_config: false,
    region: Region::of(&["AWS_REGION"], &[], NoRegion::FailsWithoutEndpoint),
    instead: Some(Instead::ByTrue(SdkId::GoV1LoadConfig)),
    steps: &[
        Step::FilesMustParse { then: Then::Error, unless_keys: true },
        Step::ProfileMustBeSound(GoProfile { roles: false, half: false, unless_keys: true }),
        KEYS,
        Step::WebIdentity(V1_WEB_IDENTITY),
        PROFILE_KEYS,
        Step::Process(Process::of(In::Both)),
        V1_CONTAINER,
        Step::Imds(Disabled::True),
    ],
    at_end: Picks::Error,
};

/// Version 1, `session.NewSession` with `AWS_SDK_LOAD_CONFIG`.
pub const V1_LOAD_CONFIG: Sdk = Sdk {
    id: SdkId::GoV1LoadConfig,
    name: "Go v1 with AWS_SDK_LOAD_CONFIG",
    profile: ProfileName { variables: &["AWS_PROFILE", "AWS_DEFAULT_PROFILE"], empty_counts: false },
    config: Some(CONFIG_FILE),
    region: Region::of(&["AWS_REGION", "AWS_DEFAULT_REGION"], &[In::Both], NoRegion::FailsWithoutEndpoint),
    instead: None,
    steps: &[
        Step::FilesMustParse { then: Then::Error, unless_keys: false },
        Step::ProfileMustBeSound(GoProfile { roles: true, half: false, unless_keys: false }),
        KEYS,
        Step::WebIdentity(V1_WEB_IDENTITY),
        Step::Role(ROLE),
        PROFILE_KEYS,
        Step::ProfileWebIdentity(ProfileWebIdentity { least_token: 4, ..PROFILE_WEB_IDENTITY }),
        SIGN_ON,
        Step::Process(Process::of(In::Both)),
        V1_CONTAINER,
        Step::Imds(Disabled::True),
    ],
    ..V1
};

/// Version 1, the deprecated `session.New`: `defaults.CredProviders`, which know no web identity.
pub const V1_OLD: Sdk = Sdk {
    id: SdkId::GoV1Old,
    name: "Go v1 by session.New",
    source: "aws/aws-sdk-go: aws/defaults/defaults.go, CredProviders; aws/session/session.go, New",
    dialect: Dialect { credentials: Names::AsWritten, ..V1_DIALECT },
    steps: &[
        KEYS,
        // credentials.SharedCredentialsProvider
        Step::ProfileKeys(ProfileKeys::of(In::Credentials)),
        V1_CONTAINER,
        Step::Imds(Disabled::True),
    ],
    ..V1
};
