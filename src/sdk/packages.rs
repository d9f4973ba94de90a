//! What the registries call each SDK, which of its versions can use IRSA, and what it needs besides.

use super::go;
use crate::chain::SdkId;

/// The package whose version counts, as its registry names it.
#[must_use]
pub fn package(sdk: SdkId) -> &'static str {
    match sdk {
        SdkId::Boto => "botocore",
        SdkId::CliV2 => "awscli",
        SdkId::JsV2 | SdkId::JsV2LoadConfig => "aws-sdk",
        SdkId::JsV3 => "@aws-sdk/credential-provider-node",
        SdkId::GoV1 | SdkId::GoV1LoadConfig | SdkId::GoV1Old => go::V1,
        SdkId::GoV2 => go::V2_CONFIG,
        SdkId::JavaV1 => "com.amazonaws:aws-java-sdk-core",
        SdkId::JavaV2 => "software.amazon.awssdk:auth",
        SdkId::Rust => "aws-config",
        SdkId::Ruby => "aws-sdk-core",
        SdkId::Cpp => "aws-sdk-cpp",
        SdkId::DotNet3 | SdkId::DotNet4 => "AWSSDK.Core",
        SdkId::Php => "aws/aws-sdk-php",
        SdkId::Kotlin => "aws.sdk.kotlin:aws-core",
        SdkId::Swift => "aws-sdk-swift",
    }
}

/// The module without which the SDK has no web identity, where that is a module of its own.
#[must_use]
pub fn sts_module(sdk: SdkId) -> Option<&'static str> {
    match sdk {
        SdkId::JavaV1 => Some("com.amazonaws:aws-java-sdk-sts"),
        SdkId::JavaV2 => Some("software.amazon.awssdk:sts"),
        _ => None,
    }
}

/// The least version of [`package`] with IRSA; `None` where every version has it, or where AWS counts in
/// other numbers than the package's, as for .NET.
///
/// Source: "Use IRSA with the AWS SDK" in the Amazon EKS User Guide
/// (`iam-roles-for-service-accounts-minimum-sdk`). Of botocore, 1.12.199 does not know the variables and
/// 1.12.200 does; other SDKs may have known them a little earlier than AWS says. Where the page names the
/// SDK as a whole, the number is that of the package in the same release.
#[must_use]
pub fn minimum(sdk: SdkId) -> Option<&'static str> {
    match sdk {
        SdkId::Boto => Some("1.12.200"),
        SdkId::JsV2 | SdkId::JsV2LoadConfig => Some("2.525.0"),
        SdkId::JsV3 => Some("3.27.0"),
        SdkId::GoV1 | SdkId::GoV1LoadConfig | SdkId::GoV1Old => Some("1.23.13"),
        SdkId::JavaV1 => Some("1.11.704"),
        SdkId::JavaV2 => Some("2.10.11"),
        SdkId::Ruby => Some("3.58.0"),
        SdkId::Cpp => Some("1.7.174"),
        SdkId::Php => Some("3.110.7"),
        SdkId::CliV2
        | SdkId::GoV2
        | SdkId::Rust
        | SdkId::DotNet3
        | SdkId::DotNet4
        | SdkId::Kotlin
        | SdkId::Swift => None,
    }
}

/// Whether the version is less than the least; `None` if it is no version.
#[must_use]
pub fn is_too_old(sdk: SdkId, version: &str) -> Option<bool> {
    let found = numbers(version)?;
    Some(minimum(sdk).and_then(numbers).is_some_and(|least| found < least))
}

/// The first three numbers of a version. What follows them, such as `.dev0` or `-rc.1`, is left out: no
/// release candidate of a least version matters.
fn numbers(version: &str) -> Option<[u64; 3]> {
    let mut numbers = [0; 3];
    let mut parts = version.split(['.', '-', '+']);
    for (index, number) in numbers.iter_mut().enumerate() {
        match parts.next().map(str::parse) {
            Some(Ok(part)) => *number = part,
            _ if index == 0 => return None,
            _ => break,
        }
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::{is_too_old, minimum, numbers, package};
    use crate::chain::SdkId;
    use crate::diagnosis::Name;

    #[test]
    fn versions_are_compared_as_numbers() {
        for (sdk, version, expected) in [
            (SdkId::Boto, "1.12.199", Some(true)),
            (SdkId::Boto, "1.12.200", Some(false)),
            (SdkId::Boto, "1.9.999", Some(true)),
            (SdkId::Boto, "1.44.5.dev0", Some(false)),
            (SdkId::Boto, "1", Some(true)),
            (SdkId::Boto, "2", Some(false)),
            (SdkId::JavaV2, "2.10.11-SNAPSHOT", Some(false)),
            (SdkId::JavaV2, "2.9.26", Some(true)),
            (SdkId::JavaV1, "1.11.704", Some(false)),
            (SdkId::GoV1, "1.23.12", Some(true)),
            (SdkId::GoV1, "1.55.6-0.20240101000000-abcdefabcdef", Some(false)),
            (SdkId::GoV2, "0.1.0", Some(false)),
            (SdkId::JsV3, "3.0.0-alpha.1", Some(true)),
            (SdkId::JsV3, "latest", None),
            (SdkId::JsV3, "", None),
            (SdkId::JsV3, "99999999999999999999999.0.0", None),
        ] {
            assert_eq!(is_too_old(sdk, version), expected, "{sdk:?} {version}");
        }
    }

    #[test]
    fn every_least_version_is_one_and_on_the_page() {
        let page = Name::SdkTooOldForIrsa.page();
        for (sdk, least) in SdkId::ALL.iter().filter_map(|sdk| Some((*sdk, minimum(*sdk)?))) {
            assert!(numbers(least).is_some(), "{sdk:?}");
            let is_row = |line: &str| {
                line.contains(&format!("`{}`", package(sdk))) && line.ends_with(&format!("| {least} |"))
            };
            assert!(page.lines().any(is_row), "{sdk:?}");
        }
    }
}
