//! The AWS SDKs for JavaScript, version 3 and version 2, on Node.

use super::*;

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
        gap: KeyGap::Blank,
        quotes: true,
        spaces: InlineSpaces::Never,
        trailing: Trailing::NoHeader,
        duplicate: DuplicateHeaders::Prefixed,
    },
    config: HeaderStyle::Prefixed,
    credentials: HeaderStyle::Unprefixed,
};

/// `isSsoProfile` of `@aws-sdk/credential-provider-sso`.
const V3_SIGN_ON: SsoRule = SsoRule { any_of: SIGN_ON, on_failure: OnFailure::Error };

/// Version 3. What a link throws as a `CredentialsProviderError` leads on, all else ends the search:
/// `chain` of `@smithy/property-provider`.
pub const V3: Sdk = Sdk {
    name: "JavaScript v3",
    version: "@aws-sdk/credential-provider-node 3.972.97",
    was_run: true,
    source: "aws/aws-sdk-js-v3: packages/credential-provider-node/src/defaultProvider.ts",
    profile: ProfileName { variables: &["AWS_PROFILE"], empty_counts: false },
    credentials: Some(CREDENTIALS),
    config: Some(CONFIG),
    dialect: V3_DIALECT,
    merge: FileMerge::BySetting,
    profiles_need_config: false,
    // The nested STS client falls back to us-east-1.
    region: Region {
        empty: EmptyRegion::Fails,
        ..Region::of(&["AWS_REGION"], &[ProfileFile::Both], NoRegion::Global)
    },
    overridden_by: None,
    steps: &[
        // defaultProvider: fromEnv is skipped with AWS_PROFILE
        Step::Keys(EnvKeysRule { unless: Some("AWS_PROFILE"), ..EnvKeysRule::USUAL }),
        // resolveAssumeRoleCredentials of credential-provider-ini
        Step::Role(RoleRule {
            without_source: RoleWithoutSource::Ignored,
            two_sources: OnFailure::SkipProfile,
            source_missing: OnFailure::SkipProfile,
            source_empty: OnFailure::SkipProfile,
            source_cycle: OnFailure::SkipProfile,
            sources: Sources { sign_on: Some(V3_SIGN_ON), ..Sources::ALL },
            named_unknown: OnFailure::SkipProfile,
            named_empty: OnFailure::SkipProfile,
            obeys_imds_disabled: false,
            mfa: Some(OnFailure::Error),
            region: RoleRegion::Own,
            ..RoleRule::usual(OnFailure::Error)
        }),
        // resolveProfileData: the order of the kinds
        Step::ProfileKeys(ProfileKeys::of(ProfileFile::Both)),
        Step::ProfileWebIdentity(ProfileWebIdentity {
            on_failure: OnFailure::Error,
            ..ProfileWebIdentity::of(ProfileFile::Both)
        }),
        Step::Process(ProcessRule::of(ProfileFile::Both)),
        Step::SignOn(V3_SIGN_ON),
        Step::SignOn(SsoRule { any_of: &["login_session"], on_failure: OnFailure::Error }),
        // fromProcess of credential-provider-process
        Step::Process(ProcessRule { after_profile: true, ..ProcessRule::of(ProfileFile::Both) }),
        // fromTokenFile of credential-provider-web-identity
        Step::WebIdentity(WebIdentityRule::usual(OnFailure::Error)),
        // remoteProvider: one or the other; fromHttp and checkUrl of credential-provider-http. After a
        // failure fromContainerMetadata asks again, without the token, at localhost and 127.0.0.1 alone.
        Step::Container(ContainerRule {
            token: TokenRule {
                line_break: LineBreak::WithoutIt(OnFailure::Error),
                ..TokenRule::usual(OnFailure::Error)
            },
            ..ContainerRule::usual(OnFailure::Error)
        }),
        Step::Imds(ImdsDisabled::NotFalse),
    ],
    at_end: CredentialSource::Error,
};

/// `util.ini.parse` of `lib/util.js` and `getProfiles` of `lib/shared-ini/ini-loader.js`.
const V2_DIALECT: Dialect = Dialect {
    indented: Indented::Line,
    headers: Headers {
        gap: KeyGap::Blank,
        quotes: false,
        spaces: InlineSpaces::Always,
        duplicate: DuplicateHeaders::Spoils,
        ..V3_DIALECT.headers
    },
    config: HeaderStyle::Either,
    credentials: HeaderStyle::AsWritten,
    ..V3_DIALECT
};

