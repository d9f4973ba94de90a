//! The AWS SDK for Rust: only what a provider calls "not loaded" leads on, all else ends the search.

use super::{CONFIG, CREDENTIALS, ID, LOOPBACK_NAME_ECS_EKS, SPECIFIED};
use crate::dialect::{Bytes, Dialect};
use crate::rules::{
    ContainerRule, EmptyRegion, EmptyVariable, EnvKeysRule, FileMerge, FileRule, ImdsDisabled, LineBreak,
    NamedSource, NoRegion, OnFailure, ProcessRule, ProfileFile, ProfileKeys, ProfileName, ProfileWebIdentity,
    Region, RoleRegion, RoleRule, RoleWithoutSource, Sdk, Sources, SsoRule, Step, TokenRule, WebIdentityRule,
    WithoutRole,
};
use crate::{CredentialSource, SdkId};

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
            id: ID,
            secret: &["AWS_SECRET_ACCESS_KEY", "SECRET_ACCESS_KEY"],
            empty_counts: true,
            trims: true,
            legacy: false,
            secret_missing: OnFailure::Next,
            unless: None,
        }),
        Step::FilesMustParse { on_failure: OnFailure::Error, unless_keys: false },
        // repr.rs, resolve_chain: a missing profile is "not loaded", any other flaw is an error
        Step::Role(RoleRule {
            file: ProfileFile::Both,
            unless_token_file: true,
            without_role: WithoutRole::NamedSourceUsed,
            without_source: RoleWithoutSource::Fails(OnFailure::Error),
            two_sources: OnFailure::Error,
            source_missing: OnFailure::SkipProfile,
            source_empty: OnFailure::Error,
            source_cycle: OnFailure::Error,
            sources: Sources::ALL,
            named_sources: &[
                NamedSource::Environment,
                NamedSource::EcsContainer,
                NamedSource::Ec2InstanceMetadata,
            ],
            named_ignore_case: false,
            named_unknown: OnFailure::Error,
            named_empty: OnFailure::Error,
            obeys_imds_disabled: true,
            mfa: None,
            region: RoleRegion::Required,
            on_failure: OnFailure::Error,
        }),
        // repr.rs, base_provider: the order of the kinds
        Step::ProfileWebIdentity(ProfileWebIdentity {
            empty_counts: true,
            without_role: OnFailure::Error,
            on_failure: OnFailure::Error,
            ..ProfileWebIdentity::of(ProfileFile::Both)
        }),
        Step::SignOn(SsoRule {
            file: ProfileFile::Both,
            any_of: &["sso_session", "sso_account_id", "sso_role_name"],
            on_failure: OnFailure::Error,
        }),
        Step::SignOn(SsoRule {
            file: ProfileFile::Both,
            any_of: &["sso_region", "sso_start_url"],
            on_failure: OnFailure::SkipProfile,
        }),
        Step::SignOn(SsoRule {
            file: ProfileFile::Both,
            any_of: &["login_session"],
            on_failure: OnFailure::Error,
        }),
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
            profile_file: None,
            profile_name: None,
            without_role: OnFailure::Next,
            without_token: OnFailure::Next,
            min_token_bytes: 0,
            min_role_chars: 1,
            on_failure: OnFailure::Error,
        }),
        // ecs.rs: the token file is read first; a host name must lead to an allowed address
        Step::Container(ContainerRule {
            relative_first: true,
            empty_counts: true,
            hosts: LOOPBACK_NAME_ECS_EKS,
            bad_host: OnFailure::Error,
            token: TokenRule {
                file: true,
                variable_first: false,
                unreadable: OnFailure::Error,
                line_break: LineBreak::Fails(OnFailure::Error),
                read_first: true,
            },
            on_failure: OnFailure::Error,
        }),
        Step::Imds(ImdsDisabled::True),
    ],
    at_end: CredentialSource::Error,
};
