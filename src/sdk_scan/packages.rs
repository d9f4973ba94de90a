//! What the registries call each SDK, which of its versions can use IRSA, and what it needs besides.

use super::go;
use sdk_chain::SdkId;

/// The package whose version counts, as its registry names it.
pub(crate) fn package(sdk: SdkId) -> &'static str {
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
pub(crate) fn sts_module(sdk: SdkId) -> Option<&'static str> {
    match sdk {
        SdkId::JavaV1 => Some("com.amazonaws:aws-java-sdk-sts"),
        SdkId::JavaV2 => Some("software.amazon.awssdk:sts"),
        _ => None,
    }
}

/// The least version of [`package`] that AWS supports with IRSA; `None` where every version has it, or where
/// AWS counts in other numbers than the package's, as for .NET.
///
/// Source: "Use IRSA with the AWS SDK" in the Amazon EKS User Guide
/// (`iam-roles-for-service-accounts-minimum-sdk`). Where the page names the SDK as a whole, the number is that
/// of the package in the same release. For version 1 of Java the page of 2024 says 1.11.704, and the newest
/// says 1.12.782; those in between take the role (1.11.901 was run), so that the smaller number is used.
pub(crate) fn minimum_version(sdk: SdkId) -> Option<&'static str> {
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
        _ => None,
    }
}

/// The first version of [`package`] that may look at the web identity, where that is known better than by
/// [`minimum`]: no older one does.
///
/// Source: each was run with the role and a token in its environment, and without a network. botocore 1.12.200
/// asks STS, 1.12.199 does not; JavaScript 3.15.0 does, 3.14.0 does not; Go 1.21.0 does, 1.19.0 does not, and
/// 1.20 was not run. JavaScript 2.518.0 is the first that reads the variables by their final names. Java
/// 1.11.600 and 2.10.10 lack the class, 1.11.703 and 2.10.11 have it.
pub(crate) fn first_with_web_identity(sdk: SdkId) -> Option<&'static str> {
    match sdk {
        SdkId::Boto => Some("1.12.200"),
        SdkId::JsV2 | SdkId::JsV2LoadConfig => Some("2.518.0"),
        SdkId::JsV3 => Some("3.15.0"),
        SdkId::GoV1 | SdkId::GoV1LoadConfig | SdkId::GoV1Old => Some("1.20.0"),
        SdkId::JavaV1 => Some("1.11.601"),
        SdkId::JavaV2 => Some("2.10.11"),
        _ => None,
    }
}

/// How a version stands to IRSA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IrsaSupport {
    Supported,
    /// AWS does not say that it is supported, and it may look at the web identity all the same.
    Undocumented,
    /// It does not look at the web identity, as far as is known.
    TooOld,
}

/// How the version stands to IRSA; `None` if it is no version.
pub(crate) fn irsa_support(sdk: SdkId, version: &str) -> Option<IrsaSupport> {
    let found = numbers(version)?;
    let is_before = |least: Option<&str>| least.and_then(numbers).is_some_and(|least| found < least);
    Some(if is_before(first_with_web_identity(sdk).or_else(|| minimum_version(sdk))) {
        IrsaSupport::TooOld
    } else if is_before(minimum_version(sdk)) {
        IrsaSupport::Undocumented
    } else {
        IrsaSupport::Supported
    })
}

/// The first three numbers of a version. What follows a number, as in `200rc1`, `.dev0` or `-rc.1`, is left
/// out: no release candidate of a least version matters.
fn numbers(version: &str) -> Option<[u64; 3]> {
    let mut numbers = [0; 3];
    for (part, number) in version.split(['.', '-', '+']).zip(&mut numbers) {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        match part.get(..end) {
            None | Some("") => break,
            Some(digits) => *number = digits.parse().ok()?,
        }
    }
    version.starts_with(|c: char| c.is_ascii_digit()).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::{IrsaSupport, first_with_web_identity, irsa_support, minimum_version, numbers, package};
    use crate::diagnosis::Name;
    use sdk_chain::SdkId;

    #[test]
    fn versions_are_compared_as_numbers() {
        use IrsaSupport::{Supported, TooOld, Undocumented};
        for (sdk, version, expected) in [
            (SdkId::Boto, "1.12.199", Some(TooOld)),
            (SdkId::Boto, "1.12.200", Some(Supported)),
            (SdkId::Boto, "1.12.200rc1", Some(Supported)),
            (SdkId::Boto, "1.9.999", Some(TooOld)),
            (SdkId::Boto, "1.44.5.dev0", Some(Supported)),
            (SdkId::Boto, "1", Some(TooOld)),
            (SdkId::Boto, "2", Some(Supported)),
            (SdkId::JavaV2, "2.10.11-SNAPSHOT", Some(Supported)),
            (SdkId::JavaV2, "2.10.10", Some(TooOld)),
            (SdkId::JavaV1, "1.11.704", Some(Supported)),
            (SdkId::JavaV1, "1.11.703", Some(Undocumented)),
            (SdkId::JavaV1, "1.11.600", Some(TooOld)),
            (SdkId::GoV1, "1.23.12", Some(Undocumented)),
            (SdkId::GoV1, "1.19.0", Some(TooOld)),
            (SdkId::GoV1, "1.55.6-0.20240101000000-abcdefabcdef", Some(Supported)),
            (SdkId::GoV2, "0.1.0", Some(Supported)),
            (SdkId::JsV2, "2.524.0", Some(Undocumented)),
            (SdkId::JsV2, "2.517.0", Some(TooOld)),
            (SdkId::JsV3, "3.26.0", Some(Undocumented)),
            (SdkId::JsV3, "3.14.0", Some(TooOld)),
            (SdkId::JsV3, "3.0.0-alpha.1", Some(TooOld)),
            (SdkId::Ruby, "3.57.0", Some(TooOld)),
            (SdkId::JsV3, "latest", None),
            (SdkId::JsV3, "", None),
            (SdkId::JsV3, "99999999999999999999999.0.0", None),
            (SdkId::JsV3, "3.99999999999999999999999.0", None),
        ] {
            assert_eq!(irsa_support(sdk, version), expected, "{sdk:?} {version}");
        }
    }

    #[test]
    fn no_version_is_supported_that_does_not_look() {
        for sdk in SdkId::ALL {
            let first = first_with_web_identity(*sdk).map(|first| numbers(first).unwrap());
            let least = minimum_version(*sdk).map(|least| numbers(least).unwrap());
            assert!(first.is_none_or(|first| least.is_some_and(|least| first <= least)), "{sdk:?}");
        }
    }

    #[test]
    fn every_least_version_is_one_and_on_the_page() {
        let page = Name::SdkTooOldForIrsa.page();
        for (sdk, least) in SdkId::ALL.iter().filter_map(|sdk| Some((*sdk, minimum_version(*sdk)?))) {
            assert!(numbers(least).is_some(), "{sdk:?}");
            let is_row = |line: &str| {
                line.contains(&format!("`{}`", package(sdk))) && line.ends_with(&format!("| {least} |"))
            };
            assert!(page.lines().any(is_row), "{sdk:?}");
        }
    }
}
