//! The AWS SDK for Rust: only what a provider calls "not loaded" leads on, all else ends the search.

use super::*;

/// `aws-runtime`, `env_config/source.rs`: a variable that is set to nothing names no file.
const CREDENTIALS_FILE: FileRule = FileRule { empty_counts: true, ..CREDENTIALS };
const CONFIG_FILE: FileRule = FileRule { empty_counts: true, ..CONFIG };

/// aws-config.
pub const RUST: Sdk = Sdk {
    name: "Rust",
    version: "aws-config 1.13.0",
    was_run: true,
    source: "awslabs/aws-sdk-rust: aws-config/src/default_provider/credentials.rs, profile/credentials/repr.rs",
    profile: ProfileName { variables: &["AWS_PROFILE"], empty_counts: true },
    credentials: Some(CREDENTIALS_FILE),
    config: Some(CONFIG_FILE),
    dialect: Dialect { bytes: Bytes::Empty, ..SPECIFIED },
    merge: FileMerge::BySetting,
    profiles_need_config: false,
    region: Region {
        empty: EmptyRegion::Fails,
        ..Region::of(&["AWS_REGION", "AWS_DEFAULT_REGION"], &[ProfileFile::Both], NoRegion::AsksImds)
    },
    overridden_by: None,
    steps: &[
        // environment/credentials.rs: a blank key is none
        Step::Keys(EnvKeysRule {
            secret: &["AWS_SECRET_ACCESS_KEY", "SECRET_ACCESS_KEY"],
            empty_counts: true,
            trims: true,
            ..EnvKeysRule::USUAL
        }),
        Step::FilesMustParse { on_failure: OnFailure::Error, unless_keys: false },
        // repr.rs, resolve_chain: a missing profile is "not loaded", any other flaw is an error
        Step::Role(RoleRule {
            unless_token_file: true,
            without_role: WithoutRole::NamedSourceUsed,
            source_missing: OnFailure::SkipProfile,
            region: RoleRegion::Required,
            ..RoleRule::usual(OnFailure::Error)
        }),
        // repr.rs, base_provider: the order of the kinds
        Step::ProfileWebIdentity(ProfileWebIdentity {
            empty_counts: true,
            without_role: OnFailure::Error,
            on_failure: OnFailure::Error,
            ..ProfileWebIdentity::of(ProfileFile::Both)
        }),
        Step::SignOn(SsoRule {
            any_of: &["sso_session", "sso_account_id", "sso_role_name"],
            on_failure: OnFailure::Error,
        }),
        Step::SignOn(SsoRule {
            any_of: &["sso_region", "sso_start_url"],
            on_failure: OnFailure::SkipProfile,
        }),
        Step::SignOn(SsoRule { any_of: &["login_session"], on_failure: OnFailure::Error }),
        Step::Process(ProcessRule { empty: OnFailure::Error, ..ProcessRule::of(ProfileFile::Both) }),
        Step::ProfileKeys(ProfileKeys {
            empty_counts: true,
            secret_missing: OnFailure::Error,
            id_missing: OnFailure::Error,
            only_session_token: OnFailure::Error,
            ..ProfileKeys::of(ProfileFile::Both)
        }),
        // web_identity_token.rs: variables that are set to nothing are set
        Step::WebIdentity(WebIdentityRule {
            empty: EmptyVariable::Set,
            ..WebIdentityRule::usual(OnFailure::Error)
        }),
        // ecs.rs: the token file is read first; a host name must lead to an allowed address
        Step::Container(ContainerRule {
            empty_counts: true,
            token: TokenRule { read_first: true, ..TokenRule::usual(OnFailure::Error) },
            ..ContainerRule::usual(OnFailure::Error)
        }),
        Step::Imds(ImdsDisabled::True),
    ],
    at_end: CredentialSource::Error,
};
