//! botocore, which boto3 uses, and the AWS CLI v2, which has its own copy of it.

use super::{CONFIG, CREDENTIALS, ID, LOOPBACK_NAME_ECS_EKS, SECRET, SPECIFIED};
use crate::ini::{Both, Bytes, Dialect, Faults, Headers, Indented, Names, Spaces, Trailing};
use crate::rules::{
    Alone, Container, Disabled, Empty, EmptyRegion, FileRule, In, Join, Keys, LineBreak, Named, NoRegion,
    Process, ProfileKeys, ProfileName, Region, Role, RoleRegion, Sdk, SignOn, Sources, Step, Then, Token,
    WebIdentity, WithoutRole,
};
use crate::{Picks, SdkId};

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
        spaces: Spaces::Quoted,
        trailing: Trailing::Ignored,
        both: Both::Merged,
        ..SPECIFIED.headers
    },
    credentials: Names::AsWritten,
    ..SPECIFIED
};

/// `botocore/configprovider.py`: a variable that is set to nothing names the file "", which does not exist.
const CREDENTIALS_FILE: FileRule = FileRule { empty_counts: true, ..CREDENTIALS };
const CONFIG_FILE: FileRule = FileRule { empty_counts: true, ..CONFIG };

const PROFILE_VARIABLES: &[&str] = &["AWS_DEFAULT_PROFILE", "AWS_PROFILE"];

/// `create_credential_resolver`: the order; and before it, `get_scoped_config` of `botocore/session.py`.
const STEPS: &[Step] = &[
    Step::FilesMustParse { then: Then::Error, unless_keys: false },
    Step::ProfileMustExist { variables: PROFILE_VARIABLES, empty_counts: true, even_default: true },
    // Only for the CLI: what it is asked for is a call of its own.
    Step::RegionMustBeSet,
    // EnvProvider.load
    Step::Keys(Keys {
        id: ID,
        secret: SECRET,
        empty_counts: false,
        trims: false,
        legacy: false,
        half: Then::Error,
        unless: None,
    }),
    // AssumeRoleProvider.load
    Step::Role(Role {
        file: In::Both,
        unless_token_file: true,
        without_role: WithoutRole::Ignored,
        alone: Alone::Fails(Then::Error),
        both: Then::Error,
        missing: Then::Error,
        empty: Then::Error,
        circle: Then::Error,
        sources: Sources { half_fails: true, ..Sources::ALL },
        named: &[Named::Environment, Named::EcsContainer, Named::Ec2InstanceMetadata],
        named_in_any_case: false,
        unknown: Then::Error,
        named_empty: Then::Error,
        minds_disabled: true,
        mfa: Some(Then::Error),
        region: RoleRegion::Must,
        fails: Then::Error,
    }),
    // AssumeRoleWithWebIdentityProvider.load; the token's and the role's least lengths are the STS model's.
    Step::WebIdentity(WebIdentity {
        empty: Empty::Hides,
        filled_from: Some(In::Both),
        filled_by: None,
        without_role: Then::Error,
        without_token: Then::Next,
        least_token: 4,
        least_role: 20,
        fails: Then::Error,
    }),
    // SSOProvider.load
    Step::SignOn(SignOn { file: In::Both, any_of: &["sso_role_name", "sso_account_id"], then: Then::Error }),
    // SharedCredentialProvider.load
    Step::ProfileKeys(ProfileKeys {
        empty_counts: true,
        half: Then::Error,
        ..ProfileKeys::of(In::Credentials)
    }),
    // LoginProvider.load
    Step::SignOn(SignOn { file: In::Both, any_of: &["login_session"], then: Then::Error }),
    // ProcessProvider.load
    Step::Process(Process { empty: Then::Error, ..Process::of(In::Both) }),
    // ConfigProvider.load
    Step::ProfileKeys(ProfileKeys { empty_counts: true, half: Then::Error, ..ProfileKeys::of(In::Config) }),
    // ContainerProvider.load; ContainerMetadataFetcher of botocore/utils.py
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
            read_first: false,
        },
        fails: Then::Error,
    }),
    // InstanceMetadataProvider.load
    Step::Imds(Disabled::True),
];

/// botocore and boto3.
pub const BOTO: Sdk = Sdk {
    id: SdkId::Boto,
    name: "Python (boto3)",
    version: "botocore 1.44.5",
    was_run: true,
    source: "boto/botocore: botocore/credentials.py, create_credential_resolver",
    profile: ProfileName { variables: PROFILE_VARIABLES, empty_counts: true },
    credentials: Some(CREDENTIALS_FILE),
    config: Some(CONFIG_FILE),
    dialect: DIALECT,
    join: Join::BySetting,
    profiles_need_config: false,
    // Without one STS is called at its global endpoint.
    region: Region::of(&["AWS_DEFAULT_REGION"], &[In::Both], NoRegion::Fine),
    instead: None,
    steps: STEPS,
    at_end: Picks::Nothing,
};

/// The AWS CLI v2. A command ends with an error where botocore finds nothing.
pub const CLI_V2: Sdk = Sdk {
    id: SdkId::CliV2,
    name: "AWS CLI v2",
    version: "2.36.12",
    source: "aws/aws-cli (v2): awscli/botocore/credentials.py, create_credential_resolver",
    profile: ProfileName { variables: &["AWS_PROFILE", "AWS_DEFAULT_PROFILE"], empty_counts: true },
    region: Region {
        empty: EmptyRegion::Counts,
        ..Region::of(&["AWS_REGION", "AWS_DEFAULT_REGION"], &[In::Both], NoRegion::Fails)
    },
    at_end: Picks::Error,
    ..BOTO
};
