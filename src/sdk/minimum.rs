//! The least version of each SDK that AWS supports with IRSA.

use super::Sdk;

/// The least version of [`Sdk::package`] with IRSA; `None` where every version has it.
///
/// Source: "Use IRSA with the AWS SDK" in the Amazon EKS User Guide
/// (`iam-roles-for-service-accounts-minimum-sdk`). Of botocore, 1.12.199 does not know the variables and
/// 1.12.200 does; other SDKs may have known them a little earlier than AWS says. Where the page names the
/// SDK as a whole, the number is that of the package in the same release.
#[must_use]
pub fn minimum(sdk: Sdk) -> Option<&'static str> {
    match sdk {
        Sdk::Boto => Some("1.12.200"),
        Sdk::JsV2 => Some("2.525.0"),
        Sdk::JsV3 => Some("3.27.0"),
        Sdk::GoV1 => Some("1.23.13"),
        Sdk::JavaV1 => Some("1.11.704"),
        Sdk::JavaV2 => Some("2.10.11"),
        Sdk::CliV2 | Sdk::GoV2 => None,
    }
}

/// Whether the version is less than the least; `None` if it is no version.
#[must_use]
pub fn is_too_old(sdk: Sdk, version: &str) -> Option<bool> {
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
    use super::{Sdk, is_too_old, minimum, numbers};
    use crate::diagnosis::Name;

    #[test]
    fn versions_are_compared_as_numbers() {
        for (sdk, version, expected) in [
            (Sdk::Boto, "1.12.199", Some(true)),
            (Sdk::Boto, "1.12.200", Some(false)),
            (Sdk::Boto, "1.9.999", Some(true)),
            (Sdk::Boto, "1.44.5.dev0", Some(false)),
            (Sdk::Boto, "1", Some(true)),
            (Sdk::Boto, "2", Some(false)),
            (Sdk::JavaV2, "2.10.11-SNAPSHOT", Some(false)),
            (Sdk::JavaV2, "2.9.26", Some(true)),
            (Sdk::JavaV1, "1.11.704", Some(false)),
            (Sdk::GoV1, "1.23.12", Some(true)),
            (Sdk::GoV1, "1.55.6-0.20240101000000-abcdefabcdef", Some(false)),
            (Sdk::GoV2, "0.1.0", Some(false)),
            (Sdk::JsV3, "3.0.0-alpha.1", Some(true)),
            (Sdk::JsV3, "latest", None),
            (Sdk::JsV3, "", None),
            (Sdk::JsV3, "99999999999999999999999.0.0", None),
        ] {
            assert_eq!(is_too_old(sdk, version), expected, "{sdk:?} {version}");
        }
    }

    #[test]
    fn every_least_version_is_one_and_on_the_page() {
        let page = Name::SdkTooOldForIrsa.page();
        for (sdk, least) in Sdk::ALL.into_iter().filter_map(|sdk| Some((sdk, minimum(sdk)?))) {
            assert!(numbers(least).is_some(), "{sdk:?}");
            let is_row = |line: &str| {
                line.contains(&format!("`{}`", sdk.package())) && line.ends_with(&format!("| {least} |"))
            };
            assert!(page.lines().any(is_row), "{sdk:?}");
        }
    }
}