/// `getProfilesFromSharedConfig` of `lib/util.js`: no variable without `AWS_SDK_LOAD_CONFIG`.
const V2_CREDENTIALS: FileRule =
    FileRule { variable: None, empty_counts: false, tilde: false, or_config: false };

const V2_KEYS: Step = Step::Keys(EnvKeysRule::USUAL);
const V2_AMAZON_KEYS: Step = Step::Keys(EnvKeysRule {
    id: &["AMAZON_ACCESS_KEY_ID"],
    secret: &["AMAZON_SECRET_ACCESS_KEY"],
    legacy: true,
    ..EnvKeysRule::USUAL
});
/// `SsoCredentials.load`: a profile without all of it, or without a token, is an error that leads on.
const V2_SIGN_ON: Step = Step::SignOn(SsoRule { any_of: SIGN_ON, on_failure: OnFailure::Next });
/// `SharedIniFileCredentials.load`.
const V2_ROLE: Step = Step::Role(RoleRule {
    source_cycle: OnFailure::Crash,
    sources: Sources { web_identity: false, process: false, ..Sources::ALL },
    named_sources: &[],
    region: RoleRegion::Own,
    ..RoleRule::usual(OnFailure::SkipProfile)
});
const V2_PROFILE_KEYS: Step =
    Step::ProfileKeys(ProfileKeys { unless_role: true, ..ProfileKeys::of(ProfileFile::Both) });
/// `lib/credentials/remote_credentials.js`; what it throws while it reads the token is caught nowhere.
const V2_CONTAINER: Step = Step::Container(ContainerRule {
    hosts: Hosts { loopback: false, localhost: true, ecs: false, eks: true, eks_ipv6: false },
    token: TokenRule { variable_first: true, ..TokenRule::usual(OnFailure::Crash) },
    ..ContainerRule::usual(OnFailure::Next)
});
/// `TokenFileWebIdentityCredentials.load`: the variables, or else the profile.
const V2_WEB_IDENTITY: Step = Step::WebIdentity(WebIdentityRule::usual(OnFailure::Next));
const V2_PROFILE_WEB_IDENTITY: Step = Step::ProfileWebIdentity(ProfileWebIdentity {
    unless_variables: true,
    through_sources: true,
    on_failure: OnFailure::SkipProfile,
    ..ProfileWebIdentity::of(ProfileFile::Both)
});

/// Version 2 with `AWS_SDK_LOAD_CONFIG`: the config file is read, too, and must exist, or no profile is
/// read at all. Every failure leads on: `CredentialProviderChain.resolve`.
pub const V2_LOAD_CONFIG: Sdk = Sdk {
    name: "JavaScript v2 with AWS_SDK_LOAD_CONFIG",
    version: "2.1693.0",
    was_run: true,
    source: "aws/aws-sdk-js: lib/node_loader.js; lib/util.js, getProfilesFromSharedConfig",
    profile: ProfileName { variables: &["AWS_PROFILE"], empty_counts: false },
    credentials: Some(FileRule { tilde: false, ..CREDENTIALS }),
    config: Some(FileRule { tilde: false, ..CONFIG }),
    dialect: V2_DIALECT,
    merge: FileMerge::BySetting,
    profiles_need_config: true,
    region: Region::of(
        &["AWS_REGION", "AMAZON_REGION"],
        &[ProfileFile::Credentials, ProfileFile::Config],
        NoRegion::FailsWithEndpoint,
    ),
    overridden_by: None,
    steps: &[
        // getRegion of lib/node_loader.js, as the module is loaded
        Step::ConfigForRegion,
        V2_KEYS,
        V2_AMAZON_KEYS,
        V2_SIGN_ON,
        V2_ROLE,
        V2_PROFILE_KEYS,
        V2_CONTAINER,
        Step::Process(ProcessRule::of(ProfileFile::Both)),
        V2_WEB_IDENTITY,
        V2_PROFILE_WEB_IDENTITY,
        // lib/metadata_service.js
        Step::Imds(ImdsDisabled::Anything),
    ],
    at_end: CredentialSource::Error,
};

/// Version 2.
pub const V2: Sdk = Sdk {
    name: "JavaScript v2",
    source: "aws/aws-sdk-js: lib/node_loader.js, CredentialProviderChain.defaultProviders",
    credentials: Some(V2_CREDENTIALS),
    config: None,
    profiles_need_config: false,
    region: Region { files: &[], ..V2_LOAD_CONFIG.region },
    overridden_by: Some(RuleOverride::ByAnything(&V2_LOAD_CONFIG)),
    // without ConfigForRegion
    steps: V2_LOAD_CONFIG.steps.split_at(1).1,
    ..V2_LOAD_CONFIG
};
