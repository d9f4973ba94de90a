//! The AWS SDKs for Go, version 2, and version 1 in its three ways to a session. Both choose a source
//! once; what it then fails with ends the search.

use super::*;

/// `aws-sdk-go-v2/internal/ini`: lenient; a header without `profile` in the config file is passed over.
const V2_DIALECT: Dialect = Dialect {
    colon: true,
    indented: Indented::BelowEmpty,
    faults: Faults::None,
    headers: Headers { spaces: InlineSpaces::Always, trailing: Trailing::NoHeader, ..SPECIFIED.headers },
    ..SPECIFIED
};
/// `aws-sdk-go/internal/ini`, and `setFromIniFile`: NAME or `profile NAME` in either file.
const V1_DIALECT: Dialect = Dialect {
    colon: true,
    folds_names: false,
    indented: Indented::BelowEmpty,
    faults: Faults::Brackets,
    headers: Headers {
        gap: KeyGap::Space,
        spaces: InlineSpaces::Always,
        trailing: Trailing::Ignored,
        duplicate: DuplicateHeaders::Plain,
        must_name: true,
        ..SPECIFIED.headers
    },
    config: HeaderStyle::Either,
    credentials: HeaderStyle::Either,
    ..SPECIFIED
};
/// Neither expands `~/`.
const CREDENTIALS_FILE: FileRule = FileRule { tilde: false, ..CREDENTIALS };
const CONFIG_FILE: FileRule = FileRule { tilde: false, ..CONFIG };

/// `config/env_config.go`, and `aws/session/env_config.go`.
const KEYS: Step = Step::Keys(EnvKeysRule {
    id: &["AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"],
    secret: &["AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"],
    ..EnvKeysRule::USUAL
});
/// `assumeWebIdentity`.
const WEB_IDENTITY: WebIdentityRule =
    WebIdentityRule { without_role: OnFailure::Error, ..WebIdentityRule::usual(OnFailure::Error) };
/// Version 1 checks the lengths in the STS model before it calls.
const V1_WEB_IDENTITY: WebIdentityRule =
    WebIdentityRule { min_token_bytes: 4, min_role_chars: 20, ..WEB_IDENTITY };
/// `resolveCredsFromProfile`, with `source_profile` first, and a role for whatever was found at the end.
const ROLE: RoleRule = RoleRule {
    without_source: RoleWithoutSource::AssumedLater,
    mfa: Some(OnFailure::Error),
    ..RoleRule::usual(OnFailure::Error)
};
const PROFILE_KEYS: Step = Step::ProfileKeys(ProfileKeys::of(ProfileFile::Both));
const PROFILE_WEB_IDENTITY: ProfileWebIdentity = ProfileWebIdentity {
    without_role: OnFailure::Error,
    on_failure: OnFailure::Error,
    ..ProfileWebIdentity::of(ProfileFile::Both)
};
const SIGN_ON: Step = Step::SignOn(SsoRule { any_of: super::SIGN_ON, on_failure: OnFailure::Error });
/// `resolveHTTPCredProvider` and `isAllowedHost`; a name must lead to such an address.
const CONTAINER: ContainerRule = ContainerRule::usual(OnFailure::Error);
/// `defaults.RemoteCredProvider`: the full variable first.
const V1_CONTAINER: Step = Step::Container(ContainerRule { relative_first: false, ..CONTAINER });

/// Version 2.
pub const V2: Sdk = Sdk {
    name: "Go v2",
    version: "config 1.33.16",
    was_run: true,
    source: "aws/aws-sdk-go-v2: config/resolve_credentials.go, config/shared_config.go",
    profile: ProfileName { variables: &["AWS_PROFILE", "AWS_DEFAULT_PROFILE"], empty_counts: false },
    credentials: Some(CREDENTIALS_FILE),
    config: Some(CONFIG_FILE),
    dialect: V2_DIALECT,
    merge: FileMerge::ByPair,
    profiles_need_config: false,
    region: Region::of(
        &["AWS_REGION", "AWS_DEFAULT_REGION"],
        &[ProfileFile::Both],
        NoRegion::FailsWithoutEndpoint,
    ),
    overridden_by: None,
    steps: &[
        // loadIniFiles: what cannot be opened is not there, what cannot be read is an error
        Step::NoDirectories,
        // resolveConfigLoaders: only AWS_PROFILE makes the profile obligatory
        Step::ProfileMustExist { variables: &["AWS_PROFILE"], empty_counts: false, even_default: true },
        Step::ProfileMustBeSound(GoProfile { roles: true, half_pair_fails: true, unless_keys: false }),
        KEYS,
        Step::WebIdentity(WEB_IDENTITY),
        Step::Role(ROLE),
        PROFILE_KEYS,
        Step::ProfileWebIdentity(PROFILE_WEB_IDENTITY),
        SIGN_ON,
        Step::SignOn(SsoRule { any_of: &["login_session"], on_failure: OnFailure::Error }),
        Step::Process(ProcessRule::of(ProfileFile::Both)),
        Step::Container(CONTAINER),
        Step::Imds(ImdsDisabled::True),
    ],
    at_end: CredentialSource::Error,
};

