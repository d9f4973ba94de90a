//! botocore, which boto3 uses, and the AWS CLI v2, which has its own copy of it.

use super::*;

/// `raw_config_parse` and `build_profile_map` of `botocore/configloader.py`, on top of `configparser`.
const DIALECT: Dialect = Dialect {
    colon: true,
    inline_comments: false,
    indented: Indented::Deeper,
    faults: Faults::Strict,
    bytes: Bytes::Fault,
    headers: Headers {
        trims: false,
        must_name: true,
        quotes: true,
        spaces: InlineSpaces::Quoted,
        trailing: Trailing::Ignored,
        duplicate: DuplicateHeaders::Merged,
        ..SPECIFIED.headers
    },
    credentials: HeaderStyle::AsWritten,
    ..SPECIFIED
};

/// `botocore/configprovider.py`: a variable that is set to nothing names the file "", which does not exist.
const CREDENTIALS_FILE: FileRule = FileRule { empty_counts: true, ..CREDENTIALS };
const CONFIG_FILE: FileRule = FileRule { empty_counts: true, ..CONFIG };

const PROFILE_VARIABLES: &[&str] = &["AWS_DEFAULT_PROFILE", "AWS_PROFILE"];

/// `create_credential_resolver`: the order; and before it, `get_scoped_config` of `botocore/session.py`.
const STEPS: &[Step] = &[
    Step::FilesMustParse { on_failure: OnFailure::Error, unless_keys: false },
    Step::ProfileMustExist { variables: PROFILE_VARIABLES, empty_counts: true, even_default: true },
    // Only for the CLI: what it is asked for is a call of its own.
    Step::RegionMustBeSet,
    // EnvProvider.load
    Step::Keys(EnvKeysRule { secret_missing: OnFailure::Error, ..EnvKeysRule::USUAL }),
    // AssumeRoleProvider.load
    Step::Role(RoleRule {
        unless_token_file: true,
        sources: Sources { half_pair_fails: true, ..Sources::ALL },
        mfa: Some(OnFailure::Error),
        region: RoleRegion::Required,
        ..RoleRule::usual(OnFailure::Error)
    }),
    // AssumeRoleWithWebIdentityProvider.load; the token's and the role's least lengths are the STS model's.
    Step::WebIdentity(WebIdentityRule {
        empty: EmptyVariable::Hides,
        profile_file: Some(ProfileFile::Both),
        without_role: OnFailure::Error,
        min_token_bytes: 4,
        min_role_chars: 20,
        ..WebIdentityRule::usual(OnFailure::Error)
    }),
    // SSOProvider.load
    Step::SignOn(SsoRule { any_of: &["sso_role_name", "sso_account_id"], on_failure: OnFailure::Error }),
    // SharedCredentialProvider.load
    Step::ProfileKeys(ProfileKeys {
        empty_counts: true,
        secret_missing: OnFailure::Error,
        ..ProfileKeys::of(ProfileFile::Credentials)
    }),
    // LoginProvider.load
    Step::SignOn(SsoRule { any_of: &["login_session"], on_failure: OnFailure::Error }),
    // ProcessProvider.load
    Step::Process(ProcessRule { empty: OnFailure::Error, ..ProcessRule::of(ProfileFile::Both) }),
    // ConfigProvider.load
    Step::ProfileKeys(ProfileKeys {
        empty_counts: true,
        secret_missing: OnFailure::Error,
        ..ProfileKeys::of(ProfileFile::Config)
    }),
    // ContainerProvider.load; ContainerMetadataFetcher of botocore/utils.py
    Step::Container(ContainerRule { empty_counts: true, ..ContainerRule::usual(OnFailure::Error) }),
    // InstanceMetadataProvider.load
    Step::Imds(ImdsDisabled::True),
];

/// botocore and boto3.
pub const BOTO: Sdk = Sdk {
    name: "Python (boto3)",
    version: "botocore 1.44.5",
    was_run: true,
    source: "boto/botocore: botocore/credentials.py, create_credential_resolver",
    profile: ProfileName { variables: PROFILE_VARIABLES, empty_counts: true },
    credentials: Some(CREDENTIALS_FILE),
    config: Some(CONFIG_FILE),
    dialect: DIALECT,
    merge: FileMerge::BySetting,
    profiles_need_config: false,
    // Without one STS is called at its global endpoint.
    region: Region::of(&["AWS_DEFAULT_REGION"], &[ProfileFile::Both], NoRegion::Global),
    overridden_by: None,
    steps: STEPS,
    at_end: CredentialSource::Nothing,
};

/// The AWS CLI v2. A command ends with an error where botocore finds nothing.
pub const CLI_V2: Sdk = Sdk {
    name: "AWS CLI v2",
    version: "2.36.12",
    source: "aws/aws-cli (v2): awscli/botocore/credentials.py, create_credential_resolver",
    profile: ProfileName { variables: &["AWS_PROFILE", "AWS_DEFAULT_PROFILE"], empty_counts: true },
    region: Region {
        empty: EmptyRegion::Counts,
        ..Region::of(&["AWS_REGION", "AWS_DEFAULT_REGION"], &[ProfileFile::Both], NoRegion::Fails)
    },
    at_end: CredentialSource::Error,
    ..BOTO
};
