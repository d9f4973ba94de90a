//! The AWS SDK for PHP: each link of the chain is the "otherwise" of the one before it.

use super::*;

/// `ini`, for one of the two files.
const fn role(file: ProfileFile) -> Step {
    Step::Role(RoleRule {
        file,
        sources: Sources { web_identity: false, process: false, ..Sources::ALL },
        region: RoleRegion::Own,
        ..RoleRule::usual(OnFailure::SkipProfile)
    })
}

const fn keys(file: ProfileFile) -> Step {
    Step::ProfileKeys(ProfileKeys { unless_role: true, ..ProfileKeys::of(file) })
}

/// PHP's `parse_ini_file`: a profile is asked for by its header.
const DIALECT: Dialect = Dialect {
    indented: Indented::Line,
    faults: Faults::None,
    headers: Headers { trailing: Trailing::Ignored, ..SPECIFIED.headers },
    config: HeaderStyle::AsWritten,
    credentials: HeaderStyle::AsWritten,
    ..SPECIFIED
};

/// Version 3.
pub const PHP: Sdk = Sdk {
    name: "PHP",
    version: "3",
    was_run: false,
    source: "aws/aws-sdk-php: src/Credentials/CredentialProvider.php, defaultProvider",
    profile: ProfileName { variables: &["AWS_PROFILE"], empty_counts: false },
    credentials: Some(FileRule { tilde: false, ..CREDENTIALS }),
    // defaultProvider: getHomeDir() . '/.aws/config', whatever AWS_CONFIG_FILE says
    config: Some(FileRule { variable: None, tilde: false, ..CONFIG }),
    dialect: DIALECT,
    // loadDefaultProfiles, for the web identity; all else looks into one file
    merge: FileMerge::ByProfile,
    profiles_need_config: false,
    // us-east-1, unless the client's own is passed on
    region: Region::of(&["AWS_REGION"], &[], NoRegion::Global),
    overridden_by: None,
    steps: &[
        Step::Keys(EnvKeysRule::USUAL),
        // assumeRoleWithWebIdentityCredentialProvider: the variables, or else the profile
        Step::WebIdentity(WebIdentityRule::usual(OnFailure::Next)),
        Step::ProfileWebIdentity(ProfileWebIdentity {
            unless_variables: true,
            on_failure: OnFailure::SkipProfile,
            ..ProfileWebIdentity::of(ProfileFile::Both)
        }),
        Step::SignOn(SsoRule { any_of: SIGN_ON, on_failure: OnFailure::Next }),
        Step::Process(ProcessRule::of(ProfileFile::Credentials)),
        role(ProfileFile::Credentials),
        keys(ProfileFile::Credentials),
        Step::Process(ProcessRule::of(ProfileFile::ConfigAsWritten)),
        role(ProfileFile::ConfigAsWritten),
        keys(ProfileFile::ConfigAsWritten),
        // shouldUseEcs: one or the other; EcsCredentialProvider.php
        Step::Container(ContainerRule::usual(OnFailure::Error)),
        // InstanceProfileProvider.php
        Step::Imds(ImdsDisabled::True),
    ],
    at_end: CredentialSource::Error,
};