/// Version 1, `session.NewSession` with `AWS_SDK_LOAD_CONFIG`.
pub const V1_LOAD_CONFIG: Sdk = Sdk {
    name: "Go v1 with AWS_SDK_LOAD_CONFIG",
    version: "1.55.8",
    was_run: true,
    source: "aws/aws-sdk-go: aws/session/credentials.go, aws/session/session.go, aws/defaults/defaults.go",
    profile: ProfileName { variables: &["AWS_PROFILE", "AWS_DEFAULT_PROFILE"], empty_counts: false },
    credentials: Some(CREDENTIALS_FILE),
    config: Some(CONFIG_FILE),
    dialect: V1_DIALECT,
    merge: FileMerge::ByPair,
    profiles_need_config: false,
    region: Region::of(
        &["AWS_REGION", "AWS_DEFAULT_REGION"],
        &[ProfileFile::Both],
        NoRegion::FailsWithoutEndpoint,
    ),
    overridden_by: None,
    steps: &[
        Step::FilesMustParse { on_failure: OnFailure::Error, unless_keys: false },
        Step::ProfileMustBeSound(GoProfile { roles: true, half_pair_fails: false, unless_keys: false }),
        KEYS,
        Step::WebIdentity(V1_WEB_IDENTITY),
        Step::Role(ROLE),
        PROFILE_KEYS,
        Step::ProfileWebIdentity(ProfileWebIdentity { min_token_bytes: 4, ..PROFILE_WEB_IDENTITY }),
        SIGN_ON,
        Step::Process(ProcessRule::of(ProfileFile::Both)),
        V1_CONTAINER,
        Step::Imds(ImdsDisabled::True),
    ],
    at_end: CredentialSource::Error,
};

/// Version 1, `session.NewSession`: the credentials file alone, and of it no roles.
pub const V1: Sdk = Sdk {
    name: "Go v1",
    profile: ProfileName { variables: &["AWS_PROFILE"], empty_counts: false },
    config: None,
    region: Region::of(&["AWS_REGION"], &[], NoRegion::FailsWithoutEndpoint),
    overridden_by: Some(RuleOverride::ByTrue(&V1_LOAD_CONFIG)),
    steps: &[
        Step::FilesMustParse { on_failure: OnFailure::Error, unless_keys: true },
        Step::ProfileMustBeSound(GoProfile { roles: false, half_pair_fails: false, unless_keys: true }),
        KEYS,
        Step::WebIdentity(V1_WEB_IDENTITY),
        PROFILE_KEYS,
        Step::Process(ProcessRule::of(ProfileFile::Both)),
        V1_CONTAINER,
        Step::Imds(ImdsDisabled::True),
    ],
    ..V1_LOAD_CONFIG
};

/// Version 1, the deprecated `session.New`: `defaults.CredProviders`, which know no web identity.
pub const V1_OLD: Sdk = Sdk {
    name: "Go v1 by session.New",
    source: "aws/aws-sdk-go: aws/defaults/defaults.go, CredProviders; aws/session/session.go, New",
    dialect: Dialect { credentials: HeaderStyle::AsWritten, ..V1_DIALECT },
    steps: &[
        KEYS,
        // credentials.SharedCredentialsProvider
        Step::ProfileKeys(ProfileKeys::of(ProfileFile::Credentials)),
        V1_CONTAINER,
        Step::Imds(ImdsDisabled::True),
    ],
    ..V1
};
