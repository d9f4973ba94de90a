//! The rules of the SDKs, one table each. This file has what several tables share.
#![allow(clippy::wildcard_imports, reason = "a table uses most of the words in which rules are declared")]

pub mod cpp;
pub mod dotnet;
pub mod go;
pub mod java;
pub mod javascript;
pub mod kotlin;
pub mod php;
pub mod python;
pub mod ruby;
pub mod rust;
pub mod swift;

use crate::CredentialSource;
use crate::dialect::*;
use crate::rules::*;

const SPECIFIED: Dialect = Dialect::SPECIFIED;

/// The file in `AWS_SHARED_CREDENTIALS_FILE`, or else `~/.aws/credentials`.
const CREDENTIALS: FileRule = FileRule {
    variable: Some("AWS_SHARED_CREDENTIALS_FILE"),
    empty_counts: false,
    tilde: true,
    or_config: false,
};

/// The file in `AWS_CONFIG_FILE`, or else `~/.aws/config`.
const CONFIG: FileRule = FileRule { variable: Some("AWS_CONFIG_FILE"), ..CREDENTIALS };

const SIGN_ON: &[&str] = &["sso_start_url", "sso_account_id", "sso_session", "sso_region", "sso_role_name"];

#[cfg(test)]
mod tests {
    use crate::SdkId;
    use crate::rules::Step;
    use crate::situation::VARIABLES;
    use std::collections::BTreeSet;

    #[test]
    fn every_variable_that_a_rule_names_is_read() {
        for id in SdkId::ALL {
            let sdk = id.rules();
            let mut names: Vec<&str> = [sdk.profile.variables, sdk.region.variables].concat();
            names.extend([sdk.credentials, sdk.config].iter().filter_map(|rule| rule.as_ref()?.variable));
            for step in sdk.steps {
                match step {
                    Step::Keys(keys) => {
                        names.extend(keys.id.iter().chain(keys.secret).chain(keys.unless.as_ref()))
                    }
                    Step::ProfileMustExist { variables, .. } => names.extend(*variables),
                    Step::ProfileWebIdentity(rule) => {
                        names.extend(rule.profile_name.iter().flat_map(|name| name.variables));
                    }
                    Step::WebIdentity(rule) => {
                        names.extend(rule.profile_name.iter().flat_map(|name| name.variables))
                    }
                    _ => {}
                }
            }
            assert!(names.iter().all(|name| VARIABLES.contains(name)), "{}: {names:?}", id.as_str());
        }
    }

    #[test]
    fn sdks_are_told_apart_and_cite_their_source() {
        let names: BTreeSet<&str> = SdkId::ALL.iter().map(|id| id.rules().name).collect();
        assert_eq!(names.len(), SdkId::ALL.len());
        assert!(
            SdkId::ALL.iter().all(|id| id.rules().source.contains('/') && !id.rules().version.is_empty())
        );
    }
}
