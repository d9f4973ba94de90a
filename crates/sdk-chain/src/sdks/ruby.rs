//! The AWS SDK for Ruby: an exception ends the search, credentials that are not set lead on.

use super::*;

/// `ini_parser.rb`: lenient; `profile NAME` is NAME in either file.
const DIALECT: Dialect = Dialect {
    colon: false,
    inline_comments: true,
    folds_names: false,
    drops_empty: true,
    indented: Indented::Nested,
    faults: Faults::None,
    headers: Headers {
        spaces: InlineSpaces::Always,
        trailing: Trailing::NoHeader,
        duplicate: DuplicateHeaders::Merged,
        ..SPECIFIED.headers
    },
    config: HeaderStyle::Either,
    credentials: HeaderStyle::Either,
    ..SPECIFIED
};

/// `shared_config.rb`, `File.exist?`: a variable that is set to nothing names no file of the home directory.
const CREDENTIALS_FILE: FileRule = FileRule { empty_counts: true, ..CREDENTIALS };
const CONFIG_FILE: FileRule = FileRule { empty_counts: true, ..CONFIG };

/// `SharedConfig.determine_profile`, by which the region and the config file's web identity go.
const SHARED_CONFIG: ProfileName = ProfileName { variables: &["AWS_PROFILE"], empty_counts: true };

/// `env_credentials`: the first variable that is set at all.
const KEYS: Step = Step::Keys(EnvKeysRule {
    id: &["AWS_ACCESS_KEY_ID", "AMAZON_ACCESS_KEY_ID", "AWS_ACCESS_KEY"],
    secret: &["AWS_SECRET_ACCESS_KEY", "AMAZON_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"],
    empty_counts: true,
    ..EnvKeysRule::USUAL
});
/// `assume_role_web_identity_credentials`: the variables, or else the config file's profile.
const WEB_IDENTITY: Step = Step::WebIdentity(WebIdentityRule {
    empty: EmptyVariable::Set,
    ..WebIdentityRule::usual(OnFailure::Error)
});
const PROFILE_WEB_IDENTITY: Step = Step::ProfileWebIdentity(ProfileWebIdentity {
    profile_name: Some(SHARED_CONFIG),
    on_failure: OnFailure::Error,
    ..ProfileWebIdentity::of(ProfileFile::Config)
});
/// `sso_credentials_from_profile`.
const SIGN_ON: Step =
    Step::SignOn(SsoRule { any_of: &["sso_account_id", "sso_role_name"], on_failure: OnFailure::Error });
/// `assume_role_from_profile` and `resolve_source_profile`; `AssumeRoleCredentials` takes no role of nil.
const ROLE: Step = Step::Role(RoleRule {
    without_role: WithoutRole::Fails(OnFailure::Error),
    sources: Sources { named_sources: false, ..Sources::ALL },
    named_sources: &[NamedSource::EcsContainer, NamedSource::Ec2InstanceMetadata],
    obeys_imds_disabled: false,
    ..RoleRule::usual(OnFailure::Error)
});
/// `instance_profile_credentials`: one or the other; `ecs_credentials.rb`.
const CONTAINER: Step = Step::Container(ContainerRule {
    empty_counts: true,
    bad_host: OnFailure::Error,
    token: TokenRule { line_break: LineBreak::Sent, ..TokenRule::usual(OnFailure::Error) },
    ..ContainerRule::usual(OnFailure::Nothing)
});

/// aws-sdk-core.
pub const RUBY: Sdk = Sdk {
    config: Some(CONFIG_FILE),
    overridden_by: Some(RuleOverride::ByOptOut(&OPTED_OUT)),
    steps: &[
        KEYS,
        WEB_IDENTITY,
        PROFILE_WEB_IDENTITY,
        SIGN_ON,
        ROLE,
        // shared_credentials: the credentials file, or else the config file
        Step::ProfileKeys(ProfileKeys::of(ProfileFile::Credentials)),
        Step::ProfileKeys(ProfileKeys::of(ProfileFile::Config)),
        Step::Process(ProcessRule::of(ProfileFile::Both)),
        CONTAINER,
        Step::Imds(ImdsDisabled::True),
    ],
    ..OPTED_OUT
};

/// With `AWS_SDK_CONFIG_OPT_OUT`, `Aws.shared_config.config_enabled?` is false: of the shared files the keys
/// in the credentials file are left.
const OPTED_OUT: Sdk = Sdk {
    name: "Ruby",
    version: "aws-sdk-core 3.211.0",
    was_run: true,
    source: "aws/aws-sdk-ruby: gems/aws-sdk-core/lib/aws-sdk-core/credential_provider_chain.rb, shared_config.rb",
    profile: ProfileName { variables: &["AWS_PROFILE", "AWS_DEFAULT_PROFILE"], empty_counts: true },
    credentials: Some(CREDENTIALS_FILE),
    config: None,
    dialect: DIALECT,
    merge: FileMerge::BySetting,
    profiles_need_config: false,
    // regional_endpoint.rb: the first variable that is set at all, unless it is set to nothing
    region: Region {
        empty: EmptyRegion::Hides,
        profile_name: Some(SHARED_CONFIG),
        ..Region::of(
            &["AWS_REGION", "AMAZON_REGION", "AWS_DEFAULT_REGION"],
            &[ProfileFile::Both],
            NoRegion::Fails,
        )
    },
    overridden_by: None,
    steps: &[
        KEYS,
        WEB_IDENTITY,
        Step::ProfileKeys(ProfileKeys::of(ProfileFile::Credentials)),
        CONTAINER,
        Step::Imds(ImdsDisabled::True),
    ],
    at_end: CredentialSource::Nothing,
};
